//! RFC 6455 as the Autobahn test suite asks for it, against the hub's own socket and no other.
//!
//! The suite itself wants a server that echoes. Here the hub answers a `ping` frame with its `id`, which is an echo of
//! any text that a JSON string can hold; everything else about a case (its bytes, how they are cut, what must come
//! back) is the suite's. `tests/AUTOBAHN.md` says which cases there are and how each fares.

use crate::support::{Client, Deployment, Kind, PATIENCE, deployment, timeout};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONTINUE: u8 = 0x00;
const TEXT: u8 = 0x01;
const BINARY: u8 = 0x02;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
const FIN: u8 = 0x80;
/// Largest message that the hub takes.
const MOST: usize = 64 * 1024;

/// A client's frame: `first` is its first byte (FIN, reserved bits, opcode).
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut out = vec![first];
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            out.push(0x80 | 126);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

/// A message in fragments of these payloads.
fn fragments(kind: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let opcode = if index == 0 { kind } else { CONTINUE };
        out.extend(frame(opcode | if index + 1 == pieces.len() { FIN } else { 0 }, piece));
    }
    out
}

/// The text to which the hub answers with `words` in an `id`.
fn echo(words: &str) -> Vec<u8> {
    json!({ "type": "ping", "id": words }).to_string().into_bytes()
}

/// An `echo` whose text has exactly so many bytes.
fn echo_of(bytes: usize) -> Vec<u8> {
    echo(&"*".repeat(bytes - echo("").len()))
}

/// What a server may send.
#[derive(Debug, PartialEq)]
enum Received {
    Echo(String),
    /// The hub's word that it could not make sense of a text or a binary message.
    Error,
    Pong(Vec<u8>),
    /// Its code, if it has one; the connection ended behind it.
    Close(Option<u16>),
}
use Received::{Close, Echo, Error, Pong};

struct Raw {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    async fn open(client: &Client) -> Self {
        Self::with_headers(client, "").await.0
    }

    /// A socket past its `hello`, and the head of the hub's answer to the handshake.
    async fn with_headers(client: &Client, headers: &str) -> (Self, String) {
        let address = client.next_base().trim_start_matches("http://").to_owned();
        let mut raw = Self { stream: TcpStream::connect(&address).await.expect("a connection"), received: Vec::new() };
        raw.stream.set_nodelay(true).expect("no delay");
        let head = format!(
            "GET /v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-API-Key: {}\r\n{headers}\r\n",
            client.secret()
        );
        raw.stream.write_all(head.as_bytes()).await.expect("it goes out");
        let end = loop {
            if let Some(at) = raw.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break at + 4;
            }
            raw.more().await.expect("an answer");
        };
        let answer = String::from_utf8(raw.received.drain(..end).collect()).expect("text");
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        let (first, hello) = raw.frame().await.expect("a frame");
        assert!(first == FIN | TEXT && String::from_utf8_lossy(&hello).contains("hello"));
        (raw, answer)
    }

    /// Reads on; `None` at the end.
    async fn more(&mut self) -> Option<()> {
        let mut buffer = vec![0; 16 * 1024];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await.expect("something in time").unwrap_or(0);
        self.received.extend(&buffer[..read]);
        (read > 0).then_some(())
    }

    /// The next frame of the server, which must be whole and unmasked.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let bytes = &self.received;
            let length = match bytes.get(1) {
                Some(126) if bytes.len() >= 4 => Some((4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]])))),
                Some(127) if bytes.len() >= 10 => {
                    let length: [u8; 8] = bytes[2..10].try_into().expect("eight bytes");
                    Some((10, usize::try_from(u64::from_be_bytes(length)).expect("a length")))
                }
                Some(length @ 0..=125) => Some((2, usize::from(*length))),
                Some(128..) => panic!("a server must not mask"),
                _ => None,
            };
            if let Some((start, length)) = length
                && bytes.len() >= start + length
            {
                let first = bytes[0];
                assert!(first & FIN == FIN && first & 0x70 == 0, "{first:#x}");
                let payload = bytes[start..start + length].to_vec();
                self.received.drain(..start + length);
                return Some((first, payload));
            }
            self.more().await?;
        }
    }

    /// Sends bytes in pieces of so many.
    async fn send(&mut self, bytes: &[u8], chop: usize) {
        for piece in bytes.chunks(chop) {
            // The hub may have seen enough already and be gone.
            if self.stream.write_all(piece).await.is_err() {
                return;
            }
            if chop < bytes.len() {
                tokio::task::yield_now().await;
            }
        }
    }

    async fn next(&mut self) -> Received {
        let Some((first, payload)) = self.frame().await else { panic!("an end without a close frame") };
        match first {
            CLOSE => {
                assert!(self.frame().await.is_none(), "nothing comes behind a close frame");
                Close(payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code)))
            }
            PONG => Pong(payload),
            _ => {
                let reply: Value = serde_json::from_slice(&payload).expect("JSON");
                match reply["type"].as_str() {
                    Some("pong") => Echo(reply["id"].as_str().expect("an id").to_owned()),
                    Some("error") => Error,
                    _ => panic!("{reply}"),
                }
            }
        }
    }

    /// Takes everything up to the end, of which this side is the cause.
    async fn all(&mut self) -> Vec<Received> {
        let mut all = Vec::new();
        loop {
            let next = self.next().await;
            let closed = matches!(next, Close(_));
            all.push(next);
            if closed {
                return all;
            }
        }
    }
}

