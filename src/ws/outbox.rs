//! The queue of frames to be written to one socket, bounded in frames and bytes. It does no I/O.

use crate::protocol::limits::{MAX_QUEUED_BYTES, MAX_QUEUED_FRAMES};
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// An ephemeral frame is dropped if the outbox has so many frames already, long before an event has to be.
pub const EPHEMERAL_FRAMES: usize = 64;
/// Reading from the store continues once the outbox has drained to this.
pub const LOW_WATER_BYTES: usize = MAX_QUEUED_BYTES / 4;
const LOW_WATER_FRAMES: usize = MAX_QUEUED_FRAMES / 4;

/// A queue of frames. An empty one owns no memory.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Bytes, with the number of frames that end in them.
    chunks: VecDeque<(Bytes, usize)>,
    frames: usize,
    bytes: usize,
    /// Whether the front chunk is partly written already.
    cut: bool,
}

impl Outbox {
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether there is room for so many frames and bytes.
    pub fn has_room(&self, frames: usize, bytes: usize) -> bool {
        // An empty outbox takes a frame of any size.
        self.is_empty() || (self.frames + frames <= MAX_QUEUED_FRAMES && self.bytes + bytes <= MAX_QUEUED_BYTES)
    }

    pub fn has_room_for_ephemeral(&self) -> bool {
        self.frames < EPHEMERAL_FRAMES && self.bytes < LOW_WATER_BYTES
    }

    /// Whether the outbox has drained so far that more may be read, from the store or from the client.
    pub fn is_low(&self) -> bool {
        self.frames <= LOW_WATER_FRAMES && self.bytes <= LOW_WATER_BYTES
    }

    /// Adds bytes that hold `frames` frames, whether or not there is room.
    pub fn push(&mut self, bytes: Bytes, frames: usize) {
        if !bytes.is_empty() {
            self.bytes += bytes.len();
            self.frames += frames;
            self.chunks.push_back((bytes, frames));
        }
    }

    /// Adds the rest of bytes whose beginning was written.
    pub fn push_rest(&mut self, rest: Bytes, frames: usize) {
        self.cut = self.chunks.is_empty();
        self.push(rest, frames);
    }

    /// Fills `slices` with the next bytes to write; returns the number of slices.
    pub fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slot, (bytes, _)) in slices.iter_mut().zip(&self.chunks) {
            *slot = IoSlice::new(bytes);
            filled += 1;
        }
        filled
    }

    /// Removes bytes that were written.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes = self.bytes.saturating_sub(written);
        while let Some((front, frames)) = self.chunks.front_mut() {
            if written < front.len() {
                if written > 0 {
                    front.advance(written);
                    self.cut = true;
                }
                return;
            }
            written -= front.len();
            self.frames -= *frames;
            self.chunks.pop_front();
            self.cut = false;
        }
        self.chunks = VecDeque::new();
    }

    /// Drops every frame of which nothing was written. The next frame is the last one.
    pub fn clear_unsent(&mut self) {
        let keep = usize::from(self.cut && !self.chunks.is_empty());
        self.chunks.truncate(keep);
        self.frames = self.chunks.iter().map(|(_, frames)| frames).sum();
        self.bytes = self.chunks.iter().map(|(bytes, _)| bytes.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn next(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = outbox.fill(&mut slices);
        slices[..filled].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn is_full_by_frames_and_by_bytes() {
        let mut outbox = Outbox::default();
        assert!(outbox.has_room(1, MAX_QUEUED_BYTES * 2), "an empty one takes any frame");
        outbox.push(Bytes::from(vec![0; MAX_QUEUED_BYTES]), 1);
        assert!(!outbox.has_room(1, 1));
        outbox.advance(MAX_QUEUED_BYTES);
        for _ in 0..MAX_QUEUED_FRAMES {
            assert!(outbox.has_room(1, 1));
            outbox.push(Bytes::from_static(b"x"), 1);
        }
        assert!(!outbox.has_room(1, 1));
    }

    #[test]
    fn clearing_keeps_the_rest_of_a_frame_that_has_begun() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"first"), 1);
        outbox.push(Bytes::from_static(b"second"), 1);
        outbox.advance(2);
        outbox.clear_unsent();
        outbox.push(Bytes::from_static(b"!"), 1);
        assert_eq!(next(&outbox), b"rst!");
    }

    proptest! {
        #[test]
        fn writes_every_byte_once_in_order(
            chunks in proptest::collection::vec("[a-z]{1,20}", 1..30),
            writes in proptest::collection::vec(1..40_usize, 1..200),
        ) {
            let mut outbox = Outbox::default();
            for chunk in &chunks {
                outbox.push(Bytes::from(chunk.clone()), 1);
            }
            let mut written = Vec::new();
            for most in writes.iter().cycle() {
                let ready = next(&outbox);
                if ready.is_empty() {
                    break;
                }
                let now = (*most).min(ready.len());
                written.extend_from_slice(&ready[..now]);
                outbox.advance(now);
            }
            prop_assert_eq!(written, chunks.concat().into_bytes());
            prop_assert_eq!((outbox.frames, outbox.bytes), (0, 0));
        }
    }
}
