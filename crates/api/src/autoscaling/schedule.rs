//! Schedules of CronFederatedHPAs: the syntax of CronJobs, in a named time zone.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// Longest schedule, in bytes.
const MAX_LENGTH: usize = 256;

/// When a rule is executed.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// Why a rule has no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The text is no schedule.
    #[error("invalid cron format: {0}; expected five fields: minute, hour, day of month, month, day of week")]
    Syntax(String),
    /// The text is longer than any schedule needs.
    #[error("invalid cron format: longer than {MAX_LENGTH} bytes")]
    Length,
    /// There is no such time zone in the IANA database.
    #[error("unknown time zone {0}: expected a name of the IANA database, such as Europe/Berlin")]
    TimeZone(String),
}

impl Schedule {
    /// Reads a schedule. Without a time zone it is in UTC.
    ///
    /// # Errors
    /// When the text is no schedule, or the time zone does not exist.
    pub fn parse(text: &str, time_zone: Option<&str>) -> Result<Self, ScheduleError> {
        if text.len() > MAX_LENGTH {
            return Err(ScheduleError::Length);
        }
        // As in CronJobs, `5/15` starts at 5.
        let parser =
            CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).sloppy_ranges(true);
        let cron = parser.build().parse(text).map_err(|error| ScheduleError::Syntax(error.to_string()))?;
        let zone = match time_zone {
            None | Some("" | "UTC") => TimeZone::UTC,
            Some(name) => {
                let found = TimeZoneDatabase::bundled().get(name);
                found.map_err(|_| ScheduleError::TimeZone(name.to_owned()))?
            }
        };
        Ok(Self { cron, zone })
    }

    /// The first time after `time`; `None` for a schedule without one, such as 30 February.
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&time.to_zoned(self.zone.clone()), false).ok()?;
        Some(next.timestamp())
    }

    /// The last time until `time`, inclusive.
    pub fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        let last = self.cron.find_previous_occurrence(&time.to_zoned(self.zone.clone()), true).ok()?;
        Some(last.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_name_the_next_time() {
        let cases = [
            ("*/1 * * * *", None, "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
            ("*/1 * * * *", None, "2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"),
            ("30 8 * * MON-FRI", None, "2026-01-02T09:00:00Z", "2026-01-05T08:30:00Z"),
            ("5/20 * * * *", None, "2026-01-01T00:06:00Z", "2026-01-01T00:25:00Z"),
            ("0 0 1 * 0", None, "2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"),
            ("@daily", None, "2026-01-01T10:00:00Z", "2026-01-02T00:00:00Z"),
            ("0 8 * * *", Some("Europe/Berlin"), "2026-01-01T00:00:00Z", "2026-01-01T07:00:00Z"),
            ("0 8 * * *", Some("Europe/Berlin"), "2026-07-01T00:00:00Z", "2026-07-01T06:00:00Z"),
            ("0 8 * * *", Some("Asia/Shanghai"), "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ];
        for (text, zone, now, want) in cases {
            let schedule = Schedule::parse(text, zone).unwrap_or_else(|error| panic!("{text}: {error}"));
            let next = schedule.next_after(now.parse().expect("a time"));
            assert_eq!(next, Some(want.parse().expect("a time")), "{text} {zone:?} {now}");
        }
    }

    #[test]
    fn schedules_name_the_last_time() {
        let schedule = Schedule::parse("*/5 * * * *", None).expect("a schedule");
        let last = |text: &str| schedule.last_until(text.parse().expect("a time"));
        let want: Option<Timestamp> = Some("2026-01-01T00:05:00Z".parse().expect("a time"));
        assert_eq!(last("2026-01-01T00:05:00Z"), want);
        assert_eq!(last("2026-01-01T00:07:30Z"), want);
    }

    #[test]
    fn some_schedules_never_come() {
        let schedule = Schedule::parse("0 0 30 2 *", None).expect("a schedule");
        assert_eq!(schedule.next_after("2026-01-01T00:00:00Z".parse().expect("a time")), None);
    }

    #[test]
    fn faulty_schedules_are_refused() {
        for text in ["", "* * * *", "* * * * * *", "60 * * * *", "every day", "0 0 1 13 *"] {
            assert!(matches!(Schedule::parse(text, None), Err(ScheduleError::Syntax(_))), "{text:?}");
        }
        assert_eq!(Schedule::parse(&"1".repeat(300), None).err(), Some(ScheduleError::Length));
        let unknown = Schedule::parse("* * * * *", Some("Europe/Atlantis")).err();
        assert_eq!(unknown, Some(ScheduleError::TimeZone("Europe/Atlantis".to_owned())));
    }
}
