//! Fifty feeds on seventeen servers, each with a month of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::DateTime;
use feedmill::clock::Clock;
use feedmill::fetch::{self, Body, Fetch, FetchError, Fetched, RetryAfter, Status};
use feedmill::model::{FeedSource, Timestamp, Validators};
use tokio::time::Instant;
use url::Url;

use crate::house::{item, rss};
use crate::newsroom::Dice;

pub const MINUTE: u64 = 60;
pub const HOUR: u64 = 60 * MINUTE;
pub const DAY: u64 = 24 * HOUR;
pub const MONTH: u64 = 30 * DAY;
/// 20 November 2026, 00:00 UTC.
const MIDNIGHT: i64 = 1_795_132_800_000;
const FEEDS: usize = 50;

/// The clock of a machine, right or wrong.
pub struct Machine {
    start: Instant,
    /// Milliseconds.
    pub wrong: AtomicI64,
}

impl Machine {
    pub fn new(start: Instant) -> Self {
        Self { start, wrong: AtomicI64::new(0) }
    }
}

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let right = MIDNIGHT + i64::try_from(self.start.elapsed().as_millis()).expect("a month");
        Timestamp::from_millis(right + self.wrong.load(Ordering::Relaxed))
    }
}

/// When a feed is to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhythm {
    HalfHours,
    Hourly,
    SixHours,
    Daily,
    Auto,
}

impl Rhythm {
    /// A few that are asked often, many that are not.
    fn of(number: usize) -> Self {
        match number {
            0 | 1 => Self::HalfHours,
            2..=5 => Self::Hourly,
            _ => [Self::SixHours, Self::Daily, Self::Auto][number % 3],
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::HalfHours => "@every 30m",
            Self::Hourly => "@hourly",
            Self::SixHours => "0 */6 * * *",
            Self::Daily => "@daily",
            Self::Auto => "auto",
        }
    }

    /// The shortest and the longest time between two questions, in seconds.
    pub fn bounds(self, hint: Option<u64>) -> (u64, u64) {
        let (least, most) = match self {
            Self::HalfHours => (HOUR / 2, HOUR / 2),
            Self::Hourly => (HOUR, HOUR),
            Self::SixHours => (6 * HOUR, 6 * HOUR),
            Self::Daily => (DAY, DAY),
            Self::Auto => (15 * MINUTE, 26 * HOUR),
        };
        // A hint lengthens to the first run behind it, and never beyond a day.
        (least, if hint.is_some() { most + DAY } else { most })
    }
}

/// What is wrong with a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Down,
    Silent,
    Busy,
    /// Says when to come again: at the end.
    Waits,
    Cut,
    Gone,
    Moved,
}

#[derive(Clone, Copy, Debug)]
pub struct Fault {
    from: u64,
    pub to: u64,
    wrong: Wrong,
}

/// A feed and its month. Times in seconds since the start.
#[derive(Debug)]
pub struct Feed {
    pub number: usize,
    pub rhythm: Rhythm,
    /// When its entries appear.
    pub posts: Vec<u64>,
    window: usize,
    has_etag: bool,
    /// How long it says that its answers are fresh.
    pub hint: Option<u64>,
    pub faults: Vec<Fault>,
}

impl Feed {
    fn of(number: usize, dice: &mut Dice) -> Self {
        let rhythm = Rhythm::of(number);
        let mut posts: Vec<u64> = Vec::new();
        // Ten entries were there before; no window turns over in less than thirty hours.
        let mut at = 0;
        while at < MONTH {
            posts.push(at);
            at += if posts.len() < 10 { 0 } else { (4 + dice.moment(40)) * HOUR + dice.moment(3600) };
        }
        let faults = if number.is_multiple_of(2) { Vec::new() } else { Self::faults(dice) };
        let hint = dice.one_in(4).then(|| [HOUR, 5 * HOUR, 3 * DAY][dice.below(3)]);
        Self { number, rhythm, posts, window: 10, has_etag: !dice.one_in(5), hint, faults }
    }

    fn faults(dice: &mut Dice) -> Vec<Fault> {
        let kinds = [Wrong::Down, Wrong::Silent, Wrong::Busy, Wrong::Waits, Wrong::Cut, Wrong::Gone, Wrong::Moved];
        let fault = |dice: &mut Dice| {
            let from = dice.moment(MONTH);
            let wrong = kinds[dice.below(kinds.len())];
            let lasts = match wrong {
                Wrong::Moved => MONTH,
                Wrong::Waits => dice.moment(2 * DAY),
                _ => dice.moment(5 * DAY),
            };
            Fault { from, to: from + lasts, wrong }
        };
        (0..=dice.below(3)).map(|_| fault(dice)).collect()
    }

    pub fn title(&self, n: usize) -> String {
        format!("feed {} entry {n}", self.number)
    }

    /// Who ended is asked again after a month.
    pub fn is_gone(&self) -> bool {
        self.faults.iter().any(|fault| fault.wrong == Wrong::Gone)
    }

    /// It is asked at two hosts.
    pub fn has_moved(&self) -> bool {
        self.faults.iter().any(|fault| fault.wrong == Wrong::Moved)
    }

    fn wrong_at(&self, second: u64) -> Option<Fault> {
        self.faults.iter().copied().find(|fault| (fault.from..fault.to).contains(&second))
    }

    pub fn host(&self) -> String {
        // Whoever asks to be left alone speaks for its whole host, so the good have hosts of their own.
        let host = if self.number.is_multiple_of(2) { "good" } else { "odd" };
        format!("{host}{}.example", self.number / 6)
    }

