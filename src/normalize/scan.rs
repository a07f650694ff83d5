//! The strict scan: proves in one pass that a body is safe and balanced as it stands.
//!
//! It accepts only what it understands completely, because what it accepts is published byte for
//! byte: listed elements in lower case, quoted attributes, each start tag with its end tag in the
//! right order. Everything else, harmless or not, is left to the sanitiser. "Balanced" is meant as
//! written: `<p><figure></figure></p>` passes although a browser would close the paragraph early,
//! since re-parenting listed elements cannot make any of them run something.

use memchr::memchr;

use super::allow::{self, Element, Rule};
use super::text;

/// Deeper bodies are quadratic in parsers further down the road.
pub(super) const DEPTH: usize = 256;
/// More attributes on one tag are no article, and comparing them for duplicates is quadratic.
pub(super) const ATTRIBUTES: usize = 64;

/// True when the text is proved safe and balanced.
pub(super) fn proves(html: &str) -> bool {
    prove(html).is_some()
}

struct Open {
    element: &'static Element,
    /// Length of the start tag of a formatting element, else 0.
    weight: usize,
}

fn prove(html: &str) -> Option<()> {
    let mut open: Vec<Open> = Vec::with_capacity(32);
    let mut rest = html;
    let mut growth = Growth::up_to(html.len() * 8 + (1 << 20));
    let mut names: Vec<&str> = Vec::with_capacity(16);
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        references(&rest[..at])?;
        rest = &rest[at + 1..];
        if let Some(end) = rest.strip_prefix('/') {
            let closed = open.pop()?;
            rest = end.strip_prefix(closed.element.name)?.strip_prefix('>')?;
            growth.leave(closed.weight);
        } else {
            let (element, after) = start_tag(rest, &mut names)?;
            let weight = rest.len() - after.len();
            rest = after;
            growth.event()?;
            if !element.void {
                let weight = if is_formatting(element.name) { weight } else { 0 };
                growth.enter(weight);
                open.push(Open { element, weight });
                if open.len() > DEPTH {
                    return None;
                }
            }
        }
    }
    references(rest)?;
    open.is_empty().then_some(())
}

/// Browsers (and html5ever) write an open formatting element again into every block that closes its
/// paragraph: `<p><b …><div>x</div><div>x</div>…`. A few hundred kilobytes can become gigabytes in the
/// reader's memory, so the sum of what could be written again is bounded.
pub(super) struct Growth {
    open: usize,
    sum: usize,
    limit: usize,
}

impl Growth {
    pub fn up_to(limit: usize) -> Growth {
        Growth { open: 0, sum: 0, limit }
    }

    pub fn enter(&mut self, weight: usize) {
        self.open += weight;
    }

    pub fn leave(&mut self, weight: usize) {
        self.open = self.open.saturating_sub(weight);
    }

    /// Something that could write all open formatting again; `None` when the bound is reached.
    pub fn event(&mut self) -> Option<()> {
        self.sum += self.open;
        (self.sum <= self.limit).then_some(())
    }
}

/// The elements that the HTML standard calls formatting.
pub(super) fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "a" | "b" | "big" | "code" | "em" | "font" | "i" | "nobr" | "s" | "small" | "strike" | "strong" | "tt" | "u"
    )
}

/// The element of a start tag, whose `<` is already taken, and what follows the tag. `names` is
/// scratch space for the names of its attributes.
fn start_tag<'a>(html: &'a str, names: &mut Vec<&'a str>) -> Option<(&'static Element, &'a str)> {
    let bytes = html.as_bytes();
    let mut at = name_end(bytes, 0);
    let element = allow::element(&bytes[..at])?;
    names.clear();
    loop {
        let mut next = at;
        while matches!(bytes.get(next)?, b' ' | b'\t' | b'\n') {
            next += 1;
        }
        match bytes[next] {
            b'>' => return Some((element, &html[next + 1..])),
            b'/' if element.void && bytes.get(next + 1) == Some(&b'>') => {
                return Some((element, &html[next + 2..]));
            }
            b'a'..=b'z' if next > at => {}
            _ => return None,
        }
        at = name_end(bytes, next);
        let name = &html[next..at];
        if names.len() == ATTRIBUTES || names.contains(&name) {
            return None;
        }
        names.push(name);
        let rule = allow::attribute(element, name)?;
        if bytes.get(at) != Some(&b'=') {
            // an attribute without a value has the empty value in every parser
            if rule != Rule::Flag {
                return None;
            }
            continue;
        }
        let quote = match bytes.get(at + 1)? {
            quote @ (b'"' | b'\'') => *quote,
            _ => return None,
        };
        let value = &html[at + 2..];
        let value = &value[..memchr(quote, value.as_bytes())?];
        if !is_plain(value) || !rule.proves(value) {
            return None;
        }
        references(value)?;
        at += 3 + value.len();
    }
}

