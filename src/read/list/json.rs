//! Feed lists in JSON: `subs.json`, and what feed readers export.

use serde_json::{Map, Value};

use super::super::page::clean;
use super::{DEPTH, Draft, FeedList, LONGEST_NAME, ListError, MOST_GROUPS, web_address};

/// Reads a list that is JSON.
pub(super) fn feeds(value: &Value) -> Result<FeedList, ListError> {
    let is_feed = |version: &Value| version.as_str().is_some_and(|version| version.contains("jsonfeed.org"));
    if value.get("version").is_some_and(is_feed) {
        return Err(ListError::Feed);
    }
    let mut draft = Draft::default();
    draft.walk(value, &mut Vec::new());
    Ok(draft.list)
}

const ADDRESSES: [&str; 8] = ["xmlUrl", "xml_url", "feedUrl", "feed_url", "feed", "rss", "url", "href"];
const NAMES: [&str; 4] = ["title", "name", "text", "label"];
const SITES: [&str; 8] = ["site", "siteUrl", "site_url", "htmlUrl", "html_url", "website", "homepage", "link"];
/// Keys that hold lists and are no folder names.
const LISTS: [&str; 9] = ["feeds", "subscriptions", "subs", "sites", "sources", "outlines", "children", "list", "data"];

impl Draft {
    /// Lists may lie in objects, and objects by folder name in objects; `serde_json` bounds the depth.
    fn walk(&mut self, value: &Value, path: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item, path)),
            Value::Object(map) => self.object(map, path),
            Value::String(address) => {
                self.count += 1;
                self.add(address, None, None, path.clone());
            }
            _ => {
                self.count += 1;
                self.skip(None, "neither an address nor an object with a `url`");
            }
        }
    }

    fn object(&mut self, map: &Map<String, Value>, path: &mut Vec<String>) {
        let name = NAMES.iter().find_map(|key| clean(get(map, key)?.as_str()?, LONGEST_NAME));
        let holds_list = map.iter().any(|(key, value)| value.is_array() && is_one_of(key, &LISTS));
        let site = SITES.iter().find_map(|key| get(map, key)?.as_str());
        if !holds_list && let Some(addresses) = addresses_in(map, site) {
            self.count += 1;
            let mut groups = path.clone();
            for key in ["category", "categories", "tags", "folder", "group", "groups"] {
                groups.extend(get(map, key).map(labels).unwrap_or_default());
            }
            // In `subs.json`, `site` may be the name of the site.
            let is_name = site.is_some_and(|site| web_address(site).is_err());
            let title = name.or_else(|| clean(site?, LONGEST_NAME).filter(|_| is_name));
            for address in addresses {
                self.add(address, title.clone(), site, groups.clone());
            }
            return;
        }
        let inner = map.iter().filter(|(_, value)| value.is_array() || value.is_object());
        let inner: Vec<_> = inner.collect();
        if inner.is_empty() {
            self.count += 1;
            self.skip(name.as_deref(), "has no `url`");
        }
        for (key, value) in inner {
            let folder = name.clone().or_else(|| clean(key, LONGEST_NAME).filter(|key| !is_one_of(key, &LISTS)));
            let depth = path.len();
            path.extend(folder.filter(|_| depth < DEPTH));
            self.walk(value, path);
            path.truncate(depth);
        }
    }
}

/// The feed, or several of them; else the page, where that is all there is.
fn addresses_in<'v>(map: &'v Map<String, Value>, site: Option<&'v str>) -> Option<Vec<&'v str>> {
    let named = ADDRESSES.iter().find_map(|key| {
        let texts: Vec<_> = match get(map, key)? {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            value => value.as_str().into_iter().collect(),
        };
        Some(texts.into_iter().filter(|text| !text.trim().is_empty()).collect())
            .filter(|texts: &Vec<_>| !texts.is_empty())
    });
    // Google Reader and its heirs.
    let by_id = || get(map, "id")?.as_str()?.strip_prefix("feed/");
    let page = || site.filter(|site| web_address(site).is_ok());
    named.or_else(|| by_id().or_else(page).map(|address| vec![address]))
}

fn get<'v>(map: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    map.get(key).or_else(|| map.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

fn is_one_of(key: &str, keys: &[&str]) -> bool {
    keys.iter().any(|known| known.eq_ignore_ascii_case(key))
}

/// `"x"`, `["x"]`, `{"label": "x"}`, `[{"title": "x"}]`.
fn labels(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => clean(text, LONGEST_NAME).into_iter().collect(),
        Value::Array(items) => items.iter().take(MOST_GROUPS).flat_map(labels).collect(),
        Value::Object(map) => NAMES.iter().find_map(|key| map.get(*key)).map(labels).unwrap_or_default(),
        _ => Vec::new(),
    }
}
