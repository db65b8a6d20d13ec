//! What goes over Redis: JSON with a version, bounded, and checked on the way in as if anybody could have written it.

use super::channel::Channel;
use crate::broker::{Ephemeral, Signal};
use crate::domain::{
    Actor, CommittedEvent, EventHint, EventType, MessageId, ParticipantId, PrincipalId, SessionId, SpaceId, Timestamp,
    older,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// The version of this format. It is part of every channel's name too.
pub(super) const VERSION: u8 = 1;
/// Most bytes of events' texts in one message; of an event that is larger only its place is told.
const MAX_TEXT: usize = 64 * 1024;
/// Most events in one message.
const MAX_EVENTS: usize = 256;
/// Most ids of what was revoked in one message.
const MAX_REVOKED: usize = 1000;
/// Largest message that is read, in bytes: the texts and what stands around them.
const MAX_MESSAGE: usize = MAX_TEXT + MAX_EVENTS * 512;
/// Longest name of an actor that is read, in bytes.
const MAX_NAME: usize = 1024;

/// One message: who sent it, and what it says.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) node: Uuid,
    pub(super) body: Body,
}

#[derive(Debug)]
pub(super) enum Body {
    /// To be passed on as they are.
    Signals(Vec<Signal>),
    /// Whether somebody has a socket for the session on the sender's node.
    Presence { session: SessionId, principal: PrincipalId, participant: ParticipantId, online: bool },
}

/// Why a message was not read. Says nothing of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

#[derive(Serialize, Deserialize)]
struct Envelope<B> {
    v: u8,
    node: Uuid,
    body: B,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Small {
    Typing {
        actor: Actor,
        typing: bool,
    },
    Receipt {
        participant: ParticipantId,
        seq: i64,
    },
    Presence {
        principal: PrincipalId,
        participant: ParticipantId,
        online: bool,
    },
    /// Nodes of the version before know `id` alone, and find the others in the store.
    Revoked {
        id: Uuid,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<Uuid>,
    },
}

/// The events of a session, or (without texts) of a space.
#[derive(Serialize, Deserialize)]
struct Events<'a> {
    space: SpaceId,
    #[serde(borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Event<'a> {
    session: SessionId,
    seq: i64,
    #[serde(borrow)]
    kind: &'a str,
    /// Where `kind` does not say all.
    #[serde(rename = "type", borrow, default, skip_serializing_if = "Option::is_none")]
    precise: Option<&'a str>,
    /// Milliseconds since the epoch.
    at: i64,
    pending: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settles: Option<MessageId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removes: Option<PrincipalId>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<&'a RawValue>,
}

/// About how many bytes a signal holds while it waits.
pub(super) fn size(signal: &Signal) -> usize {
    const EACH: usize = 256;
    match signal {
        Signal::Events(events) | Signal::SessionEvents(events) => {
            events.iter().map(|event| EACH + event.text.len()).sum()
        }
        Signal::Hints(hints) => hints.len() * EACH,
        Signal::Revoked(ids) => EACH + ids.len() * size_of::<Uuid>(),
        _ => EACH,
    }
}

/// The messages that tell the other nodes of a signal, with where they go.
pub(super) fn encode(node: Uuid, signal: &Signal) -> Vec<(Channel, Vec<u8>)> {
    let small = |channel, body: &Small| small(node, channel, body).into_iter().collect();
    match signal {
        Signal::Events(events) => {
            let mut out = Vec::new();
            for run in events.chunk_by(|a, b| a.session == b.session) {
                encode_run(node, run, &mut out);
            }
            encode_hints(node, events, &mut out);
            out
        }
        Signal::Ephemeral(Ephemeral::Typing { session, actor, typing }) => {
            small(Channel::Session(*session), &Small::Typing { actor: actor.clone(), typing: *typing })
        }
        Signal::Ephemeral(Ephemeral::Receipt { session, participant, seq }) => {
            small(Channel::Session(*session), &Small::Receipt { participant: *participant, seq: *seq })
        }
        Signal::Ephemeral(Ephemeral::Presence { session, participant, principal, online }) => {
            let body = Small::Presence { principal: *principal, participant: *participant, online: *online };
            small(Channel::Session(*session), &body)
        }
        Signal::Revoked(ids) => {
            let pieces = ids.chunks(MAX_REVOKED).filter_map(<[Uuid]>::split_first);
            let bodies = pieces.map(|(id, more)| Small::Revoked { id: *id, more: more.to_vec() });
            bodies.filter_map(|body| self::small(node, Channel::Nodes, &body)).collect()
        }
        // What only comes in.
        Signal::SessionEvents(_) | Signal::Hints(_) | Signal::Reach { .. } | Signal::Listening(_) | Signal::Resync => {
            Vec::new()
        }
    }
}

fn small(node: Uuid, channel: Channel, body: &Small) -> Option<(Channel, Vec<u8>)> {
    Some((channel, sealed(node, body)?))
}

/// Serializing these types can't fail; if it did, there would be one hint less.
fn sealed(node: Uuid, body: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(&Envelope { v: VERSION, node, body }).ok()
}

