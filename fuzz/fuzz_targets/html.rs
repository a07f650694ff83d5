//! Bodies: whatever comes in, safe HTML on one line goes out, and stays as it is from then on.
#![no_main]

use std::sync::LazyLock;

use feedmill::model::{Enclosure, EntryKey, Post, Timestamp};
use feedmill::normalize::html::{self, Cuts};
use feedmill::normalize::{legal, plain};
use feedmill::post;
use feedmill_fuzz::{page, text, timed};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("html.txt");

/// Made once: a regular expression costs more than a body.
static PAGE: LazyLock<Url> = LazyLock::new(|| Url::parse("https://example.org/a/b.html?c=d").expect("url"));
static ELSEWHERE: LazyLock<Url> = LazyLock::new(|| Url::parse("http://cdn.example/x/").expect("url"));
static CUTS: LazyLock<Cuts> =
    LazyLock::new(|| Cuts::new(&["div.k".to_owned(), "[title*=x]".to_owned()], &["x+y".to_owned()]).expect("cuts"));

/// What a body may never be, with the addresses in it.
fn check(body: &str) -> Vec<page::Address> {
    assert!(html::is_clean(body), "not proved: {body}");
    assert_eq!(body.trim_ascii(), body);
    assert_eq!(legal(body), body);
    // Neither Liquid nor kramdown finds anything to run without these.
    assert!(!body.contains(['\n', '\r', '{', '\u{85}', '\u{2028}', '\u{2029}']), "{body}");
    page::check(body)
}

/// Nothing relative is left where the base is known, except for places in the text itself and what is no address.
fn check_absolute(addresses: &[page::Address], base: &Url) {
    for address in addresses {
        let text = address.text.trim();
        let is_own = text.is_empty() || text.starts_with('#') || base.join(text).is_err();
        assert!(is_own || Url::parse(text).is_ok(), "{} {} {text}", address.element, address.attribute);
    }
}

fn post(body: String, addresses: &[page::Address], choice: u8) -> Post {
    const TYPES: [Option<&str>; 4] = [None, Some("image/png"), Some("audio/mpeg"), Some("video/\"><script>")];
    let enclosure = |(n, address): (usize, &page::Address)| Enclosure {
        url: address.text.clone(),
        media_type: TYPES[(n + usize::from(choice)) % 4].map(str::to_owned),
        length: None,
    };
    Post {
        title: "t".to_owned(),
        date: Timestamp::default(),
        author: "a".to_owned(),
        from: addresses.first().map(|address| address.text.clone()).unwrap_or_default(),
        tags: Vec::new(),
        categories: Vec::new(),
        updated: None,
        lang: None,
        enclosures: addresses.iter().take(3).enumerate().map(enclosure).collect(),
        claimed: None,
        key: EntryKey::of("x"),
        body,
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((raw, choice)) = text(data, PIECES) else { return };
    let base = Some(&*PAGE).filter(|_| choice & 2 != 0);
    let none = Cuts::none();

    let body = timed(raw.len(), || html::body(&raw, base, &none));
    let addresses = check(&body);
    assert_eq!(html::body(&body, base, &none), body, "not final");
    assert_eq!(html::body(&body, None, &none), body, "not final without a base");
    // Addresses and broken frames may be written out, but nothing else grows.
    assert!(body.len() <= raw.len() * 64 + 256, "{} bytes of {}", body.len(), raw.len());
    // What is proved stays byte for byte.
    if html::is_clean(&raw) && legal(&raw) == raw && !raw.contains(['\n', '\r', '\t', '\u{c}']) {
        assert_eq!(body, raw.trim_ascii().replace('{', "&#123;"));
    }
    // A text without markup is the text.
    if !raw.contains(['<', '&']) {
        assert_eq!(plain(&body), plain(&raw));
    }

    // In its post it stays what it is.
    let post = post(body, &addresses, choice);
    assert_eq!(post::from_text(&post::to_text(&post)).as_ref(), Ok(&post));

    let published = timed(raw.len(), || html::published(&post.body, base).into_owned());
    let addresses = check(&published);
    assert_eq!(html::published(&published, base), published, "published is not final");
    if base.is_some() {
        check_absolute(&addresses, &PAGE);
    }
    // Somebody may have edited the post.
    check(&html::published(&raw, base));
    let shown = html::for_readers(&post, base).into_owned();
    check(&shown);
    assert_eq!(html::published(&shown, base), shown, "what readers get is not final");

    check(&html::based(post.body.clone(), &ELSEWHERE, base));
    for length in [1, 16, usize::from(choice)] {
        let beginning = html::beginning(&published, length);
        assert!(published.starts_with(beginning));
        assert!(plain(&published).starts_with(&plain(beginning)), "{beginning}: {published}");
    }
    check(&html::body(&raw, base, &CUTS));
});
