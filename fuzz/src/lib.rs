//! What holds of any document, whatever is in it, and what the targets share.

pub mod page;

use std::sync::Once;
use std::time::Duration;

use feedmill::read::{self, Envelope, Hints, RawEntry, ReadError, ReadFeed};
use rustix::time::{ClockId, clock_gettime};
use url::Url;

/// A reading may cost this much, and so much for each byte. Fuzzed code is slow, so the bound is
/// far above what reading costs; what is quadratic passes it all the same at some 60 KB.
const START: Duration = Duration::from_millis(200);
const PER_BYTE: Duration = Duration::from_micros(20);

/// Lets the panics pass that the reader catches itself: those of feed-rs.
pub fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !read::is_reading() {
                usual(info);
            }
        }));
    });
}

/// Where the documents come from.
pub fn base() -> Url {
    Url::parse("https://example.org/feed/").expect("url")
}

/// Reads a document twice and checks what holds of any.
pub fn checked(body: &[u8], hints: &Hints) -> Option<ReadFeed> {
    quiet();
    // What is packed costs what it unpacks to.
    let is_packed = matches!(body, [0x1f, 0x8b, ..] | [0x78, ..]);
    let found = if is_packed { read::feed(body, hints) } else { timed(body.len(), || read::feed(body, hints)) };
    let again = read::feed(body, hints);
    match (found, again) {
        (Ok(found), Ok(again)) => {
            assert_same(&found, &again);
            check(body, hints, &found);
            Some(found)
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again);
            check_error(&error);
            None
        }
        (found, again) => panic!("read twice it differs: {found:?}, {again:?}"),
    }
}

/// Does something with so many bytes, and checks that it costs time in proportion, where a fuzzer runs: no clock decides a
/// build.
pub fn timed<T>(length: usize, work: impl FnOnce() -> T) -> T {
    let before = cpu();
    let made = work();
    let took = cpu().saturating_sub(before);
    let is_fast = took <= START + PER_BYTE * u32::try_from(length).expect("small");
    assert!(is_fast || !cfg!(fuzzing), "{took:?} for {length} bytes");
    made
}

/// A text glued from pieces, one to a line of `pieces`: what bytes by chance never get to. `⏎` in a piece is a line
/// break, `\u{202e}` a character that nobody sees; bytes beyond the pieces are single characters.
pub fn glued(data: &[u8], pieces: &str) -> String {
    let pieces: Vec<&str> = pieces.lines().collect();
    let mut text = String::new();
    for byte in data {
        match pieces.get(usize::from(*byte)) {
            Some(piece) => unescape(piece, &mut text),
            None => text.push(char::from(b' ' + byte % 95)),
        }
    }
    text
}

fn unescape(piece: &str, text: &mut String) {
    let mut rest = piece;
    while let Some((before, after)) = rest.split_once("\\u{") {
        let (code, after) = after.split_once('}').expect("a code");
        *text += &before.replace('⏎', "\n");
        text.extend(char::from_u32(u32::from_str_radix(code, 16).expect("a number")));
        rest = after;
    }
    *text += &rest.replace('⏎', "\n");
}

/// Bytes as a plain text or as glued pieces. The last byte chooses: a line break, with which text files end, the text.
pub fn text(data: &[u8], pieces: &str) -> Option<(String, u8)> {
    let (choice, data) = data.split_last()?;
    let text = if choice % 2 == 0 { String::from_utf8_lossy(data).into_owned() } else { glued(data, pieces) };
    Some((text, *choice))
}

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().expect("seconds"), now.tv_nsec.try_into().expect("nanoseconds"))
}

fn assert_same(one: &ReadFeed, other: &ReadFeed) {
    assert_eq!(one.meta, other.meta);
    assert_eq!(one.entries, other.entries);
    assert_eq!((&one.envelope, one.charset), (&other.envelope, other.charset));
    assert_eq!((&one.repairs, &one.lost, one.total), (&other.repairs, &other.lost, other.total));
}

fn check(body: &[u8], hints: &Hints, feed: &ReadFeed) {
    assert!(feed.entries.len() <= hints.max_entries);
    assert!(feed.entries.len() + feed.lost.len() >= feed.total.min(hints.max_entries));
    let envelope = feed.envelope.as_deref().expect("an envelope");
    let envelope = Envelope::from_text(envelope).unwrap_or_else(|| panic!("no envelope: {envelope}"));
    let mut rest = str::from_utf8(body).ok().filter(|_| feed.charset == "UTF-8");
    for entry in &feed.entries {
        let source = entry.source.as_deref().expect("a source");
        // Slices of the document, in its order, none in another.
        if let Some(after) = rest {
            let at = after.find(source).unwrap_or_else(|| panic!("not in the document: {source}"));
            rest = Some(&after[at + source.len()..]);
        }
    }
    // With its envelope an entry can be read again by later versions; of a sound document the same.
    let alone = Hints { encoding: Some("utf-8".to_owned()), language: hints.language.clone(), ..Hints::at(base()) };
    for entry in feed.entries.iter().take(3).filter(|_| feed.repairs.is_empty()) {
        let document = envelope.wrap(entry.source.as_deref().unwrap_or_default());
        let read = read::feed(document.as_bytes(), &alone).unwrap_or_else(|error| panic!("{error}: {document}"));
        let read: Vec<_> = read.entries.into_iter().map(without_rel).collect();
        assert_eq!(read, [without_rel(entry.clone())], "{document}");
    }
}

/// feed-rs writes `alternate` where nothing is written.
fn without_rel(mut entry: RawEntry) -> RawEntry {
    entry.links.iter_mut().for_each(|link| link.rel = None);
    entry
}

fn check_error(error: &ReadError) {
    assert!(!error.to_string().is_empty());
}
