use std::time::Duration;

use super::*;
use crate::config::{self, Source};
use crate::model::{Alarm, AlarmKind, StatusSummary};
use crate::pace;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-29T12:00:00Z").unwrap()
}

fn ago(millis: i64) -> i64 {
    now().millis() - millis
}

fn feed(rest: &str) -> Feed {
    let text = format!(
        "site: {{ url: 'https://n.example/' }}\nfeeds: [{{ id: a, name: 江湾晚报, url: 'https://a.example/f'{rest} }}]"
    );
    let env = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
    config::read(&[Source { name: "c", text: &text }], &env).unwrap().feeds.remove(0)
}

fn plain() -> Feed {
    feed("")
}

/// Polled ten minutes ago, with news two hours ago, and usually silent for half a day.
fn good() -> FeedState {
    let mut state = FeedState {
        url: "https://a.example/f".to_owned(),
        polled: Some(ago(10 * MINUTE)),
        last_new: Some(ago(2 * HOUR)),
        active: Some(ago(2 * HOUR)),
        entries: 20,
        ..FeedState::default()
    };
    state.pace.silence = Some(12 * 3600);
    state
}

fn scheduled() -> Wake {
    Wake { at: pace::later(now(), Duration::from_mins(50)), why: Why::Schedule }
}

fn status(feed: &Feed, state: &FeedState) -> FeedStatus {
    of(feed, state, Some(scheduled()), now())
}

fn kinds(state: &FeedState) -> Vec<AlarmKind> {
    status(&plain(), state).alarms.iter().map(|alarm| alarm.kind).collect()
}

#[test]
fn a_good_feed_is_ok_and_silent_about_it() {
    let json = serde_json::to_value(status(&plain(), &good())).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "feed": "a", "name": "江湾晚报", "state": "ok",
            "polled": "2026-11-29T11:50:00.000Z", "last_new": "2026-11-29T10:00:00.000Z", "entries": 20,
            "failures": 0, "failing_since": null, "error": null,
            "next": "2026-11-29T12:50:00.000Z", "why": "schedule", "schedule": "@hourly",
            "moved_to": null, "alarms": [],
        })
    );
    assert_eq!(serde_json::from_value::<FeedStatus>(json).unwrap(), status(&plain(), &good()));
}

#[test]
fn the_state_of_a_feed_follows_from_what_keeps_it() {
    let of = |feed: &Feed, state: &FeedState, why: Option<Why>| {
        let status = of(feed, state, why.map(|why| Wake { at: now(), why }), now());
        (status.state, status.why, status.next.is_some())
    };
    let failing = FeedState { failures: 2, ..good() };
    let gone = FeedState { gone: [("https://a.example/f".to_owned(), ago(DAY))].into(), ..failing.clone() };
    let clone = FeedState { polled: None, failures: 0, ..gone.clone() };
    for (state, why, wanted) in [
        (&FeedState::default(), Some(Why::First), (Condition::New, Some(Reason::First), true)),
        (&good(), Some(Why::Hint), (Condition::Ok, Some(Reason::Hint), true)),
        (&good(), Some(Why::MinInterval), (Condition::Ok, Some(Reason::MinInterval), true)),
        (&good(), Some(Why::Held), (Condition::Held, Some(Reason::Held), true)),
        (&failing, Some(Why::Failures(2)), (Condition::Failing, Some(Reason::Failures), true)),
        (&failing, Some(Why::Held), (Condition::Held, Some(Reason::Held), true)),
        (&gone, Some(Why::Gone), (Condition::Gone, Some(Reason::Gone), true)),
        (&good(), None, (Condition::Ok, None, false)),
        (&clone, Some(Why::First), (Condition::Gone, Some(Reason::First), true)),
    ] {
        assert_eq!(of(&plain(), state, why), wanted, "{why:?}");
    }
    let disabled = feed(", enabled: false");
    assert_eq!(of(&disabled, &gone, Some(Why::Gone)), (Condition::Disabled, Some(Reason::Disabled), false));
    assert_eq!(status(&disabled, &gone).alarms, [], "who is not polled needs nobody");
}

