//! Feeds of our own making, and what truly is in them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::random::Random;
use crate::text::{Language, Words};

/// How many in a thousand entries are articles that several feeds carry.
const SHARED: usize = 30;

/// One feed in so many has new entries in version 1.
const CHANGING: usize = 20;

/// Entries of a feed, the middle of what `Corpus::articles` makes.
const USUAL: usize = 19;

/// 2024-01-01: all dates lie within the two years after it.
const FIRST_DAY: i64 = 1_704_067_200;

/// A set of feeds; the same numbers make the same bytes.
#[derive(Debug)]
pub struct Corpus {
    pub feeds: usize,
    seed: u64,
    words: Words,
}

/// How a feed is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    RssCdata,
    RssEscaped,
    AtomHtml,
    AtomXhtml,
    Rdf,
    Json,
}

/// Names an article: one of a feed's own, or one that several feeds carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Own(usize, usize),
    Shared(usize),
}

struct Article {
    link: String,
    title: String,
    author: String,
    tag: String,
    date: DateTime<Utc>,
    body: String,
}

impl Corpus {
    pub fn new(feeds: usize, seed: u64) -> Self {
        Self { feeds, seed, words: Words::new() }
    }

    /// Where a feed lies on its server.
    pub fn path(&self, feed: usize) -> String {
        let end = if self.form(feed) == Form::Json { "json" } else { "xml" };
        format!("/feeds/{feed}.{end}")
    }

    /// True when version 1 of a feed is not its version 0.
    pub fn changes(feed: usize) -> bool {
        feed % CHANGING == CHANGING / 2
    }

    /// Every distinct link of all feeds in a version; those of version 0 are among those of version 1.
    pub fn links(&self, version: usize) -> BTreeSet<String> {
        let names = (0..self.feeds).flat_map(|feed| self.articles(feed, version));
        names.map(Self::link).collect()
    }

    /// How many entries all feeds hold in a version, those that several carry counted for each.
    pub fn entries(&self, version: usize) -> usize {
        (0..self.feeds).map(|feed| self.articles(feed, version).len()).sum()
    }

    fn form(&self, feed: usize) -> Form {
        match Random::of(&[self.seed, 1, feed as u64]).below(20) {
            0..7 => Form::RssCdata,
            7..12 => Form::RssEscaped,
            12..15 => Form::AtomHtml,
            15..17 => Form::AtomXhtml,
            17 => Form::Rdf,
            _ => Form::Json,
        }
    }

    fn articles(&self, feed: usize, version: usize) -> Vec<Name> {
        let mut random = Random::of(&[self.seed, 2, feed as u64]);
        // Two feeds carry a shared article on average.
        let pool = (self.feeds * USUAL * SHARED / 1000 / 2).max(1);
        let mut names = Vec::new();
        for at in 0..random.between(8, 30) {
            let shared = Name::Shared(random.below(pool));
            let is_shared = random.below(1000) < SHARED && !names.contains(&shared);
            names.push(if is_shared { shared } else { Name::Own(feed, at) });
        }
        if version > 0 && Self::changes(feed) {
            names.splice(0..0, [Name::Own(feed, 101), Name::Own(feed, 100)]);
        }
        names
    }

    fn link(name: Name) -> String {
        match name {
            Name::Own(feed, at) => format!("https://site{feed}.example/articles/{at}.html"),
            Name::Shared(at) => format!("https://agency.example/news/{at}?page=1"),
        }
    }

    fn article(&self, name: Name) -> Article {
        let (kind, feed, at) = match name {
            Name::Own(feed, at) => (3, feed, at),
            Name::Shared(at) => (4, at, 0),
        };
        let mut random = Random::of(&[self.seed, kind, feed as u64, at as u64]);
        let language = language(feed);
        let bytes = random.between(2048, 8192);
        let seconds = random.below(2 * 365 * 86_400);
        Article {
            link: Self::link(name),
            title: self.words.title(language, &mut random),
            author: format!("Author {}", random.below(500)),
            tag: format!("tag{}", random.below(50)),
            date: DateTime::from_timestamp(FIRST_DAY + i64::try_from(seconds).expect("small"), 0).expect("a date"),
            body: self.words.body(language, &mut random, bytes),
        }
    }

