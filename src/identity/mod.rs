//! Which entry this is: canonical URL, keys, aliases, and the rules that decide.

mod canonical;
mod rules;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;
use url::Url;

pub use canonical::{VERSION, canonical_url};
pub use rules::{Decision, Decisions, Known, Tombstone, decide};

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
#[expect(clippy::struct_excessive_bools, reason = "facts that have nothing to do with each other")]
pub struct Identity {
    /// The feed.
    pub feed: FeedId,
    /// The link made comparable.
    pub canonical: Option<CanonicalUrl>,
    /// SHA-256 of the canonical URL.
    pub plain: Option<EntryKey>,
    /// The key with a discriminator (rule 6 where the plain key cannot serve).
    pub discriminated: EntryKey,
    /// The key where that with a discriminator is another entry's already: of all that an entry has.
    pub apart: EntryKey,
    /// The guid, unless the document uses it for several entries (rule 1).
    pub guid: Option<String>,
    /// The guid is a spelling of the link, and says nothing that the link does not.
    pub guid_is_link: bool,
    /// What tells entries of one link, title and text apart: the claimed date where each has a guid of its own, else what is
    /// enclosed.
    pub sign: Option<Fingerprint>,
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
        let is_telling = self.text_is_telling && self.dedup == Dedup::Auto;
        let day = self.claimed.filter(|_| is_telling)?.day();
        Some(Alias::Text(self.feed.clone(), self.title, self.text, day))
    }

    /// True when the guid cannot be another entry's by chance: a URI or a UUID.
    pub fn guid_is_strong(&self) -> bool {
        self.guid.as_deref().is_some_and(|guid| is_uri(guid) || is_uuid(guid))
    }

    /// By what an entry of another feed would be recognised as this one, or would want the same id.
    pub fn marks(&self) -> impl Iterator<Item = Fingerprint> {
        let keys = self.plain.into_iter().chain([self.discriminated, self.apart]);
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

/// Most titles are of characters that normalising leaves alone, or changes one by one, and need none of
/// its tables.
fn nfkc(title: &str) -> Cow<'_, str> {
    let quote =
        |c| matches!(c, '\u{2014}' | '\u{2018}' | '\u{2019}' | '\u{201C}' | '\u{201D}' | '\u{3001}' | '\u{3002}');
    let simple = |c| quote(c) || matches!(c, '\0'..='\x7F' | '\u{3008}'..='\u{3011}' | '\u{4E00}'..='\u{9FFF}');
    let wide = |c| matches!(c, '\u{3000}' | '\u{FF01}'..='\u{FF5E}');
    if title.is_ascii() || title.chars().all(simple) {
        Cow::Borrowed(title)
    } else if title.chars().all(|c| simple(c) || wide(c)) {
        let narrow = |c| if c == '\u{3000}' { ' ' } else { char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c) };
        Cow::Owned(title.chars().map(|c| if wide(c) { narrow(c) } else { c }).collect())
    } else {
        Cow::Owned(title.nfkc().collect())
    }
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
    // An entry that is listed twice is one entry still.
    let uses = distinct_per(facts.iter().filter_map(|f| Some((f.guid?, f.said()))));
    let valid = |f: &Facts<'_>| f.guid.filter(|guid| uses.get(guid) == Some(&1)).map(str::to_owned);
    let told: Vec<Told> = facts.iter().map(|f| (f.text, f.sign(valid(f).as_deref()))).collect();
    let shared = distinct_per(facts.iter().zip(&told).filter_map(|(f, told)| Some((f.link?, f.content(*told)))));
    let pairs = distinct_per(facts.iter().zip(&told).map(|(f, told)| ((f.base(), f.title), *told)));
    facts
        .iter()
        .zip(&links)
        .map(|(f, canonical)| {
            let guid = valid(f);
            let guid = guid.as_deref();
            let pair_is_void = pairs.get(&(f.base(), f.title)).is_some_and(|told| *told > 1);
            Identity {
                feed: f.entry.feed.clone(),
                canonical: canonical.clone(),
                plain: f.link.map(EntryKey::of),
                discriminated: f.discriminated(guid, pair_is_void),
                apart: f.apart(),
                guid: guid.map(str::to_owned),
                guid_is_link: f.guid_is_link,
                sign: f.sign(guid),
                title: f.title,
                text: f.text,
                claimed: f.claimed(),
                dedup,
                link_is_shared: dedup == Dedup::Auto
                    && f.link.is_some_and(|link| shared.get(&link).is_some_and(|n| *n > 1)),
                pair_is_void,
                text_is_telling: f.text_is_telling,
            }
        })
        .collect()
}

/// What tells entries of one title apart: text and sign.
type Told = (Fingerprint, Option<Fingerprint>);

/// What is compared between the entries of a document.
struct Facts<'a> {
    entry: &'a Entry,
    link: Option<&'a str>,
    guid: Option<&'a str>,
    guid_is_link: bool,
    /// As it is compared.
    title_text: Cow<'a, str>,
    title: Fingerprint,
    text: Fingerprint,
    text_is_telling: bool,
}

