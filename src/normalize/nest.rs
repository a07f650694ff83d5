//! Nesting: tag soup as well-nested markup of bounded size and depth, near to what a browser builds.
//!
//! Nothing here decides about safety. It stands before html5ever and lol_html, whose cost explodes on
//! hostile input: 100,000 nested `div` take half a minute, attributes and misnested formatting are
//! quadratic too. What comes out has every element closed where it ends, implied tags written out, and
//! formatting that a block interrupts closed and opened again, so that those parsers have nothing to mend.

use std::borrow::Cow;

use super::allow;
use super::scan::{ATTRIBUTES, DEPTH, Growth, is_formatting};
use super::soup::{Tag, Token, Tokens};
use super::text::mended;

/// Less than the scan's depth, so that what a parser adds cannot pass it.
const NESTED: usize = DEPTH - 56;

/// html5ever writes text and values in a time that is quadratic in the number of their `&` and no-break
/// blanks. A comment parts longer texts, which ammonia drops without joining them again.
const PIECE: usize = 4096;
/// Longer values are no prose and no address.
const VALUE: usize = 4 * PIECE;

/// The same text, well nested. Scripts and comments are dropped, and the tags of documents, drawings
/// and form fields; so are those of `noscript`, because the image inside is often the only real one.
pub(super) fn nested(html: &str) -> String {
    let mut nest = Nest {
        out: String::with_capacity(html.len() + html.len() / 8),
        open: Vec::new(),
        floating: Vec::new(),
        surplus: 0,
        growth: Growth::up_to(html.len() * 4 + (1 << 19)), // half of what the scan accepts
        spare: html.len() + (1 << 16),
    };
    for token in Tokens::new(html) {
        match token {
            Token::Text(text) => nest.text(text),
            Token::Start(tag) => nest.start(tag),
            Token::End(tag) => nest.end(&tag.name.to_ascii_lowercase()),
            Token::Hidden(_) => {}
        }
    }
    nest.close_from(0);
    nest.out
}

struct Nest {
    out: String,
    open: Vec<Open>,
    /// Formatting that ended with the block around it and goes on in the next one. `None` stands for
    /// the beginning of a cell: what began outside does not go on inside.
    floating: Vec<Option<Open>>,
    /// Start tags left out because they were too deep; as many end tags are left out.
    surplus: usize,
    growth: Growth,
    /// How many bytes may still be spent on opening formatting again.
    spare: usize,
}

#[derive(Clone)]
struct Open {
    name: &'static str,
    /// Where its start tag stands in the output.
    from: usize,
    to: usize,
    /// Its end tag came while a block inside it was open: it ends together with that block.
    ended: bool,
}

impl Open {
    fn weight(&self) -> usize {
        if is_formatting(self.name) { self.to - self.from } else { 0 }
    }
}

impl Nest {
    fn text(&mut self, text: &str) {
        if !text.bytes().all(|b| b.is_ascii_whitespace()) {
            self.bound();
            self.cell();
            self.reopen();
        }
        let text = mended(text);
        let mut rest: &str = &text;
        while rest.len() > PIECE {
            let end = rest.floor_char_boundary(PIECE);
            // not inside a character reference, the longest of which has 33 letters
            let near = rest.floor_char_boundary(end - 40);
            let (piece, after) = rest.split_at(rest[near..end].find('&').map_or(end, |at| near + at));
            self.write_text(piece);
            self.out.push_str("<!---->");
            rest = after;
        }
        self.write_text(rest);
    }

    fn write_text(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            self.out.extend([&rest[..at], "&lt;"]);
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
    }

    fn start(&mut self, tag: Tag) {
        let Some(name) = kept(tag.name) else {
            return;
        };
        self.bound();
        if let Some(contexts) = table_contexts(name) {
            if !self.enter_table_context(name, contexts) {
                return;
            }
        } else if name == "form" && self.in_table_context() {
            return; // the old habit of a form around rows; a cell for it would break the table
        } else {
            self.cell();
        }
        if !self.make_room(name) {
            return;
        }
        if !is_block(name) {
            self.reopen();
        }
        if is_void(name) || name == "iframe" {
            self.write(name, tag);
            if name == "iframe" {
                self.out.push_str("</iframe>");
            }
        } else if self.open.len() >= NESTED {
            self.surplus += 1;
        } else if !(is_formatting(name) && self.growth.event().is_none()) {
            let from = self.out.len();
            self.write(name, tag);
            self.push(name, from);
        }
    }

