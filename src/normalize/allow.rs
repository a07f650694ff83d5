//! The allow-list: which elements, attributes and values may stand in a body.
//!
//! The strict scan and the sanitiser read the same table, so what the sanitiser lets through is what
//! the scan accepts. Published pages and posts carry no script; `class`, `id`, `data-*` and `aria-*`
//! are therefore inert here, except for a few `data-` names that widely used libraries evaluate as code.

mod address;

use std::borrow::Cow;

use url::Url;

use super::text;

pub(super) use address::{address, candidates, resolved, sources, sources_resolved};

/// An element that may stand in a body.
pub(super) struct Element {
    pub name: &'static str,
    /// Has no end tag.
    pub void: bool,
    attributes: &'static [(&'static str, Rule)],
}

/// What the value of an attribute may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Anything; shown or ignored, never interpreted.
    Text,
    /// Anything, or no value at all.
    Flag,
    /// A text that would be the same as HTML: without any tag.
    Caption,
    /// A web address or a relative one.
    Address,
    /// The same, or `mailto:`.
    Link,
    /// The candidates of `srcset`.
    Sources,
    /// Declarations that cannot fetch, cover or move anything.
    Style,
    Id,
    Dir,
    Lang,
}

use Rule::{Address, Caption, Dir, Flag, Id, Lang, Link, Sources, Style, Text};

const GLOBAL: &[(&str, Rule)] =
    &[("class", Text), ("style", Style), ("id", Id), ("title", Text), ("lang", Lang), ("dir", Dir), ("role", Text)];

/// Any `data-` or `aria-` name; see [`attribute`] for the few that are refused.
pub(super) const PREFIXES: &[&str] = &["data-", "aria-"];

/// How every `{` is written in a body.
pub(super) const BRACE: &str = "&#123;";

/// Names behind `data-` that a library of a site around the post would run: AngularJS, Knockout, htmx, Datastar, Dojo,
/// _hyperscript.
const RUN_BY_LIBRARIES: &[&str] = &["ng-", "bind", "hx-", "on-", "dojo-", "script"];

/// What Fancybox puts into the page as HTML, when a picture is opened.
const SHOWN_BY_LIBRARIES: &str = "data-caption";

const ALIGN: &[(&str, Rule)] = &[("align", Text)];
const CITE: &[(&str, Rule)] = &[("cite", Address)];
const EDIT: &[(&str, Rule)] = &[("cite", Address), ("datetime", Text)];
const COLUMN: &[(&str, Rule)] = &[("span", Text), ("width", Text), ("align", Text), ("valign", Text)];
const ROW: &[(&str, Rule)] = &[("align", Text), ("valign", Text), ("bgcolor", Text)];
const CELL: &[(&str, Rule)] = &[
    ("colspan", Text),
    ("rowspan", Text),
    ("align", Text),
    ("valign", Text),
    ("width", Text),
    ("height", Text),
    ("headers", Text),
    ("scope", Text),
    ("abbr", Text),
    ("bgcolor", Text),
    ("nowrap", Flag),
];
const PLAYER: &[(&str, Rule)] = &[
    ("src", Address),
    ("controls", Flag),
    ("preload", Text),
    ("loop", Flag),
    ("muted", Flag),
    ("playsinline", Flag),
    ("poster", Address),
    ("width", Text),
    ("height", Text),
];
const IMAGE: &[(&str, Rule)] = &[
    ("src", Address),
    ("alt", Text),
    ("width", Text),
    ("height", Text),
    ("srcset", Sources),
    ("sizes", Text),
    ("loading", Text),
    ("decoding", Text),
    ("fetchpriority", Text),
    ("referrerpolicy", Text),
    ("align", Text),
    ("border", Text),
    ("hspace", Text),
    ("vspace", Text),
];

const fn plain(name: &'static str) -> Element {
    with(name, &[])
}

