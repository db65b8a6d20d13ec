//! Counts and sizes that the limits of a space are compared with.

use super::timeline_builder::TimelineBuilder;
use super::{NOW, page, revoker};
use crate::support::sql;
use futures::future::join_all;
use hiloop::domain::{Permission, SpaceId};
use hiloop::store::SpaceSize;

on_both_stores! {
    async fn the_bytes_of_a_space_are_counted(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let bot = store.agent_named(&space, "bot").await;
        let mut bytes = 0;
        let mut lines = vec![TimelineBuilder::new(&space, &[bot.member()]), TimelineBuilder::new(&space, &[])];
        for line in &mut lines {
            for _ in 0..2 {
                line.post(&bot.member(), "x", None);
                bytes += line.writes.events.iter().map(|event| event.text.len()).sum::<usize>();
                line.save(&store).await;
            }
        }
        let bytes = i64::try_from(bytes).expect("few");
        let mut elsewhere = TimelineBuilder::new(&other, &[]);
        elsewhere.save(&store).await;
        let size = async || {
            let empty = SpaceId::new();
            let sizes = store.space_bytes(&[space.id, empty, other.id]).await.expect("the store");
            assert_eq!(sizes.len(), 2, "{sizes:?}");
            *sizes.iter().find(|size| size.space == space.id).expect("it")
        };
        assert_eq!(size().await, SpaceSize { space: space.id, bytes, is_partial: false });
        assert!(store.space_bytes(&[]).await.expect("the store").is_empty());
        assert!(!store.count_session_bytes(space.id, 10).await.expect("the store"));
        // As the previous release has written them.
        sql::Database::open(&store.url).await.execute("UPDATE sessions SET bytes = NULL").await;
        assert_eq!(size().await, SpaceSize { space: space.id, bytes: 0, is_partial: true });
        while store.count_session_bytes(space.id, 1).await.expect("the store") {}
        assert_eq!(size().await, SpaceSize { space: space.id, bytes, is_partial: false });
    }

    async fn quota_checks_of_a_space_are_serialised(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let by = revoker(&space, Permission::Manage);
        let gone = store.agent_named(&space, "gone").await;
        store.deactivate_agent(&by, gone.id).await.expect("the store").expect("active");
        store.agent_named(&other, "elsewhere").await;
        store.human_named(&other, "elsewhere").await;
        let add = async |number: usize| {
            let mut tx = store.begin_directory().await.expect("the store");
            tx.ensure_agent(space.id, &format!("agent-{number}"), None, NOW).await.expect("the store");
            assert_eq!(tx.count_humans(space.id).await.expect("the store"), 0);
            let count = tx.count_agents(space.id).await.expect("the store");
            if count <= 3 {
                tx.commit(None).await.expect("the store");
            }
            count <= 3
        };
        let added = join_all((0..8).map(add)).await;
        assert_eq!(added.iter().filter(|added| **added).count(), 3);
        assert_eq!(store.agents(space.id, page(1, 10)).await.expect("the store").total, 3);
    }
}
