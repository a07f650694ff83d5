//! Cron lines, as times on the clocks of a zone.
//!
//! The `cron` crate only walks a calendar without time zones here. What people write is read by
//! us, because the crate explains no mistake and counts weekdays from 1; and wall-clock times are
//! mapped to moments by us, because the crate skips runs in spring and goes backwards in autumn.

use std::collections::BTreeSet;
use std::iter::once;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::error::Cause;
use super::unit::{DAY_OF_MONTH, HOUR_OF_DAY, MINUTE, MONTH, SECOND, WEEKDAY, YEAR, is_digit};

type Moment = DateTime<Utc>;

/// Wall-clock times in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    /// Two lines when day and weekday are or-ed.
    lines: Vec<cron::Schedule>,
    zone: Tz,
    /// Runs through the day by the hour, so the hour that autumn repeats counts twice.
    through: bool,
}

impl Calendar {
    /// From 5, 6 or 7 fields.
    pub(super) fn read(fields: &[&str], zone: Tz) -> Result<Self, Cause> {
        let (second, middle, year) = match fields {
            [second, middle @ .., year] if middle.len() == 5 => (*second, middle, *year),
            [second, middle @ ..] if middle.len() == 5 => (*second, middle, "*"),
            middle => ("0", middle, "*"),
        };
        let &[minute, hour, day, month, weekday] = middle else {
            return Err(Cause::Fields(fields.len()));
        };
        let crontab = fields.len() == 5;
        if !crontab && weekday.split([',', '-']).any(|value| value.starts_with(is_digit)) {
            return Err(Cause::NumberedWeekday);
        }
        // Whether a field restricts is decided by its first sign, as in crontab.
        let open = |field: &str| field.starts_with(['*', '?']);
        let either = crontab && !open(day) && !open(weekday);

        let second = list(&SECOND.values(second)?, 60);
        let minute = list(&MINUTE.values(minute)?, 60);
        let hours = list(&HOUR_OF_DAY.values(hour)?, 24);
        let through = hour.starts_with('*') || hour.contains('/') || hours == "*";
        let (days, months) = (DAY_OF_MONTH.values(day)?, MONTH.values(month)?);
        let (day, month) = (list(&days, 31), list(&months, 12));
        // The crate counts from 1 = Sunday; crontab has Sunday twice, as 0 and as 7.
        let weekdays = WEEKDAY.values(weekday)?.iter().map(|day| day % 7 + 1).collect();
        let weekday = list(&weekdays, 7);
        let year = list(&YEAR.values(year)?, 131);

        let line = |day: &str, weekday: &str| {
            let line = format!("{second} {minute} {hours} {day} {month} {weekday} {year}");
            let line = cron::Schedule::from_str(&line).map_err(|_| Cause::Never)?;
            let runs = line.after(&Moment::UNIX_EPOCH).next().is_some();
            if runs { Ok(line) } else { Err(never(&days, &months)) }
        };
        let first = line(&day, if either { "*" } else { &weekday })?;
        let second = if either { Some(line("*", &weekday)?) } else { None };
        Ok(Self { lines: once(first).chain(second).collect(), zone, through })
    }

    /// The first run later than a moment.
    pub(super) fn next(&self, after: Moment) -> Option<Moment> {
        let wall = after.with_timezone(&self.zone).naive_local();
        let first = self.search(wall, after, false);
        if !self.through {
            return first;
        }
        // In the first of two equal hours, times already passed on the wall come once more.
        let repeated = self.moment(wall, true) - after;
        first.into_iter().chain(self.search(wall - repeated, after, true)).min()
    }

    /// The first run later than `after`, among wall-clock times later than `wall`.
    fn search(&self, mut wall: NaiveDateTime, after: Moment, last: bool) -> Option<Moment> {
        loop {
            let times = self.lines.iter().filter_map(|line| line.after(&wall.and_utc()).next());
            wall = times.min()?.naive_utc();
            let run = self.moment(wall, last);
            if run > after {
                return Some(run);
            }
        }
    }

    /// The first or last moment at which a clock in the zone shows this time. A time that is left
    /// out in spring counts as the end of the gap.
    fn moment(&self, wall: NaiveDateTime, last: bool) -> Moment {
        let local = self.zone.from_local_datetime(&wall);
        let shown = if last { local.latest() } else { local.earliest() };
        let moment = shown.or_else(|| GapInfo::new(&wall, &self.zone).and_then(|gap| gap.end));
        moment.map_or(wall.and_utc(), |moment| moment.to_utc())
    }
}

/// Why no run ever comes, as exactly as we know.
fn never(days: &BTreeSet<u32>, months: &BTreeSet<u32>) -> Cause {
    match (days.first(), months.first()) {
        // 2024 had a 29 February, so a day that it lacks comes in no year.
        (Some(&day), Some(&month)) if NaiveDate::from_ymd_opt(2024, month, day).is_none() => {
            Cause::NoSuchDay(day, MONTH.label(month).unwrap_or_default())
        }
        _ => Cause::Never,
    }
}

/// A set of values as the crate reads it; `whole` is the size of a field without limits.
fn list(values: &BTreeSet<u32>, whole: usize) -> String {
    if values.len() == whole {
        return "*".to_owned();
    }
    values.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
