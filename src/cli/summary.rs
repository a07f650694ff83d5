//! What a poll did, in one line or one object.

use crate::poll::{FeedReport, Outcome};

/// Totals of a poll.
#[derive(Debug, Default, serde::Serialize)]
pub(super) struct Summary {
    feeds: usize,
    polled: usize,
    not_modified: usize,
    skipped: usize,
    pub(super) failed: usize,
    new: usize,
    revised: usize,
    duplicate: usize,
    rejected: usize,
    repaired: usize,
    seconds: f64,
}

impl Summary {
    pub(super) fn of(reports: &[FeedReport], seconds: f64) -> Self {
        let count = |outcome| reports.iter().filter(|r| r.outcome == outcome).count();
        let sum = |of: fn(&FeedReport) -> usize| reports.iter().map(of).sum();
        Self {
            feeds: reports.len(),
            polled: count(Outcome::Polled),
            not_modified: count(Outcome::NotModified),
            skipped: count(Outcome::Skipped),
            failed: count(Outcome::Failed),
            new: sum(|r| r.new),
            revised: sum(|r| r.revised),
            duplicate: sum(|r| r.duplicate),
            rejected: sum(|r| r.rejected),
            repaired: sum(|r| usize::from(r.repaired)),
            seconds: (seconds * 1000.0).round() / 1000.0,
        }
    }

    /// As people are told.
    pub(super) fn sentence(&self, dry_run: bool) -> String {
        let entries = [
            (self.new, if dry_run { "post would be new" } else { "new post" }),
            (self.revised, "revised"),
            (self.duplicate, "duplicate"),
            (self.rejected, "entry rejected"),
        ];
        let entries: Vec<String> =
            entries.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| counted(n, what)).collect();
        let read = match (self.polled, entries.is_empty()) {
            (0, _) => None,
            (n, true) => Some(format!("{n} read (nothing new)")),
            (n, false) => Some(format!("{n} read ({})", entries.join(", "))),
        };
        let part = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}"));
        let parts =
            [part(self.not_modified, "not modified"), read, part(self.skipped, "skipped"), part(self.failed, "failed")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let parts = if parts.is_empty() { "nothing to do".to_owned() } else { parts.join(", ") };
        format!("polled {} in {:.1} s: {parts}", counted(self.feeds, "feed"), self.seconds)
    }
}

/// `1 new post`, `2 new posts`, `3 entries rejected`.
pub(super) fn counted(n: usize, what: &str) -> String {
    let many = match what {
        "revised" => what.to_owned(),
        "entry rejected" => "entries rejected".to_owned(),
        "post would be new" => "posts would be new".to_owned(),
        _ => format!("{what}s"),
    };
    if n == 1 { format!("1 {what}") } else { format!("{n} {many}") }
}
