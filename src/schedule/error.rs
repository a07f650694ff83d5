//! What is wrong with a schedule, and what to write instead.

/// Of a field or a value.
pub(super) type Name = &'static str;

/// What someone wrote, on one line and not too long for a message.
pub(super) fn short(text: &str) -> String {
    let line = text.replace(|c: char| c.is_whitespace() || c.is_control(), " ");
    match line.trim().char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &line.trim()[..end]),
        None => line.trim().to_owned(),
    }
}

/// A schedule that cannot be read: what was written, why it is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{subject}{cause}")]
pub struct ScheduleError {
    subject: String,
    cause: Cause,
}

impl ScheduleError {
    pub(super) fn new(subject: String, cause: Cause) -> Self {
        Self { subject, cause }
    }
}

/// Why it is refused.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cause {
    #[error("the schedule is empty; write for example `@hourly` or `0 9 * * *`")]
    Empty,
    #[error("the time zone has a key of its own, `timezone`")]
    Zone,
    #[error("did you mean `{0}`?")]
    Meant(String),
    #[error(
        "a line has 5 fields (minute hour day month weekday), 6 with the second first or 7 with \
         the year last, but this one has {0}"
    )]
    Fields(usize),
    #[error(
        "unknown name `{0}`; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, \
         @annually and @every, as in `@every 30m`"
    )]
    UnknownName(String),
    #[error("`{0}` stands alone; remove what follows it")]
    Trailing(String),
    #[error("a feed cannot wait for a reboot; write `@hourly` or `@every 30m`")]
    Reboot,
    #[error("the period is missing; write for example `@every 30m`")]
    NoPeriod,
    #[error("`{0}` is not a duration; write numbers with s, m, h or d, as in `30m` or `1h30m`")]
    Period(String),
    #[error("a period is at least 1s and at most 366d")]
    PeriodLimits,
    #[error("the {0} field lacks a value; lists and ranges have no spaces, as in `1,2` or `1-5`")]
    Hole(Name),
    #[error("weekday {0} does not exist")]
    NoWeekday(String),
    #[error("{0} {1} is out of range; use {2}")]
    Outside(Name, String, Name),
    #[error("unknown {0} `{1}`; use {2}")]
    Value(Name, String, Name),
    #[error("{0} `{1}` is not supported; L, W, # and H are other programs' signs")]
    Quartz(Name, String),
    #[error("{0} range `{1}` runs backwards; write `{2}`")]
    Backwards(Name, String, String),
    #[error("{0} step 0 never moves on; use 1 or more")]
    StepZero(Name),
    #[error("{0} step {1} is longer than the field; write `@every {1}{2}`")]
    StepEvery(Name, u16, Name),
    #[error("{0} step `{1}` is not a number that fits the field")]
    Step(Name, String),
    #[error(
        "weekday numbers are refused beside seconds, because crontab counts from sunday = 0 and \
         quartz from sunday = 1; write names such as `mon-fri`"
    )]
    NumberedWeekday,
    #[error("{0} {1} does not exist")]
    NoSuchDay(u32, Name),
    #[error("no such time comes between 1970 and 2100")]
    Never,
}
