//! Steps 2 to 5 of the way of an entry: a feed's addresses are asked, and bytes become entries that can be recognised.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use super::address::Holds;
use super::backlog::{Backlog, Place};
use super::hidden::Keys;
use super::job::Job;
use crate::archive::RawAnswer;
use crate::clock::Clock;
use crate::config::Feed;
use crate::fetch::{Body, Fetch, FetchError, Fetched};
use crate::identity::{self, Identity};
use crate::model::{Entry, FeedId, FeedMeta, Timestamp, Validators, hex};
use crate::normalize::{self, Reject};
use crate::pace::Pace;
use crate::read::{self, Hints, ReadError, ReadFeed};
use crate::topic::Filter;

/// So many entries at each end of a document are remembered where not all of them are kept.
const ENDS: usize = 16;

/// Why one feed brought nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum FeedError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("reading it was stopped by a mistake in the program: {0}")]
    Task(String),
}

/// What asking a feed came to.
#[derive(Debug)]
pub(super) struct Asked {
    /// Addresses that brought nothing, in the order in which they were asked.
    pub(super) failed: Vec<(Url, FeedError)>,
    /// The one that answered, and its answer.
    pub(super) answered: Option<(Url, Answer)>,
}

/// What came back for one feed, before anything of it is kept.
#[derive(Debug)]
pub(super) struct Answer {
    /// For the next request, once the entries are kept; `None` where not all of the document could be read.
    pub(super) validators: Option<Validators>,
    /// How long the answer is fresh.
    pub(super) freshness: Option<Duration>,
    /// Where permanent redirects led.
    pub(super) moved: Option<Url>,
    pub(super) seen: Timestamp,
    /// `None` when it is the same as last time.
    pub(super) document: Option<Box<Document>>,
    /// Where it brought a document.
    pub(super) place: Option<Place>,
}

#[derive(Debug)]
pub(super) struct Document {
    pub(super) found: Vec<(Entry, Identity)>,
    /// Beside each entry its source as received.
    pub(super) sources: Vec<Option<String>>,
    pub(super) answer: RawAnswer,
    pub(super) meta: FeedMeta,
    pub(super) rejects: Vec<Reject>,
    /// What was lost of the document, as sentences.
    pub(super) problems: Vec<String>,
    /// What was put right, in words.
    pub(super) repairs: Option<String>,
    /// Everything in it was read.
    pub(super) is_complete: bool,
    /// How many entries it holds, also those that the feed's words leave out.
    pub(super) entries: usize,
    /// By what entries at its ends can be recognised, where the feed has words.
    pub(super) ends: Vec<String>,
    /// It holds an entry from the ends of the document before.
    pub(super) shares_ends: bool,
    /// The newest date that an entry claims.
    pub(super) newest: Option<Timestamp>,
    /// What it says about when to ask again.
    pub(super) pace: Pace,
}

impl Document {
    /// About how much text it holds (bytes).
    fn size(&self) -> usize {
        let sources = self.sources.iter().flatten().map(String::len).sum::<usize>();
        sources + self.found.iter().map(|(entry, _)| entry.body.len()).sum::<usize>()
    }
}

/// Asks a feed's addresses one after the other until one brings something.
pub(super) struct Asker<F, C> {
    pub(super) fetch: Arc<F>,
    pub(super) clock: Arc<C>,
    pub(super) job: Job,
    /// As many read at a time as there are cores: more would only take memory.
    pub(super) readers: Arc<Semaphore>,
    /// What is read waits there.
    pub(super) backlog: Backlog,
    /// What is fetched waits there until it is read.
    pub(super) bodies: Backlog,
    /// Hosts that want to be left alone.
    pub(super) holds: Holds,
}

impl<F: Fetch, C: Clock> Asker<F, C> {
    pub(super) async fn ask(self, addresses: Vec<Url>) -> Asked {
        let mut failed = Vec::new();
        for address in addresses {
            match self.one(&address).await {
                Ok(answer) => return Asked { failed, answered: Some((address, answer)) },
                Err(error) => {
                    // The next address, or another feed's redirect, may lead to the same host.
                    self.holds.note(&address, &error, self.clock.now());
                    failed.push((address, error));
                }
            }
        }
        Asked { failed, answered: None }
    }

