//! The stream of a client's connection under HTTP. It detects, without reading, that the client has disconnected.
//!
//! An HTTP server that handles a request detects a disconnect by a read, for which hyper keeps a buffer of 8 KiB as long
//! as the handler runs: more than everything else that a long-poll costs. So that read is turned off (`half_close`), and
//! this stream peeks at the kernel's buffer instead, whenever hyper does not read.
//!
//! It also closes the connection of a client that reads nothing, and replaces the empty reply of hyper to a request that it
//! can't read by the hub's error object.

use super::head_timeout::HeadTimer;
use super::unreadable_request::ErrorReply;
use super::write_timeout::{Cutoff, WriteTimeout};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection. Its disconnect is an error of a flush while no read is pending.
pub struct ClientStream {
    stream: TcpStream,
    /// Whether a read is pending, which a disconnect wakes too.
    is_read: bool,
    /// Whether a whole line, the request line, was read since the last write.
    line_read: bool,
    head_timer: HeadTimer,
    write_timeout: WriteTimeout,
    /// The reply to a request that hyper could not read, in the place of hyper's own.
    error_reply: Option<Box<ErrorReply>>,
}

impl ClientStream {
    /// The connection is closed when its client reads nothing of a reply for `stalled_after`, or by the `cutoff`.
    pub fn new(stream: TcpStream, head_timer: HeadTimer, stalled_after: Duration, cutoff: Cutoff) -> Self {
        let write_timeout = WriteTimeout::new(stalled_after, cutoff);
        Self { stream, is_read: false, line_read: false, head_timer, write_timeout, error_reply: None }
    }

    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// An error if the client has disconnected; else the task is woken when it does. A client with unread bytes counts as
    /// connected, since a disconnect behind them can't be seen.
    fn look(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if std::mem::take(&mut self.is_read) {
            return Ok(());
        }
        let mut first = [0];
        match self.stream.poll_peek(context, &mut ReadBuf::new(&mut first)) {
            Poll::Ready(Ok(0)) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Ready(outcome) => outcome.map(drop),
            Poll::Pending => Ok(()),
        }
    }

    /// Passes on the outcome of a write. One that has been pending for too long resets the connection, and the kernel
    /// discards its unsent bytes.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let waited = outcome.is_pending();
        let outcome = self.write_timeout.watch(context, outcome);
        if waited && outcome.is_ready() {
            // Without it the connection ends too, only later.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
        outcome
    }

    /// Checks bytes that are about to be written: true if they are to be discarded, because another reply takes their place.
    fn is_replaced(&mut self, bytes: &[u8]) -> bool {
        if self.error_reply.is_none() {
            self.error_reply = ErrorReply::in_place_of(bytes, self.line_read).map(Box::new);
            self.line_read = false;
        }
        self.error_reply.is_some()
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.is_read = outcome.is_pending();
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.head_timer.note();
            self.line_read = self.line_read || read.contains(&b'\n');
        }
        outcome
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_replaced(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = parts.iter().find(|part| !part.is_empty()).map_or(&[][..], |part| part);
        if self.is_replaced(first) {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(error_reply) = &mut this.error_reply {
            let outcome = error_reply.poll_write(&mut this.stream, context);
            return this.watch(context, outcome);
        }
        self.look(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.error_reply {
            Some(error_reply) => error_reply.poll_end(&mut this.stream, context),
            None => Pin::new(&mut this.stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    async fn pair() -> (ClientStream, TcpStream) {
        pair_that_stalls(Duration::from_secs(60)).await
    }

    async fn pair_that_stalls(after: Duration) -> (ClientStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let stream = listener.accept().await.expect("the other end").0;
        (ClientStream::new(stream, HeadTimer::default(), after, Cutoff::default()), client)
    }

    /// Flushes again and again, as it is woken, until that fails.
    async fn gone(watched: &mut ClientStream) -> io::ErrorKind {
        let flushed = poll_fn(|context| match Pin::new(&mut *watched).poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error.kind()),
            _ => Poll::Pending,
        });
        flushed.await
    }

    #[tokio::test]
    async fn a_disconnect_wakes_a_pending_flush() {
        let (mut watched, client) = pair().await;
        watched.flush().await.expect("the client is connected");
        let going = async {
            tokio::task::yield_now().await;
            drop(client);
        };
        let (kind, ()) = tokio::join!(gone(&mut watched), going);
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn unread_bytes_stay_unread() {
        let (mut watched, mut client) = pair().await;
        client.write_all(b"more").await.expect("sent");
        watched.stream.readable().await.expect("it comes");
        watched.flush().await.expect("the client is connected");
        let mut read = [0; 4];
        watched.read_exact(&mut read).await.expect("it is there");
        assert_eq!(&read, b"more");
    }

    #[tokio::test]
    async fn a_pending_read_gets_the_disconnect() {
        let (mut watched, client) = pair().await;
        let mut buffer = [0; 1];
        let pending = poll_fn(|context| {
            Poll::Ready(Pin::new(&mut watched).poll_read(context, &mut ReadBuf::new(&mut buffer)).is_pending())
        });
        assert!(pending.await);
        drop(client);
        watched.stream.readable().await.expect("a disconnect");
        // The pending read is woken, and reads the end.
        watched.flush().await.expect("nothing to flush");
        assert_eq!(watched.read(&mut buffer).await.expect("the end"), 0);
    }

    #[tokio::test]
    async fn the_connection_of_a_client_that_reads_nothing_is_reset() {
        let (mut watched, mut client) = pair_that_stalls(Duration::from_millis(100)).await;
        let error = loop {
            if let Err(error) = watched.write_all(&[7; 1 << 16]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(watched);
        let mut taken = Vec::new();
        let end = client.read_to_end(&mut taken).await.expect_err("a reset");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
