//! Expectations of `--expect`: their syntax, and their comparison with a value of the report.

use std::{fmt, ops::RangeInclusive};

use crate::latency::Summary;

/// One expectation: a value of the report, a comparison and a limit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    expression: String,
    pub(crate) subject: Subject,
    comparison: Comparison,
    limit: f64,
    /// None: the limit is in the unit of the value.
    unit: Option<Unit>,
}

/// The value that an expectation is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Subject {
    /// A statistic of a latency; without a key of the scenario's main latency.
    Latency(Option<String>, Statistic),
    /// A figure, by its key in the JSON report.
    Figure(String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Statistic {
    Percentile(f64),
    Max,
    Mean,
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A unit of time in seconds, a unit of size in bytes, or per cent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Time(f64),
    Size(f64),
    Percent,
}

/// Why an expression is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error("no comparison: one of <, <=, >, >= is needed, as in 'p99<5ms'")]
    NoComparison,
    #[error("no name of a value before '{0}'")]
    NoName(String),
    #[error("'{0}' is not the name of a value, such as 'p99', 'delivery.p99' or 'messagesPerSecond'")]
    BadName(String),
    #[error("unknown statistic '{0}': pN (a percentile), max, mean or count")]
    BadStatistic(String),
    #[error("'{0}' is not a percentile: above 0, and 100 at most")]
    BadPercentile(String),
    #[error("unknown comparison '{0}': <, <=, > or >=")]
    BadComparison(String),
    #[error("'{0}' does not begin with a number")]
    BadNumber(String),
    #[error("unknown unit '{0}': ns, us, µs, ms, s, B, KiB, MiB or %")]
    BadUnit(String),
    #[error("'{0}' is not a unit of time, but '{1}' is a time: ns, us, µs, ms or s")]
    NoTime(String, String),
    #[error("'{0}': a count has no unit")]
    CountUnit(String),
}

/// The unit of latencies in the report.
pub(crate) const LATENCY_UNIT: &str = "ms";
const PERCENTILES: RangeInclusive<f64> = f64::MIN_POSITIVE..=100.0;

impl Threshold {
    pub(crate) fn parse(text: &str) -> Result<Self, Invalid> {
        let is_operator = |character| "<>=!".contains(character);
        let start = text.find(is_operator).ok_or(Invalid::NoComparison)?;
        let (name, rest) = text.split_at(start);
        let (operator, limit) = rest.split_at(rest.find(|other| !is_operator(other)).unwrap_or(rest.len()));
        let subject = match name.trim() {
            "" => return Err(Invalid::NoName(operator.to_owned())),
            name => Subject::parse(name)?,
        };
        let comparison = match operator {
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            other => return Err(Invalid::BadComparison(other.to_owned())),
        };
        let (limit, unit) = quantity(limit.trim())?;
        match (&subject, unit) {
            (Subject::Latency(_, Statistic::Count), Some((name, _))) => {
                return Err(Invalid::CountUnit(name.to_owned()));
            }
            (Subject::Latency(_, Statistic::Count), None) => {}
            (Subject::Latency(..), Some((unit, Unit::Size(_) | Unit::Percent))) => {
                return Err(Invalid::NoTime(unit.to_owned(), name.trim().to_owned()));
            }
            _ => {}
        }
        let unit = unit.map(|(_, unit)| unit);
        Ok(Self { expression: text.trim().to_owned(), subject, comparison, limit, unit })
    }

    /// Compares a value in one of the report's units.
    pub(crate) fn met_by(&self, value: f64, unit: &str) -> Result<bool, String> {
        let limit = match (self.unit, Unit::of(unit)) {
            (None, _) => self.limit,
            (Some(given), Some(own)) => given.in_units_of(own, self.limit).ok_or_else(|| mismatch(unit))?,
            (Some(_), None) => return Err(mismatch(unit)),
        };
        Ok(match self.comparison {
            Comparison::Less => value < limit,
            Comparison::LessOrEqual => value <= limit,
            Comparison::Greater => value > limit,
            Comparison::GreaterOrEqual => value >= limit,
        })
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.expression)
    }
}

