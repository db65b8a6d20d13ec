//! Takes committed events and the signals of other nodes, and hands them to topics and feeds.

use super::Hub;
use super::topic::Accepted;
use super::typing;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{CommittedEvent, PrincipalId, SessionId};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long after a transaction of unknown outcome the store is compared: it may become visible late.
const DOUBT_FOR: Duration = Duration::from_secs(60);

impl Hub {
    /// Takes events that this node has committed: to its own readers, and to the other nodes.
    pub fn publish(&self, events: &[CommittedEvent]) {
        self.accept_events(events);
        self.broker.publish(Signal::Events(events.to_vec()));
    }

    /// Something may have been committed that nobody announces: the store is asked for a while, as it is where hints
    /// get lost between nodes.
    pub fn doubt(&self) {
        *self.doubted.lock() = Some(Instant::now());
    }

    /// Whether something may be in the store that this node was not told of.
    pub(super) fn must_compare(&self) -> bool {
        !self.broker.is_lossless() || self.doubted.lock().is_some_and(|at| at.elapsed() < DOUBT_FOR)
    }

    /// Takes what another node says.
    pub fn accept(&self, signal: Signal) {
        match signal {
            Signal::Events(events) => self.accept_events(&events),
            Signal::Ephemeral(Ephemeral::Typing { session, actor, typing }) => match actor.id {
                Some(who) => self.typing.note(session, PrincipalId(who), actor, typing, typing::Origin::Elsewhere),
                None => self.show_here(&Ephemeral::Typing { session, actor, typing }),
            },
            // Someone who is here too has neither come nor gone.
            Signal::Ephemeral(Ephemeral::Presence { session, principal, .. })
                if self.presence.is_online(session, principal) => {}
            Signal::Ephemeral(ephemeral) => self.show_here(&ephemeral),
            Signal::Revoked(ids) => {
                let ids: HashSet<Uuid> = ids.into_iter().collect();
                self.revocations.heard(&ids);
                self.revoke_here(&ids);
            }
            Signal::Hints(hints) => hints.into_iter().for_each(|hint| self.feeds.tell(hint)),
            Signal::SessionEvents(events) => self.accept_runs(&events),
            Signal::Reach { space, session, seq } => {
                let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
                if let Some(topic) = topic {
                    self.attend_to(session, &topic.hear(space, seq));
                }
            }
            Signal::Subscribed(sessions) => sessions.into_iter().for_each(|session| self.look_later(session)),
            Signal::Resync => {
                self.topics.iter().for_each(|topic| self.look_later(topic.session));
                self.feeds.resync();
            }
        }
    }

    fn accept_events(&self, events: &[CommittedEvent]) {
        events.iter().for_each(|event| self.feeds.tell(event.into()));
        self.accept_runs(events);
    }

    fn accept_runs(&self, events: &[CommittedEvent]) {
        let mut rest = events;
        while let Some(first) = rest.first() {
            // A batch may go back and forth between sessions; what stands together goes out together.
            let same = rest.iter().take_while(|event| event.session == first.session).count();
            let (run, others) = rest.split_at(same);
            rest = others;
            let topic = self.topics.get(&first.session).map(|topic| Arc::clone(&topic));
            if let Some(topic) = topic {
                self.attend_to(topic.session, &topic.accept(run, &self.lanes, &self.metrics));
            }
        }
    }

    pub(super) fn repair_later(&self, session: SessionId) {
        // With a full queue the reconcile tick comes back to it.
        let _ = self.repairs.try_send(session);
    }

    pub(super) fn attend_to(&self, session: SessionId, accepted: &Accepted) {
        match accepted {
            Accepted::InOrder => {}
            Accepted::Gap => self.repair_later(session),
            Accepted::Suspect => self.look_later(session),
        }
    }

    /// Has a session compared with the store soon: something about it suggests that the store went back.
    pub fn look_later(&self, session: SessionId) {
        // As above.
        let _ = self.looks.try_send(session);
    }
}
