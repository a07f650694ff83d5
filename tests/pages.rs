//! The pages that people see: complete, safe whatever a feed says, and the same for the same news.

use crate::house::{DATE, House, item, rss};

const CONFIG: &str = "feeds: [{ id: a, name: 江湾晚报, url: '{server}/a.xml', language: zh-Hans }]\n\
                      topics: [{ id: all, title: 'All & \"everything\"' }, { id: none, any: [nowhere], formats: [atom] }]";

#[test]
fn a_topic_has_a_page_with_source_time_excerpt_and_picture() {
    let house = House::new();
    let body = "<p>first <b>text</b></p><img src=\"/1.jpg?a=1&amp;b=2\">";
    house.config(CONFIG).serves("/a.xml", rss(&item("One", "https://example.org/1", "g1", DATE, body)));
    house.run(["poll"]).success();
    let page = house.read("data/public/all/index.html");
    for wanted in [
        "<title>All &#38; &#34;everything&#34; · Test</title>",
        "<link rel=\"alternate\" type=\"application/atom+xml\" title=\"All &#38; &#34;everything&#34; · Atom\" href=\"atom.xml\">",
        "<link rel=\"alternate\" type=\"application/feed+json\"",
        "<meta name=\"robots\" content=\"noindex\">",
        "<article lang=\"zh-Hans\">",
        "<h2 dir=\"auto\"><a href=\"https://example.org/1\">One</a></h2>",
        "<time datetime=\"2021-07-28T11:01:00.000Z\">2021-07-28 11:01 UTC</time>",
        "<img src=\"https://example.org/1.jpg?a=1&#38;b=2\" alt=\"\" loading=\"lazy\">",
        "<p dir=\"auto\">first text</p>",
    ] {
        assert!(page.contains(wanted), "{wanted} is not in {page}");
    }
    assert!(!page.contains("<script") && !page.contains(" on"), "{page}");
    assert!(house.read("data/public/none/index.html").contains("Nothing here yet."));
    assert!(!house.read("data/public/none/index.html").contains("rss.xml"));
    let start = house.read("data/public/index.html");
    assert!(start.contains("<a href=\"all/index.html\">") && start.contains("href=\"none/atom.xml\""), "{start}");
    // What is deleted comes back, and what is there is not touched.
    let before = house.snapshot();
    house.run(["poll", "--force"]).success();
    assert_eq!(house.snapshot(), before);
    std::fs::remove_file(house.path("data/public/all/index.html")).expect("removed");
    house.run(["poll"]).success();
    assert_eq!(house.read("data/public/all/index.html"), page);
}

#[test]
fn nothing_a_feed_says_becomes_markup() {
    let house = House::new();
    let evil = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x onerror=alert(1)&gt;{{ 7*7 }}";
    let link = "https://example.org/&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;";
    let picture = "<img src='https://example.org/\"onload=\"alert(1)'><p>\u{202E}text</p>";
    house.config(CONFIG).serves(
        "/a.xml",
        rss(&(item(evil, link, "g1", DATE, picture)
            + &item("two", "javascript:alert(1)", "g2", DATE, "<img src='javascript:alert(1)'>")
            + &item(
                "three",
                "https://example.org/3",
                "g3",
                DATE,
                "<img src='data:image/svg+xml,<svg onload=alert(1)>'>",
            ))),
    );
    house.run(["poll"]).success();
    let page = house.read("data/public/all/index.html");
    // As XML, which is stricter: what HTML leaves open is closed first.
    let lines =
        page.lines().filter(|line| !["<!DOCTYPE", "<meta", "<link"].iter().any(|start| line.starts_with(start)));
    let strict = lines.collect::<Vec<_>>().join("\n").replace(" loading=\"lazy\">", "/>");
    let document = roxmltree::Document::parse(&strict);
    let document = document.unwrap_or_else(|error| panic!("{error}: {page}"));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["script", "iframe", "object", "style", "svg"].contains(&name), "{name}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on"), "{attribute:?}");
            if ["href", "src"].contains(&attribute.name()) {
                assert!(!attribute.value().contains("javascript:") && !attribute.value().starts_with("data:"));
            }
        }
    }
}
