//! The JSON of an event: written once at its commit, stored, and sent as it is stored.

use crate::domain::change::Change;
use crate::domain::{Actor, Envelope, Priority, Session, Timestamp};
use serde::Serialize;
use serde_json::json;
use std::fmt::Write as _;

/// JSON of a value whose serialisation can't fail (no maps with other keys than strings, no failing `Serialize`).
fn json_of<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// The text of the event `change` at `seq` of `session`, given its `data` from [`data_text`].
///
/// Shape: `{sessionId, seq, type, at, actor, data}` (contract section 4).
pub fn event_text(session: &Session, seq: i64, change: &Change, actor: &Actor, at: Timestamp, data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 256);
    let kind = change.event_type().as_str();
    let actor = json_of(actor);
    let id = session.id;
    // Writing to a String can't fail.
    let _ =
        write!(text, r#"{{"sessionId":"{id}","seq":{seq},"type":"{kind}","at":"{at}","actor":{actor},"data":{data}}}"#);
    text
}

/// The JSON of an event's `data`, from the session as it is *after* the change.
pub fn data_text(session: &Session, change: &Change) -> String {
    match change {
        Change::SessionCreated(participants) => {
            format!(r#"{{"session":{},"participants":{}}}"#, json_of(session), json_of(participants))
        }
        Change::SessionUpdated(_) => json_of(&Updated {
            title: session.title.as_deref(),
            encrypted_title: session.encrypted_title.as_ref(),
            priority: session.priority,
            metadata: session.metadata.as_deref(),
        }),
        Change::SessionClosed | Change::SessionArchived => {
            json!({ "closedAt": session.closed_at, "archivedAt": session.archived_at }).to_string()
        }
        Change::ParticipantAdded(participant, _) => format!(r#"{{"participant":{}}}"#, json_of(participant)),
        Change::ParticipantRemoved(participant) => json!({
            "participantId": participant.id,
            "participant": participant,
        })
        .to_string(),
        Change::ParticipantKeyChanged(participant, change) => {
            let (entry, chained) = (json_of(&change.entry), change.chained);
            format!(r#"{{"participantId":"{participant}","entry":{entry},"chained":{chained}}}"#)
        }
        Change::MessageCreated(message) => format!("{MESSAGE_OPEN}{}{MESSAGE_CLOSE}", json_of(message)),
        Change::MessageCompleted(id, response) => {
            format!(r#"{{"messageId":"{id}","response":{}}}"#, json_of(response))
        }
        Change::MessageCancelled(id) | Change::MessageExpired(id) | Change::MessageAcknowledged(id) => {
            format!(r#"{{"messageId":"{id}"}}"#)
        }
        Change::BlocksPushed(id, block) => {
            format!(r#"{{"messageId":"{id}","encryptedBlocks":{}}}"#, block.as_str())
        }
    }
}

const MESSAGE_OPEN: &str = r#"{"message":"#;
const MESSAGE_CLOSE: &str = "}";

/// The JSON of the message in the `data` of its `message.created`.
pub fn message_of_data(data: &str) -> Option<&str> {
    data.strip_prefix(MESSAGE_OPEN)?.strip_suffix(MESSAGE_CLOSE)
}

/// `data` of `session.updated`: the fields that a PATCH may change, after the change.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Updated<'a> {
    title: Option<&'a str>,
    encrypted_title: Option<&'a Envelope>,
    priority: Priority,
    metadata: Option<&'a serde_json::value::RawValue>,
}
