//! What became of a question.

use crate::client::Client;
use crate::e2e::answer::{Offers, SUBMIT, said};
use crate::e2e::receipt::Receipt;
use crate::error::Error;
use crate::form;
use crate::held::HeldQuestion;
use crate::types::{Content, Message, MessageStatus, Outcome, Responder, Timestamp, VerifiedQuestion};
use serde_json::{Map, Value};
use std::fmt;

/// What became of a question. Act on `approved` and on nothing else: a question that expired or was cancelled has no
/// answer, which is no approval.
#[derive(Clone)]
#[non_exhaustive]
pub struct Decision {
    /// `Completed` by an answer, `Expired` at its deadline, or `Cancelled`.
    pub status: MessageStatus,
    /// What the answer decides.
    pub outcome: Option<Outcome>,
    /// Whether a person approved.
    pub approved: bool,
    /// Whether a person rejected.
    pub rejected: bool,
    /// The action of the button that was pressed.
    pub action: Option<String>,
    /// The text that was written.
    pub text: Option<String>,
    /// The values of a form, by field, each of the type of its field.
    pub values: Map<String, Value>,
    /// The person who answered.
    pub respondent: Option<Responder>,
    /// When the person answered.
    pub responded_at: Option<Timestamp>,
    /// What was asked: what an approval approves. Verified unless the encryption is off.
    pub question: VerifiedQuestion,
    /// The question, with its answer, as the hub has it.
    pub message: Message,
    /// Where the hub contradicts what is proved, in words for a log. The decision is what is proved.
    pub warning: Option<String>,
    receipt: Option<Box<Receipt>>,
    is_filled: bool,
}

impl Decision {
    /// The decision of a settled question whose answer is not encrypted; `None` while it is pending. For those who
    /// trust the hub: [`Client::ask`] and [`Client::await_response`] verify answers.
    #[must_use]
    pub fn of(message: Message) -> Option<Self> {
        let mut decision = Self::without_answer(message)?;
        let answer = decision.message.response.clone().filter(|_| decision.status == MessageStatus::Completed);
        let Some(answer) = answer else { return Some(decision) };
        decision.respondent = Some(answer.responded_by.clone());
        decision.responded_at = Some(answer.responded_at);
        // What the answer says in clear text counts only where the hub is trusted with the rest as well. An envelope
        // that can't be opened decides nothing.
        let content = match &answer.encrypted_content {
            None => Content::default(),
            Some(envelope) => match envelope.content() {
                Some(content) => content,
                None => return Some(decision),
            },
        };
        // A question may have no components.
        let components = decision.question.components.as_ref();
        let is_approval = components.is_none_or(|components| Offers::of(components).is_approval());
        let outcome = said(&content, content.outcome.or(answer.outcome), is_approval);
        decision.decide(outcome, content);
        Some(decision)
    }

    fn without_answer(message: Message) -> Option<Self> {
        let status = message.status;
        (status != MessageStatus::Pending).then(|| Self {
            status,
            outcome: None,
            approved: false,
            rejected: false,
            action: None,
            text: None,
            values: Map::new(),
            respondent: None,
            responded_at: None,
            question: VerifiedQuestion::plain(&message),
            message,
            warning: None,
            receipt: None,
            is_filled: false,
        })
    }

    fn decide(&mut self, outcome: Outcome, content: Content) {
        self.outcome = Some(outcome);
        self.approved = outcome == Outcome::Approved;
        self.rejected = outcome == Outcome::Rejected;
        // Instead of filling in a form, a person may write something or press another button.
        self.is_filled = content.values.is_some()
            || (content.text.is_none() && content.action.as_ref().is_none_or(|action| action == SUBMIT));
        self.action = content.action;
        self.text = content.text;
        self.values = content.values.unwrap_or_default();
    }