/// Where a lower-case name of an element or attribute ends.
fn name_end(bytes: &[u8], from: usize) -> usize {
    let in_name = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
    from + bytes[from..].iter().take_while(|b| in_name(b)).count()
}

/// A `<` or a backtick in a value has let markup out of its attribute in one parser or another.
fn is_plain(value: &str) -> bool {
    // counting instead of stopping at the first one becomes vector code
    value.bytes().filter(|b| matches!(b, b'<' | b'`')).count() == 0
}

/// `None` when a numeric character reference stands for a character that must not get further.
fn references(text: &str) -> Option<()> {
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        rest = &rest[at + 1..];
        if rest.starts_with('#') {
            let number = text::numeric(rest).map_or(u32::from('#'), |(number, _)| number);
            char::from_u32(number).filter(|c| text::is_legal(*c))?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proved() {
        for html in [
            "",
            "a",
            "a > b & c &nosuch; &#10; &#123; &# &#x;",
            "<p>a</p>",
            "<p><figure></figure></p>",
            "<br><br/><br /><hr/><img src=\"a\"/><wbr>",
            "<p class=\"a\" title='b \"c\" > d'>a</p>",
            "<p\tid=\"a-1_B\"\nlang=\"zh-Hans\" dir=\"rtl\">a</p>",
            "<details open><summary>a</summary></details>",
            "<video controls src=\"a\" loop></video>",
            "<a data-fancybox data-a.b=\"1\">a</a>",
            "<p style=\"width:1px\" >a</p>",
            "<h1>a</h1><h6>b</h6>",
            "<a><a></a></a>",
            "<td>a</td>",
        ] {
            assert!(proves(html), "{html}");
        }
        assert!(proves(&("<div>".repeat(DEPTH) + &"</div>".repeat(DEPTH))));
    }

    #[test]
    fn not_proved() {
        for html in [
            // not understood
            "<",
            "a < b",
            "<3",
            "<P>a</P>",
            "<p >a</P>",
            "<!-- a -->",
            "<!DOCTYPE html>",
            "<?x?>",
            "<![CDATA[a]]>",
            "<p>a</p >",
            "<p",
            "<p class=\"",
            "<p class=\"a",
            "<p class='a\">b</p>",
            "<p class=a>b</p>",
            "<p class = \"a\">b</p>",
            "<p class=\"a\"id=\"b\">c</p>",
            "<p/class=\"a\">b</p>",
            "<p class>a</p>",
            "<\u{e9}>",
            // not balanced
            "<p>",
            "</p>",
            "<p></div>",
            "<b><i></b></i>",
            "<p/>",
            "</br>",
            "<br></br>",
            "<img></img>",
            "<div/></div>",
            // not allowed
            "<script></script>",
            "<svg></svg>",
            "<form></form>",
            "<input>",
            "<iframe></iframe>",
            "<x></x>",
            "<textarea></textarea>",
            "<plaintext>",
            "<xmp></xmp>",
            "<listing></listing>",
            "<template></template>",
            "<p onclick=\"a\">b</p>",
            "<p markdown=\"1\">a</p>",
            "<p data-bind=\"a\">b</p>",
            "<p xml:lang=\"a\">b</p>",
            "<a target=\"_blank\">a</a>",
            "<p id=\"1\">a</p>",
            "<p id=\"\">a</p>",
            "<p dir=\"x\">a</p>",
            "<p class=\"a\" class=\"b\">c</p>",
            "<p title=\"<\">a</p>",
            "<p title=\"`\">a</p>",
            "<a href=\"javascript:a\">b</a>",
            "<img srcset=\"a 1x, b:c 2x\"/>",
            "<p style=\"position:fixed\">a</p>",
            // characters
            "&#0;",
            "a&#x202e;b",
            "<p title=\"&#1;\">a</p>",
            "&#xD83D;&#xDE00;",
            "&#150;",
            "&#8232;",
            "&#x110000;",
        ] {
            assert!(!proves(html), "{html}");
        }
        assert!(!proves(&("<div>".repeat(DEPTH + 1) + &"</div>".repeat(DEPTH + 1))));
        let many: String = (0..=ATTRIBUTES).flat_map(|i| [" data-".to_owned(), i.to_string()]).collect();
        assert!(!proves(&format!("<p{many}></p>")));
    }

    #[test]
    fn what_would_grow_without_measure_is_not_proved() {
        let wrapped = |length: usize, times: usize| {
            let title = "x".repeat(length);
            format!("<p><b title=\"{title}\">{}</b></p>", "<div>t</div>".repeat(times))
        };
        assert!(proves(&wrapped(100, 1000)));
        assert!(!proves(&wrapped(10_000, 1000)));
    }
}
