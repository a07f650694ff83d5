//! Posts to topic feeds, only for topics that changed.

mod entry;
mod facts;
mod history;
mod making;
mod root;
mod select;
mod strike;

use std::sync::Arc;

use url::Url;

use self::facts::Facts;
use self::history::{Going, told};
use self::making::Making;
use self::select::Selected;
use crate::archive::{Archive, ArchiveError, PostAt, SiteFacts};
use crate::config::Config;
use crate::index::{Index, IndexError};
use crate::maintain::look;
use crate::model::{Fingerprint, Format, Found, Post, PostPath, Publish, Record, Timestamp, Topic};
use crate::output::{self, Channel, Deleted, Published, Station};
use crate::site::{Replaced, Site, SiteError};
use crate::topic::{self, Matcher};

/// Version of the rendering: a change publishes every topic anew.
const RENDERER: u32 = 6;

/// Takedowns that a topic's feed tells of, the latest first.
const TOMBSTONES: usize = 100;

/// Records are looked at in portions of this size.
const PORTION: usize = 5_000;

/// So many posts are read in one go.
const PART: usize = 200;

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
    /// A document could not be made.
    #[error("`{path}` cannot be made: {cause}; it is tried again at the next run")]
    Document {
        /// The published file.
        path: String,
        /// What the task that makes it came to.
        cause: tokio::task::JoinError,
    },
}

