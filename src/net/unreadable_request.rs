//! The error object for requests whose head hyper can't read.
//!
//! hyper replies to these itself, before any service runs, with a status and no body, and offers no way to change that. So
//! its reply is recognised when it is written: it has one of three statuses and, unlike every reply of the hub, no
//! `X-Request-Id`.

use crate::protocol::error::ErrorCode;
use serde_json::json;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use uuid::Uuid;

/// Longer than hyper's own reply.
const LONGEST: usize = 256;
/// Lingering close: how much is read and discarded, and for how long. A connection that is closed while received bytes are
/// unread is reset, and a client that is still sending loses the reply.
const MAX_DISCARDED: usize = 8 << 20;
const DISCARD_WITHIN: Duration = Duration::from_secs(2);

/// The reply to a request that could not be read. The connection ends after it.
pub(super) struct ErrorReply {
    reply: Vec<u8>,
    written: usize,
    discarded: usize,
    until: Option<Pin<Box<Sleep>>>,
}

impl ErrorReply {
    /// The reply that replaces `bytes`, if these are an error reply of hyper. `line_read`: whether the request line was read to
    /// its end.
    pub(super) fn in_place_of(bytes: &[u8], line_read: bool) -> Option<Self> {
        if bytes.len() > LONGEST || !bytes.starts_with(b"HTTP/1.") || bytes.get(8..10) != Some(b" 4") {
            return None;
        }
        let head = std::str::from_utf8(bytes).ok()?;
        if !head.ends_with("\r\n\r\n") || head.to_ascii_lowercase().contains("x-request-id") {
            return None;
        }
        let (status, message) = match (head.get(9..12)?, line_read) {
            ("400", _) => ("400 Bad Request", "The request is not valid HTTP/1.1"),
            ("414", _) | ("431", false) => ("414 URI Too Long", "The URI is too long"),
            ("431", true) => ("431 Request Header Fields Too Large", "The header fields are too large or too many"),
            _ => return None,
        };
        let body = json!({ "error": { "code": ErrorCode::VALIDATION_ERROR.name, "message": message } }).to_string();
        let (id, length) = (Uuid::now_v7(), body.len());
        let date = head.lines().find(|line| line.to_ascii_lowercase().starts_with("date:"));
        let date = date.map_or_else(String::new, |line| format!("{line}\r\n"));
        let reply = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             cache-control: no-store\r\nx-content-type-options: nosniff\r\nx-request-id: {id}\r\n\
             connection: close\r\n{date}\r\n{body}"
        );
        tracing::debug!(target: "hiloop::access", %id, status, "a request could not be read");
        Some(Self { reply: reply.into_bytes(), written: 0, discarded: 0, until: None })
    }

    pub(super) fn poll_write(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.reply.len() {
            let written = ready!(Pin::new(&mut *stream).poll_write(context, &self.reply[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the connection once the client has read the reply, or its time is up.
    pub(super) fn poll_end(&mut self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write(stream, context))?;
        if self.until.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
        }
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(DISCARD_WITHIN)));
        let mut space = [0; 4096];
        while self.discarded < MAX_DISCARDED && until.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply_to(bytes: &str, line_read: bool) -> Option<String> {
        let error_reply = ErrorReply::in_place_of(bytes.as_bytes(), line_read)?;
        Some(String::from_utf8(error_reply.reply).expect("text"))
    }

    #[test]
    fn an_error_reply_of_hyper_gets_a_body() {
        let bare = |status: &str| format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\ndate: now\r\n\r\n");
        let reply = reply_to(&bare("400 Bad Request"), true).expect("a reply");
        assert!(
            reply.starts_with("HTTP/1.1 400 ") && reply.contains("\r\ndate: now\r\n") && reply.ends_with("}}"),
            "{reply}"
        );
        let too_large = bare("431 Request Header Fields Too Large");
        assert!(reply_to(&too_large, true).is_some_and(|reply| reply.starts_with("HTTP/1.1 431 ")));
        assert!(reply_to(&too_large, false).is_some_and(|reply| reply.starts_with("HTTP/1.1 414 ")));
    }

    #[test]
    fn replies_of_the_hub_are_written_unchanged() {
        for text in [
            "HTTP/1.1 400 Bad Request\r\nx-request-id: 1\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request, with more text",
            "{}",
            "",
        ] {
            assert_eq!(reply_to(text, true), None, "{text}");
        }
    }
}
