//! The whole road from bytes to raw entries: fixtures, soup, hostile documents, and the corpora
//! beside the project.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const FEED: &str = r#"<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "]><item>">]>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:fb="http://rssnamespace.org/feedburner/ext/1.0"
 xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel xml:base="https://example.org/blog/"><title>Blog</title><language>de</language>
<!-- <item><title>no</title></item> -->
<description><![CDATA[<item><title>no</title></item>]]></description>
<item a=">"><title><![CDATA[A < B]]> &amp;amp; &#67;</title><media:title>no</media:title>
<description>d</description><guid isPermaLink = 'False'> g1 </guid>
<fb:origLink>https://example.org/?a=1&amp;b=2</fb:origLink>
<dc:date>2021-07-28T00:00:00Z</dc:date><pubDate>Sonntag morgens</pubDate></item>
<media:item><title>no</title></media:item><ttl>5</ttl>
<item/>
</channel></rss>"#;

const ROOTS: [&str; 5] = ["<rss><channel>", "<rdf:RDF><channel/>", "<feed>", "<rss>", ""];

/// Pieces of markup, with blanks between them.
const SOUP: &str = "<rss> <rss/> </rss> <channel\txmlns='u'> <channel/> </channel> <item> </item> <item/> <item> </item> \
    <feed> </feed> <entry> </entry> <title> </title> <id> </id> <a:b\tc=' ' \" > < <! <!-- --> <![CDATA[ ]]> <? ?> \
    <!DOCTYPE [ ] &amp; &#x4E2D; 中 \t / { <content\ttype='xhtml'> </content> <dc:date> <media:group> <link> <author>";

fn base() -> Url {
    Url::parse("https://example.org/feed/").expect("url")
}

fn read(body: &str) -> Result<ReadFeed, ReadError> {
    feed(body.as_bytes(), &Hints::at(base()))
}

fn entries(body: &str) -> Vec<RawEntry> {
    read(body).unwrap_or_else(|e| panic!("{e}: {body}")).entries
}

fn said(text: Option<&RawText>) -> &str {
    match text {
        Some(RawText::Plain(text) | RawText::Markup(text)) => text,
        None => "",
    }
}

fn titles(body: &str) -> Vec<String> {
    entries(body).iter().map(|entry| said(entry.title.as_ref()).to_owned()).collect()
}

fn rss(channel: &str) -> String {
    format!("<rss version='2.0'><channel><title>t</title>{channel}</channel></rss>")
}

#[test]
fn says_what_a_document_is_instead_of_a_feed() {
    assert_eq!(read(" \n ").unwrap_err(), ReadError::Empty);
    assert_eq!(read("<!DOCTYPE html><html><body>hi</body></html>").unwrap_err(), ReadError::Html(vec![]));
    let page = "<html><head><link rel=alternate type=application/rss+xml href=/x.rss></head></html>";
    let error = read(page).unwrap_err();
    assert_eq!(error.to_string(), "the answer is an HTML page, not a feed; it links `https://example.org/x.rss`");
    assert!(matches!(read("hello").unwrap_err(), ReadError::Refused(_)));
    assert!(matches!(read("{\"error\":1}").unwrap_err(), ReadError::Refused(_)));
    assert_eq!(read("<rss><channel>").unwrap_err(), ReadError::CutOff);
    assert!(!read("<rss><channel><title>t</title>").expect("feed").is_complete());
    assert_eq!(read("<rss><channel><item><title>t").unwrap_err(), ReadError::NoEntries);
    assert!(entries(&rss("")).is_empty());
}

