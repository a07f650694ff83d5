//! Front matter line by line: where it ends, what its keys say when it is not YAML, and what its
//! dates mean.
//!
//! Programs that put a title between quotes without looking into it, or write `author: 记者: 某某`,
//! meant something that can be read all the same.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use crate::model::Timestamp;

/// Keys that posts have. Between open quotes, and without a blank after the colon, only these are
/// taken for keys.
const KNOWN: &[&str] = &[
    "layout",
    "title",
    "date",
    "author",
    "from",
    "tags",
    "tag",
    "comments",
    "categories",
    "category",
    "lang",
    "language",
    "updated",
    "permalink",
    "published",
];

/// A text taken apart at its front matter.
#[derive(Debug)]
pub(super) struct Split<'a> {
    /// What stands between the two lines `---`.
    pub(super) front: &'a str,
    /// What comes after it.
    pub(super) rest: &'a str,
    /// Both: all that follows the first `---`.
    pub(super) both: &'a str,
    /// The line `---` that ends it is there.
    pub(super) is_closed: bool,
}

/// The next line without its end, and what follows it.
pub(super) fn next_line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

/// Front matter and the rest; `None` when the text does not begin with `---`.
///
/// Jekyll lets it end with `---` or `...`, both with blanks after them.
pub(super) fn split(text: &str) -> Option<Split<'_>> {
    let (first, after) = next_line(text.trim_start_matches(|c: char| c == '\u{FEFF}' || c.is_whitespace()));
    if first.trim_end() != "---" {
        return None;
    }
    let mut rest = after;
    while !rest.is_empty() {
        let (line, next) = next_line(rest);
        if matches!(line.trim_end(), "---" | "...") {
            return Some(Split { front: &after[..after.len() - rest.len()], rest: next, both: after, is_closed: true });
        }
        rest = next;
    }
    split_open(after)
}

/// The same for front matter without its last line: given what follows the first one, ends before
/// the first line that cannot belong to it.
pub(super) fn split_open(after: &str) -> Option<Split<'_>> {
    let mut rest = after;
    while !rest.is_empty() {
        let (line, next) = next_line(rest);
        if line.trim().is_empty() || line.starts_with('<') || (line.starts_with('[') && line.contains("](")) {
            break;
        }
        rest = next;
    }
    let front = &after[..after.len() - rest.len()];
    (!Written::read(front).0.is_empty()).then_some(Split { front, rest, both: after, is_closed: false })
}

/// Front matter as written: each key with the rest of its line and the lines that belong to it.
#[derive(Debug)]
pub(super) struct Written<'a>(Vec<Pair<'a>>);

#[derive(Debug)]
struct Pair<'a> {
    key: &'a str,
    value: &'a str,
    more: Vec<&'a str>,
    /// The value begins with a quote that its own line does not close.
    opens: bool,
}

impl<'a> Written<'a> {
    /// Reads the lines between the two `---`.
    pub(super) fn read(front: &'a str) -> Self {
        let mut pairs: Vec<Pair<'a>> = Vec::new();
        let mut margin = None;
        let mut rest = front;
        while !rest.is_empty() {
            let (line, next) = next_line(rest);
            rest = next;
            let bare = line.trim_matches([' ', '\t']);
            if bare.is_empty() || bare == "#" || bare.starts_with("# ") {
                continue;
            }
            let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
            let within_quotes = pairs.last().is_some_and(Pair::is_open);
            let key = key_of(bare).filter(|(key, _)| !within_quotes || KNOWN.contains(key));
            match (key, pairs.last_mut()) {
                (Some((key, value)), _) if indent <= *margin.get_or_insert(indent) => {
                    let opens = value.starts_with('"') && count_quotes(value) == 1;
                    pairs.push(Pair { key, value, more: Vec::new(), opens });
                }
                (_, Some(last)) => last.more.push(line),
                (_, None) => {}
            }
        }
        Self(pairs)
    }

