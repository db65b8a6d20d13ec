//! Refresh tokens, sign-ins, passwords and setup tokens.

use super::{NOW, page, sign_in, subjects};
use crate::support::sql;
use futures::future::join_all;
use hiloop::domain::people::SignIn;
use hiloop::store::{EndedSignIns, NewSignIn, RefreshOutcome};
use hiloop::testing::secret::hash;
use std::collections::HashSet;
use std::sync::Arc;
use uuid::Uuid;

on_both_stores! {
    async fn a_refresh_token_works_once(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let (later, ends_at) = (NOW.plus_seconds(60), NOW.plus_millis(SignIn::LASTS_MILLIS));
        let rotate = async |old, next, now| {
            store.rotate_refresh_token(&hash(old), &hash(next), later, now).await.expect("the store")
        };
        let (a, b) = (Uuid::now_v7(), Uuid::now_v7());
        store.add_sign_in(&sign_in("a1", a, human.id, later), NOW).await.expect("the store");
        store.add_sign_in(&sign_in("b1", b, human.id, later), NOW).await.expect("the store");
        let rotated = |sign_in| RefreshOutcome::Rotated { human: human.id, sign_in, ends_at };
        assert_eq!(rotate("no", "x", NOW).await, RefreshOutcome::Unknown);
        assert_eq!(rotate("a1", "a2", NOW).await, rotated(a));
        assert_eq!(rotate("a2", "a3", NOW).await, rotated(a));
        assert!(store.has_sign_in(human.id, a, NOW).await.expect("the store"));
        // Reuse of the first token, which may be stolen: the sign-in ends, and no other one.
        assert_eq!(rotate("a1", "a4", NOW).await, RefreshOutcome::Reused { human: human.id, sign_in: a });
        for token in ["a1", "a2", "a3", "a4"] {
            assert_eq!(rotate(token, "x", NOW).await, RefreshOutcome::Unknown, "{token}");
        }
        assert!(!store.has_sign_in(human.id, a, NOW).await.expect("the store"));
        assert_eq!(subjects(&store).await, [a]);
        assert_eq!(rotate("b1", "b2", NOW).await, rotated(b));
        // It is refused at its expiry.
        assert_eq!(rotate("b2", "b3", later).await, RefreshOutcome::Expired);
        let ended = store.end_sign_in_of(&hash("b1"), false, NOW).await.expect("the store").expect("a sign-in");
        assert_eq!(ended, EndedSignIns { human: human.id, sign_in: b, subjects: vec![b] });
        assert_eq!(rotate("b2", "b3", NOW).await, RefreshOutcome::Unknown);
        assert_eq!(store.end_sign_in_of(&hash("never"), true, NOW).await.expect("the store"), None);
        // All of them, and tokens without a sign-in.
        let c = Uuid::now_v7();
        store.add_sign_in(&sign_in("c1", c, human.id, later), NOW).await.expect("the store");
        let ended = store.end_all_sign_ins(human.id, NOW).await.expect("the store");
        assert_eq!(ended, [c, human.id.without_sign_in()]);
        assert_eq!(rotate("c1", "c2", NOW).await, RefreshOutcome::Unknown);
        assert!(!store.has_sign_in(human.id, c, NOW).await.expect("the store"));
    }

    async fn a_sign_in_ends_after_ninety_days(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let id = Uuid::now_v7();
        let day = |days: i64| NOW.plus_seconds(days * 86_400);
        store.add_sign_in(&sign_in("0", id, human.id, day(30)), NOW).await.expect("the store");
        for days in (20..=80).step_by(20) {
            let (old, next) = (hash(&(days - 20).to_string()), hash(&days.to_string()));
            let outcome = store.rotate_refresh_token(&old, &next, day(days + 30), day(days)).await.expect("the store");
            assert!(matches!(outcome, RefreshOutcome::Rotated { ends_at, .. } if ends_at == day(90)), "{outcome:?}");
        }
        assert!(store.has_sign_in(human.id, id, day(90).plus_millis(-1)).await.expect("the store"));
        assert!(!store.has_sign_in(human.id, id, day(90)).await.expect("the store"));
        let outcome = store.rotate_refresh_token(&hash("80"), &hash("x"), day(120), day(90)).await.expect("the store");
        assert_eq!(outcome, RefreshOutcome::Expired);
        assert_eq!(store.sign_ins(human.id, page(1, 9), day(90)).await.expect("the store").total, 0);
    }

    async fn sign_ins_are_scoped_to_their_human(store: Empty) {
        let space = store.space("one").await;
        let (human, other) = (store.human_named(&space, "h").await, store.human_named(&space, "other").await);
        let ids = [Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7()];
        for (seconds, id) in (0..).zip(ids) {
            let new = sign_in(&id.to_string(), id, human.id, NOW.plus_seconds(600));
            assert_eq!(store.add_sign_in(&new, NOW.plus_seconds(seconds)).await.expect("the store"), Some(vec![]));
        }
        let listed = store.sign_ins(human.id, page(1, 2), NOW).await.expect("the store");
        assert_eq!((listed.total, listed.data.iter().map(|found| found.id).collect::<Vec<_>>()), (3, vec![ids[2], ids[1]]));
        let first = &listed.data[0];
        assert_eq!((first.created_at, first.last_used_at), (NOW.plus_seconds(2), NOW.plus_seconds(2)));
        assert_eq!(first.user_agent.as_deref(), Some("a browser"));
        assert_eq!(store.sign_ins(other.id, page(1, 9), NOW).await.expect("the store").total, 0);
        for (human, id, ended) in [(other.id, ids[0], false), (human.id, ids[0], true), (human.id, ids[0], false)] {
            assert_eq!(store.end_sign_in(human, id, NOW).await.expect("the store"), ended);
        }
        assert!(!store.has_sign_in(other.id, ids[1], NOW).await.expect("the store"), "of another human");
        // A sign-in of the previous release has neither a beginning nor an end.
        let database = sql::Database::open(&store.url).await;
        database.execute("UPDATE refresh_families SET created_at = NULL, ends_at = NULL").await;
        let old = store.sign_ins(human.id, page(1, 9), NOW).await.expect("the store");
        assert_eq!(old.total, 2);
        assert_eq!(old.data[0].ends_at, old.data[0].created_at.plus_millis(SignIn::LASTS_MILLIS));
        assert!(store.has_sign_in(human.id, ids[1], NOW).await.expect("the store"));
    }

    async fn a_new_password_ends_every_other_sign_in(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.add_setup_token(&hash("spare"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert_eq!(store.human_of_setup_token(&hash("s"), NOW).await.expect("the store"), Some(human.id));
        assert_eq!(store.human_of_setup_token(&hash("s"), later).await.expect("the store"), None);
        store.choose_password(&hash("s"), "first", NOW).await.expect("the store").expect("chosen");
        assert_eq!(store.human_of_setup_token(&hash("s"), NOW).await.expect("the store"), None);
        let (kept, gone) = (Uuid::now_v7(), Uuid::now_v7());
        for id in [kept, gone] {
            let new = sign_in(&id.to_string(), id, human.id, later);
            // A wrong or outdated password has no effect.
            assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), None);
            let new = NewSignIn { password_hash: Some("first".to_owned()), ..new };
            assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), Some(vec![]));
        }
        let change = async |before, new, keep| {
            store.change_password(human.id, before, new, keep, NOW.plus_seconds(1)).await.expect("the store")
        };
        assert_eq!(change("not it", "second", Some(kept)).await, None);
        assert_eq!(change("first", "second", Some(kept)).await, Some(vec![gone, human.id.without_sign_in()]));
        let now = store.human(human.id).await.expect("the store").expect("active");
        assert_eq!((now.password_hash.as_deref(), now.tokens_valid_from), (Some("second"), Some(NOW.plus_seconds(1))));
        assert!(store.has_sign_in(human.id, kept, NOW).await.expect("the store"));
        assert!(!store.has_sign_in(human.id, gone, NOW).await.expect("the store"));
        assert_eq!(store.choose_password(&hash("spare"), "x", NOW).await.expect("the store"), None, "a link of before");
        // Without one to keep, all of them end, and the revocations are stored for every node.
        assert_eq!(change("second", "third", None).await, Some(vec![kept, human.id.without_sign_in()]));
        let revoked: HashSet<_> = subjects(&store).await.into_iter().collect();
        assert_eq!(revoked, HashSet::from([kept, gone, human.id.without_sign_in()]));
        // A link ends them too.
        let new = NewSignIn { password_hash: Some("third".to_owned()), ..sign_in("k", kept, human.id, later) };
        assert_eq!(store.add_sign_in(&new, NOW).await.expect("the store"), Some(vec![]));
        let mut tx = store.begin_directory().await.expect("a transaction");
        for token in ["old", "new"] {
            tx.void_setup_tokens(human.id).await.expect("the store");
            tx.add_setup_token(&hash(token), human.id, later).await.expect("the store");
        }
        tx.commit(None).await.expect("the store");
        assert_eq!(store.choose_password(&hash("old"), "x", NOW).await.expect("the store"), None);
        let chosen = store.choose_password(&hash("new"), "x", NOW).await.expect("the store").expect("chosen");
        assert_eq!(chosen.subjects, [kept, human.id.without_sign_in()]);
    }

    async fn one_of_concurrent_uses_of_a_refresh_token_succeeds(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        for uses in [2, 2, 2, 8, 8, 8, 8, 8] {
            let token = Uuid::now_v7().to_string();
            let id = Uuid::now_v7();
            store.add_sign_in(&sign_in(&token, id, human.id, later), NOW).await.expect("the store");
            let next: Vec<_> = (0..uses).map(|index| format!("{token} {index}")).collect();
            let raced = join_all(next.iter().map(|next| {
                let (store, old, next) = (Arc::clone(&store.store), hash(&token), hash(next));
                tokio::spawn(async move { store.rotate_refresh_token(&old, &next, later, NOW).await })
            }));
            let outcomes: Vec<_> = raced.await.into_iter().map(|raced| raced.expect("no panic")).collect();
            let is = |wanted: RefreshOutcome| outcomes.iter().filter(|o| o.as_ref().is_ok_and(|o| *o == wanted)).count();
            let ends_at = NOW.plus_millis(SignIn::LASTS_MILLIS);
            let reused = RefreshOutcome::Reused { human: human.id, sign_in: id };
            assert_eq!(is(RefreshOutcome::Rotated { human: human.id, sign_in: id, ends_at }), 1, "{outcomes:?}");
            // The second use ends the sign-in; to those after it the token is unknown.
            assert!(is(reused) >= 1, "{outcomes:?}");
            assert_eq!(is(reused) + is(RefreshOutcome::Unknown), uses - 1, "{outcomes:?}");
            for token in next {
                let outcome = store.rotate_refresh_token(&hash(&token), &hash("x"), later, NOW).await;
                assert_eq!(outcome.expect("the store"), RefreshOutcome::Unknown);
            }
        }
    }

    async fn a_setup_token_works_once(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert_eq!(store.choose_password(&hash("no"), "phc", NOW).await.expect("the store"), None);
        assert_eq!(store.choose_password(&hash("s"), "phc", later).await.expect("the store"), None);
        let password = async || store.human(human.id).await.expect("the store").expect("active").password_hash;
        assert_eq!(password().await, None);
        let chosen = join_all((0..8).map(|number| {
            let phc = format!("phc{number}");
            let store = &store;
            async move { store.choose_password(&hash("s"), &phc, NOW).await.expect("the store").map(|chosen| (chosen.human, phc)) }
        }));
        let chosen: Vec<_> = chosen.await.into_iter().flatten().collect();
        assert_eq!(chosen, [(human.id, password().await.expect("a password"))]);
        // A token of a deactivated human is not used up and has no effect.
        let space = store.space("two").await;
        let gone = store.human_named(&space, "gone").await;
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("g"), gone.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert!(store.deactivate_human(space.id, gone.id, NOW).await.expect("the store"));
        assert_eq!(store.choose_password(&hash("g"), "phc", NOW).await.expect("the store"), None);
    }

    /// Choosing a password is atomic: a crash in between leaves both parts undone.
    async fn a_failed_password_change_keeps_the_setup_token(store: Empty) {
        let human = store.human_named(&store.space("one").await, "h").await;
        let later = NOW.plus_seconds(60);
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        let database = sql::Database::open(&store.url).await;
        database.execute("ALTER TABLE humans RENAME COLUMN password_hash TO elsewhere").await;
        assert!(store.choose_password(&hash("s"), "phc", NOW).await.is_err());
        database.execute("ALTER TABLE humans RENAME COLUMN elsewhere TO password_hash").await;
        let chosen = store.choose_password(&hash("s"), "phc", NOW).await.expect("the store");
        assert_eq!(chosen.map(|chosen| chosen.human), Some(human.id));
    }
}
