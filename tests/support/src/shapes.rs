//! The objects of the contract by their keys: each has exactly these, absent values as null.

use super::hub::text;
use hiloop::domain::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

/// Checks that an object has these keys and no others.
#[track_caller]
pub fn has_keys(object: &Value, keys: &str) {
    let object = object.as_object().unwrap_or_else(|| panic!("an object, not {object}"));
    let found: BTreeSet<_> = object.keys().map(String::as_str).collect();
    assert_eq!(found, keys.split_whitespace().collect::<BTreeSet<_>>());
}

#[track_caller]
pub fn is_session(session: &Value) {
    has_keys(
        session,
        "id spaceId createdByAgentId createdByHumanId title encryptedTitle status priority metadata lastSeq \
         pendingCount createdAt updatedAt closedAt archivedAt",
    );
    is_id(&session["id"]);
    is_id(&session["spaceId"]);
    is_time(&session["createdAt"]);
    is_time(&session["updatedAt"]);
}

#[track_caller]
pub fn is_message(message: &Value) {
    has_keys(
        message,
        "id sessionId seq senderType senderAgentId senderHumanId senderGuestId senderName encryptedContent \
         encryptedComponents responseRequired status priority deadlineAt answerers inReplyTo outcome response \
         acknowledgedAt createdAt updatedAt",
    );
    is_id(&message["id"]);
    is_id(&message["sessionId"]);
    is_time(&message["createdAt"]);
    is_time(&message["updatedAt"]);
}

#[track_caller]
pub fn is_interaction(interaction: &Value) {
    has_keys(
        interaction,
        "id sessionId messageId agentId type title status priority encryptedContent encryptedComponents blocks \
         deadlineAt acknowledgedAt response createdAt updatedAt",
    );
    for id in ["id", "sessionId", "messageId", "agentId"] {
        is_id(&interaction[id]);
    }
    is_time(&interaction["createdAt"]);
    is_time(&interaction["updatedAt"]);
    assert!(interaction["blocks"].is_array());
}

#[track_caller]
pub fn is_participant(participant: &Value) {
    has_keys(
        participant,
        "id sessionId type agentId humanId guestId name role key invitedBy lastReadSeq online addedAt",
    );
    is_id(&participant["id"]);
    is_time(&participant["addedAt"]);
    let ids = ["agentId", "humanId", "guestId"].map(|key| participant[key].is_string());
    let kinds = ["Agent", "Human", "Guest"].map(|kind| participant["type"] == kind);
    assert_eq!(ids, kinds, "{participant}");
}

/// A key entry as it is returned.
#[track_caller]
pub fn is_key_entry(entry: &Value) {
    has_keys(entry, "publicKey signingKey keyId proof previous attestation createdAt");
    is_time(&entry["createdAt"]);
}

#[track_caller]
pub fn is_event(event: &Value) {
    has_keys(event, "sessionId seq type at actor data");
    has_keys(&event["actor"], "type id name");
    is_time(&event["at"]);
}

/// An event with the data of its type.
#[track_caller]
pub fn is_whole_event(event: &Value) {
    is_event(event);
    let data = &event["data"];
    match text(&event["type"]) {
        "session.created" => {
            has_keys(data, "session participants");
            is_session(&data["session"]);
            data["participants"].as_array().expect("a list").iter().for_each(is_participant);
        }
        "participant.added" => {
            has_keys(data, "participant");
            is_participant(&data["participant"]);
        }
        "participant.removed" => {
            has_keys(data, "participantId participant");
            is_participant(&data["participant"]);
        }
        "message.created" => {
            has_keys(data, "message");
            is_message(&data["message"]);
        }
        "message.completed" => {
            has_keys(data, "messageId response");
            has_keys(
                &data["response"],
                "messageId respondedBy respondedAt outcome encryptedContent encryptedComponents",
            );
        }
        _ => {}
    }
}

/// A UUID of version 7 in its usual spelling.
#[track_caller]
pub fn is_id(id: &Value) {
    let uuid = uuid::Uuid::parse_str(text(id)).expect("a UUID");
    assert_eq!((uuid.to_string().as_str(), uuid.get_version_num()), (text(id), 7));
}

/// RFC 3339 in UTC with milliseconds.
#[track_caller]
pub fn is_time(time: &Value) {
    assert_eq!(Timestamp::parse(text(time)).expect("a time").to_string(), text(time));
    assert!(text(time).len() == 24 && text(time).ends_with('Z'), "{time}");
}

#[track_caller]
pub fn is_page(page: &Value) {
    has_keys(page, "data total page pageSize");
}

/// The values of one key of a list's entries.
pub fn column(page: &Value, key: &str) -> Vec<String> {
    let entries = page["data"].as_array().expect("a list");
    entries.iter().map(|entry| text(&entry[key]).to_owned()).collect()
}

#[track_caller]
pub fn names_field(error: &Value, field: &str) {
    assert!(text(&error["message"]).contains(field), "{field} in {error}");
}
