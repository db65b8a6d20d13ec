//! Points in time: milliseconds since the Unix epoch inside, RFC 3339 UTC with milliseconds outside.

use chrono::{DateTime, SecondsFormat, Timelike as _, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use utoipa::ToSchema;

/// RFC 3339. The hub writes UTC with milliseconds, and reads any offset and precision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-03-25T10:30:00.000Z"))]
pub struct Timestamp(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub i64,
);

impl Timestamp {
    /// `0000-01-01T00:00:00.000Z`, before which RFC 3339 has no times.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// `9999-12-31T23:59:59.999Z`, after which RFC 3339 has no times.
    pub const MAX: Self = Self(253_402_300_799_999);

    /// Reads an RFC 3339 date-time; finer than a millisecond is cut off. `None` where it lies outside the years 0000 to
    /// 9999 in UTC, and for a leap second: milliseconds since the epoch can't distinguish it from the second after it.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = DateTime::parse_from_rfc3339(text).ok()?;
        let is_leap = parsed.nanosecond() >= 1_000_000_000;
        let time = Self(parsed.timestamp_millis());
        (!is_leap && time == time.clamped()).then_some(time)
    }

    /// Reads what the hub itself has written: an earlier release took times beyond year 9999, and wrote them with a
    /// sign before the year.
    fn parse_stored(text: &str) -> Option<Self> {
        if !text.starts_with(['+', '-']) {
            return Self::parse(text);
        }
        let time = text.parse::<DateTime<Utc>>().ok()?;
        Some(Self(time.timestamp_millis()).clamped())
    }

    /// The nearest time that RFC 3339 can write.
    #[must_use]
    pub fn clamped(self) -> Self {
        self.clamp(Self::MIN, Self::MAX)
    }

    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_millis(seconds.saturating_mul(1000))
    }

    /// How many milliseconds from `earlier` to this moment; negative if it lies before.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = DateTime::from_timestamp_millis(self.clamped().0).unwrap_or_default();
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const MUST_BE: &str = "must be an RFC 3339 time such as 2026-03-25T10:30:00.000Z, without a leap second";

/// Of what the hub itself has written. What clients send is read by [`sent`].
impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_stored(&text).ok_or_else(|| D::Error::custom(MUST_BE))
    }
}

/// Reads a time that a client may send, or null; for `#[serde(default, deserialize_with)]`.
pub fn sent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    Timestamp::parse(&text).map(Some).ok_or_else(|| D::Error::custom(MUST_BE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn writes_milliseconds_and_reads_offsets() {
        let time = Timestamp::parse("2026-03-25T12:30:00.0019+02:00").expect("valid");
        assert_eq!(time.to_string(), "2026-03-25T10:30:00.001Z");
        assert_eq!(Timestamp::parse("2026-03-25"), None);
        assert_eq!(Timestamp::parse("25 March"), None);
    }

    #[test]
    fn the_ends_of_rfc_3339_are_where_it_ends() {
        assert_eq!(Timestamp::MIN.to_string(), "0000-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999Z");
        for beyond in ["9999-12-31T23:59:59.999-00:01", "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z"] {
            assert_eq!(Timestamp::parse(beyond), None, "{beyond}");
        }
        assert_eq!(Timestamp::parse("2030-01-01T10:00:60Z"), None);
        assert_eq!(Timestamp::parse("2016-12-31T23:59:60Z"), None);
    }

    #[test]
    fn what_an_earlier_release_wrote_is_read() {
        let stored: Timestamp = serde_json::from_str(r#""+10000-01-01T00:00:00.000Z""#).expect("a time");
        assert_eq!(stored, Timestamp::MAX);
        let stored: Timestamp = serde_json::from_str(r#""-0001-12-31T23:59:00.000Z""#).expect("a time");
        assert_eq!(stored, Timestamp::MIN);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(millis in prop_oneof![any::<i64>(), Timestamp::MIN.0 - 5..Timestamp::MIN.0 + 5, Timestamp::MAX.0 - 5..Timestamp::MAX.0 + 5]) {
            let time = Timestamp(millis);
            let text = time.to_string();
            prop_assert_eq!(Timestamp::parse(&text), Some(time.clamped()));
            prop_assert_eq!(text.len(), "2026-03-25T10:30:00.000Z".len());
            let json = serde_json::to_string(&time).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).expect("a time"), time.clamped());
        }

        #[test]
        fn what_is_taken_can_be_written(text in "[0-9]{4}-(0[1-9]|1[0-2])-[0-3][0-9][Tt ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,9})?([Zz]|[+-][0-2][0-9]:[0-6][0-9])") {
            if let Some(time) = Timestamp::parse(&text) {
                prop_assert_eq!(Timestamp::parse(&time.to_string()), Some(time));
            }
        }
    }
}
