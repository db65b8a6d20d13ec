//! The effect of a person's decision on the call.

use super::request::ALWAYS;
use hiloop_sdk::{Decision, MessageStatus};
use std::time::Duration;

/// The decision on a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Approved {
        by: String,
        /// The text of the person.
        text: Option<String>,
        /// For the rest of the session.
        always: bool,
    },
    /// The reason, for the model.
    Denied(String),
}

/// The parts of a decision that count.
struct Answer<'a> {
    status: MessageStatus,
    approved: bool,
    rejected: bool,
    action: Option<&'a str>,
    text: Option<&'a str>,
    by: Option<&'a str>,
}

/// The verdict of a decision. Only a person's approval approves.
pub(super) fn verdict(decision: &Decision, waited: Duration) -> Verdict {
    let answer = Answer {
        status: decision.status,
        approved: decision.approved,
        rejected: decision.rejected,
        action: decision.action.as_deref(),
        text: decision.text.as_deref(),
        by: decision.respondent.as_ref().map(|person| person.name.as_str()),
    };
    answer.verdict(waited)
}

impl Answer<'_> {
    fn verdict(&self, waited: Duration) -> Verdict {
        let denied = |reason: String| Verdict::Denied(reason);
        match self.status {
            MessageStatus::Completed => {}
            MessageStatus::Expired => {
                return denied(format!("Denied: nobody answered within {} seconds.", waited.as_secs()));
            }
            MessageStatus::Cancelled => return denied("Denied: the question was taken back.".to_owned()),
            _ => return denied("Denied: the question has no answer.".to_owned()),
        }
        let Some(by) = self.by else { return denied("Denied: the answer names no person.".to_owned()) };
        let text = self.text.map(str::trim).filter(|text| !text.is_empty());
        let always = self.action == Some(ALWAYS);
        if !self.rejected && (self.approved || always) {
            return Verdict::Approved { by: by.to_owned(), text: text.map(str::to_owned), always };
        }
        let what = if self.rejected { "denied this" } else { "did not approve this" };
        denied(match text {
            Some(text) => format!("{by} {what} and wrote: {text}"),
            None => format!("{by} {what}."),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Answer<'_> = Answer {
        status: MessageStatus::Completed,
        approved: false,
        rejected: false,
        action: None,
        text: None,
        by: Some("Ada"),
    };

    fn approved(answer: &Answer<'_>) -> Option<bool> {
        match answer.verdict(Duration::from_secs(600)) {
            Verdict::Approved { always, .. } => Some(always),
            Verdict::Denied(_) => None,
        }
    }

    fn reason(answer: &Answer<'_>) -> String {
        match answer.verdict(Duration::from_secs(600)) {
            Verdict::Denied(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_an_approval_approves() {
        assert_eq!(approved(&Answer { approved: true, action: Some("approve"), ..ANSWER }), Some(false));
        assert_eq!(approved(&Answer { action: Some(ALWAYS), ..ANSWER }), Some(true));
        for denied in [
            ANSWER,
            Answer { rejected: true, action: Some("reject"), ..ANSWER },
            Answer { rejected: true, action: Some(ALWAYS), ..ANSWER },
            Answer { text: Some("approve"), ..ANSWER },
            Answer { action: Some("approved"), ..ANSWER },
            Answer { approved: true, by: None, ..ANSWER },
        ] {
            assert_eq!(approved(&denied), None);
        }
        for status in [MessageStatus::Pending, MessageStatus::Cancelled, MessageStatus::Expired, MessageStatus::Unknown]
        {
            assert_eq!(approved(&Answer { status, approved: true, action: Some(ALWAYS), ..ANSWER }), None);
        }
    }

    #[test]
    fn the_reason_is_what_the_person_wrote() {
        let text = Some(" Not on Friday. ");
        assert_eq!(reason(&Answer { rejected: true, text, ..ANSWER }), "Ada denied this and wrote: Not on Friday.");
        assert_eq!(reason(&Answer { text, ..ANSWER }), "Ada did not approve this and wrote: Not on Friday.");
        assert_eq!(reason(&Answer { rejected: true, ..ANSWER }), "Ada denied this.");
        let expired = Answer { status: MessageStatus::Expired, ..ANSWER };
        assert_eq!(reason(&expired), "Denied: nobody answered within 600 seconds.");
    }
}
