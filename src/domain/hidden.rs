//! Characters that plain text must not hold, because a reader can't see them or because they move others: two names
//! that look the same would be two, and a title would read other than it is.
//!
//! Hidden are the control characters (Unicode category Cc), line and paragraph separators (Zl, Zp), format characters
//! (Cf: the bidirectional overrides and isolates, zero-width characters, tags), everything else that is displayed as
//! nothing (`Default_Ignorable_Code_Point`: fillers, variation selectors), the blank Braille pattern, and the
//! noncharacters of the first plane. Three of them make emoji and are taken where they do that and nowhere else:
//! U+200D between two pictographs, U+FE0E or U+FE0F after one, U+FE0F in a keycap (`1`, U+FE0F, U+20E3).

use std::fmt::Write as _;

/// First and last of each range.
const HIDDEN: &[(char, char)] = &[
    ('\0', '\u{1F}'),
    ('\u{7F}', '\u{9F}'),
    ('\u{AD}', '\u{AD}'),
    ('\u{34F}', '\u{34F}'),
    ('\u{600}', '\u{605}'),
    ('\u{61C}', '\u{61C}'),
    ('\u{6DD}', '\u{6DD}'),
    ('\u{70F}', '\u{70F}'),
    ('\u{890}', '\u{891}'),
    ('\u{8E2}', '\u{8E2}'),
    ('\u{115F}', '\u{1160}'),
    ('\u{17B4}', '\u{17B5}'),
    ('\u{180B}', '\u{180F}'),
    ('\u{200B}', '\u{200F}'),
    ('\u{2028}', '\u{202E}'),
    ('\u{2060}', '\u{206F}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{FDD0}', '\u{FDEF}'),
    ('\u{FE00}', '\u{FE0F}'),
    ('\u{FEFF}', '\u{FEFF}'),
    ('\u{FFA0}', '\u{FFA0}'),
    ('\u{FFF0}', '\u{FFFB}'),
    ('\u{FFFE}', '\u{FFFF}'),
    ('\u{110BD}', '\u{110BD}'),
    ('\u{110CD}', '\u{110CD}'),
    ('\u{13430}', '\u{1343F}'),
    ('\u{1BCA0}', '\u{1BCA3}'),
    ('\u{1D173}', '\u{1D17A}'),
    ('\u{E0000}', '\u{E0FFF}'),
];

/// The characters of emoji: a superset of `Extended_Pictographic`, with the skin tones.
const PICTOGRAPHS: &[(char, char)] = &[
    ('\u{A9}', '\u{A9}'),
    ('\u{AE}', '\u{AE}'),
    ('\u{203C}', '\u{203C}'),
    ('\u{2049}', '\u{2049}'),
    ('\u{2122}', '\u{2122}'),
    ('\u{2139}', '\u{2139}'),
    ('\u{2190}', '\u{21FF}'),
    ('\u{2300}', '\u{23FF}'),
    ('\u{24C2}', '\u{24C2}'),
    ('\u{25A0}', '\u{27BF}'),
    ('\u{2900}', '\u{297F}'),
    ('\u{2B00}', '\u{2BFF}'),
    ('\u{3030}', '\u{3030}'),
    ('\u{303D}', '\u{303D}'),
    ('\u{3297}', '\u{3297}'),
    ('\u{3299}', '\u{3299}'),
    ('\u{1F000}', '\u{1FAFF}'),
];

const JOINER: char = '\u{200D}';
const TEXT_STYLE: char = '\u{FE0E}';
const EMOJI_STYLE: char = '\u{FE0F}';
const KEYCAP: char = '\u{20E3}';

fn is_in(ranges: &[(char, char)], c: char) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= c);
    after.checked_sub(1).is_some_and(|at| c <= ranges[at].1)
}

fn is_pictograph(c: char) -> bool {
    is_in(PICTOGRAPHS, c)
}

fn is_style(c: char) -> bool {
    matches!(c, TEXT_STYLE | EMOJI_STYLE)
}

/// Whether `text` holds a hidden character that is no part of an emoji.
pub fn has_hidden(text: &str) -> bool {
    let mut chars = text.chars().peekable();
    let mut before = None;
    while let Some(c) = chars.next() {
        let hidden = match c {
            // Most text: the search would be in vain.
            ' '..='~' => false,
            JOINER => {
                let joins = before.is_some_and(|c| is_pictograph(c) || is_style(c));
                !joins || !chars.peek().copied().is_some_and(is_pictograph)
            }
            EMOJI_STYLE if matches!(before, Some('0'..='9' | '#' | '*')) => chars.peek() != Some(&KEYCAP),
            c if is_style(c) => !before.is_some_and(is_pictograph),
            c => is_in(HIDDEN, c),
        };
        if hidden {
            return true;
        }
        before = Some(c);
    }
    false
}

