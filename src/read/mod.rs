//! Any bytes a feed sends, to one shape.
//!
//! Bytes become text (`decode`). A survey of the text's tags (`survey`, over `outline`) finds where
//! entries begin and end, what feed-rs drops of them, and what would make it stumble. feed-rs reads
//! the document when it is sound (`parse`); when it is not, or feed-rs lost something, the survey's
//! own reading of each entry stands in its place: one bad entry costs one entry.

mod bodies;
mod chars;
mod damage;
mod date;
mod decode;
mod element;
mod envelope;
mod facts;
mod json;
pub mod list;
mod loose;
mod mixed;
mod names;
mod outline;
pub mod page;
mod parse;
mod person;
mod survey;
mod tag;
mod tags;
mod texts;

pub use chars::short;
pub use damage::Damage;
pub use decode::is_encoding;
pub use element::ELEMENTS;
pub use envelope::Envelope;
pub use facts::LONGEST_BASE;
pub use parse::is_reading;

use url::Url;

use crate::model::{Enclosure, Timestamp};
use date::DateHints;
use survey::{Reading, Survey};

/// Bytes that a document may unpack to when a server packed it without saying so.
const UNPACKED: usize = 64 << 20;

/// Bytes of names that entries have from their feed, each of them a copy.
const INHERITED: usize = 1 << 10;

/// What is known about the bytes from outside.
#[derive(Clone, Debug)]
pub struct Hints {
    /// The address the document came from, after redirects: relative links start here.
    pub base: Url,
    /// `Content-Type` of the answer.
    pub content_type: Option<String>,
    /// The encoding that the operator names; it overrules what the document says.
    pub encoding: Option<String>,
    /// BCP 47, for a feed that does not name its language: some dates depend on it.
    pub language: Option<String>,
    /// Entries that are read at most.
    pub max_entries: usize,
}

impl Hints {
    /// Entries of a feed that are read unless the config says otherwise.
    pub const MAX_ENTRIES: usize = 100_000;

    /// Nothing but where the document came from.
    pub fn at(base: Url) -> Self {
        Self { base, content_type: None, encoding: None, language: None, max_entries: Self::MAX_ENTRIES }
    }
}

/// A feed as it could be read.
#[derive(Clone, Debug, Default)]
pub struct ReadFeed {
    /// What the feed says about itself.
    pub meta: RawMeta,
    /// Its entries in document order.
    pub entries: Vec<RawEntry>,
    /// What stands around the entries, where the document could be taken apart.
    pub envelope: Option<String>,
    /// The encoding the bytes were read in.
    pub charset: &'static str,
    /// What had to be put right; empty for a sound document.
    pub repairs: Vec<Damage>,
    /// Entries that could not be read, each with the reason.
    pub lost: Vec<String>,
    /// How many entries the document holds.
    pub total: usize,
}

impl ReadFeed {
    /// False when entries of the document are missing here: it was cut off, or holds too many. Then
    /// nobody may believe that all of it was seen.
    pub fn is_complete(&self) -> bool {
        !self.repairs.iter().any(|damage| matches!(damage, Damage::CutOff | Damage::Many))
    }
}

/// What a feed says about itself, before any of it is believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawMeta {
    /// Title.
    pub title: Option<RawText>,
    /// Atom `id`.
    pub id: Option<String>,
    /// The site.
    pub link: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Rights.
    pub rights: Option<RawText>,
    /// Address of a picture.
    pub icon: Option<String>,
    /// The address the feed gives for itself.
    pub feed: Option<String>,
    /// Hubs that tell of changes (`WebSub`).
    pub hubs: Vec<String>,
    /// How often it wants to be asked.
    pub pace: RawPace,
}

/// How often a feed wants to be asked, as it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawPace {
    /// RSS `ttl` (minutes).
    pub ttl: Option<u32>,
    /// RSS `skipHours` (UTC).
    pub skip_hours: Vec<String>,
    /// RSS `skipDays` (English names).
    pub skip_days: Vec<String>,
    /// `sy:updatePeriod`.
    pub period: Option<String>,
    /// `sy:updateFrequency`, times in a period.
    pub frequency: Option<u32>,
}

/// Text of a feed together with how it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawText {
    /// To be shown as it stands.
    Plain(String),
    /// HTML, or RSS text that may hold HTML.
    Markup(String),
}