#[test]
fn a_sound_document_gives_its_entries_and_what_the_parser_drops() {
    let feed = read(FEED).expect("feed");
    let [first, second] = &feed.entries[..] else { panic!("{feed:?}") };
    assert_eq!((feed.repairs, feed.total), (vec![], 2));
    assert_eq!((feed.meta.language.as_deref(), feed.meta.pace.ttl), (Some("de"), Some(5)));
    assert_eq!(said(first.title.as_ref()), "A < B &amp; C");
    assert_eq!((first.guid.as_deref(), first.guid_is_permalink), (Some("g1"), Some(false)));
    assert_eq!(first.orig_link.as_deref(), Some("https://example.org/?a=1&b=2"));
    let source = first.source.as_deref().expect("source");
    assert!(FEED.contains(source) && source.starts_with(r#"<item a=">">"#) && source.ends_with("</item>"));
    // The earlier date cannot be read; it does not hide the other.
    assert_eq!(first.raw_date.as_deref(), Some("2021-07-28T00:00:00Z"));
    assert!(first.published.is_some());
    assert_eq!(second.source.as_deref(), Some("<item/>"));
}

#[test]
fn the_envelope_reads_a_fragment_alone() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xml:base="/a/"><title>t</title><entry xml:base="b/">
            <id>1</id><title>x</title><link href="c"/></entry><entry><id>2</id><title>y</title></entry></feed>"#;
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","authors":[{"name":"A"}],"title":"t",
            "items":[{"id":"1","title":"x"},{"id":"2","title":"y"}],"language":"de"}"#;
    for text in [FEED, atom, json] {
        let whole = read(text).expect(text);
        assert_eq!(whole.entries.len(), 2);
        let envelope = Envelope::from_text(whole.envelope.as_deref().expect("envelope")).expect("envelope");
        for entry in &whole.entries {
            let alone = entries(&envelope.wrap(entry.source.as_deref().expect("source")));
            assert_eq!(&alone[..], std::slice::from_ref(entry));
        }
    }
    assert_eq!(entries(atom)[0].links[0].href, "https://example.org/a/b/c");
    let envelope = read(FEED).expect("feed").envelope.expect("envelope");
    assert!(envelope.contains("<language>de</language>") && envelope.contains("<ttl>5</ttl>"), "{envelope}");
    let bare = Envelope::from_text(&envelope).expect("envelope").bare();
    assert!(bare.as_text().ends_with("<channel xml:base=\"https://example.org/blog/\"></channel></rss>"));
}

/// The parser compares each attribute with each: a megabyte of them took it nine seconds.
#[test]
fn a_tag_crowded_with_attributes_is_not_shown_to_the_parser() {
    let many = |n: usize, with: &str| (0..n).fold(String::new(), |all, n| all + &format!(" a{n}='{with}'"));
    let picture = format!(" src='data:image/png;base64,{}'", "A".repeat(200_000));
    let atom = |attributes: &str| {
        format!(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x</title><content type='xhtml'>\
             <div xmlns='http://www.w3.org/1999/xhtml'><p{attributes}>x</p></div></content></entry></feed>"
        )
    };
    let unknown = |attributes: &str| rss(&format!("<item><title>x</title><x{attributes}/></item>"));
    let outside = |attributes: &str| rss(&format!("<x{attributes}><y>z</y></x><item><title>x</title></item>"));
    for (attributes, is_shown) in [
        (picture, true),
        (many(200, &"x".repeat(1000)), true),
        (many(15_000, "x"), false),
        // What ends no tag there, and what begins none.
        (" title='>'".to_owned() + &many(15_000, "\">"), false),
        (many(15_000, "<b></b>"), false),
    ] {
        for text in [atom(&attributes), unknown(&attributes), outside(&attributes)] {
            let comment = "<!-- it's \" --><?a it's?>";
            for text in [text.replacen("><", &format!(">{comment}<"), 1), text] {
                let feed = read(&text).expect("feed");
                assert_eq!(feed.repairs.is_empty(), is_shown, "{:?} {}", feed.repairs, &text[..200]);
                assert_eq!(said(feed.entries[0].title.as_ref()), "x");
            }
        }
    }
}

/// What is broken outside of entries costs none of them, then or when it is read again.
#[test]
fn a_broken_envelope_reads_a_fragment_alone() {
    let item = "<item><guid>1</guid><title>say \"hi\" it's a --> b ]]> c</title></item>";
    for (text, envelope) in [
        // The start tag has a value without end, and what follows has a quote.
        (format!("<rss a='b' c=\"d><channel>{item}</channel></rss>"), "<rss a=\"b\"><channel></channel></rss>"),
        (format!("<rss><channel x='1><b y=\"z\">{item}</channel></rss>"), "<rss><channel><b y=\"z\"></channel></rss>"),
        // What is said outside swallows what stands behind it.
        (format!("<rss><channel>{item}<b y=\"</channel></rss>"), "<rss><channel></channel></rss>"),
        (format!("<rss><channel>{item}<!-- z</channel></rss>"), "<rss><channel></channel></rss>"),
        (format!("<rss><channel>{item}<![CDATA[z</channel></rss>"), "<rss><channel></channel></rss>"),
        // A name that is none.
        (format!("<rss a=b=\"x <y='1'\" c=\"d><channel>{item}</channel></rss>"), "<rss><channel></channel></rss>"),
    ] {
        let whole = read(&text).expect(&text);
        assert_eq!(whole.envelope.as_deref(), Some(envelope), "{text}");
        let alone = Envelope::from_text(envelope).expect("envelope").wrap(item);
        assert_eq!(whole.entries.len(), 1, "{text}");
        assert_eq!(entries(&alone), whole.entries, "{alone}");
    }
}

