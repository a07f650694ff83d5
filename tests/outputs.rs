//! Published Atom: ids, sources, and bytes that any strict reader takes.

use crate::house::{DATE, House, item, rss};

#[test]
fn ids_are_kept_or_made_once_and_every_entry_names_its_source() {
    let house = House::new();
    let items = item("Own id", "https://example.org/1", "tag:example.org,2021:1", DATE, "<p>x</p>")
        + &item("No id", "https://example.org/2", "", DATE, "<p>y</p>")
        + &item("Odd id", "https://example.org/3", "17", DATE, "<p>z</p>");
    house
        .config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]")
        .serves("/a.xml", rss(&items));
    house.run(["poll"]).success();
    let atom = house.read("data/public/t/atom.xml");
    assert!(atom.contains("<id>tag:example.org,2021:1</id>"));
    assert_eq!(atom.matches("<id>tag:news.example.org,").count(), 3, "the feed and two entries");
    assert_eq!(atom.matches("<source>").count(), 3);
    assert!(
        atom.contains("rel=\"self\" type=\"application/atom+xml\"")
            || atom.contains("href=\"https://news.example.org/t/atom.xml\"")
    );
    let parsed = feed_rs::parser::parse(atom.as_bytes()).expect("feed-rs reads it");
    assert_eq!(parsed.entries.len(), 3);
}

#[test]
fn two_entries_never_share_an_id() {
    let house = House::new();
    let id = "https://example.org/constant";
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\ntopics: [{ id: t }]");
    house.serves("/a.xml", rss(&item("A", "https://a.example/1", id, DATE, "<p>x</p>")));
    house.serves("/b.xml", rss(&item("B", "https://b.example/1", id, DATE, "<p>y</p>")));
    house.run(["poll"]).summary("2 read (2 new posts)").success();
    let atom = house.read("data/public/t/atom.xml");
    assert_eq!(atom.matches(&format!("<id>{id}</id>")).count(), 1);
}

#[test]
fn hostile_text_stays_text() {
    let house = House::new();
    let items = item(
        "&lt;script&gt;alert(1)&lt;/script&gt; ]]&gt; {{ site }}",
        "https://example.org/1",
        "",
        DATE,
        "<p onclick=\"x()\">{{ site.time }} {% include x %}</p><script>alert(1)</script>\u{1F600} {: onclick}",
    );
    house
        .config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]")
        .serves("/a.xml", rss(&items));
    house.run(["poll"]).success();
    let atom = house.read("data/public/t/atom.xml");
    let parsed = feed_rs::parser::parse(atom.as_bytes()).expect("strict XML");
    let body = parsed.entries[0].content.as_ref().and_then(|c| c.body.clone()).expect("body");
    assert!(!body.contains("script") && !body.contains("onclick=") && body.contains('\u{1F600}'), "{body}");
    let (_, post) = house.posts().pop_first().expect("post");
    let after_front_matter = post.splitn(3, "---\n").nth(2).expect("body");
    assert!(!after_front_matter.contains('{'), "{after_front_matter}");
}
