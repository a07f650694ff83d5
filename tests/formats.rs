//! What is published, format by format: golden files, strict readers, and what W3C's validator looks for.

use std::collections::HashSet;
use std::path::Path;

use feedmill::model::{Enclosure, EntryKey, Format, Post, Publish, Timestamp};
use feedmill::output::{self, Channel, Deleted, Outline, Published, SourceFacts};
use proptest::prelude::*;
use serde_json::Value;

use crate::house::{DATE, House, item, rss};

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect("time")
}

fn channel() -> Channel {
    Channel {
        id: "tag:news.example.org,2026-11-22:topic/tencent".into(),
        title: "腾讯 & “Tencent”".into(),
        publisher: "新闻汇编编辑部".into(),
        language: Some("zh-Hans".into()),
        folder: "https://news.example.org/tencent/".into(),
        hubs: vec![],
        previous: None,
        founded: time("2026-11-22T00:00:00Z"),
    }
}

fn post(title: &str, from: &str, body: &str) -> Post {
    Post {
        title: title.into(),
        date: time("2021-07-28T11:01:00Z"),
        author: "自由亚洲电台".into(),
        from: from.into(),
        tags: vec!["自由亚洲电台".into()],
        categories: vec!["自由亚洲电台".into()],
        updated: None,
        lang: Some("zh-Hans".into()),
        enclosures: vec![],
        claimed: None,
        key: EntryKey::of(title),
        body: body.into(),
    }
}

fn file(url: &str, media_type: Option<&str>, length: Option<u64>) -> Enclosure {
    Enclosure { url: url.into(), media_type: media_type.map(str::to_owned), length }
}

fn published(id: &str, post: Post) -> Published {
    let excerpt = output::excerpt(&feedmill::normalize::plain(&post.body));
    Published {
        id: id.into(),
        updated: post.date,
        shown: Publish::Full,
        excerpt,
        source: Some(source()),
        related: vec![],
        post,
    }
}

fn source() -> SourceFacts {
    SourceFacts {
        id: "https://www.rfa.org/mandarin/".into(),
        title: "RFA <Mandarin>".into(),
        url: Some("https://www.rfa.org/mandarin/RSS?a=1&b=2".into()),
        link: Some("https://www.rfa.org/mandarin/".into()),
        rights: Some("© RFA".into()),
        icon: Some("https://www.rfa.org/icon.png".into()),
    }
}

/// One entry of each kind.
fn entries() -> Vec<Published> {
    let full = published(
        "https://example.org/1?a=1&b=2",
        post(
            "微信暂停注册 <b> & Vec<T> ]]> \u{20BB7}",
            "https://example.org/1?a=1&b=2",
            "<p>正文 &lt;b&gt; ]]&gt; <a href=\"https://example.org/?a=1&amp;b=2\">链接</a> \u{1F600}</p>",
        ),
    );
    let mut episode = published("tag:example.org,2021:2", post("Episode", "https://example.org/2 微", "<p>Listen</p>"));
    episode.post.lang = Some("en".into());
    episode.updated = time("2021-08-01T00:00:00.500Z");
    episode.post.enclosures = vec![
        file("https://cdn.example.org/2.jpg", None, None),
        file("https://cdn.example.org/2.mp3", Some("audio/mpeg"), Some(1234)),
    ];
    let mut alone = published("tag:news.example.org,2026-11-22:entry/0", post("No page, no source", "", "<p>x</p>"));
    alone.source = Some(SourceFacts {
        id: "tag:news.example.org,2026-11-22:source/file".into(),
        title: "A file".into(),
        url: None,
        link: None,
        rights: None,
        icon: None,
    });
    alone.post.lang = None;
    alone.post.enclosures = vec![file("https://cdn.example.org/a.pdf", None, None)];
    let mut excerpt =
        published("https://example.org/4", post("Excerpt", "https://example.org/4", "<p>1 &lt; 2 & 3</p>"));
    excerpt.shown = Publish::Excerpt;
    excerpt.post.body.clear();
    let mut link =
        published("urn:uuid:60a76c80-d399-11d9-b93c-0003939e0af6", post("Link", "https://example.org/5", ""));
    link.shown = Publish::Link;
    vec![full, episode, alone, excerpt, link]
}

fn deleted() -> Vec<Deleted> {
    vec![Deleted { id: "https://example.org/gone?a=1&b=\"2\"".into(), when: time("2026-11-23T00:00:00Z") }]
}

