//! Feeds for people at a terminal.

use std::fmt::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::worst_first;
use crate::model::{Condition, FeedStatus, Reason, StatusSummary, Timestamp};

/// Columns of a terminal that everybody has.
const WIDTH: usize = 80;
/// The least that is shown of a name.
const LEAST_NAME: usize = 8;
/// What a row takes besides id, name and what stands under NEXT.
const REST: usize = 38;

/// A line a feed, what needs somebody first; then what is the matter with those; then the totals.
pub fn table(feeds: &[FeedStatus], now: Timestamp) -> String {
    let mut feeds: Vec<&FeedStatus> = feeds.iter().collect();
    feeds.sort_by(|a, b| worst_first(a, b));
    let mut out = String::new();
    if !feeds.is_empty() {
        let nexts: Vec<String> = feeds.iter().map(|feed| next(feed, now)).collect();
        let (id, name) = widths(&feeds, &nexts);
        out.push_str(&row(["STATE", "FEED", "NAME", "LAST NEW", "POLLED", "NEXT"], id, name));
        for (feed, next) in feeds.iter().zip(&nexts) {
            let (last_new, polled) = (ago(feed.last_new, now), ago(feed.polled, now));
            out.push_str(&row([feed.state.word(), &feed.feed, &feed.name, &last_new, &polled, next], id, name));
        }
    }
    let told: Vec<String> = feeds.iter().flat_map(|feed| sentences(feed)).collect();
    if !told.is_empty() {
        let _ = writeln!(out, "\n{}", told.join("\n"));
    }
    let owned: Vec<FeedStatus> = feeds.into_iter().cloned().collect();
    let _ = writeln!(out, "{}{}", if owned.is_empty() { "" } else { "\n" }, summary(&StatusSummary::of(&owned), now));
    out
}

/// Alarms, and what failed without being one yet.
fn sentences(feed: &FeedStatus) -> Vec<String> {
    let mut told: Vec<String> =
        feed.alarms.iter().map(|alarm| format!("alarm ({}): {}", alarm.kind, one_line(&alarm.text))).collect();
    if told.is_empty() && feed.failures > 0 && feed.state != Condition::Disabled {
        told.extend(feed.error.as_ref().map(|error| format!("{}: {}", times(feed.failures), one_line(error))));
    }
    told
}

fn times(failures: u32) -> String {
    if failures == 1 { "failed once".to_owned() } else { format!("failed {failures} times in a row") }
}

/// `3 feeds: 1 gone, 2 ok; 1 alarm; last new entry 3 h ago`
fn summary(all: &StatusSummary, now: Timestamp) -> String {
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let states = Condition::ALL.into_iter().filter(|state| all.count(*state) > 0);
    let states: Vec<String> = states.map(|state| format!("{} {state}", all.count(state))).collect();
    let mut line = count(all.feeds, "feed");
    if !states.is_empty() {
        let _ = write!(line, ": {}", states.join(", "));
    }
    let _ = write!(line, "; {}", if all.alarms == 0 { "no alarms".to_owned() } else { count(all.alarms, "alarm") });
    if all.last_new.is_some() {
        let _ = write!(line, "; last new entry {}", ago(all.last_new, now));
    }
    line
}

/// How wide the columns of id and name are. An id is never cut: it is what other commands want.
fn widths(feeds: &[&FeedStatus], nexts: &[String]) -> (usize, usize) {
    let widest = |of: fn(&FeedStatus) -> &str| feeds.iter().map(|feed| width(of(feed))).max().unwrap_or(0);
    let id = widest(|feed| &feed.feed).max("FEED".len());
    let next = nexts.iter().map(String::len).max().unwrap_or(0);
    let room = WIDTH.saturating_sub(REST + id + next).max(LEAST_NAME);
    (id, widest(|feed| &feed.name).clamp("NAME".len(), room))
}

fn row([state, id, name, last_new, polled, next]: [&str; 6], id_width: usize, name_width: usize) -> String {
    let line = format!(
        "{state:8}  {}  {}  {last_new:>10}  {polled:>10}  {next}",
        padded(id, id_width),
        padded(&cut(&one_line(name), name_width), name_width),
    );
    format!("{}\n", line.trim_end())
}

fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Chinese characters take two columns each.
fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 1;
    for c in text.chars() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            break;
        }
        kept.push(c);
    }
    format!("{}…", kept.trim_end())
}

/// What a publisher or a config holds stays on its line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `5 min ago`, `3 h ago`, or the day where the clock was set back since then; `never`.
fn ago(moment: Option<Timestamp>, now: Timestamp) -> String {
    let Some(moment) = moment else { return "never".to_owned() };
    let age = now.millis().saturating_sub(moment.millis());
    if age < -60_000 { moment.day() } else { format!("{} ago", length(age.max(0))) }
}

/// `in 12 min`, with what decides it where that is neither the schedule nor what the state says already.
fn next(feed: &FeedStatus, now: Timestamp) -> String {
    let Some(next) = feed.next else {
        return if feed.state == Condition::Disabled { "-" } else { "never" }.to_owned();
    };
    let wait = next.millis().saturating_sub(now.millis());
    let mut text = if wait <= 0 { "now".to_owned() } else { format!("in {}", length(wait)) };
    if let Some(why @ (Reason::MinInterval | Reason::Hint)) = feed.why {
        let _ = write!(text, ", {}", why.word());
    }
    text
}

fn length(millis: i64) -> String {
    const UNITS: [(i64, i64, &str); 4] =
        [(60, 1, "s"), (3600, 60, "min"), (172_800, 3600, "h"), (63_072_000, 86_400, "d")];
    let seconds = millis / 1000;
    let fitting = UNITS.into_iter().find(|(below, ..)| seconds < *below);
    let (_, unit, name) = fitting.unwrap_or((i64::MAX, 31_536_000, "y"));
    format!("{} {name}", seconds / unit)
}
