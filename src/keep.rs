//! A plan turned into what the archive writes and what the index remembers.

use crate::archive::{Batch, Kept, Line, Op, RawAnswer, RawFragment, RawPoll, SourceLine};
use crate::identity::{self, Alias, Identity};
use crate::index::Remember;
use crate::model::{EntryKey, FeedSource, Fingerprint, Post, PostPath, Record, Revisions, Timestamp, Topic};
use crate::plan::{self, Change, Plan, Sighting};
use crate::post;
use crate::topic::{self, Matcher};

/// A post together with what is to be remembered of it once it is written.
pub struct Draft {
    decided: Decided,
    post: Post,
    topics: Vec<(Fingerprint, bool)>,
}

/// What was decided about an entry.
struct Decided {
    identity: Identity,
    key: EntryKey,
    rule: u8,
    former: Option<Record>,
    id: Option<String>,
    /// The place of its entry in the document.
    place: usize,
    /// The post's.
    date: Timestamp,
}

/// What has to be remembered once the post is written.
pub struct Written {
    decided: Decided,
    topics: Vec<(Fingerprint, bool)>,
}

/// Makes the posts of a plan's new and revised entries.
pub fn drafts(plan: &mut Plan, source: &FeedSource, seen: Timestamp, topics: &Matcher) -> Vec<Draft> {
    let changes = plan.new.drain(..).chain(plan.revised.drain(..));
    changes
        .map(|change| {
            let Change { entry, identity, key, rule, former, id, place } = change;
            let mut post = post::from_entry(entry, key, source);
            if let Some(former) = &former {
                as_revision(&mut post, former.date, seen);
            }
            let topics = topics.belongs(&post, Some(&identity.feed));
            Draft { decided: Decided { identity, key, rule, former, id, place, date: post.date }, post, topics }
        })
        .collect()
}

/// A later version of a post: its path holds its date, so both stay as they are.
pub fn as_revision(post: &mut Post, date: Timestamp, seen: Timestamp) {
    post.updated = post.updated.or(Some(seen));
    post.date = date;
    post.claimed = None;
}

/// What the archive has to write for one poll of a feed, and what follows from it.
pub fn batch(
    drafts: Vec<Draft>,
    sightings: &[Sighting],
    feed: &FeedSource,
    seen: Timestamp,
    source: Option<SourceLine>,
) -> (Batch, Vec<Written>) {
    let (mut posts, mut written) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
    for Draft { decided, post, topics } in drafts {
        posts.push(kept(&decided, post, feed, seen));
        written.push(Written { decided, topics });
    }
    let notes = sightings.iter().map(|sighting| note(sighting, feed, seen)).collect();
    (Batch { posts, notes, source, ..Batch::default() }, written)
}

/// The sources of the written entries, as far as the document could be taken apart.
pub fn raw(written: &[Written], mut sources: Vec<Option<String>>, answer: RawAnswer) -> Option<RawPoll> {
    let fragment = |Written { decided, .. }: &Written| {
        let rev = decided.former.as_ref().map(|former| former.revisions + 1);
        let op = if rev.is_some() { Op::Revise } else { Op::Add };
        let source = sources.get_mut(decided.place)?.take()?;
        Some(RawFragment { key: decided.key, op, rev, source })
    };
    let fragments: Vec<RawFragment> = written.iter().filter_map(fragment).collect();
    (!fragments.is_empty()).then_some(RawPoll { answer, fragments })
}

fn kept(decided: &Decided, post: Post, feed: &FeedSource, seen: Timestamp) -> Kept {
    let common = Line {
        feed: Some(feed.id.to_string()),
        rule: Some(decided.rule),
        guid: decided.identity.guid.clone(),
        ..Line::new(Op::Add, seen, decided.key)
    };
    match &decided.former {
        None => {
            let line = Line { id: decided.id.clone(), canon: Some(identity::VERSION), ..common };
            Kept { post, replaces: None, line }
        }
        Some(former) => {
            let rev = former.revisions + 1;
            let aliases = new_address(&decided.identity, decided.key, former);
            let line = Line { op: Op::Revise, rev: Some(rev), aliases, ..common };
            let number = Some(rev).filter(|_| feed.revisions == Revisions::Keep);
            let replaces = PostPath::parse(&former.path).map(|path| (path, number));
            Kept { post, replaces, line }
        }
    }
}

fn note(sighting: &Sighting, feed: &FeedSource, seen: Timestamp) -> Line {
    let op = if sighting.also { Op::Also } else { Op::Alias };
    Line {
        feed: Some(feed.id.to_string()),
        rule: Some(sighting.rule),
        guid: sighting.identity.guid.clone().filter(|_| sighting.new_guid),
        aliases: new_address(&sighting.identity, sighting.key, &sighting.record),
        ..Line::new(op, seen, sighting.key)
    }
}

fn new_address(identity: &Identity, key: crate::model::EntryKey, record: &Record) -> Vec<String> {
    let is_new = plan::is_new_address(identity, key, record);
    identity.canonical.iter().filter(|_| is_new).map(ToString::to_string).collect()
}

/// What the index has to remember of a written post. `line` is what the archive wrote of it.
pub fn remember(written: Written, line: &Line) -> Remember {
    let Written { decided, topics } = written;
    let Decided { identity, key, rule, former, id, date, .. } = decided;
    let moved = former.as_ref().is_some_and(|former| plan::is_new_address(&identity, key, former));
    let mut aliases = plan::aliases(&identity, key, moved);
    aliases.extend(id.clone().map(Alias::Published));
    let fresh = Record {
        path: line.path.clone().unwrap_or_default(),
        also: Vec::new(),
        title: identity.title,
        text: identity.text,
        claimed: identity.claimed,
        date,
        seen: line.seen,
        guid: identity.guid_fingerprint(),
        link: identity.link_fingerprint(),
        aliases: 0,
        revisions: line.rev.unwrap_or_default(),
        revised: None,
        id,
        rule,
        feed: Some(identity.feed),
    };
    let record = match former {
        None => fresh,
        Some(former) => Record {
            also: former.also,
            seen: former.seen,
            aliases: former.aliases,
            revisions: line.rev.unwrap_or(former.revisions + 1),
            claimed: former.claimed,
            revised: Some(line.seen),
            id: former.id,
            rule: former.rule,
            ..fresh
        },
    };
    Remember { key, record, aliases, topics }
}

/// What the index has to remember of a known entry that came in another way.
pub fn remember_sighting(sighting: &Sighting) -> Remember {
    let mut record = sighting.record.clone();
    let identity = &sighting.identity;
    if sighting.also {
        record.also.push(identity.feed.clone());
    } else {
        record.guid = identity.guid_fingerprint().or(record.guid);
        record.link = identity.link_fingerprint().filter(|_| !identity.link_is_shared).or(record.link);
        record.aliases += 1;
    }
    let aliases = plan::aliases(identity, sighting.key, sighting.new_address);
    Remember { key: sighting.key, record, aliases, topics: Vec::new() }
}

/// Rules of topics that one of these entries belongs to, or may have left.
pub fn touched(remembered: &[Remember], topics: &[Topic]) -> Vec<crate::model::TopicId> {
    let touches = |rule: Fingerprint| {
        remembered
            .iter()
            .any(|r| r.topics.iter().any(|(of, belongs)| *of == rule && (*belongs || r.record.revisions > 0)))
    };
    topics.iter().filter(|t| touches(topic::rule(t))).map(|t| t.id.clone()).collect()
}
