//! What servers say in headers: dates, waits, freshness, labels, hints. All of it is believed within bounds.
#![no_main]

use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use feedmill::fetch::{FetchError, RetryAfter, Status, date, freshness_of};
use feedmill::model::Timestamp;
use feedmill::pace::{self, LONGEST_HOLD, Pace, Past, Runs, Why};
use feedmill::read::{self, Hints, RawPace, RawText};
use feedmill::schedule::{Schedule, after_failure};
use feedmill_fuzz::{base, text};
use libfuzzer_sys::fuzz_target;

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("header.txt");
const DAY: Duration = Duration::from_secs(86_400);
/// What a larger number of seconds counts as, RFC 9111 section 1.2.2.
const MOST: Duration = Duration::from_secs(1 << 31);
const NAMES: [&str; 6] = ["cache-control", "expires", "date", "age", "Cache-Control", "no such"];

/// 2026-11-25T12:30:00Z
fn now() -> Timestamp {
    Timestamp::from_millis(1_795_609_800_000)
}

fn check_date(text: &str) {
    let Some(at) = date::parse(text) else { return };
    assert_eq!(at.millis() % 1000, 0, "{text}: {at}");
    assert_eq!(date::parse(&date::format(at)), Some(at), "{text}: {}", date::format(at));
    assert_eq!(date::parse(&format!("\t {text} ")), Some(at), "{text}");
}

fn check_wait(text: &str) {
    let Some(wish) = RetryAfter::parse(text) else {
        assert!(date::parse(text).is_none(), "{text}");
        assert!(text.trim().is_empty() || !text.trim().bytes().all(|b| b.is_ascii_digit()), "{text}");
        return;
    };
    let wait = wish.wait(now());
    match wish {
        RetryAfter::Seconds(seconds) => assert_eq!(wait.as_secs(), seconds),
        RetryAfter::At(at) => assert_eq!(wait.is_zero(), at <= now(), "{text}"),
    }
    let until = pace::later(now(), wait);
    assert!(until >= now() && until.rfc3339_millis().len() == 24, "{text}: {until}");
    let status = Status { code: 503, name: "Service Unavailable" };
    let error = FetchError::Status { url: "https://example.org/".to_owned(), status, retry_after: Some(wish) };
    assert_eq!(error.retry_after(now()), Some(wait));
    let sentence = error.to_string();
    assert!(error.is_transient() && sentence.contains(" asks to wait ") && !sentence.contains('\n'), "{sentence}");
}

fn check_freshness(lines: &[(&str, &str)]) -> Option<Duration> {
    let fresh = freshness_of(lines.iter().copied())?;
    assert!(fresh <= MOST && fresh.subsec_nanos() == 0, "{fresh:?} of {lines:?}");
    // Who says that nothing may be kept is believed, wherever it stands.
    let with = |line| freshness_of(lines.iter().copied().chain([line]));
    assert_eq!(with(("cache-control", "no-store")), None);
    assert_eq!(with(("Cache-Control", "public , NO-CACHE")), None);
    assert!(with(("cache-control", "must-revalidate")) == Some(fresh), "{lines:?}");
    // An older answer is never good for longer; of several ages the first counts.
    if !lines.iter().any(|(name, _)| name.eq_ignore_ascii_case("age")) {
        assert!(with(("age", "60")) == Some(fresh.saturating_sub(Duration::from_secs(60))), "{lines:?}");
    }
    Some(fresh)
}

/// A label cannot make another text out of what is valid UTF-8.
fn check_content_type(text: &str) {
    let document = "<rss version='2.0'><channel><item><guid>1</guid><title>甲 a</title></item></channel></rss>";
    for body in [document.as_bytes(), b"\xb0\xa1<rss><channel><item><title>\xbc\xd7</title></item></channel></rss>"] {
        let hints = Hints { content_type: Some(text.to_owned()), ..Hints::at(base()) };
        let found = read::feed(body, &hints);
        if body == document.as_bytes() {
            let found = found.unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(found.entries[0].title, Some(RawText::Markup("甲 a".to_owned())), "{text}");
        }
    }
}

fn number<T: FromStr>(lines: &[&str], n: usize) -> Option<T> {
    lines.get(n).and_then(|line| line.trim().parse().ok())
}

