//! API keys: use, revocation and its cascade.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{NOW, key_of, page, revoker};
use futures::future::join_all;
use hiloop::domain::people::Space;
use hiloop::domain::{Author, KeyId, Permission, Scope, SpaceId};
use hiloop::store::{LockWait, NewKey, NotRevoked, StoreError, Uses};
use hiloop::testing::secret::hash;

on_both_stores! {
    async fn a_key_is_valid_until_it_is_revoked(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "bot").await;
        let new = NewKey {
            permission: Permission::Manage,
            expires_at: Some(NOW.plus_seconds(-1)),
            ..key_of(&space, Some(agent.id), "secret")
        };
        let key = store.create_key(&new, NOW).await.expect("the store");
        assert_eq!((key.space_id, key.permission, key.agent_id), (space.id, Permission::Manage, Some(agent.id)));
        assert_eq!((key.prefix.as_str(), key.expires_at, key.created_at), ("secr", new.expires_at, NOW));
        // The caller checks the expiry.
        let holder = store.key_by_secret(&hash("secret")).await.expect("the store").expect("known");
        assert_eq!((holder.id, holder.space, holder.permission), (key.id, space.id, Permission::Manage));
        assert_eq!((holder.agent, holder.expires_at), (Some((agent.id, "bot".to_owned())), new.expires_at));
        assert!(store.key_by_secret(&hash("wrong")).await.expect("the store").is_none());
        let twice = store.create_key(&key_of(&other, None, "secret"), NOW).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");

        for permission in Permission::ALL {
            let new = NewKey { permission: *permission, ..key_of(&space, None, permission.as_str()) };
            store.create_key(&new, NOW).await.expect("the store");
            let holder = store.key_by_secret(&new.hash).await.expect("the store").expect("known");
            assert_eq!((holder.permission, holder.agent), (*permission, None));
        }

        let revoke = async |space: &Space, permission, id| {
            store.revoke_key(&revoker(space, permission), id, false).await.expect("the store").map(|done| done.keys)
        };
        assert_eq!(revoke(&other, Permission::Owner, key.id).await, Err(NotRevoked::Missing));
        assert_eq!(revoke(&space, Permission::Owner, KeyId::new()).await, Err(NotRevoked::Missing));
        assert_eq!(revoke(&space, Permission::Space, key.id).await, Err(NotRevoked::AbovePermission));
        assert_eq!(revoke(&space, Permission::Manage, key.id).await, Ok(vec![key.id]));
        assert_eq!(revoke(&space, Permission::Manage, key.id).await, Err(NotRevoked::Missing));
        let revoked = store.revoked_since(NOW).await.expect("the store");
        assert_eq!(revoked.iter().filter(|(_, subject)| *subject == key.id.0).count(), 1, "recorded once: {revoked:?}");
        assert!(store.revoked_since(NOW.plus_millis(1)).await.expect("the store").is_empty());
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());
        let listed = store.keys(space.id, page(2, 2)).await.expect("the store");
        let listed_as: Vec<_> = listed.data.iter().map(|key| key.permission).collect();
        assert_eq!((listed_as, listed.total), (vec![Permission::Space, Permission::Manage], 5));
        assert_eq!(store.keys(other.id, page(1, 10)).await.expect("the store").total, 0);
    }

    async fn deactivating_an_agent_ends_its_keys(store: Empty) {
        let space = store.space("one").await;
        let (agent, other) = (store.agent_named(&space, "bot").await, store.agent_named(&space, "other").await);
        let key = store.create_key(&key_of(&space, Some(agent.id), "a"), NOW).await.expect("the store");
        store.create_key(&key_of(&space, Some(other.id), "b"), NOW).await.expect("the store");
        let by = revoker(&space, Permission::Manage);
        let ended = store.deactivate_agent(&by, agent.id).await.expect("the store").expect("active");
        assert_eq!(ended.keys, [key.id]);
        assert!(store.key_by_secret(&hash("a")).await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("b")).await.expect("the store").is_some());
        let revoked: Vec<_> = store.revoked_since(NOW).await.expect("the store").into_iter().map(|(_, id)| id).collect();
        assert!(revoked.contains(&key.id.0) && revoked.contains(&agent.id.0), "{revoked:?}");
        // A key that was created concurrently is revoked too.
        store.create_key(&key_of(&space, Some(agent.id), "late"), NOW).await.expect("the store");
        assert!(store.key_by_secret(&hash("late")).await.expect("the store").is_none());
    }

    async fn a_cascade_revokes_all_descendants_or_none(store: Empty) {
        let space = store.space("one").await;
        let made_by = async |creator: Option<KeyId>, permission, secret: &str| {
            let new = NewKey { permission, created_by_key: creator, ..key_of(&space, None, secret) };
            store.create_key(&new, NOW).await.expect("the store").id
        };
        let owner = made_by(None, Permission::Owner, "owner").await;
        let root = made_by(Some(owner), Permission::Manage, "root").await;
        let child = made_by(Some(root), Permission::Manage, "child").await;
        let grandchild = made_by(Some(child), Permission::Agent, "grandchild").await;
        let mut line = TimelineBuilder::new(&space, &[]);
        line.invite_by("g", "token", Author { key_id: Some(grandchild), ..Author::command_line() });
        line.save(&store).await;
        let manager = revoker(&space, Permission::Manage);

        // Without a cascade its descendants stay valid, and a later cascade finds them through it.
        let alone = store.revoke_key(&manager, child, false).await.expect("the store").expect("active");
        assert_eq!((alone.keys, alone.guests.len()), (vec![child], 0));
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_some());
        let refused = store.revoke_key(&manager, owner, true).await.expect("the store").expect_err("above");
        assert_eq!(refused, NotRevoked::AbovePermission);
        assert!(store.key_by_secret(&hash("root")).await.expect("the store").is_some());
        let all = store.revoke_key(&manager, root, true).await.expect("the store").expect("active");
        assert_eq!(all.keys, [root, grandchild]);
        assert_eq!(all.guests.iter().map(|guest| guest.session).collect::<Vec<_>>(), [line.id()]);
        for secret in ["root", "child", "grandchild"] {
            assert!(store.key_by_secret(&hash(secret)).await.expect("the store").is_none(), "{secret}");
        }
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        // A cascade of a revoked key succeeds while it has valid descendants.
        let again = store.revoke_key(&manager, root, true).await.expect("the store").expect_err("nothing is left");
        assert_eq!(again, NotRevoked::Missing);
        let late = made_by(Some(grandchild), Permission::Agent, "late").await;
        let rest = store.revoke_key(&manager, root, true).await.expect("the store").expect("one is left");
        assert_eq!(rest.keys, [late]);

        let mut tx = store.begin_directory().await.expect("the store");
        assert!(tx.hold_key(owner).await.expect("the store"));
        assert!(!tx.hold_key(root).await.expect("the store"));
        drop(tx);
        let mut tx = store.begin(LockWait::Long).await.expect("the store");
        tx.lock_sessions(&[(space.id, line.id())]).await.expect("the store");
        assert_eq!(tx.count_guests(line.id()).await.expect("the store"), 1);
        assert!(!tx.hold_key(child).await.expect("the store"));
    }

    async fn the_last_owner_key_is_not_revoked(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&other, "bot").await;
        let owner_of = async |space: &Space, agent, expires_at, secret: &str| {
            let new = NewKey { permission: Permission::Owner, expires_at, ..key_of(space, agent, secret) };
            store.create_key(&new, NOW).await.expect("the store").id
        };
        let first = owner_of(&space, None, None, "first").await;
        let expired = owner_of(&space, None, Some(NOW), "expired").await;
        let revoke = async |id| {
            let by = revoker(&space, Permission::Owner);
            store.revoke_key(&by, id, false).await.expect("the store").map(|done| done.keys)
        };
        assert_eq!(revoke(first).await, Err(NotRevoked::LastOwner), "one that has expired does not count");
        assert_eq!(revoke(expired).await, Ok(vec![expired]));
        let second = owner_of(&other, Some(agent.id), None, "second").await;
        assert_eq!(revoke(first).await, Ok(vec![first]));
        let by = revoker(&other, Permission::Owner);
        let refused = store.deactivate_agent(&by, agent.id).await.expect("the store").expect_err("its agent");
        assert_eq!(refused, NotRevoked::LastOwner);
        let by_space = revoker(&space, Permission::Owner);
        let refused = store.deactivate_space(&by_space, other.id).await.expect("the store").expect_err("its space");
        assert_eq!(refused, NotRevoked::LastOwner);
        assert!(store.agent(other.id, agent.id).await.expect("the store").is_some());
        let holder = store.key_by_secret(&hash("second")).await.expect("the store").expect("it stands");
        assert_eq!(holder.id, second);

        // Of owner keys that revoke each other concurrently, one stays.
        let mut keys = vec![second];
        for number in 0..5 {
            keys.push(owner_of(&other, None, None, &format!("racer {number}")).await);
        }
        let racing = join_all(keys.iter().map(|id| store.revoke_key(&by, *id, false))).await;
        let outcomes: Vec<_> = racing.into_iter().map(|raced| raced.expect("the store")).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), keys.len() - 1);
        let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
        assert_eq!(refused, [NotRevoked::LastOwner]);
    }

    async fn the_last_use_is_recorded_and_never_decreases(store: Empty) {
        let space = store.space("one").await;
        let key = store.create_key(&key_of(&space, None, "secret"), NOW).await.expect("the store");
        let mut line = TimelineBuilder::new(&space, &[]);
        let guest = line.invite("g", "token").1.guest_id.expect("a guest");
        line.save(&store).await;
        assert_eq!(key.last_used_at, None);
        let later = NOW.plus_seconds(60);
        for (at, last) in [(NOW, NOW), (later, later), (NOW, later)] {
            let uses = Uses { keys: vec![(key.id, at)], guests: vec![(guest, at)] };
            store.note_uses(&uses).await.expect("the store");
            let listed = store.keys(space.id, page(1, 10)).await.expect("the store");
            assert_eq!(listed.data[0].last_used_at, Some(last));
            let scope = Scope::Space(space.id);
            let guests = store.guests(scope, line.id(), page(1, 10)).await.expect("the store").expect("in scope");
            assert_eq!((guests.total, guests.data[0].last_used_at), (1, Some(last)));
            assert_eq!(guests.data[0].created_by, Some(Author::command_line()));
        }
        let elsewhere = Scope::Space(SpaceId::new());
        assert!(store.guests(elsewhere, line.id(), page(1, 10)).await.expect("the store").is_none());
    }
}