/// The events of one session, with their texts, cut into messages of bounded size.
fn encode_run(node: Uuid, run: &[CommittedEvent], out: &mut Vec<(Channel, Vec<u8>)>) {
    let mut rest = run;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_EVENTS).take_while(|event| {
            bytes += if event.text.len() > MAX_TEXT { 0 } else { event.text.len() };
            bytes <= MAX_TEXT
        });
        // The first one always fits, as its text or as its place alone.
        let (now, later) = rest.split_at(fits.count().max(1));
        rest = later;
        let events = now.iter().map(|event| {
            let text = (event.text.len() <= MAX_TEXT).then(|| serde_json::from_str::<&RawValue>(&event.text).ok());
            Event { settles: event.settles, removes: event.removes, text: text.flatten(), ..hint(event) }
        });
        let body = Events { space: first.space, events: events.collect() };
        out.extend(sealed(node, &body).map(|bytes| (Channel::Session(first.session), bytes)));
    }
}

/// The events without their texts, for the feeds of their spaces.
fn encode_hints(node: Uuid, events: &[CommittedEvent], out: &mut Vec<(Channel, Vec<u8>)>) {
    let mut spaces: Vec<SpaceId> = events.iter().map(|event| event.space).collect();
    spaces.sort_unstable();
    spaces.dedup();
    for space in spaces {
        let events: Vec<_> = events.iter().filter(|event| event.space == space).map(hint).collect();
        let mut events = events.into_iter().peekable();
        while events.peek().is_some() {
            let body = Events { space, events: events.by_ref().take(MAX_EVENTS).collect() };
            out.extend(sealed(node, &body).map(|bytes| (Channel::Space(space), bytes)));
        }
    }
}

fn hint(event: &CommittedEvent) -> Event<'_> {
    Event {
        session: event.session,
        seq: event.seq,
        kind: event.kind.basic().as_str(),
        precise: event.kind.precise(),
        at: event.at.0,
        pending: event.pending,
        settles: None,
        removes: None,
        text: None,
    }
}

/// Reads a message that came on `channel`.
pub(super) fn decode(channel: Channel, bytes: &[u8]) -> Result<Message, Malformed> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Malformed("it is too large"));
    }
    // Which of the two it is shows at its beginning, so that the rest is read once.
    if is_small(bytes) {
        let (node, small) = open(bytes)?;
        let body = match (channel, small) {
            (Channel::Nodes, Small::Revoked { id, mut more }) if more.len() < MAX_REVOKED => {
                more.push(id);
                Body::Signals(vec![Signal::Revoked(more)])
            }
            (Channel::Session(session), small) => of_session(session, small)?,
            (Channel::Nodes, _) => return Err(Malformed("it says nothing that goes to every node")),
            (Channel::Space(_), _) => return Err(Malformed("it says nothing that goes to a space")),
        };
        return Ok(Message { node, body });
    }
    let (node, events): (Uuid, Events<'_>) = open(bytes)?;
    if events.events.is_empty() || events.events.len() > MAX_EVENTS {
        return Err(Malformed("it holds no events or too many"));
    }
    let body = Body::Signals(match channel {
        Channel::Space(space) => vec![Signal::Hints(hints(space, &events)?)],
        Channel::Session(session) => session_events(session, events)?,
        Channel::Nodes => return Err(Malformed("it says nothing that goes to every node")),
    });
    Ok(Message { node, body })
}

/// Whether the body is a [`Small`], whose tag `sealed` writes first.
fn is_small(bytes: &[u8]) -> bool {
    const BODY: &[u8] = br#""body":{"kind":"#;
    // Behind the version and the sender's id.
    bytes[..bytes.len().min(96)].windows(BODY.len()).any(|window| window == BODY)
}

/// Opens the envelope: the sender's id and the body.
fn open<'a, B: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(Uuid, B), Malformed> {
    match serde_json::from_slice::<Envelope<B>>(bytes) {
        Ok(envelope) if envelope.v == VERSION => Ok((envelope.node, envelope.body)),
        Ok(_) => Err(Malformed("it is of another version")),
        // Of another version the body may be anything.
        Err(_) => Err(match serde_json::from_slice::<Envelope<IgnoredAny>>(bytes) {
            Ok(envelope) if envelope.v != VERSION => Malformed("it is of another version"),
            Ok(_) => Malformed("it says nothing known"),
            Err(_) => Malformed("it is no message"),
        }),
    }
}

fn of_session(session: SessionId, small: Small) -> Result<Body, Malformed> {
    let ephemeral = match small {
        Small::Typing { actor, typing } if actor.name.len() <= MAX_NAME => Ephemeral::Typing { session, actor, typing },
        Small::Receipt { participant, seq } if seq >= 0 => Ephemeral::Receipt { session, participant, seq },
        Small::Presence { principal, participant, online } => {
            return Ok(Body::Presence { session, principal, participant, online });
        }
        _ => return Err(Malformed("it says nothing that goes to a session")),
    };
    Ok(Body::Signals(vec![Signal::Ephemeral(ephemeral)]))
}

