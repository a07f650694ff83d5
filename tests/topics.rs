//! Topics: what belongs, in which order, and what a changed rule does.

use crate::house::{DATE, House, item, rss};

fn titles(house: &House, topic: &str) -> Vec<String> {
    let atom = house.read(&format!("data/public/{topic}/atom.xml"));
    let entries = atom.split("<entry").skip(1);
    entries
        .map(|e| e.split("<title>").nth(1).and_then(|t| t.split("</title>").next()).expect("title").to_owned())
        .collect()
}

fn dated(title: &str, n: u32, day: u32) -> String {
    let date = format!("{day:02} Jul 2021 11:01:00 GMT");
    item(title, &format!("https://example.org/{n}"), &format!("g{n}"), &date, "<p>x</p>")
}

#[test]
fn words_feeds_and_limits_select() {
    let house = House::new();
    house.serves("/a.xml", rss(&(dated("Rust 1", 1, 1) + &dated("trust", 2, 2) + &dated("用Rust写", 3, 3))));
    house.serves("/b.xml", rss(&dated("Rust b", 4, 4)));
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\n\
         topics:\n- { id: all }\n- { id: rust, any: [rust] }\n- { id: only-a, feeds: [a], any: [rust], none: ['1'] }\n\
         - { id: two, limit: 2 }\n- { id: tags, any: [B], in: [tags] }",
    );
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "all"), ["Rust b", "用Rust写", "trust", "Rust 1"]);
    assert_eq!(titles(&house, "rust"), ["Rust b", "用Rust写", "Rust 1"]);
    assert_eq!(titles(&house, "only-a"), ["用Rust写"]);
    // What is not sealed yet is shown, whatever the limit.
    assert_eq!(titles(&house, "two"), titles(&house, "all"));
    assert_eq!(titles(&house, "tags"), ["Rust b"]);
}

#[test]
fn a_changed_rule_is_applied_to_the_whole_archive() {
    let house = House::new();
    house.serves("/a.xml", rss(&(dated("one", 1, 1) + &dated("two", 2, 2))));
    let feeds = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\n";
    house.config(&format!("{feeds}topics: [{{ id: t, any: [one] }}]"));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "t"), ["one"]);
    house.config(&format!("{feeds}topics: [{{ id: t, any: [two] }}]"));
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(titles(&house, "t"), ["two"]);
}

#[test]
fn a_rule_that_comes_back_knows_what_came_while_it_was_away() {
    let house = House::new();
    let feeds = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\n";
    house.config(&format!("{feeds}topics: [{{ id: t, any: [one] }}]"));
    house.serves("/a.xml", rss(&dated("one", 1, 1)));
    house.run(["poll"]).success();
    for meanwhile in ["topics: [{ id: t, any: [two] }]", ""] {
        let n = if meanwhile.is_empty() { 3 } else { 2 };
        house.config(&format!("{feeds}{meanwhile}"));
        house.serves("/a.xml", rss(&dated(&format!("one and two {n}"), n, n)));
        house.run(["poll"]).summary("1 read (1 new post)").success();
        house.config(&format!("{feeds}topics: [{{ id: t, any: [one] }}]"));
        house.run(["poll"]).summary("1 not modified").success();
        assert_eq!(titles(&house, "t").len(), n as usize, "{:?}", titles(&house, "t"));
    }
}

#[test]
fn a_revision_can_leave_a_topic() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t, any: [one] }]");
    house.serves("/a.xml", rss(&dated("one", 1, 1)));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "t"), ["one"]);
    house.serves("/a.xml", rss(&dated("other", 1, 1)));
    house.run(["poll"]).summary("1 read (1 revised)").success();
    assert!(titles(&house, "t").is_empty());
}

#[test]
fn equal_dates_keep_their_order_whatever_order_the_feed_has() {
    let house = House::new();
    let entries: Vec<String> =
        (0..9).map(|n| item(&format!("e{n}"), &format!("https://example.org/{n}"), "", DATE, "")).collect();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]");
    house.serves("/a.xml", rss(&entries.concat()));
    house.run(["poll"]).success();
    let first = titles(&house, "t");
    let other = House::new();
    other.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]");
    other.serves("/a.xml", rss(&entries.into_iter().rev().collect::<String>()));
    other.run(["poll"]).success();
    assert_eq!(titles(&other, "t"), first);
}

