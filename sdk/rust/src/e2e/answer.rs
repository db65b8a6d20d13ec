//! What counts as the answer to a question.

use super::encoding::Digest;
use super::header::{Header, Kind, Party};
use super::refusal::Refusal;
use crate::types::envelope::Content;
use crate::types::outcome::Outcome;
use crate::types::timestamp::Timestamp;
use serde_json::Value;
use uuid::Uuid;

const APPROVE: &str = "approve";
const REJECT: &str = "reject";
/// The action of a form, where an answer names one.
pub(crate) const SUBMIT: &str = "submit";

/// What a question lets people do.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Offers {
    actions: Vec<String>,
    is_approval: bool,
}

impl Offers {
    /// The actions of components: of approvals, buttons and forms.
    pub(crate) fn of(components: &Value) -> Self {
        let mut offers = Self::default();
        offers.collect(components);
        offers
    }

    fn collect(&mut self, node: &Value) {
        if let Value::Array(nodes) = node {
            nodes.iter().for_each(|node| self.collect(node));
            return;
        }
        match node["type"].as_str() {
            Some("approval") => {
                self.is_approval = true;
                self.actions.extend([APPROVE, REJECT].map(str::to_owned));
            }
            Some("button_group") => {
                let buttons = node["data"]["buttons"].as_array().into_iter().flatten();
                self.actions.extend(buttons.filter_map(|button| Some(button["action"].as_str()?.to_owned())));
            }
            Some("form") => self.actions.push(SUBMIT.to_owned()),
            _ => {}
        }
        self.collect_children(node);
    }

    fn collect_children(&mut self, node: &Value) {
        if let Some(children) = node.get("children") {
            self.collect(children);
        }
    }

    /// Whether people are asked to approve.
    pub(crate) fn is_approval(&self) -> bool {
        self.is_approval
    }

    /// Whether people are offered this action.
    fn has(&self, action: &str) -> bool {
        self.actions.iter().any(|offered| offered == action)
    }

    /// What an answer with this content decides, if it names no action but one that is offered.
    pub(crate) fn outcome(&self, content: &Content) -> Result<Outcome, Refusal> {
        match content.action.as_deref() {
            Some(action) if !self.has(action) => Err(Refusal::Action),
            _ => Ok(said(content, content.outcome, self.is_approval)),
        }
    }
}

/// What an answer with this content and outcome decides. Only an approval can be approved: by its action, or by the
/// outcome of an answer without an action. An answer that contradicts itself approves nothing.
pub(crate) fn said(content: &Content, outcome: Option<Outcome>, is_approval: bool) -> Outcome {
    let action = content.action.as_deref();
    let pressed = match action {
        Some(APPROVE) if is_approval => Some(Outcome::Approved),
        Some(REJECT) if is_approval => Some(Outcome::Rejected),
        _ => None,
    };
    if outcome == Some(Outcome::Rejected) || pressed == Some(Outcome::Rejected) {
        return Outcome::Rejected;
    }
    let claimed = if action.is_some() { pressed } else { outcome };
    let is_approved = claimed == Some(Outcome::Approved) && outcome.is_none_or(|said| said == Outcome::Approved);
    if is_approval && is_approved { Outcome::Approved } else { Outcome::Answered }
}

/// A question, as this client sealed or accepted it.
#[derive(Clone, Debug)]
pub(crate) struct AskedQuestion {
    pub(crate) digest: Digest,
    pub(crate) session: Uuid,
    pub(crate) answerers: Vec<Uuid>,
    pub(crate) deadline: Option<Timestamp>,
    pub(crate) offers: Offers,
    /// Whom it was sealed for.
    pub(crate) to: Vec<Party>,
}

impl AskedQuestion {
    /// The question of an envelope with this header and content.
    pub(crate) fn new(header: &Header, digest: Digest, content: &Value) -> Result<Self, Refusal> {
        if header.kind != Kind::Question {
            return Err(Refusal::Kind);
        }
        Ok(Self {
            digest,
            session: header.session,
            answerers: header.answerers.clone().unwrap_or_default(),
            deadline: header.deadline_at,
            offers: Offers::of(&content["components"]),
            to: header.to.clone(),
        })
    }

    /// Checks that an accepted envelope, first seen at this time, is an answer to this question; what it decides.
    pub(crate) fn check(&self, header: &Header, content: &Value, seen_at: Timestamp) -> Result<Outcome, Refusal> {
        if header.kind != Kind::Answer {
            return Err(Refusal::Kind);
        }
        if header.session != self.session {
            return Err(Refusal::Session);
        }
        if header.parent != Some(self.digest) {
            return Err(Refusal::Parent);
        }
        if !self.answerers.contains(&header.from.id) {
            return Err(Refusal::Answerer);
        }
        let content = Content::read(content["content"].clone()).unwrap_or_default();
        let outcome = self.offers.outcome(&content)?;
        if self.deadline.is_some_and(|deadline| seen_at > deadline) {
            return Err(Refusal::Late);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(components: &Value, content: &Value) -> Result<Outcome, Refusal> {
        Offers::of(components).outcome(&Content::read(content.clone()).expect("an object"))
    }

    fn approval() -> Value {
        json!({ "type": "group", "data": {}, "children": [{ "type": "approval", "data": { "title": "Ship?" } }] })
    }

    #[test]
    fn only_an_approval_approves() {
        assert_eq!(outcome(&approval(), &json!({ "action": "approve" })), Ok(Outcome::Approved));
        assert_eq!(outcome(&approval(), &json!({ "outcome": "Approved" })), Ok(Outcome::Approved));
        assert_eq!(outcome(&approval(), &json!({ "action": "reject" })), Ok(Outcome::Rejected));
        assert_eq!(outcome(&approval(), &json!({ "text": "approve" })), Ok(Outcome::Answered));
        assert_eq!(outcome(&approval(), &json!({})), Ok(Outcome::Answered));
        // Where no approval was asked for, nothing is approved.
        assert_eq!(outcome(&Value::Null, &json!({ "outcome": "Approved" })), Ok(Outcome::Answered));
    }

    #[test]
    fn an_action_must_be_offered() {
        let choices = json!({ "type": "button_group", "data": { "buttons": [{ "label": "A", "action": "a" }] } });
        assert_eq!(outcome(&choices, &json!({ "action": "a" })), Ok(Outcome::Answered));
        assert_eq!(outcome(&choices, &json!({ "action": "approve" })), Err(Refusal::Action));
        assert_eq!(outcome(&approval(), &json!({ "action": "delete" })), Err(Refusal::Action));
        assert_eq!(outcome(&Value::Null, &json!({ "action": "approve" })), Err(Refusal::Action));
    }

    #[test]
    fn contradictions_approve_nothing() {
        let wait = json!({ "type": "button_group", "data": { "buttons": [{ "label": "Wait", "action": "wait" }] } });
        let both = json!([approval(), wait]);
        for (action, said, decided) in [
            ("reject", "Approved", Outcome::Rejected),
            ("approve", "Rejected", Outcome::Rejected),
            ("approve", "Answered", Outcome::Answered),
            ("wait", "Approved", Outcome::Answered),
        ] {
            assert_eq!(outcome(&both, &json!({ "action": action, "outcome": said })), Ok(decided), "{action} {said}");
        }
    }
}
