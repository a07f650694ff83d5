//! Entries that look alike: which are one, and which are not.

use crate::house::{DATE, item, rss};
use crate::world::{Counts, World};

const LONG: &str = "A text that is long enough to be known by: it goes on and on about one thing and another, names \
    places, names people, quotes three of them at length, and ends only when more than two hundred characters are full.";

fn day(n: u32) -> String {
    format!("{:02} Jul 2021 11:01:00 GMT", n + 1)
}

/// Serves windows of entries, each one entry further, and says how many posts there are at last.
fn posts_of(settings: &str, window: u32, entry: impl Fn(u32) -> String) -> usize {
    let world = World::one(settings);
    for first in 0..=(9 - window) {
        let document = rss(&(first..first + window).rev().map(&entry).collect::<String>());
        world.step(&document);
        let again: Counts = world.step(document);
        assert_eq!((again.0, again.1), (0, 0), "a document that comes again is nothing");
    }
    world.posts().len()
}

#[test]
fn bulletins_of_one_title_and_text_are_as_many_as_their_guids_and_moments() {
    for body in ["<p>Our evening news.</p>", ""] {
        for guid in ["https://radio.example.org/{}.mp3", "{}"] {
            let entry = |n: u32| {
                item("News", "https://example.org/evening", &guid.replace("{}", &n.to_string()), &day(n), body)
            };
            assert_eq!(posts_of("", 3, entry), 9, "{guid} {body}");
            assert_eq!(posts_of("", 2, entry), 9, "{guid} {body}");
        }
    }
}

#[test]
fn issues_of_one_title_and_address_are_as_many_as_their_guids_texts_and_dates() {
    let issue = |n: u32| {
        item(
            "Open thread",
            "https://example.org/",
            &format!("https://example.org/?p={n}"),
            &day(n),
            &format!("<p>No. {n}</p>"),
        )
    };
    for window in 1..=3 {
        assert_eq!(posts_of("", window, issue), 9, "{window}");
    }
    // With its date or its text it stays the one that it was, whatever guid it gets.
    for (date, text) in [(day(0), "other words"), (day(1), "words")] {
        let world = World::one("");
        let link = "https://example.org/1";
        assert_eq!(world.step(rss(&item("T", link, "a", &day(0), "<p>words</p>"))), (1, 0, 0));
        assert_eq!(world.step(rss(&item("T", link, "b", &date, &format!("<p>{text}</p>")))).0, 0, "{date} {text}");
    }
}

#[test]
fn one_article_that_is_listed_under_two_guids_is_one() {
    let world = World::one("");
    let entry = |guid: &str| item("T", "https://example.org/1", guid, DATE, "<p>x</p>");
    assert_eq!(world.step(rss(&(entry("a") + &entry("b")))), (1, 0, 1));
    assert_eq!(world.step(rss(&(entry("c") + &entry("b")))), (0, 0, 2));
}

#[test]
fn entries_of_which_only_what_is_enclosed_differs_are_kept() {
    let enclosed = |n: u32, more: &str| {
        format!("<item>{more}<enclosure url=\"https://example.org/{n}.mp3\" length=\"1\" type=\"audio/mpeg\"/></item>")
    };
    assert_eq!(posts_of("", 3, |n| enclosed(n, "")), 9);
    let show = |n: u32| {
        let date = day(n);
        enclosed(n, &format!("<title>News</title><link>https://example.org/show</link><pubDate>{date}</pubDate>"))
    };
    assert_eq!(posts_of("", 3, show), 9);
}

#[test]
fn numbers_that_are_dealt_again_bring_new_articles() {
    let story = |n: u32, guid: u32, body: &str| {
        item(&format!("Story {n}"), &format!("https://example.org/{n}"), &guid.to_string(), &day(n), body)
    };
    for body in ["", "<p>Comments</p>"] {
        let world = World::one("");
        let document = |from: u32| rss(&(0..6).map(|n| story(from + n, n, body)).collect::<String>());
        assert_eq!(world.step(document(0)), (6, 0, 0));
        assert_eq!(world.step(document(6)), (6, 0, 0), "{body:?}");
        // The guid is the place in the list.
        assert_eq!(posts_of("", 4, |n| story(n, n % 4, body)), 9, "{body:?}");
        assert_eq!(posts_of("", 1, |n| story(n, 0, body)), 9, "{body:?}");
    }
}