const fn with(name: &'static str, attributes: &'static [(&'static str, Rule)]) -> Element {
    Element { name, void: false, attributes }
}

const fn void(name: &'static str, attributes: &'static [(&'static str, Rule)]) -> Element {
    Element { name, void: true, attributes }
}

/// In order of the first letter, which [`element`] relies on.
pub(super) const ELEMENTS: &[Element] = &[
    with(
        "a",
        &[("href", Link), ("rel", Text), ("name", Id), ("hreflang", Lang), ("type", Text), ("referrerpolicy", Text)],
    ),
    plain("abbr"),
    plain("acronym"),
    plain("address"),
    plain("article"),
    plain("aside"),
    with("audio", PLAYER),
    plain("b"),
    plain("bdi"),
    plain("bdo"),
    plain("big"),
    with("blockquote", CITE),
    void("br", &[("clear", Text)]),
    with("caption", ALIGN),
    plain("center"),
    plain("cite"),
    plain("code"),
    void("col", COLUMN),
    with("colgroup", COLUMN),
    plain("dd"),
    with("del", EDIT),
    with("details", &[("open", Flag)]),
    plain("dfn"),
    with("div", ALIGN),
    plain("dl"),
    plain("dt"),
    plain("em"),
    plain("figcaption"),
    with("figure", ALIGN),
    with("font", &[("color", Text), ("face", Text), ("size", Text)]),
    plain("footer"),
    with("h1", ALIGN),
    with("h2", ALIGN),
    with("h3", ALIGN),
    with("h4", ALIGN),
    with("h5", ALIGN),
    with("h6", ALIGN),
    plain("header"),
    void("hr", &[("align", Text), ("width", Text), ("size", Text), ("color", Text), ("noshade", Flag)]),
    plain("i"),
    void("img", IMAGE),
    with("ins", EDIT),
    plain("kbd"),
    with("li", &[("value", Text), ("type", Text)]),
    plain("main"),
    plain("mark"),
    plain("nav"),
    with("ol", &[("start", Text), ("reversed", Flag), ("type", Text)]),
    with("p", ALIGN),
    plain("picture"),
    with("pre", &[("width", Text)]),
    with("q", CITE),
    plain("rp"),
    plain("rt"),
    plain("ruby"),
    plain("s"),
    plain("samp"),
    plain("section"),
    plain("small"),
    void(
        "source",
        &[
            ("src", Address),
            ("srcset", Sources),
            ("type", Text),
            ("media", Text),
            ("sizes", Text),
            ("width", Text),
            ("height", Text),
        ],
    ),
    plain("span"),
    plain("strike"),
    plain("strong"),
    plain("sub"),
    plain("summary"),
    plain("sup"),
    with(
        "table",
        &[
            ("width", Text),
            ("border", Text),
            ("cellpadding", Text),
            ("cellspacing", Text),
            ("align", Text),
            ("bgcolor", Text),
            ("height", Text),
            ("summary", Text),
        ],
    ),
    with("tbody", ROW),
    with("td", CELL),
    with("tfoot", ROW),
    with("th", CELL),
    with("thead", ROW),
    with("time", &[("datetime", Text)]),
    with("tr", ROW),
    void("track", &[("src", Address), ("kind", Text), ("srclang", Lang), ("label", Text), ("default", Flag)]),
    plain("tt"),
    plain("u"),
    with("ul", &[("type", Text)]),
    plain("var"),
    with("video", PLAYER),
    void("wbr", &[]),
];

/// Where the elements of each first letter begin; `FIRST[letter]..FIRST[letter + 1]` are theirs.
const FIRST: [usize; 27] = {
    let mut first = [ELEMENTS.len(); 27];
    let mut letter = 26;
    while letter > 0 {
        letter -= 1;
        first[letter] = first[letter + 1];
        let mut at = ELEMENTS.len();
        while at > 0 {
            at -= 1;
            if ELEMENTS[at].name.as_bytes()[0] as usize == letter + b'a' as usize {
                first[letter] = at;
            }
        }
    }
    first
};

/// The element of this (lower-case) name.
pub(super) fn element(name: &[u8]) -> Option<&'static Element> {
    let letter = usize::from(name.first()?.checked_sub(b'a')?);
    let (from, to) = (*FIRST.get(letter)?, *FIRST.get(letter + 1)?);
    ELEMENTS[from..to].iter().find(|element| element.name.as_bytes() == name)
}

/// The rule for this (lower-case) attribute of this element, if it is allowed there.
pub(super) fn attribute(element: &Element, name: &str) -> Option<Rule> {
    let listed = |list: &[(&str, Rule)]| list.iter().find(|entry| entry.0 == name).map(|e| e.1);
    listed(element.attributes).or_else(|| listed(GLOBAL)).or_else(|| free(name))
}

/// `data-…` and `aria-…`.
fn free(name: &str) -> Option<Rule> {
    let rest = PREFIXES.iter().find_map(|p| name.strip_prefix(p))?;
    let simple = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
    let run = name.starts_with("data-") && is_run_by_libraries(rest);
    let rule = if name == SHOWN_BY_LIBRARIES { Caption } else { Flag };
    (!rest.is_empty() && rest.bytes().all(simple) && !run).then_some(rule)
}

/// To AngularJS, `data-ng_init` and `data-_ng-init` are `ng-init`.
fn is_run_by_libraries(rest: &str) -> bool {
    let name = rest.trim_start_matches(['-', '_']).as_bytes();
    let same = |(a, b): (&u8, u8)| *a == b || *a == b'_' && b == b'-';
    RUN_BY_LIBRARIES.iter().any(|run| name.len() >= run.len() && name.iter().zip(run.bytes()).all(same))
}

/// Names of the attributes that are listed for an element and for all of them, for the sanitiser.
pub(super) fn attribute_names(element: &Element) -> impl Iterator<Item = &'static str> {
    element.attributes.iter().map(|entry| entry.0)
}

/// Names of the attributes that any element may have.
pub(super) fn global_names() -> impl Iterator<Item = &'static str> {
    GLOBAL.iter().map(|entry| entry.0)
}

impl Rule {
    /// True when the value, as it stands in the text with its character references, is harmless.
    pub(super) fn proves(self, value: &str) -> bool {
        match self {
            Text | Flag => true,
            Caption => is_caption(&text::value(value)),
            Link => address::proves(value, true),
            Address => address::proves(value, false),
            Sources => address::proves_all(value),
            Style => !value.contains('&') && declarations(value).all(|d| d.is_some()),
            Id => is_plain_id(value),
            Dir => matches!(value, "ltr" | "rtl" | "auto"),
            Lang => is_language(value),
        }
    }

    /// What of the value, given without character references, may stay; addresses become absolute.
    pub(super) fn keep<'a>(self, value: &'a str, base: Option<&Url>) -> Option<Cow<'a, str>> {
        let whole = |fits: bool| fits.then_some(Cow::Borrowed(value));
        match self {
            Text | Flag => whole(true),
            Caption => whole(is_caption(value)),
            Link => address(value, base, true).map(Cow::Owned),
            Address => address(value, base, false).map(Cow::Owned),
            Sources => sources(value, base).map(Cow::Owned),
            Style => style(value).map(Cow::Owned),
            Id => whole(is_plain_id(value)),
            Dir => whole(self.proves(value)),
            Lang => whole(is_language(value)),
        }
    }
}

