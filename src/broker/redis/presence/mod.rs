//! Who has a subscribed socket on which node.
//!
//! Each session with somebody present is a hash on Redis: its field `NODE/PRINCIPAL` holds the participant. A node
//! vouches for its fields by a key of its own, the lease, which it renews; when the lease has lapsed, the node is dead
//! and its fields are void. Changes are published too, so that a node with readers of a session hears of them at once
//! and keeps its own picture of that session, which it reads from the hash when it begins to listen.
//!
//! While Redis is away the pictures stand still: a node that has died then can't be told from one that Redis keeps from
//! speaking, and everybody would be seen to go and come with each restart of Redis. From its return they are right
//! within 11 s. What a race or a lost message has made wrong is put right by the next [`REWRITE`].

mod roster;

use super::Shared;
use super::connection::Connection;
use super::message::encode;
use crate::backoff::between;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, Value, cmd};
pub(super) use roster::Roster;
use roster::{Field, KEEP, Present, Turn};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// How long a node counts as alive after its last word. With the tick below and `roster::DOUBT`, who was present on a
/// node that died is gone from the others' pictures after 11 s at most.
const LEASE: Duration = Duration::from_secs(6);
/// How often the own lease is renewed and the others' are looked at.
const TICK: Duration = Duration::from_secs(2);
/// How often everything is written and read again.
const REWRITE: Duration = Duration::from_secs(300);
/// Over how long the nodes spread what they all have to tell at once, when Redis comes back with nothing.
const SPREAD: Duration = Duration::from_secs(1);
/// How long taking leave, and an answer for somebody who waits, may take.
const BRIEFLY: Duration = Duration::from_millis(500);

/// Keeps the hashes, the lease and the pictures as they should be, until the broker closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut keeper = Keeper::new(&shared);
    keeper.is_blind = true;
    let mut was_warned = false;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let renew = tokio::select! {
            () = shared.closing.cancelled() => return,
            () = shared.roster.changed() => false,
            _ = ticks.tick() => true,
        };
        let Some(mut connection) = shared.commands() else {
            keeper.is_blind = true;
            continue;
        };
        let kept = tokio::select! {
            () = shared.closing.cancelled() => return,
            kept = keeper.keep(&mut connection, renew) => kept,
        };
        match kept {
            Ok(()) => was_warned = false,
            Err(error) => {
                keeper.is_blind = true;
                // The connection's own task tells of its end, and of the next one. What Redis itself refuses (it is
                // out of memory, or a replica) would go unnoticed: the connection stands and messages pass.
                if is_refusal(&error) && !was_warned {
                    was_warned = true;
                    tracing::warn!(%error, "Redis refuses to keep who is present: other nodes don't see them");
                } else {
                    tracing::debug!(%error, "presence can't be told or read");
                }
            }
        }
    }
}

/// Whether Redis is there and says no, for longer than it takes to start or to move a slot.
fn is_refusal(error: &RedisError) -> bool {
    let is_answer = matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension);
    is_answer && !error.is_cluster_error() && error.kind() != ErrorKind::Server(ServerErrorKind::BusyLoading)
}

/// Ends the presence of everybody on this node, as far as that is possible quickly.
pub(super) async fn take_leave(shared: &Arc<Shared>, mut connection: Connection) {
    shared.roster.leave_all();
    let mut keeper = Keeper::new(shared);
    let leave = async {
        keeper.tell(&mut connection).await?;
        let mut lease = cmd("DEL");
        lease.arg(shared.names.lease(shared.node));
        connection.run(vec![lease]).await
    };
    if !matches!(tokio::time::timeout(BRIEFLY, leave).await, Ok(Ok(_))) {
        tracing::debug!("who was present here is gone for the other nodes when the lease lapses");
    }
}

/// Who is present in a session on other nodes: by this node's picture of it, or else by its hash.
pub(super) async fn elsewhere(shared: &Shared, session: SessionId) -> Option<Vec<PrincipalId>> {
    if let Some(present) = shared.roster.picture(session) {
        return Some(present);
    }
    let mut connection = shared.commands()?;
    let reading = async {
        let answers = connection.run(vec![read(shared, session)]).await?;
        let fields = answers.into_iter().next().map_or(Ok(Vec::new()), |answer| Field::all(answer, shared.node))?;
        let nodes = fields.iter().map(|field| field.node).collect();
        let alive = with_lease(shared, &mut connection, &nodes).await?;
        let present = fields.into_iter().filter(|field| alive.contains(&field.node)).map(|field| field.principal);
        Ok::<_, RedisError>(present.collect())
    };
    tokio::time::timeout(BRIEFLY, reading).await.ok()?.ok()
}

struct Keeper {
    shared: Arc<Shared>,
    /// Whether Redis was away when last looked for.
    is_blind: bool,
    /// When the lease was renewed last.
    renewed: Instant,
    /// When everything is to be written and read again.
    rewrite: Instant,
}

impl Keeper {
    fn new(shared: &Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { shared: Arc::clone(shared), is_blind: false, renewed: now, rewrite: now + between(REWRITE / 2, REWRITE) }
    }

    async fn keep(&mut self, connection: &mut Connection, renew: bool) -> Result<(), RedisError> {
        if (renew || self.is_blind) && self.renew(connection).await? && self.shared.roster.has_much_to_tell() {
            // So it is for all nodes, most likely.
            tokio::time::sleep(between(Duration::ZERO, SPREAD)).await;
        }
        if self.is_blind {
            self.shared.roster.believe_everyone();
            self.is_blind = false;
        }
        self.tell(connection).await?;
        self.read(connection).await?;
        if renew {
            self.watch(connection).await?;
        }
        Ok(())
    }

