//! A client's connection while HTTP is spoken on it: notices, without reading, that the client has gone.
//!
//! An HTTP server that is at work on a request learns that its client has gone by trying to read, for which hyper keeps
//! a buffer of 8 KiB ready however long the work takes: more than everything else that a long-poll costs. So hyper is
//! told not to (`half_close`), and this looks in its place, at what the kernel has, whenever hyper does not read.
//!
//! It gives up a client that takes nothing of what it is sent.
//!
//! It also puts the hub's own error in the place of the empty one with which hyper refuses a request that it can't read.

use super::arrivals::Arrivals;
use super::refused::Refused;
use super::stall::{Cutoff, Stall};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A connection whose end is an error for whoever flushes it and is not reading from it.
pub struct Watched {
    stream: TcpStream,
    /// Whether whoever reads waits for more, and is woken by the end of the connection too.
    is_read: bool,
    /// Whether a whole line was read since something was written: the first one of a request.
    line_read: bool,
    arrivals: Arrivals,
    stall: Stall,
    /// The reply to a request that hyper could not read, in the place of its own.
    refused: Option<Box<Refused>>,
}

impl Watched {
    /// The connection is given up when its client takes nothing of a reply for `stalled_after`, or by the `cutoff`.
    pub fn new(stream: TcpStream, arrivals: Arrivals, stalled_after: Duration, cutoff: Cutoff) -> Self {
        let stall = Stall::new(stalled_after, cutoff);
        Self { stream, is_read: false, line_read: false, arrivals, stall, refused: None }
    }

    pub fn into_inner(self) -> TcpStream {
        self.stream
    }

    /// An error if the client has gone; else whoever polls is woken when it goes. One that has sent more than is read
    /// yet is still there as far as can be seen.
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

    /// What became of a write. One that has waited for too long ends the connection, with all that the kernel has of
    /// it: what nobody takes is not kept.
    fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let waited = outcome.is_pending();
        let outcome = self.stall.watch(context, outcome);
        if waited && outcome.is_ready() {
            // It ends without that too, only later.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
        outcome
    }

    /// Notes what is about to be written; whether it is to be thrown away, because another reply goes out.
    fn is_replaced(&mut self, bytes: &[u8]) -> bool {
        if self.refused.is_none() {
            self.refused = Refused::in_place_of(bytes, self.line_read).map(Box::new);
            self.line_read = false;
        }
        self.refused.is_some()
    }
}

impl AsyncRead for Watched {
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
            self.arrivals.note();
            self.line_read = self.line_read || read.contains(&b'\n');
        }
        outcome
    }
}

impl AsyncWrite for Watched {
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
        if let Some(refused) = &mut this.refused {
            let outcome = refused.poll_write(&mut this.stream, context);
            return this.watch(context, outcome);
        }
        self.look(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.refused {
            Some(refused) => refused.poll_end(&mut this.stream, context),
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

    async fn pair() -> (Watched, TcpStream) {
        pair_that_stalls(Duration::from_secs(60)).await
    }

    async fn pair_that_stalls(after: Duration) -> (Watched, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        let stream = listener.accept().await.expect("the other end").0;
        (Watched::new(stream, Arrivals::default(), after, Cutoff::default()), client)
    }

    /// Flushes again and again, as it is woken, until that fails.
    async fn gone(watched: &mut Watched) -> io::ErrorKind {
        let flushed = poll_fn(|context| match Pin::new(&mut *watched).poll_flush(context) {
            Poll::Ready(Err(error)) => Poll::Ready(error.kind()),
            _ => Poll::Pending,
        });
        flushed.await
    }

    #[tokio::test]
    async fn whoever_flushes_is_woken_when_the_client_goes() {
        let (mut watched, client) = pair().await;
        watched.flush().await.expect("the client is there");
        let going = async {
            tokio::task::yield_now().await;
            drop(client);
        };
        let (kind, ()) = tokio::join!(gone(&mut watched), going);
        assert_eq!(kind, io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test]
    async fn what_was_not_read_yet_is_left_to_be_read() {
        let (mut watched, mut client) = pair().await;
        client.write_all(b"more").await.expect("sent");
        watched.stream.readable().await.expect("it comes");
        watched.flush().await.expect("the client is there");
        let mut read = [0; 4];
        watched.read_exact(&mut read).await.expect("it is there");
        assert_eq!(&read, b"more");
    }

    #[tokio::test]
    async fn the_end_is_told_to_whoever_reads() {
        let (mut watched, client) = pair().await;
        let mut buffer = [0; 1];
        let pending = poll_fn(|context| {
            Poll::Ready(Pin::new(&mut watched).poll_read(context, &mut ReadBuf::new(&mut buffer)).is_pending())
        });
        assert!(pending.await);
        drop(client);
        watched.stream.readable().await.expect("the end comes");
        // Once: who reads is woken, and reads the end.
        watched.flush().await.expect("nothing to say");
        assert_eq!(watched.read(&mut buffer).await.expect("the end"), 0);
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up_and_not_waited_for_by_the_kernel() {
        let (mut watched, mut client) = pair_that_stalls(Duration::from_millis(100)).await;
        let error = loop {
            if let Err(error) = watched.write_all(&[7; 1 << 16]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(watched);
        let mut taken = Vec::new();
        let end = client.read_to_end(&mut taken).await.expect_err("no proper end");
        assert_eq!(end.kind(), io::ErrorKind::ConnectionReset);
    }
}
