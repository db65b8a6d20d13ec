//! The person of the offline mode.

use crate::e2e::answer::Offers;
use crate::e2e::encoding::Digest;
use crate::e2e::entry::Entry;
use crate::e2e::header::Kind;
use crate::e2e::identity::Identity;
use crate::e2e::journal::Carrier;
use crate::e2e::key_file::Keyring;
use crate::e2e::keys::SecretKeys;
use crate::e2e::pins::Pins;
use crate::e2e::seal::Draft;
use crate::people::Answer;
use crate::types::envelope::{Content, Envelope};
use crate::types::opened::{Authenticity, OpenedMessage};
use crate::types::outcome::Outcome;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

type Decide = Arc<dyn Fn(&OpenedMessage) -> Option<Answer> + Send + Sync>;

/// How the person of the offline mode answers.
#[derive(Clone)]
#[non_exhaustive]
pub enum Answers {
    /// Approves everything.
    Approve,
    /// Rejects everything.
    Reject,
    /// Lets every question expire.
    Expire,
    /// Answers as a function says; none lets the question expire.
    With(Decide),
}

impl Answers {
    /// Answers as `decide` says; none lets the question expire.
    pub fn with(decide: impl Fn(&OpenedMessage) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::With(Arc::new(decide))
    }

    fn to(&self, question: &OpenedMessage) -> Option<Answer> {
        let offers = Offers::of(question.components.as_ref().unwrap_or(&Value::Null));
        let decide = |action: &str, outcome| match offers.is_approval() {
            true => Answer::action(action),
            false => Answer::default().outcome(outcome),
        };
        match self {
            Self::Approve => Some(decide("approve", Outcome::Approved)),
            Self::Reject => Some(decide("reject", Outcome::Rejected)),
            Self::Expire => None,
            Self::With(answer) => answer(question),
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Approve => "Approve",
            Self::Reject => "Reject",
            Self::Expire => "Expire",
            Self::With(_) => "With",
        })
    }
}

pub(super) struct OfflinePerson {
    pub(super) id: Uuid,
    pub(super) identity: Identity,
    answers: Answers,
}

/// A sealed answer.
pub(super) struct Reply {
    pub(super) envelope: Envelope,
    pub(super) outcome: Outcome,
}

impl OfflinePerson {
    pub(super) fn new(answers: Answers) -> Self {
        let id = Uuid::now_v7();
        let keyring = Keyring { current: SecretKeys::generate(), earlier: Vec::new() };
        Self { id, identity: Identity::new(id, keyring, Pins::in_memory(None)), answers }
    }

    /// The answer to a question; none where it can't be read, or there is to be none.
    pub(super) fn answer(
        &self,
        question: &Envelope,
        agent: (Uuid, &Entry),
        carrier: (Uuid, Uuid, i64),
    ) -> Option<Reply> {
        let (session, id, seq) = carrier;
        self.identity.show(agent.0, agent.1).ok()?;
        let open = self.identity.accept(question, agent.0, session, Carrier { id, seq: Some(seq) }).ok()?;
        let opened = OpenedMessage {
            content: Content::read(open.content["content"].clone()),
            components: open.content.get("components").cloned(),
            ..OpenedMessage::of(Authenticity::Verified)
        };
        let answer = self.answers.to(&opened)?;
        Some(self.seal(&answer, session, open.digest, agent.0))
    }

    pub(super) fn seal(&self, answer: &Answer, session: Uuid, question: Digest, agent: Uuid) -> Reply {
        let draft = Draft { parent: Some(question), ..Draft::new(Kind::Answer, session) };
        let sealed = self.identity.seal(draft, &answer.content(), &[agent]);
        Reply { envelope: sealed.envelope, outcome: answer.outcome.unwrap_or(Outcome::Answered) }
    }
}
