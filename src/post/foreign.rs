//! Posts that other programs wrote, as far as they can be understood.
//!
//! Their files stay as they are, to the byte; this is only what is read out of them. Whatever has
//! front matter can be read: what is missing or spoilt comes from the link line, the comment with
//! the date, or the path, and is noted.

mod body;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;

use url::Url;

use self::body::{Body, Comment};
use super::front::{self, DAY_LENGTH, Split, Written, day_at_start, is_likely, moment, next_line};
use super::read::{Field, Fields, PostError, fields};
use crate::model::Timestamp;
use crate::normalize::{legal, plain};

/// A post of another maker, as far as it can be understood.
#[derive(Clone, Debug, PartialEq)]
pub struct ForeignPost {
    /// Plain text on one line, never empty.
    pub title: String,
    /// When it was published; midnight UTC where only the day is known.
    pub date: Option<Timestamp>,
    /// Plain text.
    pub author: Option<String>,
    /// The page it is about: absolute, http(s), tracking included.
    pub from: Option<Url>,
    /// Its tags, in order.
    pub tags: Vec<String>,
    /// Its categories, in order; makers of this format put the name of the feed here.
    pub categories: Vec<String>,
    /// BCP 47 in form.
    pub lang: Option<String>,
    /// What follows the front matter, without the comment, the link line, its underline and the
    /// `<div>` round it where they are there. Neither safe nor balanced.
    pub body: String,
    /// What was odd about it, without repeats.
    pub notes: Vec<Oddity>,
}

/// Something odd about a post of another maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// The bytes are not UTF-8; what is not was replaced in the text read out of them.
    NotUtf8,
    /// There are control characters in it.
    ControlCharacters,
    /// It does not begin with front matter.
    NoFrontMatter,
    /// The front matter has no last line.
    OpenFrontMatter,
    /// The front matter is not YAML (or too costly to try) and was read line by line.
    NotYaml,
    /// The front matter has a key twice.
    DuplicateKey,
    /// It has no title of its own; the link line, a heading or the name of the file has it.
    NoTitle,
    /// The front matter has no date.
    NoDate,
    /// The front matter has a date that cannot be understood.
    BadDate,
    /// The date is a day without a time.
    DayOnly,
    /// The date was taken from the name of the file or of a folder.
    DateFromName,
    /// The date was taken from the comment before the link line.
    DateFromComment,
    /// The comment before the link line holds no date (`NaN`).
    BadComment,
    /// Nothing says which page it is about.
    NoLink,
    /// `from` is not an absolute http(s) address.
    BadLink,
    /// The address was taken from the link line.
    LinkFromBody,
    /// The body stands there without comment and link line.
    BareBody,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::ControlCharacters => "control characters",
            Self::NoFrontMatter => "no front matter",
            Self::OpenFrontMatter => "front matter without an end",
            Self::NotYaml => "front matter that is not YAML",
            Self::DuplicateKey => "a key twice",
            Self::NoTitle => "no title",
            Self::NoDate => "no date",
            Self::BadDate => "a date that cannot be understood",
            Self::DayOnly => "a day without a time",
            Self::DateFromName => "date taken from the name",
            Self::DateFromComment => "date taken from the comment",
            Self::BadComment => "a comment without a date",
            Self::NoLink => "no link",
            Self::BadLink => "a link that is not an absolute http(s) address",
            Self::LinkFromBody => "link taken from the body",
            Self::BareBody => "a body without comment and link line",
        })
    }
}

/// Reads a post that another program wrote; `path` is relative and may name a title and a day.
///
/// A file with front matter can always be read, even if hardly anything comes out of it.
pub fn foreign(path: &str, bytes: &[u8]) -> Result<ForeignPost, PostError> {
    let mut notes = Vec::new();
    let text = decoded(bytes, &mut notes);
    if has_controls(&text) {
        notes.push(Oddity::ControlCharacters);
    }
    let split = front::split(&text);
    if split.is_none() {
        let blank = |c: char| c.is_whitespace() || c == '\u{FEFF}';
        if text.trim_matches(blank).is_empty() {
            return Err(PostError::Empty);
        }
        if is_binary(&text) {
            return Err(PostError::NotText);
        }
    }
    let (front, rest) = split.and_then(|split| Front::read(split, &mut notes)).unwrap_or_else(|| {
        notes.push(Oddity::NoFrontMatter);
        (Front::default(), text.trim_start_matches('\u{FEFF}'))
    });
    let body = Body::read(rest);
    if !body.is_wrapped {
        notes.push(Oddity::BareBody);
    }
    if body.comment == Some(Comment::Void) {
        notes.push(Oddity::BadComment);
    }
    let title = title(&front, &body, path, &mut notes);
    let date = date(&front, &body, path, &mut notes);
    let from = from(&front, &body, &mut notes);
    notes.sort_unstable();
    notes.dedup();
    Ok(ForeignPost {
        title,
        date,
        author: author(&front),
        from,
        tags: list(&front, "tags", "tag"),
        categories: list(&front, "categories", "category"),
        lang: front.text("lang").or_else(|| front.text("language")).and_then(|text| language(&text)),
        body: body.text.to_owned(),
        notes,
    })
}

