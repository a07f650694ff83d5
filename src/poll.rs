//! One feed from fetch to archive, and all feeds with limits.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use sha2::{Digest, Sha256};

use crate::archive::{Archive, ArchiveError, RawAnswer, SourceLine};
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::{Body, Fetch, FetchError, Fetched};
use crate::identity::{self, Identity, Known};
use crate::index::{Committed, FeedState, Index, IndexError};
use crate::keep;
use crate::maintain::state::StateFile;
use crate::model::{Entry, EntryKey, FeedId, FeedMeta, Found, Timestamp, Validators, hex};
use crate::normalize::{self, Reject};
use crate::plan::{self, Plan};
use crate::read::{self, Hints, ReadError, ReadFeed};
use crate::topic::{self, Matcher};

/// A finished feed waits this long for those before it, so that an article which two feeds bring
/// in the same round goes to the same feed whichever server is faster today.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a whole poll stopped. What one feed does wrong is in its report instead.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nothing can be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nothing can be remembered.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Why one feed brought nothing.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("reading it was stopped by a mistake in the program: {0}")]
    Task(String),
}

/// How a poll of one feed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered with a document that was read.
    Polled,
    /// Nothing changed since the last poll.
    NotModified,
    /// Its last poll is too recent.
    Skipped,
    /// It brought nothing; `error` says why.
    Failed,
}

/// What one feed brought.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FeedReport {
    /// The feed's id.
    pub feed: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Entries never seen before.
    pub new: usize,
    /// Known entries with a new title or text.
    pub revised: usize,
    /// Known entries.
    pub duplicate: usize,
    /// Entries left out.
    pub rejected: usize,
    /// The document had to be repaired to be read.
    pub repaired: bool,
    /// One sentence, when it failed.
    pub error: Option<String>,
    /// What the operator should know: entries left out, ids dealt anew, texts that flap.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Why it was skipped.
    #[serde(skip)]
    pub reason: Option<String>,
    /// What was put right.
    #[serde(skip)]
    pub repairs: Option<String>,
    /// How long fetching and reading took.
    #[serde(skip)]
    pub took: Duration,
}

impl FeedReport {
    /// One line for people and logs: key-value, and the reason where there is one.
    pub fn log_line(&self) -> String {
        let Self { feed, new, revised, duplicate, rejected, .. } = self;
        let repaired = self.repairs.as_ref().map(|repairs| format!(" repaired=\"{repairs}\"")).unwrap_or_default();
        let took = self.took.as_secs_f64();
        match self.outcome {
            Outcome::Polled => format!(
                "feed={feed} outcome=polled new={new} revised={revised} duplicate={duplicate} rejected={rejected}{repaired} took={took:.1}s"
            ),
            Outcome::NotModified => format!("feed={feed} outcome=not_modified took={took:.1}s"),
            Outcome::Skipped => {
                format!("feed={feed} outcome=skipped ({})", self.reason.as_deref().unwrap_or("too recent"))
            }
            Outcome::Failed => format!("feed={feed} outcome=failed took={took:.1}s"),
        }
    }

    fn new(feed: &FeedId, outcome: Outcome) -> Self {
        Self {
            feed: feed.to_string(),
            outcome,
            new: 0,
            revised: 0,
            duplicate: 0,
            rejected: 0,
            repaired: false,
            error: None,
            notes: Vec::new(),
            reason: None,
            repairs: None,
            took: Duration::ZERO,
        }
    }
}

/// How to poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Poll feeds whose last poll is recent too, and ask without validators.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// The signal to end; whoever holds one can wait for it.
#[derive(Clone, Debug)]
pub struct Stop(tokio::sync::watch::Receiver<bool>);

