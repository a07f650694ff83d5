//! Every call to disk and index fails once, in every way, and the power goes at every call: a clean
//! run then gives what it would have given without that.

mod disk;
mod faults;
mod form;
mod index;
mod place;

use std::sync::Arc;

use crate::house::{DATE, item, rss};
use crate::twin::Memory;
use faults::{Call, Dice, Does, EINTR, EIO, ENOSPC, Fate, Fault, Faults};
use form::{Times, difference, form, torn};
use place::{ARCHIVE, Place, Remembered, Work};

/// A place, and what is done there while something fails.
struct Scenario {
    name: &'static str,
    before: Place,
    work: Work,
    /// The place when nothing failed.
    after: Place,
    /// The calls that were made.
    calls: Vec<Call>,
    /// What a clean run gives after that, at once and later.
    wanted: [Place; 2],
}

/// How much later a clean run comes, so that nothing depends on its coming at once (seconds).
const LATER: [i64; 2] = [0, 3600];

impl Scenario {
    fn new(name: &'static str, before: Place, work: Work) -> Self {
        let faults = Arc::<Faults>::default();
        let mut after = before.clone();
        after.run(&work, &faults).unwrap_or_else(|e| panic!("{name}: {e}"));
        let calls = faults.calls();
        let wanted = LATER.map(|later| {
            let mut place = after.clone();
            clean(place.later(later), &work).unwrap_or_else(|e| panic!("{name}: {e}"));
            place
        });
        Self { name, before, work, after, calls, wanted }
    }

    /// Lets the fault happen at one call, and something else afterwards; says what is wrong in the end.
    fn with(&self, at: usize, fault: Fault, then: Then) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut place = self.before.clone();
        let ended = suffer(&mut place, &self.work, at, fault);
        if at < self.calls.len() && ended.is_ok() && matches!(fault, Fault::Power(_)) {
            wrong.push("the work ended well without power".to_owned());
        }
        wrong.extend(torn(&place, &self.before, &self.after));
        match then {
            Then::Nothing => {}
            Then::Again(at, fault) => {
                let _ = suffer(&mut place, &self.work, at, fault);
                wrong.extend(torn(&place, &self.before, &self.after));
            }
            Then::IndexLost => place.remembered = Remembered::InMaps(Memory::default()),
            Then::IndexOlder => place.remembered = self.before.remembered.clone(),
        }
        wrong.extend(self.is_done_or_not(place.clone(), ended.is_ok()));
        for (wanted, later) in self.wanted.iter().zip(LATER) {
            let mut place = place.clone();
            let mut differ = match clean(place.later(later), &self.work) {
                Ok(()) => differs(wanted, &place, later),
                Err(error) => vec![error],
            };
            // What a clean run says is done stays done.
            place.platter.lose_power(Fate::Lost);
            let stays = differs(wanted, &place, later);
            // That it was done may have to be found out again.
            let stays = stays.into_iter().filter(|line| !line.starts_with(&format!("{ARCHIVE}/_ledger/.unclean")));
            differ.extend(stays.map(|line| format!("after a power loss: {line}")));
            wrong.extend(differ.into_iter().map(|line| format!("{later} s later: {line}")));
        }
        wrong
    }

    /// What was stopped is finished by the next poll, or it never began.
    fn is_done_or_not(&self, mut place: Place, ended_well: bool) -> Option<String> {
        let mut without = self.before.clone();
        match self.work {
            Work::Forget(_) => without.run_well(&Work::Poll),
            Work::Reindex if ended_well => &mut without,
            _ => return None,
        };
        if let Err(error) = clean(&mut place, &Work::Poll) {
            return Some(error);
        }
        let (wanted, or, got) = (form(&self.wanted[0], None), form(&without, None), form(&place, None));
        (got != wanted && got != or).then(|| format!("only polled: {:?}", difference(&wanted, &got)))
    }

    /// Lets a fault happen at every call that it concerns, or at some of them.
    fn torture(&self, faults: &[Fault], stride: usize) -> Tally {
        self.torture_and(faults, stride, |_| Then::Nothing)
    }

    /// … and something else after it.
    fn torture_and(&self, faults: &[Fault], stride: usize, then: impl Fn(usize) -> Then) -> Tally {
        let mut tally = Tally::default();
        for fault in faults {
            let all = self.calls.iter().map(|call| call.does).chain([Does::Change]).enumerate();
            let concerned: Vec<usize> = all.filter(|(_, does)| fault.concerns(*does)).map(|(at, _)| at).collect();
            for at in concerned.into_iter().step_by(stride) {
                tally.runs += 1;
                let then = then(at);
                let wrong = self.with(at, *fault, then);
                if !wrong.is_empty() {
                    let call = self.calls.get(at).map_or("the end", |call| &call.what);
                    tally.wrong.push(format!(
                        "{}: {fault:?} at call {at}, {call}, then {then:?}:\n    {}",
                        self.name,
                        wrong.join("\n    ")
                    ));
                }
            }
        }
        tally
    }
}

