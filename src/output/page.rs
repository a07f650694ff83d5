//! The door to askama: pages for people, with automatic escaping.

mod status;

use askama::Template;

pub use status::status_page;

use super::{Channel, Published, address, legal, title};
use crate::model::{Format, Publish, Timestamp};

/// Entries on a page; feeds have them all.
const MOST: usize = 200;

/// What a page says in its own words, in one language.
struct Words {
    language: &'static str,
    subscribe: &'static str,
    about_topics: &'static str,
    all_topics: &'static str,
    all_sources: &'static str,
    also: &'static str,
    nothing: &'static str,
    more: &'static str,
    sources: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    subscribe: "Subscribe:",
    about_topics: "Choose a topic to read, or copy a feed's address into your feed reader to follow it.",
    all_topics: "all topics (OPML)",
    all_sources: "all sources (OPML)",
    also: "Also:",
    nothing: "Nothing here yet.",
    more: "There is more in the feeds.",
    sources: "Every article belongs to its source, to which its title leads.",
};

const CHINESE: Words = Words {
    language: "zh-Hans",
    subscribe: "订阅：",
    about_topics: "选择一个主题阅读，或把订阅地址复制到阅读器。",
    all_topics: "全部主题（OPML）",
    all_sources: "全部来源（OPML）",
    also: "另见：",
    nothing: "暂时没有内容。",
    more: "更多内容见订阅源。",
    sources: "文章版权归来源所有，标题链接指向原文。",
};

const TRADITIONAL: Words = Words {
    language: "zh-Hant",
    subscribe: "訂閱：",
    about_topics: "選擇一個主題閱讀，或把訂閱地址複製到閱讀器。",
    all_topics: "全部主題（OPML）",
    all_sources: "全部來源（OPML）",
    also: "另見：",
    nothing: "暫時沒有內容。",
    more: "更多內容見訂閱源。",
    sources: "文章版權歸來源所有，標題連結指向原文。",
};

impl Words {
    fn of(language: Option<&str>) -> &'static Self {
        let language = language.unwrap_or_default().to_ascii_lowercase();
        let mut parts = language.split('-');
        let is_traditional = language.split('-').any(|part| matches!(part, "hant" | "tw" | "hk" | "mo"));
        match parts.next() {
            Some("zh") if is_traditional => &TRADITIONAL,
            Some("zh") => &CHINESE,
            _ => &ENGLISH,
        }
    }
}

/// A feed to subscribe to.
struct Link {
    name: &'static str,
    media_type: &'static str,
    address: String,
}

impl Link {
    fn of(format: Format, folder: &str) -> Self {
        let address = format!("{folder}{}", format.file());
        Self { name: format.name(), media_type: format.media_type(), address }
    }
}

/// What the start page says of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicLink {
    /// Its id and folder.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The formats of its feed.
    pub formats: Vec<Format>,
}

struct Listed {
    id: String,
    title: String,
    feeds: Vec<Link>,
}

#[derive(Template)]
#[template(path = "index.html")]
struct Index<'a> {
    words: &'static Words,
    root: &'static str,
    language: Option<&'a str>,
    title: String,
    address: &'a str,
    topics: Vec<Listed>,
}

/// The start page: where the topics are, and their feeds. `address` is the site's, with a slash at its end.
pub fn index_page(site: &str, language: Option<&str>, address: &str, topics: &[TopicLink]) -> Vec<u8> {
    let listed = |topic: &TopicLink| Listed {
        id: topic.id.clone(),
        title: title(&topic.title),
        feeds: topic.formats.iter().map(|format| Link::of(*format, &format!("{}/", topic.id))).collect(),
    };
    let page = Index {
        words: Words::of(language),
        root: "",
        language,
        title: title(site),
        address,
        topics: topics.iter().map(listed).collect(),
    };
    rendered(&page)
}

