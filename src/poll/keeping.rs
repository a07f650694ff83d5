//! Steps 6 to 9 of the way of an entry: what a feed brought is compared, written and remembered.

use std::collections::BTreeMap;
use std::time::Duration;

use super::address::{self, Move};
use super::document::{Answer, Asked, Document, FeedError, settings};
use super::report::{FeedReport, Outcome};
use super::round::Round;
use super::{PollError, Poller};
use crate::archive::{Archive, ArchiveError, FeedLine, FeedOp};
use crate::clock::Clock;
use crate::config::Feed;
use crate::fetch::{self, Fetch};
use crate::identity::{Identity, Known};
use crate::index::{Committed, FeedState, Index};
use crate::keep;
use crate::model::{FeedId, Found, Timestamp};
use crate::normalize::Reject;
use crate::pace::Pace;
use crate::plan::{self, Plan};
use crate::topic::{self, Matcher};

/// What keeping a document showed.
struct Kept {
    /// An entry of it was known, and this feed's.
    shares: bool,
    /// Each of its entries was new.
    all_new: bool,
}

impl<F, I, A, C> Poller<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    /// Keeps what a feed brought: files, then records. Validators follow at the end of the round.
    pub(super) async fn keep(
        &self,
        place: usize,
        asked: Asked,
        took: Duration,
        round: &mut Round<'_>,
    ) -> Result<FeedReport, PollError> {
        let (feed, now) = (round.feeds[place], self.clock.now());
        let mut state = round.known[place].clone();
        let mut report = FeedReport { took, ..FeedReport::new(&feed.source.id, Outcome::Failed) };
        // What the guard refused never reached the publisher.
        if asked.answered.is_some() || asked.failed.iter().any(|(_, error)| error.was_asked()) {
            state.polled = Some(now.millis());
        } else {
            state.tried = Some(now.millis());
        }
        note_failures(feed, &asked, &mut state, round, now);
        match asked.answered {
            None => {
                report.error = failure(feed, &asked.failed);
                state.error.clone_from(&report.error);
                state.failing.get_or_insert(now.millis());
                state.failures = state.failures.saturating_add(1);
            }
            Some((address, answer)) => {
                state.failures = 0;
                (state.failing, state.error) = (None, None);
                state.gone.remove(address.as_str());
                report.notes.extend(fallback(feed, &asked.failed, &address));
                if address::turn_back(&mut state, &asked.failed, &address, &feed.source.url) {
                    let id = &feed.source.id;
                    report.notes.push(format!("feed `{id}`: it is asked at `{}` again", fetch::shown(&address)));
                }
                let (to, seen) = (answer.moved.clone(), answer.seen);
                let shares = self.keep_answer(feed, &address, answer, &mut state, round, &mut report).await?;
                match address::follow(&mut state, &feed.source.url, &address, to.as_ref(), shares) {
                    Move::Waiting => {}
                    Move::Settled(to) => {
                        report.notes.push(moved(&feed.source.id, &to));
                        round.lines.push(line(FeedOp::Moved, seen, feed, &to));
                    }
                    Move::Stranger(to) => report.notes.push(stranger(&feed.source.id, &to)),
                }
            }
        }
        let addresses = address::of(&feed.source, &state);
        address::tidy(&mut state, &addresses, now);
        round.changed.push((feed.source.id.clone(), state));
        Ok(report)
    }

    /// Keeps an answer; true when the feed is the one it was.
    async fn keep_answer(
        &self,
        feed: &Feed,
        address: &url::Url,
        answer: Answer,
        state: &mut FeedState,
        round: &mut Round<'_>,
        report: &mut FeedReport,
    ) -> Result<bool, PollError> {
        let Answer { validators, freshness, seen, document, .. } = answer;
        if let Some(validators) = validators {
            state.put_validators(address.as_str(), validators);
        }
        let fresh = freshness.map(|fresh| fresh.as_secs());
        let Some(document) = document else {
            report.outcome = Outcome::NotModified;
            state.pace.fresh = fresh;
            return Ok(true);
        };
        report.outcome = Outcome::Polled;
        let pace = Pace { fresh, ..document.pace.clone() };
        let body = document.is_complete.then(|| document.answer.sha256.clone());
        let (entries, newest, is_cut) = (document.found.len(), document.newest, !document.is_complete);
        let kept = self.keep_document(feed, *document, seen, round, report).await?;
        let since = state.read.map(|read| Duration::from_millis(u64::try_from(seen.millis() - read).unwrap_or(0)));
        state.pace = pace;
        if let Some(since) = since.filter(|_| kept.all_new && state.entries > 0) {
            // Whatever was between the two documents was never seen.
            state.pace.turnover = state.pace.turnover.min(Some(since.as_secs()));
            state.gap = Some(seen.millis());
            report.notes.push(gap(&feed.source.id, entries, since));
        }
        state.cut = if is_cut { state.cut.or(Some(seen.millis())) } else { None };
        state.active = match state.read {
            None => Some(newest.unwrap_or(seen).min(seen).millis()),
            Some(_) if report.new > 0 => Some(seen.millis()),
            Some(_) => state.active,
        };
        if body.is_some() {
            state.settings = Some(settings(feed));
            state.body = body;
        }
        state.read = Some(seen.millis());
        (state.entries, state.news) = (entries, report.new);
        if report.new > 0 {
            state.last_new = Some(seen.millis());
        }
        Ok(kept.shares)
    }

    async fn keep_document(
        &self,
        feed: &Feed,
        document: Document,
        seen: Timestamp,
        round: &mut Round<'_>,
        report: &mut FeedReport,
    ) -> Result<Kept, PollError> {
        let Document { found, sources, answer, meta, rejects, problems, repairs, .. } = document;
        let ids: Vec<Identity> = found.iter().map(|(_, identity)| identity.clone()).collect();
        let known = if ids.is_empty() { Vec::new() } else { self.index.records(&ids).await? };
        let known = self.without_lost_posts(known).await?;
        let is_ours = |found: &Found| found.record.feed.as_ref() == Some(&feed.source.id);
        let shares = known.iter().flat_map(Known::found).any(is_ours);
        let all_new = !found.is_empty() && known.iter().all(|known| known.found().next().is_none());
        let kept = Kept { shares, all_new };
        let mut plan = plan::entries(found, &known, feed.source.revisions);
        report.new = plan.new.len();
        report.revised = plan.revised.len();
        report.duplicate = plan.duplicates;
        report.rejected = rejects.len();
        report.repaired = repairs.is_some();
        report.repairs = repairs;
        report.notes.extend(problems);
        report.notes.extend(notes(&feed.source.id, &rejects, &plan));
        if round.options.dry_run {
            // Nothing is remembered, so an entry of two feeds has to be counted once by hand.
            let known = plan.new.iter().filter(|change| !round.would_be_new.insert(change.key)).count();
            report.new -= known;
            report.duplicate += known;
            return Ok(kept);
        }
        let source = round.new_source_line(feed, meta, seen);
        let drafts = keep::drafts(&mut plan, &feed.source, seen);
        let mut batch = keep::batch(&drafts, &plan.sightings, &feed.source, seen, source.clone());
        if self.config.storage.raw {
            batch.raw = keep::raw(&drafts, &sources, answer);
        }
        if batch.is_empty() {
            return Ok(kept);
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
        Ok(kept)
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

/// Remembers what addresses that brought nothing said.
fn note_failures(feed: &Feed, asked: &Asked, state: &mut FeedState, round: &mut Round<'_>, now: Timestamp) {
    for (url, error) in &asked.failed {
        let was_gone = state.gone.contains_key(url.as_str());
        address::note_failure(state, url, error, now);
        if !was_gone && state.gone.contains_key(url.as_str()) {
            round.lines.push(line(FeedOp::Gone, now, feed, url));
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