/// The bytes as text: UTF-8, or UTF-16 that says so. Whatever is neither becomes U+FFFD: the keys
/// and the address are ASCII, so the post is still recognised.
fn decoded<'a>(bytes: &'a [u8], notes: &mut Vec<Oddity>) -> Cow<'a, str> {
    let text = match bytes {
        [0xFF, 0xFE, units @ ..] => Cow::Owned(utf16(units, u16::from_le_bytes)),
        [0xFE, 0xFF, units @ ..] => Cow::Owned(utf16(units, u16::from_be_bytes)),
        _ => String::from_utf8_lossy(bytes),
    };
    if matches!(text, Cow::Owned(_)) {
        notes.push(Oddity::NotUtf8);
    }
    // line ends of an old Mac
    let first = text.split(['\r', '\n']).next().unwrap_or_default();
    if first.trim_start_matches('\u{FEFF}').trim_end() == "---" && !text.contains('\n') {
        return Cow::Owned(text.replace('\r', "\n"));
    }
    text
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// Without a branch in the loop, so that it becomes vector code.
fn has_controls(text: &str) -> bool {
    let control = |b: u8| (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r') | (b == 0x7F);
    text.as_bytes().iter().fold(false, |found, b| found | control(*b))
}

/// A tenth of it is what no text has: control characters, or bytes that are not UTF-8.
fn is_binary(text: &str) -> bool {
    let is_odd = |c: &char| *c == char::REPLACEMENT_CHARACTER || c.is_control() && !c.is_whitespace();
    text.chars().filter(is_odd).count() * 10 > text.chars().count()
}

/// What the front matter says: by YAML, and as written for the values that YAML turns into
/// something else, or when it is no YAML.
#[derive(Default)]
struct Front<'a> {
    source: &'a str,
    yaml: Option<Fields>,
    written: OnceCell<Written<'a>>,
}

impl<'a> Front<'a> {
    /// Nothing when there is no key between the lines `---`: then they are something else.
    fn read(split: Split<'a>, notes: &mut Vec<Oddity>) -> Option<(Self, &'a str)> {
        let mut yaml = fields(split.front);
        let mut split = split;
        // Its last line is missing, and what was taken for it stands somewhere in the body.
        if yaml.is_none()
            && split.front.contains("\n<")
            && let Some(open) = front::split_open(split.both)
        {
            yaml = fields(open.front);
            split = open;
        }
        let front = Self { source: split.front, yaml, written: OnceCell::new() };
        if front.yaml.is_none() {
            front.written().keys().next()?;
            notes.push(Oddity::NotYaml);
        }
        if !split.is_closed {
            notes.push(Oddity::OpenFrontMatter);
        }
        if front.has_a_key_twice() {
            notes.push(Oddity::DuplicateKey);
        }
        Some((front, split.rest))
    }

    fn has_a_key_twice(&self) -> bool {
        let mut seen = HashSet::new();
        match &self.yaml {
            Some(fields) => !fields.0.iter().all(|(key, _)| seen.insert(key.as_str())),
            None => !self.written().keys().all(|key| seen.insert(key)),
        }
    }

    fn written(&self) -> &Written<'a> {
        self.written.get_or_init(|| Written::read(self.source))
    }

    /// Of a key that stands twice the last one with a value counts: so does Jekyll.
    fn field(&self, key: &str) -> Option<&Field> {
        let fields = self.yaml.as_ref()?;
        let mut all = fields.0.iter().rev().filter(|(k, _)| k == key).map(|(_, field)| field);
        all.find(|field| !matches!(field, Field::Nothing) && **field != Field::Text(String::new()))
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.field(key) {
            Some(Field::Text(text)) => Some(text.clone()),
            None if self.yaml.is_some() => None,
            _ => self.written().text(key),
        }
    }

    fn list(&self, key: &str) -> Vec<String> {
        match self.field(key) {
            Some(Field::Text(text)) => front::commas(text),
            Some(Field::List(items)) => items.clone(),
            None if self.yaml.is_some() => Vec::new(),
            _ => self.written().list(key),
        }
    }
}

