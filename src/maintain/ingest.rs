//! Takes into the index what the archive holds and the index does not know.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::try_join_all;
use url::Url;

use crate::archive::{Archive, ArchiveError, Line, Op};
use crate::config::Config;
use crate::identity::{self, Alias, canonical_url};
use crate::index::{Committed, Index, IndexError, Remember, Takedown};
use crate::model::{CanonicalUrl, EntryKey, FeedId, Fingerprint, Post, PostPath, Record, Timestamp, TopicId};
use crate::topic::{self, Subject};

/// Why the archive could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A thread that read posts was stopped.
    #[error("reading the archive was stopped by a mistake in the program: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// Records go to the index in portions of this size.
const PORTION: usize = 5_000;

/// Posts are read by this many threads, each its part of a portion.
const READERS: usize = 4;

/// What a post file says about its entry.
struct Looked {
    canonical: Option<CanonicalUrl>,
    title: Fingerprint,
    text: Fingerprint,
    text_is_telling: bool,
    date: Timestamp,
    has_own_date: bool,
    topics: Vec<(Fingerprint, bool)>,
}

/// A line together with the post it names; `None` where the file is absent or unreadable.
struct Seen<'a> {
    line: &'a Line,
    post: Option<Looked>,
}

/// Brings the index up to the archive's ledger; says how many lines it had not known.
///
/// A poll that was killed between files and records leaves such lines; an index that was deleted
/// knows none of them. `progress` is told lines done and lines in all.
pub async fn catch_up<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    progress: impl Fn(usize, usize),
) -> Result<usize, IngestError> {
    let known = index.ledger().await?;
    let position = archive.position().await?;
    if known == position {
        return Ok(0);
    }
    let mut lines = archive.lines_after(&known).await?;
    // Two clones that were merged leave lines out of order; within one moment the order stands. A
    // post that lost its line got one later than those that name its aliases.
    lines.sort_by_key(|line| (line.op != Op::Import, line.seen));
    let mut done = 0;
    for portion in lines.chunks(PORTION) {
        let seen = look(archive, config, portion).await?;
        let records = remember_all(index, seen).await?;
        let topics = topic::rules(&config.topics);
        index.commit(Committed { records, topics, ledger: known.clone(), ..Committed::default() }).await?;
        for line in portion.iter().filter(|line| line.op == Op::Forget) {
            index.forget(takedown(line)).await?;
        }
        done += portion.len();
        progress(done, lines.len());
    }
    let stale = config.topics.iter().map(|t| t.id.clone()).collect();
    // An index that began empty has seen every post with today's rules.
    let complete = config.topics.iter().map(topic::rule).filter(|_| known.is_empty()).collect();
    index.commit(Committed { ledger: position, stale, complete, ..Committed::default() }).await?;
    Ok(lines.len())
}

/// Reads the posts of a portion, several at a time.
async fn look<'a, A: Archive>(
    archive: &A,
    config: &Arc<Config>,
    lines: &'a [Line],
) -> Result<Vec<Seen<'a>>, IngestError> {
    let part = lines.len().div_ceil(READERS).max(1);
    let parts = try_join_all(lines.chunks(part).map(async |lines| {
        let paths = lines.iter().map(|line| line.path.as_deref().and_then(PostPath::parse)).collect();
        let mut posts = archive.read_many(paths).await?;
        let ours = lines.iter().filter(|line| matches!(line.op, Op::Add | Op::Revise));
        let lost = archive.lost(ours.filter_map(|line| Some((line.path.clone()?, true))).collect()).await?;
        for (post, line) in posts.iter_mut().zip(lines) {
            post.take_if(|_| line.path.as_ref().is_some_and(|path| lost.contains(path)));
        }
        let feeds: Vec<Option<FeedId>> =
            lines.iter().map(|line| line.feed.as_deref().and_then(FeedId::parse)).collect();
        let config = Arc::clone(config);
        let looked = tokio::task::spawn_blocking(move || {
            posts.into_iter().zip(feeds).map(|(post, feed)| Some(looked_at(&post?, feed, &config))).collect::<Vec<_>>()
        });
        Ok::<_, IngestError>(looked.await?)
    }));
    let posts = parts.await?.into_iter().flatten();
    Ok(lines.iter().zip(posts).map(|(line, post)| Seen { line, post }).collect())
}

