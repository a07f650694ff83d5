//! Fixtures, soup, and the corpora beside the project.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use url::Url;

use super::*;
use crate::read::{Hints, RawEntry, RawText, feed};

const FEED: &str = r#"<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "]><item>">]>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0">
<channel xml:base="https://example.org/blog/"><title>Blog</title><language>de</language>
<!-- <item><title>no</title></item> -->
<description><![CDATA[<item><title>no</title></item>]]></description>
<item a=">"><title><![CDATA[A < B]]> &amp;amp; &#67;</title><media:title>no</media:title>
<description><div><item><title>no</title></item></div></description><guid isPermaLink = 'False'> g1 </guid>
<fb:origLink>https://example.org/?a=1&amp;b=2</fb:origLink>
<dc:date>2021-07-28</dc:date><pubDate>28/07/2021 11:01</pubDate></item>
<media:item><title>no</title></media:item><ttl>5</ttl>
<item/>
</channel></rss>"#;

const ROOTS: [&str; 5] = ["<rss><channel>", "<rdf:RDF><channel/>", "<feed>", "<rss>", ""];

/// Pieces of markup, with blanks between them.
const SOUP: &str = "<rss> <rss/> </rss> <channel\txmlns='u'> <channel/> </channel> <item> </item> <item/> <item> </item> \
    <feed> </feed> <entry> </entry> <title> </title> <id> </id> <a:b\tc=' ' \" > < <! <!-- --> <![CDATA[ ]]> <? ?> \
    <!DOCTYPE [ ] &amp; &#x4E2D; 中 \t / {";

fn read(body: &str) -> Vec<RawEntry> {
    let base = Url::parse("https://example.org/feed/").expect("url");
    feed(body.as_bytes(), &Hints { base }).expect("feed").entries
}

fn found(text: &str) -> Fragments {
    let found = of(text).expect(text);
    assert_eq!(Envelope::from_text(found.envelope.as_text()).as_ref(), Some(&found.envelope), "{text}");
    found
}

fn titles(text: &str) -> Vec<String> {
    found(text).entries.into_iter().map(|e| e.title.unwrap_or_default()).collect()
}

#[test]
fn takes_entries_and_facts_to_the_byte() {
    let found = found(FEED);
    let [first, second] = &found.entries[..] else { panic!("{found:?}") };
    assert!(first.source.starts_with(r#"<item a=">"><title><![CDATA[A <"#) && first.source.ends_with("</item>"));
    assert!(FEED.contains(&first.source));
    let expected = Fragment {
        source: first.source.clone(),
        guid_is_permalink: Some(false),
        about: None,
        orig_link: Some("https://example.org/?a=1&b=2".into()),
        raw_date: Some("28/07/2021 11:01".into()),
        guid: Some("g1".into()),
        title: Some("A < B &amp; C".into()),
    };
    assert_eq!(*first, expected);
    assert_eq!(*second, Fragment { source: "<item/>".into(), ..Fragment::default() });
}

#[test]
fn the_envelope_reads_a_fragment_alone() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="/a/"><title>t</title><entry xml:base="b/">
            <id>1</id><title>x</title><link href="c"/></entry><entry><id>2</id><title>y</title></entry></feed>"#;
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","authors":[{"name":"A"}],"title":"t",
            "items":[{"id":"1","title":"x"},{"id":"2","title":"y"}],"language":"de"}"#;
    for text in [FEED, atom, json] {
        let (whole, found) = (read(text), found(text));
        assert_eq!(whole.len(), 2);
        for envelope in [&found.envelope, &found.envelope.bare()] {
            for (entry, fragment) in whole.iter().zip(&found.entries) {
                assert_eq!(format!("{:?}", read(&envelope.wrap(&fragment.source))), format!("[{entry:?}]"));
            }
        }
    }
    assert_eq!(read(atom)[0].links[0].href, "https://example.org/a/b/c");
    let envelope = found(FEED).envelope;
    assert!(envelope.as_text().contains("<language>de</language>") && envelope.as_text().contains("<ttl>5</ttl>"));
    assert!(envelope.bare().as_text().ends_with("<channel xml:base=\"https://example.org/blog/\"></channel></rss>"));
}

