//! What a topic's current feed shows, read from index and archive.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use super::history::Going;
use super::{Outcome, PART, PublishError, Publisher};
use crate::archive::Archive;
use crate::index::Index;
use crate::maintain::look;
use crate::model::{EntryKey, Found, Post, Topic};
use crate::topic::{self, Candidate, Window};

/// How far beyond the limit a window looks for what could take the places of others: a source that is
/// so loud for so long leaves places empty.
const REACH: usize = 20;
const LEAST_REACH: usize = 1_000;

/// An entry of the current feed.
pub(super) struct Selected {
    pub found: Found,
    pub post: Post,
    /// Names of the sources that tell the same story, and the links of their articles.
    pub related: Vec<(String, String)>,
}

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// The entries that the current feed shows: newest date first, then key. None that the topic's history
    /// does not hold yet, or that is young, is hidden by a limit.
    pub(super) async fn select(&self, going: &Going<'_>, outcome: &mut Outcome) -> Result<Vec<Selected>, PublishError> {
        let topic = going.topic;
        let rule = topic::rule(topic);
        let most = (topic.limit * REACH).max(LEAST_REACH);
        let must_show: BTreeSet<EntryKey> = going.history.shown().collect();
        let must_show = |candidate: &Candidate| must_show.contains(&candidate.key);
        let mut reach = topic.limit;
        let mut posts = Posts::new();
        let mut newest = loop {
            let newest = self.index.newest(rule, reach).await?.unwrap_or_default();
            let candidates = self.candidates(topic, &newest, &mut posts, outcome).await?;
            if topic::window(topic, &candidates, must_show).is_full || newest.len() < reach || reach >= most {
                break newest;
            }
            reach = (reach * 4).min(most);
        };
        newest.extend(self.beyond(going, &newest).await?);
        newest.sort_by_key(|found| (Reverse(found.record.date), found.key));
        let candidates = self.candidates(topic, &newest, &mut posts, outcome).await?;
        let window = topic::window(topic, &candidates, must_show);
        self.read(&newest, window, posts, outcome).await
    }

    /// What has to be shown and is not among the newest.
    async fn beyond(&self, going: &Going<'_>, newest: &[Found]) -> Result<Vec<Found>, PublishError> {
        let known: BTreeSet<EntryKey> = newest.iter().map(|found| found.key).collect();
        let more: BTreeSet<EntryKey> = going.history.shown().filter(|key| !known.contains(key)).collect();
        let more: Vec<Found> = self.index.by_keys(more.into_iter().collect()).await?.into_iter().flatten().collect();
        // A revision may have led out of the topic.
        let entries = more.iter().map(|found| (found.record.date, found.key)).collect();
        let members = self.index.members(topic::rule(going.topic), entries).await?;
        Ok(more.into_iter().zip(members).filter(|(_, belongs)| *belongs).map(|(found, _)| found).collect())
    }

    async fn read(
        &self,
        newest: &[Found],
        window: Window,
        mut posts: Posts,
        outcome: &mut Outcome,
    ) -> Result<Vec<Selected>, PublishError> {
        let mut selected = Vec::with_capacity(window.shown.len());
        let unread = window.shown.iter().map(|shown| &newest[shown.at]).filter(|found| !posts.contains_key(&found.key));
        let unread: Vec<&Found> = unread.collect();
        for part in unread.chunks(PART) {
            let read = self.posts(part.iter().map(|found| Some(&found.record)), outcome).await?;
            posts.extend(part.iter().map(|found| found.key).zip(read));
        }
        for shown in window.shown {
            let found = &newest[shown.at];
            let Some(post) = posts.remove(&found.key).flatten() else { continue };
            let others = shown.related.iter().filter_map(|at| posts.get(&newest[*at].key)?.as_ref());
            let related = others.filter(|other| !other.from.is_empty());
            let related = related.map(|other| (source_name(other), other.from.clone())).collect();
            selected.push(Selected { found: found.clone(), post, related });
        }
        Ok(selected)
    }

    /// Posts are read only for what the index does not know: titles, and whose posts of other makers are.
    async fn candidates(
        &self,
        topic: &Topic,
        newest: &[Found],
        posts: &mut Posts,
        outcome: &mut Outcome,
    ) -> Result<Vec<Candidate>, PublishError> {
        let counts = topic.fold || topic.per_feed_limit.is_some();
        let mut candidates = Vec::with_capacity(newest.len());
        for found in newest {
            let Found { key, record } = found;
            let mut candidate = Candidate { key: *key, date: record.date, source: None, title: String::new() };
            candidate.source = record.feed.as_ref().map(ToString::to_string);
            if topic.fold || (counts && candidate.source.is_none()) {
                self.fetch(found, posts, outcome).await?;
                if let Some(Some(post)) = posts.get(key) {
                    candidate.source = candidate.source.or_else(|| self.source(post));
                    candidate.title = topic::title(&post.title);
                }
            }
            candidates.push(candidate);
        }
        Ok(candidates)
    }

    /// Whose a post of another maker is: a feed's, else that of the name it gives itself.
    fn source(&self, post: &Post) -> Option<String> {
        let owner = look::owner(post, self.config).map(|feed| feed.to_string());
        owner.or_else(|| Some(source_name(post)).filter(|name| !name.is_empty()))
    }

    async fn fetch(&self, found: &Found, posts: &mut Posts, outcome: &mut Outcome) -> Result<(), PublishError> {
        if let Entry::Vacant(place) = posts.entry(found.key) {
            place.insert(self.post(&found.record, outcome).await?);
        }
        Ok(())
    }
}

/// Posts that were read; `None` where there is none to read.
type Posts = HashMap<EntryKey, Option<Post>>;

/// The feed's name is a post's first category.
fn source_name(post: &Post) -> String {
    post.categories.first().unwrap_or(&post.author).clone()
}
