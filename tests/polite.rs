//! How feeds are asked: a day of a daemon on a paused clock against a town of servers that write down every request,
//! and the same rules seen from outside, with the real program.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use feedmill::archive::FolderArchive;
use feedmill::clock::Clock;
use feedmill::config::{self, Config, Source};
use feedmill::daemon;
use feedmill::fetch::{self, Body, Fetch, FetchError, Fetched, RetryAfter, Status};
use feedmill::index::{FeedState, SledIndex};
use feedmill::model::{FeedSource, Timestamp, Validators};
use feedmill::poll::{Asking, Job, LastAsked, Options, Order, Outcome, Poller, Stop};
use feedmill::site::Site;
use tokio::time::Instant;
use url::Url;

use crate::house::{DATE, House, Page, item, rss};

const HOUR: u64 = 3600;
/// 20 November 2026, 00:00 UTC.
const MIDNIGHT: i64 = 1_795_132_800_000;

/// A request as a server of the town saw it. Times in milliseconds since the start.
#[derive(Clone, Debug)]
struct Seen {
    began: u64,
    ended: u64,
    url: String,
    host: String,
    etag: Option<String>,
}

/// What a server answers at a second of the day.
type Answers = Box<dyn Fn(u64) -> Answer + Send + Sync>;

enum Answer {
    /// These bytes, with an ETag of their own, fresh for so long.
    Page(Vec<u8>, Option<u64>),
    /// The same without an ETag.
    Bare(Vec<u8>),
    Status(u16, Option<u64>),
    /// A permanent redirect, and what lies there.
    Moved(&'static str, Vec<u8>),
    Nothing,
    /// No answer within half a minute.
    Silence,
}

/// Servers that answer after a tenth of a second and write down who asked.
struct Town {
    start: Instant,
    pages: HashMap<String, Answers>,
    log: Mutex<Vec<Seen>>,
}

impl Town {
    fn new() -> Self {
        Self { start: Instant::now(), pages: HashMap::new(), log: Mutex::default() }
    }

    fn serves(&mut self, url: &str, answers: impl Fn(u64) -> Answer + Send + Sync + 'static) {
        self.pages.insert(url.to_owned(), Box::new(answers));
    }

    fn log(&self) -> Vec<Seen> {
        self.log.lock().expect("log").clone()
    }

    /// Seconds of the day at which an address was asked.
    fn times(&self, url: &str) -> Vec<u64> {
        self.log().iter().filter(|seen| seen.url == url).map(|seen| seen.began / 1000).collect()
    }
}

impl Fetch for Town {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        let (began, url) = (self.start.elapsed(), source.url.clone());
        let answer = self.pages[url.as_str()](began.as_secs());
        let lasts = if matches!(answer, Answer::Silence) { 30_000 } else { 100 };
        tokio::time::sleep(Duration::from_millis(lasts)).await;
        let millis = |time: Duration| u64::try_from(time.as_millis()).expect("a day");
        self.log.lock().expect("log").push(Seen {
            began: millis(began),
            ended: millis(self.start.elapsed()),
            url: url.to_string(),
            host: fetch::host(&url),
            etag: validators.etag.clone(),
        });
        let page = |bytes: Vec<u8>, base: Url, has_etag: bool, freshness: Option<u64>, moved: Option<Url>| {
            let etag =
                has_etag.then(|| format!("\"{}\"", feedmill::model::Fingerprint::of(&format!("{bytes:?}")).hex()));
            let from = moved.as_ref().map(Url::to_string);
            let (now, freshness) = (Validators { etag, last_modified: None, from }, freshness.map(Duration::from_secs));
            if has_etag && now == *validators {
                return Ok(Fetched::NotModified { validators: now, freshness, moved });
            }
            let (content_type, status, headers) = (None, 200, Vec::new());
            Ok(Fetched::Body(Body { bytes, content_type, base, status, validators: now, freshness, headers, moved }))
        };
        match answer {
            Answer::Page(bytes, freshness) => page(bytes, url, true, freshness, None),
            Answer::Bare(bytes) => page(bytes, url, false, None, None),
            Answer::Moved(to, bytes) => {
                let to = Url::parse(to).expect("address");
                page(bytes, to.clone(), true, None, Some(to))
            }
            Answer::Status(code, wait) => Err(FetchError::Status {
                url: url.to_string(),
                status: Status { code, name: "" },
                retry_after: wait.map(RetryAfter::Seconds),
            }),
            Answer::Nothing => {
                Err(FetchError::Connect { at: fetch::host(&url), cause: "Connection refused".to_owned() })
            }
            Answer::Silence => Err(FetchError::NoAnswer { at: fetch::host(&url), cause: "it is silent".to_owned() }),
        }
    }
}

