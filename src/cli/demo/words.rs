//! Guesses the intent of what people write, by keywords.

/// The meaning of an answer to a yes-or-no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    Unclear,
}

/// Keywords for yes and for no, including the actions of buttons.
pub(super) struct Lexicon {
    yes: &'static [&'static str],
    no: &'static [&'static str],
}

/// Whether to deploy.
pub(super) const DEPLOY: Lexicon = Lexicon {
    yes: &[
        "approve", "approved", "yes", "y", "yeah", "yep", "ok", "okay", "sure", "go", "ship", "deploy", "lgtm",
        "proceed", "please", "fine", "👍", "✅",
    ],
    no: &[
        "reject", "rejected", "no", "n", "nope", "not", "don't", "dont", "stop", "wait", "never", "later", "cancel",
        "abort", "hold", "👎", "❌",
    ],
};

/// Whether to run again.
pub(super) const AGAIN: Lexicon = Lexicon {
    yes: &["again", "yes", "y", "yeah", "yep", "ok", "okay", "sure", "rerun", "repeat", "restart", "more", "👍"],
    no: &[
        "done", "no", "n", "nope", "not", "don't", "dont", "stop", "bye", "goodbye", "thanks", "enough", "finish",
        "finished", "close", "end", "exit", "quit", "👎",
    ],
};

impl Lexicon {
    /// Yes or no if `text` has keywords of exactly one of them, else unclear.
    pub(super) fn verdict(&self, text: &str) -> Verdict {
        let words = words(text);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        match (has(self.yes), has(self.no)) {
            (true, false) => Verdict::Yes,
            (false, true) => Verdict::No,
            _ => Verdict::Unclear,
        }
    }
}

/// The kind of a remark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remark {
    Question,
    Thanks,
    Greeting,
    /// An answer, although it replies to no question.
    Answer,
    Other,
}

impl Remark {
    pub(super) fn of(text: &str) -> Self {
        let words = words(text);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        if text.contains('?') || has(&["help", "why", "how", "what", "who", "when"]) {
            Self::Question
        } else if has(&["thanks", "thank", "thx", "cheers"]) {
            Self::Thanks
        } else if has(&["hello", "hi", "hey", "hiya", "morning", "howdy", "👋"]) {
            Self::Greeting
        } else if words.len() <= 4
            && (DEPLOY.verdict(text), AGAIN.verdict(text)) != (Verdict::Unclear, Verdict::Unclear)
        {
            Self::Answer
        } else {
            Self::Other
        }
    }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .replace('’', "'")
        .split(|c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yes_and_no_are_recognised_by_keywords() {
        for yes in ["approve", "Yes!", "OK, ship it.", "Sure – go ahead", "LGTM 👍"] {
            assert_eq!(DEPLOY.verdict(yes), Verdict::Yes, "{yes}");
        }
        for no in ["reject", "No.", "Nope, never", "wait until tomorrow", "I don’t think so"] {
            assert_eq!(DEPLOY.verdict(no), Verdict::No, "{no}");
        }
    }

    #[test]
    fn text_with_both_or_neither_is_unclear() {
        for unclear in ["not ok", "Don't deploy", "Yes? No!", "Which commit?", "", "know", "goose"] {
            assert_eq!(DEPLOY.verdict(unclear), Verdict::Unclear, "{unclear}");
        }
        assert_eq!(AGAIN.verdict("not again"), Verdict::Unclear);
        assert_eq!(AGAIN.verdict("Run it again"), Verdict::Yes);
        assert_eq!(AGAIN.verdict("done"), Verdict::No);
    }

    #[test]
    fn remarks_are_classified() {
        assert_eq!(Remark::of("Who are you?"), Remark::Question);
        assert_eq!(Remark::of("help"), Remark::Question);
        assert_eq!(Remark::of("Many thanks"), Remark::Thanks);
        assert_eq!(Remark::of("hi there"), Remark::Greeting);
        assert_eq!(Remark::of("yes please"), Remark::Answer);
        assert_eq!(Remark::of("The weather is fine here in the north"), Remark::Other);
    }
}
