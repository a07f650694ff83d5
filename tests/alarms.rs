//! What the daemon shows of itself: the alarm feed and the status page.

use feedmill::model::{Alarm, AlarmKind, Condition, FeedStatus, Reason, Timestamp};
use feedmill::output::{self, Station};

use crate::house::{assert_valid_atom, assert_well_formed};

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("time")
}

fn station() -> Station {
    Station {
        tag: "tag:news.example.org,2026-11-22:".into(),
        title: "新闻 & <news>".into(),
        publisher: "编辑部".into(),
        language: None,
        url: "https://news.example.org/".into(),
        founded: time("2026-11-22T00:00:00Z"),
    }
}

fn good(id: &str, name: &str) -> FeedStatus {
    FeedStatus {
        feed: id.into(),
        name: name.into(),
        state: Condition::Ok,
        polled: Some(time("2026-11-29T11:50:00Z")),
        last_new: Some(time("2026-11-29T10:00:00Z")),
        entries: 20,
        failures: 0,
        failing_since: None,
        error: None,
        next: Some(time("2026-11-29T12:50:00Z")),
        why: Some(Reason::Schedule),
        schedule: "@hourly".into(),
        moved_to: None,
        alarms: vec![],
    }
}

fn alarm(kind: AlarmKind, since: Option<&str>, text: &str) -> Alarm {
    Alarm { kind, since: since.map(time), text: text.into() }
}

/// One feed of each state.
fn feeds() -> Vec<FeedStatus> {
    let error = "feed `bad`: `https://b.example/?a=1&b=…` answered 404 <Not Found>; see `url`";
    let failing = FeedStatus {
        state: Condition::Failing,
        failures: 30,
        failing_since: Some(time("2026-11-27T10:00:00Z")),
        error: Some(error.into()),
        why: Some(Reason::Failures),
        alarms: vec![
            alarm(AlarmKind::Failing, Some("2026-11-27T10:00:00Z"), error),
            alarm(AlarmKind::Moved, None, "feed `bad`: it has moved for good"),
        ],
        ..good("bad", "坏 & <b>bad</b>\u{202E}")
    };
    let slip = FeedStatus {
        state: Condition::Failing,
        failures: 1,
        error: Some("feed `slip`: no answer".into()),
        alarms: vec![],
        ..failing.clone()
    };
    vec![
        good("good", "江湾晚报"),
        failing,
        FeedStatus { feed: "slip".into(), name: "Slip".into(), ..slip },
        FeedStatus { state: Condition::Held, why: Some(Reason::Held), ..good("held", "Held") },
        FeedStatus { state: Condition::New, polled: None, last_new: None, ..good("new", "New") },
        FeedStatus { state: Condition::Disabled, next: None, why: Some(Reason::Disabled), ..good("off", "Off") },
        FeedStatus {
            state: Condition::Gone,
            alarms: vec![alarm(AlarmKind::Gone, Some("2026-11-20T00:00:00.5Z"), "feed `over`: it ended")],
            ..good("over", "Over")
        },
    ]
}

fn alarms(feeds: &[FeedStatus], now: &str) -> String {
    String::from_utf8(output::alarms(&station(), feeds, time(now))).expect("UTF-8")
}

#[test]
fn the_alarm_feed_has_an_entry_per_alarm_and_a_sign_of_life_a_week() {
    let document = alarms(&feeds(), "2026-11-29T12:00:00Z");
    let feed = feed_rs::parser::parse(document.as_bytes()).expect("feed-rs");
    let entry = |entry: &feed_rs::model::Entry| {
        let title = entry.title.as_ref().expect("title").content.clone();
        (entry.id.clone(), title, entry.updated.expect("updated").to_rfc3339())
    };
    let strings = |id: &str, title: &str, updated: &str| {
        (format!("tag:news.example.org,2026-11-22:{id}"), title.to_owned(), updated.to_owned())
    };
    assert_eq!(
        feed.entries.iter().map(entry).collect::<Vec<_>>(),
        [
            strings(
                "alarm/bad/failing/2026-11-27T10:00:00.000Z",
                "坏 & <b>bad</b>: failing",
                "2026-11-27T10:00:00+00:00"
            ),
            strings("alive/2026-W48", "新闻 & <news>: at work in week 2026-W48", "2026-11-23T00:00:00+00:00"),
            strings("alarm/bad/moved/unknown", "坏 & <b>bad</b>: moved", "2026-11-22T00:00:00+00:00"),
            strings("alarm/over/gone/2026-11-20T00:00:00.500Z", "Over: gone", "2026-11-20T00:00:00.500+00:00"),
        ]
    );
    let text = |place: usize| feed.entries[place].content.as_ref().and_then(|text| text.body.clone()).expect("text");
    assert_eq!(text(0), feeds()[1].alarms[0].text);
    assert_eq!(text(1), "7 feeds, 1 of them ok; 3 alarms; the last new entry came on 2026-11-29 at 10:00 UTC.");
    assert!(feed.entries.iter().all(|entry| entry.links[0].href == "https://news.example.org/status"));
    assert_eq!(feed.updated.expect("updated").to_rfc3339(), "2026-11-27T10:00:00+00:00");
    roxmltree::Document::parse(&document).expect("strict");
    let folder = tempfile::tempdir().expect("folder");
    for (name, document) in [("some.xml", &document), ("none.xml", &alarms(&[], "2026-11-29T12:00:00Z"))] {
        let path = folder.path().join(name);
        std::io::Write::write_all(&mut std::fs::File::create(&path).expect("file"), document.as_bytes())
            .expect("written");
        assert_valid_atom(&path.to_string_lossy());
    }
}

