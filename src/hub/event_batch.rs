//! Consecutive events of one session as frames, built once for every subscriber.

use crate::domain::{CommittedEvent, PrincipalId};
use crate::protocol::frame::hub::event_frame;
use bytes::Bytes;
use std::sync::Arc;

/// Consecutive events of one session as frames.
#[derive(Debug)]
pub struct EventBatch {
    /// The `seq` of the first event.
    pub first: i64,
    /// One frame for each event.
    pub frames: Vec<Bytes>,
    /// All frames in one piece, so that a burst costs a socket one write.
    pub joined: Bytes,
    /// Removed participants, each with the `seq` of the event that removes it.
    pub removes: Vec<(i64, PrincipalId)>,
}

impl EventBatch {
    /// `events` must be consecutive and not empty.
    pub fn new(events: &[CommittedEvent]) -> Self {
        let frames: Vec<_> = events.iter().map(event_frame).collect();
        Self {
            first: events.first().map_or(0, |event| event.seq),
            joined: join(&frames),
            frames,
            removes: events.iter().filter_map(|event| Some((event.seq, event.removes?))).collect(),
        }
    }

    /// Merges batches of which each begins where the one before ends.
    pub fn merge(batches: &[Arc<Self>]) -> Self {
        let frames: Vec<_> = batches.iter().flat_map(|batch| batch.frames.iter().cloned()).collect();
        Self {
            first: batches.first().map_or(0, |batch| batch.first),
            joined: join(&frames),
            frames,
            removes: batches.iter().flat_map(|batch| batch.removes.iter().copied()).collect(),
        }
    }

    /// The `seq` after the last event.
    pub fn end(&self) -> i64 {
        self.first + i64::try_from(self.frames.len()).unwrap_or(i64::MAX)
    }
}

fn join(frames: &[Bytes]) -> Bytes {
    match frames {
        [one] => one.clone(),
        many => Bytes::from(many.concat()),
    }
}