/// A link of an entry, as the feed wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawLink {
    /// Absolute wherever the document has a base.
    pub href: String,
    /// Atom's `rel`.
    pub rel: Option<String>,
}

/// A date of an entry, as the feed wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawDate {
    /// The lower, the nearer to first publication; from 5 on of the last change.
    pub rank: u8,
    /// As received.
    pub text: String,
}

/// The feed that an entry was taken from by the feed that carries it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawOrigin {
    /// Title.
    pub title: Option<String>,
    /// Atom id.
    pub id: Option<String>,
    /// Address of the feed.
    pub feed: Option<String>,
    /// Address of its site.
    pub link: Option<String>,
    /// Names.
    pub authors: Vec<String>,
}

/// An entry as parsed, before any of it is believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawEntry {
    /// Atom `id`, RSS `guid`, JSON Feed `id`.
    pub guid: Option<String>,
    /// Links that may be the page of the entry (comments excluded).
    pub links: Vec<RawLink>,
    /// Title.
    pub title: Option<RawText>,
    /// Full text.
    pub content: Option<RawText>,
    /// Teaser.
    pub summary: Option<RawText>,
    /// Names.
    pub authors: Vec<String>,
    /// Terms or labels.
    pub categories: Vec<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// First publication as claimed.
    pub published: Option<Timestamp>,
    /// Last change as claimed.
    pub updated: Option<Timestamp>,
    /// Files.
    pub enclosures: Vec<Enclosure>,
    /// Rights.
    pub rights: Option<RawText>,
    /// The `xml:base` of the content.
    pub base: Option<Url>,
    /// Its dates as received, the nearest to first publication first.
    pub dates: Vec<RawDate>,
    /// The text of the date that counts.
    pub raw_date: Option<String>,
    /// RSS: `isPermaLink` of the guid, when it is written.
    pub guid_is_permalink: Option<bool>,
    /// The page's own address behind a redirector: `origLink` of `FeedBurner` and Pheedo.
    pub orig_link: Option<String>,
    /// Address of a picture of it.
    pub thumbnail: Option<String>,
    /// The feed it was taken from.
    pub origin: Option<RawOrigin>,
    /// The element or object as received.
    pub source: Option<String>,
}

/// Why a document cannot be read as a feed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// Zero bytes, or nothing but white space.
    #[error("the answer is empty")]
    Empty,
    /// A web page, with the feeds that it links.
    #[error("the answer is an HTML page, not a feed; {}", linked(.0))]
    Html(Vec<String>),
    /// The document holds entry markers, but no entry could be read.
    #[error("the document holds entries, but none could be read; it seems to be cut off")]
    NoEntries,
    /// It ends before its first entry.
    #[error("the document is cut off before its first entry")]
    CutOff,
    /// None of the formats.
    #[error("not a feed that can be read: {0}")]
    Refused(String),
    /// Packed without a word, and not whole.
    #[error("the answer is packed and cannot be unpacked: {0}")]
    Packed(String),
    /// Packed without a word, and far larger than it looks.
    #[error("the answer is packed and unpacks to more than a feed may have")]
    TooLarge,
}

fn linked(feeds: &[String]) -> String {
    const SHOWN: usize = 3;
    let named: Vec<String> = feeds.iter().take(SHOWN).map(|feed| format!("`{feed}`")).collect();
    if named.is_empty() {
        return "look in the page for its feed's address".to_owned();
    }
    format!("it links {}", named.join(" and "))
}

const CUT_OFF: &str = "the document is cut off; what is missing waits for the next poll";

/// Reads a feed of any format.
///
/// A document with entry markers but no entries is an error, never an empty feed: otherwise a
/// document that is understood by half would lose entries in silence.
pub fn feed(body: &[u8], hints: &Hints) -> Result<ReadFeed, ReadError> {
    let body = decode::unpacked(body, UNPACKED)?;
    let labels = decode::Labels { configured: hints.encoding.as_deref(), content_type: hints.content_type.as_deref() };
    let decoded = decode::text(&body, labels);
    let text = decode::without_declaration(&decoded.text);
    if text.trim().is_empty() {
        return Err(ReadError::Empty);
    }
    let hints = &Hints { base: facts::document_base(&hints.base), ..hints.clone() };
    let mut feed = if json::is_json(text) { from_json(text, hints)? } else { from_other(text, hints)? };
    feed.charset = decoded.charset;
    date_entries(&mut feed, hints);
    Ok(feed)
}