    /// Renews the lease. If it was gone (`true`), the others have given this node up, or Redis has lost everything.
    async fn renew(&mut self, connection: &mut Connection) -> Result<bool, RedisError> {
        let mut lease = cmd("SET");
        lease.arg(self.shared.names.lease(self.shared.node)).arg(1).arg("PX").arg(millis(LEASE)).arg("GET");
        let answers = connection.run(vec![lease]).await?;
        self.renewed = Instant::now();
        let lapsed = matches!(answers.as_slice(), [Value::Nil]);
        let rewrites = self.rewrite <= self.renewed;
        if lapsed || rewrites {
            self.shared.roster.tell_all();
            self.rewrite = self.renewed + between(REWRITE / 2, REWRITE);
        }
        if rewrites {
            self.shared.roster.read_all();
        }
        Ok(lapsed)
    }

    /// However much there is to tell and to read, the lease must not lapse meanwhile.
    async fn renew_in_time(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        if self.renewed.elapsed() >= TICK {
            self.renew(connection).await?;
        }
        Ok(())
    }

    /// Writes and publishes what has changed here, in pieces.
    async fn tell(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        loop {
            let changes = self.shared.roster.take_untold();
            if changes.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.tell_some(connection, &changes).await {
                self.shared.roster.put_back(changes);
                return Err(error);
            }
            self.renew_in_time(connection).await?;
        }
    }

    async fn tell_some(
        &self,
        connection: &mut Connection,
        changes: &[(Present, ParticipantId, bool)],
    ) -> Result<(), RedisError> {
        let Shared { names, node, counters, .. } = &*self.shared;
        let (mut writes, mut messages) = (Vec::with_capacity(changes.len() * 2), Vec::with_capacity(changes.len()));
        for &((session, principal), participant, online) in changes {
            let (key, field) = (names.presence(session), Field::name(*node, principal));
            let mut write = cmd(if online { "HSET" } else { "HDEL" });
            write.arg(&key).arg(field);
            if online {
                write.arg(participant.to_string());
            }
            writes.push(write);
            if online {
                let mut keep = cmd("PEXPIRE");
                keep.arg(&key).arg(millis(KEEP));
                writes.push(keep);
            }
            let signal = Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online });
            for (channel, message) in encode(*node, &signal) {
                messages.push(connection.publish(&names.channel(channel), &message));
            }
        }
        // One after the other: on a cluster they go to different servers, and whoever hears the message may read the
        // hash at once.
        connection.run(writes).await?;
        connection.run(messages).await?;
        counters.published.add(changes.len());
        Ok(())
    }

    /// Reads the hashes of sessions that this node has begun to listen to, in pieces.
    async fn read(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        loop {
            let sessions = self.shared.roster.take_unread();
            if sessions.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.read_some(connection, &sessions).await {
                self.shared.roster.listen(&sessions.iter().map(|(session, _)| *session).collect::<Vec<_>>());
                return Err(error);
            }
            self.renew_in_time(connection).await?;
        }
    }

    async fn read_some(&self, connection: &mut Connection, sessions: &[(SessionId, u64)]) -> Result<(), RedisError> {
        let Shared { roster, node, .. } = &*self.shared;
        let answers =
            connection.run(sessions.iter().map(|(session, _)| read(&self.shared, *session)).collect()).await?;
        let hashes = answers.into_iter().map(|answer| Field::all(answer, *node)).collect::<Result<Vec<_>, _>>()?;
        let mut nodes = roster.known();
        nodes.extend(hashes.iter().flatten().map(|field| field.node));
        let alive = with_lease(&self.shared, connection, &nodes).await?;
        let dead = roster.seen(&nodes, &alive);
        for (&(session, heard), fields) in sessions.iter().zip(&hashes) {
            self.show(roster.apply(session, heard, fields, &alive));
        }
        let mut void = Vec::new();
        for (&(session, _), fields) in sessions.iter().zip(&hashes) {
            for field in fields.iter().filter(|field| dead.contains(&field.node) && roster.is_long_dead(field.node)) {
                void.push(self.remove(session, field.node, field.principal));
            }
        }
        connection.run(void).await.map(|_| ())
    }

    /// Looks for nodes that have died.
    async fn watch(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let roster = &self.shared.roster;
        let nodes = roster.nodes();
        let alive = with_lease(&self.shared, connection, &nodes).await?;
        for node in roster.seen(&nodes, &alive) {
            let turns = roster.bury(node);
            tracing::info!(%node, participants = turns.len(), "another node is gone, and who was present on it alone");
            self.show(turns);
        }
        Ok(())
    }

    fn remove(&self, session: SessionId, node: Uuid, principal: PrincipalId) -> Cmd {
        let mut remove = cmd("HDEL");
        remove.arg(self.shared.names.presence(session)).arg(Field::name(node, principal));
        remove
    }

    fn show(&self, turns: Vec<Turn>) {
        for (session, principal, participant, online) in turns {
            self.shared.say(Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }));
        }
    }
}

fn read(shared: &Shared, session: SessionId) -> Cmd {
    let mut read = cmd("HGETALL");
    read.arg(shared.names.presence(session));
    read
}

/// Which of the nodes are alive, by their leases.
async fn with_lease(
    shared: &Shared,
    connection: &mut Connection,
    nodes: &HashSet<Uuid>,
) -> Result<HashSet<Uuid>, RedisError> {
    let nodes: Vec<Uuid> = nodes.iter().copied().collect();
    let commands = nodes.iter().map(|node| {
        let mut exists = cmd("EXISTS");
        exists.arg(shared.names.lease(*node));
        exists
    });
    let answers = connection.run(commands.collect()).await?;
    let alive = nodes.into_iter().zip(answers).filter(|(_, answer)| matches!(answer, Value::Int(1)));
    Ok(alive.map(|(node, _)| node).collect())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
