//! Posts to topic feeds, only for topics that changed.

mod history;
mod select;

use url::Url;

use self::history::{Facts, Going, told};
use self::select::Selected;
use crate::archive::{Archive, ArchiveError, SiteFacts, SourceLine};
use crate::config::Config;
use crate::index::{Index, IndexError};
use crate::maintain::look;
use crate::model::{EntryKey, Fingerprint, Found, Post, PostPath, Record, Timestamp, Topic};
use crate::normalize::html;
use crate::output::{self, Channel, Deleted, Published, SourceFacts};
use crate::site::{Replaced, Site, SiteError};
use crate::topic::{self, Matcher};

/// Version of the rendering: a change publishes every topic anew.
const RENDERER: u32 = 2;

/// Takedowns that a topic's feed tells of, the latest first.
const TOMBSTONES: usize = 100;

/// Why publishing stopped.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The archive could not be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file could not be written.
    #[error(transparent)]
    Site(#[from] SiteError),
}

/// What publishing needs to know and touch.
#[derive(Clone, Debug)]
pub struct Publisher<'a, I, A> {
    /// Topics and the site's address.
    pub config: &'a Config,
    /// Which posts belong where.
    pub index: &'a I,
    /// The posts.
    pub archive: &'a A,
    /// The published files.
    pub site: &'a Site,
}

