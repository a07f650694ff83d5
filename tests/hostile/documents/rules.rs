//! What holds for every document, whatever it is: where files lie, how posts are written, what is published.

use std::collections::{BTreeMap, BTreeSet};

use feedmill::post;
use regex::Regex;
use serde_yaml::Value;
use unicode_normalization::UnicodeNormalization;

use super::{Document, html};
use crate::house::{House, assert_valid_atom, files};

/// The keys of a post: those that always stand, and those that may follow, in their order.
const KEYS: [&str; 12] = [
    "layout",
    "title",
    "date",
    "author",
    "from",
    "tags",
    "categories",
    "updated",
    "lang",
    "enclosures",
    "claimed",
    "key",
];
const ALWAYS: usize = 7;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern")
}

/// Every file of a house, by its path.
pub fn places(house: &House) -> BTreeSet<String> {
    let root = house.path("");
    let below = |file: std::path::PathBuf| file.strip_prefix(&root).expect("below").to_str().expect("UTF-8").to_owned();
    files(&root).into_iter().map(below).collect()
}

/// Nothing lies where nothing belongs, and every system takes the names.
#[track_caller]
pub fn places_are_right(house: &House, before: &BTreeSet<String>) {
    let known = regex(
        r"(?x)^data/(?:
            archive/_posts/\d{4}/\d\d/\d{4}-\d\d-\d\d(?:-[\p{L}\p{M}\p{N}]+)*-(?:[0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{64})\.md
            |archive/_ledger/(?:\d{4}-\d\d\.jsonl|sources\.jsonl|site\.json|state\.json)
            |archive/_raw/\d{4}/\d\d/[a-z0-9-]+-[0-9TZ]+(?:-\d+)?\.jsonl\.zst
            |index/.+
            |public/(?:index\.html|opml\.xml|sources\.opml|feeds\.opml|feed\.css)
            |public/[a-z-]+/(?:atom\.xml|rss\.xml|feed\.json|index\.html|history/[0-9a-f]+/\d+\.xml)
        )$",
    );
    let now = places(house);
    let strange: Vec<_> = now.difference(before).filter(|path| !known.is_match(path)).collect();
    assert!(strange.is_empty(), "{strange:#?}");
    let mut folded = BTreeSet::new();
    for path in now.iter().filter(|path| path.starts_with("data/archive/_posts")) {
        let name = path.rsplit('/').next().expect("a name");
        assert!(name.len() <= 160 && name.encode_utf16().count() <= 160, "{path}");
        assert!(name.nfc().eq(name.chars()), "{path}");
        let lower: String = path.nfkc().flat_map(char::to_lowercase).collect();
        assert!(folded.insert(lower), "{path} is another's name in capitals");
    }
}

/// Every post is one of ours, line by line, and both readers of its front matter find the same.
#[track_caller]
pub fn posts_are_right(house: &House) {
    for (path, text) in house.posts() {
        let odd = text.chars().find(|c| {
            (c.is_control() && *c != '\n')
                || matches!(u32::from(*c), 0x2028..=0x202E | 0x2066..=0x2069 | 0xFEFF | 0xFFFE | 0xFFFF)
        });
        assert_eq!(odd, None, "{path}");
        let (front, rest) =
            text.strip_prefix("---\n").and_then(|text| text.split_once("\n---\n")).expect("front matter");
        let found: serde_yaml::Mapping = serde_yaml::from_str(front).unwrap_or_else(|e| panic!("{path}: {e}: {front}"));
        assert_eq!(found.len(), front.lines().count(), "a line for each key: {front}");
        let keys: Vec<&str> = found.keys().map(|key| key.as_str().expect("a name")).collect();
        let wanted: Vec<&str> = KEYS.into_iter().filter(|key| keys.contains(key)).collect();
        assert_eq!(keys, wanted, "{path}");
        assert!(keys.len() >= ALWAYS && keys[..ALWAYS] == KEYS[..ALWAYS], "{path}: {keys:?}");

        let read = post::from_text(&text).expect("post");
        assert_eq!(post::to_text(&read), text, "{path}");
        let list = |texts: &[String]| Value::Sequence(texts.iter().cloned().map(Value::String).collect());
        assert_eq!(found["layout"], "post", "{path}");
        assert_eq!(found["title"], Value::String(read.title.clone()), "{path}");
        assert_eq!(found["author"], Value::String(read.author.clone()), "{path}");
        assert_eq!(found["from"], Value::String(read.from.clone()), "{path}");
        assert_eq!((&found["tags"], &found["categories"]), (&list(&read.tags), &list(&read.categories)), "{path}");
        for key in ["lang", "claimed", "key"] {
            assert!(found.get(key).is_none_or(Value::is_string), "{path}: {key}");
        }
        assert!(read.from.is_empty() || html::is_harmless(&read.from, false), "{path}: {}", read.from);
        assert!(
            read.enclosures.iter().all(|file| html::is_harmless(&file.url, false)),
            "{path}: {:?}",
            read.enclosures
        );
        assert!((1990..=2100).contains(&read.date.rfc3339_millis()[..4].parse().expect("a year")), "{path}");

        assert!(!rest.contains('{'), "{path}: {rest}");
        let lines: Vec<&str> = rest.split('\n').collect();
        let [comment, heading, "------", "", "<div>", body, "</div>", ""] = lines[..] else {
            panic!("{path}: {lines:#?}")
        };
        assert_eq!(comment, format!("<!--{}-->", read.date.millis()), "{path}");
        assert!(!heading.contains(['<', '>', '`', '"']), "{path}: {heading}");
        html::is_safe(body, &path, true);
    }
}

