//! The one error type of the client.

use serde_json::Value;

/// An error of a call.
///
/// The hub's own errors have a `status` from 400 on and the `code` that its HTTP API documents. Without a reply of the
/// hub, `status` is 0 and `code` is one of the constants of this type.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}: {}{code}: {message}", shown_status(.status))]
#[non_exhaustive]
pub struct Error {
    /// The HTTP status; 0 where the hub did not reply.
    pub status: u16,
    /// A stable code for programs, such as `SESSION_CLOSED`.
    pub code: String,
    /// A text for people.
    pub message: String,
    /// The `X-Request-Id` of the reply, under which the hub's log has the request.
    pub request_id: Option<String>,
    /// What the hub adds to some codes, such as the winner of `ALREADY_RESPONDED`; null otherwise.
    pub details: Box<Value>,
    /// The call, such as `POST /v1/agent/sessions`.
    pub what: String,
}

impl Error {
    /// The hub could not be reached, or was unavailable, for as long as the call may take.
    pub const UNREACHABLE: &str = "UNREACHABLE";
    /// The time to wait is over, and there is no answer yet. It is no denial.
    pub const TIMEOUT: &str = "TIMEOUT";
    /// An option or argument is not valid. The hub uses the same code for requests.
    pub const VALIDATION: &str = "VALIDATION_ERROR";
    /// The reply was not what this version of the client understands.
    pub const UNEXPECTED_REPLY: &str = "UNEXPECTED_REPLY";
    /// The hub ended a live connection for good; the message has the reason.
    pub const DISCONNECTED: &str = "DISCONNECTED";
    /// The hub's database was restored to an earlier state: read the session again from its beginning.
    pub const HISTORY_RESET: &str = "HISTORY_RESET";

    /// An answer does not verify, or is missing: the message has the reason. It is no approval.
    pub const UNVERIFIED: &str = "UNVERIFIED";
    /// The public key of a principal has changed, and the change is not confirmed ([`Client::trust`](crate::Client)):
    /// `details` has `principalId` and `keyId`.
    pub const KEY_CHANGED: &str = "KEY_CHANGED";
    /// Nobody who may answer has a public key, and the question's deadline is over.
    pub const NO_KEYS: &str = "NO_KEYS";
    /// Another question was asked with this key: its text, its components or who may answer it differ.
    pub const QUESTION_DIFFERS: &str = "QUESTION_DIFFERS";
    /// The session of this key belongs to another agent.
    pub const FOREIGN_SESSION: &str = "FOREIGN_SESSION";
    /// The hub names somebody else by this e-mail address than before.
    pub const PERSON_CHANGED: &str = "PERSON_CHANGED";
    /// The hub added somebody else than who was named.
    pub const OTHER_PERSON: &str = "OTHER_PERSON";
    /// The hub names another space than before, where a space key is set.
    pub const SPACE_CHANGED: &str = "SPACE_CHANGED";
    /// The values of an answer do not fit the form.
    pub const INVALID_ANSWER: &str = "INVALID_ANSWER";

    pub(crate) fn local(what: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            status: 0,
            code: code.to_owned(),
            message: message.into(),
            request_id: None,
            details: Box::default(),
            what: what.into(),
        }
    }

    pub(crate) fn invalid(option: &str, problem: impl Into<String>) -> Self {
        Self::local(option, Self::VALIDATION, problem)
    }

    pub(crate) fn unexpected(what: impl Into<String>, problem: impl std::fmt::Display) -> Self {
        Self::local(what, Self::UNEXPECTED_REPLY, problem.to_string())
    }

    /// The hub's reply with an error status.
    pub(crate) fn refused(what: &str, status: u16, request_id: Option<String>, body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |key: &str| body["error"][key].as_str().unwrap_or_default().to_owned();
        Self {
            status,
            code: text("code"),
            message: text("message"),
            request_id,
            details: Box::new(body["error"]["details"].clone()),
            what: what.to_owned(),
        }
    }

    /// Whether the error has this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether the same call may succeed later: the hub was out of reach or unavailable, or the rate was limited.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self.status {
            0 => matches!(self.code.as_str(), Self::UNREACHABLE | Self::TIMEOUT),
            409 => self.code == "IDEMPOTENCY_IN_FLIGHT",
            status => matches!(status, 429 | 500 | 502 | 503 | 504),
        }
    }
}

fn shown_status(status: &u16) -> String {
    if *status == 0 { String::new() } else { format!("{status} ") }
}

/// The cause at the bottom, which says more than the layers above it.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_hub_carry_its_code() {
        let body = br#"{"error":{"code":"LIMIT_REACHED","message":"No more guests","details":{"limit":100}}}"#;
        let error = Error::refused("POST /x", 409, Some("r-1".to_owned()), body);
        assert_eq!(error.to_string(), "POST /x: 409 LIMIT_REACHED: No more guests");
        assert_eq!(error.details["limit"], 100);
        assert!(!error.is_transient());
    }

    #[test]
    fn a_proxy_has_no_code() {
        let error = Error::refused("GET /x", 502, None, b"<html>");
        assert_eq!((error.status, error.code.as_str()), (502, ""));
        assert!(error.is_transient());
    }

    #[test]
    fn without_a_reply_there_is_no_status() {
        let error = Error::local("GET /x", Error::UNREACHABLE, "connection refused");
        assert_eq!(error.to_string(), "GET /x: UNREACHABLE: connection refused");
        assert!(error.is_transient());
    }
}
