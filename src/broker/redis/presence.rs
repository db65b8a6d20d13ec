//! Who has a subscribed socket on which node.
//!
//! Each session with somebody present is a hash on Redis: its field `NODE/PRINCIPAL` holds the participant. A node
//! vouches for its fields by a key of its own, the lease, which it renews; when the lease has lapsed, the node is dead
//! and its fields are void. Changes are published too, so that a node with readers of a session hears of them at once
//! and keeps its own picture of that session, which it reads from the hash when it begins to listen.

use super::Shared;
use super::connection::Connection;
use super::message::encode;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{ParticipantId, PrincipalId, SessionId};
use parking_lot::Mutex;
use redis::{Cmd, FromRedisValue as _, RedisError, Value, cmd};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a node counts as alive after its last word. With the two below, who was present on a node that died is
/// gone from the others' pictures after 11 s at most.
const LEASE: Duration = Duration::from_secs(6);
/// How often the own lease is renewed and the others' are looked at.
const TICK: Duration = Duration::from_secs(2);
/// How long a node that was known to be alive is believed without a lease: Redis may have lost it.
const DOUBT: Duration = Duration::from_secs(3);
/// How long a session's hash outlives the last write to it, and how often everything is written again.
const KEEP: Duration = Duration::from_secs(3 * 3600);
const REWRITE: Duration = Duration::from_secs(3600);
/// Most changes, or sessions read, in one piece.
const CHUNK: usize = 256;
/// How long taking leave, and an answer for somebody who waits, may take.
const BRIEFLY: Duration = Duration::from_millis(500);

/// Somebody present in a session.
type Present = (SessionId, PrincipalId);

/// What this node knows of everybody's presence.
#[derive(Default)]
pub(super) struct Roster {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// Who has a socket on this node.
    mine: HashMap<Present, ParticipantId>,
    /// What of that the other nodes don't know yet. Whoever came and went without their knowledge is not among it, so
    /// that this does not grow however long Redis is away.
    untold: HashMap<Present, Untold>,
    /// Who has one on other nodes, for the sessions that this node listens to.
    others: HashMap<SessionId, Others>,
    /// Sessions of `others` whose hash is to be read.
    unread: HashSet<SessionId>,
    /// When the other nodes were last known to be alive.
    nodes: HashMap<Uuid, Instant>,
}

/// Somebody who came or went, as `State::mine` says.
struct Untold {
    participant: ParticipantId,
    /// Whether the others may have them as present.
    may_be_known: bool,
}

#[derive(Default)]
struct Others {
    present: HashMap<PrincipalId, (ParticipantId, HashSet<Uuid>)>,
    /// Grows with every change that is heard, so that an older reading is known as such.
    heard: u64,
    was_read: bool,
}

/// Somebody's coming (`true`) or going, seen over all other nodes.
type Turn = (SessionId, PrincipalId, ParticipantId, bool);

impl Untold {
    fn known(participant: ParticipantId) -> Self {
        Self { participant, may_be_known: true }
    }
}

impl Others {
    fn enter(&mut self, node: Uuid, principal: PrincipalId, participant: ParticipantId) -> bool {
        let (id, nodes) = self.present.entry(principal).or_insert_with(|| (participant, HashSet::new()));
        *id = participant;
        nodes.insert(node) && nodes.len() == 1
    }

    fn leave(&mut self, node: Uuid, principal: PrincipalId) -> Option<ParticipantId> {
        let (participant, nodes) = self.present.get_mut(&principal)?;
        let participant = *participant;
        nodes.remove(&node);
        if !nodes.is_empty() {
            return None;
        }
        self.present.remove(&principal);
        Some(participant)
    }

    fn of_node(&self, node: Uuid) -> Vec<PrincipalId> {
        self.present.iter().filter(|(_, (_, nodes))| nodes.contains(&node)).map(|(principal, _)| *principal).collect()
    }
}

