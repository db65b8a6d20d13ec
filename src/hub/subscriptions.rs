//! Subscriptions to sessions and feeds, and the topics that exist for them.

use super::Hub;
use super::fan_out::WorkerMessage;
use super::subscriber::Subscriber;
use super::topic::Topic;
use crate::domain::{ConnectionId, Scope, SessionId, partition};
use crate::store::{Head, StoreResult};
use std::sync::Arc;
use tokio::sync::oneshot;

impl Hub {
    /// Runs `f` on the session's topic, which is created if there is none and cannot be dropped meanwhile.
    pub(super) fn with_topic<T>(&self, session: SessionId, f: impl FnOnce(&Topic) -> T) -> T {
        // The broker's interest is set under the lock of the map's entry, so that it agrees with the map.
        let topic = self.topics.entry(session).or_insert_with(|| {
            self.broker.set_interest(session, true);
            Arc::new(Topic::new(session, self.workers.len()))
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

    fn worker_of(&self, connection: ConnectionId) -> usize {
        partition(connection.0, self.workers.len())
    }

    /// Subscribes to a session: every event that is released after this has returned reaches the subscriber.
    pub async fn join(&self, session: SessionId, subscriber: Arc<dyn Subscriber>) {
        let worker = self.worker_of(subscriber.id());
        self.with_topic(session, |topic| topic.add_subscriber(worker));
        let (done, joined) = oneshot::channel();
        self.workers[worker].send(WorkerMessage::Join { session, subscriber, done }).await;
        let _ = joined.await;
    }

    /// Ends a subscription that `join` began.
    pub async fn leave(&self, session: SessionId, connection: ConnectionId) {
        let worker = self.worker_of(connection);
        self.workers[worker].send(WorkerMessage::Leave { session, connection }).await;
        if let Some(topic) = self.topics.get(&session) {
            topic.remove_subscriber(worker);
        }
        self.drop_if_unread(session);
    }

    /// Notes the head of a session's timeline as it was read from the store.
    pub fn observe(&self, session: SessionId, head: &Head) {
        if let Some(topic) = self.topic(session) {
            self.follow_up(session, &topic.observe(head, &self.workers, &self.metrics));
        }
    }

    /// Ends the subscriptions to a session that was deleted.
    pub fn retire(&self, session: SessionId) {
        if let Some(topic) = self.topic(session) {
            topic.retire(&self.workers);
        }
    }

    /// Whether the session has a reader on this node.
    pub fn is_watched(&self, session: SessionId) -> bool {
        self.topics.contains_key(&session)
    }

    /// How many sessions have a reader on this node.
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Subscribes to the feed of every session within a scope, including those that are created later.
    pub async fn subscribe_feed(&self, scope: Scope, subscriber: Arc<dyn Subscriber>) -> StoreResult<()> {
        self.feeds.subscribe(scope, subscriber).await
    }

    /// Ends a subscription that `subscribe_feed` began.
    pub fn unsubscribe_feed(&self, scope: Scope, connection: ConnectionId) {
        self.feeds.unsubscribe(scope, connection);
    }
}