fn document(format: Format, entries: &[Published], deleted: &[Deleted]) -> String {
    String::from_utf8(output::feed(format, &channel(), entries, deleted)).expect("UTF-8")
}

/// Compares with a file that was read against the RFCs, line by line. `FEEDMILL_WRITE_GOLDEN=1`
/// writes it anew, for reading the difference before it is committed.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/formats").join(name);
    if std::env::var_os("FEEDMILL_WRITE_GOLDEN").is_some() {
        std::io::Write::write_all(&mut std::fs::File::create(&path).expect("file"), text.as_bytes()).expect("written");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(wanted == text, "{name} differs; this is\n{text}");
}

#[test]
fn each_format_says_all_it_can() {
    golden("atom.xml", &document(Format::Atom, &entries(), &deleted()));
    golden("rss.xml", &document(Format::Rss, &entries(), &deleted()));
    golden("feed.json", &document(Format::Json, &entries(), &deleted()));
    golden("empty.xml", &document(Format::Atom, &[], &[]));
    let feed = |text: &str, url: &str| Outline {
        text: text.into(),
        feed: Some(url.into()),
        page: Some("https://example.org/?a&b".into()),
        language: Some("zh".into()),
        children: vec![],
    };
    let group = Outline {
        text: "A \"group\"".into(),
        children: vec![feed("<甲>", "https://a.example/")],
        ..Outline::default()
    };
    golden("list.opml", &output::opml("Feeds & more", "新闻", &[group, feed("乙", "https://b.example/?x=1&y=2")]));
}

#[test]
fn nothing_w3c_would_find() {
    for entries in [entries(), vec![]] {
        for format in Format::ALL {
            let found = findings(format, &document(format, &entries, &deleted()));
            assert_eq!(found, Vec::<String>::new(), "{format:?}");
        }
    }
}

/// Titles as feed-rs and a strict reader see them; both have to read the document.
fn titles(format: Format, document: &str) -> Vec<String> {
    let parsed = feed_rs::parser::parse(document.as_bytes()).unwrap_or_else(|e| panic!("feed-rs: {e}\n{document}"));
    let lenient: Vec<String> =
        parsed.entries.iter().map(|entry| entry.title.as_ref().map_or(String::new(), |t| t.content.clone())).collect();
    if format == Format::Json {
        let json: Value = serde_json::from_str(document).expect("JSON");
        let items = json["items"].as_array().expect("items");
        return items.iter().map(|item| item["title"].as_str().expect("title").to_owned()).collect();
    }
    let xml = roxmltree::Document::parse(document).unwrap_or_else(|e| panic!("strict: {e}\n{document}"));
    let items = xml.descendants().filter(|node| matches!(node.tag_name().name(), "entry" | "item"));
    let strict: Vec<String> = items.map(|node| text_of(child(node, "title").expect("title"))).collect();
    assert_eq!(strict.len(), lenient.len());
    if format == Format::Rss { strict.iter().map(|title| without_joiners(title)).collect() } else { strict }
}

/// RSS keeps what stands in a title from being taken for a tag.
fn without_joiners(title: &str) -> String {
    title.replace("<\u{2060}", "<")
}

fn child<'a, 'i>(node: roxmltree::Node<'a, 'i>, name: &str) -> Option<roxmltree::Node<'a, 'i>> {
    node.children().find(|child| child.tag_name().name() == name)
}

fn text_of(node: roxmltree::Node) -> String {
    node.descendants().filter(roxmltree::Node::is_text).filter_map(|text| text.text()).collect()
}

