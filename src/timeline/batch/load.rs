//! Loads and locks what the requests of a batch name.

use super::Batch;
use super::command::{named_answerers, named_message};
use crate::store::{Named, SavedReply, StoreError};
use crate::timeline::request::{Action, Request};
use std::collections::HashSet;

impl Batch {
    /// Loads and locks everything that the requests name, with one statement for each kind.
    pub(super) async fn load(&mut self, requests: &[Request]) -> Result<(), StoreError> {
        let mut sessions = HashSet::new();
        let mut pairs = HashSet::new();
        let mut messages = HashSet::new();
        let mut answerers = HashSet::new();
        let mut chosen = HashSet::new();
        let mut keys = Vec::new();
        for request in requests {
            if let Some(idempotency) = &request.idempotency {
                keys.push((idempotency.scope.clone(), idempotency.key.clone()));
            }
            if let Action::Create { has_chosen_id: true, .. } = &request.action {
                chosen.insert(request.session);
            }
            let Action::Command(command) = &request.action else { continue };
            sessions.insert((request.space, request.session));
            if let Some(principal) = request.by.required_participant() {
                pairs.insert((request.session, principal));
            }
            if let Some(message) = named_message(command) {
                messages.insert((request.session, message));
            }
            answerers.extend(named_answerers(command).iter().map(|answerer| (request.session, *answerer)));
        }
        let named = Named {
            sessions: sessions.into_iter().collect(),
            members: pairs.into_iter().collect(),
            answerers: answerers.into_iter().collect(),
            messages: messages.into_iter().collect(),
            new_sessions: chosen.into_iter().collect(),
            replies: keys,
        };
        let loaded = self.tx.load(&named, SavedReply::kept_since(self.now)).await?;
        self.sessions.extend(loaded.sessions.into_iter().map(|session| (session.id, session)));
        let members = loaded.members.into_iter();
        self.members.extend(members.map(|(session, principal, member)| ((session, principal), member)));
        self.answerers.extend(loaded.answerers);
        self.taken.extend(loaded.taken);
        self.messages.extend(loaded.messages.into_iter().map(|state| (state.id, state)));
        let replies = loaded.replies.into_iter();
        self.replies.extend(replies.map(|reply| ((reply.scope.clone(), reply.key.clone()), reply)));
        Ok(())
    }
}
