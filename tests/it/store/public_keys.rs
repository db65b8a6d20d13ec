//! Entries of public keys, their announcement, and backups of private ones.

use super::timeline_builder::{Load, TimelineBuilder};
use super::{Empty, NOW, page, revoker};
use crate::support::keys::{Keys, base64url};
use crate::support::sql;
use futures::future::join_all;
use hiloop::domain::KeyEntry;
use hiloop::domain::change::Change;
use hiloop::domain::keys::{Attestation, KeyChange};
use hiloop::domain::participant::Member;
use hiloop::domain::people::Space;
use hiloop::domain::{Actor, GuestId, ParticipantType, Permission, Scope, SessionId, SpaceId, Timestamp};
use hiloop::store::LockWait;
use hiloop::store::{Attested, NewEntry, Put};
use hiloop::testing::secret::hash;

/// An entry of fresh keys, made at this moment.
fn entry(at: Timestamp) -> KeyEntry {
    let keys = Keys::generate();
    KeyEntry {
        public_key: base64url(&keys.receiving),
        signing_key: base64url(&keys.signing_key()),
        key_id: keys.id(),
        proof: keys.sign(b"not checked by the store"),
        previous: None,
        attestation: None,
        created_at: at,
    }
}

impl Empty {
    /// Replaces the current entry; returns the new one.
    async fn changes_key(&self, space: &Space, member: &Member, at: Timestamp) -> KeyEntry {
        let replaces = self.current_key(space.id, member.id).await.expect("the store").map(|(id, _)| id);
        let new = NewEntry {
            space: space.id,
            kind: member.kind,
            principal: member.id,
            entry: entry(at),
            replaces,
            chained: true,
        };
        assert!(matches!(self.put_key(&new).await.expect("the store"), Put::Done));
        new.entry
    }

    /// The ids of the keys that were ever used in a session.
    async fn keys_of(&self, scope: Scope, session: SessionId) -> Vec<String> {
        let page = self.session_keys(scope, session, page(1, 10)).await.expect("the store").expect("in scope");
        assert_eq!(page.total, i64::try_from(page.data.len()).expect("few"));
        page.data.into_iter().map(|key| key.entry.key_id).collect()
    }
}