/// `text` without what [`has_hidden`] minds: for names that come from elsewhere and can't be sent back.
pub fn without_hidden(text: &str) -> String {
    if has_hidden(text) { text.chars().filter(|c| !is_in(HIDDEN, *c)).collect() } else { text.to_owned() }
}

/// The rule as a regular expression of ECMA 262 with the flag `u`, for the published document. Above U+FFFF the
/// characters stand as themselves, since dialects don't agree on how to escape them.
pub fn text_pattern() -> String {
    format!("^{}*$", unit(""))
}

/// The same of a text with something in it that is no blank.
pub fn name_pattern() -> String {
    let (any, seen) = (unit(""), unit("\\s"));
    format!("^{any}*{seen}{any}*$")
}

/// One character, or an emoji of several; without `besides`.
fn unit(besides: &str) -> String {
    let (hidden, pictographs) = (class(HIDDEN), class(PICTOGRAPHS));
    let emoji = format!("[{pictographs}][\\uFE0E\\uFE0F]?");
    format!("(?:[^{besides}{hidden}{pictographs}]|{emoji}(?:\\u200D{emoji})*|[0-9#*]\\uFE0F\\u20E3)")
}

fn class(ranges: &[(char, char)]) -> String {
    let mut class = String::new();
    for (first, last) in ranges {
        literal(&mut class, *first);
        if first != last {
            class.push('-');
            literal(&mut class, *last);
        }
    }
    class
}

fn literal(class: &mut String, c: char) {
    // Writing to a String can't fail.
    let _ = if c <= '\u{FFFF}' { write!(class, "\\u{:04X}", u32::from(c)) } else { write!(class, "{c}") };
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_can_not_be_seen_is_hidden() {
        for c in
            ['\0', '\n', '\u{85}', '\u{AD}', '\u{200B}', '\u{200D}', '\u{200E}', '\u{202E}', '\u{2066}', '\u{2028}']
        {
            assert!(has_hidden(&format!("a{c}b")), "U+{:04X}", u32::from(c));
        }
        for c in ['\u{2060}', '\u{3164}', '\u{FEFF}', '\u{FE0F}', '\u{FFFE}', '\u{E0041}', '\u{E0100}', '\u{2800}'] {
            assert!(has_hidden(&format!("a{c}b")), "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn writing_and_emoji_are_not() {
        for text in
            ["Zoë", "e\u{301}", "漢字", "नमस्ते", "שלום", "👩🏽‍💻", "👨‍👩‍👧", "🏳️‍🌈", "❤️‍🔥 now", "1️⃣ first", "©️", "⬛️", "🇩🇪"]
        {
            assert!(!has_hidden(text), "{text:?}");
        }
        for text in [
            "\u{200D}👩",
            "👩\u{200D}",
            "👩\u{200D}a",
            "a\u{FE0F}",
            "1\u{FE0F}",
            "👩\u{FE0F}\u{FE0F}",
            "👩\u{200D}\u{200D}👩",
        ] {
            assert!(has_hidden(text), "{text:?}");
        }
        assert_eq!(without_hidden("A\u{202E}n\u{200B}n"), "Ann");
    }

    fn odd_text() -> impl Strategy<Value = String> {
        let odd = prop::sample::select(vec![
            'a', '1', ' ', '👩', '🏽', '❤', '\u{200D}', '\u{FE0F}', '\u{FE0E}', '\u{20E3}', '\u{200B}',
        ]);
        prop::collection::vec(prop_oneof![4 => odd, 1 => any::<char>()], 0..8)
            .prop_map(|chars| chars.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_published_pattern_says_the_same(text in odd_text()) {
            let matches = |pattern: String| {
                jsonschema::validator_for(&serde_json::json!({ "pattern": pattern })).expect("a pattern").is_valid(&text.clone().into())
            };
            prop_assert_eq!(matches(text_pattern()), !has_hidden(&text));
            prop_assert_eq!(matches(name_pattern()), !has_hidden(&text) && !text.trim().is_empty());
        }

        #[test]
        fn what_was_hidden_can_be_taken_out(text in odd_text()) {
            prop_assert!(!has_hidden(&without_hidden(&text)));
        }
    }
}
