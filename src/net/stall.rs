//! When a connection is given up because its client takes nothing of what is written to it.
//!
//! hyper asks a handler for more of a reply only once the client has taken what came before. A handler whose client
//! reads nothing is not polled, so it can neither notice that the client's access has ended nor end the reply. That is
//! done here, where a write waits.

use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// How long the client may still take what was written before its access ended. What is live ends within 2 s (contract
/// section 2), and a revocation takes up to half a second to reach this node.
const LEFT_TO_READ: Duration = Duration::from_secs(1);

/// Lets a handler have the connection cut when its caller's access ends, though the caller takes nothing of the reply.
/// A connection has one, as it sends one reply at a time.
#[derive(Clone, Default)]
pub struct Cutoff(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    /// The reply may take as long as its client takes some of it now and then.
    #[default]
    Unset,
    /// Completes when access ends.
    Set(Pin<Box<dyn Future<Output = ()> + Send>>),
    Ended(Instant),
}

impl Cutoff {
    /// Has the connection cut soon after `ended` completes, if something of the reply waits to be written then.
    pub fn set(&self, ended: impl Future<Output = ()> + Send + 'static) {
        self.put(State::Set(Box::pin(ended)));
    }

    /// Access has ended: the connection is cut soon unless all of the reply is taken.
    pub fn end(&self) {
        self.put(State::Ended(Instant::now()));
    }

    /// The reply is complete, or another one begins.
    pub fn clear(&self) {
        self.put(State::Unset);
    }

    fn put(&self, state: State) {
        // What was there is dropped without the lock.
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

/// Watches the writes of a connection.
pub(super) struct Stall {
    /// How long a write may wait.
    after: Duration,
    cutoff: Cutoff,
    /// Runs while a write waits.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    pub(super) fn new(after: Duration, cutoff: Cutoff) -> Self {
        Self { after, cutoff, timer: None }
    }

    /// What became of a write: an error where it has waited for too long.
    pub(super) fn watch<T>(&mut self, context: &mut Context<'_>, outcome: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.timer = None;
            return outcome;
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(self.after)));
        if let Some(until) = self.cutoff.poll_ended(context).map(|at| at + LEFT_TO_READ)
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

    /// Until when a write that can't be done now is waited for.
    async fn deadline(stall: &mut Stall) -> Instant {
        poll_fn(|context| {
            let waits = stall.watch::<()>(context, Poll::Pending).is_pending();
            Poll::Ready(waits)
        })
        .await;
        stall.timer.as_ref().expect("a timer").deadline()
    }

    async fn waits_in_vain(stall: &mut Stall) {
        let outcome = poll_fn(|context| stall.watch::<()>(context, Poll::Pending)).await;
        assert_eq!(outcome.expect_err("it fails").kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn each_write_has_its_own_time() {
        let mut stall = Stall::new(AFTER, Cutoff::default());
        let first = deadline(&mut stall).await;
        assert_eq!(deadline(&mut stall).await, first, "it is the same write");
        let written = poll_fn(|context| stall.watch(context, Poll::Ready(Ok(7))));
        assert_eq!(written.await.expect("it is written"), 7);
        assert!(deadline(&mut stall).await > first);
        waits_in_vain(&mut Stall::new(Duration::from_millis(10), Cutoff::default())).await;
    }

    #[tokio::test]
    async fn a_write_waits_no_longer_than_access_lasts() {
        let mut stall = Stall::new(AFTER, Cutoff::default());
        stall.cutoff.set(sleep(Duration::from_millis(10)));
        let began = Instant::now();
        waits_in_vain(&mut stall).await;
        assert!(began.elapsed() >= LEFT_TO_READ && began.elapsed() < AFTER);
        // A client that takes a little now and then gets no more time by that.
        stall.timer = None;
        assert!(deadline(&mut stall).await <= began + AFTER / 2);
        // The next reply has its own.
        stall.timer = None;
        stall.cutoff.clear();
        assert!(deadline(&mut stall).await >= began + AFTER);
        let ends: [fn(&Cutoff); 2] = [Cutoff::end, |cutoff| cutoff.set(ready(()))];
        for end in ends {
            let mut stall = Stall::new(AFTER, Cutoff::default());
            end(&stall.cutoff);
            assert!(deadline(&mut stall).await <= Instant::now() + LEFT_TO_READ);
        }
    }
}
