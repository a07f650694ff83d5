#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write;

use proptest::prelude::*;
use url::Url;

use super::{AppendError, NewFeed, feeds, id_for, name_for};
use crate::config::{Config, Source, read};

fn new(id: &str, name: &str, url: &str) -> NewFeed {
    NewFeed { id: id.to_owned(), name: name.to_owned(), url: url.to_owned(), language: None }
}

fn x() -> Vec<NewFeed> {
    vec![new("x", "某某", "http://x.example/")]
}

fn xy() -> Vec<NewFeed> {
    let y = NewFeed { language: Some("no".to_owned()), ..new("yy", "Y: a", "http://y.example/?a=1,2#") };
    [x(), vec![y]].concat()
}

fn config(text: &str) -> Config {
    read(&[Source { name: "c", text }], &|_| None).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"))
}

/// Each case is a config with `«…»` around what is put in; without it, it is the config before.
#[test]
fn every_way_to_write_a_list() {
    for (case, added) in [
        // indented, with comments that belong to the entry, to the list, to the next key
        (
            "site: a # s\nfeeds:\n  - id: 'a'   # first\n    url: \"u\"\n    # lang: x\n\n  # - id: b\n\
          «  - id: x\n    name: 某某\n    url: http://x.example/\n»\n# Topics\ntopics: []\n",
            x(),
        ),
        // not indented
        (
            "feeds:\n- id: a\n  tags: [b]\n«- id: x\n  name: 某某\n  url: http://x.example/\n- id: yy\n  name: \"Y: a\"\n  \
          url: http://y.example/?a=1,2#\n  language: \"no\"\n»# Topics\ntopics:\n- id: t",
            xy(),
        ),
        // wide gap, empty lines between entries, document end, no line break at the end
        (
            "---\nfeeds:\n  -   id: a\n      tags:\n        - b\n\n  -   id: b\n«\n  -   id: x\n      name: 某某\n      url: http://x.example/\n»...\n",
            x(),
        ),
        ("feeds:\n  -\n    id: a«\n  - id: x\n    name: 某某\n    url: http://x.example/»", x()),
        (
            "\u{feff}feeds:\r\n  - {id: a}\r\n«  - {id: x, name: 某某, url: \"http://x.example/\"}\r\n»\r\nsite: b\r\n",
            x(),
        ),
        (
            "feeds:\n  - id: a\n    text: |\n      # inside\n«  - id: x\n    name: 某某\n    url: http://x.example/\n»b: c\n",
            x(),
        ),
        // empty
        ("feeds:\n  # - id: example\n«  - id: x\n    name: 某某\n    url: http://x.example/\n»topics:\n", x()),
        ("feeds: # none\n«- id: x\n  name: 某某\n  url: http://x.example/\n»\ntopics:\n- id: t\n", x()),
        ("feeds: []\n", vec![]),
        ("feeds: [«{ id: x, name: 某某, url: \"http://x.example/\" }»] # none\n", x()),
        ("feeds: [« { id: x, name: 某某, url: \"http://x.example/\" }» ]\n", x()),
        (
            "a: [1]\nfeeds: [«\n  { id: x, name: 某某, url: \"http://x.example/\" },\n  \
          { id: yy, name: \"Y: a\", url: \"http://y.example/?a=1,2#\", language: \"no\" }\n»]\nb: [2]",
            xy(),
        ),
        // in brackets
        ("feeds: [{id: a, name: it's}«, {id: x, name: 某某, url: \"http://x.example/\"}»] # ]\n", x()),
        (
            "'feeds' :\n  [\n    { id: ']', n: 'it''s ]', d: \"\\\"]\" }, # ]\n    { id: b }«,» # b\n    # end\n«    { id: x, name: 某某, url: \"http://x.example/\" }\n»  ]\n",
            x(),
        ),
        ("feeds: [\n  { id: a },\n  { id: b }«,» # b\n«  { id: x, name: 某某, url: \"http://x.example/\" }\n»]\n", x()),
        ("feeds: [\n  { id: a },\n«  { id: x, name: 某某, url: \"http://x.example/\" },\n»]\n", x()),
        (
            "{\"site\": {\"feeds\": 1}, \"feeds\": [\n  {\n    \"id\": \"a\"\n  }«,\n  { \"id\": \"x\", \"name\": \"某某\", \"url\": \"http://x.example/\" }»\n]}",
            x(),
        ),
        // no key
        ("«feeds:\n  - id: x\n    name: 某某\n    url: http://x.example/\n»", x()),
        ("# all to come«\nfeeds:\n  - id: x\n    name: 某某\n    url: http://x.example/»", x()),
        ("a: 1\n\nb: 2\n«\nfeeds:\n  - id: x\n    name: 某某\n    url: http://x.example/\n»... # end\n", x()),
        ("  a: |+\n    text\n\n«  feeds:\n    - id: x\n      name: 某某\n      url: http://x.example/\n»", x()),
    ] {
        let before = case.split(['«', '»']).step_by(2).collect::<String>();
        let after = case.replace(['«', '»'], "");
        assert_eq!(feeds(&before, &added).as_deref(), Ok(after.as_str()), "{case}");
    }
}

