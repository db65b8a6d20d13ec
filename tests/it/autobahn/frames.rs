//! Framing, control frames, reserved bits, opcodes, fragments: groups 1 to 5, 10.

use super::Received::{Close, Echo, Error, Pong};
use super::{
    BINARY, CLOSE, CONTINUE, Case, FIN, MOST, PING, PONG, TEXT, each, echo, echo_of, echoed, fragments, frame, run,
};

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

#[test]
fn group_10_proxy_fragmentation() {
    run(async |client| {
        let large = echo_of(MOST);
        let pieces: Vec<&[u8]> = large.chunks(1300).collect();
        each(&client, "10.1.1", &fragments(TEXT, &pieces), &[echoed(&large)]).await;
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
