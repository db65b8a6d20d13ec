//! Events of a timeline, its head, and batches of many timelines.

use super::timeline_builder::{Load, PLAIN_ASK, TimelineBuilder};
use super::{NOW, page};
use hiloop::domain::change::Change;
use hiloop::domain::{Actor, PrincipalId, Scope, SessionId, SessionStatus};
use hiloop::store::{Head, LockWait, Named, StoreError, WriteSet};
use serde_json::Value;
use uuid::Uuid;

on_both_stores! {
    async fn a_head_has_the_bounds_of_a_timeline(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        line.post(&agent.member(), "x", None);
        line.save(&store).await;
        let at = line.session.updated_at;
        let head = Head { space: space.id, last_seq: 2, first_seq: 1, at };
        let scope = Scope::Space(space.id);
        assert_eq!(store.head(scope, line.id()).await.expect("the store"), Some(head));
        let standing = store.head_with_participant(scope, line.id(), agent.id.into()).await.expect("the store").expect("in scope");
        let own = store.participants(scope, line.id(), page(1, 1)).await.expect("the store").expect("in scope").data;
        assert_eq!((standing.head, standing.participant), (head, Some(own[0].id)));
        assert!(!standing.is_crowd);
        let mut people = Vec::new();
        for number in 0..21 {
            people.push(store.human_named(&space, &format!("h{number}")).await.member());
        }
        people.push(agent.member());
        for (count, is_crowd) in [(20, false), (21, true)] {
            let mut line = TimelineBuilder::new(&space, &people[21 - count..]);
            line.save(&store).await;
            let standing = store.head_with_participant(scope, line.id(), agent.id.into()).await.expect("the store");
            assert_eq!(standing.expect("in scope").is_crowd, is_crowd, "{count} people and an agent");
        }
        let other = store.head_with_participant(scope, line.id(), PrincipalId(Uuid::now_v7())).await.expect("the store");
        assert_eq!(other.expect("in scope").participant, None);
    }

    async fn events_are_ordered_and_limited(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        for index in 0..9 {
            line.post(&agent.member(), &format!("{index}"), None);
        }
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let after = async |after, limit, bytes| -> Vec<i64> {
            let found = store.events_after(scope, line.id(), after, limit, bytes).await.expect("the store");
            let found = found.expect("in scope");
            assert_eq!(found.head.last_seq, 10);
            found.events.iter().map(|event| event.seq).collect()
        };
        assert_eq!(after(0, 100, i64::MAX).await, (1..=10).collect::<Vec<_>>());
        assert_eq!(after(-5, 2, i64::MAX).await, [1, 2]);
        assert_eq!(after(4, 3, i64::MAX).await, [5, 6, 7]);
        assert_eq!(after(9, 100, i64::MAX).await, [10]);
        assert!(after(10, 100, i64::MAX).await.is_empty());
        assert!(after(i64::MAX, 100, i64::MAX).await.is_empty());
        // At least one event is returned, however large; then none beyond the byte limit.
        assert_eq!(after(0, 100, 1).await, [1]);
        let all = store.events_after(scope, line.id(), 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        let two = i64::try_from(all.events[0].text.len() + all.events[1].text.len()).expect("small");
        assert_eq!(after(0, 100, two).await, [1, 2]);
        assert_eq!(after(0, 100, two + 1).await, [1, 2, 3]);
    }

    async fn an_event_is_read_byte_for_byte(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        let participant = line.add(&human.member(), None);
        // Escapes as JSON writes them, NUL included, which PostgreSQL's text does not hold.
        let asked = line.post(&agent.member(), "\u{0}\u{1}\u{7f}\u{2028}é😀\"\\/", Some(PLAIN_ASK));
        line.cancel(&agent.member(), asked.id);
        line.append(Change::ParticipantRemoved(participant), &Actor::system());
        let written = line.writes.events.clone();
        assert!(written[2].text.contains(r"\u0000"), "{}", written[2].text);
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let read = store.events_after(scope, line.id(), 0, 10, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(read.events.len(), written.len());
        for (read, written) in read.events.iter().zip(&written) {
            assert_eq!((read.space, read.session, read.seq), (written.space, written.session, written.seq));
            assert_eq!((read.kind, read.at, read.pending), (written.kind, written.at, written.pending));
            assert_eq!((read.settles, read.removes), (written.settles, written.removes));
            assert_eq!(read.text, written.text);
        }
        assert_eq!(read.events[3].settles, Some(asked.id));
        assert_eq!(read.events[4].removes, Some(human.id.into()));
        let message = store.message(scope, line.id(), asked.id).await.expect("the store").expect("there");
        let envelope: Value = serde_json::from_str(message.encrypted_content.expect("content").as_str()).expect("json");
        assert_eq!(envelope["ciphertext"], "\u{0}\u{1}\u{7f}\u{2028}é😀\"\\/");
    }

    async fn many_rows_are_written_and_read_in_one_batch(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let members = [agent.member(), human.member()];
        // 203 = 64 + 64 + 64 + 8 + 2 + 1: every size of statement.
        let mut long = TimelineBuilder::new(&space, &members);
        for index in 0..203 {
            long.post(&agent.member(), &format!("{index}"), Some(PLAIN_ASK));
        }
        let mut lines: Vec<_> = (0..203).map(|_| TimelineBuilder::new(&space, &members)).collect();
        let mut together = long.take();
        for line in &mut lines {
            let writes = line.take();
            together.new_sessions.extend(writes.new_sessions);
            together.new_participants.extend(writes.new_participants);
            together.events.extend(writes.events);
        }
        let asked: Vec<_> = together.new_messages.iter().map(|(state, _)| state.id).collect();
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(together).await.expect("the store");

        let scope = Scope::Space(space.id);
        let found = store.events_after(scope, long.id(), 0, 1000, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(found.events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=204).collect::<Vec<_>>());
        let last = store.messages_after(scope, long.id(), 200, 100, i64::MAX).await.expect("the store");
        let last = last.expect("in scope");
        assert_eq!((last.messages.iter().map(|message| message.id).collect::<Vec<_>>(), last.total), (asked[200..].to_vec(), 203));
        assert_eq!(store.sessions(scope, None, page(1, 1)).await.expect("the store").total, 204);

        // Changes, locks, look-ups and settlements too.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let mut named: Vec<_> = lines.iter().map(|line| (space.id, line.id())).collect();
        named.reverse();
        let locked = tx.lock_sessions(&named).await.expect("the store");
        named.reverse();
        let locked_ids: Vec<_> = locked.iter().map(|session| session.id).collect();
        assert_eq!(locked_ids, lines.iter().map(TimelineBuilder::id).collect::<Vec<_>>());
        let mut pairs: Vec<_> = lines.iter().map(|line| (line.id(), agent.id.into())).collect();
        assert_eq!(tx.participations(&pairs).await.expect("the store").len(), 203);
        pairs.iter_mut().for_each(|(_, who)| *who = PrincipalId(Uuid::now_v7()));
        assert!(tx.participations(&pairs).await.expect("the store").is_empty());
        let states: Vec<_> = asked.iter().map(|id| (long.id(), *id)).collect();
        assert_eq!(tx.message_states(&states).await.expect("the store").len(), 203);
        let pending: Vec<_> = tx.pending_messages(long.id()).await.expect("the store").iter().map(|m| m.id).collect();
        assert_eq!(pending, asked);
        let mut together = WriteSet::default();
        for line in &mut lines {
            line.at = NOW.plus_seconds(7);
            line.append(Change::SessionClosed, &Actor::system());
            let writes = line.take();
            together.changed_sessions.extend(writes.changed_sessions);
            together.events.extend(writes.events);
        }
        let named = Named { sessions: named, members: pairs, messages: states, ..Named::default() };
        let all = tx.load(&named, NOW).await.expect("the store");
        assert_eq!((all.sessions.len(), all.members.len(), all.messages.len()), (203, 0, 203));
        for id in &asked {
            long.cancel(&agent.member(), *id);
        }
        let writes = long.take();
        together.changed_sessions.extend(writes.changed_sessions);
        together.events.extend(writes.events);
        together.settled.extend(writes.settled);
        tx.apply(together).await.expect("the store");
        assert!(tx.pending_messages(long.id()).await.expect("the store").is_empty());
        tx.commit(WriteSet::default()).await.expect("the store");
        let closed = store.sessions(scope, Some(SessionStatus::Closed), page(1, 100)).await.expect("the store");
        assert_eq!(closed.total, 203);
        let mut closed = closed.data.iter().map(|listed| &listed.session);
        assert!(closed.all(|session| session.closed_at == Some(NOW.plus_seconds(7)) && session.last_seq == 2));
    }

    async fn heads_of_many_timelines_are_read_in_one_call(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let mut together = WriteSet::default();
        let mut asked = Vec::new();
        for _ in 0..503 {
            let mut line = TimelineBuilder::new(&space, &[]);
            asked.push((space.id, line.id()));
            let writes = line.take();
            together.new_sessions.extend(writes.new_sessions);
            together.events.extend(writes.events);
        }
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(together).await.expect("the store");
        asked.push((space.id, SessionId::new()));
        let found = store.last_seqs(&asked).await.expect("the store");
        assert_eq!(found.len(), 503);
        assert!(found.iter().all(|(_, head)| head.last_seq == 1));
        assert!(store.last_seqs(&[]).await.expect("the store").is_empty());
        assert!(store.last_seqs(&[(other.id, asked[0].1)]).await.expect("the store").is_empty());
    }

    async fn a_seq_is_written_once(store: Empty) {
        let space = store.space("one").await;
        let mut line = TimelineBuilder::new(&space, &[]);
        line.save(&store).await;
        line.append(Change::SessionClosed, &Actor::system());
        let events = line.writes.events.clone();
        line.save(&store).await;
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let again = tx.apply(WriteSet { events, ..WriteSet::default() }).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }
}