/// What comes after a fault, before a clean run.
#[derive(Clone, Copy, Debug)]
enum Then {
    Nothing,
    /// The next run meets a fault, too.
    Again(usize, Fault),
    /// The index is gone.
    IndexLost,
    /// The index is that of before.
    IndexOlder,
}

/// Works until the fault, and with it the process, comes to its end.
fn suffer(place: &mut Place, work: &Work, at: usize, fault: Fault) -> Result<(), String> {
    let ended = place.run(work, &Arc::new(Faults::at(at, fault)));
    if let Fault::Power(fate) = fault {
        place.platter.lose_power(fate);
    }
    ended
}

/// Runs again without faults, as the next hour would.
fn clean(place: &mut Place, work: &Work) -> Result<(), String> {
    match work {
        // What is forgotten already is unknown.
        Work::Forget(_) => drop(place.run(work, &Arc::default())),
        _ => place.run(work, &Arc::default())?,
    }
    place.run(&Work::Poll, &Arc::default())?;
    place.run(&Work::Verify, &Arc::default())
}

fn differs(wanted: &Place, got: &Place, later: i64) -> Vec<String> {
    let times = (later > 0).then_some(Times { early: got.time - later * 1000, late: got.time });
    let mut wrong = difference(&form(wanted, times), &form(got, times));
    if let (None, Remembered::InMaps(wanted), Remembered::InMaps(got)) = (times, &wanted.remembered, &got.remembered) {
        if wanted.records != got.records {
            wrong.push(format!("records: wanted {:?}, got {:?}", wanted.records, got.records));
        }
        if wanted.order != got.order || wanted.complete != got.complete {
            wrong.push("the topics have other members".to_owned());
        }
        if wanted.forgotten != got.forgotten {
            wrong.push("other entries are forgotten".to_owned());
        }
    }
    wrong
}

#[derive(Default)]
struct Tally {
    runs: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn and(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.wrong.extend(other.wrong);
        self
    }

    fn judge(self) {
        println!("{} runs, {} wrong", self.runs, self.wrong.len());
        for line in self.wrong.iter().take(12) {
            println!("{line}");
        }
        assert!(self.wrong.is_empty(), "{} of {} runs went wrong", self.wrong.len(), self.runs);
    }
}

const FEEDS: &str = "
feeds:
- { id: a, name: A, url: 'https://a.example.org/feed' }
- { id: b, name: B, url: 'https://b.example.org/feed' }
- { id: c, name: C, url: 'https://c.example.org/feed', revisions: replace }
- { id: d, name: D, url: 'https://d.example.org/feed' }
- { id: e, name: E, url: 'https://e.example.org/feed' }
topics: [{ id: all }, { id: better, any: [better] }, { id: changes, changes: true, limit: 5 }]";

