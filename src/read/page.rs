//! The feeds that a web page links. What is found is a proposal; only fetching it proves a feed.

pub(super) mod tags;

use std::borrow::Cow;
use std::collections::HashSet;

use url::Url;

use self::tags::{Tag, Tags};

/// More than any page means seriously.
const MOST: usize = 20;
/// Links looked at in one page: joining each with a long base takes time.
const MOST_LINKS: usize = 1_000;
/// Longest address that is believed.
const LONGEST: usize = 4_096;

/// The format a page announces for a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FeedKind {
    /// RSS of any version, or an XML feed of a format not told.
    Rss,
    /// Atom.
    Atom,
    /// JSON Feed.
    Json,
}

/// A feed that a page links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFeed {
    /// Absolute, `http` or `https`, without fragment.
    pub url: Url,
    /// What the page calls it: plain text.
    pub title: Option<String>,
    /// What the page says it is; the answer may be something else.
    pub kind: FeedKind,
}

/// The feeds that a page declares, best first: in the order of the page, feeds of comments last, at most 20.
///
/// A page that declares none (`rel=alternate` with the type of a feed, or `rel=feed`) is searched for links whose
/// address looks like one; those on the page's own host come first.
pub fn feeds(html: &str, base: &Url) -> Vec<PageFeed> {
    let mut home = None;
    let (mut declared, mut guessed) = (Vec::new(), Vec::new());
    for tag in Tags::new(html).filter(|tag| !tag.is_end) {
        if tag.is("base") {
            home = home.or_else(|| absolute(&tag.get("href")?, base));
        } else if tag.is("link") || tag.is("a") || tag.is("area") {
            let Some(href) = tag.get("href").filter(|href| href.len() <= LONGEST) else { continue };
            if let Some(kind) = declared_kind(&tag, &href) {
                declared.push((href, tag.get("title"), kind));
            } else if let Some(kind) = guessed_kind(&href).filter(|_| !tag.is("link") && guessed.len() < MOST_LINKS) {
                guessed.push((href, tag.get("title"), kind));
            }
            if declared.len() == MOST_LINKS {
                break;
            }
        }
    }
    // `<base>` counts for links before it too.
    let home = home.as_ref().unwrap_or(base);
    let mut found = resolved(declared, home);
    if found.is_empty() {
        found = resolved(guessed, home);
        found.sort_by_key(|feed| feed.url.host() != base.host());
    }
    found.sort_by_key(is_of_comments);
    found.truncate(MOST);
    found
}

type Link<'t> = (Cow<'t, str>, Option<Cow<'t, str>>, FeedKind);

/// True for a text that begins like a web page. Feeds that a page generator wrote have its DOCTYPE.
pub(super) fn is_page(text: &str) -> bool {
    const HEAD: usize = 2_048;
    let head: String = text.chars().take(HEAD).map(|c| c.to_ascii_lowercase()).collect();
    head.contains("<html") || head.contains("<head") || head.contains("<body")
}

fn resolved(links: Vec<Link<'_>>, base: &Url) -> Vec<PageFeed> {
    let mut seen = HashSet::new();
    let mut feeds = Vec::new();
    for (href, title, kind) in links {
        let Some(url) = absolute(&href, base).filter(|url| seen.insert(url.clone())) else { continue };
        feeds.push(PageFeed { url, title: title.and_then(|title| clean(&title, 200)), kind });
    }
    feeds
}

/// `None` also for `#top` and the like, which lead to the page itself.
fn absolute(href: &str, base: &Url) -> Option<Url> {
    let href = without_feed_scheme(href.trim());
    if href.is_empty() || href.starts_with('#') || href.len() > LONGEST {
        return None;
    }
    let mut url = base.join(&href).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_fragment(None);
    Some(url)
}

/// `feed://example.org/a`, `feed:https://example.org/a` and their relatives as plain web addresses.
pub(super) fn without_feed_scheme(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once(':') else { return Cow::Borrowed(text) };
    let plain = match scheme.to_ascii_lowercase().as_str() {
        "feed" | "itpc" | "pcast" | "podcast" | "rss" => "http:",
        "feeds" => "https:",
        _ => return Cow::Borrowed(text),
    };
    let inner = rest.trim_start_matches('/');
    let has_own = |scheme: &str| inner.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if has_own("http:") || has_own("https:") { Cow::Borrowed(inner) } else { Cow::Owned(format!("{plain}//{inner}")) }
}

