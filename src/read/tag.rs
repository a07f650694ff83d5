//! One tag as it was written.

use std::borrow::Cow;
use std::ops::Range;

/// Attributes looked at per tag; hostile tags carry 200,000 of them.
const ATTRIBUTES: usize = 256;

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    /// `<item/>`: both at once.
    Empty,
}

/// A tag of the document.
#[derive(Clone, Debug)]
pub(super) struct Tag<'t> {
    pub kind: Kind,
    /// From `<` to behind `>`.
    pub at: Range<usize>,
    /// With its prefix.
    pub name: &'t str,
    /// Where the local name begins in it.
    pub(super) local: usize,
    /// As written, blanks included.
    pub attributes: &'t str,
}

impl<'t> Tag<'t> {
    /// Prefix (empty when there is none) and local name.
    pub fn split(&self) -> (&'t str, &'t str) {
        (&self.name[..self.local.saturating_sub(1)], self.local())
    }

    /// The local name.
    pub fn local(&self) -> &'t str {
        &self.name[self.local..]
    }

    /// Names and values as written.
    pub fn attributes(&self) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let (value, after) = match after.as_bytes().first()? {
                b'"' => after[1..].split_once('"')?,
                b'\'' => after[1..].split_once('\'')?,
                _ => after.split_at(after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len())),
            };
            rest = after;
            // Behind an attribute without value (`<item checked id="1">`) stands the real name.
            Some((name.split_ascii_whitespace().next_back().unwrap_or_default(), value))
        })
        .take(ATTRIBUTES)
    }

    /// True for this local name in any case: old feeds write `<ITEM>`.
    pub fn is(&self, local: &str) -> bool {
        self.local().eq_ignore_ascii_case(local)
    }

    /// As a start tag.
    pub fn as_start(&self, text: &'t str) -> Cow<'t, str> {
        match self.kind {
            Kind::Empty => [&text[self.at.start..self.at.end - 2], ">"].concat().into(),
            _ => text[self.at.clone()].into(),
        }
    }

    /// As a start tag of those attributes that could be read.
    pub fn anew(&self) -> String {
        let is_sound = |text: &str| !text.contains(['<', '>', '"', '\'']);
        let sound = self.attributes().filter(|(name, value)| is_sound(name) && is_sound(value));
        let quoted = sound.map(|(name, value)| format!(" {name}=\"{value}\""));
        format!("<{}{}>", self.name, quoted.collect::<String>())
    }

    /// For an end tag: the start tag that nobody wrote, at this place.
    pub fn as_forgotten_start(&self, at: usize) -> Self {
        Self { kind: Kind::Open, at: at..at, ..self.clone() }
    }

    /// The value of an attribute as written; its name in any case, as feeds write `ispermalink`.
    pub fn attribute(&self, name: &str) -> Option<&'t str> {
        if self.attributes.is_empty() {
            return None;
        }
        self.attributes().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
