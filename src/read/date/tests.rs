//! What dates mean, form by form, and that no text breaks the reader.

mod table;

use proptest::prelude::*;

use super::{DateHints, parse};
use crate::model::Timestamp;

fn read(text: &str, language: &str) -> Option<Timestamp> {
    parse(text, &DateHints { language: Some(language).filter(|l| !l.is_empty()) })
}

#[test]
fn every_form_of_the_table_is_read_as_it_says() {
    let mut wrong = Vec::new();
    for (group, rows) in table::GROUPS {
        for (text, language, expected) in *rows {
            let expected = (!expected.is_empty()).then(|| Timestamp::parse_rfc3339(expected).expect("the table"));
            let found = read(text, language);
            if found != expected {
                wrong.push(format!("{group}: {text:?} in {language:?}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The loose way must agree with the two fast ones on what both read.
#[test]
fn both_ways_agree() {
    for (_, rows) in table::GROUPS {
        for (text, language, _) in *rows {
            let hints = DateHints { language: Some(language) };
            if let Some(fast) = super::rfc3339(text.as_bytes()).or_else(|| super::rfc822(text.as_bytes())) {
                assert_eq!(super::free::read(text, &hints), Some(fast), "{text:?}");
            }
        }
    }
}

#[test]
fn only_the_beginning_is_looked_at() {
    let date = "Wed, 28 Jul 2021 11:01:00 GMT";
    let far = format!("{}{date}", "- ".repeat(100));
    assert_eq!(read(&far, ""), None);
    let long = format!("28 July 2021 {}", "x ".repeat(1_000_000));
    assert_eq!(read(&long, ""), Timestamp::parse_rfc3339("2021-07-28T00:00:00Z"));
}

/// Texts that look like dates: pieces of real ones, in any order.
fn mangled() -> impl Strategy<Value = String> {
    let pieces: Vec<&'static str> =
        table::GROUPS.iter().flat_map(|(_, rows)| rows.iter()).map(|(text, _, _)| *text).collect();
    let piece = (prop::sample::select(pieces), 0..40_usize, 0..40_usize)
        .prop_map(|(text, from, length)| text.chars().skip(from).take(length).collect::<String>());
    prop_oneof![
        prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat()),
        "[0-9]{1,25}[-/.: tT年月日.,+zZ]{0,2}[0-9]{0,25}([-/.: tT年월日.,+zZw]{0,2}[0-9]{0,5}){0,6}",
    ]
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in any::<String>(), language in "[a-z]{0,3}(-[A-Z]{2})?") {
        let _ = read(&text, &language);
    }

    #[test]
    fn no_mangled_date_breaks_the_reader(text in mangled(), language in prop::sample::select(&["", "zh-CN", "ja", "ko", "he", "en-US"][..])) {
        if let Some(date) = read(&text, language) {
            prop_assert!(Timestamp::parse_rfc3339(&date.rfc3339_millis()) == Some(date));
        }
    }

    /// Whatever the moment (years of two digits end in 2049) and the form, the moment comes back.
    #[test]
    fn what_is_written_is_read(millis in 86_400_000..2_524_500_000_000_i64, zone in -14..=14_i32) {
        use chrono::{FixedOffset, SecondsFormat};
        let moment = Timestamp::from_millis(millis);
        let second = Timestamp::from_millis(millis / 1000 * 1000);
        let local = moment.utc().with_timezone(&FixedOffset::east_opt(zone * 3600).expect("zone"));
        prop_assert_eq!(read(&local.to_rfc3339_opts(SecondsFormat::Millis, true), ""), Some(moment));
        for form in [
            "%a, %d %b %Y %H:%M:%S %z", "%A, %d-%b-%y %T %z", "%-d %B %Y %I:%M:%S %p %z", "%b %-d, %Y %T %z",
            "%a %b %e %T %z %Y", "%Y-%m-%d %H:%M:%S %z", "%Y%m%dT%H%M%S%z", "%Y年%-m月%-d日 %T%:z", "%G-W%V-%uT%T%:z",
            "%Y-%jT%T%:z", "%d.%m.%Y %T %z", "%T %d.%m.%Y %z",
        ] {
            let text = local.format(form).to_string();
            prop_assert_eq!(read(&text, ""), Some(second), "{}", text);
        }
    }
}
