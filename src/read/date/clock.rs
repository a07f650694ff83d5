//! The time of day.

use chrono::NaiveDate;

use super::token::Cursor;
use crate::model::Timestamp;

const HOUR_UNITS: &[&str] = &["h", "hrs", "uhr", "時", "时", "点", "點", "시"];
const MINUTE_UNITS: &[&str] = &["m", "min", "mn", "分", "분"];
const SECOND_UNITS: &[&str] = &["s", "sec", "秒", "초"];

/// A time of day that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    seconds: u32,
    millis: u32,
}

/// Which half of the day a twelve-hour clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    Morning,
    Afternoon,
}

impl Clock {
    pub const MIDNIGHT: Self = Self { seconds: 0, millis: 0 };

    /// `24:00` is the end of the day (ISO 8601), second 60 a leap second: the moment after it.
    pub fn of(hour: u32, minute: u32, second: u32, millis: u32) -> Option<Self> {
        let exists = (hour <= 23 && minute <= 59 && second <= 60) || (hour, minute, second) == (24, 0, 0);
        exists.then_some(Self { seconds: hour * 3600 + minute * 60 + second, millis })
    }

    /// The moment at which this clock shows that, so many minutes east.
    pub fn on(self, day: NaiveDate, zone: i32) -> Timestamp {
        let seconds = i64::from(day.to_epoch_days()) * 86_400 + i64::from(self.seconds) - i64::from(zone) * 60;
        Timestamp::from_millis(seconds * 1000 + i64::from(self.millis))
    }
}

/// What a text says of the time, before it is believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields {
    hour: u32,
    minute: u32,
    second: u32,
    millis: u32,
    half: Option<Half>,
}

impl Fields {
    /// `half` is what stood in front, as in Chinese, Japanese and Korean; what stands behind wins.
    /// Beside an hour past twelve it says nothing new.
    pub fn clock(self, half: Option<Half>) -> Option<Clock> {
        let hour = match self.half.or(half) {
            Some(Half::Morning) if self.hour == 12 => 0,
            Some(Half::Afternoon) if self.hour < 12 => self.hour + 12,
            _ => self.hour,
        };
        Clock::of(hour, self.minute, self.second, self.millis)
    }
}

/// The half of the day that a word ends with: 下午, 星期三下午.
fn half_of(word: &str) -> Option<Half> {
    let ends = |halves: &[&str]| halves.iter().any(|half| word.ends_with(half));
    if ends(&["上午", "早上", "凌晨", "清晨", "午前", "오전", "새벽"]) {
        Some(Half::Morning)
    } else if ends(&["下午", "中午", "傍晚", "晚上", "午後", "오후"]) {
        Some(Half::Afternoon)
    } else {
        None
    }
}

/// The half of the day that a word in front of the clock names: 下午3点, and `AM 11:01` in Korean.
pub(super) fn half_before(word: &str, behind: Cursor) -> Option<Half> {
    let half = match word {
        "am" => Half::Morning,
        "pm" => Half::Afternoon,
        _ => return half_of(word),
    };
    // In German `am` stands in front of a day.
    colons(behind).or_else(|| units(behind)).map(|_| half)
}

/// A clock that stands here, and what is behind it.
pub(super) fn read(at: Cursor, behind_day: bool) -> Option<(Fields, Cursor)> {
    let (fields, at) = colons(at)
        .or_else(|| units(at))
        .or_else(|| points(at, behind_day))
        .or_else(|| if behind_day { compact(at) } else { None })
        .or_else(|| hour_and_half(at))?;
    // `11:01 Uhr`, `11:01 h`
    let at = at.one_of(&["uhr", "h", "hrs"]).unwrap_or(at);
    match half_behind(at) {
        Some((half, at)) => Some((Fields { half: Some(half), ..fields }, at)),
        None => Some((fields, at)),
    }
}

