use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::model::{EntryKey, Post};
use crate::post::to_text;

const PATH: &str = "_posts/2021-07-28-名字.md";

fn read(text: &str) -> ForeignPost {
    foreign(PATH, text.as_bytes()).expect("readable")
}

/// A post with these lines as front matter and a body of the usual form.
fn usual(lines: &str) -> ForeignPost {
    read(&format!(
        "---\nlayout: post\n{lines}\n---\n<!--1627470060000-->\n[题](https://example.org/a)\n------\n\n<div>\n<p>文</p>\n</div>\n"
    ))
}

/// A line that every post has, and one in its place that makes the front matter no YAML.
const LAYOUT: &str = "layout: post\n";
const BROKEN: &str = "layout: post: x\n";

fn unnoted(post: ForeignPost) -> ForeignPost {
    ForeignPost { notes: vec![], ..post }
}

fn at(text: &str) -> Option<Timestamp> {
    let at = Timestamp::parse_rfc3339(text);
    assert!(at.is_some(), "{text}");
    at
}

#[test]
fn a_post_of_the_usual_form_is_read_without_a_note() {
    let post = usual(
        "title: \"题\\\"甲\\\"\"\ndate: 2021-07-28T11:01:00.000Z\nauthor: A &#38; B \nfrom: https://example.org/a?utm_source=x\n\
         tags: [ 甲, 乙 ]\ncomments: True\ncategories: [ 甲 ]\nlang: zh_Hans",
    );
    assert_eq!(
        post,
        ForeignPost {
            title: "题\"甲\"".into(),
            date: at("2021-07-28T11:01:00Z"),
            author: Some("A & B".into()),
            from: Url::parse("https://example.org/a?utm_source=x").ok(),
            tags: vec!["甲".into(), "乙".into()],
            categories: vec!["甲".into()],
            lang: Some("zh-Hans".into()),
            body: "<p>文</p>".into(),
            notes: vec![],
        }
    );
}

#[test]
fn front_matter_that_is_not_yaml_says_the_same() {
    let post = usual(
        "title: \"他说 \"好\" 了\"\ndate: 2021-07-28\nauthor: 记者: 某某\nfrom: https://example.org/a b#c # x\n\
         tags: [ @x, [图] y ]\ncategory: 甲\ntitle_en: \u{8}",
    );
    assert_eq!(post.title, "他说 \"好\" 了");
    assert_eq!(post.author.as_deref(), Some("记者: 某某"));
    assert_eq!(post.from.map(String::from).as_deref(), Some("https://example.org/a%20b#c"));
    assert_eq!(post.tags, ["@x", "[图] y"]);
    assert_eq!(post.categories, ["甲"]);
    assert_eq!(post.notes, [Oddity::ControlCharacters, Oddity::NotYaml, Oddity::DayOnly]);
}

#[test]
fn what_yaml_would_change_is_read_as_written() {
    let post =
        usual("title: 1e3\ndate: 1627470060000\nauthor: [甲, 乙]\ntags: [ 1.10, yes, BBC: 中文 ]\ncategories: true");
    assert_eq!(post.title, "1e3");
    assert_eq!(post.date, at("2021-07-28T11:01:00Z"));
    assert_eq!(post.author.as_deref(), Some("甲, 乙"));
    assert_eq!(post.tags, ["1.10", "yes", "BBC: 中文"]);
    assert_eq!(post.categories, ["true"]);
    assert_eq!(usual("title: [图]\nauthor: { name: 甲 }").author.as_deref(), Some("甲"));
    assert_eq!(usual("author: { name: 甲 }\ntitle: {图}").title, "{图}");
}