    /// The value of a key as one text; of a key that stands twice, the last that is not empty.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.all(key).map(|pair| scalar(pair.value, &pair.more)).find(|text| !text.is_empty())
    }

    /// The value of a key as a list.
    pub(super) fn list(&self, key: &str) -> Vec<String> {
        self.all(key).map(Pair::list).find(|list| !list.is_empty()).unwrap_or_default()
    }

    /// Its keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.0.iter().map(|pair| pair.key)
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &Pair<'a>> {
        self.0.iter().rev().filter(move |pair| pair.key == key)
    }
}

impl Pair<'_> {
    /// Its value begins with a quote that nothing has closed so far.
    fn is_open(&self) -> bool {
        self.opens && !self.more.last().is_some_and(|line| ends_quoted(line.trim_end()))
    }

    fn list(&self) -> Vec<String> {
        if self.value.is_empty() {
            let items = self.more.iter().filter_map(|line| line.trim().strip_prefix('-'));
            let items: Vec<String> =
                items.map(|item| scalar(item.trim(), &[])).filter(|item| !item.is_empty()).collect();
            if !items.is_empty() {
                return items;
            }
        }
        let whole = if self.value.ends_with(']') { self.value.to_owned() } else { joined(self.value, &self.more) };
        match whole.strip_prefix('[') {
            Some(inner) => flow(inner.strip_suffix(']').unwrap_or(inner)),
            None => commas(&scalar(self.value, &self.more)),
        }
    }
}

/// A list in one string: Jekyll parts such tags at blanks, but names of feeds hold blanks, so only
/// commas part here.
pub(super) fn commas(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// A line that begins with a key, and the rest of it.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))?;
    let (key, rest) = line.split_at(end);
    let value = rest.trim_start_matches([' ', '\t']).strip_prefix([':', '：'])?;
    let begins = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let parted = value.is_empty() || value.starts_with([' ', '\t']) || KNOWN.contains(&key);
    (begins && parted).then(|| (key, value.trim()))
}

/// A value as text: quotes stripped, escapes undone, lines joined.
fn scalar(value: &str, more: &[&str]) -> String {
    match value.as_bytes().first() {
        Some(b'"') => double_quoted(value, more),
        Some(b'\'') => single_quoted(value, more),
        Some(b'|' | b'>') if is_block_header(value) => block(more, if value.starts_with('|') { "\n" } else { " " }),
        _ => joined(value, more),
    }
}

fn joined(value: &str, more: &[&str]) -> String {
    let mut text = value.to_owned();
    for line in more {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(line.trim());
    }
    text
}

fn is_block_header(value: &str) -> bool {
    let header = value.split_once(" #").map_or(value, |(header, _)| header.trim_end());
    header.len() <= 3 && header[1..].bytes().all(|b| matches!(b, b'+' | b'-' | b'1'..=b'9'))
}

fn block(more: &[&str], between: &str) -> String {
    let lines: Vec<&str> = more.iter().map(|line| line.trim()).collect();
    lines.join(between)
}

/// Whoever puts quotes round a title without looking into it puts them first and last: what is
/// between them is the title, whatever it holds. A text that only begins with a quote keeps it.
fn double_quoted(value: &str, more: &[&str]) -> String {
    let continues = count_quotes(value) == 1 && more.last().is_some_and(|line| line.trim_end().ends_with('"'));
    let whole = if continues { joined(value, more) } else { value.to_owned() };
    let inner = &whole[1..];
    if let Some(inner) = inner.strip_suffix('"') {
        return unescaped(inner);
    }
    if let Some((inner, _)) = inner.split_once("\" #").filter(|(inner, _)| count_quotes(inner) == 0) {
        return unescaped(inner);
    }
    if count_quotes(&whole) == 1 { unescaped(inner) } else { whole }
}

fn single_quoted(value: &str, more: &[&str]) -> String {
    let continues =
        value.matches('\'').count() % 2 == 1 && more.last().is_some_and(|line| line.trim_end().ends_with('\''));
    let whole = if continues { joined(value, more) } else { value.to_owned() };
    let inner = whole[1..].strip_suffix('\'').or_else(|| whole[1..].split_once("' #").map(|(inner, _)| inner));
    inner.map(|inner| inner.replace("''", "'")).unwrap_or(whole)
}

