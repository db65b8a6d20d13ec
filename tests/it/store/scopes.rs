//! Scopes: a query returns rows of its own space and its own sessions only.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{NOW, page};
use hiloop::domain::{
    AuditEntry, AuditEvent, AuditSource, AuditTarget, AuditTargetType, Author, HumanId, KeyId, PrincipalId, Scope,
    SpaceId, Timestamp,
};
use hiloop::protocol::page::PageRequest;
use hiloop::store::{Listed, LockWait, Moment};

on_both_stores! {
    async fn audit_entries_are_scoped_by_space(store: Empty) {
        let (a, b) = (store.space("a").await, store.space("b").await);
        let entry = |space: Option<SpaceId>, at: Timestamp| {
            let source = AuditSource { origin: Some("203.0.113.7".to_owned()), request_id: Some("r".to_owned()) };
            AuditEntry::new(AuditEvent::KeyCreated, space, &source, at)
        };
        let human = HumanId::new();
        let target = AuditTarget::new(AuditTargetType::Human, human, "Ann");
        let first = entry(Some(a.id), NOW).by(Author::command_line()).on(target);
        let failed = entry(None, NOW.plus_millis(1)).failed();
        let second = entry(Some(a.id), NOW.plus_millis(2)).by(Author::provisioner(KeyId::new()));
        store.add_audit_entries(&[first.clone(), failed.clone(), entry(Some(b.id), NOW)]).await.expect("the store");
        let mut tx = store.begin_directory().await.expect("the store");
        tx.audit(second.clone()).await.expect("the store");
        tx.commit(None).await.expect("the store");
        let mut lost = store.begin_directory().await.expect("the store");
        lost.audit(entry(Some(a.id), NOW)).await.expect("the store");
        drop(lost);

        let list = async |with_hub, after, at: PageRequest| {
            store.audit_entries(a.id, with_hub, after, at).await.expect("the store")
        };
        let all = list(false, None, page(1, 10)).await;
        assert_eq!((all.total, all.data), (2, vec![first.clone(), second.clone()]));
        let all = list(true, None, page(1, 10)).await;
        assert_eq!((all.total, all.data), (3, vec![first.clone(), failed.clone(), second.clone()]));
        assert_eq!(list(true, None, page(2, 2)).await.data, std::slice::from_ref(&second));
        assert_eq!(list(true, Some(first.id), page(1, 10)).await.data, [failed.clone(), second.clone()]);
        assert_eq!(list(true, None, page(i64::MAX, 100)).await.data, []);
        // An existing entry gets the new target.
        let counted = failed.on(AuditTarget { attempts: Some(7), ..AuditTarget::new(AuditTargetType::Human, human, "Ann") });
        store.add_audit_entries(std::slice::from_ref(&counted)).await.expect("the store");
        assert_eq!(list(true, Some(first.id), page(1, 1)).await.data, [counted]);

        let later = NOW.plus_millis(2);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 2);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 1);
        assert_eq!(store.prune_audit(later, 2).await.expect("the store"), 0);
        assert_eq!(list(true, None, page(1, 10)).await.data, [second]);
    }

    async fn no_query_returns_rows_outside_its_scope(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "a").await;
        let outsider = store.agent_named(&space, "outsider").await;
        let foreigner = store.agent_named(&other, "foreigner").await;
        let human = store.human_named(&space, "h").await;
        let bystander = store.human_named(&space, "bystander").await;
        let stranger = store.human_named(&other, "stranger").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        let (guest, _) = line.invite("g", "token");
        let message = line.asks(&agent.member(), "approval");
        line.save(&store).await;
        let mut elsewhere = TimelineBuilder::new(&space, &[outsider.member()]);
        let (visitor, _) = elsewhere.invite("v", "visitor");
        elsewhere.save(&store).await;
        let id = line.id();

        let inside = [
            (Scope::Space(space.id), PrincipalId::from(agent.id)),
            (Scope::Member(space.id, agent.id.into()), agent.id.into()),
            (Scope::Member(space.id, human.id.into()), human.id.into()),
            (Scope::Member(space.id, guest.id), guest.id),
        ];
        for (scope, who) in inside {
            assert!(store.session(scope, id).await.expect("the store").is_some(), "{scope:?}");
            let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store");
            assert!(listed.data.iter().any(|listed| listed.session.id == id), "{scope:?}");
            let large = Listed { session: line.session.clone(), left_out: 1 };
            let taken = store.sessions_of(scope, &[&large], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            assert_eq!(store.feed(scope, who, page(1, 10)).await.expect("the store").data.len(), 1, "{scope:?}");
            assert!(store.participants(scope, id, page(1, 10)).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.mark_read(scope, id, who, 1).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.messages_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.message(scope, id, message.id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.head(scope, id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.head_with_participant(scope, id, who).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.head_with_status(scope, id, message.id).await.expect("the store").is_some(), "{scope:?}");
            assert!(store.events_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_some(), "{scope:?}");
            let taken = store.last_messages(scope, &[(id, 1)], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            let taken = store.interactions_of(scope, &[id], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 1), "{scope:?}");
            assert_eq!(store.interaction_message(scope, id).await.expect("the store"), Some(message.id), "{scope:?}");
            assert!(store.interaction(scope, id, Moment::Now).await.expect("the store").is_some(), "{scope:?}");
            assert_eq!(store.interactions(scope, None, page(1, 10)).await.expect("the store").total, 1, "{scope:?}");
        }
        let outside = [
            Scope::Space(other.id),
            Scope::Member(space.id, outsider.id.into()),
            Scope::Member(other.id, agent.id.into()),
            Scope::Member(other.id, foreigner.id.into()),
            Scope::Member(space.id, foreigner.id.into()),
            Scope::Member(space.id, visitor.id),
            Scope::Member(space.id, bystander.id.into()),
            Scope::Member(other.id, stranger.id.into()),
            Scope::Member(space.id, stranger.id.into()),
            Scope::Member(other.id, human.id.into()),
        ];
        for scope in outside {
            let who = scope.participant().unwrap_or(agent.id.into());
            assert!(store.session(scope, id).await.expect("the store").is_none(), "{scope:?}");
            let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store");
            assert!(listed.data.iter().all(|listed| listed.session.id != id), "{scope:?}");
            let large = Listed { session: line.session.clone(), left_out: 1 };
            let taken = store.sessions_of(scope, &[&large], 1 << 20).await.expect("the store");
            assert_eq!((taken.count, taken.data.len()), (1, 0), "{scope:?}");
            assert_eq!(listed.total, i64::try_from(listed.data.len()).expect("few"), "{scope:?}");
            let feed = store.feed(scope, who, page(1, 10)).await.expect("the store");
            assert!(feed.data.iter().all(|entry| entry.listed.session.id != id), "{scope:?}");
            assert!(store.participants(scope, id, page(1, 10)).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.mark_read(scope, id, who, 1).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.messages_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.message(scope, id, message.id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.head(scope, id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.head_with_participant(scope, id, who).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.head_with_status(scope, id, message.id).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.events_after(scope, id, 0, 10, 1 << 20).await.expect("the store").is_none(), "{scope:?}");
            assert!(store.last_messages(scope, &[(id, 1)], 1 << 20).await.expect("the store").data.is_empty(), "{scope:?}");
            assert!(store.interactions_of(scope, &[id], 1 << 20).await.expect("the store").data.is_empty(), "{scope:?}");
            assert_eq!(store.interaction_message(scope, id).await.expect("the store"), None, "{scope:?}");
            for at in [Moment::Now, Moment::Settled, Moment::Seq(1)] {
                assert!(store.interaction(scope, id, at).await.expect("the store").is_none(), "{scope:?}");
            }
            let listed = store.interactions(scope, None, page(1, 10)).await.expect("the store");
            assert_eq!((listed.total, listed.data.len()), (0, 0), "{scope:?}");
        }
        // A session that was not created as an interaction is not found.
        let whole = Scope::Space(space.id);
        assert_eq!(store.interaction_message(whole, elsewhere.id()).await.expect("the store"), None);
        assert!(store.interaction(whole, elsewhere.id(), Moment::Now).await.expect("the store").is_none());
        // A message is not found under another session.
        let by_wrong_session = store.message(Scope::Space(space.id), elsewhere.id(), message.id).await;
        assert!(by_wrong_session.expect("the store").is_none());
        let by_wrong_session = store.head_with_status(Scope::Space(space.id), elsewhere.id(), message.id).await;
        assert!(by_wrong_session.expect("the store").is_none());
        assert!(store.member_ids(other.id, id).await.expect("the store").is_empty());
        assert!(store.last_seqs(&[(other.id, id)]).await.expect("the store").is_empty());
        assert_eq!(store.last_older(Scope::Space(other.id), id, 9, NOW).await.expect("the store"), None);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        assert!(tx.lock_sessions(&[(other.id, id)]).await.expect("the store").is_empty());
        assert!(tx.message_states(&[(elsewhere.id(), message.id)]).await.expect("the store").is_empty());
    }
}