#[test]
fn alarms_begin_when_they_should() {
    let with = |change: &dyn Fn(&mut FeedState)| {
        let mut state = good();
        change(&mut state);
        kinds(&state)
    };
    let silent = |active: i64, habit: Option<u64>| {
        with(&|state| {
            state.active = Some(ago(10 * MINUTE) - active);
            state.pace.silence = habit;
        })
    };
    let none: Vec<AlarmKind> = Vec::new();
    assert_eq!(with(&|_| {}), none);
    // Four times half a day are two days; an hour's habit does not make it less.
    assert_eq!(silent(2 * DAY, Some(12 * 3600)), none);
    assert_eq!(silent(2 * DAY + 1, Some(12 * 3600)), [AlarmKind::Silent]);
    assert_eq!(silent(2 * DAY, Some(3600)), none);
    assert_eq!(silent(40 * DAY, Some(10 * 24 * 3600)), none);
    assert_eq!(silent(40 * DAY + 1, Some(10 * 24 * 3600)), [AlarmKind::Silent]);
    assert_eq!(silent(365 * DAY, Some(u64::MAX)), none);
    assert_eq!(silent(365 * DAY + 1, Some(9_000_000_000)), [AlarmKind::Silent], "a year at most");
    assert_eq!(silent(60 * DAY, None), none);
    assert_eq!(silent(60 * DAY + 1, None), [AlarmKind::Silent]);
    assert_eq!(silent(60 * DAY + 1, Some(0)), [AlarmKind::Silent], "entries of one moment show no habit");
    // This machine was off for a month: nobody knows what the feed did meanwhile.
    assert_eq!(with(&|state| (state.polled, state.active) = (Some(ago(30 * DAY)), Some(ago(31 * DAY)))), none);

    let failing = |since: i64, failures| {
        with(&|state| (state.failing, state.failures, state.error) = (Some(ago(since)), failures, Some("x".to_owned())))
    };
    assert_eq!(failing(DAY - 1, 11), none);
    assert_eq!(failing(DAY, 1), [AlarmKind::Failing]);
    let long_silent = with(&|state| {
        (state.failing, state.failures, state.active) = (Some(ago(3 * DAY)), 9, Some(ago(90 * DAY)));
    });
    assert_eq!(long_silent, [AlarmKind::Failing], "who does not answer is not silent");

    assert_eq!(with(&|state| state.gap = Some(ago(7 * DAY - 1))), [AlarmKind::Gap]);
    assert_eq!(with(&|state| state.gap = Some(ago(7 * DAY))), none);
    assert_eq!(with(&|state| state.cut = Some(ago(0))), [AlarmKind::Cut]);
    assert_eq!(with(&|state| state.moved = Some("https://b.example/f".to_owned())), [AlarmKind::Moved]);
    let gone = |failures| {
        with(&|state| {
            state.gone.insert(state.url.clone(), ago(HOUR));
            (state.failures, state.failing) = (failures, Some(ago(40 * DAY)).filter(|_| failures > 0));
        })
    };
    assert_eq!(gone(3), [AlarmKind::Gone], "410 is one alarm, not two");
    assert_eq!(gone(0), [AlarmKind::Gone], "a mirror stands in");
    let everything = with(&|state| {
        (state.gap, state.cut, state.moved) = (Some(ago(1)), Some(ago(1)), Some("https://b.example/f".to_owned()));
        state.active = Some(ago(70 * DAY));
    });
    assert_eq!(everything, [AlarmKind::Gap, AlarmKind::Cut, AlarmKind::Silent, AlarmKind::Moved], "worst first");
}

#[test]
fn odd_clocks_neither_panic_nor_alarm() {
    for odd in [i64::MIN, -1, 0, 5_000, now().millis() + 3650 * DAY, i64::MAX] {
        let mut state = good();
        (state.polled, state.last_new, state.active) = (Some(odd), Some(odd), Some(ago(HOUR)));
        (state.failing, state.gap, state.failures) = (Some(odd), Some(odd), 2);
        assert_eq!(kinds(&state), [], "{odd}");
        state.failures = 12;
        assert_eq!(kinds(&state), [AlarmKind::Failing], "{odd}: where the clock does not count, polls do");
        let text = &status(&plain(), &state).alarms[0].text;
        assert!(text.starts_with("feed `a`: every poll failed: "), "{text}");
        (state.failures, state.failing, state.gap) = (0, None, None);
        (state.tried, state.read, state.moved_since) = (Some(odd), Some(odd), Some(odd));
        assert_eq!(kinds(&state), [], "{odd}");
        state.cut = Some(odd);
        let cut = status(&plain(), &state);
        assert!(!cut.alarms[0].text.contains("19"), "{cut:?}");
        // And with the clock itself wrong.
        let at =
            of(&plain(), &FeedState { active: Some(odd), ..good() }, Some(scheduled()), Timestamp::from_millis(odd));
        assert!(at.alarms.iter().all(|alarm| alarm.kind == AlarmKind::Silent), "{at:?}");
        table(&[at], Timestamp::from_millis(odd));
        table(&[status(&plain(), &state)], now());
    }
    // The clock stands at 1970 and knows nothing.
    let states =
        [FeedState { failing: Some(ago(DAY)), failures: 3, ..good() }, FeedState { active: Some(0), ..good() }];
    for state in states {
        assert_eq!(of(&plain(), &state, Some(scheduled()), Timestamp::from_millis(60_000)).alarms, []);
    }
}

