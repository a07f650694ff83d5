//! Feed lists of other programs: OPML, and JSON lists such as `subs.json`.
//!
//! What cannot be used costs one entry of the list, and a sentence.

mod json;
mod opml;

use std::collections::HashMap;

use url::Url;

use super::page::tags::Tags;
use super::page::{clean, without_feed_scheme};

/// Folders around a feed that are kept, outermost first.
const DEPTH: usize = 8;
/// Groups of a feed that stands in many folders.
const MOST_GROUPS: usize = 32;
const LONGEST_ADDRESS: usize = 4_096;
const LONGEST_NAME: usize = 200;

/// What a list holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedList {
    /// In the order of the list, every address once.
    pub entries: Vec<ListedFeed>,
    /// A sentence for each outline or entry that was left out; secrets do not appear.
    pub skipped: Vec<String>,
}

/// A feed of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFeed {
    /// Absolute, `http` or `https`, without fragment and user. In a JSON list it may be a page.
    pub url: String,
    /// Plain text on one line.
    pub title: Option<String>,
    /// Address of the site, `http` or `https`.
    pub site: Option<String>,
    /// The folders it lies in, outermost first, then its own categories; no repeats.
    pub groups: Vec<String>,
}

/// Why a text is no list of feeds.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ListError {
    /// Nothing but white space.
    #[error("the list is empty")]
    Empty,
    /// One feed, not a list of them.
    #[error("this is a feed, not a list of feeds; take it over with `add` and its address")]
    Feed,
    /// A web page.
    #[error("this is an HTML page, not a list of feeds")]
    Page,
    /// It begins like JSON.
    #[error("neither OPML nor JSON: {0}")]
    Json(String),
    /// Anything else.
    #[error("neither OPML (no `<outline>` in it) nor a JSON list of feeds")]
    Unknown,
}

/// Reads a feed list; the format is told by the content.
pub fn feeds(text: &str) -> Result<FeedList, ListError> {
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_whitespace());
    if text.is_empty() {
        return Err(ListError::Empty);
    }
    let json = text.starts_with(['[', '{']).then(|| serde_json::from_str(text));
    if let Some(Ok(value)) = &json {
        return json::feeds(value);
    }
    if let Some(list) = opml::feeds(text) {
        return Ok(list);
    }
    if let Some(Err(error)) = json {
        return Err(ListError::Json(error.to_string()));
    }
    let root = Tags::new(text).find(|tag| ["rss", "feed", "rdf:rdf", "html", "head", "body"].iter().any(|n| tag.is(n)));
    Err(match root {
        Some(tag) if ["rss", "feed", "rdf:rdf"].iter().any(|name| tag.is(name)) => ListError::Feed,
        Some(_) => ListError::Page,
        None => ListError::Unknown,
    })
}

/// A list in the making.
#[derive(Default)]
struct Draft {
    list: FeedList,
    /// Address to place in the list.
    known: HashMap<String, usize>,
    /// Outlines or entries seen.
    count: usize,
}

impl Draft {
    fn add(&mut self, address: &str, title: Option<String>, site: Option<&str>, groups: Vec<String>) {
        let url = match web_address(address) {
            Ok(url) => url,
            Err(reason) => return self.skip(title.as_deref(), &reason),
        };
        // Miniflux and others write the address where a feed has no title.
        let title = title.filter(|title| title != address && (!title.contains("://") || title.contains(' ')));
        let at = *self.known.entry(url.clone()).or_insert(self.list.entries.len());
        if at == self.list.entries.len() {
            let site = site.and_then(|site| web_address(site).ok());
            self.list.entries.push(ListedFeed { url, title, site, groups: Vec::new() });
        }
        let known = &mut self.list.entries[at].groups;
        for group in groups {
            if !known.contains(&group) && known.len() < MOST_GROUPS {
                known.push(group);
            }
        }
    }

    fn skip(&mut self, title: Option<&str>, reason: &str) {
        // a title that is an address may hold a secret
        let title = title.filter(|title| !title.contains("://"));
        let name = title.map_or_else(|| format!("entry {}", self.count), |title| format!("`{title}`"));
        self.list.skipped.push(format!("{name}: {reason}"));
    }
}

