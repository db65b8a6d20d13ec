//! The one connection on which this node listens: keeps its subscriptions as the interest says, and after every
//! break connects anew, subscribes to everything again and has the hub compare itself with the store.

use super::channel::Channel;
use super::connection::{Connection, OnPush};
use super::message::{Body, decode};
use super::{STEADY, Shared};
use crate::backoff::Backoff;
use crate::broker::{Ephemeral, Signal};
use crate::domain::SessionId;
use redis::{PushInfo, PushKind, RedisError, Value};
use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often a quiet connection is tried.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Listens until the broker closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let closing = shared.closing.clone();
    let mut backoff = Backoff::new();
    loop {
        let outcome = tokio::select! {
            () = closing.cancelled() => return,
            outcome = listen(&shared, &mut backoff) => outcome,
        };
        let Err(error) = outcome;
        shared.hearing_lost(&error);
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(backoff.next()) => {}
        }
    }
}

/// Connects and listens until something fails.
async fn listen(shared: &Arc<Shared>, backoff: &mut Backoff) -> Result<std::convert::Infallible, RedisError> {
    let broken = CancellationToken::new();
    let mut connection = shared.target.connect(on_push(Arc::downgrade(shared), broken.clone())).await?;
    let wanted = shared.interest.all();
    shared.roster.keep_only(&sessions(&wanted).collect());
    subscribe(shared, &mut connection, &wanted).await?;
    let mut listening: HashSet<Channel> = wanted.into_iter().collect();
    let since = Instant::now();
    shared.hearing_found();
    shared.say(Signal::Resync);

    let mut pings = tokio::time::interval(PING_EVERY);
    pings.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        shared.counters.channels.set(listening.len());
        tokio::select! {
            () = broken.cancelled() => return Err((redis::ErrorKind::Io, "the connection ended").into()),
            () = shared.interest.changed() => {
                let changes = shared.interest.changes(&listening);
                let names: Vec<_> = changes.leave.iter().map(|channel| shared.names.channel(*channel)).collect();
                connection.subscribe(names, false).await?;
                for channel in changes.leave {
                    listening.remove(&channel);
                    if let Channel::Session(session) = channel {
                        shared.roster.forget(session);
                    }
                }
                subscribe(shared, &mut connection, &changes.join).await?;
                listening.extend(&changes.join);
            }
            _ = pings.tick() => {
                connection.ping().await?;
                if since.elapsed() >= STEADY {
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
        shared.roster.listen(&sessions);
        shared.say(Signal::Listening(sessions));
    }
    Ok(())
}

fn sessions(channels: &[Channel]) -> impl Iterator<Item = SessionId> {
    channels.iter().filter_map(|channel| match channel {
        Channel::Session(session) => Some(*session),
        _ => None,
    })
}

/// Takes what Redis sends unasked. Of a single server it runs in the connection's own task, which reads no faster than
/// this takes: a node that can't keep up is cut off by Redis (`client-output-buffer-limit pubsub`), and then starts
/// anew. Of a cluster the library hands it on through a queue of its own that has no bound and can't be given one, so
/// that there is nothing but this function's speed: it parses, and what it calls must not block.
fn on_push(shared: Weak<Shared>, broken: CancellationToken) -> OnPush {
    Arc::new(move |push: PushInfo| {
        let Some(shared) = shared.upgrade() else { return };
        match push.kind {
            PushKind::Disconnection => broken.cancel(),
            PushKind::Message | PushKind::SMessage => {
                if let [Value::BulkString(channel), Value::BulkString(message)] = push.data.as_slice() {
                    hear(&shared, channel, message);
                }
            }
            // A cluster that moves a slot ends its subscriptions.
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

fn hear(shared: &Shared, channel: &[u8], message: &[u8]) {
    let Some(channel) = shared.names.parse(channel) else {
        shared.counters.rejected.add(1);
        return tracing::warn!("a message on a channel that is none of the hub's was dropped");
    };
    match decode(channel, message) {
        Ok(message) if message.node == shared.node => {}
        Ok(message) => {
            shared.counters.received.add(1);
            match message.body {
                Body::Signals(signals) => signals.into_iter().for_each(|signal| shared.say(signal)),
                Body::Presence { session, principal, participant, online } => {
                    if shared.roster.hear(message.node, session, principal, participant, online) {
                        shared.say(Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }));
                    }
                }
            }
        }
        Err(problem) => {
            shared.counters.rejected.add(1);
            tracing::warn!(problem = problem.0, bytes = message.len(), "a message between nodes was dropped");
        }
    }
}
