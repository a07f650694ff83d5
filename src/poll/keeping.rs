//! Steps 6 to 9 of the way of an entry: what a feed brought is compared, written and remembered.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::address::{self, Move};
use super::backlog::Place;
use super::document::{Answer, Asked, Document, FeedError, settings};
use super::job::{Answered, Job};
use super::report::{FeedReport, Outcome};
use super::{Options, PollError, Poller};
use crate::archive::{self, Archive, ArchiveError, Batch, FeedLine, FeedOp, SourceLine};
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::{self, Fetch};
use crate::identity::{Identity, Known};
use crate::index::{Committed, FeedState, Index};
use crate::keep::{self, Written};
use crate::maintain::state::StateFile;
use crate::model::{Entry, EntryKey, FeedId, FeedMeta, Fingerprint, Found, Timestamp};
use crate::normalize::Reject;
use crate::pace::Pace;
use crate::plan::{self, Plan, Sighting};
use crate::topic::{self, Matcher};

/// What comparing a document showed.
struct Kept {
    /// An entry of it was known, and this feed's.
    shares: bool,
    /// No entry of it was known, of those that the feed's words let in.
    none_known: bool,
    /// What has to be written.
    staged: Option<(Batch, Compared)>,
}

/// What of a document has to be remembered once it is written.
struct Compared {
    written: Vec<Written>,
    sightings: Vec<Sighting>,
    /// Until then it counts as waiting.
    _place: Option<Place>,
}

/// A document that is to be written.
struct Staged {
    batch: Batch,
    compared: Compared,
}

/// Documents that are written together.
#[derive(Default)]
struct Group {
    staged: Vec<Staged>,
    /// By what their entries can be recognised.
    marks: HashSet<Fingerprint>,
}

impl Group {
    fn is_full(&self) -> bool {
        self.staged.len() >= archive::GROUP
    }

    fn shares(&self, answered: &Answered) -> bool {
        marks(answered).any(|mark| self.marks.contains(&mark))
    }
}

/// By what the entries that a feed brought can be recognised in another. A feed itself is never out twice.
fn marks(answered: &Answered) -> impl Iterator<Item = Fingerprint> {
    let answer = answered.asked.answered.as_ref().map(|(_, answer)| answer);
    let found = answer.and_then(|answer| answer.document.as_ref()).map(|document| &document.found);
    found.into_iter().flatten().flat_map(|(_, identity)| identity.marks())
}

/// Those who keep, one feed after the other, and what they have in hand.
#[derive(Debug)]
pub struct Desk<F, I, A, C> {
    /// What is touched.
    pub poller: Poller<F, I, A, C>,
    states: StateFile,
    has_new_states: bool,
    topics: Matcher,
    /// The index is known not to be empty.
    has_records: bool,
    /// What each source last said of itself.
    sources: HashMap<String, SourceLine>,
    /// States of feeds that are not stored yet.
    changed: BTreeMap<FeedId, FeedState>,
    /// Ledger lines about feeds that are not written yet.
    lines: Vec<FeedLine>,
    /// Of a dry run.
    would_be_new: HashSet<EntryKey>,
    /// Something of the archive was written since it was last settled.
    has_written: bool,
}

