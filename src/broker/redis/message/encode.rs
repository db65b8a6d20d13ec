//! Encodes signals as bounded messages.

use super::super::channel::{Channel, VERSION};
use super::format::{Envelope, Event, Events, MAX_EVENTS, MAX_REVOKED, MAX_TEXT, Small};
use crate::broker::{Ephemeral, Signal};
use crate::domain::{CommittedEvent, SpaceId};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

/// The approximate size of a queued signal, in bytes.
pub(in crate::broker::redis) fn size(signal: &Signal) -> usize {
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

/// The messages for a signal, with their channels.
pub(in crate::broker::redis) fn encode(node: Uuid, signal: &Signal) -> Vec<(Channel, Vec<u8>)> {
    let small = |channel, body: &Small| small(node, channel, body).into_iter().collect();
    match signal {
        Signal::Events(events) => {
            let mut out = Vec::new();
            for session in events.chunk_by(|a, b| a.session == b.session) {
                encode_session(node, session, &mut out);
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
            let chunks = ids.chunks(MAX_REVOKED).filter_map(<[Uuid]>::split_first);
            let bodies = chunks.map(|(id, more)| Small::Revoked { id: *id, more: more.to_vec() });
            bodies.filter_map(|body| self::small(node, Channel::Nodes, &body)).collect()
        }
        // Only received, never sent.
        Signal::SessionEvents(_) | Signal::Hints(_) | Signal::Reach { .. } | Signal::Subscribed(_) | Signal::Resync => {
            Vec::new()
        }
    }
}

fn small(node: Uuid, channel: Channel, body: &Small) -> Option<(Channel, Vec<u8>)> {
    Some((channel, sealed(node, body)?))
}

/// Serializing these types can't fail. If it did, a hint would be dropped.
fn sealed(node: Uuid, body: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(&Envelope { v: VERSION, node, body }).ok()
}

/// The events of one session with their texts, split into messages of bounded size.
fn encode_session(node: Uuid, events: &[CommittedEvent], out: &mut Vec<(Channel, Vec<u8>)>) {
    let mut rest = events;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fits = rest.iter().take(MAX_EVENTS).take_while(|event| {
            bytes += if event.text.len() > MAX_TEXT { 0 } else { event.text.len() };
            bytes <= MAX_TEXT
        });
        // The first one always fits, with its text or without.
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