#[test]
fn the_alarm_feed_changes_with_feeds_and_weeks_only() {
    let first = alarms(&feeds(), "2026-11-23T00:00:00Z");
    assert_eq!(alarms(&feeds(), "2026-11-29T23:59:59.999Z"), first, "the week is the same");
    assert_ne!(alarms(&feeds(), "2026-11-30T00:00:00Z"), first, "another week");
    assert_ne!(alarms(&feeds()[..1], "2026-11-23T00:00:00Z"), first, "fewer alarms");
}

#[test]
fn the_status_page_shows_every_feed_and_no_markup_of_others() {
    let page = |language: Option<&str>, feeds: &[FeedStatus]| {
        let station = Station { language: language.map(str::to_owned), ..station() };
        String::from_utf8(output::status_page(&station, feeds)).expect("UTF-8")
    };
    let shown = page(None, &feeds());
    for wanted in [
        "<li class=\"state\"><b>7</b> feeds</li>",
        "<li class=\"state failing\"><b>2</b> failing</li>",
        "<li class=\"state alarms\"><b>3</b> alarms</li>",
        "<h3 id=\"bad\" dir=\"auto\">坏 &#38; &#60;b&#62;bad&#60;/b&#62;",
        "<b>failing</b> feed `bad`: `https://b.example/?a=1&#38;b=…` answered 404 &#60;Not Found&#62;; see `url`",
        "<p class=\"alarm\" lang=\"en\">feed `slip`: no answer</p>",
        "<dt>failed polls in a row:</dt><dd>30</dd>",
        "<th scope=\"row\" id=\"good\" dir=\"auto\">江湾晚报</th>",
        "<time datetime=\"2026-11-29T12:50:00.000Z\">2026-11-29 12:50</time></td>",
        "<small>its host asks to be left alone</small>",
        "<td data-label=\"Last poll\">never</td>",
        "<td data-label=\"Next poll\"> <small>it is not polled</small></td>",
        "href=\"alarms.atom\"",
    ] {
        assert!(shown.contains(wanted), "{wanted} is not in {shown}");
    }
    let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(place("id=\"over\"") < place("id=\"bad\"") && place("id=\"bad\"") < place("id=\"slip\""));
    assert!(place("id=\"slip\"") < place("id=\"held\"") && place("id=\"held\"") < place("id=\"good\""));
    assert!(!shown.contains("<script") && !shown.contains("<b>bad"), "{shown}");
    for (language, words) in [("zh-Hans", "运行状态"), ("zh-TW", "運行狀態")] {
        let shown = page(Some(language), &feeds());
        assert!(shown.contains(&format!("<h1>{words}</h1>")), "{shown}");
        assert_well_formed(&shown);
    }
    assert_well_formed(&shown);
    let calm = page(None, &feeds()[..1]);
    assert!(calm.contains("<b>1</b> feed</li>"), "{calm}");
    assert!(calm.contains("No alarms.") && !calm.contains("<article>"), "{calm}");
    assert!(page(None, &[]).contains("There are no feeds yet."));
    if let Some(folder) = std::env::var_os("FEEDMILL_SHOW_PAGES") {
        let many = (0..40).map(|n| good(&format!("feed-{n}"), &format!("来源 {n} of the town")));
        let all: Vec<FeedStatus> = feeds().into_iter().chain(many).collect();
        for (name, page) in [("en.html", page(None, &all)), ("zh.html", page(Some("zh-Hans"), &all))] {
            let path = std::path::Path::new(&folder).join(name);
            std::io::Write::write_all(&mut std::fs::File::create(path).expect("file"), page.as_bytes())
                .expect("written");
        }
    }
}
