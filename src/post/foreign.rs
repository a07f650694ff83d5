//! Posts that other programs wrote, as far as they can be understood.
//!
//! Their files stay as they are, to the byte; this is only what is read out of them. Whatever has
//! front matter can be read: what is missing or spoilt comes from the link line, the comment with
//! the date, or the path, and is noted.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::fmt;

use url::Url;

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

/// What follows the front matter: comment, link line with underline, `<div>`, each if it is there.
struct Body<'a> {
    comment: Option<Comment>,
    /// Title and address of the link line.
    link: Option<(&'a str, &'a str)>,
    /// Comment or link line are there.
    is_wrapped: bool,
    text: &'a str,
}

/// The comment before the link line.
#[derive(Clone, Copy, PartialEq)]
enum Comment {
    /// Milliseconds since 1970.
    Date(i64),
    /// `<!--NaN-->`
    Void,
}

/// A title with line breaks may take this many lines above its underline.
const HEADING_LINES: usize = 4;

impl<'a> Body<'a> {
    fn read(rest: &'a str) -> Self {
        let mut text = skip_blank_lines(rest);
        let comment = comment(text);
        if comment.is_some() {
            text = skip_blank_lines(next_line(text).1);
        }
        let mut link = None;
        let mut is_wrapped = comment.is_some();
        if let Some((heading, underline, below)) = underlined(text) {
            link = link_line(heading);
            // Without a link it may be a heading of the body.
            if link.is_some() || is_wrapped && underline == "------" {
                is_wrapped = true;
                text = skip_blank_lines(below);
            }
        }
        if is_wrapped {
            text = within_div(text).unwrap_or(text);
        }
        Self { comment, link, is_wrapped, text: skip_blank_lines(text).trim_end_matches(['\n', '\r']) }
    }
}

fn skip_blank_lines(text: &str) -> &str {
    let mut text = text;
    while !text.is_empty() {
        let (line, rest) = next_line(text);
        if !line.trim().is_empty() {
            break;
        }
        text = rest;
    }
    text
}

fn comment(text: &str) -> Option<Comment> {
    let inner = next_line(text).0.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    match inner {
        "NaN" | "null" | "undefined" | "Invalid Date" => Some(Comment::Void),
        _ => inner.parse().ok().map(Comment::Date),
    }
}

/// The lines above an underline, the underline, and what is below it.
fn underlined(text: &str) -> Option<(&str, &str, &str)> {
    let mut rest = text;
    for above in 0..=HEADING_LINES {
        let (line, next) = next_line(rest);
        let line = line.trim_end();
        if above > 0 && line.len() >= 3 && line.bytes().all(|b| b == b'-') {
            return Some((text[..text.len() - rest.len()].trim(), line, next));
        }
        if line.is_empty() {
            return None;
        }
        rest = next;
    }
    None
}

/// `[title](address)`
fn link_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.strip_suffix(')')?.rsplit_once("](")
}

