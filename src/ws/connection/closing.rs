//! The closing handshake.

use super::super::link::{Ending, Link};
use super::{BUFFER, Stop};
use crate::protocol::rfc6455::encode::{close_frame, empty_close_frame};
use std::io;
use std::time::Duration;
use tokio::time::timeout;

/// How long the closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Ends the connection in the way of RFC 6455 section 7.1.1: a close frame, then the client's, then the socket.
pub(super) async fn close(link: &Link, stop: &Stop) {
    let (frame, gently) = match (stop, link.ending()) {
        (Stop::Gone, None) => return,
        (Stop::Closed(None), _) => (empty_close_frame(), false),
        (Stop::Closed(Some(code)), _) => (close_frame(*code, ""), false),
        (Stop::Gone, Some(Ending { code, gently })) => (close_frame(code.code, code.reason), gently),
    };
    link.put_last(frame, gently);
    // Nobody waits longer than this for a client that does not play along.
    let _ = timeout(CLOSE_WITHIN, async {
        link.flush()?;
        while link.has_backlog() {
            link.stream.writable().await?;
            link.flush()?;
        }
        socket2::SockRef::from(&link.stream).shutdown(std::net::Shutdown::Write)?;
        loop {
            link.stream.readable().await?;
            // Reading to the end keeps the kernel from resetting the connection before the close frame has arrived;
            // there may be more to read even behind a client's own close frame.
            match BUFFER.with_borrow_mut(|buffer| link.stream.try_read(buffer)) {
                Ok(0) => return io::Result::Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    })
    .await;
}