impl Roster {
    /// Notes whether somebody has a socket on this node.
    pub(super) fn set(&self, session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool) {
        let mut state = self.state.lock();
        let who = (session, principal);
        if online {
            state.mine.insert(who, participant);
        } else {
            state.mine.remove(&who);
        }
        // Nothing to tell was on the way: then the others have them as they were until now.
        let untold = state.untold.entry(who).or_insert(Untold { participant, may_be_known: !online });
        untold.participant = participant;
        if !online && !untold.may_be_known {
            state.untold.remove(&who);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Takes what another node said; whether that changes anything seen over all of them.
    pub(super) fn hear(
        &self,
        node: Uuid,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) -> bool {
        let mut state = self.state.lock();
        state.nodes.insert(node, Instant::now());
        let Some(others) = state.others.get_mut(&session) else { return false };
        others.heard += 1;
        if online { others.enter(node, principal, participant) } else { others.leave(node, principal).is_some() }
    }

    /// This node listens to these sessions from now on, and has heard nothing before.
    pub(super) fn listen(&self, sessions: &[SessionId]) {
        let mut state = self.state.lock();
        for session in sessions {
            state.others.entry(*session).or_default();
            state.unread.insert(*session);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// This node no longer listens to a session.
    pub(super) fn forget(&self, session: SessionId) {
        let mut state = self.state.lock();
        state.others.remove(&session);
        state.unread.remove(&session);
    }

    /// This node listens to these sessions and to no others: what it knew of those that lost their last reader while
    /// it could not listen would otherwise stand for ever.
    pub(super) fn keep_only(&self, sessions: &HashSet<SessionId>) {
        let mut state = self.state.lock();
        state.others.retain(|session, _| sessions.contains(session));
        state.unread.retain(|session| sessions.contains(session));
    }

    /// There is a connection again.
    pub(super) fn connected(&self) {
        self.changed.notify_one();
    }

    pub(super) fn is_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.state.lock().others.get(&session).is_some_and(|others| others.present.contains_key(&principal))
    }

    /// Who is present elsewhere, if this node keeps a picture of the session.
    fn picture(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        let state = self.state.lock();
        let others = state.others.get(&session).filter(|others| others.was_read)?;
        Some(others.present.keys().copied().collect())
    }

    /// Everything has to be told anew.
    fn tell_all(&self) {
        let mut state = self.state.lock();
        let State { mine, untold, .. } = &mut *state;
        untold.extend(mine.iter().map(|(who, participant)| (*who, Untold::known(*participant))));
    }

    /// Some of what is to be told, with whether they are here.
    fn take_untold(&self) -> Vec<(Present, ParticipantId, bool)> {
        let mut state = self.state.lock();
        let some: Vec<Present> = state.untold.keys().take(CHUNK).copied().collect();
        let told = some.into_iter().filter_map(|who| {
            let untold = state.untold.remove(&who)?;
            Some((who, untold.participant, state.mine.contains_key(&who)))
        });
        told.collect()
    }

    fn put_back(&self, changes: Vec<(Present, ParticipantId, bool)>) {
        let mut state = self.state.lock();
        for (who, participant, _) in changes {
            // It may have arrived all the same.
            state.untold.entry(who).or_insert(Untold::known(participant)).may_be_known = true;
        }
    }

    /// Some of the sessions that are to be read, with what was heard of each so far.
    fn take_unread(&self) -> Vec<(SessionId, u64)> {
        let mut state = self.state.lock();
        let some: Vec<SessionId> = state.unread.iter().take(CHUNK).copied().collect();
        let taken = some.into_iter().filter_map(|session| {
            state.unread.remove(&session);
            Some((session, state.others.get(&session)?.heard))
        });
        taken.collect()
    }

    /// After a time without Redis, nobody's lease says anything for a moment.
    fn believe_everyone(&self) {
        let now = Instant::now();
        self.state.lock().nodes.values_mut().for_each(|seen| *seen = now);
    }

    /// Nodes that were heard of: those with somebody in the pictures are among them.
    fn known(&self) -> HashSet<Uuid> {
        self.state.lock().nodes.keys().copied().collect()
    }

    /// Nodes with somebody in the pictures.
    fn nodes(&self) -> HashSet<Uuid> {
        let state = self.state.lock();
        let present = state.others.values().flat_map(|others| others.present.values());
        present.flat_map(|(_, nodes)| nodes.iter().copied()).collect()
    }

    /// Notes which of the `asked` nodes have a lease; those that are dead.
    fn seen(&self, asked: &HashSet<Uuid>, alive: &HashSet<Uuid>) -> Vec<Uuid> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let mut dead = Vec::new();
        for node in asked {
            if alive.contains(node) {
                state.nodes.insert(*node, now);
            } else if state.nodes.get(node).is_none_or(|seen| now.duration_since(*seen) >= DOUBT) {
                dead.push(*node);
            }
        }
        // Nobody asks for those that are in no picture.
        state.nodes.retain(|_, seen| now.duration_since(*seen) < REWRITE);
        dead
    }

    /// Takes a node that is dead out of all pictures: who was present on it, and whom that ends for everybody.
    fn bury(&self, node: Uuid) -> (Vec<Present>, Vec<Turn>) {
        let mut state = self.state.lock();
        state.nodes.remove(&node);
        let (mut present, mut turns) = (Vec::new(), Vec::new());
        for (session, others) in &mut state.others {
            for principal in others.of_node(node) {
                present.push((*session, principal));
                if let Some(participant) = others.leave(node, principal) {
                    turns.push((*session, principal, participant, false));
                }
            }
        }
        (present, turns)
    }

    /// Takes a session's hash as it was read; what that changes, or nothing if it was read too early.
    fn apply(&self, session: SessionId, heard: u64, fields: &[Field], alive: &HashSet<Uuid>) -> Vec<Turn> {
        let mut state = self.state.lock();
        let Some(others) = state.others.get_mut(&session) else { return Vec::new() };
        if others.heard != heard {
            state.unread.insert(session);
            drop(state);
            self.changed.notify_one();
            return Vec::new();
        }
        others.was_read = true;
        let mut turns = Vec::new();
        for field in fields.iter().filter(|field| alive.contains(&field.node)) {
            if others.enter(field.node, field.principal, field.participant) {
                turns.push((session, field.principal, field.participant, true));
            }
        }
        for node in alive {
            for principal in others.of_node(*node) {
                if !fields.iter().any(|field| field.node == *node && field.principal == principal)
                    && let Some(participant) = others.leave(*node, principal)
                {
                    turns.push((session, principal, participant, false));
                }
            }
        }
        turns
    }
}

/// One field of a session's hash.
struct Field {
    node: Uuid,
    principal: PrincipalId,
    participant: ParticipantId,
}

impl Field {
    fn name(node: Uuid, principal: PrincipalId) -> String {
        format!("{node}/{}", principal.0)
    }

    fn read(name: &str, value: &str) -> Option<Self> {
        let (node, principal) = name.split_once('/')?;
        let principal = PrincipalId(principal.parse().ok()?);
        Some(Self { node: node.parse().ok()?, principal, participant: value.parse().ok()? })
    }

    /// Those of other nodes.
    fn all(answer: Value, own: Uuid) -> Result<Vec<Self>, RedisError> {
        let fields = HashMap::<String, String>::from_redis_value(answer)?;
        let fields = fields.iter().filter_map(|(name, value)| Self::read(name, value));
        Ok(fields.filter(|field| field.node != own).collect())
    }
}

/// Keeps the hashes, the lease and the pictures as they should be, until the broker closes.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut keeper = Keeper { shared: Arc::clone(&shared), is_blind: true, written: Instant::now() };
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let renew = tokio::select! {
            () = shared.closing.cancelled() => return,
            () = shared.roster.changed.notified() => false,
            _ = ticks.tick() => true,
        };
        let Some(mut connection) = shared.commands() else {
            keeper.is_blind = true;
            continue;
        };
        // The connection's own task tells of its end, and of the next one.
        if let Err(error) = keeper.keep(&mut connection, renew).await {
            keeper.is_blind = true;
            tracing::debug!(%error, "presence can't be told or read");
        }
    }
}