/// The clock of the paused runtime, and for how many seconds the machine has slept.
struct Paused(Instant, AtomicU64);

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        let passed = self.0.elapsed() + self.asleep();
        Timestamp::from_millis(MIDNIGHT + i64::try_from(passed.as_millis()).expect("a day"))
    }

    fn asleep(&self) -> Duration {
        Duration::from_secs(self.1.load(Ordering::Relaxed))
    }
}

/// A window of ten entries of which a new one comes every so many hours.
fn window(name: &str, second: u64, hours: u64) -> Vec<u8> {
    let newest = 10 + second / (hours * HOUR);
    let entry = |n: u64| {
        let millis =
            MIDNIGHT + (i64::try_from(n).expect("few") - 10) * i64::try_from(hours * HOUR).expect("few") * 1000;
        let date = DateTime::from_timestamp_millis(millis).expect("date").to_rfc2822();
        item(
            &format!("{name} {n}"),
            &format!("https://{name}.example.org/{n}"),
            &format!("{name}-{n}"),
            &date,
            "<p>x</p>",
        )
    };
    rss(&(newest - 9..=newest).rev().map(entry).collect::<String>()).into_bytes()
}

fn with_channel(document: &[u8], facts: &str) -> Vec<u8> {
    String::from_utf8_lossy(document).replacen("<item>", &format!("{facts}<item>"), 1).into_bytes()
}

struct Day {
    home: tempfile::TempDir,
    poller: Poller<Town, SledIndex, FolderArchive, Paused>,
}

impl Day {
    fn new(town: Town, config: &str) -> Self {
        let home = tempfile::tempdir().expect("folder");
        let text = format!("site: {{ url: 'https://news.example.net/' }}\n{config}");
        let config: Config = config::read(&[Source { name: "c", text: &text }], &|_| None).expect("config");
        let poller = Poller {
            clock: Arc::new(Paused(town.start, AtomicU64::new(0))),
            fetch: Arc::new(town),
            index: Arc::new(SledIndex::open(&home.path().join("index")).expect("index")),
            archive: Arc::new(FolderArchive::new(home.path().join("archive"), config.storage.layout)),
            config: Arc::new(config),
        };
        Self { home, poller }
    }

    /// The daemon runs until a second of the day.
    async fn run_until(&self, second: u64) {
        let (sender, stop) = Stop::new();
        let site = Site::new(self.home.path().join("public"));
        let end = async {
            tokio::time::sleep_until(self.poller.fetch.start + Duration::from_secs(second)).await;
            let _ = sender.send(true);
        };
        let (done, ()) = tokio::join!(daemon::work(&self.poller, &site, &stop), end);
        done.expect("a day without trouble");
    }

    fn titles(&self) -> BTreeSet<String> {
        let files = crate::house::files(&self.home.path().join("archive/_posts"));
        let title = |path: &std::path::PathBuf| {
            let text = std::fs::read_to_string(path).expect("post");
            feedmill::post::from_text(&text).expect("readable").title
        };
        files.iter().map(title).collect()
    }
}

