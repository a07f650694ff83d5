//! Bodies as a browser sees them: a second opinion on safety, by a parser that knows nothing of our rules.

use html5ever::tendril::TendrilSink;
use html5ever::{LocalName, ParseOpts, QualName, local_name, ns, parse_fragment};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use url::Url;

/// What runs, loads, asks, or changes how the rest is read.
const DENIED: &[&str] = &[
    "applet",
    "base",
    "body",
    "button",
    "dialog",
    "embed",
    "fencedframe",
    "form",
    "frame",
    "frameset",
    "head",
    "html",
    "iframe",
    "input",
    "isindex",
    "keygen",
    "link",
    "listing",
    "marquee",
    "math",
    "meta",
    "noembed",
    "noframes",
    "noscript",
    "object",
    "optgroup",
    "option",
    "param",
    "plaintext",
    "portal",
    "script",
    "select",
    "slot",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "xmp",
];
/// Attributes that do so; those that begin with `on` besides.
const DENIED_ATTRIBUTES: &[&str] = &[
    "accesskey",
    "action",
    "archive",
    "autofocus",
    "autoplay",
    "background",
    "classid",
    "code",
    "codebase",
    "contenteditable",
    "data",
    "dynsrc",
    "formaction",
    "http-equiv",
    "is",
    "lowsrc",
    "manifest",
    "markdown",
    "ping",
    "profile",
    "slot",
    "srcdoc",
    "tabindex",
    "target",
    "usemap",
    "xlink:href",
    "xml:base",
    "xmlns",
];
/// Names that libraries of a page around the post run.
const RUN: &[&str] = &["data-bind", "data-dojo-", "data-hx-", "data-ng-", "data-on-"];
/// What a style may not hold: it would load, cover or run something.
const STYLE: &[&str] = &[
    "url",
    "expression",
    "javascript",
    "behavior",
    "binding",
    "import",
    "position",
    "\\",
    "/*",
    "image",
    "content",
    "var",
];

/// An address in a body, with the element and the attribute that hold it.
pub struct Address {
    /// The element that has it.
    pub element: String,
    /// The attribute that holds it.
    pub attribute: String,
    /// As it is written there, references resolved.
    pub text: String,
}

/// Checks a body as a browser would build it, and gives the addresses in it.
pub fn check(html: &str) -> Vec<Address> {
    let context = QualName::new(None, ns!(html), local_name!("div"));
    let dom = parse_fragment(RcDom::default(), ParseOpts::default(), context, Vec::new(), true).one(html);
    let mut addresses = Vec::new();
    let mut open: Vec<Handle> = dom.document.children.borrow().iter().cloned().collect();
    let mut is_root = true;
    while let Some(node) = open.pop() {
        match &node.data {
            NodeData::Element { name, attrs, .. } => {
                assert_eq!(name.ns, ns!(html), "{html}");
                assert!(is_root || !DENIED.contains(&&*name.local), "<{}> in {html}", name.local);
                // the fragment's own `html`
                is_root = false;
                for attribute in attrs.borrow().iter() {
                    let (element, of) = (&name.local, &attribute.name.local);
                    check_attribute(element, of, &attribute.value, html);
                    addresses.extend(addresses_of(element, of, &attribute.value));
                }
            }
            NodeData::Text { .. } => {}
            NodeData::Document | NodeData::Doctype { .. } | NodeData::Comment { .. } => panic!("{html}"),
            NodeData::ProcessingInstruction { .. } => panic!("an instruction in {html}"),
        }
        open.extend(node.children.borrow().iter().cloned());
    }
    for address in &addresses {
        let is_mail = address.element == "a" && address.attribute == "href";
        let page = Url::parse("https://page.example/").expect("url");
        if let Ok(url) = page.join(&address.text) {
            let is_right = matches!(url.scheme(), "http" | "https") || is_mail && url.scheme() == "mailto";
            assert!(is_right, "{} in {html}", address.text);
        }
    }
    addresses
}

fn check_attribute(element: &LocalName, name: &LocalName, value: &str, html: &str) {
    assert!(!name.starts_with("on"), "{name} in {html}");
    assert!(!DENIED_ATTRIBUTES.contains(&&**name), "{element} {name} in {html}");
    assert!(!RUN.iter().any(|run| name.starts_with(run)), "{name} in {html}");
    if &**name == "style" {
        let value = value.to_ascii_lowercase();
        assert!(!STYLE.iter().any(|bad| value.contains(bad)), "{value} in {html}");
    }
}

fn addresses_of(element: &LocalName, name: &LocalName, value: &str) -> Vec<Address> {
    let texts = match &**name {
        "href" | "src" | "cite" | "poster" | "longdesc" => vec![value.to_owned()],
        "srcset" => candidates(value),
        _ => Vec::new(),
    };
    let address = |text| Address { element: element.to_string(), attribute: name.to_string(), text };
    texts.into_iter().map(address).collect()
}

/// The addresses of a `srcset`, by the algorithm of the HTML standard, word for word.
fn candidates(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return found;
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let address = &rest[..end];
        rest = &rest[end..];
        found.push(address.trim_end_matches(',').to_owned());
        if address.ends_with(',') {
            continue;
        }
        // descriptors, where a comma in brackets ends nothing
        let mut is_in_brackets = false;
        let ends = |c: char| {
            match c {
                '(' => is_in_brackets = true,
                ')' => is_in_brackets = false,
                _ => {}
            }
            c == ',' && !is_in_brackets
        };
        rest = rest.find(ends).map_or("", |at| &rest[at..]);
    }
}
