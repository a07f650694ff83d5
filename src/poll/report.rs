//! What a poll of one feed brought, for people and programs.

use std::time::Duration;

use crate::model::{FeedId, Timestamp};

/// How a poll of one feed ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It answered with a document that was read.
    Polled,
    /// Nothing changed since the last poll.
    NotModified,
    /// Its last poll is too recent.
    Skipped,
    /// It brought nothing; `error` says why.
    Failed,
}

impl Outcome {
    /// As `--json` and logs name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Polled => "polled",
            Self::NotModified => "not_modified",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// What one feed brought.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeedReport {
    /// The feed's id.
    pub feed: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Entries never seen before.
    pub new: usize,
    /// Known entries with a new title or text.
    pub revised: usize,
    /// Known entries.
    pub duplicate: usize,
    /// Entries left out.
    pub rejected: usize,
    /// The document had to be repaired to be read.
    pub repaired: bool,
    /// One sentence, when it failed.
    pub error: Option<String>,
    /// What the operator should know: entries left out, ids dealt anew, texts that flap.
    #[serde(skip)]
    pub notes: Vec<String>,
    /// Why it was skipped.
    #[serde(skip)]
    pub reason: Option<String>,
    /// When it may be asked, where it was skipped.
    #[serde(skip)]
    pub again: Option<Timestamp>,
    /// What was put right.
    #[serde(skip)]
    pub repairs: Option<String>,
    /// How long fetching and reading took.
    #[serde(skip)]
    pub took: Duration,
    /// How long it had waited for its host's turn and a slot before.
    #[serde(skip)]
    pub waited: Duration,
    /// Nothing of it was kept, as it was wanted.
    #[serde(skip)]
    pub dry_run: bool,
}

impl FeedReport {
    /// One line for people and logs: key-value, and the reason where there is one.
    pub fn log_line(&self) -> String {
        let Self { feed, new, revised, duplicate, rejected, .. } = self;
        let repaired = self.repairs.as_ref().map(|repairs| format!(" repaired=\"{repairs}\"")).unwrap_or_default();
        let took = self.took.as_secs_f64();
        match self.outcome {
            Outcome::Polled => format!(
                "feed={feed} outcome=polled new={new} revised={revised} duplicate={duplicate} rejected={rejected}{repaired} took={took:.1}s"
            ),
            Outcome::NotModified => format!("feed={feed} outcome=not_modified took={took:.1}s"),
            Outcome::Skipped => {
                format!("feed={feed} outcome=skipped ({})", self.reason.as_deref().unwrap_or("too recent"))
            }
            Outcome::Failed => format!("feed={feed} outcome=failed took={took:.1}s"),
        }
    }

    /// Of a feed that may not be asked yet.
    pub(super) fn skipped(feed: &FeedId, reason: String, again: Timestamp) -> Self {
        Self { reason: Some(reason), again: Some(again), ..Self::new(feed, Outcome::Skipped) }
    }

    pub(super) fn new(feed: &FeedId, outcome: Outcome) -> Self {
        Self {
            feed: feed.to_string(),
            outcome,
            new: 0,
            revised: 0,
            duplicate: 0,
            rejected: 0,
            repaired: false,
            error: None,
            notes: Vec::new(),
            reason: None,
            again: None,
            repairs: None,
            took: Duration::ZERO,
            waited: Duration::ZERO,
            dry_run: false,
        }
    }
}
