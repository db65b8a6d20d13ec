//! Transactions: locks, rollback, and order.

use super::timeline_builder::{Ask, Load, TimelineBuilder};
use super::{NOW, saved};
use crate::support::eventually;
use futures::FutureExt as _;
use futures::future::join_all;
use hiloop::domain::{
    AnswerOutcome, MessageId, MessageStatus, ParticipantId, PrincipalId, Priority, Responder, Scope, SessionId,
};
use hiloop::store::{LockWait, Named, SavedReplyKind, StoreError, WriteSet, WriteTx};
use hiloop::testing::secret::hash;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

on_both_stores! {
    async fn sessions_locked_by_another_transaction_are_reported(store: Empty) {
        let space = store.space("one").await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            let mut line = TimelineBuilder::new(&space, &[]);
            line.save(&store).await;
            ids.push(line.id());
        }
        ids.push(SessionId::new());
        assert!(store.held_elsewhere(&ids).await.expect("the store").is_empty());
        if store.url.starts_with("sqlite:") {
            return;
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let named = Named { sessions: vec![(space.id, ids[1])], ..Named::default() };
        tx.load(&named, NOW).await.expect("the store");
        assert_eq!(store.held_elsewhere(&ids).await.expect("the store"), HashSet::from([ids[1]]));
        drop(tx);
        eventually("it to be let go", async || {
            store.held_elsewhere(&ids).await.expect("the store").is_empty().then_some(())
        })
        .await;
    }

    async fn work_in_a_transaction_commits_or_leaves_nothing(store: Empty) {
        let space = store.space("one").await;
        for commits in [false, true] {
            let mut line = TimelineBuilder::new(&space, &[]);
            let (session, writes) = ((space.id, line.id()), line.take());
            let work = move |mut tx: Box<dyn WriteTx>| {
                async move {
                    assert!(tx.lock_sessions(&[session]).await.expect("the store").is_empty());
                    if commits {
                        tx.commit(writes).await.expect("the store");
                    } else {
                        tx.apply(writes).await.expect("the store");
                    }
                }
                .boxed()
            };
            store.write(LockWait::Brief, Box::new(work)).await.expect("it runs");
            let stored = store.session(Scope::Space(space.id), line.id()).await.expect("the store");
            assert_eq!(stored.is_some(), commits);
        }
        store.close().await;
        let never = |_| async { panic!("there is no connection") }.boxed();
        let refused = store.write(LockWait::Brief, Box::new(never)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    }

    async fn a_transaction_reads_what_it_locks(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        let added = line.add(&human.member(), None);
        let deadline = Some(NOW.plus_seconds(9));
        let asked = line.post(&agent.member(), "?", Some(Ask { priority: Priority::High, deadline }));
        line.save(&store).await;

        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(tx.lock_sessions(&[]).await.expect("the store").is_empty());
        let both = [(space.id, line.id()), (space.id, SessionId::new())];
        let locked = tx.lock_sessions(&both).await.expect("the store");
        assert_eq!((locked.len(), json!(locked[0])), (1, json!(line.session)));
        let pairs = [(line.id(), agent.id.into()), (line.id(), human.id.into()), (SessionId::new(), human.id.into())];
        let found: HashSet<_> = tx.participations(&pairs).await.expect("the store").into_iter().collect();
        assert_eq!(found, HashSet::from([pairs[0], pairs[1]]));
        let states = tx.message_states(&[(line.id(), asked.id), (line.id(), MessageId::new())]).await.expect("the store");
        assert_eq!(states.len(), 1);
        let state = &states[0];
        assert_eq!((state.id, state.session_id, state.seq), (asked.id, line.id(), 3));
        assert_eq!((state.sender, state.status, state.priority), (Some(agent.id.into()), MessageStatus::Pending, Priority::High));
        assert_eq!((state.response_required, state.deadline_at, state.in_reply_to), (true, deadline, None));
        assert!(state.settlement.is_none());
        let participant = tx.participant(line.id(), added.id).await.expect("the store").expect("there");
        assert_eq!((participant.human_id, participant.role.as_str()), (Some(human.id), "reviewer"));
        assert!(tx.participant(line.id(), ParticipantId::new()).await.expect("the store").is_none());
        assert!(tx.participant(SessionId::new(), added.id).await.expect("the store").is_none());
        let same = tx.participant_of(line.id(), human.id.into()).await.expect("the store").expect("there");
        assert_eq!(same.id, added.id);
        assert!(tx.participant_of(line.id(), PrincipalId(Uuid::now_v7())).await.expect("the store").is_none());
        // It reads its own writes; others read them after the commit.
        let answer = line.answer(&human.member(), asked.id, "!");
        tx.apply(line.take()).await.expect("the store");
        let state = tx.message_states(&[(line.id(), asked.id)]).await.expect("the store").remove(0);
        let settlement = state.settlement.expect("settled");
        assert_eq!((state.status, settlement.seq, settlement.at), (MessageStatus::Completed, 5, NOW));
        assert_eq!(settlement.by, Responder::from(&human.member().actor()));
        assert_eq!(settlement.response, Some((answer.id, AnswerOutcome::Approved)));
        assert_eq!(store.head(Scope::Space(space.id), line.id()).await.expect("the store").expect("there").last_seq, 3);
        tx.commit(WriteSet::default()).await.expect("the store");
        assert_eq!(store.head(Scope::Space(space.id), line.id()).await.expect("the store").expect("there").last_seq, 5);
    }

    async fn a_dropped_transaction_has_no_effect(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut kept = TimelineBuilder::new(&space, &[agent.member()]);
        kept.save(&store).await;
        // More often than there are connections, to detect leaked ones.
        for _ in 0..20 {
            let mut line = TimelineBuilder::new(&space, &[agent.member()]);
            line.invite("g", &format!("token {}", line.id()));
            line.post(&agent.member(), "x", Some(Ask { priority: Priority::Low, deadline: Some(NOW) }));
            let reply = saved("s", "k", SavedReplyKind::Body("{}".to_owned()), NOW);
            line.writes.replies.push(reply);
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            tx.lock_sessions(&[(space.id, kept.id())]).await.expect("the store");
            tx.apply(line.take()).await.expect("the store");
            drop(tx);
            let scope = Scope::Space(space.id);
            assert!(store.session(scope, line.id()).await.expect("the store").is_none());
            assert!(store.guest_by_secret(&hash(&format!("token {}", line.id()))).await.expect("the store").is_none());
        }
        assert!(store.due_messages(NOW, 10).await.expect("the store").is_empty());
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let none = tx.saved_replies(&[("s".to_owned(), "k".to_owned())], NOW.plus_seconds(-1)).await;
        assert!(none.expect("the store").is_empty());
    }

    async fn transactions_on_one_session_are_serialised(store: Empty) {
        const WRITERS: i64 = 8;
        const ROUNDS: i64 = 8;
        let space = store.space("one").await;
        let mut lines = [TimelineBuilder::new(&space, &[]), TimelineBuilder::new(&space, &[])];
        for line in &mut lines {
            line.save(&store).await;
        }
        let ids = lines.map(|line| (space.id, line.id()));
        // Each reads under its lock and writes one more; were any two of them inside at once, one count would be
        // lost. Half of them name the sessions the other way round, which must not make them wait for each other.
        let writers = (0..WRITERS).map(|writer| {
            let store = Arc::clone(&store.store);
            let named = if writer % 2 == 0 { ids } else { [ids[1], ids[0]] };
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
                    let mut sessions = tx.lock_sessions(&named).await.expect("the store");
                    assert_eq!(sessions.len(), 2);
                    sessions.iter_mut().for_each(|session| session.last_seq += 1);
                    let writes = WriteSet { changed_sessions: sessions, ..WriteSet::default() };
                    tx.apply(writes).await.expect("the store");
                    tx.commit(WriteSet::default()).await.expect("the store");
                }
            })
        });
        for writer in join_all(writers).await {
            writer.expect("no panic");
        }
        for (_, head) in store.last_seqs(&ids).await.expect("the store") {
            assert_eq!(head.last_seq, 1 + WRITERS * ROUNDS);
        }
    }
}
