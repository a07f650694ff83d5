//! What the texts of an entry say: title, body, links, as the formats mean them.

use std::ops::Range;

use super::element::Element;
use super::names::{Part, Space};
use super::tag::Kind;
use super::tags::Tags;
use super::{RawLink, RawText, chars};

/// How a text is written, after its `type` and Atom 0.3's `mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    /// HTML, escaped.
    Escaped,
    /// XHTML, standing there as markup.
    Inline,
    Base64 {
        is_markup: bool,
    },
    /// No text at all: a picture, a document of another kind.
    Foreign,
}

/// The best element for a part: the nearest to the feed's own format, of several the last that says
/// something, as feed-rs has it.
pub(super) fn best<'e, 't>(elements: &'e [Element<'t>], part: Part) -> Option<&'e Element<'t>> {
    let said = elements.iter().filter(|element| element.part == part && !element.is_blank());
    // Of equals `min_by_key` takes the first: the last comes first.
    said.rev().min_by_key(|element| element.rank())
}

/// The title, the full text or the teaser of an entry.
pub(super) fn text(elements: &[Element<'_>], part: Part, is_atom: bool) -> Option<RawText> {
    value(best(elements, part)?, is_atom)
}

/// True for an Atom text that stands in the document as markup, and says so.
pub(super) fn is_xhtml(element: &Element<'_>) -> bool {
    element.has_tags
        && element.part.is_text()
        && element.tag.attribute("type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("xhtml"))
}

/// True for a text that feed-rs would hand out as it is packed.
pub(super) fn is_packed(element: &Element<'_>, is_atom: bool) -> bool {
    matches!(form(element, is_atom), Form::Base64 { .. } | Form::Foreign) && !element.is_blank()
}

/// The text of an element; `None` when it says nothing that can be read.
pub(super) fn value(element: &Element<'_>, is_atom: bool) -> Option<RawText> {
    let text = match form(element, is_atom) {
        Form::Plain => RawText::Plain(chars::text(element.inner)),
        Form::Escaped => RawText::Markup(chars::text(element.inner)),
        Form::Inline => RawText::Markup(html(without_wrapper(&chars::markup(element.inner, is_atom)))),
        Form::Base64 { is_markup } => base64(element.inner, is_markup)?,
        Form::Foreign => return None,
    };
    let (RawText::Plain(said) | RawText::Markup(said)) = &text;
    (!said.is_empty()).then_some(text)
}

fn form(element: &Element<'_>, is_atom: bool) -> Form {
    if !is_atom || matches!(element.space, Space::Content | Space::Itunes | Space::DublinCore | Space::Terms) {
        return match element.space {
            Space::Media if element.tag.attribute("type").is_none_or(|t| t.trim() != "html") => Form::Plain,
            // RSS says nowhere what it carries: HTML, escaped or not.
            _ if element.has_tags => Form::Inline,
            _ => Form::Escaped,
        };
    }
    let kind = element.tag.attribute("type").map(|kind| kind.trim().to_ascii_lowercase());
    let kind = kind.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim()).unwrap_or_default();
    let is_markup = matches!(kind, "html" | "xhtml") || kind.contains("html") || kind.ends_with("xml");
    match element.tag.attribute("mode").map(str::trim) {
        Some("base64") => return Form::Base64 { is_markup: is_markup || kind.is_empty() },
        Some("escaped") if !element.has_tags => return if kind == "text/plain" { Form::Plain } else { Form::Escaped },
        _ => {}
    }
    match kind {
        "" | "text" | "text/plain" | "plain" if element.has_tags => Form::Inline,
        "" | "text" | "text/plain" | "plain" => Form::Plain,
        "xhtml" | "application/xhtml+xml" => Form::Inline,
        _ if is_markup && element.has_tags => Form::Inline,
        _ if is_markup || kind.starts_with("text/") => Form::Escaped,
        // RFC 4287 section 4.1.3.3: other media types come in base64. Without a slash it is a
        // mistake, and people mean HTML.
        _ if kind.contains('/') && looks_like_base64(element.inner) => Form::Base64 { is_markup: true },
        _ if kind.contains('/') && !element.has_tags && !element.inner.contains("&lt;") => Form::Foreign,
        _ => Form::Escaped,
    }
}

fn looks_like_base64(inner: &str) -> bool {
    let mut signs = inner.bytes().filter(|b| !b.is_ascii_whitespace());
    signs.all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
}

/// RFC 4648 section 4, white space passed over; `None` where it holds no text in UTF-8.
fn base64(inner: &str, is_markup: bool) -> Option<RawText> {
    let mut bytes = Vec::with_capacity(inner.len() / 4 * 3);
    let (mut buffer, mut bits) = (0_u32, 0);
    for sign in inner.bytes().filter(|b| !b.is_ascii_whitespace() && *b != b'=') {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        buffer = (buffer << 6) | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((buffer >> bits) & 0xff).ok()?);
        }
    }
    let text = String::from_utf8(bytes).ok()?.trim().to_owned();
    Some(if is_markup { RawText::Markup(text) } else { RawText::Plain(text) })
}