#[test]
fn a_link_that_all_share_hides_nothing_where_there_is_no_text() {
    for guid in ["{}", "https://example.org/guid/{}"] {
        for body in ["", "<p>Comments</p>"] {
            let guid = |n: u32| guid.replace("{}", &n.to_string());
            let entry = |n: u32| item(&format!("Version {n}"), "https://example.org/", &guid(n), &day(n), body);
            for window in 1..=3 {
                assert_eq!(posts_of("", window, entry), 9, "{window}");
            }
        }
    }
}

#[test]
fn numbers_that_are_dealt_again_write_nothing_over() {
    for (settings, link) in [("", ""), ("", "<link>https://example.org/</link>"), (", dedup: guid", "")] {
        let world = World::one(settings);
        let document = |from: u32| {
            let entry = |n: u32| {
                let (story, date) = (from + n, day(from + n));
                format!(
                    "<item><title>Story {story}</title>{link}<guid isPermaLink=\"false\">{n}</guid><pubDate>{date}</pubDate>\
                     <description>{LONG} {story}</description></item>"
                )
            };
            rss(&(0..6).map(entry).collect::<String>())
        };
        assert_eq!(world.step(document(0)), (6, 0, 0));
        assert_eq!(world.step(document(10)), (6, 0, 0), "{settings} {link}");
        assert_eq!(world.step(document(10)), (0, 0, 6), "{settings} {link}");
        assert_eq!(world.step(document(0)).1, 0, "{settings} {link}");
        assert_eq!(world.step(document(20)), (6, 0, 0), "{settings} {link}");
    }
}

#[test]
fn a_site_that_was_made_anew_brings_nothing_twice() {
    let world = World::one("");
    let document = |made: &str| {
        let entry = |n: u32| {
            let link = format!("https://example.org/{made}/{n}");
            item(
                &format!("{made} {n}"),
                &link,
                &format!("tag:example.org,2021:{n}"),
                &day(n),
                &format!("<p>{made} {n}</p>"),
            )
        };
        rss(&(0..8).map(entry).collect::<String>())
    };
    assert_eq!(world.step(document("old")), (8, 0, 0));
    assert_eq!(world.step(document("new")), (0, 8, 0));
}

#[test]
fn a_guid_that_spells_the_link_changes_with_it() {
    for (old, new) in [
        ("http://example.org/a", "https://example.org/a"),
        ("https://example.org/a?utm_source=x", "https://example.org/a?utm_source=y"),
    ] {
        let world = World::one("");
        assert_eq!(world.step(rss(&item("Quake hits", old, old, DATE, "<p>At least two.</p>"))), (1, 0, 0));
        assert_eq!(world.step(rss(&item("Quake hits city", new, new, DATE, "<p>At least five.</p>"))), (0, 1, 0));
    }
    // The whole site moves: text, title and day say that it is the same.
    let world = World::one("");
    let at = |host: &str| {
        let entry = |n: u32| {
            let link = format!("https://{host}/{n}/");
            item(&format!("T{n}"), &link, &link, DATE, &format!("<p>{LONG} {n}</p>"))
        };
        rss(&(0..4).map(entry).collect::<String>())
    };
    assert_eq!(world.step(at("www.example.org")), (4, 0, 0));
    assert_eq!(world.step(at("example.com")), (0, 0, 4));
    assert_eq!(world.step(at("example.com")), (0, 0, 4));
}

#[test]
fn an_entry_that_is_listed_twice_is_the_same_when_it_is_listed_once() {
    let entry = "<item><title>X</title><guid isPermaLink=\"false\">gx</guid><description>short</description></item>";
    let world = World::one("");
    assert_eq!(world.step(rss(&entry.repeat(2))), (1, 0, 1));
    assert_eq!(world.step(rss(entry)), (0, 0, 1));
}

#[test]
fn items_of_a_live_page_are_as_many_as_their_texts() {
    // One guid, link, title and date for all: only what they say tells them apart.
    let entry = |n: u32| item("Live", "https://example.org/live", "live", DATE, &format!("<p>At {n} o'clock</p>"));
    assert_eq!(posts_of("", 3, entry), 9);
}

#[test]
fn flashes_of_one_day_are_as_many_as_their_moments() {
    let flash = |n: u32| {
        format!(
            "<item><title>快讯</title><pubDate>28 Jul 2021 {:02}:00:00 GMT</pubDate><description>消息 {n}</description></item>",
            n + 8
        )
    };
    for window in 1..=3 {
        assert_eq!(posts_of("", window, flash), 9, "{window}");
    }
}
