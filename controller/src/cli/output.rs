//! The only place that prints: results to standard output, everything about the way there to standard error.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;

/// Writes a result and ends its line.
pub fn result(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Writes a piece of a result as it is.
pub fn piece(bytes: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(bytes)?;
    output.flush()
}

/// Writes a piece of what a program has written to its standard error.
pub fn error_piece(bytes: &[u8]) -> io::Result<()> {
    io::stderr().lock().write_all(bytes)
}

/// Tells something on the way. Who does not listen misses it.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A table as `kubectl` prints it: no borders, and never broken to fit a terminal.
pub fn table(headings: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(headings)
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 3));
    }
    table.trim_fmt()
}

/// How long ago something was, in the largest unit that fits: `45s`, `3m`, `5h`, `12d`.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(then).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// What something took: `0.4s`, `12.3s`, `3m05s`.
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    format!("{}m{:02}s", seconds / 60, seconds % 60)
}

/// A number of bytes in the decimal units that Docker uses: `2.03 MB`.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age_of(seconds: i64) -> String {
        age(Timestamp::UNIX_EPOCH, Timestamp::from_second(seconds).unwrap_or_default())
    }

    #[test]
    fn ages_are_told_in_the_largest_unit_that_fits() {
        assert_eq!(age_of(0), "0s");
        assert_eq!(age_of(119), "119s");
        assert_eq!(age_of(180), "3m");
        assert_eq!(age_of(5 * 3_600), "5h");
        assert_eq!(age_of(12 * 86_400 + 3), "12d");
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_negative_age() {
        let earlier = Timestamp::from_second(-5).unwrap_or_default();
        assert_eq!(age(Timestamp::UNIX_EPOCH, earlier), "0s");
    }

    #[test]
    fn durations_and_sizes_are_short() {
        assert_eq!(took(Duration::from_millis(420)), "0.4s");
        assert_eq!(took(Duration::from_secs(185)), "3m05s");
        assert_eq!(size(2_030_000), "2.03 MB");
    }

    #[test]
    fn a_table_has_columns_and_no_borders() {
        let rows = vec![vec!["my-app".to_owned(), "running".to_owned()], vec!["b".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "STATUS"], rows), "NAME     STATUS\nmy-app   running\nb");
    }
}
