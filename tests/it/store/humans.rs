//! Humans and their identities at outside issuers.

use super::{NOW, new_human, page, sign_in};
use crate::support::sql;
use futures::future::join_all;
use hiloop::domain::people::{Role, Space};
use hiloop::domain::{HumanId, SpaceId};
use hiloop::store::{FormerHumans, NewHuman, RefreshOutcome};
use hiloop::testing::secret::hash;
use uuid::Uuid;

on_both_stores! {
    async fn a_human_belongs_to_one_space(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let new = NewHuman { password_hash: Some("phc"), role: Role::Admin, ..new_human(one.id, "h@example.org", "First") };
        let human = store.create(&new).await.expect("new");
        assert_eq!((human.email.as_str(), human.name.as_str(), human.created_at), ("h@example.org", "First", NOW));
        assert_eq!((human.space_id, human.role, human.password_hash.as_deref()), (one.id, Role::Admin, Some("phc")));
        assert_eq!((&human.key, human.tokens_valid_from), (&None, None));
        assert!(store.create(&new_human(one.id, "h@example.org", "Second")).await.is_none(), "taken");
        // The same address in another space is another human.
        let twin = store.create(&new_human(two.id, "h@example.org", "Twin")).await.expect("new");
        assert!(twin.id != human.id && twin.email == human.email);
        assert_eq!((twin.space_id, twin.name.as_str(), twin.role, twin.password_hash), (two.id, "Twin", Role::Member, None));

        assert_eq!(store.human(human.id).await.expect("the store").expect("active").email, "h@example.org");
        assert!(store.human(HumanId::new()).await.expect("the store").is_none());
        let at = async |space: &Space| store.human_by_address(space.id, "h@example.org").await.expect("the store");
        assert_eq!(at(&one).await.expect("active").id, human.id);
        assert_eq!(at(&two).await.expect("active").id, twin.id);
        assert!(store.human_by_address(one.id, "other@example.org").await.expect("the store").is_none());
        let of = async |limit| -> Vec<HumanId> {
            let found = store.humans_by_address("h@example.org", limit).await.expect("the store");
            found.into_iter().map(|human| human.id).collect()
        };
        assert_eq!((of(8).await, of(1).await), (vec![human.id, twin.id], vec![human.id]));
        assert!(store.human_in_space(two.id, twin.id).await.expect("the store").is_some());
        assert!(store.human_in_space(one.id, twin.id).await.expect("the store").is_none());

        // A space can't deactivate entries of another.
        assert!(!store.deactivate_human(two.id, human.id, NOW).await.expect("the store"));
        assert!(store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert!(!store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert!(!store.deactivate_human(one.id, HumanId::new(), NOW).await.expect("the store"));
        assert!(store.human(human.id).await.expect("the store").is_none());
        assert!(at(&one).await.is_none());
        assert_eq!(of(8).await, [twin.id]);
        assert_eq!(at(&two).await.expect("active").name, "Twin");
    }

    async fn the_address_of_a_deactivated_human_is_free(store: Empty) {
        let space = store.space("one").await;
        let human = store.create(&new_human(space.id, "h@example.org", "First")).await.expect("new");
        let later = NOW.plus_seconds(60);
        store.add_sign_in(&sign_in("r", Uuid::now_v7(), human.id, later), NOW).await.expect("the store");
        let mut tx = store.begin_directory().await.expect("a transaction");
        tx.add_setup_token(&hash("s"), human.id, later).await.expect("the store");
        tx.commit(None).await.expect("the store");
        assert!(store.deactivate_human(space.id, human.id, NOW).await.expect("the store"));

        let mut before = human.id;
        for round in 0..3 {
            let again = store.create(&new_human(space.id, "h@example.org", "Second")).await.expect("new");
            assert!(again.id != before && again.id != human.id, "{round}");
            assert_eq!((again.name.as_str(), again.key, again.password_hash), ("Second", None, None));
            before = again.id;
            assert!(store.deactivate_human(space.id, again.id, NOW).await.expect("the store"));
        }
        let outcome = store.rotate_refresh_token(&hash("r"), &hash("n"), later, NOW).await.expect("the store");
        assert_eq!(outcome, RefreshOutcome::Unknown);
        assert_eq!(store.choose_password(&hash("s"), "phc", NOW).await.expect("the store"), None);
    }

    /// A node of the version before reads `memberships`, and `humans.email` as one over all spaces.
    async fn new_humans_are_visible_to_the_previous_release(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let human = store.create(&new_human(one.id, "h@example.org", "First")).await.expect("new");
        let twin = store.create(&new_human(two.id, "h@example.org", "Twin")).await.expect("new");
        let database = sql::Database::open(&store.url).await;
        let legacy = async |email: &str| {
            let text = format!(
                "SELECT COUNT(*) FROM humans h JOIN memberships m ON m.human_id = h.id AND m.space_id = h.space_id \
                 WHERE h.email = '{email}' AND h.deactivated_at IS NULL"
            );
            database.number(&text).await
        };
        assert_eq!(legacy("h@example.org").await, 1);
        assert_eq!(legacy(&format!("h@example.org#{}", twin.id)).await, 1);
        assert!(store.deactivate_human(one.id, human.id, NOW).await.expect("the store"));
        assert_eq!(legacy("h@example.org").await, 0);
        store.create(&new_human(one.id, "h@example.org", "Next")).await.expect("new");
        assert_eq!(legacy("h@example.org").await, 1);
    }

    async fn one_of_concurrent_creations_of_a_human_succeeds(store: Empty) {
        let space = store.space("one").await;
        let other = store.space("two").await;
        let new = [new_human(space.id, "r@example.org", "R"), new_human(other.id, "r@example.org", "R")];
        let made = join_all((0..16).map(|index| store.create(&new[index % 2]))).await;
        assert_eq!(made.into_iter().flatten().count(), 2, "one a space");
        for space in [&space, &other] {
            assert_eq!(store.humans(space.id, page(1, 10)).await.expect("the store").total, 1);
        }
    }

    async fn humans_are_paged_or_read_completely(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        for index in 0..5 {
            store.human_named(&space, &format!("h{index}")).await;
        }
        store.human_named(&other, "foreign").await;
        let second = store.humans(space.id, page(2, 3)).await.expect("the store");
        let names: Vec<_> = second.data.iter().map(|human| human.name.as_str()).collect();
        assert_eq!((names, second.total), (vec!["h3", "h4"], 5));
        assert_eq!(store.all_humans(space.id, 5).await.expect("the store").expect("five").len(), 5);
        assert!(store.all_humans(space.id, 4).await.expect("the store").is_none());
        assert_eq!(store.all_humans(SpaceId::new(), 0).await.expect("the store").expect("none").len(), 0);
    }

    async fn an_external_identity_belongs_to_one_human(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let human = store.human_named(&space, "h").await;
        let who = async |issuer: &str, subject: &str| {
            let found = store.external_identity(issuer, subject).await.expect("the store");
            found.map(|found| (found.human, found.active.map(|human| human.id)))
        };
        assert!(store.add_external_identity("iss", "sub", human.id, NOW).await.expect("the store"));
        assert!(!store.add_external_identity("iss", "sub", HumanId::new(), NOW).await.is_ok_and(|added| added));
        assert_eq!(who("iss", "sub").await, Some((human.id, Some(human.id))));
        for (issuer, subject) in [("iss", "Sub"), ("", "sub"), ("iss2", "sub")] {
            assert_eq!(who(issuer, subject).await, None);
        }
        let former = async |space: &Space, issuer: &str| {
            store.former_humans(space.id, "h@example.org", issuer).await.expect("the store")
        };
        assert_eq!(former(&space, "iss").await, FormerHumans::default());
        assert!(store.deactivate_human(space.id, human.id, NOW).await.expect("the store"));
        assert_eq!(who("iss", "sub").await, Some((human.id, None)));
        assert_eq!(former(&space, "iss").await, FormerHumans { any: true, unknown_to_issuer: false });
        assert_eq!(former(&space, "other").await, FormerHumans { any: true, unknown_to_issuer: true });
        assert_eq!(former(&other, "iss").await, FormerHumans::default());
        // The next human with the address is another one, who can be linked by a new token.
        let next = store.human_named(&space, "h").await;
        assert!(!store.move_external_identity("iss", "sub", next.id, human.id).await.expect("the store"));
        assert!(store.move_external_identity("iss", "sub", human.id, next.id).await.expect("the store"));
        assert_eq!(who("iss", "sub").await, Some((next.id, Some(next.id))));
        // Rolled back with the human.
        let mut tx = store.begin_directory().await.expect("a transaction");
        let lost = tx.create_human(&new_human(space.id, "lost@example.org", "L"), NOW).await.expect("the store");
        let lost = lost.expect("new");
        assert!(tx.add_external_identity("iss", "lost", lost.id, NOW).await.expect("the store"));
        assert_eq!(tx.human(space.id, lost.id).await.expect("the store").expect("there").id, lost.id);
        assert!(tx.human(other.id, lost.id).await.expect("the store").is_none());
        drop(tx);
        assert_eq!(who("iss", "lost").await, None);
    }

    async fn a_human_has_one_subject_per_issuer(store: Empty) {
        let space = store.space("one").await;
        let (human, other) = (store.human_named(&space, "h").await, store.human_named(&space, "o").await);
        let subjects: Vec<_> = (0..8).map(|number| number.to_string()).collect();
        let added = join_all(subjects.iter().map(|subject| store.add_external_identity("iss", subject, human.id, NOW)));
        let added: Vec<_> = added.await.into_iter().map(|added| added.expect("the store")).collect();
        assert_eq!(added.iter().filter(|added| **added).count(), 1, "{added:?}");
        assert!(store.add_external_identity("iss2", "0", human.id, NOW).await.expect("the store"), "another issuer");
        assert!(store.add_external_identity("iss", "other", other.id, NOW).await.expect("the store"));
        assert!(!store.move_external_identity("iss", "other", other.id, human.id).await.expect("the store"));
        assert!(store.deactivate_human(space.id, other.id, NOW).await.expect("the store"));
        assert!(!store.add_external_identity("iss", "late", other.id, NOW).await.expect("the store"), "not active");
    }

    async fn an_unverified_address_is_not_reserved(store: Empty) {
        let (space, elsewhere) = (store.space("one").await, store.space("two").await);
        let claim = async |space: &Space, email: &str| {
            let mut tx = store.begin_directory().await.expect("a transaction");
            let human = tx.create_human(&new_human(space.id, email, "C"), NOW).await.expect("the store").expect("new");
            tx.free_address(&human).await.expect("the store");
            tx.commit(None).await.expect("the store");
            let found = store.human(human.id).await.expect("the store").expect("active");
            assert_eq!((found.email.as_str(), found.email_verified), (email, false));
            found
        };
        let (first, second) = (claim(&space, "c@example.org").await, claim(&space, "c@example.org").await);
        assert!(store.human_by_address(space.id, "c@example.org").await.expect("the store").is_none());
        assert!(store.humans_by_address("c@example.org", 8).await.expect("the store").is_empty());
        assert_eq!(store.all_humans(space.id, 9).await.expect("the store").map(|humans| humans.len()), Some(2));
        // One of them has it in the end.
        let verified = join_all([&first, &second].map(|human| store.verify_address(human, "c@example.org"))).await;
        let verified: Vec<_> = verified.into_iter().map(|verified| verified.expect("the store")).collect();
        assert_eq!(verified.iter().filter(|verified| **verified).count(), 1, "{verified:?}");
        let holder = store.human_by_address(space.id, "c@example.org").await.expect("the store").expect("found");
        assert!(holder.email_verified && [first.id, second.id].contains(&holder.id));
        for human in [&first, &second] {
            assert!(!store.verify_address(human, "c@example.org").await.expect("the store"));
        }
        // Only its own space is searched.
        let there = claim(&elsewhere, "c@example.org").await;
        assert!(store.verify_address(&there, "c@example.org").await.expect("the store"));
        // A deactivated human has no reserved address, and gets none.
        let gone = claim(&space, "gone@example.org").await;
        assert!(store.deactivate_human(space.id, gone.id, NOW).await.expect("the store"));
        assert!(!store.verify_address(&gone, "gone@example.org").await.expect("the store"));
        let former = store.former_humans(space.id, "gone@example.org", "iss").await.expect("the store");
        assert_eq!(former, FormerHumans::default());
    }
}
