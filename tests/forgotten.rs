//! What was taken down stays away, and takes nothing else along.

use crate::house::{DATE, House, item, rss};

const CONFIG: &str = "feeds:\n  - { id: a, name: A, url: '{server}/a.xml' }\n  - { id: b, name: B, url: '{server}/b.xml' }\ntopics: [{ id: t }]";
const LATER: &str = "Thu, 29 Jul 2021 11:01:00 GMT";

fn house(first: &str) -> House {
    let house = House::new();
    house.config(CONFIG).serves("/a.xml", rss(first)).serves("/b.xml", rss(""));
    house.run(["poll"]).success();
    assert_eq!(house.posts().len(), 1);
    house
}

/// Polls what feed `a` shows now, with the index as it is and with one made anew, from the same archive each time; says
/// how many posts there are then.
fn posts_after(house: &House, shows: &str) -> usize {
    let (archive, aside) = (house.path("data/archive"), house.path("aside"));
    let mut counts = Vec::new();
    for anew in [false, true] {
        crate::house::copy(&archive, &aside);
        if anew {
            std::fs::remove_dir_all(house.path("data/index")).expect("removed");
        }
        house.serves("/a.xml", rss(shows));
        house.run(["poll", "--force"]).success();
        counts.push(house.posts().len());
        let atom = house.read("data/public/t/atom.xml");
        assert_eq!(atom.matches("<entry").count(), counts[counts.len() - 1], "{atom}");
        std::fs::remove_dir_all(&archive).expect("removed");
        std::fs::rename(&aside, &archive).expect("back");
    }
    assert_eq!(counts[0], counts[1], "with the index as it was, and with one made anew");
    counts[0]
}

#[test]
fn another_article_at_the_same_address_comes() {
    let link = "https://example.org/column";
    let house = house(&item("Monday", link, "monday", DATE, "<p>of monday</p>"));
    house.run(["forget", link, "--reason", "asked"]).success();
    assert_eq!(house.posts().len(), 0);
    for (shows, posts) in [
        (item("Monday", link, "monday", DATE, "<p>of monday</p>"), 0),
        (item("Monday, corrected", link, "monday", DATE, "<p>other words</p>"), 0),
        (item("Monday", link, "another", DATE, "<p>of monday</p>"), 0),
        (item("Monday", "https://example.org/column?utm_source=x", "another", LATER, "<p>other words</p>"), 0),
        (item("Tuesday", link, "tuesday", LATER, "<p>of tuesday</p>"), 1),
    ] {
        assert_eq!(posts_after(&house, &shows), posts, "{shows}");
    }
}

#[test]
fn another_article_under_a_constant_guid_comes() {
    let house = house(&item("Monday", "https://example.org/1", "daily", DATE, "<p>of monday</p>"));
    house.run(["forget", "https://example.org/1", "--reason", "asked"]).success();
    for (shows, posts) in [
        (item("Monday", "https://example.org/moved", "daily", LATER, "<p>other words</p>"), 0),
        (item("Another title", "https://example.org/moved", "daily", DATE, "<p>other words</p>"), 0),
        (item("Tuesday", "https://example.org/2", "daily", LATER, "<p>of tuesday</p>"), 1),
    ] {
        assert_eq!(posts_after(&house, &shows), posts, "{shows}");
    }
}

#[test]
fn another_feed_does_not_bring_it_back() {
    let link = "https://example.org/1";
    let house = house(&item("Monday", link, "monday", DATE, "<p>of monday</p>"));
    house.run(["forget", link, "--reason", "asked"]).success();
    house.serves("/b.xml", rss(&item("A summary", link, "b-1", LATER, "<p>in other words</p>")));
    house.run(["poll", "--force"]).success();
    assert_eq!(house.posts().len(), 0);
}

#[test]
fn a_takedown_without_a_trace_takes_all_that_shares_a_mark() {
    let link = "https://example.org/column";
    let house = house(&item("Monday", link, "monday", DATE, "<p>of monday</p>"));
    house.run(["forget", link, "--reason", "asked"]).success();
    let month = crate::merged::month(&house);
    let text = std::fs::read_to_string(&month).expect("ledger");
    let (before, rest) = text.split_once(",\"trace\":{").expect("a trace");
    let (_, after) = rest.split_once('}').expect("its end");
    crate::house::write(&month, format!("{before}{after}").as_bytes());
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    let shows = item("Tuesday", link, "tuesday", LATER, "<p>of tuesday</p>");
    assert_eq!(posts_after(&house, &shows), 0);
}
