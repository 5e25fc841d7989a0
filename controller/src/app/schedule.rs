//! When something comes back: the times of a cron expression in a time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What has to be written, for messages.
const FORM: &str = "write five fields, minute, hour, day of the month, month and day of the week, such as \"30 2 * * *\" \
                    or \"*/15 8-18 * * MON-FRI\", or one of @hourly, @daily, @weekly, @monthly and @yearly";

const NAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// The times at which something is due.
#[derive(Clone, Debug)]
pub struct Schedule {
    expression: String,
    zone_name: Option<String>,
    cron: Cron,
    zone: TimeZone,
}

/// Two schedules are the same when they are written alike.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.zone_name == other.zone_name
    }
}

impl Eq for Schedule {}

/// Why there is no such schedule, as a sentence without the field's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The cron expression cannot be read.
    #[error("\"{expression}\" is no schedule, {why}: {FORM}")]
    Expression {
        /// As it was written.
        expression: String,
        /// What is wrong with it.
        why: String,
    },
    /// The expression is of no time that there ever is.
    #[error("\"{0}\" is of a day that no year has")]
    Never(String),
    /// The time zone is not known.
    #[error("\"{0}\" is no time zone: write a name of the IANA database, such as Europe/Berlin or Etc/UTC")]
    Zone(String),
}

impl ScheduleError {
    /// The field of the `run` section that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Expression { .. } | Self::Never(_) => "schedule",
            Self::Zone(_) => "timeZone",
        }
    }
}

impl Schedule {
    /// The schedule of a cron expression, in UTC when no zone is named.
    pub fn new(expression: &str, zone_name: Option<&str>) -> Result<Self, ScheduleError> {
        let refused = |why: String| ScheduleError::Expression { expression: expression.to_owned(), why };
        let fields = fields_of(expression).map_err(refused)?;
        // With the steps that batch/v1 knows: 5/10 is 5, 15, 25 and so on.
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true).build();
        let cron = parser.parse(fields).map_err(|error| refused(told(&error.to_string())))?;
        let zone = match zone_name {
            // The machine's own zone is nothing that a spec can mean: it would change with the machine.
            Some(name) if name.eq_ignore_ascii_case("local") => return Err(ScheduleError::Zone(name.to_owned())),
            Some(name) => TimeZone::get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))?,
            None => TimeZone::UTC,
        };
        let schedule = Self { expression: expression.to_owned(), zone_name: zone_name.map(str::to_owned), cron, zone };
        match schedule.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    /// As it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The name of its time zone, where one was written.
    pub fn zone_name(&self) -> Option<&str> {
        self.zone_name.as_deref()
    }

    /// The first time after this one at which something is due.
    ///
    /// A time of day that a change of the clocks leaves out is that of the change, and one that comes twice is the first
    /// of both. What comes again and again, such as every quarter of an hour, goes on with the time that passes.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&time.to_zoned(self.zone.clone()), false);
        next.ok().map(|zoned| zoned.timestamp())
    }

    /// The last time at which something was due after one time, and not after the other.
    pub fn latest(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let latest = self.cron.find_previous_occurrence(&until.to_zoned(self.zone.clone()), true);
        latest.ok().map(|zoned| zoned.timestamp()).filter(|latest| *latest > after)
    }
}

/// The five fields of an expression, or why there are none. What the parser knows and batch/v1 does not is refused: a spec
/// that only Longshore could read would be of no use elsewhere.
fn fields_of(expression: &str) -> Result<&str, String> {
    let trimmed = expression.trim();
    if trimmed.starts_with('@') {
        let named = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(trimmed));
        return named.map(|(_, fields)| *fields).ok_or_else(|| "which is not one of the names".to_owned());
    }
    let fields: Vec<&str> = trimmed.split_whitespace().collect();
    if fields.len() != 5 {
        return Err(format!("it has {} fields", fields.len()));
    }
    match fields.into_iter().find(|field| !is_plain(field)) {
        Some(field) => Err(format!("its field \"{field}\" cannot be read")),
        None => Ok(trimmed),
    }
}

/// Numbers, names of days and months, and what stands between them.
fn is_plain(field: &str) -> bool {
    let mut parts = field.split([',', '-', '/']);
    parts.all(|part| {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = part.len() == 3 && part.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_number || is_name || matches!(part, "*" | "?")
    })
}

