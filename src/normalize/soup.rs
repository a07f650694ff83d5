//! Tag soup: cutting any text into tokens as browsers do, folding it to one line, and nesting it.
//!
//! Nothing here decides about safety. `nested` stands before the parsers whose cost explodes on
//! hostile input (html5ever is quadratic in depth, in attributes and in misnested formatting), and
//! turns whatever comes into well-nested markup of bounded depth, near to what a browser would build.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::{memchr_iter, memchr2};

use super::scan::DEPTH;

// --- tokens ------------------------------------------------------------------------------------

#[derive(Clone, Copy)]
pub(super) enum Token<'a> {
    Text(&'a str),
    Start(Tag<'a>),
    End(Tag<'a>),
    /// Comments, declarations, and the content of scripts and the like.
    Hidden(&'a str),
}

impl<'a> Token<'a> {
    /// All of it as it is written.
    fn whole(&self) -> &'a str {
        match self {
            Token::Text(text) | Token::Hidden(text) => text,
            Token::Start(tag) | Token::End(tag) => tag.whole,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Tag<'a> {
    /// As written, in any case.
    pub name: &'a str,
    /// From `<` to `>`.
    pub whole: &'a str,
    /// Between the name and `>`.
    inside: &'a str,
}

impl<'a> Tag<'a> {
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes { text: self.inside, at: 0 }
    }
}

/// The tokens of a text, in order and without a gap.
pub(super) struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// The element whose content is no markup, just opened.
    raw: Option<&'a str>,
    /// Names of such elements that are not closed any more, so that nobody looks for their end again.
    unclosed: Vec<&'a str>,
    /// Places between the attributes of tags that do not end; a tag that comes to one of them does not end either.
    endless: HashSet<usize>,
}

impl<'a> Tokens<'a> {
    pub fn new(html: &'a str) -> Tokens<'a> {
        Tokens { html, at: 0, raw: None, unclosed: Vec::new(), endless: HashSet::new() }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let from = self.at;
        self.at += length;
        &self.html[from..self.at]
    }

    /// The content up to the end tag. Without an end tag the element is no container at all: half an
    /// article must not vanish in an unclosed `<title>`.
    fn raw_content(&mut self, name: &'a str) -> Option<Token<'a>> {
        if is_one_of(name, &self.unclosed) {
            return None;
        }
        let rest = &self.html[self.at..];
        let Some(length) = end_of_raw(rest, name) else {
            self.unclosed.push(name);
            return None;
        };
        let content = self.take(length);
        if is_one_of(name, &["textarea", "xmp"]) { Some(Token::Text(content)) } else { Some(Token::Hidden(content)) }
    }

    fn text(&mut self) -> Token<'a> {
        let rest = &self.html.as_bytes()[self.at..];
        let tag = |b: &u8| b.is_ascii_alphabetic() || b"/!?".contains(b);
        let ends = |at: &usize| *at > 0 && rest.get(at + 1).is_some_and(tag);
        let length = memchr_iter(b'<', rest).find(ends).unwrap_or(rest.len());
        Token::Text(self.take(length))
    }

    fn tag(&mut self, name_from: usize) -> Token<'a> {
        let rest = &self.html[self.at..];
        let name_to = name_from + rest[name_from..].bytes().position(ends_name).unwrap_or(rest.len() - name_from);
        // a tag that does not end, because of an unclosed quote, ends at its first `>`: the rest of
        // the text is more likely an article than a value
        let end = tag_end(self.html.as_bytes(), self.at + name_to, &mut self.endless).map(|end| end - self.at);
        let end = end.or_else(|| rest[name_to..].find('>').map(|p| p + name_to));
        let Some(end) = end else {
            return Token::Hidden(self.take(rest.len()));
        };
        let tag = Tag { name: &rest[name_from..name_to], inside: &rest[name_to..end], whole: self.take(end + 1) };
        if name_from == 2 {
            return Token::End(tag);
        }
        if is_one_of(tag.name, RAW) {
            self.raw = Some(tag.name);
        }
        Token::Start(tag)
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take()
            && let Some(token) = self.raw_content(name)
        {
            return Some(token);
        }
        let rest = &self.html[self.at..];
        let mut start = rest.bytes();
        if start.next()? != b'<' {
            return Some(self.text());
        }
        Some(match (start.next(), start.next()) {
            (Some(b), _) if b.is_ascii_alphabetic() => self.tag(1),
            (Some(b'/'), Some(b)) if b.is_ascii_alphabetic() => self.tag(2),
            (Some(b'/' | b'!' | b'?'), Some(_)) => {
                let length = hidden_length(rest);
                Token::Hidden(self.take(length))
            }
            _ => self.text(),
        })
    }
}

fn ends_name(b: u8) -> bool {
    b.is_ascii_whitespace() || b == b'/' || b == b'>'
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Elements whose content is no markup.
const RAW: &[&str] = &["script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp"];

/// Where the end tag of a raw element begins.
fn end_of_raw(rest: &str, name: &str) -> Option<usize> {
    rest.match_indices("</").map(|(at, _)| at).find(|at| {
        let after = &rest.as_bytes()[at + 2..];
        after.len() > name.len()
            && after[..name.len()].eq_ignore_ascii_case(name.as_bytes())
            && ends_name(after[name.len()])
    })
}

/// The length of a comment, a declaration or a processing instruction.
fn hidden_length(rest: &str) -> usize {
    let comment = rest.starts_with("<!--");
    // `<!-->` is a whole comment
    let ends = |at: usize| !comment || rest[..at].ends_with("--") || (at > 6 && rest[..at].ends_with("--!"));
    let mut ends_at = rest.match_indices('>').map(|(at, _)| at);
    ends_at.find(|at| ends(*at)).map_or(rest.len(), |at| at + 1)
}

/// Where the `>` of a tag is, by the rules of the HTML standard. Without one the rest of the text is gone through only
/// once, however many tags begin in it: all of them come to places where one of the first few has been.
fn tag_end(bytes: &[u8], from: usize, endless: &mut HashSet<usize>) -> Option<usize> {
    /// So far apart are the places that are remembered: hardly any tag is as long.
    const APART: usize = 64;
    let mut passed = Vec::new();
    let mut next = from + APART;
    let mut at = from;
    loop {
        at = skip(bytes, at, |b| b.is_ascii_whitespace() || b == b'/');
        match bytes.get(at) {
            Some(b'>') => return Some(at),
            Some(_) if !endless.contains(&at) => {}
            _ => break,
        }
        if at >= next {
            passed.push(at);
            next = at + APART;
        }
        at = match attribute_name(bytes, at) {
            (end, None) => end,
            (_, Some(value)) => match bytes.get(value) {
                Some(quote @ (b'"' | b'\'')) => skip(bytes, value + 1, |b| b != *quote) + 1,
                Some(b'>') => value,
                _ => skip(bytes, value, |b| !b.is_ascii_whitespace() && b != b'>'),
            },
        };
    }
    endless.extend(passed);
    None
}

/// Where the name that begins here ends, and where its value begins if it has one.
fn attribute_name(bytes: &[u8], from: usize) -> (usize, Option<usize>) {
    let in_name = |b: u8| !b.is_ascii_whitespace() && !b"/>=".contains(&b);
    // a leading `=` belongs to the name
    let end = skip(bytes, from + 1, in_name);
    let next = skip(bytes, end, |b| b.is_ascii_whitespace());
    if bytes.get(next) != Some(&b'=') {
        return (end, None);
    }
    (end, Some(skip(bytes, next + 1, |b| b.is_ascii_whitespace())))
}

fn skip(bytes: &[u8], from: usize, pass: impl Fn(u8) -> bool) -> usize {
    let from = from.min(bytes.len());
    from + bytes[from..].iter().take_while(|b| pass(**b)).count()
}

pub(super) struct Attributes<'a> {
    text: &'a str,
    at: usize,
}

pub(super) struct Attribute<'a> {
    pub name: &'a str,
    /// With its character references; empty when there is none.
    pub value: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let bytes = self.text.as_bytes();
        let from = skip(bytes, self.at, |b| b.is_ascii_whitespace() || b == b'/');
        if from >= bytes.len() {
            return None;
        }
        let (end, value) = attribute_name(bytes, from);
        let (value, at) = match value.and_then(|at| bytes.get(at).map(|b| (at, *b))) {
            None => (end..end, value.unwrap_or(end)),
            Some((at, quote @ (b'"' | b'\''))) => {
                let to = skip(bytes, at + 1, |b| b != quote);
                (at + 1..to, to + 1)
            }
            Some((at, _)) => {
                let to = skip(bytes, at, |b| !b.is_ascii_whitespace());
                (at..to, to)
            }
        };
        self.at = at;
        Some(Attribute { name: &self.text[from..end], value: &self.text[value] })
    }
}