/// XHTML stands in one `div` that is no part of it (RFC 4287 section 3.1.1.3); prefixes of XHTML go.
fn without_wrapper(markup: &str) -> String {
    let markup = ["xhtml:", "xh:", "html:", "h:"].iter().fold(markup.to_owned(), |markup, prefix| {
        if !markup.contains(&format!("<{prefix}")) {
            return markup;
        }
        markup.replace(&format!("<{prefix}"), "<").replace(&format!("</{prefix}"), "</")
    });
    wrapped(&markup).map(|at| markup[at].trim().to_owned()).unwrap_or(markup)
}

/// XML's way of writing elements in HTML's: there `<a/>` is a start without end, and `<br></br>` two
/// lines.
fn html(markup: String) -> String {
    const VOID: [&str; 14] =
        ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
    if !markup.contains("/>") && !markup.contains("</br") && !markup.contains("</BR") {
        return markup;
    }
    let mut out = String::with_capacity(markup.len());
    let (mut from, mut line) = (0, None);
    for tag in Tags::of(&markup) {
        let is_line = tag.name.eq_ignore_ascii_case("br");
        if tag.kind == Kind::Empty && !VOID.iter().any(|name| tag.name.eq_ignore_ascii_case(name)) {
            out.extend([&markup[from..tag.at.end - "/>".len()], "></", tag.name, ">"]);
            from = tag.at.end;
        } else if tag.kind == Kind::Close && is_line && line == Some(tag.at.start) {
            out.push_str(&markup[from..tag.at.start]);
            from = tag.at.end;
        }
        line = (tag.kind == Kind::Open && is_line).then_some(tag.at.end);
    }
    out.push_str(&markup[from..]);
    out
}

/// What is inside of the one `div` that is all of a markup.
fn wrapped(markup: &str) -> Option<Range<usize>> {
    let mut divs = Tags::of(markup).filter(|tag| tag.kind != Kind::Empty && tag.name.eq_ignore_ascii_case("div"));
    let first = divs.next().filter(|tag| tag.kind == Kind::Open && markup[..tag.at.start].trim().is_empty())?;
    let mut open = 1_usize;
    for tag in divs {
        open = if tag.kind == Kind::Open { open + 1 } else { open - 1 };
        if open == 0 {
            return markup[tag.at.end..].trim().is_empty().then_some(first.at.end..tag.at.start);
        }
    }
    None
}

/// The addresses of an entry, as links: Atom's attributes, RSS's text, CDF's `HREF`.
pub(super) fn links(elements: &[Element<'_>]) -> Vec<RawLink> {
    let mut found: Vec<(u8, RawLink)> = Vec::new();
    for element in elements.iter().filter(|element| element.part == Part::Link) {
        let rel = element.tag.attribute("rel").map(|rel| chars::value(rel).into_owned());
        if rel.as_deref().is_some_and(|rel| rel == "enclosure") {
            continue;
        }
        let href = match element.tag.attribute("href").map(chars::value) {
            Some(href) if !href.is_empty() => href.into_owned(),
            _ => chars::text(element.inner),
        };
        if !href.is_empty() {
            found.push((element.rank(), RawLink { href, rel }));
        }
    }
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, link)| link).collect()
}

