//! Pruning and retention.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{NOW, saved, sign_in};
use crate::support::sql;
use hiloop::domain::change::Change;
use hiloop::domain::{Actor, Scope};
use hiloop::store::{ExpiredRows, LockWait, RefreshOutcome, SavedReplyKind, WriteSet};
use hiloop::testing::secret::hash;
use std::collections::HashSet;
use uuid::Uuid;

on_both_stores! {
    async fn expired_rows_are_pruned(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        for (index, ends) in [-10, -1, 0, 10].into_iter().enumerate() {
            let token = sign_in(&format!("t{index}"), Uuid::now_v7(), human.id, NOW.plus_seconds(ends));
            store.add_sign_in(&token, NOW).await.expect("the store");
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let replies = [-10, 0, 10].map(|at| {
            saved("s", &at.to_string(), SavedReplyKind::Body("{}".to_owned()), NOW.plus_seconds(at))
        });
        tx.apply(WriteSet { replies: replies.to_vec(), ..WriteSet::default() }).await.expect("the store");
        tx.commit(WriteSet::default()).await.expect("the store");

        let mut tx = store.begin_directory().await.expect("a transaction");
        for (index, ends) in [-10, 0, 10].into_iter().enumerate() {
            let hash = [u8::try_from(index).expect("small"); 32];
            tx.add_setup_token(&hash, human.id, NOW.plus_seconds(ends)).await.expect("the store");
        }
        tx.commit(None).await.expect("the store");
        let pieces = async |what, limit| {
            let mut pieces = Vec::new();
            while pieces.last() != Some(&0) {
                pieces.push(store.prune(what, NOW, limit).await.expect("the store"));
            }
            pieces
        };
        // A sign-in is deleted with its last token; chunks have the given size.
        assert_eq!(pieces(ExpiredRows::SignIns, 10).await, [0]);
        assert_eq!(pieces(ExpiredRows::RefreshTokens, 1).await, [1, 1, 0]);
        assert_eq!(pieces(ExpiredRows::SignIns, 10).await, [2, 0]);
        assert_eq!(pieces(ExpiredRows::Replies, 10).await, [1, 0]);
        assert_eq!(pieces(ExpiredRows::SetupTokens, 10).await, [1, 0]);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let keys = ["-10", "0", "10"].map(|key| ("s".to_owned(), key.to_owned()));
        let left = tx.saved_replies(&keys, NOW.plus_seconds(-100)).await.expect("the store");
        assert_eq!(left.iter().map(|reply| reply.key.as_str()).collect::<Vec<_>>(), ["0", "10"]);
        drop(tx);
        let rotated = store.rotate_refresh_token(&hash("t3"), &hash("n"), NOW.plus_seconds(99), NOW).await;
        assert!(matches!(rotated.expect("the store"), RefreshOutcome::Rotated { .. }));
    }

    async fn the_boundary_of_old_events_is_found_without_a_scan(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        // Events 2 to 5, a second apart.
        for second in 1..5 {
            line.at = NOW.plus_seconds(second);
            line.post(&agent.member(), "x", None);
        }
        line.save(&store).await;
        let (scope, id) = (Scope::Space(space.id), line.id());
        let older = async |seq, floor| store.last_older(scope, id, seq, floor).await.expect("the store");
        assert_eq!(older(9, NOW.plus_seconds(3)).await, Some(3));
        assert_eq!(older(9, NOW.plus_seconds(60)).await, Some(5));
        assert_eq!(older(5, NOW.plus_seconds(60)).await, Some(4), "those before alone");
        assert_eq!(older(9, NOW.plus_seconds(-60)).await, Some(0));
        let member = Scope::Member(space.id, agent.id.into());
        assert_eq!(store.last_older(member, id, 9, NOW.plus_seconds(3)).await.expect("the store"), Some(3));
        let stranger = Scope::Member(space.id, store.agent_named(&space, "b").await.id.into());
        assert_eq!(store.last_older(stranger, id, 9, NOW.plus_seconds(3)).await.expect("the store"), None);
        // Deleted events are not included.
        let database = sql::Database::open(&store.url).await;
        let own = database.id(&id.to_string());
        database
            .execute(&format!(
                "DELETE FROM events WHERE session_id = {own} AND seq < 4; UPDATE sessions SET first_seq = 4 WHERE id = {own}"
            ))
            .await;
        assert_eq!(older(9, NOW.plus_seconds(-60)).await, Some(3));
    }

    async fn pruning_works_in_chunks_and_skips_locked_rows(store: Empty) {
        let database = sql::Database::open(&store.url).await;
        let (many, id) = database.many(1_203);
        let old = NOW.0 - 1;
        database.execute(&format!("{many} INSERT INTO revocations (id, subject, at) SELECT {id}, {id}, {old} FROM n")).await;
        let mut tx = None;
        if let sql::Database::Postgres(pool) = &database {
            let mut held = pool.begin().await.expect("a transaction");
            sqlx::query("SELECT id FROM revocations LIMIT 3 FOR UPDATE").execute(&mut *held).await.expect("the rows");
            tx = Some(held);
        }
        let held = if tx.is_some() { 3 } else { 0 };
        let mut pieces = Vec::new();
        while pieces.last().is_none_or(|gone| *gone == 500) {
            pieces.push(store.prune(ExpiredRows::Revocations, NOW, 500).await.expect("the store"));
        }
        assert_eq!(pieces, [500, 500, 203 - held]);
        drop(tx);
    }

    async fn a_read_after_a_deleted_event_begins_at_the_oldest_stored_one(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        for _ in 0..9 {
            line.post(&agent.member(), "x", None);
        }
        // As after a retention that has kept 6 to 10.
        line.session.first_seq = 6;
        line.writes.events.retain(|event| event.seq >= 6);
        line.writes.new_messages.retain(|(message, _)| message.seq >= 6);
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        for after in [0, 3, 5] {
            let found = store.events_after(scope, line.id(), after, 2, i64::MAX).await.expect("the store");
            let found = found.expect("in scope");
            assert_eq!(found.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [6, 7], "after {after}");
            assert_eq!(found.head.first_seq, 6);
        }
    }

    async fn an_expired_session_is_deleted_completely(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut lines = Vec::new();
        for closed in [true, true, false] {
            let mut line = TimelineBuilder::new(&space, &[&agent].map(Clone::clone));
            let (guest, _) = line.invite("g", &format!("token {}", lines.len()));
            for number in 0..5 {
                line.post(&agent, &format!("{number}"), None);
            }
            if closed {
                line.append(Change::SessionClosed, &Actor::system());
            }
            line.save(&store).await;
            lines.push((line.id(), guest));
        }
        let scope = Scope::Space(space.id);
        assert!(store.retire_session(NOW, NOW).await.expect("the store").is_none(), "not long enough ago");
        assert!(!store.sweep_retired(10).await.expect("the store"));
        let later = NOW.plus_seconds(3600);
        let mut gone = Vec::new();
        while let Some(retired) = store.retire_session(later, later).await.expect("the store") {
            assert_eq!((retired.space, retired.guests.len()), (space.id, 1));
            // Recorded for nodes that get no signal.
            let revoked = store.revoked_since(later).await.expect("the store");
            assert!(revoked.iter().any(|(_, subject)| *subject == retired.guests[0].0), "{revoked:?}");
            assert_eq!(revoked.len(), gone.len() + 1);
            gone.push(retired.session);
        }
        assert_eq!(gone.iter().collect::<HashSet<_>>(), lines[..2].iter().map(|(id, _)| id).collect());
        for (number, (id, _)) in lines.iter().enumerate() {
            let found = store.session(scope, *id).await.expect("the store").is_some();
            assert_eq!(found, number == 2);
            let token = hash(&format!("token {number}"));
            assert_eq!(store.guest_by_secret(&token).await.expect("the store").is_some(), number == 2);
        }
        // In chunks of two, until nothing is left.
        let mut steps = 0;
        while store.sweep_retired(2).await.expect("the store") {
            steps += 1;
        }
        assert!((6..=12).contains(&steps), "{steps}");
        let page = store.events_after(scope, lines[2].0, 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        assert_eq!(page.events.len(), 7);
    }
}
