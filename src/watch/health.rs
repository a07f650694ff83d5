//! Whether the whole does its work, for load balancers and other watchers.

use crate::model::{Condition, FeedStatus, Reason, Timestamp};

/// How long feeds may be due, or all of them fail, before that is worth a word.
const PATIENCE: i64 = 3600 * 1000;

/// Whether the daemon does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does.
    Ready,
    /// It serves, but somebody has to look at it.
    Degraded,
}

/// What `/health` says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Health {
    /// In a word.
    pub status: Verdict,
    /// Why it is degraded, one sentence each.
    pub reasons: Vec<String>,
}

impl Health {
    /// True when nobody has to look at it.
    pub fn is_ready(&self) -> bool {
        self.status == Verdict::Ready
    }

    /// The HTTP status that says the same: 200 or 503.
    pub fn code(&self) -> u16 {
        if self.is_ready() { 200 } else { 503 }
    }

    /// The JSON of `/health`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Judges a daemon that runs since `started`. `trouble` is what went wrong with archive, index and publishing since
/// they last worked, a sentence each.
pub fn health(feeds: &[FeedStatus], trouble: &[String], started: Timestamp, now: Timestamp) -> Health {
    let mut reasons = trouble.to_vec();
    reasons.extend(all_failing(feeds, now));
    reasons.extend(overdue(feeds, started, now));
    let status = if reasons.is_empty() { Verdict::Ready } else { Verdict::Degraded };
    Health { status, reasons }
}

fn age(moment: Timestamp, now: Timestamp) -> i64 {
    now.millis().saturating_sub(moment.millis())
}

/// No feed answers: then it is rather us.
fn all_failing(feeds: &[FeedStatus], now: Timestamp) -> Option<String> {
    // The ended and the paused say nothing about us, and the new nothing yet.
    let is_over = |state| matches!(state, Condition::Disabled | Condition::Gone);
    let mut asked = feeds.iter().filter(|feed| !is_over(feed.state) && feed.polled.is_some()).peekable();
    asked.peek()?;
    let all: Vec<&FeedStatus> = asked.collect();
    let failing = |feed: &&FeedStatus| feed.failures > 0;
    let is_long = |feed: &&FeedStatus| feed.failing_since.is_some_and(|since| age(since, now) >= PATIENCE);
    (all.iter().all(failing) && all.iter().any(is_long)).then(|| {
        let count = all.len();
        let what = if count == 1 { "the only feed".to_owned() } else { format!("all {count} feeds") };
        format!("{what} failed at the last poll; look whether this machine reaches the network")
    })
}

/// Feeds whose time is long past: the daemon does not get to polling.
fn overdue(feeds: &[FeedStatus], started: Timestamp, now: Timestamp) -> Option<String> {
    let due = |feed: &FeedStatus| {
        let next = feed.next?;
        // Who was never asked is due since the daemon runs, and what fell due before it ran is due since then.
        Some(if feed.why == Some(Reason::First) { started } else { next.max(started) })
    };
    let late = feeds.iter().filter(|feed| due(feed).is_some_and(|due| age(due, now) >= PATIENCE)).count();
    let feeds = if late == 1 { "1 feed has" } else { &format!("{late} feeds have") };
    (late > 0).then(|| format!("{feeds} been due for longer than an hour; look at the log for what keeps the polls"))
}