    /// Fetches from one address and reads; the reading runs off the async threads.
    async fn one(&self, address: &Url) -> Result<Answer, FeedError> {
        let Job { feed, state, options, .. } = &self.job;
        let is_known = !options.force && state.settings.as_ref().is_none_or(|then| *then == settings(feed));
        let validators = if is_known { state.validators_of(address.as_str()) } else { Validators::default() };
        let spared = |url: &Url| self.holds.until(url, self.clock.now()).filter(|_| !options.force);
        let fetched = self.fetch.get_sparing(&feed.source.at(address), &validators, &spared).await?;
        let seen = self.clock.now();
        let mut body = match fetched {
            Fetched::NotModified { validators, freshness, moved } => {
                return Ok(Answer {
                    validators: Some(validators),
                    freshness,
                    moved,
                    seen,
                    document: None,
                    place: None,
                });
            }
            Fetched::Body(body) => body,
        };
        let answer = Answer {
            validators: Some(std::mem::take(&mut body.validators)),
            freshness: body.freshness,
            moved: body.moved.take(),
            seen,
            document: None,
            place: None,
        };
        // Relative addresses of a mirror's copy mean what they mean in the original.
        if feed.source.access.mirrors.contains(address) {
            body.base = feed.source.url.clone();
        }
        let before = Before { body: state.body.clone().filter(|_| is_known), ends: state.ends.clone() };
        let feed = Arc::clone(feed);
        let _waits = self.bodies.place(body.bytes.len());
        let _turn = self.readers.acquire().await;
        self.backlog.room().await;
        let document = tokio::task::spawn_blocking(move || document(&feed, body, seen, &before)).await;
        let Some(document) = document.map_err(|e| FeedError::Task(e.to_string()))?? else { return Ok(answer) };
        // Whoever saw half of a document must not say next time that he has it. What he had before he still has.
        let validators = answer.validators.filter(|_| document.is_complete);
        let place = Some(self.backlog.place(document.size()));
        Ok(Answer { validators, document: Some(Box::new(document)), place, ..answer })
    }
}

/// Names the settings that decide what a document is read to hold: after a change it is read again.
pub(super) fn settings(feed: &Feed) -> String {
    let Feed { encoding, max_entries, include, exclude, source, .. } = feed;
    let dedup = source.dedup;
    format!("{} {max_entries} {include:?} {exclude:?} {dedup:?}", encoding.as_deref().unwrap_or("-"))
}

/// What is remembered of the document before.
struct Before {
    /// Its hash.
    body: Option<String>,
    /// As in [`Document::ends`].
    ends: Vec<String>,
}

