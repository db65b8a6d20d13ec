//! Messages of people in the session, for the agent's next stop.

use hiloop_sdk::Message;
use std::collections::HashSet;

/// Messages of people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Each with its author.
    pub(super) lines: Vec<String>,
    /// How many could not be opened or do not verify.
    pub(super) unreadable: usize,
    /// The position of the last message on the timeline.
    pub(super) last: i64,
}

/// The messages of people after a position of the timeline, without answers to questions, which were processed with their
/// questions.
pub(super) fn remarks(messages: &[Message], after: i64) -> Remarks {
    let answers: HashSet<_> =
        messages.iter().filter_map(|message| message.response.as_ref()).map(|response| response.message_id).collect();
    let mut remarks = Remarks { last: after, ..Remarks::default() };
    for message in messages.iter().filter(|message| message.seq > after) {
        remarks.last = remarks.last.max(message.seq);
        if message.sender_type != "Human" || answers.contains(&message.id) {
            continue;
        }
        let Some(content) = message.content() else {
            remarks.unreadable += 1;
            continue;
        };
        if let Some(text) = content.text.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            remarks.lines.push(format!("{} wrote in the chat: {text}", message.sender_name));
        }
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;
    use hiloop_sdk::Envelope;
    use serde_json::{Value, json};

    fn id(number: u32) -> String {
        format!("0195d2a0-0000-7000-8000-{number:012}")
    }

    fn message(seq: u32, kind: &str, content: &Value, response: &Value) -> Message {
        let time = "2026-03-25T10:30:00.000Z";
        let content = if content.is_null() { Value::Null } else { json!(Envelope::plain(content)) };
        serde_json::from_value(json!({
            "id": id(seq), "sessionId": id(0), "seq": seq, "senderType": kind, "senderAgentId": null,
            "senderHumanId": id(9), "senderGuestId": null, "senderName": "Ada", "encryptedContent": content,
            "encryptedComponents": null, "responseRequired": !response.is_null(), "status": "Completed",
            "priority": "Medium", "deadlineAt": null, "answerers": null, "inReplyTo": null, "outcome": null,
            "response": response, "acknowledgedAt": null, "createdAt": time, "updatedAt": time,
        }))
        .expect("a message")
    }

    #[test]
    fn what_people_write_is_taken_once_and_answers_are_not() {
        let response = json!({
            "messageId": id(3), "respondedBy": { "type": "Human", "id": id(9), "name": "Ada" },
            "respondedAt": "2026-03-25T10:31:00.000Z", "outcome": "Rejected", "encryptedContent": null,
            "encryptedComponents": null,
        });
        let messages = [
            message(2, "Agent", &json!({ "text": "May I?" }), &response),
            message(3, "Human", &json!({ "text": "No" }), &Value::Null),
            message(4, "Human", &json!({ "text": " Use pnpm. " }), &Value::Null),
            message(5, "Agent", &json!({ "text": "Done" }), &Value::Null),
            message(6, "Human", &json!({ "action": "x" }), &Value::Null),
            message(7, "Human", &Value::Null, &Value::Null),
        ];
        let taken = remarks(&messages, 0);
        assert_eq!(taken.lines, ["Ada wrote in the chat: Use pnpm."]);
        assert_eq!((taken.unreadable, taken.last), (1, 7));
        assert_eq!(remarks(&messages, 7), Remarks { last: 7, ..Remarks::default() });
    }
}
