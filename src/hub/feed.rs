//! Feeds: tells everyone who takes part in a session about its events, whether or not they are subscribed to it.

use super::frame::feed_frame;
use super::subscriber::Subscriber;
use crate::domain::{CommittedEvent, ConnectionId, EventType, PrincipalId, SessionId, SpaceId};
use crate::store::Store;
use dashmap::DashMap;
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Sessions whose participants are remembered.
const MAX_CACHED: usize = 10_000;
/// How long, in case a node did not hear of a change.
const CACHE_FOR: Duration = Duration::from_secs(1);
/// Most events that wait to be told.
const MAX_QUEUE: usize = 65_536;

/// Whose feed it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FeedKey {
    /// Every session of the space.
    Space(SpaceId),
    /// The sessions in which this principal takes part.
    Principal(PrincipalId),
}

type Members = (Instant, Arc<[PrincipalId]>);

pub(super) struct Feeds {
    subscribers: DashMap<FeedKey, Vec<Arc<dyn Subscriber>>>,
    count: AtomicUsize,
    members: Cache<SessionId, Members>,
    queue: mpsc::Sender<CommittedEvent>,
}

impl Feeds {
    pub(super) fn start(store: Arc<dyn Store>) -> Arc<Self> {
        let (queue, events) = mpsc::channel(MAX_QUEUE);
        let feeds = Arc::new(Self {
            subscribers: DashMap::new(),
            count: AtomicUsize::new(0),
            members: Cache::new(MAX_CACHED),
            queue,
        });
        tokio::spawn(run(Arc::downgrade(&feeds), store, events));
        feeds
    }

    pub(super) fn subscribe(&self, key: FeedKey, subscriber: Arc<dyn Subscriber>) {
        self.subscribers.entry(key).or_default().push(subscriber);
        self.count.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn unsubscribe(&self, key: FeedKey, connection: ConnectionId) {
        if let Some(mut list) = self.subscribers.get_mut(&key) {
            let before = list.len();
            list.retain(|present| present.id() != connection);
            self.count.fetch_sub(before - list.len(), Ordering::SeqCst);
        }
        self.subscribers.remove_if(&key, |_, list| list.is_empty());
    }

    /// Takes an event that was committed. Costs nothing while nobody has a feed.
    pub(super) fn tell(&self, event: &CommittedEvent) {
        if matches!(event.kind, EventType::ParticipantAdded | EventType::ParticipantRemoved) {
            self.members.remove(&event.session);
        }
        if self.count.load(Ordering::SeqCst) > 0 && self.queue.try_send(event.clone()).is_err() {
            tracing::warn!("feeds fall behind: an event was not told");
        }
    }

    async fn tell_now(&self, store: &dyn Store, event: &CommittedEvent) {
        if self.count.load(Ordering::SeqCst) == 0 {
            return;
        }
        let Ok(members) = self.members_of(store, event.space, event.session).await else { return };
        let frame = feed_frame(event);
        let keys = members.iter().map(|id| FeedKey::Principal(*id)).chain([FeedKey::Space(event.space)]);
        for key in keys {
            if let Some(list) = self.subscribers.get(&key) {
                list.iter().for_each(|subscriber| subscriber.feed(event.session, event.seq, &frame));
            }
        }
    }

    async fn members_of(
        &self,
        store: &dyn Store,
        space: SpaceId,
        session: SessionId,
    ) -> Result<Arc<[PrincipalId]>, crate::store::StoreError> {
        if let Some((since, members)) = self.members.get(&session)
            && since.elapsed() < CACHE_FOR
        {
            return Ok(members);
        }
        let members: Arc<[PrincipalId]> = store.member_ids(space, session).await?.into();
        self.members.insert(session, (Instant::now(), Arc::clone(&members)));
        Ok(members)
    }
}

async fn run(feeds: std::sync::Weak<Feeds>, store: Arc<dyn Store>, mut events: mpsc::Receiver<CommittedEvent>) {
    while let Some(event) = events.recv().await {
        let Some(feeds) = feeds.upgrade() else { return };
        feeds.tell_now(&*store, &event).await;
    }
}
