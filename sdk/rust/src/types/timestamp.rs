//! Times of the hub: RFC 3339 in UTC, to the millisecond.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// A time, such as `2026-03-25T10:30:00.000Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The time by this machine's clock.
    #[must_use]
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// The time so much from now, by this machine's clock.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        (SystemTime::now() + time).into()
    }

    /// How long it is until then by this machine's clock; nothing where it has passed.
    pub(crate) fn time_left(self) -> Duration {
        SystemTime::from(self).duration_since(SystemTime::now()).unwrap_or_default()
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0.timestamp_millis()
    }
}

impl Timestamp {
    /// Whether it is within a second that a minute has beyond its 60.
    pub(crate) fn is_leap_second(self) -> bool {
        self.0.timestamp_subsec_nanos() >= 1_000_000_000
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// The last time that there is, beyond it.
    fn add(self, time: Duration) -> Self {
        let time = TimeDelta::from_std(time).ok().and_then(|time| self.0.checked_add_signed(time));
        Self(time.unwrap_or(DateTime::<Utc>::MAX_UTC))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.into())
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        time.0.into()
    }
}

impl FromStr for Timestamp {
    type Err = chrono::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DateTime::parse_from_rfc3339(text).map(|time| Self(time.to_utc()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom("must be an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_milliseconds_in_utc() {
        let time: Timestamp = "2026-03-25T12:30:00.1239+02:00".parse().expect("a time");
        assert_eq!(time.to_string(), "2026-03-25T10:30:00.123Z");
        assert_eq!(serde_json::to_string(&time).expect("JSON"), r#""2026-03-25T10:30:00.123Z""#);
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn a_time_from_now_is_later_than_now() {
        assert!(Timestamp::after(Duration::from_secs(60)) > Timestamp::now());
    }
}