/// Its name, the frames that are sent, and what must come back.
type Case = (&'static str, Vec<Vec<u8>>, Vec<Received>);

/// Ways to cut a stream, as the suite does: at once, in pieces, octet by octet.
const CHOPS: [usize; 4] = [usize::MAX, 997, 7, 1];

/// Sends the bytes in every way on a socket of its own each, then a close; checks what came back before the end.
async fn each(client: &Client, what: &str, bytes: &[u8], expected: &[Received]) {
    for chop in CHOPS {
        if chop == 1 && bytes.len() > 4096 {
            continue;
        }
        let mut raw = Raw::open(client).await;
        raw.send(bytes, chop).await;
        if !matches!(expected.last(), Some(Close(_))) {
            raw.send(&frame(CLOSE, &1000_u16.to_be_bytes()), usize::MAX).await;
        }
        let mut all = raw.all().await;
        if !matches!(expected.last(), Some(Close(_))) {
            assert_eq!(all.pop(), Some(Close(Some(1000))), "{what}, cut at {chop}");
        }
        assert_eq!(all, expected, "{what}, cut at {chop}");
    }
}

fn run(story: impl AsyncFnOnce(Client)) {
    deployment::run(async {
        let hub = Deployment::given(Kind::Sqlite).await;
        let agent = hub.agent("agent").await;
        story(agent).await;
    });
}

fn echoed(text: &[u8]) -> Received {
    let value: Value = serde_json::from_slice(text).expect("JSON");
    Echo(value["id"].as_str().expect("an id").to_owned())
}

#[test]
fn group_1_framing() {
    run(async |client| {
        // The suite's lengths are those at which a header's size changes; the JSON around a text takes some of them.
        for length in [echo("").len(), 125, 126, 127, 128, 65_535, 65_536] {
            let text = echo_of(length);
            each(&client, &format!("a text of {length}"), &frame(FIN | TEXT, &text), &[echoed(&text)]).await;
        }
        each(&client, "an empty text", &frame(FIN | TEXT, b""), &[Error]).await;
        for length in [0, 125, 126, 127, 128, 65_535, 65_536] {
            let binary = vec![0xFE; length];
            each(&client, &format!("{length} binary"), &frame(FIN | BINARY, &binary), &[Error]).await;
        }
    });
}

#[test]
fn group_2_pings_and_pongs() {
    run(async |client| {
        let fine = echo("fine");
        let (text, answer) = (frame(FIN | TEXT, &fine), || Echo("fine".to_owned()));
        for payload in [&b""[..], b"Hello, world!", &[0, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0, 0xFF], &[0xFE; 125]] {
            each(&client, "a ping", &frame(PING, payload), &[Pong(payload.to_vec())]).await;
        }
        each(&client, "a ping of 126", &frame(PING, &[0xFE; 126]), &[Close(Some(1002))]).await;
        for payload in [&b""[..], b"unsolicited"] {
            each(&client, "a pong", &[frame(PONG, payload), text.clone()].concat(), &[answer()]).await;
        }
        let both = [frame(PONG, b"unsolicited"), frame(PING, b"payload")].concat();
        each(&client, "a pong, a ping", &both, &[Pong(b"payload".to_vec())]).await;
        let ten: Vec<u8> = (0..10).flat_map(|index| frame(PING, format!("payload-{index}").as_bytes())).collect();
        let pongs: Vec<_> = (0..10).map(|index| Pong(format!("payload-{index}").into_bytes())).collect();
        each(&client, "ten pings", &ten, &pongs).await;
    });
}

#[test]
fn group_3_reserved_bits() {
    run(async |client| {
        let fine = frame(FIN | TEXT, &echo("fine"));
        let ping = frame(PING, b"after it");
        for reserved in 1..=7_u8 {
            let bits = reserved << 4;
            for (what, first) in [
                ("a text", FIN | TEXT),
                ("a binary", FIN | BINARY),
                ("a ping", PING),
                ("a pong", PONG),
                ("a close", CLOSE),
            ] {
                let bad = frame(first | bits, b"Hello");
                let what = format!("{what} with the bits {reserved}");
                each(&client, &what, &[bad.clone(), ping.clone()].concat(), &[Close(Some(1002))]).await;
                let behind = [fine.clone(), bad, ping.clone()].concat();
                each(&client, &what, &behind, &[Echo("fine".to_owned()), Close(Some(1002))]).await;
            }
        }
    });
}

#[test]
fn group_4_opcodes() {
    run(async |client| {
        let fine = frame(FIN | TEXT, &echo("fine"));
        let ping = frame(PING, b"after it");
        for opcode in (3..=7_u8).chain(11..=15) {
            for payload in [&b""[..], b"reserved opcode payload"] {
                let bad = frame(FIN | opcode, payload);
                let what = format!("opcode {opcode}");
                each(&client, &what, &[bad.clone(), ping.clone()].concat(), &[Close(Some(1002))]).await;
                let behind = [fine.clone(), bad, ping.clone()].concat();
                each(&client, &what, &behind, &[Echo("fine".to_owned()), Close(Some(1002))]).await;
            }
        }
    });
}

#[test]
fn group_5_fragmentation() {
    run(async |client| {
        let text = echo("fragment1fragment2");
        let (one, two) = text.split_at(text.len() / 2);
        let (fine, whole) = (|| Echo("fragment1fragment2".to_owned()), frame(FIN | TEXT, &text));
        let ping = frame(PING, b"between");
        let pong = || Pong(b"between".to_vec());
        let refused = || Close(Some(1002));
        let first = frame(TEXT, one);
        let middle = frame(CONTINUE, b"");
        let last = frame(FIN | CONTINUE, two);
        let cases: Vec<Case> = vec![
            ("5.1 a ping in fragments", vec![frame(0x09, b"frag"), frame(FIN | CONTINUE, b"ment")], vec![refused()]),
            ("5.2 a pong in fragments", vec![frame(0x0A, b"frag"), frame(FIN | CONTINUE, b"ment")], vec![refused()]),
            ("5.3 two fragments", vec![first.clone(), last.clone()], vec![fine()]),
            ("5.6 a ping between", vec![first.clone(), ping.clone(), last.clone()], vec![pong(), fine()]),
            ("5.9 nothing to continue", vec![frame(FIN | CONTINUE, b"x"), whole.clone()], vec![refused()]),
            ("5.12 nothing to continue", vec![frame(CONTINUE, b"x"), whole.clone()], vec![refused()]),
            (
                "5.15 a second last",
                vec![first.clone(), last.clone(), frame(CONTINUE, b"x"), whole.clone()],
                vec![fine(), refused()],
            ),
            ("5.16 a continuation first", vec![frame(CONTINUE, one), first.clone(), last.clone()], vec![refused()]),
            ("5.18 a second beginning", vec![first.clone(), frame(FIN | TEXT, two)], vec![refused()]),
            ("5.18 a binary inside", vec![first.clone(), frame(FIN | BINARY, two)], vec![refused()]),
            (
                "5.19 five fragments with pings",
                vec![
                    first.clone(),
                    middle.clone(),
                    ping.clone(),
                    middle.clone(),
                    middle.clone(),
                    ping.clone(),
                    last.clone(),
                ],
                vec![pong(), pong(), fine()],
            ),
            (
                "empty fragments",
                vec![frame(TEXT, b""), frame(CONTINUE, &text), frame(FIN | CONTINUE, b"")],
                vec![fine()],
            ),
            ("nothing in fragments", vec![frame(TEXT, b""), middle.clone(), frame(FIN | CONTINUE, b"")], vec![Error]),
            ("a binary in fragments", vec![frame(BINARY, b"\0"), middle, frame(FIN | CONTINUE, b"\xFF")], vec![Error]),
        ];
        for (what, frames, expected) in cases {
            each(&client, what, &frames.concat(), &expected).await;
        }
    });
}

/// Splits at every octet.
fn octets(text: &[u8]) -> Vec<&[u8]> {
    text.chunks(1).collect()
}

#[test]
fn group_6_utf_8_that_is_valid() {
    run(async |client| {
        let words = [
            "Hello-\u{b5}@\u{df}\u{f6}\u{e4}\u{fc}\u{e0}\u{e1}-UTF-8!!",
            "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}",
            // First and last of each length, around the surrogates, and what is no character.
            "\u{7f}\u{80}\u{7ff}\u{800}\u{ffff}\u{10000}\u{10ffff}",
            "\u{d7ff}\u{e000}\u{fffd}\u{fffe}\u{ffff}",
            "\u{1fffe}\u{1ffff}\u{2fffe}\u{8ffff}\u{9fffe}\u{10fffe}\u{10ffff}",
            "\u{fdd0}\u{fdef}",
        ];
        for word in words {
            let text = echo(word);
            each(&client, word, &frame(FIN | TEXT, &text), &[echoed(&text)]).await;
            // Characters are cut wherever they may be.
            each(&client, word, &fragments(TEXT, &octets(&text)), &[echoed(&text)]).await;
            let with_empty = fragments(TEXT, &[b"", &text[..7], b"", &text[7..], b""]);
            each(&client, word, &with_empty, &[echoed(&text)]).await;
        }
        // A NUL is text, though no JSON.
        each(&client, "NUL", &frame(FIN | TEXT, b"\0"), &[Error]).await;
    });
}

/// Octets that are no UTF-8: cases 6.3, 6.6, 6.8, 6.10 to 6.21 of the suite.
const INVALID: &[&[u8]] = &[
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
    // Cut off in a character.
    b"\xce",
    b"\xce\xba\xe1",
    b"\xce\xba\xe1\xbd",
    b"\xce\xba\xe1\xbd\xb9\xcf",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce",
    // Too long, or beyond the last character.
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xf7\xbf\xbf\xbf",
    b"\xfb\xbf\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf\xbf",
    b"\xf4\x90\x80\x80",
    // Continuations without a beginning.
    b"\x80",
    b"\xbf",
    b"\x80\xbf",
    b"\x80\xbf\x80",
    b"\x80\xbf\x80\xbf",
    b"\x80\xbf\x80\xbf\x80\xbf\x80",
    b"\x80\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\xa0\xb0\xbe",
    // Beginnings without a continuation.
    b"\xc0 \xc1 \xc2 \xdf ",
    b"\xe0 \xe1 \xef ",
    b"\xf0 \xf1 \xf7 ",
    b"\xf8 \xfb ",
    b"\xfc \xfd ",
    b"\xc0",
    b"\xe0\x80",
    b"\xf0\x80\x80",
    b"\xf8\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80",
    b"\xdf",
    b"\xef\xbf",
    b"\xf7\xbf\xbf",
    b"\xfb\xbf\xbf\xbf",
    b"\xfd\xbf\xbf\xbf\xbf",
    b"\xc0\xe0\x80\xf0\x80\x80\xf8\x80\x80\x80\xfc\x80\x80\x80\x80\xdf\xef\xbf\xf7\xbf\xbf",
    // Octets that never occur.
    b"\xfe",
    b"\xff",
    b"\xfe\xfe\xff\xff",
    // Longer than need be.
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xf8\x80\x80\x80\xaf",
    b"\xfc\x80\x80\x80\x80\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf8\x87\xbf\xbf\xbf",
    b"\xfc\x83\xbf\xbf\xbf\xbf",
    b"\xc0\x80",
    b"\xe0\x80\x80",
    b"\xf0\x80\x80\x80",
    b"\xf8\x80\x80\x80\x80",
    b"\xfc\x80\x80\x80\x80\x80",
    // Halves of pairs, alone and together.
    b"\xed\xa0\x80",
    b"\xed\xad\xbf",
    b"\xed\xae\x80",
    b"\xed\xaf\xbf",
    b"\xed\xb0\x80",
    b"\xed\xbe\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xed\xa0\x80\xed\xbf\xbf",
    b"\xed\xad\xbf\xed\xb0\x80",
    b"\xed\xad\xbf\xed\xbf\xbf",
    b"\xed\xae\x80\xed\xb0\x80",
    b"\xed\xae\x80\xed\xbf\xbf",
    b"\xed\xaf\xbf\xed\xb0\x80",
    b"\xed\xaf\xbf\xed\xbf\xbf",
];

#[test]
fn group_6_utf_8_that_is_not() {
    run(async |client| {
        let refused = || [Close(Some(1007))];
        for bytes in INVALID {
            let what = format!("{bytes:02x?}");
            each(&client, &what, &frame(FIN | TEXT, bytes), &refused()).await;
            each(&client, &what, &fragments(TEXT, &octets(bytes)), &refused()).await;
            let inside = [b"{\"type\":\"ping\",\"id\":\"", *bytes, b"\"}"].concat();
            each(&client, &what, &frame(FIN | TEXT, &inside), &refused()).await;
        }
    });
}

#[test]
fn group_6_4_fails_at_the_first_fragment_that_can_not_be_text() {
    run(async |client| {
        let valid = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes();
        // 6.4.1: the second fragment is bad; 6.4.2: it shows only there that the first one's last octet was.
        for pieces in [[valid, b"\xf4\x90\x80\x80"], [&[valid, b"\xf4"].concat()[..], b"\x90"]] {
            for chop in CHOPS {
                let mut raw = Raw::open(&client).await;
                let bytes = [frame(TEXT, pieces[0]), frame(CONTINUE, pieces[1])].concat();
                raw.send(&bytes, chop).await;
                // The message has not ended, and is refused already.
                assert_eq!(raw.next().await, Close(Some(1007)), "cut at {chop}");
            }
        }
    });
}

#[test]
fn group_7_close_handling() {
    run(async |client| {
        let fine = frame(FIN | TEXT, &echo("fine"));
        let echo_of_fine = || Echo("fine".to_owned());
        let close = |code: u16, reason: &[u8]| frame(CLOSE, &[&code.to_be_bytes(), reason].concat());
        let normal = close(1000, b"");
        let large = echo_of(MOST);
        let cases: Vec<Case> = vec![
            ("7.1.1 a message, a close", vec![fine.clone(), normal.clone()], vec![echo_of_fine(), Close(Some(1000))]),
            ("7.1.2 two closes", vec![normal.clone(), normal.clone()], vec![Close(Some(1000))]),
            ("7.1.3 a ping behind it", vec![normal.clone(), frame(PING, b"x")], vec![Close(Some(1000))]),
            ("7.1.4 a message behind it", vec![normal.clone(), fine.clone()], vec![Close(Some(1000))]),
            (
                "7.1.5 in a message",
                vec![frame(TEXT, b"frag"), normal.clone(), frame(FIN | CONTINUE, b"ment")],
                vec![Close(Some(1000))],
            ),
            (
                "7.1.6 a large message",
                vec![frame(FIN | TEXT, &large), normal.clone(), frame(PING, b"x")],
                vec![echoed(&large), Close(Some(1000))],
            ),
            ("7.3.1 no code", vec![frame(CLOSE, b"")], vec![Close(None)]),
            ("7.3.2 half a code", vec![frame(CLOSE, b"a")], vec![Close(Some(1002))]),
            ("7.3.3 a code", vec![normal.clone()], vec![Close(Some(1000))]),
            ("7.3.4 a reason", vec![close(1000, b"Hello World!")], vec![Close(Some(1000))]),
            ("7.3.5 the longest reason", vec![close(1000, &[b'*'; 123])], vec![Close(Some(1000))]),
            ("7.3.6 a longer reason", vec![close(1000, &[b'*'; 124])], vec![Close(Some(1002))]),
            ("7.5.1 a reason that is no text", vec![close(1000, INVALID[0])], vec![Close(Some(1007))]),
        ];
        for (what, frames, expected) in cases {
            each(&client, what, &frames.concat(), &expected).await;
        }
        for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
            each(&client, &format!("7.7 {code}"), &close(code, b""), &[Close(Some(code))]).await;
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
            each(&client, &format!("7.9 and 7.13 {code}"), &close(code, b""), &[Close(Some(1002))]).await;
        }
    });
}

