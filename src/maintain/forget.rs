//! Takedown: a post and its former versions go, and the entry does not come back.

use std::collections::BTreeSet;

use url::Url;

use crate::archive::{Archive, ArchiveError, Line, Op, Trace};
use crate::config::Config;
use crate::identity::{self, Alias, canonical_url};
use crate::index::{Index, IndexError};
use crate::maintain::{ingest, look};
use crate::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Post, PostPath, Timestamp};
use crate::topic::Matcher;

/// Why an entry could not be found or forgotten.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// Nothing is known under that address or path.
    #[error("`{0}` is neither the address nor the path of a post; {next}", next = next_step(.0))]
    Unknown(String),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// What helps whoever named no post.
fn next_step(what: &str) -> &'static str {
    if what.contains("://") {
        "`feedmill explain` shows what an address leads to"
    } else {
        "write the whole address of the article, or the path of its post in the archive, such as `_posts/2021/07/….md`"
    }
}

impl ForgetError {
    /// True when nothing is known under the name given.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

/// What was forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forgotten {
    /// Where its post lay.
    pub path: String,
    /// It had been forgotten before.
    pub was_gone: bool,
    /// What was out of the ordinary.
    pub said: Vec<String>,
}

/// The entry that an address or a path of a post means.
pub async fn find<I: Index>(index: &I, what: &str) -> Result<Option<Found>, IndexError> {
    if let Some(canonical) = Url::parse(what).ok().as_ref().and_then(canonical_url) {
        let key = EntryKey::of(canonical.as_str());
        if let Some(record) = index.record(&key).await? {
            return Ok(Some(Found { key, record }));
        }
        return index.find(&Alias::Url(canonical)).await;
    }
    match index.by_path(&below_archive(what)).await? {
        Some(found) => Ok(Some(found)),
        None => index.by_path(what).await,
    }
}

/// A path of a post as the ledger has it, wherever the archive lies.
fn below_archive(what: &str) -> String {
    what.split_once("_posts/").map_or_else(|| what.to_owned(), |(_, rest)| format!("_posts/{rest}"))
}

/// Forgets an entry. The ledger keeps its key, the reason, and hashes of what it would be recognised
/// by; neither its text nor its sources stay. One that was forgotten before loses whatever there is of it by now.
pub async fn entry<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Config,
    what: &str,
    reason: &str,
    now: Timestamp,
) -> Result<Forgotten, ForgetError> {
    let Some(found) = find(index, what).await? else { return again(index, archive, what).await };
    let lines = lines_of(archive, |line| line.key == found.key).await?;
    let post = match PostPath::parse(&found.record.path) {
        Some(path) => match archive.read(&path).await {
            Ok(post) => Some(post),
            // Without the marks of its text the entry would come back under another address.
            Err(error @ ArchiveError::Read { .. }) if !error.is_absence() => return Err(error.into()),
            Err(_) => None,
        },
        None => None,
    };
    let marks = marks(&found, post.as_ref(), &lines);
    let line = Line {
        path: Some(found.record.path.clone()),
        feed: found.record.feed.as_ref().map(ToString::to_string),
        reason: Some(reason.to_owned()),
        id: found.record.id.clone(),
        topics: post.as_ref().map(|post| topics(&found, post, config)).unwrap_or_default(),
        marks: marks.iter().map(Fingerprint::hex).collect(),
        trace: Some(Trace::of(&found.record)),
        ..Line::new(Op::Forget, now, found.key)
    };
    let said = archive.forget(line.clone()).await?;
    index.forget(ingest::takedown(&line)).await?;
    Ok(Forgotten { path: found.record.path, was_gone: false, said })
}

/// A former takedown may have stopped in the middle, and what it took may have come back from a backup.
async fn again<I: Index, A: Archive>(index: &I, archive: &A, what: &str) -> Result<Forgotten, ForgetError> {
    let canonical = Url::parse(what).ok().as_ref().and_then(canonical_url);
    let key = canonical.as_ref().map(|url| EntryKey::of(url.as_str()));
    let mark = canonical.map(|url| Alias::Url(url).fingerprint().hex());
    let path = below_archive(what);
    let is_it = |line: &Line| {
        let is_marked = mark.as_ref().is_some_and(|mark| line.marks.contains(mark));
        let is_there = line.path.as_deref().is_some_and(|own| own == path || own == what);
        line.op == Op::Forget && (Some(line.key) == key || is_marked || is_there)
    };
    let line = lines_of(archive, is_it).await?.pop().ok_or_else(|| ForgetError::Unknown(what.to_owned()))?;
    let said = archive.remove_forgotten(BTreeSet::from([line.key])).await?;
    index.forget(ingest::takedown(&line)).await?;
    Ok(Forgotten { path: line.path.unwrap_or_else(|| what.to_owned()), was_gone: true, said })
}

/// The lines of the ledger that are wanted; all of them may be more than memory holds.
async fn lines_of<A: Archive>(archive: &A, is_wanted: impl Fn(&Line) -> bool) -> Result<Vec<Line>, ArchiveError> {
    let (mut wanted, mut position) = (Vec::new(), LedgerPosition::default());
    loop {
        let (lines, next) = archive.some_lines_after(&position).await?;
        if next == position {
            return Ok(wanted);
        }
        position = next;
        wanted.extend(lines.into_iter().filter(&is_wanted));
    }
}

/// The topics whose feeds showed the entry: each tells its readers that it is gone.
fn topics(found: &Found, post: &Post, config: &Config) -> Vec<String> {
    let owner = found.record.feed.clone().or_else(|| look::owner(post, config));
    let belongs = Matcher::new(&config.topics).belongs(post, owner.as_ref());
    let showed = config.topics.iter().zip(belongs).filter(|(_, (_, belongs))| *belongs);
    showed.map(|(topic, _)| topic.id.to_string()).collect()
}

/// Fingerprints of everything that leads to the entry.
fn marks(found: &Found, post: Option<&Post>, lines: &[Line]) -> Vec<Fingerprint> {
    let mut aliases: Vec<Alias> = found.record.id.clone().map(Alias::Published).into_iter().collect();
    for line in lines.iter().filter(|line| line.key == found.key) {
        aliases.extend(ingest::named(line));
    }
    if let Some(post) = post {
        let title = identity::title_fingerprint(&post.title);
        let (text, telling) = identity::text_fingerprint(&post.body);
        if let Some(url) = Url::parse(&post.from).ok().as_ref().and_then(canonical_url) {
            aliases.push(Alias::Pair(url.clone(), title));
            // A link that other entries share must not take them along.
            if EntryKey::of(url.as_str()) == found.key {
                aliases.push(Alias::Url(url));
            }
        }
        let feed: Option<FeedId> = found.record.feed.clone().filter(|_| telling);
        if let (Some(feed), Some(claimed)) = (feed, found.record.claimed) {
            aliases.push(Alias::Text(feed, title, text, claimed.day()));
        }
    }
    let mut marks: Vec<Fingerprint> = aliases.iter().map(Alias::fingerprint).collect();
    marks.sort();
    marks.dedup();
    marks
}
