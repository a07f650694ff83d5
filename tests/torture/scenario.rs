//! A place where something fails, and what has to be there after a clean run.

use std::sync::Arc;

use super::faults::{Call, Does, Fate, Fault, Faults};
use super::form::{Times, difference, form, torn};
use super::place::{ARCHIVE, Place, Remembered, Work};
use crate::twin::Memory;

/// A place, and what is done there while something fails.
pub struct Scenario {
    name: &'static str,
    before: Place,
    work: Work,
    /// The place when nothing failed.
    after: Place,
    /// The calls that were made.
    pub calls: Vec<Call>,
    /// What a clean run gives after that, at once and later.
    wanted: [Place; 2],
}

/// How much later a clean run comes, so that nothing depends on its coming at once (seconds).
pub const LATER: [i64; 2] = [0, 3600];

impl Scenario {
    pub fn new(name: &'static str, before: Place, work: Work) -> Self {
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

    /// True when the work, undisturbed, makes a file with this in its path.
    pub fn makes(&self, part: &str) -> bool {
        let before = self.before.platter.files();
        self.after.platter.files().into_keys().any(|path| {
            let is_new = !before.contains_key(&path);
            is_new && path.to_string_lossy().contains(part)
        })
    }

    /// Lets the fault happen at one call, and something else afterwards; says what is wrong in the end.
    fn with(&self, at: usize, fault: Fault, then: Then) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut place = self.before.clone();
        // Posts are read several at a time, so another of them may be the one that fails.
        let (ended, calls) = suffer(&mut place, &self.work, at, fault);
        if calls.len() > at && ended.is_ok() && matches!(fault, Fault::Power(_)) {
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
    pub fn torture(&self, faults: &[Fault], stride: usize) -> Tally {
        self.torture_and(faults, stride, |_| Then::Nothing)
    }

    /// … and something else after it.
    pub fn torture_and(&self, faults: &[Fault], stride: usize, then: impl Fn(usize) -> Then) -> Tally {
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
pub enum Then {
    Nothing,
    /// The next run meets a fault, too.
    Again(usize, Fault),
    /// The index is gone.
    IndexLost,
    /// The index is that of before.
    IndexOlder,
}

/// Works until the fault, and with it the process, comes to its end; tells how it ended, and its calls.
pub fn suffer(place: &mut Place, work: &Work, at: usize, fault: Fault) -> (Result<(), String>, Vec<Call>) {
    let faults = Arc::new(Faults::at(at, fault));
    let ended = place.run(work, &faults);
    if let Fault::Power(fate) = fault {
        place.platter.lose_power(fate);
    }
    (ended, faults.calls())
}

/// Runs again without faults, as the next hour would.
pub fn clean(place: &mut Place, work: &Work) -> Result<(), String> {
    match work {
        // What is forgotten already is unknown.
        Work::Forget(_) => drop(place.run(work, &Arc::default())),
        _ => place.run(work, &Arc::default())?,
    }
    place.run(&Work::Poll, &Arc::default())?;
    place.run(&Work::Verify, &Arc::default())
}

/// What is not as in the place that was not disturbed.
pub fn differs(wanted: &Place, got: &Place, later: i64) -> Vec<String> {
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
pub struct Tally {
    runs: usize,
    wrong: Vec<String>,
}

impl Tally {
    pub fn and(mut self, other: Self) -> Self {
        self.runs += other.runs;
        self.wrong.extend(other.wrong);
        self
    }

    pub fn judge(self) {
        println!("{} runs, {} wrong", self.runs, self.wrong.len());
        for line in self.wrong.iter().take(12) {
            println!("{line}");
        }
        assert!(self.wrong.is_empty(), "{} of {} runs went wrong", self.wrong.len(), self.runs);
    }
}