/// Feeds of every kind, each with what is to be expected of it.
fn town() -> (Town, String) {
    let mut town = Town::new();
    let mut feeds = String::new();
    let mut feed = |id: &str, url: &str, more: &str| {
        let _ = writeln!(feeds, "- {{ id: {id}, name: {id}, url: '{url}'{more} }}");
    };
    // Twelve feeds of one host, four times an hour.
    for n in 0..12 {
        let url = format!("https://many.example/{n}");
        town.serves(&url, move |second| Answer::Page(window(&format!("many{n}"), second, 3), None));
        feed(&format!("many{n}"), &url, ", schedule: '@every 15m'");
    }
    // Ten plain ones, by the hour.
    for n in 0..10 {
        let url = format!("https://plain{n}.example/feed");
        town.serves(&url, move |second| Answer::Page(window(&format!("plain{n}"), second, 3), None));
        feed(&format!("plain{n}"), &url, "");
    }
    // One host is down for four hours and says for how long; it carries two feeds.
    for n in 0..2 {
        let url = format!("https://busy.example/{n}");
        town.serves(&url, move |second| match second / HOUR {
            6..10 => Answer::Status(503, Some(10 * HOUR - second)),
            _ => Answer::Page(window(&format!("busy{n}"), second, 3), None),
        });
        feed(&format!("busy{n}"), &url, "");
    }
    town.serves("https://gone.example/", |second| match second / HOUR {
        0..5 => Answer::Page(window("gone", second, 3), None),
        _ => Answer::Status(410, None),
    });
    feed("gone", "https://gone.example/", "");
    town.serves("https://dead.example/", |_| Answer::Nothing);
    feed("dead", "https://dead.example/", "");
    // It says that two hours are enough, and its entries stay for thirty.
    town.serves("https://slow.example/", |second| {
        Answer::Page(with_channel(&window("slow", second, 3), "<ttl>120</ttl>"), Some(600))
    });
    feed("slow", "https://slow.example/", "");
    // It says that a day is enough, and its entries are gone after ten hours.
    town.serves("https://wrong.example/", |second| Answer::Page(window("wrong", second, 1), Some(24 * HOUR)));
    feed("wrong", "https://wrong.example/", "");
    // No validators at all.
    town.serves("https://bare.example/", |second| Answer::Bare(window("bare", second, 12)));
    feed("bare", "https://bare.example/", "");
    town.serves("http://old.example/feed", |second| match second / HOUR {
        0..4 => Answer::Page(window("moving", second, 3), None),
        _ => Answer::Moved("https://new.example/feed", window("moving", second, 3)),
    });
    town.serves("https://new.example/feed", |second| Answer::Page(window("moving", second, 3), None));
    feed("moving", "http://old.example/feed", "");
    (town, format!("feeds:\n{feeds}topics: [{{ id: all }}]"))
}