#[test]
fn entries_are_found_wherever_the_formats_put_them() {
    // Nested look-alikes of Atom: a source, an entry inside of the content.
    let atom = r#"<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:source><a:id>no</a:id></a:source>
            <a:content type="application/xml"><a:entry><a:title>no</a:title></a:entry></a:content>
            <a:id>1</a:id><a:title type="xhtml"><div>x</div></a:title><a:updated>2022-01-01T00:00:00Z</a:updated>
            <a:published>2021-01-01T00:00:00Z</a:published></a:entry><entry xmlns="urn:other"/></a:feed>"#;
    let [entry] = &entries(atom)[..] else { panic!("one entry") };
    assert_eq!((entry.guid.as_deref(), entry.raw_date.as_deref()), (Some("1"), Some("2021-01-01T00:00:00Z")));
    assert_eq!(said(entry.title.as_ref()), "x");
    let rdf = r#"<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
            <channel><items><rdf:li/></items></channel>
            <item rdf:about="urn:a&amp;b"><title>x</title></item></rdf:RDF>"#;
    let [entry] = &entries(rdf)[..] else { panic!("one entry") };
    assert_eq!((entry.guid.as_deref(), said(entry.title.as_ref())), (Some("urn:a&b"), "x"));
    let item = "<item><title>x</title></item>";
    for (document, count) in [
        (
            "<rss version='2.0' xmlns:r='http://purl.org/rss/1.0/'><r:channel><r:item><r:title>x</r:title></r:item></r:channel></rss>".to_owned(),
            1,
        ),
        (format!("<RDF:RDF xmlns='http://my.netscape.com/rdf/simple/0.9/'><channel/>{item}</RDF:RDF>"), 1),
        ("<CHANNEL><ITEM><TITLE>x</TITLE></ITEM></CHANNEL>".to_owned(), 1),
        (format!("<rss version='2.0'><channel>{item}</channel>{item}</rss>"), 2),
        (format!("<rss version='2.0'><channel><items>{item}{item}</items></channel></rss>"), 2),
        (format!("<rss version='2.0'><channel>{item}</channel><channel>{item}</channel></rss>"), 2),
        ("<entry xmlns='http://www.w3.org/2005/Atom'><id>1</id><title>x</title></entry>".to_owned(), 1),
    ] {
        assert_eq!(titles(&document), vec!["x"; count], "{document}");
    }
}

#[test]
fn an_entry_without_its_start_tag_is_found() {
    let document = |first: &str, second: &str| {
        let item = |start: &str, n: u8| format!("{start}<title>{n}</title><link>http://a/{n}</link></item>\n");
        rss(&["<link>http://a/</link>", &item(first, 1), &item("<item>", 2), &item(second, 3), "<ttl>5</ttl>"].concat())
    };
    for start in ["", "<itme>", "item>", "<item\n", "<item></item>"] {
        for text in [document(start, "<item>"), document("<item>", start)] {
            let feed = read(&text).expect(&text);
            let titles: Vec<&str> =
                feed.entries.iter().map(|e| said(e.title.as_ref())).filter(|t| !t.is_empty()).collect();
            assert_eq!(titles, ["1", "2", "3"], "{text}");
            // What belongs to an entry is not the feed's.
            assert_eq!((said(feed.meta.title.as_ref()), feed.meta.link.as_deref()), ("t", Some("http://a/")), "{text}");
            assert_eq!(feed.meta.pace.ttl, Some(5));
        }
    }
    // An end too many is no entry.
    assert_eq!(titles(&rss("<item><title>x</title></item></item><ttl>5</ttl></item>")), ["x"]);
}