/// The events of a session that came with their text, and how far those without one reach.
fn session_events(session: SessionId, body: Events<'_>) -> Result<Vec<Signal>, Malformed> {
    let space = body.space;
    let (mut events, mut reach) = (Vec::with_capacity(body.events.len()), None);
    for event in body.events {
        let EventHint { seq, kind, at, pending, .. } = checked(space, &event)?;
        if event.session != session {
            return Err(Malformed("an event belongs to another session"));
        }
        let Some(text) = event.text.map(RawValue::get) else {
            reach = reach.max(Some(seq));
            continue;
        };
        if !text.starts_with('{') || text.len() > MAX_TEXT {
            return Err(Malformed("an event's text is none"));
        }
        let (settles, removes) = (event.settles, event.removes);
        // The other node may be of the release before.
        let text = Arc::from(older::completed(kind, text));
        events.push(CommittedEvent { space, session, seq, kind, at, pending, settles, removes, text });
    }
    let events = (!events.is_empty()).then_some(Signal::SessionEvents(events));
    Ok(events.into_iter().chain(reach.map(|seq| Signal::Reach { space, session, seq })).collect())
}

fn hints(space: SpaceId, body: &Events<'_>) -> Result<Vec<EventHint>, Malformed> {
    if body.space != space {
        return Err(Malformed("its events belong to another space"));
    }
    body.events.iter().map(|event| checked(space, event)).collect()
}

fn checked(space: SpaceId, event: &Event<'_>) -> Result<EventHint, Malformed> {
    let kind = EventType::of(event.kind, event.precise).ok_or(Malformed("an event has no known type"))?;
    if event.seq < 1 || event.pending < 0 {
        return Err(Malformed("an event has no place on a timeline"));
    }
    Ok(EventHint {
        space,
        session: event.session,
        seq: event.seq,
        kind,
        at: Timestamp(event.at),
        pending: event.pending,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ActorType;
    use proptest::prelude::*;

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
    fn events_arrive_byte_for_byte_and_feeds_get_none_of_their_text() {
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
    fn a_type_that_the_version_before_does_not_know_goes_beside_one_that_it_does() {
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
    fn what_is_too_large_is_told_by_its_place_alone() {
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
    fn what_belongs_elsewhere_is_refused() {
        let (space, session) = (SpaceId::new(), SessionId::new());
        let out = encode(Uuid::now_v7(), &Signal::Events(vec![event(space, session, 1, "{}".to_owned())]));
        assert!(decode(Channel::Session(SessionId::new()), &out[0].1).is_err(), "another session's");
        assert!(decode(Channel::Space(SpaceId::new()), &out[1].1).is_err(), "another space's");
        assert!(decode(Channel::Nodes, &out[0].1).is_err());
        let revoked = encode(Uuid::now_v7(), &Signal::Revoked(vec![Uuid::now_v7()]));
        assert!(decode(Channel::Nodes, &revoked[0].1).is_ok());
        assert!(decode(Channel::Session(session), &revoked[0].1).is_err());
        let other = String::from_utf8(revoked[0].1.clone()).expect("text").replace(r#""v":1"#, r#""v":2"#);
        assert_eq!(
            decode(Channel::Nodes, other.as_bytes()).expect_err("refused"),
            Malformed("it is of another version")
        );
        assert!(decode(Channel::Nodes, &vec![b' '; MAX_MESSAGE + 1]).is_err());
    }

    #[test]
    fn what_is_revoked_together_makes_few_bounded_messages() {
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
        // What the version before writes, and what nobody does.
        let one = String::from_utf8(out[2].1.clone()).expect("text");
        assert!(one.ends_with(&format!(r#""body":{{"kind":"revoked","id":"{}"}}}}"#, ids[MAX_REVOKED * 2])), "{one}");
        let many = serde_json::to_string(&ids[..MAX_REVOKED]).expect("JSON");
        let many = one.replace("\"}}", &format!("\",\"more\":{many}}}}}"));
        assert_eq!(
            decode(Channel::Nodes, many.as_bytes()).expect_err("refused"),
            Malformed("it says nothing that goes to every node")
        );
    }

    #[test]
    fn typing_is_read_back() {
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
        fn garbage_is_refused_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for channel in [Channel::Nodes, Channel::Session(SessionId::new()), Channel::Space(SpaceId::new())] {
                prop_assert!(decode(channel, &bytes).is_err());
            }
        }

        #[test]
        fn a_damaged_message_is_never_a_panic(at in 0_usize..400, byte in any::<u8>()) {
            let (space, session) = (SpaceId::new(), SessionId::new());
            let out = encode(Uuid::now_v7(), &Signal::Events(vec![event(space, session, 1, "{\"a\":1}".to_owned())]));
            for (channel, mut bytes) in out {
                let at = at % bytes.len();
                bytes[at] = byte;
                let _ = decode(channel, &bytes);
            }
        }
    }
}