impl Stop {
    /// A signal, and the sender that gives it by sending `true`.
    pub fn new() -> (tokio::sync::watch::Sender<bool>, Self) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when the signal was given; never, when nobody is left to give it.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Everything a poll touches.
#[derive(Debug)]
pub struct Poller<F, I, A, C> {
    /// Feeds and topics.
    pub config: Arc<Config>,
    /// Where bytes come from.
    pub fetch: Arc<F>,
    /// What is remembered.
    pub index: Arc<I>,
    /// What is kept.
    pub archive: Arc<A>,
    /// What time it is.
    pub clock: Arc<C>,
}

/// What came back for one feed, before anything of it is kept.
enum Answer {
    NotModified(Validators),
    Document(Box<Document>),
}

struct Document {
    found: Vec<(Entry, Identity)>,
    /// Beside each entry its source as received.
    sources: Vec<Option<String>>,
    answer: RawAnswer,
    meta: FeedMeta,
    rejects: Vec<Reject>,
    /// What was lost of the document, as sentences.
    problems: Vec<String>,
    /// What was put right, in words.
    repairs: Option<String>,
    validators: Validators,
    seen: Timestamp,
}

impl<F, I, A, C> Poller<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    /// Polls the feeds, keeps what is new, and reports each feed as it is done.
    ///
    /// Feeds are kept in the order of their ids, a hanging one aside, so that the result does not
    /// depend on which server answers first.
    pub async fn all(
        &self,
        feeds: Vec<&Feed>,
        options: Options,
        stop: Stop,
        mut report: impl FnMut(&FeedReport),
    ) -> Result<Vec<FeedReport>, PollError> {
        let mut states = StateFile::parse(self.archive.state().await?.as_deref());
        let sources = self.archive.sources().await?;
        let mut feeds = feeds;
        feeds.sort_by(|a, b| a.source.id.cmp(&b.source.id));
        let mut round = Round {
            states: &mut states,
            sources,
            changed: Vec::new(),
            reports: Vec::new(),
            options,
            stop,
            would_be_new: HashSet::new(),
        };
        let mut waiting: VecDeque<usize> = VecDeque::new();
        let mut known = Vec::with_capacity(feeds.len());
        for (i, feed) in feeds.iter().enumerate() {
            let state = self.feed_state(feed, round.states).await?;
            if let Some(since) = self.recent(feed, &state).filter(|_| !options.force) {
                let wait = self.config.fetch.min_interval.saturating_sub(since).as_secs();
                let skipped = FeedReport {
                    reason: Some(format!("polled {} s ago; again in {wait} s, or with --force", since.as_secs())),
                    ..FeedReport::new(&feed.source.id, Outcome::Skipped)
                };
                report(&skipped);
                round.reports.push(skipped);
            } else {
                waiting.push_back(i);
            }
            known.push(state);
        }
        self.rounds(&feeds, known, waiting, &mut round, &mut report).await?;
        let Round { changed, mut reports, .. } = round;
        if !options.dry_run {
            let on_the_web = |id: &FeedId| feeds.iter().any(|f| f.source.id == *id && f.source.public_url().is_some());
            for (feed, state) in changed.iter().filter(|(feed, _)| on_the_web(feed)) {
                states.put(feed, state);
            }
            self.index.put_feed_states(changed).await?;
            self.archive.put_state(states.to_text()).await?;
            self.archive.settle().await?;
        }
        reports.sort_by(|a, b| a.feed.cmp(&b.feed));
        Ok(reports)
    }

