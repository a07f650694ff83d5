//! What post files say about their entries.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use url::Url;

use crate::archive::{Archive, Line, Op, PostAt};
use crate::config::Config;
use crate::identity::{self, canonical_url};
use crate::maintain::ingest::IngestError;
use crate::model::{CanonicalUrl, FeedId, Fingerprint, Post, PostPath, Timestamp};
use crate::normalize::plain;
use crate::topic::Matcher;

/// So many posts are read and looked at in one go by one thread.
pub(super) const PART: usize = 500;

/// So many threads do that.
pub(super) const READERS: usize = 4;

/// What a post file says about its entry.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    pub(super) canonical: Option<CanonicalUrl>,
    pub(super) title: Fingerprint,
    pub(super) text: Fingerprint,
    pub(super) text_is_telling: bool,
    pub(super) date: Timestamp,
    pub(super) has_own_date: bool,
    pub(super) topics: Vec<(Fingerprint, bool)>,
}

/// Looks at posts.
#[derive(Clone, Debug)]
pub(super) struct Looker {
    config: Arc<Config>,
    topics: Arc<Matcher>,
}

impl Looker {
    pub(super) fn new(config: &Arc<Config>) -> Self {
        Self { config: Arc::clone(config), topics: Arc::new(Matcher::new(&config.topics)) }
    }

    /// Looks at one post that `feed` brought.
    pub(super) fn at(&self, post: &Post, feed: Option<FeedId>) -> Looked {
        let plain = plain(&post.body);
        let (text, text_is_telling) = identity::text_fingerprint_of(&post.body, &plain);
        let owner = feed.or_else(|| owner(post, &self.config));
        Looked {
            canonical: Url::parse(&post.from).ok().as_ref().and_then(canonical_url),
            title: identity::title_fingerprint(&post.title),
            text,
            text_is_telling,
            date: post.date,
            has_own_date: post.claimed.is_none() && post.date != Timestamp::default(),
            topics: self.topics.belongs_by_text(post, &plain, owner.as_ref()),
        }
    }

    /// Reads the posts that lines name, several at a time; `None` where there is no whole post.
    pub(super) async fn at_lines<A: Archive>(
        &self,
        archive: &A,
        lines: &[Line],
    ) -> Result<Vec<Option<Looked>>, IngestError> {
        let parts = stream::iter(lines.chunks(PART)).map(async |lines| {
            let posts = archive.read_many(lines.iter().map(post_at).collect()).await?;
            let feeds: Vec<Option<FeedId>> = lines.iter().map(|line| FeedId::parse(line.feed.as_deref()?)).collect();
            let this = self.clone();
            let part = tokio::task::spawn_blocking(move || {
                let each = posts.into_iter().zip(feeds);
                each.map(|(post, feed)| Some(this.at(&post?, feed))).collect::<Vec<_>>()
            });
            Ok::<_, IngestError>(part.await?)
        });
        let parts: Vec<Vec<Option<Looked>>> = parts.buffered(READERS).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }
}

fn post_at(line: &Line) -> Option<PostAt> {
    let path = PostPath::parse(line.path.as_deref()?)?;
    Some(PostAt { path, is_ours: matches!(line.op, Op::Add | Op::Revise) })
}

/// The feed whose name is a category of another maker's post.
pub fn owner(post: &Post, config: &Config) -> Option<FeedId> {
    let feed = config.feeds.iter().find(|feed| post.categories.contains(&feed.source.name))?;
    Some(feed.source.id.clone())
}
