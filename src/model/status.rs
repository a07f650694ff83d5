use std::fmt;

use super::Timestamp;

/// How it stands with a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its publisher ended it (410), and none of its other addresses answers.
    Gone,
    /// Its last poll brought nothing.
    Failing,
    /// Its host wants to be left alone (`Retry-After`).
    Held,
    /// It was never asked.
    New,
    /// Its last poll went well.
    Ok,
    /// `enabled: false`.
    Disabled,
}

impl Condition {
    /// Worst first.
    pub const ALL: [Self; 6] = [Self::Gone, Self::Failing, Self::Held, Self::New, Self::Ok, Self::Disabled];

    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Held => "held",
            Self::New => "new",
            Self::Ok => "ok",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What decides when a feed is asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its schedule.
    Schedule,
    /// `fetch.min_interval`.
    MinInterval,
    /// The publisher's hints.
    Hint,
    /// Failures in a row.
    Failures,
    /// `Retry-After`.
    Held,
    /// 410 Gone.
    Gone,
    /// It was never asked.
    First,
    /// `enabled: false`.
    Disabled,
}

impl Reason {
    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::MinInterval => "min_interval",
            Self::Hint => "hint",
            Self::Failures => "failures",
            Self::Held => "held",
            Self::Gone => "gone",
            Self::First => "first",
            Self::Disabled => "disabled",
        }
    }
}

/// What an operator should know and act upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmKind {
    /// An address of the feed answered 410.
    Gone,
    /// It has been failing for a day or longer.
    Failing,
    /// Entries between two of its documents were probably missed.
    Gap,
    /// Its documents come cut short, or hold more than `max_entries`.
    Cut,
    /// It has been silent for much longer than is its habit.
    Silent,
    /// It moved for good; the config does not know that yet.
    Moved,
}

impl AlarmKind {
    /// Worst first.
    pub const ALL: [Self; 6] = [Self::Gone, Self::Failing, Self::Gap, Self::Cut, Self::Silent, Self::Moved];

    /// As it is written everywhere.
    pub fn word(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Gap => "gap",
            Self::Cut => "cut",
            Self::Silent => "silent",
            Self::Moved => "moved",
        }
    }
}

impl fmt::Display for AlarmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One thing about a feed that an operator should know.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Alarm {
    /// What it is about.
    pub kind: AlarmKind,
    /// Since when it is so; `None` where nobody knows.
    pub since: Option<Timestamp>,
    /// A sentence with cause and next step, without a secret. It names moments, never how long ago they are, so that
    /// it stays the same while nothing changes.
    pub text: String,
}

/// What an operator sees of a feed. The field names are what `status --json` prints.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeedStatus {
    /// The feed's id.
    pub feed: String,
    /// Its name in the config.
    pub name: String,
    /// How it stands.
    pub state: Condition,
    /// When the last poll began.
    pub polled: Option<Timestamp>,
    /// When the last new entry came.
    pub last_new: Option<Timestamp>,
    /// How many entries its last document held.
    pub entries: usize,
    /// Failed polls since the last good one.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// What the last of them said, without a secret.
    pub error: Option<String>,
    /// When it is asked next: at once where that has passed, never again when it is `None`.
    pub next: Option<Timestamp>,
    /// What decides that.
    pub why: Option<Reason>,
    /// Its schedule, as the config writes it.
    pub schedule: String,
    /// The address it moved to, as messages may show it.
    pub moved_to: Option<String>,
    /// Worst first.
    pub alarms: Vec<Alarm>,
}

impl FeedStatus {
    /// The order in which people want to see feeds: what needs them first, then by id.
    pub fn rank(&self) -> (bool, Option<AlarmKind>, bool, Condition, &str) {
        let worst = self.alarms.iter().map(|alarm| alarm.kind).min();
        (worst.is_none(), worst, !self.is_trouble(), self.state, &self.feed)
    }

    /// True when a person should look at it before all others.
    pub fn is_trouble(&self) -> bool {
        !self.alarms.is_empty() || matches!(self.state, Condition::Gone | Condition::Failing)
    }
}

/// Totals of all feeds. The field names are what `status --json` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StatusSummary {
    /// All of the config.
    pub feeds: usize,
    /// Their last poll went well.
    pub ok: usize,
    /// Their last poll brought nothing.
    pub failing: usize,
    /// Their publisher ended them.
    pub gone: usize,
    /// Their hosts want to be left alone.
    pub held: usize,
    /// `enabled: false`.
    pub disabled: usize,
    /// Never asked.
    pub new: usize,
    /// Alarms of all feeds.
    pub alarms: usize,
    /// When the last new entry of all came.
    pub last_new: Option<Timestamp>,
}

impl StatusSummary {
    /// Those of these feeds.
    pub fn of(feeds: &[FeedStatus]) -> Self {
        let count = |state| feeds.iter().filter(|feed| feed.state == state).count();
        Self {
            feeds: feeds.len(),
            ok: count(Condition::Ok),
            failing: count(Condition::Failing),
            gone: count(Condition::Gone),
            held: count(Condition::Held),
            disabled: count(Condition::Disabled),
            new: count(Condition::New),
            alarms: feeds.iter().map(|feed| feed.alarms.len()).sum(),
            last_new: feeds.iter().filter_map(|feed| feed.last_new).max(),
        }
    }

    /// How many feeds stand so.
    pub fn count(&self, state: Condition) -> usize {
        match state {
            Condition::Gone => self.gone,
            Condition::Failing => self.failing,
            Condition::Held => self.held,
            Condition::New => self.new,
            Condition::Ok => self.ok,
            Condition::Disabled => self.disabled,
        }
    }
}