    /// Fetches and reads many feeds at a time, and keeps them one after the other.
    async fn rounds(
        &self,
        feeds: &[&Feed],
        known: Vec<FeedState>,
        mut waiting: VecDeque<usize>,
        round: &mut Round<'_>,
        report: &mut impl FnMut(&FeedReport),
    ) -> Result<(), PollError> {
        let mut running = JoinSet::new();
        let mut tasks = HashMap::new();
        let mut in_flight: BTreeMap<usize, Instant> = BTreeMap::new();
        let mut ready = BTreeMap::new();
        let mut stopped = false;
        loop {
            while running.len() < self.config.fetch.concurrency.max(1) {
                let Some(i) = waiting.pop_front() else { break };
                in_flight.insert(i, Instant::now());
                let task = running.spawn(self.answer(feeds[i], &known[i], round.options.force));
                tasks.insert(task.id(), i);
            }
            while let Some(i) = next_in_order(&ready, &in_flight) {
                if let Some(answer) = ready.remove(&i) {
                    let done = self.keep(feeds[i], &known[i], answer, round).await?;
                    report(&done);
                    round.reports.push(done);
                }
            }
            if running.is_empty() && ready.is_empty() {
                return Ok(());
            }
            let patience = in_flight.values().min().map_or_else(Instant::now, |since| *since + PATIENCE);
            tokio::select! {
                Some(done) = running.join_next_with_id() => {
                    let (task, answer) = match done {
                        Ok((task, answer)) => (task, answer),
                        Err(error) => (error.id(), Err(FeedError::Task(error.to_string()))),
                    };
                    if let Some(i) = tasks.remove(&task) {
                        let took = in_flight.remove(&i).map(|since| since.elapsed()).unwrap_or_default();
                        ready.insert(i, (answer, took));
                    }
                }
                // Feeds that have not answered come again at the next poll.
                () = round.stop.wait(), if !stopped => {
                    stopped = true;
                    waiting.clear();
                    in_flight.clear();
                    running.abort_all();
                    tasks.clear();
                }
                () = tokio::time::sleep_until(patience), if !ready.is_empty() => {}
            }
        }
    }

