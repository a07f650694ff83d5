//! Feeds of every kind and damage, read through the real road; `just corpus` compares them with what
//! Python's feedparser reads (`corpus/oracle.py`).
//!
//! `FEEDMILL_CORPORA` names another folder than `../shared/corpora`, `FEEDMILL_ORACLE` the oracle's
//! output; `FEEDMILL_DIFFERENCES` shows each difference whose `FILE FIELD` holds its value.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use feedmill::model::{Dedup, Entry, FeedId, FeedSource, Revisions, Timestamp};
use feedmill::normalize::{self, html::Cuts};
use feedmill::read::{self, Hints, ReadError};
use url::Url;

/// Where the documents came from, unless their headers say otherwise; `corpus/oracle.py` has the same.
const BASE: &str = "http://feed.example.org/folder/feed.xml";

/// Of each folder: the entries that feedparser 6.0.14 finds, the entries that must be found here, and
/// the files that must be readable. Where a figure rises, its floor follows.
const FOLDERS: &[(&str, usize, usize, usize)] = &[
    ("feedparser/tests/encoding", 14, 14, 82),
    ("feedparser/tests/entities", 3, 3, 256),
    ("feedparser/tests/illformed", 3, 2, 5),
    ("feedparser/tests/illformed/chardet", 7, 7, 8),
    ("feedparser/tests/illformed/geo", 3, 3, 3),
    ("feedparser/tests/wellformed/amp", 70, 70, 70),
    ("feedparser/tests/wellformed/atom", 71, 71, 158),
    ("feedparser/tests/wellformed/atom10", 168, 168, 243),
    ("feedparser/tests/wellformed/base", 68, 68, 127),
    ("feedparser/tests/wellformed/cdf", 7, 7, 14),
    ("feedparser/tests/wellformed/feedburner", 0, 0, 1),
    ("feedparser/tests/wellformed/geo", 10, 10, 10),
    ("feedparser/tests/wellformed/http", 0, 0, 9),
    ("feedparser/tests/wellformed/itunes", 23, 23, 56),
    ("feedparser/tests/wellformed/lang", 31, 31, 65),
    ("feedparser/tests/wellformed/media-rss", 12, 12, 12),
    ("feedparser/tests/wellformed/namespace", 22, 22, 23),
    ("feedparser/tests/wellformed/node_precedence", 6, 6, 3),
    ("feedparser/tests/wellformed/psc", 7, 7, 6),
    ("feedparser/tests/wellformed/rdf", 6, 6, 12),
    ("feedparser/tests/wellformed/rss", 91, 91, 191),
    ("feedparser/tests/wellformed/sanitize", 594, 594, 745),
    ("feedparser/tests/wellformed/sgml", 1, 1, 1),
    ("feedparser/tests/wellformed/xml", 0, 0, 3),
    ("real", 272, 322, 37),
];

/// Files on which the parser may panic (and be caught).
const PANICS: usize = 0;

/// An entry as both readers can be asked for it.
#[derive(Clone, Debug, Default, serde::Deserialize)]
struct Shown {
    title: Option<String>,
    link: Option<String>,
    /// Seconds since 1970.
    date: Option<i64>,
    text: Option<String>,
}

/// What the oracle says of a file.
#[derive(serde::Deserialize)]
struct Told {
    file: String,
    entries: Vec<Shown>,
}

/// What became of a file here.
struct Reading {
    entries: Result<Vec<Shown>, String>,
    panicked: bool,
    took: Duration,
}

/// How many of the entries that both know agree.
#[derive(Clone, Copy, Default)]
struct Equal {
    titles: usize,
    links: usize,
    dates: usize,
    texts: usize,
    of: usize,
}

#[derive(Default)]
struct Tally {
    files: usize,
    readable: usize,
    panics: usize,
    slowest: Duration,
    entries: usize,
    /// Entries that the oracle finds, and those of them that are missing here, file by file.
    told: usize,
    missing: usize,
    equal: Equal,
}

/// The folder of the corpora.
fn corpora() -> Option<PathBuf> {
    let root = std::env::var_os("FEEDMILL_CORPORA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora"), PathBuf::from);
    if root.join("feedparser").is_dir() {
        return Some(root);
    }
    println!("skipped: {} is not here", root.display());
    None
}

/// Every document, by its path below the corpora.
fn documents(root: &Path) -> BTreeMap<String, PathBuf> {
    let files = ["feedparser/tests", "real"].iter().flat_map(|folder| crate::house::files(&root.join(folder)));
    let documents = files.filter(|file| file.extension().is_some_and(|e| e == "xml" || e == "json"));
    documents.map(|file| (file.strip_prefix(root).expect("below").to_string_lossy().into_owned(), file)).collect()
}