#[test]
fn each_format_has_its_place_for_entries() {
    // Nested look-alikes of Atom: a source, an entry inside of the content.
    let atom = r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:source><a:id>no</a:id></a:source>
            <a:content type="application/xml"><a:entry><a:title>no</a:title></a:entry></a:content>
            <a:id>1</a:id><a:title type="xhtml"><div>x</div></a:title><a:updated>later</a:updated>
            <a:published>first</a:published></a:entry><entry xmlns="urn:other"/></a:feed>"#;
    let [entry] = &found(atom).entries[..] else { panic!("one entry") };
    assert_eq!((entry.guid.as_deref(), entry.raw_date.as_deref()), (Some("1"), Some("first")));
    assert_eq!(entry.title.as_deref(), Some("<div>x</div>"));

    let rdf = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
            <channel><items><rdf:li/></items><item><title>no</title></item></channel>
            <item rdf:about="urn:a&amp;b"><title>x</title></item></rdf:RDF>"#;
    let [entry] = &found(rdf).entries[..] else { panic!("one entry") };
    assert_eq!((entry.about.as_deref(), entry.title.as_deref()), (Some("urn:a&b"), Some("x")));

    let prefixed = r#"<rss version="2.0" xmlns:r="http://purl.org/rss/1.0/"><r:channel><r:item><r:title>x</r:title></r:item>
            </r:channel><channel><item><title>second channel</title></item></channel></rss>"#;
    assert_eq!(titles(prefixed), ["x"]);
    let old =
        r#"<RDF:RDF xmlns="http://my.netscape.com/rdf/simple/0.9/"><channel/><item><title>x</title></item></RDF:RDF>"#;
    assert_eq!(titles(old), ["x"]);
    assert_eq!(titles("<CHANNEL><ITEM><TITLE>x</TITLE></ITEM></CHANNEL>"), ["x"]);

    let alone = "<entry xmlns='http://www.w3.org/2005/Atom'><id>1</id><title>x</title></entry>";
    let entry = found(alone);
    assert_eq!((entry.envelope.as_text(), entry.entries[0].source.as_str()), ("", alone));
}