/// The address as it is fetched, or why it cannot be. Lists hold much that people copied from a reader or typed.
fn web_address(text: &str) -> Result<String, String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || "\"'“”<>".contains(c));
    if text.len() > LONGEST_ADDRESS {
        return Err(format!("the address is longer than {LONGEST_ADDRESS} characters"));
    }
    let mut whole = without_feed_scheme(text).into_owned();
    if let Some(rest) = whole.strip_prefix("//") {
        whole = format!("https://{rest}");
    } else if has_bare_host(&whole) {
        whole.insert_str(0, "https://");
    }
    let Ok(mut url) = Url::parse(&whole) else {
        // behind `?` or before `@` there may be a secret
        let shown = text.split(['?', '#']).next().unwrap_or_default();
        let shown = clean(shown, 60).filter(|shown| !shown.contains('@'));
        return Err(format!("`{}` is not a whole address", shown.as_deref().unwrap_or("…")));
    };
    match url.scheme() {
        "http" | "https" => {}
        "file" => return Err("a file of this machine; write such a feed into the config by hand".to_owned()),
        scheme => return Err(format!("addresses with `{scheme}:` are not polled")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the address holds a user name or password; add this feed by hand, without them".to_owned());
    }
    url.set_fragment(None);
    Ok(url.into())
}

