//! Finding what nobody announced: repairs one session when an event is missing, and compares all of them with the
//! store once a second. Where the store has gone back to an earlier state, its sessions begin anew.

use super::Hub;
use super::topic::{Accepted, Standpoint, Topic};
use crate::domain::{Scope, SessionId};
use crate::metrics::During;
use crate::store::{Head, Store, StoreError};
use crate::supervisor::Supervisor;
use futures::StreamExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_secs(1);
/// How often the store is compared where nothing gives cause for it: it may have been restored under a running node.
const SLOW_TICK: Duration = Duration::from_secs(15);
/// Most events, and about how many bytes, of one read.
const PAGE: i64 = 256;
const PAGE_BYTES: i64 = 1024 * 1024;
/// Most sessions that are looked at together, and how many of them are read at one time.
const MAX_TOGETHER: usize = 256;
const REPAIRS_AT_ONCE: usize = 4;

/// What a task here works with.
struct Work {
    hub: Weak<Hub>,
    store: Arc<dyn Store>,
    /// The sessions that it is to look at.
    sessions: mpsc::Receiver<SessionId>,
}

/// Starts the tasks; they end with the hub.
pub(super) fn start(
    hub: &Arc<Hub>,
    store: &Arc<dyn Store>,
    supervisor: &Supervisor,
    to_repair: mpsc::Receiver<SessionId>,
    to_look_at: mpsc::Receiver<SessionId>,
) {
    let work = |sessions| Work { hub: Arc::downgrade(hub), store: Arc::clone(store), sessions };
    supervisor.spawn("repairs", work(to_repair), |work| Box::pin(repairs(work)));
    supervisor.spawn("looks", work(to_look_at), |work| Box::pin(looks(work)));
    let everything = (Arc::downgrade(hub), Arc::clone(store));
    supervisor.spawn("reconcile", everything, |(hub, store)| Box::pin(tick(hub.clone(), Arc::clone(store))));
}

/// Repairs sessions as they come, each once however often it was asked for meanwhile.
async fn repairs(Work { hub, store, sessions }: &mut Work) {
    let mut batch = Vec::new();
    while sessions.recv_many(&mut batch, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = batch.drain(..).collect();
        let repairs = futures::stream::iter(distinct).map(|session| repair(&hub, &**store, session));
        let mut repairs = repairs.buffer_unordered(REPAIRS_AT_ONCE);
        while let Some(repaired) = repairs.next().await {
            if let Err(error) = repaired {
                hub.metrics.store_failed(During::Reconcile, &error, "cannot read missing events yet");
            }
        }
    }
}

/// Compares sessions with the store out of turn: those that another node may have written to just before this one
/// began to listen, and those whose store may have gone back.
async fn looks(Work { hub, store, sessions }: &mut Work) {
    let mut batch = Vec::new();
    while sessions.recv_many(&mut batch, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = batch.drain(..).collect();
        let topics = distinct.iter().filter_map(|session| hub.topics.get(session).map(|topic| Arc::clone(&topic)));
        compare(&hub, &**store, &topics.collect::<Vec<_>>()).await;
    }
}

/// Reads what is missing from the store and releases it.
async fn repair(hub: &Hub, store: &dyn Store, session: SessionId) -> Result<(), StoreError> {
    let Some(topic) = hub.topics.get(&session).map(|topic| Arc::clone(&topic)) else { return Ok(()) };
    while let Some(missing) = topic.missing() {
        let read =
            async |after| store.events_after(Scope::Space(missing.space), session, after, PAGE, PAGE_BYTES).await;
        // With the last event that was released, to see that it is still the one that the store has.
        let Some(mut page) = read((missing.seq - 1).max(0)).await? else { return Ok(()) };
        let is_another =
            |event: &&crate::domain::CommittedEvent| event.seq == missing.seq && missing.is_another(event.at);
        if missing.is_undone_by(&page.head) || page.events.first().is_some_and(|event| is_another(&event)) {
            reset(hub, &topic, &page.head);
            return Ok(());
        }
        topic.skip_to(page.head.first_seq);
        page.events.retain(|event| event.seq > missing.seq);
        if page.events.is_empty() && page.head.last_seq > missing.seq {
            // The last one was so large that it filled the page.
            page.events = read(missing.seq).await?.map(|page| page.events).unwrap_or_default();
        }
        if page.events.is_empty() {
            topic.retract(missing.known);
            return Ok(());
        }
        hub.metrics.repairs.inc();
        if topic.accept(&page.events, &hub.lanes, &hub.metrics) == Accepted::Suspect {
            hub.look_later(session);
        }
    }
    Ok(())
}

