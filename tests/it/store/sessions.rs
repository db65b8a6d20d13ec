//! Sessions and their lists.

use super::timeline_builder::{Ask, PLAIN_ASK, TimelineBuilder};
use super::{NOW, page};
use hiloop::domain::change::Change;
use hiloop::domain::{Actor, Envelope, Priority, Scope, SessionStatus, SpaceId};
use hiloop::store::{ActiveSession, Listed, LockWait, WriteSet};
use serde_json::json;
use std::collections::{HashMap, HashSet};

on_both_stores! {
    async fn sessions_are_sorted_by_activity(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut lines = Vec::new();
        for index in 0..5 {
            let mut line = TimelineBuilder::new(&space, &[agent.member()]);
            line.session.title = Some(format!("s{index}"));
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        lines[1].at = NOW.plus_seconds(100);
        lines[1].post(&agent.member(), "again", None);
        lines[1].save(&store).await;
        lines[2].append(Change::SessionClosed, &Actor::system());
        lines[2].save(&store).await;
        lines[3].append(Change::SessionArchived, &Actor::system());
        lines[3].save(&store).await;

        let scope = Scope::Member(space.id, agent.id.into());
        let titles = async |status, request| -> (Vec<String>, i64) {
            let found = store.sessions(scope, status, request).await.expect("the store");
            (found.data.into_iter().filter_map(|listed| listed.session.title).collect(), found.total)
        };
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(titles(None, page(1, 10)).await, (own(&["s1", "s4", "s2", "s0"]), 4));
        assert_eq!(titles(None, page(2, 3)).await, (own(&["s0"]), 4));
        assert_eq!(titles(Some(SessionStatus::Active), page(1, 10)).await, (own(&["s1", "s4", "s0"]), 3));
        assert_eq!(titles(Some(SessionStatus::Closed), page(1, 10)).await, (own(&["s2"]), 1));
        assert_eq!(titles(Some(SessionStatus::Archived), page(1, 10)).await, (own(&["s3"]), 1));
    }

    async fn large_titles_are_read_separately_from_lists(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let title = |length: usize| {
            let around = r#"{"ciphertext":"","wrappings":[]}"#.len();
            Envelope::from_stored(format!(r#"{{"ciphertext":"{}","wrappings":[]}}"#, "x".repeat(length - around)))
        };
        // Newest first: reversed.
        let sizes = [0, 4096, 4097, 9000, 8000];
        let mut lines = Vec::new();
        for (index, size) in (0..).zip(sizes) {
            let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
            line.session.encrypted_title = (size > 0).then(|| title(size)).flatten();
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        lines.reverse();
        let whole: Vec<_> = lines.iter().map(|line| (line.id(), line.session.encrypted_title.clone())).collect();
        let scope = Scope::Member(space.id, human.id.into());
        let listed = store.sessions(scope, None, page(1, 10)).await.expect("the store").data;
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store").data;
        for listed in [listed.iter().collect::<Vec<_>>(), feed.iter().map(|entry| &entry.listed).collect()] {
            assert_eq!(listed.iter().map(|listed| listed.left_out).collect::<Vec<_>>(), [8000, 9000, 4097, 0, 0]);
            let titles = listed.iter().map(|listed| listed.session.encrypted_title.is_some());
            assert_eq!(titles.collect::<Vec<_>>(), [false, false, false, true, false]);
            let mut found = Vec::new();
            let mut counts = Vec::new();
            while found.len() < listed.len() {
                let taken = store.sessions_of(scope, &listed[found.len()..], 8001).await.expect("the store");
                assert_eq!(taken.count, taken.data.len());
                counts.push(taken.count);
                found.extend(taken.data.into_iter().map(|session| (session.id, session.encrypted_title)));
            }
            assert_eq!((counts, &found), (vec![2, 3], &whole));
        }
        let none = store.sessions_of(scope, &[], 1).await.expect("the store");
        assert_eq!((none.count, none.data.len()), (0, 0));

        // Changed meanwhile: one has another title, one has none, and one was deleted.
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let mut changed: Vec<_> = lines[..2].iter().map(|line| line.session.clone()).collect();
        changed[0].encrypted_title = title(100);
        changed[1].encrypted_title = None;
        tx.apply(WriteSet { changed_sessions: changed, ..WriteSet::default() }).await.expect("the store");
        tx.commit(WriteSet::default()).await.expect("the store");
        let mut listed: Vec<_> = listed.iter().take(2).collect();
        let gone = Listed { session: TimelineBuilder::new(&space, &[]).session, left_out: 5000 };
        listed.push(&gone);
        let taken = store.sessions_of(scope, &listed, i64::MAX).await.expect("the store");
        let titles: Vec<_> = taken.data.into_iter().map(|session| session.encrypted_title).collect();
        assert_eq!((taken.count, titles), (3, vec![title(100), None]));
    }

    async fn changed_sessions_are_found_by_space_and_time(store: Empty) {
        let spaces = [store.space("one").await, store.space("two").await, store.space("three").await];
        let mut lines = Vec::new();
        for (index, space) in (0..).zip(spaces.iter().chain(&spaces)) {
            let agent = store.agent_named(space, &format!("a{index}")).await;
            let mut line = TimelineBuilder::new(space, &[agent.member()]);
            line.at = NOW.plus_seconds(index);
            line.post(&agent.member(), "x", None);
            line.save(&store).await;
            lines.push(line);
        }
        let found = async |asked: &[SpaceId], since| {
            let found = store.active_since(asked, since).await.expect("the store");
            found.into_iter().map(|session| (session.id, session)).collect::<HashMap<_, _>>()
        };
        let two = found(&[spaces[0].id, spaces[1].id, SpaceId::new()], NOW).await;
        assert_eq!(two.keys().collect::<HashSet<_>>(), [0, 1, 3, 4].map(|index| lines[index].session.id).iter().collect());
        let expected = ActiveSession { space: spaces[1].id, id: lines[4].id(), last_seq: 2, at: NOW.plus_seconds(4) };
        assert_eq!(two[&lines[4].id()], expected);
        let late = found(&[spaces[0].id, spaces[1].id], NOW.plus_seconds(3)).await;
        assert_eq!(late.keys().collect::<HashSet<_>>(), [3, 4].map(|index| lines[index].session.id).iter().collect());
        assert!(found(&[], NOW).await.is_empty());
        assert!(found(&[spaces[2].id], NOW.plus_seconds(6)).await.is_empty());
    }

    async fn a_session_is_read_as_written(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        let title = r#"{"ciphertext":"t\u0000é😀","wrappings":[{"z":1,"a":2}],"scheme":"x"}"#;
        line.session.created_by_agent_id = Some(agent.id);
        line.session.title = Some("Ünïcode 😀".to_owned());
        line.session.encrypted_title = Envelope::from_stored(title.to_owned());
        line.session.metadata = serde_json::from_str(r#"{"b":1,"a":"\u0000"}"#).expect("json");
        line.session.priority = Priority::Urgent;
        line.save(&store).await;
        let read = async || store.session(Scope::Space(space.id), line.id()).await.expect("the store").expect("there");
        let session = read().await;
        assert_eq!(json!(session), json!(line.session));
        assert_eq!((session.first_seq, session.message_count), (1, 0));
        assert_eq!(session.encrypted_title.as_ref().map(Envelope::as_str), Some(title));
        assert_eq!(session.metadata.as_ref().map(|metadata| metadata.get()), Some(r#"{"b":1,"a":"\u0000"}"#));

        line.session.title = None;
        line.session.encrypted_title = None;
        line.session.metadata = None;
        line.session.priority = Priority::Low;
        line.at = NOW.plus_seconds(1);
        line.append(Change::SessionClosed, &Actor::system());
        line.append(Change::SessionArchived, &Actor::system());
        line.save(&store).await;
        let session = store.session(Scope::Space(space.id), line.id()).await.expect("the store").expect("there");
        assert_eq!(json!(session), json!(line.session));
        assert_eq!((session.closed_at, session.archived_at), (Some(line.at), Some(line.at)));
    }

    async fn the_feed_lists_pending_sessions_first(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let members = [agent.member(), human.member()];
        let deadline = |seconds| Some(NOW.plus_seconds(seconds));
        let asks: [(&str, &[Ask]); 7] = [
            ("quiet", &[]),
            ("low", &[Ask { priority: Priority::Low, deadline: deadline(5) }]),
            ("high, no end", &[Ask { priority: Priority::High, deadline: None }]),
            ("high, late", &[Ask { priority: Priority::High, deadline: deadline(50) }]),
            ("high, soon", &[Ask { priority: Priority::High, deadline: deadline(40) }, PLAIN_ASK]),
            ("urgent", &[PLAIN_ASK, Ask { priority: Priority::Urgent, deadline: deadline(90) }]),
            ("busy", &[]),
        ];
        let mut lines = Vec::new();
        for (index, (title, asks)) in asks.into_iter().enumerate() {
            let mut line = TimelineBuilder::new(&space, &members);
            line.session.title = Some(title.to_owned());
            line.at = NOW.plus_seconds(i64::try_from(index).expect("few"));
            line.post(&agent.member(), "hello", None);
            for ask in asks {
                line.post(&agent.member(), "?", Some(*ask));
            }
            line.save(&store).await;
            lines.push(line);
        }
        let mut archived = TimelineBuilder::new(&space, &members);
        archived.post(&agent.member(), "?", Some(PLAIN_ASK));
        archived.append(Change::SessionArchived, &Actor::system());
        archived.save(&store).await;

        let scope = Scope::Member(space.id, human.id.into());
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store");
        let titles: Vec<_> = feed.data.iter().filter_map(|entry| entry.listed.session.title.as_deref()).collect();
        assert_eq!(titles, ["urgent", "high, soon", "high, late", "high, no end", "low", "busy", "quiet"]);
        assert_eq!(feed.total, 7);
        let soon = &feed.data[1];
        assert_eq!((soon.highest_priority, soon.next_deadline_at), (Some(Priority::High), deadline(40)));
        assert_eq!((soon.listed.session.pending_count, soon.unread_count), (2, 3));
        let ids: Vec<_> = feed.data.iter().map(|entry| (entry.listed.session.id, entry.listed.session.message_count)).collect();
        let last = store.last_messages(scope, &ids, i64::MAX).await.expect("the store");
        let of_soon = last.data.iter().find(|message| message.session_id == ids[1].0);
        assert_eq!((last.count, last.data.len(), of_soon.map(|message| message.seq)), (7, 7, Some(4)));
        // At least one is returned, however large; then none beyond the byte limit.
        let one = store.last_messages(scope, &ids, 1).await.expect("the store");
        assert_eq!((one.count, one.data.len(), one.data[0].session_id), (1, 1, ids[0].0));
        let none = store.last_messages(scope, &[], 1).await.expect("the store");
        assert_eq!((none.count, none.data.len()), (0, 0));
        let bare = store.last_messages(scope, &[(ids[0].0, 0), ids[1]], 1).await.expect("the store");
        assert_eq!((bare.count, bare.data[0].session_id, bare.data.len()), (2, ids[1].0, 1));
        let quiet = &feed.data[6];
        assert_eq!((quiet.highest_priority, quiet.next_deadline_at, quiet.unread_count), (None, None, 1));
        let second = store.feed(scope, human.id.into(), page(2, 5)).await.expect("the store");
        assert_eq!((second.data[0].listed.session.title.as_deref(), second.data.len()), (Some("busy"), 2));

        // A settled message is no longer pending; a read one no longer unread.
        let urgent = &mut lines[5];
        let found = store.messages_after(scope, urgent.id(), 0, 10, i64::MAX).await.expect("the store");
        urgent.answer(&human.member(), found.expect("in scope").messages[2].id, "!");
        let end = urgent.session.last_seq;
        urgent.save(&store).await;
        store.mark_read(scope, urgent.id(), human.id.into(), end).await.expect("the store");
        let feed = store.feed(scope, human.id.into(), page(1, 10)).await.expect("the store");
        let entry = feed.data.iter().find(|entry| entry.listed.session.id == urgent.id()).expect("there");
        assert_eq!((entry.highest_priority, entry.next_deadline_at), (Some(Priority::Medium), None));
        assert_eq!((entry.listed.session.pending_count, entry.unread_count), (1, 0));
    }
}