    /// Fetches a feed and reads it; the reading runs off the async threads.
    fn answer(
        &self,
        feed: &Feed,
        state: &FeedState,
        force: bool,
    ) -> impl Future<Output = Result<Answer, FeedError>> + Send + 'static {
        let (fetch, clock, feed) = (Arc::clone(&self.fetch), Arc::clone(&self.clock), feed.clone());
        let validators = if force { Validators::default() } else { state.validators.clone() };
        async move {
            match fetch.get(&feed.source, &validators).await? {
                Fetched::NotModified { validators, .. } => Ok(Answer::NotModified(validators)),
                Fetched::Body(body) => {
                    let seen = clock.now();
                    tokio::task::spawn_blocking(move || document(&feed, body, seen))
                        .await
                        .map_err(|e| FeedError::Task(e.to_string()))?
                        .map(|document| Answer::Document(Box::new(document)))
                }
            }
        }
    }

    /// Keeps what a feed brought: files, then records. Validators follow at the end of the round.
    async fn keep(
        &self,
        feed: &Feed,
        state: &FeedState,
        (answer, took): (Result<Answer, FeedError>, Duration),
        round: &mut Round<'_>,
    ) -> Result<FeedReport, PollError> {
        let id = &feed.source.id;
        let polled = match &answer {
            // What the guard refused never reached the publisher.
            Err(FeedError::Fetch(error)) if !error.was_asked() => state.polled,
            _ => Some(self.clock.now().millis()),
        };
        let mut state = FeedState { polled, url: feed.source.url.to_string(), ..state.clone() };
        let mut report = FeedReport { took, ..FeedReport::new(id, Outcome::Polled) };
        match answer {
            Ok(Answer::NotModified(validators)) => {
                report.outcome = Outcome::NotModified;
                state.validators = validators;
                state.failures = 0;
            }
            Ok(Answer::Document(document)) => {
                let seen = document.seen;
                state.validators = document.validators.clone();
                state.failures = 0;
                self.keep_document(feed, *document, round, &mut report).await?;
                if report.new > 0 {
                    state.last_new = Some(seen.millis());
                }
            }
            Err(error) => {
                report.outcome = Outcome::Failed;
                report.error = Some(format!("feed `{id}`: {error}"));
                state.failures = state.failures.saturating_add(1);
            }
        }
        round.changed.push((id.clone(), state));
        Ok(report)
    }

    async fn keep_document(
        &self,
        feed: &Feed,
        document: Document,
        round: &mut Round<'_>,
        report: &mut FeedReport,
    ) -> Result<(), PollError> {
        let Document { found, sources, answer, meta, rejects, problems, repairs, seen, .. } = document;
        let ids: Vec<Identity> = found.iter().map(|(_, identity)| identity.clone()).collect();
        let known = if ids.is_empty() { Vec::new() } else { self.index.records(&ids).await? };
        let known = self.without_lost_posts(known).await?;
        let mut plan = plan::entries(found, &known, feed.source.revisions);
        report.new = plan.new.len();
        report.revised = plan.revised.len();
        report.duplicate = plan.duplicates;
        report.rejected = rejects.len();
        report.repaired = repairs.is_some();
        report.repairs = repairs;
        report.notes = problems;
        report.notes.extend(notes(&feed.source.id, &rejects, &plan));
        if round.options.dry_run {
            // Nothing is remembered, so an entry of two feeds has to be counted once by hand.
            let known = plan.new.iter().filter(|change| !round.would_be_new.insert(change.key)).count();
            report.new -= known;
            report.duplicate += known;
            return Ok(());
        }
        let source = round.new_source_line(feed, meta, seen);
        let drafts = keep::drafts(&mut plan, &feed.source, seen);
        let mut batch = keep::batch(&drafts, &plan.sightings, &feed.source, seen, source.clone());
        if self.config.storage.raw {
            batch.raw = keep::raw(&drafts, &sources, answer);
        }
        if batch.is_empty() {
            return Ok(());
        }
        let lines = self.archive.write_all(batch).await?;
        round.sources.extend(source);
        let topics = Matcher::new(&self.config.topics);
        let posts = drafts.iter().zip(&lines).map(|(draft, line)| keep::remember(draft, line, &topics));
        let mut records: Vec<_> = posts.collect();
        records.extend(plan.sightings.iter().map(keep::remember_sighting));
        let stale = keep::touched(&records, &self.config.topics);
        let ledger = self.archive.position().await?;
        let topics = topic::rules(&self.config.topics);
        self.index.commit(Committed { records, topics, ledger, stale, ..Committed::default() }).await?;
        Ok(())
    }

    /// Forgets records whose post is gone from the archive: the archive is the truth, and an entry
    /// that the feed still carries is kept again.
    async fn without_lost_posts(&self, mut known: Vec<Known>) -> Result<Vec<Known>, ArchiveError> {
        let facts = |found: &Found| (found.record.path.clone(), found.record.feed.is_some());
        let paths: BTreeMap<String, bool> = known.iter().flat_map(Known::found).map(facts).collect();
        if paths.is_empty() {
            return Ok(known);
        }
        let lost = self.archive.lost(paths).await?;
        if !lost.is_empty() {
            for known in &mut known {
                known.drop_paths(&lost);
            }
        }
        Ok(known)
    }

    /// What is remembered of a feed; a fresh index learns it from the archive.
    async fn feed_state(&self, feed: &Feed, states: &StateFile) -> Result<FeedState, IndexError> {
        let id = &feed.source.id;
        let state = match self.index.feed_state(id).await? {
            Some(state) => state,
            None => states.get(id).unwrap_or_default(),
        };
        // Validators belong to an address; another address has to be asked afresh.
        if state.url == feed.source.url.as_str() {
            Ok(state)
        } else {
            Ok(FeedState { validators: Validators::default(), polled: None, ..state })
        }
    }

    /// When the feed was last polled, as far as anybody remembers.
    pub async fn last_poll(&self, feed: &Feed) -> Result<Option<Timestamp>, PollError> {
        let states = StateFile::parse(None);
        Ok(self.feed_state(feed, &states).await?.polled.map(Timestamp::from_millis))
    }

    /// How long ago the last poll was, when that is less than `min_interval`.
    fn recent(&self, feed: &Feed, state: &FeedState) -> Option<Duration> {
        let polled = state.polled.filter(|_| feed.source.public_url().is_some())?;
        // A last poll in the future is a clock that was set back, no reason to wait.
        let since = u64::try_from(self.clock.now().millis() - polled).ok().map(Duration::from_millis)?;
        (since < self.config.fetch.min_interval).then_some(since)
    }
}

/// What a round gathers.
struct Round<'a> {
    states: &'a mut StateFile,
    sources: Vec<SourceLine>,
    changed: Vec<(FeedId, FeedState)>,
    reports: Vec<FeedReport>,
    options: Options,
    stop: Stop,
    would_be_new: HashSet<EntryKey>,
}

