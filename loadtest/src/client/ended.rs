//! Why a connection was refused or ended, and what a client should do about it.

use std::{collections::BTreeMap, io, time::Duration};

use serde::{Deserialize, Serialize};
use tokio_tungstenite::tungstenite;

/// The first and the longest wait before another attempt; they double in between.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A connection that the hub closed.
#[derive(Debug, thiserror::Error)]
#[error("closed with {} {reason}", code.map_or_else(|| "no code".to_owned(), |code| code.to_string()))]
pub(crate) struct Closed {
    pub(crate) code: Option<u16>,
    pub(crate) reason: String,
}

/// A request or handshake that got another status than the expected one.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {status} for {expected}: {text}")]
pub(crate) struct BadStatus {
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) expected: u16,
    pub(crate) text: String,
    pub(crate) retry_after: Option<Duration>,
}

/// What ended a connection, or kept it from being opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// 429.
    TooMany,
    /// 503.
    Unavailable,
    /// Another HTTP status.
    OtherStatus,
    /// 1001 or 4503.
    Draining,
    /// 4500.
    Internal,
    /// 4502.
    HeartbeatMissed,
    /// 4504.
    TokenExpired,
    /// 4508.
    AuthTimeout,
    /// 4529.
    TooManyFrames,
    /// 4400 to 4499: the hub wants no further attempt.
    Final,
    /// Another close code, or a close frame without one.
    OtherClose,
    /// The TCP connection was refused or reset, or ended without a close frame.
    Broken,
    /// No answer in time.
    Timeout,
    /// Anything else, such as an invalid frame.
    Other,
}

impl Cause {
    /// The cause of an error of this client, and how long the hub asked to wait.
    pub(crate) fn of(error: &anyhow::Error) -> (Self, Option<Duration>) {
        for cause in error.chain() {
            if let Some(closed) = cause.downcast_ref::<Closed>() {
                return (Self::of_code(closed.code), None);
            }
            if let Some(bad) = cause.downcast_ref::<BadStatus>() {
                return (Self::of_status(bad.status), bad.retry_after);
            }
            if let Some(tungstenite::Error::Http(response)) = cause.downcast_ref() {
                let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
                return (Self::of_status(response.status().as_u16()), wait.and_then(retry_after));
            }
            if cause.is::<io::Error>() {
                return (Self::Broken, None);
            }
            if let Some(tungstenite::Error::Protocol(_) | tungstenite::Error::ConnectionClosed) = cause.downcast_ref() {
                return (Self::Broken, None);
            }
            if cause.is::<tokio::time::error::Elapsed>() {
                return (Self::Timeout, None);
            }
        }
        (Self::Other, None)
    }

    fn of_status(status: u16) -> Self {
        match status {
            429 => Self::TooMany,
            503 => Self::Unavailable,
            _ => Self::OtherStatus,
        }
    }

    fn of_code(code: Option<u16>) -> Self {
        match code {
            Some(1001 | 4503) => Self::Draining,
            Some(4500) => Self::Internal,
            Some(4502) => Self::HeartbeatMissed,
            Some(4504) => Self::TokenExpired,
            Some(4508) => Self::AuthTimeout,
            Some(4529) => Self::TooManyFrames,
            Some(4400..=4499) => Self::Final,
            _ => Self::OtherClose,
        }
    }

    /// Whether a client should try again with the same credential.
    pub(crate) fn retries(self) -> bool {
        !matches!(self, Self::Final | Self::OtherStatus | Self::Other)
    }

    /// The key and label of its count in a report.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::TooMany => ("ended429", "429 too many"),
            Self::Unavailable => ("ended503", "503 unavailable"),
            Self::OtherStatus => ("endedStatus", "another HTTP status"),
            Self::Draining => ("endedDraining", "close 1001 or 4503 draining"),
            Self::Internal => ("ended4500", "close 4500 internal"),
            Self::HeartbeatMissed => ("ended4502", "close 4502 heartbeat missed"),
            Self::TokenExpired => ("ended4504", "close 4504 token expired"),
            Self::AuthTimeout => ("ended4508", "close 4508 no auth in time"),
            Self::TooManyFrames => ("ended4529", "close 4529 too many frames"),
            Self::Final => ("ended44xx", "close 4400 to 4499"),
            Self::OtherClose => ("endedClose", "another close code"),
            Self::Broken => ("endedBroken", "refused, reset or ended"),
            Self::Timeout => ("endedTimeout", "no answer in time"),
            Self::Other => ("endedOther", "other errors"),
        }
    }
}

/// How often each cause occurred.
pub(crate) type Causes = BTreeMap<Cause, u64>;

/// Seconds of a `Retry-After`; a date is ignored.
pub(crate) fn retry_after(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

/// Waits between attempts: they double up to 5 s, each random within its second half.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST_WAIT }
    }

    /// The next wait, at least what the hub asked for.
    pub(crate) fn wait(&mut self, asked: Option<Duration>) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST_WAIT);
        let wait = wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        // Those that were asked to wait the same time must not return at one time.
        asked.map_or(wait, |asked| asked + wait)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn cause(error: impl std::error::Error + Send + Sync + 'static) -> Cause {
        let error = Err::<(), _>(error).context("reading").context("a socket").expect_err("an error");
        Cause::of(&error).0
    }

    #[test]
    fn close_codes_say_whether_to_return() {
        let closed = |code| cause(Closed { code, reason: String::new() });
        assert_eq!(closed(Some(4502)), Cause::HeartbeatMissed);
        assert_eq!(closed(Some(1001)), Cause::Draining);
        assert_eq!(closed(None), Cause::OtherClose);
        assert!(closed(Some(4529)).retries() && closed(Some(4503)).retries());
        assert!(!closed(Some(4401)).retries() && !closed(Some(4403)).retries());
    }

    #[test]
    fn a_refused_handshake_says_how_long_to_wait() {
        let reply = |status, wait: &str| {
            let reply = hyper::Response::builder().status(status).header("retry-after", wait).body(None);
            let error = tungstenite::Error::Http(Box::new(reply.expect("a reply")));
            Cause::of(&Err::<(), _>(error).context("upgrading").expect_err("an error"))
        };
        assert_eq!(reply(429, "7"), (Cause::TooMany, Some(Duration::from_secs(7))));
        assert_eq!(reply(503, "Sat, 28 Nov 2026 10:00:00 GMT"), (Cause::Unavailable, None));
        assert!(!reply(401, "1").0.retries());
    }

    #[test]
    fn a_broken_connection_is_tried_again() {
        assert_eq!(cause(io::Error::from(io::ErrorKind::ConnectionReset)), Cause::Broken);
        assert_eq!(cause(tungstenite::Error::ConnectionClosed), Cause::Broken);
        assert!(Cause::Broken.retries());
    }

    #[test]
    fn waits_double_and_respect_what_the_hub_asked() {
        let mut backoff = Backoff::new();
        let waits: Vec<Duration> = (0..10).map(|_| backoff.wait(None)).collect();
        assert!(waits[0] <= FIRST_WAIT && waits[0] >= FIRST_WAIT / 2);
        assert!(waits[9] >= LONGEST_WAIT / 2 && waits[9] <= LONGEST_WAIT);
        assert!(Backoff::new().wait(Some(Duration::from_secs(3))) > Duration::from_secs(3));
    }
}