async fn tick(hub: Weak<Hub>, store: Arc<dyn Store>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut compared, mut breaks) = (Instant::now(), store.broken_connections());
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        let topics: Vec<Arc<Topic>> = hub.topics.iter().map(|topic| Arc::clone(&topic)).collect();
        for topic in &topics {
            topic.nudge(&hub.lanes);
            if topic.is_suspect() {
                hub.look_later(topic.session);
            } else if topic.missing().is_some() {
                hub.repair_later(topic.session);
            }
        }
        // A connection that broke may have been the last one to a server that another now stands in for.
        if std::mem::replace(&mut breaks, store.broken_connections()) != breaks {
            hub.doubt();
        }
        if !hub.must_compare() && compared.elapsed() < SLOW_TICK {
            continue;
        }
        compared = Instant::now();
        if hub.broker.is_lossless() && hub.must_compare() {
            hub.feeds.resync();
        }
        compare(&hub, &*store, &topics).await;
    }
}

/// Asks the store, in one query, how far the timelines of these topics reach.
async fn compare(hub: &Hub, store: &dyn Store, topics: &[Arc<Topic>]) {
    // Where each stands before the store is asked: what it has released by now the store must have.
    let known = topics.iter().filter_map(|topic| Some((topic.session, (topic, topic.space()?, topic.standpoint()))));
    let mut known: HashMap<SessionId, (&Arc<Topic>, _, Option<Standpoint>)> = known.collect();
    let asked: Vec<_> = known.iter().map(|(session, (_, space, _))| (*space, *session)).collect();
    if asked.is_empty() {
        return;
    }
    let heads = match store.last_seqs(&asked).await {
        Ok(heads) => heads,
        Err(error) => {
            return hub.metrics.store_failed(During::Reconcile, &error, "cannot compare live sessions with the store");
        }
    };
    for (session, head) in heads {
        let Some((topic, _, standpoint)) = known.remove(&session) else { continue };
        match standpoint {
            Some(before) if before.is_undone_by(&head) => reset(hub, topic, &head),
            Some(before) if topic.is_suspect() => {
                if let Err(error) = verify(hub, store, topic, before, &head).await {
                    hub.metrics.store_failed(During::Reconcile, &error, "cannot compare a session with the store");
                }
            }
            _ => hub.observe(session, &head),
        }
    }
    // Another node has deleted them.
    known.into_keys().for_each(|session| hub.retire(session));
}

/// Looks whether the last event that a topic has released is the one that the store has in its place.
async fn verify(
    hub: &Hub,
    store: &dyn Store,
    topic: &Topic,
    before: Standpoint,
    head: &Head,
) -> Result<(), StoreError> {
    let page = store.events_after(Scope::Space(before.space), topic.session, before.seq - 1, 1, i64::MAX).await?;
    let event = page.and_then(|page| page.events.into_iter().next()).filter(|event| event.seq == before.seq);
    if event.is_some_and(|event| before.is_another(event.at)) {
        reset(hub, topic, head);
    } else if topic.is_cleared() == Accepted::Gap {
        hub.repair_later(topic.session);
    }
    Ok(())
}

/// The store has gone back behind what was sent of a session: its readers are told so, and begin anew.
fn reset(hub: &Hub, topic: &Topic, head: &Head) {
    tracing::warn!(session = %topic.session.0, seq = head.last_seq, "the store went back to an earlier state of a session");
    topic.reset(&hub.lanes);
    hub.feeds.reset(topic.session);
    hub.observe(topic.session, head);
}
