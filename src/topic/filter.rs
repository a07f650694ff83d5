//! Which entries of a feed are kept at all.

use super::Word;
use super::form::fold;
use crate::model::Entry;
use crate::normalize::plain;

/// The words of a feed, made ready for many entries.
#[derive(Clone, Debug)]
pub struct Filter {
    include: Vec<Word>,
    exclude: Vec<Word>,
}

impl Filter {
    /// Of `include` and `exclude`.
    pub fn new(include: &[String], exclude: &[String]) -> Self {
        let words = |words: &[String]| words.iter().map(|word| Word::of(word)).collect();
        Self { include: words(include), exclude: words(exclude) }
    }

    /// True for an entry in whose title, text or categories one of the words to be included occurs, if there are any,
    /// and none of those to be excluded.
    pub fn takes(&self, entry: &Entry) -> bool {
        if self.include.is_empty() && self.exclude.is_empty() {
            return true;
        }
        let texts = [fold(&entry.title), fold(&plain(&entry.body)), fold(&entry.categories.join("\n"))];
        let occurs = |word: &Word| texts.iter().any(|text| word.is_in(text));
        (self.include.is_empty() || self.include.iter().any(occurs)) && !self.exclude.iter().any(occurs)
    }
}
