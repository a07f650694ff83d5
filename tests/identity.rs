//! Which entry is which: documents of a feed one after the other, and what each poll makes of them.

use crate::house::{DATE, item, rss};
use crate::world::{World, counts};

const LONG: &str = "A text that is long enough to be known by: it goes on and on about one thing and another, names \
    places, names people, quotes three of them at length, and ends only when more than two hundred characters are full.";

fn link(n: u32) -> String {
    format!("https://example.org/{n}")
}

/// An item with everything its own.
fn own(n: u32) -> String {
    item(&format!("Title {n}"), &link(n), &format!("g{n}"), DATE, &format!("<p>text {n}</p>"))
}

fn rules(world: &World) -> Vec<u64> {
    world.ledger().iter().map(|line| line["rule"].as_u64().expect("rule")).collect()
}

#[test]
fn the_same_document_twice_is_nothing() {
    let world = World::one("");
    let document = rss(&(own(1) + &own(2)));
    assert_eq!(world.step(&document), (2, 0, 0));
    assert_eq!(world.step(&document), (0, 0, 2));
    assert_eq!(world.ledger().len(), 2);
}

#[test]
fn a_shared_link_with_different_guids_keeps_every_entry() {
    let world = World::one("");
    let entry =
        |n: u32| item(&format!("Part {n}"), "https://example.org/page", &format!("g{n}"), DATE, &format!("<p>{n}</p>"));
    assert_eq!(world.step(rss(&(entry(1) + &entry(2) + &entry(3)))), (3, 0, 0));
    assert_eq!(world.step(rss(&(entry(2) + &entry(3) + &entry(4)))), (1, 0, 2));
    assert_eq!(world.step(rss(&(entry(4) + &entry(1)))), (0, 0, 2));
    assert_eq!(world.posts().len(), 4);
}

#[test]
fn a_shared_link_and_title_with_different_guids_and_texts_keeps_every_entry() {
    let world = World::one("");
    let entry =
        |n: u32| item("Update", "https://example.org/page", &format!("g{n}"), DATE, &format!("<p>update {n}</p>"));
    assert_eq!(world.step(rss(&(entry(1) + &entry(2)))), (2, 0, 0));
    assert_eq!(world.step(rss(&(entry(1) + &entry(2)))), (0, 0, 2));
}

#[test]
fn a_shared_link_without_guids_keeps_entries_apart_by_title_then_text() {
    let world = World::one("");
    let entry = |title: &str, text: &str| item(title, "https://example.org/page", "", DATE, text);
    let document = rss(&(entry("One", "<p>a</p>") + &entry("Two", "<p>b</p>") + &entry("Two", "<p>c</p>")));
    assert_eq!(world.step(&document), (3, 0, 0));
    assert_eq!(world.step(&document), (0, 0, 3));
}

#[test]
fn one_guid_for_all_is_void() {
    let world = World::one("");
    let entry = |n: u32| item(&format!("Title {n}"), &link(n), "https://example.org/", DATE, &format!("<p>{n}</p>"));
    assert_eq!(world.step(rss(&(entry(1) + &entry(2) + &entry(3)))), (3, 0, 0));
    assert_eq!(world.step(rss(&(entry(2) + &entry(3) + &entry(4)))), (1, 0, 2));
    assert!(world.ledger().iter().all(|line| line["guid"].is_null()));
}

#[test]
fn a_constant_guid_in_documents_of_one_entry_hides_nothing() {
    for guid in ["1", "https://example.org/"] {
        let world = World::one("");
        for n in 1..=4 {
            let date = format!("0{n} Jul 2021 11:01:00 GMT");
            let document = rss(&item(&format!("Title {n}"), &link(n), guid, &date, &format!("<p>{n}</p>")));
            assert_eq!(world.step(document), (1, 0, 0), "guid {guid}, document {n}");
        }
        assert_eq!(world.posts().len(), 4);
    }
}

