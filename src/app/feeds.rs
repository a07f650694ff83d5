//! The list of feeds, from elsewhere into the config and out of it.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::{read_text, replace_config};
use super::{App, AppError, Import, heal, list_of, publish_stale, runtime};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::append::{self, NewFeed};
use crate::config::{Config, Feed};
use crate::fetch::Fetcher;
use crate::maintain::{discover, import, ingest};
use crate::model::{FeedSelection, Topic};
use crate::output::{self, Outline};
use crate::poll::PollError;
use crate::read::list;

impl App {
    /// Takes over an archive of posts, an OPML file or a `subs.json`.
    pub fn import(&self, path: &Path, progress: impl Fn(usize, usize)) -> Result<Import, AppError> {
        if path.is_dir() {
            return self.with_poller(true, async |poller| {
                heal(poller).await?;
                let now = poller.clock.now();
                let (index, archive) = (&*poller.index, &*poller.archive);
                let done = import::folder(index, archive, &self.config, path, now, &progress).await?;
                ingest::catch_up(&*poller.index, &*poller.archive, &self.config, |_, _| {}).await?;
                poller.archive.settle().await.map_err(PollError::from)?;
                publish_stale(poller).await?;
                Ok(Import::Posts(done))
            });
        }
        let text = std::fs::read_to_string(path).map_err(|cause| AppError::Read { path: path.to_owned(), cause })?;
        let list = list::feeds(&text).map_err(|cause| AppError::List { path: path.to_owned(), cause })?;
        let feeds = list.entries.into_iter().map(|feed| (feed.title.unwrap_or_default(), feed.url)).collect();
        let (added, known) = self.append(feeds)?;
        Ok(Import::Feeds { added, known, skipped: list.skipped })
    }

    /// The feeds of the config as OPML, nested by topic; a feed of several topics stands in each.
    pub fn export_opml(&self) -> String {
        let Config { site, feeds, topics, .. } = &*self.config;
        let group = |topic: &Topic| {
            let draws_on = |feed: &&Feed| match &topic.feeds {
                FeedSelection::All => true,
                FeedSelection::Except(feeds) => !feeds.contains(&feed.source.id),
                FeedSelection::Some(feeds) => feeds.contains(&feed.source.id),
            };
            let children: Vec<Outline> =
                feeds.iter().filter(draws_on).filter_map(|feed| Outline::of(&feed.source)).collect();
            Outline { text: topic.title.clone(), children, ..Outline::default() }
        };
        let mut outlines: Vec<Outline> = topics.iter().map(group).collect();
        let is_grouped = |feed: &Outline| outlines.iter().any(|group| group.children.contains(feed));
        let rest: Vec<Outline> =
            feeds.iter().filter_map(|feed| Outline::of(&feed.source)).filter(|feed| !is_grouped(feed)).collect();
        outlines.retain(|group| !group.children.is_empty());
        outlines.extend(rest);
        output::opml(&site.title, site.author.as_deref().unwrap_or(&site.title), &outlines)
    }

    /// Appends a feed to the config: the address itself when it is a feed, else what the page links.
    pub fn add(&self, address: &str) -> Result<Vec<String>, AppError> {
        let refused = |cause: String| AppError::Add { address: address.to_owned(), cause };
        // People leave out the scheme.
        let url = url::Url::parse(address).or_else(|_| url::Url::parse(&format!("https://{address}")));
        let url = url.map_err(|e| refused(format!("{e}; write it like `https://example.org/`")))?;
        let found = runtime()?.block_on(async {
            let limits = self.limits();
            let fetcher = Fetcher::new(&limits)?;
            discover::feeds(&fetcher, &url).await.map_err(|e| refused(e.to_string()))
        })?;
        let Some(feed) = found.into_iter().next() else {
            return Err(refused("neither a feed nor a page that links one".to_owned()));
        };
        let (added, known) = self.append(vec![feed])?;
        if added.is_empty() {
            return Err(refused(format!(
                "the config has it already, as {}",
                list_of(known.iter().map(String::as_str))
            )));
        }
        Ok(added)
    }

    /// Appends feeds to the main config file; those it has already are left out.
    fn append(&self, feeds: Vec<(String, String)>) -> Result<(Vec<String>, Vec<String>), AppError> {
        let mut ids: BTreeSet<String> = self.config.feeds.iter().map(|f| f.source.id.to_string()).collect();
        let mut names: BTreeSet<String> = self.config.feeds.iter().map(|f| f.source.name.clone()).collect();
        let mut new = Vec::new();
        let mut known = Vec::new();
        for (title, address) in feeds {
            let Ok(url) = url::Url::parse(&address) else { continue };
            if let Some(feed) = self.config.feeds.iter().find(|feed| feed.source.url == url) {
                known.push(feed.source.id.to_string());
                continue;
            }
            let id = append::id_for(&title, &url, &|id| ids.contains(id));
            let name = append::name_for(&title, &url, &|name| names.contains(name));
            ids.insert(id.clone());
            names.insert(name.clone());
            new.push(NewFeed { id, name, url: url.to_string(), language: None });
        }
        if !new.is_empty() {
            let text = read_text(&self.path).map_err(AppError::Config)?;
            let text =
                append::feeds(&text, &new).map_err(|cause| AppError::Append { path: self.path.clone(), cause })?;
            replace_config(&self.path, &text)?;
        }
        Ok((new.into_iter().map(|feed| feed.id).collect(), known))
    }
}