fn is_plain_id(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphabetic())
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// What it becomes as HTML begins no tag.
fn is_caption(value: &str) -> bool {
    !value.contains('<')
}

fn is_language(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Size, alignment, float, margin, padding and colour: nothing that loads, hides, or leaves its place.
fn is_property(name: &str) -> bool {
    matches!(
        name,
        "width"
            | "height"
            | "max-width"
            | "max-height"
            | "min-width"
            | "min-height"
            | "text-align"
            | "vertical-align"
            | "float"
            | "clear"
            | "color"
            | "background-color"
            | "margin"
            | "margin-top"
            | "margin-right"
            | "margin-bottom"
            | "margin-left"
            | "padding"
            | "padding-top"
            | "padding-right"
            | "padding-bottom"
            | "padding-left"
    )
}

/// Each declaration, or `None` in its place when it is not one of the plain ones.
fn declarations(style: &str) -> impl Iterator<Item = Option<&str>> {
    style.split(';').map(str::trim_ascii).filter(|declaration| !declaration.is_empty()).map(|declaration| {
        let (name, value) = declaration.split_once(':')?;
        (is_property(name.trim_ascii_end()) && is_plain_value(value)).then_some(declaration)
    })
}

fn style(value: &str) -> Option<String> {
    let lower = value.to_ascii_lowercase();
    let kept: Vec<&str> = declarations(&lower).flatten().collect();
    (!kept.is_empty()).then(|| kept.join("; ") + ";")
}

fn is_plain_value(value: &str) -> bool {
    let value = value.trim_ascii();
    if let Some(inside) =
        value.strip_prefix("rgba(").or_else(|| value.strip_prefix("rgb(")).and_then(|rest| rest.strip_suffix(')'))
    {
        let number = |b: u8| b.is_ascii_digit() || b"., %/".contains(&b);
        return inside.bytes().all(number);
    }
    !value.is_empty() && value.split_ascii_whitespace().all(is_plain_word)
}

/// A keyword, a number with or without a unit, or a hexadecimal colour. No negative numbers: they
/// could pull an element over others.
fn is_plain_word(word: &str) -> bool {
    if let Some(colour) = word.strip_prefix('#') {
        return matches!(colour.len(), 3 | 4 | 6 | 8) && colour.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if unit.len() < word.len() {
        return unit == "%" || unit.bytes().all(|b| b.is_ascii_lowercase());
    }
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_found() {
        for one in ELEMENTS {
            let found = element(one.name.as_bytes()).map(|element| element.name);
            assert_eq!(found, Some(one.name));
        }
        for none in ["", "script", "svg", "zz", "A", "é", "{", "`"] {
            assert!(element(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn attributes_have_rules() {
        let rule = |name: &str, of: &str| attribute(element(of.as_bytes())?, name);
        assert_eq!(rule("href", "a"), Some(Rule::Link));
        assert_eq!(rule("src", "img"), Some(Rule::Address));
        assert_eq!(rule("class", "p"), Some(Rule::Text));
        assert_eq!(rule("data-fancybox", "a"), Some(Rule::Flag));
        assert_eq!(rule("aria-hidden", "i"), Some(Rule::Flag));
        assert_eq!(rule("data-image-caption", "img"), Some(Rule::Flag));
        assert_eq!(rule("data-ngo_id", "p"), Some(Rule::Flag));
        for none in [
            "href",
            "onclick",
            "markdown",
            "srcdoc",
            "xlink:href",
            "xmlns",
            "data-",
            "data-a:b",
            "data-é",
            "data-ng-click",
            "data-bind",
            "data-ng_init",
            "data--ng_init",
            "data-_ng-init",
            "data-script",
            "data-hx_get",
            "autoplay",
            "target",
            "formaction",
            "tabindex",
        ] {
            assert_eq!(rule(none, "p"), None, "{none}");
        }
    }

    #[test]
    fn captions_hold_no_tag() {
        let caption = element(b"a").and_then(|a| attribute(a, "data-caption"));
        assert_eq!(caption, Some(Rule::Caption));
        for good in ["", "图 1 > 2", "A &amp; B &quot;C&quot;", "&amp;lt;img src=x onerror=y>"] {
            assert!(Rule::Caption.proves(good), "{good}");
        }
        for bad in ["<img src=x onerror=y>", "&lt;img src=x>", "&#60;b", "&#x3c;b", "&LT;b", "&lt b", "&#0060b"] {
            assert!(!Rule::Caption.proves(bad), "{bad}");
        }
        assert_eq!(Rule::Caption.keep("a < b", None), None);
    }

    #[test]
    fn styles() {
        for good in [
            "",
            "width:1500px;",
            "width: 100% ; height:auto",
            "color:#fff;background-color:rgba(1, 2,3, .5)",
            "margin:0 auto 1.5em",
            "float:left;clear:both;text-align:center",
        ] {
            assert!(Rule::Style.proves(good), "{good}");
        }
        for bad in [
            "position:fixed",
            "width:-1px",
            "width:calc(1px)",
            "color:url(x)",
            "width",
            "width:",
            ":1px",
            "width:1px/**/",
            "width:1\\70x",
            "color:expression(x)",
            "color:&#114;ed",
            "color:\"red\"",
            "behavior:x",
            "@import x",
            "color:rgb(url(x))",
            "display:none",
            "WIDTH:1px",
        ] {
            assert!(!Rule::Style.proves(bad), "{bad}");
        }
        assert_eq!(style("WIDTH:1PX;display:none; Float:Left").as_deref(), Some("width:1px; float:left;"));
    }
}