fn within_div(text: &str) -> Option<&str> {
    let (first, rest) = next_line(text);
    let inner = rest.trim_end().strip_suffix("</div>")?;
    (first.trim_end() == "<div>" && (inner.is_empty() || inner.ends_with('\n'))).then_some(inner)
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
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;
    use crate::model::{EntryKey, Post};
    use crate::post::to_text;

    const PATH: &str = "_posts/2021-07-28-名字.md";

    fn read(text: &str) -> ForeignPost {
        foreign(PATH, text.as_bytes()).expect("readable")
    }

    /// A post with these lines as front matter and a body of the usual form.
    fn usual(lines: &str) -> ForeignPost {
        read(&format!(
            "---\nlayout: post\n{lines}\n---\n<!--1627470060000-->\n[题](https://example.org/a)\n------\n\n<div>\n<p>文</p>\n</div>\n"
        ))
    }

    /// A line that every post has, and one in its place that makes the front matter no YAML.
    const LAYOUT: &str = "layout: post\n";
    const BROKEN: &str = "layout: post: x\n";

    fn unnoted(post: ForeignPost) -> ForeignPost {
        ForeignPost { notes: vec![], ..post }
    }

    fn at(text: &str) -> Option<Timestamp> {
        let at = Timestamp::parse_rfc3339(text);
        assert!(at.is_some(), "{text}");
        at
    }

    #[test]
    fn a_post_of_the_usual_form_is_read_without_a_note() {
        let post = usual(
            "title: \"题\\\"甲\\\"\"\ndate: 2021-07-28T11:01:00.000Z\nauthor: A &#38; B \nfrom: https://example.org/a?utm_source=x\n\
             tags: [ 甲, 乙 ]\ncomments: True\ncategories: [ 甲 ]\nlang: zh_Hans",
        );
        assert_eq!(
            post,
            ForeignPost {
                title: "题\"甲\"".into(),
                date: at("2021-07-28T11:01:00Z"),
                author: Some("A & B".into()),
                from: Url::parse("https://example.org/a?utm_source=x").ok(),
                tags: vec!["甲".into(), "乙".into()],
                categories: vec!["甲".into()],
                lang: Some("zh-Hans".into()),
                body: "<p>文</p>".into(),
                notes: vec![],
            }
        );
    }

    #[test]
    fn front_matter_that_is_not_yaml_says_the_same() {
        let post = usual(
            "title: \"他说 \"好\" 了\"\ndate: 2021-07-28\nauthor: 记者: 某某\nfrom: https://example.org/a b#c # x\n\
             tags: [ @x, [图] y ]\ncategory: 甲\ntitle_en: \u{8}",
        );
        assert_eq!(post.title, "他说 \"好\" 了");
        assert_eq!(post.author.as_deref(), Some("记者: 某某"));
        assert_eq!(post.from.map(String::from).as_deref(), Some("https://example.org/a%20b#c"));
        assert_eq!(post.tags, ["@x", "[图] y"]);
        assert_eq!(post.categories, ["甲"]);
        assert_eq!(post.notes, [Oddity::ControlCharacters, Oddity::NotYaml, Oddity::DayOnly]);
    }

    #[test]
    fn what_yaml_would_change_is_read_as_written() {
        let post = usual(
            "title: 1e3\ndate: 1627470060000\nauthor: [甲, 乙]\ntags: [ 1.10, yes, BBC: 中文 ]\ncategories: true",
        );
        assert_eq!(post.title, "1e3");
        assert_eq!(post.date, at("2021-07-28T11:01:00Z"));
        assert_eq!(post.author.as_deref(), Some("甲, 乙"));
        assert_eq!(post.tags, ["1.10", "yes", "BBC: 中文"]);
        assert_eq!(post.categories, ["true"]);
        assert_eq!(usual("title: [图]\nauthor: { name: 甲 }").author.as_deref(), Some("甲"));
        assert_eq!(usual("author: { name: 甲 }\ntitle: {图}").title, "{图}");
    }

    #[test]
    fn dates_come_in_many_forms() {
        for (date, time) in [
            ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
            ("2020-01-01T08:00:00.123+08:00", "2020-01-01T00:00:00.123Z"),
            ("\"2020-01-01T00:00:00.000Z\"", "2020-01-01T00:00:00Z"),
            ("2020-01-01 12:00:00 +0800", "2020-01-01T04:00:00Z"),
            ("2020-01-01 12:00:00+08", "2020-01-01T04:00:00Z"),
            ("2020-01-01 12:00 UTC", "2020-01-01T12:00:00Z"),
            ("2020-01-01 12:00:00.5 GMT-3", "2020-01-01T15:00:00.500Z"),
            ("2020-01-01T12:00:00", "2020-01-01T12:00:00Z"),
            ("2020/1/2 3:04", "2020-01-02T03:04:00Z"),
            ("2020年1月2日 03:04", "2020-01-02T03:04:00Z"),
            ("Wed, 01 Jan 2020 12:00:00 +0800", "2020-01-01T04:00:00Z"),
            ("Wed Jan 01 2020 12:00:00 GMT+0800 (中国标准时间)", "2020-01-01T04:00:00Z"),
            ("1577836800", "2020-01-01T00:00:00Z"),
        ] {
            let post = usual(&format!("title: x\ndate: {date}"));
            assert_eq!(post.date, at(time), "{date}");
            assert!(!post.notes.contains(&Oddity::DayOnly), "{date}");
        }
        for day in
            ["2020-01-02", "2020-1-2", "'2020/01/02'", "2020年1月2日", "2020-01-02 12:00 CST", "2020-01-02T25:00:00Z"]
        {
            let post = usual(&format!("title: x\ndate: {day}"));
            assert_eq!(post.date, at("2020-01-02T00:00:00Z"), "{day}");
            assert!(post.notes.contains(&Oddity::DayOnly), "{day}");
        }
        for bad in ["NaN", "0000-00-00", "0001-01-01T00:00:00Z", "2020-13-01", "Invalid Date", "20", "2020-01-011"] {
            let post = usual(&format!("title: x\ndate: {bad}"));
            assert!(post.notes.contains(&Oddity::BadDate), "{bad}");
        }
    }

    #[test]
    fn without_a_date_the_name_has_the_day_and_the_comment_the_time() {
        let dated = |path: &str, comment: &str| {
            let post = foreign(path, format!("---\ntitle: x\ndate: NaN\n---\n<!--{comment}-->\n").as_bytes())
                .expect("readable");
            (post.date, post.notes[1..].to_vec())
        };
        let comment = "1627470060000";
        let by_comment = (at("2021-07-28T11:01:00Z"), vec![Oddity::DateFromComment, Oddity::NoLink]);
        assert_eq!(dated("_posts/2021-07-28-x.md", comment), by_comment);
        assert_eq!(dated("_posts/2021-07-29-x.md", comment), by_comment);
        assert_eq!(dated("x.md", comment), by_comment);
        let by_name = |day| (at(day), vec![Oddity::DayOnly, Oddity::DateFromName, Oddity::NoLink]);
        assert_eq!(dated("_posts/2020-07-28-x.md", comment), by_name("2020-07-28T00:00:00Z"));
        let (date, notes) = dated("archived/2020-07-28/x.md", "NaN");
        assert_eq!((date, notes.contains(&Oddity::BadComment)), (at("2020-07-28T00:00:00Z"), true));
        assert_eq!(dated("a/2020-07-288/x.md", "NaN").0, None);
        assert_eq!(dated("a/2020-02-30-x.md", "0").0, at("1970-01-01T00:00:00Z"));
        assert_eq!(dated("日期日/x.md", "NaN").0, None);
    }

    #[test]
    fn links_are_absolute_or_come_from_the_link_line() {
        for bad in
            ["/a/b", "//example.org/a", "javascript:alert(1)", "ftp://example.org/a", "example.org", "https://", "NaN"]
        {
            let post = usual(&format!("title: x\nfrom: {bad}"));
            assert_eq!(post.from.map(String::from).as_deref(), Some("https://example.org/a"), "{bad}");
            assert!(post.notes.contains(&Oddity::BadLink) && post.notes.contains(&Oddity::LinkFromBody), "{bad}");
        }
        let post = usual("title: x\nfrom:\ntags:");
        assert!(!post.notes.contains(&Oddity::BadLink) && post.notes.contains(&Oddity::LinkFromBody));
        let post = usual("title: x\nfrom: '  <HTTP://example.org/甲 乙>  '");
        assert_eq!(post.from.map(String::from).as_deref(), Some("http://example.org/%E7%94%B2%20%E4%B9%99"));
        let post = read("---\ntitle: x\nfrom: /a\n---\n[b](https://example.org/)\n");
        assert_eq!((post.from, post.body.as_str()), (None, "[b](https://example.org/)"));
        assert_eq!(
            post.notes,
            [Oddity::NoDate, Oddity::DayOnly, Oddity::DateFromName, Oddity::NoLink, Oddity::BadLink, Oddity::BareBody]
        );
    }

    #[test]
    fn a_missing_title_comes_from_link_line_heading_or_name() {
        assert_eq!(usual("title:").title, "题");
        assert_eq!(usual("title: \" \"").notes[0], Oddity::NoTitle);
        assert_eq!(read("---\ndate: 2020-01-01\n---\n# 甲\n\n文").title, "甲");
        assert_eq!(read("---\ndate: 2020-01-01\n---\n文").title, "名字");
        let name = |path: &str| foreign(path, b"---\n---\n").expect("readable").title;
        assert_eq!(name("2021-07-28.md"), "2021-07-28.md");
        assert_eq!(name("a/甲 乙.markdown"), "甲 乙");
        assert_eq!(name("a/"), "-");
        assert_eq!(usual("title: \"a\\tb\\u202Ec\u{1}\"").title, "a bc");
    }

    #[test]
    fn the_wrapper_of_a_body_is_taken_off_where_it_is_whole() {
        let body = |rest: &str| {
            let post = read(&format!("---\ntitle: x\n---\n{rest}"));
            (post.body, post.notes.contains(&Oddity::BareBody))
        };
        let taken = |text: &str| (text.to_owned(), false);
        let left = |text: &str| (text.to_owned(), true);
        assert_eq!(body("<!--NaN-->\n[a](b)\n------\n\n<div>\nx\n---\ny\n</div>\n\n"), taken("x\n---\ny"));
        assert_eq!(body("<!--1-->\r\n[a](b)\r\n------\r\n\r\n<div>\r\nx\r\n</div>"), taken("x"));
        assert_eq!(body("<!--1-->\na\n------\n\n<div>\n\n</div>\n"), taken(""));
        assert_eq!(body("[a\nb](c)\n---\nx"), taken("x"));
        assert_eq!(body("<!--1-->\nx"), taken("x"));
        assert_eq!(body("<!--1-->\nx\n---\ny"), taken("x\n---\ny"));
        assert_eq!(body("<!--1-->\n[a](b)\n------\n\n<div>\nx"), taken("<div>\nx"));
        assert_eq!(body("<!--1-->\n[a](b)\n------\n\n<div>x</div>"), taken("<div>x</div>"));
        assert_eq!(body("\n\n<div>\nx\n</div>\n"), left("<div>\nx\n</div>"));
        assert_eq!(body("a\n---\nx"), left("a\n---\nx"));
        assert_eq!(body("    code\n"), left("    code"));
        assert_eq!(body("<!-- words -->\nx"), left("<!-- words -->\nx"));
        assert_eq!(body(""), left(""));
    }

    #[test]
    fn hardly_anything_cannot_be_read() {
        assert_eq!(foreign(PATH, b""), Err(PostError::Empty));
        assert_eq!(foreign(PATH, "\u{FEFF} \n".as_bytes()), Err(PostError::Empty));
        assert_eq!(foreign(PATH, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Err(PostError::NotText));
        assert_eq!(foreign(PATH, &[0xC4; 100]), Err(PostError::NotText));
        for text in
            ["words", "---\n", "---\n---", "---\nwords\n\nmore\n---\nwords", "---\n- a\n---\n", "---\n\0\u{8}: \n---\n"]
        {
            assert!(!read(text).title.is_empty());
        }
        let words = read("---\nwords\n\nmore\n---\nwords");
        assert_eq!(words.body, "---\nwords\n\nmore\n---\nwords");
        assert!(words.notes.contains(&Oddity::NoFrontMatter));
    }

    #[test]
    fn bytes_of_all_kinds_are_text() {
        let bytes = b"---\r\ntitle: \xC4\xE3\xBA\xC3 a\0b\r\nfrom: https://example.org/a\r\n---\r\nx\r\n";
        let post = foreign(PATH, bytes).expect("readable");
        assert!(post.title.starts_with('\u{FFFD}') && post.title.ends_with(" ab"), "{}", post.title);
        assert!(post.from.is_some());
        assert_eq!(post.notes[..3], [Oddity::NotUtf8, Oddity::ControlCharacters, Oddity::NotYaml]);
        let text = "\u{FEFF}---\ntitle: 甲\n---\n文\n";
        assert_eq!(foreign(PATH, text.as_bytes()).expect("BOM").title, "甲");
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(foreign(PATH, &little).expect("UTF-16").title, "甲");
        assert_eq!(foreign(PATH, &big).expect("UTF-16").body, "文");
        assert_eq!(foreign(PATH, text.replace('\n', "\r").as_bytes()).expect("Mac").title, "甲");
    }

    #[test]
    fn duplicate_keys_and_a_missing_end_are_noted() {
        let post = usual("title: 甲\ntitle: 乙\nauthor: x\nauthor:");
        assert_eq!((post.title.as_str(), post.author.as_deref()), ("乙", Some("x")));
        assert!(post.notes.contains(&Oddity::DuplicateKey) && !post.notes.contains(&Oddity::NotYaml));
        let post = read("---\ntitle: 甲\n<!--1-->\n[a](https://example.org/)\n------\n\n<div>\nx\n---\ny\n</div>\n");
        assert_eq!((post.title.as_str(), post.body.as_str()), ("甲", "x\n---\ny"));
        assert!(post.notes.contains(&Oddity::OpenFrontMatter));
    }

    proptest! {
        #[test]
        fn our_own_posts_are_read_alike(title in "\\PC{1,30}", from in "https://example\\.org/[a-z]{1,9}\\?[a-z]=[0-9]", body in "(<p>\\PC{0,40}</p>){0,3}") {
            let post = Post {
                title: title.clone(),
                date: Timestamp::from_millis(1_627_470_060_000),
                author: "甲".into(),
                from: from.clone(),
                tags: vec!["甲".into(), title.clone()],
                categories: vec!["甲".into()],
                updated: None,
                lang: Some("no".into()),
                enclosures: vec![],
                claimed: None,
                key: EntryKey::of("x"),
                body: body.clone(),
            };
            let text = to_text(&post);
            let found = read(&text);
            prop_assert_eq!(unnoted(read(&text.replacen(LAYOUT, BROKEN, 1))), unnoted(found.clone()));
            if !one_line(&title).is_empty() {
                prop_assert_eq!(found.title, one_line(&title));
            }
            prop_assert_eq!(found.date, Some(post.date));
            prop_assert_eq!(found.from.map(String::from), Some(from));
            prop_assert_eq!(found.body, body);
            prop_assert_eq!(found.lang.as_deref(), Some("no"));
        }

        #[test]
        fn nothing_makes_it_panic(
            path in "([\\PC/]|2021-07-2){0,20}", front in "((title|date|tags|x): ?(\\PC|[\"'\\[\\],|>\\\\u{0}-]){0,20}\r?\n){0,6}",
            rest in "(<!--[0-9]{0,20}-->|\\[x\\]\\(y\\)|------|<div>|</div>|\\PC{0,9}|\n){0,20}", end in "(---\n)?",
        ) {
            let text = format!("---\n{front}{end}{rest}");
            let post = foreign(&path, text.as_bytes());
            prop_assert!(post.map_or(end.is_empty(), |post| !post.title.is_empty()));
        }
    }

    /// Real posts of other makers, where they lie beside the project.
    fn samples() -> Vec<(String, Vec<u8>)> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/archive");
        let root = std::env::var_os("FEEDMILL_ARCHIVE_SAMPLES").map_or_else(beside, PathBuf::from);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.expect("entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                    found.push((name, fs::read(&path).expect("sample")));
                }
            }
        }
        if found.is_empty() {
            #[expect(clippy::print_stdout, reason = "a test that tests nothing says so")]
            {
                println!("skipped: {} is not here", root.display());
            }
        }
        found
    }

    #[test]
    fn every_sample_has_title_date_and_link() {
        for (path, bytes) in samples() {
            let post = foreign(&path, &bytes).unwrap_or_else(|cause| panic!("{path}: {cause}"));
            assert!(!post.notes.contains(&Oddity::NoTitle), "{path}");
            assert!(post.date.is_some() && !post.notes.contains(&Oddity::BadDate), "{path}");
            let text = String::from_utf8(bytes).expect("UTF-8");
            let line = text.lines().find_map(|line| line.strip_prefix("from: ")).expect("from");
            assert_eq!(post.from, Url::parse(line.trim()).ok(), "{path}");
            assert!(!post.tags.is_empty() && !post.categories.is_empty() && post.author.is_some(), "{path}");
            assert!(!post.body.starts_with("<!--") && !post.body.contains("\n------\n"), "{path}");
        }
    }

    /// What is no YAML is read as YAML would be if the one bad line were not there.
    #[test]
    fn both_readers_agree_on_every_sample() {
        for (path, bytes) in samples() {
            let by_yaml = foreign(&path, &bytes).expect("readable");
            assert!(!by_yaml.notes.contains(&Oddity::NotYaml), "{path}");
            let broken = String::from_utf8(bytes).expect("UTF-8").replacen(LAYOUT, BROKEN, 1);
            let by_line = foreign(&path, broken.as_bytes()).expect("readable");
            assert!(by_line.notes.contains(&Oddity::NotYaml), "{path}");
            assert_eq!(unnoted(by_line), unnoted(by_yaml), "{path}");
        }
    }
}
