//! What a node knows of everybody's presence: who is here, what of that is still to be told, and its pictures of who is
//! on the other nodes.

use crate::domain::{ParticipantId, PrincipalId, SessionId};
use parking_lot::Mutex;
use redis::{FromRedisValue as _, RedisError, Value};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use uuid::Uuid;

/// How long a node that was known to be alive is believed without a lease: Redis may have lost it.
const DOUBT: Duration = Duration::from_secs(3);
/// The same when this node has just found Redis again: the others look for it every 5 s at most.
const BELIEF: Duration = Duration::from_secs(7);
/// How long a node has to be dead before its fields are deleted: until then they are void without that, and a node that
/// comes to life again finds them where it left them.
const DELETE_AFTER: Duration = Duration::from_secs(60);
/// How long a session's hash outlives the last write to it.
pub(super) const KEEP: Duration = Duration::from_secs(3 * 3600);
/// Most changes, or sessions read, in one piece.
pub(super) const CHUNK: usize = 256;

/// Somebody present in a session.
pub(super) type Present = (SessionId, PrincipalId);

/// What this node knows of everybody's presence.
#[derive(Default)]
pub(in crate::broker::redis) struct Roster {
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
    /// The other nodes that were heard of.
    nodes: HashMap<Uuid, Known>,
}

/// What is known of another node's life.
#[derive(Default)]
struct Known {
    /// Until when it is believed to live without a lease; none if it was never known to live.
    believed: Option<Instant>,
    /// Since when no lease of it was found, if there was none since it last showed life.
    missing: Option<Instant>,
}