impl<F, I, A, C> Desk<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    /// Reads what has to be at hand.
    pub async fn open(poller: Poller<F, I, A, C>) -> Result<Self, PollError> {
        let states = poller.archive.state().await?;
        let sources = poller.archive.sources().await?;
        Ok(Self {
            topics: Matcher::new(&poller.config.topics),
            has_records: false,
            poller,
            // There is always a file.
            has_new_states: states.is_none(),
            states: StateFile::parse(states.as_deref()),
            sources: sources.into_iter().map(|line| (line.feed.clone(), line)).collect(),
            changed: BTreeMap::new(),
            lines: Vec::new(),
            would_be_new: HashSet::new(),
            // What was left by others, too.
            has_written: true,
        })
    }

    /// From now on another config holds; the former one.
    pub fn renew(&mut self, config: Arc<Config>, fetch: Arc<F>) -> Arc<Config> {
        self.topics = Matcher::new(&config.topics);
        self.poller.fetch = fetch;
        std::mem::replace(&mut self.poller.config, config)
    }

    /// Feeds as they are asked next.
    pub async fn jobs(&self, feeds: Vec<Arc<Feed>>, options: Options) -> Result<Vec<Job>, PollError> {
        let ids = feeds.iter().map(|feed| feed.source.id.clone()).collect();
        let remembered = self.poller.index.feed_states(ids).await?;
        let job = |(feed, remembered): (Arc<Feed>, Option<FeedState>)| {
            let unsaved = self.changed.get(&feed.source.id).cloned();
            let state = super::state_of(&feed, unsaved.or(remembered), &self.states);
            Job { options, ..Job::new(feed, state) }
        };
        Ok(feeds.into_iter().zip(remembered).map(job).collect())
    }

    /// A feed as it is asked next.
    pub async fn job(&self, feed: &Arc<Feed>, options: Options) -> Result<Job, PollError> {
        let unsaved = self.changed.get(&feed.source.id).cloned();
        let remembered = match unsaved {
            Some(state) => Some(state),
            None => self.poller.index.feed_state(&feed.source.id).await?,
        };
        Ok(Job { options, ..Job::new(Arc::clone(feed), super::state_of(feed, remembered, &self.states)) })
    }

    /// What is stored of these feeds.
    pub(super) async fn stored(&self, feeds: Vec<&Feed>) -> Result<Vec<FeedState>, PollError> {
        let ids = feeds.iter().map(|feed| feed.source.id.clone()).collect();
        let remembered = self.poller.index.feed_states(ids).await?;
        Ok(feeds.iter().zip(remembered).map(|(feed, state)| super::state_of(feed, state, &self.states)).collect())
    }

    /// Stores what has come together: ledger lines about feeds, then the states of feeds, then, where `all` says so, what a
    /// clone of the archive needs of them.
    pub async fn save(&mut self, all: bool) -> Result<(), PollError> {
        let archive = &self.poller.archive;
        if !self.lines.is_empty() {
            let feeds = std::mem::take(&mut self.lines);
            archive.write_all(vec![Batch { feeds, ..Batch::default() }]).await?;
            self.has_written = true;
        }
        self.poller.index.put_feed_states(std::mem::take(&mut self.changed).into_iter().collect()).await?;
        if all && self.has_new_states {
            archive.put_state(self.states.to_text()).await?;
            self.has_new_states = false;
        }
        if std::mem::take(&mut self.has_written) {
            archive.settle().await?;
        }
        Ok(())
    }

    /// No dry run waits for anything any more: the next one begins with what is kept.
    pub fn end_dry_runs(&mut self) {
        self.would_be_new.clear();
    }

    /// True when something waits to be stored.
    pub fn has_unsaved(&self) -> bool {
        !self.changed.is_empty() || !self.lines.is_empty()
    }

    /// Keeps what feeds brought: files, then records. Their states follow when they are saved.
    ///
    /// They are written together, as far as none shares an entry with another: what is new in one has to be known before
    /// the next is compared.
    pub async fn keep(&mut self, answered: Vec<Answered>) -> Result<Vec<(Job, FeedReport)>, PollError> {
        let mut done = Vec::with_capacity(answered.len());
        let mut group = Group::default();
        for answered in answered {
            if group.is_full() || group.shares(&answered) {
                self.write(std::mem::take(&mut group)).await?;
            }
            group.marks.extend(marks(&answered));
            let (job, report, staged) = self.take(answered).await?;
            group.staged.extend(staged);
            done.push((job, report));
        }
        self.write(group).await?;
        Ok(done)
    }

    /// What is there is written: files, then records.
    async fn write(&mut self, group: Group) -> Result<(), PollError> {
        if group.staged.is_empty() {
            return Ok(());
        }
        let Poller { config, index, archive, .. } = &self.poller;
        self.has_written = true;
        let (batches, compared): (Vec<Batch>, Vec<Compared>) =
            group.staged.into_iter().map(|staged| (staged.batch, staged.compared)).unzip();
        let sources: Vec<SourceLine> = batches.iter().filter_map(|batch| batch.source.clone()).collect();
        let lines = archive.write_all(batches).await?;
        self.sources.extend(sources.into_iter().map(|line| (line.feed.clone(), line)));
        let mut records = Vec::new();
        for (Compared { written, sightings, .. }, lines) in compared.into_iter().zip(&lines) {
            records.extend(written.into_iter().zip(lines).map(|(written, line)| keep::remember(written, line)));
            records.extend(sightings.iter().map(keep::remember_sighting));
        }
        let stale = keep::touched(&records, &config.topics);
        let ledger = archive.position().await?;
        let topics = topic::rules(&config.topics);
        // Where nothing was known before, these are all the records there are.
        let is_first = !self.has_records && index.some_after(None, 1).await?.is_empty();
        self.has_records = true;
        let complete = if is_first { topics.iter().map(|(_, rule)| *rule).collect() } else { Vec::new() };
        Ok(index.commit(Committed { records, topics, ledger, stale, complete }).await?)
    }

    /// Notes that a feed was asked and nobody waited for its answer: a start spares it as after any other failure.
    pub fn note_stopped(&mut self, job: &Job, began: Timestamp) {
        let (id, mut state) = (job.id().clone(), job.state.clone());
        state.polled = Some(began.millis());
        state.error =
            Some(format!("feed `{id}`: it had not answered when feedmill was stopped; it is asked again soon"));
        state.failing.get_or_insert(began.millis());
        state.failures = state.failures.saturating_add(1);
        if !job.options.dry_run {
            self.changed.insert(id, state);
        }
    }

    /// Compares what a feed brought with what is known, and notes what it says of itself.
    async fn take(&mut self, answered: Answered) -> Result<(Job, FeedReport, Option<Staged>), PollError> {
        let Answered { mut job, asked, took, waited, began, place } = answered;
        let mut staged = None;
        let (feed, now) = (Arc::clone(&job.feed), self.poller.clock.now());
        let mut state = job.state.clone();
        let mut report = FeedReport { took, waited, ..FeedReport::new(&feed.source.id, Outcome::Failed) };
        // What the guard refused never reached the publisher.
        if asked.answered.is_some() || asked.failed.iter().any(|(_, error)| error.was_asked()) {
            state.polled = Some(began.millis());
        } else {
            state.tried = Some(began.millis());
        }
        let lines = self.lines.len();
        note_failures(&feed, &asked, &mut state, &mut self.lines, now);
        match asked.answered {
            None => {
                report.error = failure(&feed, &asked.failed);
                state.error.clone_from(&report.error);
                state.failing.get_or_insert(now.millis());
                state.failures = state.failures.saturating_add(1);
            }
            Some((address, answer)) => {
                state.failures = 0;
                (state.failing, state.error) = (None, None);
                state.gone.remove(address.as_str());
                report.notes.extend(fallback(&feed, &asked.failed, &address));
                if address::turn_back(&mut state, &asked.failed, &address, &feed.source.url) {
                    let id = &feed.source.id;
                    report.notes.push(format!("feed `{id}`: it is asked at `{}` again", fetch::shown(&address)));
                }
                let (to, seen) = (answer.moved.clone(), answer.seen);
                let was_same = address::was_same(&state, &address, to.as_ref());
                let kept = self.take_answer(&job, &address, answer, &mut state, &mut report).await?;
                let shares = kept.as_ref().map_or(was_same, |kept| kept.shares);
                staged = kept.and_then(|kept| kept.staged);
                match address::follow(&mut state, &feed.source.url, &address, to.as_ref(), shares) {
                    Move::Waiting => {}
                    Move::Settled(to) => {
                        report.notes.push(moved(&feed.source.id, &to));
                        self.lines.push(line(FeedOp::Moved, seen, &feed, &to));
                    }
                    Move::Stranger(to) => report.notes.push(stranger(&feed.source.id, &to)),
                }
            }
        }
        let addresses = address::of(&feed.source, &state);
        address::tidy(&mut state, &addresses, now);
        report.dry_run = job.options.dry_run;
        if job.options.dry_run {
            self.lines.truncate(lines);
        } else {
            if feed.source.public_url().is_some() {
                self.has_new_states |= self.states.put(&feed.source.id, &state);
            }
            self.changed.insert(feed.source.id.clone(), state.clone());
            job.state = state;
        }
        job.options = Options::default();
        let staged = staged.map(|(batch, compared)| Staged { batch, compared: Compared { _place: place, ..compared } });
        Ok((job, report, staged))
    }

    /// Takes an answer in; `None` where nothing was modified.
    async fn take_answer(
        &mut self,
        job: &Job,
        address: &url::Url,
        answer: Answer,
        state: &mut FeedState,
        report: &mut FeedReport,
    ) -> Result<Option<Kept>, PollError> {
        let feed = &*job.feed;
        let Answer { validators, freshness, seen, document, .. } = answer;
        if let Some(validators) = validators {
            // A redirect that leads to another address each time is no news.
            let known = state.validators_of(address.as_str());
            let is_known = document.is_none() && known.say_the_same(&validators);
            if !is_known || known.from.is_none() || validators.from.is_none() {
                state.put_validators(address.as_str(), validators);
            }
        }
        let fresh = freshness.map(|fresh| fresh.as_secs());
        let Some(document) = document else {
            report.outcome = Outcome::NotModified;
            state.pace.fresh = fresh;
            // Only whole documents leave validators and a hash.
            state.cut = None;
            return Ok(None);
        };
        report.outcome = Outcome::Polled;
        let pace = Pace { fresh, ..document.pace.clone() };
        let body = document.is_complete.then(|| document.answer.sha256.clone());
        let Document { entries, newest, shares_ends, .. } = *document;
        let (ends, is_cut) = (document.ends.clone(), !document.is_complete);
        // Of what is left out only the ends are remembered, and those only from the first time on.
        let can_tell = document.found.len() == entries || !state.ends.is_empty();
        let kept = self.compare(job, *document, seen, report).await?;
        let since = state.read.map(|read| Duration::from_millis(u64::try_from(seen.millis() - read).unwrap_or(0)));
        let has_gap = entries > 0 && state.entries > 0 && kept.none_known && !shares_ends && can_tell;
        let is_alive = report.new > 0 || (!ends.is_empty() && ends != state.ends);
        state.pace = pace;
        state.pace.rush = since.and_then(|since| rush(since, entries, if has_gap { entries } else { report.new }));
        if let Some(since) = since.filter(|_| has_gap) {
            // Whatever was between the two documents was never seen.
            state.pace.turnover = state.pace.turnover.min(Some(since.as_secs()));
            state.gap = Some(seen.millis());
            report.notes.push(gap(&feed.source.id, entries, since));
        }
        state.cut = if is_cut { state.cut.or(Some(seen.millis())) } else { None };
        state.active = match state.read {
            None => Some(newest.unwrap_or(seen).min(seen).millis()),
            Some(_) if is_alive => Some(seen.millis()),
            Some(_) => state.active,
        };
        if body.is_some() {
            state.settings = Some(settings(feed));
            state.body = body;
        }
        state.read = Some(seen.millis());
        (state.entries, state.news, state.ends) = (entries, report.new, ends);
        if report.new > 0 {
            state.last_new = Some(seen.millis());
        }
        Ok(Some(kept))
    }

    async fn compare(
        &mut self,
        job: &Job,
        document: Document,
        seen: Timestamp,
        report: &mut FeedReport,
    ) -> Result<Kept, PollError> {
        let (feed, Poller { config, index, archive, .. }) = (&*job.feed, &self.poller);
        let Document { found, sources, answer, meta, rejects, problems, repairs, .. } = document;
        let (entries, ids): (Vec<Entry>, Vec<Identity>) = found.into_iter().unzip();
        let known = if ids.is_empty() { Vec::new() } else { index.records(&ids).await? };
        let known = without_lost_posts(&**archive, known).await?;
        let is_ours = |found: &Found| found.record.feed.as_ref() == Some(&feed.source.id);
        let shares = known.iter().flat_map(Known::found).any(is_ours);
        let none_known = known.iter().all(|known| known.found().next().is_none());
        let mut kept = Kept { shares, none_known, staged: None };
        let mut plan = plan::entries(entries, ids, &known, feed.source.revisions);
        report.new = plan.new.len();
        report.revised = plan.revised.len();
        report.duplicate = plan.duplicates;
        report.rejected = rejects.len();
        report.repaired = repairs.is_some();
        report.repairs = repairs;
        report.notes.extend(problems);
        report.notes.extend(notes(&feed.source.id, &rejects, &plan));
        if job.options.dry_run {
            // Nothing is remembered, so an entry of two feeds has to be counted once by hand.
            let known = plan.new.iter().filter(|change| !self.would_be_new.insert(change.key)).count();
            report.new -= known;
            report.duplicate += known;
            return Ok(kept);
        }
        let source = self.new_source_line(feed, meta, seen);
        let drafts = keep::drafts(&mut plan, &feed.source, seen, &self.topics);
        let (mut batch, written) = keep::batch(drafts, &plan.sightings, &feed.source, seen, source);
        if config.storage.raw {
            batch.raw = keep::raw(&written, sources, answer);
        }
        if !batch.is_empty() {
            kept.staged = Some((batch, Compared { written, sightings: plan.sightings, _place: None }));
        }
        Ok(kept)
    }

    /// A line for `sources.jsonl`, when the feed says something else of itself than before.
    fn new_source_line(&self, feed: &Feed, meta: FeedMeta, seen: Timestamp) -> Option<SourceLine> {
        let line = SourceLine::new(seen, &feed.source, meta);
        let last = self.sources.get(&line.feed);
        (!last.is_some_and(|last| last.says_the_same(&line))).then_some(line)
    }
}