on_both_stores! {
    async fn every_list_has_the_current_entry(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let human = store.human_named(&space, "h").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        let (guest, _) = line.invite("g", "token");
        line.save(&store).await;
        let mut keys = Vec::new();
        for member in [agent.member(), human.member(), guest.clone()] {
            assert_eq!(store.current_key(space.id, member.id).await.expect("the store"), None);
            store.changes_key(&space, &member, NOW).await;
            keys.push(store.changes_key(&space, &member, NOW.plus_millis(1)).await);
        }
        let key = |member: &Option<Box<KeyEntry>>| member.as_deref().cloned().expect("a key");
        let found = store.agent(space.id, agent.id).await.expect("the store").expect("active");
        assert_eq!(key(&found.key), keys[0]);
        let found = store.human(human.id).await.expect("the store").expect("active");
        assert_eq!(key(&found.key), keys[1]);
        let found = store.guest(space.id, GuestId(guest.id.0)).await.expect("the store").expect("active");
        assert_eq!(key(&found.key), keys[2]);
        let found = store.guest_by_secret(&hash("token")).await.expect("the store").expect("active");
        assert_eq!(key(&found.key), keys[2]);
        let listed = store.participants(Scope::Space(space.id), line.id(), page(1, 10)).await.expect("the store");
        let listed: Vec<_> = listed.expect("in scope").data.iter().map(|participant| key(&participant.key)).collect();
        assert_eq!(listed, keys);
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        tx.lock_sessions(&[(space.id, line.id())]).await.expect("the store");
        let found = tx.participant_of(line.id(), agent.id.into()).await.expect("the store").expect("there");
        assert_eq!(key(&found.key), keys[0]);
    }

    async fn one_of_concurrent_entries_is_stored(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        for round in 0..3_i64 {
            let replaces = store.current_key(space.id, agent.id).await.expect("the store").map(|(id, _)| id);
            let news: Vec<_> = (0..6)
                .map(|_| NewEntry {
                    space: space.id,
                    kind: agent.kind,
                    principal: agent.id,
                    entry: entry(NOW.plus_millis(round)),
                    replaces,
                    chained: false,
                })
                .collect();
            let put = join_all(news.iter().map(|new| store.put_key(new))).await;
            let won: Vec<_> = put.iter().enumerate().filter(|(_, put)| matches!(put, Ok(Put::Done))).collect();
            assert_eq!(won.len(), 1, "{put:?}");
            assert!(put.iter().all(|put| matches!(put, Ok(Put::Done | Put::Raced))), "{put:?}");
            let (_, current) = store.current_key(space.id, agent.id).await.expect("the store").expect("a key");
            assert_eq!(current, news[won[0].0].entry);
        }
        // A first entry if there is one already, and the entry of an inactive principal.
        let first = NewEntry { space: space.id, kind: agent.kind, principal: agent.id, entry: entry(NOW), replaces: None, chained: false };
        assert_eq!(store.put_key(&first).await.expect("the store"), Put::Raced);
        let gone = store.agent_named(&space, "gone").await;
        let by = revoker(&space, Permission::Manage);
        store.deactivate_agent(&by, gone.id).await.expect("the store").expect("active");
        let late = NewEntry { principal: gone.id.into(), ..first };
        assert_eq!(store.put_key(&late).await.expect("the store"), Put::Raced);
        assert_eq!(store.current_key(space.id, gone.id.into()).await.expect("the store"), None);
        // Entries are not accessible from another space.
        let other = store.space("two").await;
        assert_eq!(store.current_key(other.id, agent.id).await.expect("the store"), None);
        let fresh = store.agent_named(&space, "fresh").await;
        let astray = NewEntry { space: other.id, principal: fresh.id.into(), ..late };
        assert_eq!(store.put_key(&astray).await.expect("the store"), Put::Raced);
    }

    async fn unannounced_changes_are_bounded(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut taken = 0;
        loop {
            let replaces = store.current_key(space.id, agent.id).await.expect("the store").map(|(id, _)| id);
            let entry = entry(NOW.plus_millis(taken));
            let new = NewEntry { space: space.id, kind: agent.kind, principal: agent.id, entry, replaces, chained: true };
            match store.put_key(&new).await.expect("the store") {
                Put::Done => taken += 1,
                refused => {
                    assert_eq!((refused, taken), (Put::Unannounced, 101));
                    break;
                }
            }
        }
        // A refused entry has replaced nothing.
        let (_, current) = store.current_key(space.id, agent.id).await.expect("the store").expect("a key");
        assert_eq!(current.created_at, NOW.plus_millis(100));
    }

    async fn an_attestation_stays_with_its_entry(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "a").await.member();
        let attestation =
            Attestation { not_after: "2099-01-01T00:00:00.000Z".to_owned(), signature: "s".repeat(86) };
        let attest = async |space: SpaceId, key: &str| {
            store.attest_key(space, agent.id, key, &attestation).await.expect("the store")
        };
        assert_eq!(attest(space.id, "k").await, Attested::Unknown);
        let first = store.changes_key(&space, &agent, NOW).await;
        assert_eq!(attest(other.id, &first.key_id).await, Attested::Unknown);
        assert_eq!(attest(space.id, "k").await, Attested::OtherKey);
        assert_eq!(attest(space.id, &first.key_id).await, Attested::Done(ParticipantType::Agent));
        let (_, current) = store.current_key(space.id, agent.id).await.expect("the store").expect("a key");
        assert_eq!(current, KeyEntry { attestation: Some(attestation.clone()), ..first.clone() });
        let second = store.changes_key(&space, &agent, NOW.plus_millis(1)).await;
        assert_eq!(attest(space.id, &first.key_id).await, Attested::OtherKey);
        let (_, current) = store.current_key(space.id, agent.id).await.expect("the store").expect("a key");
        assert_eq!(current, second);
    }

    async fn keys_of_a_session_include_former_participants(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&space, "a").await;
        let human = store.human_named(&space, "h").await;
        let outsider = store.agent_named(&space, "o").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        let (guest, participant) = line.invite("g", "token");
        line.save(&store).await;
        let mut keys = Vec::new();
        for (at, member) in [agent.member(), human.member(), guest.clone(), agent.member()].iter().enumerate() {
            keys.push(store.changes_key(&space, member, NOW.plus_millis(i64::try_from(at).expect("few"))).await.key_id);
        }
        store.changes_key(&space, &outsider.member(), NOW).await;
        let scope = Scope::Space(space.id);
        assert_eq!(store.keys_of(scope, line.id()).await, keys);
        // The guest is removed, which ends their token; the human is removed and added again as another participant.
        let removed = Change::ParticipantRemoved(participant.clone());
        line.append(removed, &Actor::system());
        let listed = store.participants(scope, line.id(), page(1, 10)).await.expect("the store").expect("in scope");
        let as_human = listed.data.iter().find(|one| one.human_id.is_some()).expect("there").clone();
        line.append(Change::ParticipantRemoved(as_human), &Actor::system());
        line.save(&store).await;
        let back = line.add(&human.member(), None);
        line.save(&store).await;
        let found = store.session_keys(scope, line.id(), page(1, 10)).await.expect("the store").expect("in scope");
        assert_eq!(found.data.iter().map(|key| key.entry.key_id.clone()).collect::<Vec<_>>(), keys);
        assert_eq!(found.data[2].participant_id, participant.id);
        assert_eq!(found.data[1].participant_id, back.id);
        let replaced: Vec<_> = found.data.iter().map(|key| key.replaced_at).collect();
        assert_eq!(replaced, [Some(NOW.plus_millis(3)), None, None, None]);
        let second = store.session_keys(scope, line.id(), page(2, 3)).await.expect("the store").expect("in scope");
        assert_eq!((second.total, second.data.len()), (4, 1));
        // A principal without access to the session gets none of them.
        for stranger in [Scope::Space(other.id), Scope::Member(space.id, outsider.id.into()), Scope::Member(space.id, guest.id)] {
            let found = store.session_keys(stranger, line.id(), page(1, 10)).await.expect("the store");
            assert!(found.is_none(), "{stranger:?}");
        }
    }

    async fn a_change_is_announced_in_the_active_sessions_of_its_principal(store: Empty) {
        let space = store.space("one").await;
        let (agent, other) = (store.agent_named(&space, "a").await, store.agent_named(&space, "b").await);
        store.changes_key(&space, &agent.member(), NOW).await;
        // The first entry of a principal is not announced.
        assert!(store.announcements(NOW, 10).await.expect("the store").is_empty());
        let agent = store.agent(space.id, agent.id).await.expect("the store").expect("active");
        let members = [agent.member(), other.member()];
        let mut lines: Vec<_> = (0..4).map(|_| TimelineBuilder::new(&space, &members)).collect();
        lines[3].append(Change::SessionClosed, &Actor::system());
        TimelineBuilder::new(&space, &[other.member()]).save(&store).await;
        for line in &mut lines {
            line.save(&store).await;
        }
        let announced_at = async |line: &TimelineBuilder| {
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            tx.lock_sessions(&[(space.id, line.id())]).await.expect("the store");
            tx.announced_key(line.id(), agent.id.into()).await.expect("the store")
        };
        // A participant who joined with the key needs no announcement.
        assert_eq!(announced_at(&lines[0]).await, Some(NOW));

        let second = store.changes_key(&space, &agent.member(), NOW.plus_millis(1)).await;
        store.changes_key(&space, &agent.member(), NOW.plus_millis(2)).await;
        let waiting = store.announcements(NOW, 10).await.expect("the store");
        assert_eq!(waiting.len(), 1, "the older one first");
        let mut announcement = waiting[0].clone();
        assert_eq!((announcement.space, announcement.after), (space.id, None));
        assert_eq!((announcement.change.principal, announcement.change.chained), (agent.id.into(), true));
        assert_eq!(announcement.change.entry, second);
        let mut open: Vec<_> = lines[..3].iter().map(TimelineBuilder::id).collect();
        open.sort();
        let first_two = store.sessions_to_announce(&announcement, 2).await.expect("the store");
        assert_eq!(first_two, open[..2]);
        // Announced in one of them, which is not announced again.
        let line = lines.iter_mut().find(|line| line.id() == open[0]).expect("it");
        let listed = store.participants(Scope::Space(space.id), line.id(), page(1, 10)).await.expect("the store");
        let participant = listed.expect("in scope").data[0].clone();
        let change = KeyChange { principal: agent.id.into(), entry: second.clone(), chained: true };
        line.append(Change::ParticipantKeyChanged(participant.id, Box::new(change)), &participant.actor());
        line.save(&store).await;
        assert_eq!(announced_at(lines.iter().find(|line| line.id() == open[0]).expect("it")).await, Some(second.created_at));
        assert_eq!(store.sessions_to_announce(&announcement, 10).await.expect("the store"), open[1..]);
        // The position only increases.
        store.note_announced(&announcement, open[1]).await.expect("the store");
        store.note_announced(&announcement, open[0]).await.expect("the store");
        announcement = store.announcements(NOW, 10).await.expect("the store").remove(0);
        assert_eq!(announcement.after, Some(open[1]));
        assert_eq!(store.sessions_to_announce(&announcement, 10).await.expect("the store"), open[2..]);
        // Then it waits, and the next change is processed.
        store.rest_announcement(&announcement).await.expect("the store");
        let waiting = store.announcements(NOW, 10).await.expect("the store");
        assert_eq!(waiting.len(), 1);
        let next = &waiting[0];
        assert_eq!((next.change.entry.created_at, next.is_last_pass), (NOW.plus_millis(2), false));
        // The last pass covers new sessions, from the beginning.
        let late = store.announcements(NOW.plus_millis(1), 10).await.expect("the store");
        let last = late.iter().find(|late| late.is_last_pass).expect("it");
        assert_eq!((late.len(), last.id, last.after), (2, announcement.id, None));
        assert_eq!(store.sessions_to_announce(last, 10).await.expect("the store"), open[1..]);
        store.end_announcement(last).await.expect("the store");
        store.end_announcement(next).await.expect("the store");
        assert!(store.announcements(NOW.plus_seconds(60), 10).await.expect("the store").is_empty());
    }

    async fn a_type_unknown_to_the_previous_release_is_readable(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        let participant = line.writes.new_participants[0].clone();
        let change = KeyChange { principal: agent.id.into(), entry: entry(NOW), chained: false };
        let change = Change::ParticipantKeyChanged(participant.id, Box::new(change));
        line.append(change, &participant.actor());
        line.save(&store).await;
        let events = store.events_after(Scope::Space(space.id), line.id(), 0, 10, i64::MAX).await.expect("the store");
        let events = events.expect("in scope").events;
        assert_eq!(events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>(), ["session.created", "participant.key_changed"]);
        assert_eq!((events[1].settles, events[1].removes), (None, None));
        // The previous release reads only `kind`, which has a known value.
        let database = sql::Database::open(&store.url).await;
        let known = database.number("SELECT COUNT(*) FROM events WHERE kind IN ('session.created', 'participant.added')").await;
        assert_eq!(known, 2);
    }

    async fn retention_deletes_keys_of_guests(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await;
        let mut line = TimelineBuilder::new(&space, &[agent.member()]);
        let (guest, _) = line.invite("g", "token");
        line.append(Change::SessionClosed, &Actor::system());
        line.save(&store).await;
        for at in 0..2 {
            store.changes_key(&space, &guest, NOW.plus_millis(at)).await;
            store.changes_key(&space, &agent.member(), NOW.plus_millis(at)).await;
        }
        let later = NOW.plus_seconds(60);
        assert!(store.retire_session(later, later).await.expect("the store").is_some());
        assert_eq!(store.current_key(space.id, guest.id).await.expect("the store"), None);
        assert!(store.current_key(space.id, agent.id.into()).await.expect("the store").is_some());
        assert_eq!(store.announcements(NOW, 10).await.expect("the store").len(), 1);
    }

    async fn a_human_has_one_key_backup(store: Empty) {
        let space = store.space("one").await;
        let (human, other) = (store.human_named(&space, "h").await, store.human_named(&space, "o").await);
        assert_eq!(store.key_backup(human.id).await.expect("the store"), None);
        assert!(!store.delete_key_backup(human.id).await.expect("the store"));
        for body in [r#"{"a":1}"#, r#"{ "b" : "\u0000" }"#] {
            store.set_key_backup(human.id, body, NOW).await.expect("the store");
            assert_eq!(store.key_backup(human.id).await.expect("the store").as_deref(), Some(body));
        }
        assert_eq!(store.key_backup(other.id).await.expect("the store"), None);
        store.set_key_backup(other.id, "{}", NOW).await.expect("the store");
        assert!(store.deactivate_human(space.id, other.id, NOW).await.expect("the store"));
        assert_eq!(store.key_backup(other.id).await.expect("the store"), None);
        assert!(store.delete_key_backup(human.id).await.expect("the store"));
        assert_eq!(store.key_backup(human.id).await.expect("the store"), None);
    }
}
