//! The day, in all the ways to write one.

use chrono::{NaiveDate, Weekday};

use super::clock;
use super::names;
use super::token::{Cursor, Number};

/// What stands between day, month and year in words: `28 de julio de 2021`, `28th of July`.
const FILLERS: &[&str] = &["of", "de", "del", "d", "st", "nd", "rd", "th", "er", "o", "го"];

/// What stands first in a day of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Day,
    Month,
    /// Also where the year has two digits. With the year last both other orders are in use.
    Year,
}

/// What a text says of the day, before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Day {
        year: u32,
        month: u32,
        day: u32,
    },
    Week {
        year: u32,
        week: u32,
        day: u32,
    },
    Ordinal {
        year: u32,
        day: u32,
    },
    /// The year comes behind the clock.
    Yearless {
        month: u32,
        day: u32,
    },
    /// 07/08/2021
    Ambiguous,
}

impl Form {
    /// The day, if it exists.
    pub fn date(self) -> Option<NaiveDate> {
        let signed = |year: u32| i32::try_from(year).ok();
        match self {
            Self::Day { year, month, day } => NaiveDate::from_ymd_opt(signed(year)?, month, day),
            Self::Ordinal { year, day } => NaiveDate::from_yo_opt(signed(year)?, day),
            Self::Week { year, week, day } => {
                let weekday = Weekday::try_from(u8::try_from(day.checked_sub(1)?).ok()?).ok()?;
                NaiveDate::from_isoywd_opt(signed(year)?, week, weekday)
            }
            Self::Yearless { .. } | Self::Ambiguous => None,
        }
    }
}

/// A day that stands here, and what is behind it.
pub(super) fn read(at: Cursor, order: Option<Order>) -> Option<(Form, Cursor)> {
    if at.is_number() {
        units(at)
            .or_else(|| numbers(at, order))
            .or_else(|| day_month(at))
            .or_else(|| year_month_day(at))
            .or_else(|| week(at))
            .or_else(|| basic(at))
            .or_else(|| part_of_year(at))
            .or_else(|| month_first(at))
    } else {
        month_first(at).or_else(|| era(at))
    }
}

/// A year of four digits, or of two or three as RFC 2822 section 4.3 reads them.
fn year(at: Cursor) -> Option<(u32, Cursor)> {
    let (Number { value, digits }, next) = at.any_number()?;
    let value = u32::try_from(value).ok()?;
    match digits {
        4 => Some((value, next)),
        3 => Some((1900 + value, next)),
        2 => Some((two_digits(value), next)),
        _ => None,
    }
}

fn two_digits(year: u32) -> u32 {
    if year < 50 { 2000 + year } else { 1900 + year }
}

/// `2021年7月28日`, `2021년 7월 28일`; the day or day and month may be missing. Three digits count from
/// the founding of the Republic of China.
fn units(at: Cursor) -> Option<(Form, Cursor)> {
    let republic = at.number(3..=3).map(|(year, next)| (names::REPUBLIC + year, next));
    let (year, next) = republic.or_else(|| year(at))?;
    let behind = next.one_of(&["年", "년"])?;
    match month_and_day(behind) {
        Some((month, day, at)) => Some((Form::Day { year, month, day }, at)),
        // `10年前` is ten years ago.
        None => at.number(4..=4).map(|_| (Form::Day { year, month: 1, day: 1 }, behind)),
    }
}

fn month_and_day(at: Cursor) -> Option<(u32, u32, Cursor)> {
    let (month, at) = at.number(1..=2)?;
    let at = at.one_of(&["月", "월"])?;
    let day = at.number(1..=2).and_then(|(day, at)| Some((day, at.one_of(&["日", "号", "號", "일"])?)));
    let (day, at) = day.unwrap_or((1, at));
    Some((month, day, at))
}

/// `民國110年7月28日`, `令和3年7月28日`
fn era(at: Cursor) -> Option<(Form, Cursor)> {
    let (word, at) = at.word()?;
    let before = names::era(word)?;
    let (year, at) = at.number(1..=3)?;
    let (month, day, at) = month_and_day(at.one_of(&["年"])?)?;
    Some((Form::Day { year: before + year, month, day }, at))
}

/// `2021-07-28`, `2021/7/28`, `2021. 7. 28`, `28.07.2021`, `28/07/2021`, `07/28/2021`
fn numbers(at: Cursor, order: Option<Order>) -> Option<(Form, Cursor)> {
    let (first, at) = at.any_number()?;
    let (sign, at) = at.sign(&['-', '/', '.', ':'])?;
    let (second, at) = at.number(1..=2)?;
    let (third, at) = at.sign(&[sign])?.1.any_number()?;
    let (a, c) = (u32::try_from(first.value).ok()?, u32::try_from(third.value).ok()?);
    let form = match (first.digits, sign, third.digits) {
        (4, _, 1 | 2) => Form::Day { year: a, month: second, day: c },
        // A clock.
        (_, ':', _) => return None,
        (1 | 2, _, 4) => year_last(a, second, c, sign, order),
        // Taiwan's offices: 110/07/28.
        (3, _, 1 | 2) if order == Some(Order::Year) => Form::Day { year: names::REPUBLIC + a, month: second, day: c },
        (2, _, 1 | 2) if order == Some(Order::Year) => Form::Day { year: two_digits(a), month: second, day: c },
        // ISO 8601 once allowed to leave out the century; nothing else with two digits has hyphens.
        (2, '-', 2) if (1..=12).contains(&second) && (1..=31).contains(&c) => {
            Form::Day { year: two_digits(a), month: second, day: c }
        }
        (1 | 2, _, 2) => year_last(a, second, two_digits(c), sign, order),
        _ => return None,
    };
    Some((form, at))
}

