//! The bodies of a session's timeline, only for the published document: events are sent as they are stored.

use crate::protocol::event::Event;
use crate::protocol::page::Page;
use serde::Serialize;
use utoipa::ToSchema;

/// Events after a `seq`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventsAfter {
    #[schema(max_items = 1000)]
    pub data: Vec<Event>,
    /// The `seq` of the newest event of the timeline.
    #[schema(minimum = 0)]
    pub last_seq: i64,
    /// Whether there are events after the last one of `data`.
    pub has_more: bool,
}

/// Events after a `seq`, or a page of events.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum TimelineReply {
    After(EventsAfter),
    Page(Page<Event>),
}
