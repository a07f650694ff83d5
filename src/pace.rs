//! How often a publisher wants to be asked, and when a feed is asked next.
//!
//! Publishers say it in five places: `Cache-Control` and `Expires` (RFC 9111 section 5), `ttl`, `skipHours` and
//! `skipDays` (RSS 2.0), `sy:updatePeriod` (RSS 1.0 Syndication). All of it only ever lengthens the time between
//! polls, and never so far that entries could leave the feed unseen.

use std::time::Duration;

use crate::model::Timestamp;
use crate::read::RawPace;
use crate::schedule::{self, Schedule, Spread};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The longest wait that a publisher's hints can bring about.
const LONGEST_HINT: Duration = Duration::from_secs(DAY);
/// The longest that `Retry-After` keeps us away, so that a slip of a digit does not end a feed.
pub const LONGEST_HOLD: Duration = Duration::from_secs(7 * DAY);
/// Between two questions to an address that answered 410 Gone.
pub const GONE: Duration = Duration::from_secs(30 * DAY);
/// With `auto`: after so many days of silence, so many seconds at least between polls.
const DORMANT: [(u64, u64); 4] = [(365, DAY), (90, 12 * HOUR), (30, 6 * HOUR), (7, 2 * HOUR)];
/// The first wait after a failure where `min_interval` is shorter.
const SHORTEST_BACK_OFF: Duration = Duration::from_secs(MINUTE);

/// What a publisher said about when to ask again. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Pace {
    /// How long the last answer is fresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fresh: Option<u64>,
    /// The period that the document names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u64>,
    /// Hours (UTC) without news: bit 0 is midnight to one.
    #[serde(skip_serializing_if = "is_zero")]
    pub skip_hours: u32,
    /// Days (UTC) without news: bit 0 is Monday.
    #[serde(skip_serializing_if = "is_zero")]
    pub skip_days: u32,
    /// How long it takes until every entry of the document has been replaced by newer ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turnover: Option<u64>,
    /// The same as it was seen at the last reading, where most entries of the document were new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rush: Option<u64>,
    /// The longest silence between two of its entries that is usual; of more than a few, the very longest does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(bits: &u32) -> bool {
    *bits == 0
}

impl Pace {
    /// What a document says, with the dates that its entries claim.
    pub fn of(raw: &RawPace, dates: impl IntoIterator<Item = Timestamp>) -> Self {
        let ttl = raw.ttl.map(|minutes| u64::from(minutes) * MINUTE);
        let mut dates: Vec<Timestamp> = dates.into_iter().collect();
        dates.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            fresh: None,
            period: ttl.max(syndication(raw)),
            skip_hours: hours(&raw.skip_hours),
            skip_days: days(&raw.skip_days),
            turnover: turnover(&dates),
            rush: None,
            silence: silence(&dates),
        }
    }

    /// The longest time that hints may keep us away: half the turnover, at most a day, and nothing where the turnover
    /// is not known, because every entry comes first.
    fn bound(&self) -> Duration {
        Duration::from_secs(self.turnover.unwrap_or(0) / 2).min(LONGEST_HINT)
    }

    /// How long after a poll the publisher has nothing new.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.fresh.max(self.period).unwrap_or(0)).min(self.bound())
    }

    /// True in the hours and on the days without news.
    fn skips(&self, time: Timestamp) -> bool {
        let hours = time.millis().div_euclid(1000 * HOUR.cast_signed());
        let hour = hours.rem_euclid(24);
        // The epoch was a Thursday.
        let day = (hours.div_euclid(24) + 3).rem_euclid(7);
        self.skip_hours >> hour & 1 == 1 || self.skip_days >> day & 1 == 1
    }
}