#[test]
fn an_alarm_is_a_sentence_with_cause_and_next_step() {
    let text = |feed: &Feed, change: &dyn Fn(&mut FeedState)| {
        let mut state = good();
        change(&mut state);
        let Alarm { since, text, .. } = status(feed, &state).alarms.remove(0);
        (since.map(Timestamp::day), text)
    };
    let since = |day: &str| Some(day.to_owned());
    let failing = |state: &mut FeedState| {
        (state.failures, state.failing) = (40, Some(ago(2 * DAY)));
        state.error = Some("feed `a`: no answer from `a.example:443` within 30s (fetch.timeout)".to_owned());
    };
    assert_eq!(
        text(&plain(), &failing),
        (
            since("2026-11-27"),
            "feed `a`: every poll since 2026-11-27 12:00 UTC failed: no answer from `a.example:443` within 30s \
             (fetch.timeout); look at its address in a browser, and mend its `url` or set `enabled: false`"
                .to_owned()
        )
    );
    assert_eq!(
        text(&plain(), &|state| state.active = Some(ago(394 * DAY))),
        (
            since("2025-10-31"),
            "feed `a`: no new entry since 2025-10-31, and it is rarely silent for longer than 12 hours; look whether \
             its site goes on elsewhere, and mend its `url` or set `enabled: false`"
                .to_owned()
        )
    );
    let moved = |state: &mut FeedState| {
        state.moved = Some("https://b.example/f?token=abc".to_owned());
        state.moved_since = Some(ago(DAY));
    };
    assert_eq!(
        text(&plain(), &moved),
        (
            since("2026-11-28"),
            "feed `a`: it has moved for good to `https://b.example/f?token=…` and is asked there; write that into the \
             config as its `url`"
                .to_owned()
        )
    );
    assert_eq!(
        status(&plain(), &FeedState { moved: Some("https://b.example/".into()), ..good() }).alarms[0].since,
        None
    );
    let mirror = |state: &mut FeedState| {
        state.gone.insert("https://m.example/f".to_owned(), ago(DAY));
    };
    assert_eq!(
        text(&plain(), &mirror),
        (
            since("2026-11-28"),
            "feed `a`: `https://m.example/f` has ended (410 Gone), so its other addresses are asked alone; take that one \
             out of the config"
                .to_owned()
        )
    );
    let hour = |text: &str| text.contains("2026-11-29 11:00 UTC");
    assert!(hour(&text(&plain(), &|state| state.gap = Some(ago(HOUR))).1));
    assert!(hour(&text(&plain(), &|state| state.cut = Some(ago(HOUR))).1));
}

#[test]
fn a_secret_address_is_in_no_sentence() {
    let secret = feed(", mirrors: ['https://m.example/${KEY}/f']");
    assert!(secret.source.public_url().is_none());
    let mut state = good();
    (state.failures, state.failing) = (5, Some(ago(DAY)));
    state.moved = Some("https://b.example/s3cret/f".to_owned());
    state.gone.insert("https://m.example/s3cret/f".to_owned(), ago(DAY));
    state.error = Some(
        "feed `a`: `https://m.example/s3cret/f` answered 404 Not Found; see https://m.example/s3cret, no connection to \
         `m.example:443`"
            .to_owned(),
    );
    let status = status(&secret, &state);
    assert_eq!(
        status.error.as_deref(),
        Some("feed `a`: `…` answered 404 Not Found; see … no connection to `m.example:443`")
    );
    assert_eq!((status.moved_to.as_deref(), status.alarms.len()), (None, 3));
    let told = serde_json::to_string(&status).unwrap() + &table(&[status], now());
    assert!(!told.contains("s3cret"), "{told}");
    assert_eq!(without_addresses("`/home/ann/x.xml` cannot be read: no such file"), "`…` cannot be read: no such file");
}

