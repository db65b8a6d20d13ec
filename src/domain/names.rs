//! When two names of participants look the same.

use unicode_normalization::UnicodeNormalization as _;

/// A name without what hardly shows: two names that fold to the same text differ in case, in how their letters are
/// composed, in compatibility forms, or in blanks.
pub fn folded_name(name: &str) -> String {
    // By way of upper case, so that letters of several lower-case forms (final sigma, long s) become one; and twice
    // normalised, since a change of case may undo it.
    let folded = name.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect::<String>();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::folded_name;

    #[test]
    fn names_that_look_the_same_fold_to_the_same() {
        for (one, other) in [
            ("Ann", "ANN"),
            ("Jos\u{e9}", "JOSE\u{301}"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}", "\u{3a3}\u{38a}\u{3a3}\u{3a5}\u{3a6}\u{39f}\u{3a3}"),
            ("\u{212a}im", "kim"),
            ("\u{ff21}nn", "ann"),
            (" Ann  Lee", "ann lee "),
        ] {
            assert_eq!(folded_name(one), folded_name(other), "{one} {other}");
        }
        assert_ne!(folded_name("Ann"), folded_name("Anne"));
    }
}
