//! Makes posts again from the raw fragments and reports what comes out differently: how a changed
//! reader or sanitiser is tried on everything that ever came in.

use std::collections::HashMap;

use crate::archive::{Archive, ArchiveError, Line, Op, RawFragment, RawPoll};
use crate::config::{Config, Feed};
use crate::keep;
use crate::model::{EntryKey, LedgerPosition, Post, PostPath};
use crate::normalize;
use crate::post;
use crate::read::{self, Envelope, Hints};

/// What a replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Posts that come out byte for byte.
    pub same: usize,
    /// One sentence for each that does not.
    pub different: Vec<String>,
}

/// Replays every raw file of the archive; only the last version of an entry is compared.
pub async fn archive<A: Archive>(archive: &A, config: &Config) -> Result<Replayed, ArchiveError> {
    let lines = archive.lines_after(&LedgerPosition::default()).await?;
    let mut last: HashMap<EntryKey, &Line> = HashMap::new();
    for line in lines.iter().filter(|line| matches!(line.op, Op::Add | Op::Revise)) {
        last.insert(line.key, line);
    }
    let mut done = Replayed::default();
    for path in archive.raw_paths().await? {
        let poll = archive.raw(&path).await?;
        let Some(feed) = config.feeds.iter().find(|feed| feed.source.id.as_str() == poll.answer.feed) else {
            done.different.push(format!("`{path}`: the config has no feed `{}` any more", poll.answer.feed));
            continue;
        };
        for fragment in &poll.fragments {
            let Some(line) = last.get(&fragment.key).filter(|line| line.rev == fragment.rev) else { continue };
            let Some(at) = line.path.as_deref().and_then(PostPath::parse) else { continue };
            let Ok(kept) = archive.read(&at).await else { continue };
            match made_again(feed, &poll, fragment, &kept) {
                Ok(made) if post::to_text(&made) == post::to_text(&kept) => done.same += 1,
                Ok(made) => done.different.push(format!("`{at}`: {}", difference(&kept, &made))),
                Err(cause) => done.different.push(format!("`{at}`: {cause}")),
            }
        }
    }
    Ok(done)
}

/// The post as today's program makes it from its source.
fn made_again(feed: &Feed, poll: &RawPoll, fragment: &RawFragment, kept: &Post) -> Result<Post, String> {
    let envelope = Envelope::from_text(&poll.answer.envelope).ok_or("its envelope cannot be read")?;
    let document = envelope.wrap(&fragment.source);
    let base =
        poll.answer.url.as_deref().and_then(|url| url::Url::parse(url).ok()).unwrap_or_else(|| feed.source.url.clone());
    // The fragments are text already: whatever the feed's encoding was, it is UTF-8 now.
    let encoding = Some("utf-8".to_owned());
    let hints = Hints { encoding, language: feed.source.language.clone(), ..Hints::at(base.clone()) };
    let read = read::feed(document.as_bytes(), &hints).map_err(|e| e.to_string())?;
    let meta = normalize::meta(&read.meta, &base);
    let raw = read.entries.into_iter().next().ok_or("its source holds no entry")?;
    let seen = poll.answer.seen;
    let entry = normalize::entry(&feed.source, &feed.cuts, &base, raw, meta.language.as_deref(), seen)
        .map_err(|e| e.to_string())?;
    let mut made = post::from_entry(entry, fragment.key, &feed.source);
    if fragment.rev.is_some() {
        keep::as_revision(&mut made, kept.date, seen);
    }
    Ok(made)
}

/// The first part of a post that differs.
fn difference(kept: &Post, made: &Post) -> String {
    let parts = [
        ("title", kept.title != made.title),
        ("date", kept.date != made.date),
        ("author", kept.author != made.author),
        ("link", kept.from != made.from),
        ("tags", kept.tags != made.tags),
        ("body", kept.body != made.body),
    ];
    let named: Vec<&str> = parts.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect();
    if named.is_empty() {
        "other front matter differs".to_owned()
    } else {
        format!("{} would differ", named.join(", "))
    }
}