impl Subject {
    fn parse(name: &str) -> Result<Self, Invalid> {
        // `p99.9` is a percentile, not the statistic `9` of a latency `p99`.
        if let Some(statistic) = Statistic::parse(name) {
            return Ok(Self::Latency(None, statistic?));
        }
        let key = |key: &str| match is_key(key) {
            true => Ok(key.to_owned()),
            false => Err(Invalid::BadName(name.to_owned())),
        };
        match name.split_once('.') {
            Some((latency, statistic)) => {
                let statistic_of = Statistic::parse(statistic);
                let found = statistic_of.ok_or_else(|| Invalid::BadStatistic(statistic.to_owned()))??;
                Ok(Self::Latency(Some(key(latency)?), found))
            }
            None => Ok(Self::Figure(key(name)?)),
        }
    }
}

impl Statistic {
    /// Its value, in milliseconds unless it is a count.
    pub(crate) fn of(self, summary: &Summary) -> f64 {
        match self {
            Self::Percentile(percentile) => summary.percentile_ms(percentile),
            Self::Mean => summary.mean_ms(),
            Self::Max => summary.max_ms(),
            Self::Count => summary.count() as f64,
        }
    }

    /// None for a text that names no statistic.
    fn parse(text: &str) -> Option<Result<Self, Invalid>> {
        match text {
            "max" => Some(Ok(Self::Max)),
            "mean" => Some(Ok(Self::Mean)),
            "count" => Some(Ok(Self::Count)),
            _ => {
                let number =
                    text.strip_prefix('p').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))?;
                // `p99GrowthPercent` is the key of a figure.
                if number.trim_start_matches(|one: char| one.is_ascii_digit()).starts_with(char::is_uppercase) {
                    return None;
                }
                let percentile = number.parse().ok().filter(|percentile| PERCENTILES.contains(percentile));
                Some(percentile.map(Self::Percentile).ok_or_else(|| Invalid::BadPercentile(text.to_owned())))
            }
        }
    }
}

impl Unit {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "ns" => Self::Time(1e-9),
            // The micro sign, and the Greek letter that some keyboards give.
            "us" | "µs" | "μs" => Self::Time(1e-6),
            "ms" => Self::Time(1e-3),
            "s" => Self::Time(1.0),
            "B" => Self::Size(1.0),
            "KiB" => Self::Size(1024.0),
            "MiB" => Self::Size(1_048_576.0),
            "%" => Self::Percent,
            _ => return None,
        })
    }

    fn in_units_of(self, other: Self, number: f64) -> Option<f64> {
        match (self, other) {
            (Self::Time(from), Self::Time(to)) | (Self::Size(from), Self::Size(to)) => Some(number * from / to),
            (Self::Percent, Self::Percent) => Some(number),
            _ => None,
        }
    }
}

fn mismatch(unit: &str) -> String {
    match unit {
        "" => "the value is a count and has no unit".to_owned(),
        unit => format!("the value is in {unit}"),
    }
}

/// A unit and how it was written.
type Written<'a> = (&'a str, Unit);

/// A number and the unit after it.
fn quantity(text: &str) -> Result<(f64, Option<Written<'_>>), Invalid> {
    let is_number = |character: char| character.is_ascii_digit() || "+-.".contains(character);
    let (number, unit) = text.split_at(text.find(|other| !is_number(other)).unwrap_or(text.len()));
    let number = number.parse().map_err(|_| Invalid::BadNumber(text.to_owned()))?;
    let unit = match unit.trim() {
        "" => None,
        unit => Some((unit, Unit::of(unit).ok_or_else(|| Invalid::BadUnit(unit.to_owned()))?)),
    };
    Ok((number, unit))
}

