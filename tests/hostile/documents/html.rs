//! What may stand in the HTML of a body: a list of its own, which knows nothing of the program's.

use std::cell::RefCell;

use lol_html::{Settings, comments, doc_comments, doctype, element, rewrite_str};

const ELEMENTS: &str = "a abbr acronym address article aside audio b bdi bdo big blockquote br caption center cite code col \
    colgroup dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main \
    mark nav ol p picture pre q rp rt ruby s samp section small source span strike strong sub summary sup table tbody td \
    tfoot th thead time tr track tt u ul var video wbr";

const ATTRIBUTES: &str = "abbr align alt bgcolor border cellpadding cellspacing cite class clear color colspan controls \
    datetime decoding default dir face fetchpriority headers height href hreflang hspace id kind label lang loading loop \
    media muted name noshade nowrap open playsinline poster preload referrerpolicy rel reversed role rowspan scope size \
    sizes span src srclang srcset start style summary title type valign value vspace width";

/// Names of `data-` attributes that libraries run.
const RUN: [&str; 5] = ["data-ng-", "data-bind", "data-hx-", "data-on-", "data-dojo-"];

/// What a style could do harm with.
const STYLES: [&str; 15] = [
    "url",
    "image",
    "expression",
    "position",
    "behavior",
    "binding",
    "@",
    "\\",
    "/*",
    "var(",
    "attr(",
    "z-index",
    "opacity",
    "transform",
    "display",
];

fn decoded(text: &str) -> String {
    html_escape::decode_html_entities(text).into_owned()
}

/// True for an address of the web or, where there may be one, a relative one or one of mail.
pub fn is_harmless(address: &str, may_be_relative: bool) -> bool {
    // What browsers drop before they look for a scheme.
    let plain: String = address.chars().filter(|c| !c.is_control()).collect();
    let plain = plain.trim().to_lowercase();
    let before = plain.split(['/', '?', '#']).next().unwrap_or_default();
    match before.split_once(':') {
        None => may_be_relative || plain.is_empty(),
        Some((scheme, _)) => matches!(scheme, "http" | "https") || (may_be_relative && scheme == "mailto"),
    }
}

/// Panics unless the HTML of a body is only what may stand in one. In what is published addresses are absolute, except
/// those of a place in the same text and those of mail.
#[track_caller]
pub fn is_safe(html: &str, of: &str, may_be_relative: bool) {
    let wrong = RefCell::new(Vec::new());
    let complain = |what: String| wrong.borrow_mut().push(what);
    let handlers = vec![
        element!("*", |found| {
            let name = found.tag_name();
            if !ELEMENTS.split_ascii_whitespace().any(|known| known == name) {
                complain(format!("<{name}>"));
            }
            for attribute in found.attributes() {
                let (key, value) = (attribute.name(), decoded(&attribute.value()));
                let is_free = key.starts_with("aria-")
                    || (key.starts_with("data-") && !RUN.iter().any(|run| key.starts_with(run)));
                if !is_free && !ATTRIBUTES.split_ascii_whitespace().any(|known| known == key) {
                    complain(format!("{name} {key}"));
                }
                let fits = match key.as_str() {
                    "href" => {
                        is_harmless(&value, true)
                            && (may_be_relative || is_harmless(&value, false) || value.starts_with(['#', 'm', 'M']))
                    }
                    "src" | "poster" | "cite" => is_harmless(&value, may_be_relative) || value.starts_with('#'),
                    "srcset" => value.split_ascii_whitespace().all(|part| is_harmless(part.trim_matches(','), true)),
                    "style" => !STYLES.iter().any(|style| value.to_lowercase().contains(style)),
                    _ => true,
                };
                if !fits {
                    complain(format!("{name} {key}={value}"));
                }
            }
            Ok(())
        }),
        comments!("*", |comment| {
            complain(format!("<!--{}-->", comment.text()));
            Ok(())
        }),
    ];
    let settings = Settings::new().with_strict(false);
    let settings = settings.append_document_content_handler(doc_comments!(|comment| {
        complain(format!("<!--{}-->", comment.text()));
        Ok(())
    }));
    let settings = settings.append_document_content_handler(doctype!(|_| {
        complain("a document type".to_owned());
        Ok(())
    }));
    let settings = handlers.into_iter().fold(settings, Settings::append_element_content_handler);
    rewrite_str(html, settings).expect("HTML that can be read");
    let wrong = wrong.into_inner();
    assert!(wrong.is_empty(), "{of}: {wrong:#?} in {html}");
}