#[test]
fn the_table_is_aligned_and_has_the_worst_first() {
    let named = |id: &str, name: &str, state: &FeedState, why: Why| {
        let wake = Some(Wake { at: pace::later(now(), Duration::from_mins(12)), why });
        FeedStatus { feed: id.to_owned(), name: name.to_owned(), ..of(&plain(), state, wake, now()) }
    };
    let error = Some("feed `lwn`: no answer".to_owned());
    let failing = FeedState { failures: 3, failing: Some(ago(HOUR)), error, ..good() };
    let feeds = [
        named("bbc", "BBC 中文网国际新闻和其他很长的名字", &good(), Why::Hint),
        named("lwn", "LWN", &failing, Why::Failures(3)),
        named("new", "A new\nfeed", &FeedState::default(), Why::First),
        named("rfa", "自由亚洲电台", &FeedState { active: Some(ago(394 * DAY)), ..good() }, Why::Schedule),
    ];
    let wanted = "\
STATE     FEED  NAME                       LAST NEW      POLLED  NEXT
ok        rfa   自由亚洲电台                2 h ago  10 min ago  in 12 min
failing   lwn   LWN                         2 h ago  10 min ago  in 12 min
new       new   A new feed                    never       never  in 12 min
ok        bbc   BBC 中文网国际新闻和其…     2 h ago  10 min ago  in 12 min, hint

alarm (silent): feed `a`: no new entry since 2025-10-31, and it is rarely silent for longer than 12 hours; look whether its site goes on elsewhere, and mend its `url` or set `enabled: false`
failed 3 times in a row: feed `lwn`: no answer

4 feeds: 1 failing, 1 new, 2 ok; 1 alarm; last new entry 2 h ago
";
    assert_eq!(table(&feeds, now()), wanted);
    assert_eq!(table(&[], now()), "0 feeds; no alarms\n");
    let summary = serde_json::to_value(StatusSummary::of(&feeds)).unwrap();
    assert_eq!(
        summary,
        serde_json::json!({
            "feeds": 4, "ok": 2, "failing": 1, "gone": 0, "held": 0, "disabled": 0, "new": 1, "alarms": 1,
            "last_new": "2026-11-29T10:00:00.000Z",
        })
    );
}

#[test]
fn health_is_about_the_whole() {
    let started = Timestamp::from_millis(ago(DAY));
    let long = FeedState { failures: 3, failing: Some(ago(HOUR)), ..good() };
    let short = FeedState { failures: 1, failing: Some(ago(HOUR - 1)), ..good() };
    let at = |state: &FeedState, next: i64, why| {
        of(&plain(), state, Some(Wake { at: Timestamp::from_millis(next), why }), now())
    };
    let soon = now().millis() + MINUTE;
    let ok = at(&good(), soon, Why::Schedule);
    let failing = at(&long, soon, Why::Failures(3));
    let new = at(&FeedState::default(), soon, Why::First);
    let is_ready = |feeds: &[FeedStatus], started| health(feeds, &[], started, now()).is_ready();
    assert!(is_ready(&[], started));
    assert!(is_ready(&[ok.clone(), failing.clone()], started), "one that answers is enough");
    assert!(is_ready(&[at(&short, soon, Why::Failures(1))], started), "a slip is none of ours");
    assert!(!is_ready(&[failing.clone(), at(&short, soon, Why::Failures(1))], started));
    // Due for an hour, counted from when the daemon began.
    let late = at(&good(), ago(HOUR), Why::Schedule);
    assert!(!is_ready(std::slice::from_ref(&late), started));
    assert!(is_ready(&[late], Timestamp::from_millis(ago(HOUR - 1))));
    assert!(!is_ready(std::slice::from_ref(&new), started) && is_ready(&[new], now()));

    let ready = health(std::slice::from_ref(&ok), &[], started, now());
    assert_eq!((ready.code(), ready.to_json().as_str()), (200, r#"{"status":"ready","reasons":[]}"#));
    let full = health(&[failing], &["`data/archive` cannot be written: disk full".to_owned()], started, now());
    assert_eq!(full.code(), 503);
    assert_eq!(
        full.to_json(),
        "{\"status\":\"degraded\",\"reasons\":[\"`data/archive` cannot be written: disk full\",\"the only feed failed at \
         the last poll; look whether this machine reaches the network\"]}"
    );
}