fn looked_at(post: &Post, feed: Option<FeedId>, config: &Config) -> Looked {
    let (text, text_is_telling) = identity::text_fingerprint(&post.body);
    let owner = feed.or_else(|| owner(post, config));
    let subject = Subject::of_post(post, owner.as_ref());
    Looked {
        canonical: Url::parse(&post.from).ok().as_ref().and_then(canonical_url),
        title: identity::title_fingerprint(&post.title),
        text,
        text_is_telling,
        date: post.date,
        has_own_date: post.claimed.is_none() && post.date != Timestamp::default(),
        topics: config.topics.iter().map(|t| (topic::rule(t), topic::belongs(&subject, t))).collect(),
    }
}

/// The feed whose name is a category of another maker's post.
pub fn owner(post: &Post, config: &Config) -> Option<FeedId> {
    let feed = config.feeds.iter().find(|feed| post.categories.contains(&feed.source.name))?;
    Some(feed.source.id.clone())
}

async fn remember_all<I: Index>(index: &I, seen: Vec<Seen<'_>>) -> Result<Vec<Remember>, IngestError> {
    let mut records: HashMap<EntryKey, Remember> = HashMap::new();
    for seen in seen {
        let key = seen.line.key;
        let before = match records.remove(&key) {
            Some(remember) => Some(remember),
            None => index.record(&key).await?.map(|record| Remember { key, record, aliases: vec![], topics: vec![] }),
        };
        if let Some(remember) = remember(&seen, before) {
            records.insert(key, remember);
        }
    }
    let mut records: Vec<Remember> = records.into_values().collect();
    records.sort_by_key(|remember| remember.key);
    Ok(records)
}

/// What is to be remembered after a line. One whose file is absent changes nothing: the entry comes
/// again with the feed that carries it.
fn remember(seen: &Seen<'_>, before: Option<Remember>) -> Option<Remember> {
    let line = seen.line;
    match (line.op, &seen.post) {
        // Two clones that were merged may each have added the entry: the earliest stands, and the
        // other clone's revisions are of a post that nobody shows.
        (Op::Add | Op::Revise, Some(_)) if before.as_ref().is_some_and(|b| is_of_another_clone(line, &b.record)) => {
            before
        }
        (Op::Add | Op::Revise, Some(post)) => written(line, post, before),
        (Op::Import, Some(post)) => imported(line, post, before),
        (Op::Alias | Op::Also, _) => before.map(|before| sighted(line, before)),
        (Op::Forget, _) => None,
        (Op::Add | Op::Revise | Op::Import, _) => before,
    }
}

fn is_of_another_clone(line: &Line, known: &Record) -> bool {
    known.feed.is_some() && (line.op == Op::Add || line.path.as_ref() != Some(&known.path))
}

