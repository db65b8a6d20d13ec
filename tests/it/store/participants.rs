//! Participants, guests and read marks.

use super::timeline_builder::TimelineBuilder;
use super::{NOW, page};
use futures::future::join_all;
use hiloop::domain::change::Change;
use hiloop::domain::{Actor, ParticipantType, PrincipalId, Scope};
use hiloop::store::{LockWait, NewMark, ReadMark, StoreError};
use hiloop::testing::secret::hash;
use std::collections::HashSet;
use uuid::Uuid;

on_both_stores! {
    async fn a_guest_token_ends_with_its_participant(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let mut line = TimelineBuilder::new(&space, &[]);
        let (member, participant) = line.invite("Gast", "token");
        line.save(&store).await;
        let guest = store.guest_by_secret(&hash("token")).await.expect("the store").expect("known");
        assert_eq!((guest.id.into(), guest.space_id, guest.session_id), (member.id, space.id, line.id()));
        assert_eq!((guest.name.as_str(), guest.expires_at), ("Gast", NOW.plus_seconds(60)));
        assert!(store.guest_by_secret(&hash("other")).await.expect("the store").is_none());
        assert!(store.guest(space.id, guest.id).await.expect("the store").is_some());
        assert!(store.guest(other.id, guest.id).await.expect("the store").is_none());
        let scope = Scope::Member(space.id, member.id);
        assert!(store.session(scope, line.id()).await.expect("the store").is_some());

        line.append(Change::ParticipantRemoved(participant), &Actor::system());
        line.save(&store).await;
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        assert!(store.guest(space.id, guest.id).await.expect("the store").is_none());
        assert!(store.session(scope, line.id()).await.expect("the store").is_none());
    }

    async fn participants_are_paged(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        line.add(&human.member(), None);
        let (guest, _) = line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let first = store.participants(scope, line.id(), page(1, 2)).await.expect("the store").expect("in scope");
        let second = store.participants(scope, line.id(), page(2, 2)).await.expect("the store").expect("in scope");
        let all: Vec<_> = first.data.iter().chain(&second.data).collect();
        assert_eq!(all.iter().map(|p| (p.kind, p.name.as_str())).collect::<Vec<_>>(), [
            (ParticipantType::Agent, "a"),
            (ParticipantType::Human, "h"),
            (ParticipantType::Guest, "g"),
        ]);
        assert_eq!((first.total, all[0].role.as_str(), all[1].role.as_str()), (3, "member", "reviewer"));
        assert_eq!((all[0].agent_id, all[0].human_id, all[0].guest_id), (Some(agent.id), None, None));
        assert_eq!((all[1].agent_id, all[1].human_id, all[1].guest_id), (None, Some(human.id), None));
        let members: HashSet<_> = store.member_ids(space.id, line.id()).await.expect("the store").into_iter().collect();
        assert_eq!(members, HashSet::from([agent.id.into(), human.id.into(), guest.id]));
        // A deactivated human has no access to the session, nor has a new human with the address.
        store.deactivate_human(space.id, human.id, NOW).await.expect("the store");
        let without = store.participants(scope, line.id(), page(1, 9)).await.expect("the store").expect("in scope");
        let kinds: Vec<_> = without.data.iter().map(|participant| participant.kind).collect();
        assert_eq!((kinds, without.total), (vec![ParticipantType::Agent, ParticipantType::Guest], 2));
        let left: HashSet<_> = store.member_ids(space.id, line.id()).await.expect("the store").into_iter().collect();
        assert_eq!(left, HashSet::from([agent.id.into(), guest.id]));
        let next = store.human_named(&space, "h").await;
        assert_eq!(store.member_ids(space.id, line.id()).await.expect("the store").len(), 2);
        let scope = Scope::Member(space.id, next.id.into());
        assert!(store.session(scope, line.id()).await.expect("the store").is_none());
        // A principal can be a participant only once.
        line.add(&human.member(), None);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(matches!(tx.apply(line.take()).await, Err(StoreError::Conflict(_))));
    }

    async fn a_read_mark_never_decreases(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        for _ in 0..5 {
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        let scope = Scope::Member(space.id, human.id.into());
        let who = PrincipalId::from(human.id);
        let mark = async |seq| -> (i64, bool) {
            let ReadMark { seq, moved, .. } =
                store.mark_read(scope, line.id(), who, seq).await.expect("the store").expect("takes part");
            (seq, moved)
        };
        let unread = async || store.feed(scope, who, page(1, 1)).await.expect("the store").data[0].unread_count;
        assert_eq!(unread().await, 5);
        assert_eq!(mark(0).await, (0, false));
        assert_eq!(mark(3).await, (3, true));
        assert_eq!(unread().await, 3);
        assert_eq!(mark(3).await, (3, false));
        assert_eq!(mark(2).await, (3, false));
        assert_eq!(unread().await, 3);
        assert_eq!(mark(1000).await, (6, true));
        assert_eq!(unread().await, 0);
        assert_eq!(mark(1).await, (6, false));
        // A principal with access that is not a participant has no mark.
        let space_scope = Scope::Space(space.id);
        let none = store.mark_read(space_scope, line.id(), PrincipalId(Uuid::now_v7()), 1).await.expect("the store");
        assert_eq!(none, None);
        // Concurrent marks end at the highest.
        let mut line = TimelineBuilder::new(&space, &[human.member()]);
        for _ in 0..9 {
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        join_all((1..=10).map(|seq| store.mark_read(scope, line.id(), who, seq))).await;
        let read = async |line: &TimelineBuilder| {
            let people = store.participants(scope, line.id(), page(1, 1)).await.expect("the store").expect("in scope");
            people.data[0].last_read_seq
        };
        assert_eq!(read(&line).await, 10);
        // The same for marks that are written with a message.
        for (seq, then) in [(10, 10), (9, 10), (11, 11)] {
            line.post(&human.member(), "y", None);
            let others = NewMark { session: line.id(), principal: PrincipalId(Uuid::now_v7()), seq: 12, count: 12 };
            let own = NewMark { session: line.id(), principal: who, seq, count: seq - 1 };
            line.writes.read_marks = vec![others, own];
            line.save(&store).await;
            assert_eq!(read(&line).await, then);
        }
        let feed = store.feed(scope, who, page(1, 9)).await.expect("the store").data;
        assert_eq!(feed.iter().map(|entry| entry.unread_count).collect::<Vec<_>>(), [2, 0]);
    }
}
