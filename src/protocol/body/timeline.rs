//! The bodies of a session's timeline, for the published document: events go out as they were stored.

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

/// What was asked for: events after a `seq`, or a page.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub enum TimelineReply {
    After(EventsAfter),
    Page(Page<Event>),
}