/// `sy:updatePeriod` through `sy:updateFrequency`.
fn syndication(raw: &RawPace) -> Option<u64> {
    let period = match raw.period.as_deref()?.trim().to_ascii_lowercase().as_str() {
        "hourly" => HOUR,
        "daily" => DAY,
        "weekly" => 7 * DAY,
        "monthly" => 30 * DAY,
        "yearly" => 365 * DAY,
        _ => return None,
    };
    Some(period / u64::from(raw.frequency.unwrap_or(1).max(1)))
}

/// Hours from 0 to 23; RSS 0.91 counted from 1 to 24.
fn hours(named: &[String]) -> u32 {
    let hours = named.iter().filter_map(|hour| hour.trim().parse::<u32>().ok()).filter(|hour| *hour <= 24);
    let bits = hours.fold(0, |bits, hour| bits | 1 << (hour % 24));
    // Somebody who skips every hour has made a mistake.
    if bits == (1 << 24) - 1 { 0 } else { bits }
}

fn days(named: &[String]) -> u32 {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let number = |name: &String| NAMES.iter().position(|known| name.trim().eq_ignore_ascii_case(known));
    let bits = named.iter().filter_map(number).fold(0, |bits, day| bits | 1 << day);
    if bits == (1 << NAMES.len()) - 1 { 0 } else { bits }
}

/// In which time as many entries come as the document holds, in seconds, from their dates, newest first: the shorter one of the whole document's span
/// and of its newer half's, doubled. An old entry that is kept on top does not make a feed look slow that way.
fn turnover(dates: &[Timestamp]) -> Option<u64> {
    let newest = dates.first()?.millis();
    let last = dates.len() - 1;
    let span = |to: usize| {
        let millis = u64::try_from(newest - dates.get(to)?.millis()).ok()?;
        let entries = u64::try_from(to).ok().filter(|to| *to > 0)?;
        Some(millis / 1000 * (u64::try_from(last).ok()? + 1) / entries)
    };
    span(last).min(span(dates.len().div_ceil(2).min(last)))
}

/// The longest usual silence between two entries, in seconds, from their dates, newest first.
fn silence(dates: &[Timestamp]) -> Option<u64> {
    /// From so many entries on, one may have been put on top years ago.
    const MANY: usize = 8;
    let between =
        |pair: &[Timestamp]| u64::try_from(pair[0].millis() - pair[1].millis()).ok().map(|millis| millis / 1000);
    let mut gaps: Vec<u64> = dates.windows(2).filter_map(between).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    gaps.get(usize::from(dates.len() >= MANY)).copied()
}

/// Why a feed is not asked before a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It was never asked.
    First,
    /// Its schedule.
    Schedule,
    /// `fetch.min_interval`.
    MinInterval,
    /// The publisher's hints.
    Hint,
    /// Failures in a row.
    Failures(u32),
    /// `Retry-After`.
    Held,
    /// 410 Gone.
    Gone,
}

/// When a feed is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The time.
    pub at: Timestamp,
    /// What decided it.
    pub why: Why,
}

/// What is known of a feed's polls so far.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// When it was last asked, or would have been if it could.
    pub polled: Option<Timestamp>,
    /// Failed polls since the last good one.
    pub failures: u32,
    /// None of its addresses may be asked before this.
    pub closed: Option<Wake>,
    /// The publisher's hints.
    pub pace: Pace,
    /// Entries in the document that was read last.
    pub entries: usize,
    /// When the feed last showed life.
    pub active: Option<Timestamp>,
}

/// The regular runs of a feed.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// The feed, by which waits after failures differ.
    pub feed: &'a str,
    /// Its schedule.
    pub schedule: &'a Schedule,
    /// How its runs are shifted.
    pub spread: Spread,
}

impl<'a> Runs<'a> {
    /// Those of a feed.
    pub fn of(feed: &'a str, schedule: &'a Schedule) -> Self {
        Self { feed, schedule, spread: Spread::of(feed) }
    }

    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        self.schedule.next(time, self.spread)
    }
}