#[test]
fn a_topic_can_show_what_changed() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: plain }, { id: watch, changes: true }]",
    );
    let version =
        |title: &str, text: &str| rss(&item(title, "https://example.org/1", "g", DATE, &format!("<p>{text}</p>")));
    house.serves("/a.xml", version("微信暂停注册", "until {{ August }} at the latest"));
    house.run(["poll"]).success();
    assert!(!house.read("data/public/watch/atom.xml").contains("del"));
    house.serves("/a.xml", version("微信恢复注册", "until September at the latest"));
    house.run(["poll"]).summary("1 read (1 revised)").success();
    let read = |topic: &str| {
        let parsed =
            feed_rs::parser::parse(house.read(&format!("data/public/{topic}/atom.xml")).as_bytes()).expect("feed");
        parsed.entries[0].content.as_ref().and_then(|c| c.body.clone()).expect("body")
    };
    let change = read("watch");
    assert!(change.contains("微信<del>暂停</del><ins>恢复</ins>注册"), "{change}");
    assert!(change.contains("<ins>September</ins>") && !change.contains('{'), "{change}");
    assert_eq!(read("plain"), "<p>until September at the latest</p>");
}

const TWO: &str = "feeds:\n- { id: a, name: A, url: '{server}/a.xml', language: zh-Hant }\n\
                   - { id: b, name: B, url: '{server}/b.xml' }\n";

/// An item of a day in July 2021; links and guids are made of the feed and the number.
fn of(feed: &str, n: u32, title: &str, hour: u32) -> String {
    let date = format!("{:02} Jul 2021 {:02}:00:00 GMT", 1 + hour / 24, hour % 24);
    item(title, &format!("https://{feed}.example.org/{n}"), &format!("{feed}{n}"), &date, &format!("<p>{title}</p>"))
}

#[test]
fn traditional_and_simplified_are_one_and_regexes_and_languages_select() {
    let house = House::new();
    house.serves("/a.xml", rss(&(of("a", 1, "騰訊停牌", 1) + &of("a", 2, "ＢＢＣ 新聞", 2))));
    house.serves("/b.xml", rss(&(of("b", 1, "腾讯复牌", 3) + &of("b", 2, "bbc", 4))));
    house.config(&format!(
        "{TWO}topics:\n- {{ id: words, any: [腾讯] }}\n- {{ id: regex, regex: '^.騰?讯|BBC$' }}\n\
         - {{ id: chinese, languages: [zh] }}\n- {{ id: gathered, topics: [words], any: [bbc], none: [新闻] }}\n"
    ));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "words"), ["腾讯复牌", "騰訊停牌"]);
    assert_eq!(titles(&house, "regex"), ["腾讯复牌", "騰訊停牌"]);
    assert_eq!(titles(&house, "chinese"), ["ＢＢＣ 新聞", "騰訊停牌"]);
    assert_eq!(titles(&house, "gathered"), ["bbc", "腾讯复牌", "騰訊停牌"]);
}

#[test]
fn a_topic_that_is_included_changes_those_that_include_it() {
    let house = House::new();
    house.serves("/a.xml", rss(&(of("a", 1, "one", 1) + &of("a", 2, "two", 2))));
    let feeds = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\n";
    house.config(&format!("{feeds}topics: [{{ id: outer, topics: [inner] }}, {{ id: inner, any: [one] }}]"));
    house.run(["poll"]).success();
    assert_eq!(titles(&house, "outer"), ["one"]);
    house.config(&format!("{feeds}topics: [{{ id: outer, topics: [inner] }}, {{ id: inner, any: [two] }}]"));
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(titles(&house, "outer"), ["two"]);
}

#[test]
fn a_language_in_the_config_is_a_changed_rule() {
    let house = House::new();
    house.serves("/a.xml", rss(&of("a", 1, "one", 1)));
    let with = |language: &str| {
        house.config(&format!(
            "feeds: [{{ id: a, name: A, url: '{{server}}/a.xml'{language} }}]\ntopics: [{{ id: t, languages: [de] }}]"
        ));
        house.run(["poll"]).success();
        titles(&house, "t")
    };
    assert!(with("").is_empty());
    assert_eq!(with(", language: de-AT"), ["one"]);
}

