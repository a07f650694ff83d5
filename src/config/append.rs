//! Feeds appended to the text of a config, so that comments, order and quoting of the rest survive.
//!
//! No YAML library writes back what it read, so lines are put in where they belong, written as the entries around
//! them are. The result is read again and must hold the old values and the new feeds and nothing else; otherwise
//! the next place is tried, and in the end the person is asked to do it.

mod name;
mod style;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use name::{id_for, name_for};

use self::style::{Style, braces, pairs};
use super::raw::{self, Entry, Node, Value};

/// A feed to append. Ids, names and addresses of a config are unique; the caller sees to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFeed {
    /// See [`id_for`].
    pub id: String,
    /// Runs of white space and control characters are written as one blank; if nothing is left, the id is the name.
    pub name: String,
    /// Where it is fetched.
    pub url: String,
    /// BCP 47.
    pub language: Option<String>,
}

/// Why nothing was appended.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum AppendError {
    /// The config cannot be read as it is.
    #[error("{}{text}; nothing was added", line.map_or_else(String::new, |line| format!("line {line}: ")))]
    Broken {
        /// From 1.
        line: Option<usize>,
        /// The cause.
        text: String,
    },
    /// No place was found at which the feeds can be written without changing anything else.
    #[error("the list `feeds` is written in a way that cannot be extended safely; add these lines to it by hand")]
    ByHand(String),
}

/// The text with the feeds appended to its list `feeds`; all that stood there before stays as it is, byte for byte
/// (but for a `~` or `null` in the place of the list).
pub fn feeds(text: &str, new: &[NewFeed]) -> Result<String, AppendError> {
    if new.is_empty() {
        return Ok(text.to_owned());
    }
    let broken = |broken: raw::Broken| AppendError::Broken { line: broken.line, text: broken.text };
    let before = raw::parse(text).map_err(broken)?;
    let sheet = Sheet::new(text);
    let entries = entries_of(&before);
    let key = entries.iter().position(|entry| entry.key == "feeds");
    let found = match key {
        Some(key) => sheet.extended(entries, key, new),
        None => sheet.with_new_key(entries, new),
    };
    let is_right = |after: &String| raw::parse(after).is_ok_and(|after| adds(&before, key, &after, new));
    let by_hand = || AppendError::ByHand(Style::default().blocks(new, "\n").trim_end().to_owned());
    found.into_iter().find(is_right).ok_or_else(by_hand)
}

fn entries_of(root: &Node) -> &[Entry] {
    if let Value::Map(entries) = &root.value { entries } else { &[] }
}

/// Whether `after` is `before` with the feeds at the end of its list and no other difference.
fn adds(before: &Node, key: Option<usize>, after: &Node, new: &[NewFeed]) -> bool {
    if !matches!(before.value, Value::Map(_) | Value::Nothing) {
        return false;
    }
    let (old, now) = (entries_of(before), entries_of(after));
    let at = key.unwrap_or(old.len());
    let Some(Entry { key: name, node: Node { value: Value::List(items), .. }, .. }) = now.get(at) else { return false };
    let had: &[Node] = match old.get(at).map(|entry| &entry.node.value) {
        Some(Value::List(items)) => items,
        None | Some(Value::Nothing) => &[],
        Some(_) => return false,
    };
    name == "feeds"
        && items.len() == had.len() + new.len()
        && had.iter().zip(items).all(|(a, b)| same(a, b))
        && items[had.len()..].iter().zip(new).all(|(item, feed)| is(item, feed))
        && now.len() == old.len().max(at + 1)
        && old.iter().zip(now).enumerate().all(|(n, (a, b))| n == at || a.key == b.key && same(&a.node, &b.node))
}

fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Nothing, Value::Nothing) => true,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.key == b.key && same(&a.node, &b.node))
        }
        _ => false,
    }
}

