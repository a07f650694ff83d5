//! What `status` tells: how it stands with each feed, as a table and as JSON.

use serde_json::Value;

use crate::house::{DATE, House, Page, item, rss};

fn json(house: &House) -> Vec<Value> {
    let run = house.run(["status", "--json"]).success();
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Good, failing, never polled, disabled, ended; and one with a key in its address.
fn house() -> House {
    let house = House::new();
    house.config(
        "feeds:\n  - { id: good, name: 江湾晚报, url: '{server}/good.xml' }\n  - { id: bad, name: Bad, url: '{server}/bad.xml' }\n  \
         - { id: later, name: Later, url: '{server}/later.xml' }\n  - { id: off, name: Off, url: '{server}/off.xml', enabled: false }\n  \
         - { id: over, name: Over, url: '{server}/over.xml' }\n  - { id: key, name: Key, url: '{server}/feed/${KEY}' }",
    );
    house.serves("/good.xml", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>x</p>")));
    house.serves_page("/over.xml", Page { status: 410, ..Page::of("") });
    house
}

#[test]
fn a_feed_is_told_with_its_state_reason_and_alarms() {
    let house = house();
    let run = |args: &[&str]| house.command().env("KEY", "s3cretword").args(args).output().expect("runs");
    let polled = run(&["poll", "good", "bad", "over", "key"]);
    assert_eq!(polled.status.code(), Some(4));
    let before = house.snapshot();
    let told = run(&["status", "--json"]);
    assert_eq!(told.status.code(), Some(0));
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    assert!(!told.contains("s3cretword"), "{told}");
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |feed: &str| lines.iter().find(|line| line["feed"] == feed).expect("feed");
    let facts = |feed: &str| {
        let feed = of(feed);
        (feed["state"].as_str().expect("state"), feed["why"].as_str().expect("why"), feed["failures"].as_u64())
    };
    assert_eq!(facts("good"), ("ok", "schedule", Some(0)));
    assert_eq!(facts("bad"), ("failing", "failures", Some(1)));
    assert_eq!(facts("later"), ("new", "first", Some(0)));
    assert_eq!(facts("off"), ("disabled", "disabled", Some(0)));
    assert_eq!(facts("over"), ("gone", "gone", Some(1)));
    assert_eq!(facts("key"), ("failing", "failures", Some(1)));
    assert_eq!(lines[0]["feed"], "over", "what needs somebody is first");
    assert_eq!(lines[0]["alarms"][0]["kind"], "gone");
    assert_eq!(of("good")["alarms"][0]["kind"], "silent", "its only entry is of 2021");
    assert!(of("bad")["error"].as_str().expect("error").contains("404 Not Found"));
    assert!(of("key")["error"].as_str().expect("error").starts_with("feed `key`: `…` answered 404"));
    assert_eq!((&of("good")["entries"], &of("off")["next"]), (&1.into(), &Value::Null));
    let summary = &lines.last().expect("summary")["summary"];
    for (what, count) in
        [("feeds", 6), ("ok", 1), ("failing", 2), ("gone", 1), ("held", 0), ("disabled", 1), ("new", 1), ("alarms", 2)]
    {
        assert_eq!(summary[what], count, "{what}");
    }
    let table = String::from_utf8(run(&["status"]).stdout).expect("UTF-8");
    assert!(table.lines().any(|line| line.starts_with("ok        good   江湾晚报  ")), "{table}");
    assert!(table.contains("alarm (gone): feed `over`: "), "{table}");
    assert!(table.contains("failed once: feed `bad`: "), "{table}");
    assert!(
        table.contains("6 feeds: 1 gone, 2 failing, 1 new, 1 ok, 1 disabled; 2 alarms; last new entry "),
        "{table}"
    );
    assert_eq!(house.snapshot(), before, "nothing but the index was touched");
}

#[test]
fn a_folder_in_which_nothing_was_ever_done_can_be_asked() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]");
    let lines = json(&house);
    assert_eq!((&lines[0]["state"], &lines[0]["polled"]), (&"new".into(), &Value::Null));
    assert!(!house.path("data/archive").exists());
}

#[test]
fn a_new_address_is_asked_for_until_the_config_has_it() {
    let house = House::new();
    let config = |path: &str| house.config(&format!("feeds: [{{ id: a, name: A, url: '{{server}}/{path}' }}]"));
    config("old.xml");
    let location = format!("http://{}/new.xml", house.server());
    house.serves("/new.xml", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>x</p>")));
    let headers = vec![("Location".to_owned(), location.clone())];
    house.serves_page("/old.xml", Page { status: 301, headers, body: vec![] });
    for _ in 0..2 {
        house.run(["poll"]).success();
    }
    let feed = &json(&house)[0];
    assert_eq!((&feed["state"], &feed["moved_to"]), (&"ok".into(), &location.clone().into()));
    let alarm = &feed["alarms"].as_array().expect("alarms").iter().find(|a| a["kind"] == "moved").expect("moved");
    assert!(alarm["since"].is_string() && alarm["text"].as_str().expect("text").contains(&location), "{alarm}");
    config("new.xml");
    house.run(["poll"]).success();
    let moved = json(&house)[0]["alarms"].to_string();
    assert!(!moved.contains("moved"), "{moved}");
}

#[test]
fn who_wants_to_be_left_alone_holds_every_feed_of_the_host() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{server}/b' }]");
    let headers = vec![("Retry-After".to_owned(), "7200".to_owned())];
    house.serves_page("/a", Page { status: 429, headers, body: vec![] });
    house.serves("/b", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>x</p>")));
    house.run(["poll", "b"]).success();
    house.run(["poll", "a"]).code(4);
    let lines = json(&house);
    let of = |feed: &str| lines.iter().find(|line| line["feed"] == feed).expect("feed");
    for feed in ["a", "b"] {
        assert_eq!((&of(feed)["state"], &of(feed)["why"]), (&"held".into(), &"held".into()), "{feed}");
    }
    assert_eq!(of("a")["next"], of("b")["next"]);
    assert!(of("a")["error"].as_str().expect("error").contains("asks to wait 7200s"));
}