#[cfg(test)]
mod tests {
    use super::super::outline::Walk;
    use super::*;

    fn entry<T>(document: &str, see: impl Fn(&[Element<'_>], bool) -> T) -> T {
        let mut walk = Walk::begin(document).expect("root");
        let mut elements = Vec::new();
        walk.next(&mut elements).expect(document);
        see(&elements, walk.family.is_atom())
    }

    fn content(document: &str) -> Option<RawText> {
        entry(document, |elements, is_atom| text(elements, Part::Content, is_atom))
    }

    #[expect(clippy::unnecessary_wraps, reason = "shortens the tables")]
    fn markup(text: &str) -> Option<RawText> {
        Some(RawText::Markup(text.to_owned()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "shortens the tables")]
    fn plain(text: &str) -> Option<RawText> {
        Some(RawText::Plain(text.to_owned()))
    }

    #[test]
    fn atom_says_how_a_text_is_written() {
        let cases = [
            ("<content>a &lt; b</content>", plain("a < b")),
            ("<content type='text'>a <b>c</b></content>", markup("a <b>c</b>")),
            ("<content type='HTML'>&lt;p>a&amp;nbsp;b</content>", markup("<p>a&nbsp;b")),
            ("<content type='html'><p>a &lt; b</p></content>", markup("<p>a &lt; b</p>")),
            ("<content type='xhtml'><div xmlns='x'><p>a &amp; b</p></div></content>", markup("<p>a &amp; b</p>")),
            ("<content type='xhtml'><h:div><h:p>a</h:p></h:div></content>", markup("<p>a</p>")),
            ("<content type='xhtml'><div>a</div><div>b</div></content>", markup("<div>a</div><div>b</div>")),
            (
                "<content type='xhtml'><div>a<br/>b<br></br>c<a id='x' /><p class='/'/>d</div></content>",
                markup("a<br/>b<br>c<a id='x' ></a><p class='/'></p>d"),
            ),
            ("<content mode='escaped' type='text/html'>&lt;p></content>", markup("<p>")),
            ("<content mode='escaped' type='text/plain'>a &lt; b</content>", plain("a < b")),
            ("<content mode='xml' type='application/xhtml+xml'><p>a</p></content>", markup("<p>a</p>")),
            ("<content mode='base64'>PHA+5a2XPC9wPg==</content>", markup("<p>字</p>")),
            ("<content type='application/octet-stream'>5a2X</content>", markup("字")),
            ("<content type='image/png'>iVBORw0KGgo=</content>", None),
            ("<content type='application/pdf'></content>", None),
            ("<content type='escaped'>&lt;p></content>", markup("<p>")),
        ];
        for (written, expected) in cases {
            assert_eq!(content(&format!("<feed><entry>{written}</entry></feed>")), expected, "{written}");
        }
    }

    #[test]
    fn rss_carries_html_in_every_way() {
        let cases = [
            ("<description>&lt;p>a &amp;amp; b</description>", "<p>a &amp; b"),
            ("<description><![CDATA[<p>a & b]]></description>", "<p>a & b"),
            ("<description>hello <b>bold</b> &lt; world</description>", "hello <b>bold</b> &lt; world"),
            ("<description><![CDATA[<p>a]]><br/>b</description>", "<p>a<br/>b"),
            ("<dc:description>x</dc:description>", "x"),
        ];
        for (written, expected) in cases {
            let document = format!("<rss><channel><item>{written}</item></channel></rss>");
            let summary = entry(&document, |elements, is_atom| text(elements, Part::Summary, is_atom));
            assert_eq!(summary, markup(expected), "{written}");
        }
    }

    #[test]
    fn links_are_attributes_or_text() {
        let document = "<rss><channel><item><atom:link rel='self' href='b'/><link>a?x=1&y</link>\
                        <link rel='enclosure' href='c'/><link/></item></channel></rss>";
        let hrefs: Vec<String> = entry(document, |e, _| links(e)).into_iter().map(|link| link.href).collect();
        assert_eq!(hrefs, ["a?x=1&y", "b"]);
    }
}
