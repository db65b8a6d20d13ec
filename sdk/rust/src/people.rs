//! What people say: an answer to give, as a test, a bot or the offline mode gives it.

use crate::types::outcome::Outcome;
use serde_json::{Map, Value, json};

/// An answer to a question.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Answer {
    pub(crate) action: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) values: Option<Map<String, Value>>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) is_remark: bool,
}

impl Answer {
    /// The button of an action: `approve` and `reject` approve and reject.
    pub fn action(action: impl Into<String>) -> Self {
        let action = action.into();
        let outcome = match action.as_str() {
            "approve" => Outcome::Approved,
            "reject" => Outcome::Rejected,
            _ => Outcome::Answered,
        };
        Self { action: Some(action), outcome: Some(outcome), ..Self::default() }
    }

    /// Written text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), outcome: Some(Outcome::Answered), ..Self::default() }
    }

    /// The values of a form, by field.
    pub fn values(values: Map<String, Value>) -> Self {
        Self { values: Some(values), outcome: Some(Outcome::Answered), ..Self::default() }
    }

    /// Adds text.
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// What it decides.
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    /// Makes it a remark or a question back: the question stays pending.
    pub fn remark(mut self) -> Self {
        self.is_remark = true;
        self.outcome = None;
        self
    }

    /// The plaintext of its envelope.
    pub(crate) fn content(&self) -> Value {
        let mut content = Map::new();
        let members = [
            ("text", json!(self.text)),
            ("action", json!(self.action)),
            ("outcome", json!(self.outcome)),
            ("values", json!(self.values)),
        ];
        content.extend(
            members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)),
        );
        json!({ "content": content })
    }
}