    /// Closes what this start tag ends without saying so. False when the tag itself is to go.
    fn make_room(&mut self, name: &'static str) -> bool {
        if closes_paragraph(name)
            && let Some(at) = self.find(|open| open == "p", is_scope)
        {
            self.close(at);
        }
        let beyond_list = |open: &str| is_block(open) && !matches!(open, "address" | "div" | "p");
        let ends = match name {
            "li" => self.find(|open| open == "li", beyond_list),
            "dd" | "dt" => self.find(|open| matches!(open, "dd" | "dt"), beyond_list),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.find(is_heading, |_| true),
            "rp" | "rt" => self.find(|open| matches!(open, "rp" | "rt"), |_| true),
            "form" | "button" if self.find(|open| open == name, is_scope).is_some() => {
                return false;
            }
            "a" => {
                self.land("a");
                match self.find(|open| open == "a", is_scope) {
                    Some(at) if self.holds_block(at) => {
                        self.unwrite(at);
                        None
                    }
                    at => at,
                }
            }
            _ => None,
        };
        if let Some(at) = ends {
            self.close(at);
        }
        true
    }

    fn end(&mut self, name: &str) {
        let Some(name) = kept(name) else {
            return;
        };
        if name == "br" {
            self.out.push_str("<br>");
        }
        if is_void(name) || name == "iframe" {
            return;
        }
        if self.surplus > 0 {
            self.surplus -= 1;
            return;
        }
        if is_formatting(name) && self.land(name) {
            return;
        }
        let same = |open: &str| open == name || (is_heading(open) && is_heading(name));
        let found = if table_contexts(name).is_some() || name == "table" {
            self.find(same, |open| open == "table")
        } else {
            self.find(same, is_scope)
        };
        let Some(at) = found else {
            return;
        };
        if !is_block(name) && self.holds_block(at) {
            self.open[at].ended = true;
        } else {
            self.close(at);
        }
    }

    // --- tables ---

    fn in_table_context(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.name, "table" | "tbody" | "thead" | "tfoot" | "tr" | "colgroup"))
    }

    /// Closes everything up to where this part of a table may stand, and writes implied tags. False
    /// when there is no table.
    fn enter_table_context(&mut self, name: &str, contexts: &[&str]) -> bool {
        let Some(at) = self.find(|open| contexts.contains(&open), |open| open == "table") else {
            return false;
        };
        self.close_from(at + 1);
        if matches!(name, "tr" | "td" | "th") && self.open[at].name == "table" {
            self.imply("tbody");
        }
        if matches!(name, "td" | "th") && self.open.last().is_some_and(|open| open.name != "tr") {
            self.imply("tr");
        }
        true
    }

    /// Content right inside a table gets a cell. Browsers move it before the table, which is quadratic.
    fn cell(&mut self) {
        if self.in_table_context()
            && let Some(contexts) = table_contexts("td")
            && self.enter_table_context("td", contexts)
        {
            self.imply("td");
        }
    }

    fn imply(&mut self, name: &'static str) {
        let from = self.out.len();
        self.out.extend(["<", name, ">"]);
        self.push(name, from);
    }

    // --- opening and closing ---

    /// The innermost open element that matches, unless the search is stopped before.
    fn find(&self, matches: impl Fn(&str) -> bool, stop: impl Fn(&str) -> bool) -> Option<usize> {
        for (at, open) in self.open.iter().enumerate().rev() {
            if matches(open.name) {
                return Some(at);
            }
            if stop(open.name) {
                return None;
            }
        }
        None
    }

    fn push(&mut self, name: &'static str, from: usize) {
        let open = Open { name, from, to: self.out.len(), ended: false };
        self.growth.enter(open.weight());
        self.open.push(open);
        if is_cell(name) {
            self.floating.push(None);
        }
    }

    /// Closes the open element at this place, which ends here, and those inside it, which may go on.
    fn close(&mut self, at: usize) {
        self.close_from(at + 1);
        self.pop();
        while self.open.last().is_some_and(|open| open.ended) {
            self.pop();
        }
    }

    /// Closes the open elements from this place on; formatting among them goes on after it.
    fn close_from(&mut self, at: usize) {
        let mut paused = Vec::new();
        while self.open.len() > at
            && let Some(open) = self.pop()
        {
            if is_cell(open.name) {
                paused.clear();
            } else if is_formatting(open.name) && !open.ended {
                paused.push(Some(open));
            }
        }
        paused.reverse();
        self.floating.append(&mut paused);
    }

    fn pop(&mut self) -> Option<Open> {
        let open = self.open.pop()?;
        self.out.extend(["</", open.name, ">"]);
        self.growth.leave(open.weight());
        if is_cell(open.name) {
            let outside = self.floating.iter().rposition(Option::is_none);
            self.floating.truncate(outside.unwrap_or_default());
        }
        Some(open)
    }

    /// Opens again what a block interrupted.
    fn reopen(&mut self) {
        let from = self.floating.iter().rposition(Option::is_none).map_or(0, |at| at + 1);
        let waiting: Vec<Open> = self.floating.split_off(from).into_iter().flatten().collect();
        for (at, open) in waiting.iter().enumerate() {
            let length = open.to - open.from;
            // as browsers do: no more than three of the same kind
            let tag = |open: &Open| self.out.get(open.from..open.to);
            let later = waiting[at + 1..].iter().filter(|later| tag(later) == tag(open));
            let fits = self.open.len() < NESTED && self.spare >= length && later.count() < 3;
            if !fits || self.growth.event().is_none() {
                continue;
            }
            self.spare -= length;
            let from = self.out.len();
            self.out.extend_from_within(open.from..open.to);
            self.push(open.name, from);
        }
    }

    /// True when a block is open inside this open element.
    fn holds_block(&self, at: usize) -> bool {
        self.open[at..].iter().any(|open| is_block(open.name))
    }

    /// Takes back the start tag of an open element, whose end nobody can tell: mostly `<a name="top">`
    /// around everything that follows, with the real links inside.
    fn unwrite(&mut self, at: usize) {
        let open = self.open.remove(at);
        self.growth.leave(open.weight());
        let blanks = " ".repeat(open.to - open.from);
        self.out.replace_range(open.from..open.to, &blanks);
    }

    /// Takes formatting out of what goes on. True when there was some of this name.
    fn land(&mut self, name: &str) -> bool {
        let is_it = |open: &Option<Open>| open.as_ref().is_none_or(|open| open.name == name);
        match self.floating.iter().rposition(is_it) {
            Some(at) if self.floating[at].is_some() => {
                self.floating.remove(at);
                true
            }
            _ => false,
        }
    }

    /// Gives up all formatting once it could be repeated without measure.
    fn bound(&mut self) {
        if self.growth.event().is_none()
            && let Some(at) = self.open.iter().position(|open| is_formatting(open.name))
        {
            self.close_from(at);
            self.floating.retain(Option::is_none);
        }
    }

    fn write(&mut self, name: &str, tag: Tag) {
        self.out.extend(["<", name]);
        let in_name = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        for attribute in tag.attributes().take(ATTRIBUTES) {
            if attribute.name.bytes().all(in_name) && attribute.value.len() <= VALUE {
                let name = attribute.name.to_ascii_lowercase();
                let value = if attribute.value.contains('"') {
                    Cow::Owned(attribute.value.replace('"', "&quot;"))
                } else {
                    Cow::Borrowed(attribute.value)
                };
                self.out.extend([" ", &name, "=\"", &value, "\""]);
            }
        }
        self.out.push('>');
    }
}