impl PublishError {
    /// True when archive and index are well, and only published files could not be made or written.
    pub fn is_of_files(&self) -> bool {
        matches!(self, Self::Site(_) | Self::Document { .. })
    }
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
    /// Where the feeds are whose bytes changed, by topic and format: who subscribes to them is to be told.
    pub feeds: Vec<Url>,
    /// Posts that could not be read, with the reason.
    pub unreadable: Vec<String>,
}

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// Publishes the given topics: those that are stale, or all when `all` says so. One whose files cannot be written keeps no
    /// other from being published, and stays stale; the first error is returned in the end.
    pub async fn topics(&self, topics: &[Topic], all: bool, now: Timestamp) -> Result<Outcome, PublishError> {
        let mut outcome = Outcome::default();
        self.publish(topics, all, now, &mut outcome).await?;
        Ok(outcome)
    }

    /// The same for whoever has to know what changed also where something failed.
    pub async fn publish(
        &self,
        topics: &[Topic],
        all: bool,
        now: Timestamp,
        outcome: &mut Outcome,
    ) -> Result<(), PublishError> {
        let (mut stale, mut failed) = (Vec::new(), None);
        for topic in topics {
            let fresh = self.index.published(&topic.id).await? == Some(self.made_from(topic));
            let has_all = topic.formats.iter().all(|format| self.site.has(&path(topic, *format)));
            if all || !fresh || !has_all || !self.site.has(&page_path(topic)) {
                stale.push(topic);
            }
        }
        if !stale.is_empty() {
            let facts = self.site_facts(now).await?;
            let done = self.strike_new(&facts, outcome).await;
            self.go_on(done, &mut failed)?;
            let is_struck = failed.is_none();
            let sources = self.archive.sources().await?;
            self.apply_new_rules(&stale, outcome).await?;
            let facts = Facts::new(facts, sources, self.config);
            match self.histories(&stale, all, &facts, outcome).await {
                Ok(all) => {
                    for going in all {
                        let done = self.topic(&going, &facts, outcome).await;
                        self.go_on(done, &mut failed)?;
                    }
                }
                // Whose documents they are that cannot be written shows when each topic goes alone.
                Err(error) if error.is_of_files() => {
                    let _ = self.site.settle();
                    for topic in &stale {
                        let done = self.alone(topic, all, &facts, outcome).await;
                        self.go_on(done, &mut failed)?;
                    }
                }
                Err(error) => return Err(error),
            }
            // What is not struck everywhere stays due, with the topics whose publishing brings it about.
            for topic in stale.iter().filter(|_| !is_struck) {
                self.index.put_published(&topic.id, Fingerprint::of("not struck")).await?;
            }
        }
        let done = self.root(outcome).await;
        self.go_on(done, &mut failed)?;
        failed.map_or(Ok(()), Err)
    }

    async fn alone(
        &self,
        topic: &Topic,
        all: bool,
        facts: &Arc<Facts>,
        outcome: &mut Outcome,
    ) -> Result<(), PublishError> {
        for going in self.histories(&[topic], all, facts, outcome).await? {
            self.topic(&going, facts, outcome).await?;
        }
        Ok(())
    }

    /// Trouble with published files is kept for later.
    fn go_on(&self, done: Result<(), PublishError>, failed: &mut Option<PublishError>) -> Result<(), PublishError> {
        match done {
            Err(error) if error.is_of_files() => {
                // What was staged is whole, and must not be in the way of what is published next.
                let _ = self.site.settle();
                failed.get_or_insert(error);
                Ok(())
            }
            done => done,
        }
    }

    /// Who speaks on the status page and in the alarm feed. The archive's facts are fixed if they are not yet.
    pub async fn station(&self, now: Timestamp) -> Result<Station, PublishError> {
        let (site, facts) = (&self.config.site, self.site_facts(now).await?);
        Ok(Station {
            tag: entry::tag(&facts, ""),
            title: site.title.clone(),
            publisher: site.author.clone().unwrap_or_else(|| site.title.clone()),
            language: site.language.clone(),
            url: site.url.to_string(),
            founded: founded(&facts),
        })
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
        let mut last = None;
        loop {
            let portion = self.index.some_after(last, PORTION).await?;
            let Some(end) = portion.last() else { break };
            last = Some(end.key);
            for part in portion.chunks(PART) {
                let known: Vec<_> =
                    part.iter().map(|found| matcher.belongs_by_feed(found.record.feed.as_ref()?)).collect();
                let unknown = part.iter().zip(&known).map(|(found, known)| known.is_none().then_some(&found.record));
                let posts = self.posts(unknown, outcome).await?;
                for ((Found { key, record }, known), post) in part.iter().zip(known).zip(posts) {
                    let by_post = |post: &Post| {
                        let owner = record.feed.clone().or_else(|| look::owner(post, self.config));
                        matcher.belongs(post, owner.as_ref())
                    };
                    let Some(belongs) = known.or_else(|| post.as_ref().map(by_post)) else { continue };
                    for (members, _) in members.iter_mut().zip(belongs).filter(|(_, (_, belongs))| *belongs) {
                        members.push((record.date, *key));
                    }
                }
            }
        }
        for (topic, members) in unknown.into_iter().zip(members) {
            self.index.put_topic(topic::rule(topic), members).await?;
        }
        Ok(())
    }

    async fn topic(&self, going: &Going<'_>, facts: &Facts, outcome: &mut Outcome) -> Result<(), PublishError> {
        let topic = going.topic;
        let selected = self.select(going, outcome).await?;
        let mut entries = Vec::with_capacity(selected.len());
        for Selected { found, post, related } in selected {
            let change = if topic.changes { self.change(&post, &found).await? } else { None };
            let shown = self.shown(&post, &found, facts);
            entries.push(Published { related, ..entry::published(post, shown, change, &found, facts) });
        }
        let gone = self.index.taken_down(&topic.id, TOMBSTONES).await?;
        let gone: Vec<Deleted> = gone.iter().map(|takedown| told(takedown, &facts.site)).collect();
        let said = Arc::new((self.channel(going, &facts.site), entries, gone));
        let mut making = Making::default();
        for format in Format::ALL {
            let path = path(topic, format);
            // A format that was taken out of the config goes on for those who follow it, until its
            // file is deleted.
            if topic.formats.contains(&format) || self.site.has(&path) {
                let said = Arc::clone(&said);
                making.begin(path, move || {
                    let (channel, entries, gone) = &*said;
                    output::feed(format, channel, entries, gone)
                });
            }
        }
        let (site, formats) = (self.config.site.title.clone(), topic.formats.clone());
        making.begin(page_path(topic), move || {
            let (channel, entries, _) = &*said;
            output::topic_page(channel, &site, &formats, entries)
        });
        while let Some((path, bytes)) = making.next().await? {
            let is_new = self.replace(&path, &bytes, outcome)? == Replaced::Changed;
            if is_new && path != page_path(topic) {
                outcome.feeds.extend(self.config.site.url.join(&path));
            }
        }
        self.site.settle()?;
        self.index.put_published(&topic.id, self.made_from(topic)).await?;
        Ok(())
    }

    /// How much of a post its feed lets be published.
    fn shown(&self, post: &Post, found: &Found, facts: &Facts) -> Publish {
        let owner = found.record.feed.clone().or_else(|| look::owner(post, self.config));
        facts.shown(owner.as_ref())
    }

    fn replace(&self, path: &str, bytes: &[u8], outcome: &mut Outcome) -> Result<Replaced, PublishError> {
        let replaced = self.site.stage(path, bytes)?;
        if replaced == Replaced::Changed {
            outcome.changed += 1;
        }
        Ok(replaced)
    }

    /// What the last revision changed, while the former version is still there.
    async fn change(&self, post: &Post, found: &Found) -> Result<Option<String>, PublishError> {
        let Some(revised) = found.record.revised else { return Ok(None) };
        let former = self.archive.former(&found.key, found.record.revisions).await?;
        Ok(former.and_then(|former| output::difference(&former, post, revised)))
    }

    /// Posts, read in one go; those that are gone or unreadable cost themselves only.
    async fn posts<'r>(
        &self,
        records: impl Iterator<Item = Option<&'r Record>>,
        outcome: &mut Outcome,
    ) -> Result<Vec<Option<Post>>, PublishError> {
        let records: Vec<Option<&Record>> = records.collect();
        let place =
            |record: &&Record| Some(PostAt { path: PostPath::parse(&record.path)?, is_ours: record.feed.is_some() });
        let places = records.iter().map(|record| record.as_ref().and_then(place)).collect();
        let mut posts = self.archive.read_many(places).await?;
        for (record, post) in records.into_iter().zip(&mut posts) {
            let Some(record) = record else { continue };
            match post {
                // Another maker's post may have no date of its own.
                Some(post) => post.date = record.date,
                // What is the matter with it?
                None => *post = self.post(record, outcome).await?,
            }
        }
        Ok(posts)
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
            hubs: self.config.server.hubs.iter().map(Url::to_string).collect(),
            folder: format!("{}{}/", site.url, topic.id),
            founded: founded(facts),
        }
    }

    /// Names the feeds that are not published in full. Posts of other makers find theirs by its name.
    fn limited(&self) -> String {
        let limited = self.config.feeds.iter().filter(|feed| feed.publish != Publish::Full);
        let limited: Vec<_> = limited.map(|feed| (&feed.source.id, &feed.source.name, feed.publish)).collect();
        format!("{limited:?}")
    }

    /// Names everything in the config that the topic's files depend on.
    fn made_from(&self, topic: &Topic) -> Fingerprint {
        let site = &self.config.site;
        let Topic { id, title, limit, max_age, per_feed_limit, fold, formats, changes, .. } = topic;
        let rule = topic::rule(topic).hex();
        let limited = self.limited();
        Fingerprint::of(&format!(
            "{RENDERER}\n{rule}\n{id}\n{title}\n{limit}\n{max_age:?}\n{per_feed_limit:?}\n{fold}\n{formats:?}\n{changes}\n\
             {limited}\n{}\n{:?}\n{:?}\n{}\n{:?}",
            site.url, site.author, site.language, site.title, self.config.server.hubs
        ))
    }
}

/// The site's first day.
fn founded(facts: &SiteFacts) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{}T00:00:00Z", facts.tag_date)).unwrap_or_default()
}

fn topic_id(facts: &SiteFacts, topic: &Topic) -> String {
    entry::tag(facts, &format!("topic/{}", topic.id))
}

fn page_path(topic: &Topic) -> String {
    format!("{}/index.html", topic.id)
}

fn path(topic: &Topic, format: Format) -> String {
    format!("{}/{}", topic.id, format.file())
}