#[test]
fn json_is_found_behind_what_is_none() {
    let json = r#"{"title":"t","items":[{"id":"1","title":"x"}]}"#;
    let warning = "<br />\n<b>Warning</b>: x in <b>y</b><br />\n";
    for text in
        [format!("{warning}{json}"), format!("callback({json});"), format!("[{json}]"), format!(")]}}'\n{json}")]
    {
        assert_eq!(titles(&text), ["x"], "{text}");
    }
    let wide: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(feed(&wide, &Hints::at(base())).expect("feed").entries.len(), 1);
    let page = format!("<html><script>{json}</script></html>");
    assert!(matches!(read(&page), Err(ReadError::Html(_))));
}

#[test]
fn xhtml_is_read_as_it_is_written() {
    let atom = |content: &str| {
        format!(
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x</title><content type='xhtml'>\
             <div xmlns='http://www.w3.org/1999/xhtml'>{content}</div></content></entry></feed>"
        )
    };
    let written = "a<br/>b<img alt='say &quot;hi&quot;'/>c &lt; d";
    let feed = read(&atom(written)).expect("feed");
    assert_eq!((said(feed.entries[0].content.as_ref()), feed.repairs), (written, vec![]));
    // No parser's words are taken for it, but the parser is asked whether it is sound.
    for broken in ["<p>a<b>c</p></b>", "a<<i>b</i>", "<teitle>a"] {
        let feed = read(&atom(broken)).expect("feed");
        assert_eq!((said(feed.entries[0].content.as_ref()), feed.repairs), (broken, vec![Damage::Refused]));
    }
}

/// Each class of damage with what has to be found all the same; names say whom it was seen at.
#[test]
fn damage_costs_no_complete_entry() {
    let item = "<item><title>x</title></item>";
    let cases: Vec<(&str, String)> = vec![
        ("a bare ampersand", rss(&format!("{item}<item><title>x</title><link>http://a/?b=1&c=2</link></item>"))),
        ("a `<` in a text", rss(&format!("<item><title>x</title><description>1 < 2 <3 </description></item>{item}"))),
        ("names of HTML", rss(&format!("<item><title>x</title><description>a&nbsp;b&eacute;</description></item>{item}"))),
        ("characters XML forbids", rss(&format!("<item><title>x\u{8}</title></item>{item}")).replace("x\u{8}", "x&#8;")),
        ("half a pair", rss(&format!("<item><title>x</title><description>&#xD83D;</description></item>{item}"))),
        ("no end of a title", rss(&format!("<item><title>x<link>http://a/</link></item>{item}"))),
        ("no end of an item", rss(&format!("<item><title>x</title>{item}"))),
        ("crossed ends", rss(&format!("<item><title>x</title><description><p>a<b>c</p></b></description></item>{item}"))),
        ("an unclosed paragraph", rss(&format!("<item><title>x</title><description><p>a<br></description></item>{item}"))),
        ("CDATA without end", rss(&format!("<item><title>x</title><description><![CDATA[a</description></item>{item}"))),
        ("CDATA that swallows the next item", rss("<item><title>x</title><description><![CDATA[a</description></item>\
            <item><title><![CDATA[x]]></title></item>")),
        ("a comment without end", rss(&format!("<item><title>x</title><description>a <!-- b</description></item>{item}<!-- c -->"))),
        ("a comment without end before the root", format!("<!-- a {}", rss(&format!("{item}{item}<!-- b -->")))),
        ("a DOCTYPE in a text", rss(&format!("<item><title>x</title><description>a <!DOCTYPE b [ it's</description></item>{item}"))),
        ("CDATA without start", rss(&format!("<item><title>x]]></title></item>{item}"))),
        ("CDATA of a title without end", rss(&format!("<item><title><![CDATA[x</title><description><![CDATA[a]]></description></item>{item}"))),
        ("an empty namespace", rss(&[item, item].concat()).replace("<rss", "<rss xmlns:dc=''").replace("</item>", "<dc:date>2021-01-01</dc:date></item>")),
        ("a warning of PHP before the root", format!("<br />\n<b>Warning</b>: x in <b>y</b><br />{}", rss(&[item, item].concat()))),
        ("junk behind the root", format!("{}<script>x</script></body>", rss(&[item, item].concat()))),
        ("capitals", rss(&[item, item].concat()).to_ascii_uppercase().replace(">X<", ">x<")),
        ("no version", rss(&[item, item].concat()).replace(" version='2.0'", "")),
        ("another version", rss(&[item, item].concat()).replace("2.0", "0.94")),
        ("an undeclared prefix", rss(&format!("<item><title>x</title><dc:creator>A</dc:creator></item>{item}"))),
        ("a podcast role nobody knows", rss(&format!("<item><title>x</title><podcast:person role='Wizard'>A</podcast:person></item>{item}"))
            .replace("<rss", "<rss xmlns:podcast='https://podcastindex.org/namespace/1.0'")),
        ("the author that feed-rs panics on", rss(&format!("<item><title>x</title><author>记者王小明（wang@example.com）</author></item>{item}"))),
        ("the duration that feed-rs panics on", rss(&format!("<item><title>x</title><itunes:duration>１２３</itunes:duration></item>{item}"))
            .replace("<rss", "<rss xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'")),
        ("Atom 0.3", "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title>x</title></entry><entry><title>x</title></entry></feed>".to_owned()),
        ("Atom's namespace with https", "<feed xmlns='https://www.w3.org/2005/Atom'><entry><title>x</title></entry><entry><title>x</title></entry></feed>".to_owned()),
        ("odd types", "<feed xmlns='http://www.w3.org/2005/Atom'><entry><title type='HTML'>x</title><content type='application/pdf'/></entry>\
            <entry><title>x</title><content src='a'> </content></entry></feed>".to_owned()),
        ("CDF", "<CHANNEL HREF='http://a/'><ITEM HREF='http://a/1'><TITLE>x</TITLE></ITEM><ITEM><TITLE>x</TITLE></ITEM></CHANNEL>".to_owned()),
    ];
    for (damage, document) in cases {
        let feed = read(&document).unwrap_or_else(|e| panic!("{damage}: {e}"));
        let found: Vec<&str> =
            feed.entries.iter().map(|entry| said(entry.title.as_ref()).trim_end_matches('\u{8}')).collect();
        assert_eq!(found, ["x", "x"], "{damage}");
        assert!(feed.is_complete(), "{damage}: {:?}", feed.repairs);
    }
}