#[tokio::test(start_paused = true)]
async fn a_day_is_polite_to_every_server() {
    let (town, config) = town();
    let day = Day::new(town, &config);
    // The machine is started again at noon: nobody is asked a second time for that.
    day.run_until(12 * HOUR).await;
    day.run_until(24 * HOUR).await;
    let town = &day.poller.fetch;
    let (mut by_host, mut by_url): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = Default::default();
    for seen in town.log() {
        by_host.entry(seen.host.clone()).or_default().push(seen.clone());
        by_url.entry(seen.url.clone()).or_default().push(seen);
    }
    for (host, mut log) in by_host {
        log.sort_by_key(|seen| seen.began);
        for pair in log.windows(2) {
            assert!(pair[1].began >= pair[0].ended, "{host} is asked twice at a time: {pair:?}");
            assert!(pair[1].began >= pair[0].began + 1000, "{host} is asked twice in a second: {pair:?}");
        }
    }
    for (url, log) in &by_url {
        for pair in log.windows(2) {
            assert!(pair[1].began >= pair[0].began + 15 * 60 * 1000, "{url} is asked within min_interval: {pair:?}");
        }
        let conditional = log.iter().skip(1).filter(|seen| seen.etag.is_some()).count();
        // The address that the feed moved to is asked conditionally from its first time on.
        let first = usize::from(url == "https://new.example/feed");
        let expected = match url.as_str() {
            "https://dead.example/" | "https://bare.example/" => 0,
            _ => log.len() - 1,
        };
        assert_eq!(conditional, expected, "{url} is asked unconditionally again");
        assert_eq!(log[0].etag.is_some(), first == 1, "{url}");
    }
    for n in 0..12 {
        let asked = town.times(&format!("https://many.example/{n}")).len();
        assert!((90..=97).contains(&asked), "many{n}: {asked}");
    }
    for n in 0..10 {
        let asked = town.times(&format!("https://plain{n}.example/feed")).len();
        assert!((24..=25).contains(&asked), "plain{n}: {asked}");
    }
    // Whoever of the two was asked first was told; the other was not asked.
    let down: Vec<u64> = (0..2).flat_map(|n| town.times(&format!("https://busy.example/{n}"))).collect();
    assert_eq!(down.iter().filter(|second| (6 * HOUR..10 * HOUR).contains(second)).count(), 1, "{down:?}");
    assert!(down.iter().any(|second| (10 * HOUR..11 * HOUR).contains(second)), "{down:?}");
    let after = |url: &str, hour: u64| town.times(url).iter().filter(|second| **second >= hour * HOUR).count();
    assert_eq!(after("https://gone.example/", 5), 1);
    let dead = town.times("https://dead.example/").len();
    assert!((7..=8).contains(&dead), "{dead}");
    let slow = town.times("https://slow.example/").len();
    assert!((12..=13).contains(&slow), "{slow}");
    let wrong = town.times("https://wrong.example/").len();
    assert!((4..=6).contains(&wrong), "half of ten hours each: {wrong}");
    assert_eq!(after("http://old.example/feed", 4), 2, "two redirects are enough");
    assert_eq!(after("https://new.example/feed", 4), 18, "by the hour from then on");
    // Nothing was lost for it.
    let titles = day.titles();
    for (name, hours, url) in [
        ("many7", 3, "https://many.example/7"),
        ("plain3", 3, "https://plain3.example/feed"),
        ("busy1", 3, "https://busy.example/1"),
        ("slow", 3, "https://slow.example/"),
        ("wrong", 1, "https://wrong.example/"),
        ("bare", 12, "https://bare.example/"),
        ("moving", 3, "https://new.example/feed"),
    ] {
        let asked = town.times(url).into_iter().max().expect("asked");
        let last = 10 + asked / (hours * HOUR);
        for n in 1..=last {
            assert!(titles.contains(&format!("{name} {n}")), "{name} {n} is missing");
        }
    }
}