fn is(item: &Node, feed: &NewFeed) -> bool {
    let pairs = pairs(feed);
    let is_pair = |(entry, (key, value)): (&Entry, &(&str, String))| {
        entry.key == *key && matches!(&entry.node.value, Value::Text(text) if text == value)
    };
    matches!(&item.value, Value::Map(entries) if entries.len() == pairs.len() && entries.iter().zip(&pairs).all(is_pair))
}

/// A text with its lines.
struct Sheet<'t> {
    text: &'t str,
    lines: Vec<Range<usize>>,
    eol: &'static str,
}

impl<'t> Sheet<'t> {
    fn new(text: &'t str) -> Self {
        let mut lines = Vec::new();
        let mut from = text.len() - text.trim_start_matches('\u{feff}').len();
        // YAML 1.1 breaks lines at all of these, and so do the line numbers of `raw`.
        for (at, c) in text.match_indices(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']) {
            if !(c == "\r" && text[at..].starts_with("\r\n")) {
                lines.push(from..at + c.len());
                from = at + c.len();
            }
        }
        if from < text.len() {
            lines.push(from..text.len());
        }
        let first = lines.first().map_or("", |line| &text[line.clone()]);
        Self { text, lines, eol: if first.ends_with("\r\n") { "\r\n" } else { "\n" } }
    }