/// `11:01`, `11:01:00`, `11:01:00.123`, `11:01:00:123`
fn colons(at: Cursor) -> Option<(Fields, Cursor)> {
    let (hour, at) = at.number(1..=2)?;
    let (minute, at) = at.sign(&[':'])?.1.number(1..=2)?;
    let fields = Fields { hour, minute, ..Fields::default() };
    let Some((second, at)) = at.sign(&[':']).and_then(|(_, at)| at.number(1..=2)) else { return Some((fields, at)) };
    let thousandths = || at.sign(&[':']).and_then(|(_, at)| at.glued_number(3..=3));
    let (millis, at) = at.fraction().or_else(thousandths).unwrap_or((0, at));
    Some((Fields { second, millis, ..fields }, at))
}

/// `11h01`, `11 Uhr`, `11时01分00秒`
fn units(at: Cursor) -> Option<(Fields, Cursor)> {
    let (hour, at) = at.number(1..=2)?;
    let at = at.one_of(HOUR_UNITS)?;
    let fields = Fields { hour, ..Fields::default() };
    let Some((minute, at)) = at.number(1..=2) else { return Some((fields, at)) };
    let fields = Fields { minute, ..fields };
    let Some(at) = at.one_of(MINUTE_UNITS) else { return Some((fields, at)) };
    let Some((second, behind)) = at.number(1..=2) else { return Some((fields, at)) };
    let Some(at) = behind.one_of(SECOND_UNITS) else { return Some((fields, at)) };
    Some((Fields { second, ..fields }, at))
}

/// `11.01` or `11.01.00`: directly behind the day, or with `Uhr` or `h` behind it.
fn points<'t>(at: Cursor<'t>, behind_day: bool) -> Option<(Fields, Cursor<'t>)> {
    let point = |at: Cursor<'t>| at.sign(&['.']).and_then(|(_, at)| at.glued_number(2..=2));
    let (hour, at) = at.number(1..=2)?;
    let (minute, at) = point(at)?;
    let (second, at) = point(at).unwrap_or((0, at));
    let fields = Fields { hour, minute, second, ..Fields::default() };
    (behind_day || at.one_of(&["uhr", "h"]).is_some()).then_some((fields, at))
}

/// `110100`, `1101`, or the hour alone, as ISO 8601 has it behind the `T`. What cannot be a clock
/// is none: many numbers stand behind a day.
fn compact(at: Cursor) -> Option<(Fields, Cursor)> {
    let (fields, next) = if let Some((six, next)) = at.number(6..=6) {
        (Fields { hour: six / 10_000, minute: six / 100 % 100, second: six % 100, ..Fields::default() }, next)
    } else if let Some((four, next)) = at.number(4..=4) {
        (Fields { hour: four / 100, minute: four % 100, ..Fields::default() }, next)
    } else {
        let (hour, next) = at.glued_number(2..=2)?;
        (Fields { hour, ..Fields::default() }, next)
    };
    let (millis, next) = next.fraction().unwrap_or((0, next));
    fields.clock(None)?;
    Some((Fields { millis, ..fields }, next))
}

/// `11 AM`
fn hour_and_half(at: Cursor) -> Option<(Fields, Cursor)> {
    let (hour, at) = at.number(1..=2)?;
    half_behind(at)?;
    Some((Fields { hour, ..Fields::default() }, at))
}

/// `am`, `a.m.`, `a. m.` and Greek πμ; German `am` stands in front of a day, never behind a clock.
fn half_behind(at: Cursor) -> Option<(Half, Cursor)> {
    let (word, next) = at.word()?;
    let half = |letter: &str| match letter {
        "a" | "π" => Some(Half::Morning),
        "p" | "μ" => Some(Half::Afternoon),
        _ => None,
    };
    match word {
        "am" | "πμ" => Some((Half::Morning, next)),
        "pm" | "μμ" => Some((Half::Afternoon, next)),
        word => {
            if let Some(half) = half_of(word) {
                return Some((half, next));
            }
            let half = half(word)?;
            let at = next.sign(&['.'])?.1.one_of(&["m", "μ"])?;
            Some((half, at.sign(&['.']).map_or(at, |(_, at)| at)))
        }
    }
}
