//! Which entry this is: canonical URL, keys, aliases, and the rules that decide.

mod canonical;
mod rules;

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;
use url::Url;

pub use canonical::{VERSION, canonical_url};
pub use rules::{Decision, Decisions, Known, decide};

use crate::model::{CanonicalUrl, Dedup, Entry, EntryKey, FeedId, Fingerprint, Timestamp};

/// Something that leads to a key besides the key itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alias {
    /// A feed's guid.
    Guid(FeedId, String),
    /// A canonical URL under which an entry once came, but whose plain key it does not have.
    Url(CanonicalUrl),
    /// Canonical URL and title of an entry that shares its link with others.
    Pair(CanonicalUrl, Fingerprint),
    /// The id an entry is published under.
    Published(String),
    /// Feed, title, text and claimed day of an entry with a text long enough to know it by.
    Text(FeedId, Fingerprint, Fingerprint, String),
}

impl Alias {
    /// Kind and content as one hash, the form in which the index keeps it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&match self {
            Self::Guid(feed, guid) => format!("guid\n{feed}\n{guid}"),
            Self::Url(url) => format!("url\n{url}"),
            Self::Published(id) => format!("published\n{id}"),
            Self::Pair(url, title) => format!("pair\n{url}\n{}", title.hex()),
            Self::Text(feed, title, text, day) => format!("text\n{feed}\n{}\n{}\n{day}", title.hex(), text.hex()),
        })
    }
}

/// A text shorter than this may be the same in two entries by chance (characters).
const TELLING_TEXT: usize = 200;

/// What an entry can be recognised by, seen together with the whole document it came in.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The feed.
    pub feed: FeedId,
    /// The link made comparable.
    pub canonical: Option<CanonicalUrl>,
    /// SHA-256 of the canonical URL.
    pub plain: Option<EntryKey>,
    /// The key with a discriminator (rule 6 where the plain key cannot serve).
    pub discriminated: EntryKey,
    /// The guid, unless the document uses it more than once (rule 1).
    pub guid: Option<String>,
    /// Of the NFKC title.
    pub title: Fingerprint,
    /// Of the body's text.
    pub text: Fingerprint,
    /// The usable claimed date.
    pub claimed: Option<Timestamp>,
    /// Another, different entry of the document has this link.
    pub link_is_shared: bool,
    /// Another entry of the document has this link and title, but is told apart by its text.
    pub pair_is_void: bool,
    /// The text is long enough to know an entry by.
    pub text_is_telling: bool,
    /// Which rules the feed wants.
    pub dedup: Dedup,
}

impl Identity {
    /// The guid as an alias.
    pub fn guid_alias(&self) -> Option<Alias> {
        Some(Alias::Guid(self.feed.clone(), self.guid.clone()?))
    }

    /// Link and title as an alias.
    pub fn pair_alias(&self) -> Option<Alias> {
        Some(Alias::Pair(self.canonical.clone()?, self.title))
    }

    /// The link as an alias.
    pub fn url_alias(&self) -> Option<Alias> {
        Some(Alias::Url(self.canonical.clone()?))
    }

    /// The guid as an id to publish under: RFC 4287 section 4.2.6 asks republishers to keep ids,
    /// and only a URI can be one.
    pub fn usable_id(&self) -> Option<&str> {
        self.guid.as_deref().filter(|guid| is_uri(guid))
    }

    /// Title, text and claimed day as an alias (rule 5).
    pub fn text_alias(&self) -> Option<Alias> {
        let day = self.claimed.filter(|_| self.text_is_telling)?.day();
        Some(Alias::Text(self.feed.clone(), self.title, self.text, day))
    }

    /// True when the guid cannot be another entry's by chance: a URI or a UUID.
    pub fn guid_is_strong(&self) -> bool {
        self.guid.as_deref().is_some_and(|guid| is_uri(guid) || is_uuid(guid))
    }

    /// The key with the text as discriminator.
    fn key_by_text(&self) -> EntryKey {
        let base = self.canonical.as_ref().map_or_else(|| format!("feed:{}", self.feed), ToString::to_string);
        EntryKey::of(&format!("{base}\ntext:{}", self.text.hex()))
    }

    /// By what an entry of another feed would be recognised as this one, or would want the same id.
    pub fn marks(&self) -> impl Iterator<Item = Fingerprint> {
        let keys = self.plain.into_iter().chain([self.discriminated]);
        let keys = keys.filter_map(|key| Fingerprint::from_bytes(&key.bytes()[..16]));
        keys.chain(self.usable_id().map(Fingerprint::of))
    }

    /// Of the guid.
    pub fn guid_fingerprint(&self) -> Option<Fingerprint> {
        self.guid.as_deref().map(Fingerprint::of)
    }

    /// Of the canonical URL.
    pub fn link_fingerprint(&self) -> Option<Fingerprint> {
        self.canonical.as_ref().map(|url| Fingerprint::of(url.as_str()))
    }
}

/// The fingerprint of a title: equal for titles that read the same.
pub fn title_fingerprint(title: &str) -> Fingerprint {
    Fingerprint::of(&nfkc(title))
}

fn nfkc(title: &str) -> String {
    title.nfkc().collect()
}