    fn line(&self, n: usize) -> &'t str {
        self.lines.get(n).map_or("", |line| &self.text[line.clone()])
    }

    /// Where line `n` begins, or the end.
    fn start(&self, n: usize) -> usize {
        self.lines.get(n).map_or(self.text.len(), |line| line.start)
    }

    fn indent(&self, n: usize) -> &'t str {
        let line = self.line(n);
        &line[..line.len() - line.trim_start_matches(' ').len()]
    }

    fn is_blank(&self, n: usize) -> bool {
        self.line(n).trim().is_empty()
    }

    fn is_comment(&self, n: usize) -> bool {
        self.line(n).trim_start().starts_with('#')
    }

    /// The line of a node or key, from 0.
    fn line_of(&self, number: usize) -> usize {
        raw::line(self.text, number).map_or(0, |line| line.saturating_sub(1))
    }

    /// The first line from `n` on that ends the document.
    fn end_from(&self, n: usize) -> usize {
        let is_mark = |n: &usize| {
            let line = self.line(*n);
            let mark = line.get(..3).is_some_and(|mark| mark == "..." || mark == "---");
            mark && line[3..].chars().next().is_none_or(char::is_whitespace)
        };
        (n..self.lines.len()).find(is_mark).unwrap_or(self.lines.len())
    }

    fn with(&self, at: usize, insert: &str) -> String {
        let (before, after) = self.text.split_at(at);
        // A text that does not end with a line break keeps doing so.
        let is_torn = !before.is_empty() && !before.ends_with(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']);
        if is_torn && after.is_empty() {
            return format!("{before}{}{}", self.eol, insert.strip_suffix(self.eol).unwrap_or(insert));
        }
        format!("{before}{insert}{after}")
    }

    /// The texts that may be right, likeliest first.
    fn extended(&self, entries: &[Entry], key: usize, new: &[NewFeed]) -> Vec<String> {
        let key_line = self.line_of(entries[key].number);
        let items = if let Value::List(items) = &entries[key].node.value { items.as_slice() } else { &[] };
        let keys = self.line(key_line).match_indices("feeds").map(|(at, name)| at + name.len());
        let mut found = Vec::new();
        for behind in keys {
            let behind = self.start(key_line) + behind;
            let quote = usize::from(self.text[behind..].starts_with(['"', '\'']));
            let rest = &self.text[behind + quote..];
            let Some(value) = rest.trim_start_matches([' ', '\t']).strip_prefix(':') else { continue };
            let at = self.skip_space(self.text.len() - value.len());
            let value = &self.text[at..];
            if value.starts_with('[') {
                found.extend(self.in_brackets(at, new));
            } else if let Some(null) = ["~", "null", "Null", "NULL"].iter().find(|null| value.starts_with(**null)) {
                let without = format!("{}{}", &self.text[..at], &value[null.len()..]);
                found.extend(Sheet::new(&without).in_block(entries, key, key_line, items, new));
            }
        }
        found.extend(self.in_block(entries, key, key_line, items, new));
        found
    }

    /// Behind blanks, line breaks and comments.
    fn skip_space(&self, mut at: usize) -> usize {
        loop {
            let rest = &self.text[at..];
            at += rest.len() - rest.trim_start().len();
            if !self.text[at..].starts_with('#') {
                return at;
            }
            at += self.text[at..].find(['\n', '\r']).unwrap_or(self.text.len() - at);
        }
    }

    fn in_block(&self, entries: &[Entry], key: usize, key_line: usize, items: &[Node], new: &[NewFeed]) -> Vec<String> {
        let next = entries.get(key + 1).map(|next| self.line_of(next.number));
        let end = next.unwrap_or_else(|| self.end_from(key_line + 1));
        let content = (key_line..end).rev().find(|n| !self.is_blank(*n) && !self.is_comment(*n)).unwrap_or(key_line);
        let style = items.last().map(|item| self.style(key_line, self.line_of(item.number), items.len() > 1));
        let style = style.unwrap_or_else(|| self.style_of_others(entries));
        // Comments below the last entry belong to it or to the list while they are indented as far.
        let least = style.indent.len().max(1);
        let comments = (content + 1..end).take_while(|n| self.is_blank(*n) || self.indent(*n).len() >= least);
        let behind = comments.filter(|n| !self.is_blank(*n)).last().unwrap_or(content) + 1;
        let text = style.blocks(new, self.eol);
        [behind, content + 1, end].into_iter().map(|n| self.with(self.start(n), &text)).collect()
    }

    /// The style of a list whose last entry begins in this line or, with its `-` alone, above it.
    fn style(&self, first: usize, line: usize, may_be_spaced: bool) -> Style {
        let is_dash = |n: &usize| {
            self.line(*n).trim_start().strip_prefix('-').is_some_and(|r| r.starts_with(char::is_whitespace))
        };
        let Some(dash) = (first..=line).rev().find(is_dash) else { return Style::default() };
        let indent = self.indent(dash);
        let rest = &self.line(dash)[indent.len() + 1..];
        let item = rest.trim_start();
        let gap = if item.is_empty() || item.starts_with('#') { " " } else { &rest[..rest.len() - item.len()] };
        let above = (first..dash).rev().find(|n| !self.is_comment(*n));
        Style {
            indent: indent.to_owned(),
            gap: gap.to_owned(),
            is_flow: item.starts_with('{'),
            is_spaced: may_be_spaced && above.is_some_and(|n| self.is_blank(n)),
            ..braces(item)
        }
    }

    /// The indentation of another list of the file, such as `topics`.
    fn style_of_others(&self, entries: &[Entry]) -> Style {
        let base = entries.first().map_or("", |entry| self.indent(self.line_of(entry.number)));
        let list = entries.iter().find_map(|entry| match &entry.node.value {
            Value::List(items) => Some((self.line_of(entry.number), self.line_of(items.first()?.number))),
            _ => None,
        });
        let other = list.map(|(key, item)| self.style(key + 1, item, false)).unwrap_or_default();
        let indent = if list.is_some() { other.indent } else { format!("{base}{}", other.indent) };
        Style { indent, ..Style::default() }
    }

    fn with_new_key(&self, entries: &[Entry], new: &[NewFeed]) -> Vec<String> {
        let base = entries.first().map_or("", |entry| self.indent(self.line_of(entry.number)));
        let first = entries.first().map_or(0, |entry| self.line_of(entry.number));
        // Where there is no key, a `---` at most begins the document.
        let ends = |n: &usize| self.line(*n).starts_with("...");
        let end = if entries.is_empty() { (0..self.lines.len()).find(ends) } else { Some(self.end_from(first)) };
        let end = end.unwrap_or(self.lines.len());
        let blocks = self.style_of_others(entries).blocks(new, self.eol);
        let section = format!("{base}feeds:{}{blocks}", self.eol);
        let is_spaced = end > 0 && !self.is_blank(end - 1) && (0..end).any(|n| self.is_blank(n));
        let spaced = is_spaced.then(|| self.with(self.start(end), &format!("{}{section}", self.eol)));
        spaced.into_iter().chain([self.with(self.start(end), &section)]).collect()
    }

    /// The list `[…]` that opens at `open`.
    fn in_brackets(&self, open: usize, new: &[NewFeed]) -> Option<String> {
        let (last, close) = closing(self.text, open)?;
        let inside = &self.text[open + 1..close];
        let start_of = |at: usize| self.lines.iter().rev().find(|line| line.start <= at).map_or(0, |line| line.start);
        let indent_at = |at: usize| self.text[start_of(at)..].chars().take_while(|c| *c == ' ').collect::<String>();
        let is_empty = last == open;
        let comma = if is_empty || self.text[last..].starts_with(',') { "" } else { "," };
        let has_last_comma = !is_empty && comma.is_empty();
        let style = inside.find('{').map_or_else(Style::default, |at| braces(&inside[at..]));
        let items: Vec<_> = new.iter().map(|feed| style.flow(feed)).collect();
        let (head, tail) = (&self.text[..=last], &self.text[last + 1..close]);
        let end = if has_last_comma { "," } else { "" };
        let eol = self.eol;

        let close_line = start_of(close);
        if close_line > last && self.text[close_line..close].trim().is_empty() {
            // the bracket has a line of its own
            let indent = if is_empty { format!("{}  ", indent_at(open)) } else { indent_at(last) };
            let items = items.join(&format!(",{eol}{indent}"));
            let tail = &self.text[last + 1..close_line];
            return Some(format!("{head}{comma}{tail}{indent}{items}{end}{eol}{}", &self.text[close_line..]));
        }
        let rest = &self.text[close..];
        if items.len() == 1 && !inside.contains(['\n', '\r']) {
            let gap = if is_empty { tail } else { " " };
            return Some(format!("{head}{comma}{gap}{}{end}{tail}{rest}", items[0]));
        }
        let indent = if inside.contains(['\n', '\r']) { indent_at(last) } else { format!("{}  ", indent_at(open)) };
        let items = items.join(&format!(",{eol}{indent}"));
        let tail = if is_empty { format!("{eol}{}", indent_at(open)) } else { tail.to_owned() };
        Some(format!("{head}{comma}{eol}{indent}{items}{end}{tail}{rest}"))
    }
}

/// The last character inside of the bracket that opens at `open`, blanks and comments apart, and the bracket that
/// closes it.
fn closing(text: &str, open: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let (mut depth, mut at, mut last) = (0_usize, open, open);
    while let Some(&byte) = bytes.get(at) {
        let is_start = matches!(bytes[last], b'[' | b'{' | b',' | b':');
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => {
                at += 1;
                continue;
            }
            b'#' if bytes[at - 1].is_ascii_whitespace() => {
                at += text[at..].find(['\n', '\r'])?;
                continue;
            }
            // in single quotes `''` is a quote: for this purpose, the end of one text and the start of the next
            b'\'' if is_start || bytes[at - 1] == b'\'' && last == at - 1 => at += 1 + text[at + 1..].find('\'')?,
            b'"' if is_start => {
                let mut is_escaped = false;
                let is_end = |b: u8| {
                    let ends = b == b'"' && !is_escaped;
                    is_escaped = b == b'\\' && !is_escaped;
                    ends
                };
                at += 1 + bytes[at + 1..].iter().copied().position(is_end)?;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((last, at));
        }
        last = at;
        at += 1;
    }
    None
}