impl Round<'_> {
    /// A line for `sources.jsonl`, when the feed says something else of itself than before.
    fn new_source_line(&self, feed: &Feed, meta: FeedMeta, seen: Timestamp) -> Option<SourceLine> {
        let line = SourceLine::new(seen, &feed.source, meta);
        let last = self.sources.iter().rfind(|known| known.feed == line.feed);
        (!last.is_some_and(|last| last.says_the_same(&line))).then_some(line)
    }
}

/// What the operator should know of a document.
fn notes(feed: &FeedId, rejects: &[Reject], plan: &Plan) -> Vec<String> {
    let mut notes: Vec<String> =
        rejects.iter().map(|reject| format!("feed `{feed}`: an entry was left out: {reject}")).collect();
    if plan.id_reset {
        notes.push(format!("feed `{feed}`: it dealt its ids anew; entries were recognised by link, title and text"));
    }
    notes.extend(plan.flapping.iter().map(|path| {
        let most = plan::MOST_REVISIONS;
        format!("feed `{feed}`: `{path}` changed more than {most} times; further versions are not kept")
    }));
    notes
}

/// What of the document could not be read.
fn problems(feed: &FeedId, read: &ReadFeed, most: usize) -> Vec<String> {
    let mut problems: Vec<String> = read.lost.iter().map(|lost| format!("feed `{feed}`: {lost}")).collect();
    if read.total > most {
        let total = read.total;
        problems.push(format!(
            "feed `{feed}`: it holds {total} entries, of which {most} were read; raise `max_entries` of the feed to read all"
        ));
    }
    problems
}

/// The next feed to keep: the first that is ready, unless one before it is still in flight and
/// younger than the patience.
fn next_in_order<T>(ready: &BTreeMap<usize, T>, in_flight: &BTreeMap<usize, Instant>) -> Option<usize> {
    let first = *ready.keys().next()?;
    let blocked = in_flight.range(..first).any(|(_, since)| since.elapsed() < PATIENCE);
    (!blocked).then_some(first)
}

/// Steps 3 to 5 of the way of an entry: bytes to entries that can be recognised.
fn document(feed: &Feed, body: Body, seen: Timestamp) -> Result<Document, FeedError> {
    let base = body.base;
    let hints = Hints {
        content_type: body.content_type,
        encoding: feed.encoding.clone(),
        language: feed.source.language.clone(),
        max_entries: feed.max_entries,
        ..Hints::at(base.clone())
    };
    let read = read::feed(&body.bytes, &hints)?;
    let meta = normalize::meta(&read.meta, &base);
    let mut entries = Vec::with_capacity(read.entries.len());
    let mut sources = Vec::with_capacity(read.entries.len());
    let mut rejects = Vec::new();
    let is_complete = read.is_complete();
    let repairs: Vec<String> = read.repairs.iter().map(ToString::to_string).collect();
    let repairs = Some(repairs.join("; ")).filter(|said| !said.is_empty());
    let problems = problems(&feed.source.id, &read, feed.max_entries);
    for mut raw in read.entries {
        let source = raw.source.take();
        match normalize::entry(&feed.source, &feed.cuts, &base, raw, meta.language.as_deref(), seen) {
            Ok(entry) => {
                entries.push(entry);
                sources.push(source);
            }
            Err(reject) => rejects.push(reject),
        }
    }
    let answer = RawAnswer {
        feed: feed.source.id.to_string(),
        url: feed.source.public_url().map(|_| base.to_string()),
        seen,
        status: body.status,
        headers: body.headers,
        sha256: hex(&Sha256::digest(&body.bytes)),
        charset: Some(read.charset.to_owned()),
        envelope: read.envelope.unwrap_or_default(),
    };
    // Whoever saw half of a document must not say next time that he has it.
    let validators = if is_complete { body.validators } else { Validators::default() };
    let identities = identity::keys(&entries, feed.source.dedup);
    let found = entries.into_iter().zip(identities).collect();
    Ok(Document { found, sources, answer, meta, rejects, problems, repairs, validators, seen })
}
