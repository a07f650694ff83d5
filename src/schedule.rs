//! When a feed is polled next: cron lines, `@every`, the spread, and the wait after failures.

mod calendar;
mod error;
mod unit;

use std::fmt;
use std::time::Duration;

use chrono::DateTime;
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use self::calendar::Calendar;
pub use self::error::ScheduleError;
use self::error::{Cause, short};
use self::unit::is_digit;
use crate::model::Timestamp;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const LONGEST_PERIOD: i64 = 366 * DAY;
const FIRST_WAIT: Duration = Duration::from_mins(1);
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// The names crontab knows, and the lines they stand for.
const NAMED: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A stable shift of all runs of one feed, so that thousands of hourly feeds do not fire together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread(u32);

impl Spread {
    /// The shift that belongs to this feed, the same on every machine and after every restart.
    pub fn of(feed_id: &str) -> Self {
        Self(fraction(feed_id))
    }

    /// The feed's share of a time within which all feeds are to be asked.
    pub fn within(self, time: Duration) -> Duration {
        time.mul_f64(f64::from(self.0) / (f64::from(u32::MAX) + 1.0))
    }

    /// No shift: runs at the very second the schedule names.
    pub fn none() -> Self {
        Self(0)
    }
}

/// When something runs: a calendar rule in a time zone, or a fixed period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    zone: Tz,
    rule: Rule,
    /// A spread shifts by less than this many seconds.
    reach: i64,
    is_auto: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Calendar(Calendar),
    /// Every so many seconds, counted from the epoch so that a restart changes nothing.
    Every(i64),
}

impl Schedule {
    /// Reads a cron line of 5, 6 or 7 fields, a name such as `@hourly`, `@every 30m`, or `auto`.
    ///
    /// With 5 fields, day and weekday are or-ed when both are restricted, as crontab does;
    /// with 6 or 7 fields both must hold.
    pub fn parse(text: &str, zone: Tz) -> Result<Self, ScheduleError> {
        Self::read(text.trim(), zone).map_err(|cause| {
            let empty = cause == Cause::Empty;
            let subject = if empty { String::new() } else { format!("`{}`: ", short(text)) };
            ScheduleError::new(subject, cause)
        })
    }

    fn read(text: &str, zone: Tz) -> Result<Self, Cause> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_auto = text.eq_ignore_ascii_case("auto");
        let (rule, reach) = match words.as_slice() {
            [] => return Err(Cause::Empty),
            // Until something is known of the feed.
            _ if is_auto => (Rule::Every(HOUR), HOUR),
            [first, ..] if first.contains("TZ=") => return Err(Cause::Zone),
            [name, rest @ ..] if name.starts_with('@') => named(name, rest, zone)?,
            fields => {
                let calendar = Calendar::read(fields, zone).map_err(|cause| {
                    let guesses = ["@", "@every "].map(|start| start.to_owned() + text);
                    let meant = guesses.iter().find(|guess| Self::read(guess, zone).is_ok());
                    meant.map_or(cause, |guess| Cause::Meant(short(guess)))
                })?;
                (Rule::Calendar(calendar), if fields.len() == 5 { 60 } else { 1 })
            }
        };
        Ok(Self { text: text.to_owned(), zone, rule, reach, is_auto })
    }

    /// True for `auto`: the feed's own rhythm decides (`pace::rhythm`).
    pub fn is_auto(&self) -> bool {
        self.is_auto
    }

    /// The first run strictly later than `after`; `None` when none is left (calendars end in 2100).
    ///
    /// A local time that spring leaves out runs at the end of the gap. One that autumn repeats runs
    /// the first time only, unless the hour is `*` or a step: then both hours have their runs.
    pub fn next(&self, after: Timestamp, spread: Spread) -> Option<Timestamp> {
        // One constant shift: a run belongs to its unshifted time, so none is lost or doubled.
        let shift = ((self.reach * i64::from(spread.0)) >> 32) * 1000;
        let base = after.millis().saturating_sub(shift);
        let run = match &self.rule {
            Rule::Calendar(calendar) => calendar.next(DateTime::from_timestamp_millis(base)?)?.timestamp_millis(),
            Rule::Every(seconds) => {
                let period = seconds * 1000;
                (base.div_euclid(period) + 1).saturating_mul(period)
            }
        };
        // `Timestamp` holds itself within its years, so the last one could come back for ever.
        Some(Timestamp::from_millis(run.saturating_add(shift))).filter(|next| *next > after)
    }

    /// A moment as clocks in the schedule's zone show it: `2025-03-30 03:00:00 +02:00`.
    pub fn local(&self, time: Timestamp) -> String {
        let moment = DateTime::from_timestamp_millis(time.millis()).unwrap_or_default();
        moment.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S %:z").to_string()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The rule of an `@` name and the reach of its spread.
fn named(name: &str, rest: &[&str], zone: Tz) -> Result<(Rule, i64), Cause> {
    let name = name.to_ascii_lowercase();
    if name == "@every" {
        let period = period(&rest.concat())?;
        return Ok((Rule::Every(period), period.min(HOUR)));
    }
    let line = match NAMED.iter().find(|(known, _)| *known == name) {
        Some((_, line)) if rest.is_empty() => line,
        Some(_) => return Err(Cause::Trailing(name)),
        None if name == "@reboot" => return Err(Cause::Reboot),
        None => return Err(Cause::UnknownName(short(&name))),
    };
    let fields: Vec<&str> = line.split(' ').collect();
    Ok((Rule::Calendar(Calendar::read(&fields, zone)?), HOUR))
}

/// Seconds of a duration such as `1h30m`.
fn period(text: &str) -> Result<i64, Cause> {
    if text.is_empty() {
        return Err(Cause::NoPeriod);
    }
    let (mut total, mut rest) = (0_i64, text);
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c| !is_digit(c)).unwrap_or(rest.len()));
        let (unit, tail) = tail.split_at(tail.find(is_digit).unwrap_or(tail.len()));
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => HOUR,
            "d" => DAY,
            _ => return Err(Cause::Period(short(text))),
        };
        if number.is_empty() {
            return Err(Cause::Period(short(text)));
        }
        // Only a number beyond i64 fails here, and that is too long in any unit.
        let number: i64 = number.parse().unwrap_or(i64::MAX);
        total = total.saturating_add(number.saturating_mul(seconds));
        rest = tail;
    }
    if (1..=LONGEST_PERIOD).contains(&total) { Ok(total) } else { Err(Cause::PeriodLimits) }
}

/// A stable number for a text, even over the whole range.
fn fraction(text: &str) -> u32 {
    Sha256::digest(text).iter().take(4).fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

/// How long to wait after so many failures in a row: twice as long each time, from the feed's own
/// period (at least a minute) up to a day, so that a rare feed is tried sooner than its period.
///
/// The seed moves the wait by up to a tenth, so that feeds that failed together come back apart.
pub fn after_failure(failures_in_row: u32, period_hint: Duration, jitter_seed: &str) -> Duration {
    // Eleven doublings of a minute are past a day.
    let doublings = failures_in_row.saturating_sub(1).min(11);
    let base = period_hint.clamp(FIRST_WAIT, LONGEST_WAIT) * (1 << doublings);
    let jitter = fraction(&format!("{jitter_seed} {failures_in_row}"));
    let factor = 0.9 + 0.2 * f64::from(jitter) / f64::from(u32::MAX);
    let wait = base.min(LONGEST_WAIT).mul_f64(factor);
    // Folded back at the day, not cut, or half of the long-failing feeds would meet there.
    wait.min((2 * LONGEST_WAIT).saturating_sub(wait))
}

#[cfg(test)]
mod tests;
