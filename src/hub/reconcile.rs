//! Finding what nobody announced: repairs one session when an event is missing, and compares all of them with the
//! store once a second.

use super::Hub;
use super::topic::Topic;
use crate::domain::{Scope, SessionId};
use crate::metrics::During;
use crate::store::{Store, StoreError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_secs(1);
/// Most events, and about how many bytes, of one read.
const PAGE: i64 = 256;
const PAGE_BYTES: i64 = 1024 * 1024;

/// Starts both tasks; they end with the hub.
pub(super) fn start(hub: &Arc<Hub>, store: Arc<dyn Store>, mut to_repair: mpsc::Receiver<SessionId>) {
    let (weak, repair_store) = (Arc::downgrade(hub), Arc::clone(&store));
    tokio::spawn(async move {
        while let Some(session) = to_repair.recv().await {
            let Some(hub) = weak.upgrade() else { return };
            if let Err(error) = repair(&hub, &*repair_store, session).await {
                hub.metrics.store_failed(During::Reconcile, &error, "cannot read missing events yet");
            }
        }
    });
    tokio::spawn(tick(Arc::downgrade(hub), store));
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
        if hub.broker.is_lossless() {
            continue;
        }
        let known: Vec<_> = topics.iter().filter_map(|topic| Some((topic.space()?, topic.session))).collect();
        match store.last_seqs(&known).await {
            Ok(heads) => {
                let mut spaces: std::collections::HashMap<_, _> =
                    known.into_iter().map(|(space, session)| (session, space)).collect();
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
}
