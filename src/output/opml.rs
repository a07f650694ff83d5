//! OPML 2.0: lists of feeds, as readers import them.

use std::fmt::Write;

use super::title;
use crate::model::FeedSource;

/// A line of the list: a feed, or a group of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// What people read.
    pub text: String,
    /// Where the feed is; `None` for a group.
    pub feed: Option<String>,
    /// The page it belongs to.
    pub page: Option<String>,
    /// Its language (BCP 47).
    pub language: Option<String>,
    /// What stands below it.
    pub children: Vec<Outline>,
}

impl Outline {
    /// A feed we read; `None` when its address is of use only here.
    pub fn of(source: &FeedSource) -> Option<Self> {
        let feed = source.public_url()?.to_string();
        Some(Self { text: source.name.clone(), feed: Some(feed), language: source.language.clone(), ..Self::default() })
    }
}

/// The document. It has no date: the same list is the same bytes.
pub fn opml(name: &str, owner: &str, outlines: &[Outline]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<opml version=\"2.0\">\n <head>\n");
    for (element, text) in [("title", name), ("ownerName", owner)] {
        let _ = writeln!(out, "  <{element}>{}</{element}>", html_escape::encode_text(&title(text)));
    }
    out.push_str("  <docs>http://opml.org/spec2.opml</docs>\n </head>\n <body>\n");
    for outline in outlines {
        write(outline, 2, &mut out);
    }
    out.push_str(" </body>\n</opml>\n");
    out
}

fn write(outline: &Outline, depth: usize, out: &mut String) {
    let indent = " ".repeat(depth);
    let text = title(&outline.text);
    let _ = write!(out, "{indent}<outline");
    // Readers call every feed `rss`, whatever it is; some show `title`, some `text`.
    let is_feed = outline.feed.is_some().then_some("rss");
    let attributes = [
        ("text", Some(text.as_str())),
        ("title", is_feed.map(|_| text.as_str())),
        ("type", is_feed),
        ("xmlUrl", outline.feed.as_deref()),
        ("htmlUrl", outline.page.as_deref()),
        ("language", outline.language.as_deref()),
    ];
    for (attribute, value) in attributes {
        let Some(value) = value else { continue };
        let value = super::legal(value);
        let _ = write!(out, " {attribute}=\"{}\"", html_escape::encode_double_quoted_attribute(&value));
    }
    if outline.children.is_empty() {
        out.push_str("/>\n");
        return;
    }
    out.push_str(">\n");
    for child in &outline.children {
        write(child, depth + 1, out);
    }
    let _ = writeln!(out, "{indent}</outline>");
}
