//! Takes into the index what the archive holds and the index does not know.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use futures_util::future::try_join;

use crate::archive::{Archive, ArchiveError, Line, Op, Trace};
use crate::config::Config;
use crate::identity::{self, Alias};
use crate::index::{Committed, Index, IndexError, Remember, Takedown};
use crate::maintain::look::{Looked, Looker};
use crate::model::{CanonicalUrl, EntryKey, FeedId, Fingerprint, LedgerPosition, Record, Timestamp, TopicId};
use crate::topic;

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
    let looker = Looker::new(config);
    let mut portions = lines.chunks(PORTION);
    let mut next = match portions.next() {
        Some(portion) => Some((portion, looker.at_lines(archive, portion).await?)),
        None => None,
    };
    let mut done = 0;
    // The posts of a portion are read while the records of the one before it are put.
    while let Some((portion, looked)) = next.take() {
        let following = async {
            let Some(portion) = portions.next() else { return Ok(None) };
            Ok(Some((portion, looker.at_lines(archive, portion).await?)))
        };
        ((), next) = try_join(take(index, config, portion, looked, &known), following).await?;
        done += portion.len();
        progress(done, lines.len());
    }
    index.commit(finished(config, &known, position)).await?;
    Ok(lines.len())
}

/// Removes from the archive what lines that the index does not know bring of entries that were taken down, here or in
/// another clone; says what was out of the ordinary.
pub async fn remove_forgotten<I: Index, A: Archive>(index: &I, archive: &A) -> Result<Vec<String>, IngestError> {
    let (mut position, mut gone) = (index.ledger().await?, BTreeSet::new());
    if position == archive.position().await? {
        return Ok(Vec::new());
    }
    loop {
        let (lines, next) = archive.some_lines_after(&position).await?;
        if next == position {
            break;
        }
        position = next;
        let known = index.forgotten(lines.iter().map(|line| (line.key, Vec::new())).collect()).await?;
        let is_gone = |(line, known): &(&Line, bool)| *known || line.op == Op::Forget;
        gone.extend(lines.iter().zip(known).filter(is_gone).map(|(line, _)| line.key));
    }
    if gone.is_empty() { Ok(Vec::new()) } else { Ok(archive.remove_forgotten(gone).await?) }
}

/// Takes in lines that were just written by whoever knows what their posts say. The index has to
/// know the ledger up to them.
pub(super) async fn take_written<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    lines: &[Line],
    looked: Vec<Option<Looked>>,
) -> Result<(), IngestError> {
    let known = index.ledger().await?;
    take(index, config, lines, looked, &known).await?;
    Ok(index.commit(finished(config, &known, archive.position().await?)).await?)
}

/// The index knows the ledger up to a position; whatever was published may be stale.
fn finished(config: &Config, known: &LedgerPosition, position: LedgerPosition) -> Committed {
    let stale = config.topics.iter().map(|t| t.id.clone()).collect();
    // An index that began empty has seen every post with today's rules.
    let complete = config.topics.iter().map(topic::rule).filter(|_| known.is_empty()).collect();
    Committed { ledger: position, stale, complete, ..Committed::default() }
}

/// Puts what lines and their posts say; the ledger counts as known up to where it was known before.
async fn take<I: Index>(
    index: &I,
    config: &Config,
    lines: &[Line],
    looked: Vec<Option<Looked>>,
    known: &LedgerPosition,
) -> Result<(), IngestError> {
    // Whatever another clone wrote, or somebody copied back: what was taken down does not come back.
    let gone = index.forgotten(lines.iter().map(|line| (line.key, Vec::new())).collect()).await?;
    let seen = lines.iter().zip(looked).zip(gone).filter(|(_, is_gone)| !is_gone);
    let seen = seen.map(|((line, post), _)| Seen { line, post }).collect();
    let records = remember_all(index, seen).await?;
    let topics = topic::rules(&config.topics);
    index.commit(Committed { records, topics, ledger: known.clone(), ..Committed::default() }).await?;
    for line in lines.iter().filter(|line| line.op == Op::Forget) {
        index.forget(takedown(line)).await?;
    }
    Ok(())
}

async fn remember_all<I: Index>(index: &I, seen: Vec<Seen<'_>>) -> Result<Vec<Remember>, IngestError> {
    let keys: Vec<EntryKey> = seen.iter().map(|seen| seen.line.key).collect();
    let found = index.by_keys(keys).await?.into_iter().flatten();
    let mut known: HashMap<EntryKey, Record> = found.map(|found| (found.key, found.record)).collect();
    let mut records: HashMap<EntryKey, Remember> = HashMap::with_capacity(seen.len());
    for seen in seen {
        let key = seen.line.key;
        let recorded = |record| Remember { key, record, aliases: Vec::new(), topics: Vec::new() };
        let before = records.remove(&key).or_else(|| known.remove(&key).map(recorded));
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
        aliases: first.map_or(0, |former| former.aliases),
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
        aliases: 0,
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
        record.aliases += 1;
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
        trace: line.trace.as_ref().and_then(|trace| traced(line, trace)),
    }
}

/// The record of a forgotten entry, as far as the rules of identity need one.
fn traced(line: &Line, trace: &Trace) -> Option<Record> {
    let print = |hex: &Option<String>| hex.as_deref().and_then(Fingerprint::from_hex);
    Some(Record {
        path: String::new(),
        feed: line.feed.as_deref().and_then(FeedId::parse),
        also: Vec::new(),
        title: Fingerprint::from_hex(&trace.title)?,
        text: Fingerprint::from_hex(&trace.text)?,
        claimed: trace.claimed.as_deref().and_then(Timestamp::parse_rfc3339),
        date: line.seen,
        seen: line.seen,
        guid: print(&trace.guid),
        link: print(&trace.link),
        aliases: 0,
        revisions: 0,
        revised: None,
        id: None,
        rule: 6,
    })
}

/// The aliases that a line names.
pub(super) fn named(line: &Line) -> Vec<Alias> {
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    let guid = feed.zip(line.guid.clone()).map(|(feed, guid)| Alias::Guid(feed, guid));
    let urls = line.aliases.iter().map(|url| Alias::Url(CanonicalUrl::new(url.clone())));
    guid.into_iter().chain(urls).collect()
}