/// What publishing did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Files with new bytes.
    pub changed: usize,
    /// Posts that could not be read, with the reason.
    pub unreadable: Vec<String>,
}

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// Publishes the given topics: those that are stale, or all when `all` says so.
    pub async fn topics(&self, topics: &[Topic], all: bool, now: Timestamp) -> Result<Outcome, PublishError> {
        let mut outcome = Outcome::default();
        let mut stale = Vec::new();
        for topic in topics {
            let fresh = self.index.published(&topic.id).await? == Some(self.made_from(topic));
            if all || !fresh || !self.site.has(&atom_path(topic)) {
                stale.push(topic);
            }
        }
        if stale.is_empty() {
            return Ok(outcome);
        }
        let facts = self.site_facts(now).await?;
        let sources = self.archive.sources().await?;
        self.apply_new_rules(&stale, &mut outcome).await?;
        let facts = Facts { site: &facts, sources: &sources };
        for going in self.histories(&stale, all, &facts, &mut outcome).await? {
            self.topic(&going, &facts, &mut outcome).await?;
        }
        Ok(outcome)
    }

    async fn site_facts(&self, now: Timestamp) -> Result<SiteFacts, PublishError> {
        let authority = self.config.site.url.host_str().unwrap_or("localhost");
        Ok(self.archive.site_facts(authority, now).await?)
    }

    /// Topics whose rule the index has never applied are matched against the whole archive, all of
    /// them in one pass.
    async fn apply_new_rules(&self, topics: &[&Topic], outcome: &mut Outcome) -> Result<(), PublishError> {
        let mut unknown = Vec::new();
        for topic in topics {
            if self.index.newest(topic::rule(topic), 0).await?.is_none() {
                unknown.push(*topic);
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let matcher = Matcher::new(unknown.iter().copied());
        let mut members = vec![Vec::new(); unknown.len()];
        for Found { key, record } in self.index.all().await? {
            let Some(post) = self.post(&record, outcome).await? else { continue };
            let owner = record.feed.clone().or_else(|| look::owner(&post, self.config));
            for (members, (_, belongs)) in members.iter_mut().zip(matcher.belongs(&post, owner.as_ref())) {
                if belongs {
                    members.push((record.date, key));
                }
            }
        }
        for (topic, members) in unknown.into_iter().zip(members) {
            self.index.put_topic(topic::rule(topic), members).await?;
        }
        Ok(())
    }

    async fn topic(&self, going: &Going<'_>, facts: &Facts<'_>, outcome: &mut Outcome) -> Result<(), PublishError> {
        let topic = going.topic;
        let selected = self.select(going, outcome).await?;
        let mut entries = Vec::with_capacity(selected.len());
        for Selected { found, post, related } in selected {
            let change = if topic.changes { self.change(&post, &found).await? } else { None };
            entries.push(Published { related, ..published(post, change, &found, facts.site, facts.sources) });
        }
        let gone = self.index.taken_down(&topic.id, TOMBSTONES).await?;
        let gone: Vec<Deleted> = gone.iter().map(|takedown| told(takedown, facts)).collect();
        let bytes = output::atom(&self.channel(going, facts.site), &entries, &gone);
        if self.site.replace(&atom_path(topic), &bytes)? == Replaced::Changed {
            outcome.changed += 1;
        }
        self.index.put_published(&topic.id, self.made_from(topic)).await?;
        Ok(())
    }

    /// What the last revision changed, while the former version is still there.
    async fn change(&self, post: &Post, found: &Found) -> Result<Option<String>, PublishError> {
        let Some(revised) = found.record.revised else { return Ok(None) };
        let former = self.archive.former(&found.key, found.record.revisions).await?;
        Ok(former.and_then(|former| output::difference(&former, post, revised)))
    }

    /// A post that is gone or unreadable costs itself only.
    async fn post(&self, record: &Record, outcome: &mut Outcome) -> Result<Option<Post>, PublishError> {
        let Some(path) = PostPath::parse(&record.path) else { return Ok(None) };
        match self.archive.read(&path).await {
            // Another maker's post may have no date of its own.
            Ok(post) => Ok(Some(Post { date: record.date, ..post })),
            // A disk that does not answer must not look like an archive that lost its posts: the
            // topic would be published without them, and stay so.
            Err(error @ ArchiveError::Read { .. }) if !error.is_absence() => Err(error.into()),
            Err(error) => {
                let sentence = error.to_string();
                if !outcome.unreadable.contains(&sentence) {
                    outcome.unreadable.push(sentence);
                }
                Ok(None)
            }
        }
    }

    fn channel(&self, going: &Going<'_>, facts: &SiteFacts) -> Channel {
        let (site, topic) = (&self.config.site, going.topic);
        Channel {
            id: topic_id(facts, topic),
            previous: going.newest().map(|path| format!("{}{path}", site.url)),
            title: topic.title.clone(),
            publisher: site.author.clone().unwrap_or_else(|| site.title.clone()),
            language: site.language.clone(),
            self_url: format!("{}{}", site.url, atom_path(topic)),
            founded: Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", facts.tag_date)).unwrap_or_default(),
        }
    }

    /// Names everything in the config that the topic's files depend on.
    fn made_from(&self, topic: &Topic) -> Fingerprint {
        let site = &self.config.site;
        let Topic { id, title, limit, max_age, per_feed_limit, fold, changes, .. } = topic;
        let rule = topic::rule(topic).hex();
        Fingerprint::of(&format!(
            "{RENDERER}\n{rule}\n{id}\n{title}\n{limit}\n{max_age:?}\n{per_feed_limit:?}\n{fold}\n{changes}\n{}\n{:?}\n{:?}\n{}",
            site.url, site.author, site.language, site.title
        ))
    }
}

fn topic_id(facts: &SiteFacts, topic: &Topic) -> String {
    tag(facts, &format!("topic/{}", topic.id))
}

fn atom_path(topic: &Topic) -> String {
    format!("{}/atom.xml", topic.id)
}

fn published(
    mut post: Post,
    change: Option<String>,
    found: &Found,
    facts: &SiteFacts,
    sources: &[SourceLine],
) -> Published {
    let record = &found.record;
    let source = record.feed.as_ref().and_then(|feed| source_facts(sources, facts, feed.as_str(), record.seen));
    // A post may have been edited since it was written; what leaves is made safe again.
    post.body = html::for_readers(&post, base(&post, source.as_ref()).as_ref());
    if post.author.trim().is_empty() {
        // RFC 4287 section 4.1.2 wants an author; another maker's post may name none.
        post.author = post.categories.first().cloned().unwrap_or_else(|| facts.tag_authority.clone());
    }
    if let Some(change) = change {
        post.body.insert_str(0, &change);
    }
    let updated = [Some(post.date), post.updated, record.revised].into_iter().flatten().max().unwrap_or(post.date);
    let id = record.id.clone().unwrap_or_else(|| entry_id(facts, found.key));
    Published { id, source, related: Vec::new(), post, updated }
}

/// Where relative addresses begin: at the entry's page; where it has none, at its source.
fn base(post: &Post, source: Option<&SourceFacts>) -> Option<Url> {
    let of_source = || source.into_iter().flat_map(|source| [&source.link, &source.url]).flatten().map(String::as_str);
    std::iter::once(post.from.as_str()).chain(of_source()).find_map(|address| Url::parse(address).ok())
}

/// What the source said about itself when the entry arrived.
fn source_facts(sources: &[SourceLine], facts: &SiteFacts, feed: &str, seen: Timestamp) -> Option<SourceFacts> {
    let of_feed = || sources.iter().filter(|line| line.feed == feed);
    let line = of_feed().rfind(|line| line.seen <= seen).or_else(|| of_feed().next())?.clone();
    Some(SourceFacts {
        id: line.id.or_else(|| line.url.clone()).unwrap_or_else(|| tag(facts, &format!("source/{feed}"))),
        title: line.title.unwrap_or(line.name),
        url: line.url,
        link: line.link,
        rights: line.rights,
        icon: line.icon,
    })
}

fn entry_id(facts: &SiteFacts, key: EntryKey) -> String {
    tag(facts, &format!("entry/{key}"))
}

/// A `tag:` URI (RFC 4151); authority and day never change once the archive exists.
fn tag(facts: &SiteFacts, specific: &str) -> String {
    format!("tag:{},{}:{specific}", facts.tag_authority, facts.tag_date)
}
