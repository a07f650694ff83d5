//! The body of an entry as safe HTML on one line.
//!
//! Most bodies are proved safe by the strict scan and kept byte for byte; the rest is taken apart and
//! written anew by ammonia, with the same allow-list. What leaves here always passes the scan, holds no
//! line break and no `{`, so that neither Liquid nor kramdown finds anything to run.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use ammonia::{Builder, UrlRelative};
use url::Url;

use super::nest::nested;
use super::rewrite::unframed;
pub use super::rewrite::{Cut, Cuts};
use super::soup::{Token, Tokens, folded};
use super::text::{escape, legal, plain};
use super::{allow, scan};

/// Safe HTML on one line: the text itself when it is proved safe and balanced, else made safe, with
/// addresses absolute when the base is known.
pub fn body(raw: &str, base: Option<&Url>, cuts: &Cuts) -> String {
    let legal = legal(raw);
    let cut = cuts.apply(&legal);
    let line = folded(&cut);
    let line = line.trim_ascii();
    let safe = if is_clean(line) { Cow::Borrowed(line) } else { Cow::Owned(sanitised(line, base)) };
    safe.replace('{', allow::BRACE)
}

/// True when the strict scan proves the text safe and balanced as it stands.
pub fn is_clean(html: &str) -> bool {
    scan::proves(html)
}

fn sanitised(html: &str, base: Option<&Url>) -> String {
    let nested = nested(html);
    let unframed = unframed(&nested, base);
    let filtered = filtered(&unframed, base).unwrap_or_default();
    let finished = finished(&filtered);
    if is_clean(&finished) {
        return finished;
    }
    // nothing is known to come here, but an article must not be lost to a surprise
    let text = plain(html);
    format!("<p>{}</p>", escape(&text))
}

/// What ammonia lets through; `None` when it panics.
fn filtered(html: &str, base: Option<&Url>) -> Option<String> {
    let base = base.cloned();
    let mut builder = Builder::empty();
    let attributes = allow::ELEMENTS.iter().map(|element| {
        let names: HashSet<&str> = allow::attribute_names(element).collect();
        (element.name, names)
    });
    builder
        .tags(allow::ELEMENTS.iter().map(|element| element.name).collect())
        .tag_attributes(attributes.collect::<HashMap<_, _>>())
        .generic_attributes(allow::global_names().collect())
        .generic_attribute_prefixes(allow::PREFIXES.iter().copied().collect())
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(UrlRelative::PassThrough)
        .link_rel(None)
        .attribute_filter(move |element, name, value| {
            let element = allow::element(element.as_bytes())?;
            allow::attribute(element, name)?.keep(value, base.as_ref())
        });
    catch_unwind(AssertUnwindSafe(|| builder.clean(html).to_string())).ok()
}

/// Serialised HTML on one line, as the scan wants it. Character references that were decoded may have
/// brought line breaks and illegal characters.
fn finished(html: &str) -> String {
    let legal = legal(html);
    let line = folded(&legal);
    let mut out = String::with_capacity(line.len());
    for token in Tokens::new(line.trim_ascii()) {
        match token {
            Token::Text(text) | Token::Hidden(text) => out.push_str(text),
            Token::Start(tag) | Token::End(tag) => out.push_str(&tag.whole.replace('`', "&#96;")),
        }
    }
    out
}

// ---- scratch only ----
#[doc(hidden)]
#[allow(missing_docs)]
pub fn sanitised_for_test(html: &str) -> String {
    filtered(html, None).unwrap_or_default()
}
#[doc(hidden)]
#[allow(missing_docs)]
pub fn fell_back(raw: &str, base: Option<&Url>) -> bool {
    let legal = legal(raw);
    let line = folded(&legal);
    let nested = nested(line.trim_ascii());
    let unframed = unframed(&nested, base);
    let filtered = filtered(&unframed, base).unwrap_or_default();
    !is_clean(&finished(&filtered))
}

/// A body as it is published: made safe again, because a post may have been edited, and with
/// absolute addresses.
pub fn published(html: &str, base: Option<&Url>) -> String {
    let safe = body(html, base, &Cuts::none());
    match base {
        Some(base) => super::rewrite::absolute(&safe, base).into_owned(),
        None => safe,
    }
}
