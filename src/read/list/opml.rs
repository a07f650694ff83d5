//! OPML of any age and health.
//!
//! It is read with the forgiving scanner of pages, not as XML: all it says stands in attributes, and what people
//! have is often no XML (bare `&`, `<` in a title, `<outline>` without an end).

use super::super::page::clean;
use super::super::page::tags::{Tag, Tags};
use super::{DEPTH, Draft, FeedList, LONGEST_NAME, MOST_GROUPS, web_address};

/// An outline that is open.
struct Folder {
    /// Whether its name is the last of the path.
    is_named: bool,
    /// Neither a feed nor around one, so far.
    is_idle: bool,
    is_comment: bool,
    title: Option<String>,
}

/// Reads the outlines of a list; `None` when there are none.
pub(super) fn feeds(text: &str) -> Option<FeedList> {
    let tags: Vec<_> = Tags::new(text).filter(|tag| tag.is("opml") || tag.is("outline")).collect();
    if tags.is_empty() {
        return None;
    }
    let mut list = of_tags(&tags);
    let tail = text.rsplit('>').next().unwrap_or_default().to_ascii_lowercase();
    if tail.contains("<outline") {
        list.skipped.push("the list breaks off in the middle of its last outline".to_owned());
    }
    Some(list)
}

fn of_tags(tags: &[Tag<'_>]) -> FeedList {
    let mut draft = Draft::default();
    let mut open: Vec<Folder> = Vec::new();
    let mut path: Vec<String> = Vec::new();
    let outlines = || tags.iter().filter(|tag| tag.is("outline"));
    // Some programs end folders only and leave `<outline xmlUrl="…">` open.
    let ends = outlines().filter(|tag| tag.is_end).count();
    let folders = outlines().filter(|tag| !tag.is_end && !tag.is_empty && address_of(tag).is_none()).count();
    let feeds_stay_open = ends <= folders;

    for tag in outlines() {
        if tag.is_end {
            close(open.pop(), &mut path, &mut draft);
            continue;
        }
        draft.count += 1;
        let name = |keys: &[&str]| keys.iter().find_map(|key| clean(&tag.get(key)?, LONGEST_NAME));
        let title = name(&["text", "title", "name"]);
        let is = |key, value: &str| tag.get(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
        let is_comment = is("isComment", "true") || open.last().is_some_and(|folder| folder.is_comment);
        if let Some(parent) = open.last_mut() {
            parent.is_idle = false;
        }
        let address = address_of(tag).filter(|_| !is_comment);
        let mut is_idle = false;
        if let Some(address) = &address {
            let categories = tag.get("category").unwrap_or_default();
            let groups = path.iter().take(DEPTH).cloned().chain(categories_of(&categories)).collect();
            draft.add(address, title.clone(), tag.get("htmlUrl").as_deref(), groups);
        } else if is("type", "include") || is("type", "link") && tag.get("url").is_some() {
            draft.skip(title.as_deref(), "a link to another list or page; import that by itself");
        } else if is_comment {
            draft.skip(title.as_deref(), "marked as a comment");
        } else if let Some(page) = tag.get("htmlUrl").and_then(|page| web_address(&page).ok()) {
            draft.skip(title.as_deref(), &format!("has no feed address; try `add {page}`"));
        } else {
            is_idle = true;
        }
        let folder_name = title.clone().filter(|_| address.is_none());
        let folder = Folder { is_named: folder_name.is_some(), is_idle, is_comment, title };
        path.extend(folder_name);
        if tag.is_empty {
            close(Some(folder), &mut path, &mut draft);
        } else if address.is_none() || !feeds_stay_open {
            open.push(folder);
        }
    }
    while let Some(folder) = open.pop() {
        close(Some(folder), &mut path, &mut draft);
    }
    draft.list
}

fn close(folder: Option<Folder>, path: &mut Vec<String>, draft: &mut Draft) {
    let Some(folder) = folder else { return };
    if folder.is_named {
        path.pop();
    }
    if folder.is_idle {
        draft.skip(folder.title.as_deref(), "has no address");
    }
}

/// The feed's address. A bare `url` counts only where nothing says that it leads elsewhere (`type="link"`).
fn address_of(tag: &Tag<'_>) -> Option<String> {
    let named = ["xmlUrl", "xml_url", "feedUrl", "feed_url", "rssUrl"].iter().find_map(|key| tag.get(key));
    let bare = || {
        let kind = tag.get("type").unwrap_or_default().to_ascii_lowercase();
        let is_feed = ["rss", "atom", "feed", "rdf", "json"].iter().any(|sign| kind.contains(sign));
        tag.get("url").filter(|_| kind.is_empty() || is_feed)
    };
    named.or_else(bare).map(Into::into)
}

/// OPML 2.0: `/Boston/Weather,Politics`; only with a leading slash it is a path.
fn categories_of(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).flat_map(|category| match category.strip_prefix('/') {
        Some(path) => path.split('/').collect(),
        None => vec![category],
    });
    parts.filter_map(|part| clean(part, LONGEST_NAME)).take(MOST_GROUPS).collect()
}