/// The memory of a post that was added or revised.
fn written(line: &Line, post: &Looked, before: Option<Remember>) -> Option<Remember> {
    let path = line.path.clone()?;
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    let (mut aliases, former) = before.map_or((Vec::new(), None), |b| (b.aliases, Some(b.record)));
    let first = former.as_ref().filter(|_| line.op == Op::Revise);
    let own_date = post.has_own_date && post.date != line.seen;
    let claimed = first.map_or_else(|| own_date.then_some(post.date), |former| former.claimed);
    let record = Record {
        path,
        feed: feed.clone(),
        also: former.as_ref().map(|f| f.also.clone()).unwrap_or_default(),
        title: post.title,
        text: post.text,
        claimed,
        date: post.date,
        seen: first.map_or(line.seen, |former| former.seen),
        guid: line.guid.as_deref().map(Fingerprint::of).or_else(|| former.as_ref().and_then(|f| f.guid)),
        link: post.canonical.as_ref().map(|url| Fingerprint::of(url.as_str())),
        revisions: line.rev.unwrap_or_default(),
        revised: first.map(|_| line.seen),
        id: line.id.clone().or_else(|| former.as_ref().and_then(|f| f.id.clone())),
        rule: first.map_or(line.rule.unwrap_or(6), |former| former.rule),
    };
    aliases.extend(of_link(line, post));
    aliases.extend(named(line));
    aliases.extend(record.id.clone().map(Alias::Published));
    if let (Some(feed), Some(claimed), true) = (&feed, claimed, post.text_is_telling) {
        aliases.push(Alias::Text(feed.clone(), post.title, post.text, claimed.day()));
    }
    Some(Remember { key: line.key, record, aliases, topics: post.topics.clone() })
}

/// The memory of another maker's post. Where several hold one key the earliest stands, and one that
/// a feed brought stands before all of them.
fn imported(line: &Line, post: &Looked, before: Option<Remember>) -> Option<Remember> {
    let path = line.path.clone()?;
    let date = if post.date == Timestamp::default() { line.seen } else { post.date };
    if let Some(before) = before {
        let stands = before.record.feed.is_some() || (before.record.date, &before.record.path) <= (date, &path);
        if stands {
            return Some(before);
        }
    }
    let record = Record {
        path,
        feed: None,
        also: Vec::new(),
        title: post.title,
        text: post.text,
        claimed: post.has_own_date.then_some(date),
        date,
        seen: line.seen,
        guid: None,
        link: post.canonical.as_ref().map(|url| Fingerprint::of(url.as_str())),
        revisions: 0,
        revised: None,
        id: None,
        rule: 6,
    };
    let aliases = of_link(line, post).into_iter().collect();
    Some(Remember { key: line.key, record, aliases, topics: post.topics.clone() })
}

/// How the post's own link leads to a key that is not made of it alone.
///
/// A key that an older canonicaliser made is reached under the address that today's makes; a key
/// with discriminator under link and title.
fn of_link(line: &Line, post: &Looked) -> Option<Alias> {
    let url = post.canonical.clone().filter(|url| EntryKey::of(url.as_str()) != line.key)?;
    let older = line.canon.is_some_and(|version| version != identity::VERSION);
    Some(if older { Alias::Url(url) } else { Alias::Pair(url, post.title) })
}

/// The memory of an entry that came under another guid or address, or in another feed.
fn sighted(line: &Line, before: Remember) -> Remember {
    let Remember { key, mut record, mut aliases, topics } = before;
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    if line.op == Op::Also {
        record.also.extend(feed.filter(|feed| !record.also.contains(feed)));
    } else {
        record.guid = line.guid.as_deref().map(Fingerprint::of).or(record.guid);
        record.link = line.aliases.last().map(|url| Fingerprint::of(url)).or(record.link);
    }
    aliases.extend(named(line));
    Remember { key, record, aliases, topics }
}

/// What a line of `forget` tells.
pub(super) fn takedown(line: &Line) -> Takedown {
    Takedown {
        key: line.key,
        when: line.seen,
        id: line.id.clone(),
        topics: line.topics.iter().filter_map(|topic| TopicId::parse(topic)).collect(),
        marks: line.marks.iter().filter_map(|mark| Fingerprint::from_hex(mark)).collect(),
    }
}

/// The aliases that a line names.
pub(super) fn named(line: &Line) -> Vec<Alias> {
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    let guid = feed.zip(line.guid.clone()).map(|(feed, guid)| Alias::Guid(feed, guid));
    let urls = line.aliases.iter().map(|url| Alias::Url(CanonicalUrl::new(url.clone())));
    guid.into_iter().chain(urls).collect()
}
