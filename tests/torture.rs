//! Every call to disk and index fails once, in every way, and the power goes at every call: a clean
//! run then gives what it would have given without that.

mod disk;
mod faults;
mod feeds;
mod form;
mod index;
mod place;
mod scenario;

use feedmill::model::Post;
use feedmill::post;

use crate::newsroom::{Dice, Newsroom};
use crate::twin::Memory;
use faults::{EINTR, EIO, ENOSPC, Fate, Fault};
use feeds::{NEWS, about_to_seal, changed, foreign, fresh, next_hour, polled, settled, without_syncfs};
use place::{ARCHIVE, Place, Remembered, Work};
use scenario::{Scenario, Tally, Then, clean, differs, suffer};

const POWER: [Fault; 6] = [
    Fault::Power(Fate::Lost),
    Fault::Power(Fate::Kept),
    Fault::Power(Fate::Torn),
    Fault::Power(Fate::Mixed(1)),
    Fault::Power(Fate::Mixed(2)),
    Fault::Power(Fate::Mixed(3)),
];

const ERRORS: [Fault; 6] = [
    Fault::Refused(EIO),
    Fault::Refused(ENOSPC),
    Fault::Refused(EINTR),
    Fault::Belated(EIO),
    Fault::Short,
    Fault::Full,
];

/// Every call in the long form, which `just torture` asks for; some in the form that CI runs.
fn stride(short: usize) -> usize {
    if std::env::var_os("FEEDMILL_TORTURE").is_some() { 1 } else { short }
}

fn everything() -> Vec<Fault> {
    POWER.into_iter().chain(ERRORS).collect()
}

#[test]
fn a_poll_survives_a_fault_at_every_call() {
    let scenario = Scenario::new("second poll", polled(), Work::Poll);
    let each = scenario.torture(&[Fault::Power(Fate::Lost), Fault::Refused(EIO)], 1);
    each.and(scenario.torture(&everything(), stride(11))).judge();
}

#[test]
fn the_first_poll_survives() {
    let scenario = Scenario::new("first poll", fresh(), Work::Poll);
    scenario.torture(&everything(), stride(13)).judge();
}

#[test]
fn a_poll_survives_where_not_everything_can_be_synced_at_once() {
    let first = Scenario::new("first poll without syncfs", without_syncfs(fresh()), Work::Poll);
    let second = Scenario::new("second poll without syncfs", without_syncfs(polled()), Work::Poll);
    first.torture(&everything(), stride(29)).and(second.torture(&everything(), stride(29))).judge();
}

#[test]
fn healing_survives() {
    let scenarios = [
        Scenario::new("first poll", fresh(), Work::Poll),
        Scenario::new("second poll", polled(), Work::Poll),
        Scenario::new("second poll without syncfs", without_syncfs(polled()), Work::Poll),
    ];
    let faults = everything();
    let mut tally = Tally::default();
    for (seed, scenario) in scenarios.iter().enumerate() {
        let again = |at: usize| {
            let mut dice = Dice((seed * 1_000_000 + at) as u64);
            Then::Again(dice.below(scenario.calls.len()), faults[dice.below(faults.len())])
        };
        tally = tally.and(scenario.torture_and(&faults, stride(37), again));
    }
    tally.judge();
}

#[test]
fn an_index_that_is_lost_with_the_power_survives() {
    let scenarios =
        [Scenario::new("first poll", fresh(), Work::Poll), Scenario::new("second poll", polled(), Work::Poll)];
    let mut tally = Tally::default();
    for scenario in &scenarios {
        for then in [Then::IndexLost, Then::IndexOlder] {
            tally = tally.and(scenario.torture_and(&POWER, stride(23), |_| then));
        }
    }
    let mut lost = settled();
    lost.remembered = Remembered::InMaps(Memory::default());
    let scenario = Scenario::new("poll with a lost index", lost, Work::Poll);
    tally.and(scenario.torture(&everything(), stride(19))).judge();
}

#[test]
fn a_takedown_survives() {
    let mut tally = Tally::default();
    for what in ["https://example.org/1", "https://example.org/3", "https://example.org/new-address"] {
        let scenario = Scenario::new("forget", settled(), Work::Forget(what));
        tally = tally.and(scenario.torture(&everything(), stride(31)));
    }
    tally.judge();
}