/// Hints only ever lengthen the time between polls, and within bounds.
fn check_pace(lines: &[&str], fresh: Option<Duration>, choice: u8) {
    const SCHEDULES: [&str; 4] = ["@every 1h", "*/5 * * * *", "auto", "30 4 * * mon"];
    let text = |n: usize| lines.get(n).map(|line| (*line).to_owned());
    let raw = RawPace {
        ttl: number(lines, 0),
        skip_hours: lines.iter().map(|line| (*line).to_owned()).collect(),
        skip_days: lines.iter().map(|line| (*line).to_owned()).collect(),
        period: text(1),
        frequency: number(lines, 2),
    };
    let dates = lines.iter().filter_map(|line| date::parse(line)).chain([now()]);
    let mut hints = Pace { fresh: fresh.map(|fresh| fresh.as_secs()), ..Pace::of(&raw, dates) };
    if choice & 2 != 0 {
        hints.turnover = number(lines, 3).or(Some(864_000));
    }
    let bound = Duration::from_secs(hints.turnover.unwrap_or(0) / 2).min(DAY);
    assert!(hints.wait() <= bound, "{hints:?}");
    assert!(hints.skip_hours < (1 << 24) - 1 && hints.skip_days < (1 << 7) - 1, "{hints:?}");

    let schedule = Schedule::parse(SCHEDULES[usize::from(choice / 4 % 4)], Tz::UTC).expect("schedule");
    let polled = lines.iter().find_map(|line| date::parse(line)).unwrap_or(now());
    let past = Past {
        polled: Some(polled),
        failures: number(lines, 4).unwrap_or(0),
        closed: None,
        pace: hints.clone(),
        entries: number(lines, 5).unwrap_or(10),
        active: lines.iter().rev().find_map(|line| date::parse(line)),
    };
    let runs = Runs::of("a", &schedule);
    let quarter = Duration::from_secs(900);
    let rhythm = pace::rhythm(&past, quarter, now());
    assert!((quarter..=DAY).contains(&rhythm), "{rhythm:?}");
    assert!(after_failure(past.failures, Duration::from_secs(number(lines, 6).unwrap_or(60)), "a") <= DAY);
    let Some(wake) = pace::next(runs, &past, quarter, now()) else { return };
    let since = polled.min(now());
    assert!(wake.at >= pace::later(since, quarter), "{wake:?}");
    let without = Past { pace: Pace { turnover: hints.turnover, rush: hints.rush, ..Pace::default() }, ..past.clone() };
    let own = pace::next(runs, &without, quarter, now()).expect("a run");
    assert!(wake.at >= own.at, "{wake:?} is before {own:?}");
    if past.failures > 0 {
        assert!(wake.at <= pace::later(since, DAY), "{wake:?}");
    } else {
        // Never for longer than the bound, and from there to the next run.
        let latest = pace::next(
            runs,
            &Past { polled: Some(pace::later(since, bound)), ..without },
            quarter,
            pace::later(now(), DAY),
        );
        assert!(latest.is_none_or(|latest| wake.at <= latest.at.max(own.at)), "{wake:?}, {latest:?}, {own:?}");
    }
    // Held, it is asked when that ends, within a week of now.
    let held = pace::Wake { at: pace::later(now(), fresh.unwrap_or(DAY).min(LONGEST_HOLD)), why: Why::Held };
    let wake_held = pace::next(runs, &Past { closed: Some(held), ..past }, quarter, now()).expect("a run");
    assert_eq!(wake_held.at, wake.at.max(held.at));
}

fuzz_target!(|data: &[u8]| {
    let Some((text, choice)) = text(data, PIECES) else { return };
    let lines: Vec<&str> = text.lines().take(16).collect();
    let mut pairs = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        let (name, value) = line.split_once(": ").unwrap_or((NAMES[(n + usize::from(choice)) % 6], line));
        pairs.push((name, value));
        check_date(value);
        check_wait(value);
        if n < 2 {
            check_content_type(value);
        }
    }
    let fresh = check_freshness(&pairs);
    let values: Vec<&str> = pairs.iter().map(|(_, value)| *value).collect();
    check_pace(&values, fresh, choice);
});