#[test]
fn a_cut_off_document_gives_what_is_complete_and_says_so() {
    let item = "<item><title>x</title></item>";
    for broken in
        ["<item><title>y", "<item><title>y</title>", "<item><![CDATA[", "<item a='", "<item", "<!-- ", "", "<ti"]
    {
        let document = format!("<rss version='2.0'><channel>{item}{broken}");
        let feed = read(&document).expect(broken);
        assert_eq!((feed.entries.len(), feed.is_complete()), (1, false), "{broken}");
        assert!(!feed.lost.is_empty(), "{broken}");
    }
}

#[test]
fn texts_are_read_although_they_are_damaged() {
    let texts = |inner: &str| {
        let entry = entries(&rss(&format!("<item>{inner}</item>"))).remove(0);
        (said(entry.title.as_ref()).to_owned(), said(entry.content.as_ref().or(entry.summary.as_ref())).to_owned())
    };
    let pair = |title: &str, text: &str| (title.to_owned(), text.to_owned());
    let cases = [
        ("<title>AT&T & Co</title><description>a&nbsp;b</description>", pair("AT&T & Co", "a\u{a0}b")),
        ("<title>x</title><description>hello <b>bold</b> world</description>", pair("x", "hello <b>bold</b> world")),
        ("<title>x<description>d</description>", pair("x", "d")),
        ("<title>x</title><description><![CDATA[d</description>", pair("x", "d")),
        ("<title>x</title><description>a<content:encoded>b</content:encoded>", pair("x", "b")),
        ("<title>x</title><content:encoded><![CDATA[<p>b]]></content:encoded>", pair("x", "<p>b")),
        ("<dc:title>x</dc:title><dc:description>d</dc:description>", pair("x", "d")),
        ("<media:title>no</media:title><title>x</title>", pair("x", "")),
        ("<title>x</title><body xmlns='http://www.w3.org/1999/xhtml'><p>d</p></body>", pair("x", "<p>d</p>")),
    ];
    for (inner, expected) in cases {
        assert_eq!(texts(inner), expected, "{inner}");
    }
}

