//! Places with feeds that hold what the rules of identity and the archive know.

use super::place::{Place, Work};
use crate::house::{DATE, item, rss};
use crate::newsroom::{self, Edition, Newsroom};

pub const FEEDS: &str = "
feeds:
- { id: a, name: A, url: 'https://a.example.org/feed' }
- { id: b, name: B, url: 'https://b.example.org/feed' }
- { id: c, name: C, url: 'https://c.example.org/feed', revisions: replace }
- { id: d, name: D, url: 'https://d.example.org/feed' }
- { id: e, name: E, url: 'https://e.example.org/feed' }
topics: [{ id: all }, { id: better, any: [better] }, { id: changes, changes: true, limit: 5 }]";

/// An entry whose link, guid and title belong together.
pub fn entry(name: &str, text: &str) -> String {
    item(
        &format!("Title {name}"),
        &format!("https://example.org/{name}"),
        &format!("guid-{name}"),
        DATE,
        &format!("<p>{text}</p>"),
    )
}

/// An entry on a link that others have, too.
pub fn shared(name: &str, text: &str) -> String {
    item(&format!("Shared {name}"), "https://example.org/shared", &format!("s-{name}"), DATE, &format!("<p>{text}</p>"))
}

/// An entry that another feed copied: with tracking, over http, under its own guid.
pub fn copied(name: &str) -> String {
    item(
        &format!("Title {name}"),
        &format!("http://example.org/{name}?utm_source=copy"),
        &format!("copy-{name}"),
        DATE,
        "<p>teaser</p>",
    )
}

pub fn undated(name: &str) -> String {
    item(
        &format!("Undated {name}"),
        &format!("https://example.org/undated-{name}"),
        &format!("u-{name}"),
        "",
        "<p>when?</p>",
    )
}

/// A place where nothing ran yet, with a first document in each feed.
pub fn fresh() -> Place {
    let mut place = Place::new(FEEDS);
    let moved = item("Moved", "https://example.org/old-address", "https://example.org/moved-guid", DATE, "<p>here</p>");
    let dealt = item("Dealt anew", "https://example.org/dealt", "dealt-1", DATE, "<p>same</p>");
    let a =
        [entry("1", "first"), entry("2", "second"), dealt, moved, shared("one", "x"), shared("two", "y"), undated("1")];
    place.serve("a", rss(&a.concat()));
    place.serve("b", rss(&(entry("b1", "of b") + &copied("1"))));
    place.serve("c", rss(&(entry("c1", "of c") + &entry("c2", "better of c"))));
    place.serve("d", rss(""));
    place.serve("e", rss(&copied("b1")));
    place
}

/// New, revised and duplicate entries, in every way that the rules of identity know.
pub fn changed(mut place: Place) -> Place {
    place.later(86_400);
    let moved = item("Moved", "https://example.org/new-address", "https://example.org/moved-guid", DATE, "<p>here</p>");
    let dealt = item("Dealt anew", "https://example.org/dealt", "dealt-2", DATE, "<p>same</p>");
    let a = [
        entry("1", "first, better"),
        entry("2", "second"),
        dealt,
        moved,
        shared("one", "x"),
        shared("two", "y, changed"),
        shared("three", "z"),
        undated("1"),
        undated("2"),
        entry("3", "third"),
        entry("4", "fourth, better"),
    ];
    let a = rss(&a.concat()).replace("<title>Feed</title>", "<title>Feed with another name</title>");
    place.serve("a", a);
    place.serve(
        "b",
        rss(&(entry("b1", "of b") + &copied("1") + &copied("2") + &copied("3") + &entry("b2", "new of b"))),
    );
    place.serve("c", rss(&(entry("c1", "of c, changed") + &entry("c2", "worse of c") + &entry("c3", "new of c"))));
    place.serve("d", rss(&entry("d1", "one alone")));
    place.serve("e", rss(&(copied("b1") + &copied("2"))));
    place
}

/// A place where the first documents were polled and changed since.
pub fn polled() -> Place {
    let mut place = fresh();
    place.run_well(&Work::Poll);
    changed(place)
}

/// A place where all of that was polled.
pub fn settled() -> Place {
    let mut place = polled();
    place.run_well(&Work::Poll).later(3600);
    place
}

/// A place whose history is about to fill a document: seventy-five entries of one feed were there, more came since.
pub fn about_to_seal() -> Place {
    let many =
        |range: std::ops::Range<usize>| range.map(|n| entry(&format!("n{n}"), "one of many")).collect::<String>();
    let mut place = fresh();
    place.serve("d", rss(&many(0..75)));
    place.run_well(&Work::Poll);
    let mut place = changed(place);
    place.serve("d", rss(&many(70..95)));
    place
}

pub fn without_syncfs(mut place: Place) -> Place {
    place.syncs_all = false;
    place
}

pub const NEWS: &str = "
feeds:
- { id: a, name: A, url: 'https://a.example.org/feed' }
- { id: b, name: B, url: 'https://b.example.org/feed' }
- { id: c, name: C, url: 'https://c.example.org/feed' }
- { id: d, name: D, url: 'https://d.example.org/feed' }
topics: [{ id: all, limit: 10000 }]";

pub fn next_hour(news: &mut Newsroom, place: &mut Place) -> Vec<Edition> {
    news.change();
    place.later(3600);
    let serve = |(feed, name): (usize, &&'static str)| {
        let (document, edition) = news.serve(feed);
        place.serve(name, document);
        edition
    };
    newsroom::FEEDS.iter().enumerate().map(serve).collect()
}

/// A post as another maker wrote it.
pub fn foreign(title: &str, link: &str) -> String {
    format!(
        "---\ntitle: {title}\ndate: 2020-01-02\ncomments: True\nfrom: {link}\ncategories: [ A ]\n---\nold text, better\n"
    )
}
