//! Passes committed events and the signals of other nodes to topics and feeds.

use super::Hub;
use super::topic::Accepted;
use super::typing;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{CommittedEvent, PrincipalId, SessionId};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long the store is compared after a transaction of unknown outcome, which may become visible late.
const IN_DOUBT_FOR: Duration = Duration::from_secs(60);

impl Hub {
    /// Publishes events that this node has committed to its own readers and to the other nodes.
    pub fn publish(&self, events: &[CommittedEvent]) {
        self.accept_events(events);
        self.broker.publish(Signal::Events(events.to_vec()));
    }

    /// Notes a transaction of unknown outcome: its events may be in the store without having been published. For a
    /// while the store is compared every second, as it is where hints between nodes may get lost.
    pub fn note_in_doubt(&self) {
        *self.in_doubt_since.lock() = Some(Instant::now());
    }

    /// Whether the store may have events that this node has no hint of.
    pub(super) fn must_compare(&self) -> bool {
        !self.broker.is_lossless() || self.in_doubt_since.lock().is_some_and(|at| at.elapsed() < IN_DOUBT_FOR)
    }

    /// Accepts a signal of another node.
    pub fn accept(&self, signal: Signal) {
        match signal {
            Signal::Events(events) => self.accept_events(&events),
            Signal::Ephemeral(Ephemeral::Typing { session, actor, typing }) => match actor.id {
                Some(who) => self.typing.note(session, PrincipalId(who), actor, typing, typing::Source::OtherNode),
                None => self.send_here(&Ephemeral::Typing { session, actor, typing }),
            },
            // A participant with a socket on this node stays online regardless of the other node.
            Signal::Ephemeral(Ephemeral::Presence { session, principal, .. })
                if self.presence.is_online(session, principal) => {}
            Signal::Ephemeral(ephemeral) => self.send_here(&ephemeral),
            Signal::Revoked(ids) => {
                let ids: HashSet<Uuid> = ids.into_iter().collect();
                self.revocations.note_announced(&ids);
                self.revoke_here(&ids);
            }
            Signal::Hints(hints) => hints.into_iter().for_each(|hint| self.feeds.offer(hint)),
            Signal::SessionEvents(events) => self.accept_by_session(&events),
            Signal::Reach { space, session, seq } => {
                if let Some(topic) = self.topic(session) {
                    self.follow_up(session, &topic.note_high_water_mark(space, seq));
                }
            }
            Signal::Subscribed(sessions) => sessions.into_iter().for_each(|session| self.compare_later(session)),
            Signal::Resync => {
                self.topics.iter().for_each(|topic| self.compare_later(topic.session));
                self.feeds.resync();
            }
        }
    }

    fn accept_events(&self, events: &[CommittedEvent]) {
        events.iter().for_each(|event| self.feeds.offer(event.into()));
        self.accept_by_session(events);
    }

    /// Passes events to their topics. Consecutive events of one session go out together.
    fn accept_by_session(&self, events: &[CommittedEvent]) {
        for events in events.chunk_by(|one, next| one.session == next.session) {
            let session = events[0].session;
            if let Some(topic) = self.topic(session) {
                self.follow_up(session, &topic.accept(events, &self.workers, &self.metrics));
            }
        }
    }

    pub(super) fn follow_up(&self, session: SessionId, accepted: &Accepted) {
        match accepted {
            Accepted::InOrder => {}
            Accepted::Gap => self.repair_later(session),
            Accepted::Suspect => self.compare_later(session),
        }
    }

    /// Queues a session whose missing events are to be read from the store.
    pub(super) fn repair_later(&self, session: SessionId) {
        // With a full queue the reconcile tick finds the session.
        let _ = self.repairs.try_send(session);
    }

    /// Queues a session for a comparison with the store, which may have been restored to an earlier state.
    pub fn compare_later(&self, session: SessionId) {
        // With a full queue the reconcile tick finds the session.
        let _ = self.comparisons.try_send(session);
    }
}
