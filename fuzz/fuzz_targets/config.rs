//! The config: any text is a config or a list of sentences; what is added to it adds nothing else.
#![no_main]

use chrono_tz::Tz;
use feedmill::config::append::{self, AppendError, NewFeed};
use feedmill::config::{self, Config, Problem, Source};
use feedmill::model::{FeedId, Timestamp};
use feedmill::schedule::{Schedule, Spread};
use feedmill_fuzz::{text, timed};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("config.txt");
const ZONES: [Tz; 6] = [
    Tz::UTC,
    Tz::Europe__Berlin,
    Tz::America__New_York,
    Tz::Australia__Lord_Howe,
    Tz::America__Sao_Paulo,
    Tz::Asia__Kathmandu,
];

fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("geheim7".to_owned()),
        "URL" => Some("https://feeds.example.org/geheim7".to_owned()),
        "EMPTY" => Some(String::new()),
        "TRICK" => Some("${TOKEN}: [x".to_owned()),
        "PWD" => Some("/srv".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<Config, Vec<Problem>> {
    config::read(&[Source { name: "c.yaml", text }], &env)
}

fn check_problems(problems: &[Problem], text: &str) {
    assert!((1..=101).contains(&problems.len()), "{}", problems.len());
    // Lines as editors count them, or as YAML does.
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    for problem in problems {
        let shown = problem.to_string();
        assert!(shown.starts_with("c.yaml:"), "{shown}");
        assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{shown} of {lines} lines");
        let sentence = &problem.text;
        assert!(!sentence.trim().is_empty() && sentence.trim() == sentence, "{shown:?}");
        assert!(!shown.contains(|c: char| c.is_control()), "{shown:?}");
        assert!(sentence.chars().count() < 1000, "{shown}");
        assert!(!shown.contains("geheim7") || text.contains("geheim7"), "{shown}");
    }
}

fn check_config(config: &Config, now: Timestamp) {
    assert!(matches!(config.site.url.scheme(), "http" | "https") && config.site.url.path().ends_with('/'));
    assert!(!config.fetch.timeout.is_zero() && config.fetch.max_body > 0 && config.fetch.concurrency > 0);
    let paths = [&config.storage.archive, &config.storage.index, &config.storage.public];
    assert!(paths[0] != paths[1] && paths[1] != paths[2] && paths[0] != paths[2]);
    let mut ids: Vec<&str> = config.feeds.iter().map(|feed| feed.source.id.as_str()).collect();
    ids.sort_unstable();
    assert!(ids.is_sorted_by(|a, b| a < b), "an id stands twice");
    for feed in &config.feeds {
        assert!(matches!(feed.source.url.scheme(), "http" | "https" | "file"), "{}", feed.source.url);
        assert!(!feed.source.name.trim().is_empty());
        check_runs(&feed.schedule, Spread::of(feed.source.id.as_str()), now);
    }
}

fn check_runs(schedule: &Schedule, spread: Spread, now: Timestamp) {
    let mut last = now;
    for _ in 0..8 {
        let Some(next) = schedule.next(last, spread) else { return };
        assert!(next > last, "`{schedule}`: {next} after {last}");
        assert!(!schedule.local(next).is_empty());
        last = next;
    }
}

fn check_schedule(text: &str, zone: Tz, now: Timestamp) {
    match timed(text.len(), || Schedule::parse(text, zone)) {
        Ok(schedule) => {
            assert_eq!(schedule.to_string(), text.trim());
            assert_eq!(Schedule::parse(&schedule.to_string(), zone).as_ref(), Ok(&schedule));
            check_runs(&schedule, Spread::none(), now);
            check_runs(&schedule, Spread::of(text), now);
        }
        Err(error) => {
            let sentence = error.to_string();
            assert!(!sentence.trim().is_empty() && !sentence.contains(|c: char| c.is_control()), "{sentence:?}");
        }
    }
}

/// Whether `old` is `new` with parts left out.
fn is_within(old: &str, new: &str) -> bool {
    let mut new = new.chars();
    old.chars().all(|c| new.any(|other| other == c))
}

fn check_append(text: &str, before: Option<&Config>, choice: u8) {
    const HOST: &str = "added.example";
    if text.contains(HOST) {
        return;
    }
    let title = text.lines().next_back().unwrap_or_default();
    let has = |test: &dyn Fn(&config::Feed) -> bool| before.is_some_and(|before| before.feeds.iter().any(test));
    let mut new: Vec<NewFeed> = Vec::new();
    for n in 0..1 + choice / 2 % 3 {
        let address = format!("https://{HOST}/{n}?a=[{n},b:#{{");
        let url = Url::parse(&address).expect("url");
        let title = if n == 1 { "${TOKEN}" } else { title };
        let is_taken = |id: &str| has(&|feed| feed.source.id.as_str() == id) || new.iter().any(|feed| feed.id == id);
        let id = append::id_for(title, &url, &is_taken);
        assert!(FeedId::parse(&id).is_some() && !is_taken(&id), "{id}");
        let is_taken = |name: &str| has(&|feed| feed.source.name == name) || new.iter().any(|feed| feed.name == name);
        let name = append::name_for(title, &url, &is_taken);
        assert!(!name.trim().is_empty() && !is_taken(&name), "{name}");
        new.push(NewFeed { id, name, url: address, language: (n == 2).then(|| "no".to_owned()) });
    }
    let after = match timed(text.len() * 4, || append::feeds(text, &new)) {
        Ok(after) => after,
        Err(AppendError::Broken { text, .. }) => {
            assert!(before.is_none() && !text.is_empty(), "{text}");
            return;
        }
        Err(AppendError::ByHand(text)) => {
            assert!(!text.is_empty());
            return;
        }
    };
    // Comments, order, quoting: every character stands where it stood.
    let is_kept = is_within(text, &after) || ["~", "null", "Null", "NULL"].iter().any(|null| text.contains(null));
    assert!(is_kept, "{text}\n→\n{after}");
    let Some(before) = before else { return };
    let mut config = read(&after).unwrap_or_else(|problems| panic!("{problems:?}\n{text}\n→\n{after}"));
    let added = config.feeds.split_off(before.feeds.len());
    // Topics of a language have the feeds that speak it.
    for topic in &mut config.topics {
        topic.speakers =
            topic.speakers.iter().filter(|id| new.iter().all(|feed| feed.id != id.as_str())).cloned().collect();
    }
    assert_eq!(&config, before, "{text}\n→\n{after}");
    assert_eq!(added.len(), new.len());
    for (feed, wanted) in added.iter().zip(&new) {
        assert_eq!((feed.source.id.as_str(), &feed.source.name), (wanted.id.as_str(), &wanted.name), "{after}");
        // Fragments are not asked for.
        let address = wanted.url.split('#').next().unwrap_or_default();
        assert_eq!(feed.source.url.as_str(), address, "{after}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((text, choice)) = text(data, PIECES) else { return };
    let now = Timestamp::from_millis(
        data.iter().fold(0_i64, |sum, b| sum.wrapping_mul(31).wrapping_add(i64::from(*b))) % 4_102_444_800_000,
    );
    let zone = ZONES[usize::from(choice / 2 % 6)];
    for line in text.lines().take(4) {
        check_schedule(line.split_once(": ").map_or(line, |(_, value)| value), zone, now);
    }

    // A hundred lines are looked up, each by another reading.
    let found = timed(text.len() * 100, || read(&text));
    let again = read(&text);
    match (&found, &again) {
        (Ok(found), Ok(again)) => assert_eq!(found, again),
        (Err(found), Err(again)) => assert_eq!(found, again),
        (found, again) => panic!("read twice it differs: {found:?}, {again:?}"),
    }
    match &found {
        Ok(config) => check_config(config, now),
        Err(problems) => check_problems(problems, &text),
    }
    assert!(config::includes(&text).is_empty() || text.contains("include"));
    check_append(&text, found.ok().as_ref(), choice);
});
