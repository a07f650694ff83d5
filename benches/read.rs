//! What reading a sound document costs beside the parser alone, what reading a broken one costs, and
//! what is done with its entries before anything is looked up. Compare the rows of one run; the figures of two machines, or of two runs on a busy one,
//! say nothing.

use divan::Bencher;
use divan::counter::BytesCount;
use feedmill::identity;
use feedmill::model::{Access, Dedup, Entry, FeedId, FeedSource, Revisions, Timestamp};
use feedmill::normalize::{self, html::Cuts};
use feedmill::read::{self, Hints, RawEntry};
use url::Url;

fn main() {
    divan::main();
}

const ENTRIES: usize = 500;

/// How bodies are written.
#[derive(Clone, Copy, Debug)]
enum Body {
    Cdata,
    Escaped,
    Xhtml,
}

/// A document of real proportions: 500 entries of 2 KB of markup in Chinese and English.
fn document(body: Body) -> String {
    let paragraph =
        "<p>自由亚洲电台普通话频道，每天为您报道 <a href=\"https://example.org/a?b=1\">中国与世界各地</a> 的新闻。\
                     The quick brown fox jumps over the lazy dog, again and again.</p>\n"
            .repeat(10);
    let escaped = html_escape::encode_text(&paragraph).into_owned();
    let entry = |i: usize| match body {
        Body::Cdata | Body::Escaped => {
            let text = if matches!(body, Body::Cdata) { format!("<![CDATA[{paragraph}]]>") } else { escaped.clone() };
            format!(
                "<item><title>条目 {i}</title><link>https://example.org/{i}</link><guid isPermaLink=\"false\">g{i}</guid>\
                 <pubDate>Wed, 28 Jul 2021 11:01:00 GMT</pubDate><dc:creator>记者</dc:creator><category>新闻</category>\
                 <description>摘要</description><content:encoded>{text}</content:encoded></item>\n"
            )
        }
        Body::Xhtml => format!(
            "<entry><title>条目 {i}</title><link href=\"https://example.org/{i}\"/><id>urn:x:{i}</id>\
             <updated>2021-07-28T11:01:00Z</updated><author><name>记者</name></author><category term=\"新闻\"/>\
             <content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">{paragraph}</div></content></entry>\n"
        ),
    };
    let entries: String = (0..ENTRIES).map(entry).collect();
    match body {
        Body::Xhtml => format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>t</title>\
             <id>urn:x</id><updated>2021-07-28T11:01:00Z</updated>{entries}</feed>"
        ),
        _ => format!(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
             xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>t</title>\
             <link>https://example.org/</link><description>d</description>{entries}</channel></rss>"
        ),
    }
}

/// Every kind of damage that a whole document has to be read again for: an end that is missing.
fn broken(body: Body) -> String {
    document(body).replacen("</title>", "", 2)
}

fn hints() -> Hints {
    Hints::at(Url::parse("https://example.org/feed").expect("url"))
}

/// Bytes to text and feed-rs as it comes: the floor.
#[divan::bench(args = [Body::Cdata, Body::Escaped, Body::Xhtml])]
fn parser_alone(bencher: Bencher, body: Body) {
    let document = document(body);
    bencher.counter(BytesCount::of_str(&document)).bench(|| {
        let text = str::from_utf8(document.as_bytes()).expect("utf-8");
        feed_rs::parser::parse(text.as_bytes()).expect("feed")
    });
}

#[divan::bench(args = [Body::Cdata, Body::Escaped, Body::Xhtml])]
fn sound(bencher: Bencher, body: Body) {
    let (document, hints) = (document(body), hints());
    assert!(read::feed(document.as_bytes(), &hints).expect("feed").repairs.is_empty());
    bencher.counter(BytesCount::of_str(&document)).bench(|| read::feed(document.as_bytes(), &hints).expect("feed"));
}

#[divan::bench(args = [Body::Cdata, Body::Escaped, Body::Xhtml])]
fn salvaged(bencher: Bencher, body: Body) {
    let (document, hints) = (broken(body), hints());
    let feed = read::feed(document.as_bytes(), &hints).expect("feed");
    assert!(!feed.repairs.is_empty() && feed.entries.len() == ENTRIES);
    bencher.counter(BytesCount::of_str(&document)).bench(|| read::feed(document.as_bytes(), &hints).expect("feed"));
}

/// The entries of a document as they were read, and how many bytes it has.
fn raw(body: Body) -> (Vec<RawEntry>, BytesCount) {
    let document = document(body);
    let feed = read::feed(document.as_bytes(), &hints()).expect("feed");
    (feed.entries, BytesCount::of_str(&document))
}

fn entries(raw: Vec<RawEntry>) -> Vec<Entry> {
    let base = hints().base;
    let source = FeedSource {
        id: FeedId::parse("example").expect("id"),
        name: "Example".to_owned(),
        url: base.clone(),
        language: None,
        tags: Vec::new(),
        dedup: Dedup::Auto,
        revisions: Revisions::Keep,
        access: Access::default(),
    };
    let (cuts, now) = (Cuts::none(), Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").expect("time"));
    raw.into_iter().map(|raw| normalize::entry(&source, &cuts, &base, raw, None, now).expect("entry")).collect()
}

#[divan::bench(args = [Body::Cdata, Body::Escaped, Body::Xhtml])]
fn normalized(bencher: Bencher, body: Body) {
    let (raw, bytes) = raw(body);
    bencher.counter(bytes).with_inputs(|| raw.clone()).bench_values(entries);
}

#[divan::bench(args = [Body::Cdata, Body::Escaped, Body::Xhtml])]
fn recognised(bencher: Bencher, body: Body) {
    let (raw, bytes) = raw(body);
    let entries = entries(raw);
    bencher.counter(bytes).bench(|| identity::keys(&entries, Dedup::Auto));
}
