use super::*;

fn names(document: &str) -> Vec<(Kind, &str)> {
    Tags::of(document).map(|tag| (tag.kind, tag.name)).collect()
}

#[test]
fn tags_are_told_from_what_looks_like_tags() {
    let document = "<?xml ?a>?><!DOCTYPE r [<!-- ' --><!ENTITY e '<x>]>'>]><r:a b='>' c = \"'/>\" d=e/f\n>\
                    1 < 2<!-- <x> --><![CDATA[<x>]]><b/></r:a ><中 x>";
    let tags: Vec<_> = Tags::of(document).collect();
    let names: Vec<_> = tags.iter().map(|tag| (tag.kind, tag.name)).collect();
    assert_eq!(names, [(Kind::Open, "r:a"), (Kind::Empty, "b"), (Kind::Close, "r:a"), (Kind::Open, "中")]);
    let attributes: Vec<_> = tags[0].attributes().collect();
    assert_eq!(attributes, [("b", ">"), ("c", "'/>"), ("d", "e/f")]);
}

#[test]
fn what_never_ends_is_text() {
    use Kind::{Close, Open};
    let cases: [(&str, &[(Kind, &str)]); 10] = [
        ("<a><!-- x <b>", &[(Open, "a"), (Open, "b")]),
        ("<a><![CDATA[ x <b>", &[(Open, "a"), (Open, "b")]),
        ("<a><? x <b>", &[(Open, "a"), (Open, "b")]),
        ("<a><!DOCTYPE x <b", &[(Open, "a")]),
        ("<a href=\"x>y</a><b c=\"d\">", &[(Open, "a"), (Close, "a"), (Open, "b")]),
        ("<a href=\"<b c=\"/d/\"><e/>", &[(Open, "b"), (Kind::Empty, "e")]),
        ("<a href=\"x < y\">z</a>", &[(Open, "a"), (Close, "a")]),
        ("</a<b>", &[(Close, "a"), (Open, "b")]),
        ("a <b and <c>", &[(Open, "c")]),
        ("<a it's>b</a>", &[(Open, "a"), (Close, "a")]),
    ];
    for (document, expected) in cases {
        assert_eq!(names(document), expected, "{document}");
    }
}

#[test]
fn a_comment_that_swallows_entries_was_never_ended() {
    let inside = "<item><t>a <!-- b</t></item><item><d><![CDATA[<!-- c -->]]></d></item>";
    assert_eq!(names(inside).len(), 8);
    let between = "<!-- a <item><t>b</t></item> <!-- c -->";
    assert_eq!(names(between).len(), 4);
    let meant = "<!-- <item><t>a</t></item> --><t/>";
    assert_eq!(names(meant).len(), 1);
    let instruction = "<t>a <? b</t></item><item>?></item>";
    assert_eq!(names(instruction).len(), 5);
    // No DOCTYPE stands behind the root's start, so its quotes and brackets mean nothing.
    let doctype = "<r>a <!DOCTYPE b [ <t>it's</t> <! c</r>";
    assert_eq!(names(doctype).len(), 4);
}

#[test]
fn a_section_that_swallows_entries_was_never_ended() {
    let document = "<item><d><![CDATA[one</d></item><item><d><![CDATA[two <p>]]></d></item>";
    let mut tags = Tags::of(document);
    assert_eq!(tags.by_ref().filter(|tag| tag.kind == Kind::Close).count(), 4);
    assert!(tags.runaway);
    let own = "<t><![CDATA[one</t><d a='>'><![CDATA[two]]></d>";
    assert_eq!(names(own).into_iter().map(|(_, name)| name).collect::<String>(), "ttdd");
    let between = "<![CDATA[ <item><t><![CDATA[one]]></t></item>";
    assert_eq!(names(between).len(), 4);
    let about_xml = "<d><![CDATA[write &lt;![CDATA[ or <![CDATA[ so ]]></d>";
    assert_eq!(names(about_xml), [(Kind::Open, "d"), (Kind::Close, "d")]);
}