/// In which time a document turns over, in seconds, by what was new in it since the last reading; `None` where that is less
/// than half of it.
fn rush(since: Duration, entries: usize, new: usize) -> Option<u64> {
    let is_most = entries > 0 && new * 2 > entries;
    let new = u64::try_from(new).ok().filter(|_| is_most)?;
    Some(since.as_secs() * u64::try_from(entries).ok()? / new)
}

/// Forgets records whose post is gone from the archive: the archive is the truth, and an entry
/// that the feed still carries is kept again.
async fn without_lost_posts<A: Archive>(archive: &A, mut known: Vec<Known>) -> Result<Vec<Known>, ArchiveError> {
    let facts = |found: &Found| (found.record.path.clone(), found.record.feed.is_some());
    let paths: BTreeMap<String, bool> = known.iter().flat_map(Known::found).map(facts).collect();
    if paths.is_empty() {
        return Ok(known);
    }
    let lost = archive.lost(paths).await?;
    if !lost.is_empty() {
        for known in &mut known {
            known.drop_paths(&lost);
        }
    }
    Ok(known)
}

/// One sentence, however many entries it is about: there is only one reason.
fn left_out(feed: &FeedId, reject: Reject, count: usize) -> String {
    let more = if count > 1 { format!(" (and so were {} more)", count - 1) } else { String::new() };
    format!("feed `{feed}`: an entry was left out: {reject}{more}")
}

