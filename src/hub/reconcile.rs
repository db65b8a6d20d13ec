//! Finding what nobody announced: repairs one session when an event is missing, and compares all of them with the
//! store once a second.

use super::Hub;
use super::topic::Topic;
use crate::domain::{Scope, SessionId};
use crate::metrics::During;
use crate::store::{Store, StoreError};
use futures::StreamExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_secs(1);
/// Most events, and about how many bytes, of one read.
const PAGE: i64 = 256;
const PAGE_BYTES: i64 = 1024 * 1024;
/// Most sessions that are looked at together, and how many of them are read at one time.
const MAX_TOGETHER: usize = 256;
const REPAIRS_AT_ONCE: usize = 4;

/// Starts the tasks; they end with the hub.
pub(super) fn start(
    hub: &Arc<Hub>,
    store: Arc<dyn Store>,
    to_repair: mpsc::Receiver<SessionId>,
    to_look_at: mpsc::Receiver<SessionId>,
) {
    tokio::spawn(repairs(Arc::downgrade(hub), Arc::clone(&store), to_repair));
    tokio::spawn(looks(Arc::downgrade(hub), Arc::clone(&store), to_look_at));
    tokio::spawn(tick(Arc::downgrade(hub), store));
}

/// Repairs sessions as they come, each once however often it was asked for meanwhile.
async fn repairs(hub: Weak<Hub>, store: Arc<dyn Store>, mut sessions: mpsc::Receiver<SessionId>) {
    let mut batch = Vec::new();
    while sessions.recv_many(&mut batch, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = batch.drain(..).collect();
        let repairs = futures::stream::iter(distinct).map(|session| repair(&hub, &*store, session));
        let mut repairs = repairs.buffer_unordered(REPAIRS_AT_ONCE);
        while let Some(repaired) = repairs.next().await {
            if let Err(error) = repaired {
                hub.metrics.store_failed(During::Reconcile, &error, "cannot read missing events yet");
            }
        }
    }
}

/// Compares sessions with the store out of turn: those that another node may have written to just before this one
/// began to listen.
async fn looks(hub: Weak<Hub>, store: Arc<dyn Store>, mut sessions: mpsc::Receiver<SessionId>) {
    let mut batch = Vec::new();
    while sessions.recv_many(&mut batch, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = batch.drain(..).collect();
        let topics = distinct.iter().filter_map(|session| hub.topics.get(session).map(|topic| Arc::clone(&topic)));
        compare(&hub, &*store, &topics.collect::<Vec<_>>()).await;
    }
}

/// Reads what is missing from the store and releases it.
async fn repair(hub: &Hub, store: &dyn Store, session: SessionId) -> Result<(), StoreError> {
    let Some(topic) = hub.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return Ok(()) };
    while let Some((space, at)) = topic.missing() {
        let page = store.events_after(Scope::Space(space), session, at, PAGE, PAGE_BYTES).await?;
        let Some(page) = page else { return Ok(()) };
        topic.skip_to(page.head.first_seq);
        if page.events.is_empty() {
            return Ok(());
        }
        hub.metrics.repairs.inc();
        topic.accept(&page.events, &hub.lanes, &hub.metrics);
    }
    Ok(())
}

async fn tick(hub: Weak<Hub>, store: Arc<dyn Store>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        let topics: Vec<Arc<Topic>> = hub.topics.iter().map(|topic| Arc::clone(&topic)).collect();
        for topic in &topics {
            topic.nudge(&hub.lanes);
            if topic.missing().is_some() {
                hub.repair_later(topic.session);
            }
        }
        if !hub.must_compare() {
            continue;
        }
        if hub.broker.is_lossless() {
            hub.feeds.resync();
        }
        compare(&hub, &*store, &topics).await;
    }
}

/// Asks the store, in one query, how far the timelines of these topics reach.
async fn compare(hub: &Hub, store: &dyn Store, topics: &[Arc<Topic>]) {
    let mut spaces: HashMap<_, _> = topics.iter().filter_map(|topic| Some((topic.session, topic.space()?))).collect();
    let known: Vec<_> = spaces.iter().map(|(session, space)| (*space, *session)).collect();
    if known.is_empty() {
        return;
    }
    match store.last_seqs(&known).await {
        Ok(heads) => {
            for (session, head) in heads {
                if let Some(space) = spaces.remove(&session) {
                    hub.observe(space, session, head);
                }
            }
            // Another node has deleted them.
            spaces.into_keys().for_each(|session| hub.retire(session));
        }
        Err(error) => {
            hub.metrics.store_failed(During::Reconcile, &error, "cannot compare live sessions with the store");
        }
    }
}
