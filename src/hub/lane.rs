//! Fan-out lanes, one a core: each owns a share of the subscribers, so that nothing locks a whole topic.
//!
//! A lane takes its messages in order. Joining is one of them, so whoever has joined sees everything that is
//! released afterwards.

use super::subscriber::{Offered, Run, Subscriber};
use crate::domain::{ConnectionId, PrincipalId, SessionId};
use crate::metrics::Metrics;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// Most messages that wait in one lane. What does not fit is found by the reconcile tick.
const MAX_QUEUE: usize = 8192;
/// Deliveries after which a lane lets other tasks of its thread run.
const DELIVERIES_PER_TURN: usize = 256;

pub(super) enum LaneMessage {
    Join {
        session: SessionId,
        subscriber: Arc<dyn Subscriber>,
        done: oneshot::Sender<()>,
    },
    Leave {
        session: SessionId,
        connection: ConnectionId,
    },
    Run {
        session: SessionId,
        run: Arc<Run>,
    },
    /// The timeline reaches to `seq`, though not every run may have come through here.
    Head {
        session: SessionId,
        seq: i64,
    },
    /// Nobody may read the session any more.
    Evict {
        session: SessionId,
    },
    Show {
        session: SessionId,
        frame: Bytes,
        except: Option<PrincipalId>,
    },
}

/// The way into a lane.
#[derive(Clone)]
pub(super) struct Lane {
    queue: mpsc::Sender<LaneMessage>,
}

impl Lane {
    pub(super) fn start(metrics: Arc<Metrics>) -> Self {
        let (queue, messages) = mpsc::channel(MAX_QUEUE);
        tokio::spawn(run(messages, metrics));
        Self { queue }
    }

    /// Hands on a message if there is room; `false` if it was dropped.
    pub(super) fn offer(&self, message: LaneMessage) -> bool {
        self.queue.try_send(message).is_ok()
    }

    /// Hands on a message that must not be lost.
    pub(super) async fn send(&self, message: LaneMessage) {
        // The lane ends only with the hub itself.
        let _ = self.queue.send(message).await;
    }
}

type Members = HashMap<SessionId, Vec<Arc<dyn Subscriber>>>;

async fn run(mut messages: mpsc::Receiver<LaneMessage>, metrics: Arc<Metrics>) {
    let mut members = Members::new();
    let mut turn = Vec::new();
    while messages.recv_many(&mut turn, DELIVERIES_PER_TURN).await > 0 {
        let mut deliveries = 0;
        let mut queue = turn.drain(..).peekable();
        while let Some(message) = queue.next() {
            match message {
                LaneMessage::Join { session, subscriber, done } => {
                    let list = members.entry(session).or_default();
                    list.retain(|present| present.id() != subscriber.id());
                    list.push(subscriber);
                    // Whoever no longer waits for it has left or will leave.
                    let _ = done.send(());
                }
                LaneMessage::Leave { session, connection } => leave(&mut members, session, connection),
                LaneMessage::Run { session, run } => {
                    // Runs of one session that have queued up go out in one write a socket.
                    let mut runs = vec![run];
                    while let Some(LaneMessage::Run { run, .. }) = queue.next_if(
                        |next| matches!(next, LaneMessage::Run { session: s, run } if *s == session && run.first == runs[runs.len() - 1].end()),
                    ) {
                        runs.push(run);
                    }
                    let run = if runs.len() == 1 { runs.remove(0) } else { Arc::new(Run::merge(&runs)) };
                    let mut offered = Offered::default();
                    for subscriber in members.get(&session).into_iter().flatten() {
                        offered += subscriber.deliver(session, &run);
                        deliveries += 1;
                        if deliveries % DELIVERIES_PER_TURN == 0 {
                            tokio::task::yield_now().await;
                        }
                    }
                    // Once a run, not once a socket: lanes would take the counter out of each other's caches.
                    metrics.delivered_live.inc_by(offered.taken);
                    if offered.dropped > 0 {
                        metrics.dropped_events.inc_by(offered.dropped);
                    }
                }
                LaneMessage::Head { session, seq } => {
                    members.get(&session).into_iter().flatten().for_each(|subscriber| subscriber.hear(session, seq));
                }
                LaneMessage::Evict { session } => {
                    members.get(&session).into_iter().flatten().for_each(|subscriber| subscriber.evict(session));
                }
                LaneMessage::Show { session, frame, except } => {
                    let mut dropped = 0;
                    for subscriber in members.get(&session).into_iter().flatten() {
                        if except.is_none() || subscriber.principal().map(|principal| principal.id()) != except {
                            dropped += u64::from(!subscriber.show(&frame));
                            deliveries += 1;
                        }
                    }
                    if dropped > 0 {
                        metrics.dropped_ephemeral.inc_by(dropped);
                    }
                }
            }
        }
    }
}

fn leave(members: &mut Members, session: SessionId, connection: ConnectionId) {
    if let Some(list) = members.get_mut(&session) {
        list.retain(|present| present.id() != connection);
        if list.is_empty() {
            members.remove(&session);
        }
    }
}