/// Quotes without a backslash before them.
fn count_quotes(text: &str) -> usize {
    let mut escaped = false;
    let quotes = text.bytes().filter(|b| {
        let counts = *b == b'"' && !escaped;
        escaped = *b == b'\\' && !escaped;
        counts
    });
    quotes.count()
}

fn ends_quoted(text: &str) -> bool {
    text.strip_suffix('"').is_some_and(|head| (head.len() - head.trim_end_matches('\\').len()).is_multiple_of(2))
}

/// The escapes of YAML undone. If one of them is none (`\d`), the writer did not escape
/// backslashes, and only `\"` means something.
fn unescaped(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    all_unescaped(text).unwrap_or_else(|| text.replace("\\\"", "\""))
}

fn all_unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (c, length) = escape(after)?;
        out.push(c);
        rest = &after[length..];
    }
    out.push_str(rest);
    Some(out)
}

/// The character that the text after a backslash stands for, and how much of it.
fn escape(after: &str) -> Option<(char, usize)> {
    let kind = after.chars().next()?;
    let c = match kind {
        '"' | '\\' | '/' | ' ' | '\t' => kind,
        '0' => '\0',
        'a' => '\u{7}',
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'v' => '\u{B}',
        'f' => '\u{C}',
        'r' => '\r',
        'e' => '\u{1B}',
        'N' => '\u{85}',
        '_' => '\u{A0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        'x' => return Some((char::from_u32(hex(after, 1, 2)?)?, 3)),
        'U' => return Some((char::from_u32(hex(after, 1, 8)?)?, 9)),
        'u' => return unicode(after),
        _ => return None,
    };
    Some((c, 1))
}

/// Four digits, or twice four as JSON writes what lies beyond U+FFFF (YAML knows no such pairs).
fn unicode(after: &str) -> Option<(char, usize)> {
    let first = hex(after, 1, 4)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 5));
    }
    let second = hex(after.get(5..)?.strip_prefix("\\u")?, 0, 4)?;
    let units = [u16::try_from(first).ok()?, u16::try_from(second).ok()?];
    char::decode_utf16(units).next()?.ok().map(|c| (c, 11))
}

fn hex(text: &str, from: usize, digits: usize) -> Option<u32> {
    let digits = text.get(from..from + digits)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

/// The items between `[` and `]`: commas part them, except in an item that begins with a quote
/// and has its end before a comma.
fn flow(inner: &str) -> Vec<String> {
    let mut items = Vec::new();
    let mut rest = inner.trim();
    while !rest.is_empty() {
        let end = quoted_end(rest).or_else(|| rest.find(',')).unwrap_or(rest.len());
        let item = scalar(rest[..end].trim(), &[]);
        if !item.is_empty() {
            items.push(item);
        }
        rest = rest[end..].trim_start_matches(',').trim_start();
    }
    items
}

/// Quotes within one item; more of them would be looked at again for each item.
const INNER_QUOTES: usize = 64;

fn quoted_end(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let ends = text.match_indices(quote).skip(1).take(INNER_QUOTES).map(|(at, _)| at + 1);
    let mut ends = ends.filter(|end| quote == '\'' || ends_quoted(&text[..*end]));
    ends.find(|end| text[*end..].trim_start().is_empty() || text[*end..].trim_start().starts_with(','))
}

/// A date as it was read.
#[derive(Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// Not only a day.
    pub(super) has_time: bool,
}

/// Reads a date as posts have them. Times without a zone are UTC; a time or a zone that cannot be
/// understood leaves the day.
pub(super) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    let at = Timestamp::parse_rfc3339(text).or_else(|| epoch(text)).or_else(|| worded(text));
    let found = at.map(|at| Moment { at, has_time: true }).or_else(|| numbered(text));
    found.filter(|moment| is_likely(moment.at))
}

/// Seconds or milliseconds since 1970.
fn epoch(text: &str) -> Option<Timestamp> {
    let number: i64 = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))?;
    match text.len() {
        9..=10 => Some(Timestamp::from_millis(number * 1000)),
        12..=13 => Some(Timestamp::from_millis(number)),
        _ => None,
    }
}

