//! How far a clock is from UTC.

use super::clock;
use super::home::Home;
use super::token::Cursor;

/// Clocks of the world go from UTC-12 to UTC+14.
const WIDEST: i32 = 15 * 60;

/// Names of zones and their minutes east of UTC, in summer and winter as named. `ET` and the like
/// name both at once and are read as winter, as RFC 822's own readers do.
const NAMES: &[(&str, i32)] = &[
    ("gmt", 0),
    ("utc", 0),
    ("ut", 0),
    ("wet", 0),
    ("west", 60),
    ("bst", 60),
    ("cet", 60),
    ("mez", 60),
    ("met", 60),
    ("wat", 60),
    ("cest", 120),
    ("mesz", 120),
    ("mest", 120),
    ("eet", 120),
    ("cat", 120),
    ("sast", 120),
    ("eest", 180),
    ("eat", 180),
    ("idt", 180),
    ("msk", 180),
    ("мск", 180),
    ("trt", 180),
    ("msd", 240),
    ("pkt", 300),
    ("ist", 330),
    ("ict", 420),
    ("wib", 420),
    ("hkt", 480),
    ("sgt", 480),
    ("awst", 480),
    ("jst", 540),
    ("kst", 540),
    ("acst", 570),
    ("aest", 600),
    ("acdt", 630),
    ("aedt", 660),
    ("nzst", 720),
    ("nzdt", 780),
    ("ndt", -150),
    ("nst", -210),
    ("adt", -180),
    ("brt", -180),
    ("ast", -240),
    ("edt", -240),
    ("est", -300),
    ("et", -300),
    ("cdt", -300),
    ("cst", -360),
    ("ct", -360),
    ("mdt", -360),
    ("mst", -420),
    ("mt", -420),
    ("pdt", -420),
    ("pst", -480),
    ("pt", -480),
    ("akdt", -480),
    ("akst", -540),
    ("hst", -600),
];

/// Minutes east, if clocks are set like that anywhere.
pub(super) fn minutes(west: bool, hours: u32, minutes: u32) -> Option<i32> {
    let east = i32::try_from(hours * 60 + minutes).ok().filter(|east| minutes <= 59 && *east <= WIDEST)?;
    Some(if west { -east } else { east })
}

/// The zone behind a clock, `(` and the like passed over, and what is behind it.
pub(super) fn behind_clock(at: Cursor, home: Home) -> Option<(i32, Cursor)> {
    let at = at.sign(&['(', '[', ',']).map_or(at, |(_, at)| at);
    offset(at).or_else(|| named(at, home)).or_else(|| letter(at))
}

/// The zone of a day without clock: `2021-07-28+08:00` (XML Schema). Behind `-` stands a clock as
/// well; as both are counted from midnight in UTC, the moment is the same. A name counts only where
/// a clock follows (`UTC 11:01`): West may be a football club.
pub(super) fn behind_day(at: Cursor, home: Home) -> Option<(i32, Cursor)> {
    if at.sign(&['+']).is_some() && at.is_glued() {
        return offset(at);
    }
    named(at, home).filter(|(_, next)| clock::read(*next, false).is_some())
}

/// `+0800`, `+08:00`, `+800`, `+8`. The sign must touch its number: ` - 12` is a range.
fn offset(at: Cursor) -> Option<(i32, Cursor)> {
    let (sign, at) = at.sign(&['+', '-'])?;
    let (number, digits, behind) = (1..=6).find_map(|digits| {
        let (number, behind) = at.glued_number(digits..=digits)?;
        Some((number, digits, behind))
    })?;
    let colon = behind.sign(&[':']).and_then(|(_, at)| at.glued_number(2..=2)).filter(|_| digits <= 2);
    let (hours, minute, at) = match (digits, colon) {
        (1 | 2, Some((minute, at))) => (number, minute, at),
        (1 | 2, None) => (number, 0, behind),
        (3 | 4, _) => (number / 100, number % 100, behind),
        (6, _) => (number / 10_000, number / 100 % 100, behind),
        _ => return None,
    };
    Some((minutes(sign == '-', hours, minute)?, at))
}

/// `GMT`, `EST`, and `GMT+8`, `EST-0500`, where the number is what counts.
fn named(at: Cursor, home: Home) -> Option<(i32, Cursor)> {
    let (word, next) = at.word()?;
    if word.len() < 2 {
        return None;
    }
    let own = home.zone(word);
    let minutes = own.or_else(|| NAMES.iter().find(|(name, _)| *name == word).map(|(_, minutes)| *minutes))?;
    Some(offset(next).unwrap_or((minutes, next)))
}

/// `Z`, and the other letters of RFC 822, which RFC 2822 section 4.3 reads as UTC: the first RFC
/// had their signs the wrong way round, so nobody knows what one means.
fn letter(at: Cursor) -> Option<(i32, Cursor)> {
    let (word, next) = at.word()?;
    let is_letter = word.len() == 1 && word != "j" && word.bytes().all(|b| b.is_ascii_lowercase());
    is_letter.then(|| offset(next).unwrap_or((0, next)))
}
