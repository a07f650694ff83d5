//! A plan turned into what the archive writes and what the index remembers.

use crate::archive::{Batch, Kept, Line, Op, RawAnswer, RawFragment, RawPoll, SourceLine};
use crate::identity::{self, Alias, Identity};
use crate::index::Remember;
use crate::model::{FeedSource, Fingerprint, Post, PostPath, Record, Revisions, Timestamp, Topic};
use crate::plan::{self, Change, Plan, Sighting};
use crate::post;
use crate::topic::{self, Matcher};

/// A post together with what is to be remembered of it once it is written.
pub struct Draft {
    change: Change,
    post: Post,
}

/// Makes the posts of a plan's new and revised entries.
pub fn drafts(plan: &mut Plan, source: &FeedSource, seen: Timestamp) -> Vec<Draft> {
    let changes = plan.new.drain(..).chain(plan.revised.drain(..));
    changes
        .map(|change| {
            let mut post = post::from_entry(change.entry.clone(), change.key, source);
            if let Some(former) = &change.former {
                as_revision(&mut post, former.date, seen);
            }
            Draft { change, post }
        })
        .collect()
}

/// A later version of a post: its path holds its date, so both stay as they are.
pub fn as_revision(post: &mut Post, date: Timestamp, seen: Timestamp) {
    post.updated = post.updated.or(Some(seen));
    post.date = date;
    post.claimed = None;
}

/// What the archive has to write for one poll of a feed.
pub fn batch(
    drafts: &[Draft],
    sightings: &[Sighting],
    feed: &FeedSource,
    seen: Timestamp,
    source: Option<SourceLine>,
) -> Batch {
    Batch {
        posts: drafts.iter().map(|draft| kept(draft, feed, seen)).collect(),
        adopted: Vec::new(),
        feeds: Vec::new(),
        notes: sightings.iter().map(|sighting| note(sighting, feed, seen)).collect(),
        source,
        raw: None,
    }
}

/// The sources of the written entries, as far as the document could be taken apart.
pub fn raw(drafts: &[Draft], sources: &[Option<String>], answer: RawAnswer) -> Option<RawPoll> {
    let fragment = |draft: &Draft| {
        let change = &draft.change;
        let rev = change.former.as_ref().map(|former| former.revisions + 1);
        let op = if rev.is_some() { Op::Revise } else { Op::Add };
        let source = sources.get(change.place)?.clone()?;
        Some(RawFragment { key: change.key, op, rev, source })
    };
    let fragments: Vec<RawFragment> = drafts.iter().filter_map(fragment).collect();
    (!fragments.is_empty()).then_some(RawPoll { answer, fragments })
}

fn kept(draft: &Draft, feed: &FeedSource, seen: Timestamp) -> Kept {
    let change = &draft.change;
    let common = Line {
        feed: Some(feed.id.to_string()),
        rule: Some(change.rule),
        guid: change.identity.guid.clone(),
        ..Line::new(Op::Add, seen, change.key)
    };
    match &change.former {
        None => {
            let line = Line { id: change.id.clone(), canon: Some(identity::VERSION), ..common };
            Kept { post: draft.post.clone(), replaces: None, line }
        }
        Some(former) => {
            let rev = former.revisions + 1;
            let aliases = new_address(&change.identity, change.key, former);
            let line = Line { op: Op::Revise, rev: Some(rev), aliases, ..common };
            let number = Some(rev).filter(|_| feed.revisions == Revisions::Keep);
            let replaces = PostPath::parse(&former.path).map(|path| (path, number));
            Kept { post: draft.post.clone(), replaces, line }
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
pub fn remember(draft: &Draft, line: &Line, topics: &Matcher) -> Remember {
    let Draft { change, post } = draft;
    let identity = &change.identity;
    let moved = change.former.as_ref().is_some_and(|former| plan::is_new_address(identity, change.key, former));
    let mut aliases = plan::aliases(identity, change.key, moved);
    aliases.extend(change.id.clone().map(Alias::Published));
    let fresh = Record {
        path: line.path.clone().unwrap_or_default(),
        feed: Some(identity.feed.clone()),
        also: Vec::new(),
        title: identity.title,
        text: identity.text,
        claimed: identity.claimed,
        date: post.date,
        seen: line.seen,
        guid: identity.guid_fingerprint(),
        link: identity.link_fingerprint(),
        revisions: 0,
        revised: None,
        id: change.id.clone(),
        rule: change.rule,
    };
    let record = match &change.former {
        None => fresh,
        Some(former) => Record {
            also: former.also.clone(),
            seen: former.seen,
            revisions: line.rev.unwrap_or(former.revisions + 1),
            claimed: former.claimed,
            revised: Some(line.seen),
            id: former.id.clone(),
            rule: former.rule,
            ..fresh
        },
    };
    let topics = topics.belongs(post, record.feed.as_ref());
    Remember { key: change.key, record, aliases, topics }
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
