//! Waits until a question settles, for as long as it takes.

use crate::backoff::Backoff;
use crate::call::{Call, Failure};
use crate::client::Client;
use crate::error::Error;
use crate::messages::at_message;
use crate::types::message::{Message, MessageStatus};
use crate::types::timestamp::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest time that the hub holds a long-poll.
const LONG_POLL: Duration = Duration::from_secs(55);
/// A long-poll may end this much early.
const SLACK: Duration = Duration::from_millis(500);
/// An internal error of the hub is retried a few times only: it may be permanent.
const INTERNAL_ERRORS: u32 = 5;

/// A hub that does not let a question expire in time is not waited for.
const EXPIRY: Duration = Duration::from_secs(10);

/// A question that has settled.
pub(crate) struct Settled {
    pub(crate) message: Message,
    /// Whether it expired by this client's clock alone.
    pub(crate) is_overdue: bool,
}

impl Client {
    /// The question, once it has settled, or its deadline has passed and the hub had time to say so.
    pub(crate) async fn settled(
        &self,
        session: Uuid,
        message: Uuid,
        deadline: Option<Timestamp>,
        wait: Option<Duration>,
    ) -> Result<Settled, Error> {
        self.check_space().await?;
        let http = &self.inner.http;
        let end = wait.map(|wait| Instant::now() + wait);
        let mut backoff = Backoff::new();
        let mut internal_errors = 0;
        let mut is_reported = false;
        loop {
            let started = Instant::now();
            let mut hold = end.map_or(LONG_POLL, |end| LONG_POLL.min(end.saturating_duration_since(started)));
            if let Some(deadline) = deadline {
                hold = hold.min(deadline.time_left() + EXPIRY);
            }
            let path = at_message(session, message, &format!("/await?timeout={}", hold.as_secs()));
            let call = Call::get(path).held_for(hold);
            let pause = match http.attempt(&call).await {
                Ok(bytes) => {
                    let mut reply: Message =
                        serde_json::from_slice(&bytes).map_err(|error| Error::unexpected(call.what(), error))?;
                    self.check_reply(&reply, session, Some(message))?;
                    if reply.status != MessageStatus::Pending {
                        return Ok(Settled { message: reply, is_overdue: false });
                    }
                    if deadline.is_some_and(|deadline| (deadline + EXPIRY) <= Timestamp::now()) {
                        // An answer would be too late by now, even though the hub lists the question as pending.
                        reply.status = MessageStatus::Expired;
                        return Ok(Settled { message: reply, is_overdue: true });
                    }
                    (internal_errors, is_reported) = (0, false);
                    if started.elapsed() + SLACK >= Duration::from_secs(hold.as_secs().max(1)) {
                        backoff.reset();
                        Duration::ZERO
                    } else {
                        // A node that drains replies at once.
                        backoff.next()
                    }
                }
                Err(Failure { error, pause }) => {
                    internal_errors += u32::from(error.status == 500);
                    if !error.is_transient() || internal_errors >= INTERNAL_ERRORS {
                        return Err(error);
                    }
                    if !std::mem::replace(&mut is_reported, true) {
                        http.report_retry(&call, &error);
                    }
                    pause.unwrap_or_default().max(backoff.next())
                }
            };
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Err(Error::local(call.what(), Error::TIMEOUT, "the question has no answer yet"));
            }
            tokio::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
    }
}
