//! The closing handshake.

use super::super::handle::{Ending, SocketHandle};
use super::{BUFFER, Stop};
use crate::protocol::rfc6455::encode::{close_frame, empty_close_frame};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long the closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Closes the connection by RFC 6455 section 7.1.1: a close frame, then the client's close frame, then the socket.
pub(super) async fn close(handle: &SocketHandle, stop: &Stop) {
    let (frame, flush_first) = match (stop, handle.ending()) {
        (Stop::Lost, None) => return,
        (Stop::Closed(None), _) => (empty_close_frame(), false),
        (Stop::Closed(Some(code)), _) => (close_frame(*code, ""), false),
        (Stop::Lost, Some(Ending { code, flush_first })) => (close_frame(code.code, code.reason), flush_first),
    };
    handle.queue_last(frame, flush_first);
    // Continues without a reply of the client.
    let _ = timeout(CLOSE_WITHIN, async {
        handle.flush()?;
        while handle.has_backlog() {
            handle.stream.writable().await?;
            handle.flush()?;
        }
        socket2::SockRef::from(&handle.stream).shutdown(std::net::Shutdown::Write)?;
        loop {
            handle.stream.readable().await?;
            // Unread bytes would make the kernel reset the connection before the close frame has arrived. There may be
            // some even after the client's own close frame.
            match BUFFER.with_borrow_mut(|buffer| handle.stream.try_read(buffer)) {
                Ok(0) => return io::Result::Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    })
    .await;
}
