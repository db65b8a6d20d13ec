//! Close frames, sizes, and compression: groups 7, 9, 12, 13.

use super::Received::{Close, Echo};
use super::utf_8::INVALID;
use super::{
    BINARY, CLOSE, CONTINUE, Case, FIN, MOST, PING, Raw, TEXT, each, echo, echo_of, echoed, fragments, frame, run,
};

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
        // One octet more is refused, in one frame or several; the length in the header is enough.
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
fn groups_12_and_13_compression_is_not_offered() {
    run(async |client| {
        for offer in ["permessage-deflate", "permessage-deflate; client_max_window_bits=9, x-webkit-deflate-frame"] {
            let header = format!("Sec-WebSocket-Extensions: {offer}\r\n");
            let (mut raw, answer) = Raw::with_headers(&client, &header).await;
            assert!(!answer.to_lowercase().contains("sec-websocket-extensions"), "{answer}");
            raw.send(&frame(FIN | TEXT, &echo("fine")), usize::MAX).await;
            assert_eq!(raw.next().await, Echo("fine".to_owned()));
            // So the bit for compression is reserved.
            raw.send(&frame(FIN | 0x40 | TEXT, b"\xf2\x48\xcd"), usize::MAX).await;
            assert_eq!(raw.next().await, Close(Some(1002)));
        }
    });
}