#[test]
fn what_cannot_be_extended_is_left_to_the_person() {
    let by_hand = "  - id: x\n    name: 某某\n    url: http://x.example/".to_owned();
    for text in
        ["- a", "a", "{a: 1}", "{}", "feeds: a", "feeds: {a: 1}", "a: &f [1]\nfeeds: *f", "a: [&f {}]\nfeeds: *f\n"]
    {
        assert_eq!(feeds(text, &x()), Err(AppendError::ByHand(by_hand.clone())), "{text}");
    }
    let broken = feeds("a: 1\nfeeds: [\n", &x()).unwrap_err().to_string();
    assert!(broken.starts_with("line ") && broken.ends_with("; nothing was added"), "{broken}");
    assert!(feeds("feeds: ~ # none\n", &x()).is_ok_and(|text| text.starts_with("feeds:  # none\n  - id: x\n")));
}

#[test]
fn no_value_reads_a_variable_or_breaks_out() {
    let tricky = [
        "${HOME}",
        "$${HOME}",
        "a: b",
        "a #b",
        "- a",
        "[x",
        "{x}",
        "yes",
        "null",
        "~",
        "1.10",
        "\"'\\",
        "a\nb: c",
        "@x",
        "*x",
        "!x y",
        "\u{feff}a\u{202e}b\u{2028}c",
        "—",
        "🦀 {a, b}",
        ": ",
        "%",
        "'",
        "…:",
        "\u{1fffe}",
    ];
    for old in ["site: { url: https://s.example }\n", "site: { url: https://s.example }\nfeeds: []\n"] {
        let name =
            |(n, text): (usize, &&str)| new(&format!("f{n}"), text, &format!("http://a.example/?{n}&${{HOME}}#"));
        let added: Vec<_> = tricky.iter().enumerate().map(name).collect();
        let config = config(&feeds(old, &added).unwrap());
        let names: Vec<_> = config.feeds.iter().map(|feed| feed.source.name.as_str()).collect();
        let expected: Vec<_> = tricky.iter().map(|text| super::name::one_line(text)).collect();
        assert_eq!(names, expected);
        assert!(config.feeds.iter().all(|feed| feed.source.url.as_str().ends_with("&${HOME}")));
    }
    assert!(feeds("", &[new("blank", " \n", "u")]).unwrap().contains("name: blank\n"));
}

#[test]
fn ids_from_titles_and_addresses() {
    for (name, url, id) in [
        ("LWN.net", "https://lwn.net/headlines/rss", "lwn-net"),
        ("Le Café d’Été – Œuvre", "https://a.example/", "le-cafe-dete-oeuvre"),
        ("36氪 Tech News", "https://a.example/", "36-tech-news"),
        ("自由亚洲电台", "https://www.rfa.org/arc/outboundfeeds/mandarin/rss/", "rfa-mandarin"),
        ("BBC 中文网", "https://feeds.bbci.co.uk/zhongwen/simp/rss.xml", "bbci-simp"),
        ("Blog", "https://alice.github.io/feed.xml", "alice-github"),
        ("", "https://www.example.com.cn/%E6%96%B0/index.xml", "example"),
        ("!", "http://127.0.0.1:8080/a", "127-0-0-1"),
        ("", "http://[::1]/news.rss", "1-news"),
        ("", "https://feeds.example/x", "feeds"),
        ("文", "file:///srv/a.xml", "feed"),
        (&"word ".repeat(30), "https://a.example/", "word-word-word-word-word-word-word-word"),
        (&"w".repeat(99), "https://a.example/", &"w".repeat(40)),
    ] {
        assert_eq!(id_for(name, &Url::parse(url).unwrap(), &|_| false), id, "{name} {url}");
    }
    let url = Url::parse("https://www.a.example/").unwrap();
    assert_eq!(id_for("My feed", &url, &|id| ["my-feed", "my-feed-2"].contains(&id)), "my-feed-3");
    assert_eq!(name_for(" My\nblog ", &url, &|_| false), "My blog");
    assert_eq!(name_for("My blog", &url, &|name| name == "My blog"), "My blog (a.example)");
    assert_eq!(name_for("My blog", &url, &|name| name.starts_with("My blog") && !name.ends_with('3')), "My blog 3");
    assert_eq!(name_for("\u{feff}", &url, &|name| name == "a.example"), "a.example 2");
}

