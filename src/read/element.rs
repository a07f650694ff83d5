//! The elements of an entry or of a feed.

use super::names::{Part, Space};
use super::tag::Tag;

/// Elements of one entry that are looked at.
pub const ELEMENTS: usize = 4_096;

/// An element of an entry or of the feed that says something.
#[derive(Clone, Debug)]
pub(super) struct Element<'t> {
    pub part: Part,
    pub space: Space,
    pub tag: Tag<'t>,
    /// Between the tags.
    pub inner: &'t str,
    /// Tags stand in it, outside of CDATA.
    pub has_tags: bool,
}

impl Element<'_> {
    pub fn is_blank(&self) -> bool {
        self.inner.trim_ascii().is_empty()
    }

    /// How near the word is to the feed's own format: the lower counts first.
    pub fn rank(&self) -> u8 {
        match self.space {
            Space::Core | Space::Content => 0,
            Space::Guest | Space::Xhtml => 1,
            Space::DublinCore | Space::Terms => 2,
            _ => 3,
        }
    }
}

/// Where a feed's own words come a second time.
pub(super) fn first_repeat(meta: &[Element<'_>]) -> Option<usize> {
    let is_own = |element: &Element<'_>| {
        let is_word = matches!(element.part, Part::Title | Part::Id | Part::Summary | Part::Link);
        is_word && element.space == Space::Core && element.tag.attribute("rel").is_none()
    };
    let mut seen = Vec::new();
    meta.iter().position(|element| {
        let is_again = is_own(element) && seen.contains(&element.part);
        seen.extend(is_own(element).then_some(element.part));
        is_again
    })
}

/// Puts an element beside the others, as long as there is room.
pub(super) fn keep<'t>(element: Element<'t>, elements: &mut Vec<Element<'t>>) {
    if elements.len() < ELEMENTS {
        elements.push(element);
    }
}