// --- one line ----------------------------------------------------------------------------------

/// The text on one line: a run of line breaks becomes one blank, and inside `pre` and `textarea`,
/// where they are seen, each becomes `&#10;`. In an address they mean nothing and go.
pub(super) fn folded(html: &str) -> Cow<'_, str> {
    let Some(first) = next_break(html, 0) else { return Cow::Borrowed(html) };
    let mut out = String::with_capacity(html.len());
    // how many `pre` and `textarea` are open
    let mut shown = 0_usize;
    // what is written, where the next break is, and where the token begins
    let (mut done, mut next, mut at) = (0, first, 0);
    for token in Tokens::new(html) {
        let from = at;
        at += token.whole().len();
        if next < at {
            out.push_str(&html[done..from]);
            match token {
                Token::Text(text) if shown > 0 => {
                    let breaks = text.replace("\r\n", "\n");
                    out.push_str(&breaks.replace(['\n', '\r'], "&#10;"));
                }
                Token::Start(tag) => fold_tag(tag, &mut out),
                _ => fold_to(token.whole(), " ", &mut out),
            }
            done = at;
            next = next_break(html, at).unwrap_or(html.len());
        }
        match token {
            Token::Start(tag) => shown += usize::from(is_one_of(tag.name, SHOWS_BREAKS)),
            Token::End(tag) => shown = shown.saturating_sub(usize::from(is_one_of(tag.name, SHOWS_BREAKS))),
            Token::Text(_) | Token::Hidden(_) => {}
        }
    }
    out.push_str(&html[done..]);
    Cow::Owned(out)
}

