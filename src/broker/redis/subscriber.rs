//! The connection for subscriptions: subscribes to the channels of `Interest`. After a disconnect it reconnects,
//! subscribes to everything again and asks the hub to compare with the store.

use super::channel::Channel;
use super::connection::{Connection, OnPush};
use super::message::{Body, decode};
use super::shared::{STABLE_AFTER, Shared};
use crate::broker::{Ephemeral, Signal};
use crate::domain::SessionId;
use hiloop_sdk::backoff::Backoff;
use redis::{PushInfo, PushKind, RedisError, Value};
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Interval of pings on an idle connection.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until the broker closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let closing = shared.closing.clone();
    let mut backoff = Backoff::new();
    loop {
        let outcome = tokio::select! {
            () = closing.cancelled() => return,
            outcome = receive_all(&shared, &mut backoff) => outcome,
        };
        let Err(error) = outcome;
        shared.disconnected(&error);
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// Connects and receives until something fails.
async fn receive_all(shared: &Arc<Shared>, backoff: &mut Backoff) -> Result<std::convert::Infallible, RedisError> {
    let broken = CancellationToken::new();
    let mut connection = shared.target.connect(on_push(Arc::downgrade(shared), broken.clone())).await?;
    let wanted = shared.interest.all();
    shared.presence.remote.track_only(&sessions(&wanted).collect());
    subscribe(shared, &mut connection, &wanted).await?;
    let mut subscribed: HashSet<Channel> = wanted.into_iter().collect();
    let since = Instant::now();
    shared.subscribed();
    shared.deliver(Signal::Resync);

    let mut pings = tokio::time::interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        shared.counters.channels.set(subscribed.len());
        tokio::select! {
            () = broken.cancelled() => return Err((redis::ErrorKind::Io, "the connection ended").into()),
            () = shared.interest.changed() => {
                let changes = shared.interest.changes(&subscribed);
                let names: Vec<_> = changes.leave.iter().map(|channel| shared.names.channel(*channel)).collect();
                connection.subscribe(names, false).await?;
                for channel in changes.leave {
                    subscribed.remove(&channel);
                    if let Channel::Session(session) = channel {
                        shared.presence.remote.untrack(session);
                    }
                }
                subscribe(shared, &mut connection, &changes.join).await?;
                subscribed.extend(&changes.join);
            }
            _ = pings.tick() => {
                connection.ping().await?;
                if since.elapsed() >= STABLE_AFTER {
                    backoff.reset();
                }
            }
        }
    }
}

async fn subscribe(shared: &Shared, connection: &mut Connection, channels: &[Channel]) -> Result<(), RedisError> {
    let names: Vec<_> = channels.iter().map(|channel| shared.names.channel(*channel)).collect();
    connection.subscribe(names, true).await?;
    let sessions: Vec<SessionId> = sessions(channels).collect();
    if !sessions.is_empty() {
        shared.presence.remote.track(&sessions);
        shared.deliver(Signal::Subscribed(sessions));
    }
    Ok(())
}

fn sessions(channels: &[Channel]) -> impl Iterator<Item = SessionId> {
    channels.iter().filter_map(|channel| match channel {
        Channel::Session(session) => Some(*session),
        _ => None,
    })
}

/// Handles push messages. With a single server this runs in the connection's task, which reads no faster than this
/// returns: a node that can't keep up is disconnected by Redis (`client-output-buffer-limit pubsub`) and reconnects. With
/// a cluster the `redis` crate passes messages through an unbounded queue, which only the speed of this function keeps
/// short: it parses, and the handler must not block.
fn on_push(shared: Weak<Shared>, broken: CancellationToken) -> OnPush {
    Arc::new(move |push: PushInfo| {
        let Some(shared) = shared.upgrade() else { return };
        match push.kind {
            PushKind::Disconnection => broken.cancel(),
            PushKind::Message | PushKind::SMessage => {
                if let [Value::BulkString(channel), Value::BulkString(message)] = push.data.as_slice() {
                    receive(&shared, channel, message);
                }
            }
            // A cluster ends the subscriptions of a slot that it moves.
            PushKind::SUnsubscribe => {
                if let Some(Value::BulkString(channel)) = push.data.first()
                    && let Some(channel) = shared.names.parse(channel)
                    && !shared.interest.is_leaving(channel)
                {
                    broken.cancel();
                }
            }
            _ => {}
        }
    })
}

fn receive(shared: &Shared, channel: &[u8], message: &[u8]) {
    let Some(channel) = shared.names.parse(channel) else {
        shared.counters.rejected.add(1);
        return tracing::warn!("dropped a message on a channel that does not belong to this hub");
    };
    match decode(channel, message) {
        Ok(message) if message.node == shared.node => {}
        Ok(message) => {
            shared.counters.received.add(1);
            match message.body {
                Body::Signals(signals) => signals.into_iter().for_each(|signal| shared.deliver(signal)),
                Body::Presence { session, principal, participant, online } => {
                    if shared.presence.remote.apply_message(message.node, session, principal, participant, online) {
                        shared.deliver(Signal::Ephemeral(Ephemeral::Presence {
                            session,
                            participant,
                            principal,
                            online,
                        }));
                    }
                }
            }
        }
        Err(problem) => {
            shared.counters.rejected.add(1);
            tracing::warn!(problem = problem.0, bytes = message.len(), "dropped a malformed message of another node");
        }
    }
}
