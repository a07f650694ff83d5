//! Addresses: what is one page for us stays one, whoever links it and how.
#![no_main]

use feedmill::fetch::{redirected, shown};
use feedmill::identity::canonical_url;
use feedmill::model::{Access, Dedup, FeedId, FeedSource, Revisions, Timestamp};
use feedmill::normalize::{self, html::Cuts};
use feedmill::read::page;
use feedmill::read::{RawEntry, RawLink};
use feedmill_fuzz::{text, timed};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("url.txt");

fn canonical(url: &Url) -> Option<String> {
    canonical_url(url).map(|url| url.as_str().to_owned())
}

/// Shorter addresses hold no more wrappers within wrappers than are opened.
const DEEP: usize = 16 * "google.com/amp/".len();

/// What holds of the canonical form of any address.
fn check(url: &Url) {
    let Some(once) = timed(url.as_str().len(), || canonical(url)) else {
        assert!(!matches!(url.scheme(), "http" | "https"), "{url}");
        return;
    };
    let again = Url::parse(&once).unwrap_or_else(|error| panic!("{once}: {error}"));
    assert!(url.as_str().len() > DEEP || canonical(&again).as_ref() == Some(&once), "not final: {url}");
    // Behind the host, in which browsers allow more, only what RFC 3986 has in an address.
    let is_of_address = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?#%".contains(&b);
    let behind = once.strip_prefix("https://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
    assert!(behind.is_some_and(|behind| behind.bytes().all(is_of_address)), "{once}");

    let is_same = |what: &str, change: &dyn Fn(&mut Url)| {
        let mut other = url.clone();
        change(&mut other);
        assert_eq!(canonical(&other).as_ref(), Some(&once), "{what}: {url} and {other}");
    };
    is_same("scheme", &|url| {
        let other = if url.scheme() == "http" { "https" } else { "http" };
        // An address that names the other scheme's port loses it: that port is the one that goes.
        let _ = url.set_scheme(other);
    });
    is_same("credentials", &|url| {
        let _ = url.set_username("me");
        let _ = url.set_password(Some("geheim"));
    });
    if url.port().is_none() {
        is_same("port 80", &|url| _ = url.set_port(Some(80)));
        is_same("port 443", &|url| _ = url.set_port(Some(443)));
    }
    for tracking in
        ["utm_source=x", "UTM_Medium=rss%20feed", "%75tm_id=1", "fbclid=a.b-c", "xtor=RSS-3", "ref=rss", "at_=&&"]
    {
        let query = url.query().map(str::to_owned);
        is_same(tracking, &|url| {
            let whole = query.as_ref().map_or_else(|| tracking.to_owned(), |query| format!("{query}&{tracking}"));
            url.set_query(Some(&whole));
        });
        is_same(tracking, &|url| {
            let whole = query.as_ref().map_or_else(|| tracking.to_owned(), |query| format!("{tracking}&{query}"));
            url.set_query(Some(&whole));
        });
    }
    let fragment = url.fragment().unwrap_or_default().to_owned();
    if !fragment.contains(':') {
        is_same("text directive", &|url| url.set_fragment(Some(&format!("{fragment}:~:text=a,-b"))));
    }
    // Other pages stay other pages.
    if Some(again.host_str()) == Some(url.host_str()) && again.path().len() > 1 {
        for change in ["a=1", "ref=7", "id=utm_source"] {
            let mut other = again.clone();
            let query = again.query().map_or_else(|| change.to_owned(), |query| format!("{query}&{change}"));
            other.set_query(Some(&query));
            assert_ne!(canonical(&other).as_ref(), Some(&once), "{once} and {other}");
        }
    }
    let mut secret = url.clone();
    let _ = secret.set_password(Some("geheim7"));
    assert!(!shown(&secret).contains("geheim7"), "{}", shown(&secret));
}

fn source(url: &Url) -> FeedSource {
    FeedSource {
        id: FeedId::parse("a").expect("id"),
        name: "A".to_owned(),
        url: url.clone(),
        language: None,
        tags: Vec::new(),
        dedup: Dedup::Auto,
        revisions: Revisions::Keep,
        access: Access::default(),
    }
}

/// The link that an entry gets in a document from `base`.
fn link(href: &str, base: &Url) -> Option<Url> {
    let links = vec![RawLink { href: href.to_owned(), rel: None }];
    let raw = RawEntry { guid: Some("1".to_owned()), links, ..RawEntry::default() };
    let now = Timestamp::from_millis(1_700_000_000_000);
    normalize::entry(&source(base), &Cuts::none(), base, raw, None, now).expect("an entry").link
}

fn check_link(href: &str, base: &Url) {
    if let Some(found) = link(href, base) {
        assert!(matches!(found.scheme(), "http" | "https") && found.has_host(), "{href}: {found}");
        assert_eq!(link(found.as_str(), base).as_ref(), Some(&found), "not final");
        let elsewhere = Url::parse("https://elsewhere.example/x/y").expect("url");
        assert_eq!(link(found.as_str(), &elsewhere).as_ref(), Some(&found), "not absolute");
        check(&found);
    }
    for feed in page::feeds(&format!("<base href=\"x/\"><link rel=feed href=\"{href}\"><a href='{href}'>"), base) {
        assert!(matches!(feed.url.scheme(), "http" | "https"), "{href}: {}", feed.url);
        assert_eq!(feed.url.fragment(), None);
    }
    let Ok(to) = redirected(base, href.as_bytes()) else { return };
    assert!(matches!(to.scheme(), "http" | "https") && to.has_host() && to.fragment().is_none(), "{to}");
    if to.origin() == base.origin() {
        assert_eq!((to.username(), to.password()), (base.username(), base.password()), "{to}");
    } else {
        assert_eq!((to.username(), to.password()), ("", None), "{to}");
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((text, _)) = text(data, PIECES) else { return };
    let mut base = Url::parse("https://user:pw@example.org/feed/?a#b").expect("url");
    for line in text.lines().take(8) {
        check_link(line, &base);
        if let Ok(url) = Url::parse(line) {
            check(&url);
            if matches!(url.scheme(), "http" | "https") {
                base = url;
            }
        }
    }
});
