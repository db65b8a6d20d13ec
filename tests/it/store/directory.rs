//! Spaces and agents.

use super::timeline_builder::TimelineBuilder;
use super::{NOW, key_of, page, revoker};
use futures::future::join_all;
use hiloop::domain::participant::MemberRef;
use hiloop::domain::{Permission, Scope, SpaceId};
use hiloop::store::NotRevoked;
use hiloop::testing::secret::hash;
use std::collections::HashSet;

on_both_stores! {
    async fn space_names_are_unique(store: Empty) {
        let (space, is_new) = store.ensure_space("one", NOW).await.expect("the store").expect("active");
        assert!(is_new);
        assert_eq!((space.name.as_str(), space.created_at), ("one", NOW));
        let (again, is_new) = store.ensure_space("one", NOW.plus_seconds(9)).await.expect("the store").expect("active");
        assert_eq!((again.id, again.created_at, is_new), (space.id, NOW, false));
        assert_eq!(store.space_by_name("one").await.expect("the store").expect("there").id, space.id);
        assert!(store.space_by_name("ONE").await.expect("the store").is_none());
        assert!(store.space_by_name("two").await.expect("the store").is_none());

        // Of concurrent creations one succeeds, and all return the same entry.
        let racers = join_all((0..8).map(|_| store.ensure_space("raced", NOW))).await;
        let racers: Vec<_> = racers.into_iter().map(|raced| raced.expect("the store").expect("active")).collect();
        assert_eq!(racers.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert_eq!(racers.iter().map(|(space, _)| space.id).collect::<HashSet<_>>().len(), 1);
    }

    async fn spaces_are_paged(store: Empty) {
        for index in 0..5 {
            store.space(&format!("s{index}")).await;
        }
        let second = store.spaces(page(2, 2)).await.expect("the store");
        let names: Vec<_> = second.data.iter().map(|space| space.name.as_str()).collect();
        assert_eq!((names, second.total, second.page, second.page_size), (vec!["s2", "s3"], 5, 2, 2));
        let beyond = store.spaces(page(4, 2)).await.expect("the store");
        assert_eq!((beyond.data.len(), beyond.total), (0, 5));
        let far = store.spaces(page(i64::MAX, 100)).await.expect("the store");
        assert_eq!((far.data.len(), far.total), (0, 5));
    }

    async fn deactivating_a_space_revokes_its_credentials(store: Empty) {
        let (space, other) = (store.space("gone").await, store.space("stays").await);
        let agent = store.agent_named(&space, "a").await;
        let human = store.human_named(&space, "h").await;
        store.create_key(&key_of(&space, Some(agent.id), "secret"), NOW).await.expect("the store");
        store.create_key(&key_of(&other, None, "other"), NOW).await.expect("the store");
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Member(space.id, human.id.into());
        assert!(store.session(scope, line.id()).await.expect("the store").is_some());

        let by = revoker(&other, Permission::Owner);
        let gone = store.deactivate_space(&by, space.id).await.expect("the store").expect("active");
        assert_eq!((gone.humans, gone.keys.len()), (vec![human.id], 1));
        for missing in [space.id, SpaceId::new()] {
            let refused = store.deactivate_space(&by, missing).await.expect("the store").expect_err("no such space");
            assert_eq!(refused, NotRevoked::Missing);
        }
        assert!(store.space_by_name("gone").await.expect("the store").is_none());
        let left = store.spaces(page(1, 10)).await.expect("the store");
        assert_eq!((left.total, left.data[0].id), (1, other.id));
        assert!(store.key_by_secret(&hash("secret")).await.expect("the store").is_none());
        assert!(store.guest_by_secret(&hash("token")).await.expect("the store").is_none());
        assert!(store.human_in_space(space.id, human.id).await.expect("the store").is_none());
        assert!(store.human(human.id).await.expect("the store").is_none());
        assert!(store.key_by_secret(&hash("other")).await.expect("the store").is_some());
    }

    async fn agent_names_are_unique_in_a_space(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, is_new) =
            store.ensure_agent(space.id, "bot", Some("it helps"), NOW).await.expect("the store").expect("active");
        assert!(is_new);
        assert_eq!((agent.space_id, agent.description.as_deref()), (space.id, Some("it helps")));
        assert_eq!((&agent.key, agent.created_at), (&None, NOW));
        let (again, is_new) =
            store.ensure_agent(space.id, "bot", Some("no"), NOW).await.expect("the store").expect("active");
        assert_eq!((again.id, again.description.as_deref(), is_new), (agent.id, Some("it helps"), false));
        let (twin, is_new) = store.ensure_agent(other.id, "bot", None, NOW).await.expect("the store").expect("active");
        assert!(is_new && twin.id != agent.id && twin.description.is_none());

        assert_eq!(store.agent(space.id, agent.id).await.expect("the store").expect("there").name, "bot");
        assert!(store.agent(other.id, agent.id).await.expect("the store").is_none());
        assert_eq!(store.agent_by_name(other.id, "bot").await.expect("the store").expect("there").id, twin.id);
        assert!(store.agent_by_name(space.id, "BOT").await.expect("the store").is_none());

        let racers = join_all((0..8).map(|_| store.ensure_agent(space.id, "raced", None, NOW))).await;
        let racers: Vec<_> = racers.into_iter().map(|raced| raced.expect("the store").expect("active")).collect();
        assert_eq!(racers.iter().filter(|(_, is_new)| *is_new).count(), 1);
        assert_eq!(racers.iter().map(|(agent, _)| agent.id).collect::<HashSet<_>>().len(), 1);

        for (by, there) in [(&other, false), (&space, true), (&space, false)] {
            let by = revoker(by, Permission::Manage);
            let ended = store.deactivate_agent(&by, agent.id).await.expect("the store");
            assert_eq!(ended.map(|revoked| revoked.keys), if there { Ok(vec![]) } else { Err(NotRevoked::Missing) });
        }
        assert!(store.agent(space.id, agent.id).await.expect("the store").is_none());
        assert!(store.agent_by_name(space.id, "bot").await.expect("the store").is_none());
        assert!(store.ensure_agent(space.id, "bot", None, NOW).await.expect("the store").is_none());
        assert!(store.agent(other.id, twin.id).await.expect("the store").is_some());
    }

    async fn named_members_are_found_only_in_their_space(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (bot, ann) = (store.agent_named(&space, "bot").await, store.human_named(&space, "ann").await);
        let (twin, eve) = (store.agent_named(&other, "bot").await, store.human_named(&other, "eve").await);
        let gone = store.agent_named(&space, "gone").await;
        store.deactivate_agent(&revoker(&space, Permission::Manage), gone.id).await.expect("the store").expect("active");
        let mut named = vec![
            MemberRef::AgentId(bot.id),
            MemberRef::AgentName("bot".to_owned()),
            MemberRef::HumanId(ann.id),
            MemberRef::HumanEmail("ann@example.org".to_owned()),
        ];
        let ids = [bot.id.0, bot.id.0, ann.id.0, ann.id.0];
        let there = named.clone();
        named.extend([
            MemberRef::AgentId(twin.id),
            MemberRef::AgentId(gone.id),
            MemberRef::AgentName("BOT".to_owned()),
            MemberRef::HumanId(eve.id),
            MemberRef::HumanEmail("eve@example.org".to_owned()),
        ]);
        // With a duplicate, and among many unknown names.
        named.extend(there.clone());
        named.extend((0..1000).map(|number| MemberRef::AgentName(format!("nobody-{number}"))));
        let found = store.members_named(space.id, &named).await.expect("the store");
        assert_eq!(found.len(), there.len());
        for (named, id) in there.iter().zip(ids) {
            assert_eq!(found[named].id.0, id, "{named:?}");
        }
        assert!(store.members_named(space.id, &[]).await.expect("the store").is_empty());
    }

    async fn agents_are_paged_by_space(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        for index in 0..5 {
            store.agent_named(&space, &format!("a{index}")).await;
        }
        let foreign = store.agent_named(&other, "foreign").await;
        let gone = store.agent_named(&space, "gone").await;
        let by = revoker(&space, Permission::Manage);
        store.deactivate_agent(&by, gone.id).await.expect("the store").expect("active");
        let last = store.agents(space.id, page(3, 2)).await.expect("the store");
        let names: Vec<_> = last.data.iter().map(|agent| agent.name.as_str()).collect();
        assert_eq!((names, last.total), (vec!["a4"], 5));
        let all = store.agents(other.id, page(1, 100)).await.expect("the store");
        assert_eq!((all.total, all.data[0].id), (1, foreign.id));
    }
}