/// What the operator should know of a document.
fn notes(feed: &FeedId, rejects: &[Reject], plan: &Plan) -> Vec<String> {
    let mut notes: Vec<String> =
        rejects.first().map(|reject| left_out(feed, *reject, rejects.len())).into_iter().collect();
    if plan.id_reset {
        notes.push(format!("feed `{feed}`: it dealt its ids anew; entries were recognised by link, title and text"));
    }
    notes.extend(plan.flapping.iter().map(|path| {
        let most = plan::MOST_REVISIONS;
        format!("feed `{feed}`: `{path}` changed more than {most} times; further versions are not kept")
    }));
    if plan.unsteady > 0 {
        let (count, most) = (plan.unsteady, plan::MOST_ALIASES);
        notes.push(format!(
            "feed `{feed}`: {count} of its entries came under more than {most} guids or addresses, and further ones are \
             not noted; let its `dedup` be `url` or `guid`, whichever stays the same"
        ));
    }
    notes
}

/// Remembers what addresses that brought nothing said.
fn note_failures(feed: &Feed, asked: &Asked, state: &mut FeedState, lines: &mut Vec<FeedLine>, now: Timestamp) {
    for (url, error) in &asked.failed {
        let was_gone = state.gone.contains_key(url.as_str());
        address::note_failure(state, url, error, now);
        if !was_gone && state.gone.contains_key(url.as_str()) {
            lines.push(line(FeedOp::Gone, now, feed, url));
        }
    }
}

