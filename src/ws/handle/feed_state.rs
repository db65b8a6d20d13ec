//! The state of the feed subscription of a connection.

use crate::domain::SessionId;
use crate::timeline::reader::Cursor;
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct FeedState {
    /// Whether the reply to the client's `subscribe` was sent.
    pub(super) is_open: bool,
    /// Sessions with events that are to be read from the store.
    pub(super) behind: HashMap<SessionId, Cursor>,
}
