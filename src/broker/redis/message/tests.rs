//! Tests of the format: messages survive a round trip, and malformed ones are rejected.

use super::super::channel::Channel;
use super::decode::*;
use super::encode::*;
use super::format::*;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{
    Actor, ActorType, CommittedEvent, EventHint, EventType, MessageId, PrincipalId, SessionId, SpaceId, Timestamp,
};
use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

fn event(space: SpaceId, session: SessionId, seq: i64, text: String) -> CommittedEvent {
    CommittedEvent {
        space,
        session,
        seq,
        kind: EventType::MessageCreated,
        at: Timestamp(1_700_000_000_123),
        pending: 3,
        settles: Some(MessageId::new()),
        removes: Some(PrincipalId(Uuid::now_v7())),
        text: Arc::from(text),
    }
}

#[test]
fn events_arrive_unchanged_and_feeds_get_none_of_their_text() {
    let (node, space, session) = (Uuid::now_v7(), SpaceId::new(), SessionId::new());
    let text = r#"{"b": 1,"a":"\u0000 \" ü 😀"}"#;
    let sent = event(space, session, 7, text.to_owned());
    let out = encode(node, &Signal::Events(vec![sent.clone()]));
    let [(to_session, full), (to_space, compact)] = out.as_slice() else { panic!("two messages, not {out:?}") };
    assert_eq!((*to_session, *to_space), (Channel::Session(session), Channel::Space(space)));
    let read = decode(*to_session, full).expect("well formed");
    assert_eq!(read.node, node);
    let Body::Signals(signals) = read.body else { panic!("signals") };
    let [Signal::SessionEvents(events)] = signals.as_slice() else { panic!("events, not {signals:?}") };
    assert_eq!((&*events[0].text, events[0].seq, events[0].pending), (text, 7, 3));
    assert_eq!((events[0].settles, events[0].removes, events[0].at), (sent.settles, sent.removes, sent.at));
    assert!(!String::from_utf8_lossy(compact).contains("😀"));
    let Body::Signals(signals) = decode(*to_space, compact).expect("well formed").body else { panic!("signals") };
    let [Signal::Hints(hints)] = signals.as_slice() else { panic!("hints, not {signals:?}") };
    assert_eq!(hints.as_slice(), [EventHint::from(&sent)]);
}

#[test]
fn a_new_event_type_is_sent_beside_one_that_the_previous_release_knows() {
    let (space, session) = (SpaceId::new(), SessionId::new());
    let sent = CommittedEvent {
        kind: EventType::ParticipantKeyChanged,
        settles: None,
        removes: None,
        ..event(space, session, 1, "{}".to_owned())
    };
    for (channel, bytes) in encode(Uuid::now_v7(), &Signal::Events(vec![sent])) {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains(r#""kind":"participant.added""#), "{text}");
        for (text, kind) in [
            (text.clone(), EventType::ParticipantKeyChanged),
            // One that a later version has made up.
            (text.replace("participant.key_changed", "participant.sang"), EventType::ParticipantAdded),
        ] {
            let Body::Signals(signals) = decode(channel, text.as_bytes()).expect("well formed").body else {
                panic!("signals")
            };
            match signals.as_slice() {
                [Signal::SessionEvents(events)] => assert_eq!(events[0].kind, kind),
                [Signal::Hints(hints)] => assert_eq!(hints[0].kind, kind),
                other => panic!("events or hints, not {other:?}"),
            }
        }
    }
}

#[test]
fn a_large_event_is_sent_by_its_seq_only() {
    let (space, session) = (SpaceId::new(), SessionId::new());
    let large = |seq| event(space, session, seq, format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_TEXT)));
    let small = event(space, session, 2, "{}".to_owned());
    let out = encode(Uuid::now_v7(), &Signal::Events(vec![large(1), small, large(3)]));
    assert_eq!(out.len(), 2);
    assert!(out.iter().all(|(_, bytes)| bytes.len() < 2048), "no text of it goes along");
    let Body::Signals(signals) = decode(out[0].0, &out[0].1).expect("well formed").body else { panic!("signals") };
    let [Signal::SessionEvents(events), Signal::Reach { seq: 3, .. }] = signals.as_slice() else {
        panic!("one event and how far it goes, not {signals:?}")
    };
    assert_eq!(events[0].seq, 2);
}

