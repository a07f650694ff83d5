//! Broken documents, hostile ones, and soup.

use proptest::prelude::*;

use super::*;

const ROOTS: [&str; 5] = ["<rss><channel>", "<rdf:RDF><channel/>", "<feed>", "<rss>", ""];

/// Pieces of markup, with blanks between them.
const SOUP: &str = "<rss> <rss/> </rss> <channel\txmlns='u'> <channel/> </channel> <item> </item> <item/> <item> </item> \
    <feed> </feed> <entry> </entry> <title> </title> <id> </id> <a:b\tc=' ' \" > < <! <!-- --> <![CDATA[ ]]> <? ?> \
    <!DOCTYPE [ ] &amp; &#x4E2D; 中 \t / { <content\ttype='xhtml'> </content> <dc:date> <media:group> <link> <author>";

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

/// Each entry without an author gets the feed's.
#[test]
fn names_of_the_feed_are_short_where_each_entry_gets_them() {
    let entries = "<entry><title>x</title></entry>".repeat(3);
    let names = |authors: &str| {
        let text = format!("<feed xmlns='http://www.w3.org/2005/Atom'>{authors}{entries}</feed>");
        read(&text).expect("feed").entries.swap_remove(2).authors
    };
    let author = |name: &str| format!("<author><name>{name}</name></author>");
    assert_eq!(names(&(author("A") + &author("B"))), ["A", "B"]);
    let long = names(&author(&"字".repeat(100_000)));
    assert!(long.len() == 1 && long[0].ends_with('…') && (900..1_100).contains(&long[0].len()), "{}", long[0].len());
    let many: String = (0..3_000).map(|n| author(&n.to_string())).collect();
    assert!((100..600).contains(&names(&many).len()));
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"t\",\"authors\":[{{\"name\":\"{}\"}}],\"items\":[{{\"id\":\"1\"}}]}}",
        "a".repeat(100_000)
    );
    assert!(read(&json).expect("feed").entries[0].authors[0].len() < 1_100);
}

/// A redirect may lead to an address of any length, and each relative one would get a copy of it.
#[test]
fn a_document_at_a_long_address_has_a_short_base() {
    let item = "<item><title>x</title><link>/a?b</link></item><item><title>y</title><link>c</link></item>";
    for (address, links) in [
        ("https://a.b/d/e?".to_owned() + &"q".repeat(1 << 16), ["https://a.b/a?b", "https://a.b/d/c"]),
        ("https://u:p@a.b/d/".to_owned() + &"e/".repeat(1 << 16), ["https://a.b/a?b", "https://a.b/c"]),
    ] {
        let hints = Hints::at(Url::parse(&address).expect("url"));
        let xml = feed(rss(item).as_bytes(), &hints).expect("feed");
        let json = "{\"items\":[{\"id\":\"1\",\"url\":\"/a?b\"},{\"id\":\"2\",\"url\":\"c\"}]}";
        let json = feed(json.as_bytes(), &hints).expect("feed");
        for found in [xml, json] {
            let found: Vec<&str> = found.entries.iter().map(|entry| entry.links[0].href.as_str()).collect();
            assert_eq!(found, links);
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
    let json = r#"{"version":"https://jsonfeed.org/version/1.1","items":[{"id":"1","title":"A"},{"id":"2","tit"#;
    let feed = read(json).expect("feed");
    assert_eq!((feed.is_complete(), feed.lost.len()), (false, 1));
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
