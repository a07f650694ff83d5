//! What stands around the entries of a document: with it, the source of one entry is a document
//! again.

use super::tags::Tags;
use super::{json, outline::Walk, survey};

/// What a document says outside its entries is kept up to this size (bytes): feeds that say more
/// (RSS 1.0 lists each item's address in its channel) lose pieces of that, never of an entry.
pub(super) const REST: usize = 64 * 1024;

/// A document without its entries: the tags around them with all their namespaces, `xml:base` and
/// `xml:lang`, and what the feed says about itself (language, authors), which entries inherit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    text: String,
    /// Behind the innermost start tag.
    head: usize,
    /// Where entries go.
    at: usize,
}

impl Envelope {
    /// A document with this one entry.
    pub fn wrap(&self, source: &str) -> String {
        [&self.text[..self.at], source, &self.text[self.at..]].concat()
    }

    /// As it is stored: itself a document of the feed's format, with no entry.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// From what [`Self::as_text`] gave.
    pub fn from_text(text: &str) -> Option<Self> {
        // An entry that is a document by itself has nothing around it.
        match text {
            "" => Some(Self::default()),
            json if json.starts_with('{') => json::envelope(json),
            xml => survey::envelope(xml),
        }
    }

    pub(super) fn new(start: &str, rest: &str, end: &str) -> Self {
        Self { text: [start, rest, end].concat(), head: start.len(), at: start.len() + rest.len() }
    }

    /// The tags that a walk found around the entries, with what stands between those.
    pub(super) fn around(walk: &Walk<'_>, rest: &str) -> Self {
        let mut start = walk.doctype().unwrap_or_default().to_owned();
        let mut end = String::new();
        for tag in &walk.around {
            let written = tag.as_start(walk.text);
            start += &if ends_by_itself(&written) { written } else { tag.anew().into() };
            end.insert_str(0, &format!("</{}>", tag.name));
        }
        if walk.around.is_empty() { Self::default() } else { Self::new(&start, rest, &end) }
    }

    /// Without what the document says outside its entries, where that is so broken that it would swallow them.
    pub(super) fn checked(self) -> Self {
        // What was begun would end behind it.
        const ENTRY: &str = "<i>\" '> --> ]]>";
        let is_seen = |found: &Self| Tags::of(&found.wrap(ENTRY)).any(|tag| tag.at.start == found.at);
        let is_sound = self.text.is_empty() || Self::from_text(&self.text).as_ref().is_some_and(is_seen);
        if is_sound { self } else { self.bare() }
    }

    /// Only the tags, without what the feed says about itself.
    pub(super) fn bare(&self) -> Self {
        let text = [&self.text[..self.head], &self.text[self.at..]].concat();
        Self { text, head: self.head, at: self.head }
    }
}

/// False for a start tag with a value that nobody ended: where it ends depends on what stands behind it.
fn ends_by_itself(tag: &str) -> bool {
    let followed = [tag, "' \" >"].concat();
    Tags::of(&followed).next().is_some_and(|found| found.at == (0..tag.len()))
}

/// Keeps what is said between entries. The pieces must not run together: `<` and `b>` are no tag.
pub(super) fn say(rest: &mut String, piece: &str) {
    if !piece.trim_ascii().is_empty() && rest.len() + piece.len() < REST {
        if !rest.is_empty() {
            rest.push('\n');
        }
        rest.push_str(piece);
    }
}