/// With `auto`, how long after a poll a feed is asked again: half the time between two of its entries, never more than a
/// quarter of the time in which its document turns over, longer in steps when it falls silent. Between `min_interval` and a
/// day.
pub fn rhythm(past: &Past, min_interval: Duration, now: Timestamp) -> Duration {
    let Past { pace, entries, active, .. } = past;
    let turnover = [pace.turnover, pace.rush].into_iter().flatten().min();
    let gap = turnover.zip(u64::try_from(*entries).ok().filter(|entries| *entries > 0)).map(|(all, n)| all / n);
    let usual = gap.map_or(HOUR, |gap| gap / 2).min(turnover.map_or(DAY, |turnover| turnover / 4));
    let silence = active.and_then(|active| u64::try_from(now.millis() - active.millis()).ok()).unwrap_or(0) / 1000;
    let dormant = DORMANT.iter().find(|(days, _)| silence >= days * DAY).map_or(0, |(_, wait)| *wait);
    // Whoever wakes up and writes as fast as before loses nothing.
    let dormant = dormant.min(turnover.map_or(DAY, |turnover| turnover / 2));
    let least = min_interval.max(Duration::from_secs(MINUTE));
    Duration::from_secs(usual.max(dormant)).clamp(least, LONGEST_HINT.max(least))
}

/// When a feed is asked next, by its schedule and everything that lengthens the time; `None` when its schedule has no
/// run left. A time that has passed means: at once.
pub fn next(runs: Runs<'_>, past: &Past, min_interval: Duration, now: Timestamp) -> Option<Wake> {
    let Some(polled) = past.polled else { return Some(Wake { at: now, why: Why::First }) };
    // A last poll in the future is a clock that was set back.
    let polled = polled.min(now);
    let own = if past.failures > 0 {
        back_off(runs, past.failures, polled, min_interval)?
    } else {
        hinted(&Own::of(runs, past, polled, min_interval, now), &past.pace, polled)?
    };
    let spared = Wake { at: later(polled, min_interval), why: Why::MinInterval };
    let floors = [Some(spared), past.closed];
    Some(floors.into_iter().flatten().fold(own, |wake, floor| if floor.at > wake.at { floor } else { wake }))
}

/// The wait after failures: from `min_interval`, so that a slip does not cost a whole period, twice as long each time.
fn back_off(runs: Runs<'_>, failures: u32, polled: Timestamp, min_interval: Duration) -> Option<Wake> {
    let period = runs.schedule.next(polled, Spread::none())?.millis() - polled.millis();
    let period = Duration::from_millis(u64::try_from(period).unwrap_or(0));
    let first = period.min(min_interval.max(SHORTEST_BACK_OFF));
    let wait = schedule::after_failure(failures, first, runs.feed);
    Some(Wake { at: later(polled, wait), why: Why::Failures(failures) })
}

/// The runs that a feed would have if its publisher had nothing to say about it.
enum Own<'a> {
    Schedule(Runs<'a>),
    /// `auto`: from the last poll on, every so often.
    Rhythm(Timestamp, Duration),
}

impl<'a> Own<'a> {
    fn of(runs: Runs<'a>, past: &Past, polled: Timestamp, min_interval: Duration, now: Timestamp) -> Self {
        if !runs.schedule.is_auto() {
            return Self::Schedule(runs);
        }
        // Feeds of one rhythm that were started together drift apart.
        let rhythm = rhythm(past, min_interval, now);
        Self::Rhythm(polled, rhythm + runs.spread.within(rhythm / 16))
    }

    fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Schedule(runs) => runs.after(time),
            Self::Rhythm(polled, rhythm) => Some(later(*polled, *rhythm).max(later(time, Duration::from_millis(1)))),
        }
    }
}

