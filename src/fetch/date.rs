//! The dates of HTTP headers, RFC 9110 section 5.6.7.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use crate::model::Timestamp;

/// Reads an HTTP date in one of its three forms; fractions of a second do not exist there.
///
/// The weekday is skipped: some servers get it wrong, and it adds nothing.
pub fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    // `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT` have a comma,
    // `Sun Nov  6 08:49:37 1994` has none.
    if let Some((_, rest)) = text.split_once(',') {
        let rest = rest.trim();
        let rest = rest.strip_suffix("GMT").or_else(|| rest.strip_suffix("UTC")).unwrap_or(rest).trim();
        return dated(rest, "%d %b %Y").or_else(|| dated(rest, "%d-%b-%y")).and_then(of_four_digits);
    }
    let (_, rest) = text.split_once(' ')?;
    NaiveDateTime::parse_from_str(rest, "%b %e %H:%M:%S %Y").ok().and_then(|at| of_four_digits(at.and_utc()))
}

/// A year has four digits here. chrono reads `+12345` too, which would be held at the end of what can be written: a
/// moment that nobody meant, and no whole second.
fn of_four_digits(at: DateTime<Utc>) -> Option<Timestamp> {
    let at = (1..=9999).contains(&at.year()).then(|| Timestamp::from(at))?;
    // The leap second that would end the year 9999.
    Some(at).filter(|at| at.millis() % 1000 == 0)
}

/// A day in the given form and a time of day, with one blank between them.
fn dated(text: &str, form: &str) -> Option<DateTime<Utc>> {
    let (day, time) = text.rsplit_once(' ')?;
    let day = NaiveDate::parse_from_str(day, form).ok()?;
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S").ok()?;
    Some(day.and_time(time).and_utc())
}

/// Writes the preferred form, `Sun, 06 Nov 1994 08:49:37 GMT`; milliseconds are cut off.
pub fn format(at: Timestamp) -> String {
    at.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_are_the_same_moment() {
        let at = Timestamp::from_millis(784_111_777_000);
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            " Sun, 6 Nov 1994 08:49:37 UTC ",
        ] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
        assert_eq!(format(at), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(parse(&format(at)), Some(at));
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            ",",
            "120",
            "soon",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov +12345 08:49:37 GMT",
            "Sun Nov  6 08:49:37 -0005",
            "Fri, 31 Dec 9999 23:59:60 GMT",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
