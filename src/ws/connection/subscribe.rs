//! Subscriptions of a connection to sessions, from the first read of the store to the end.

use super::super::handle::Prepared;
use super::{ConnectionTask, Stop};
use crate::domain::{Principal, Refusal, SessionId};
use crate::hub::subscriber::{Connection as _, EndReason, Subscriber as _};
use crate::protocol::frame::FrameId;
use crate::protocol::frame::hub::reply;
use crate::protocol::limits::MAX_SUBSCRIPTIONS;
use crate::timeline::reader::Start;
use std::collections::HashSet;

impl ConnectionTask {
    /// Leaves the sessions whose subscriptions the hub has ended.
    pub(super) async fn evict(&mut self) -> Result<(), Stop> {
        for session in self.handle.take_evicted() {
            self.leave(session).await;
        }
        Ok(())
    }

    /// Joins the topic, then reads the head of the timeline, then replies and opens the cursor: no event is missed in
    /// between.
    pub(super) async fn subscribe(
        &mut self,
        id: &FrameId,
        session: SessionId,
        after: Option<i64>,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        let earlier = match self.handle.prepare(session, MAX_SUBSCRIPTIONS) {
            Prepared::Replaces(earlier) => Some(earlier),
            Prepared::New => {
                self.app.hub.join(session, self.handle.clone()).await;
                None
            }
            Prepared::Evicted => {
                self.leave(session).await;
                self.app.hub.join(session, self.handle.clone()).await;
                None
            }
            Prepared::Refused => {
                let text = format!("A socket may subscribe to {MAX_SUBSCRIPTIONS} sessions; follow the feed instead");
                return Err(Refusal::Conflict(text));
            }
        };
        let standing = self.app.store.head_with_participant(principal.scope(), session, principal.id()).await;
        let standing = match (standing, earlier) {
            (Ok(Some(standing)), _) => standing,
            // The earlier subscription continues, or ends with a notice to the client.
            (Err(error), Some(earlier)) => {
                self.handle.restore(session, earlier);
                return Err(error.into());
            }
            (Ok(None), Some(_)) => {
                self.handle.evict(session, EndReason::Removed);
                return Err(Refusal::NotFound("Session"));
            }
            (other, None) => {
                self.handle.remove(session);
                self.leave(session).await;
                return Err(other.map_or_else(Refusal::from, |_| Refusal::NotFound("Session")));
            }
        };
        let head = standing.head;
        let Start { position, is_reset } = Start::resume(after, &head);
        let replay = head.last_seq - position;
        if after.is_some() {
            self.app.metrics.replay_events.observe(replay as f64);
        }
        self.app.hub.observe(session, &head);
        self.app.hub.set_presence_batching(session, standing.is_crowd);
        if is_reset {
            self.app.hub.compare_later(session);
        }
        let subscribed = reply::subscribed(id, session, head.last_seq, replay, head.first_seq, is_reset);
        // It may have ended since the store was read.
        self.handle.open(session, position, head.last_seq, &subscribed).map_err(|ended| match ended {
            EndReason::Removed | EndReason::Retired => Refusal::NotFound("Session"),
            // The position is no longer valid. A retry reads it again.
            EndReason::Reset => Refusal::Unavailable,
        })?;
        if let Some(participant) = standing.participant
            && self.present.insert(session)
        {
            self.app.hub.enter(session, principal.id(), participant);
        }
        Ok(())
    }

    /// Ends the part of a subscription that is in the hub.
    pub(super) async fn leave(&mut self, session: SessionId) {
        self.app.hub.leave(session, self.handle.id()).await;
        if self.present.remove(&session)
            && let Some(principal) = self.handle.principal()
        {
            self.app.hub.exit(session, principal.id());
        }
    }

    pub(super) async fn leave_everything(&mut self) {
        let mut sessions: HashSet<SessionId> = self.handle.subscriptions().into_iter().collect();
        sessions.extend(self.handle.take_evicted());
        for session in sessions {
            self.handle.remove(session);
            self.leave(session).await;
        }
        if self.handle.remove_feed()
            && let Some(principal) = self.handle.principal()
        {
            self.app.hub.unsubscribe_feed(principal.scope(), self.handle.id());
        }
    }
}