/// `example.org/feed` and `example.org:8080/feed`; not `/feed`, `feed.xml`, `mailto:…`.
fn has_bare_host(text: &str) -> bool {
    const FILES: [&str; 9] = ["xml", "rss", "atom", "rdf", "json", "opml", "php", "html", "htm"];
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    let Some((name, end)) = host.rsplit_once('.') else { return false };
    let is_file = host.len() == text.len() && FILES.contains(&end.to_ascii_lowercase().as_str());
    let is_name = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "-.".contains(c));
    is_name(name)
        && is_name(end)
        && end.starts_with(char::is_alphabetic)
        && !is_file
        && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A line for each feed (`address | title | site | groups`) and each sentence (`- …`).
    fn read(text: &str) -> String {
        let list = feeds(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let line = |feed: ListedFeed| {
            let (title, site) = (feed.title.unwrap_or_default(), feed.site.unwrap_or_default());
            format!("{} | {title} | {site} | {}", feed.url, feed.groups.join(", "))
        };
        let skipped = list.skipped.into_iter().map(|sentence| format!("- {sentence}"));
        list.entries.into_iter().map(line).chain(skipped).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn opml_of_every_age() {
        let text = "\u{feff}<?xml version='1.0' encoding='ISO-8859-1'?>\n<opml version=\"2.0\"><head><title>T</title></head><body>
            <outline text=\"News\"><outline text='China' title=\"x\">
              <outline type='rss' text='自由亚洲电台' xmlUrl='https://www.rfa.org/m/rss' htmlUrl='https://www.rfa.org/m'/></outline>
              <outline text=\"A &amp; B\" xmlUrl='http://a.example/feed?x=1&amp;y=2' category='/Boston/Weather, TCP/IP'></outline></outline>
            <OUTLINE TITLE='Old' XMLURL='http://old.example' isBreakpoint='maybe' isComment='no'/>
            <outline text='https://www.a.example/u' type='rss' url='https://a.example/u'/>
            <outline text='again' xmlUrl='http://old.example/#top' category='Later'/></body></opml>";
        assert_eq!(
            read(text),
            "\
            https://www.rfa.org/m/rss | 自由亚洲电台 | https://www.rfa.org/m | News, China\n\
            http://a.example/feed?x=1&y=2 | A & B |  | News, Boston, Weather, TCP/IP\n\
            http://old.example/ | Old |  | Later\n\
            https://a.example/u |  |  | "
        );
    }

    #[test]
    fn opml_that_is_no_xml() {
        for (text, expected) in [
            (
                "<b>Warning</b>: x.php on line 3<br />\n<outline text='AT&T &nbsp;caf&eacute; &odd;' xmlUrl='http://a.example/?a=1&b=2'>",
                "http://a.example/?a=1&b=2 | AT&T café &odd; |  | ",
            ),
            (
                "<outline text='a < b > c' xmlUrl='http://a.example/1'/><outline text=bare xmlUrl=http://a.example/2 >",
                "http://a.example/1 | a < b > c |  | \nhttp://a.example/2 | bare |  | ",
            ),
            // feeds never ended
            (
                "<opml><body><outline text=F><outline text=a xmlUrl='http://a.example/'><outline text=b xmlUrl='http://b.example/'></outline>\
              <outline text=c xmlUrl='http://c.example/'></body>",
                "http://a.example/ | a |  | F\nhttp://b.example/ | b |  | F\nhttp://c.example/ | c |  | ",
            ),
            // no `>`, lost quotes, quotes in a title
            (
                "<outline text=\"a\" xmlUrl=\"http://a.example/1\"\n<outline text=\"b xmlUrl=\"http://a.example/2/>\n <outline text=\"c\" xmlUrl=\"http://a.example/3\"/>",
                "http://a.example/1 | a |  | \nhttp://a.example/2 | b |  | \nhttp://a.example/3 | c |  | ",
            ),
            (
                "<outline text=\"the \"best\" blog\" xmlUrl=\"http://a.example/\"/><!-- <outline xmlUrl='http://no.example'/>",
                "http://a.example/ | the |  | \nhttp://no.example/ |  |  | ",
            ),
            // goread issue 313
            (
                "<outline text=\"fubar \"baz\"\"\n title=\"fubar \"baz\"\" type=\"rss\"\n xmlUrl=\"https://a.example/feed\"/>\n</body>",
                "https://a.example/feed | fubar |  | ",
            ),
            (
                "</outline></outline><outline text=F><outline xmlUrl='http://a.example/'/><outline text='b' xmlUrl='http://b.exa",
                "http://a.example/ |  |  | F\n- the list breaks off in the middle of its last outline",
            ),
            ("<opml><body/></opml>", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_told() {
        let text = "<opml><outline text='Page' htmlUrl='https://p.example/x'/><outline text='Empty'></outline><outline/>
            <outline text='Other' type='include' url='https://o.example/list.opml'/><outline title='L' type=link url='https://l.example/'/>
            <outline text='Off' isComment='true'><outline text='in' xmlUrl='https://i.example/'/></outline>
            <outline text='S' xmlUrl='https://me:geheim@s.example/f'/><outline text='http://a:geheim@b' xmlUrl='http://a:geheim@b'/><outline xmlUrl='/feed?token=geheim'/>
            <outline text='F' xmlUrl='file:///etc/passwd'/><outline text='G' xmlUrl='gopher://g.example'/></opml>";
        assert_eq!(
            read(text),
            "\
            - `Page`: has no feed address; try `add https://p.example/x`\n\
            - `Empty`: has no address\n\
            - entry 3: has no address\n\
            - `Other`: a link to another list or page; import that by itself\n\
            - `L`: a link to another list or page; import that by itself\n\
            - `Off`: marked as a comment\n\
            - `in`: marked as a comment\n\
            - `S`: the address holds a user name or password; add this feed by hand, without them\n\
            - entry 9: the address holds a user name or password; add this feed by hand, without them\n\
            - entry 10: `/feed` is not a whole address\n\
            - `F`: a file of this machine; write such a feed into the config by hand\n\
            - `G`: addresses with `gopher:` are not polled"
        );
    }

    #[test]
    fn addresses_as_people_have_them() {
        for (text, expected) in [
            (" HTTP://Example.ORG/a#b\n", "http://example.org/a"),
            ("feed://example.org/a", "http://example.org/a"),
            ("feed:https://example.org/a", "https://example.org/a"),
            ("feed://https://example.org/a", "https://example.org/a"),
            ("FEEDS:example.org", "https://example.org/"),
            ("example.org/feed", "https://example.org/feed"),
            ("example.org:8080/feed", "https://example.org:8080/feed"),
            ("//example.org", "https://example.org/"),
            ("新闻.example/a", "https://xn--efvy88h.example/a"),
            ("“https://example.org/”", "https://example.org/"),
        ] {
            assert_eq!(web_address(text).as_deref(), Ok(expected), "{text}");
        }
        for text in
            ["", "feed.xml", "/a", "a", "http://", "mailto:a@b.example", "javascript:alert(1)", "me@b.example", "1.2"]
        {
            assert!(web_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_lists() {
        for (text, expected) in [
            (
                "\u{feff}[{\"site\": \"自由亚洲电台\", \"url\": \"https://r.example/rss\", \"x\": [1]}, {\"site\": \"https://s.example\", \"url\": \"https://s.example/f\"}]",
                "https://r.example/rss | 自由亚洲电台 |  | \nhttps://s.example/f |  | https://s.example/ | ",
            ),
            (
                r#"{"about": 1, "subs": ["a.example/f", "a.example/f", 7, {"name": "n"}, {"site": "http://only.example"}, ""]}"#,
                "https://a.example/f |  |  | \nhttp://only.example/ |  | http://only.example/ | \n\
                 - entry 3: neither an address nor an object with a `url`\n- `n`: has no `url`\n- entry 6: `…` is not a whole address",
            ),
            (
                r#"{"News": {"feeds": [{"URL": ["http://a.example/1", "http://a.example/2"], "tags": ["t"]}]}, "Tech": ["http://b.example/"]}"#,
                "http://a.example/1 |  |  | News, t\nhttp://a.example/2 |  |  | News, t\nhttp://b.example/ |  |  | Tech",
            ),
            (
                r#"{"subscriptions": [{"id": "feed/http://g.example/f", "title": " G\n g ", "categories": [{"id": "user/1", "label": "L"}], "htmlUrl": "http://g.example"}]}"#,
                "http://g.example/f | G g | http://g.example/ | L",
            ),
            (
                r#"[{"feed_url": "http://m.example/f", "site_url": "http://m.example", "title": "M", "category": {"id": 1, "title": "C"}}]"#,
                "http://m.example/f | M | http://m.example/ | C",
            ),
            ("[]", ""),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_list() {
        for (text, error) in [
            (" \u{feff}\n", "the list is empty"),
            (
                "<?xml version='1.0'?><rss><channel/></rss>",
                "this is a feed, not a list of feeds; take it over with `add` and its address",
            ),
            (
                r#"{"version": "https://jsonfeed.org/version/1.1", "items": []}"#,
                "this is a feed, not a list of feeds; take it over with `add` and its address",
            ),
            ("<!doctype html><html><head></head>", "this is an HTML page, not a list of feeds"),
            ("[1,]", "neither OPML nor JSON: trailing comma at line 1 column 4"),
            ("hello", "neither OPML (no `<outline>` in it) nor a JSON list of feeds"),
        ] {
            assert_eq!(feeds(text).expect_err(text).to_string(), error);
        }
    }

    #[test]
    fn a_hostile_list_takes_time_in_proportion() {
        for part in [
            "<outline text=a>",
            "<outline text=a xmlUrl=http://a.example/>",
            "</outline>",
            "<outline text=\">",
            "<outline category=',,'",
            "[",
        ] {
            let _ = feeds(&part.repeat((1 << 19) / part.len()));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in r#"([<>/='"&; \n文]|<outline|</outline>| xmlUrl=| text=|a\.example|[\[\]{}:,]|"url"){0,60}"#) {
            let _ = feeds(&text);
        }

        #[test]
        fn well_formed_lists_come_back_whole(titles in prop::collection::vec(r#"[a-z&<>"'文][a-z &<>"'文]{0,12}[a-z文]"#, 1..8)) {
            let escaped = |text: &str| text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            let outline = |(n, title): (usize, &String)| format!("<outline text=\"{}\" xmlUrl=\"http://a.example/{n}\"/>", escaped(title));
            let body: String = titles.iter().enumerate().map(outline).collect();
            let list = feeds(&format!("<opml><body><outline text='F'>{body}</outline></body></opml>")).expect("list");
            let expected: Vec<_> = titles.iter().map(|title| clean(title, 200)).collect();
            prop_assert_eq!(list.entries.iter().map(|feed| feed.title.clone()).collect::<Vec<_>>(), expected);
            prop_assert!(list.skipped.is_empty() && list.entries.iter().all(|feed| feed.groups == ["F"]));
        }
    }
}
