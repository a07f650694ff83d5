//! Foreign to ours: absolute link, plain title, safe body, sane date.

mod allow;
pub mod html;
mod nest;
mod plain;
mod published;
mod rewrite;
mod room;
mod scan;
mod soup;
mod text;
mod title;

use std::collections::HashSet;

use url::Url;

use crate::model::{Enclosure, Entry, FeedMeta, FeedSource, Timestamp};
use crate::read::{ELEMENTS, RawEntry, RawLink, RawMeta, RawText, short};
use html::Cuts;

pub use plain::plain;
pub use text::legal;

/// Claims before 1990 are mistakes: no feed format existed.
const EARLIEST_CLAIM: Timestamp = Timestamp::from_millis_const(631_152_000_000);

/// The longest address that is one (bytes); browsers and servers take none as long.
const LONGEST_ADDRESS: usize = 8 << 10;

/// Bytes of a title or of rights, of all names or all tags of an entry, of one tag, of a date, and of a media type: what
/// is longer is none of anybody, and is cut where half of it still says something.
const TITLE: usize = 8 << 10;
const LIST: usize = 64 << 10;
const TAG: usize = 2 << 10;
const DATE: usize = 1 << 10;
const MEDIA_TYPE: usize = 255;
/// Bytes of each thing that a feed says of itself: all of them go into every entry that is published.
const OF_FEED: usize = 2 << 10;

/// An entry that was left out, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// Neither title, body, link nor guid: nothing that could be kept or recognised.
    #[error("the entry has neither title nor text nor link nor id")]
    Nothing,
}

/// Turns a parsed entry into one of ours.
///
/// `base` is the address the document came from; `now` is first sight, which dates entries whose
/// own claim is missing, before 1990 or later than first sight.
pub fn entry(
    source: &FeedSource,
    cuts: &Cuts,
    base: &Url,
    raw: RawEntry,
    feed_language: Option<&str>,
    now: Timestamp,
) -> Result<Entry, Reject> {
    let guid = raw.guid.as_deref().map(|guid| text::legal(guid).trim().to_owned()).filter(|g| !g.is_empty());
    // RSS 2.0: a guid is an address unless it says that it is none.
    let page = guid.as_deref().filter(|_| raw.guid_is_permalink != Some(false));
    // The address of the page itself outlives the redirector that counts its readers.
    let own = raw.orig_link.as_deref().and_then(|link| web_address(link, base));
    let link = own.or_else(|| entry_link(&raw.links, page, base));
    let body_base = raw.base.as_ref().or(link.as_ref()).unwrap_or(base);
    let raw_body = best_text(raw.content, raw.summary);
    let mut body = raw_body.map(|b| html::body(&as_html(b), Some(body_base), cuts)).unwrap_or_default();
    if let Some(base) = raw.base.as_ref().filter(|base| Some(*base) != link.as_ref()) {
        // The post will not say it, and without it nobody finds the place.
        body = html::based(body, base, link.as_ref());
    }
    let own_title = raw.title.as_ref().map(title::of).filter(|t| !t.is_empty());
    if own_title.is_none() && body.is_empty() && link.is_none() && guid.is_none() && raw.enclosures.is_empty() {
        return Err(Reject::Nothing);
    }
    let title_is_made = own_title.is_none();
    let title = own_title.unwrap_or_else(|| made_title(&body, link.as_ref(), guid.as_deref(), source));
    let title = short(title, TITLE);
    // Atom feeds that only ever set `updated` mean it as the date.
    let claimed = raw.published.or(raw.updated);
    let usable = claimed.filter(|claim| (EARLIEST_CLAIM..=now).contains(claim));
    Ok(Entry {
        feed: source.id.clone(),
        link,
        guid,
        title,
        title_is_made,
        author: author(&raw.authors),
        categories: categories(raw.categories),
        language: [raw.language.as_deref(), feed_language, source.language.as_deref()]
            .into_iter()
            .flatten()
            .find_map(language),
        date: usable.unwrap_or(now),
        claimed,
        claimed_text: raw
            .raw_date
            .map(|text| text::legal(&text).trim().to_owned())
            .filter(|text| !text.is_empty())
            .map(|text| short(text, DATE)),
        date_is_made: usable.is_none(),
        updated: raw.updated.filter(|u| (EARLIEST_CLAIM..=now).contains(u)),
        enclosures: enclosures(raw.enclosures, base),
        rights: raw.rights.as_ref().map(title::of).filter(|r| !r.is_empty()).map(|r| short(r, TITLE)),
        body,
    })
}

