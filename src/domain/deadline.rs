//! Deadlines that clients set.

use super::{Refusal, Timestamp};

/// Takes only a time that is read back as it is written: `9999-12-31T23:59:60Z`, or an offset that leaves the year
/// 9999, is valid RFC 3339 and can't be written in UTC.
pub fn check_deadline(deadline: Timestamp) -> Result<Timestamp, Refusal> {
    if Timestamp::parse(&deadline.to_string()) == Some(deadline) {
        Ok(deadline)
    } else {
        Err(Refusal::invalid("deadlineAt", "must lie in the years 0000 to 9999 of UTC"))
    }
}

#[cfg(test)]
mod tests {
    use super::check_deadline;
    use crate::domain::Timestamp;

    #[test]
    fn what_is_taken_can_be_written_and_read() {
        let end = Timestamp::parse("9999-12-31T23:59:59.999Z").expect("valid");
        assert_eq!(check_deadline(end), Ok(end));
        for millis in [end.0 + 1, end.0 + 1000, i64::MAX, i64::MIN] {
            let refusal = check_deadline(Timestamp(millis)).expect_err("refused");
            assert!(refusal.to_string().contains("'deadlineAt'"), "{refusal}");
        }
    }
}