    /// The bytes of a feed in a version.
    pub fn document(&self, feed: usize, version: usize) -> String {
        let articles = self.articles(feed, version).into_iter().map(|name| self.article(name));
        match self.form(feed) {
            form @ (Form::RssCdata | Form::RssEscaped) => rss(feed, form, articles),
            form @ (Form::AtomHtml | Form::AtomXhtml) => atom(feed, form, articles),
            Form::Rdf => rdf(feed, articles),
            Form::Json => json_feed(feed, articles),
        }
    }
}

/// Half of the feeds are Chinese.
fn language(feed: usize) -> Language {
    if feed.is_multiple_of(2) { Language::Chinese } else { Language::English }
}

fn escaped(text: &str) -> String {
    html_escape::encode_text(text).into_owned()
}

fn rss(feed: usize, form: Form, articles: impl Iterator<Item = Article>) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel>\n<title>Site {feed}</title>\
         <link>https://site{feed}.example/</link><description>Feed {feed}</description><language>{}</language>\n",
        language(feed).tag()
    );
    for Article { link, title, author, tag, date, body } in articles {
        let guid = match form {
            Form::RssCdata => format!("<guid isPermaLink=\"true\">{link}</guid>"),
            _ => format!("<guid isPermaLink=\"false\">{link}#entry</guid>"),
        };
        let (title, date) = (escaped(&title), date.to_rfc2822());
        let body = match form {
            Form::RssCdata => format!("<content:encoded><![CDATA[{body}]]></content:encoded>"),
            _ => format!("<description>{}</description>", escaped(&body)),
        };
        text.push_str(&format!(
            "<item><title>{title}</title><link>{link}</link>{guid}<pubDate>{date}</pubDate><dc:creator>{author}</dc:creator>\
             <category>{tag}</category>{body}</item>\n"
        ));
    }
    text.push_str("</channel></rss>\n");
    text
}

fn atom(feed: usize, form: Form, articles: impl Iterator<Item = Article>) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"{}\">\
         <title>Site {feed}</title><id>https://site{feed}.example/</id><link href=\"https://site{feed}.example/\"/>\
         <updated>2026-01-01T00:00:00Z</updated>\n",
        language(feed).tag()
    );
    for Article { link, title, author, tag, date, body } in articles {
        let (title, date) = (escaped(&title), date.to_rfc3339());
        let content = match form {
            Form::AtomHtml => format!("<content type=\"html\">{}</content>", escaped(&body)),
            _ => format!("<content type=\"xhtml\"><div xmlns=\"http://www.w3.org/1999/xhtml\">{body}</div></content>"),
        };
        text.push_str(&format!(
            "<entry><title>{title}</title><id>{link}</id><link rel=\"alternate\" href=\"{link}\"/>\
             <published>{date}</published><updated>{date}</updated><author><name>{author}</name></author>\
             <category term=\"{tag}\"/>{content}</entry>\n"
        ));
    }
    text.push_str("</feed>\n");
    text
}

fn rdf(feed: usize, articles: impl Iterator<Item = Article>) -> String {
    let (mut list, mut items) = (String::new(), String::new());
    for Article { link, title, author, tag, date, body } in articles {
        let (title, date) = (escaped(&title), date.to_rfc3339());
        list.push_str(&format!("<rdf:li resource=\"{link}\"/>"));
        items.push_str(&format!(
            "<item rdf:about=\"{link}\"><title>{title}</title><link>{link}</link><dc:date>{date}</dc:date>\
             <dc:creator>{author}</dc:creator><dc:subject>{tag}</dc:subject>\
             <description>{}</description></item>\n",
            escaped(&body)
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" \
         xmlns=\"http://purl.org/rss/1.0/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\">\n\
         <channel rdf:about=\"https://site{feed}.example/\"><title>Site {feed}</title><link>https://site{feed}.example/</link>\
         <description>Feed {feed}</description><items><rdf:Seq>{list}</rdf:Seq></items></channel>\n{items}</rdf:RDF>\n"
    )
}

fn json_feed(feed: usize, articles: impl Iterator<Item = Article>) -> String {
    let items: Vec<_> = articles
        .map(|Article { link, title, author, tag, date, body }| {
            json!({
                "id": link, "url": link, "title": title, "content_html": body, "date_published": date.to_rfc3339(),
                "authors": [{ "name": author }], "tags": [tag]
            })
        })
        .collect();
    json!({
        "version": "https://jsonfeed.org/version/1.1", "title": format!("Site {feed}"),
        "home_page_url": format!("https://site{feed}.example/"), "language": language(feed).tag(), "items": items
    })
    .to_string()
}