#[test]
fn json_as_it_is_written() {
    let text = "\u{feff} {\"items\": [ {\"id\":  7, \"date_modified\":\"d\",\"title\":\"\\u00e4\"}, 5 ] }";
    let found = found(text);
    assert_eq!(found.envelope.wrap("{}"), r#"{"items": [{}] }"#);
    let [item] = &found.entries[..] else { panic!("{found:?}") };
    assert_eq!(item.source, "{\"id\":  7, \"date_modified\":\"d\",\"title\":\"\\u00e4\"}");
    let facts = (item.guid.as_deref(), item.raw_date.as_deref(), item.title.as_deref());
    assert_eq!(facts, (Some("7"), Some("d"), Some("ä")));
    assert!(of("{\"items\": [").is_none() && of("{}").is_none() && of("hello").is_none() && of("<p/>").is_none());
}

#[test]
fn a_broken_document_gives_what_is_complete() {
    let rss = |channel: &str| format!("<rss version='2.0'><channel>{channel}");
    let item = "<item><title>x</title></item>";
    for broken in ["<item><title>y", "<item><title>y</title>", "<item><![CDATA[", "<item a='", "<item", "<!-- "] {
        assert_eq!(titles(&rss(&format!("{item}{broken}"))), ["x"], "{broken}");
    }
    let crossed = "<item><title>x</title><description><p>a<br>b < c & d</i></description></item>";
    assert_eq!(titles(&rss(&format!("{crossed}{item}</channel></rss>"))), ["x", "x"]);
    // Cut inside of an element of the channel (real/ITunesWithSingleQuotedAttributes.xml).
    assert_eq!(titles(&rss(&format!("<itunes:category>{item}{item}</channel></rss>"))), ["x", "x"]);
    assert_eq!(titles(&format!("<rss><channel></channel>{item}</rss>")), ["x"]);
    assert_eq!(titles(&format!("<br />\n<b>Warning</b>: x in <b>y</b><br />{}", rss(item))), ["x"]);
}

#[test]
fn hostile_documents_cost_little() {
    let deep = format!("<rss><channel><item>{}<title>no</title></item>", "<div>".repeat(300_000));
    assert_eq!(titles(&deep), [""; 0]);
    let wide = format!("<rss {0}><channel {0}><item {0}/>", "xmlns:a='b' ".repeat(100_000));
    assert_eq!(titles(&wide), [""]);
    assert_eq!(titles(&format!("<feed>{}", "<entry/></x>".repeat(100_000))).len(), 100_000);
    let talk = format!("<feed><title>t</title>{}<entry/></feed>", "<link/>".repeat(REST));
    assert_eq!(found(&talk).envelope.as_text(), "<feed></feed>");
    assert!(of(&"[".repeat(100_000)).is_none() && of(&"{\"items\":".repeat(100_000)).is_none());
}

#[test]
fn decodes_what_says_its_encoding() {
    let gb = b"<?xml version='1.0' encoding=\"gb2312\"?><a>\xd6\xd0\x81\x30\x84\x36</a>";
    let cases: [(&[u8], Option<&str>); 8] = [
        (b"\xef\xbb\xbf<a/>", Some("<a/>")),
        (b"\xff\xfe<\0a\0", Some("<a")),
        (b"\xfe\xff\0<\0a", Some("<a")),
        (gb, Some("<?xml version='1.0' encoding=\"gb2312\"?><a>中¥</a>")),
        ("<?xml encoding='gbk'?>中".as_bytes(), Some("<?xml encoding='gbk'?>中")),
        (b"<?xml encoding='utf-16'?>", Some("<?xml encoding='utf-16'?>")),
        (b"<?xml encoding='iso-2022-jp'?>\x1b$B$\"", Some("<?xml encoding='iso-2022-jp'?>あ")),
        (b"<a>\xd6\xd0</a>", None),
    ];
    for (body, text) in cases {
        assert_eq!(decoded(body).as_deref(), text, "{}", String::from_utf8_lossy(body));
    }
}

proptest! {
    #[test]
    fn any_soup_of_markup_is_survived(root in 0..ROOTS.len(), soup in prop::collection::vec(0..40_usize, 0..32)) {
        let pieces: Vec<&str> = SOUP.split(' ').collect();
        let text = soup.iter().fold(ROOTS[root].to_owned(), |text, piece| text + pieces[piece % pieces.len()]);
        if let Some(found) = of(&text) {
            let mut rest = text.as_str();
            for entry in &found.entries {
                let at = rest.find(&entry.source).expect("a slice of the document");
                rest = &rest[at + entry.source.len()..];
            }
            prop_assert_eq!(Envelope::from_text(found.envelope.as_text()), Some(found.envelope.clone()));
            prop_assert!(Envelope::from_text(found.envelope.bare().as_text()) == Some(found.envelope.bare()));
        }
    }
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = folder.read_dir().into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Text without tags and white space, for comparing titles.
fn words(text: &str) -> String {
    let outside = text.split('<').enumerate().map(|(i, t)| t.split_once('>').filter(|_| i > 0).map_or(t, |(_, t)| t));
    outside.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

fn differences(body: &[u8], whole: &[RawEntry]) -> Vec<String> {
    let base = Url::parse("https://example.org/feed/").expect("url");
    let Some(text) = decoded(body) else { return vec!["not decoded".into()] };
    let Some(found) = of(&text) else { return vec!["not understood".into()] };
    if found.entries.len() != whole.len() {
        return vec![format!("{} fragments, {} entries", found.entries.len(), whole.len())];
    }
    let mut out = Vec::new();
    for (fragment, entry) in found.entries.iter().zip(whole) {
        if entry.guid.is_some() && entry.guid.as_deref().map(str::trim) != fragment.guid.as_deref() {
            out.push(format!("guid {:?}, {:?}", fragment.guid, entry.guid));
        }
        let (RawText::Plain(title) | RawText::Markup(title)) =
            entry.title.as_ref().unwrap_or(&RawText::Plain(String::new())).clone();
        let ours = words(fragment.title.as_deref().unwrap_or_default());
        if ours != words(&title) && ours != words(&extras::text(&title)) {
            out.push(format!("title {:?}, {title:?}", fragment.title));
        }
        let alone = feed(found.envelope.wrap(&fragment.source).as_bytes(), &Hints { base: base.clone() });
        if format!("{:?}", alone.map(|feed| feed.entries)) != format!("Ok([{entry:?}])") {
            out.push(format!("read alone it differs: {}", fragment.source));
        }
    }
    out
}

/// The first and the last state of each history, and every other file; `FEEDMILL_ALL=1`: each.
#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
fn fragments_are_those_of_the_parser() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    for corpus in ["real", "histories", "feedparser"] {
        let mut all = Vec::new();
        files(&corpora.join(corpus), &mut all);
        if all.is_empty() {
            eprintln!("skipped: no {corpus}");
        }
        if std::env::var_os("FEEDMILL_ALL").is_none() && corpus == "histories" {
            let last: Vec<_> = all.windows(2).map(|pair| pair[0].parent() != pair[1].parent()).collect();
            let mut at = 0;
            all.retain(|path| {
                at += 1;
                path.ends_with("000.xml") || last.get(at).copied().unwrap_or(true)
            });
        }
        let (mut documents, mut entries) = (0, 0);
        for path in all {
            let body = std::fs::read(&path).expect("file");
            let base = Url::parse("https://example.org/feed/").expect("url");
            let Ok(whole) = feed(&body, &Hints { base }) else { continue };
            documents += usize::from(!whole.entries.is_empty());
            entries += whole.entries.len();
            if !whole.entries.is_empty() {
                assert_eq!(differences(&body, &whole.entries), [""; 0], "{}", path.display());
            }
        }
        eprintln!("{corpus}: {documents} documents, {entries} entries");
    }
}