fn next_break(html: &str, from: usize) -> Option<usize> {
    memchr2(b'\n', b'\r', &html.as_bytes()[from..]).map(|at| from + at)
}

const SHOWS_BREAKS: &[&str] = &["pre", "textarea"];

fn fold_to(text: &str, blank: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = next_break(rest, 0) {
        out.push_str(&rest[..at]);
        out.push_str(blank);
        let breaks = rest.as_bytes()[at..].iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        rest = &rest[at + breaks..];
    }
    out.push_str(rest);
}

fn fold_tag(tag: Tag, out: &mut String) {
    let mut done = 0;
    for attribute in tag.attributes() {
        if is_one_of(attribute.name, &["href", "src", "poster", "cite"]) {
            // where the value stands in the whole tag
            let from = attribute.value.as_ptr() as usize - tag.whole.as_ptr() as usize;
            fold_to(&tag.whole[done..from], " ", out);
            fold_to(attribute.value, "", out);
            done = from + attribute.value.len();
        }
    }
    fold_to(&tag.whole[done..], " ", out);
}

// --- balance -----------------------------------------------------------------------------------

/// True when every element that is not void has its own end tag, in the right order.
pub(super) fn is_balanced(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    Tokens::new(html).all(|token| match token {
        Token::Start(tag) => {
            if !is_one_of(tag.name, VOID) {
                open.push(tag.name);
            }
            open.len() <= DEPTH
        }
        Token::End(tag) => open.pop().is_some_and(|name| name.eq_ignore_ascii_case(tag.name)),
        Token::Text(_) | Token::Hidden(_) => true,
    }) && open.is_empty()
}