fn is_key(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Threshold {
        Threshold::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn latencies_by_their_key_or_the_main_one() {
        let delivery = Some("delivery".to_owned());
        for (text, subject) in [
            ("p99<5ms", Subject::Latency(None, Statistic::Percentile(99.0))),
            ("p99.9 < 5 ms", Subject::Latency(None, Statistic::Percentile(99.9))),
            ("max<5ms", Subject::Latency(None, Statistic::Max)),
            ("delivery.p99.99<5ms", Subject::Latency(delivery.clone(), Statistic::Percentile(99.99))),
            ("delivery.mean<5ms", Subject::Latency(delivery.clone(), Statistic::Mean)),
            ("delivery.count>5", Subject::Latency(delivery, Statistic::Count)),
            ("messagesPerSecond>=9000", Subject::Figure("messagesPerSecond".to_owned())),
            ("pidCpu<4", Subject::Figure("pidCpu".to_owned())),
            ("p99GrowthPercent<10%", Subject::Figure("p99GrowthPercent".to_owned())),
        ] {
            assert_eq!(parse(text).subject, subject, "{text}");
        }
    }

    #[test]
    fn limits_are_converted_to_the_units_of_the_value() {
        for (text, value, unit, met) in [
            ("p99<5ms", 4.99, "ms", true),
            ("p99<5ms", 5.0, "ms", false),
            ("p99<=5ms", 5.0, "ms", true),
            ("p99<5000us", 4.99, "ms", true),
            ("p99<5000µs", 5.01, "ms", false),
            ("p99<5000000ns", 4.99, "ms", true),
            ("p99<0.005s", 5.01, "ms", false),
            ("p99<5", 4.99, "ms", true),
            ("memory<1MiB", 1023.0, "KiB", true),
            ("memory<2048B", 2.5, "KiB", false),
            ("share>50%", 51.0, "%", true),
            ("rate>=9000", 9000.0, "/s", true),
            ("rate>9000", 9000.0, "/s", false),
            ("p99<5ms", f64::NAN, "ms", false),
        ] {
            assert_eq!(parse(text).met_by(value, unit), Ok(met), "{text} with {value}");
        }
    }

    #[test]
    fn another_kind_of_unit_than_the_values_is_an_error() {
        assert_eq!(parse("memory<5ms").met_by(1.0, "KiB"), Err("the value is in KiB".to_owned()));
        assert_eq!(parse("rate<5ms").met_by(1.0, "/s"), Err("the value is in /s".to_owned()));
        assert!(parse("sockets<5%").met_by(1.0, "").is_err());
    }

    #[test]
    fn the_part_that_is_wrong_is_named() {
        let own = str::to_owned;
        for (text, error) in [
            ("", Invalid::NoComparison),
            ("p99", Invalid::NoComparison),
            ("<5ms", Invalid::NoName(own("<"))),
            ("p99==5ms", Invalid::BadComparison(own("=="))),
            ("p99=<5ms", Invalid::BadComparison(own("=<"))),
            ("p0<5ms", Invalid::BadPercentile(own("p0"))),
            ("p100.1<5ms", Invalid::BadPercentile(own("p100.1"))),
            ("p9x<5ms", Invalid::BadPercentile(own("p9x"))),
            ("delivery.median<5ms", Invalid::BadStatistic(own("median"))),
            ("delivery p99<5ms", Invalid::BadName(own("delivery p99"))),
            ("p99<", Invalid::BadNumber(own(""))),
            ("p99<fast", Invalid::BadNumber(own("fast"))),
            ("p99<5m", Invalid::BadUnit(own("m"))),
            ("p99<1e3ms", Invalid::BadUnit(own("e3ms"))),
            ("p99<5KiB", Invalid::NoTime(own("KiB"), own("p99"))),
            ("delivery.count>5ms", Invalid::CountUnit(own("ms"))),
        ] {
            assert_eq!(Threshold::parse(text), Err(error), "{text}");
        }
    }
}
