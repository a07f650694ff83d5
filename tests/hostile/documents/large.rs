//! Documents that mean harm by their size, or by how much of a thing there is in them.

use super::{Document, Told, expected, house_of, poll, posts_of, rules};
use crate::house::{DATE, House, rss};

/// An item with this inside of it beside title, link and date, and a text that has to be kept.
fn with(name: &str, more: &str) -> String {
    rss(&format!(
        "<item><title>Title of {name}</title><link>https://hostile.example.org/{name}</link><pubDate>{DATE}</pubDate>{more}</item>"
    ))
}

/// An item with this body, the end of which has to be kept.
fn body(name: &str, html: &str) -> String {
    with(name, &format!("<content:encoded><![CDATA[<p>kept-{name}</p>{html}]]></content:encoded>"))
}

/// An item with so many of these in a place of its own.
fn many(name: &str, more: &str) -> String {
    with(name, &format!("{more}<description>kept-{name}</description>"))
}

fn numbered(count: usize, make: impl Fn(usize) -> String) -> String {
    (0..count).map(make).collect()
}

/// How an item of JSON Feed begins.
const JSON: &str =
    "{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{\"id\":\"1\",\"url\":\"https://hostile.example.org/";

fn json(name: &str, more: &str) -> String {
    format!("{JSON}{name}\",\"title\":\"T\",\"content_html\":\"kept-{name}\",{more}}}]}}")
}

/// Names and documents, of each of which one entry is kept.
fn xml() -> Vec<(&'static str, String)> {
    let attributes = numbered(100_000, |n| format!(" a{n}=\"{n}\""));
    let namespaces = numbered(20_000, |n| format!(" xmlns:a{n}=\"urn:{n}\""));
    vec![
        ("long-title", many("long-title", "").replace("Title of", &"字".repeat(1_700_000))),
        ("long-guid", many("long-guid", &format!("<guid>{}</guid>", "g".repeat(1_000_000)))),
        ("long-link", many("long-link", "").replace("</link>", &format!("{}</link>", "l".repeat(1_000_000)))),
        ("long-author", many("long-author", &format!("<author>{}</author>", "a".repeat(1_000_000)))),
        ("long-date", many("long-date", "").replace(DATE, &"1".repeat(1_000_000))),
        ("many-tags", many("many-tags", "").replace("Title of", &"&lt;b&gt;".repeat(200_000))),
        ("many-references", many("many-references", "").replace("Title of", &"&amp;amp;".repeat(200_000))),
        ("many-categories", many("many-categories", &numbered(20_000, |n| format!("<category>c{n}</category>")))),
        ("many-attributes", many("many-attributes", "").replace("<item>", &format!("<item{attributes}>"))),
        ("many-namespaces", many("many-namespaces", "").replace("<item>", &format!("<item{namespaces}>"))),
        (
            "many-enclosures",
            many(
                "many-enclosures",
                &numbered(10_000, |n| format!("<enclosure url=\"https://hostile.example.org/{n}.mp3\"/>")),
            ),
        ),
        (
            "many-pieces",
            with(
                "many-pieces",
                &format!("<description>{}kept-many-pieces</description>", "<![CDATA[a]]>".repeat(100_000)),
            ),
        ),
        (
            "many-blanks",
            format!(
                "{}{}",
                " \n".repeat(1_000_000),
                many("many-blanks", "").trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
            ),
        ),
        ("deep-elements", many("deep-elements", &format!("{}{}", "<a>".repeat(50_000), "</a>".repeat(50_000)))),
        ("deep-open", many("deep-open", &"<a>".repeat(50_000))),
        (
            "many-entities",
            many("many-entities", "")
                .replace("<rss", &format!("<!DOCTYPE rss [{}]><rss", "<!ENTITY a \"b\">".repeat(100_000))),
        ),
        (
            "wide-entity",
            with("wide-entity", &format!("<description>kept-wide-entity {}</description>", "&a;".repeat(100_000)))
                .replace("<rss", &format!("<!DOCTYPE rss [<!ENTITY a \"{}\">]><rss", "x".repeat(100_000))),
        ),
        (
            "open-doctype",
            many("open-doctype", "").replace("<rss", &format!("<!DOCTYPE rss {}]><rss", "[".repeat(500_000))),
        ),
    ]
}