#[test]
fn extras_of_all_formats_are_collected() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/"
        xmlns:sy="http://purl.org/rss/1.0/modules/syndication/" xml:lang="en"><title>t</title><link rel="hub" href="https://hub/"/>
        <link rel="self" href="https://s/"/><sy:updatePeriod>daily</sy:updatePeriod><author><name>Feed</name></author>
        <entry xml:lang="de"><title>x</title><link rel="enclosure" href="e.mp3" length="7" type="audio/mpeg"/><link href="p"/>
        <source><title>Other</title><id>urn:o</id><link href="https://o/"/><author><name>O</name></author></source>
        <media:group><media:title>y</media:title><media:content url="v.mp4" type="video/mp4"/>
        <media:thumbnail url="t.jpg"/><media:description>text</media:description></media:group></entry>
        <entry><title>y</title><category term="a" label="A"/></entry></feed>"#;
    let feed = read(atom).expect("feed");
    assert_eq!(feed.repairs, []);
    assert_eq!((feed.meta.hubs, feed.meta.feed.as_deref()), (vec!["https://hub/".to_owned()], Some("https://s/")));
    assert_eq!(feed.meta.pace.period.as_deref(), Some("daily"));
    let [video, other] = &feed.entries[..] else { panic!("two") };
    let urls: Vec<&str> = video.enclosures.iter().map(|e| e.url.as_str()).collect();
    assert_eq!(urls, ["https://example.org/feed/e.mp3", "https://example.org/feed/v.mp4"]);
    assert_eq!(video.enclosures[0].length, Some(7));
    assert_eq!((said(video.summary.as_ref()), video.language.as_deref()), ("text", Some("de")));
    assert_eq!(video.thumbnail.as_deref(), Some("https://example.org/feed/t.jpg"));
    assert_eq!((&video.authors[..], video.links.len()), (&["O".to_owned()][..], 1));
    let origin = video.origin.as_ref().expect("origin");
    assert_eq!((origin.title.as_deref(), origin.link.as_deref()), (Some("Other"), Some("https://o/")));
    assert_eq!((&other.authors[..], &other.categories[..]), (&["Feed".to_owned()][..], &["A".to_owned()][..]));
    let podcast = rss(
        "<ttl>60</ttl><skipHours><hour>1</hour><hour>2</hour></skipHours><skipDays><day>Sunday</day></skipDays>\
        <item><title>x</title><author>a@b.com (Jane)</author><dc:creator>Joe</dc:creator><dc:subject>s</dc:subject>\
        <enclosure url='a.mp3' length='1'/><enclosure url='b.mp3' type='audio/mpeg'/><itunes:author>Show</itunes:author>\
        <source url='https://o/feed'>Other</source></item><item><title>y</title><itunes:author>Show</itunes:author></item>",
    );
    let feed = read(&podcast).expect("feed");
    assert_eq!((feed.meta.pace.ttl, feed.meta.pace.skip_hours.len(), feed.meta.pace.skip_days.len()), (Some(60), 2, 1));
    let [first, second] = &feed.entries[..] else { panic!("two") };
    assert_eq!((&first.authors[..], first.enclosures.len()), (&["Jane".to_owned(), "Joe".to_owned()][..], 2));
    assert_eq!((&first.categories[..], &second.authors[..]), (&["s".to_owned()][..], &["Show".to_owned()][..]));
    assert_eq!(first.origin.as_ref().and_then(|origin| origin.feed.as_deref()), Some("https://o/feed"));
}

#[test]
fn too_many_entries_are_cut_and_counted() {
    let hints = Hints { max_entries: 3, ..Hints::at(base()) };
    let item = "<item><title>x</title></item>";
    let feed = feed(rss(&item.repeat(5)).as_bytes(), &hints).expect("feed");
    assert_eq!((feed.entries.len(), feed.total, feed.is_complete()), (3, 5, false));
}

