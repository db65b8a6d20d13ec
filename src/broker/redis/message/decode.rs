//! Decodes messages, which are checked as untrusted input.

use super::super::channel::Channel;
use super::{
    Body, Envelope, Event, Events, MAX_EVENTS, MAX_MESSAGE, MAX_NAME, MAX_REVOKED, MAX_TEXT, Malformed, Message, Small,
    VERSION,
};
use crate::broker::{Ephemeral, Signal};
use crate::domain::{CommittedEvent, EventHint, EventType, SessionId, SpaceId, Timestamp, older};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// Reads a message that came on `channel`.
pub(in crate::broker::redis) fn decode(channel: Channel, bytes: &[u8]) -> Result<Message, Malformed> {
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
