//! What an operator sees: how it stands with each feed, what needs a hand, and whether the whole is well.

mod alarms;
mod health;
mod table;

use std::cmp::Ordering;

pub use health::{Health, Verdict, health};
pub use table::table;

use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::Feed;
use crate::fetch::{self, Fetch};
use crate::index::{FeedState, Index};
use crate::model::{Condition, FeedStatus, Reason, Timestamp};
use crate::pace::{Wake, Why};
use crate::poll::{PollError, Poller};

/// How it stands with every feed of the config, what needs somebody first; nothing is written.
pub async fn survey<F, I, A, C>(poller: &Poller<F, I, A, C>) -> Result<Vec<FeedStatus>, PollError>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    let known = poller.remembered().await?;
    let now = poller.clock.now();
    let feeds = poller.config.feeds.iter().zip(&known);
    let mut feeds: Vec<FeedStatus> = feeds.map(|(feed, (state, wake))| of(feed, state, *wake, now)).collect();
    feeds.sort_by(worst_first);
    Ok(feeds)
}

fn worst_first(a: &FeedStatus, b: &FeedStatus) -> Ordering {
    a.rank().cmp(&b.rank())
}

/// How it stands with a feed.
pub fn of(feed: &Feed, state: &FeedState, wake: Option<Wake>, now: Timestamp) -> FeedStatus {
    let condition = condition(feed, state, wake);
    let moment = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let wake = wake.filter(|_| feed.enabled);
    FeedStatus {
        feed: feed.source.id.to_string(),
        name: feed.source.name.clone(),
        state: condition,
        polled: moment(state.polled),
        last_new: moment(state.last_new),
        entries: state.entries,
        failures: state.failures,
        failing_since: moment(state.failing),
        error: state.error.as_deref().map(|error| for_all(feed, error)),
        next: wake.map(|wake| wake.at),
        why: if feed.enabled { wake.map(|wake| reason(wake.why)) } else { Some(Reason::Disabled) },
        schedule: feed.schedule.to_string(),
        moved_to: moved_to(feed, state),
        alarms: alarms::of(feed, state, condition, now),
    }
}

fn condition(feed: &Feed, state: &FeedState, wake: Option<Wake>) -> Condition {
    if !feed.enabled {
        return Condition::Disabled;
    }
    match wake.map(|wake| wake.why) {
        Some(Why::Gone) => Condition::Gone,
        Some(Why::Held) => Condition::Held,
        _ if state.failures > 0 && is_gone(feed, state) => Condition::Gone,
        _ if state.failures > 0 => Condition::Failing,
        _ if state.last_try().is_none() => {
            // A clone of an archive knows of addresses that ended before it has asked for itself.
            let has_ended = is_gone(feed, state) && feed.source.access.mirrors.is_empty();
            if has_ended { Condition::Gone } else { Condition::New }
        }
        _ => Condition::Ok,
    }
}

/// True when the address at which the feed is asked first has ended.
fn is_gone(feed: &Feed, state: &FeedState) -> bool {
    state.gone.contains_key(state.moved.as_deref().unwrap_or(feed.source.url.as_str()))
}

fn reason(why: Why) -> Reason {
    match why {
        Why::First => Reason::First,
        Why::Schedule => Reason::Schedule,
        Why::MinInterval => Reason::MinInterval,
        Why::Hint => Reason::Hint,
        Why::Failures(_) => Reason::Failures,
        Why::Held => Reason::Held,
        Why::Gone => Reason::Gone,
    }
}

/// Where a feed moved to, unless its addresses are nobody's business.
fn moved_to(feed: &Feed, state: &FeedState) -> Option<String> {
    let moved = url::Url::parse(state.moved.as_deref()?).ok()?;
    feed.source.public_url().map(|_| fetch::shown(&moved))
}

/// A sentence that everybody may read: of a feed whose address is secret it names none.
fn for_all(feed: &Feed, sentence: &str) -> String {
    if feed.source.public_url().is_some() { sentence.to_owned() } else { without_addresses(sentence) }
}

fn without_addresses(sentence: &str) -> String {
    let is_quoted_path = |place: usize, part: &str| place % 2 == 1 && part.contains('/');
    let bare = |part: &str| {
        let words = part.split(' ').map(|word| if word.contains("://") { "…" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    let parts = sentence.split('`').enumerate();
    let parts = parts.map(|(place, part)| if is_quoted_path(place, part) { "…".to_owned() } else { bare(part) });
    parts.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests;
