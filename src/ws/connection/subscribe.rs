//! Subscriptions of a socket: from the first look at the store to the end.

use super::super::link::Prepared;
use super::{Connection, Stop};
use crate::domain::{Principal, Refusal, SessionId};
use crate::hub::subscriber::{EndReason, Endpoint as _, Subscriber as _};
use crate::protocol::frame::FrameId;
use crate::protocol::frame::hub::reply;
use crate::protocol::limits::MAX_SUBSCRIPTIONS;
use std::collections::HashSet;

impl Connection {
    /// The hub has ended subscriptions: leave their sessions.
    pub(super) async fn evict(&mut self) -> Result<(), Stop> {
        for session in self.link.take_evicted() {
            self.leave(session).await;
        }
        Ok(())
    }

    /// Listens first, then looks where the timeline stands, then answers and opens: nothing falls between.
    pub(super) async fn subscribe(
        &mut self,
        id: &FrameId,
        session: SessionId,
        after: Option<i64>,
        principal: &Principal,
    ) -> Result<(), Refusal> {
        let earlier = match self.link.prepare(session, MAX_SUBSCRIPTIONS) {
            Prepared::Again(earlier) => Some(earlier),
            Prepared::New => {
                self.app.hub.join(session, self.link.clone()).await;
                None
            }
            Prepared::Evicted => {
                self.leave(session).await;
                self.app.hub.join(session, self.link.clone()).await;
                None
            }
            Prepared::Refused => {
                let text = format!("A socket may subscribe to {MAX_SUBSCRIPTIONS} sessions; follow the feed instead");
                return Err(Refusal::Conflict(text));
            }
        };
        let standing = self.app.store.standing(principal.scope(), session, principal.id()).await;
        let standing = match (standing, earlier) {
            (Ok(Some(standing)), _) => standing,
            // The client has a subscription: it goes on as it was, or its end is told.
            (Err(error), Some(earlier)) => {
                self.link.restore(session, earlier);
                return Err(error.into());
            }
            (Ok(None), Some(_)) => {
                self.link.evict(session, EndReason::Removed);
                return Err(Refusal::NotFound("Session"));
            }
            (other, None) => {
                self.link.forget(session);
                self.leave(session).await;
                return Err(other.map_or_else(Refusal::from, |_| Refusal::NotFound("Session")));
            }
        };
        let head = standing.head;
        let reset = after.is_some_and(|after| after > head.last_seq);
        let at = match after {
            None => head.last_seq,
            Some(_) if reset => head.first_seq - 1,
            Some(after) => after.max(head.first_seq - 1),
        };
        let replay = head.last_seq - at;
        if after.is_some() {
            self.app.metrics.replay_events.observe(replay as f64);
        }
        self.app.hub.observe(session, &head);
        self.app.hub.note_crowd(session, standing.is_crowd);
        if reset {
            self.app.hub.look_later(session);
        }
        let subscribed = reply::subscribed(id, session, head.last_seq, replay, head.first_seq, reset);
        // It may have been ended between the look-up and this.
        self.link.open(session, at, head.last_seq, &subscribed).map_err(|ended| match ended {
            EndReason::Removed | EndReason::Retired => Refusal::NotFound("Session"),
            // What was looked up no longer holds, and looking again helps.
            EndReason::Reset => Refusal::Unavailable,
        })?;
        if let Some(participant) = standing.participant
            && self.present.insert(session)
        {
            self.app.hub.enter(session, principal.id(), participant);
        }
        Ok(())
    }

    /// Ends what `subscribe` began on the hub's side.
    pub(super) async fn leave(&mut self, session: SessionId) {
        self.app.hub.leave(session, self.link.id()).await;
        if self.present.remove(&session)
            && let Some(principal) = self.link.principal()
        {
            self.app.hub.exit(session, principal.id());
        }
    }

    pub(super) async fn leave_everything(&mut self) {
        let mut sessions: HashSet<SessionId> = self.link.subscriptions().into_iter().collect();
        sessions.extend(self.link.take_evicted());
        for session in sessions {
            self.link.forget(session);
            self.leave(session).await;
        }
        if self.link.forget_feed()
            && let Some(principal) = self.link.principal()
        {
            self.app.hub.unsubscribe_feed(principal.scope(), self.link.id());
        }
    }
}
