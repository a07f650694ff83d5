//! A date in any form: the text is cut into numbers, words and signs, and day, clock and zone are
//! looked for among them, in any order and whatever stands around.

use std::borrow::Cow;

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;

use super::clock::{self, Clock};
use super::home::{self, Home};
use super::token::{self, Cursor, Number, Token};
use super::{DateHints, day, zone};
use crate::model::Timestamp;

/// A date is no longer than this; what stands behind it is not looked at.
const CHARACTERS: usize = 200;

pub(super) fn read(text: &str, hints: &DateHints) -> Option<Timestamp> {
    let text = plain(text);
    let tokens = token::split(&text);
    let home = Home::of(hints.language, &text);
    let mut at = Cursor::of(&tokens);
    if let Some(moment) = number_alone(at) {
        return Some(moment);
    }
    let mut found = Found { order: home::order(hints.language), home, ..Found::default() };
    while !found.is_whole() && !at.is_end() {
        at = found.read(at).ok()?;
    }
    found.moment()
}

/// The beginning of a text in small letters, without accents, entities and invisible characters;
/// full-width digits and signs become plain ones, dashes hyphens.
fn plain(text: &str) -> String {
    let head = text.char_indices().nth(CHARACTERS).map_or(text, |(end, _)| &text[..end]);
    let head: Cow<str> = if head.contains('&') { html_escape::decode_html_entities(head) } else { head.into() };
    if head.is_ascii() {
        return head.to_ascii_lowercase();
    }
    let folded = head.nfkd().filter(|c| !is_invisible(*c)).map(|c| match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2018}' | '\u{2019}' => '\'',
        'ı' => 'i',
        'ł' | 'Ł' => 'l',
        // As the capital becomes: a small letter does not know whether it ends its word.
        'ς' => 'σ',
        _ => c,
    });
    folded.nfc().flat_map(char::to_lowercase).collect()
}

/// Accents that stand beside their letter, and marks of direction: browsers write those into the
/// dates that scripts ask them for.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A number that is a date by itself: a year, or seconds, milliseconds, microseconds or nanoseconds
/// since 1970. Fewer than nine digits of seconds would be before 1974.
fn number_alone(at: Cursor) -> Option<Timestamp> {
    // `/Date(1627470060000+0800)/` has signs and a word in front.
    let (Number { value, digits }, behind) = at.skip_to_number()?;
    let since = |millis: u64| i64::try_from(millis).ok().map(Timestamp::from_millis);
    match digits {
        4 if at.is_number() && behind.is_end() => {
            let day = NaiveDate::from_ymd_opt(i32::try_from(value).ok()?, 1, 1)?;
            Some(Clock::MIDNIGHT.on(day, 0))
        }
        9 | 10 => since(value * 1000 + u64::from(behind.fraction().map_or(0, |(millis, _)| millis))),
        13 => since(value),
        16 => since(value / 1_000),
        19 => since(value / 1_000_000),
        _ => None,
    }
}

/// Day and clock of `202107281101`, `20210728110100` or `20210728110100123`.
fn compact(Number { value, digits }: Number) -> Option<(NaiveDate, Clock)> {
    let millis = match digits {
        12 => value * 100_000,
        14 => value * 1000,
        _ => value,
    };
    let part = |by: u64, of: u64| u32::try_from(millis / by % of).ok();
    let year = i32::try_from(millis / 10_u64.pow(13)).ok()?;
    let day = NaiveDate::from_ymd_opt(year, part(10_u64.pow(11), 100)?, part(10_u64.pow(9), 100)?)?;
    Some((day, Clock::of(part(10_u64.pow(7), 100)?, part(100_000, 100)?, part(1000, 100)?, part(1, 1000)?)?))
}

/// What was found of a date so far.
#[derive(Default)]
struct Found {
    home: Home,
    order: Option<day::Order>,
    day: Option<NaiveDate>,
    /// Month and day whose year comes behind the clock, as `date` and `asctime` write it.
    yearless: Option<(u32, u32)>,
    half: Option<clock::Half>,
    clock: Option<Clock>,
    /// Minutes east.
    zone: Option<i32>,
    /// True directly behind the day, where `1101` and `11.01` are clocks.
    behind_day: bool,
}

/// A day or clock that does not exist, or that has two meanings.
struct Impossible;

impl Found {
    fn is_whole(&self) -> bool {
        self.day.is_some() && self.clock.is_some() && self.zone.is_some()
    }

    /// Takes what stands here, or steps over one token.
    fn read<'t>(&mut self, at: Cursor<'t>) -> Result<Cursor<'t>, Impossible> {
        if self.day.is_none()
            && let Some(next) = self.read_day(at)?
        {
            return Ok(self.read_zone(next));
        }
        if self.clock.is_none()
            && let Some((fields, next)) = clock::read(at, self.behind_day)
        {
            self.clock = Some(fields.clock(self.half).ok_or(Impossible)?);
            return Ok(self.read_zone(next));
        }
        let Some((token, next)) = at.next() else { return Ok(at) };
        self.behind_day &= matches!(token, Token::Word("t") | Token::Sign(','));
        if let Token::Word(word) = token {
            self.half = clock::half_before(word, next).or(self.half);
        }
        Ok(next)
    }

    /// Behind the day, if one stands here.
    fn read_day<'t>(&mut self, at: Cursor<'t>) -> Result<Option<Cursor<'t>>, Impossible> {
        if let Some((number, next)) = at.any_number()
            && let 12 | 14 | 17 = number.digits
        {
            let (day, clock) = compact(number).ok_or(Impossible)?;
            (self.day, self.clock) = (Some(day), Some(clock));
            return Ok(Some(next));
        }
        let (form, next) = match (self.yearless, at.number(4..=4)) {
            (Some((month, day)), Some((year, next))) => (day::Form::Day { year, month, day }, next),
            _ => match day::read(at, self.order) {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        if let day::Form::Yearless { month, day } = form {
            self.yearless = Some((month, day));
        } else {
            self.day = Some(form.date().ok_or(Impossible)?);
            self.behind_day = true;
        }
        Ok(Some(next))
    }

    /// Behind the zone, if one stands here, behind day or clock.
    fn read_zone<'t>(&mut self, at: Cursor<'t>) -> Cursor<'t> {
        if self.zone.is_some() {
            return at;
        }
        let zone =
            if self.clock.is_some() { zone::behind_clock(at, self.home) } else { zone::behind_day(at, self.home) };
        let Some((minutes, next)) = zone else { return at };
        self.zone = Some(minutes);
        next
    }

    fn moment(&self) -> Option<Timestamp> {
        let day = self.day?;
        Some(match self.clock {
            // A day has no zone: moved by one, the post would carry the date of the day before.
            None => Clock::MIDNIGHT.on(day, self.zone.unwrap_or(0)),
            Some(clock) => clock.on(day, self.zone.unwrap_or(self.home.minutes())),
        })
    }
}
