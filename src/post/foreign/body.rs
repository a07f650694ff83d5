//! What stands between the front matter and the text of a post: comment, link line, `<div>`.

use crate::post::front::next_line;

/// What follows the front matter: comment, link line with underline, `<div>`, each if it is there.
pub(super) struct Body<'a> {
    pub(super) comment: Option<Comment>,
    /// Title and address of the link line.
    pub(super) link: Option<(&'a str, &'a str)>,
    /// Comment or link line are there.
    pub(super) is_wrapped: bool,
    pub(super) text: &'a str,
}

/// The comment before the link line.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Comment {
    /// Milliseconds since 1970.
    Date(i64),
    /// `<!--NaN-->`
    Void,
}

/// A title with line breaks may take this many lines above its underline.
const HEADING_LINES: usize = 4;

impl<'a> Body<'a> {
    /// Takes apart what follows the front matter.
    pub(super) fn read(rest: &'a str) -> Self {
        let mut text = skip_blank_lines(rest);
        let comment = comment(text);
        if comment.is_some() {
            text = skip_blank_lines(next_line(text).1);
        }
        let mut link = None;
        let mut is_wrapped = comment.is_some();
        if let Some((heading, underline, below)) = underlined(text) {
            link = link_line(heading);
            // Without a link it may be a heading of the body.
            if link.is_some() || is_wrapped && underline == "------" {
                is_wrapped = true;
                text = skip_blank_lines(below);
            }
        }
        if is_wrapped {
            text = within_div(text).unwrap_or(text);
        }
        Self { comment, link, is_wrapped, text: skip_blank_lines(text).trim_end_matches(['\n', '\r']) }
    }
}

fn skip_blank_lines(text: &str) -> &str {
    let mut text = text;
    while !text.is_empty() {
        let (line, rest) = next_line(text);
        if !line.trim().is_empty() {
            break;
        }
        text = rest;
    }
    text
}

fn comment(text: &str) -> Option<Comment> {
    let inner = next_line(text).0.trim().strip_prefix("<!--")?.strip_suffix("-->")?.trim();
    match inner {
        "NaN" | "null" | "undefined" | "Invalid Date" => Some(Comment::Void),
        _ => inner.parse().ok().map(Comment::Date),
    }
}

/// The lines above an underline, the underline, and what is below it.
fn underlined(text: &str) -> Option<(&str, &str, &str)> {
    let mut rest = text;
    for above in 0..=HEADING_LINES {
        let (line, next) = next_line(rest);
        let line = line.trim_end();
        if above > 0 && line.len() >= 3 && line.bytes().all(|b| b == b'-') {
            return Some((text[..text.len() - rest.len()].trim(), line, next));
        }
        if line.is_empty() {
            return None;
        }
        rest = next;
    }
    None
}

/// `[title](address)`
fn link_line(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix('[')?.strip_suffix(')')?.rsplit_once("](")
}

fn within_div(text: &str) -> Option<&str> {
    let (first, rest) = next_line(text);
    let inner = rest.trim_end().strip_suffix("</div>")?;
    (first.trim_end() == "<div>" && (inner.is_empty() || inner.ends_with('\n'))).then_some(inner)
}
