//! Text that is UTF-8 and text that is not: group 6.

use super::Received::{Close, Error};
use super::{CHOPS, CONTINUE, FIN, Raw, TEXT, each, echo, echoed, fragments, frame, run};

/// Splits at every octet.
fn octets(text: &[u8]) -> Vec<&[u8]> {
    text.chunks(1).collect()
}

#[test]
fn group_6_valid_utf_8() {
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
            // Characters are split at arbitrary octets.
            each(&client, word, &fragments(TEXT, &octets(&text)), &[echoed(&text)]).await;
            let with_empty = fragments(TEXT, &[b"", &text[..7], b"", &text[7..], b""]);
            each(&client, word, &with_empty, &[echoed(&text)]).await;
        }
        // A NUL is text, though no JSON.
        each(&client, "NUL", &frame(FIN | TEXT, b"\0"), &[Error]).await;
    });
}

/// Invalid UTF-8: cases 6.3, 6.6, 6.8, 6.10 to 6.21 of the suite.
pub(super) const INVALID: &[&[u8]] = &[
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
fn group_6_invalid_utf_8() {
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
fn group_6_4_fails_at_the_first_invalid_fragment() {
    run(async |client| {
        let valid = "\u{3ba}\u{1f79}\u{3c3}\u{3bc}\u{3b5}".as_bytes();
        // 6.4.1: the second fragment is bad; 6.4.2: it shows only there that the first one's last octet was.
        for pieces in [[valid, b"\xf4\x90\x80\x80"], [&[valid, b"\xf4"].concat()[..], b"\x90"]] {
            for chop in CHOPS {
                let mut raw = Raw::open(&client).await;
                let bytes = [frame(TEXT, pieces[0]), frame(CONTINUE, pieces[1])].concat();
                raw.send(&bytes, chop).await;
                // Refused before the end of the message.
                assert_eq!(raw.next().await, Close(Some(1007)), "cut at {chop}");
            }
        }
    });
}
