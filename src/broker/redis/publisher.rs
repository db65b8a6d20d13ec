//! The publisher: a bounded queue that never blocks a commit, and one task that sends the queued signals in batches.

use super::connection::Connection;
use super::message::{encode, size};
use super::{STABLE_AFTER, Shared};
use crate::backoff::Backoff;
use crate::broker::Signal;
use redis::{PushInfo, PushKind, RedisError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Limits of the queue, in signals and in approximate bytes.
const MAX_QUEUE: usize = 8192;
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Most signals in one batch.
const MAX_BATCH: usize = 128;
/// Interval of pings on an idle connection.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// The sending end of the queue.
pub(super) struct Outgoing {
    queue: mpsc::Sender<Signal>,
    bytes: AtomicUsize,
    /// Whether there is a connection. Without one nothing is queued, since old hints are useless.
    open: AtomicBool,
}

impl Outgoing {
    pub(super) fn new() -> (Self, mpsc::Receiver<Signal>) {
        let (queue, signals) = mpsc::channel(MAX_QUEUE);
        (Self { queue, bytes: AtomicUsize::new(0), open: AtomicBool::new(false) }, signals)
    }

    /// Queues a signal if there is room and a connection; `false` if it was dropped.
    pub(super) fn offer(&self, signal: Signal) -> bool {
        if !self.open.load(Ordering::Acquire) {
            return false;
        }
        let bytes = size(&signal);
        if self.bytes.fetch_add(bytes, Ordering::AcqRel) + bytes <= MAX_BYTES && self.queue.try_send(signal).is_ok() {
            return true;
        }
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        false
    }

    fn taken(&self, signals: &[Signal]) {
        self.bytes.fetch_sub(signals.iter().map(size).sum(), Ordering::AcqRel);
    }
}

/// Sends until the broker closes.
pub(super) async fn run(shared: Arc<Shared>, signals: &mut mpsc::Receiver<Signal>) {
    let mut backoff = Backoff::new();
    loop {
        let outcome = tokio::select! {
            () = shared.closing.cancelled() => Ok(()),
            outcome = send(&shared, signals, &mut backoff) => outcome.map(|never| match never {}),
        };
        shared.outgoing.open.store(false, Ordering::Release);
        *shared.commands.lock() = None;
        let mut stale = Vec::new();
        while let Ok(signal) = signals.try_recv() {
            stale.push(signal);
        }
        shared.outgoing.taken(&stale);
        shared.counters.dropped.add(stale.len());
        let Err(error) = outcome else { return };
        shared.counters.disconnects.add(1);
        tracing::debug!(%error, "publishing to Redis failed");
        tokio::select! {
            () = shared.closing.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// Connects and sends until something fails.
async fn send(
    shared: &Shared,
    signals: &mut mpsc::Receiver<Signal>,
    backoff: &mut Backoff,
) -> Result<std::convert::Infallible, RedisError> {
    let broken = CancellationToken::new();
    let breaks = broken.clone();
    let on_push = move |push: PushInfo| {
        if push.kind == PushKind::Disconnection {
            breaks.cancel();
        }
    };
    let mut connection = shared.target.connect(Arc::new(on_push)).await?;
    *shared.commands.lock() = Some(connection.clone());
    shared.outgoing.open.store(true, Ordering::Release);
    shared.presence.reconnected();
    let since = Instant::now();
    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        tokio::select! {
            () = broken.cancelled() => return Err((redis::ErrorKind::Io, "the connection ended").into()),
            _ = pings.tick() => {
                connection.ping().await?;
                if since.elapsed() >= STABLE_AFTER {
                    backoff.reset();
                }
            }
            // The queue is open as long as the broker, which holds its sending end.
            _ = signals.recv_many(&mut batch, MAX_BATCH) => {
                shared.outgoing.taken(&batch);
                let sent = publish(shared, &mut connection, &batch).await;
                if sent.is_err() {
                    shared.counters.dropped.add(batch.len());
                }
                batch.clear();
                sent?;
            }
        }
    }
}

async fn publish(shared: &Shared, connection: &mut Connection, signals: &[Signal]) -> Result<(), RedisError> {
    let messages = signals.iter().flat_map(|signal| encode(shared.node, signal));
    let commands: Vec<_> =
        messages.map(|(channel, message)| connection.publish(&shared.names.channel(channel), &message)).collect();
    let count = commands.len();
    connection.run(commands).await?;
    shared.counters.published.add(count);
    Ok(())
}
