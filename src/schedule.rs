//! When a feed is polled next: cron lines, `@every`, the spread, and the wait after failures.
//!
//! The `cron` crate only walks a calendar without time zones here. What people write is read by
//! us, because the crate explains no mistake and counts weekdays from 1; and wall-clock times are
//! mapped to moments by us, because the crate skips runs in spring and goes backwards in autumn.

use std::collections::BTreeSet;
use std::fmt;
use std::iter::once;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};
use sha2::{Digest, Sha256};

use crate::model::Timestamp;

type Moment = DateTime<Utc>;
type Name = &'static str;

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
            ScheduleError { subject, cause }
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

/// Wall-clock times in a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Calendar {
    /// Two lines when day and weekday are or-ed.
    lines: Vec<cron::Schedule>,
    zone: Tz,
    /// Runs through the day by the hour, so the hour that autumn repeats counts twice.
    through: bool,
}

impl Calendar {
    /// From 5, 6 or 7 fields.
    fn read(fields: &[&str], zone: Tz) -> Result<Self, Cause> {
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

    fn next(&self, after: Moment) -> Option<Moment> {
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

/// One field of a line.
struct Unit {
    name: Name,
    low: u32,
    high: u32,
    /// What may be written, for messages.
    takes: Name,
    /// Names of the values from `low` on; three letters or more of one are enough.
    names: Name,
}

const fn unit(name: Name, low: u32, high: u32, takes: Name, names: Name) -> Unit {
    Unit { name, low, high, takes, names }
}

const SECOND: Unit = unit("second", 0, 59, "0-59", "");
const MINUTE: Unit = unit("minute", 0, 59, "0-59", "");
const HOUR_OF_DAY: Unit = unit("hour", 0, 23, "0-23", "");
const DAY_OF_MONTH: Unit = unit("day", 1, 31, "1-31", "");
const MONTH: Unit = unit("month", 1, 12, "1-12 or jan-dec", MONTHS);
const MONTHS: Name = "January February March April May June July August September October November December";
const WEEKDAY: Unit = unit("weekday", 0, 7, "names such as mon-fri", WEEKDAYS);
const WEEKDAYS: Name = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
/// The years that the `cron` crate knows.
const YEAR: Unit = unit("year", 1970, 2100, "1970-2100", "");

impl Unit {
    /// All values of a list such as `1-5,10,20-40/5`.
    fn values(&self, field: &str) -> Result<BTreeSet<u32>, Cause> {
        let mut values = BTreeSet::new();
        for item in field.split(',') {
            let (base, step) = match item.split_once('/') {
                Some((base, step)) => (base, Some(self.step(step)?)),
                None => (item, None),
            };
            let (from, to) = match base {
                "*" => (self.low, self.high),
                "?" if self.name.ends_with("day") => (self.low, self.high),
                _ if step.is_some() && !base.contains('-') => (self.value(base)?, self.high),
                _ => self.range(base, step)?,
            };
            values.extend((from..=to).step_by(step.unwrap_or(1)));
        }
        Ok(values)
    }

    fn value(&self, text: &str) -> Result<u32, Cause> {
        if text.is_empty() {
            return Err(Cause::Hole(self.name));
        }
        if text.chars().all(is_digit) {
            let value = text.parse().ok().filter(|value| (self.low..=self.high).contains(value));
            return value.ok_or_else(|| match self.name {
                "weekday" => Cause::NoWeekday(short(text)),
                name => Cause::Outside(name, short(text), self.takes),
            });
        }
        let lower = text.to_lowercase();
        if lower.contains('#') || lower.trim_end_matches(['l', 'w', 'h']).chars().all(is_digit) {
            return Err(Cause::Quartz(self.name, short(text)));
        }
        let is_meant = |name: &str| lower.len() >= 3 && name.to_lowercase().starts_with(&lower);
        match self.labels().find(|(_, name)| is_meant(name)) {
            Some((value, _)) => Ok(value),
            None => Err(Cause::Value(self.name, short(text), self.takes)),
        }
    }

    /// Both ends of `1-5`, or twice the `1`.
    fn range(&self, text: &str, step: Option<usize>) -> Result<(u32, u32), Cause> {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        let (from, to) = (self.value(from)?, self.value(to)?);
        let last = match self.name {
            _ if from <= to => return Ok((from, to)),
            // A week may begin or end on Sunday.
            "weekday" if from == 7 => return Ok((0, to)),
            "weekday" if to == 0 => return Ok((from, 7)),
            "weekday" => 6,
            _ => self.high,
        };
        let named = !text.starts_with(is_digit);
        let label = |value| match self.label(value) {
            Some(name) if named => name[..3].to_lowercase(),
            _ => value.to_string(),
        };
        let span = |a, b| if a == b { label(a) } else { format!("{}-{}", label(a), label(b)) };
        let instead = match step {
            _ if self.name == "year" => span(to, from),
            None => format!("{},{}", span(from, last), span(self.low, to)),
            Some(step) => {
                let around = (from..=last).chain(self.low..=to).step_by(step);
                around.map(label).collect::<Vec<_>>().join(",")
            }
        };
        Err(Cause::Backwards(self.name, short(text), instead))
    }

    fn step(&self, text: &str) -> Result<usize, Cause> {
        match text.parse::<u16>() {
            Ok(0) => Err(Cause::StepZero(self.name)),
            Ok(step) if u32::from(step) <= self.high => Ok(step.into()),
            Ok(step) if matches!(self.name, "second" | "minute" | "hour" | "day") => {
                Err(Cause::StepEvery(self.name, step, &self.name[..1]))
            }
            _ => Err(Cause::Step(self.name, short(text))),
        }
    }

    fn labels(&self) -> impl Iterator<Item = (u32, Name)> {
        (self.low..).zip(self.names.split_whitespace())
    }

    fn label(&self, value: u32) -> Option<Name> {
        self.labels().find(|(labelled, _)| *labelled == value).map(|(_, name)| name)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// What someone wrote, on one line and not too long for a message.
fn short(text: &str) -> String {
    let line = text.replace(|c: char| c.is_whitespace() || c.is_control(), " ");
    match line.trim().char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line.trim()[..end]),
        None => line.trim().to_owned(),
    }
}

/// A schedule that cannot be read: what was written, why it is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}{cause}")]
pub struct ScheduleError {
    subject: String,
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Cause {
    #[error("the schedule is empty; write for example `@hourly` or `0 9 * * *`")]
    Empty,
    #[error("the time zone has a key of its own, `timezone`")]
    Zone,
    #[error("did you mean `{0}`?")]
    Meant(String),
    #[error(
        "a line has 5 fields (minute hour day month weekday), 6 with the second first or 7 with \
         the year last, but this one has {0}"
    )]
    Fields(usize),
    #[error(
        "unknown name `{0}`; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, \
         @annually and @every, as in `@every 30m`"
    )]
    UnknownName(String),
    #[error("`{0}` stands alone; remove what follows it")]
    Trailing(String),
    #[error("a feed cannot wait for a reboot; write `@hourly` or `@every 30m`")]
    Reboot,
    #[error("the period is missing; write for example `@every 30m`")]
    NoPeriod,
    #[error("`{0}` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`")]
    Period(String),
    #[error("a period is at least 1s and at most 366d")]
    PeriodLimits,
    #[error("the {0} field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`")]
    Hole(Name),
    #[error("weekday {0} does not exist")]
    NoWeekday(String),
    #[error("{0} {1} is out of range; use {2}")]
    Outside(Name, String, Name),
    #[error("unknown {0} `{1}`; use {2}")]
    Value(Name, String, Name),
    #[error("{0} `{1}` is not supported; L, W, # and H are other programs' signs")]
    Quartz(Name, String),
    #[error("{0} range `{1}` runs backwards; write `{2}`")]
    Backwards(Name, String, String),
    #[error("{0} step 0 never moves on; use 1 or more")]
    StepZero(Name),
    #[error("{0} step {1} is longer than the field; write `@every {1}{2}`")]
    StepEvery(Name, u16, Name),
    #[error("{0} step `{1}` is not a number that fits the field")]
    Step(Name, String),
    #[error(
        "weekday numbers are refused beside seconds, because crontab counts from sunday = 0 and \
         quartz from sunday = 1; write names such as `mon-fri`"
    )]
    NumberedWeekday,
    #[error("{0} {1} does not exist")]
    NoSuchDay(u32, Name),
    #[error("no such time comes between 1970 and 2100")]
    Never,
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chrono_tz::America::{New_York, Sao_Paulo};
    use chrono_tz::Asia::Shanghai;
    use chrono_tz::Australia::Lord_Howe;
    use chrono_tz::Europe::Berlin;
    use proptest::prelude::*;

    fn schedule(text: &str, zone: Tz) -> Schedule {
        Schedule::parse(text, zone).unwrap_or_else(|error| panic!("{error}"))
    }

    fn time(text: &str) -> Timestamp {
        Timestamp::from_millis(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    /// The next runs as clocks in the zone show them.
    fn runs(text: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
        let schedule = schedule(text, zone);
        let next = |after: &Timestamp| schedule.next(*after, Spread::none());
        let runs = std::iter::successors(next(&time(after)), next).take(count);
        let shown = |run: Timestamp| zone.timestamp_millis_opt(run.millis()).unwrap();
        runs.map(|run| shown(run).format("%a %d %H:%M%z").to_string()).collect()
    }

    /// One message a line; what stands in the first backticks is the text that gets it.
    const MISTAKES: &str = "
`0 9 * * 8`: weekday 8 does not exist
`60 * * * *`: minute 60 is out of range; use 0-59
`0 24 * * *`: hour 24 is out of range; use 0-23
`0 0 0 * *`: day 0 is out of range; use 1-31
`0 0 1 13 *`: month 13 is out of range; use 1-12 or jan-dec
`61 0 9 * * *`: second 61 is out of range; use 0-59
`0 0 9 * * ? 2200`: year 2200 is out of range; use 1970-2100
`0 9 * * moon`: unknown weekday `moon`; use names such as mon-fri
`0 9 * febr-juni *`: unknown month `juni`; use 1-12 or jan-dec
`0 9 mon * *`: unknown day `mon`; use 1-31
`0 ? * * *`: unknown hour `?`; use 0-23
`0 22-2 * * *`: hour range `22-2` runs backwards; write `22-23,0-2`
`0 22-3/2 * * *`: hour range `22-3` runs backwards; write `22,0,2`
`0 0 31-2 * *`: day range `31-2` runs backwards; write `31,1-2`
`0 0 1 Nov-February *`: month range `Nov-February` runs backwards; write `nov-dec,jan-feb`
`0 0 * * fri-mon`: weekday range `fri-mon` runs backwards; write `fri-sat,sun-mon`
`0 0 0 1 1 ? 2030-2028`: year range `2030-2028` runs backwards; write `2028-2030`
`*/0 * * * *`: minute step 0 never moves on; use 1 or more
`*/90 * * * *`: minute step 90 is longer than the field; write `@every 90m`
`*/x * * * *`: minute step `x` is not a number that fits the field
`0 0 1 */20 *`: month step `20` is not a number that fits the field
`0, 30 * * *`: the minute field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`
`-5 * * * *`: the minute field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`
`0 0 L * *`: day `L` is not supported; L, W, # and H are other programs' signs
`0 0 15W * *`: day `15W` is not supported; L, W, # and H are other programs' signs
`H 0 * * *`: minute `H` is not supported; L, W, # and H are other programs' signs
`0 0 * * 5#2`: weekday `5#2` is not supported; L, W, # and H are other programs' signs
`0 0 9 * * 1-5`: weekday numbers are refused beside seconds, because crontab counts from sunday = 0 and quartz from sunday = 1; write names such as `mon-fri`
`0 0 30 2 *`: 30 February does not exist
`0 0 31 4,6 *`: 31 April does not exist
`0 0 30 feb mon`: 30 February does not exist
`0 0 0 29 2 ? 2023`: no such time comes between 1970 and 2100
`0 9 * *`: a line has 5 fields (minute hour day month weekday), 6 with the second first or 7 with the year last, but this one has 4
`hourly`: did you mean `@hourly`?
`every 30m`: did you mean `@every 30m`?
`1h 30m`: did you mean `@every 1h 30m`?
`CRON_TZ=Asia/Tokyo 0 9 * * *`: the time zone has a key of its own, `timezone`
`@reboot`: a feed cannot wait for a reboot; write `@hourly` or `@every 30m`
`@fortnightly`: unknown name `@fortnightly`; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually and @every, as in `@every 30m`
`@daily 9`: `@daily` stands alone; remove what follows it
`@every`: the period is missing; write for example `@every 30m`
`@every 30`: `30` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 30min`: `30min` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 1.5h`: `1.5h` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`
`@every 0s`: a period is at least 1s and at most 366d
`@every 367d`: a period is at least 1s and at most 366d
`@every 99999999999999999999d`: a period is at least 1s and at most 366d";

    #[test]
    fn mistakes_get_a_sentence() {
        let message = |text: &str| Schedule::parse(text, Tz::UTC).unwrap_err().to_string();
        for line in MISTAKES.lines().skip(1) {
            assert_eq!(message(line.split('`').nth(1).unwrap()), line);
        }
        let empty = "the schedule is empty; write for example `@hourly` or `0 9 * * *`";
        assert_eq!(message(" \n"), empty);
        let long = message(&"x\n".repeat(500));
        assert!(long.len() < 300 && !long.contains('\n'), "{long}");
    }

    #[test]
    fn text_comes_back() {
        for text in ["@Hourly", "@every  1h30m", "*/5 0-6/2,22 1,15 jan-mar 0-7", "0 0 9 ? * mon"] {
            assert_eq!(schedule(&format!(" {text}\n"), Tz::UTC).to_string(), text);
        }
        assert_ne!(schedule("@daily", Berlin), schedule("@daily", Tz::UTC));
        let shown = schedule("@every 5m", Berlin).local(time("2025-03-30T01:00:00Z"));
        assert_eq!(shown, "2025-03-30 03:00:00 +02:00");
    }

    #[test]
    fn weekdays_are_those_of_crontab() {
        let lines = "0 Sun\n7 Sun\n1 Mon\n6 Sat\n1-5 Mon Tue Wed Thu Fri\n5-7 Sun Fri Sat\n\
                     fri-sun Sun Fri Sat\n7-2 Sun Mon Tue\nsun-TUES Sun Mon Tue\nWednesday,6 Wed Sat\n\
                     mon/2 Sun Mon Wed Fri\n*/2 Sun Tue Thu Sat\n0-7 Sun Mon Tue Wed Thu Fri Sat";
        for (field, days) in lines.lines().filter_map(|line| line.split_once(' ')) {
            // 2026-01-04 is a Sunday.
            let found = runs(&format!("0 9 * * {field}"), Tz::UTC, "2026-01-04T00:00:00Z", 7);
            let week = found.iter().take_while(|run| &run[4..] < "11");
            assert_eq!(week.map(|run| &run[..3]).collect::<Vec<_>>().join(" "), days, "{field}");
        }
        let six = schedule("15 30 9 * * mon-tue", Tz::UTC);
        let monday = six.next(time("2026-01-02T00:00:00Z"), Spread::none());
        assert_eq!(monday, Some(time("2026-01-05T09:30:15Z")));
        let seven = runs("0 0 9 5 1 ? 2026-2027", Tz::UTC, "2026-01-01T00:00:00Z", 9);
        assert_eq!(seven, ["Mon 05 09:00+0000", "Tue 05 09:00+0000"]);
    }

    #[test]
    fn day_and_weekday_are_ored_in_crontab_lines_only() {
        let days = |text: &str| {
            let runs = runs(text, Tz::UTC, "2026-02-01T12:00:00Z", 4);
            runs.iter().map(|run| run[..6].to_owned()).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(days("0 0 13 * 5"), "Fri 06, Fri 13, Fri 20, Fri 27");
        assert_eq!(days("0 0 10 * 5"), "Fri 06, Tue 10, Fri 13, Fri 20");
        assert_eq!(days("0 0 */2 * 5"), "Fri 13, Fri 27, Fri 13, Fri 27");
        assert_eq!(days("0 0 10 * ?"), "Tue 10, Tue 10, Fri 10, Sun 10");
        assert_eq!(days("0 0 0 13 * fri"), "Fri 13, Fri 13, Fri 13, Fri 13");
    }

    #[test]
    fn a_time_left_out_in_spring_runs_once_at_the_end_of_the_gap() {
        let found = runs("30 2 * * *", Berlin, "2025-03-29T00:00:00Z", 3);
        assert_eq!(found, ["Sat 29 02:30+0100", "Sun 30 03:00+0200", "Mon 31 02:30+0200"]);
        let found = runs("*/20 2,3 * * *", New_York, "2025-03-09T06:00:00Z", 4);
        let end = ["Sun 09 03:00-0400", "Sun 09 03:20-0400", "Sun 09 03:40-0400", "Mon 10 02:00-0400"];
        assert_eq!(found, end);
        let found = runs("@daily", Sao_Paulo, "2018-11-03T12:00:00Z", 2);
        assert_eq!(found, ["Sun 04 01:00-0200", "Mon 05 00:00-0200"]);
        let found = runs("@daily", Shanghai, "2025-03-29T12:00:00Z", 2);
        assert_eq!(found, ["Sun 30 00:00+0800", "Mon 31 00:00+0800"]);
        let found = runs("@hourly", Berlin, "2025-03-30T00:00:00Z", 2);
        assert_eq!(found, ["Sun 30 03:00+0200", "Sun 30 04:00+0200"]);
        let found = runs("10 2 * * *", Lord_Howe, "2025-10-04T12:00:00Z", 2);
        assert_eq!(found, ["Sun 05 02:30+1100", "Mon 06 02:10+1100"]);
    }

    #[test]
    fn a_fixed_time_that_autumn_repeats_runs_once() {
        let found = runs("30 1 * * *", New_York, "2025-11-02T00:00:00Z", 2);
        assert_eq!(found, ["Sun 02 01:30-0400", "Mon 03 01:30-0500"]);
        let found = runs("30 1 * * *", New_York, "2025-11-02T06:10:00Z", 1);
        assert_eq!(found, ["Mon 03 01:30-0500"]);
        let found = runs("30 23 * * *", Sao_Paulo, "2018-02-17T12:00:00Z", 2);
        assert_eq!(found, ["Sat 17 23:30-0200", "Sun 18 23:30-0300"]);
    }

    #[test]
    fn running_through_the_day_leaves_no_hour_of_autumn_out() {
        for (text, zone, from, minutes, count) in [
            ("*/30 * * * *", New_York, "2025-11-02T03:00:00Z", 30, 12),
            ("@hourly", Berlin, "2025-10-25T20:00:00Z", 60, 12),
            ("0 */5 * * * *", Berlin, "2025-10-25T23:50:00Z", 5, 60),
            ("*/30 */1 * * *", Sao_Paulo, "2018-02-17T20:00:00Z", 30, 20),
            ("*/30 * * * *", Lord_Howe, "2025-04-05T10:00:00Z", 30, 20),
        ] {
            let mut last = time(from);
            for _ in 0..count {
                let next = schedule(text, zone).next(last, Spread::none()).unwrap();
                assert_eq!(next.millis() - last.millis(), minutes * 60_000, "{text} {zone}");
                last = next;
            }
        }
        let found = runs("0 0/2 * * *", Berlin, "2025-10-25T23:00:00Z", 2);
        assert_eq!(found, ["Sun 26 02:00+0200", "Sun 26 02:00+0100"]);
    }

    #[test]
    fn rare_dates_come_and_end() {
        let leap = schedule("0 0 29 feb ?", Tz::UTC);
        let next = leap.next(time("2025-01-01T00:00:00Z"), Spread::none());
        assert_eq!(next, Some(time("2028-02-29T00:00:00Z")));
        assert_eq!(leap.next(time("2096-02-29T00:00:00Z"), Spread::none()), None);
        let far = Timestamp::from_millis(i64::MAX);
        assert_eq!(schedule("@every 1s", Tz::UTC).next(far, Spread::none()), None);
        assert_eq!(schedule("@daily", Tz::UTC).next(far, Spread::none()), None);
    }

    #[test]
    fn every_is_aligned_to_the_epoch() {
        let found = runs("@every 1h30m", Tz::UTC, "1970-01-01T00:00:00.001Z", 2);
        assert_eq!(found, ["Thu 01 01:30+0000", "Thu 01 03:00+0000"]);
        assert_eq!(runs("@every 1d 1s", Tz::UTC, "1969-12-31T23:59:59Z", 1), ["Thu 01 00:00+0000"]);
        let (every, spread) = (schedule("@every 10m", Tz::UTC), Spread::of("lwn"));
        let first = every.next(time("2026-01-01T00:00:00Z"), spread).unwrap();
        let second = every.next(first, spread).unwrap();
        assert_eq!(second.millis() - first.millis(), 600_000);
    }

    #[test]
    fn the_spread_keeps_its_bounds_and_is_even() {
        let start = time("2026-01-01T00:00:00Z");
        let before = Timestamp::from_millis(start.millis() - 1);
        let named = [("@hourly", 3600), ("@yearly", 3600), ("@every 1d", 3600), ("@every 10m", 600)];
        let exact = [("@every 1s", 1), ("0 0 * * *", 60), ("0 0 0 * * *", 1)];
        for (text, limit) in named.into_iter().chain(exact) {
            let schedule = schedule(text, Tz::UTC);
            let mut seconds = std::collections::BTreeMap::new();
            for number in 0..1000 {
                let spread = Spread::of(&format!("feed-{number}"));
                let run = schedule.next(before, spread).unwrap();
                let shift = run.millis() - start.millis();
                assert!(shift % 1000 == 0 && (0..limit * 1000).contains(&shift), "{text}: {shift}");
                // Its own time has passed, its shifted time has not.
                assert!(shift == 0 || schedule.next(start, spread) == Some(run), "{text}");
                *seconds.entry(run).or_insert(0) += 1;
            }
            let most = seconds.values().max().copied().unwrap_or(0);
            assert!(limit < 3600 || most <= 10, "{text}: {most} of 1,000 in one second");
            assert!(limit < 60 || seconds.len() > 59, "{text}");
        }
        let lwn = schedule("@hourly", Tz::UTC).next(before, Spread::of("lwn"));
        assert_eq!(lwn, Some(time("2026-01-01T00:45:52Z")), "a new version must not move feeds");
    }

    #[test]
    fn no_second_of_an_hour_holds_many_of_a_thousand_feeds() {
        let hourly = schedule("@hourly", Tz::UTC);
        let start = time("2026-11-25T12:00:00Z");
        let mut seconds = std::collections::BTreeMap::new();
        for n in 0..1000 {
            let next = hourly.next(start, Spread::of(&format!("feed-{n}"))).unwrap();
            *seconds.entry((next.millis() - start.millis()) / 1000).or_insert(0) += 1;
        }
        let most = seconds.values().max().unwrap();
        assert!(*most <= 50 && seconds.len() > 700, "{most} in one second, {} seconds in use", seconds.len());
    }

    #[test]
    fn waiting_after_failures_doubles_up_to_a_day() {
        let minutes =
            |count, period: u64| after_failure(count, Duration::from_mins(period), "lwn").as_secs_f64() / 60.0;
        let small = [(0, 0, 1.0), (1, 0, 1.0), (2, 1, 2.0), (1, 60, 60.0), (3, 60, 240.0)];
        let large = [(11, 1, 1024.0), (12, 1, 1440.0), (u32::MAX, 60, 1440.0), (1, 9999, 1440.0)];
        for (count, period, wait) in small.into_iter().chain(large) {
            let found = minutes(count, period);
            let within = (wait * 0.9..=f64::min(wait * 1.1, 1440.0)).contains(&found);
            assert!(within, "{count}: {found}");
        }
        let waits = (0..1000).map(|n| after_failure(40, LONGEST_WAIT, &n.to_string()));
        assert!(waits.collect::<BTreeSet<_>>().len() > 990);
    }

    proptest! {
        #[test]
        fn the_next_run_is_later_and_none_is_skipped(
            text in prop::sample::select(vec![
                "@hourly", "@daily", "@every 7m", "30 2 * * *", "*/7 1-3 * * *", "0 0 13 * 5",
                "15 */2 * * *", "0 0 29 2 *", "17 */20 * * * *", "59 59 23 ? * sun",
            ]),
            zone in prop::sample::select(vec![Berlin, New_York, Sao_Paulo, Shanghai, Lord_Howe]),
            after in 0..3_900_000_000_000_i64,
            part in 0.0..1.0_f64,
            id in "[a-z]{0,3}",
        ) {
            let schedule = schedule(text, zone);
            let spread = if id.is_empty() { Spread::none() } else { Spread::of(&id) };
            let next = |millis| schedule.next(Timestamp::from_millis(millis), spread).unwrap().millis();
            let run = next(after);
            prop_assert!(run > after);
            let between = Duration::from_millis(u64::try_from(run - after - 1).unwrap()).mul_f64(part);
            prop_assert_eq!(next(after + i64::try_from(between.as_millis()).unwrap()), run);
        }
    }
}
