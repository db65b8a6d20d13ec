//! Writes to the socket: at once if the outbox is empty, else through the outbox.

use super::{SocketHandle, State};
use bytes::Bytes;
use std::io::{self, IoSlice};

/// Most buffers in one write.
const MAX_SLICES: usize = 32;

impl SocketHandle {
    /// Writes as much of the outbox as the socket takes.
    pub(in crate::ws) fn flush(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        while !state.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let filled = state.outbox.fill(&mut slices);
            let written = match self.stream.try_write_vectored(&slices[..filled]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            state.outbox.advance(written);
            state.written += written as u64;
        }
        Ok(())
    }

    /// Queues the last frame: behind the outbox if `flush_first`, else only behind a frame that has begun.
    pub(in crate::ws) fn queue_last(&self, frame: Bytes, flush_first: bool) {
        let mut state = self.state.lock();
        if !flush_first {
            state.outbox.clear_unsent();
        }
        state.outbox.push(frame, 1);
    }

    /// Writes `bytes`, which hold `frames` frames, if the outbox is empty. Queues what the socket does not take.
    pub(super) fn write_or_queue(&self, state: &mut State, bytes: Bytes, frames: usize) {
        if !state.outbox.is_empty() {
            state.outbox.push(bytes, frames);
            return;
        }
        match self.stream.try_write(&bytes) {
            Ok(written) => {
                state.written += written as u64;
                if written < bytes.len() {
                    state.outbox.push_rest(bytes.slice(written..), frames);
                    self.wake.notify_one();
                }
            }
            // The task meets the same error, and ends the connection.
            Err(_) => {
                state.outbox.push(bytes, frames);
                self.wake.notify_one();
            }
        }
    }
}
