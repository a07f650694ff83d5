//! Rewriting of HTML with lol_html: what the operator wants cut out, and frames turned into links.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::{self, Display};

use lol_html::html_content::{ContentType, Element};
use lol_html::{ElementContentHandlers, MemorySettings, Selector, Settings, rewrite_str};
use regex::Regex;
use url::Url;

use super::nest::nested;
use super::room::Room;
use super::{allow, soup, text};

/// What the operator wants cut out of every body of a feed.
#[derive(Clone, Debug, Default)]
pub struct Cuts {
    elements: Vec<(String, Selector)>,
    texts: Vec<Regex>,
}

/// Which entry of the feed's configuration a problem is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The selector at this place of `remove`.
    Remove(usize),
    /// The regular expression at this place of `remove_text`.
    RemoveText(usize),
}

impl Cuts {
    /// Nothing is cut out.
    pub fn none() -> Cuts {
        Cuts::default()
    }

    /// Checks the selectors (`remove`) and regular expressions (`remove_text`) of a feed. The problems
    /// are one sentence for each entry that cannot be used.
    pub fn new(remove: &[String], remove_text: &[String]) -> Result<Cuts, Vec<(Cut, String)>> {
        let mut cuts = Cuts::none();
        let mut problems = Vec::new();
        for (at, source) in remove.iter().enumerate() {
            match source.parse() {
                Ok(selector) => cuts.elements.push((source.clone(), selector)),
                Err(error) => problems.push((Cut::Remove(at), problem(source, "CSS selector", &error))),
            }
        }
        for (at, source) in remove_text.iter().enumerate() {
            match Regex::new(source) {
                Ok(regex) => cuts.texts.push(regex),
                Err(error) => {
                    let sentence = problem(source, "regular expression", &error);
                    problems.push((Cut::RemoveText(at), sentence));
                }
            }
        }
        if problems.is_empty() { Ok(cuts) } else { Err(problems) }
    }

    /// True when nothing is cut out.
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.texts.is_empty()
    }

    /// The HTML without what is to be cut out.
    pub(super) fn apply<'a>(&self, html: &'a str) -> Cow<'a, str> {
        let mut html = match self.without_elements(html) {
            Some(cut) => Cow::Owned(cut),
            None => Cow::Borrowed(html),
        };
        for regex in &self.texts {
            if let Cow::Owned(cut) = regex.replace_all(&html, "") {
                html = Cow::Owned(cut);
            }
        }
        html
    }

    /// `None` when no selector matches, or when the rewriter gives up.
    fn without_elements(&self, html: &str) -> Option<String> {
        if self.elements.is_empty() {
            return None;
        }
        // the rewriter sees tags, not a tree: an element without its end tag would reach to the end of
        // its parent, and take half an article along
        let nested = if soup::is_balanced(html) { Cow::Borrowed(html) } else { Cow::Owned(nested(html)) };
        let matched = Cell::new(false);
        let handlers = self.elements.iter().map(|(_, selector)| {
            let handlers = ElementContentHandlers::default().element(|element: &mut Element| {
                matched.set(true);
                element.remove();
                Ok(())
            });
            (Cow::Borrowed(selector), handlers)
        });
        let cut = rewrite(&nested, handlers)?;
        matched.get().then_some(cut)
    }
}

/// By the texts from which they were made.
impl PartialEq for Cuts {
    fn eq(&self, other: &Cuts) -> bool {
        let elements = self.elements.iter().map(|element| &element.0);
        let texts = self.texts.iter().map(Regex::as_str);
        elements.eq(other.elements.iter().map(|element| &element.0)) && texts.eq(other.texts.iter().map(Regex::as_str))
    }
}

impl Eq for Cuts {}

/// One sentence; regex explains itself in several lines, of which the last one names the cause.
fn problem(source: &str, kind: &str, error: &impl Display) -> String {
    let message = error.to_string();
    let cause = message.lines().last().unwrap_or_default().trim();
    let cause = cause.strip_prefix("error: ").unwrap_or(cause).trim_end_matches('.');
    let mut letters = cause.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
    format!("`{source}`: not a {kind}: {first}{}", letters.as_str())
}

/// Frames and embedded objects as links to what they show, so that nothing is lost when they go. Takes
/// nested markup, whose names are in lower case.
pub(super) fn unframed<'a>(html: &'a str, base: Option<&Url>) -> Cow<'a, str> {
    let framed = ["<iframe", "<embed", "<object"].iter().any(|tag| html.contains(tag));
    let Ok(selector) = "iframe, embed, object".parse::<Selector>() else {
        return Cow::Borrowed(html);
    };
    if !framed {
        return Cow::Borrowed(html);
    }
    let room = Room::of(html, base);
    let handlers = ElementContentHandlers::default().element(|element: &mut Element| {
        let link = link_to_content(element, &room).unwrap_or_default();
        element.before(&link, ContentType::Html);
        if element.tag_name() == "object" {
            element.remove_and_keep_content();
        } else {
            element.remove();
        }
        Ok(())
    });
    match rewrite(html, [(Cow::Owned(selector), handlers)]) {
        Some(unframed) => Cow::Owned(unframed),
        None => Cow::Borrowed(html),
    }
}