impl<'a> Facts<'a> {
    fn of(entry: &'a Entry, link: Option<&'a CanonicalUrl>, dedup: Dedup) -> Self {
        let (text, text_is_telling) = text_fingerprint(&entry.body);
        let title_text = nfkc(&entry.title);
        let guid = entry.guid.as_deref().filter(|_| dedup != Dedup::Url);
        let is_link = |guid: &str| {
            let spelt = || guid.starts_with("http").then(|| Url::parse(guid).ok()).flatten();
            entry.link.as_ref().is_some_and(|link| link.as_str() == guid)
                || (link.is_some() && spelt().as_ref().and_then(canonical_url).as_ref() == link)
        };
        Self {
            entry,
            link: link.map(CanonicalUrl::as_str),
            guid,
            guid_is_link: guid.is_some_and(is_link),
            title: Fingerprint::of(&title_text),
            title_text,
            text,
            text_is_telling,
        }
    }

    fn claimed(&self) -> Option<Timestamp> {
        self.entry.claimed.filter(|_| !self.entry.date_is_made)
    }

    /// All that it says.
    fn said(&self) -> (Fingerprint, Fingerprint, Option<&'a str>, Option<Timestamp>) {
        (self.title, self.text, self.link, self.claimed())
    }

    /// What makes it another entry than one with the same link; without any text only the guid can.
    fn content(&self, told: Told) -> (Fingerprint, Told, Option<&'a str>) {
        (self.title, told, self.guid.filter(|_| self.entry.body.is_empty()))
    }

    /// What is enclosed.
    fn media(&self) -> Option<Fingerprint> {
        let urls: Vec<&str> = self.entry.enclosures.iter().map(|enclosure| enclosure.url.as_str()).collect();
        (!urls.is_empty()).then(|| Fingerprint::of(&urls.join("\n")))
    }

    /// Two moments of one guid, or one guid for two moments, may be one entry that was touched; two of both are not.
    fn sign(&self, guid: Option<&str>) -> Option<Fingerprint> {
        match guid.filter(|_| !self.guid_is_link) {
            Some(_) => self.claimed().map(|claimed| Fingerprint::of(&claimed.rfc3339_millis())),
            None => self.media(),
        }
    }

    /// SHA-256 of canonical URL (else `feed:` and id), LF, `apart:`, and all that an entry has besides its guid.
    fn apart(&self) -> EntryKey {
        let claimed = self.claimed().map(Timestamp::rfc3339_millis).unwrap_or_default();
        let media = self.media().as_ref().map(Fingerprint::hex).unwrap_or_default();
        let (title, text) = (self.title.hex(), self.text.hex());
        EntryKey::of(&format!("{}\napart:{title}\n{text}\n{claimed}\n{media}", self.base()))
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
                Some(day) => format!("title:{}\n{}", self.title_text, day.day()),
                None => format!("title:{}", self.title_text),
            },
        };
        EntryKey::of(&format!("{}\n{discriminator}", self.base()))
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn titles_are_normalised(
            title in "[a-zA-Z ,一-十龦-\u{9fff}\u{3000}-\u{3012}，。：！Ａ-Ｚ\u{ff5e}—‘’“”…]{0,20}[\u{300}-\u{304}\u{3099}éÅﬁ①ｶﾞ가\u{F900}]{0,1}[a一，“]{0,3}"
        ) {
            prop_assert_eq!(nfkc(&title), title.nfkc().collect::<String>());
        }
    }

    /// They are kept for ever: whatever changes in how they are made, these stay.
    #[test]
    fn fingerprints_stay() {
        for (title, body, of_title, of_text) in [
            (
                "AT&T",
                "<p>a</p><p>b &amp; c</p>",
                "d1aff162effb746e1b996600bd9114e5",
                "9973de5f2a7b98b8cf881e8400ed9aff",
            ),
            (
                "「腾讯」\u{3000}暂停，注册！",
                "<p>\u{3000}\u{3000}中文，<b>加粗</b>文字。</p><br/>第二&nbsp;段",
                "593a37b326ddb08f200eb0c68c5846fe",
                "55c157dae764fd952c7cc170fa44e684",
            ),
            (
                "Cafe\u{301} ① ﬁ…",
                "caf&eacute; &#147;x&#148; &copy 2021 &nosuch;",
                "61c0d5fd3d01e0d5263a2a7755a9ca90",
                "bb396115046d2c92a274532d93ff24ab",
            ),
            (
                "ｶﾞ Ａ\u{301}",
                "&#55357;&#56832;&#8232;b&#x202e;c<script>x</script>",
                "f39ba83ee74f8a70d39bbe4d688b9c3b",
                "209e1a6730f302539bf85a7ad1027e51",
            ),
            (
                "“新华社”——消息",
                "<img src=\"a.png\">",
                "49747125299ec0f7b40e153a5dee28fc",
                "0641fe7c6c17e69c4298083ab7566ef5",
            ),
        ] {
            assert_eq!(title_fingerprint(title).hex(), of_title, "{title}");
            assert_eq!(text_fingerprint(body).0.hex(), of_text, "{body}");
        }
    }
}