/// Reads a document; `None` when its bytes are those that are known.
fn document(feed: &Feed, body: Body, seen: Timestamp, before: &Before) -> Result<Option<Document>, FeedError> {
    let sha256 = hex(&Sha256::digest(&body.bytes));
    if before.body.as_ref() == Some(&sha256) {
        return Ok(None);
    }
    let (mut base, keys) = (body.base, Keys::of(&feed.source.access));
    if feed.source.access.secret_address {
        // A link to nothing would lead there.
        base.set_query(None);
    }
    let is_in_path = keys.are_in_path(&base);
    if is_in_path {
        base.set_path("/");
    }
    let mut hints = Hints {
        content_type: body.content_type,
        encoding: feed.encoding.clone(),
        language: feed.source.language.clone(),
        max_entries: feed.max_entries,
        ..Hints::at(base.clone())
    };
    let mut read = read::feed(&body.bytes, &hints)?;
    let mut meta = normalize::meta(&read.meta, &base);
    keys.hide_in_meta(&mut meta);
    // Relative addresses lead from the feed's site, since they may not from the feed.
    if let Some(site) = meta.link.as_deref().filter(|_| is_in_path).and_then(|link| Url::parse(link).ok()) {
        (base, hints.base) = (site.clone(), site);
        read = read::feed(&body.bytes, &hints)?;
    }
    let mut entries = Vec::with_capacity(read.entries.len());
    let mut sources = Vec::with_capacity(read.entries.len());
    let mut rejects = Vec::new();
    let is_complete = read.is_complete();
    let repairs: Vec<String> = read.repairs.iter().map(ToString::to_string).collect();
    let repairs = Some(repairs.join("; ")).filter(|said| !said.is_empty());
    let problems = problems(&feed.source.id, &read, feed.max_entries);
    for mut raw in read.entries {
        let mut source = raw.source.take();
        if let Some(source) = &mut source {
            keys.hide(source);
        }
        match normalize::entry(&feed.source, &feed.cuts, &base, raw, meta.language.as_deref(), seen) {
            Ok(mut entry) => {
                keys.hide_in(&mut entry);
                entries.push(entry);
                sources.push(source);
            }
            Err(reject) => rejects.push(reject),
        }
    }
    let (mut headers, mut envelope) = (body.headers, read.envelope.unwrap_or_default());
    for (_, value) in &mut headers {
        keys.hide(value);
    }
    keys.hide(&mut envelope);
    let answer = RawAnswer {
        feed: feed.source.id.to_string(),
        url: feed.source.public_url().map(|_| base.to_string()),
        seen,
        status: body.status,
        headers,
        sha256,
        charset: Some(read.charset.to_owned()),
        envelope,
    };
    // How fast a feed is, and whether some of it was missed, is a matter of all its entries, whatever is kept of them.
    let dates = || entries.iter().filter(|entry| !entry.date_is_made).map(|entry| entry.date);
    let (pace, newest, total) = (Pace::of(&read.meta.pace, dates()), dates().max(), entries.len());
    let has_words = !feed.include.is_empty() || !feed.exclude.is_empty();
    let all =
        if has_words || !before.ends.is_empty() { identity::keys(&entries, feed.source.dedup) } else { Vec::new() };
    let known: HashSet<&String> = before.ends.iter().collect();
    let shares_ends = all.iter().flat_map(Identity::marks).any(|mark| known.contains(&mark.hex()));
    let ends = if has_words { ends(&all) } else { Vec::new() };
    if has_words {
        let filter = Filter::new(&feed.include, &feed.exclude);
        let kept = entries.into_iter().zip(sources).filter(|(entry, _)| filter.takes(entry));
        (entries, sources) = kept.unzip();
    }
    let identities = identity::keys(&entries, feed.source.dedup);
    let found = entries.into_iter().zip(identities).collect();
    Ok(Some(Document {
        found,
        sources,
        answer,
        meta,
        rejects,
        problems,
        repairs,
        is_complete,
        entries: total,
        ends,
        shares_ends,
        newest,
        pace,
    }))
}

/// By what the first and the last entries of a document can be recognised: at one of its ends stand the newest, which the
/// next document holds, too, unless some were missed.
fn ends(ids: &[Identity]) -> Vec<String> {
    let at_an_end = |n: usize| n < ENDS || n + ENDS >= ids.len();
    let ids = ids.iter().enumerate().filter(|(n, _)| at_an_end(*n));
    ids.flat_map(|(_, id)| id.marks()).map(|mark| mark.hex()).collect()
}

/// Sentences about single entries that could not be read; of more of them the number says enough.
const TOLD: usize = 5;

/// What of the document could not be read.
fn problems(feed: &FeedId, read: &ReadFeed, most: usize) -> Vec<String> {
    let told = read.lost.iter().take(TOLD);
    let mut problems: Vec<String> = told.map(|lost| format!("feed `{feed}`: {lost}")).collect();
    if let Some(more) = read.lost.len().checked_sub(TOLD).filter(|more| *more > 0) {
        problems.push(format!("feed `{feed}`: {more} more of its entries could not be read"));
    }
    if read.total > most {
        let total = read.total;
        problems.push(format!(
            "feed `{feed}`: it holds {total} entries, of which {most} were read; raise `max_entries` of the feed to read all"
        ));
    }
    problems
}
