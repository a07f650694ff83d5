//! Topics: what belongs, in which order, and what a changed rule does.

use crate::house::{DATE, House, item, rss};

fn titles(house: &House, topic: &str) -> Vec<String> {
    let atom = house.read(&format!("data/public/{topic}/atom.xml"));
    let entries = atom.split("<entry>").skip(1);
    entries
        .map(|e| e.split("<title>").nth(1).and_then(|t| t.split("</title>").next()).expect("title").to_owned())
        .collect()
}

fn dated(title: &str, n: u32, day: u32) -> String {
    let date = format!("{day:02} Jul 2021 11:01:00 GMT");
    item(title, &format!("https://example.org/{n}"), &format!("g{n}"), &date, "<p>x</p>")
}

#[test]
fn words_feeds_and_limits_select() {
    let house = House::new();
    house.serves("/a.xml", rss(&(dated("Rust 1", 1, 1) + &dated("trust", 2, 2) + &dated("用Rust写", 3, 3))));
    house.serves("/b.xml", rss(&dated("Rust b", 4, 4)));
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\n\
         topics:\n- { id: all }\n- { id: rust, any: [rust] }\n- { id: only-a, feeds: [a], any: [rust], none: ['1'] }\n\
         - { id: two, limit: 2 }\n- { id: tags, any: [B], in: [tags] }",
    );
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "all"), ["Rust b", "用Rust写", "trust", "Rust 1"]);
    assert_eq!(titles(&house, "rust"), ["Rust b", "用Rust写", "Rust 1"]);
    assert_eq!(titles(&house, "only-a"), ["用Rust写"]);
    assert_eq!(titles(&house, "two"), ["Rust b", "用Rust写"]);
    assert_eq!(titles(&house, "tags"), ["Rust b"]);
}

#[test]
fn a_changed_rule_is_applied_to_the_whole_archive() {
    let house = House::new();
    house.serves("/a.xml", rss(&(dated("one", 1, 1) + &dated("two", 2, 2))));
    let feeds = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\n";
    house.config(&format!("{feeds}topics: [{{ id: t, any: [one] }}]"));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "t"), ["one"]);
    house.config(&format!("{feeds}topics: [{{ id: t, any: [two] }}]"));
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(titles(&house, "t"), ["two"]);
}

#[test]
fn a_revision_can_leave_a_topic() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t, any: [one] }]");
    house.serves("/a.xml", rss(&dated("one", 1, 1)));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "t"), ["one"]);
    house.serves("/a.xml", rss(&dated("other", 1, 1)));
    house.run(["poll"]).summary("1 read (1 revised)").success();
    assert!(titles(&house, "t").is_empty());
}

#[test]
fn equal_dates_keep_their_order_whatever_order_the_feed_has() {
    let house = House::new();
    let entries: Vec<String> =
        (0..9).map(|n| item(&format!("e{n}"), &format!("https://example.org/{n}"), "", DATE, "")).collect();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]");
    house.serves("/a.xml", rss(&entries.concat()));
    house.run(["poll"]).success();
    let first = titles(&house, "t");
    let other = House::new();
    other.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]");
    other.serves("/a.xml", rss(&entries.into_iter().rev().collect::<String>()));
    other.run(["poll"]).success();
    assert_eq!(titles(&other, "t"), first);
}
