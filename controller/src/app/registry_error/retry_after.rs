//! How long a registry asks to be left alone (RFC 9110, 10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that is kept to. Whoever asks for more is asked again after it.
const LONGEST: Duration = Duration::from_secs(3600);

/// The wait in a `Retry-After`, which is a number of seconds or a date; `None` when it is neither, or a date that is
/// past.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // More digits than a number has are still a number of seconds.
        Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => LONGEST,
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(value).ok()?;
            Duration::try_from(date.duration_since(now)).ok()?
        }
    };
    (!wait.is_zero()).then_some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<u64> {
        retry_after(value, "2026-11-26T12:00:00Z".parse().unwrap()).map(|wait| wait.as_secs())
    }

    #[test]
    fn a_wait_is_a_number_of_seconds_or_a_date() {
        assert_eq!(read("7"), Some(7));
        assert_eq!(read(" 120 "), Some(120));
        assert_eq!(read("Thu, 26 Nov 2026 12:01:30 GMT"), Some(90));
    }

    #[test]
    fn no_registry_can_ask_for_more_than_an_hour() {
        for value in ["3601", "99999999999999999999999", "Fri, 27 Nov 2026 12:00:00 GMT"] {
            assert_eq!(read(value), Some(3600), "{value}");
        }
    }

    #[test]
    fn what_is_past_or_no_time_asks_for_nothing() {
        for value in ["", "0", "-1", "1.5", "soon", "Thu, 26 Nov 2026 11:59:59 GMT", "Thu, 99 Nov 2026 12:00:00 GMT"] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
