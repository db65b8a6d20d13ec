//! Writing to the socket: at once where nothing waits, else through the outbox.

use super::{Link, State};
use bytes::Bytes;
use std::io::{self, IoSlice};

/// Most pieces handed to the kernel in one write.
const MAX_SLICES: usize = 32;

impl Link {
    /// Writes what waits, as far as the socket takes it.
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

    /// Puts the last frame: before it what waits if `gently`, else only a frame that has begun.
    pub(in crate::ws) fn put_last(&self, frame: Bytes, gently: bool) {
        let mut state = self.state.lock();
        if !gently {
            state.outbox.clear_unsent();
        }
        state.outbox.push(frame, 1);
    }
    /// Writes at once if nothing waits and the socket takes it, else queues.
    pub(super) fn put(&self, state: &mut State, bytes: Bytes, frames: usize) {
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
            // An error will meet the task as well, which ends the connection.
            Err(_) => {
                state.outbox.push(bytes, frames);
                self.wake.notify_one();
            }
        }
    }
}
