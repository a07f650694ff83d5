//! Posts: what was written comes back, and whatever lies in the archive is read the same by all readers.
#![no_main]

use feedmill::model::{Enclosure, EntryKey, Post, Timestamp};
use feedmill::normalize::html::{self, Cuts};
use feedmill::normalize::legal;
use feedmill::post::{self, Layout};
use feedmill_fuzz::{text, timed};
use libfuzzer_sys::fuzz_target;
use url::Url;

/// One to a line, so that blanks can be in them.
const PIECES: &str = include_str!("post.txt");
const PATHS: [&str; 4] = ["_posts/2021/07/2021-07-28-名字-1.md", "x.html", "2020-02-30 a.markdown", "a/1999-12-31/"];

/// A post of any texts: fields are parted by `|` and come in any order.
fn made(text: &str, choice: u8) -> Post {
    let mut fields = text.split('|').map(str::to_owned).cycle();
    let mut next = || fields.next().unwrap_or_default();
    let title = next();
    let lists = [vec![next(), next()], if choice & 4 == 0 { vec![] } else { vec![next()] }];
    let [tags, categories] = lists;
    let millis = |text: &str| text.bytes().fold(0_i64, |sum, b| sum.wrapping_mul(257).wrapping_add(i64::from(b)));
    let from = if choice & 8 == 0 { format!("https://example.org/{}", next()) } else { next() };
    // As normalising leaves them: addresses of the web, legal texts.
    let enclosure = |url: String, media_type: Option<String>| Enclosure {
        url: Url::parse("https://example.org/").expect("url").join(&url).map(String::from).unwrap_or_default(),
        media_type: media_type.map(|text| legal(&text).trim().to_owned()),
        length: Some(7),
    };
    let link = Url::parse(&from).ok().filter(|_| choice & 128 != 0);
    Post {
        date: Timestamp::from_millis(millis(&next())),
        author: next(),
        updated: Some(Timestamp::from_millis(millis(&title) / 4096)).filter(|_| choice & 16 != 0),
        lang: Some(next()).filter(|_| choice & 16 != 0),
        enclosures: if choice & 32 == 0 {
            vec![]
        } else {
            vec![enclosure(next(), Some(next())), enclosure(next(), None)]
        },
        claimed: Some(next()).filter(|_| choice & 64 != 0),
        key: link.map_or_else(|| EntryKey::of(&from), |link| post::foreign_key("x.md", Some(&link))),
        body: html::body(&next(), None, &Cuts::none()),
        title,
        from,
        tags,
        categories,
    }
}

/// The text so that only the reader for all of YAML takes it, though it says the same.
fn for_yaml(text: &str) -> Option<String> {
    text.strip_prefix("---\nlayout: post\n").map(|rest| format!("---\nlayout:  post\n{rest}"))
}

fn check_path(post: &Post) {
    for (layout, digits) in [(Layout::Month, 8), (Layout::Flat, 64), (Layout::Month, usize::MAX)] {
        let path = post::path(post, layout, digits).unwrap_or_else(|| panic!("no path: {}", post.title));
        let path = path.as_str();
        let parts: Vec<&str> = path.split('/').collect();
        assert_eq!((parts[0], parts.len()), ("_posts", if layout == Layout::Flat { 2 } else { 4 }), "{path}");
        let name = parts[parts.len() - 1];
        assert!(name.len() <= 255 && name.ends_with(".md") && !name.starts_with(['.', '-', ' ']), "{path}");
        let is_odd = |c: char| c.is_control() || c.is_whitespace() || "\\:*?\"<>|{}%#&'`$".contains(c);
        assert!(!path.contains(is_odd) && !path.contains(".."), "{path}");
        assert!(name.contains(&post.key.hex()[..digits.min(64)]), "{path}");
    }
}

/// What holds of any post that we write.
fn check_written(post: &Post) {
    let text = post::to_text(post);
    assert!(post::is_whole(text.as_bytes()));
    let back = timed(text.len(), || post::from_text(&text));
    assert_eq!(back.as_ref(), Ok(post), "{text}");
    let by_yaml = for_yaml(&text).expect("our own first lines");
    assert_eq!(post::from_text(&by_yaml).as_ref(), Ok(post), "by YAML: {text}");
    assert_eq!(post::read("x.md", text.as_bytes()).as_ref(), Ok(post));
    assert_eq!(post::to_text(&back.expect("read")), text);

    let (front, rest) = text[4..].split_once("\n---\n").expect("front matter");
    let is_unsafe = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
    assert!(!front.contains(is_unsafe), "{front}");
    // comment, heading, underline, blank line: nothing of the post can end one of them early, or run in it
    let lines: Vec<&str> = rest.splitn(6, '\n').collect();
    assert_eq!(lines[0], format!("<!--{}-->", post.date.millis()));
    assert!(!lines[1].contains(['{', '<', '\r']) && !lines[1].contains("`"), "{}", lines[1]);
    if post.from.is_empty() {
        // A list, a heading or a quotation would begin with one of these.
        let starts = lines[1].trim_start_matches(|c: char| c.is_ascii_digit());
        assert!(!starts.starts_with(|c: char| c.is_ascii_punctuation() && c != '&'), "{}", lines[1]);
        assert!(!lines[1].starts_with([' ', '\t']), "{}", lines[1]);
    }
    assert_eq!(lines[2..5], ["------", "", "<div>"]);
    assert_eq!(lines[5], format!("{}\n</div>\n", post.body));
    check_path(post);
}

/// Any file of the archive.
fn check_file(path: &str, bytes: &[u8], text: &str) {
    if let Some(other) = for_yaml(text) {
        let (fast, thorough) = (post::from_text(text), post::from_text(&other));
        // Of two errors only the place may differ.
        assert!(fast == thorough || fast.is_err() && thorough.is_err(), "{fast:?}, {thorough:?}: {text}");
    }
    let own = post::from_text(text);
    let foreign = timed(bytes.len(), || post::foreign(path, bytes));
    let read = post::read(path, bytes);
    if own.is_ok() && str::from_utf8(bytes).is_ok() {
        assert_eq!(read, own);
        assert!(foreign.is_ok(), "ours but no other's: {text}");
    }
    let Ok(found) = foreign else {
        assert!(read.is_err() && !text.starts_with("---\n---\n"), "{text}");
        return;
    };
    assert!(!found.title.is_empty() && !found.title.contains(['\n', '\r', '\0']), "{:?}", found.title);
    let is_web = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    assert!(found.from.as_ref().is_none_or(is_web));
    assert!(found.notes.is_sorted_by(|a, b| a < b));
    let mut post = post::from_foreign(path, found);
    check_path(&post);
    // Written by us it is one of ours, once its body is clean.
    post.body = html::body(&post.body, None, &Cuts::none());
    check_written(&post);
}

fuzz_target!(|data: &[u8]| {
    let Some((text, choice)) = text(data, PIECES) else { return };
    let path = PATHS[usize::from(choice / 2 % 4)];
    check_file(path, &data[..data.len() - 1], &String::from_utf8_lossy(&data[..data.len() - 1]));
    check_file(path, text.as_bytes(), &text);
    let post = made(&text, choice);
    check_written(&post);
    // Somebody edits it.
    let written = post::to_text(&post);
    let at = written.floor_char_boundary(usize::from(choice) * 3 % written.len());
    let end = written.ceil_char_boundary((at + usize::from(choice % 3)).min(written.len()));
    let put = text.split('|').next_back().unwrap_or_default();
    let edited = format!("{}{put}{}", &written[..at], &written[end..]);
    check_file(path, edited.as_bytes(), &edited);
});
