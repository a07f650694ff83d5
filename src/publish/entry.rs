//! A post to what feeds say of it.

use std::borrow::Cow;

use url::Url;

use super::facts::Facts;
use crate::archive::SiteFacts;
use crate::model::{EntryKey, Found, Post, Publish, Timestamp};
use crate::normalize::{html, plain};
use crate::output::{self, Published, SourceFacts};

/// A post as its feed lets it be published.
pub(super) fn published(
    mut post: Post,
    shown: Publish,
    change: Option<String>,
    found: &Found,
    facts: &Facts,
) -> Published {
    let record = &found.record;
    let source = record.feed.as_ref().and_then(|feed| source_facts(facts, feed.as_str(), record.seen));
    // A post may have been edited since it was written; what leaves is made safe again.
    if let Cow::Owned(body) = html::for_readers(&post, base(&post, source.as_ref()).as_ref()) {
        post.body = body;
    }
    let facts = &facts.site;
    if post.author.trim().is_empty() {
        // RFC 4287 section 4.1.2 wants an author; another maker's post may name none.
        post.author = post.categories.first().cloned().unwrap_or_else(|| facts.tag_authority.clone());
    }
    let excerpt = if shown == Publish::Link { String::new() } else { excerpt(&post.body) };
    if let Some(change) = change {
        post.body.insert_str(0, &change);
    }
    if shown != Publish::Full {
        post.body.clear();
    }
    if shown == Publish::Link {
        post.enclosures.clear();
    }
    let updated = [Some(post.date), post.updated, record.revised].into_iter().flatten().max().unwrap_or(post.date);
    Published {
        id: record.id.clone().unwrap_or_else(|| self::id(facts, found.key)),
        source,
        post,
        shown,
        excerpt,
        related: Vec::new(),
        updated,
    }
}

/// The excerpt of a clean body, of which the beginning mostly is enough.
fn excerpt(body: &str) -> String {
    let mut length = 2048;
    while length < body.len() {
        if let Some(excerpt) = output::excerpt_of_start(&plain(html::beginning(body, length))) {
            return excerpt;
        }
        length *= 4;
    }
    output::excerpt(&plain(body))
}

/// Where relative addresses begin: at the entry's page; where it has none, at its source.
fn base(post: &Post, source: Option<&SourceFacts>) -> Option<Url> {
    let of_source = || source.into_iter().flat_map(|source| [&source.link, &source.url]).flatten().map(String::as_str);
    std::iter::once(post.from.as_str()).chain(of_source()).find_map(|address| Url::parse(address).ok())
}

/// What the source said about itself when the entry arrived.
fn source_facts(facts: &Facts, feed: &str, seen: Timestamp) -> Option<SourceFacts> {
    let of_feed = facts.sources(feed);
    let line = of_feed.iter().rfind(|line| line.seen <= seen).or_else(|| of_feed.first())?;
    let line = line.clone();
    Some(SourceFacts {
        id: line.id.or_else(|| line.url.clone()).unwrap_or_else(|| tag(&facts.site, &format!("source/{feed}"))),
        title: line.title.unwrap_or(line.name),
        url: line.url,
        link: line.link,
        rights: line.rights,
        icon: line.icon,
    })
}

/// The id of an entry that has none of its own.
pub(super) fn id(facts: &SiteFacts, key: EntryKey) -> String {
    tag(facts, &format!("entry/{key}"))
}

/// A `tag:` URI (RFC 4151); authority and day never change once the archive exists.
pub(super) fn tag(facts: &SiteFacts, specific: &str) -> String {
    format!("tag:{},{}:{specific}", facts.tag_authority, facts.tag_date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_body_has_its_excerpt() {
        let bold = "<p>a <b>wo</b>rd&amp;more &lt;x&gt; 字</p>";
        for body in [String::new(), "text".repeat(3000), "<p></p>".repeat(3000), bold.repeat(400), bold.repeat(3)] {
            for body in [format!("{}{body}", "<br>".repeat(600)), format!("{body}<p>end</p>"), body] {
                assert_eq!(excerpt(&body), output::excerpt(&plain(&body)), "{body}");
            }
        }
    }
}