// --- the elements ------------------------------------------------------------------------------

/// Names that are not allowed in a body but may matter to the operator's selectors, or leave a link.
const PASSING: &[&str] = &["button", "dialog", "embed", "fieldset", "form", "iframe", "label", "legend", "object"];

fn kept(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let passing = || PASSING.iter().copied().find(|passing| **passing == name);
    allow::element(name.as_bytes()).map(|element| element.name).or_else(passing)
}

fn is_void(name: &str) -> bool {
    name == "embed" || allow::element(name.as_bytes()).is_some_and(|element| element.void)
}

/// Where a part of a table may stand.
fn table_contexts(name: &str) -> Option<&'static [&'static str]> {
    match name {
        "td" | "th" => Some(&["tr", "tbody", "thead", "tfoot", "table"]),
        "tr" => Some(&["tbody", "thead", "tfoot", "table"]),
        "col" => Some(&["colgroup", "table"]),
        "caption" | "colgroup" | "tbody" | "thead" | "tfoot" => Some(&["table"]),
        _ => None,
    }
}

fn is_cell(name: &str) -> bool {
    matches!(name, "td" | "th" | "caption")
}

/// Beyond these, end tags and implied ends do not reach.
fn is_scope(name: &str) -> bool {
    matches!(name, "table" | "td" | "th" | "caption" | "object" | "button")
}

fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
}

fn closes_paragraph(name: &str) -> bool {
    is_block(name)
        && !matches!(
            name,
            "button"
                | "caption"
                | "col"
                | "colgroup"
                | "embed"
                | "iframe"
                | "legend"
                | "object"
                | "tbody"
                | "td"
                | "tfoot"
                | "th"
                | "thead"
                | "tr"
        )
}

/// The elements that the HTML standard calls special, of those that are kept.
fn is_block(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "article"
            | "aside"
            | "blockquote"
            | "button"
            | "caption"
            | "center"
            | "col"
            | "colgroup"
            | "dd"
            | "details"
            | "dialog"
            | "div"
            | "dl"
            | "dt"
            | "embed"
            | "fieldset"
            | "figcaption"
            | "figure"
            | "footer"
            | "form"
            | "h1"
            | "h2"
            | "h3"
            | "h4"
            | "h5"
            | "h6"
            | "header"
            | "hr"
            | "iframe"
            | "legend"
            | "li"
            | "main"
            | "nav"
            | "object"
            | "ol"
            | "p"
            | "pre"
            | "section"
            | "summary"
            | "table"
            | "tbody"
            | "td"
            | "tfoot"
            | "th"
            | "thead"
            | "tr"
            | "ul"
    )
}

#[cfg(test)]
mod tests;