/// XML, or JSON behind something that is none.
fn from_other(text: &str, hints: &Hints) -> Result<ReadFeed, ReadError> {
    let read = from_xml(text, hints);
    match &read {
        Err(ReadError::Refused(_)) => json::within(text).map_or(read, |json| from_json(json, hints)),
        _ => read,
    }
}

fn from_json(text: &str, hints: &Hints) -> Result<ReadFeed, ReadError> {
    let read = json::read(text, &hints.base, hints.max_entries)
        .ok_or_else(|| ReadError::Refused("JSON without a list of `items`".to_owned()))?;
    if read.entries.is_empty() && (read.total > 0 || read.damages.contains(&Damage::CutOff)) {
        return Err(ReadError::NoEntries);
    }
    let mut entries = read.entries;
    inherit(&mut entries, &read.authors);
    let envelope = Some(read.envelope.as_text().to_owned());
    let (repairs, mut lost, total) = (read.damages, read.lost, read.total);
    if repairs.contains(&Damage::CutOff) {
        lost.push(CUT_OFF.to_owned());
    }
    Ok(ReadFeed { meta: read.meta, entries, envelope, repairs, lost, total, ..ReadFeed::default() })
}

fn from_xml(text: &str, hints: &Hints) -> Result<ReadFeed, ReadError> {
    let Some(mut survey) = survey::of(text, &hints.base, hints.max_entries, Reading::Facts) else {
        return Err(no_feed(text, &hints.base));
    };
    let is_sound = survey.damages.is_empty();
    if is_sound && survey.has_xhtml {
        // It is read here alone, but whether it is sound the parser says.
        let parsed = parse::whole(text, &hints.base);
        let is_accepted = parsed.is_some_and(|parsed| parsed.entries.len() == survey.entries.len());
        return if is_accepted { own_reading(survey, text, hints) } else { salvaged(survey, text, hints) };
    }
    let parsed = if is_sound { parse::strict(text, &hints.base, &mut survey.bodies) } else { None };
    match parsed.filter(|parsed| agrees(parsed, &survey)) {
        Some(parsed) => Ok(with_facts(parsed, survey)),
        None => salvaged(survey, text, hints),
    }
}

/// The parser's reading of a sound document with what the parser drops.
fn with_facts(parsed: ReadFeed, survey: Survey<'_>) -> ReadFeed {
    let pairs = parsed.entries.into_iter().zip(survey.entries);
    let mut entries: Vec<RawEntry> = pairs.map(|(parsed, facts)| joined(parsed, facts)).collect();
    inherit(&mut entries, &survey.authors);
    let meta = RawMeta {
        title: parsed.meta.title.or(survey.meta.title),
        link: parsed.meta.link.or(survey.meta.link),
        language: parsed.meta.language.or(survey.meta.language),
        ..survey.meta
    };
    let envelope = Some(survey.envelope.as_text().to_owned());
    ReadFeed { meta, entries, envelope, total: survey.total, ..ReadFeed::default() }
}

/// A broken document as the survey alone reads it.
fn salvaged(survey: Survey<'_>, text: &str, hints: &Hints) -> Result<ReadFeed, ReadError> {
    let root = survey.root;
    let mut feed = own_reading(survey, text, hints)?;
    let is_cut_off = feed.repairs.contains(&Damage::CutOff);
    if feed.entries.is_empty() {
        // A page may hold an element that is called like a root of ours.
        if page::is_page(&text[..root]) {
            return Err(no_feed(text, &hints.base));
        }
        if has_entry_marker(text) {
            return Err(ReadError::NoEntries);
        }
        if is_cut_off && feed.meta == RawMeta::default() {
            return Err(ReadError::CutOff);
        }
    }
    if feed.repairs.is_empty() {
        feed.repairs.push(Damage::Refused);
    }
    if is_cut_off {
        feed.lost.push(CUT_OFF.to_owned());
    }
    Ok(feed)
}