/// The first run that the publisher's hints leave.
fn hinted(runs: &Own<'_>, pace: &Pace, polled: Timestamp) -> Option<Wake> {
    let run = runs.after(polled)?;
    // A poll takes a moment, and an answer that is fresh for an hour must not make an hourly run miss every other time.
    let floor = later(polled, pace.wait().mul_f64(0.9));
    let wake = if run >= floor {
        Wake { at: run, why: Why::Schedule }
    } else {
        Wake { at: runs.after(Timestamp::from_millis(floor.millis() - 1))?, why: Why::Hint }
    };
    Some(out_of_silence(wake, runs, pace, polled))
}

/// The first run that is not in the hours without news, unless that is too late.
fn out_of_silence(wake: Wake, runs: &Own<'_>, pace: &Pace, polled: Timestamp) -> Wake {
    // Runs of a day and a half at one a minute.
    const MOST: usize = 2160;
    if !pace.skips(wake.at) {
        return wake;
    }
    let bound = later(polled, pace.bound());
    let next = |run: Timestamp| match runs {
        Own::Schedule(_) => runs.after(run),
        // By the minute: it has no times of its own.
        Own::Rhythm(..) => Some(later(run, Duration::from_secs(MINUTE))),
    };
    let later = std::iter::successors(Some(wake.at), |run| next(*run));
    let heard = later.take(MOST).take_while(|run| *run <= bound).find(|run| !pace.skips(*run));
    heard.map_or(wake, |at| Wake { at, why: Why::Hint })
}