/// A window of sixty entries of which a new one comes every minute, few of them with the word, and below them an old one
/// with the word.
fn minutes(second: u64) -> Vec<u8> {
    let newest = 60 + second / 60;
    let entry = |n: u64| {
        let millis = MIDNIGHT + (i64::try_from(n).expect("few") - 60) * 60_000;
        let date = DateTime::from_timestamp_millis(millis).expect("date").to_rfc2822();
        let title = format!("{} {n}", if n.is_multiple_of(37) { "rare" } else { "usual" });
        item(&title, &format!("https://minutes.example.org/{n}"), &format!("m{n}"), &date, "<p>x</p>")
    };
    let old = item("rare and old", "https://minutes.example.org/old", "old", DATE, "<p>x</p>");
    rss(&((newest - 59..=newest).rev().map(entry).collect::<String>() + &old)).into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_fast_feed_of_which_little_is_wanted_is_asked_as_often_as_it_needs() {
    let mut town = Town::new();
    town.serves("https://minutes.example/", |second| Answer::Page(minutes(second), None));
    let feed = "{ id: a, name: A, url: 'https://minutes.example/', schedule: auto, include: [rare] }";
    let day = Day::new(town, &format!("feeds: [{feed}]"));
    day.run_until(6 * HOUR).await;
    let times = day.poller.fetch.times("https://minutes.example/");
    assert!((20..=25).contains(&times.len()), "{times:?}");
    let newest = 60 + times.last().expect("asked") / 60;
    let wanted: BTreeSet<String> = (1..=newest).filter(|n| n % 37 == 0).map(|n| format!("rare {n}")).collect();
    assert_eq!(day.titles(), wanted.into_iter().chain(["rare and old".to_owned()]).collect());
}

#[tokio::test(start_paused = true)]
async fn who_had_not_answered_at_the_end_is_spared_after_a_new_start() {
    let mut town = Town::new();
    town.serves("https://slow.example/", |second| match second {
        0..60 => Answer::Silence,
        _ => Answer::Page(window("slow", second, 3), None),
    });
    let day = Day::new(town, "feeds: [{ id: a, name: A, url: 'https://slow.example/', schedule: '@daily' }]");
    day.run_until(10).await;
    day.run_until(HOUR / 2).await;
    let times = day.poller.fetch.times("https://slow.example/");
    // The first time nobody waited for, so it is not in the log.
    assert!(matches!(times[..], [900..=1200]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn whoever_is_asked_for_at_once_is_while_it_waits_for_its_turn() {
    let mut town = Town::new();
    let mut feeds = String::new();
    for id in ["a", "b", "c"] {
        let url = format!("https://one.example/{id}");
        town.serves(&url, move |_| Answer::Page(window(id, 0, 3), None));
        let _ = writeln!(feeds, "- {{ id: {id}, name: {id}, url: '{url}' }}");
    }
    let day = Day::new(town, &format!("feeds:\n{feeds}"));
    let job = |feed: &config::Feed| {
        let validators = Validators { etag: Some("\"old\"".to_owned()), ..Validators::default() };
        let url = feed.source.url.to_string();
        Job::new(Arc::new(feed.clone()), FeedState { url, validators, ..FeedState::default() })
    };
    let (orders, _backs) = Asking::begin(&day.poller, LastAsked::default(), Stop::new().1).parts();
    orders.send(Order::Ask(day.poller.config.feeds.iter().map(job).collect()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut forced = job(&day.poller.config.feeds[2]);
    forced.options.force = true;
    orders.send(Order::Ask(vec![forced]));
    tokio::time::sleep(Duration::from_mins(1)).await;
    let asked: Vec<(String, bool)> =
        day.poller.fetch.log().into_iter().map(|seen| (seen.url, seen.etag.is_some())).collect();
    let expected = [("a", true), ("b", true), ("c", false)].map(|(id, is)| (format!("https://one.example/{id}"), is));
    assert_eq!(asked, expected);
}

/// When the good feeds of a round were done, in seconds, the last one first.
async fn good_feeds_are_done(good: usize, silent: usize) -> f64 {
    let mut town = Town::new();
    let mut feeds = String::new();
    for n in 0..good + silent {
        // Silent ones stand between the others, and before most of them.
        let is_silent = n % 2 == 1 && n / 2 < silent;
        let url = format!("https://host{n}.example/");
        town.serves(&url, move |_| if is_silent { Answer::Silence } else { Answer::Status(304, None) });
        let id = format!("{}{n:05}", if is_silent { "silent" } else { "feed" });
        let _ = writeln!(feeds, "- {{ id: f{n:05}-{id}, name: {id}, url: '{url}' }}");
    }
    let day = Day::new(town, &format!("feeds:\n{feeds}"));
    let start = day.poller.fetch.start;
    let mut last = 0.0_f64;
    let feeds = day.poller.config.feeds.iter().collect();
    let done = day.poller.all(feeds, Options::default(), Stop::new().1, |report| {
        if !report.feed.contains("silent") {
            last = last.max(start.elapsed().as_secs_f64());
        }
    });
    let reports = done.await.expect("round");
    assert_eq!(reports.len(), good + silent);
    assert!(reports.iter().all(|report| report.outcome == Outcome::Failed));
    last
}

#[tokio::test(start_paused = true)]
async fn hanging_servers_delay_nobody_else() {
    let alone = good_feeds_are_done(1000, 0).await;
    let together = good_feeds_are_done(1000, 64).await;
    assert!(together - alone < 2.0, "{alone} s alone, {together} s with 64 hanging ones");
    let many = good_feeds_are_done(1000, 200).await;
    assert!(many - alone < 5.0, "{alone} s alone, {many} s with 200 hanging ones");
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_catches_up() {
    let url = "https://a.example/";
    let mut town = Town::new();
    town.serves(url, |second| Answer::Page(window("a", second, 3), None));
    let day = Day::new(town, &format!("feeds: [{{ id: a, name: A, url: '{url}', schedule: '@daily' }}]"));
    let (sender, stop) = Stop::new();
    let site = Site::new(day.home.path().join("public"));
    let asked = || day.poller.fetch.times(url).len();
    let fate = async {
        // At the start, and at its time of the day.
        while asked() < 2 {
            tokio::time::sleep(Duration::from_mins(1)).await;
        }
        tokio::time::sleep(Duration::from_mins(10)).await;
        day.poller.clock.1.store(24 * HOUR, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_mins(11)).await;
        assert_eq!(asked(), 3, "its time of the next day has passed");
        tokio::time::sleep(Duration::from_hours(20)).await;
        assert_eq!(asked(), 3, "the one after that has not come");
        let _ = sender.send(true);
    };
    let (done, ()) = tokio::join!(daemon::work(&day.poller, &site, &stop), fate);
    done.expect("a day without trouble");
}

/// How many of 600 feeds are asked within five minutes while nobody keeps what they bring.
async fn asked_while_nobody_keeps(answer: fn(usize) -> Answer) -> usize {
    let mut town = Town::new();
    let mut feeds = String::new();
    for n in 0..600 {
        let url = format!("https://host{n}.example/");
        town.serves(&url, move |_| answer(n));
        let _ = writeln!(feeds, "- {{ id: f{n}, name: F{n}, url: '{url}' }}");
    }
    let day = Day::new(town, &format!("feeds:\n{feeds}"));
    let job = |feed: &config::Feed| Job::new(Arc::new(feed.clone()), FeedState::default());
    let (orders, _backs) = Asking::begin(&day.poller, LastAsked::default(), Stop::new().1).parts();
    orders.send(Order::Ask(day.poller.config.feeds.iter().map(job).collect()));
    tokio::time::sleep(Duration::from_mins(5)).await;
    day.poller.fetch.log().len()
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_long_delays_nobody_but_does_not_fill_memory() {
    assert_eq!(asked_while_nobody_keeps(|_| Answer::Nothing).await, 600);
    // Documents are held back: four times `fetch.concurrency`, and those that were under way.
    let asked = asked_while_nobody_keeps(|n| Answer::Page(window(&format!("w{n}"), 0, 3), None)).await;
    assert!((256..=256 + 64).contains(&asked), "{asked}");
}

pub fn entries(numbers: std::ops::Range<usize>) -> String {
    let entry = |n| item(&format!("T{n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, "<p>x</p>");
    rss(&numbers.map(entry).collect::<String>())
}

pub fn redirect(to: &str) -> Page {
    Page { status: 301, headers: vec![("Location".into(), to.into())], body: vec![] }
}

/// A house whose server has two names.
pub fn two_names(feeds: &str) -> (House, String, String) {
    let house = House::new();
    house.config(feeds);
    let config = house.read("config.yaml");
    let one = config.split("allow: ['").nth(1).and_then(|rest| rest.split('\'').next()).expect("address").to_owned();
    let other = one.replace("127.0.0.1", "localhost");
    let config =
        config.replace("allow: ['", &format!("allow: ['{other}', '")).replace("{other}", &format!("http://{other}"));
    house.write("config.yaml", config.as_bytes());
    (house, one, other)
}

#[test]
fn retry_after_holds_the_whole_host_over_runs() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{server}/b' }]\ntopics: [{ id: all }]",
    );
    let busy = Page { status: 429, headers: vec![("Retry-After".into(), "3600".into())], body: vec![] };
    house.serves_page("/a", busy).serves("/b", entries(0..2));
    let run = house.run(["-v", "poll"]).summary("1 skipped, 1 failed").code(4);
    assert!(run.stderr.contains("429") && run.stderr.contains("asks to wait 3600s"), "{}", run.stderr);
    let run = house.run(["-v", "poll"]).summary("2 skipped").success();
    assert!(run.stdout.contains("its host asks to be left alone until"), "{}", run.stdout);
    assert_eq!(house.requests().len(), 1);
    house.run(["poll", "b", "--force"]).summary("1 read (2 new posts)").success();
}

#[test]
fn a_feed_that_is_gone_is_left_alone_for_a_month() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]").serves("/a", entries(0..2));
    house.run(["poll"]).success();
    house.serves_page("/a", Page { status: 410, headers: vec![], body: vec![] });
    let run = house.run(["poll"]).summary("1 failed").code(4);
    assert!(run.stderr.contains("410"), "{}", run.stderr);
    let lines = house.ledger();
    let line = lines.last().expect("line");
    assert_eq!((&line["op"], &line["feed"], &line["key"]), (&"gone".into(), &"a".into(), &serde_json::Value::Null));
    house.run(["poll"]).summary("1 skipped").success();
    // A clone of the archive knows it, too.
    std::fs::remove_dir_all(house.path("data/index")).expect("index");
    let run = house.run(["-v", "poll"]).summary("1 skipped").success();
    assert!(run.stdout.contains("it answered 410 Gone; it is asked again on "), "{}", run.stdout);
    assert_eq!(house.requests().len(), 2);
    // It is back.
    house.serves("/a", entries(0..3));
    house.run(["poll", "--force"]).summary("1 read (1 new post, 2 duplicates)").success();
    assert!(!house.read("data/archive/_ledger/state.json").contains("gone"));
    house.run(["verify"]).success();
}

#[test]
fn a_feed_that_moved_is_asked_at_its_new_address_after_the_second_time() {
    let (house, one, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    house.serves("/a", entries(0..2));
    house.run(["poll"]).success();
    house.serves_page("/a", redirect(&format!("http://{other}/b"))).serves("/b", entries(0..3));
    let run = house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    assert_eq!(run.stderr, "");
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert!(run.stderr.contains(&format!("it is asked at `http://{other}/b` from now on")), "{}", run.stderr);
    let line = house.ledger().last().cloned().expect("line");
    assert_eq!((&line["op"], &line["url"]), (&"moved".into(), &format!("http://{other}/b").into()));
    let before = house.requests().len();
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(run.stderr, "", "settled");
    // A clone of the archive knows it, too, and asks conditionally.
    std::fs::remove_dir_all(house.path("data/index")).expect("index");
    house.run(["poll"]).summary("1 not modified").success();
    let asked: Vec<String> = house.requests().into_iter().skip(before).map(|request| request.to).collect();
    assert_eq!(asked, [format!("{other}/b"), format!("{other}/b")]);
    // The new address fails for good, and the old one answers.
    house.serves("/a", entries(0..4)).serves_page("/b", Page { status: 404, headers: vec![], body: vec![] });
    let run = house.run(["poll"]).summary("1 read (1 new post, 3 duplicates)").success();
    assert!(run.stderr.contains(&format!("it is asked at `http://{one}/a` again")), "{}", run.stderr);
    let before = house.requests().len();
    house.run(["poll"]).summary("1 not modified").success();
    let asked: Vec<String> = house.requests().into_iter().skip(before).map(|request| request.to).collect();
    assert_eq!(asked, [format!("{one}/a")]);
}

#[test]
fn a_stranger_at_a_new_address_is_not_believed() {
    let (house, one, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    house.serves("/a", entries(0..2));
    house.run(["poll"]).success();
    house.serves_page("/a", redirect(&format!("http://{other}/casino")));
    for n in 1..4 {
        house.serves("/casino", entries(n * 100..n * 100 + 2));
        let run = house.run(["poll"]).success();
        assert!(run.stderr.contains("that is another domain and holds no entry"), "{}", run.stderr);
    }
    // Nor is a page.
    house.serves("/casino", "<!DOCTYPE html><html><body>Win!</body></html>");
    house.run(["poll"]).summary("1 failed").code(4);
    house.run(["poll"]).summary("1 failed").code(4);
    assert!(!house.read("data/archive/_ledger/state.json").contains("moved"));
    let last = house.requests().into_iter().rev().nth(1).expect("request");
    assert_eq!(last.to, format!("{one}/a"));
}

#[test]
fn a_mirror_answers_in_place_of_a_feed_that_does_not() {
    let (house, ..) =
        two_names("feeds: [{ id: a, name: A, url: '{server}/a', mirrors: ['{other}/m1', '{other}/m2'] }]");
    house.serves("/a", entries(0..2));
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    assert_eq!(house.requests().len(), 1, "who answers needs no mirror");
    let relative = entries(0..3).replace("<link>https://example.org/2</link>", "<link>/2</link>");
    house.serves("/a", "<html>down</html>").serves("/m2", &relative);
    let run = house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    assert!(run.stderr.contains("/m2` answered in its place"), "{}", run.stderr);
    let post = house.posts().into_values().find(|post| post.contains("T2")).expect("post");
    println!("{post}");
    assert!(post.contains("\nfrom: http://127.0.0.1:"), "a mirror's links are those of the original: {post}");
    let before = house.requests().len();
    house.run(["poll"]).summary("1 not modified").success();
    let asked = house.requests().split_off(before);
    let conditional: Vec<bool> = asked.iter().map(|request| request.headers.contains_key("if-none-match")).collect();
    assert_eq!(conditional, [true, false, true], "{asked:?}");
    // All fail: one sentence.
    house.serves("/m2", "<html>down</html>");
    let run = house.run(["poll"]).summary("1 failed").code(4);
    assert!(run.stderr.contains("its 2 other addresses brought nothing either"), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    house.serves("/a", &relative);
    house.run(["poll"]).success();
}

#[test]
fn a_body_that_is_the_same_is_not_read_again() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    let bare = |body: String| Page { status: 200, headers: vec![], body: body.into_bytes() };
    house.serves_page("/a", bare(entries(0..2)));
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    let before = house.snapshot();
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(house.snapshot(), before);
    house.serves_page("/a", bare(entries(0..3)));
    house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    // Half of it is not all of it, however often it comes.
    let cut = entries(0..5);
    house.serves_page("/a", bare(cut[..cut.len() - 40].to_owned()));
    house.run(["poll"]).summary("1 read (1 new post, 3 duplicates)").success();
    house.run(["poll"]).summary("1 read (4 duplicates)").success();
}

#[test]
fn half_a_document_leaves_the_validators_of_the_whole_one_before() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]").serves("/a", entries(0..2));
    house.run(["poll"]).success();
    let whole = house.requests().len();
    let cut = entries(0..5);
    house.serves("/a", &cut[..cut.len() - 40]);
    house.run(["poll"]).summary("1 read (2 new posts, 2 duplicates)").success();
    house.run(["poll"]).summary("1 read (4 duplicates)").success();
    house.serves("/a", &cut);
    house.run(["poll"]).summary("1 read (1 new post, 4 duplicates)").success();
    house.run(["poll"]).summary("1 not modified").success();
    let sent: Vec<Option<String>> =
        house.requests().split_off(whole).iter().map(|r| r.headers.get("if-none-match").cloned()).collect();
    assert!(sent[0].is_some() && sent[..3].iter().all(|etag| *etag == sent[0]), "{sent:?}");
    assert!(sent[3].is_some() && sent[3] != sent[0], "{sent:?}");
}

#[test]
fn a_feed_whose_entries_are_all_new_may_have_lost_some() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]").serves("/a", entries(0..3));
    let run = house.run(["poll"]).success();
    assert_eq!(run.stderr, "");
    house.serves("/a", entries(2..5));
    assert_eq!(house.run(["poll"]).success().stderr, "");
    house.serves("/a", entries(7..10));
    let run = house.run(["poll"]).success();
    assert!(run.stderr.contains("none of its 3 entries was there at the last reading"), "{}", run.stderr);
}
