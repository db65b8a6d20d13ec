//! One command: gathers the facts that the rules need, decides, and applies the changes.

use super::Batch;
use crate::domain::command::{Command, WhichParticipant};
use crate::domain::decide::decide;
use crate::domain::decision::CommandResult;
use crate::domain::facts::Facts;
use crate::domain::{MessageId, ParticipantId, ParticipantType, PrincipalId, Refusal, SessionId};
use crate::store::{NewMark, StoreError};
use crate::timeline::request::{By, Outcome, Request};

impl Batch {
    pub(super) async fn command(
        &mut self,
        request: &Request,
        command: &Command,
    ) -> Result<Result<(Outcome, Option<MessageId>), Refusal>, StoreError> {
        let id = request.session;
        // Another request of this batch may have loaded the session, so this caller's access is checked.
        let visible = self.sessions.get(&id).is_some_and(|session| session.space_id == request.space)
            && request.by.required_participant().is_none_or(|principal| self.members.contains_key(&(id, principal)));
        if !visible {
            return Ok(Err(Refusal::NotFound("Session")));
        }
        // Other facts are read from the store, so the earlier changes of this batch are written first.
        let mut pending = Vec::new();
        let mut participant = None;
        let mut names = Vec::new();
        let mut interaction = None;
        let mut announced_key = None;
        match command {
            Command::Close | Command::Archive => {
                self.flush().await?;
                pending = self.tx.pending_messages(id).await?;
            }
            Command::AddParticipant { member, guest, .. } => {
                self.flush().await?;
                // A token must not outlive the revocation of the key that creates it.
                let key = guest.as_ref().and_then(|guest| guest.created_by.key_id);
                if let Some(key) = key
                    && !self.tx.hold_key(key).await?
                {
                    return Ok(Err(Refusal::Unauthorized("The API key is not valid".to_owned())));
                }
                if let Some(limit) = guest.as_ref().and_then(|guest| guest.limit)
                    && self.tx.count_guests(id).await?.unsigned_abs() >= limit
                {
                    return Ok(Err(Refusal::LimitReached { what: "Guests of the session", limit }));
                }
                participant = self.tx.participant_of(id, member.id).await?;
                // Only guests have a name for one session, so only a guest's name can be in use.
                let with_all = member.kind == ParticipantType::Guest;
                names = self.tx.participant_names(id, with_all).await?;
            }
            Command::RemoveParticipant(which) => {
                self.flush().await?;
                participant = match which {
                    WhichParticipant::Id(participant) => self.tx.participant(id, *participant).await?,
                    WhichParticipant::Guest(guest) => {
                        let found = self.tx.participant_of(id, (*guest).into()).await?;
                        found.filter(|participant| participant.guest_id == Some(*guest))
                    }
                };
            }
            Command::AnnounceKey(change) => {
                self.flush().await?;
                participant = self.tx.participant_of(id, change.principal).await?;
                announced_key = self.tx.announced_key(id, change.principal).await?;
            }
            Command::PushBlocks(_) => {
                self.flush().await?;
                interaction = self.tx.interaction(id).await?;
            }
            _ => {}
        }
        let pending_ids: Vec<_> = pending.iter().map(|state| state.id).collect();
        self.messages.extend(pending.into_iter().map(|state| (state.id, state)));

        let actor = match (command, &participant) {
            // The author is the participant whose key has changed, not the job that announces it.
            (Command::AnnounceKey(_), Some(participant)) => participant.actor(),
            _ => request.by.actor(),
        };
        let answerers = named_answerers(command).iter();
        let unknown_answerers: Vec<_> =
            answerers.filter(|who| !self.answerers.contains(&(id, **who))).copied().collect();
        let target = named_message(command).and_then(|message| self.messages.get(&message));
        let facts = Facts {
            by_person: matches!(&request.by, By::Principal(principal) if principal.is_person()),
            target: target.filter(|state| state.session_id == id),
            participation: match &request.by {
                By::Principal(principal) => self.members.get(&(id, principal.id())),
                By::System => None,
            },
            unknown_answerers: &unknown_answerers,
            pending: &pending_ids,
            participant: participant.as_ref(),
            names: &names,
            announced_key,
            interaction: interaction.as_ref(),
            ..Facts::of(self.now, &actor)
        };
        let decision = decide(&self.sessions[&id], facts, command);
        let mut posted_json = None;
        for change in decision.changes {
            if let Some(json) = self.append(id, change, &actor) {
                posted_json.get_or_insert(json);
            }
        }
        let reply = match decision.reply {
            Ok(reply) => reply,
            Err(refusal) => return Ok(Err(refusal)),
        };
        Ok(Ok(match reply {
            CommandResult::Posted(message) => {
                let last_seq = self.sessions[&id].last_seq;
                let reader = self.mark_read(request, id);
                (Outcome::Posted { json: posted_json.unwrap_or_default(), last_seq, reader }, Some(message))
            }
            CommandResult::Settled(message) => (Outcome::Settled(id, message), None),
            CommandResult::Acknowledged(message) => (Outcome::Acknowledged(id, message), None),
            CommandResult::Session => (Outcome::Session(Box::new(self.sessions[&id].clone())), None),
            CommandResult::Participant { participant, created } => {
                (Outcome::Participant { participant, created }, None)
            }
            CommandResult::Removed(gone) => (Outcome::Removed(gone), None),
            CommandResult::Interaction => {
                (Outcome::Interaction { session: id, seq: self.sessions[&id].last_seq }, None)
            }
        }))
    }

    /// Moves the read mark of a person who has written to the end of the timeline.
    fn mark_read(&mut self, request: &Request, id: SessionId) -> Option<ParticipantId> {
        let By::Principal(principal) = &request.by else { return None };
        let who = (id, principal.id());
        let reader = self.members.get(&who).filter(|_| principal.is_person())?.id;
        let session = &self.sessions[&id];
        let (seq, count) = (session.last_seq, session.message_count);
        self.marks.insert(who, NewMark { session: id, principal: who.1, seq, count });
        Some(reader)
    }
}

/// The message that a command names.
pub(super) fn named_message(command: &Command) -> Option<MessageId> {
    match command {
        Command::Post(new) => new.in_reply_to,
        Command::Cancel(id) | Command::Expire(id) => Some(*id),
        Command::Acknowledge(acknowledgement) => Some(acknowledgement.message),
        _ => None,
    }
}

/// The answerers of the message that a command posts.
pub(super) fn named_answerers(command: &Command) -> &[PrincipalId] {
    match command {
        Command::Post(new) => new.answerers.as_deref().unwrap_or_default(),
        _ => &[],
    }
}
