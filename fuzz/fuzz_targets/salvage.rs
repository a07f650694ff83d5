//! Feeds glued from pieces of markup: what bytes by chance never get to.
#![no_main]

use feedmill::read::{Hints, ReadFeed};
use feedmill_fuzz::{base, checked, glued};
use libfuzzer_sys::fuzz_target;

/// Before and behind what is glued.
const ROOTS: [(&str, &str); 8] = [
    ("<rss version='2.0'><channel>", "</channel></rss>"),
    (
        "<rdf:RDF xmlns='http://purl.org/rss/1.0/' xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><channel/>",
        "</rdf:RDF>",
    ),
    ("<feed xmlns='http://www.w3.org/2005/Atom'>", "</feed>"),
    ("<a:feed xmlns:a='http://www.w3.org/2005/Atom'>", "</a:feed>"),
    ("<feed version='0.3' xmlns='http://purl.org/atom/ns#'>", "</feed>"),
    ("<CHANNEL>", "</CHANNEL>"),
    ("{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[", "]}"),
    ("", ""),
];

/// Sound entries; they are the neighbours of what is glued.
const RSS: [&str; 2] = [
    "<item><title>one</title><guid>n1</guid><description><![CDATA[<p>1]]></description></item>",
    "<item><title>two</title><guid>n2</guid><link>http://a/2</link></item>",
];
const ATOM: [&str; 2] = [
    "<entry><title>one</title><id>n1</id><content type='html'>&lt;p>1</content></entry>",
    "<entry><title>two</title><id>n2</id><link href='http://a/2'/></entry>",
];
const JSON: [&str; 2] = ["{\"id\":\"n1\",\"title\":\"one\"},", "{\"id\":\"n2\",\"title\":\"two\"},"];

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("pieces.txt");

fn ids(feed: &ReadFeed) -> Vec<&str> {
    feed.entries.iter().map(|entry| entry.guid.as_deref().unwrap_or_default()).collect()
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, data)) = data.split_first() else { return };
    let (start, end) = ROOTS[usize::from(choice % 8)];
    let entries = match choice % 8 {
        2..=4 => ATOM,
        6 => JSON,
        _ => RSS,
    };
    let soup = glued(data, PIECES);
    let end = if choice & 8 == 0 { end } else { "" };
    let document = if choice & 16 == 0 {
        [start, entries[0], entries[1], &soup, end].concat()
    } else {
        [start, &soup, entries[0], entries[1], end].concat()
    };
    let found = checked(document.as_bytes(), &Hints::at(base()));
    // What comes later never costs an entry that is complete before.
    if choice & 16 == 0 && choice % 8 < 7 {
        let found = found.unwrap_or_else(|| panic!("nothing read: {document}"));
        assert_eq!(ids(&found).get(..2), Some(&["n1", "n2"][..]), "{document}");
    }
});