#[test]
fn many_events_make_several_bounded_messages() {
    let (space, session) = (SpaceId::new(), SessionId::new());
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(1000));
    let events: Vec<_> = (1..=1000).map(|seq| event(space, session, seq, text.clone())).collect();
    let out = encode(Uuid::now_v7(), &Signal::Events(events));
    let mut seqs = Vec::new();
    for (channel, bytes) in out.iter().filter(|(channel, _)| matches!(channel, Channel::Session(_))) {
        assert!(bytes.len() <= MAX_MESSAGE);
        let Body::Signals(signals) = decode(*channel, bytes).expect("well formed").body else { panic!("signals") };
        for signal in signals {
            let Signal::SessionEvents(events) = signal else { panic!("events, not {signal:?}") };
            seqs.extend(events.iter().map(|event| event.seq));
        }
    }
    assert_eq!(seqs, (1..=1000).collect::<Vec<_>>());
}

#[test]
fn a_message_on_the_wrong_channel_is_rejected() {
    let (space, session) = (SpaceId::new(), SessionId::new());
    let out = encode(Uuid::now_v7(), &Signal::Events(vec![event(space, session, 1, "{}".to_owned())]));
    assert!(decode(Channel::Session(SessionId::new()), &out[0].1).is_err(), "another session's");
    assert!(decode(Channel::Space(SpaceId::new()), &out[1].1).is_err(), "another space's");
    assert!(decode(Channel::Nodes, &out[0].1).is_err());
    let revoked = encode(Uuid::now_v7(), &Signal::Revoked(vec![Uuid::now_v7()]));
    assert!(decode(Channel::Nodes, &revoked[0].1).is_ok());
    assert!(decode(Channel::Session(session), &revoked[0].1).is_err());
    let other = String::from_utf8(revoked[0].1.clone()).expect("text").replace(r#""v":1"#, r#""v":2"#);
    assert_eq!(decode(Channel::Nodes, other.as_bytes()).expect_err("refused"), Malformed("unknown version"));
    assert!(decode(Channel::Nodes, &vec![b' '; MAX_MESSAGE + 1]).is_err());
}

#[test]
fn many_revocations_make_few_bounded_messages() {
    let ids: Vec<Uuid> = (0..MAX_REVOKED * 2 + 1).map(|_| Uuid::now_v7()).collect();
    let out = encode(Uuid::now_v7(), &Signal::Revoked(ids.clone()));
    assert_eq!(out.len(), 3);
    let mut read = Vec::new();
    for (channel, bytes) in &out {
        assert!(bytes.len() <= MAX_MESSAGE);
        let Body::Signals(signals) = decode(*channel, bytes).expect("well formed").body else { panic!("signals") };
        let [Signal::Revoked(some)] = signals.as_slice() else { panic!("ids, not {signals:?}") };
        read.extend(some.iter().copied());
    }
    read.sort_unstable();
    assert_eq!(read, ids, "those of version 7 sort by time");
    // A message of the previous release, and an invalid one.
    let one = String::from_utf8(out[2].1.clone()).expect("text");
    assert!(one.ends_with(&format!(r#""body":{{"kind":"revoked","id":"{}"}}}}"#, ids[MAX_REVOKED * 2])), "{one}");
    let many = serde_json::to_string(&ids[..MAX_REVOKED]).expect("JSON");
    let many = one.replace("\"}}", &format!("\",\"more\":{many}}}}}"));
    assert_eq!(decode(Channel::Nodes, many.as_bytes()).expect_err("refused"), Malformed("not a message for all nodes"));
}

#[test]
fn typing_survives_a_round_trip() {
    let session = SessionId::new();
    let actor = Actor { kind: ActorType::Human, id: Some(Uuid::now_v7()), name: "Ann".to_owned() };
    let signal = Signal::Ephemeral(Ephemeral::Typing { session, actor: actor.clone(), typing: true });
    let out = encode(Uuid::now_v7(), &signal);
    let Body::Signals(signals) = decode(out[0].0, &out[0].1).expect("well formed").body else { panic!("signals") };
    let [Signal::Ephemeral(Ephemeral::Typing { actor: read, typing: true, .. })] = signals.as_slice() else {
        panic!("typing, not {signals:?}")
    };
    assert_eq!(*read, actor);
}

proptest! {
    #[test]
    fn garbage_is_rejected_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for channel in [Channel::Nodes, Channel::Session(SessionId::new()), Channel::Space(SpaceId::new())] {
            prop_assert!(decode(channel, &bytes).is_err());
        }
    }

    #[test]
    fn a_damaged_message_causes_no_panic(at in 0_usize..400, byte in any::<u8>()) {
        let (space, session) = (SpaceId::new(), SessionId::new());
        let out = encode(Uuid::now_v7(), &Signal::Events(vec![event(space, session, 1, "{\"a\":1}".to_owned())]));
        for (channel, mut bytes) in out {
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = decode(channel, &bytes);
        }
    }
}