/// A time and a duration later.
pub fn later(time: Timestamp, wait: Duration) -> Timestamp {
    Timestamp::from_millis(time.millis().saturating_add(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    fn time(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn every(text: &str) -> Schedule {
        Schedule::parse(text, Tz::UTC).unwrap()
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    /// A day's turnover bounds nothing below half a day.
    const SLOW: Option<u64> = Some(10 * DAY);
    const QUARTER: Duration = Duration::from_mins(15);

    fn wake(schedule: &str, past: &Past, now: &str) -> (String, Why) {
        let schedule = every(schedule);
        let runs = Runs { feed: "a", schedule: &schedule, spread: Spread::none() };
        let wake = next(runs, past, QUARTER, time(now)).unwrap();
        (wake.at.rfc3339_millis(), wake.why)
    }

    fn polled(pace: Pace) -> Past {
        Past { polled: Some(time("2026-11-25T12:00:01Z")), pace, ..Past::default() }
    }

    #[test]
    fn hints_are_read_in_every_form() {
        let raw = RawPace {
            ttl: Some(60),
            skip_hours: strings(&["0", " 23 ", "24", "25", "x", "-1"]),
            skip_days: strings(&["Saturday", "sunday ", "Someday"]),
            period: Some("Hourly".to_owned()),
            frequency: Some(2),
        };
        let pace = Pace::of(&raw, []);
        assert_eq!((pace.period, pace.turnover), (Some(3600), None));
        assert_eq!((pace.skip_hours, pace.skip_days), (1 << 23 | 1, 1 << 5 | 1 << 6));
        let daily = RawPace { period: Some("daily".to_owned()), frequency: Some(0), ..RawPace::default() };
        assert_eq!(Pace::of(&daily, []).period, Some(DAY));
        let all = RawPace { skip_hours: (0..24).map(|hour| hour.to_string()).collect(), ..RawPace::default() };
        assert_eq!(Pace::of(&all, []).skip_hours, 0, "who skips every hour has made a mistake");
    }

    /// Newest first.
    fn dates(hours: &[i64]) -> Vec<Timestamp> {
        hours.iter().rev().map(|hour| Timestamp::from_millis(hour * 3_600_000)).collect()
    }

    #[test]
    fn the_longest_usual_silence_leaves_out_what_was_put_on_top() {
        assert_eq!((silence(&dates(&[])), silence(&dates(&[5]))), (None, None));
        assert_eq!(silence(&dates(&[0, 1, 70])), Some(69 * HOUR));
        assert_eq!(silence(&dates(&[-50_000, 1, 2, 3, 4, 28, 29, 30, 31])), Some(24 * HOUR));
    }

    #[test]
    fn a_window_turns_over_as_fast_as_its_newer_half() {
        let hours = |hours: &[i64]| turnover(&dates(hours));
        assert_eq!(hours(&[]), None);
        assert_eq!(hours(&[5]), None);
        // Eleven entries, an hour apart each.
        assert_eq!(hours(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), Some(11 * HOUR));
        // One of them was put on top years ago.
        assert_eq!(hours(&[-50_000, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), Some(11 * HOUR));
        // All of one moment: nothing can be said, so nothing is bounded above zero.
        assert_eq!(hours(&[7, 7, 7]), Some(0));
        assert_eq!(hours(&[0, 24]), Some(48 * HOUR));
    }

    #[test]
    fn hints_lengthen_within_half_the_turnover_and_a_day() {
        let wait = |fresh, period, turnover| Pace { fresh, period, turnover, ..Pace::default() }.wait().as_secs();
        assert_eq!(wait(Some(7200), Some(3600), SLOW), 7200);
        assert_eq!(wait(Some(60), Some(3600), SLOW), 3600);
        assert_eq!(wait(Some(7200), None, Some(3600)), 1800);
        assert_eq!(wait(Some(30 * DAY), None, SLOW), DAY);
        assert_eq!(wait(Some(7200), None, None), 0, "who does not know how fast entries leave does not wait");
        assert_eq!(wait(None, None, SLOW), 0);
    }

    #[test]
    fn an_answer_that_is_fresh_for_an_hour_leaves_hourly_runs_as_they_are() {
        let fresh = |seconds| polled(Pace { fresh: Some(seconds), turnover: SLOW, ..Pace::default() });
        let at = |seconds| wake("@every 1h", &fresh(seconds), "2026-11-25T12:30:00Z");
        assert_eq!(at(3600), ("2026-11-25T13:00:00.000Z".to_owned(), Why::Schedule));
        assert_eq!(at(7200), ("2026-11-25T14:00:00.000Z".to_owned(), Why::Hint));
        assert_eq!(at(7 * DAY), ("2026-11-26T10:00:00.000Z".to_owned(), Why::Hint));
    }

    #[test]
    fn hours_without_news_are_passed_over_while_nothing_can_be_lost() {
        let silent = |turnover| polled(Pace { skip_hours: 0b11 << 13, turnover, ..Pace::default() });
        let at = |turnover| wake("@every 1h", &silent(turnover), "2026-11-25T12:30:00Z").0;
        assert_eq!(at(SLOW), "2026-11-25T15:00:00.000Z");
        assert_eq!(at(Some(4 * HOUR)), "2026-11-25T13:00:00.000Z");
        assert_eq!(at(None), "2026-11-25T13:00:00.000Z");
        // 25 November 2026 is a Wednesday.
        let days = polled(Pace { skip_days: 1 << 2, turnover: SLOW, ..Pace::default() });
        assert_eq!(wake("@every 1h", &days, "2026-11-25T12:30:00Z").0, "2026-11-26T00:00:00.000Z");
    }

    #[test]
    fn failures_double_the_wait_from_min_interval_up_to_a_day() {
        let minutes = |failures| {
            let past = Past { failures, ..polled(Pace::default()) };
            let schedule = every("@every 1h");
            let wake = next(Runs::of("a", &schedule), &past, QUARTER, time("2026-11-25T12:00:02Z")).unwrap();
            (wake.at.millis() - past.polled.unwrap().millis()) / 60_000
        };
        for (failures, least, most) in [(1, 15, 17), (2, 27, 33), (3, 54, 66), (4, 108, 132), (20, 1296, 1440)] {
            assert!((least..=most).contains(&minutes(failures)), "{failures}: {}", minutes(failures));
        }
    }

    #[test]
    fn auto_follows_the_feed() {
        let now = "2026-11-25T12:00:01Z";
        let minutes = |entries, turnover, rush, silent_days: u64| {
            let active = Some(Timestamp::from_millis(time(now).millis() - (silent_days * DAY).cast_signed() * 1000));
            let past = Past { entries, active, ..polled(Pace { turnover, rush, ..Pace::default() }) };
            rhythm(&past, QUARTER, time(now)).as_secs() / 60
        };
        // Twenty entries in twenty hours, in forty days, in a year; nothing known.
        assert_eq!(minutes(20, Some(20 * HOUR), None, 0), 30);
        assert_eq!(minutes(20, Some(40 * DAY), None, 0), 24 * 60);
        assert_eq!(minutes(20, Some(365 * DAY), None, 0), 24 * 60);
        assert_eq!(minutes(0, None, None, 0), 60);
        // A short window is looked at four times before it has gone by.
        assert_eq!(minutes(2, Some(2 * HOUR), None, 0), 30);
        assert_eq!(minutes(1, Some(2 * HOUR), None, 0), 30);
        // Most of it was new at the last look, whatever its dates say.
        assert_eq!(minutes(20, Some(40 * DAY), Some(20 * HOUR), 0), 30);
        assert_eq!(minutes(20, None, Some(10 * HOUR), 0), 15);
        // Steps of silence, as far as nothing can be lost when it wakes up.
        let steps: Vec<u64> =
            [6, 7, 30, 90, 365].iter().map(|days| minutes(50, Some(100 * HOUR), None, *days)).collect();
        assert_eq!(steps, [60, 120, 360, 720, 1440]);
        assert_eq!(minutes(20, Some(4 * HOUR), None, 365), 120);
        // A server's wish still counts, and the next run is never now.
        let fresh = Past { entries: 20, ..polled(Pace { fresh: Some(7200), turnover: SLOW, ..Pace::default() }) };
        let at = wake("auto", &fresh, now);
        assert_eq!(at, ("2026-11-25T18:00:01.000Z".to_owned(), Why::Schedule), "half of twelve hours is longer");
        let fresh = Past { entries: 480, ..polled(Pace { fresh: Some(7200), turnover: SLOW, ..Pace::default() }) };
        assert_eq!(wake("AUTO", &fresh, now), ("2026-11-25T13:48:01.000Z".to_owned(), Why::Hint));
    }

    #[test]
    fn what_a_server_asks_for_is_done() {
        let at = |until, why| {
            let past = Past { closed: Some(Wake { at: time(until), why }), ..polled(Pace::default()) };
            wake("@every 1h", &past, "2026-11-25T12:30:00Z")
        };
        assert_eq!(at("2026-11-25T12:40:00Z", Why::Held), ("2026-11-25T13:00:00.000Z".to_owned(), Why::Schedule));
        assert_eq!(at("2026-11-26T12:40:00Z", Why::Held), ("2026-11-26T12:40:00.000Z".to_owned(), Why::Held));
        assert_eq!(at("2026-12-20T00:00:00Z", Why::Gone), ("2026-12-20T00:00:00.000Z".to_owned(), Why::Gone));
    }

    #[test]
    fn runs_come_no_sooner_than_min_interval_and_at_once_for_a_new_feed() {
        let at = |past: &Past| wake("@every 1m", past, "2026-11-25T12:05:00Z");
        assert_eq!(at(&polled(Pace::default())), ("2026-11-25T12:15:01.000Z".to_owned(), Why::MinInterval));
        assert_eq!(at(&Past::default()), ("2026-11-25T12:05:00.000Z".to_owned(), Why::First));
        // The clock was set back by years: the wait counts from now.
        let set_back = Past { polled: Some(time("2036-01-01T00:00:00Z")), ..Past::default() };
        assert_eq!(at(&set_back).0, "2026-11-25T12:20:00.000Z");
    }
}
