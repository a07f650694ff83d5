//! In which ways a document is broken.

use std::fmt;

/// What was found that a strict parser stumbles over, or reads wrong without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Damage {
    /// An element's end is missing or belongs to another.
    Unclosed,
    /// The document ends in the middle.
    CutOff,
    /// `dc:date` without a declaration, or a namespace written in another way.
    Namespace,
    /// `<TITLE>` for `<title>`.
    Case,
    /// Markup that stands in a text without being escaped.
    Markup,
    /// `&nbsp;` in a plain text.
    Reference,
    /// A text that is packed in base64, or is none.
    Packed,
    /// Elements or bases deeper than any feed's.
    Depth,
    /// More entries than wanted.
    Many,
    /// The strict parser refused the document, or lost something of it.
    Refused,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unclosed => "an element is not closed",
            Self::CutOff => "it is cut off",
            Self::Namespace => "a namespace is not declared as it should be",
            Self::Case => "tags are written in capitals",
            Self::Markup => "markup stands unescaped in a text",
            Self::Reference => "a text holds references that XML does not know",
            Self::Packed => "a text is written in base64",
            Self::Depth => "its elements are nested too deep",
            Self::Many => "it holds too many entries",
            Self::Refused => "it is not well formed",
        })
    }
}
