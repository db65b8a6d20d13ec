//! Errors as a model reads them: what happened, and what to do.

use crate::cli::quote::one_line;
use hiloop_sdk::Error;

/// What follows from every error about a question.
pub(super) const NO_APPROVAL: &str = "This is not an approval.";

/// The text of an error of the client.
pub(super) fn problem(error: &Error) -> String {
    let words = one_line(&error.to_string());
    match advice(error) {
        Some(advice) => format!("{words}. {advice}"),
        None => format!("{words}."),
    }
}

fn advice(error: &Error) -> Option<&'static str> {
    Some(match (error.status, error.code.as_str()) {
        (0, Error::UNREACHABLE) => {
            "The hub cannot be reached. Check that it runs and that HILOOP_BASE_URL names it, then call again with the \
             same arguments, 'key' included."
        }
        (0, Error::UNVERIFIED) => {
            "An answer is there, but it does not prove that a person gave it to this question. Do not act on it: ask \
             again with another 'key', and tell the user."
        }
        (0, Error::KEY_CHANGED) => {
            "The encryption key of a person has changed, and nobody has confirmed it. Tell the user; it is not safe to \
             go on."
        }
        (0, Error::NO_KEYS) => {
            "None of the people who may answer has an encryption key: they have to sign in with a client that encrypts. \
             Tell the user."
        }
        (0, "QUESTION_DIFFERS") => "Another question was asked with this 'key'. Give each question a key of its own.",
        (0, "FOREIGN_SESSION" | "PERSON_CHANGED" | "OTHER_PERSON" | "SPACE_CHANGED") => {
            "The hub's word and what this machine has on record differ. Do not act on it, and tell the user."
        }
        (0, Error::INVALID_ANSWER) => {
            "The values that were filled in do not fit the form. Ask again with another 'key'."
        }
        (0, Error::TIMEOUT) => "There is no answer yet. Call await_answer to go on waiting.",
        (401, _) => "The API key is not valid, or it was revoked: check HILOOP_API_KEY in the settings of this server.",
        (403, _) => "The API key lacks the permission for this.",
        (404, _) => "It does not exist, or this agent does not take part in it. list_sessions shows its sessions.",
        (_, "KEY_EXISTS") => "Tell the user: the private keys of this agent are on another machine.",
        (409, "SESSION_CLOSED") => "The session is closed. Open another one, or leave 'session_id' out.",
        (429 | 502..=504, _) => "Call again later with the same arguments, 'key' included.",
        _ => return None,
    })
}
