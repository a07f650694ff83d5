//! Finds the feed behind an address.

use url::Url;

use crate::fetch::{Fetch, FetchError, Fetched};
use crate::model::{Dedup, FeedId, FeedSource, Revisions, Validators};
use crate::normalize;
use crate::read::{self, Hints, ReadError, page};

/// Why no feed was found.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    /// The address did not answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It answered with something that is neither a feed nor a page that links one.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The id for the trial is no id: cannot happen.
    #[error("the trial cannot be named")]
    Name,
}

/// Pages that are tried before giving up.
const MOST_TRIED: usize = 5;

/// Feeds behind an address, as title and address: the feed itself, or the first of those which the
/// page links that can be read.
pub async fn feeds<F: Fetch>(fetch: &F, url: &Url) -> Result<Vec<(String, String)>, DiscoverError> {
    let (body, base) = body(fetch, url).await?;
    match read::feed(&body, &Hints::at(base.clone())) {
        Ok(feed) => Ok(vec![(title(&feed, &base), url.to_string())]),
        Err(ReadError::Html(_)) => {
            let text = String::from_utf8_lossy(&body).into_owned();
            for linked in page::feeds(&text, &base).into_iter().take(MOST_TRIED) {
                let Ok((body, base)) = self::body(fetch, &linked.url).await else { continue };
                if let Ok(feed) = read::feed(&body, &Hints::at(base.clone())) {
                    return Ok(vec![(title(&feed, &base), linked.url.to_string())]);
                }
            }
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

fn title(feed: &read::ReadFeed, base: &Url) -> String {
    normalize::meta(&feed.meta, base).title.unwrap_or_default()
}

async fn body<F: Fetch>(fetch: &F, url: &Url) -> Result<(Vec<u8>, Url), DiscoverError> {
    let source = FeedSource {
        id: FeedId::parse("trial").ok_or(DiscoverError::Name)?,
        name: String::new(),
        url: url.clone(),
        language: None,
        tags: Vec::new(),
        dedup: Dedup::Auto,
        revisions: Revisions::Keep,
        access: crate::model::Access::default(),
    };
    match fetch.get(&source, &Validators::default()).await? {
        Fetched::Body(body) => Ok((body.bytes, body.base)),
        Fetched::NotModified { .. } => Ok((Vec::new(), url.clone())),
    }
}
