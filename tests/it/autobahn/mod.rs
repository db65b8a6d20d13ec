//! RFC 6455 conformance by the cases of the Autobahn test suite, against the hub's own socket.
//!
//! The suite itself wants a server that echoes. Here the hub answers a `ping` frame with its `id`, which is an echo of
//! any text that a JSON string can hold; everything else about a case (its bytes, how they are cut, what must come
//! back) is the suite's. `tests/AUTOBAHN.md` says which cases there are and how each fares.

mod frames;
mod limits;
mod utf_8;

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

/// A `ping` frame with `words` as its `id`.
fn echo(words: &str) -> Vec<u8> {
    json!({ "type": "ping", "id": words }).to_string().into_bytes()
}

/// An `echo` whose text has exactly `length` bytes.
fn echo_of(bytes: usize) -> Vec<u8> {
    echo(&"*".repeat(bytes - echo("").len()))
}

/// What a server may send.
#[derive(Debug, PartialEq)]
enum Received {
    Echo(String),
    /// The hub's error for an unreadable text or binary message.
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

    /// Sends bytes in chunks of this size.
    async fn send(&mut self, bytes: &[u8], chop: usize) {
        for piece in bytes.chunks(chop) {
            // The hub may have closed the connection already.
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
                assert!(self.frame().await.is_none(), "there is no data after a close frame");
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

    /// Closes, and reads up to the end.
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

/// Chunk sizes of the suite: whole, in chunks, octet by octet.
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