/// Ends the presence of everybody on this node, as far as that is possible quickly.
pub(super) async fn take_leave(shared: &Arc<Shared>, mut connection: Connection) {
    {
        let mut state = shared.roster.state.lock();
        let State { mine, untold, .. } = &mut *state;
        untold.extend(mine.drain().map(|(who, participant)| (who, Untold::known(participant))));
    }
    let keeper = Keeper { shared: Arc::clone(shared), is_blind: false, written: Instant::now() };
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
    /// When everything was written last.
    written: Instant,
}

impl Keeper {
    async fn keep(&mut self, connection: &mut Connection, renew: bool) -> Result<(), RedisError> {
        if renew || self.is_blind {
            self.renew(connection).await?;
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

    /// Renews the lease. If it was gone, the others have given this node up, or Redis has lost everything.
    async fn renew(&mut self, connection: &mut Connection) -> Result<(), RedisError> {
        let mut lease = cmd("SET");
        lease.arg(self.shared.names.lease(self.shared.node)).arg(1).arg("PX").arg(millis(LEASE)).arg("GET");
        let answers = connection.run(vec![lease]).await?;
        let lapsed = matches!(answers.as_slice(), [Value::Nil]);
        if lapsed || self.written.elapsed() >= REWRITE {
            self.shared.roster.tell_all();
            self.written = Instant::now();
        }
        Ok(())
    }

    /// Writes and publishes what has changed here.
    async fn tell(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let Shared { names, node, roster, counters, .. } = &*self.shared;
        loop {
            let changes = roster.take_untold();
            if changes.is_empty() {
                return Ok(());
            }
            let mut commands = Vec::with_capacity(changes.len() * 3);
            for &((session, principal), participant, online) in &changes {
                let (key, field) = (names.presence(session), Field::name(*node, principal));
                let mut write = cmd(if online { "HSET" } else { "HDEL" });
                write.arg(&key).arg(field);
                if online {
                    write.arg(participant.to_string());
                }
                commands.push(write);
                if online {
                    let mut keep = cmd("PEXPIRE");
                    keep.arg(&key).arg(millis(KEEP));
                    commands.push(keep);
                }
                let signal = Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online });
                for (channel, message) in encode(*node, &signal) {
                    commands.push(connection.publish(&names.channel(channel), &message));
                }
            }
            if let Err(error) = connection.run(commands).await {
                roster.put_back(changes);
                return Err(error);
            }
            counters.published.add(changes.len());
        }
    }