/// RFC 2822, and what JavaScript prints: `Wed Jul 28 2021 11:01:00 GMT+0800 (…)`.
fn worded(text: &str) -> Option<Timestamp> {
    let bare = text.split_once(" (").map_or(text, |(bare, _)| bare);
    let script = || DateTime::parse_from_str(bare, "%a %b %d %Y %H:%M:%S GMT%z");
    let time = DateTime::parse_from_rfc2822(text).or_else(|_| script()).ok()?;
    Some(Timestamp::from_millis(time.timestamp_millis()))
}

/// Year, month and day in numbers, with or without a time and a zone.
fn numbered(text: &str) -> Option<Moment> {
    let (year, rest) = number(text, 4..=4)?;
    let (month, rest) = number(rest.strip_prefix(['-', '/', '.', '年'])?, 1..=2)?;
    let (day, rest) = number(rest.strip_prefix(['-', '/', '.', '月'])?, 1..=2)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let rest = rest.strip_prefix(['日', '号', '號']).unwrap_or(rest);
    if rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let known = time(rest.trim_start_matches(['T', 't', ' ', '\t'])).and_then(|(time, zone)| {
        let offset = offset(zone.trim())?;
        NaiveDateTime::new(date, time).and_local_timezone(offset).single()
    });
    Some(match known {
        Some(time) => Moment { at: Timestamp::from_millis(time.timestamp_millis()), has_time: true },
        None => Moment { at: midnight(date), has_time: false },
    })
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<(u32, &str)> {
    let count = text.bytes().take(*digits.end()).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(count);
    digits.contains(&count).then(|| Some((number.parse().ok()?, rest)))?
}

/// `12:00`, `12:00:00`, `12:00:00.000`
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let (hour, rest) = number(text, 1..=2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2..=2)?;
    let (second, rest) = rest.strip_prefix(':').and_then(|rest| number(rest, 2..=2)).unwrap_or((0, rest));
    let digits = rest
        .strip_prefix(['.', ','])
        .map_or("", |rest| &rest[..rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()]);
    let millis = format!("{digits:0<3}").get(..3)?.parse().ok()?;
    let rest = if digits.is_empty() { rest } else { &rest[1 + digits.len()..] };
    Some((NaiveTime::from_hms_milli_opt(hour, minute, second, millis)?, rest))
}

/// Nothing, `Z`, `UTC`, `+08:00`, `+0800`, `+08`, `GMT+8`
fn offset(zone: &str) -> Option<FixedOffset> {
    let zone = zone.trim_start_matches("GMT").trim_start_matches("UTC");
    let (sign, rest) = match zone.chars().next() {
        None => return FixedOffset::east_opt(0),
        Some('Z' | 'z') if zone.len() == 1 => return FixedOffset::east_opt(0),
        Some('+') => (1, &zone[1..]),
        Some('-') => (-1, &zone[1..]),
        Some(_) => return None,
    };
    let (hours, rest) = number(rest, 1..=2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = if rest.is_empty() { (0, rest) } else { number(rest, 2..=2)? };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    rest.is_empty().then(|| FixedOffset::east_opt(sign * seconds))?
}

/// `2021-07-28`
pub(super) const DAY_LENGTH: usize = 10;

/// The day with which a name begins.
pub(super) fn day_at_start(name: &str) -> Option<Timestamp> {
    let day = name.get(..DAY_LENGTH)?;
    let fits = day.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let ends = !name[DAY_LENGTH..].starts_with(|c: char| c.is_ascii_digit());
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").ok().filter(|_| fits && ends)?;
    Some(midnight(date)).filter(|at| is_likely(*at))
}

/// Years before 1000 are what programs make of a missing date.
pub(super) fn is_likely(at: Timestamp) -> bool {
    const YEAR_1000: i64 = -30_610_224_000_000;
    at.millis() >= YEAR_1000
}

fn midnight(day: NaiveDate) -> Timestamp {
    Timestamp::from(day.and_time(NaiveTime::MIN).and_utc())
}

#[cfg(test)]
mod tests;