#[test]
fn dates_come_in_many_forms() {
    for (date, time) in [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("2020-01-01T08:00:00.123+08:00", "2020-01-01T00:00:00.123Z"),
        ("\"2020-01-01T00:00:00.000Z\"", "2020-01-01T00:00:00Z"),
        ("2020-01-01 12:00:00 +0800", "2020-01-01T04:00:00Z"),
        ("2020-01-01 12:00:00+08", "2020-01-01T04:00:00Z"),
        ("2020-01-01 12:00 UTC", "2020-01-01T12:00:00Z"),
        ("2020-01-01 12:00:00.5 GMT-3", "2020-01-01T15:00:00.500Z"),
        ("2020-01-01T12:00:00", "2020-01-01T12:00:00Z"),
        ("2020/1/2 3:04", "2020-01-02T03:04:00Z"),
        ("2020年1月2日 03:04", "2020-01-02T03:04:00Z"),
        ("Wed, 01 Jan 2020 12:00:00 +0800", "2020-01-01T04:00:00Z"),
        ("Wed Jan 01 2020 12:00:00 GMT+0800 (中国标准时间)", "2020-01-01T04:00:00Z"),
        ("1577836800", "2020-01-01T00:00:00Z"),
    ] {
        let post = usual(&format!("title: x\ndate: {date}"));
        assert_eq!(post.date, at(time), "{date}");
        assert!(!post.notes.contains(&Oddity::DayOnly), "{date}");
    }
    for day in
        ["2020-01-02", "2020-1-2", "'2020/01/02'", "2020年1月2日", "2020-01-02 12:00 CST", "2020-01-02T25:00:00Z"]
    {
        let post = usual(&format!("title: x\ndate: {day}"));
        assert_eq!(post.date, at("2020-01-02T00:00:00Z"), "{day}");
        assert!(post.notes.contains(&Oddity::DayOnly), "{day}");
    }
    for bad in ["NaN", "0000-00-00", "0001-01-01T00:00:00Z", "2020-13-01", "Invalid Date", "20", "2020-01-011"] {
        let post = usual(&format!("title: x\ndate: {bad}"));
        assert!(post.notes.contains(&Oddity::BadDate), "{bad}");
    }
}

#[test]
fn without_a_date_the_name_has_the_day_and_the_comment_the_time() {
    let dated = |path: &str, comment: &str| {
        let post =
            foreign(path, format!("---\ntitle: x\ndate: NaN\n---\n<!--{comment}-->\n").as_bytes()).expect("readable");
        (post.date, post.notes[1..].to_vec())
    };
    let comment = "1627470060000";
    let by_comment = (at("2021-07-28T11:01:00Z"), vec![Oddity::DateFromComment, Oddity::NoLink]);
    assert_eq!(dated("_posts/2021-07-28-x.md", comment), by_comment);
    assert_eq!(dated("_posts/2021-07-29-x.md", comment), by_comment);
    assert_eq!(dated("x.md", comment), by_comment);
    let by_name = |day| (at(day), vec![Oddity::DayOnly, Oddity::DateFromName, Oddity::NoLink]);
    assert_eq!(dated("_posts/2020-07-28-x.md", comment), by_name("2020-07-28T00:00:00Z"));
    let (date, notes) = dated("archived/2020-07-28/x.md", "NaN");
    assert_eq!((date, notes.contains(&Oddity::BadComment)), (at("2020-07-28T00:00:00Z"), true));
    assert_eq!(dated("a/2020-07-288/x.md", "NaN").0, None);
    assert_eq!(dated("a/2020-02-30-x.md", "0").0, at("1970-01-01T00:00:00Z"));
    assert_eq!(dated("日期日/x.md", "NaN").0, None);
}

#[test]
fn links_are_absolute_or_come_from_the_link_line() {
    for bad in
        ["/a/b", "//example.org/a", "javascript:alert(1)", "ftp://example.org/a", "example.org", "https://", "NaN"]
    {
        let post = usual(&format!("title: x\nfrom: {bad}"));
        assert_eq!(post.from.map(String::from).as_deref(), Some("https://example.org/a"), "{bad}");
        assert!(post.notes.contains(&Oddity::BadLink) && post.notes.contains(&Oddity::LinkFromBody), "{bad}");
    }
    let post = usual("title: x\nfrom:\ntags:");
    assert!(!post.notes.contains(&Oddity::BadLink) && post.notes.contains(&Oddity::LinkFromBody));
    let post = usual("title: x\nfrom: '  <HTTP://example.org/甲 乙>  '");
    assert_eq!(post.from.map(String::from).as_deref(), Some("http://example.org/%E7%94%B2%20%E4%B9%99"));
    let post = read("---\ntitle: x\nfrom: /a\n---\n[b](https://example.org/)\n");
    assert_eq!((post.from, post.body.as_str()), (None, "[b](https://example.org/)"));
    assert_eq!(
        post.notes,
        [Oddity::NoDate, Oddity::DayOnly, Oddity::DateFromName, Oddity::NoLink, Oddity::BadLink, Oddity::BareBody]
    );
}