impl Known {
    fn alive() -> Self {
        Self { believed: Some(Instant::now() + DOUBT), missing: None }
    }
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
pub(super) type Turn = (SessionId, PrincipalId, ParticipantId, bool);

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
    pub(in crate::broker::redis) fn set(
        &self,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) {
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
    pub(in crate::broker::redis) fn hear(
        &self,
        node: Uuid,
        session: SessionId,
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    ) -> bool {
        let mut state = self.state.lock();
        state.nodes.insert(node, Known::alive());
        let Some(others) = state.others.get_mut(&session) else { return false };
        others.heard += 1;
        if online { others.enter(node, principal, participant) } else { others.leave(node, principal).is_some() }
    }

    /// This node listens to these sessions from now on, and has heard nothing before.
    pub(in crate::broker::redis) fn listen(&self, sessions: &[SessionId]) {
        let mut state = self.state.lock();
        for session in sessions {
            state.others.entry(*session).or_default();
            state.unread.insert(*session);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// This node no longer listens to a session.
    pub(in crate::broker::redis) fn forget(&self, session: SessionId) {
        let mut state = self.state.lock();
        state.others.remove(&session);
        state.unread.remove(&session);
    }

    /// This node listens to these sessions and to no others: what it knew of those that lost their last reader while
    /// it could not listen would otherwise stand for ever.
    pub(in crate::broker::redis) fn keep_only(&self, sessions: &HashSet<SessionId>) {
        let mut state = self.state.lock();
        state.others.retain(|session, _| sessions.contains(session));
        state.unread.retain(|session| sessions.contains(session));
    }

    /// There is a connection again.
    pub(in crate::broker::redis) fn connected(&self) {
        self.changed.notify_one();
    }

    /// Returns when there may be something to tell or to read.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(in crate::broker::redis) fn is_elsewhere(&self, session: SessionId, principal: PrincipalId) -> bool {
        self.state.lock().others.get(&session).is_some_and(|others| others.present.contains_key(&principal))
    }

    /// Who is present elsewhere, if this node keeps a picture of the session.
    pub(super) fn picture(&self, session: SessionId) -> Option<Vec<PrincipalId>> {
        let state = self.state.lock();
        let others = state.others.get(&session).filter(|others| others.was_read)?;
        Some(others.present.keys().copied().collect())
    }

    /// Everything has to be told anew.
    pub(super) fn tell_all(&self) {
        let mut state = self.state.lock();
        let State { mine, untold, .. } = &mut *state;
        untold.extend(mine.iter().map(|(who, participant)| (*who, Untold::known(*participant))));
    }

    /// Everybody here goes, and that has to be told.
    pub(super) fn leave_all(&self) {
        let mut state = self.state.lock();
        let State { mine, untold, .. } = &mut *state;
        untold.extend(mine.drain().map(|(who, participant)| (who, Untold::known(participant))));
    }

    /// Everything has to be read anew.
    pub(super) fn read_all(&self) {
        let mut state = self.state.lock();
        let State { others, unread, .. } = &mut *state;
        unread.extend(others.keys());
    }

    /// Whether there is more to tell than goes out in one piece.
    pub(super) fn has_much_to_tell(&self) -> bool {
        self.state.lock().untold.len() > CHUNK
    }

    /// Some of what is to be told, with whether they are here.
    pub(super) fn take_untold(&self) -> Vec<(Present, ParticipantId, bool)> {
        let mut state = self.state.lock();
        let some: Vec<Present> = state.untold.keys().take(CHUNK).copied().collect();
        let told = some.into_iter().filter_map(|who| {
            let untold = state.untold.remove(&who)?;
            Some((who, untold.participant, state.mine.contains_key(&who)))
        });
        told.collect()
    }

    pub(super) fn put_back(&self, changes: Vec<(Present, ParticipantId, bool)>) {
        let mut state = self.state.lock();
        for (who, participant, _) in changes {
            // It may have arrived all the same.
            state.untold.entry(who).or_insert(Untold::known(participant)).may_be_known = true;
        }
    }

    /// Some of the sessions that are to be read, with what was heard of each so far.
    pub(super) fn take_unread(&self) -> Vec<(SessionId, u64)> {
        let mut state = self.state.lock();
        let some: Vec<SessionId> = state.unread.iter().take(CHUNK).copied().collect();
        let taken = some.into_iter().filter_map(|session| {
            state.unread.remove(&session);
            Some((session, state.others.get(&session)?.heard))
        });
        taken.collect()
    }

    /// After a time without Redis, nobody's lease says anything for a moment. Who had none when this node last found
    /// Redis is not believed once more: a Redis that comes and goes would keep the dead alive.
    pub(super) fn believe_everyone(&self) {
        let until = Instant::now() + BELIEF;
        let mut state = self.state.lock();
        let known = state.nodes.values_mut().filter(|known| known.missing.is_none() && known.believed.is_some());
        known.for_each(|known| known.believed = Some(until));
    }

    /// Nodes that had a lease when it was last looked for, or have been heard since.
    pub(super) fn known(&self) -> HashSet<Uuid> {
        let state = self.state.lock();
        state.nodes.iter().filter(|(_, known)| known.missing.is_none()).map(|(node, _)| *node).collect()
    }

    /// Nodes with somebody in the pictures.
    pub(super) fn nodes(&self) -> HashSet<Uuid> {
        let state = self.state.lock();
        let present = state.others.values().flat_map(|others| others.present.values());
        present.flat_map(|(_, nodes)| nodes.iter().copied()).collect()
    }

    /// Notes which of the `asked` nodes have a lease; those that are dead.
    pub(super) fn seen(&self, asked: &HashSet<Uuid>, alive: &HashSet<Uuid>) -> Vec<Uuid> {
        let mut state = self.state.lock();
        let now = Instant::now();
        let mut dead = Vec::new();
        for node in asked {
            if alive.contains(node) {
                state.nodes.insert(*node, Known::alive());
                continue;
            }
            let known = state.nodes.entry(*node).or_default();
            known.missing.get_or_insert(now);
            if known.believed.is_none_or(|until| until <= now) {
                dead.push(*node);
            }
        }
        // Nobody asks for those that are in no picture.
        state.nodes.retain(|_, known| {
            let last = known.missing.max(known.believed);
            last.is_some_and(|last| now.saturating_duration_since(last) < KEEP)
        });
        dead
    }

    /// Whether a node has been dead for so long that it won't come to life again.
    pub(super) fn is_long_dead(&self, node: Uuid) -> bool {
        let state = self.state.lock();
        state.nodes.get(&node).and_then(|known| known.missing).is_some_and(|since| since.elapsed() >= DELETE_AFTER)
    }

    /// Takes a node that is dead out of all pictures: whom that ends for everybody.
    pub(super) fn bury(&self, node: Uuid) -> Vec<Turn> {
        let mut state = self.state.lock();
        let mut turns = Vec::new();
        for (session, others) in &mut state.others {
            for principal in others.of_node(node) {
                if let Some(participant) = others.leave(node, principal) {
                    turns.push((*session, principal, participant, false));
                }
            }
        }
        turns
    }

    /// Takes a session's hash as it was read; what that changes, or nothing if it was read too early.
    pub(super) fn apply(&self, session: SessionId, heard: u64, fields: &[Field], alive: &HashSet<Uuid>) -> Vec<Turn> {
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
pub(super) struct Field {
    pub(super) node: Uuid,
    pub(super) principal: PrincipalId,
    participant: ParticipantId,
}

impl Field {
    pub(super) fn name(node: Uuid, principal: PrincipalId) -> String {
        format!("{node}/{}", principal.0)
    }

    fn read(name: &str, value: &str) -> Option<Self> {
        let (node, principal) = name.split_once('/')?;
        let principal = PrincipalId(principal.parse().ok()?);
        Some(Self { node: node.parse().ok()?, principal, participant: value.parse().ok()? })
    }

    /// Those of other nodes.
    pub(super) fn all(answer: Value, own: Uuid) -> Result<Vec<Self>, RedisError> {
        let fields = HashMap::<String, String>::from_redis_value(answer)?;
        let fields = fields.iter().filter_map(|(name, value)| Self::read(name, value));
        Ok(fields.filter(|field| field.node != own).collect())
    }
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

        /// Lets some time pass for what is known of a node.
        fn pass(&self, node: Uuid, time: Duration) {
            let mut state = self.roster.state.lock();
            let known = state.nodes.get_mut(&node).expect("a known node");
            for at in [&mut known.believed, &mut known.missing].into_iter().flatten() {
                *at = at.checked_sub(time).expect("the machine has run for long enough");
            }
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
        story.pass(known, DOUBT);
        assert_eq!(story.roster.seen(&HashSet::from([known]), &HashSet::new()), [known]);
        assert!(!story.roster.is_long_dead(known), "what it left may still be its own");
        story.pass(known, DELETE_AFTER);
        assert!(story.roster.is_long_dead(known));
        let turns = story.roster.bury(known);
        assert_eq!(story.turns(&turns), [false]);
        assert!(story.hear(known, true));
        assert!(!story.roster.is_long_dead(known), "it lives");
    }

    #[test]
    fn after_a_time_without_redis_nodes_are_believed_for_a_while_and_only_once() {
        let (story, node) = (Story::new(), Uuid::now_v7());
        story.hear(node, true);
        let (asked, none) = (HashSet::from([node]), HashSet::new());
        story.pass(node, DOUBT);
        story.roster.believe_everyone();
        assert!(story.roster.seen(&asked, &none).is_empty());
        // Redis goes and comes again before its time is up.
        for _ in 0..3 {
            story.pass(node, BELIEF / 3);
            story.roster.believe_everyone();
        }
        assert_eq!(story.roster.seen(&asked, &none), [node]);
        // It was alive after all.
        assert!(story.roster.seen(&asked, &asked).is_empty());
        story.pass(node, DOUBT);
        story.roster.believe_everyone();
        assert!(story.roster.seen(&asked, &none).is_empty());
    }

    #[test]
    fn everything_is_told_and_read_again_now_and_then() {
        let story = Story::new();
        story.roster.set(story.session, story.principal, story.participant, true);
        assert_eq!((story.roster.take_untold().len(), story.roster.take_unread().len()), (1, 1));
        story.roster.tell_all();
        story.roster.read_all();
        assert_eq!((story.roster.take_untold().len(), story.roster.take_unread().len()), (1, 1));
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
