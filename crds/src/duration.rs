//! Durations as resources write them.

use std::time::Duration;

/// A duration as `metav1.Duration` writes it, in whole numbers: `90s`, `5m`, `1h30m`. `None` for anything else.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u32 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(|character: char| character.is_ascii_digit());
        let (unit, after) = rest[digits..].split_at(unit_end.unwrap_or(rest.len() - digits));
        let of_unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        sum = sum.checked_add(of_unit.checked_mul(number)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h30m", 5400), ("0s", 0)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("1500ms"), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in ["", "5", "m", "5 m", "-5m", "5d", "1.5h", "99999999999s"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
