//! What stands in a feed's address as a key stays out of everything that is kept of the feed.

use url::Url;

use crate::model::{Access, Entry, FeedMeta};

/// What is shorter is no key, and stands in many a text. In bytes.
const SHORTEST: usize = 8;
/// In a whole address a part of the path that is shorter may be anything. In bytes.
const SHORTEST_PART: usize = 16;

/// The keys of a feed.
pub(super) struct Keys(Vec<String>);

impl Keys {
    /// Those in its addresses.
    pub(super) fn of(access: &Access) -> Self {
        let mut keys: Vec<String> = access.keys.iter().flat_map(|key| parts(key.reveal())).collect();
        keys.retain(|key| !key.is_empty());
        Self(keys)
    }

    /// True for an address whose path holds one, from where relative addresses would lead to it.
    pub(super) fn are_in_path(&self, url: &Url) -> bool {
        self.0.iter().any(|key| url.path().contains(key.as_str()))
    }

    /// True for a text in which one stands.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.random().any(|key| text.contains(key))
    }

    /// Takes them out of a text.
    pub(super) fn hide(&self, text: &mut String) {
        for key in self.random().filter(|key| text.contains(*key)).collect::<Vec<_>>() {
            *text = text.replace(key, "…");
        }
    }

    /// Leaves out links that hold one, and takes it out of everything else.
    pub(super) fn hide_in(&self, entry: &mut Entry) {
        entry.link.take_if(|link| self.are_in(link.as_str()));
        entry.enclosures.retain(|file| !self.are_in(&file.url));
        if let Some(guid) = &mut entry.guid {
            self.hide(guid);
        }
        self.hide(&mut entry.title);
        self.hide(&mut entry.body);
    }

    /// Leaves out addresses that hold one.
    pub(super) fn hide_in_meta(&self, meta: &mut FeedMeta) {
        for address in [&mut meta.id, &mut meta.link, &mut meta.icon] {
            address.take_if(|address| self.are_in(address));
        }
    }

    fn random(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|key| key.len() >= SHORTEST && is_random(key))
    }
}

/// No word: texts and links that hold a word are left alone, whatever the operator keeps in the environment.
fn is_random(key: &str) -> bool {
    let has = |is: fn(&char) -> bool| key.chars().any(|c| is(&c));
    let letters = has(char::is_ascii_lowercase) || has(char::is_ascii_uppercase);
    let is_mixed = has(char::is_ascii_lowercase) && key.chars().skip(1).any(|c| c.is_ascii_uppercase());
    (letters && has(char::is_ascii_digit)) || is_mixed
}

/// What of a value from the environment may be a key. Of a whole address nobody says what: its query, or a part of its
/// path that looks like one. A folder like `articles` would stand in every link.
fn parts(value: &str) -> Vec<String> {
    let Some(url) = Url::parse(value).ok().filter(Url::has_host) else {
        return vec![value.trim_matches('/').to_owned()];
    };
    let is_key = |part: &&str| part.len() >= SHORTEST_PART && !part.contains(['-', '.', '%']) && is_random(part);
    let of_path = url.path().split('/').filter(is_key);
    of_path.chain(url.query()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn of_a_whole_address_its_query_and_what_looks_like_one_are_keys() {
        for (value, keys) in [
            ("P4thKey90", &["P4thKey90"][..]),
            ("P4thKey90/feed.xml", &["P4thKey90/feed.xml"]),
            ("https://a.example/P4thKey90P4thKey90/feed.xml", &["P4thKey90P4thKey90"]),
            ("https://a.example/feed.xml?key=P4thKey90", &["key=P4thKey90"]),
            ("https://a.example/articles/news2024/2021-annual-report/feed.xml", &[]),
            ("https://a.example/", &[]),
        ] {
            let access = Access { keys: vec![Secret::new(value)], ..Access::default() };
            assert_eq!(Keys::of(&access).0, keys, "{value}");
        }
    }

    #[test]
    fn what_is_short_or_a_word_stays_in_texts() {
        let keys = Keys(vec!["news".to_owned(), "Technology".to_owned(), "P4thKey90".to_owned()]);
        assert!(!keys.are_in("https://a.example/Technology/1"));
        let mut text = "news at https://a.example/P4thKey90/1".to_owned();
        keys.hide(&mut text);
        assert_eq!(text, "news at https://a.example/…/1");
        assert!(keys.are_in_path(&Url::parse("https://a.example/news/feed.xml").unwrap()));
    }
}