/// An entry whose link, guid and title belong together.
fn entry(name: &str, text: &str) -> String {
    item(
        &format!("Title {name}"),
        &format!("https://example.org/{name}"),
        &format!("guid-{name}"),
        DATE,
        &format!("<p>{text}</p>"),
    )
}

/// An entry on a link that others have, too.
fn shared(name: &str, text: &str) -> String {
    item(&format!("Shared {name}"), "https://example.org/shared", &format!("s-{name}"), DATE, &format!("<p>{text}</p>"))
}

/// An entry that another feed copied: with tracking, over http, under its own guid.
fn copied(name: &str) -> String {
    item(
        &format!("Title {name}"),
        &format!("http://example.org/{name}?utm_source=copy"),
        &format!("copy-{name}"),
        DATE,
        "<p>teaser</p>",
    )
}

fn undated(name: &str) -> String {
    item(
        &format!("Undated {name}"),
        &format!("https://example.org/undated-{name}"),
        &format!("u-{name}"),
        "",
        "<p>when?</p>",
    )
}

/// A place where nothing ran yet, with a first document in each feed.
fn fresh() -> Place {
    let mut place = Place::new(FEEDS);
    let moved = item("Moved", "https://example.org/old-address", "https://example.org/moved-guid", DATE, "<p>here</p>");
    let dealt = item("Dealt anew", "https://example.org/dealt", "dealt-1", DATE, "<p>same</p>");
    let a =
        [entry("1", "first"), entry("2", "second"), dealt, moved, shared("one", "x"), shared("two", "y"), undated("1")];
    place.serve("a", rss(&a.concat()));
    place.serve("b", rss(&(entry("b1", "of b") + &copied("1"))));
    place.serve("c", rss(&(entry("c1", "of c") + &entry("c2", "better of c"))));
    place.serve("d", rss(""));
    place.serve("e", rss(&copied("b1")));
    place
}

/// New, revised and duplicate entries, in every way that the rules of identity know.
fn changed(mut place: Place) -> Place {
    place.later(86_400);
    let moved = item("Moved", "https://example.org/new-address", "https://example.org/moved-guid", DATE, "<p>here</p>");
    let dealt = item("Dealt anew", "https://example.org/dealt", "dealt-2", DATE, "<p>same</p>");
    let a = [
        entry("1", "first, better"),
        entry("2", "second"),
        dealt,
        moved,
        shared("one", "x"),
        shared("two", "y, changed"),
        shared("three", "z"),
        undated("1"),
        undated("2"),
        entry("3", "third"),
        entry("4", "fourth, better"),
    ];
    let a = rss(&a.concat()).replace("<title>Feed</title>", "<title>Feed with another name</title>");
    place.serve("a", a);
    place.serve(
        "b",
        rss(&(entry("b1", "of b") + &copied("1") + &copied("2") + &copied("3") + &entry("b2", "new of b"))),
    );
    place.serve("c", rss(&(entry("c1", "of c, changed") + &entry("c2", "worse of c") + &entry("c3", "new of c"))));
    place.serve("d", rss(&entry("d1", "one alone")));
    place.serve("e", rss(&(copied("b1") + &copied("2"))));
    place
}

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

/// A place where the first documents were polled and changed since.
fn polled() -> Place {
    let mut place = fresh();
    place.run_well(&Work::Poll);
    changed(place)
}

/// A place where all of that was polled.
fn settled() -> Place {
    let mut place = polled();
    place.run_well(&Work::Poll).later(3600);
    place
}

fn without_syncfs(mut place: Place) -> Place {
    place.syncs_all = false;
    place
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
fn an_import_survives() {
    let folder = tempfile::tempdir().expect("folder");
    let posts = [
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

/// A post as another maker wrote it.
fn foreign(title: &str, link: &str) -> String {
    format!(
        "---\ntitle: {title}\ndate: 2020-01-02\ncomments: True\nfrom: {link}\ncategories: [ A ]\n---\nold text, better\n"
    )
}
