//! What stands in a feed's address as a key stays out of everything that is kept of the feed.

use url::Url;

use crate::model::{Access, Entry, FeedMeta};

/// What is shorter is no key, and stands in many a text. In bytes.
const SHORTEST: usize = 8;

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
        self.long().any(|key| text.contains(key))
    }

    /// Takes them out of a text.
    pub(super) fn hide(&self, text: &mut String) {
        for key in self.long().filter(|key| text.contains(*key)).collect::<Vec<_>>() {
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

    fn long(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str).filter(|key| key.len() >= SHORTEST)
    }
}

/// What of a value from the environment may be a key. Of a whole address nobody says what: its folder, or its query.
fn parts(value: &str) -> Vec<String> {
    let Some(url) = Url::parse(value).ok().filter(Url::has_host) else {
        return vec![value.trim_matches('/').to_owned()];
    };
    let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    vec![folder.trim_matches('/').to_owned(), url.query().unwrap_or_default().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    #[test]
    fn of_a_whole_address_its_folder_and_its_query_are_keys() {
        for (value, keys) in [
            ("P4thKey90", &["P4thKey90"][..]),
            ("P4thKey90/feed.xml", &["P4thKey90/feed.xml"]),
            ("https://a.example/P4thKey90/feed.xml", &["P4thKey90"]),
            ("https://a.example/feed.xml?key=P4thKey90", &["key=P4thKey90"]),
            ("https://a.example/", &[]),
        ] {
            let access = Access { keys: vec![Secret::new(value)], ..Access::default() };
            assert_eq!(Keys::of(&access).0, keys, "{value}");
        }
    }

    #[test]
    fn what_is_short_stays_in_texts() {
        let keys = Keys(vec!["news".to_owned(), "P4thKey90".to_owned()]);
        let mut text = "news at https://a.example/P4thKey90/1".to_owned();
        keys.hide(&mut text);
        assert_eq!(text, "news at https://a.example/…/1");
        assert!(keys.are_in_path(&Url::parse("https://a.example/news/feed.xml").unwrap()));
    }
}
