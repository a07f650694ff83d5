//! Addresses that are made absolute, and how much longer a body may become by that.
//!
//! Each relative address gets a copy of its base, and both are the publisher's.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use url::{Position, Url};

use crate::read::LONGEST_BASE;

/// Addresses may add so many times what a body has, and so much beside.
const TIMES: usize = 16;
const BESIDE: usize = 16 << 10;
/// More than this they never add.
const MOST: usize = 4 << 20;

/// How many bytes addresses may add to a text of this length: more than they need in a gallery of nothing but pictures
/// in a folder with a long Chinese name.
pub(super) fn room(length: usize) -> usize {
    length.saturating_mul(TIMES).saturating_add(BESIDE).min(MOST)
}

/// The base, unless what each address below it gets of it (all but its query) is longer than that of any page.
pub(super) fn usable(base: Option<&Url>) -> Option<&Url> {
    base.filter(|base| base[..Position::AfterPath].len() <= LONGEST_BASE)
}

/// A base with the room for what it adds to a text.
pub(super) struct Room {
    base: Option<Url>,
    left: AtomicUsize,
}

impl Room {
    pub fn of(html: &str, base: Option<&Url>) -> Self {
        Self { base: usable(base).cloned(), left: AtomicUsize::new(room(html.len())) }
    }

    /// What is made of an address so long with the base, or without it when there is no room left.
    pub fn made<T: AsRef<str>>(&self, written: usize, with: impl Fn(Option<&Url>) -> Option<T>) -> Option<T> {
        let made = with(self.base.as_ref().filter(|_| self.left.load(Relaxed) > 0))?;
        let more = made.as_ref().len().saturating_sub(written);
        if self.left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(more)).is_ok() {
            return Some(made);
        }
        self.left.store(0, Relaxed);
        with(None)
    }
}
