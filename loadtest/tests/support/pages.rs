//! Pages of the list of sessions and of timelines.

use serde_json::{Value, json};

use super::{Fault, Hub, Session, people::event_of};

impl Hub {
    /// The first page of the list of sessions.
    pub(super) fn list(&self, sessions: usize) -> (u16, Value) {
        let total = if self.fault == Fault::ListFew { 1 } else { sessions };
        (200, json!({"data": vec![json!({}); total.min(20)], "total": total}))
    }

    /// The events of `timeline?after=SEQ&limit=NUMBER`. The first event is the creation of the session.
    pub(super) fn timeline(&self, session: &Session, path: &str) -> (u16, Value) {
        let number = |name: &str| -> usize {
            let value = path.split(['?', '&']).find_map(|part| part.strip_prefix(name)).expect("a parameter");
            value.parse().expect("a number")
        };
        let created = json!({"seq": 1, "type": "session.created"});
        let events = [created].into_iter().chain(session.events.iter().map(event_of));
        let mut page: Vec<Value> = events.skip(number("after=")).take(number("limit=")).collect();
        if self.fault == Fault::PageLose {
            page.pop();
        }
        (200, json!({"data": page, "lastSeq": session.seq, "hasMore": false}))
    }
}