#[test]
fn a_history_survives_while_a_document_of_it_is_sealed() {
    let poll = Scenario::new("poll that seals", about_to_seal(), Work::Poll);
    assert!(poll.makes("/history/"), "no document is sealed");
    let mut sealed = about_to_seal();
    sealed.run_well(&Work::Poll).later(3600);
    let forget = Scenario::new("forget what is sealed", sealed, Work::Forget("https://example.org/n3"));
    poll.torture(&everything(), stride(61)).and(forget.torture(&everything(), stride(61))).judge();
}

#[test]
fn an_import_survives() {
    let folder = tempfile::tempdir().expect("folder");
    // Its name leaves no room for a temporary one.
    let long = format!("_posts/{}.md", "长".repeat(84));
    let posts = [
        (long.as_str(), "https://example.org/long"),
        ("_posts/2020-01-02-one.md", "https://example.org/foreign"),
        ("_posts/copy.md", "http://example.org/foreign?utm_source=x"),
        ("archived/2020-01-02/known.md", "https://example.org/1"),
        ("_posts/2021/07/no-link.md", ""),
    ];
    for (path, link) in posts {
        crate::house::write(&folder.path().join(path), foreign("Of another maker", link).as_bytes());
    }
    let scenario = Scenario::new("import", polled(), Work::Import(folder.path().to_owned()));
    scenario.torture(&everything(), stride(13)).judge();
}

#[test]
fn a_reindex_survives() {
    let scenario = Scenario::new("reindex", settled(), Work::Reindex);
    let tally = scenario.torture(&everything(), stride(7));
    // Posts that were put there by hand.
    let mut strays = settled();
    for n in 0..3 {
        let text = foreign(&format!("Stray {n}"), &format!("https://example.org/stray-{n}"));
        strays.platter.put(&format!("{ARCHIVE}/_posts/2020-01-02-stray-{n}.md"), text.as_bytes());
    }
    let scenario = Scenario::new("reindex with strays", strays, Work::Reindex);
    tally.and(scenario.torture(&everything(), stride(13))).judge();
}

#[test]
fn sled_survives_as_well_as_its_twin() {
    let mut before = fresh();
    before.remembered = Remembered::InSled(tempfile::tempdir().expect("folder"));
    before.run_well(&Work::Poll);
    let scenario = Scenario::new("second poll over sled", changed(before), Work::Poll);
    let faults = [Fault::Refused(EIO), Fault::Belated(EIO), Fault::Power(Fate::Lost), Fault::Power(Fate::Mixed(1))];
    scenario.torture(&faults, stride(61)).judge();
}

/// Feeds change, and nearly every poll meets a fault of its own.
#[test]
fn a_long_row_of_faults_loses_nothing() {
    for seed in 0..=(100 / stride(50) as u64) {
        let mut dice = Dice(seed);
        let mut news = Newsroom::new(seed);
        let mut place = Place::new(NEWS);
        place.syncs_all = dice.one_in(2);
        let faults = everything();
        for _ in 0..60 {
            let editions = next_hour(&mut news, &mut place);
            let at = dice.below(500);
            if suffer(&mut place, &Work::Poll, at, faults[dice.below(faults.len())]).0.is_ok() {
                news.confirm_all(&editions);
            }
            if dice.one_in(5) {
                place.platter.lose_power(Fate::Mixed(dice.next()));
            }
            if dice.one_in(12) {
                place.remembered = Remembered::InMaps(Memory::default());
            }
        }
        let editions = next_hour(&mut news, &mut place);
        clean(&mut place, &Work::Poll).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        news.confirm_all(&editions);
        place.platter.lose_power(Fate::Lost);
        let wrong = news.judge(&posts(&place, "_posts"), &posts(&place, "_revisions"));
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert_eq!(hidden(&place), Vec::<String>::new(), "seed {seed}");
        let before = place.clone();
        place.run_well(&Work::Reindex);
        let wrong = differs(&before, &place, 0);
        assert!(wrong.is_empty(), "seed {seed}, made from the archive again: {wrong:#?}");
    }
}

fn posts(place: &Place, folder: &str) -> Vec<Post> {
    let files = place.platter.files().into_iter().filter(|(path, _)| path.starts_with(format!("{ARCHIVE}/{folder}")));
    files.map(|(path, bytes)| post::read(&path.to_string_lossy(), &bytes).expect("a post")).collect()
}

/// Files that are not there for others.
fn hidden(place: &Place) -> Vec<String> {
    let names = place.platter.files().into_keys().map(|path| path.display().to_string());
    names.filter(|name| name.contains("/.") && !name.ends_with("/.unclean")).collect()
}