#[test]
fn hostile_documents_cost_little() {
    // 128 KiB and more of each: anything quadratic would take minutes.
    for part in [
        "<div>",
        "<a xml:base='b/'>",
        "<title>",
        "<title><![CDATA[",
        "<![CDATA[</item",
        "<!--",
        "<!x ",
        "<?x ",
        "<x a=\"",
        "<x a='<x a=\"",
        "<item>",
        "<item><title>",
        "<item><![CDATA[<p>",
        "</item>",
        "</x>",
        "<description><p>",
        "&",
        "&#x",
        "<author><name>",
        "<source><a>",
        "<media:group>",
        "<item><foo>",
        "<foo><item>",
        "<link",
        "<",
        "a@b.c ",
        "xmlns:a='b' ",
    ] {
        let many = part.repeat((1 << 17) / part.len());
        for document in [
            format!("<rss version='2.0'><channel>{many}"),
            format!("<rss version='2.0'><channel><item>{many}</item></channel></rss>"),
            format!(
                "<rss version='2.0'><channel><item><author>{many}</author><description>{many}</description></item></channel></rss>"
            ),
            format!(
                "<feed xmlns='http://www.w3.org/2005/Atom'><entry><content type='xhtml'>{many}</content></entry></feed>"
            ),
            format!("<rss version='2.0' {many}><channel {many}><item {many}/></channel></rss>"),
        ] {
            let _ = read(&document);
        }
    }
    let talk = format!("<feed><title>t</title>{}<entry/></feed>", "<link/>".repeat(envelope::REST));
    assert_eq!(read(&talk).expect("feed").envelope.as_deref(), Some("<feed></feed>"));
}

