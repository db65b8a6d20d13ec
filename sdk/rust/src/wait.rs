//! Waits until a question settles, for as long as it takes.

use crate::backoff::Backoff;
use crate::call::{Call, Failure};
use crate::client::Client;
use crate::error::Error;
use crate::messages::at_message;
use crate::types::message::{Message, MessageStatus};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// The longest time that the hub holds a long-poll.
const LONG_POLL: Duration = Duration::from_secs(55);
/// A long-poll may end this much early.
const SLACK: Duration = Duration::from_millis(500);
/// An internal error of the hub is retried a few times only: it may be permanent.
const INTERNAL_ERRORS: u32 = 5;

impl Client {
    /// The question, once it has settled.
    pub(crate) async fn settled(&self, session: Uuid, message: Uuid, wait: Option<Duration>) -> Result<Message, Error> {
        self.check_space().await?;
        let http = &self.inner.http;
        let end = wait.map(|wait| Instant::now() + wait);
        let mut backoff = Backoff::new();
        let mut internal_errors = 0;
        let mut is_reported = false;
        loop {
            let started = Instant::now();
            let hold = end.map_or(LONG_POLL, |end| LONG_POLL.min(end.saturating_duration_since(started)));
            let path = at_message(session, message, &format!("/await?timeout={}", hold.as_secs()));
            let call = Call::get(path).held_for(hold);
            let pause = match http.attempt(&call).await {
                Ok(bytes) => {
                    let message: Message =
                        serde_json::from_slice(&bytes).map_err(|error| Error::unexpected(call.what(), error))?;
                    if message.status != MessageStatus::Pending {
                        return Ok(message);
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
