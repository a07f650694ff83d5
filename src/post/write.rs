//! The archive's own writer of posts: fixed keys in a fixed order.
//!
//! serde_yaml is not used for writing: it leaves `yes` and `12:30` bare, which Jekyll's reader
//! takes for a boolean and a number.

use std::fmt::Write;

use super::key_of_link;
use crate::model::Post;

/// How every post file of ours ends; the body has no line breaks.
pub const TAIL: &str = "\n</div>\n";

/// True when the bytes of a post of ours were not cut short by a crash. Whoever edits a post may end it in another way.
pub fn is_whole(bytes: &[u8]) -> bool {
    bytes.ends_with(TAIL.as_bytes()) || is_edited(bytes)
}

/// Nobody types NUL, and what is cut short has no `</div>` after its `<div>`, or ends within the heading.
fn is_edited(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let has_line = |wanted: &str| text.lines().any(|line| line.trim_end() == wanted);
    if text.contains('\0') || text.trim().is_empty() {
        return false;
    }
    if has_line("</div>") || has_line("<div>") {
        return has_line("</div>");
    }
    let text = text.trim_start_matches('\u{FEFF}');
    let rest = match text.strip_prefix("---") {
        Some(front) => front.split_once("\n---").map(|(_, rest)| rest.trim()),
        None => Some(text),
    };
    let begins = |text: &str, with: &str| text.starts_with(with) || with.starts_with(text);
    rest.is_some_and(|rest| match rest.split_once("\n------") {
        Some((_, body)) => !begins(body.trim(), "<div>"),
        None => !begins(rest, "<!--") && !begins(rest, "---"),
    })
}

/// The text of a post file.
pub fn to_text(post: &Post) -> String {
    let mut out = String::with_capacity(post.body.len() + 1024);
    front_matter(&mut out, post);
    let _ = writeln!(out, "<!--{}-->", post.date.millis());
    heading(&mut out, post);
    let _ = write!(out, "------\n\n<div>\n{}{TAIL}", post.body);
    out
}

fn front_matter(out: &mut String, post: &Post) {
    let _ = writeln!(out, "---\nlayout: post\ntitle: {}", quoted(&post.title));
    let _ = writeln!(out, "date: {}", post.date.rfc3339_millis());
    let _ = writeln!(out, "author: {}", scalar(&post.author));
    let _ = writeln!(out, "from: {}", scalar(&post.from));
    let _ = writeln!(out, "tags: {}", list(&post.tags));
    let _ = writeln!(out, "categories: {}", list(&post.categories));
    if let Some(updated) = post.updated {
        let _ = writeln!(out, "updated: {}", updated.rfc3339_millis());
    }
    if let Some(lang) = &post.lang {
        let _ = writeln!(out, "lang: {}", scalar(lang));
    }
    if !post.enclosures.is_empty() {
        // JSON is YAML too; its strings are double-quoted.
        let _ = writeln!(out, "enclosures: {}", serde_json::to_string(&post.enclosures).unwrap_or_default());
    }
    if let Some(claimed) = &post.claimed {
        let _ = writeln!(out, "claimed: {}", quoted(claimed));
    }
    if key_of_link(&post.from) != Some(post.key) {
        let _ = writeln!(out, "key: {}", quoted(&post.key.hex()));
    }
    out.push_str("---\n");
}

fn heading(out: &mut String, post: &Post) {
    let title = markdown(&post.title);
    if post.from.is_empty() {
        // Without a link the line begins with the title, where a list or heading could start.
        let _ = writeln!(out, "{}", inert_start(&title));
    } else {
        let _ = writeln!(out, "[{title}]({})", markdown_address(&post.from));
    }
}

fn list(items: &[String]) -> String {
    let items: Vec<String> =
        items.iter().map(|item| if is_plain(item, true) { item.clone() } else { quoted(item) }).collect();
    format!("[ {} ]", items.join(", "))
}

fn scalar(text: &str) -> String {
    if is_plain(text, false) { text.to_owned() } else { quoted(text) }
}

/// Words that one YAML dialect or the other reads as a boolean or null.
const RESERVED: &[&str] = &["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nil", "none"];

/// True when YAML 1.1 (Jekyll) and 1.2 (serde_yaml) both read the bare text as this very string.
pub(super) fn is_plain(text: &str, in_list: bool) -> bool {
    let Some(first) = text.chars().next() else { return false };
    // Without a letter from outside ASCII a leading digit may begin a number, a date or a time.
    let starts =
        first.is_alphabetic() || (first.is_numeric() && text.chars().any(|c| !c.is_ascii() && c.is_alphabetic()));
    let edges = text.trim() == text;
    let structure = text.contains(": ") || text.contains(" #") || text.ends_with(':');
    let flow = in_list && text.contains([',', '[', ']', '{', '}', ':', '"', '\'']);
    let printable = text.chars().all(|c| !must_escape(c) && (c == ' ' || !c.is_whitespace()));
    starts && edges && !structure && !flow && printable && !RESERVED.contains(&text.to_lowercase().as_str())
}

