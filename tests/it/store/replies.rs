//! Saved replies of idempotency keys.

use super::timeline_builder::Load;
use super::{NOW, key_of, saved};
use futures::future::join_all;
use hiloop::domain::{MessageId, SessionId};
use hiloop::store::{LockWait, SavedReply, SavedReplyKind, StoreError, WriteSet};
use hiloop::testing::secret::hash;
use std::collections::HashSet;
use std::sync::Arc;

on_both_stores! {
    async fn a_directory_change_and_its_reply_are_atomic(store: Empty) {
        let made = |reply: &str| saved("s", "k", SavedReplyKind::Body(reply.to_owned()), NOW);
        let digest = made("").request_hash;
        // A rolled back change has no effect, and the key is free again.
        let mut tx = store.begin_directory().await.expect("a transaction");
        assert!(tx.claim_reply("s", "k", &digest, NOW).await.expect("the store").is_none());
        let (space, _) = tx.ensure_space("lost", NOW).await.expect("the store").expect("active");
        let (agent, _) = tx.ensure_agent(space.id, "bot", None, NOW).await.expect("the store").expect("active");
        assert_eq!(tx.agent(space.id, agent.id).await.expect("the store").expect("there").name, "bot");
        tx.create_key(&key_of(&space, Some(agent.id), "secret"), NOW).await.expect("the store");
        drop(tx);
        assert!(store.space_by_name("lost").await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());

        // Of concurrent changes one succeeds; the others wait and find its reply.
        let racers = join_all((0..4).map(|number| {
            let (store, reply) = (Arc::clone(&store.store), made(&format!("{number}")));
            async move {
                let mut tx = store.begin_directory().await.expect("a transaction");
                if let Some(kept) = tx.claim_reply("s", "k", &digest, NOW).await.expect("the store") {
                    return Some(kept.kind);
                }
                let (_, is_new) = tx.ensure_space("kept", NOW).await.expect("the store").expect("active");
                assert!(is_new);
                tx.commit(Some(reply)).await.expect("the store");
                None
            }
        }));
        let found: Vec<_> = racers.await.into_iter().flatten().collect();
        assert_eq!(found.len(), 3);
        assert!(found.iter().all(|kind| *kind == found[0]), "{found:?}");
        // Another key is another request; after 24 hours this one is free again.
        for (key, now) in [("K", NOW), ("k", NOW.plus_millis(SavedReply::KEPT_MILLIS + 1))] {
            let mut tx = store.begin_directory().await.expect("a transaction");
            assert!(tx.claim_reply("s", key, &digest, now).await.expect("the store").is_none());
        }
        // A later batch of the timeline's writer gets a conflict.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let twice = tx.apply(WriteSet { replies: vec![made("2")], ..WriteSet::default() }).await;
        assert!(matches!(twice, Err(StoreError::Raced)), "{twice:?}");
    }

    async fn saved_replies_expire(store: Empty) {
        let (session, message) = (SessionId::new(), MessageId::new());
        let kinds = [
            ("posted", SavedReplyKind::Posted(session, message)),
            ("settled", SavedReplyKind::Settled(session, message)),
            ("interaction", SavedReplyKind::Interaction(session, 7)),
            ("body", SavedReplyKind::Body("{\"a\":\"\\u0000é\"}".to_owned())),
        ];
        let replies: Vec<_> = kinds.iter().map(|(key, kind)| saved("scope", key, kind.clone(), NOW)).collect();
        let tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.commit(WriteSet { replies, ..WriteSet::default() }).await.expect("the store");
        let keys: Vec<_> = kinds.iter().map(|(key, _)| ("scope".to_owned(), (*key).to_owned())).collect();
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let found = tx.saved_replies(&keys, NOW).await.expect("the store");
        assert_eq!(found.len(), 4);
        for (key, kind) in &kinds {
            let reply = found.iter().find(|reply| reply.key == *key).expect("found");
            assert_eq!((reply.scope.as_str(), reply.key.as_str(), &reply.kind), ("scope", *key, kind));
            assert_eq!((reply.status, reply.created_at), (201, NOW));
            assert_eq!(reply.request_hash, hash(&format!("scope {key}")));
        }
        assert!(tx.saved_replies(&keys, NOW.plus_millis(1)).await.expect("the store").is_empty());
        assert!(tx.saved_replies(&[], NOW).await.expect("the store").is_empty());
        let elsewhere = [("other".to_owned(), "body".to_owned()), ("scope".to_owned(), "none".to_owned())];
        assert!(tx.saved_replies(&elsewhere, NOW).await.expect("the store").is_empty());
        // An expired reply is replaced by a new one with the same key.
        let next = saved("scope", "body", SavedReplyKind::Body("[]".to_owned()), NOW.plus_millis(SavedReply::KEPT_MILLIS + 1));
        tx.apply(WriteSet { replies: vec![next], ..WriteSet::default() }).await.expect("the store");
        let found = tx.saved_replies(&keys, NOW.plus_seconds(50)).await.expect("the store");
        assert_eq!((found.len(), &found[0].kind), (1, &SavedReplyKind::Body("[]".to_owned())));
        tx.commit(WriteSet::default()).await.expect("the store");

        // A batch with an existing reply at any position is a conflict; an expired reply is not.
        let late = NOW.plus_millis(SavedReply::KEPT_MILLIS + 2);
        let many = |prefix: &str| -> Vec<_> {
            (0..203).map(|number| saved("scope", &format!("{prefix} {number:03}"), kinds[0].1.clone(), late)).collect()
        };
        for (prefix, taken, raced) in [("a", "body", true), ("b", "posted", false)] {
            let mut replies = many(prefix);
            replies.insert(101, saved("scope", taken, kinds[0].1.clone(), late));
            let keys: Vec<_> = replies.iter().map(|reply| (reply.scope.clone(), reply.key.clone())).collect();
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            let written = tx.apply(WriteSet { replies, ..WriteSet::default() }).await;
            assert_eq!(matches!(written, Err(StoreError::Raced)), raced, "{written:?}");
            if !raced {
                tx.commit(WriteSet::default()).await.expect("the store");
                let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
                let found: HashSet<_> =
                    tx.saved_replies(&keys, NOW).await.expect("the store").into_iter().map(|reply| reply.key).collect();
                assert_eq!(found, keys.into_iter().map(|(_, key)| key).collect());
            }
        }
    }
}