    /// Reads the hashes of sessions that this node has begun to listen to.
    async fn read(&self, connection: &mut Connection) -> Result<(), RedisError> {
        let roster = &self.shared.roster;
        loop {
            let sessions = roster.take_unread();
            if sessions.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.read_some(connection, &sessions).await {
                roster.listen(&sessions.iter().map(|(session, _)| *session).collect::<Vec<_>>());
                return Err(error);
            }
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
            for field in fields.iter().filter(|field| dead.contains(&field.node)) {
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
        let mut void = Vec::new();
        for node in roster.seen(&nodes, &alive) {
            let (present, turns) = roster.bury(node);
            tracing::info!(%node, participants = present.len(), "another node is gone, and who was present on it");
            void.extend(present.into_iter().map(|(session, principal)| self.remove(session, node, principal)));
            self.show(turns);
        }
        connection.run(void).await.map(|_| ())
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Story {
        roster: Roster,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
    }

    impl Story {
        fn new() -> Self {
            let story = Self {
                roster: Roster::default(),
                session: SessionId::new(),
                principal: PrincipalId(Uuid::now_v7()),
                participant: ParticipantId::new(),
            };
            story.roster.listen(&[story.session]);
            story
        }

        fn hear(&self, node: Uuid, online: bool) -> bool {
            self.roster.hear(node, self.session, self.principal, self.participant, online)
        }

        fn field(&self, node: Uuid) -> Field {
            Field { node, principal: self.principal, participant: self.participant }
        }

        fn turns(&self, turns: &[Turn]) -> Vec<bool> {
            turns
                .iter()
                .inspect(|turn| assert_eq!((turn.0, turn.1), (self.session, self.principal)))
                .map(|turn| turn.3)
                .collect()
        }
    }

    #[test]
    fn whoever_is_on_several_nodes_leaves_with_the_last() {
        let (story, [one, other]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        assert!(story.hear(one, true));
        assert!(!story.hear(one, true), "it was said before");
        assert!(!story.hear(other, true));
        assert!(!story.hear(one, false));
        assert!(story.roster.is_elsewhere(story.session, story.principal));
        assert!(story.hear(other, false));
        assert!(!story.hear(other, false), "it was said before");
        assert!(!story.roster.is_elsewhere(story.session, story.principal));
    }

    #[test]
    fn a_hash_that_was_read_before_something_was_heard_is_read_again() {
        let (story, node) = (Story::new(), Uuid::now_v7());
        let alive = HashSet::from([node]);
        assert_eq!(story.roster.take_unread(), [(story.session, 0)]);
        assert!(story.hear(node, true));
        assert!(story.roster.apply(story.session, 0, &[], &alive).is_empty(), "it was written after that");
        assert_eq!(story.roster.picture(story.session), None);
        assert_eq!(story.roster.take_unread(), [(story.session, 1)]);
        assert!(story.roster.apply(story.session, 1, &[story.field(node)], &alive).is_empty(), "as heard");
        assert_eq!(story.roster.picture(story.session), Some(vec![story.principal]));
    }

    #[test]
    fn of_a_session_that_nobody_reads_any_more_nothing_is_kept() {
        let (story, kept) = (Story::new(), SessionId::new());
        story.roster.listen(&[kept]);
        assert!(story.hear(Uuid::now_v7(), true));
        story.roster.keep_only(&HashSet::from([kept]));
        assert!(!story.roster.is_elsewhere(story.session, story.principal));
        assert_eq!(story.roster.take_unread(), [(kept, 0)]);
    }

    #[test]
    fn a_hash_says_who_came_and_went_on_nodes_with_a_lease_and_nothing_of_the_others() {
        let (story, [one, other]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        let both = [story.field(one), story.field(other)];
        let turns = story.roster.apply(story.session, 0, &both, &HashSet::from([one]));
        assert_eq!(story.turns(&turns), [true]);
        assert_eq!(story.roster.nodes(), HashSet::from([one]));
        // Its lease is gone, perhaps because Redis lost it: that it has no field says nothing.
        assert!(story.roster.apply(story.session, 0, &[], &HashSet::new()).is_empty());
        let turns = story.roster.apply(story.session, 0, &[], &HashSet::from([one]));
        assert_eq!(story.turns(&turns), [false]);
    }

    #[test]
    fn a_node_without_a_lease_is_dead_unless_it_was_alive_a_moment_ago() {
        let (story, [known, strange]) = (Story::new(), [Uuid::now_v7(), Uuid::now_v7()]);
        story.hear(known, true);
        let asked = HashSet::from([known, strange]);
        assert_eq!(story.roster.seen(&asked, &HashSet::new()), [strange]);
        story.roster.state.lock().nodes.insert(known, Instant::now() - DOUBT);
        assert_eq!(story.roster.seen(&HashSet::from([known]), &HashSet::new()), [known]);
        story.roster.believe_everyone();
        assert!(story.roster.seen(&HashSet::from([known]), &HashSet::new()).is_empty());
        let (present, turns) = story.roster.bury(known);
        assert_eq!((present, story.turns(&turns)), (vec![(story.session, story.principal)], vec![false]));
    }

    #[test]
    fn what_could_not_be_told_is_told_later_as_it_is_then() {
        let story = Story::new();
        let (who, participant) = ((story.session, story.principal), story.participant);
        story.roster.set(story.session, story.principal, participant, true);
        let failed = story.roster.take_untold();
        assert_eq!(failed, [(who, participant, true)]);
        assert!(story.roster.take_untold().is_empty());
        story.roster.set(story.session, story.principal, participant, false);
        story.roster.put_back(failed);
        assert_eq!(story.roster.take_untold(), [(who, participant, false)]);
        story.roster.tell_all();
        assert!(story.roster.take_untold().is_empty(), "nobody is here");
    }

    #[test]
    fn whoever_comes_and_goes_while_nothing_can_be_told_leaves_nothing_behind() {
        let story = Story::new();
        let who = (story.session, story.principal);
        let turn = |online| story.roster.set(story.session, story.principal, story.participant, online);
        turn(true);
        turn(false);
        assert!(story.roster.take_untold().is_empty(), "nobody ever knew");
        // Known to be here, or perhaps: then the others have to hear of it.
        turn(true);
        assert_eq!(story.roster.take_untold(), [(who, story.participant, true)]);
        for _ in 0..3 {
            turn(false);
            turn(true);
        }
        turn(false);
        assert_eq!(story.roster.take_untold(), [(who, story.participant, false)]);
    }
}