/// The document as the survey alone reads it.
fn own_reading(survey: Survey<'_>, text: &str, hints: &Hints) -> Result<ReadFeed, ReadError> {
    let survey = if survey.is_whole {
        survey
    } else {
        survey::of(text, &hints.base, hints.max_entries, Reading::Everything)
            .ok_or_else(|| ReadError::Refused("no root element".to_owned()))?
    };
    let mut entries = survey.entries;
    inherit(&mut entries, &survey.authors);
    let envelope = Some(survey.envelope.as_text().to_owned());
    let (meta, repairs, total) = (survey.meta, survey.damages, survey.total);
    Ok(ReadFeed { meta, entries, envelope, repairs, total, ..ReadFeed::default() })
}

/// True when the parser lost nothing that the survey found in the format's own words.
fn agrees(parsed: &ReadFeed, survey: &Survey<'_>) -> bool {
    let same = |(parsed, (facts, has)): (&RawEntry, (&RawEntry, &survey::Has))| {
        let ids_agree = match (&parsed.guid, &facts.guid) {
            (Some(parsed), Some(facts)) => parsed.trim() == facts.trim(),
            (Some(_), None) => false,
            _ => true,
        };
        ids_agree
            && (parsed.title.is_some() || !has.title)
            && (parsed.content.is_some() || parsed.summary.is_some() || !has.text)
            && (!parsed.links.is_empty() || !has.link)
            && ![&parsed.title, &parsed.content, &parsed.summary].into_iter().flatten().any(has_controls)
    };
    parsed.entries.len() == survey.entries.len()
        && parsed.entries.iter().zip(survey.entries.iter().zip(&survey.has)).all(same)
}

fn has_controls(text: &RawText) -> bool {
    let (RawText::Plain(text) | RawText::Markup(text)) = text;
    chars::has_controls(text)
}

/// What the parser read, with what it dropped.
fn joined(parsed: RawEntry, facts: RawEntry) -> RawEntry {
    RawEntry {
        title: parsed.title.or(facts.title),
        content: parsed.content.or(facts.content),
        summary: parsed.summary.or(facts.summary),
        links: if parsed.links.is_empty() { facts.links } else { parsed.links },
        rights: parsed.rights.or(facts.rights),
        guid: parsed.guid.or(facts.guid),
        ..facts
    }
}

/// RFC 4287 section 4.2.1: an entry without author has the feed's.
fn inherit(entries: &mut [RawEntry], authors: &[String]) {
    let mut names: Vec<String> = Vec::new();
    let mut room = INHERITED;
    for author in authors {
        if !names.is_empty() && author.len() >= room {
            break;
        }
        room = room.saturating_sub(author.len());
        names.push(short(author.clone(), INHERITED));
    }
    for entry in entries.iter_mut().filter(|entry| entry.authors.is_empty()) {
        names.clone_into(&mut entry.authors);
    }
}

/// The first date of each kind that can be read counts: a bad one never hides a good one.
fn date_entries(feed: &mut ReadFeed, hints: &Hints) {
    let of_feed = feed.meta.language.as_deref().or(hints.language.as_deref());
    for entry in &mut feed.entries {
        let hints = DateHints { language: entry.language.as_deref().or(of_feed) };
        let first = |updates: bool| {
            let mut kind = entry.dates.iter().filter(|date| (date.rank >= names::FIRST_UPDATE) == updates);
            kind.find_map(|date| Some((date::parse(&date.text, &hints)?, &date.text)))
        };
        let (published, updated) = (first(false), first(true));
        let counts = published.or(updated).map(|(_, text)| text);
        entry.raw_date = counts.or_else(|| entry.dates.first().map(|date| &date.text)).cloned();
        (entry.published, entry.updated) = (published.map(|(at, _)| at), updated.map(|(at, _)| at));
    }
}

fn no_feed(text: &str, base: &Url) -> ReadError {
    if page::is_page(text) {
        return ReadError::Html(page::feeds(text, base).into_iter().map(|feed| feed.url.to_string()).collect());
    }
    ReadError::Refused("neither RSS nor Atom nor JSON Feed".to_owned())
}

/// `<item` or `<entry`, with a prefix or without, as a whole word.
fn has_entry_marker(text: &str) -> bool {
    tags::Tags::of(text).any(|found| found.kind != tag::Kind::Close && names::is_entry_name(found.local()))
        || text.trim_end().ends_with("<item")
        || text.trim_end().ends_with("<entry")
}

#[cfg(test)]
mod tests;