/// The fingerprint of a body: of its text, so that markup may change without making a revision.
///
/// A body that is all pictures has no text; there the markup has to serve.
pub fn text_fingerprint(body: &str) -> (Fingerprint, bool) {
    text_fingerprint_of(body, &crate::normalize::plain(body))
}

/// The same, for whoever has the plain text of the body already.
pub fn text_fingerprint_of(body: &str, text: &str) -> (Fingerprint, bool) {
    if text.is_empty() {
        return (Fingerprint::of(body), false);
    }
    (Fingerprint::of(text), text.chars().nth(TELLING_TEXT - 1).is_some())
}

/// Works out what the entries of one document can be recognised by.
pub fn keys(entries: &[Entry], dedup: Dedup) -> Vec<Identity> {
    let link = |entry: &Entry| canonical_url(entry.link.as_ref().filter(|_| dedup != Dedup::Guid)?);
    let links: Vec<Option<CanonicalUrl>> = entries.iter().map(link).collect();
    let facts = entries.iter().zip(&links).map(|(entry, link)| Facts::of(entry, link.as_ref(), dedup));
    let facts: Vec<Facts> = facts.collect();
    let guids = count(facts.iter().filter_map(|f| f.guid));
    let shared = distinct_per(facts.iter().filter_map(|f| Some((f.link?, f.content()))));
    let pairs = distinct_per(facts.iter().map(|f| ((f.base(), f.title), f.text)));
    facts
        .iter()
        .zip(&links)
        .map(|(f, canonical)| {
            let guid = f.guid.filter(|guid| guids.get(guid) == Some(&1));
            let pair_is_void = pairs.get(&(f.base(), f.title)).is_some_and(|texts| *texts > 1);
            Identity {
                feed: f.entry.feed.clone(),
                canonical: canonical.clone(),
                plain: f.link.map(EntryKey::of),
                discriminated: f.discriminated(guid, pair_is_void),
                guid: guid.map(str::to_owned),
                title: f.title,
                text: f.text,
                claimed: f.claimed(),
                dedup,
                link_is_shared: dedup == Dedup::Auto
                    && f.link.is_some_and(|link| shared.get(&link).is_some_and(|n| *n > 1)),
                pair_is_void,
                text_is_telling: f.text_is_telling && dedup == Dedup::Auto,
            }
        })
        .collect()
}

/// What is compared between the entries of a document.
struct Facts<'a> {
    entry: &'a Entry,
    link: Option<&'a str>,
    guid: Option<&'a str>,
    title: Fingerprint,
    text: Fingerprint,
    text_is_telling: bool,
}

impl<'a> Facts<'a> {
    fn of(entry: &'a Entry, link: Option<&'a CanonicalUrl>, dedup: Dedup) -> Self {
        let (text, text_is_telling) = text_fingerprint(&entry.body);
        Self {
            entry,
            link: link.map(CanonicalUrl::as_str),
            guid: entry.guid.as_deref().filter(|_| dedup != Dedup::Url),
            title: title_fingerprint(&entry.title),
            text,
            text_is_telling,
        }
    }

    fn claimed(&self) -> Option<Timestamp> {
        self.entry.claimed.filter(|_| !self.entry.date_is_made)
    }

    /// What makes it another entry than one with the same link; without any text only the guid can.
    fn content(&self) -> (Fingerprint, Fingerprint, Option<&'a str>) {
        (self.title, self.text, self.guid.filter(|_| self.entry.body.is_empty()))
    }

    /// What the discriminator is added to.
    fn base(&self) -> String {
        self.link.map_or_else(|| format!("feed:{}", self.entry.feed), str::to_owned)
    }

    /// SHA-256 of canonical URL (else `feed:` and id), LF, discriminator: the guid where it is
    /// valid, else the title unless another entry here has it too, else the text.
    fn discriminated(&self, guid: Option<&str>, title_is_void: bool) -> EntryKey {
        let discriminator = match guid {
            Some(guid) => format!("guid:{guid}"),
            None if title_is_void || self.entry.title_is_made => format!("text:{}", self.text.hex()),
            None => match self.claimed().filter(|_| self.link.is_none()) {
                Some(day) => format!("title:{}\n{}", nfkc(&self.entry.title), day.day()),
                None => format!("title:{}", nfkc(&self.entry.title)),
            },
        };
        EntryKey::of(&format!("{}\n{discriminator}", self.base()))
    }
}

fn count<T: std::hash::Hash + Eq>(items: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_default() += 1;
    }
    counts
}

/// How many different values stand beside each key.
fn distinct_per<K: std::hash::Hash + Eq, V: std::hash::Hash + Eq>(
    pairs: impl Iterator<Item = (K, V)>,
) -> HashMap<K, usize> {
    let mut sets: HashMap<K, HashSet<V>> = HashMap::new();
    for (key, value) in pairs {
        sets.entry(key).or_default().insert(value);
    }
    sets.into_iter().map(|(key, set)| (key, set.len())).collect()
}

fn is_uri(guid: &str) -> bool {
    let authority = |url: &Url| url.has_host() || matches!(url.scheme(), "urn" | "tag");
    !guid.contains(char::is_whitespace) && Url::parse(guid).is_ok_and(|url| authority(&url))
}

fn is_uuid(guid: &str) -> bool {
    let guid = guid.trim_start_matches('{').trim_end_matches('}');
    let parts: Vec<usize> = guid.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && guid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
