//! Messages, questions and their settlement.

use super::timeline_builder::{Ask, PLAIN_ASK, TimelineBuilder};
use super::{NOW, page};
use hiloop::domain::message::Settlement;
use hiloop::domain::people::Space;
use hiloop::domain::{
    AnswerOutcome, Message, MessageId, MessageStatus, ParticipantType, PrincipalId, Priority, Responder, Scope,
    SenderType, SessionId,
};
use hiloop::store::{DueMessage, Head, LockWait, Named, WriteSet};
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

on_both_stores! {
    async fn messages_include_their_answers(store: Empty) {
        let space = store.space("one").await;
        let (agent, human) = (store.agent_named(&space, "a").await, store.human_named(&space, "h").await);
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.member()]);
        let plain = line.post(&agent.member(), "plain", None);
        let asked = line.post(&agent.member(), "asked", Some(PLAIN_ASK));
        let dropped = line.post(&agent.member(), "dropped", Some(PLAIN_ASK));
        line.save(&store).await;
        let scope = Scope::Member(space.id, agent.id.into());
        let read = async |id| store.message(scope, asked.session_id, id).await.expect("the store").expect("there");
        assert_eq!(json!(read(plain.id).await), json!(plain));
        assert_eq!(json!(read(asked.id).await), json!(asked));
        line.at = NOW.plus_seconds(5);
        let answer = line.answer(&human.member(), asked.id, "answer");
        line.cancel(&agent.member(), dropped.id);
        line.save(&store).await;

        let done = read(asked.id).await;
        let response = done.response.as_ref().expect("a response");
        assert_eq!((done.status, done.updated_at), (MessageStatus::Completed, line.at));
        assert_eq!((response.message_id, &response.responded_by), (answer.id, &Responder::from(&human.member().actor())));
        assert_eq!((response.responded_at, &response.encrypted_content), (line.at, &answer.encrypted_content));
        let gone = read(dropped.id).await;
        assert_eq!((gone.status, gone.response.is_none()), (MessageStatus::Cancelled, true));
        let reply = read(answer.id).await;
        assert_eq!((reply.sender_type, reply.sender_human_id), (SenderType::Human, Some(human.id)));

        let after = async |after, limit, bytes| -> (Vec<MessageId>, i64) {
            let found = store.messages_after(scope, line.id(), after, limit, bytes).await.expect("the store");
            let found = found.expect("in scope");
            (found.messages.iter().map(|message| message.id).collect(), found.total)
        };
        assert_eq!(after(0, 10, i64::MAX).await, (vec![plain.id, asked.id, dropped.id, answer.id], 4));
        assert_eq!(after(3, 3, i64::MAX).await, (vec![answer.id], 4));
        assert_eq!(after(i64::MAX, 100, i64::MAX).await, (vec![], 4));
        // At least one message is returned, however large; then none beyond the byte limit, and an
        // answer counts with what it answers.
        assert_eq!(after(0, 10, 1).await, (vec![plain.id], 4));
        let all = store.events_after(scope, line.id(), 0, 100, i64::MAX).await.expect("the store").expect("in scope");
        let size = |seq| i64::try_from(all.events.iter().find(|event| event.seq == seq).expect("it").text.len());
        let settled = read(asked.id).await;
        let completed = all.events.iter().find(|event| event.settles == Some(asked.id)).expect("it").seq;
        let both = size(settled.seq).expect("small") + size(completed).expect("small");
        assert_eq!(after(1, 10, both).await, (vec![asked.id], 4));
        assert_eq!(after(1, 10, both + 1).await, (vec![asked.id, dropped.id], 4));
        assert!(store.message(scope, line.id(), MessageId::new()).await.expect("the store").is_none());
    }

    async fn the_first_message_of_a_person_after_a_seq_is_found(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, human) = (store.agent_named(&space, "a").await.member(), store.human_named(&space, "h").await.member());
        let mut line = TimelineBuilder::new(&space, &[agent.clone(), human.clone()]);
        let (guest, _) = line.invite("g", "token");
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let first = async |after| store.first_message_after(scope, line.id(), after).await.expect("the store").expect("there");
        assert_eq!(store.last_message_by(scope, line.id(), agent.id).await.expect("the store"), Some(0));
        assert_eq!((first(0).await.head.last_seq, first(0).await.message), (2, None));
        line.post(&agent, "a", None);
        let by_human = line.post(&human, "h", None);
        let own = line.post(&agent, "a", None);
        let by_guest = line.post(&guest, "g", None);
        line.save(&store).await;
        let first = async |after| store.first_message_after(scope, line.id(), after).await.expect("the store").expect("there");
        assert_eq!(store.last_message_by(scope, line.id(), agent.id).await.expect("the store"), Some(own.seq));
        assert_eq!(first(0).await.message, Some(by_human.id));
        assert_eq!(first(by_human.seq).await.message, Some(by_guest.id));
        assert_eq!(first(by_guest.seq).await.message, None);
        assert_eq!(first(0).await.head.last_seq, 6);
        for elsewhere in [Scope::Space(other.id), Scope::Member(space.id, PrincipalId(Uuid::now_v7()))] {
            assert!(store.first_message_after(elsewhere, line.id(), 0).await.expect("the store").is_none());
            assert!(store.last_message_by(elsewhere, line.id(), agent.id).await.expect("the store").is_none());
        }
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let guests = tx.participant_names(line.id(), false).await.expect("the store");
        assert!(matches!(&guests[..], [taken] if taken.kind == ParticipantType::Guest && taken.name == "g"), "{guests:?}");
        assert_eq!(tx.participant_names(line.id(), true).await.expect("the store").len(), 3);
        // The permitted answerers, and their participants.
        let named = [agent.id, human.id, guest.id, PrincipalId(Uuid::now_v7())].map(|who| (line.id(), who));
        let ids = vec![line.id(), SessionId::new()];
        let named = Named { answerers: named.to_vec(), members: named.to_vec(), new_sessions: ids, ..Named::default() };
        let loaded = tx.load(&named, NOW).await.expect("the store");
        let answerers: HashSet<_> = loaded.answerers.into_iter().map(|(_, who)| who).collect();
        assert_eq!(answerers, HashSet::from([human.id, guest.id]));
        assert_eq!((loaded.members.len(), loaded.taken), (3, vec![line.id()]));
    }

    async fn settled_questions_are_listed_until_acknowledged(store: Empty) {
        let (space, other) = (store.space("one").await, store.space("two").await);
        let (agent, second) = (store.agent_named(&space, "a").await, store.agent_named(&space, "b").await);
        let human = store.human_named(&space, "h").await.member();
        let mut line = TimelineBuilder::new(&space, &[agent.member(), human.clone()]);
        let ids: Vec<_> = (0..4).map(|_| line.post(&agent.member(), "?", Some(PLAIN_ASK)).id).collect();
        let foreign = line.post(&second.member(), "?", Some(PLAIN_ASK)).id;
        line.post(&agent.member(), "no question", None);
        // In the order of settlement, not of creation.
        for (index, asked) in [ids[2], ids[0], ids[1], foreign].into_iter().enumerate() {
            line.at = NOW.plus_seconds(i64::try_from(index).expect("few"));
            line.answer(&human, asked, "yes");
        }
        line.save(&store).await;
        let scope = Scope::Space(space.id);
        let open = async |scope, number| {
            store.unacknowledged(scope, agent.id, page(number, 2)).await.expect("the store")
        };
        assert_eq!(open(scope, 1).await.total, 3);
        assert_eq!(open(scope, 1).await.data, [(line.id(), ids[2]), (line.id(), ids[0])]);
        assert_eq!(open(Scope::Member(space.id, agent.id.into()), 2).await.data, [(line.id(), ids[1])]);
        assert_eq!(open(Scope::Member(space.id, second.id.into()), 1).await.total, 0, "they take no part");
        assert_eq!(open(Scope::Space(other.id), 1).await.total, 0);

        let asked = [(line.id(), ids[2]), (line.id(), MessageId::new()), (line.id(), ids[0])];
        let found = store.messages_of(scope, &asked, 1_000_000).await.expect("the store");
        assert_eq!((found.count, found.data.iter().map(|message| message.id).collect::<Vec<_>>()), (3, vec![ids[2], ids[0]]));
        assert_eq!(found.data[0].outcome, Some(AnswerOutcome::Approved));
        assert_eq!(store.messages_of(scope, &asked, 1).await.expect("the store").count, 1, "by their size");
        assert!(store.messages_of(Scope::Space(other.id), &asked, 1).await.expect("the store").data.is_empty());

        line.acknowledge(&agent.member(), ids[0]);
        line.save(&store).await;
        assert_eq!(open(scope, 1).await.data, [(line.id(), ids[2]), (line.id(), ids[1])]);
    }

    async fn an_outlook_has_the_state_of_a_message_and_its_timeline(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut line = TimelineBuilder::new(&space, std::slice::from_ref(&agent));
        let asked = line.post(&agent, "?", Some(PLAIN_ASK));
        let plain = line.post(&agent, "no question", None);
        line.save(&store).await;
        let outlook = async |id| {
            let found = store.head_with_status(Scope::Space(space.id), line.id(), id).await.expect("the store");
            found.map(|outlook| (outlook.status, outlook.head))
        };
        let at = line.session.updated_at;
        let head = Head { space: space.id, last_seq: 3, first_seq: 1, at };
        assert_eq!(outlook(asked.id).await, Some((MessageStatus::Pending, head)));
        assert_eq!(outlook(plain.id).await, Some((MessageStatus::Completed, head)));
        assert_eq!(outlook(MessageId::new()).await, None);
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let found = store.head_with_status(Scope::Space(space.id), line.id(), asked.id).await.expect("the store").expect("there");
        assert_eq!((found.status, found.head.last_seq), (MessageStatus::Cancelled, 4));
    }

    async fn overdue_messages_are_sorted_by_deadline(store: Empty) {
        let (one, two) = (store.space("one").await, store.space("two").await);
        let agent = store.agent_named(&one, "a").await.member();
        let ask = |seconds| Some(Ask { priority: Priority::Low, deadline: Some(NOW.plus_seconds(seconds)) });
        let mut left = TimelineBuilder::new(&one, &[]);
        let third = left.post(&agent, "x", ask(0));
        let first = left.post(&agent, "x", ask(-9));
        left.post(&agent, "not yet", ask(1));
        left.post(&agent, "never", Some(PLAIN_ASK));
        left.post(&agent, "nothing asked", None);
        let settled = left.post(&agent, "settled", ask(-20));
        left.cancel(&agent, settled.id);
        left.save(&store).await;
        let mut right = TimelineBuilder::new(&two, &[]);
        let second = right.post(&agent, "x", ask(-5));
        right.save(&store).await;
        let due = |space: &Space, message: &Message| {
            DueMessage { space: space.id, session: message.session_id, message: message.id }
        };
        assert_eq!(store.pending_responses().await.expect("the store"), 5);
        let expected = [due(&one, &first), due(&two, &second), due(&one, &third)];
        assert_eq!(store.due_messages(NOW, 10).await.expect("the store"), expected);
        assert_eq!(store.due_messages(NOW, 2).await.expect("the store"), expected[..2]);
        assert_eq!(store.due_messages(NOW.plus_millis(-1), 10).await.expect("the store"), expected[..2]);
    }

    async fn a_message_settles_once(store: Empty) {
        let space = store.space("one").await;
        let agent = store.agent_named(&space, "a").await.member();
        let mut line = TimelineBuilder::new(&space, &[]);
        let asked = line.post(&agent, "?", Some(PLAIN_ASK));
        let plain = line.post(&agent, "no question", None);
        line.save(&store).await;
        line.cancel(&agent, asked.id);
        line.save(&store).await;
        let settlement = Settlement { seq: 9, at: NOW, by: (&agent.actor()).into(), response: None };
        for id in [asked.id, plain.id, MessageId::new()] {
            let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
            let settled = vec![(id, MessageStatus::Expired, settlement.clone())];
            let again = tx.apply(WriteSet { settled, ..WriteSet::default() }).await;
            assert!(again.is_err(), "a second settling of {id}");
        }
        let message = store.message(Scope::Space(space.id), line.id(), asked.id).await.expect("the store").expect("there");
        assert_eq!(message.status, MessageStatus::Cancelled);
        // The same within one batch.
        let fresh = line.post(&agent, "?", Some(PLAIN_ASK));
        line.save(&store).await;
        let mut tx = store.begin(LockWait::Long).await.expect("a transaction");
        let twice = [MessageStatus::Cancelled, MessageStatus::Expired].map(|status| (fresh.id, status, settlement.clone()));
        assert!(tx.apply(WriteSet { settled: twice.to_vec(), ..WriteSet::default() }).await.is_err());
        drop(tx);
        let message = store.message(Scope::Space(space.id), line.id(), fresh.id).await.expect("the store").expect("there");
        assert_eq!(message.status, MessageStatus::Pending);
    }
}