fn title(front: &Front<'_>, body: &Body<'_>, path: &str, notes: &mut Vec<Oddity>) -> String {
    let own = front.text("title").map(|text| one_line(&text)).filter(|text| !text.is_empty());
    if let Some(own) = own {
        return own;
    }
    notes.push(Oddity::NoTitle);
    let heading = || next_line(body.text).0.strip_prefix("# ");
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = [".md", ".markdown", ".html"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let bare = day_at_start(stem).map_or(stem, |_| stem[DAY_LENGTH..].trim_start_matches(['-', '_', ' ']));
    let found = [body.link.map(|(title, _)| title), heading(), Some(bare), Some(name)];
    let mut found = found.into_iter().flatten().map(one_line).filter(|text| !text.is_empty());
    found.next().unwrap_or_else(|| "-".to_owned())
}

/// Without control characters and line breaks; everything else stays.
fn one_line(text: &str) -> String {
    let text = legal(text);
    if text.contains(['\n', '\r', '\t']) {
        return text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    text.trim().to_owned()
}

fn author(front: &Front<'_>) -> Option<String> {
    let text = match front.field("author") {
        Some(Field::List(names)) => names.join(", "),
        _ => front.text("author")?,
    };
    // Scraped names come with the references of the page: `A &#38; B`.
    let text = if text.contains('&') && !text.contains('<') { plain(&text) } else { one_line(&text) };
    (!text.is_empty()).then_some(text)
}

fn list(front: &Front<'_>, plural: &str, singular: &str) -> Vec<String> {
    let mut items = front.list(plural);
    if items.is_empty() {
        items = front.list(singular);
    }
    items.iter().map(|item| one_line(item)).filter(|item| !item.is_empty()).collect()
}

fn language(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let is_part = |(i, part): (usize, &str)| {
        let lengths = if i == 0 { 2..=3 } else { 1..=8 };
        lengths.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    (text.len() <= 35 && text.split('-').enumerate().all(is_part)).then_some(text)
}

fn from(front: &Front<'_>, body: &Body<'_>, notes: &mut Vec<Oddity>) -> Option<Url> {
    let claimed = front.text("from").unwrap_or_default();
    let own = web_address(&claimed);
    if own.is_some() {
        return own;
    }
    if !claimed.trim().is_empty() {
        notes.push(Oddity::BadLink);
    }
    let other = body.link.and_then(|(_, address)| web_address(address));
    notes.push(if other.is_some() { Oddity::LinkFromBody } else { Oddity::NoLink });
    other
}

fn web_address(text: &str) -> Option<Url> {
    let text = legal(text);
    let text = text.split_once(" #").map_or(&*text, |(address, _)| address).trim();
    let text = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The date of the front matter; else the day in the path, with the time of the comment if that
/// is the same day somewhere on earth; else the comment.
fn date(front: &Front<'_>, body: &Body<'_>, path: &str, notes: &mut Vec<Oddity>) -> Option<Timestamp> {
    let claimed = front.text("date").unwrap_or_default();
    if let Some(moment) = moment(&claimed) {
        if !moment.has_time {
            notes.push(Oddity::DayOnly);
        }
        return Some(moment.at);
    }
    notes.push(if claimed.trim().is_empty() { Oddity::NoDate } else { Oddity::BadDate });
    let comment = match body.comment {
        Some(Comment::Date(millis)) => Some(Timestamp::from_millis(millis)).filter(|at| is_likely(*at)),
        _ => None,
    };
    let Some(day) = path.rsplit('/').find_map(day_at_start) else {
        notes.extend(comment.map(|_| Oddity::DateFromComment));
        return comment;
    };
    if let Some(comment) = comment.filter(|at| SAME_DAY.contains(&(at.millis() - day.millis()))) {
        notes.push(Oddity::DateFromComment);
        return Some(comment);
    }
    notes.extend([Oddity::DateFromName, Oddity::DayOnly]);
    Some(day)
}

const HOUR: i64 = 3_600_000;

/// From midnight UTC of a day: when it is that day somewhere on earth.
const SAME_DAY: std::ops::Range<i64> = -14 * HOUR..36 * HOUR;

#[cfg(test)]
mod tests;
