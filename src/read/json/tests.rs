use super::*;

fn feed(text: &str) -> JsonFeed {
    read(text, &Url::parse("https://example.org/feed").expect("url"), 100).expect(text)
}

fn ids(feed: &JsonFeed) -> Vec<&str> {
    feed.entries.iter().map(|entry| entry.guid.as_deref().unwrap_or_default()).collect()
}

#[test]
fn reads_what_people_write() {
    let text = "\u{feff} {\"version\":\"http://jsonfeed.org/version/1\",\"author\":\"A\",\"hubs\":[{\"type\":\"WebSub\",\"url\":\"h\"}],\
                \"items\":[ {\"id\": 7, \"url\":\"/a\",\"title\":\"x\",\"tags\":\"a, b\",\"content_text\":\"c\\nd\",\
                \"date_modified\":\"m\",\"date_published\":\"p\",\"authors\":[{\"name\":\"B\"},{}],\
                \"attachments\":[{\"url\":\"f.mp3\",\"mime_type\":\"audio/mpeg\",\"size_in_bytes\":\"5\"},{}]} ],}";
    let feed = feed(text);
    assert_eq!((feed.authors, feed.damages, feed.meta.hubs), (vec!["A".to_owned()], vec![], vec!["h".to_owned()]));
    let [entry] = &feed.entries[..] else { panic!("one entry") };
    assert_eq!((entry.guid.as_deref(), entry.links[0].href.as_str()), (Some("7"), "https://example.org/a"));
    assert_eq!((&entry.categories[..], &entry.authors[..]), (&["a".into(), "b".into()][..], &["B".into()][..]));
    assert_eq!(entry.content, Some(RawText::Plain("c\nd".into())));
    assert_eq!(entry.dates.iter().map(|date| date.text.as_str()).collect::<Vec<_>>(), ["p", "m"]);
    assert_eq!((entry.enclosures.len(), entry.enclosures[0].length), (1, Some(5)));
}

#[test]
fn an_empty_list_beside_the_items_hides_none() {
    for text in [
        r#"{"items":[],"items":[{"id":"1"},{"id":"2"}]}"#,
        r#"{"items":[{"id":"1"},{"id":"2"}],"title":"x","items":[]}"#,
        // Nor does a long one of something else, nor another one of items.
        r#"{"items":[{"id":"1"},{"id":"2"}],"items":["x",x"items","xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}"#,
        r#"{"items":[{"id":"1"}],"title":"x","items":[{"id":"2","title":"long"}]}"#,
    ] {
        assert_eq!(ids(&feed(text)), ["1", "2"], "{text}");
        assert!(envelope(text).is_some(), "{text}");
    }
}

#[test]
fn a_bad_item_costs_itself() {
    let text = r#"{"items":[{"id":"1"},{"id":"2" "x"},5,{"id":"3","title":"a
b",},{"id":"4"}"#;
    let feed = feed(text);
    assert_eq!(ids(&feed), ["1", "2", "3", "4"]);
    assert_eq!(feed.lost, ["item 3 of the document is no JSON object"]);
    assert_eq!(feed.damages, [Damage::CutOff, Damage::Refused]);
    assert_eq!(feed.entries[2].title, Some(RawText::Plain("a\nb".into())));
    for cut in
        ["{\"items\":[{\"id\":\"1\"},{\"id\":\"2", "{\"items\":[{\"id\":\"1\"}", "{\"items\":[{\"id\":\"1\"},\"\\"]
    {
        assert_eq!(ids(&self::feed(cut)), ["1"], "{cut}");
    }
}