/// What the parser says, as a phrase.
fn told(message: &str) -> String {
    let message = message.rsplit_once(": ").map_or(message, |(_, rest)| rest).trim_end_matches('.');
    let mut characters = message.chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    format!("{first}{}", characters.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// So many times after this one, as they are on the clocks of the zone.
    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::new(expression, Some(zone)).unwrap();
        let mut time = at(after);
        let mut times = Vec::new();
        for _ in 0..count {
            time = schedule.next_after(time).unwrap();
            let zoned = time.to_zoned(schedule.zone.clone());
            times.push(zoned.strftime("%m-%d %H:%M %Z").to_string());
        }
        times
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_is_that_of_the_change_and_comes_once() {
        // In Berlin on 2026-03-29 01:59 CET is followed by 03:00 CEST.
        let times = times("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3);
        assert_eq!(times, ["03-28 02:30 CET", "03-29 03:00 CEST", "03-30 02:30 CEST"]);
    }

    #[test]
    fn a_time_that_comes_twice_is_the_first_of_both() {
        // In Berlin on 2026-10-25 02:59 CEST is followed by 02:00 CET.
        let times = times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2);
        assert_eq!(times, ["10-25 02:30 CEST", "10-26 02:30 CET"]);
    }

    #[test]
    fn what_comes_again_and_again_goes_on_with_the_time_that_passes() {
        let spring = times("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3);
        assert_eq!(spring, ["03-29 01:30 CET", "03-29 03:00 CEST", "03-29 03:30 CEST"]);
        let autumn = times("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:15:00Z", 4);
        assert_eq!(autumn, ["10-25 02:30 CEST", "10-25 02:00 CET", "10-25 02:30 CET", "10-25 03:00 CET"]);
    }

    #[test]
    fn without_a_zone_it_is_utc() {
        let schedule = Schedule::new("@daily", None).unwrap();
        assert_eq!(schedule.next_after(at("2026-11-26T19:00:00Z")), Some(at("2026-11-27T00:00:00Z")));
    }

    #[test]
    fn the_latest_time_is_one_that_has_come_and_is_not_known_yet() {
        let schedule = Schedule::new("0 * * * *", None).unwrap();
        let noon = at("2026-11-26T12:00:00Z");
        assert_eq!(schedule.latest(at("2026-11-25T00:00:00Z"), noon), Some(noon));
        assert_eq!(schedule.latest(noon, at("2026-11-26T12:59:59Z")), None);
        assert_eq!(schedule.latest(noon, at("2026-11-26T15:30:00Z")), Some(at("2026-11-26T15:00:00Z")));
    }

    #[test]
    fn what_batch_knows_is_known() {
        for expression in ["*/15 8-18 * * MON-FRI", "0 0 1,15 jan-mar ?", "5/10 * * * *", "@Weekly", "@midnight"] {
            let made = Schedule::new(expression, Some("Asia/Kolkata"));
            assert!(made.is_ok(), "{expression}: {made:?}");
        }
    }

    #[test]
    fn a_step_begins_where_it_is_told_to() {
        let times = times("5/20 12 * * *", "Etc/UTC", "2026-11-26T12:00:00Z", 3);
        assert_eq!(times, ["11-26 12:05 UTC", "11-26 12:25 UTC", "11-26 12:45 UTC"]);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_what_is_allowed() {
        let cases = [
            ("", "it has 0 fields"),
            ("* * * *", "it has 4 fields"),
            ("0 * * * * *", "it has 6 fields"),
            ("61 * * * *", "61"),
            ("0 0 L * *", "its field \"L\" cannot be read"),
            ("0 0 * * MON#2", "its field \"MON#2\" cannot be read"),
            ("0 0 * FOO *", ""),
            ("@reboot", "which is not one of the names"),
            ("/10 * * * *", "its field \"/10\" cannot be read"),
            ("@every 5m", "which is not one of the names"),
            ("CRON_TZ=Europe/Berlin 0 0 * * *", "it has 6 fields"),
        ];
        for (expression, why) in cases {
            let error = Schedule::new(expression, None).unwrap_err();
            let text = error.to_string();
            assert!(error.field() == "schedule" && text.contains(why) && text.contains("five fields"), "{text}");
        }
        assert_eq!(Schedule::new("0 0 30 2 *", None).unwrap_err(), ScheduleError::Never("0 0 30 2 *".to_owned()));
        for zone in ["Europe/Berlinn", "Local", "", "+02:00"] {
            let error = Schedule::new("@daily", Some(zone)).unwrap_err();
            assert_eq!((error.field(), error.to_string().contains("Europe/Berlin or Etc/UTC")), ("timeZone", true));
        }
    }

    proptest! {
        /// The way back finds what the way forth does, also where clocks change.
        #[test]
        fn the_latest_time_is_the_last_of_those_that_follow(
            minutes in 0_i64..(366 * 24 * 60),
            expression in prop::sample::select(vec!["30 2 * * *", "*/20 * * * *", "0 */3 * * *", "15 1,2,3 * * SUN"]),
            zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Etc/UTC"]),
        ) {
            let schedule = Schedule::new(expression, Some(zone)).unwrap();
            let until = Timestamp::from_second(1_767_225_600 + minutes * 60).unwrap();
            let after = until - jiff::SignedDuration::from_hours(24 * 8);
            let mut last = None;
            let mut time = after;
            while let Some(next) = schedule.next_after(time).filter(|next| *next <= until) {
                prop_assert!(next > time);
                last = Some(next);
                time = next;
            }
            prop_assert_eq!(schedule.latest(after, until), last);
        }
    }
}
