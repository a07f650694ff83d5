//! Which call fails, and how.

use std::io;
use std::sync::Mutex;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and answers with this error number.
    Refused(i32),
    /// It does all of its work and answers with this error number all the same.
    Belated(i32),
    /// A write gets half of its bytes onto the disk and fails.
    Short,
    /// From this call on there is no room left: what needs some gets half of it and fails.
    Full,
    /// The power goes: this call and all later ones fail, and what was not synced meets its fate.
    Power(Fate),
}

/// What becomes of bytes and names that were not synced when the power goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// All of them are gone.
    Lost,
    /// All of them are there, as after `kill -9`.
    Kept,
    /// The names are there, the bytes behind them are not or only in part.
    Torn,
    /// Each meets a fate of its own, drawn with this seed.
    Mixed(u64),
}

pub const EIO: i32 = 5;
pub const EINTR: i32 = 4;
pub const ENOSPC: i32 = 28;

/// What a call does to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Does {
    /// Nothing.
    Read,
    /// It changes something and needs no room for it.
    Change,
    /// It needs room.
    Fill,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Call {
    pub what: String,
    pub does: Does,
}

/// How a call has to go.
pub enum Turn {
    /// As it should.
    Well,
    /// Not at all.
    Refuse(io::Error),
    /// Half, where a call has halves.
    Halve(io::Error),
    /// As it should, but it says otherwise.
    Deny(io::Error),
}

/// Counts the calls to disk and index, and spoils the one that it was told to spoil.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<Call>,
    planned: Option<(usize, Fault)>,
}

impl Faults {
    /// Spoils the call of that number, from 0.
    pub fn at(number: usize, fault: Fault) -> Self {
        Self(Mutex::new(Inner { calls: Vec::new(), planned: Some((number, fault)) }))
    }

    /// The calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.0.lock().expect("faults").calls.clone()
    }

    /// Says how the next call goes.
    pub fn turn(&self, what: impl FnOnce() -> String, does: Does) -> Turn {
        let mut inner = self.0.lock().expect("faults");
        let number = inner.calls.len();
        inner.calls.push(Call { what: what(), does });
        let Some((at, fault)) = inner.planned.filter(|(at, _)| number >= *at) else { return Turn::Well };
        let is_it = number == at;
        let error = io::Error::from_raw_os_error;
        match fault {
            Fault::Refused(code) if is_it => Turn::Refuse(error(code)),
            Fault::Belated(code) if is_it => Turn::Deny(error(code)),
            Fault::Short if is_it => Turn::Halve(error(EIO)),
            Fault::Full if does == Does::Fill => Turn::Halve(error(ENOSPC)),
            Fault::Power(fate) => match fate {
                Fate::Kept if is_it => Turn::Deny(error(EIO)),
                Fate::Torn | Fate::Mixed(_) if is_it => Turn::Halve(error(EIO)),
                _ => Turn::Refuse(error(EIO)),
            },
            _ => Turn::Well,
        }
    }
}

impl Fault {
    /// True when this fault at a call that does this is another case than at the call before.
    pub fn concerns(self, does: Does) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Belated(_) | Self::Power(_) => does != Does::Read,
            Self::Short | Self::Full => does == Does::Fill,
        }
    }
}