fn html() -> Vec<(&'static str, String)> {
    let bodies = [
        ("long-entry", format!("<b>word</b> &amp; <i onclick=\"x\">{}</i> ", "text ".repeat(1_000)).repeat(1_600)),
        ("deep-html", format!("{}{}", "<div>".repeat(50_000), "</div>".repeat(50_000))),
        ("deep-bold", "<b>".repeat(50_000)),
        ("deep-tables", "<table><tr><td>".repeat(5_000)),
        ("deep-svg", "<svg><foreignObject>".repeat(5_000)),
        ("crossed-tags", format!("{}{}", "<a><b><i>".repeat(1_000), "</a></b></i>".repeat(1_000))),
        ("many-of-html", format!("<p{}>a</p>", numbered(10_000, |n| format!(" a{n}=1 onclick{n}=x")))),
        ("open-comments", "<!--".repeat(50_000)),
        ("open-angles", "<".repeat(50_000)),
        ("open-quotes", "<a b=\"".repeat(10_000)),
        ("open-references", "&".repeat(50_000)),
        ("open-braces", "{".repeat(50_000)),
        ("many-sources", format!("<img srcset=\"{}\">", "a 1x,".repeat(10_000))),
        ("many-styles", format!("<p style=\"{}\">a</p>", "width:1px;".repeat(10_000))),
    ];
    bodies.into_iter().map(|(name, html)| (name, body(name, &html))).collect()
}

/// Documents of which so many entries are kept, or of which something is said.
fn others() -> Vec<(&'static str, String, Result<u64, &'static str>)> {
    let deep = format!("\"x\":{}{}", "[".repeat(500_000), "]".repeat(500_000));
    vec![
        ("deep-json", json("deep-json", &deep), Ok(1)),
        ("many-escapes", json("many-escapes", &format!("\"summary\":\"{}\"", "\\ud83d\\ude00".repeat(100_000))), Ok(1)),
        // Each is looked into for its end, or was.
        ("open-lists", format!("{{\"items\":{}", "[{\"items\":".repeat(200_000)), Err("none could be read")),
        ("open-ids", format!("{{\"items\":[{}", "{\"id\":{\"a\":[".repeat(50_000)), Err("none could be read")),
        (
            "many-of-one-guid",
            rss(&numbered(200, |n| {
                format!("<item><title>t{n}</title><guid>g</guid><description>d{n}</description></item>")
            })),
            Ok(200),
        ),
        (
            "open-items",
            format!(
                "<rss><channel>{}",
                "<item><title>a</title><link>https://hostile.example.org/open</link>".repeat(1_000)
            ),
            Ok(1),
        ),
        ("only-zeros", "\0".repeat(4_000_000), Err("not a feed")),
    ]
}

fn made() -> Vec<Document> {
    let kept = xml().into_iter().chain(html()).map(|(name, body)| (name, body, Ok(1)));
    let document = |(name, body, outcome): (&str, String, Result<u64, &str>)| {
        let marker = format!("kept-{name}");
        let keeps = body.contains(&marker).then_some(marker).into_iter().collect();
        let (entries, error) = outcome.map_or_else(|error| (0, Some(error.to_owned())), |entries| (entries, None));
        let told =
            Told { _why: String::new(), entries, titles: None, keeps, never: Vec::new(), error, content_type: None };
        Document { name: name.to_owned(), group: "large".to_owned(), body: body.into_bytes(), told }
    };
    kept.chain(others()).map(document).collect()
}

#[test]
fn great_documents_cost_little() {
    let documents = made();
    let house = house_of(House::new(), &documents);
    let before = rules::places(&house);
    let outcomes = poll(&house, &[]);
    let posts = posts_of(&house);
    for document in &documents {
        expected(document, &outcomes[&document.name], posts.get(&document.name).map_or(&[], Vec::as_slice));
    }
    rules::places_are_right(&house, &before);
    rules::posts_are_right(&house);
    rules::published_is_right(&house, &documents);
}
