//! Decodes messages, which are checked as untrusted input.

use super::super::channel::{Channel, VERSION};
use super::format::{
    Body, Envelope, Event, Events, MAX_EVENTS, MAX_MESSAGE, MAX_NAME, MAX_REVOKED, MAX_TEXT, Malformed, Message, Small,
};
use crate::broker::{Ephemeral, Signal};
use crate::domain::{CommittedEvent, EventHint, EventType, SessionId, SpaceId, Timestamp, older};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::sync::Arc;
use uuid::Uuid;

/// Decodes a message that was received on `channel`.
pub(in crate::broker::redis) fn decode(channel: Channel, bytes: &[u8]) -> Result<Message, Malformed> {
    if bytes.len() > MAX_MESSAGE {
        return Err(Malformed("too large"));
    }
    // The beginning shows which of the two it is, so that the rest is parsed once.
    if is_small(bytes) {
        let (node, small) = open(bytes)?;
        let body = match (channel, small) {
            (Channel::Nodes, Small::Revoked { id, mut more }) if more.len() < MAX_REVOKED => {
                more.push(id);
                Body::Signals(vec![Signal::Revoked(more)])
            }
            (Channel::Session(session), small) => of_session(session, small)?,
            (Channel::Nodes, _) => return Err(Malformed("not a message for all nodes")),
            (Channel::Space(_), _) => return Err(Malformed("not a message for a space")),
        };
        return Ok(Message { node, body });
    }
    let (node, events): (Uuid, Events<'_>) = open(bytes)?;
    if events.events.is_empty() || events.events.len() > MAX_EVENTS {
        return Err(Malformed("no events, or too many"));
    }
    let body = Body::Signals(match channel {
        Channel::Space(space) => vec![Signal::Hints(hints(space, &events)?)],
        Channel::Session(session) => session_events(session, events)?,
        Channel::Nodes => return Err(Malformed("not a message for all nodes")),
    });
    Ok(Message { node, body })
}

/// Whether the body is a [`Small`], whose tag comes first.
fn is_small(bytes: &[u8]) -> bool {
    const BODY: &[u8] = br#""body":{"kind":"#;
    // After the version and the sender's id.
    bytes[..bytes.len().min(96)].windows(BODY.len()).any(|window| window == BODY)
}

/// Parses the envelope: the sender's id and the body.
fn open<'a, B: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(Uuid, B), Malformed> {
    match serde_json::from_slice::<Envelope<B>>(bytes) {
        Ok(envelope) if envelope.v == VERSION => Ok((envelope.node, envelope.body)),
        Ok(_) => Err(Malformed("unknown version")),
        // The body of another version may be anything.
        Err(_) => Err(match serde_json::from_slice::<Envelope<IgnoredAny>>(bytes) {
            Ok(envelope) if envelope.v != VERSION => Malformed("unknown version"),
            Ok(_) => Malformed("unknown body"),
            Err(_) => Malformed("not a message"),
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
        _ => return Err(Malformed("not a message for a session")),
    };
    Ok(Body::Signals(vec![Signal::Ephemeral(ephemeral)]))
}

/// The events of a session that have their text, and the highest `seq` of those without.
fn session_events(session: SessionId, body: Events<'_>) -> Result<Vec<Signal>, Malformed> {
    let space = body.space;
    let (mut events, mut reach) = (Vec::with_capacity(body.events.len()), None);
    for event in body.events {
        let EventHint { seq, kind, at, pending, .. } = checked(space, &event)?;
        if event.session != session {
            return Err(Malformed("event of another session"));
        }
        let Some(text) = event.text.map(RawValue::get) else {
            reach = reach.max(Some(seq));
            continue;
        };
        if !text.starts_with('{') || text.len() > MAX_TEXT {
            return Err(Malformed("invalid event text"));
        }
        let (settles, removes) = (event.settles, event.removes);
        // The other node may be of the previous release.
        let text = Arc::from(older::completed(kind, text));
        events.push(CommittedEvent { space, session, seq, kind, at, pending, settles, removes, text });
    }
    let events = (!events.is_empty()).then_some(Signal::SessionEvents(events));
    Ok(events.into_iter().chain(reach.map(|seq| Signal::Reach { space, session, seq })).collect())
}

fn hints(space: SpaceId, body: &Events<'_>) -> Result<Vec<EventHint>, Malformed> {
    if body.space != space {
        return Err(Malformed("events of another space"));
    }
    body.events.iter().map(|event| checked(space, event)).collect()
}

fn checked(space: SpaceId, event: &Event<'_>) -> Result<EventHint, Malformed> {
    let kind = EventType::of(event.kind, event.precise).ok_or(Malformed("unknown event type"))?;
    if event.seq < 1 || event.pending < 0 {
        return Err(Malformed("invalid seq of an event"));
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
