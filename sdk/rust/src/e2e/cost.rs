//! Sealing and opening by themselves, to be measured.

use super::header::Kind;
use super::identity::Identity;
use super::key_file::Keyring;
use super::keys::SecretKeys;
use super::open::open;
use super::pins::Pins;
use super::seal::Draft;
use crate::types::envelope::Envelope;
use serde_json::json;
use uuid::Uuid;

/// Principals who have each other's keys.
#[doc(hidden)]
pub struct Group {
    members: Vec<(Uuid, Identity)>,
    session: Uuid,
}

impl Group {
    /// So many, the sender among them, who is a recipient too.
    #[must_use]
    pub fn of(recipients: usize) -> Self {
        let member = |_| {
            let keyring = Keyring { current: SecretKeys::generate(), earlier: Vec::new() };
            let id = Uuid::now_v7();
            (id, Identity::new(id, keyring, Pins::in_memory(None)))
        };
        let members: Vec<(Uuid, Identity)> = (0..recipients).map(member).collect();
        for (_, member) in &members {
            for (id, other) in &members {
                let _ = member.show(*id, &other.entry());
            }
        }
        Self { members, session: Uuid::now_v7() }
    }

    /// Seals a short text and an approval for everybody.
    #[must_use]
    pub fn seal(&self) -> Envelope {
        let ids: Vec<Uuid> = self.members.iter().map(|(id, _)| *id).collect();
        let content = json!({
            "content": { "text": "All **412** tests pass." },
            "components": { "type": "approval", "data": { "title": "Ship?" } },
        });
        self.members[0].1.seal(Draft::new(Kind::Message, self.session), &content, &ids).envelope
    }

    /// Opens it as the last one.
    #[must_use]
    pub fn open(&self, envelope: &Envelope) -> bool {
        let (sender, receiver) = (self.members[0].0, &self.members[self.members.len() - 1].1);
        open(envelope, sender, self.session, receiver).is_ok()
    }
}