/// Double-quoted YAML; `\`, `"` and everything a terminal, an editor or a YAML reader could
/// stumble over is escaped.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if must_escape(c) => {
                let code = u32::from(c);
                let _ = if code > 0xFFFF { write!(out, "\\U{code:08X}") } else { write!(out, "\\u{code:04X}") };
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Controls, line separators, bidi controls, byte order marks, noncharacters.
pub(super) fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x2028..=0x202E | 0x2066..=0x2069 | 0x200E | 0x200F | 0x061C | 0xFEFF | 0xFFF9..=0xFFFB)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The title as Markdown that shows exactly the title: whatever kramdown or HTML could read as
/// something else becomes a character reference.
fn markdown(title: &str) -> String {
    let mut out = String::with_capacity(title.len());
    let chars: Vec<char> = title.chars().collect();
    for (i, c) in chars.iter().copied().enumerate() {
        let twin = |other: Option<&char>| other == Some(&c);
        let doubled = twin(chars.get(i + 1)) || (i > 0 && twin(chars.get(i - 1)));
        let special = match c {
            '&' | '<' | '>' | '[' | ']' | '{' | '}' | '*' | '_' | '`' | '\\' | '$' | '|' | '"' | '\'' | '~' | '^' => {
                true
            }
            // kramdown makes a dash of `--` and an ellipsis of `...`, `:` opens nothing unless doubled.
            '-' | '.' | ':' | '=' => doubled,
            c => must_escape(c) || (c.is_whitespace() && c != ' ' && c != '\u{3000}' && c != '\u{A0}'),
        };
        if special {
            reference(&mut out, c);
        } else {
            out.push(c);
        }
    }
    out
}

fn reference(out: &mut String, c: char) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        // Nothing an HTML reader would show; a line break would end the heading.
        c if must_escape(c) || c.is_whitespace() => out.push(' '),
        c => {
            let _ = write!(out, "&#{};", u32::from(c));
        }
    }
}

fn inert_start(title: &str) -> String {
    let title = title.trim_start();
    let digits = title.bytes().take_while(u8::is_ascii_digit).count();
    match title[digits..].chars().next() {
        Some(c) if c.is_ascii_punctuation() && c != '&' => {
            let mut out = title[..digits].to_owned();
            reference(&mut out, c);
            out.push_str(&title[digits + c.len_utf8()..]);
            out
        }
        _ => title.to_owned(),
    }
}

/// The link with everything percent-encoded that could end it or start something else.
fn markdown_address(from: &str) -> String {
    let mut out = String::with_capacity(from.len());
    for c in from.chars() {
        if matches!(c, '(' | ')' | '<' | '>' | '[' | ']' | '{' | '}' | '|' | '\\' | '`' | '"' | '\'' | ' ' | '*' | '$')
            || c.is_control()
        {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_told_from_what_was_edited() {
        let whole = "---\ntitle: x\n---\n<!--0-->\n[x](https://example.org/)\n------\n\n<div>\n<p>x</p>\n</div>\n";
        assert!(is_whole(whole.as_bytes()));
        for length in 0..whole.len() - "\n".len() {
            assert!(!is_whole(&whole.as_bytes()[..length]), "{:?}", &whole[..length]);
            let mut zeros = whole.as_bytes()[..length].to_vec();
            zeros.resize(whole.len(), 0);
            assert!(!is_whole(&zeros), "{:?} and zeros", &whole[..length]);
        }
        for edited in [
            whole.trim_end().to_owned(),
            whole.replace('\n', "\r\n"),
            format!("{whole}\nA note.\n"),
            whole.replace("<div>\n", "").replace("</div>\n", ""),
            "---\ntitle: x\n---\nWritten anew.\n".to_owned(),
            "No front matter any more.\n".to_owned(),
        ] {
            assert!(is_whole(edited.as_bytes()), "{edited:?}");
        }
    }

    #[test]
    fn strings_are_bare_only_where_both_dialects_agree() {
        for bare in ["自由亚洲电台", "BBC 中文", "36氪", "C++", "C#", "Q&A", "https://example.org/a?b=c#d", "O'Neil"]
        {
            assert!(is_plain(bare, false), "{bare}");
        }
        for not in [
            "yes",
            "NO",
            "On",
            "null",
            "12:30",
            "1_000",
            "2021-01-01",
            "0x1f",
            "1e3",
            "~",
            "- a",
            "a: b",
            "a #b",
            "a:",
            "@x",
            "*x",
            "&x",
            "%x",
            "`x",
            "'x",
            "\"x",
            " x",
            "x ",
            "",
            "[图] 新闻",
            "{x}",
            "?x",
            "!x",
            "|x",
            ">x",
            "=",
            "<<",
            ".5",
        ] {
            assert!(!is_plain(not, false), "{not}");
        }
        for not in ["a, b", "a[b", "a:b", "a}b"] {
            assert!(!is_plain(not, true), "{not}");
        }
    }

    #[test]
    fn controls_and_bidi_never_stand_bare() {
        assert_eq!(quoted("a\"\\\u{7}\u{202E}\u{2028}b"), r#""a\"\\\u0007\u202E\u2028b""#);
    }

    #[test]
    fn a_title_shows_as_itself_in_markdown() {
        assert_eq!(
            markdown("微信等多个平台暂停注册 腾讯音乐月内弃独家版权"),
            "微信等多个平台暂停注册 腾讯音乐月内弃独家版权"
        );
        assert_eq!(markdown("a [b](c) <i> {% x %} *d*"), "a &#91;b&#93;(c) &lt;i&gt; &#123;% x %&#125; &#42;d&#42;");
        assert_eq!(markdown("a-b -- c... d"), "a-b &#45;&#45; c&#46;&#46;&#46; d");
        assert_eq!(inert_start("1. x"), "1&#46; x");
        assert_eq!(inert_start("# x"), "&#35; x");
        assert_eq!(inert_start("2021 年"), "2021 年");
    }

    #[test]
    fn an_address_cannot_leave_its_parentheses() {
        assert_eq!(markdown_address("https://e.org/a_(b)?c={{d}}"), "https://e.org/a_%28b%29?c=%7B%7Bd%7D%7D");
    }
}
