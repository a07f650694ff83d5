use super::*;

fn text(front: &str) -> String {
    Written::read(front).text("title").unwrap_or_default()
}

fn list(front: &str) -> Vec<String> {
    Written::read(front).list("tags")
}

#[test]
fn front_matter_ends_where_jekyll_ends_it() {
    let closed = |front, rest| Some((front, rest, true));
    let split = |text| split(text).map(|s| (s.front, s.rest, s.is_closed));
    assert_eq!(split("---\na: b\n---\nx\n---\ny"), closed("a: b\n", "x\n---\ny"));
    assert_eq!(split("\u{FEFF}---  \r\na: b\r\n---\t\r\nx"), closed("a: b\r\n", "x"));
    assert_eq!(split("---\na: b\n...\nx"), closed("a: b\n", "x"));
    assert_eq!(split("---\n---\n"), closed("", ""));
    assert_eq!(split("---\na: b\n---"), closed("a: b\n", ""));
    assert_eq!(split("\n\n---\na: b\n---\n"), closed("a: b\n", ""));
    assert_eq!(split("----\na: b\n----\n"), None);
    assert_eq!(split("text"), None);
    assert_eq!(split(""), None);
}

#[test]
fn front_matter_without_an_end_stops_before_the_body() {
    let open = |front, rest| Some((front, rest, false));
    let split = |text| split(text).map(|s| (s.front, s.rest, s.is_closed));
    assert_eq!(split("---\na: b\n<!--1-->\nx"), open("a: b\n", "<!--1-->\nx"));
    assert_eq!(split("---\na: b\n[x](y)\n------\n"), open("a: b\n", "[x](y)\n------\n"));
    assert_eq!(split("---\na: b\n\nx: y\n"), open("a: b\n", "\nx: y\n"));
    assert_eq!(split("---\na: b"), open("a: b", ""));
    assert_eq!(split("---\nonly words\n"), None);
    assert_eq!(split("---\n"), None);
}

#[test]
fn a_value_is_the_rest_of_its_line() {
    for (line, value) in [
        ("title: 甲", "甲"),
        ("title:甲", "甲"),
        ("title：甲", "甲"),
        ("\ttitle :\t甲 ", "甲"),
        ("title: 记者: 某某", "记者: 某某"),
        ("title: [图] 新闻", "[图] 新闻"),
        ("title: [图]", "[图]"),
        ("title: @x", "@x"),
        ("title: 100% # 1", "100% # 1"),
        ("title: `x` *y &z", "`x` *y &z"),
        ("title: 1e3", "1e3"),
        ("title: a\u{8}b", "a\u{8}b"),
        ("title: 甲\r", "甲"),
        ("title: \"甲\"\u{3000}", "甲"),
        ("title: 甲\n  乙\n 丙", "甲 乙 丙"),
        ("title: 甲\n乙\nother: x", "甲 乙"),
        ("title:\n  甲", "甲"),
        ("title: >-\n  甲\n  乙", "甲 乙"),
        ("title: |\n  甲\n  乙\nx: y", "甲\n乙"),
        ("title: |甲|", "|甲|"),
        ("title: > 甲", "> 甲"),
        ("title: 甲\ntitle: 乙", "乙"),
        ("title: 甲\ntitle:", "甲"),
        ("# title: x\ntitle: 甲", "甲"),
        ("  a: b\n  title: 甲", "甲"),
        ("a:\n  title: x\ntitle: 甲", "甲"),
        ("x", ""),
    ] {
        assert_eq!(text(line), value, "{line}");
    }
}

#[test]
fn quotes_are_stripped_where_they_stand_round_the_whole() {
    for (line, value) in [
        (r#"title: "甲""#, "甲"),
        (r#"title: """#, ""),
        (r#"title: ""#, ""),
        (r#"title: "甲"#, "甲"),
        (r#"title: "a "b" c""#, r#"a "b" c"#),
        (r#"title: "a \"b\" "c"""#, r#"a "b" "c""#),
        (r#"title: "He said" ok"#, r#""He said" ok"#),
        (r#"title: "a" # b"#, "a"),
        ("title: \"甲\n  乙\"\nx: y", "甲 乙"),
        ("title: \"甲\n乙: 丙\nfoo: bar\"\ndate: y", "甲 乙: 丙 foo: bar"),
        ("title: \"甲\ndate: 2020-01-01", "甲"),
        ("title: 'It''s'", "It's"),
        ("title: 'It's'", "It's"),
        ("title: 'Tis the season", "'Tis the season"),
        ("title: 'a' # b", "a"),
        ("title: 'a\n  b'", "a b"),
    ] {
        assert_eq!(text(line), value, "{line}");
    }
}

#[test]
fn escapes_are_undone_unless_the_writer_did_not_know_them() {
    for (line, value) in [
        (r#"title: "a\\b\"\u4e2d\x41\/\U0001F600""#, "a\\b\"中A/😀"),
        (r#"title: "\ud83d\ude00""#, "😀"),
        (r#"title: "a\tb""#, "a\tb"),
        (r#"title: "C:\new \"x\" \d""#, r#"C:\new "x" \d"#),
        (r#"title: "a\""#, r"a\"),
        (r#"title: "\ud83d""#, r"\ud83d"),
        (r#"title: "\u+123""#, r"\u+123"),
        (r#"title: "\u4e""#, r"\u4e"),
        (r#"title: "\中""#, r"\中"),
    ] {
        assert_eq!(text(line), value, "{line}");
    }
}

#[test]
fn lists_come_in_many_forms() {
    assert_eq!(list("tags: [ 甲, 乙 ]"), ["甲", "乙"]);
    assert_eq!(list("tags: [a,b,,]"), ["a", "b"]);
    assert_eq!(list("tags: [ \"a, b\", 'c, d', it's, \"e\\\"f\" ]"), ["a, b", "c, d", "it's", "e\"f"]);
    assert_eq!(list("tags: [ BBC: 中文, @x ]"), ["BBC: 中文", "@x"]);
    assert_eq!(list("tags: [ [图] x, b ]"), ["[图] x", "b"]);
    assert_eq!(list("tags: [ a,\n  b ]"), ["a", "b"]);
    assert_eq!(list("tags: [ a, b"), ["a", "b"]);
    assert_eq!(list("tags:\n  - 甲\n  - \"乙\"\n- c: d\nx: y"), ["甲", "乙", "c: d"]);
    assert_eq!(list("tags: 甲 乙"), ["甲 乙"]);
    assert_eq!(list("tags: 甲, 乙"), ["甲", "乙"]);
    assert!(list("tags: []").is_empty());
    assert!(list("tags:").is_empty());
    assert!(list("x: y").is_empty());
}
