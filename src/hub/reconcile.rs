//! Finds events that no hint announced. Repairs a session when an event is missing, and compares all live sessions with
//! the store once a second. Where the store was restored to an earlier state, the topic and its readers begin anew.

use super::Hub;
use super::topic::{Accepted, Topic};
use crate::domain::{Scope, SessionId, SpaceId};
use crate::metrics::During;
use crate::store::{Head, Store, StoreError};
use crate::supervisor::Supervisor;
use crate::timeline::reader::{CatchUp, Position, catch_up, is_replaced};
use futures::StreamExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

const TICK: Duration = Duration::from_secs(1);
/// How often the store is compared without a reason: it may have been restored while the node runs.
const SLOW_TICK: Duration = Duration::from_secs(15);
/// Most sessions that are taken from a queue together, and how many of them are read at a time.
const MAX_TOGETHER: usize = 256;
const REPAIRS_AT_ONCE: usize = 4;

/// The state of a task that works through a queue of sessions.
struct Work {
    hub: Weak<Hub>,
    store: Arc<dyn Store>,
    sessions: mpsc::Receiver<SessionId>,
}

/// Starts the tasks. They end with the hub.
pub(super) fn start(
    hub: &Arc<Hub>,
    store: &Arc<dyn Store>,
    supervisor: &Supervisor,
    to_repair: mpsc::Receiver<SessionId>,
    to_compare: mpsc::Receiver<SessionId>,
) {
    let work = |sessions| Work { hub: Arc::downgrade(hub), store: Arc::clone(store), sessions };
    supervisor.spawn("repairs", work(to_repair), |work| Box::pin(repair_queued(work)));
    supervisor.spawn("looks", work(to_compare), |work| Box::pin(compare_queued(work)));
    let everything = (Arc::downgrade(hub), Arc::clone(store));
    supervisor.spawn("reconcile", everything, |(hub, store)| Box::pin(tick(hub.clone(), Arc::clone(store))));
}

/// Repairs the queued sessions, each once however often it was queued.
async fn repair_queued(Work { hub, store, sessions }: &mut Work) {
    let mut queued = Vec::new();
    while sessions.recv_many(&mut queued, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = queued.drain(..).collect();
        let repairs = futures::stream::iter(distinct).map(|session| repair(&hub, &**store, session));
        let mut repairs = repairs.buffer_unordered(REPAIRS_AT_ONCE);
        while let Some(repaired) = repairs.next().await {
            if let Err(error) = repaired {
                hub.metrics.store_failed(During::Reconcile, &error, "cannot read missing events yet");
            }
        }
    }
}

/// Compares the queued sessions with the store between two ticks: sessions to which another node may have written just
/// before this one subscribed to them, and sessions whose store may have been restored.
async fn compare_queued(Work { hub, store, sessions }: &mut Work) {
    let mut queued = Vec::new();
    while sessions.recv_many(&mut queued, MAX_TOGETHER).await > 0 {
        let Some(hub) = hub.upgrade() else { return };
        let distinct: HashSet<SessionId> = queued.drain(..).collect();
        let topics: Vec<_> = distinct.into_iter().filter_map(|session| hub.topic(session)).collect();
        compare(&hub, &**store, &topics).await;
    }
}

/// Reads the missing events of a session from the store and releases them.
async fn repair(hub: &Hub, store: &dyn Store, session: SessionId) -> Result<(), StoreError> {
    let Some(topic) = hub.topic(session) else { return Ok(()) };
    while let Some((space, gap)) = topic.gap() {
        let page = match catch_up(store, Scope::Space(space), session, gap).await? {
            CatchUp::Page(page) => page,
            CatchUp::Restored(head) => {
                reset(hub, &topic, &head);
                return Ok(());
            }
            CatchUp::OutOfScope => return Ok(()),
        };
        let accepted = topic.accept_page(&page, &hub.workers, &hub.metrics);
        if page.events.is_empty() {
            return Ok(());
        }
        hub.metrics.repairs.inc();
        if accepted == Accepted::Suspect {
            hub.compare_later(session);
        }
    }
    Ok(())
}

async fn tick(hub: Weak<Hub>, store: Arc<dyn Store>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut compared_at, mut breaks) = (Instant::now(), store.broken_connections());
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        let topics: Vec<Arc<Topic>> = hub.topics.iter().map(|topic| Arc::clone(&topic)).collect();
        for topic in &topics {
            topic.resend(&hub.workers);
            if topic.is_suspect() {
                hub.compare_later(topic.session);
            } else if topic.gap().is_some() {
                hub.repair_later(topic.session);
            }
        }
        // A connection that broke may have been the last one to a server that was replaced by a standby.
        if std::mem::replace(&mut breaks, store.broken_connections()) != breaks {
            hub.note_in_doubt();
        }
        if !hub.must_compare() && compared_at.elapsed() < SLOW_TICK {
            continue;
        }
        compared_at = Instant::now();
        if hub.broker.is_lossless() && hub.must_compare() {
            hub.feeds.resync();
        }
        compare(&hub, &*store, &topics).await;
    }
}

/// Reads the heads of these topics' timelines, in one query, and compares them with what was released.
async fn compare(hub: &Hub, store: &dyn Store, topics: &[Arc<Topic>]) {
    // The positions are taken before the query: the store must have what was released by then.
    let known = topics.iter().filter_map(|topic| Some((topic.session, (topic, topic.space()?, topic.position()))));
    let mut known: HashMap<SessionId, (&Arc<Topic>, SpaceId, Option<Position>)> = known.collect();
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
        let Some((topic, space, position)) = known.remove(&session) else { continue };
        match position {
            Some(position) if position.is_undone_by(&head) => reset(hub, topic, &head),
            Some(position) if topic.is_suspect() => {
                if let Err(error) = verify(hub, store, topic, (space, position), &head).await {
                    hub.metrics.store_failed(During::Reconcile, &error, "cannot compare a session with the store");
                }
            }
            _ => hub.observe(session, &head),
        }
    }
    // Deleted by another node.
    known.into_keys().for_each(|session| hub.retire(session));
}

/// Compares the last released event of a suspect topic with the one that the store has at its `seq`.
async fn verify(
    hub: &Hub,
    store: &dyn Store,
    topic: &Topic,
    (space, position): (SpaceId, Position),
    head: &Head,
) -> Result<(), StoreError> {
    if is_replaced(store, Scope::Space(space), topic.session, position).await? {
        reset(hub, topic, head);
    } else if topic.clear_suspicion() == Accepted::Gap {
        hub.repair_later(topic.session);
    }
    Ok(())
}

/// Ends the readers of a session whose store was restored to a state before the released events. They begin anew.
fn reset(hub: &Hub, topic: &Topic, head: &Head) {
    tracing::warn!(session = %topic.session.0, seq = head.last_seq, "the store was restored to an earlier state of a session");
    topic.reset(&hub.workers);
    hub.feeds.reset(topic.session);
    hub.observe(topic.session, head);
}