/// What a link says about itself by `rel` and `type`.
fn declared_kind(tag: &Tag<'_>, href: &str) -> Option<FeedKind> {
    let rel = tag.get("rel")?;
    let has = |token: &str| rel.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case(token));
    let media_type = tag.get("type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_other = |signs: &[&str]| signs.iter().any(|sign| href.contains(sign));
    let kind = match media_type.as_str() {
        "application/rss+xml" | "application/rdf+xml" | "application/rss" | "text/rss+xml" | "text/rss" => {
            FeedKind::Rss
        }
        "application/atom+xml" | "application/atom" | "text/atom+xml" | "application/x.atom+xml" => FeedKind::Atom,
        "application/feed+json" => FeedKind::Json,
        // WordPress announces each page in its own JSON form.
        "application/json" if !is_other(&["wp-json", "oembed"]) => FeedKind::Json,
        "application/xml" | "text/xml" if !is_other(&["sitemap", "oembed", "opensearch"]) => FeedKind::Rss,
        _ if has("feed") => return Some(guessed_kind(href).unwrap_or(FeedKind::Rss)),
        _ => return None,
    };
    (has("feed") || has("alternate") && !has("stylesheet")).then_some(kind)
}

/// What an address looks like.
fn guessed_kind(href: &str) -> Option<FeedKind> {
    const NAMES: [&str; 9] = ["feed", "feeds", "rss", "rss2", "atom", "rdf", "feed.php", "rss.php", "rss.aspx"];
    const OTHER_XML: [&str; 5] = ["sitemap", "opensearch", "osd", "manifest", "browserconfig"];
    let href = href.to_ascii_lowercase();
    let address = href.split('#').next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    let is_feed = NAMES.contains(&name)
        || matches!(ending, "rss" | "rdf" | "atom")
        || ending == "xml" && !OTHER_XML.iter().any(|other| stem.contains(other))
        || ending == "json" && stem.contains("feed")
        || query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .any(|(key, value)| key == "feed" && !value.is_empty() || matches!(value, "rss" | "rss2" | "atom" | "rdf"));
    let kind = match ending {
        "json" => FeedKind::Json,
        _ if name.contains("atom") || query.contains("atom") => FeedKind::Atom,
        _ => FeedKind::Rss,
    };
    is_feed.then_some(kind)
}

fn is_of_comments(feed: &PageFeed) -> bool {
    let title = feed.title.as_deref().unwrap_or_default().to_lowercase();
    let address = feed.url.as_str().to_ascii_lowercase();
    ["comments", "评论", "評論", "留言"].iter().any(|sign| title.contains(sign)) || address.contains("comments")
}

