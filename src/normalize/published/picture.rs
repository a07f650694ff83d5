//! Pictures and players: lazy ones made real, pixels and stand-ins out.

use url::Url;

use super::tag::StartTag;
use super::widget::{is_placeholder, is_tracker};
use crate::normalize::allow;

/// Where scripts of lazy loading find the real address, and the real candidates.
const LAZY: &[&str] = &["data-src", "data-lazy-src", "data-original", "data-actualsrc", "data-lazy", "data-echo"];
const LAZY_SETS: &[&str] = &["data-srcset", "data-lazy-srcset", "data-original-set"];
const LAZY_SIZES: &[&str] = &["data-sizes", "data-lazy-sizes"];

/// A picture that is shown.
pub(super) struct Picture {
    address: String,
    candidates: String,
    /// It was a lazy one, so its twin for readers without scripts may stand beside it.
    pub is_lazy: bool,
}

impl Picture {
    /// Makes an `img` real; `None` when it shows nothing. `source` is what the `picture` around it offers.
    pub fn of(tag: &mut StartTag, source: Option<&str>, base: Option<&Url>) -> Option<Self> {
        let is_lazy = make_real(tag, base);
        if tag.get("src").is_none_or(|src| src.trim_ascii().is_empty() || is_placeholder(&src)) {
            let own = tag.get("srcset").and_then(|candidates| largest(&candidates));
            tag.set("src", own.or_else(|| largest(source?)).or_else(|| noted(tag, base))?);
        }
        absolute(tag, base);
        let address = tag.get("src").unwrap_or_default().into_owned();
        if is_pixel(tag) || is_tracker(&address) {
            return None;
        }
        let candidates = tag.get("srcset").unwrap_or_default().into_owned();
        Some(Self { address, candidates, is_lazy })
    }

    /// True when both show the same, of which one was for scripts and the other for readers without.
    pub fn is_twin_of(&self, other: &Self) -> bool {
        let bare = |address: &str| address.split(['?', '#']).next().unwrap_or_default().to_owned();
        let same_file = || {
            let file = bare(&self.address);
            let is_picture = [".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif"].iter().any(|end| file.ends_with(end));
            is_picture && file == bare(&other.address)
        };
        self.is_lazy != other.is_lazy
            && (self.address == other.address
                || same_file()
                || has_candidate(&self.candidates, &other.address)
                || has_candidate(&other.candidates, &self.address))
    }
}

/// Puts real addresses where a script would put them. True when there were some.
pub(super) fn make_real(tag: &mut StartTag, base: Option<&Url>) -> bool {
    let mut is_lazy = false;
    let address = |name: &&str| {
        let value = tag.get(name)?;
        allow::address(&value, base, false).filter(|_| looks_real(&value))
    };
    if let Some(real) = LAZY.iter().find_map(address) {
        tag.set("src", real);
        is_lazy = true;
    }
    let candidates = |name: &&str| allow::sources(&tag.get(name)?, base);
    if let Some(real) = LAZY_SETS.iter().find_map(candidates) {
        tag.set("srcset", real);
        is_lazy = true;
    }
    if is_lazy {
        let sizes = LAZY_SIZES.iter().find_map(|name| tag.get(name).map(std::borrow::Cow::into_owned));
        if let Some(sizes) = sizes.filter(|sizes| sizes != "auto") {
            tag.set("sizes", sizes);
        }
        for name in [LAZY, LAZY_SETS, LAZY_SIZES].into_iter().flatten() {
            tag.remove(name);
        }
    }
    is_lazy
}

/// An address, and not a switch such as `data-lazy="true"`.
fn looks_real(value: &str) -> bool {
    value.contains(['/', '.']) && !value.starts_with("data:")
}

/// The address in the JSON that an editor leaves beside a picture (Substack's `data-attrs`).
fn noted(tag: &StartTag, base: Option<&Url>) -> Option<String> {
    let notes = tag.get("data-attrs")?;
    let address = notes.split_once("\"src\":\"")?.1.split('"').next()?;
    allow::address(address, base, false).filter(|_| looks_real(address) && !address.contains('\\'))
}

/// Makes the addresses of a tag absolute.
pub(super) fn absolute(tag: &mut StartTag, base: Option<&Url>) {
    let Some(base) = base else { return };
    for name in ["href", "src", "poster", "cite"] {
        let Some(value) = tag.get(name).filter(|value| !is_absolute(value)) else { continue };
        let made = allow::resolved(&value, base, name == "href").filter(|made| *made != value);
        if let Some(made) = made {
            tag.set(name, made);
        }
    }
    if let Some(value) = tag.get("srcset")
        && !allow::candidates(&value).all(|(address, _)| is_absolute(address))
        && let Some(made) = allow::sources_resolved(&value, base).filter(|made| *made != value)
    {
        tag.set("srcset", made);
    }
}

/// True when joining with a base would change nothing.
pub(super) fn is_absolute(address: &str) -> bool {
    (address.starts_with("https://") || address.starts_with("http://"))
        && !address.contains(|c: char| c.is_ascii_control())
}

/// The address of the largest candidate of a `srcset`.
fn largest(candidates: &str) -> Option<String> {
    let size = |size: &str| size.trim_end_matches(['w', 'x', 'h']).parse::<f64>().unwrap_or(1.0);
    let best = allow::candidates(candidates).max_by(|a, b| size(a.1).total_cmp(&size(b.1)));
    best.map(|(address, _)| address.to_owned()).filter(|address| !address.is_empty() && !is_placeholder(address))
}

fn has_candidate(candidates: &str, address: &str) -> bool {
    allow::candidates(candidates).any(|(candidate, _)| candidate == address)
}

/// No larger than a point, by style or attributes.
fn is_pixel(tag: &StartTag) -> bool {
    let styled = tag.get("style").unwrap_or_default().into_owned();
    let of_style = |name: &str| {
        let declaration = styled.split(';').filter_map(|one| one.split_once(':'));
        declaration.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim().to_owned()).next_back()
    };
    let is_point = |name: &str| {
        let value = of_style(name).or_else(|| tag.get(name).map(std::borrow::Cow::into_owned))?;
        Some(matches!(value.trim().trim_end_matches("px"), "0" | "1" | "0.0" | "1.0"))
    };
    match (is_point("width"), is_point("height")) {
        (Some(width), Some(height)) => width && height,
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => false,
    }
}
