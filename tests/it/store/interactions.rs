//! Interactions and their blocks.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{NOW, page};
use hiloop::domain::change::Change;
use hiloop::domain::session::SessionPatch;
use hiloop::domain::{Actor, AgentId, Envelope, MessageStatus, Scope, SessionId};
use hiloop::store::{Acknowledged, LockWait, Moment, WriteSet};
use serde_json::json;

on_both_stores! {
    async fn interactions_are_filtered_by_status_and_sorted_by_activity(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut lines = Vec::new();
        for index in 0..5 {
            TimelineBuilder::new(&space, std::slice::from_ref(&agent)).save(&store).await;
            let mut line = TimelineBuilder::new(&space, std::slice::from_ref(&agent));
            line.at = NOW.plus_seconds(index);
            let asked = line.asks(&agent, &format!("i{index}"));
            line.save(&store).await;
            lines.push((line, asked));
        }
        let (line, asked) = &mut lines[1];
        line.at = NOW.plus_seconds(100);
        line.push_blocks(&agent, asked.id, "one");
        line.push_blocks(&agent, asked.id, "two");
        line.save(&store).await;
        let (line, asked) = &mut lines[2];
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let (line, asked) = &mut lines[3];
        line.cancel(&agent, asked.id);
        line.append(Change::SessionArchived, &Actor::system());
        line.save(&store).await;

        let scope = Scope::Member(space.id, agent.id);
        let kinds = async |status, request| -> (Vec<String>, i64) {
            let found = store.interactions(scope, status, request).await.expect("the store");
            let taken = store.interactions_of(scope, &found.data, i64::MAX).await.expect("the store");
            assert_eq!(taken.count, found.data.len());
            (taken.data.into_iter().map(|interaction| interaction.kind).collect(), found.total)
        };
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(kinds(None, page(1, 10)).await, (own(&["i1", "i4", "i2", "i0"]), 4));
        assert_eq!(kinds(None, page(2, 3)).await, (own(&["i0"]), 4));
        assert_eq!(kinds(Some(MessageStatus::Pending), page(1, 10)).await, (own(&["i1", "i4", "i0"]), 3));
        assert_eq!(kinds(Some(MessageStatus::Cancelled), page(1, 10)).await, (own(&["i2"]), 1));
        assert_eq!(kinds(Some(MessageStatus::Expired), page(1, 10)).await, (own(&[]), 0));
        let ids = store.interactions(scope, None, page(1, 10)).await.expect("the store").data;
        let first = store.interactions_of(scope, &ids, 1).await.expect("the store");
        assert_eq!((first.count, first.data.len()), (1, 1), "one always comes");
        let first = &first.data[0];
        let gone = store.interactions_of(scope, &[SessionId::new(), ids[0]], i64::MAX).await.expect("the store");
        assert_eq!((gone.count, gone.data[0].id, gone.data.len()), (2, ids[0], 1));
        let alone = store.interaction(scope, lines[1].0.id(), Moment::Now).await.expect("the store").expect("there");
        assert_eq!(json!(first), json!(alone));
        let blocks: Vec<_> = first.blocks.iter().map(Envelope::as_str).collect();
        assert_eq!(blocks, [r#"{"ciphertext":"one","wrappings":[]}"#, r#"{"ciphertext":"two","wrappings":[]}"#]);
    }

    async fn an_interaction_can_be_read_as_of_an_event(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await.member(), store.human_named(&space, "h").await.member());
        let mut line = TimelineBuilder::new(&space, &[agent.clone(), human.clone()]);
        let asked = line.asks(&agent, "approval");
        line.save(&store).await;
        line.at = NOW.plus_seconds(1);
        let first = line.push_blocks(&agent, asked.id, "one");
        line.session.title = Some("Named".to_owned());
        line.append(Change::SessionUpdated(SessionPatch::default()), &agent.actor());
        line.at = NOW.plus_seconds(2);
        let answer = line.answer(&human, asked.id, "!");
        line.at = NOW.plus_seconds(3);
        let taken = line.acknowledge(&agent, asked.id);
        line.push_blocks(&agent, asked.id, "two");
        line.save(&store).await;

        let scope = Scope::Space(space.id);
        let read = async |at| store.interaction(scope, line.id(), at).await.expect("the store").expect("there");
        let now = read(Moment::Now).await;
        assert_eq!((now.id, now.session_id, now.message_id), (line.id(), line.id(), asked.id));
        assert_eq!((now.kind.as_str(), now.title.as_deref(), now.status), ("approval", Some("Named"), MessageStatus::Completed));
        assert_eq!((now.agent_id, now.created_at, now.updated_at), (Some(AgentId(agent.id.0)), NOW, line.at));
        assert_eq!((now.acknowledged_at, now.blocks.len()), (Some(line.at), 2));
        assert_eq!(now.response.as_ref().map(|response| response.message_id), Some(answer.id));
        assert_eq!(json!(read(Moment::Seq(line.session.last_seq)).await), json!(now));
        let acknowledged = read(Moment::Seq(taken)).await;
        assert_eq!((acknowledged.acknowledged_at, acknowledged.blocks.len()), (Some(line.at), 1));
        let settled = read(Moment::Settled).await;
        assert_eq!((settled.acknowledged_at, settled.status), (None, MessageStatus::Completed));
        assert_eq!((settled.updated_at, settled.response.is_some()), (NOW.plus_seconds(2), true));
        let before = read(Moment::Seq(first)).await;
        assert_eq!((before.status, before.title.as_deref()), (MessageStatus::Pending, None));
        assert_eq!((before.updated_at, before.blocks.len()), (NOW.plus_seconds(1), 1));
        assert!(before.response.is_none());
        assert_eq!(read(Moment::Seq(2)).await.blocks.len(), 0);

        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let state = tx.interaction(line.id()).await.expect("the store").expect("there");
        assert_eq!((state.message, state.blocks), (asked.id, 2));
        let taken = tx.message_states(&[(line.id(), asked.id)]).await.expect("the store");
        assert_eq!((taken[0].status, taken[0].acknowledged_at), (MessageStatus::Completed, Some(line.at)));
        let mut bytes = 0;
        for seq in [first, line.session.last_seq] {
            let one = store.events_after(scope, line.id(), seq - 1, 1, 1).await.expect("the store").expect("there");
            bytes += one.events[0].text.len();
        }
        assert_eq!(state.block_bytes, i64::try_from(bytes).expect("few"));
        assert_eq!(tx.interaction(SessionId::new()).await.expect("the store"), None);
        // Its outcome is acknowledged once.
        let again = Acknowledged { session: line.id(), message: asked.id, seq: 99, at: NOW };
        let again = WriteSet { acknowledged: vec![again], ..WriteSet::default() };
        assert!(tx.apply(again).await.is_err());
    }
}