/// A title on one line, at most so many characters; `None` when nothing is left.
pub(super) fn clean(text: &str, most: usize) -> Option<String> {
    let text: String = text.chars().map(|c| if c.is_control() || c == '\u{feff}' { ' ' } else { c }).collect();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    };
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One line per feed: kind, address, title.
    fn found(html: &str) -> Vec<String> {
        let base = Url::parse("https://example.org/blog/").expect("url");
        let line = |feed: PageFeed| format!("{:?} {} {}", feed.kind, feed.url, feed.title.unwrap_or_default());
        feeds(html, &base).into_iter().map(|feed| line(feed).trim_end().to_owned()).collect()
    }

    #[test]
    fn declared_feeds() {
        for (html, expected) in [
            (
                r#"<link rel="alternate" type="application/rss+xml" title="A &amp; B" href="/feed?a=1&amp;b=2">"#,
                "Rss https://example.org/feed?a=1&b=2 A & B",
            ),
            (
                "<LINK HREF='atom.xml' TYPE='Application/Atom+XML; charset=utf-8' REL='home Alternate'/>",
                "Atom https://example.org/blog/atom.xml",
            ),
            ("<link rel=alternate type=application/feed+json href=/feed.json>", "Json https://example.org/feed.json"),
            (
                "<link rel = 'alternate'\n type\t=\n'text/xml' href = //cdn.example.net/x >",
                "Rss https://cdn.example.net/x",
            ),
            (
                "<link rel=alternate type=application/rdf+xml href=feed://example.net/rdf#top>",
                "Rss http://example.net/rdf",
            ),
            (
                "<link rel=feed href=posts.atom title='  Poe\u{0}sie\n neu '>",
                "Atom https://example.org/blog/posts.atom Poe sie neu",
            ),
            ("<body><a rel=alternate type=application/atom+xml href=/a>x</a>", "Atom https://example.org/a"),
            (
                "<link title=\"a>b <c\" rel=alternate type=application/atom+xml href=/a>",
                "Atom https://example.org/a a>b <c",
            ),
            (
                "<link rel=alternate type=application/atom+xml href=/a><base href=https://example.net/x/><base href=/y/>",
                "Atom https://example.net/a",
            ),
            (
                "<link rel=alternate type=application/rss+xml href=r><BASE target=_top href='/z/'>",
                "Rss https://example.org/z/r",
            ),
        ] {
            assert_eq!(found(html), [expected], "{html}");
        }
    }

    #[test]
    fn what_is_no_feed() {
        for html in [
            "",
            "<",
            "a < b",
            "<link",
            "<link rel=alternate type=application/rss+xml href='/f'",
            "<!-- <link rel=alternate type=application/rss+xml href=/f> -->",
            "<!--[if IE]><link rel=alternate type=application/rss+xml href=/f><![endif]-->",
            "<script>'<link rel=alternate type=application/rss+xml href=/f>'</script >",
            "<STYLE><link rel=alternate type=application/rss+xml href=/f></sTyle><textarea><a href=/feed></textarea>",
            "<link rel=alternate type=application/rss+xml href=''><link rel=alternate type=application/rss+xml href='#x'>",
            "<link rel=alternate type=application/rss+xml href='javascript:alert(1)'><a href=mailto:feed>",
            "<link rel='alternate stylesheet' type=text/xml href=/x><link rel=alternate hreflang=de href=/de>",
            "<link rel=alternate type=application/json href=/wp-json/wp/v2/posts/1>",
            "<link rel=alternate type=application/json+oembed href=/o><link rel=sitemap type=application/xml href=/sitemap.xml>",
            "<a href=/sitemap_index.xml>map</a><a href=/feedback>say</a><a href=/a.json>data</a><link href=/x.rss>",
        ] {
            assert_eq!(found(html), [""; 0], "{html}");
        }
    }

    #[test]
    fn comments_come_last_repeats_fall_and_twenty_stay() {
        let link = |href: &str, title: &str| {
            format!("<link rel=alternate type=application/rss+xml href='{href}' title='{title}'>")
        };
        let html = ["/comments/feed/", "/x", "/feed/", "/feed/#a"].map(|href| link(href, "T")).concat()
            + &link("/p", "Site » Comments Feed");
        assert_eq!(
            found(&html),
            [
                "Rss https://example.org/x T",
                "Rss https://example.org/feed/ T",
                "Rss https://example.org/comments/feed/ T",
                "Rss https://example.org/p Site » Comments Feed",
            ]
        );
        let many: String = (0..50).map(|n| link(&format!("/{n}"), "")).collect();
        assert_eq!(found(&many).len(), 20);
    }

    #[test]
    fn guesses_only_where_nothing_is_declared() {
        let guesses = "<a href='https://example.net/rss'>R</a><a href=/Feed/ title='Our feed'>F</a><a href=/x.RSS>\
            <a href=news.xml><a href=/atom.xml><a href='?feed=rss2'><a href=/feed.json><a href=/forum.php?mod=rss>";
        assert_eq!(
            found(guesses),
            [
                "Rss https://example.org/Feed/ Our feed",
                "Rss https://example.org/x.RSS",
                "Rss https://example.org/blog/news.xml",
                "Atom https://example.org/atom.xml",
                "Rss https://example.org/blog/?feed=rss2",
                "Json https://example.org/feed.json",
                "Rss https://example.org/forum.php?mod=rss",
                "Rss https://example.net/rss",
            ]
        );
        let declared = "<link rel=alternate type=application/atom+xml href=/a>";
        assert_eq!(found(&format!("{guesses}{declared}")), ["Atom https://example.org/a"]);
    }

    #[test]
    fn a_hostile_page_takes_time_in_proportion() {
        for part in [
            "<",
            "<a",
            "<!--",
            "<!",
            "<?",
            "</",
            "<script>",
            "</script",
            "<a href=\"",
            "<a href='",
            "<a b='>\"<outline c=",
            "<a b=\"><outline ",
            "<base href=x/>",
            "<a href=/feed>",
            "=",
            "<a =",
            "&",
            "<a href=&amp",
            "<link rel=",
            "<a href=\"x text=\" ",
            "<link rel=alternate type=text/xml href=a/b/c>",
        ] {
            // half a megabyte each: anything quadratic would take minutes
            found(&part.repeat((1 << 19) / part.len()));
            found(&format!("<a href='{}", part.repeat((1 << 18) / part.len())));
        }
    }

    proptest! {
        #[test]
        fn never_panics(html in r#"([<>/='"a!\-?&;# \n文]|<a|<link rel=feed href=|</script|<!--|<outline | text=){0,60}"#) {
            found(&html);
        }
    }
}