#[test]
fn a_changed_guid_is_the_same_entry() {
    let world = World::one("");
    assert_eq!(world.step(rss(&item("T", &link(1), "old", DATE, "<p>x</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("T", &link(1), "new", DATE, "<p>x</p>"))), (0, 0, 1));
    assert_eq!(world.step(rss(&item("T, corrected", &link(1), "new", DATE, "<p>y</p>"))), (0, 1, 0));
    assert_eq!(rules(&world), [6, 3, 2]);
}

#[test]
fn a_changed_link_with_the_guid_kept_is_the_same_entry_and_the_address_leads_to_it() {
    let world = World::one("");
    assert_eq!(world.step(rss(&item("T", &link(1), "tag:x,2021:1", DATE, "<p>x</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("T", &link(2), "tag:x,2021:1", DATE, "<p>x</p>"))), (0, 0, 1));
    assert_eq!(world.ledger()[1]["aliases"], serde_json::json!([link(2)]));
    assert_eq!(world.step(rss(&item("T", &link(2), "", DATE, "<p>x</p>"))), (0, 0, 1));
    assert_eq!(world.ledger().len(), 2);
}

#[test]
fn a_weak_guid_is_believed_only_where_something_agrees() {
    let world = World::one("");
    assert_eq!(world.step(rss(&item("One", &link(1), "7", DATE, "<p>x</p>"))), (1, 0, 0));
    let other = item("Other", &link(2), "7", "Thu, 29 Jul 2021 09:00:00 GMT", "<p>y</p>");
    assert_eq!(world.step(rss(&other)), (1, 0, 0));
    assert_eq!(world.posts().len(), 2);
}

#[test]
fn spellings_of_one_address_are_one_entry() {
    let pairs = [
        ("http://example.org/a", "https://example.org/a"),
        ("https://example.org/a?utm_source=rss&amp;utm_medium=x", "https://example.org/a"),
        ("https://www.google.com/url?q=https%3A%2F%2Fexample.org%2Fa", "https://example.org/a"),
        ("https://example.org/a#", "https://example.org/a"),
        ("https://example.org/a#xtor=RSS-1", "https://example.org/a"),
        ("https://例え.jp/新闻", "https://xn--r8jz45g.jp/%e6%96%b0%E9%97%BB"),
        ("https://EXAMPLE.org:443/%7Ea", "https://example.org/~a"),
    ];
    for (first, second) in pairs {
        let world = World::one("");
        assert_eq!(world.step(rss(&item("T", first, "", DATE, "<p>x</p>"))), (1, 0, 0), "{first}");
        assert_eq!(world.step(rss(&item("U", second, "", DATE, "<p>y</p>"))), (0, 1, 0), "{second}");
    }
}

#[test]
fn addresses_that_differ_are_different_entries() {
    let pairs = [
        ("https://example.org/a#one", "https://example.org/a#two"),
        ("https://example.org/a?id=1", "https://example.org/a?id=2"),
        ("https://example.org/a", "https://example.org/A"),
        ("https://example.org/a", "https://example.org/a/"),
    ];
    for (first, second) in pairs {
        let world = World::one("");
        assert_eq!(world.step(rss(&item("T", first, "", DATE, "<p>x</p>"))), (1, 0, 0));
        assert_eq!(world.step(rss(&item("U", second, "", DATE, "<p>y</p>"))), (1, 0, 0), "{first} {second}");
    }
}

#[test]
fn entries_without_link_are_known_by_guid_else_title_and_day_else_text() {
    let world = World::one("");
    let bare = |inner: &str| format!("<item>{inner}</item>");
    let document = rss(&(bare("<title>A</title><guid isPermaLink=\"false\">1</guid>")
        + &bare("<title>A</title><guid isPermaLink=\"false\">2</guid>")
        + &bare("<title>B</title><pubDate>Wed, 28 Jul 2021 11:01:00 GMT</pubDate>")
        + &bare("<title>B</title><pubDate>Thu, 29 Jul 2021 11:01:00 GMT</pubDate>")
        + &bare("<description>only text</description>")
        + &bare("<description>other text</description>")));
    assert_eq!(world.step(&document), (6, 0, 0));
    assert_eq!(world.step(&document), (0, 0, 6));
}

#[test]
fn photos_without_title_and_text_are_known_by_their_link() {
    let world = World::one("");
    let photo = |n: u32| {
        format!(
            "<item><link>{}</link><description>&lt;img src=\"https://example.org/{n}.jpg\"/&gt;</description></item>",
            link(n)
        )
    };
    assert_eq!(world.step(rss(&(photo(1) + &photo(2)))), (2, 0, 0));
    assert_eq!(world.step(rss(&(photo(2) + &photo(3)))), (1, 0, 1));
}

#[test]
fn the_same_title_and_day_with_another_text_is_another_entry() {
    let world = World::one("");
    assert_eq!(world.step(rss(&item("Daily", &link(1), "", DATE, &format!("<p>{LONG} one</p>")))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("Daily", &link(2), "", DATE, &format!("<p>{LONG} two</p>")))), (1, 0, 0));
}

#[test]
fn the_same_entry_under_a_new_address_is_known_by_its_text() {
    let world = World::one("");
    let at = |n: u32| item("Moved", &link(n), "", DATE, &format!("<p>{LONG}</p>"));
    assert_eq!(world.step(rss(&at(1))), (1, 0, 0));
    assert_eq!(world.step(rss(&at(2))), (0, 0, 1));
    assert_eq!(rules(&world), [6, 5]);
    assert_eq!(world.step(rss(&item("Moved, corrected", &link(2), "", DATE, "<p>short</p>"))), (0, 1, 0));
    // Both in one document are two entries.
    let world = World::one("");
    assert_eq!(world.step(rss(&at(1))), (1, 0, 0));
    assert_eq!(world.step(rss(&(at(1) + &at(2)))), (1, 0, 1));
}

#[test]
fn two_feeds_with_one_article_do_not_revise_each_other() {
    let world = World::new(
        "feeds: [{ id: a, name: A, url: 'https://a.example/feed' }, { id: b, name: B, url: 'https://b.example/feed' }]",
    );
    world.serve("a", rss(&item("T", &link(1), "a1", DATE, "<p>full text</p>")));
    world.serve("b", rss(&item("T - via B", &link(1), "b1", DATE, "<p>teaser</p>")));
    let first: Vec<_> = world.poll().iter().map(counts).collect();
    assert_eq!(first, [(1, 0, 0), (0, 0, 1)]);
    for _ in 0..2 {
        assert_eq!(world.poll().iter().map(counts).collect::<Vec<_>>(), [(0, 0, 1), (0, 0, 1)]);
    }
    assert_eq!(world.posts()[0].title, "T");
    // Its own guid leads the other feed to the entry, whatever the link becomes.
    world.serve("b", rss(&item("T - via B", "https://b.example/t", "b1", DATE, "<p>teaser</p>")));
    assert_eq!(world.poll().iter().map(counts).collect::<Vec<_>>(), [(0, 0, 1), (0, 0, 1)]);
}

#[test]
fn a_link_that_is_used_again_for_another_article_is_a_new_entry() {
    let world = World::one("");
    assert_eq!(world.step(rss(&item("Monday", "https://example.org/today", "g1", DATE, "<p>a</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("Tuesday", "https://example.org/today", "g2", DATE, "<p>b</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("Tuesday", "https://example.org/today", "g2", DATE, "<p>b</p>"))), (0, 0, 1));
    assert_eq!(world.posts().len(), 2);
}

#[test]
fn one_then_two_then_one_entry_on_a_link() {
    for guids in [["g1", "g2"], ["", ""]] {
        let world = World::one("");
        let first = item("One", "https://example.org/page", guids[0], DATE, "<p>a</p>");
        let second = item("Two", "https://example.org/page", guids[1], DATE, "<p>b</p>");
        assert_eq!(world.step(rss(&first)), (1, 0, 0));
        assert_eq!(world.step(rss(&(first.clone() + &second))), (1, 0, 1), "{guids:?}");
        assert_eq!(world.step(rss(&second)), (0, 0, 1), "{guids:?}");
        assert_eq!(world.step(rss(&first)), (0, 0, 1), "{guids:?}");
        assert_eq!(world.posts().len(), 2);
    }
}

#[test]
fn articles_of_one_moment_that_take_over_a_link_are_new_entries() {
    let world = World::one("");
    let entry =
        |n: u32| item(&format!("Part {n}"), "https://example.org/page", &format!("g{n}"), DATE, &format!("<p>{n}</p>"));
    assert_eq!(world.step(rss(&entry(1))), (1, 0, 0));
    assert_eq!(world.step(rss(&(entry(2) + &entry(3)))), (2, 0, 0));
    assert_eq!(world.step(rss(&(entry(2) + &entry(3)))), (0, 0, 2));
    assert_eq!(world.posts().len(), 3);
}

#[test]
fn of_two_entries_that_look_like_a_known_one_only_one_is_it() {
    // Without guids only the date tells that the known entry may have got another title and text.
    let entry = |title: &str| item(title, "https://example.org/page", "", DATE, &format!("<p>{title}</p>"));
    for order in [["Two", "Three"], ["Three", "Two"]] {
        let world = World::one("");
        assert_eq!(world.step(rss(&entry("One"))), (1, 0, 0));
        assert_eq!(world.step(rss(&order.map(entry).concat())), (1, 1, 0), "{order:?}");
        assert_eq!(world.step(rss(&order.map(entry).concat())), (0, 0, 2), "{order:?}");
        assert_eq!(world.posts().len(), 2);
    }
    // A former address that another entry has now.
    let world = World::one("");
    let guid = "https://example.org/guid";
    assert_eq!(world.step(rss(&item("T", &link(1), guid, DATE, "<p>x</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("T", &link(2), guid, DATE, "<p>x</p>"))), (0, 0, 1));
    let (one, two) = (item("U", &link(1), "", DATE, "<p>u</p>"), item("V", &link(2), "", DATE, "<p>v</p>"));
    assert_eq!(world.step(rss(&(one + &two))), (1, 1, 0));
}

#[test]
fn an_id_reset_loses_and_doubles_nothing() {
    let world = World::one("");
    let entry = |n: u32, guid: u32| {
        item(&format!("Title {n}"), &link(n), &format!("tag:x,2021:{guid}"), DATE, &format!("<p>{n}</p>"))
    };
    let document = |shift: u32| rss(&(1..=8).map(|n| entry(n, n + shift)).collect::<String>());
    assert_eq!(world.step(document(0)), (8, 0, 0));
    // The numbering starts anew: almost every guid now names another entry.
    let reports = world.serve("f", document(1)).poll();
    assert_eq!(counts(&reports[0]), (0, 0, 8));
    assert!(reports[0].notes.iter().any(|note| note.contains("ids anew")), "{:?}", reports[0].notes);
    assert_eq!(world.posts().len(), 8);
}

#[test]
fn dedup_url_and_guid_narrow_the_rules() {
    let two = |guid: &str| {
        item("One", "https://example.org/page", guid, DATE, "<p>a</p>")
            + &item("Two", "https://example.org/page", "g2", DATE, "<p>b</p>")
    };
    let world = World::one(", dedup: url");
    assert_eq!(world.step(rss(&two("g1"))), (1, 0, 1));
    let world = World::one(", dedup: guid");
    assert_eq!(world.step(rss(&two("g1"))), (2, 0, 0));
    let world = World::one(", dedup: guid");
    assert_eq!(world.step(rss(&item("T", &link(1), "g1", DATE, "<p>x</p>"))), (1, 0, 0));
    assert_eq!(world.step(rss(&item("T", &link(2), "g1", DATE, "<p>x</p>"))), (0, 0, 1));
    assert_eq!(world.step(rss(&item("T", &link(2), "g9", DATE, "<p>x</p>"))), (1, 0, 0));
}

#[test]
fn revisions_are_kept_replaced_or_ignored() {
    let version = |n: u32| rss(&item("T", &link(1), "g", DATE, &format!("<p>version {n}</p>")));
    for (mode, counted, kept, last) in
        [("keep", (0, 1, 0), 1, 2), ("replace", (0, 1, 0), 0, 2), ("ignore", (0, 0, 1), 0, 1)]
    {
        let world = World::one(&format!(", revisions: {mode}"));
        world.step(version(1));
        assert_eq!(world.step(version(2)), counted, "{mode}");
        assert_eq!(crate::house::files(&world.home.path().join("archive/_revisions")).len(), kept, "{mode}");
        assert_eq!(world.posts()[0].body, format!("<p>version {last}</p>"), "{mode}");
    }
}

#[test]
fn a_text_with_a_clock_in_it_stops_being_recorded() {
    let world = World::one("");
    let version = |n: u32| rss(&item("T", &link(1), "g", DATE, &format!("<p>it is {n} o'clock</p>")));
    world.step(version(0));
    for n in 1..=24 {
        assert_eq!(world.step(version(n)), (0, 1, 0), "{n}");
    }
    let reports = world.serve("f", version(25)).poll();
    assert_eq!(counts(&reports[0]), (0, 0, 1));
    assert!(reports[0].notes[0].contains("changed more than 24 times"), "{:?}", reports[0].notes);
}
