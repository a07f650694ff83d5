//! How feeds are written into a config: as the entries beside them are.

use std::fmt::Write;

use super::NewFeed;
use super::name::one_line;

/// Keys and values of a feed. `${` reads a variable of the environment in a config: not for what others wrote.
pub(super) fn pairs(feed: &NewFeed) -> Vec<(&'static str, String)> {
    let name = one_line(&feed.name);
    let name = if name.is_empty() { feed.id.clone() } else { name };
    let mut pairs = vec![("id", feed.id.clone()), ("name", name), ("url", feed.url.clone())];
    pairs.extend(feed.language.clone().map(|language| ("language", language)));
    for (_, value) in &mut pairs {
        *value = value.replace("${", "$${");
    }
    pairs
}

/// How the entries of a list are written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Style {
    /// Before the `-`.
    pub indent: String,
    /// Between the `-` and what follows.
    pub gap: String,
    /// `- { id: a }`.
    pub is_flow: bool,
    /// Inside of braces.
    pub pad: &'static str,
    /// `"id": "a"`, as in JSON.
    pub is_json: bool,
    /// An empty line before each entry.
    pub is_spaced: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { indent: "  ".into(), gap: " ".into(), is_flow: false, pad: " ", is_json: false, is_spaced: false }
    }
}

impl Style {
    pub fn blocks(&self, new: &[NewFeed], eol: &str) -> String {
        let Self { indent, gap, .. } = self;
        let mut out = String::new();
        for feed in new {
            out.push_str(if self.is_spaced { eol } else { "" });
            if self.is_flow {
                let _ = write!(out, "{indent}-{gap}{}{eol}", self.flow(feed));
                continue;
            }
            for (n, (key, value)) in pairs(feed).iter().enumerate() {
                let dash = if n == 0 { "-" } else { " " };
                let _ = write!(out, "{indent}{dash}{gap}{key}: {}{eol}", scalar(value, false));
            }
        }
        out
    }

    pub fn flow(&self, feed: &NewFeed) -> String {
        let pair = |(key, value): &(&str, String)| {
            if self.is_json {
                return format!("{}: {}", quoted(key), quoted(value));
            }
            format!("{key}: {}", scalar(value, true))
        };
        let pairs: Vec<_> = pairs(feed).iter().map(pair).collect();
        format!("{{{}{}{}}}", self.pad, pairs.join(", "), self.pad)
    }
}

/// Plain where that is safe for every reader of YAML, else in double quotes.
fn scalar(text: &str, in_flow: bool) -> String {
    const RESERVED: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nil", "none"];
    let is_fine = |c: char| match c {
        ' ' => true,
        '[' | ']' | '{' | '}' | ',' | ':' | '"' | '\'' => !in_flow,
        _ => !must_escape(c) && !c.is_whitespace(),
    };
    let is_plain = text.starts_with(char::is_alphabetic)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && text.chars().all(is_fine)
        && !RESERVED.contains(&text.to_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            c if must_escape(c) && code > 0xFFFF => write!(out, "\\U{code:08X}"),
            c if must_escape(c) => write!(out, "\\u{code:04X}"),
            c => write!(out, "{c}"),
        };
    }
    out + "\""
}

/// Controls, line separators, bidi controls, byte order marks, noncharacters.
fn must_escape(c: char) -> bool {
    c.is_control()
        || matches!(u32::from(c), 0x2028..=0x202E | 0x2066..=0x2069 | 0x200E | 0x200F | 0x061C | 0xFEFF | 0xFFF9..=0xFFFB)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// How the insides of `{ "id": …` are written.
pub(super) fn braces(item: &str) -> Style {
    let inside = item.strip_prefix('{').unwrap_or(" ");
    let pad = if inside.starts_with(char::is_whitespace) { " " } else { "" };
    Style { pad, is_json: item.starts_with('{') && inside.trim_start().starts_with('"'), ..Style::default() }
}