/// What is written in place of a comma, a quote or a bracket.
#[test]
fn an_item_that_is_no_json_is_read_and_costs_no_other() {
    let item = |n: u8| format!("{{\"id\":\"{n}\",\"url\":\"/{n}\",\"title\":\"t{n}\"}}");
    let sound = format!("{{\"title\":\"t\",\"items\":[{},{},{}],\"language\":\"de\"}}", item(1), item(2), item(3));
    for (from, to) in [
        ("\"2\"", "\"2"),
        ("\"2\"", "2\""),
        ("\"id\":\"2\"", "id:'2'"),
        ("\"/2\",", "\"/2\""),
        ("\"t2\"", "\"t2"),
        ("\"t2\"}", "\"t2\""),
        ("\"t2\"}", "\"t2\"]"),
        ("\"t2\"}", "\"t2\"}]"),
        ("\"t2\"},", "\"t2\"}; // it's \"so\n"),
        ("{\"id\":\"2\"", "\"id\":\"2\""),
        ("\"t2\"}", "\"t2\",\"authors\":[{}"),
        ("{\"id\":\"2\"", "{{\"id\":\"2\""),
        ("{\"id\":\"2\"", "<b>Warning</b>: it's \"x in <b>y</b> {\"id\":\"2\""),
        ("{\"id\":\"2\"", "{<b>Warning</b>: \"x\" in y\n\"id\":\"2\""),
        ("\"title\":\"t\"", "\"title\":\"t "),
    ] {
        assert!(sound.contains(from), "{from}");
        let text = sound.replace(from, to);
        let feed = feed(&text);
        let said: Vec<_> =
            feed.entries.iter().map(|e| (e.guid.as_deref(), e.links[0].href.as_str(), &e.title)).collect();
        let expected: Vec<_> = (1..=3)
            .map(|n| (n.to_string(), format!("https://example.org/{n}"), Some(RawText::Plain(format!("t{n}")))))
            .collect();
        let expected: Vec<_> =
            expected.iter().map(|(id, url, title)| (Some(id.as_str()), url.as_str(), title)).collect();
        assert_eq!(said, expected, "{text}");
        assert_eq!((feed.damages, feed.meta.language.as_deref()), (vec![Damage::Refused], Some("de")), "{text}");
    }
}

#[test]
fn half_a_character_costs_itself() {
    let text = r#"{"items":[{"id":"1","title":"a\ud83d\ude00b\ud83d c\ude00\\ud83d\uD83D"},{"id":"2\ud83d"}]}"#;
    let feed = feed(text);
    assert_eq!(ids(&feed), ["1", "2"]);
    assert_eq!(feed.entries[0].title, Some(RawText::Plain("a\u{1F600}b c\\ud83d".into())));
}

#[test]
fn what_is_no_feed() {
    let base = Url::parse("https://example.org/feed").expect("url");
    for text in ["{}", "{\"items\":5}", "{\"error\":\"x\"}", "{\"items\"", "{\"items\":", "{{{{", "{,}]", "{\"\u{e4}"] {
        assert!(read(text, &base, 9).is_none(), "{text}");
    }
    assert_eq!(envelope("{\"items\":\u{f0}{}"), None);
    let deep = format!("{{\"items\":{}", "[".repeat(200_000));
    assert!(read(&deep, &base, 9).expect("a list").entries.is_empty());
    let many = format!("{{\"items\":[{}]}}", "{},".repeat(20));
    let feed = read(&many, &base, 9).expect("a list");
    assert_eq!((feed.entries.len(), feed.total, feed.damages), (9, 20, vec![Damage::Many]));
}

proptest::proptest! {
    #[test]
    fn any_soup_of_json_is_survived(soup in r#"\{"items":\[([{}\[\],:"\\ \n0a中]|\{"id":"1"\}|"x"){0,60}"#) {
        let base = Url::parse("https://example.org/feed").expect("url");
        read(&soup, &base, 9);
    }
}

#[test]
fn so_many_tags_files_and_names_are_read_as_of_other_formats() {
    let many = |one: &dyn Fn(usize) -> String| (0..100_000).map(one).collect::<Vec<_>>().join(",");
    let document = format!(
        "{{\"items\":[{{\"id\":\"1\",\"tags\":[{}],\"authors\":[{}],\"attachments\":[{}]}}]}}",
        many(&|n| format!("\"t{n}\"")),
        many(&|n| format!("\"a{n}\"")),
        many(&|n| format!("{{\"url\":\"https://a.b/{n}\"}}")),
    );
    let base = Url::parse("https://a.b/").expect("url");
    let feed = read(&document, &base, 10).expect("feed");
    let entry = &feed.entries[0];
    assert_eq!((entry.categories.len(), entry.authors.len(), entry.enclosures.len()), (4_096, 4_096, 4_096));
}
