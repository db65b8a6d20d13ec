//! Events of the release before this one, with what they lack.
//!
//! An event is sent as the text that was stored with it. That release stored messages without `answerers`, `outcome`
//! and `acknowledgedAt`, responses without `outcome`, and participants with a `publicKey` and a `keyId` in the place of
//! `key` and `invitedBy`. What comes out of the store, or from a node of that release, gets them where it is read, so
//! that every reader of a timeline sees one shape.

use super::message::Response;
use super::{EventType, Message, MessageId, Participant, ParticipantId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// As many bytes of an event's text, at its end, hold the last three keys of a message and none of its envelopes.
const END_OF_MESSAGE: usize = 104;

/// The text of an event, with what the release before did not write. One of this release stays as it is.
pub fn completed(kind: EventType, text: &str) -> Cow<'_, str> {
    let rewritten = if is_complete(kind, text) { None } else { rewritten(kind, text) };
    rewritten.map_or(Cow::Borrowed(text), Cow::Owned)
}

/// Whether an event's text has the keys that were added last. Looks at places that no content reaches: JSON of clients,
/// in envelopes and in `metadata`, may have the same keys.
fn is_complete(kind: EventType, text: &str) -> bool {
    match kind {
        EventType::MessageCreated => {
            let end = text.as_bytes();
            let end = &end[end.len().saturating_sub(END_OF_MESSAGE)..];
            find(end, br#""acknowledgedAt":"#).is_some()
        }
        EventType::MessageCompleted => {
            // The keys before it are the hub's own, and in a name quotes are escaped.
            let Some((_, after)) = text.split_once(r#""respondedAt":""#) else { return true };
            after.split_once('"').is_none_or(|(_, next)| next.starts_with(r#","outcome":"#))
        }
        EventType::SessionCreated | EventType::ParticipantAdded | EventType::ParticipantRemoved => {
            // Of the last participant: what stands before it is `invitedBy`, an actor or null.
            let Some((before, _)) = text.rsplit_once(r#","lastReadSeq":"#) else { return true };
            before.ends_with(r#""invitedBy":null"#) || before.ends_with('}')
        }
        _ => true,
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// An event but for its `data`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    session_id: &'a str,
    seq: i64,
    r#type: &'a str,
    at: &'a str,
    #[serde(borrow)]
    actor: &'a RawValue,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Serialize, Deserialize)]
struct OfMessage {
    message: Message,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfResponse {
    message_id: MessageId,
    response: Response,
}

#[derive(Serialize, Deserialize)]
struct OfSession<'a> {
    #[serde(borrow)]
    session: &'a RawValue,
    participants: Vec<Participant>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfParticipant {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    participant_id: Option<ParticipantId>,
    participant: Participant,
}

/// The same event as this release writes it; none where it can't be read.
fn rewritten(kind: EventType, text: &str) -> Option<String> {
    let event: Event<'_> = serde_json::from_str(text).ok()?;
    let data = event.data.get();
    let data = match kind {
        EventType::MessageCreated => again::<OfMessage>(data)?,
        EventType::MessageCompleted => again::<OfResponse>(data)?,
        EventType::SessionCreated => again::<OfSession<'_>>(data)?,
        EventType::ParticipantAdded | EventType::ParticipantRemoved => again::<OfParticipant>(data)?,
        _ => return None,
    };
    let Event { session_id, seq, r#type, at, actor, .. } = event;
    Some(format!(
        r#"{{"sessionId":"{session_id}","seq":{seq},"type":"{type}","at":"{at}","actor":{actor},"data":{data}}}"#,
    ))
}

fn again<'a, T: Serialize + Deserialize<'a>>(data: &'a str) -> Option<String> {
    serde_json::to_string(&serde_json::from_str::<T>(data).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "0198f7b2-0000-7000-8000-000000000000";
    const AT: &str = "2026-03-25T10:30:00.000Z";

    fn event(kind: EventType, data: &str) -> String {
        let actor = r#"{"type":"Agent","id":null,"name":"\"respondedAt\":\"acknowledgedAt\":"}"#;
        let kind = kind.as_str();
        format!(r#"{{"sessionId":"{ID}","seq":7,"type":"{kind}","at":"{AT}","actor":{actor},"data":{data}}}"#)
    }

    /// An envelope that has everything that an older event lacks, and a number that only its text has.
    const ENVELOPE: &str = r#"{"ciphertext":"é","wrappings":[],"answerers":null,"outcome":null,"acknowledgedAt":null,"invitedBy":null,"respondedAt":"x","n":1.50}"#;

    fn older_message() -> String {
        let message = format!(
            r#"{{"id":"{ID}","sessionId":"{ID}","seq":7,"senderType":"Agent","senderAgentId":null,"senderHumanId":null,"senderGuestId":null,"senderName":"a","encryptedContent":{ENVELOPE},"encryptedComponents":{ENVELOPE},"responseRequired":false,"status":"Completed","priority":"Low","deadlineAt":null,"inReplyTo":null,"response":null,"createdAt":"{AT}","updatedAt":"{AT}"}}"#
        );
        event(EventType::MessageCreated, &format!(r#"{{"message":{message}}}"#))
    }

    fn older_participant(key: &str) -> String {
        format!(
            r#"{{"id":"{ID}","sessionId":"{ID}","type":"Agent","agentId":"{ID}","humanId":null,"guestId":null,"name":"a","role":"owner","publicKey":{key},"keyId":{key},"lastReadSeq":0,"online":false,"addedAt":"{AT}"}}"#
        )
    }

    /// The completed older event. Completing it again changes nothing.
    fn data(kind: EventType, older: &str) -> (Value, String) {
        let text = completed(kind, older).into_owned();
        assert_eq!(completed(kind, &text), text);
        assert!(is_complete(kind, &text), "{text}");
        let event: Value = serde_json::from_str(&text).expect("JSON");
        let before: Value = serde_json::from_str(older).expect("JSON");
        for key in ["sessionId", "seq", "type", "at", "actor"] {
            assert_eq!(event[key], before[key]);
        }
        (event["data"].clone(), text)
    }

    #[test]
    fn a_message_gets_what_it_lacks_and_keeps_its_envelopes() {
        let (data, text) = data(EventType::MessageCreated, &older_message());
        let keys: Vec<_> = data["message"].as_object().expect("an object").keys().map(String::as_str).collect();
        for key in ["answerers", "outcome", "acknowledgedAt"] {
            assert!(keys.contains(&key), "{key}: {text}");
            assert_eq!(data["message"][key], Value::Null);
        }
        assert_eq!(text.matches(ENVELOPE).count(), 2);
    }

    #[test]
    fn a_deadline_beyond_rfc_3339_becomes_the_last_one() {
        let older = older_message().replace(r#""deadlineAt":null"#, r#""deadlineAt":"+10000-01-01T00:00:00.000Z""#);
        assert_eq!(data(EventType::MessageCreated, &older).0["message"]["deadlineAt"], "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn a_response_gets_its_outcome() {
        let by = r#"{"type":"Human","id":null,"name":"\"respondedAt\":\""}"#;
        let response = format!(
            r#"{{"messageId":"{ID}","response":{{"messageId":"{ID}","respondedBy":{by},"respondedAt":"{AT}","encryptedContent":{ENVELOPE},"encryptedComponents":null}}}}"#
        );
        let (data, text) = data(EventType::MessageCompleted, &event(EventType::MessageCompleted, &response));
        assert_eq!(data["response"]["outcome"], "Answered");
        assert!(text.contains(ENVELOPE));
    }

    #[test]
    fn participants_get_an_entry_and_an_inviter() {
        for key in ["null", r#""AAAA""#] {
            let participant = older_participant(key);
            let created = format!(r#"{{"session":{ENVELOPE},"participants":[{participant},{participant}]}}"#);
            let (of_session, text) = data(EventType::SessionCreated, &event(EventType::SessionCreated, &created));
            assert!(text.contains(ENVELOPE));
            let added = format!(r#"{{"participant":{participant}}}"#);
            let (of_added, _) = data(EventType::ParticipantAdded, &event(EventType::ParticipantAdded, &added));
            let removed = format!(r#"{{"participantId":"{ID}","participant":{participant}}}"#);
            let (of_removed, _) = data(EventType::ParticipantRemoved, &event(EventType::ParticipantRemoved, &removed));
            assert_eq!((&of_removed["participantId"], of_added.get("participantId")), (&json!(ID), None));
            let [first, second] = [0, 1].map(|at| &of_session["participants"][at]);
            for participant in [first, second, &of_added["participant"], &of_removed["participant"]] {
                let keys = participant.as_object().expect("an object");
                assert!(!keys.contains_key("publicKey") && !keys.contains_key("keyId"), "{participant}");
                assert_eq!((keys.get("key"), keys.get("invitedBy")), (Some(&Value::Null), Some(&Value::Null)));
            }
        }
    }

    #[test]
    fn what_can_not_be_read_stays_as_it_is() {
        for text in ["", "{}", r#"{"data":{"message":{}}}"#, r#""respondedAt":""#, r#","lastReadSeq":"#] {
            for kind in EventType::ALL {
                assert_eq!(completed(*kind, text), text);
            }
        }
    }
}