#[test]
fn group_9_limits() {
    run(async |client| {
        let large = echo_of(MOST);
        for size in [64, 256, 1024, 4096, 16_384, MOST] {
            let pieces: Vec<&[u8]> = large.chunks(size).collect();
            each(&client, &format!("fragments of {size}"), &fragments(TEXT, &pieces), &[echoed(&large)]).await;
        }
        // One octet more is too much, in one frame or several; its announcement is enough.
        let larger = vec![b'*'; MOST + 1];
        let too_big = || [Close(Some(1009))];
        each(&client, "a larger frame", &frame(FIN | TEXT, &larger), &too_big()).await;
        each(&client, "a larger binary", &frame(FIN | BINARY, &larger), &too_big()).await;
        let pieces: Vec<&[u8]> = larger.chunks(4096).collect();
        each(&client, "larger in fragments", &fragments(TEXT, &pieces), &too_big()).await;
        for announced in [MOST as u64 + 1, 16 << 20, 1 << 40, (1 << 63) - 1] {
            let head = [&[FIN | TEXT, 0xFF][..], &announced.to_be_bytes(), b"mask"].concat();
            each(&client, &format!("{announced} announced"), &head, &too_big()).await;
        }
        // 9.7: many messages on one socket, each answered.
        let mut raw = Raw::open(&client).await;
        for length in [0, 16, 64, 256, 1024] {
            let words = "*".repeat(length);
            for _ in 0..500 {
                raw.send(&frame(FIN | TEXT, &echo(&words)), usize::MAX).await;
                assert_eq!(raw.next().await, Echo(words.clone()));
            }
        }
    });
}

