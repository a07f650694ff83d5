//! The dates of entries, in the forms feeds really send them.
//!
//! Two fast paths read what RFC 822 and RFC 3339 ask for, to the letter; `free` reads everything
//! else. A date that does not exist is no date: 31 June is not 1 July.

mod clock;
mod day;
mod free;
mod home;
mod names;
#[cfg(test)]
mod tests;
mod token;
mod zone;

use chrono::NaiveDate;

use crate::model::Timestamp;
use clock::Clock;

/// What is known about a date from outside.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DateHints<'a> {
    /// Language of the entry or its feed (BCP 47). It says what `CST` is, where a clock without
    /// zone hangs, and whether 07/08/2021 is in July or in August.
    pub language: Option<&'a str>,
}

/// Reads a date. `None` when there is none, when it cannot be (31 June, hour 25), or when it has
/// two meanings and nothing decides between them (07/08/2021).
///
/// A year or month alone is its first day, a day alone its midnight in UTC. A clock without zone
/// is UTC, or what [`home::Home`] says. The years are 1 to 9999.
pub(crate) fn parse(text: &str, hints: &DateHints) -> Option<Timestamp> {
    let text = text.trim();
    rfc3339(text.as_bytes()).or_else(|| rfc822(text.as_bytes())).or_else(|| free::read(text, hints))
}

/// `2021-07-28T11:01:00.123+08:00`, also with a blank for the `T` and without the colon at the end.
fn rfc3339(text: &[u8]) -> Option<Timestamp> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', rest @ ..] = text else { return None };
    let [h1, h2, b':', n1, n2, b':', s1, s2, rest @ ..] = rest else { return None };
    let day = NaiveDate::from_ymd_opt(year([*y1, *y2, *y3, *y4])?, two(*m1, *m2)?, two(*d1, *d2)?)?;
    let (millis, rest) = match rest {
        [b'.', rest @ ..] => fraction(rest)?,
        _ => (0, rest),
    };
    let clock = Clock::of(two(*h1, *h2)?, two(*n1, *n2)?, two(*s1, *s2)?, millis)?;
    Some(clock.on(day, numeric_zone(rest)?))
}

/// Milliseconds of the digits behind the point, and what follows them.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let end = text.iter().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let padded = digits.iter().chain(b"000").take(3);
    (end > 0).then(|| (padded.fold(0, |millis, digit| millis * 10 + u32::from(digit - b'0')), rest))
}

/// `Wed, 28 Jul 2021 11:01:00 +0800`; weekday and seconds may be missing. The weekday is not
/// looked at: many feeds have it wrong or in their own language.
fn rfc822(text: &[u8]) -> Option<Timestamp> {
    let text = match text {
        [a, b, c, b',', b' ', rest @ ..] if [a, b, c].iter().all(|b| b.is_ascii_alphabetic()) => rest,
        _ => text,
    };
    let (day, rest) = match text {
        [d1, d2, b' ', rest @ ..] => (two(*d1, *d2)?, rest),
        [d, b' ', rest @ ..] => (two(b'0', *d)?, rest),
        _ => return None,
    };
    let [a, b, c, b' ', y1, y2, y3, y4, b' ', h1, h2, b':', n1, n2, rest @ ..] = rest else { return None };
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (two(*s1, *s2)?, rest),
        _ => (0, rest),
    };
    let zone = match rest {
        b" GMT" | b" UTC" | b" UT" | b" Z" => 0,
        [b' ', zone @ ..] => numeric_zone(zone)?,
        _ => return None,
    };
    let day = NaiveDate::from_ymd_opt(year([*y1, *y2, *y3, *y4])?, names::short_month([*a, *b, *c])?, day)?;
    Some(Clock::of(two(*h1, *h2)?, two(*n1, *n2)?, second, 0)?.on(day, zone))
}

/// Minutes east of `Z`, `+08:00` or `+0800`.
fn numeric_zone(text: &[u8]) -> Option<i32> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            zone::minutes(*sign == b'-', two(*h1, *h2)?, two(*m1, *m2)?)
        }
        _ => None,
    }
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    let both = tens.is_ascii_digit() && ones.is_ascii_digit();
    both.then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

fn year([a, b, c, d]: [u8; 4]) -> Option<i32> {
    i32::try_from(two(a, b)? * 100 + two(c, d)?).ok()
}