/// Turns what a feed says of itself into plain values.
pub fn meta(raw: &RawMeta, base: &Url) -> FeedMeta {
    // Half an id is another one, and half an address leads nowhere.
    let whole = |text: &String| text.len() <= OF_FEED;
    let web = |address: &String| web_address(address, base).map(String::from).filter(whole);
    let said = |text: &RawText| Some(title::of(text)).filter(|text| !text.is_empty()).map(|text| short(text, OF_FEED));
    FeedMeta {
        title: raw.title.as_ref().and_then(said),
        id: raw.id.as_ref().map(|id| text::legal(id).trim().to_owned()).filter(whole),
        link: raw.link.as_ref().and_then(web),
        language: raw.language.as_deref().and_then(language),
        rights: raw.rights.as_ref().and_then(said),
        icon: raw.icon.as_ref().and_then(web),
    }
}

/// The page an entry is about: `rel=alternate` or no `rel`; else a guid that is an address.
fn entry_link(links: &[RawLink], guid: Option<&str>, base: &Url) -> Option<Url> {
    let pages = links.iter().filter(|l| matches!(l.rel.as_deref(), None | Some("alternate" | "")));
    let page = pages.map(|l| l.href.as_str()).find_map(|href| web_address(href, base));
    page.or_else(|| Url::parse(guid?).ok().filter(is_web))
}

fn web_address(text: &str, base: &Url) -> Option<Url> {
    let clean = text::legal(text);
    let clean = clean.trim();
    if clean.is_empty() {
        return None;
    }
    base.join(clean).ok().filter(is_web)
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.as_str().len() <= LONGEST_ADDRESS
}

/// The full text, or the teaser where there is no full text.
fn best_text(content: Option<RawText>, summary: Option<RawText>) -> Option<RawText> {
    content
        .filter(|text| match text {
            RawText::Plain(text) | RawText::Markup(text) => !text.trim().is_empty(),
        })
        .or(summary)
}

fn as_html(text: RawText) -> String {
    match text {
        RawText::Markup(html) => html,
        RawText::Plain(plain) => {
            let escaped = html_escape::encode_text(plain.trim()).into_owned();
            let lines: Vec<&str> = escaped.lines().map(str::trim_end).collect();
            if escaped.is_empty() { escaped } else { format!("<p>{}</p>", lines.join("<br/>")) }
        }
    }
}

fn made_title(body: &str, link: Option<&Url>, guid: Option<&str>, source: &FeedSource) -> String {
    let words = title::first_words(&plain(body));
    if !words.is_empty() {
        return words;
    }
    link.map(Url::as_str).or(guid).unwrap_or(&source.name).to_owned()
}

fn author(names: &[String]) -> Option<String> {
    let names = distinct(names.iter().map(|name| title::of(&RawText::Markup(name.clone()))));
    (!names.is_empty()).then(|| short(names.join(", "), LIST))
}

fn categories(found: Vec<String>) -> Vec<String> {
    let mut tags = distinct(found.into_iter().map(|tag| short(title::of(&RawText::Markup(tag)), TAG)));
    let mut room = LIST;
    tags.retain(|tag| {
        let left = room.checked_sub(tag.len());
        room = left.unwrap_or_default();
        left.is_some()
    });
    tags
}

/// Each text once, as many of them as an element may be there in other formats.
fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts.filter(|text| !text.is_empty() && seen.insert(text.clone())).take(ELEMENTS).collect()
}

