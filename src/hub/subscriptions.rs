//! Readers of sessions and of feeds: they join, leave and learn where a timeline stands.

use super::Hub;
use super::lane::LaneMessage;
use super::subscriber::Subscriber;
use super::topic::Topic;
use crate::domain::{ConnectionId, Scope, SessionId, shard};
use crate::store::{Head, StoreResult};
use std::sync::Arc;
use tokio::sync::oneshot;

impl Hub {
    /// Runs `f` on the session's topic, making it if there is none; it can't go away meanwhile.
    pub(super) fn with_topic<T>(&self, session: SessionId, f: impl FnOnce(&Topic) -> T) -> T {
        // The broker hears of a topic's coming and going while the topic can't change, so that the two agree.
        let topic = self.topics.entry(session).or_insert_with(|| {
            self.broker.set_interest(session, true);
            Arc::new(Topic::new(session, self.lanes.len()))
        });
        f(&topic)
    }

    pub(super) fn drop_if_unread(&self, session: SessionId) {
        self.topics.remove_if(&session, |_, topic| {
            let unread = !topic.has_readers();
            if unread {
                self.broker.set_interest(session, false);
            }
            unread
        });
    }

    fn lane_of(&self, connection: ConnectionId) -> usize {
        shard(connection.0, self.lanes.len())
    }

    /// Makes a subscriber a reader of a session. Whatever is released after this returns reaches it.
    pub async fn join(&self, session: SessionId, subscriber: Arc<dyn Subscriber>) {
        let lane = self.lane_of(subscriber.id());
        self.with_topic(session, |topic| topic.add_member(lane));
        let (done, joined) = oneshot::channel();
        self.lanes[lane].send(LaneMessage::Join { session, subscriber, done }).await;
        let _ = joined.await;
    }

    /// Ends what `join` began.
    pub async fn leave(&self, session: SessionId, connection: ConnectionId) {
        let lane = self.lane_of(connection);
        self.lanes[lane].send(LaneMessage::Leave { session, connection }).await;
        if let Some(topic) = self.topics.get(&session) {
            topic.remove_member(lane);
        }
        self.drop_if_unread(session);
    }

    /// Notes where the store says that a session's timeline stands.
    pub fn observe(&self, session: SessionId, head: &Head) {
        let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
        if let Some(topic) = topic {
            self.attend_to(session, &topic.observe(head, &self.lanes, &self.metrics));
        }
    }

    /// Whether anybody on this node reads a session's timeline or waits for one of its messages.
    pub fn is_watched(&self, session: SessionId) -> bool {
        self.topics.contains_key(&session)
    }

    /// How many sessions are read on this node.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Makes a subscriber a follower of every session within a scope, those yet to come included.
    pub async fn subscribe_feed(&self, scope: Scope, subscriber: Arc<dyn Subscriber>) -> StoreResult<()> {
        self.feeds.subscribe(scope, subscriber).await
    }

    /// Ends what `subscribe_feed` began.
    pub fn unsubscribe_feed(&self, scope: Scope, connection: ConnectionId) {
        self.feeds.unsubscribe(scope, connection);
    }

    /// A session is no more: whoever reads it here is let go.
    pub fn retire(&self, session: SessionId) {
        let topic = self.topics.get(&session).map(|topic| Arc::clone(&topic));
        if let Some(topic) = topic {
            topic.retire(&self.lanes);
        }
    }
}
