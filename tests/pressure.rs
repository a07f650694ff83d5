//! The daemon under pressure: what is asked of it while something else is under way, or fails.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::daemon;
use feedmill::model::Timestamp;
use feedmill::poll::{Poller, Stop};
use feedmill::site::Site;

use crate::daemon::{Daemon, Listener, get};
use crate::house::{DATE, House, item, rss};
use crate::world::World;

const SERVER: &str = "server: { listen: '127.0.0.1:0' }\n";
const PUBLISH: &str = r#"{"command":"publish","topics":[]}"#;
const STATUS: &str = r#"{"command":"status"}"#;

fn entries(numbers: std::ops::Range<usize>) -> String {
    let entry = |n| item(&format!("T{n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, "<p>x</p>");
    rss(&numbers.map(entry).collect::<String>())
}

/// A feed `tick` that is read from the disk every second, also where others have to be spared.
fn tick(house: &House) -> String {
    house.write("tick.xml", rss("").as_bytes());
    let url = format!("file://{}", house.path("tick.xml").display());
    format!("{{ id: tick, name: Tick, url: '{url}', schedule: '@every 1s' }}")
}

/// Lets so many polls of `tick` pass.
fn ticks(daemon: &Daemon, n: usize) {
    daemon.hush();
    (0..n).for_each(|_| drop(daemon.line(|line| line.contains("feed=tick "))));
}

/// Writes the config with another `min_interval` than none.
fn spare(house: &House, min_interval: &str) {
    let config = house.read("config.yaml").replace("min_interval: 0s", &format!("min_interval: {min_interval}"));
    house.write("config.yaml", config.as_bytes());
}

fn asked_for(house: &House, path: &str) -> usize {
    house.requests().iter().filter(|request| request.to.ends_with(path)).count()
}

/// The archive can take no post any more: the place of a folder is taken.
fn in_the_way(house: &House) -> PathBuf {
    let raw = house.path("data/archive/_raw");
    std::fs::create_dir_all(&raw).expect("folder");
    std::fs::rename(&raw, house.path("raw")).expect("aside");
    house.write("data/archive/_raw", b"in the way");
    raw
}

fn out_of_the_way(house: &House, raw: &Path) {
    std::fs::remove_file(raw).expect("removed");
    std::fs::rename(house.path("raw"), raw).expect("back");
}

/// An operator who asks and reads at a pace of their own.
struct Talk(BufReader<UnixStream>);

impl Talk {
    fn ask(house: &House, command: &str) -> Self {
        let stream = UnixStream::connect(house.path("data/feedmill.sock")).expect("a daemon");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("patience");
        let mut talk = Self(BufReader::new(stream));
        assert!(talk.line().contains("hello"));
        writeln!(talk.0.get_mut(), "{command}").expect("asked");
        talk
    }

    /// The next line; an empty one is the end.
    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("an answer");
        line
    }
}

/// Where a file should be written, and writing it takes until this is opened.
struct Gate(PathBuf, PathBuf);

impl Gate {
    fn before(house: &House, file: &str) -> Self {
        let (folder, name) = file.rsplit_once('/').expect("a folder");
        let (gate, place) = (house.path("gate"), house.path(&format!("{folder}/.{name}.tmp")));
        std::fs::create_dir_all(house.path(folder)).expect("folder");
        assert!(Command::new("mkfifo").arg(&gate).status().expect("mkfifo").success());
        std::fs::hard_link(&gate, &place).expect("linked");
        Self(gate, place)
    }

    /// Whoever waits goes on, as long as what comes back is held; nobody after them waits.
    fn open(self) -> File {
        std::fs::remove_file(&self.1).expect("removed");
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        OpenOptions::new().read(true).custom_flags(flags).open(&self.0).expect("opened")
    }
}

#[test]
fn a_reload_by_signal_waits_for_its_turn_and_stops_nothing() {
    let house = House::new();
    house.config(&format!("{SERVER}feeds: []\ntopics: [{{ id: t }}]"));
    let gate = Gate::before(&house, "data/public/t/atom.xml");
    // The first publication waits at the gate.
    let daemon = Daemon::start(&house);
    // More than wait for the work in its queue.
    let mut all: Vec<Talk> = (0..22).map(|_| Talk::ask(&house, PUBLISH)).collect();
    assert!(Talk::ask(&house, STATUS).line().contains("now"));
    daemon.signal("HUP");
    assert!(Talk::ask(&house, STATUS).line().contains("now"));
    let _open = gate.open();
    for talk in &mut all {
        let answer = talk.line();
        assert!(answer.contains("published") || answer.contains("failed"), "{answer}");
    }
    daemon.line(|line| line.contains("the new config holds"));
    house.run(["publish"]).success();
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_poll_that_was_refused_does_not_bring_the_next_one_forward() {
    let house = House::new();
    house.serves("/a", entries(0..1));
    let a = "{ id: a, name: A, url: '{server}/a', schedule: '@every 30d' }";
    house.config(&format!("{SERVER}feeds: [{a}, {}]", tick(&house)));
    spare(&house, "3s");
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    // Within three seconds of one that was not.
    while !house.run(["poll", "a"]).success().stdout.contains("1 skipped") {}
    let asked = asked_for(&house, "/a");
    ticks(&daemon, 6);
    assert_eq!(asked_for(&house, "/a"), asked, "it is due in thirty days");
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_topic_that_cannot_be_written_keeps_no_other_from_being_published() {
    let (house, hub) = (House::new(), Listener::start());
    house.serves("/a", entries(0..2));
    house.config(&format!(
        "server: {{ listen: '127.0.0.1:0', hubs: ['http://{}/hub'] }}\nschedule: '@yearly'\n\
         feeds: [{{ id: a, name: A, url: '{{server}}/a' }}]\ntopics: [{{ id: s }}, {{ id: t, formats: [atom] }}]",
        hub.address
    ));
    // Where a file of the first topic should be is a folder.
    house.write("data/public/s/rss.xml/x", b"in the way");
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains("`data/public/s/rss.xml` cannot be put in place: "), "{}", run.stderr);
    assert_eq!(run.stderr.matches("cannot be").count(), 1, "{}", run.stderr);
    let feed = || house.read("data/public/t/atom.xml");
    assert!(feed().contains("<title>T1</title>") && house.path("data/public/opml.xml").exists());
    // The daemon tells its hubs of what could be written, and of the rest as soon as it can be.
    let daemon = Daemon::start(&house);
    house.serves("/a", entries(0..3));
    let run = house.run(["poll", "--force"]).code(1);
    assert!(run.stderr.contains("data/public/s/rss.xml"), "{}", run.stderr);
    assert!(feed().contains("<title>T2</title>"));
    hub.is_told_of("t/atom.xml");
    std::fs::remove_dir_all(house.path("data/public/s/rss.xml")).expect("removed");
    house.run(["publish"]).success();
    hub.is_told_of("s/rss.xml");
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn whoever_asks_while_nothing_can_be_kept_is_told_so() {
    let house = House::new();
    house.serves("/a", entries(0..2));
    house.config(&format!("{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]"));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    let raw = in_the_way(&house);
    house.serves("/a", entries(0..4));
    house.run(["poll"]).code(1);
    // It tries to go on from time to time.
    loop {
        let run = house.run(["explain", "https://example.org/1"]);
        assert!(!run.stderr.contains("keeps the archive"), "{}", run.stderr);
        if run.stderr.starts_with("error: the daemon cannot do anything at the moment: ") {
            assert!(run.stderr.contains("_raw"), "{}", run.stderr);
            break;
        }
    }
    let run = house.run(["status", "--json"]).success();
    assert!(run.stdout.contains("\"feed\":\"a\""), "{}", run.stdout);
    out_of_the_way(&house, &raw);
    daemon.line(|line| line.contains(" new=2 "));
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_takedown_that_cannot_be_published_is_tried_again_and_closes_nothing() {
    let (house, hub) = (House::new(), Listener::start());
    house.serves("/a", entries(0..3));
    house.config(&format!(
        "server: {{ listen: '127.0.0.1:0', hubs: ['http://{}/hub'] }}\nschedule: '@yearly'\n\
         feeds: [{{ id: a, name: A, url: '{{server}}/a' }}]\ntopics: [{{ id: s }}, {{ id: t, formats: [atom] }}]",
        hub.address
    ));
    house.run(["poll"]).success();
    let daemon = Daemon::start(&house);
    let feed = house.path("data/public/s/rss.xml");
    std::fs::remove_file(&feed).expect("removed");
    house.write("data/public/s/rss.xml/x", b"in the way");
    let run = house.run(["forget", "https://example.org/1", "--reason", "asked"]).code(1);
    assert!(run.stderr.contains("`data/public/s/rss.xml` cannot be "), "{}", run.stderr);
    assert!(!house.read("data/public/t/atom.xml").contains("<title>T1</title>"));
    hub.is_told_of("t/atom.xml");
    // Archive and index are as open as before.
    let run = house.run(["forget", "https://example.org/1", "--reason", "asked"]);
    assert!(!run.stderr.contains("the daemon"), "{}", run.stderr);
    assert!(daemon.get("/health", "").contains("rss.xml"));
    std::fs::remove_dir_all(&feed).expect("removed");
    house.run(["publish"]).success();
    assert!(house.read("data/public/s/rss.xml").contains("<title>T2</title>"));
    assert!(!house.read("data/public/s/rss.xml").contains("<title>T1</title>"));
    assert!(daemon.get("/health", "").starts_with("HTTP/1.1 200"));
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn dry_runs_beside_a_daemon_leave_no_trace_in_it() {
    let house = House::new();
    house.serves("/a", entries(0..2));
    house.config(
        "server: { listen: '127.0.0.1:0', metrics: '127.0.0.1:0' }\nschedule: '@yearly'\n\
         feeds: [{ id: a, name: A, url: '{server}/a' }]",
    );
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    house.serves("/a", entries(0..3));
    for _ in 0..2 {
        house.run(["poll", "--dry-run"]).summary("1 read (1 post would be new, 2 duplicates)").success();
    }
    let numbers = get(daemon.metrics.as_deref().expect("numbers"), "/metrics", "");
    for line in ["feedmill_polls_total{outcome=\"polled\"} 1\n", "feedmill_entries_total{outcome=\"new\"} 2\n"] {
        assert!(numbers.contains(line), "{line}\n{numbers}");
    }
    house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    let line = daemon.polled("a", "polled");
    assert!(line.contains(" new=1 revised=0 duplicate=2 "), "{line}");
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn whoever_still_waits_for_the_work_when_it_stops_is_told_so() {
    let house = House::new();
    house.config(&format!("{SERVER}feeds: []\ntopics: [{{ id: t }}]"));
    let gate = Gate::before(&house, "data/public/t/atom.xml");
    let daemon = Daemon::start(&house);
    let mut all: Vec<Talk> = (0..22).map(|_| Talk::ask(&house, PUBLISH)).collect();
    assert!(Talk::ask(&house, STATUS).line().contains("now"));
    daemon.signal("TERM");
    daemon.line(|line| line.contains("stopping: "));
    let _open = gate.open();
    let answers: Vec<String> = all.iter_mut().map(Talk::line).collect();
    let is_told = |answer: &&String| answer.contains("the daemon was told to stop");
    // The one that was under way may have its own answer.
    assert!(answers.iter().filter(is_told).count() >= 21, "{answers:#?}");
    assert!(answers.iter().all(|answer| answer.contains("failed")), "{answers:#?}");
    assert_eq!(daemon.wait(), 0);
}

#[test]
fn an_operator_who_does_not_read_keeps_no_daemon_from_stopping() {
    let house = House::new();
    // More than the system holds for somebody who does not take it.
    let name = "x".repeat(200);
    let feed = |n| format!("{{ id: f{n}, name: '{n}{name}', url: 'https://example.org/{n}', enabled: false }}");
    let feeds: Vec<String> = (0..3000).map(feed).collect();
    house.config(&format!("{SERVER}feeds: [{}]", feeds.join(", ")));
    let daemon = Daemon::start(&house);
    let mut talk = Talk::ask(&house, STATUS);
    assert!(talk.line().contains("status"));
    daemon.signal("TERM");
    let line = daemon.line(|line| line.contains("took too long") || line.contains("stopped"));
    assert!(line.contains("stopped"), "{line}");
    assert_eq!(daemon.wait(), 0);
}

#[test]
fn trouble_at_home_makes_nobody_ask_a_publisher_again_too_soon() {
    let house = House::new();
    house.serves("/a", entries(0..2));
    let tick = tick(&house);
    let feeds = |feeds: &str| {
        house.config(&format!("{SERVER}feeds: [{feeds}]"));
        spare(&house, "1h");
    };
    feeds(&tick);
    let daemon = Daemon::start(&house);
    ticks(&daemon, 1);
    let raw = in_the_way(&house);
    // A new feed is asked at once, and what it brings cannot be kept.
    feeds(&format!("{{ id: a, name: A, url: '{{server}}/a', schedule: '@every 1h' }}, {tick}"));
    house.run(["reload"]).success();
    daemon.line(|line| line.contains("nothing can be kept at the moment"));
    out_of_the_way(&house, &raw);
    while !daemon.get("/health", "").starts_with("HTTP/1.1 200") {
        std::thread::sleep(Duration::from_millis(100));
    }
    ticks(&daemon, 3);
    assert_eq!(asked_for(&house, "/a"), 1, "it is to be left alone for an hour");
    assert_eq!(daemon.terminate(), 0);
}

/// A clock that breaks in the hands of tasks of the test's own thread: those who ask feeds.
struct Breaks(std::thread::ThreadId);

impl Clock for Breaks {
    fn now(&self) -> Timestamp {
        assert!(tokio::task::try_id().is_none() || std::thread::current().id() != self.0, "a clock that broke");
        Timestamp::from_millis(1_790_000_000_000)
    }
}

#[test]
fn a_daemon_in_which_nobody_asks_any_more_does_not_end_as_if_it_was_told_to() {
    let world = World::one("");
    let Poller { config, fetch, index, archive, .. } = world.poller.clone();
    let poller = Poller { config, fetch, index, archive, clock: Arc::new(Breaks(std::thread::current().id())) };
    let site = Site::new(world.home.path().join("public"));
    let (_sender, stop) = Stop::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let done = runtime.block_on(daemon::work(&poller, &site, &stop));
    let sentence = done.expect_err("an error").to_string();
    assert!(sentence.starts_with("nobody asks feeds any more: "), "{sentence}");
}