/// Every form of every topic can be read, holds every entry, and nothing that runs.
#[track_caller]
pub fn published_is_right(house: &House, documents: &[Document]) {
    let never: BTreeMap<&str, &[String]> =
        documents.iter().map(|d| (d.name.as_str(), d.told.never.as_slice())).collect();
    let mut topics: BTreeMap<String, u64> = BTreeMap::new();
    for document in documents {
        *topics.entry("all".into()).or_default() += document.told.entries;
        *topics.entry(format!("of-{}", document.group)).or_default() += document.told.entries;
    }
    // One group alone has no topic of its own.
    if topics.len() == 2 {
        topics.retain(|topic, _| topic == "all");
    }
    for (topic, entries) in &topics {
        let at = |file: &str| format!("data/public/{topic}/{file}");
        let feed: serde_json::Value = serde_json::from_str(&house.read(&at("feed.json"))).expect("JSON");
        let items = feed["items"].as_array().expect("items");
        assert_eq!(items.len() as u64, *entries, "{topic}");
        let mut ids = BTreeSet::new();
        for item in items {
            let text = |key: &str| item[key].as_str().unwrap_or_default();
            assert!(ids.insert(text("id")), "{topic}: {} stands twice", text("id"));
            let body = text("content_html");
            html::is_safe(body, text("id"), false);
            assert!(html::is_harmless(text("url"), false), "{item}");
            let feed = item["tags"][0].as_str().expect("the feed's name");
            for text in never[feed] {
                assert!(!body.contains(text), "{feed}: {text:?} is published in {body}");
            }
        }
        xml_is_right(house, &at("atom.xml"), "entry", *entries);
        xml_is_right(house, &at("rss.xml"), "item", *entries);
    }
    for file in places(house).iter().filter(|path| path.starts_with("data/public/") && path.contains("/history/")) {
        xml_is_right(house, file, "entry", 100);
    }
    assert_valid_atom(house.path("data/public/all/atom.xml").to_str().expect("UTF-8"));
    roxmltree::Document::parse(&house.read("data/public/opml.xml")).expect("OPML");
}

#[track_caller]
fn xml_is_right(house: &House, path: &str, entry: &str, entries: u64) {
    let text = house.read(path);
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut found = 0;
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        let name = node.tag_name().name();
        found += u64::from(name == entry);
        let namespace = node.tag_name().namespace().unwrap_or_default();
        assert!(!namespace.contains("xhtml") && !namespace.contains("svg"), "{path}: {name} of {namespace}");
        // `encoded` is RSS's content; its description is HTML as well, except the channel's.
        let is_html = name == "encoded"
            || (name == "content" && node.attribute("type") == Some("html"))
            || (name == "description" && node.parent().is_some_and(|parent| parent.has_tag_name("item")));
        if is_html {
            html::is_safe(node.text().unwrap_or_default(), path, false);
        }
        for key in ["href", "url", "src"] {
            assert!(html::is_harmless(node.attribute(key).unwrap_or_default(), false), "{path}: {node:?}");
        }
        if matches!(name, "link" | "uri" | "icon" | "logo") {
            assert!(html::is_harmless(node.text().unwrap_or_default(), false), "{path}: {node:?}");
        }
    }
    assert_eq!(found, entries, "{path}");
    let read = feed_rs::parser::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(read.entries.len() as u64, entries, "{path}");
}
