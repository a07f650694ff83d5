//! Stub until the branch `dates` is merged.

use crate::model::Timestamp;

pub(crate) struct DateHints<'h> {
    pub language: Option<&'h str>,
}

pub(crate) fn parse(text: &str, hints: &DateHints<'_>) -> Option<Timestamp> {
    let _ = hints.language;
    chrono::DateTime::parse_from_rfc2822(text)
        .ok()
        .map(|t| Timestamp::from_millis(t.timestamp_millis()))
        .or_else(|| Timestamp::parse_rfc3339(text))
}