/// Two hundred posts of an older archive, one an hour: what is taken over is no news, and two documents hold
/// all of it, so the limits alone decide what the current feed shows.
#[test]
fn a_loud_feed_leaves_room_for_others() {
    let house = House::new();
    for n in 0..200 {
        let feed = if [10, 20, 150].contains(&n) { "B" } else { "A" };
        let title = match n {
            150 => "「騰訊」停牌".to_owned(),
            155 => "腾讯停牌！".to_owned(),
            _ => format!("P{n}"),
        };
        let (day, hour) = (n / 24 + 1, n % 24);
        let post = format!(
            "---\ntitle: {title}\ndate: 2019-01-{day:02}T{hour:02}:00:00Z\ncategories: [ {feed} ]\n\
             from: https://old.example.org/{n}\n---\ntext\n"
        );
        house.write(&format!("old/_posts/2019-01-{day:02}-p{n}.md"), post.as_bytes());
    }
    house.config(&format!(
        "{TWO}topics:\n- {{ id: t, limit: 4, per_feed_limit: 2 }}\n- {{ id: young, max_age: 3h }}\n\
         - {{ id: fold, limit: 100, fold: true }}\n"
    ));
    house.run(["import", "old"]).success();
    assert_eq!(titles(&house, "t"), ["P199", "P198", "「騰訊」停牌", "P20"]);
    assert_eq!(titles(&house, "young"), ["P199", "P198", "P197", "P196"]);
    let fold = titles(&house, "fold");
    assert_eq!((fold.len(), fold[48].as_str(), fold[99].as_str()), (100, "「騰訊」停牌", "P99"));
    assert!(!fold.contains(&"腾讯停牌！".to_owned()));
}

#[test]
fn a_story_of_two_feeds_is_shown_once_with_the_other_beside_it() {
    let house = House::new();
    house.serves("/a.xml", rss(&(of("a", 1, "「騰訊」停牌", 1) + &of("a", 2, "other", 2))));
    house.serves("/b.xml", rss(&of("b", 1, "腾讯停牌！", 3)));
    house.config(&format!("{TWO}topics: [{{ id: t, fold: true }}, {{ id: all }}]"));
    house.run(["poll"]).success();
    // They are young, but the story is there.
    assert_eq!(titles(&house, "t"), ["other", "「騰訊」停牌"]);
    assert_eq!(titles(&house, "all").len(), 3);
    let atom = house.read("data/public/t/atom.xml");
    let parsed = feed_rs::parser::parse(atom.as_bytes()).expect("feed");
    let related: Vec<_> =
        parsed.entries[1].links.iter().filter(|link| link.rel.as_deref() == Some("related")).collect();
    assert_eq!(related.len(), 1, "{atom}");
    assert_eq!((related[0].href.as_str(), related[0].title.as_deref()), ("https://b.example.org/1", Some("B")));
}

#[test]
fn check_says_what_matches_and_writes_nothing() {
    let house = House::new();
    house.serves("/a.xml", rss(&(of("a", 1, "one", 1) + &of("a", 2, "two", 2) + &of("a", 3, "three", 3))));
    house.serves("/b.xml", rss(&of("b", 1, "one b", 3)));
    house.config(&format!("{TWO}topics: [{{ id: ones, any: [one] }}, {{ id: all }}]"));
    let run = house.run(["check"]).success();
    assert!(run.stdout.contains("no post matches a topic yet: there is no `data/archive`\n"), "{}", run.stdout);
    assert!(!house.path("data").exists());
    house.run(["poll"]).success();
    house.run(["forget", "https://a.example.org/3", "--reason", "x"]).success();
    // a rule that the index has never applied
    house.config(&format!("{TWO}topics: [{{ id: ones, any: [one] }}, {{ id: all }}, {{ id: a, feeds: [a] }}]"));
    let before = house.snapshot();
    let run = house.run(["check"]).success();
    for line in
        ["topic `ones`: 2 of 3 posts match\n", "topic `all`: 3 of 3 posts match\n", "topic `a`: 2 of 3 posts match\n"]
    {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    assert_eq!(house.snapshot(), before);
}