#[test]
fn a_missing_title_comes_from_link_line_heading_or_name() {
    assert_eq!(usual("title:").title, "题");
    assert_eq!(usual("title: \" \"").notes[0], Oddity::NoTitle);
    assert_eq!(read("---\ndate: 2020-01-01\n---\n# 甲\n\n文").title, "甲");
    assert_eq!(read("---\ndate: 2020-01-01\n---\n文").title, "名字");
    let name = |path: &str| foreign(path, b"---\n---\n").expect("readable").title;
    assert_eq!(name("2021-07-28.md"), "2021-07-28.md");
    assert_eq!(name("a/甲 乙.markdown"), "甲 乙");
    assert_eq!(name("a/"), "-");
    assert_eq!(usual("title: \"a\\tb\\u202Ec\u{1}\"").title, "a bc");
}

#[test]
fn the_wrapper_of_a_body_is_taken_off_where_it_is_whole() {
    let body = |rest: &str| {
        let post = read(&format!("---\ntitle: x\n---\n{rest}"));
        (post.body, post.notes.contains(&Oddity::BareBody))
    };
    let taken = |text: &str| (text.to_owned(), false);
    let left = |text: &str| (text.to_owned(), true);
    assert_eq!(body("<!--NaN-->\n[a](b)\n------\n\n<div>\nx\n---\ny\n</div>\n\n"), taken("x\n---\ny"));
    assert_eq!(body("<!--1-->\r\n[a](b)\r\n------\r\n\r\n<div>\r\nx\r\n</div>"), taken("x"));
    assert_eq!(body("<!--1-->\na\n------\n\n<div>\n\n</div>\n"), taken(""));
    assert_eq!(body("[a\nb](c)\n---\nx"), taken("x"));
    assert_eq!(body("<!--1-->\nx"), taken("x"));
    assert_eq!(body("<!--1-->\nx\n---\ny"), taken("x\n---\ny"));
    assert_eq!(body("<!--1-->\n[a](b)\n------\n\n<div>\nx"), taken("<div>\nx"));
    assert_eq!(body("<!--1-->\n[a](b)\n------\n\n<div>x</div>"), taken("<div>x</div>"));
    assert_eq!(body("\n\n<div>\nx\n</div>\n"), left("<div>\nx\n</div>"));
    assert_eq!(body("a\n---\nx"), left("a\n---\nx"));
    assert_eq!(body("    code\n"), left("    code"));
    assert_eq!(body("<!-- words -->\nx"), left("<!-- words -->\nx"));
    assert_eq!(body(""), left(""));
}