#[test]
fn group_10_fragments_of_a_proxy() {
    run(async |client| {
        let large = echo_of(MOST);
        let pieces: Vec<&[u8]> = large.chunks(1300).collect();
        each(&client, "10.1.1", &fragments(TEXT, &pieces), &[echoed(&large)]).await;
    });
}

#[test]
fn groups_12_and_13_compression_is_not_offered() {
    run(async |client| {
        for offer in ["permessage-deflate", "permessage-deflate; client_max_window_bits=9, x-webkit-deflate-frame"] {
            let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
            let (mut raw, answer) = Raw::with_headers(&client, &header).await;
            assert!(!answer.to_lowercase().contains("sec-websocket-extensions"), "{answer}");
            raw.send(&frame(FIN | TEXT, &echo("fine")), usize::MAX).await;
            assert_eq!(raw.next().await, Echo("fine".to_owned()));
            // So the bit that would say "compressed" means nothing here.
            raw.send(&frame(FIN | 0x40 | TEXT, b"\xf2\x48\xcd"), usize::MAX).await;
            assert_eq!(raw.next().await, Close(Some(1002)));
        }
    });
}

#[test]
fn a_client_must_mask() {
    run(async |client| {
        let text = echo("unmasked");
        let bare = [&[FIN | TEXT, text.len() as u8][..], &text].concat();
        each(&client, "a text without a mask", &bare, &[Close(Some(1002))]).await;
        each(&client, "a close without a mask", &[CLOSE, 2, 0x03, 0xE8], &[Close(Some(1002))]).await;
    });
}
