//! What stands at the root of the published files, for all topics together.

use super::{Outcome, PublishError, Publisher, RENDERER, path};
use crate::archive::Archive;
use crate::config::Config;
use crate::index::Index;
use crate::model::{Fingerprint, Publish, TopicId};
use crate::output::{self, Outline, TopicLink};

const PAGE: &str = "index.html";
const CSS: &str = "feed.css";
const TOPICS: &str = "opml.xml";
const SOURCES: &str = "sources.opml";

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// Publishes what is not of one topic, when the config says something else than before or a file
    /// is gone.
    pub(super) async fn root(&self, outcome: &mut Outcome) -> Result<(), PublishError> {
        if self.config.topics.is_empty() {
            return Ok(());
        }
        let files = files(self.config);
        let from = made_from(&files);
        let is_fresh = self.index.published(&TopicId::site()).await? == Some(from);
        if is_fresh && files.iter().all(|(path, _)| self.site.has(path)) {
            return Ok(());
        }
        for (path, text) in &files {
            self.replace(path, text.as_bytes(), outcome)?;
        }
        self.site.settle()?;
        self.index.put_published(&TopicId::site(), from).await?;
        Ok(())
    }
}

fn made_from(files: &[(&str, String)]) -> Fingerprint {
    Fingerprint::of(&format!("{RENDERER}\n{files:?}"))
}

/// Everything that follows from the config alone.
fn files(config: &Config) -> Vec<(&'static str, String)> {
    let site = &config.site;
    let owner = site.author.as_deref().unwrap_or(&site.title);
    let link = |topic: &crate::model::Topic| TopicLink {
        id: topic.id.to_string(),
        title: topic.title.clone(),
        formats: topic.formats.clone(),
    };
    let links: Vec<TopicLink> = config.topics.iter().map(link).collect();
    let index = output::index_page(&site.title, site.language.as_deref(), site.url.as_str(), &links);
    vec![
        (PAGE, String::from_utf8_lossy(&index).into_owned()),
        (CSS, output::FEED_CSS.to_owned()),
        (TOPICS, output::opml(&site.title, owner, &topics(config))),
        // Also when it is empty: the former one may name a feed that is private now.
        (SOURCES, output::opml(&format!("{} · sources", site.title), owner, &sources(config))),
    ]
}

/// The feeds that we publish, each once.
fn topics(config: &Config) -> Vec<Outline> {
    let site = &config.site;
    let outline = |topic: &crate::model::Topic| Outline {
        text: topic.title.clone(),
        feed: topic.formats.first().map(|format| format!("{}{}", site.url, path(topic, *format))),
        page: Some(format!("{}{}/index.html", site.url, topic.id)),
        language: site.language.clone(),
        children: Vec::new(),
    };
    config.topics.iter().map(outline).collect()
}

/// The feeds that we read and publish something of; a file on the operator's disk is nobody else's.
fn sources(config: &Config) -> Vec<Outline> {
    let published = config.feeds.iter().filter(|feed| feed.publish != Publish::None);
    published.filter_map(|feed| Outline::of(&feed.source)).collect()
}
