//! What became of a question.

use crate::types::{Message, MessageStatus, Outcome, Responder, Timestamp};
use serde_json::{Map, Value};

/// What became of a question. Act on `approved` and on nothing else: a question that expired or was cancelled has no
/// answer, which is no approval.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decision {
    /// `Completed` by an answer, `Expired` at its deadline, or `Cancelled`.
    pub status: MessageStatus,
    /// What the answer decides.
    pub outcome: Option<Outcome>,
    /// Whether a person approved.
    pub approved: bool,
    /// The action of the button that was pressed.
    pub action: Option<String>,
    /// The text that was written.
    pub text: Option<String>,
    /// The values of a form, by field.
    pub values: Map<String, Value>,
    /// The person who answered.
    pub respondent: Option<Responder>,
    /// When the person answered.
    pub responded_at: Option<Timestamp>,
    /// The question, with its answer.
    pub message: Message,
}

impl Decision {
    /// The decision of a settled question; `None` while it is pending.
    #[must_use]
    pub fn of(message: Message) -> Option<Self> {
        if message.status == MessageStatus::Pending {
            return None;
        }
        let answer = message.response.clone().filter(|_| message.status == MessageStatus::Completed);
        let mut decision = Self {
            status: message.status,
            outcome: None,
            approved: false,
            action: None,
            text: None,
            values: Map::new(),
            respondent: answer.as_ref().map(|answer| answer.responded_by.clone()),
            responded_at: answer.as_ref().map(|answer| answer.responded_at),
            message,
        };
        let Some(answer) = answer else { return Some(decision) };
        // What the answer says in clear text counts only where the hub is trusted with the rest as well. An envelope
        // that can't be opened decides nothing.
        let content = match &answer.encrypted_content {
            None => Default::default(),
            Some(envelope) => match envelope.content() {
                Some(content) => content,
                None => return Some(decision),
            },
        };
        decision.outcome = content.outcome.or(answer.outcome);
        decision.approved = decision.outcome == Some(Outcome::Approved);
        decision.action = content.action;
        decision.text = content.text;
        decision.values = content.values.unwrap_or_default();
        Some(decision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Envelope;
    use serde_json::json;

    fn question(status: &str, response: &Value) -> Message {
        let id = "0195d2a0-0000-7000-8000-000000000001";
        let time = "2026-03-25T10:30:00.000Z";
        serde_json::from_value(json!({
            "id": id, "sessionId": id, "seq": 2, "senderType": "Agent", "senderAgentId": id, "senderHumanId": null,
            "senderGuestId": null, "senderName": "bot", "encryptedContent": null, "encryptedComponents": null,
            "responseRequired": true, "status": status, "priority": "Medium", "deadlineAt": null, "answerers": null,
            "inReplyTo": null, "outcome": null, "response": response, "acknowledgedAt": null, "createdAt": time,
            "updatedAt": time,
        }))
        .expect("a message")
    }

    fn answer(outcome: &str, content: &Value) -> Value {
        json!({
            "messageId": "0195d2a0-0000-7000-8000-000000000002",
            "respondedBy": { "type": "Human", "id": null, "name": "Ada" }, "respondedAt": "2026-03-25T10:31:00.000Z",
            "outcome": outcome, "encryptedContent": content, "encryptedComponents": null,
        })
    }

    fn decided(status: &str, response: &Value) -> Decision {
        Decision::of(question(status, response)).expect("it has settled")
    }

    #[test]
    fn a_pending_question_has_no_decision() {
        assert!(Decision::of(question("Pending", &Value::Null)).is_none());
    }

    #[test]
    fn an_approval_names_its_respondent() {
        let content = json!(Envelope::plain(&json!({ "action": "approve", "outcome": "Approved" })));
        let decision = decided("Completed", &answer("Approved", &content));
        assert!(decision.approved);
        assert_eq!(decision.action.as_deref(), Some("approve"));
        assert_eq!(decision.respondent.expect("a person").name, "Ada");
    }

    #[test]
    fn without_an_answer_nothing_is_approved() {
        for status in ["Expired", "Cancelled", "Superseded"] {
            assert!(!decided(status, &answer("Approved", &Value::Null)).approved, "{status}");
        }
    }

    #[test]
    fn the_sealed_outcome_counts() {
        let content = json!(Envelope::plain(&json!({ "outcome": "Rejected" })));
        assert!(!decided("Completed", &answer("Approved", &content)).approved);
        assert!(decided("Completed", &answer("Approved", &Value::Null)).approved);
    }

    #[test]
    fn an_envelope_that_does_not_open_approves_nothing() {
        let content = json!({ "scheme": "hiloop/v2", "ciphertext": "x", "wrappings": [] });
        let decision = decided("Completed", &answer("Approved", &content));
        assert_eq!((decision.approved, decision.outcome), (false, None));
    }
}