#[test]
fn hardly_anything_cannot_be_read() {
    assert_eq!(foreign(PATH, b""), Err(PostError::Empty));
    assert_eq!(foreign(PATH, "\u{FEFF} \n".as_bytes()), Err(PostError::Empty));
    assert_eq!(foreign(PATH, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Err(PostError::NotText));
    assert_eq!(foreign(PATH, &[0xC4; 100]), Err(PostError::NotText));
    for text in
        ["words", "---\n", "---\n---", "---\nwords\n\nmore\n---\nwords", "---\n- a\n---\n", "---\n\0\u{8}: \n---\n"]
    {
        assert!(!read(text).title.is_empty());
    }
    let words = read("---\nwords\n\nmore\n---\nwords");
    assert_eq!(words.body, "---\nwords\n\nmore\n---\nwords");
    assert!(words.notes.contains(&Oddity::NoFrontMatter));
}

#[test]
fn bytes_of_all_kinds_are_text() {
    let bytes = b"---\r\ntitle: \xC4\xE3\xBA\xC3 a\0b\r\nfrom: https://example.org/a\r\n---\r\nx\r\n";
    let post = foreign(PATH, bytes).expect("readable");
    assert!(post.title.starts_with('\u{FFFD}') && post.title.ends_with(" ab"), "{}", post.title);
    assert!(post.from.is_some());
    assert_eq!(post.notes[..3], [Oddity::NotUtf8, Oddity::ControlCharacters, Oddity::NotYaml]);
    let text = "\u{FEFF}---\ntitle: 甲\n---\n文\n";
    assert_eq!(foreign(PATH, text.as_bytes()).expect("BOM").title, "甲");
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(foreign(PATH, &little).expect("UTF-16").title, "甲");
    assert_eq!(foreign(PATH, &big).expect("UTF-16").body, "文");
    assert_eq!(foreign(PATH, text.replace('\n', "\r").as_bytes()).expect("Mac").title, "甲");
}

#[test]
fn duplicate_keys_and_a_missing_end_are_noted() {
    let post = usual("title: 甲\ntitle: 乙\nauthor: x\nauthor:");
    assert_eq!((post.title.as_str(), post.author.as_deref()), ("乙", Some("x")));
    assert!(post.notes.contains(&Oddity::DuplicateKey) && !post.notes.contains(&Oddity::NotYaml));
    let post = read("---\ntitle: 甲\n<!--1-->\n[a](https://example.org/)\n------\n\n<div>\nx\n---\ny\n</div>\n");
    assert_eq!((post.title.as_str(), post.body.as_str()), ("甲", "x\n---\ny"));
    assert!(post.notes.contains(&Oddity::OpenFrontMatter));
}

proptest! {
    #[test]
    fn our_own_posts_are_read_alike(title in "\\PC{1,30}", from in "https://example\\.org/[a-z]{1,9}\\?[a-z]=[0-9]", body in "(<p>\\PC{0,40}</p>){0,3}") {
        let post = Post {
            title: title.clone(),
            date: Timestamp::from_millis(1_627_470_060_000),
            author: "甲".into(),
            from: from.clone(),
            tags: vec!["甲".into(), title.clone()],
            categories: vec!["甲".into()],
            updated: None,
            lang: Some("no".into()),
            enclosures: vec![],
            claimed: None,
            key: EntryKey::of("x"),
            body: body.clone(),
        };
        let text = to_text(&post);
        let found = read(&text);
        prop_assert_eq!(unnoted(read(&text.replacen(LAYOUT, BROKEN, 1))), unnoted(found.clone()));
        if !one_line(&title).is_empty() {
            prop_assert_eq!(found.title, one_line(&title));
        }
        prop_assert_eq!(found.date, Some(post.date));
        prop_assert_eq!(found.from.map(String::from), Some(from));
        prop_assert_eq!(found.body, body);
        prop_assert_eq!(found.lang.as_deref(), Some("no"));
    }

    #[test]
    fn nothing_makes_it_panic(
        path in "([\\PC/]|2021-07-2){0,20}", front in "((title|date|tags|x): ?(\\PC|[\"'\\[\\],|>\\\\u{0}-]){0,20}\r?\n){0,6}",
        rest in "(<!--[0-9]{0,20}-->|\\[x\\]\\(y\\)|------|<div>|</div>|\\PC{0,9}|\n){0,20}", end in "(---\n)?",
    ) {
        let text = format!("---\n{front}{end}{rest}");
        let post = foreign(&path, text.as_bytes());
        prop_assert!(post.map_or(end.is_empty(), |post| !post.title.is_empty()));
    }
}

/// Real posts of other makers, where they lie beside the project.
fn samples() -> Vec<(String, Vec<u8>)> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/archive");
    let root = std::env::var_os("FEEDMILL_ARCHIVE_SAMPLES").map_or_else(beside, PathBuf::from);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                found.push((name, fs::read(&path).expect("sample")));
            }
        }
    }
    if found.is_empty() {
        #[expect(clippy::print_stdout, reason = "a test that tests nothing says so")]
        {
            println!("skipped: {} is not here", root.display());
        }
    }
    found
}

#[test]
fn every_sample_has_title_date_and_link() {
    for (path, bytes) in samples() {
        let post = foreign(&path, &bytes).unwrap_or_else(|cause| panic!("{path}: {cause}"));
        assert!(!post.notes.contains(&Oddity::NoTitle), "{path}");
        assert!(post.date.is_some() && !post.notes.contains(&Oddity::BadDate), "{path}");
        let text = String::from_utf8(bytes).expect("UTF-8");
        let line = text.lines().find_map(|line| line.strip_prefix("from: ")).expect("from");
        assert_eq!(post.from, Url::parse(line.trim()).ok(), "{path}");
        assert!(!post.tags.is_empty() && !post.categories.is_empty() && post.author.is_some(), "{path}");
        assert!(!post.body.starts_with("<!--") && !post.body.contains("\n------\n"), "{path}");
    }
}

/// What is no YAML is read as YAML would be if the one bad line were not there.
#[test]
fn both_readers_agree_on_every_sample() {
    for (path, bytes) in samples() {
        let by_yaml = foreign(&path, &bytes).expect("readable");
        assert!(!by_yaml.notes.contains(&Oddity::NotYaml), "{path}");
        let broken = String::from_utf8(bytes).expect("UTF-8").replacen(LAYOUT, BROKEN, 1);
        let by_line = foreign(&path, broken.as_bytes()).expect("readable");
        assert!(by_line.notes.contains(&Oddity::NotYaml), "{path}");
        assert_eq!(unnoted(by_line), unnoted(by_yaml), "{path}");
    }
}
