//! The alarm feed: what an operator should know, and a weekly sign of life, for any feed reader.

use atom_syndication as xml;

use super::{date, link, person, written};
use crate::model::{Alarm, FeedStatus, Format, StatusSummary, Timestamp};
use crate::output::{Station, legal, title};

const DAY: i64 = 24 * 3600 * 1000;

/// The alarms that stand now, newest first, each with an id of its own, and one entry for the present week. The bytes
/// are the same while neither the feeds nor the week (UTC, from Monday) change.
pub fn alarms(station: &Station, feeds: &[FeedStatus], now: Timestamp) -> Vec<u8> {
    let monday = monday(now);
    let standing = feeds.iter().flat_map(|feed| feed.alarms.iter().map(move |alarm| (feed, alarm)));
    let mut entries: Vec<xml::Entry> = standing.map(|(feed, alarm)| entry(station, feed, alarm)).collect();
    entries.push(sign_of_life(station, feeds, monday));
    entries.sort_by(|a, b| b.updated.cmp(&a.updated).then_with(|| a.id.cmp(&b.id)));
    let feed = xml::Feed {
        title: xml::Text::plain(title(&format!("{} · alarms", station.title))),
        id: format!("{}alarms", station.tag),
        updated: entries.iter().map(|entry| entry.updated).max().unwrap_or_else(|| date(monday)),
        authors: vec![person(&station.publisher)],
        generator: Some(xml::Generator { value: "feedmill".into(), ..Default::default() }),
        links: vec![
            link("self", &format!("{}alarms.atom", station.url), Some(Format::Atom.media_type())),
            link("alternate", &station.page(), Some("text/html")),
        ],
        // The sentences are English, whatever the site is.
        lang: Some("en".to_owned()),
        entries,
        ..Default::default()
    };
    written(&feed, 0, 0)
}

fn entry(station: &Station, feed: &FeedStatus, alarm: &Alarm) -> xml::Entry {
    let since = alarm.since.map_or_else(|| "unknown".to_owned(), Timestamp::rfc3339_millis);
    xml::Entry {
        title: xml::Text::plain(title(&format!("{}: {}", feed.name, alarm.kind))),
        id: format!("{}alarm/{}/{}/{since}", station.tag, feed.feed, alarm.kind),
        updated: date(alarm.since.unwrap_or(station.founded)),
        categories: vec![super::category(alarm.kind.to_string())],
        ..body(station, &alarm.text)
    }
}

/// Who sees none for a week knows that nobody is at work any more. There are none of former weeks: of these nothing is
/// remembered, and a sign that is made afterwards is none.
fn sign_of_life(station: &Station, feeds: &[FeedStatus], monday: Timestamp) -> xml::Entry {
    let all = StatusSummary::of(feeds);
    let newest = all.last_new.map_or_else(
        || "no entry came yet".to_owned(),
        |last| format!("the last new entry came on {}", last.utc().format("%Y-%m-%d at %H:%M UTC")),
    );
    let (count, alarms) = (counted(all.feeds, "feed"), counted(all.alarms, "alarm"));
    let text = format!("{count}, {} of them ok; {alarms}; {newest}.", all.ok);
    let week = monday.utc().format("%G-W%V");
    xml::Entry {
        title: xml::Text::plain(title(&format!("{}: at work in week {week}", station.title))),
        id: format!("{}alive/{week}", station.tag),
        updated: date(monday),
        ..body(station, &text)
    }
}

fn body(station: &Station, text: &str) -> xml::Entry {
    let content = xml::Content { value: Some(legal(text)), content_type: Some("text".into()), ..Default::default() };
    xml::Entry {
        links: vec![link("alternate", &station.page(), Some("text/html"))],
        content: Some(content),
        ..Default::default()
    }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// When the week began.
fn monday(now: Timestamp) -> Timestamp {
    let days = now.millis().div_euclid(DAY);
    // The epoch was a Thursday.
    Timestamp::from_millis((days - (days + 3).rem_euclid(7)) * DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_whatever_the_clock_says() {
        for (now, wanted) in [
            ("2026-11-29T23:59:59Z", "2026-11-23T00:00:00.000Z"),
            ("2026-11-30T00:00:00Z", "2026-11-30T00:00:00.000Z"),
            ("1970-01-01T00:00:00Z", "1969-12-29T00:00:00.000Z"),
            ("9999-12-31T23:59:59Z", "9999-12-27T00:00:00.000Z"),
        ] {
            assert_eq!(monday(Timestamp::parse_rfc3339(now).unwrap()).rfc3339_millis(), wanted);
        }
        assert!(monday(Timestamp::from_millis(i64::MIN)) <= Timestamp::from_millis(i64::MIN + 1));
    }
}