/// A config in one of many styles, with so many feeds.
fn written() -> impl Strategy<Value = String> {
    let list = prop_oneof![
        Just("- id: a{n}\n  name: N{n}   # c\n  url: http://a.example/{n}\n"),
        Just("  - name: 'N{n}'\n    id: a{n}\n    # comment\n\n    url: \"http://a.example/{n}\"\n"),
        Just(
            "    -   id: a{n}\n        name: >-\n          N{n}\n        url: http://a.example/{n}\n        tags: [\"#\", ']']\n\n"
        ),
        Just("  - {id: a{n}, name: N{n}, url: 'http://a.example/{n}'}\n"),
        Just("  -\n    id: a{n}\n    name: N{n}\n    url: http://a.example/{n}\n    tags:\n    - x\n"),
        Just("[{ id: a{n}, name: N{n}, url: 'http://a.example/{n}' }]"),
        Just("[\n    { \"id\": \"a{n}\", \"name\": \"N{n}\",\n      \"url\": \"http://a.example/{n}\" } # ]\n  ]"),
    ];
    let parts = |texts: &'static [&'static str]| prop::sample::select(texts);
    let before = parts(&[
        "",
        "---\n",
        "# feeds: [\n\n",
        "fetch: { timeout: 30s } # feeds:\n",
        "\u{feff}",
        "topics:\n    - id: t\n      feeds: ['*']\n",
    ]);
    let head = parts(&["feeds:", "feeds: # all\n  # of them", "\"feeds\" :", "feeds:\n"]);
    let after = parts(&[
        "",
        "# end",
        "\n# Next\ntimezone: UTC\n",
        "  # odd\n# more\nschedule: '@hourly'",
        "...\n# end\n",
        "\n\n\n",
        "    # deep\n",
    ]);
    (list, 0..4_usize, before, head, after, any::<bool>(), any::<bool>()).prop_map(
        |(list, count, before, head, after, is_crlf, is_late)| {
            let mut text = before.to_owned();
            let site = "site: { url: https://s.example }\n";
            let (early, late) = if is_late && !after.starts_with("...") { ("", site) } else { (site, "") };
            text.push_str(early);
            let items = (0..count).map(|n| list.replace("{n}", &n.to_string()));
            if list.starts_with('[') {
                let items: Vec<_> = items.map(|item| item[1..item.len() - 1].replace(" # ]", "")).collect();
                let gap = if head.contains('#') { "\n  " } else { " " };
                writeln!(text, "{head}{gap}[{}]", items.join(", ")).unwrap();
            } else if count > 0 {
                write!(text, "{head}\n{}", items.collect::<String>()).unwrap();
            }
            text.push_str(after);
            if !late.is_empty() {
                let gap = if text.ends_with('\n') { "" } else { "\n" };
                write!(text, "{gap}{late}").unwrap();
            }
            if is_crlf { text.replace('\n', "\r\n") } else { text }
        },
    )
}

/// Whether `old` is `new` with parts left out.
fn is_within(old: &str, new: &str) -> bool {
    let mut new = new.chars();
    old.chars().all(|c| new.any(|other| other == c))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_new_config_is_the_old_one_and_the_new_feeds(
        old in written(), names in prop::collection::hash_set("\\PC{0,12}|[ -~]{1,8}", 1..4), language in prop::option::of("[a-z]{2}"),
    ) {
        let name = |(n, name): (usize, &String)| NewFeed {
            language: language.clone(), ..new(&format!("x{n}"), &format!("{name} {n}"), &format!("http://x.example/{n}?{n},[#"))
        };
        let added: Vec<_> = names.iter().enumerate().map(name).collect();
        let text = feeds(&old, &added).map_err(|error| TestCaseError::fail(format!("{error}\n{old}")))?;
        prop_assert!(is_within(&old, &text), "{}\n{}", old, text);
        let (before, mut after) = (config(&old), config(&text));
        let tail = after.feeds.split_off(before.feeds.len());
        prop_assert_eq!(before, after);
        for (feed, wanted) in tail.iter().zip(&added) {
            prop_assert_eq!(feed.source.id.as_str(), &wanted.id);
            prop_assert_eq!(&feed.source.name, &super::name::one_line(&wanted.name));
            prop_assert_eq!(feed.source.url.as_str(), wanted.url.trim_end_matches('#'));
            prop_assert_eq!(&feed.source.language, &wanted.language);
        }
        prop_assert_eq!(tail.len(), added.len());
    }

    #[test]
    fn never_panics(text in "(feeds|:| |\n|\r|- |\\[|\\]|\\{|\\}|,|#|'|\"|~|文|&a|\\*a|\\.\\.\\.|---|a: b){0,24}") {
        if let Ok(after) = feeds(&text, &x()) {
            prop_assert!(is_within(&text.replace('~', ""), &after) || text.contains("null"));
        }
    }

    #[test]
    fn an_id_is_an_id(name in "\\PC{0,80}", host in "[a-z0-9.-]{0,80}", path in "\\PC{0,30}", most in 0..5_usize) {
        let url = Url::parse(&format!("http://a{host}/{path}")).unwrap_or_else(|_| Url::parse("http://a/").unwrap());
        let calls = std::cell::Cell::new(0);
        let id = id_for(&name, &url, &|_| calls.replace(calls.get() + 1) < most);
        prop_assert!(crate::model::FeedId::parse(&id).is_some(), "{}", id);
        prop_assert!(!id.starts_with('-') && !id.ends_with('-'));
    }
}