const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(html: &str) -> Vec<String> {
        Tokens::new(html)
            .map(|token| match token {
                Token::Text(text) => format!("text {text}"),
                Token::Hidden(text) => format!("hidden {text}"),
                Token::End(tag) => format!("end {}", tag.name),
                Token::Start(tag) => {
                    let pairs = tag.attributes().map(|a| format!(" {}={}", a.name, a.value));
                    format!("start {}{}", tag.name, pairs.collect::<String>())
                }
            })
            .collect()
    }

    #[test]
    fn tokens() {
        for (html, tokens) in [
            ("", vec![]),
            ("a<b>c</B >", vec!["text a", "start b", "text c", "end B"]),
            ("<a b=c d='e' f=\"g>\" h i = j/k>", vec!["start a b=c d=e f=g> h= i=j/k"]),
            ("<a/b=c/d\n=x=y =z>", vec!["start a b=c/d =x=y =z="]),
            ("a < b <3 <", vec!["text a < b <3 <"]),
            (
                "<!-- a > b --!>c<!-->d<!x>e<?y?>f</>g</1>",
                vec![
                    "hidden <!-- a > b --!>",
                    "text c",
                    "hidden <!-->",
                    "text d",
                    "hidden <!x>",
                    "text e",
                    "hidden <?y?>",
                    "text f",
                    "hidden </>",
                    "text g",
                    "hidden </1>",
                ],
            ),
            ("<script><b></script >c", vec!["start script", "hidden <b>", "end script", "text c"]),
            ("<textarea></b></TEXTAREA>", vec!["start textarea", "text </b>", "end TEXTAREA"]),
            ("<title>a<b>", vec!["start title", "text a", "start b"]),
            ("<a b=\"c>d</a>", vec!["start a b=c", "text d", "end a"]),
            ("a<b c", vec!["text a", "hidden <b c"]),
            ("a<!-- b", vec!["text a", "hidden <!-- b"]),
        ] {
            assert_eq!(cut(html), tokens, "{html}");
        }
    }

    proptest! {
        #[test]
        fn what_is_remembered_of_tags_without_end_changes_nothing(
            html in r#"(</?(p|b|x)[ /]?|[>"'= /\na]|=">"|='>'| a=| {60}|a{70}|<i>){0,60}"#
        ) {
            let mut tokens = Tokens::new(&html);
            loop {
                let mut fresh = Tokens { html: &html, at: tokens.at, raw: tokens.raw, unclosed: Vec::new(), endless: HashSet::new() };
                let (token, again) = (tokens.next(), fresh.next());
                prop_assert_eq!(token.map(|t| t.whole().len()), again.map(|t| t.whole().len()), "{}", html);
                if token.is_none() {
                    break;
                }
            }
        }
    }

    #[test]
    fn folding() {
        for (html, line) in [
            ("a\nb\r\n\r\nc", "a b c"),
            ("<p\nclass=\"a\nb\">\n</p\n>", "<p class=\"a b\"> </p >"),
            ("<PRE>a\r\nb\rc\n\n<b\n>d\n</b></PRE>\n", "<PRE>a&#10;b&#10;c&#10;&#10;<b >d&#10;</b></PRE> "),
            ("<textarea>\n</textarea>\n", "<textarea>&#10;</textarea> "),
            ("<script>a\nb</script><!--\n-->", "<script>a b</script><!-- -->"),
            ("<img alt='a\nb' SRC='c\n\nd' href=e\n>", "<img alt='a b' SRC='cd' href=e >"),
        ] {
            assert_eq!(folded(html), line, "{html}");
        }
        assert!(matches!(folded("<pre>a b</pre>"), Cow::Borrowed(_)));
    }

    #[test]
    fn balance() {
        for html in ["", "a<br>b", "<P>a</p><script><b></script>", "<x><y/></y></x>", "<input><p></p>"] {
            assert!(is_balanced(html), "{html}");
        }
        for html in ["<p>", "</p>", "<p/>", "<b><i></b></i>", "<li>a<li>b"] {
            assert!(!is_balanced(html), "{html}");
        }
    }
}
