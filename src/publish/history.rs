//! The complete history of a topic, sealed a hundred versions at a time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::facts::Facts;
use super::making::Making;
use super::{Outcome, PublishError, Publisher, entry};
use crate::archive::{Archive, Line, Op, SiteFacts};
use crate::history::{self, History, Version};
use crate::index::{Index, Takedown};
use crate::maintain::look;
use crate::model::{EntryKey, Format, Found, LedgerPosition, Post, Publish, Record, Topic, TopicId};
use crate::output::{self, Deleted};
use crate::topic::{self, Matcher};

/// A topic and how far its history goes.
pub(super) struct Going<'a> {
    pub(super) topic: &'a Topic,
    generation: String,
    pub(super) history: History,
    /// Entries that were taken down out of the topic.
    forgotten: HashMap<EntryKey, Takedown>,
}

impl Going<'_> {
    /// Under which name the index knows the history: two topics may have one rule.
    fn name(&self) -> String {
        format!("{}/{}", self.topic.id, self.generation)
    }

    /// Where a sealed document lies.
    fn path(&self, number: u64) -> String {
        format!("{}/history/{}/{number}.xml", self.topic.id, self.generation)
    }

    /// The newest sealed document.
    pub(super) fn newest(&self) -> Option<String> {
        (self.history.sealed > 0).then(|| self.path(self.history.sealed))
    }
}

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// Brings the histories of topics up to the ledger; `anew` makes all their documents again.
    pub(super) async fn histories<'t>(
        &self,
        topics: &[&'t Topic],
        anew: bool,
        facts: &Arc<Facts>,
        outcome: &mut Outcome,
    ) -> Result<Vec<Going<'t>>, PublishError> {
        let mut all = Vec::with_capacity(topics.len());
        for topic in topics {
            all.push(self.going(topic, anew).await?);
        }
        let end = self.archive.position().await?;
        // Most topics have read the same part of the ledger.
        let mut behind: BTreeMap<LedgerPosition, Vec<usize>> = BTreeMap::new();
        for (place, going) in all.iter().enumerate().filter(|(_, going)| going.history.ledger != end) {
            behind.entry(going.history.ledger.clone()).or_default().push(place);
        }
        for (mut position, places) in behind {
            loop {
                let (lines, next) = self.archive.some_lines_after(&position).await?;
                if next == position {
                    break;
                }
                position = next;
                let mut group: Vec<&mut Going<'_>> =
                    all.iter_mut().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, g)| g).collect();
                self.take(&lines, &mut group, facts, outcome).await?;
                self.site.settle()?;
            }
            for place in places {
                all[place].history.ledger.clone_from(&position);
                all[place].history.age();
                self.put(&all[place]).await?;
            }
        }
        Ok(all)
    }

    async fn put(&self, going: &Going<'_>) -> Result<(), PublishError> {
        Ok(self.index.put_history(&going.name(), going.history.clone()).await?)
    }

    /// How far a topic's history goes; it begins anew where documents are missing.
    async fn going<'t>(&self, topic: &'t Topic, anew: bool) -> Result<Going<'t>, PublishError> {
        let rule = topic::rule(topic).hex();
        let version = super::RENDERER.to_string();
        // What a feed lets others see of it is fixed in a document, too.
        let generation = history::generation(&[&rule, self.config.site.url.as_str(), &version, &self.limited()]);
        let forgotten = self.index.taken_down(&topic.id, usize::MAX).await?;
        let forgotten = forgotten.into_iter().map(|takedown| (takedown.key, takedown)).collect();
        let mut going = Going { topic, generation, history: History::default(), forgotten };
        if !anew && let Some(history) = self.index.history(&going.name()).await? {
            let newest = (history.sealed > 0).then(|| going.path(history.sealed));
            if newest.is_none_or(|path| self.site.has(&path)) {
                going.history = history;
            }
        }
        Ok(going)
    }

    /// Takes ledger lines in, for topics that have all read the ledger up to them.
    async fn take(
        &self,
        lines: &[Line],
        group: &mut [&mut Going<'_>],
        facts: &Arc<Facts>,
        outcome: &mut Outcome,
    ) -> Result<(), PublishError> {
        let lines: Vec<&Line> =
            lines.iter().filter(|line| matches!(line.op, Op::Add | Op::Revise | Op::Import)).collect();
        let found = self.index.by_keys(lines.iter().map(|line| line.key).collect()).await?;
        let former = self.former_members(&lines, &found, group, facts, outcome).await?;
        let known = found.iter().flatten().map(|found| (found.key, found)).collect();
        let mut making = Making::default();
        for going in group {
            let current = self.members(going.topic, &found).await?;
            for (place, line) in lines.iter().enumerate() {
                let belongs = match (&found[place], former.get(&place)) {
                    (None, _) => going.forgotten.contains_key(&line.key),
                    (Some(_), None) => current[place],
                    (Some(_), Some(topics)) => topics.contains(&going.topic.id),
                };
                if belongs {
                    going.history.take(facts.version(line));
                    self.seal(going, &known, facts, &mut making, outcome).await?;
                }
            }
        }
        while self.write_next(&mut making, outcome).await? {}
        Ok(())
    }

    /// Writes the first of the documents in hand; false when there is none.
    async fn write_next(&self, making: &mut Making, outcome: &mut Outcome) -> Result<bool, PublishError> {
        let Some((path, bytes)) = making.next().await? else { return Ok(false) };
        self.replace(&path, &bytes, outcome)?;
        Ok(true)
    }

    /// Whether each entry belongs to a topic as it is now.
    async fn members(&self, topic: &Topic, found: &[Option<Found>]) -> Result<Vec<bool>, PublishError> {
        let entries = found.iter().flatten().map(|found| (found.record.date, found.key)).collect();
        let mut members = self.index.members(topic::rule(topic), entries).await?.into_iter();
        Ok(found.iter().map(|found| found.is_some() && members.next().unwrap_or(false)).collect())
    }

    /// The topics of versions that are no longer the entry's latest, by the place of their line: what the index knows
    /// is of the latest.
    async fn former_members(
        &self,
        lines: &[&Line],
        found: &[Option<Found>],
        group: &[&mut Going<'_>],
        facts: &Facts,
        outcome: &mut Outcome,
    ) -> Result<HashMap<usize, Vec<TopicId>>, PublishError> {
        let matcher = Matcher::new(group.iter().map(|going| going.topic));
        let mut members = HashMap::new();
        for (place, (line, found)) in lines.iter().zip(found).enumerate() {
            let Some(found) = found.as_ref().filter(|found| found.record.revisions > line.rev.unwrap_or(0)) else {
                continue;
            };
            let Some(post) = self.post_of(found, facts.version(line), outcome).await? else { continue };
            let owner = found.record.feed.clone().or_else(|| look::owner(&post, self.config));
            let belongs = group.iter().zip(matcher.belongs(&post, owner.as_ref()));
            let topics = belongs.filter(|(_, (_, belongs))| *belongs).map(|(going, _)| going.topic.id.clone());
            members.insert(place, topics.collect());
        }
        Ok(members)
    }

    /// The post as it was in a version. One that was not kept is shown as it is now.
    async fn post_of(
        &self,
        found: &Found,
        version: Version,
        outcome: &mut Outcome,
    ) -> Result<Option<Post>, PublishError> {
        for number in version.rev + 1..=found.record.revisions {
            if let Some(post) = self.archive.former(&found.key, number).await? {
                return Ok(Some(Post { date: found.record.date, ..post }));
            }
        }
        self.post(&found.record, outcome).await
    }

    /// Begins the documents for which there are enough versions. `known` is what the index says of the latest lines.
    async fn seal(
        &self,
        going: &mut Going<'_>,
        known: &HashMap<EntryKey, &Found>,
        facts: &Arc<Facts>,
        making: &mut Making,
        outcome: &mut Outcome,
    ) -> Result<(), PublishError> {
        while let Some(versions) = going.history.full().map(<[Version]>::to_vec) {
            if making.is_full() {
                self.write_next(making, outcome).await?;
            }
            let (entries, deleted) = self.versions(going, &versions, known, facts, outcome).await?;
            let number = going.history.sealed + 1;
            let sealed = self.sealed(going, number, &versions, facts);
            let facts = Arc::clone(facts);
            making.begin(going.path(number), move || {
                let published =
                    entries.into_iter().map(|(shown, post, found)| entry::published(post, shown, None, &found, &facts));
                output::sealed(&sealed, &published.collect::<Vec<_>>(), &deleted)
            });
            going.history.seal();
        }
        Ok(())
    }

    /// What a document shows of its versions, and tells of those that were taken down.
    async fn versions(
        &self,
        going: &Going<'_>,
        versions: &[Version],
        known: &HashMap<EntryKey, &Found>,
        facts: &Facts,
        outcome: &mut Outcome,
    ) -> Result<(Vec<(Publish, Post, Found)>, Vec<Deleted>), PublishError> {
        let (mut entries, mut deleted) = (Vec::with_capacity(versions.len()), BTreeMap::new());
        let mut found: Vec<Option<Found>> = versions.iter().map(|v| known.get(&v.key).copied().cloned()).collect();
        if found.iter().any(Option::is_none) {
            found = self.index.by_keys(versions.iter().map(|version| version.key).collect()).await?;
        }
        let latest = versions.iter().zip(&found).map(|(version, found)| latest(*version, found.as_ref()));
        let latest = self.posts(latest, outcome).await?;
        for ((version, found), post) in versions.iter().zip(found).zip(latest) {
            if let Some(mut found) = found {
                let post = match post {
                    Some(post) => Some(post),
                    None => self.post_of(&found, *version, outcome).await?,
                };
                found.record.revised = (version.rev > 0).then_some(version.seen);
                entries.extend(post.map(|post| (self.shown(&post, &found, facts), post, found)));
            } else if let Some(takedown) = going.forgotten.get(&version.key) {
                let gone = told(takedown, &facts.site);
                deleted.insert(gone.id.clone(), gone);
            }
        }
        Ok((entries, deleted.into_values().collect()))
    }

    /// What a sealed document says of itself: nothing that the operator may change later.
    fn sealed(&self, going: &Going<'_>, number: u64, versions: &[Version], facts: &Facts) -> output::Sealed {
        let address = |path: &str| format!("{}{path}", self.config.site.url);
        output::Sealed {
            id: super::topic_id(&facts.site, going.topic),
            title: going.topic.id.to_string(),
            publisher: facts.site.tag_authority.clone(),
            updated: versions.iter().map(|version| version.seen).max().unwrap_or_default(),
            self_url: address(&going.path(number)),
            current: address(&super::path(going.topic, Format::Atom)),
            previous: (number > 1).then(|| address(&going.path(number - 1))),
        }
    }
}

/// The record of an entry whose version is its latest.
fn latest(version: Version, found: Option<&Found>) -> Option<&Record> {
    found.map(|found| &found.record).filter(|record| record.revisions <= version.rev)
}

/// A takedown as readers are told of it.
pub(super) fn told(takedown: &Takedown, facts: &SiteFacts) -> Deleted {
    let id = takedown.id.clone().unwrap_or_else(|| entry::id(facts, takedown.key));
    Deleted { id, when: takedown.when }
}
