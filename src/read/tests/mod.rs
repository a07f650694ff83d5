//! The whole road from bytes to raw entries.

mod alike;
mod broken;

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