/// A header the server would have sent: the test files name them in a comment at their beginning.
fn header(body: &[u8], name: &str) -> Option<String> {
    // Most test files are ASCII or nearly; dropping zero bytes makes UTF-16 and UTF-32 so too.
    let head: Vec<u8> = body.iter().take(8192).copied().filter(|b| *b != 0).collect();
    String::from_utf8_lossy(&head).lines().find_map(|line| {
        let (found, value) = line.strip_prefix("Header:")?.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

fn hints(body: &[u8]) -> Hints {
    let base = Url::parse(BASE).expect("base");
    let located = header(body, "Content-Location").and_then(|location| base.join(&location).ok());
    let base = located.filter(|url| matches!(url.scheme(), "http" | "https")).unwrap_or(base);
    Hints { content_type: header(body, "Content-Type"), ..Hints::at(base) }
}

fn source() -> FeedSource {
    FeedSource {
        id: FeedId::parse("corpus").expect("id"),
        name: "Corpus".into(),
        url: Url::parse(BASE).expect("url"),
        language: None,
        tags: vec![],
        dedup: Dedup::Auto,
        revisions: Revisions::Keep,
        access: feedmill::model::Access::default(),
    }
}

fn shown(entry: Entry) -> Shown {
    Shown {
        title: Some(entry.title).filter(|_| !entry.title_is_made),
        link: entry.link.map(String::from),
        date: entry.claimed.map(|date| date.millis().div_euclid(1000)),
        text: Some(normalize::plain(&entry.body)),
    }
}

/// Reads a document as a poll does. An entry that is left out still counts as found.
fn entries(body: &[u8]) -> Result<Vec<Shown>, ReadError> {
    let hints = hints(body);
    let read = read::feed(body, &hints)?;
    let language = read.meta.language;
    let now = Timestamp::from_millis(4_000_000_000_000);
    let normal = |raw| normalize::entry(&source(), &Cuts::none(), &hints.base, raw, language.as_deref(), now);
    Ok(read.entries.into_iter().map(|raw| normal(raw).map(shown).unwrap_or_default()).collect())
}

fn reading(body: &[u8]) -> Reading {
    let begun = Instant::now();
    let caught = panic::catch_unwind(AssertUnwindSafe(|| entries(body)));
    let took = begun.elapsed();
    let panicked = caught.is_err();
    let entries = caught.map_or_else(|_| Err("a panic".into()), |read| read.map_err(|error| error.to_string()));
    Reading { entries, panicked, took }
}

/// Texts are compared without white space: where it stands between blocks is a matter of taste.
fn squashed(text: Option<&String>) -> String {
    text.map(|text| text.split_whitespace().collect()).unwrap_or_default()
}

/// Addresses are compared as one URL library reads them; what is no web address is none.
fn web(link: Option<&String>, base: &Url) -> Option<Url> {
    base.join(link?.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// Shows differences that were asked for.
struct Differences(Option<String>);

impl Differences {
    fn show(&self, file: &str, field: &str, told: &dyn fmt::Debug, found: &dyn fmt::Debug) {
        let name = format!("{file} {field}");
        if self.0.as_ref().is_some_and(|asked| name.contains(asked.as_str())) {
            println!("{name}\n    feedparser {told:?}\n    feedmill   {found:?}");
        }
    }
}

fn compare(file: &str, base: &Url, told: &[Shown], found: &[Shown], differences: &Differences) -> Equal {
    let mut equal = Equal::default();
    for (told, found) in told.iter().zip(found) {
        let same = |field: &str, told: &dyn fmt::Debug, found: &dyn fmt::Debug, equal: bool| {
            if !equal {
                differences.show(file, field, told, found);
            }
            usize::from(equal)
        };
        let title = squashed(told.title.as_ref()) == squashed(found.title.as_ref());
        let text = squashed(told.text.as_ref()) == squashed(found.text.as_ref());
        let link = web(told.link.as_ref(), base) == web(found.link.as_ref(), base);
        equal.titles += same("title", &told.title, &found.title, title);
        equal.links += same("link", &told.link, &found.link, link);
        equal.dates += same("date", &told.date, &found.date, told.date == found.date);
        equal.texts += same("text", &told.text, &found.text, text);
        equal.of += 1;
    }
    equal
}

impl Tally {
    fn add(&mut self, file: &str, body: &[u8], told: Option<&[Shown]>, differences: &Differences) {
        let reading = reading(body);
        self.files += 1;
        self.readable += usize::from(reading.entries.is_ok());
        self.panics += usize::from(reading.panicked);
        self.slowest = self.slowest.max(reading.took);
        if let Err(error) = &reading.entries {
            differences.show(file, "entries", &told.map(<[_]>::len), error);
        }
        let entries = reading.entries.unwrap_or_default();
        self.entries += entries.len();
        let Some(told) = told else { return };
        if told.len() != entries.len() {
            differences.show(file, "entries", &told.len(), &entries.len());
        }
        let equal = compare(file, &hints(body).base, told, &entries, differences);
        self.told += told.len();
        self.missing += told.len().saturating_sub(entries.len());
        self.equal.add(equal);
    }

    fn join(&mut self, other: &Self) {
        self.files += other.files;
        self.readable += other.readable;
        self.panics += other.panics;
        self.slowest = self.slowest.max(other.slowest);
        self.entries += other.entries;
        self.told += other.told;
        self.missing += other.missing;
        self.equal.add(other.equal);
    }

    fn line(&self, name: &str, compared: bool) -> String {
        let Self { files, readable, panics, entries, told, missing, .. } = self;
        let slowest = self.slowest.as_secs_f64() * 1000.0;
        let line = format!("{name:44} {files:5} {readable:8} {panics:6} {slowest:7.1} ms {entries:7}");
        if !compared {
            return line;
        }
        let Equal { titles, links, dates, texts, of } = self.equal;
        format!("{line} {told:10} {missing:7} {of:6} {titles:6} {links:6} {dates:6} {texts:6}")
    }
}

impl Equal {
    fn add(&mut self, other: Self) {
        self.titles += other.titles;
        self.links += other.links;
        self.dates += other.dates;
        self.texts += other.texts;
        self.of += other.of;
    }
}

/// What the oracle says of each file, when its output is named.
fn oracle() -> Option<HashMap<String, Vec<Shown>>> {
    let path = std::env::var_os("FEEDMILL_ORACLE")?;
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let told = text.lines().map(|line| serde_json::from_str::<Told>(line).expect("a line of the oracle"));
    Some(told.map(|told| (told.file, told.entries)).collect())
}

fn print(folders: &BTreeMap<String, Tally>, compared: bool) {
    let more = if compared { "feedparser missing   both titles  links  dates  texts" } else { "" };
    println!("{:44} files readable panics    slowest entries {more}", "folder");
    let (mut all, mut wellformed) = (Tally::default(), Tally::default());
    for (name, tally) in folders {
        println!("{}", tally.line(name, compared));
        all.join(tally);
        if name.starts_with("feedparser/tests/wellformed/") {
            wellformed.join(tally);
        }
    }
    println!("{}", wellformed.line("wellformed, all", compared));
    println!("{}", all.line("all", compared));
}

/// Panics of the parser are expected and counted; only others are worth a word.
fn quiet_parser() {
    let speak = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !read::is_reading() {
            speak(info);
        }
    }));
}

#[test]
fn no_entry_of_the_corpora_is_lost_again() {
    let Some(root) = corpora() else { return };
    quiet_parser();
    let oracle = oracle();
    let differences = Differences(std::env::var("FEEDMILL_DIFFERENCES").ok());
    let mut folders: BTreeMap<String, Tally> = BTreeMap::new();
    for (file, path) in documents(&root) {
        let body = fs::read(path).expect("document");
        let told = oracle.as_ref().map(|told| told.get(&file).map_or(&[][..], Vec::as_slice));
        let folder = file.rsplit_once('/').expect("folder").0.to_owned();
        folders.entry(folder).or_default().add(&file, &body, told, &differences);
    }
    print(&folders, oracle.is_some());
    for (folder, told, entries, readable) in FOLDERS {
        let tally = folders.get(*folder).unwrap_or_else(|| panic!("{folder} is not there"));
        let found = (tally.entries, tally.readable);
        assert!(found.0 >= *entries && found.1 >= *readable, "{folder}: {found:?}, not {:?}", (entries, readable));
        assert!(oracle.is_none() || tally.told == *told, "{folder}: the oracle finds {}, not {told}", tally.told);
    }
    let panics: usize = folders.values().map(|tally| tally.panics).sum();
    assert!(panics == PANICS, "{panics} panics");
    assert_eq!(folders.len(), FOLDERS.len(), "a folder has no line in FOLDERS");
}