    /// Who decided what on which question, for anybody to check without the hub. It reveals these two messages. None
    /// where nobody answered or the encryption is off.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        self.receipt.as_deref()
    }

    /// Brings the values of a form to the types of its fields.
    fn check_values(&mut self, components: &Value) -> Result<(), Error> {
        let fields = form::fields(components);
        // A rejection fills in nothing.
        if self.outcome.is_some() && !self.rejected && self.is_filled && !fields.is_empty() {
            let checked = form::checked(&fields, &self.values);
            self.values = checked.map_err(|problem| Error::local("the answer", Error::INVALID_ANSWER, problem))?;
        }
        Ok(())
    }
}

impl Client {
    /// What became of a question; `None` while it is pending. `held` is the question, if it was sealed.
    pub(crate) async fn decided(
        &self,
        message: Message,
        held: Option<&HeldQuestion>,
    ) -> Result<Option<Decision>, Error> {
        let Some(held) = held else {
            let Some(mut decision) = Decision::of(message) else { return Ok(None) };
            if let Some(components) = decision.question.components.clone() {
                decision.check_values(&components)?;
            }
            return Ok(Some(decision));
        };
        let Some(mut decision) = Decision::without_answer(message) else { return Ok(None) };
        decision.question = held.question();
        if decision.status != MessageStatus::Completed {
            return Ok(Some(decision));
        }
        let hub_outcome = decision.message.response.as_ref().and_then(|response| response.outcome);
        let identity = self.identity().await?;
        let response = decision.message.response.clone();
        let answer = self.verified_answer(&identity, held, response.as_ref()).await?;
        if let Some(response) = response {
            decision.respondent = Some(response.responded_by);
            decision.responded_at = Some(response.responded_at);
        }
        decision.decide(answer.outcome, answer.content);
        decision.warning = contradiction(hub_outcome, answer.outcome);
        decision.receipt = answer.receipt.map(Box::new);
        decision.check_values(&held.components)?;
        Ok(Some(decision))
    }
}

/// What the hub says in clear, if that is not what was signed. `Answered` stands for no word as well.
fn contradiction(hub: Option<Outcome>, signed: Outcome) -> Option<String> {
    let hub = hub.filter(|&hub| hub != Outcome::Answered && hub != signed)?;
    Some(format!("the hub says {hub:?}, the signed answer says {signed:?}, which counts"))
}

impl fmt::Debug for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without what people wrote.
        f.debug_struct("Decision")
            .field("status", &self.status)
            .field("outcome", &self.outcome)
            .field("question", &self.message.id)
            .finish_non_exhaustive()
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
    fn the_hub_is_contradicted_only_where_it_says_something_else() {
        let warning = |hub, signed| contradiction(hub, signed);
        assert_eq!(
            warning(Some(Outcome::Approved), Outcome::Rejected).as_deref(),
            Some("the hub says Approved, the signed answer says Rejected, which counts")
        );
        for hub in [None, Some(Outcome::Answered), Some(Outcome::Approved)] {
            assert_eq!(warning(hub, Outcome::Approved), None);
        }
    }

    #[test]
    fn an_envelope_that_does_not_open_approves_nothing() {
        let content = json!({ "scheme": "hiloop/v2", "ciphertext": "x", "wrappings": [] });
        let decision = decided("Completed", &answer("Approved", &content));
        assert_eq!((decision.approved, decision.outcome), (false, None));
    }

    #[test]
    fn only_an_approval_is_approved() {
        let approved = |components: &Value| {
            let content = json!(Envelope::plain(&json!({ "outcome": "Approved" })));
            let mut message = question("Completed", &answer("Approved", &content));
            message.encrypted_components = Some(Envelope::plain(components));
            Decision::of(message).expect("it has settled").approved
        };
        assert!(approved(&json!({ "type": "approval", "data": { "title": "Ship?" } })));
        assert!(!approved(&json!({ "type": "button_group", "data": { "buttons": [] } })));
    }
}