/// BCP 47 in form; anything else is not a language.
pub fn language(text: &str) -> Option<String> {
    let text = text.trim().replace('_', "-");
    let form = |(i, part): (usize, &str)| {
        let range = if i == 0 { 2..=3 } else { 1..=8 };
        range.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if text.len() > 35 || !text.split('-').enumerate().all(form) {
        return None;
    }
    // The case that RFC 5646 section 2.1.1 recommends; feed-rs lowers all of it.
    let cased = text.split('-').enumerate().map(|(i, part)| match (i, part.len()) {
        (0, _) => part.to_ascii_lowercase(),
        (_, 2) if part.bytes().all(|b| b.is_ascii_alphabetic()) => part.to_ascii_uppercase(),
        (_, 4) if part.bytes().all(|b| b.is_ascii_alphabetic()) => {
            part[..1].to_ascii_uppercase() + &part[1..].to_ascii_lowercase()
        }
        _ => part.to_ascii_lowercase(),
    });
    Some(cased.collect::<Vec<_>>().join("-"))
}

fn enclosures(found: Vec<Enclosure>, base: &Url) -> Vec<Enclosure> {
    let mut seen = HashSet::new();
    let kept = found.into_iter().filter_map(|enclosure| {
        let url = web_address(&enclosure.url, base).map(String::from).filter(|url| seen.insert(url.clone()))?;
        let media_type = enclosure.media_type.map(|t| text::legal(&t).trim().to_owned());
        let media_type = media_type.filter(|t| (1..=MEDIA_TYPE).contains(&t.len()));
        Some(Enclosure { url, media_type, ..enclosure })
    });
    kept.take(ELEMENTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FeedId;

    fn source() -> FeedSource {
        FeedSource {
            id: FeedId::parse("a").expect("id"),
            name: "甲".into(),
            url: Url::parse("https://example.org/feed").expect("url"),
            language: Some("zh-Hans".into()),
            tags: vec![],
            dedup: crate::model::Dedup::Auto,
            revisions: crate::model::Revisions::Keep,
            access: crate::model::Access::default(),
        }
    }

    fn normal(raw: RawEntry) -> Result<Entry, Reject> {
        let source = source();
        let now = Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").expect("time");
        entry(&source, &Cuts::none(), &source.url, raw, None, now)
    }

    #[test]
    fn an_entry_of_nothing_is_rejected_with_its_reason() {
        assert_eq!(normal(RawEntry::default()).unwrap_err(), Reject::Nothing);
    }

    #[test]
    fn claims_that_cannot_be_true_are_replaced_by_first_sight() {
        for claim in ["1970-01-01T00:00:00Z", "2027-01-01T00:00:00Z"] {
            let claimed = Timestamp::parse_rfc3339(claim);
            let raw = RawEntry { guid: Some("x".into()), published: claimed, ..RawEntry::default() };
            let entry = normal(raw).expect("entry");
            assert_eq!(entry.date.rfc3339_millis(), "2026-11-22T00:00:00.000Z");
            assert!(entry.date_is_made);
            assert_eq!(entry.claimed, claimed);
        }
    }

    #[test]
    fn links_are_absolute_and_web_only() {
        let link = |href: &str| {
            let links = vec![RawLink { href: href.into(), rel: None }];
            normal(RawEntry { guid: Some("x".into()), links, ..RawEntry::default() }).expect("entry").link
        };
        assert_eq!(link("/a b").map(String::from).as_deref(), Some("https://example.org/a%20b"));
        assert_eq!(link("javascript:alert(1)"), None);
        assert_eq!(link("  "), None);
    }

    #[test]
    fn an_address_that_is_longer_than_any_is_none() {
        let links =
            |tail: usize| ["/", "/?", "https://", "https://u:"].map(|start| start.to_owned() + &"a".repeat(tail));
        for (length, are_some) in [(8_000, true), (9_000, false), (1 << 20, false)] {
            for href in links(length).into_iter().take(if are_some { 2 } else { 4 }) {
                let enclosures = vec![Enclosure { url: href.clone(), media_type: None, length: None }];
                let links = vec![RawLink { href, rel: None }];
                let raw = RawEntry { guid: Some("x".into()), links, enclosures, ..RawEntry::default() };
                let entry = normal(raw).expect("entry");
                assert_eq!((entry.link.is_some(), entry.enclosures.len()), (are_some, usize::from(are_some)));
            }
        }
        let guid = Some(format!("https://example.org/{}", "a".repeat(9_000)));
        assert_eq!(normal(RawEntry { guid, ..RawEntry::default() }).expect("entry").link, None);
    }

    #[test]
    fn short_texts_are_cut_between_characters_where_they_are_longer_than_any() {
        let long = |length: usize| "字".repeat(length);
        let text = |length: usize| Some(RawText::Plain(long(length)));
        let name = || vec![long(400); 2_000].into_iter().enumerate().map(|(n, name)| format!("{n}{name}"));
        let raw = RawEntry {
            title: text(1_000_000),
            authors: name().collect(),
            categories: name().collect(),
            rights: text(1_000_000),
            raw_date: Some(long(1_000_000)),
            guid: Some("x".into()),
            enclosures: vec![Enclosure { url: "https://a.b/".into(), media_type: Some(long(1_000_000)), length: None }],
            ..RawEntry::default()
        };
        let entry = normal(raw).expect("entry");
        assert!(entry.title.ends_with("字…") && (8_000..9_000).contains(&entry.title.len()), "{}", entry.title.len());
        let author = entry.author.expect("author");
        assert!(author.ends_with("字…") && (60_000..70_000).contains(&author.len()), "{}", author.len());
        assert!(entry.rights.is_some_and(|rights| rights.len() < 9_000));
        assert!(entry.claimed_text.is_some_and(|date| date.len() < 2_000));
        assert!(entry.enclosures[0].media_type.as_ref().is_none_or(|kind| kind.len() < 2_000));
        let tags: usize = entry.categories.iter().map(String::len).sum();
        assert!((60_000..70_000).contains(&tags) && entry.categories[0].len() > 1_200, "{tags}");
        // What is made of other texts is bounded as well.
        let guid = Some("g".repeat(1_000_000));
        assert!(normal(RawEntry { guid, ..RawEntry::default() }).expect("entry").title.len() < 9_000);
        let marks = format!("a{}", "\u{301}".repeat(1_000_000));
        let content = Some(RawText::Plain(marks));
        assert!(normal(RawEntry { content, ..RawEntry::default() }).expect("entry").title.len() < 9_000);
        // And what is long, but not longer than any, stays.
        let raw = RawEntry { title: text(1_000), authors: vec![long(1_000)], ..RawEntry::default() };
        let entry = normal(raw).expect("entry");
        assert_eq!((entry.title, entry.author), (long(1_000), Some(long(1_000))));
    }

    /// All of it goes into every entry that is published.
    #[test]
    fn what_a_feed_says_of_itself_is_short() {
        let raw = |length: usize| {
            let (text, address) = ("字".repeat(length), format!("https://a.b/{}", "x".repeat(length)));
            RawMeta {
                title: Some(RawText::Plain(text.clone())),
                rights: Some(RawText::Plain(text)),
                id: Some(address.clone()),
                link: Some(address.clone()),
                icon: Some(address),
                ..RawMeta::default()
            }
        };
        let base = source().url;
        let long = meta(&raw(100_000), &base);
        let texts = [long.title, long.rights].map(|text| text.expect("text"));
        assert!(texts.iter().all(|text| text.ends_with("字…") && (1_000..3_000).contains(&text.len())));
        // Half an address leads nowhere, and half an id is another one.
        assert_eq!((long.id, long.link, long.icon), (None, None, None));
        let real = meta(&raw(300), &base);
        assert_eq!(real.title.as_ref().map(String::len), Some(900));
        assert!([real.rights, real.id, real.link, real.icon].iter().all(Option::is_some));
    }

    #[test]
    fn many_tags_and_files_cost_little() {
        let raw = RawEntry {
            categories: (0..150_000).map(|n| n.to_string()).collect(),
            authors: (0..150_000).map(|n| n.to_string()).collect(),
            enclosures: (0..100_000)
                .map(|n| Enclosure { url: format!("https://a.b/{}", n % 99_000), media_type: None, length: None })
                .collect(),
            ..RawEntry::default()
        };
        let entry = normal(raw).expect("entry");
        assert_eq!((entry.categories.len(), entry.enclosures.len()), (4_096, 4_096));
        let post = crate::post::from_entry(entry, crate::model::EntryKey::of("x"), &source());
        assert_eq!(post.tags.len(), 4_097);
    }

    #[test]
    fn a_missing_title_comes_from_the_body() {
        let content = Some(RawText::Markup("<p>一二三 <b>四</b></p><p>五</p>".into()));
        let entry = normal(RawEntry { content, ..RawEntry::default() }).expect("entry");
        assert_eq!(entry.title, "一二三 四 五");
        assert!(entry.title_is_made);
    }

    #[test]
    fn plain_text_becomes_html() {
        let content = Some(RawText::Plain("a < b\nc".into()));
        let entry = normal(RawEntry { content, ..RawEntry::default() }).expect("entry");
        assert_eq!(entry.body, "<p>a &lt; b<br/>c</p>");
    }

    /// Bodies stay as received, but nobody knows `xml:base` later.
    #[test]
    fn a_base_of_its_own_is_not_lost() {
        let received = "<a href=\"#n\">1</a><img src=\"c.png\" alt='{'><a href=\"https://a.b/\">2</a>";
        let with = |base: Option<&str>| {
            let links = vec![RawLink { href: "https://example.org/2021/x.html".into(), rel: None }];
            let base = base.and_then(|base| Url::parse(base).ok());
            let content = Some(RawText::Markup(received.into()));
            normal(RawEntry { links, content, base, ..RawEntry::default() }).expect("entry").body
        };
        let kept = received.replace('{', "&#123;");
        assert_eq!(with(None), kept);
        assert_eq!(with(Some("https://example.org/2021/")), kept, "the same place");
        assert_eq!(with(Some("https://cdn.example.org/")), kept.replace("c.png", "https://cdn.example.org/c.png"));
    }

    #[test]
    fn languages_have_the_form_of_bcp_47() {
        assert_eq!(language("zh_cn").as_deref(), Some("zh-CN"));
        assert_eq!(language("ZH-hans-tw").as_deref(), Some("zh-Hans-TW"));
        assert_eq!(language("Chinese, simplified"), None);
        assert_eq!(language(""), None);
    }
}