/// Bodies as a strict reader sees them.
fn bodies(format: Format, document: &str) -> Vec<String> {
    if format == Format::Json {
        let json: Value = serde_json::from_str(document).expect("JSON");
        let items = json["items"].as_array().expect("items");
        return items.iter().map(|item| item["content_html"].as_str().expect("body").to_owned()).collect();
    }
    let xml = roxmltree::Document::parse(document).expect("strict");
    let bodies = xml.descendants().filter(|node| matches!(node.tag_name().name(), "content" | "encoded"));
    bodies.map(text_of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Characters illegal in XML vanish, everything else survives, in every format alike.
    #[test]
    fn any_title_and_body_comes_out_alike_everywhere(
        title in any_text(), body in any_text(), tag in any_text(), author in any_text(), id in any_text(), link in any_text(),
    ) {
        let legal = |text: &str| feedmill::normalize::legal(text).into_owned();
        let wanted = legal(&title).split_ascii_whitespace().collect::<Vec<_>>().join(" ");
        let mut one = post(&title, &format!("https://example.org/{link}"), &body);
        one.tags.push(tag);
        one.author = author;
        one.enclosures = vec![file(&format!("https://example.org/{link}"), Some(&id), Some(u64::MAX))];
        let entries = [published(&id, one)];
        for format in Format::ALL {
            let document = document(format, &entries, &[Deleted { id: id.clone(), when: time("2026-11-23T00:00:00Z") }]);
            let wanted = if format == Format::Rss { without_joiners(&wanted) } else { wanted.clone() };
            prop_assert_eq!(titles(format, &document), [wanted], "{:?}", format);
            // An XML reader makes one line break of all kinds (XML 1.0 section 2.11); CDATA has no other way.
            let lines = |text: &str| legal(text).replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(bodies(format, &document).iter().map(|body| lines(body)).collect::<Vec<_>>(), [lines(&body)], "{:?}", format);
        }
        let list = output::opml(&title, &body, &[Outline { text: title.clone(), feed: Some(link), ..Outline::default() }]);
        let xml = roxmltree::Document::parse(&list).expect("strict");
        let outline = xml.descendants().find(|node| node.has_tag_name("outline")).expect("outline");
        prop_assert_eq!(outline.attribute("text"), Some(wanted.as_str()));
    }
}

/// Text in which everything troublesome is near.
fn any_text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "]]>",
        "<![CDATA[",
        "&",
        "&amp;",
        "<",
        ">",
        "\"",
        "'",
        "<b>",
        "-->",
        "<!--",
        "\0",
        "\u{8}",
        "\u{B}",
        "\u{FFFE}",
        "\u{FFFF}",
        "\u{1F600}",
        "\u{20BB7}",
        "\u{202E}",
        "\u{2066}",
        "\u{2028}",
        "\u{85}",
        "\u{FEFF}",
        "\r\n",
        "\r",
        "\t",
        " ",
        "微信",
        "e\u{301}",
        "\u{10FFFF}",
        "\u{7F}",
        "&#0;",
        "&#xD800;",
        "\\ud83d",
        "{{ x }}",
        "%",
        "?>",
        "\n <entry>",
        "\n  <item>",
    ]);
    let part = prop_oneof![3 => odd.prop_map(str::to_owned), 1 => any::<String>(), 1 => "[a-z]{1,4}"];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// What W3C's feed validator finds in such documents: it cannot be had here, so this is its list by hand.
fn findings(format: Format, document: &str) -> Vec<String> {
    match format {
        Format::Atom => atom_findings(document),
        Format::Rss => rss_findings(document),
        Format::Json => json_findings(document),
    }
}

struct Findings(Vec<String>);

impl Findings {
    fn check(&mut self, is_good: bool, what: impl Into<String>) {
        if !is_good {
            self.0.push(what.into());
        }
    }

    fn uri(&mut self, text: Option<&str>, what: &str) {
        let text = text.unwrap_or_default();
        let is_absolute = text.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
                && !rest.is_empty()
        });
        let is_clean = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
        self.check(is_absolute && is_clean, format!("{what}: `{text}` is no full URI"));
    }

    fn web(&mut self, text: Option<&str>, what: &str) {
        self.uri(text, what);
        let text = text.unwrap_or_default();
        self.check(
            text.starts_with("http://") || text.starts_with("https://"),
            format!("{what}: `{text}` is no web address"),
        );
    }

    fn media_type(&mut self, text: Option<&str>, what: &str) {
        let is_type =
            text.and_then(|text| text.split_once('/')).is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        self.check(is_type, format!("{what}: {text:?} is no media type"));
    }

    fn unique(&mut self, all: &[String], what: &str) {
        self.check(all.iter().collect::<HashSet<_>>().len() == all.len(), format!("{what} twice"));
    }

    fn clean(&mut self, text: &str, what: &str) {
        self.check(!text.trim().is_empty(), format!("{what} is blank"));
    }

    /// No address in a body is relative, no script in it.
    fn body(&mut self, html: &str) {
        for part in html.split("href=\"").skip(1).chain(html.split("src=\"").skip(1)) {
            let address = part.split('"').next().unwrap_or_default();
            self.check(
                ["http://", "https://", "mailto:"].iter().any(|s| address.starts_with(s)),
                format!("relative `{address}`"),
            );
        }
        self.check(!html.contains("<script"), "a script");
    }
}