fn link_to_content(element: &Element, room: &Room) -> Option<String> {
    let address = ["src", "data-src", "data-lazy-src", "data"].iter().find_map(|name| {
        let value = element.get_attribute(name)?;
        let value = text::value(&value);
        room.made(value.len(), |base| allow::address(&value, base, false))
    })?;
    let address = text::escape(&address);
    // between blanks, so that it does not stick to a word
    Some(format!(" <a href=\"{address}\">{address}</a> "))
}

fn rewrite<'a>(
    html: &str,
    handlers: impl IntoIterator<Item = (Cow<'a, Selector>, ElementContentHandlers<'a>)>,
) -> Option<String> {
    // it keeps the open elements and an unfinished tag, which is at most the text
    let memory = MemorySettings::new().with_max_allowed_memory_usage(html.len() * 4 + (16 << 20));
    let settings = Settings::new().with_strict(false).with_memory_settings(memory);
    let settings = handlers.into_iter().fold(settings, Settings::append_element_content_handler);
    rewrite_str(html, settings).ok()
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Remove(at) => write!(f, "remove[{at}]"),
            Cut::RemoveText(at) => write!(f, "remove_text[{at}]"),
        }
    }
}

/// The HTML with the addresses of links and media absolute. Takes clean HTML.
pub(super) fn absolute<'a>(html: &'a str, base: &Url) -> Cow<'a, str> {
    let Ok(selector) = "[href], [src], [srcset], [poster], [cite], [data-src], [data-srcset]".parse::<Selector>()
    else {
        return Cow::Borrowed(html);
    };
    let room = Room::of(html, Some(base));
    let handlers = ElementContentHandlers::default().element(|element: &mut Element| {
        for name in ["href", "src", "srcset", "poster", "cite", "data-src", "data-srcset"] {
            let Some(value) = element.get_attribute(name) else { continue };
            let value = text::value(&value).into_owned();
            let made = room.made(value.len(), |base| {
                if name.ends_with("srcset") {
                    allow::sources(&value, base)
                } else {
                    allow::address(&value, base, name == "href")
                }
            });
            if let Some(made) = made.filter(|made| *made != value) {
                element.set_attribute(name, &text::escape(&made).replace('{', allow::BRACE))?;
            }
        }
        Ok(())
    });
    rewrite(html, [(Cow::Owned(selector), handlers)]).map_or(Cow::Borrowed(html), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(remove: &[&str], remove_text: &[&str]) -> Vec<(Cut, String)> {
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        Cuts::new(&owned(remove), &owned(remove_text)).err().unwrap_or_default()
    }

    #[test]
    fn every_problem_is_a_sentence() {
        let found = problems(&["p", "div[", "a + b", ""], &["ok", "(", "a{9999999}"]);
        let found: Vec<String> = found.iter().map(|(cut, text)| format!("{cut}: {text}")).collect();
        assert_eq!(
            found,
            [
                "remove[1]: `div[`: not a CSS selector: unexpected end of selector",
                "remove[2]: `a + b`: not a CSS selector: unsupported combinator `+` in selector",
                "remove[3]: ``: not a CSS selector: the selector is empty",
                "remove_text[1]: `(`: not a regular expression: unclosed group",
                "remove_text[2]: `a{9999999}`: not a regular expression: \
                 compiled regex exceeds size limit of 10485760 bytes",
            ]
        );
    }

    #[test]
    fn cuts_are_compared_by_their_source() {
        let cuts = |remove: &str, text: &str| Cuts::new(&[remove.to_owned()], &[text.to_owned()]).ok();
        assert_eq!(cuts("p", "x"), cuts("p", "x"));
        assert_ne!(cuts("p", "x"), cuts("p", "y"));
        assert_ne!(cuts("p", "x"), cuts("b", "x"));
        assert!(cuts("p", "x").is_some_and(|cuts| !cuts.is_empty()));
        assert!(Cuts::none().is_empty());
    }

    #[test]
    fn what_no_selector_matches_is_not_touched() {
        let Ok(cuts) = Cuts::new(&["p.ad".to_owned()], &["z+".to_owned()]) else {
            panic!("these are good");
        };
        for same in ["<p>a<p>b", "<DIV a=1 >x</div>", "<p class=\"ads\">a</p>"] {
            assert!(matches!(cuts.apply(same), Cow::Borrowed(kept) if kept == same));
        }
        assert_eq!(cuts.apply("<DIV a=1 >x<p class=ad>zz</p>zz</div>"), "<DIV a=1 >x</div>");
        assert_eq!(cuts.apply("<p>a<p class=ad>b<p>c"), "<p>a</p><p>c</p>");
    }
}
