//! One field of a cron line: which values it takes, and what people write for them.

use std::collections::BTreeSet;

use super::error::{Cause, Name, short};

/// One field of a line.
pub(super) struct Unit {
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

pub(super) const SECOND: Unit = unit("second", 0, 59, "0-59", "");
pub(super) const MINUTE: Unit = unit("minute", 0, 59, "0-59", "");
pub(super) const HOUR_OF_DAY: Unit = unit("hour", 0, 23, "0-23", "");
pub(super) const DAY_OF_MONTH: Unit = unit("day", 1, 31, "1-31", "");
pub(super) const MONTH: Unit = unit("month", 1, 12, "1-12 or jan-dec", MONTHS);
const MONTHS: Name = "January February March April May June July August September October November December";
pub(super) const WEEKDAY: Unit = unit("weekday", 0, 7, "names such as mon-fri", WEEKDAYS);
const WEEKDAYS: Name = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday";
/// The years that the `cron` crate knows.
pub(super) const YEAR: Unit = unit("year", 1970, 2100, "1970-2100", "");

impl Unit {
    /// All values of a list such as `1-5,10,20-40/5`.
    pub(super) fn values(&self, field: &str) -> Result<BTreeSet<u32>, Cause> {
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

    /// The name of a value.
    pub(super) fn label(&self, value: u32) -> Option<Name> {
        self.labels().find(|(labelled, _)| *labelled == value).map(|(_, name)| name)
    }
}

pub(super) fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}
