//! Text as people see it: nothing in it is invisible, and what is too long says so.

use std::borrow::Cow;

/// The text with each invisible character written as an escape; whether there were any.
pub(super) fn visible(text: &str) -> (Cow<'_, str>, bool) {
    if !text.chars().any(is_invisible) {
        return (Cow::Borrowed(text), false);
    }
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_invisible(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    (Cow::Owned(shown), true)
}

/// Characters that a screen does not show, or that reorder those beside them.
fn is_invisible(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_control(),
    }
}

/// At most about `most` bytes: the beginning and the end, with what was left out between them.
pub(super) fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let mut head = most / 2;
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    let mut tail = text.len() - most / 2;
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    Cow::Owned(format!("{}\n… {} bytes left out …\n{}", &text[..head], tail - head, &text[tail..]))
}

/// The first line, of at most this many characters.
pub(super) fn first_line(text: &str, most: usize) -> String {
    let (text, _) = visible(text.trim());
    let line = text.lines().next().unwrap_or_default();
    let is_whole = line.len() == text.len() && line.chars().count() <= most;
    let shown: String = line.chars().take(most).collect();
    if is_whole { shown } else { format!("{shown}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_invisible() {
        assert_eq!(visible("ls -l\n\t# ünïcode 漢字"), (Cow::Borrowed("ls -l\n\t# ünïcode 漢字"), false));
        assert_eq!(visible("ls\u{202e}x\u{1b}[2K\r").0, "ls\\u{202e}x\\u{1b}[2K\\u{d}");
        assert!(visible("a\u{200b}b").1);
    }

    #[test]
    fn long_text_says_what_is_missing() {
        assert_eq!(shortened("short", 10), "short");
        let shown = shortened(&"ä".repeat(100), 20).into_owned();
        assert!(shown.starts_with('ä') && shown.ends_with('ä') && shown.contains("180 bytes left out"), "{shown}");
    }

    #[test]
    fn titles_are_one_line() {
        assert_eq!(first_line("npm test", 20), "npm test");
        assert_eq!(first_line("npm test\nrm -rf /", 20), "npm test…");
        assert_eq!(first_line("abcdef", 3), "abc…");
    }
}