/// A number past twelve is the day. Points stand in languages that put the day first.
fn year_last(a: u32, b: u32, year: u32, sign: char, order: Option<Order>) -> Form {
    let order = match (a > 12, b > 12) {
        (true, _) => Order::Day,
        (_, true) => Order::Month,
        _ if a == b || sign == '.' => Order::Day,
        _ => match order {
            Some(order) => order,
            None => Order::Year,
        },
    };
    match order {
        Order::Day => Form::Day { year, month: b, day: a },
        Order::Month => Form::Day { year, month: a, day: b },
        Order::Year => Form::Ambiguous,
    }
}

/// Behind what may stand between day, month and year in words.
fn filled(mut at: Cursor) -> Cursor {
    for _ in 0..3 {
        let sign = at.sign(&['.', ',', '-', '/', '\'']).map(|(_, next)| next);
        match sign.or_else(|| at.one_of(FILLERS)) {
            Some(next) => at = next,
            None => break,
        }
    }
    at
}

/// A month in words, `七月` and `7月` among them: programs write those into RFC 822's form.
fn month(at: Cursor) -> Option<(u32, Cursor)> {
    if let Some((month, next)) = at.number(1..=2) {
        return Some((month, next.one_of(&["月", "월"])?));
    }
    let (word, next) = at.word()?;
    if let Some(month) = names::month(word) {
        return Some((month, next));
    }
    Some((names::chinese_month(word)?, next.one_of(&["月"])?))
}

/// The year of a day in words; where a clock stands instead, the year comes behind that.
fn with_year(month: u32, day: u32, at: Cursor) -> Option<(Form, Cursor)> {
    let at = filled(at);
    if clock::read(at, false).is_some() {
        return Some((Form::Yearless { month, day }, at));
    }
    let (year, at) = year(at)?;
    Some((Form::Day { year, month, day }, at))
}

/// `28 Jul 2021`, `28. Juli 2021`, `28-Jul-21`
fn day_month(at: Cursor) -> Option<(Form, Cursor)> {
    let (day, at) = at.number(1..=2)?;
    let (month, at) = month(filled(at))?;
    with_year(month, day, at)
}

/// `July 28, 2021`; a month and its year alone are its first day.
fn month_first(at: Cursor) -> Option<(Form, Cursor)> {
    let (month, at) = month(at)?;
    let at = filled(at);
    if let Some((year, at)) = at.number(4..=4) {
        return Some((Form::Day { year, month, day: 1 }, at));
    }
    let (day, next) = at.number(1..=2)?;
    if clock::read(at, false).is_some() { None } else { with_year(month, day, next) }
}

/// `2021. július 28.`, `2021-Jul-28`
fn year_month_day(at: Cursor) -> Option<(Form, Cursor)> {
    let (year, at) = at.number(4..=4)?;
    let (month, at) = month(filled(at))?;
    let at = filled(at);
    let (day, next) = at.number(1..=2)?;
    if clock::read(at, false).is_some() { None } else { Some((Form::Day { year, month, day }, next)) }
}

/// `2021-W30-3`, `2021W303`, `2021-W30`
fn week(at: Cursor) -> Option<(Form, Cursor)> {
    let (year, at) = at.number(4..=4)?;
    let at = at.sign(&['-']).map_or(at, |(_, next)| next);
    let at = at.one_of(&["w"])?;
    if let Some((both, at)) = at.glued_number(3..=3) {
        return Some((Form::Week { year, week: both / 10, day: both % 10 }, at));
    }
    let (week, at) = at.glued_number(2..=2)?;
    let day = at.sign(&['-']).and_then(|(_, at)| at.glued_number(1..=1));
    let (day, at) = day.unwrap_or((1, at));
    Some((Form::Week { year, week, day }, at))
}

/// `20210728`, `2021209`
fn basic(at: Cursor) -> Option<(Form, Cursor)> {
    if let Some((number, at)) = at.number(8..=8) {
        return Some((Form::Day { year: number / 10_000, month: number / 100 % 100, day: number % 100 }, at));
    }
    let (number, at) = at.number(7..=7)?;
    Some((Form::Ordinal { year: number / 1000, day: number % 1000 }, at))
}

/// `2021-209`, `2021-07`, `2021/7`
fn part_of_year(at: Cursor) -> Option<(Form, Cursor)> {
    let (year, at) = at.number(4..=4)?;
    let (_, at) = at.sign(&['-', '/'])?;
    if let Some((day, at)) = at.glued_number(3..=3) {
        return Some((Form::Ordinal { year, day }, at));
    }
    let (month, at) = at.glued_number(1..=2)?;
    Some((Form::Day { year, month, day: 1 }, at))
}
