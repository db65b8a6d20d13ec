//! The publisher: one task that sends the queued signals in batches.

use super::connection::Connection;
use super::message::encode;
use super::shared::{STABLE_AFTER, Shared};
use crate::broker::Signal;
use hiloop_sdk::backoff::Backoff;
use redis::{PushInfo, PushKind, RedisError};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most signals in one batch.
const MAX_BATCH: usize = 128;
/// Interval of pings on an idle connection.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Sends until the broker closes.
pub(super) async fn run(shared: Arc<Shared>, signals: &mut mpsc::Receiver<Signal>) {
    let mut backoff = Backoff::new();
    loop {
        let outcome = tokio::select! {
            () = shared.closing.cancelled() => Ok(()),
            outcome = send(&shared, signals, &mut backoff) => outcome.map(|never| match never {}),
        };
        shared.outgoing.close();
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
    shared.outgoing.open();
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
