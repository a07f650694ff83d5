//! `docs/troubleshooting.md`: each sentence is got out of the real binary, or, where that takes a day, a broken disk or a
//! network, found in its source.

mod scenes;

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;

use super::markdown::{page, root, rows, section, sections, spans};
use crate::house::files;

const PAGE: &str = "docs/troubleshooting.md";

/// Sentences that no scene brings, with what they would take.
const ONLY_IN_SOURCE: [&str; 17] = [
    // A name server; a test leaves the machine for nothing.
    "`…` has no address: …; is the name still right, and does name resolution work here?",
    // A server that takes no connection.
    "no connection to `…` within …",
    // Certificates of all kinds; src/fetch/tests/secure.rs has them.
    "nobody known here vouches for its certificate; if you do, put its authority's certificate into",
    "its certificate ended on …",
    "its certificate is for …, not for `…`",
    // Ten seconds of dripping.
    "`…` is too slow: … bytes within … (fetch.min_rate); it is asked again next time",
    // 25 polls.
    "`…` changed more than 24 times; further versions are not kept",
    "… of its entries came under more than 24 guids or addresses, and further ones are not noted; let its `dedup` be `url` or `guid`, whichever stays the same",
    // An hour of failures, and a day.
    "failed at the last poll; look whether this machine reaches the network",
    "failed: …; look at its address in a browser, and mend its `url` or set `enabled: false`",
    // A store that breaks while it is used.
    "`…` is damaged: …; the next run makes it anew from the archive",
    // A defect that nobody knows of.
    "`…` cannot be made: …; it is tried again at the next run",
    // A disk that is full, a clock that is set.
    "nothing can be kept at the moment; next try in … s",
    "the daemon cannot do anything at the moment: …",
    "the clock of this machine was set by … s; every feed got its next time anew",
    // Hubs and heartbeats have tests with servers of their own.
    "the heartbeat (server.heartbeat_url) does not arrive: …",
    "takes no word of `…`: …; is it right in server.hubs?",
];

/// The sentences of a section of the page.
fn sentences(title: &str) -> Vec<String> {
    rows(&section(&page(PAGE), title)).into_iter().map(|row| spans(&row[0]).concat()).collect()
}

/// Finds a sentence, whatever stands for its `…`.
fn pattern(sentence: &str) -> Regex {
    let parts: Vec<String> = sentence.trim_end_matches('…').split('…').map(regex::escape).collect();
    Regex::new(&parts.join("[^\n]*")).expect("a pattern")
}

/// Every sentence of a section must be in what the program said.
#[track_caller]
fn assert_told(title: &str, said: &str) {
    let sentences = sentences(title);
    assert!(sentences.len() > 4, "{title}: {sentences:?}");
    let is_missing =
        |sentence: &&String| !ONLY_IN_SOURCE.contains(&sentence.as_str()) && !pattern(sentence).is_match(said);
    let missing: Vec<&String> = sentences.iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{PAGE}, {title}: nothing says {missing:#?}; it was said:\n{said}");
}

/// The texts of the program as they are printed, with one mark in place of whatever is filled in.
fn source() -> String {
    let code = files(&root().join("src")).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let text: String = code.map(|file| fs::read_to_string(file).expect("source")).collect();
    let joined = Regex::new(r"\\\n\s*").expect("pattern").replace_all(&text, "").replace("\\\"", "\"");
    Regex::new(r"\{[^{}\s]*\}").expect("pattern").replace_all(&joined, "…").into_owned()
}

#[test]
fn what_nobody_provokes_stands_in_the_source() {
    let source = source();
    let all: BTreeSet<String> = sections(&page(PAGE)).iter().flat_map(|section| sentences(&section.title)).collect();
    for sentence in ONLY_IN_SOURCE {
        assert!(all.contains(sentence), "{PAGE} does not have `{sentence}` any more");
        // `24` is a number of the program.
        let parts = sentence.split(['…', '`']).flat_map(|part| part.split("24"));
        for part in parts.map(str::trim).filter(|part| part.len() > 8) {
            let words = part.trim_start_matches("failed: ");
            assert!(source.contains(words), "`{sentence}`: no source says `{words}`");
        }
    }
}

#[test]
fn the_first_troubles_of_the_readme_stand_on_the_page_too() {
    let whole = page(PAGE);
    let first = section(&page("README.md"), "Troubleshooting").text;
    let rows: Vec<&str> = first.lines().filter(|line| line.starts_with("| `")).collect();
    assert!((6..=12).contains(&rows.len()), "{}", rows.len());
    for row in rows {
        // Links of a page begin at its folder.
        let row = row.replace("](docs/", "](");
        assert!(whole.lines().any(|line| line == row), "{PAGE} lacks this row of the README: {row}");
    }
}

#[test]
fn sentences_of_the_config() {
    assert_told("The config", &scenes::config());
}

#[test]
fn sentences_of_commands() {
    assert_told("Commands", &scenes::commands());
}

#[test]
fn sentences_of_feeds_that_are_not_reached() {
    assert_told("A feed is not reached", &scenes::unreached());
}

#[test]
fn sentences_of_feeds_that_bring_nothing() {
    assert_told("A feed answers, but brings nothing", &scenes::useless());
}

#[test]
fn sentences_of_feeds_that_were_read_and_their_alarms() {
    let (polls, status) = scenes::odd();
    assert_told("A feed was read, but", &polls);
    assert_told("Alarms", &status);
}

#[test]
fn sentences_of_archive_index_and_disk() {
    assert_told("Archive, index and disk", &scenes::damage());
}

#[test]
fn sentences_of_the_daemon() {
    assert_told("The daemon", &scenes::daemon());
}
