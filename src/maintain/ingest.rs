//! Takes into the index what the archive holds and the index does not know.

use std::collections::HashMap;

use crate::archive::{Archive, ArchiveError, Line, Op};
use crate::identity::{self, Alias, canonical_url};
use crate::index::{Committed, Index, IndexError, Remember};
use crate::model::{CanonicalUrl, EntryKey, FeedId, Fingerprint, Post, PostPath, Record, Topic};
use crate::topic::{self, Subject};
use url::Url;

/// Why the archive could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The index could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Records go to the index in portions of this size.
const PORTION: usize = 5_000;

/// Brings the index up to the archive's ledger; says how many lines it had not known.
///
/// A poll that was killed between files and records leaves such lines; an index that was deleted
/// knows none of them.
pub async fn catch_up<I: Index, A: Archive>(index: &I, archive: &A, topics: &[Topic]) -> Result<usize, IngestError> {
    let known = index.ledger().await?;
    let position = archive.position().await?;
    if known == position {
        return Ok(0);
    }
    let lines = archive.lines_after(&known).await?;
    for portion in lines.chunks(PORTION) {
        let mut records: HashMap<EntryKey, Remember> = HashMap::new();
        for line in portion {
            if let Some(remember) = remember(index, archive, line, &records, topics).await? {
                records.insert(remember.key, remember);
            }
        }
        let records = records.into_values().collect();
        index.commit(Committed { records, ledger: known.clone(), stale: Vec::new() }).await?;
    }
    let stale = topics.iter().map(|t| t.id.clone()).collect();
    index.commit(Committed { records: Vec::new(), ledger: position, stale }).await?;
    Ok(lines.len())
}

async fn remember<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    line: &Line,
    pending: &HashMap<EntryKey, Remember>,
    topics: &[Topic],
) -> Result<Option<Remember>, IngestError> {
    let before = match pending.get(&line.key) {
        Some(remember) => Some(remember.clone()),
        None => index.record(&line.key).await?.map(|record| Remember {
            key: line.key,
            record,
            aliases: vec![],
            topics: vec![],
        }),
    };
    match line.op {
        Op::Add | Op::Revise => {
            let path = line.path.clone().or_else(|| before.as_ref().map(|b| b.record.path.clone()));
            let Some(path) = path.as_deref().and_then(PostPath::parse) else { return Ok(None) };
            match archive.read(&path).await {
                Ok(post) => Ok(Some(written(line, &path, &post, before, topics))),
                // A line whose file is absent was never finished: the entry comes again.
                Err(ArchiveError::Read { cause, .. }) if cause.kind() == std::io::ErrorKind::NotFound => Ok(before),
                Err(error) => Err(error.into()),
            }
        }
        Op::Alias | Op::Also => Ok(before.map(|before| sighted(line, before))),
    }
}

/// The memory of a post that was added or revised.
fn written(line: &Line, path: &PostPath, post: &Post, before: Option<Remember>, topics: &[Topic]) -> Remember {
    let canonical = Url::parse(&post.from).ok().as_ref().and_then(canonical_url);
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    let title = identity::title_fingerprint(&post.title);
    let (text, telling) = identity::text_fingerprint(&post.body);
    let made = post.claimed.is_some() || post.date == line.seen;
    let (mut aliases, former) = before.map_or((Vec::new(), None), |b| (b.aliases, Some(b.record)));
    let first = former.as_ref().filter(|_| line.op == Op::Revise);
    let claimed = first.map_or_else(|| (!made).then_some(post.date), |former| former.claimed);
    let record = Record {
        path: path.to_string(),
        feed: feed.clone(),
        also: former.as_ref().map(|f| f.also.clone()).unwrap_or_default(),
        title,
        text,
        claimed,
        date: post.date,
        seen: first.map_or(line.seen, |former| former.seen),
        guid: line.guid.as_deref().map(Fingerprint::of).or_else(|| former.as_ref().and_then(|f| f.guid)),
        link: canonical.as_ref().map(|url| Fingerprint::of(url.as_str())),
        revisions: line.rev.unwrap_or_default(),
        revised: first.map(|_| line.seen),
        id: line.id.clone().or_else(|| former.as_ref().and_then(|f| f.id.clone())),
        rule: first.map_or(line.rule.unwrap_or(6), |former| former.rule),
    };
    if let Some(url) = canonical.filter(|url| EntryKey::of(url.as_str()) != line.key) {
        aliases.push(Alias::Pair(url, title));
    }
    aliases.extend(named(line));
    aliases.extend(record.id.clone().map(Alias::Published));
    if let (Some(feed), Some(claimed), true) = (&feed, claimed, telling) {
        aliases.push(Alias::Text(feed.clone(), title, text, claimed.day()));
    }
    let subject = Subject::of_post(post, feed.as_ref());
    let topics = topics.iter().map(|t| (topic::rule(t), topic::belongs(&subject, t))).collect();
    Remember { key: line.key, record, aliases, topics }
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

/// The aliases that a line names.
fn named(line: &Line) -> Vec<Alias> {
    let feed = line.feed.as_deref().and_then(FeedId::parse);
    let guid = feed.zip(line.guid.clone()).map(|(feed, guid)| Alias::Guid(feed, guid));
    let urls = line.aliases.iter().map(|url| Alias::Url(CanonicalUrl::new(url.clone())));
    guid.into_iter().chain(urls).collect()
}
