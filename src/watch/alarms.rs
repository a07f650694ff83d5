//! What an operator should know of a feed, from what is remembered of it.

use super::{for_all, is_gone, moved_to};
use crate::config::Feed;
use crate::fetch;
use crate::index::FeedState;
use crate::model::{Alarm, AlarmKind, Condition, Timestamp};

const SECOND: i64 = 1000;
const HOUR: i64 = 3600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// A feed may be silent for so many times its longest usual silence.
const PATIENCE: i64 = 4;
/// However lively it is.
const LEAST_SILENCE: i64 = 2 * DAY;
/// However sleepy it is.
const MOST_SILENCE: i64 = 365 * DAY;
/// Where its habit is not known.
const USUAL_SILENCE: i64 = 60 * DAY;
/// How long a gap is told of.
const GAP: i64 = 7 * DAY;
/// So many failures in a row take a day at least, with the waits between them; this counts where the clock does not.
const MANY_FAILURES: u32 = 12;
/// Nothing was written before this, 2020-01-01: an earlier moment was taken from a clock that was not set.
const NO_TIME_BEFORE: i64 = 1_577_836_800 * SECOND;

/// The alarms of a feed, worst first; none of one that is not polled.
pub(super) fn of(feed: &Feed, state: &FeedState, condition: Condition, now: Timestamp) -> Vec<Alarm> {
    if condition == Condition::Disabled {
        return Vec::new();
    }
    let now = now.millis();
    let alarms = [
        gone(feed, state, condition),
        failing(feed, state, condition, now),
        gap(feed, state, now),
        cut(feed, state),
        silent(feed, state, now),
        moved(feed, state),
    ];
    alarms.into_iter().flatten().collect()
}

fn alarm(feed: &Feed, kind: AlarmKind, since: Option<i64>, what: &str) -> Alarm {
    let text = format!("feed `{}`: {what}", feed.source.id);
    Alarm { kind, since: since.map(Timestamp::from_millis), text }
}

/// How long ago a moment of our own clock is; `None` when that clock was not right.
fn since(moment: i64, now: i64) -> Option<i64> {
    (NO_TIME_BEFORE..=now).contains(&moment).then(|| now - moment)
}

fn gone(feed: &Feed, state: &FeedState, condition: Condition) -> Option<Alarm> {
    if condition == Condition::Gone || (state.failures > 0 && is_gone(feed, state)) {
        let since = state.failing.or_else(|| state.gone.values().min().copied());
        let what = "its publisher ended it (410 Gone), so it is asked once a month only; set `enabled: false`, or its \
                    new address as `url`";
        return Some(alarm(feed, AlarmKind::Gone, since, what));
    }
    let (address, asked) = state.gone.iter().next()?;
    let shown = url::Url::parse(address).ok().filter(|_| feed.source.public_url().is_some());
    let shown = shown.map_or_else(|| "one of its addresses".to_owned(), |url| format!("`{}`", fetch::shown(&url)));
    let what = format!(
        "{shown} has ended (410 Gone), so its other addresses are asked alone; take that one out of the config"
    );
    Some(alarm(feed, AlarmKind::Gone, Some(*asked), &what))
}

fn failing(feed: &Feed, state: &FeedState, condition: Condition, now: i64) -> Option<Alarm> {
    // 410 has its own alarm.
    if state.failures == 0 || condition == Condition::Gone || is_gone(feed, state) {
        return None;
    }
    let begun = state.failing.filter(|begun| since(*begun, now).is_some());
    let is_long = match begun {
        Some(begun) => now - begun >= DAY,
        None => state.failures >= MANY_FAILURES,
    };
    if !is_long {
        return None;
    }
    let when = begun.map(|begun| format!(" since {}", minute(begun))).unwrap_or_default();
    let id = format!("feed `{}`: ", feed.source.id);
    let error = state.error.as_deref().map(|error| error.strip_prefix(&id).unwrap_or(error));
    let error = for_all(feed, error.unwrap_or("its polls bring nothing"));
    let what = format!(
        "every poll{when} failed: {error}; look at its address in a browser, and mend its `url` or set `enabled: false`"
    );
    Some(alarm(feed, AlarmKind::Failing, state.failing, &what))
}

fn gap(feed: &Feed, state: &FeedState, now: i64) -> Option<Alarm> {
    let gap = state.gap.filter(|gap| since(*gap, now).is_some_and(|age| age < GAP))?;
    let what = format!(
        "on {} its document held nothing but new entries, so some before them were probably missed; let its `schedule` \
         be shorter",
        minute(gap)
    );
    Some(alarm(feed, AlarmKind::Gap, Some(gap), &what))
}

fn cut(feed: &Feed, state: &FeedState) -> Option<Alarm> {
    let begun = state.cut?;
    let when = if begun < NO_TIME_BEFORE { String::new() } else { format!(" since {}", minute(begun)) };
    let what = format!(
        "its documents come cut short{when}, or hold more than its `max_entries`; `feedmill poll -v {}` says which: \
         raise `max_entries` or fetch.timeout, or tell its publisher",
        feed.source.id
    );
    Some(alarm(feed, AlarmKind::Cut, Some(begun), &what))
}

fn silent(feed: &Feed, state: &FeedState, now: i64) -> Option<Alarm> {
    // Who does not answer is not silent, and nobody knows what came since we last asked.
    if state.failures > 0 {
        return None;
    }
    let heard = state.polled?.min(now);
    let active = state.active?;
    // Entries of one moment say nothing about a habit.
    let habit = state.pace.silence.filter(|seconds| *seconds > 0);
    let habit = habit.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND));
    let limit = habit.map_or(USUAL_SILENCE, |habit| habit.saturating_mul(PATIENCE).clamp(LEAST_SILENCE, MOST_SILENCE));
    if heard < NO_TIME_BEFORE || heard.saturating_sub(active) <= limit {
        return None;
    }
    let usual =
        habit.map(|habit| format!(", and it is rarely silent for longer than {}", span(habit.min(MOST_SILENCE))));
    let what = format!(
        "no new entry since {}{}; look whether its site goes on elsewhere, and mend its `url` or set `enabled: false`",
        Timestamp::from_millis(active).day(),
        usual.unwrap_or_default()
    );
    Some(alarm(feed, AlarmKind::Silent, Some(active), &what))
}

fn moved(feed: &Feed, state: &FeedState) -> Option<Alarm> {
    state.moved.as_ref()?;
    let what = match moved_to(feed, state) {
        Some(to) => {
            format!("it has moved for good to `{to}` and is asked there; write that into the config as its `url`")
        }
        None => {
            "it has moved for good and is asked at its new address; write that into the config as its `url`".to_owned()
        }
    };
    Some(alarm(feed, AlarmKind::Moved, state.moved_since, &what))
}

/// `2026-11-29 14:05 UTC`
fn minute(millis: i64) -> String {
    Timestamp::from_millis(millis).utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// `40 minutes`, `12 hours`, `3 days`; rounded up.
fn span(millis: i64) -> String {
    let units = [(2 * HOUR, HOUR / 60, "minute"), (2 * DAY, HOUR, "hour"), (i64::MAX, DAY, "day")];
    let fitting = units.into_iter().find(|(below, ..)| millis < *below);
    let (_, unit, name) = fitting.unwrap_or((i64::MAX, DAY, "day"));
    let count = millis.saturating_add(unit - 1) / unit;
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}