proptest! {
    #[test]
    fn any_soup_of_markup_is_survived(root in 0..ROOTS.len(), soup in prop::collection::vec(0..48_usize, 0..32)) {
        let pieces: Vec<&str> = SOUP.split(' ').collect();
        let text = soup.iter().fold(ROOTS[root].to_owned(), |text, piece| text + pieces[piece % pieces.len()]);
        if let Ok(found) = read(&text) {
            let mut rest = text.as_str();
            for entry in &found.entries {
                let source = entry.source.as_deref().expect("source");
                let at = rest.find(source).expect("a slice of the document");
                rest = &rest[at + source.len()..];
            }
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = feed(&bytes, &Hints::at(base()));
    }
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = folder.read_dir().into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Text without tags and white space, for comparing.
fn words(text: &str) -> String {
    let outside = text.split('<').enumerate().map(|(i, t)| t.split_once('>').filter(|_| i > 0).map_or(t, |(_, t)| t));
    let text: String = outside.collect();
    html_escape::decode_html_entities(&text).chars().filter(|c| !c.is_whitespace()).collect()
}

/// What differs between the sound reading of a document and others of it: each entry alone in its
/// envelope, and the survey without a parser.
fn differences(body: &[u8], whole: &ReadFeed) -> Vec<String> {
    let mut out = Vec::new();
    let envelope = Envelope::from_text(whole.envelope.as_deref().unwrap_or_default()).expect("envelope");
    for entry in &whole.entries {
        let document = envelope.wrap(entry.source.as_deref().unwrap_or_default());
        let alone = read(&document).map(|feed| feed.entries);
        let alone = alone.as_ref().ok().and_then(|entries| entries.first());
        // An entry of a broken document may be sound when it stands alone.
        let same = alone.is_some_and(|alone| {
            let is_like =
                || alone.guid == entry.guid && words(said(alone.title.as_ref())) == words(said(entry.title.as_ref()));
            alone == entry || (!whole.repairs.is_empty() && is_like())
        });
        if !same {
            out.push(format!("read alone it differs: {}\n{entry:?}\n{alone:?}", document.len()));
        }
    }
    let text = decode::text(body, decode::Labels::default()).text.into_owned();
    if !is_read_alike(decode::without_declaration(&text)) {
        out.push("the parser reads it otherwise without its bodies".to_owned());
    }
    if !whole.repairs.is_empty() || json::is_json(&text) {
        return out;
    }
    let survey = survey::of(&text, &base(), usize::MAX, Reading::Everything).expect("survey");
    for (entry, surveyed) in whole.entries.iter().zip(&survey.entries) {
        for (what, parsed, found) in [
            ("title", &entry.title, &surveyed.title),
            ("content", &entry.content, &surveyed.content),
            ("summary", &entry.summary, &surveyed.summary),
        ] {
            if words(said(parsed.as_ref())) != words(said(found.as_ref())) {
                out.push(format!("{what}: {parsed:?}, {found:?}"));
            }
        }
        let links = |entry: &RawEntry| entry.links.iter().map(|link| link.href.clone()).collect::<Vec<_>>();
        if links(entry).first() != links(surveyed).first() {
            out.push(format!("links: {:?}, {:?}", links(entry), links(surveyed)));
        }
    }
    out
}

/// The first and the last state of each history, and every other file; `FEEDMILL_ALL=1`: each.
#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
fn real_documents_are_read_the_same_in_every_way() {
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
        let mut wrong = Vec::new();
        let (mut documents, mut entries, mut repaired) = (0, 0, 0);
        for path in all {
            let body = std::fs::read(&path).expect("file");
            let Ok(whole) = feed(&body, &Hints::at(base())) else { continue };
            documents += 1;
            entries += whole.entries.len();
            repaired += usize::from(!whole.repairs.is_empty());
            let found = differences(&body, &whole);
            if !found.is_empty() {
                wrong.push(format!("{}: {}", path.display(), found.join("\n  ")));
            }
        }
        eprintln!("{corpus}: {documents} documents ({repaired} repaired), {entries} entries");
        assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// True when it makes no difference that the parser is shown marks in the place of bodies.
fn is_read_alike(text: &str) -> bool {
    let Some(mut survey) = survey::of(text, &base(), usize::MAX, Reading::Facts) else { return true };
    let marked = parse::strict(text, &base(), &mut survey.bodies);
    let whole = parse::whole(text, &base());
    marked.map(|feed| (feed.meta, feed.entries)) == whole.map(|feed| (feed.meta, feed.entries))
}

/// One of them is long enough for a mark.
const BODIES: [&str; 24] = [
    "The quick brown fox jumps over the lazy dog, and again, and again, until nobody wants to read it any more at all. \u{3000}",
    "\u{3000}\u{3000}中文，测试。每天为您报道中国与世界各地的新闻，并提供深入的分析与评论，每天为您报道中国与世界各地的新闻。",
    "<![CDATA[",
    "]]>",
    "<![CDATA[<p>a</p>\r\n",
    "&lt;p&gt;",
    "&amp;nbsp;",
    "&nbsp;",
    "&#8230;",
    "&#x201c;",
    "&#0;",
    "&#150;",
    " & ",
    "<p>",
    "</p>",
    "<br/>",
    "<!--",
    "-->",
    "\"",
    " \u{fdd0}0 ",
    "\u{92}",
    " ",
    "\n",
    "?>",
];

const TEXTS: [&str; 12] = [
    "description",
    "content:encoded",
    "title",
    "link",
    "media:description",
    "itunes:summary",
    "content",
    "content type='html'",
    "content type=\"xhtml\"",
    "content type='text/plain'",
    "summary",
    "summary type='xht&#109;l'",
];

proptest! {
    #[test]
    fn bodies_make_no_difference_to_the_parser(
        is_atom: bool,
        items in prop::collection::vec(
            prop::collection::vec(
                (0..TEXTS.len(), prop::collection::vec((0..BODIES.len(), 0..4_usize), 0..5), 0..40_usize), 0..5), 0..4),
    ) {
        let mut text = String::from(if is_atom {
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:media='http://search.yahoo.com/mrss/'><title>t</title>"
        } else {
            "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/' \
             xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel><title>t</title>"
        });
        let entry = if is_atom { "entry" } else { "item" };
        for elements in items {
            text.extend(["<", entry, ">"]);
            for (name, pieces, odd) in elements {
                let name = TEXTS[name];
                text.extend(["<", name, ">"]);
                for (piece, kind) in pieces {
                    // Sound bodies more often than not.
                    let piece = match kind {
                        0 => BODIES[piece].to_owned(),
                        1 => format!("<![CDATA[{}]]>", BODIES[piece % 2].repeat(2)),
                        2 => format!("&lt;p&gt;{}&amp;amp; ", BODIES[piece % 2].repeat(2)),
                        _ => BODIES[piece % 2].repeat(2),
                    };
                    text.push_str(&piece);
                }
                text.extend(["</", name.split(' ').next().unwrap_or_default(), ">"]);
                if let Some(piece) = BODIES.get(odd) {
                    text.push_str(piece);
                }
            }
            text.extend(["</", entry, ">"]);
        }
        text.push_str(if is_atom { "</feed>" } else { "</channel></rss>" });
        prop_assert!(is_read_alike(&text), "{}", text);
    }
}
