//! The timeout of writes: a connection is closed when its client reads nothing.
//!
//! hyper polls a handler for more of a reply only after the client has read the part before. The handler of a client that
//! reads nothing is not polled, so it can neither notice that the client's access has ended nor end the reply. The pending
//! write does that here.

use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How long a client may still read the rest of a reply after its access has ended. Live connections end within 2 s of a
/// revocation (contract section 2), which takes up to half a second to reach this node.
const READ_GRACE: Duration = Duration::from_secs(1);

/// Lets a handler have its connection closed when the caller's access ends, even if the caller reads nothing of the reply.
/// There is one for each connection, since a connection sends one reply at a time.
#[derive(Clone, Default)]
pub struct Cutoff(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// No deadline beside that of each write.
    #[default]
    Unset,
    /// Completes when access ends.
    Set(Pin<Box<dyn Future<Output = ()> + Send>>),
    Ended(Instant),
}

impl Cutoff {
    /// Closes the connection soon after `ended` completes, if a part of the reply is still unwritten then.
    pub fn set(&self, ended: impl Future<Output = ()> + Send + 'static) {
        self.put(State::Set(Box::pin(ended)));
    }

    /// Access has ended: the connection is closed soon unless the reply is written completely.
    pub fn end(&self) {
        self.put(State::Ended(Instant::now()));
    }

    /// The reply is complete, or another one begins.
    pub fn clear(&self) {
        self.put(State::Unset);
    }

    fn put(&self, state: State) {
        // The state before is dropped outside of the lock.
        let _before = std::mem::replace(&mut *self.0.lock(), state);
    }

    /// When access ended, if it has; else the task is woken when it does.
    fn poll_ended(&self, context: &mut Context<'_>) -> Option<Instant> {
        let mut state = self.0.lock();
        if let State::Set(ended) = &mut *state
            && ended.as_mut().poll(context).is_ready()
        {
            *state = State::Ended(Instant::now());
        }
        match *state {
            State::Ended(at) => Some(at),
            _ => None,
        }
    }
}

/// Times the writes of a connection.
pub(super) struct WriteTimeout {
    /// Timeout of one write.
    after: Duration,
    cutoff: Cutoff,
    /// Set while a write is pending.
    timer: Option<Pin<Box<Sleep>>>,
}

impl WriteTimeout {
    pub(super) fn new(after: Duration, cutoff: Cutoff) -> Self {
        Self { after, cutoff, timer: None }
    }

    /// Passes on the outcome of a write, or an error where it has been pending for too long.
    pub(super) fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.after)));
        if let Some(until) = self.cutoff.poll_ended(context).map(|at| at + READ_GRACE)
            && until < timer.deadline()
        {
            timer.as_mut().reset(until);
        }
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{poll_fn, ready};

    const AFTER: Duration = Duration::from_secs(60);

    /// The deadline of a write that is pending now.
    async fn deadline(write_timeout: &mut WriteTimeout) -> Instant {
        poll_fn(|context| {
            let waits = write_timeout.watch::<()>(context, Poll::Pending).is_pending();
            Poll::Ready(waits)
        })
        .await;
        write_timeout.timer.as_ref().expect("a timer").deadline()
    }

    async fn write_fails(write_timeout: &mut WriteTimeout) {
        let outcome = poll_fn(|context| write_timeout.watch::<()>(context, Poll::Pending)).await;
        assert_eq!(outcome.expect_err("it fails").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn each_write_has_its_own_timeout() {
        let mut write_timeout = WriteTimeout::new(AFTER, Cutoff::default());
        let first = deadline(&mut write_timeout).await;
        assert_eq!(deadline(&mut write_timeout).await, first, "it is the same write");
        let written = poll_fn(|context| write_timeout.watch(context, Poll::Ready(Ok(7))));
        assert_eq!(written.await.expect("it is written"), 7);
        assert!(deadline(&mut write_timeout).await > first);
        write_fails(&mut WriteTimeout::new(Duration::from_millis(10), Cutoff::default())).await;
    }

    #[tokio::test]
    async fn a_pending_write_ends_soon_after_access_ends() {
        let mut write_timeout = WriteTimeout::new(AFTER, Cutoff::default());
        write_timeout.cutoff.set(sleep(Duration::from_millis(10)));
        let began = Instant::now();
        write_fails(&mut write_timeout).await;
        assert!(began.elapsed() >= READ_GRACE && began.elapsed() < AFTER);
        // Reading a part of the reply does not extend the deadline.
        write_timeout.timer = None;
        assert!(deadline(&mut write_timeout).await <= began + AFTER / 2);
        // The next reply has its own.
        write_timeout.timer = None;
        write_timeout.cutoff.clear();
        assert!(deadline(&mut write_timeout).await >= began + AFTER);
        let ends: [fn(&Cutoff); 2] = [Cutoff::end, |cutoff| cutoff.set(ready(()))];
        for end in ends {
            let mut write_timeout = WriteTimeout::new(AFTER, Cutoff::default());
            end(&write_timeout.cutoff);
            assert!(deadline(&mut write_timeout).await <= Instant::now() + READ_GRACE);
        }
    }
}