struct Entry {
    language: Option<String>,
    link: Option<String>,
    title: String,
    source: String,
    moment: String,
    time: String,
    image: Option<String>,
    excerpt: String,
    related: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "topic.html")]
struct Page<'a> {
    words: &'static Words,
    root: &'static str,
    site: String,
    language: Option<&'a str>,
    title: String,
    address: String,
    feeds: Vec<Link>,
    entries: Vec<Entry>,
    is_cut: bool,
}

/// The page of a topic: its newest entries, with source, time, excerpt and picture.
pub fn topic_page(channel: &Channel, site: &str, formats: &[Format], entries: &[Published]) -> Vec<u8> {
    let page = Page {
        words: Words::of(channel.language.as_deref()),
        root: "../",
        site: title(site),
        language: channel.language.as_deref(),
        title: title(&channel.title),
        address: channel.page(),
        feeds: formats.iter().map(|format| Link::of(*format, "")).collect(),
        entries: entries.iter().take(MOST).map(entry).collect(),
        is_cut: entries.len() > MOST,
    };
    rendered(&page)
}

fn rendered(page: &impl Template) -> Vec<u8> {
    // Rendering fails where a value does, and these are texts.
    let mut text = page.render().unwrap_or_default();
    text.push('\n');
    text.into_bytes()
}

fn entry(published: &Published) -> Entry {
    let post = &published.post;
    let related = published.related.iter().filter_map(|(name, link)| Some((title(name), address::uri(link)?)));
    Entry {
        language: published.language(),
        link: published.link(),
        title: title(&post.title),
        source: title(published.source.as_ref().map_or(&post.author, |source| &source.title)),
        moment: post.date.rfc3339_millis(),
        time: time(post.date),
        image: image(published),
        excerpt: legal(&published.excerpt),
        related: related.collect(),
    }
}

/// `2021-07-28 11:01 UTC`
fn time(time: Timestamp) -> String {
    time.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// The first picture of the body, else one that comes along with the entry; none where the body is not shown.
fn image(published: &Published) -> Option<String> {
    if published.shown != Publish::Full {
        return None;
    }
    let enclosed = || {
        let is_picture = |kind: &Option<String>| kind.as_deref().is_some_and(|kind| kind.starts_with("image/"));
        published.post.enclosures.iter().find(|file| is_picture(&file.media_type)).map(|file| file.url.clone())
    };
    let address = source_of_picture(&published.post.body).or_else(enclosed)?;
    address::uri(&address).filter(|address| address.starts_with("http"))
}

/// `src` of the first `img`: the body is clean HTML.
fn source_of_picture(body: &str) -> Option<String> {
    let tag = &body[body.find("<img ")?..];
    let tag = &tag[..tag.find('>')?];
    let value = tag.split_once(" src=")?.1;
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = value.get(1..)?.split(quote).next()?;
    Some(html_escape::decode_html_entities(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_is_found_in_clean_html() {
        for (body, found) in [
            (
                r#"<p>x</p><img alt="a" src="https://a.example/1.jpg?a=1&amp;b=2"><img src="https://b/">"#,
                Some("https://a.example/1.jpg?a=1&b=2"),
            ),
            ("<figure><img src='https://a.example/1.jpg'/></figure>", Some("https://a.example/1.jpg")),
            ("<img alt=x><img src=\"https://a/\">", None),
            ("<p>no picture</p>", None),
            ("<img ", None),
        ] {
            assert_eq!(source_of_picture(body).as_deref(), found, "{body}");
        }
    }

    #[test]
    fn pages_speak_the_site_s_language() {
        for (language, words) in [
            (None, "en"),
            (Some("de"), "en"),
            (Some("zh"), "zh-Hans"),
            (Some("zh-CN"), "zh-Hans"),
            (Some("zh-TW"), "zh-Hant"),
            (Some("zh-Hant-HK"), "zh-Hant"),
        ] {
            assert_eq!(Words::of(language).language, words, "{language:?}");
        }
    }
}