    fn url(&self) -> String {
        format!("https://{}/{}", self.host(), self.number)
    }

    fn moved_to(&self) -> String {
        format!("https://new{}.example/{}", self.number, self.number)
    }

    /// Numbers of the entries that it shows.
    fn shown(&self, second: u64) -> std::ops::Range<usize> {
        let all = self.posts.partition_point(|at| *at <= second);
        all.saturating_sub(self.window)..all
    }

    fn document(&self, second: u64) -> Vec<u8> {
        let entry = |n: usize| {
            let millis = MIDNIGHT + i64::try_from(self.posts[n]).expect("a month") * 1000;
            let date = DateTime::from_timestamp_millis(millis).expect("date").to_rfc2822();
            let link = format!("https://{}.example.org/{n}", self.number);
            item(&self.title(n), &link, &format!("{}-{n}", self.number), &date, "<p>x</p>")
        };
        rss(&self.shown(second).rev().map(entry).collect::<String>()).into_bytes()
    }
}

/// A request as a server saw it. Times in milliseconds since the start.
#[derive(Clone, Debug)]
pub struct Asked {
    pub feed: usize,
    pub url: String,
    pub host: String,
    pub began: u64,
    pub ended: u64,
    /// Seconds that the server asked to wait.
    pub wait: u64,
    pub gone: bool,
    /// It answered with a whole document, or that nothing changed.
    pub good: bool,
}

pub struct Town {
    pub start: Instant,
    pub feeds: Vec<Feed>,
    pub asked: Mutex<Vec<Asked>>,
    /// Titles in documents that went out whole.
    pub shown: Mutex<BTreeSet<String>>,
}

impl Town {
    pub fn of(dice: &mut Dice) -> Self {
        let feeds = (0..FEEDS).map(|number| Feed::of(number, dice)).collect();
        Self { start: Instant::now(), feeds, asked: Mutex::default(), shown: Mutex::default() }
    }

    pub fn config(&self) -> String {
        let mut text = String::new();
        for feed in &self.feeds {
            let (n, url, schedule) = (feed.number, feed.url(), feed.rhythm.text());
            let _ = writeln!(text, "- {{ id: f{n}, name: F{n}, url: '{url}', schedule: '{schedule}' }}");
        }
        text
    }
}

impl Fetch for Town {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        let number: usize = source.id.as_str()[1..].parse().expect("number");
        let (feed, began) = (&self.feeds[number], self.start.elapsed());
        let (second, url, at) = (began.as_secs(), source.url.to_string(), fetch::host(&source.url));
        let is_new = url == feed.moved_to();
        let fault = feed.wrong_at(second).filter(|fault| !(is_new && fault.wrong == Wrong::Moved));
        let wrong = fault.map(|fault| fault.wrong);
        let lasts = if wrong == Some(Wrong::Silent) { 30_000 } else { 50 + number as u64 * 7 % 400 };
        tokio::time::sleep(Duration::from_millis(lasts)).await;
        let millis = |time: Duration| u64::try_from(time.as_millis()).expect("a month");
        let left = fault.map_or(0, |fault| fault.to.saturating_sub(self.start.elapsed().as_secs()));
        self.asked.lock().expect("asked").push(Asked {
            feed: number,
            url: url.clone(),
            host: at.clone(),
            began: millis(began),
            ended: millis(self.start.elapsed()),
            wait: if wrong == Some(Wrong::Waits) { left } else { 0 },
            gone: wrong == Some(Wrong::Gone),
            good: matches!(wrong, None | Some(Wrong::Moved)),
        });
        let status = |code, wait: Option<u64>| {
            let retry_after = wait.map(RetryAfter::Seconds);
            Err(FetchError::Status { url: url.clone(), status: Status { code, name: "" }, retry_after })
        };
        match wrong {
            Some(Wrong::Down) => return Err(FetchError::Connect { at, cause: "Connection refused".to_owned() }),
            Some(Wrong::Silent) => return Err(FetchError::NoAnswer { at, cause: "it is silent".to_owned() }),
            Some(Wrong::Busy) => return status(503, None),
            Some(Wrong::Waits) => return status(429, Some(left)),
            Some(Wrong::Gone) => return status(410, None),
            Some(Wrong::Cut | Wrong::Moved) | None => {}
        }
        let moved = (wrong == Some(Wrong::Moved)).then(|| Url::parse(&feed.moved_to()).expect("address"));
        let etag = feed.has_etag.then(|| format!("\"{}\"", feed.shown(second).end));
        let from = moved.as_ref().map(Url::to_string);
        let (now, freshness) = (Validators { etag, last_modified: None, from }, feed.hint.map(Duration::from_secs));
        let is_cut = wrong == Some(Wrong::Cut);
        if !is_cut && feed.has_etag && now == *validators {
            return Ok(Fetched::NotModified { validators: now, freshness, moved });
        }
        let mut bytes = feed.document(second);
        if is_cut {
            bytes.truncate(bytes.len() / 2);
        } else {
            let mut shown = self.shown.lock().expect("shown");
            shown.extend(feed.shown(second).map(|n| feed.title(n)));
        }
        let base = moved.clone().unwrap_or_else(|| source.url.clone());
        let (content_type, status, headers) = (None, 200, Vec::new());
        Ok(Fetched::Body(Body { bytes, content_type, base, status, validators: now, freshness, headers, moved }))
    }
}