fn named<'a, 'i>(node: roxmltree::Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = roxmltree::Node<'a, 'i>> {
    node.children().filter(move |child| child.tag_name().name() == name)
}

fn atom_findings(document: &str) -> Vec<String> {
    let mut found = Findings(vec![]);
    let xml = roxmltree::Document::parse(document).expect("XML");
    let feed = xml.root_element();
    let links = |node, rel: &str| named(node, "link").filter(|l| l.attribute("rel") == Some(rel)).count();
    found.check(links(feed, "self") == 1, "one self link");
    let own = named(feed, "link").find(|l| l.attribute("rel") == Some("self")).expect("self");
    found.check(own.attribute("type") == Some("application/atom+xml"), "the type of self");
    let ids: Vec<String> = xml
        .descendants()
        .filter(|n| n.has_tag_name((ATOM, "entry")))
        .filter_map(|n| child(n, "id"))
        .map(text_of)
        .collect();
    found.unique(&ids, "an entry id");
    let holders = xml.descendants().filter(|n| ["feed", "entry", "source"].contains(&n.tag_name().name()));
    for holder in holders {
        for (name, most) in [("id", 1), ("title", 1), ("updated", 1)] {
            found.check(named(holder, name).count() == most, format!("one {name}"));
        }
        found.uri(child(holder, "id").map(text_of).as_deref(), "id");
        found.clean(&child(holder, "title").map(text_of).unwrap_or_default(), "title");
        for date in named(holder, "updated").chain(named(holder, "published")).map(text_of) {
            found.check(Timestamp::parse_rfc3339(&date).is_some(), format!("the date `{date}`"));
        }
        let mut alternates = HashSet::new();
        for link in named(holder, "link") {
            found.web(link.attribute("href"), "link");
            if link.attribute("rel") == Some("alternate") {
                let kind = (link.attribute("type"), link.attribute("hreflang"));
                found.check(alternates.insert(kind), "two alternates of one type and language");
            }
            if link.attribute("rel") == Some("enclosure") {
                found.media_type(link.attribute("type"), "enclosure");
            }
        }
        for person in named(holder, "author") {
            found.clean(&child(person, "name").map(text_of).unwrap_or_default(), "name");
        }
        for category in named(holder, "category") {
            found.clean(category.attribute("term").unwrap_or_default(), "term");
        }
        if holder.has_tag_name((ATOM, "entry")) {
            found.check(named(holder, "author").count() >= 1, "an author");
            found.check(
                links(holder, "alternate") == 1 || child(holder, "content").is_some(),
                "neither page nor content",
            );
            let content = child(holder, "content").filter(|c| c.attribute("type") == Some("html"));
            found.body(&content.map(text_of).unwrap_or_default());
        }
    }
    found.0
}

const ATOM: &str = "http://www.w3.org/2005/Atom";

fn rss_findings(document: &str) -> Vec<String> {
    let mut found = Findings(vec![]);
    let xml = roxmltree::Document::parse(document).expect("XML");
    let channel = child(xml.root_element(), "channel").expect("channel");
    let of = |node, name: &str| child(node, name).map(text_of);
    for name in ["title", "description"] {
        found.clean(&of(channel, name).unwrap_or_default(), name);
    }
    // `atom:link` has the same local name.
    let plain_link = |node: roxmltree::Node| {
        node.children().find(|c| c.tag_name().name() == "link" && c.tag_name().namespace().is_none()).map(text_of)
    };
    found.web(plain_link(channel).as_deref(), "link");
    let own = channel.children().filter(|c| c.has_tag_name((ATOM, "link")) && c.attribute("rel") == Some("self"));
    let own: Vec<_> = own.collect();
    found.check(
        own.len() == 1 && own[0].attribute("type") == Some("application/rss+xml"),
        "one self link with its type",
    );
    found.web(own.first().and_then(|link| link.attribute("href")), "self");
    let items: Vec<_> = named(channel, "item").collect();
    let guids: Vec<String> = items.iter().filter_map(|item| of(*item, "guid")).collect();
    found.check(guids.len() == items.len(), "a guid for each");
    found.unique(&guids, "a guid");
    for date in items.iter().filter_map(|item| of(*item, "pubDate")).chain(of(channel, "lastBuildDate")) {
        let parsed = chrono::DateTime::parse_from_rfc2822(&date);
        let form = parsed.map(|d| d.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
        found.check(form.as_deref() == Ok(date.as_str()), format!("the date `{date}`"));
    }
    for item in items {
        for name in ["guid", "pubDate", "title", "enclosure", "source", "encoded", "creator", "description"] {
            found.check(named(item, name).count() <= 1, format!("{name} twice"));
        }
        found.clean(&of(item, "title").unwrap_or_default(), "title");
        if let Some(link) = plain_link(item) {
            found.web(Some(&link), "link");
        }
        let guid = child(item, "guid").expect("guid");
        if guid.attribute("isPermaLink") != Some("false") {
            found.web(guid.text(), "permalink");
        }
        for enclosure in named(item, "enclosure") {
            found.web(enclosure.attribute("url"), "enclosure");
            found.check(
                enclosure.attribute("length").is_some_and(|l| l.parse::<u64>().is_ok()),
                "length of an enclosure",
            );
            found.media_type(enclosure.attribute("type"), "enclosure");
        }
        for source in named(item, "source").filter(|s| s.tag_name().namespace().is_none()) {
            found.web(source.attribute("url"), "source");
            found.clean(&text_of(source), "source");
        }
        found.body(&of(item, "encoded").unwrap_or_default());
        found.check(!of(item, "description").unwrap_or_default().contains('<'), "markup in an excerpt");
    }
    found.0
}

fn json_findings(document: &str) -> Vec<String> {
    let mut found = Findings(vec![]);
    let feed: Value = serde_json::from_str(document).expect("JSON");
    found.check(feed["version"] == "https://jsonfeed.org/version/1.1", "version");
    found.clean(feed["title"].as_str().unwrap_or_default(), "title");
    found.web(feed["feed_url"].as_str(), "feed_url");
    found.web(feed["home_page_url"].as_str(), "home_page_url");
    let items = feed["items"].as_array().expect("items");
    let ids: Vec<String> = items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect();
    found.check(ids.len() == items.len(), "an id for each");
    found.unique(&ids, "an id");
    for item in items {
        found.check(item["content_html"].is_string() != item["content_text"].is_string(), "one content");
        for date in ["date_published", "date_modified"] {
            found.check(item[date].as_str().and_then(Timestamp::parse_rfc3339).is_some(), date);
        }
        for name in ["url", "external_url"] {
            if let Some(url) = item.get(name) {
                found.web(url.as_str(), name);
            }
        }
        for attachment in item["attachments"].as_array().into_iter().flatten() {
            found.web(attachment["url"].as_str(), "attachment");
            found.media_type(attachment["mime_type"].as_str(), "attachment");
        }
        found.body(item["content_html"].as_str().unwrap_or_default());
    }
    found.0
}

const FORMATS: [&str; 3] = ["atom.xml", "rss.xml", "feed.json"];

fn one_feed(house: &House, feed: &str, topic: &str) {
    house
        .config(&format!("feeds: [{{ id: a, name: A, url: '{{server}}/a.xml'{feed} }}]\ntopics: [{{ id: t{topic} }}]"));
}

#[test]
fn a_topic_has_the_files_that_the_config_names_and_their_list() {
    let house = House::new();
    one_feed(&house, "", "");
    house.serves("/a.xml", rss(&item("One <x> & y", "https://example.org/1", "g", DATE, "<p>x</p>")));
    house.run(["poll"]).success();
    for (file, format) in FORMATS.iter().zip(Format::ALL) {
        let text = house.read(&format!("data/public/t/{file}"));
        assert_eq!(titles(format, &text), ["One <x> & y"], "{file}");
        assert_eq!(findings(format, &text), Vec::<String>::new(), "{file}");
    }
    assert!(house.read("data/public/opml.xml").contains("xmlUrl=\"https://news.example.org/t/atom.xml\""));
    assert!(house.read("data/public/sources.opml").contains("/a.xml\""));
    assert!(!house.read("data/public/feed.css").is_empty());
    // The list names the first of the formats.
    one_feed(&house, "", ", formats: [json]");
    house.run(["poll"]).success();
    assert!(house.read("data/public/opml.xml").contains("xmlUrl=\"https://news.example.org/t/feed.json\""));
}

#[test]
fn a_format_that_is_taken_out_goes_on_until_its_file_is_deleted() {
    let house = House::new();
    one_feed(&house, "", "");
    let first = item("One", "https://example.org/1", "g", DATE, "<p>x</p>");
    house.serves("/a.xml", rss(&first)).run(["poll"]).success();
    one_feed(&house, "", ", formats: [atom]");
    let second = item("Two", "https://example.org/2", "h", DATE, "<p>y</p>");
    house.serves("/a.xml", rss(&(first + &second))).run(["poll"]).success();
    assert!(house.read("data/public/t/rss.xml").contains("Two"), "who follows it misses nothing");
    std::fs::remove_file(house.path("data/public/t/rss.xml")).expect("removed");
    house.run(["publish"]).success();
    assert!(!house.path("data/public/t/rss.xml").exists());
    one_feed(&house, "", ", formats: [rss]");
    house.run(["poll"]).success();
    assert!(house.read("data/public/t/rss.xml").contains("Two"));
}

#[test]
fn a_feed_is_published_as_far_as_the_config_lets_it() {
    let house = House::new();
    let words = "word ".repeat(100);
    let body = format!("<p>{words}secret end</p>");
    let file = "<enclosure url=\"https://example.org/1.mp3\" length=\"5\" type=\"audio/mpeg\"/>";
    let one = item("One", "https://example.org/1", "g", DATE, &body).replace("</item>", &format!("{file}</item>"));
    house.serves("/a.xml", rss(&one));
    for (publish, wanted) in [
        ("full", [true, true, true, true]),
        ("excerpt", [true, false, true, true]),
        ("link", [false, false, false, true]),
        ("none", [false; 4]),
    ] {
        one_feed(&house, &format!(", publish: {publish}"), "");
        house.run(["poll"]).success();
        for file in FORMATS {
            let text = house.read(&format!("data/public/t/{file}"));
            let holds = ["word word", "secret end", "1.mp3", "https://example.org/1"].map(|word| text.contains(word));
            assert_eq!(holds, wanted, "{publish}: {file}\n{text}");
        }
        let entries = usize::from(publish != "none");
        assert_eq!(titles(Format::Atom, &house.read("data/public/t/atom.xml")).len(), entries, "{publish}");
        assert_eq!(house.read("data/public/sources.opml").contains("/a.xml"), publish != "none");
    }
    assert!(house.posts().values().any(|post| post.contains("secret end")), "the archive keeps all of it");
}

#[test]
fn odd_characters_survive_or_vanish_alike_on_their_whole_way() {
    let house = House::new();
    let feed = r#"{"version":"https://jsonfeed.org/version/1.1","title":"T","items":[
        {"id":"1","url":"https://example.org/1","title":"a\ud83d b\u0000c \ud83d\ude00 \u202Ed\ufffe ]]> 𠮷 <i>","content_html":"<p>\ud83d x\u000b ]]&gt; 𠮷</p>"}]}"#;
    one_feed(&house, "", "");
    house.serves("/a.xml", feed);
    house.run(["poll"]).success();
    let all: Vec<Vec<String>> = FORMATS
        .iter()
        .zip(Format::ALL)
        .map(|(file, format)| titles(format, &house.read(&format!("data/public/t/{file}"))))
        .collect();
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    let title = &all[0][0];
    assert!(
        title.contains("😀") && title.contains("]]> 𠮷") && !title.contains(['\0', '\u{202E}', '\u{FFFE}']),
        "{title}"
    );
}

#[test]
fn export_opml_nests_feeds_by_topic() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: 'A & B', url: 'https://a.example/' }, { id: b, name: B, url: 'https://b.example/' }]\n\
         topics: [{ id: t, title: Topic, feeds: [a] }]",
    );
    let run = house.run(["export", "opml"]).success();
    let xml = roxmltree::Document::parse(&run.stdout).expect("strict");
    let lines: Vec<_> = xml.descendants().filter(|n| n.has_tag_name("outline")).collect();
    let texts: Vec<_> = lines.iter().map(|line| line.attribute("text").expect("text")).collect();
    assert_eq!(texts, ["Topic", "A & B", "B"]);
    assert_eq!(lines[1].parent(), Some(lines[0]));
    house.write("list.opml", run.stdout.as_bytes()).config("");
    house.run(["import", "list.opml"]).summary("added 2 feeds to the config").success();
}