fn line(op: FeedOp, seen: Timestamp, feed: &Feed, url: &url::Url) -> FeedLine {
    // What a key is in is not written down in full.
    let url = if feed.source.public_url().is_some() { url.to_string() } else { fetch::shown(url) };
    FeedLine { op, seen, feed: feed.source.id.to_string(), url }
}

/// The sentence about a feed none of whose addresses brought anything.
fn failure(feed: &Feed, failed: &[(url::Url, FeedError)]) -> Option<String> {
    let id = &feed.source.id;
    let (_, error) = failed.first()?;
    Some(match failed.len() {
        1 => format!("feed `{id}`: {error}"),
        2 => format!("feed `{id}`: {error}; its other address brought nothing either"),
        n => format!("feed `{id}`: {error}; its {} other addresses brought nothing either", n - 1),
    })
}

/// What the operator should know when not the first address answered.
fn fallback(feed: &Feed, failed: &[(url::Url, FeedError)], answered: &url::Url) -> Option<String> {
    let (_, error) = failed.first()?;
    Some(format!("feed `{}`: {error}; `{}` answered in its place", feed.source.id, fetch::shown(answered)))
}

fn moved(feed: &FeedId, to: &url::Url) -> String {
    let to = fetch::shown(to);
    format!("feed `{feed}`: it has moved for good; it is asked at `{to}` from now on, so write that into the config")
}

fn stranger(feed: &FeedId, to: &url::Url) -> String {
    format!(
        "feed `{feed}`: it says that it has moved for good to `{}`, but that is another domain and holds no entry \
         known from this feed; if it is right, change its `url`",
        fetch::shown(to)
    )
}

fn gap(feed: &FeedId, entries: usize, since: Duration) -> String {
    format!(
        "feed `{feed}`: none of its {entries} entries was there at the last reading {} min ago, so some in between \
         were probably missed; let its `schedule` be shorter",
        since.as_secs().div_ceil(60)
    )
}
