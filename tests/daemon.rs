//! The daemon: polls at its times, serves what it publishes, answers on its socket, reads its config again, stops when told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::house::{DATE, House, item, rss};

/// A running daemon; killed when the test ends early.
pub struct Daemon {
    child: Child,
    lines: Receiver<String>,
    said: std::cell::RefCell<Vec<String>>,
    pub address: String,
    /// Where its numbers are.
    pub metrics: Option<String>,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    pub fn start(house: &House) -> Self {
        Self::start_with(house, |_| {})
    }

    /// Starts with something more in its environment.
    pub fn start_with(house: &House, change: impl FnOnce(&mut Command)) -> Self {
        let mut command = house.command();
        change(command.arg("daemon"));
        Self::spawn(&mut command)
    }

    /// Starts what becomes a daemon.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("daemon");
        let output = BufReader::new(child.stderr.take().expect("stderr"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let said = std::cell::RefCell::default();
        let mut daemon = Self { child, lines, said, address: String::new(), metrics: None };
        let in_line = |line: &str| line.split("http://").nth(1)?.split('/').next().map(str::to_owned);
        let first = daemon.line(|line| line.contains("http://"));
        if first.contains("/metrics") {
            daemon.metrics = in_line(&first);
            daemon.address = in_line(&daemon.line(|line| line.contains("serving "))).expect("address");
        } else {
            daemon.address = in_line(&first).expect("address");
        }
        daemon
    }

    /// Waits for a line that nobody waited for yet; a daemon that never says it fails the test after a while.
    #[track_caller]
    pub fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut said = self.said.borrow_mut();
        if let Some(place) = said.iter().position(|line| wanted(line)) {
            return said.remove(place);
        }
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(30)) else {
                panic!("the daemon never said it:\n{}", said.join("\n"))
            };
            if wanted(&line) {
                return line;
            }
            said.push(line);
        }
    }

    /// Whatever it said up to now is not waited for any more.
    pub fn hush(&self) {
        self.said.borrow_mut().clear();
        while self.lines.try_recv().is_ok() {}
    }

    /// Waits for the line of a poll.
    pub fn polled(&self, feed: &str, outcome: &str) -> String {
        self.line(|line| line.contains(&format!("feed={feed} ")) && line.contains(&format!("outcome={outcome} ")))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn get(&self, path: &str, header: &str) -> String {
        get(&self.address, path, header)
    }

    /// Asks until the answer holds a text.
    pub fn get_with(&self, path: &str, text: &str) -> String {
        for _ in 0..300 {
            let answer = self.get(path, "");
            if answer.contains(text) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{path} never shows {text}")
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill").success());
    }

    pub fn wait(mut self) -> i32 {
        self.child.wait().expect("ended").code().unwrap_or(-1)
    }

    pub fn terminate(self) -> i32 {
        self.signal("TERM");
        self.wait()
    }
}

pub fn get(address: &str, path: &str, header: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn entries(numbers: std::ops::Range<usize>) -> String {
    let entry = |n| item(&format!("T{n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, "<p>x</p>");
    rss(&numbers.map(entry).collect::<String>())
}

const SERVER: &str = "server: { listen: '127.0.0.1:0' }\n";

#[test]
fn polls_serves_and_stops() {
    let house = House::new();
    house.serves("/a.xml", entries(0..1));
    house.config(&format!(
        "{SERVER}schedule: '@every 1s'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a.xml' }}]\ntopics: [{{ id: t }}]"
    ));
    let daemon = Daemon::start(&house);
    let line = daemon.polled("a", "polled");
    assert!(line.contains(" new=1 revised=0 duplicate=0 rejected=0 "), "{line}");
    daemon.polled("a", "not_modified");
    // It is published beside the polls.
    let answer = daemon.get_with("/t/atom.xml", "<title>T0</title>");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/atom+xml"), "{answer}");
    let etag = answer.lines().find_map(|l| l.strip_prefix("etag: ")).expect("etag").to_owned();
    let again = daemon.get("/t/atom.xml", &format!("If-None-Match: {etag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert!(daemon.get("/../config.yaml", "").starts_with("HTTP/1.1 4"));
    assert_eq!(daemon.terminate(), 0);
    assert!(house.read("data/archive/_ledger/state.json").contains("etag"), "a clone asks conditionally");
    house.run(["poll"]).summary("1 not modified").success();
}

#[test]
fn a_poll_beside_a_daemon_is_done_by_it() {
    let house = House::new();
    house.serves("/a", entries(0..2)).serves("/b", "<html>down</html>");
    house.config(&format!(
        "{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}, {{ id: b, name: B, url: '{{server}}/b', enabled: false }}]\ntopics: [{{ id: t }}]"
    ));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    let mode = std::fs::metadata(house.path("data/feedmill.sock")).expect("socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    house.run(["poll"]).summary("1 not modified").success();
    house.serves("/a", entries(0..3));
    let before = house.snapshot();
    house.run(["poll", "--dry-run"]).summary("1 read (1 post would be new, 2 duplicates)").success();
    assert_eq!(house.snapshot(), before);
    let run = house.run(["poll", "--json"]).success();
    let lines: Vec<serde_json::Value> = run.stdout.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
    assert_eq!((&lines[0]["feed"], &lines[0]["new"], &lines[1]["summary"]["new"]), (&"a".into(), &1.into(), &1.into()));
    assert!(house.read("data/public/t/atom.xml").contains("<title>T2</title>"), "published before the answer");
    // One that the daemon never polls by itself, and one that there is not.
    let run = house.run(["poll", "a", "b", "--force"]).code(4);
    assert!(run.stderr.contains("feed `b`: "), "{}", run.stderr);
    let run = house.run(["poll", "c"]).code(2);
    assert!(run.stderr.contains("unknown feed `c`"), "{}", run.stderr);
    let run = house.run(["publish"]).success();
    assert!(run.stdout.contains("published: 0 files changed"), "{}", run.stdout);
    let run = house.run(["explain", "https://example.org/1"]).success();
    assert!(run.stdout.contains("canonical URL  https://example.org/1"), "{}", run.stdout);
    house.run(["forget", "https://example.org/1", "--reason", "asked"]).success();
    assert!(!house.read("data/public/t/atom.xml").contains("<title>T1</title>"));
    house.run(["poll", "--force"]).success();
    let run = house.run(["reindex"]).code(1);
    let held = format!("in use by another feedmill (pid {}); it is a daemon", daemon.pid());
    assert!(run.stderr.contains(&held), "{}", run.stderr);
    assert_eq!(daemon.terminate(), 0);
    assert!(!house.path("data/feedmill.sock").exists());
    house.run(["verify", "--deep"]).success();
}

#[test]
fn a_second_daemon_says_who_holds_the_data() {
    let house = House::new();
    house.serves("/a.xml", rss(""));
    house.config(&format!("{SERVER}feeds: [{{ id: a, name: A, url: '{{server}}/a.xml' }}]"));
    let daemon = Daemon::start(&house);
    let run = house.run(["daemon"]).code(1);
    assert!(run.stderr.contains(&format!("(pid {})", daemon.pid())), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    // The same socket for other data.
    let other =
        house.read("config.yaml").replace("server: {", "storage: { archive: o/a, index: o/i, public: o/p }\nserver: {");
    house.write("other.yaml", other.as_bytes());
    std::fs::rename(house.path("other.yaml"), house.path("config.yaml")).expect("renamed");
    let run = house.run(["daemon"]).code(1);
    assert!(run.stderr.contains(&format!("a daemon (pid {}) answers on", daemon.pid())), "{}", run.stderr);
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains("keeps the archive"), "{}", run.stderr);
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_socket_of_a_daemon_that_is_no_more_is_nobody() {
    let house = House::new();
    house.serves("/a", entries(0..1));
    house.config(&format!("{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]"));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    daemon.signal("KILL");
    daemon.wait();
    assert!(house.path("data/feedmill.sock").exists());
    house.run(["poll"]).success();
    let daemon = Daemon::start(&house);
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(daemon.terminate(), 0);
    let run = house.run(["reload"]).code(1);
    assert!(run.stderr.contains("no daemon answers on `data/feedmill.sock`"), "{}", run.stderr);
}

#[test]
fn a_new_config_holds_as_a_whole_or_not_at_all() {
    let house = House::new();
    house.serves("/a", entries(0..2)).serves("/b", entries(2..4));
    let feeds = |feeds: &str, topics: &str| {
        house.config(&format!("{SERVER}schedule: '@yearly'\nfeeds: [{feeds}]\ntopics: [{topics}]"));
    };
    let (a, b) = ("{ id: a, name: A, url: '{server}/a' }", "{ id: b, name: B, url: '{server}/b' }");
    feeds(a, "{ id: t }");
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    // By the command: a feed more, and a topic with another rule.
    feeds(&format!("{a}, {b}"), "{ id: t, any: [T3] }");
    let run = house.run(["reload"]).success();
    assert!(run.stdout.contains("2 feeds (1 new, 0 gone, 0 changed), 1 topics (1 new or changed)"), "{}", run.stdout);
    daemon.polled("b", "polled");
    house.run(["poll", "--force"]).summary("2 read (4 duplicates)").success();
    let feed = house.read("data/public/t/atom.xml");
    assert!(feed.contains("<title>T3</title>") && !feed.contains("<title>T0</title>"), "{feed}");
    // By the signal: one that has problems changes nothing.
    feeds(&format!("{a}, {{ id: b, name: B, url: 'nonsense' }}"), "{ id: t, nay: [T3] }");
    let run = house.run(["reload"]).code(3);
    assert!(run.stderr.contains("nay") && run.stderr.contains("feeds[1].url"), "{}", run.stderr);
    daemon.signal("HUP");
    daemon.line(|line| line.contains("feeds[1].url"));
    daemon.line(|line| line.contains("the old config stays in force"));
    // What cannot change is said.
    house.config(&format!("{}feeds: [{a}]", SERVER.replace("listen", "socket: s.sock, listen")));
    let run = house.run(["reload"]).code(1);
    assert!(run.stderr.contains("no daemon answers"), "{}", run.stderr);
    daemon.signal("HUP");
    daemon.line(|line| line.contains("`server.socket` changed: that takes a new start"));
    // A feed under another name and one taken out: what they brought stays, and nobody is asked again for it.
    let before = house.requests().len();
    feeds(&a.replace("name: A", "name: New"), "{ id: t }");
    daemon.signal("HUP");
    daemon.line(|line| line.contains("1 feeds (0 new, 1 gone, 1 changed)"));
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(house.requests().len(), before + 1);
    let feed = house.read("data/public/t/atom.xml");
    assert!((0..4).all(|n| feed.contains(&format!("<title>T{n}</title>"))), "{feed}");
    assert_eq!(daemon.terminate(), 0);
    assert_eq!(house.posts().len(), 4);
}

#[test]
fn a_stop_in_the_middle_of_a_slow_answer_is_quick_and_clean() {
    let house = House::new();
    // Accepts and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = silent.local_addr().expect("address");
    house.config(&format!("{SERVER}schedule: '@every 1s'\nfeeds: [{{ id: a, name: A, url: 'http://{address}/' }}]"));
    let config = house.read("config.yaml").replace("allow: [", &format!("allow: ['{address}', "));
    house.write("config.yaml", config.as_bytes());
    let daemon = Daemon::start(&house);
    let _connection = silent.accept().expect("the daemon asks");
    assert_eq!(daemon.terminate(), 0);
}

/// What a hub was told, or a heartbeat's receiver, as the first lines of the requests.
pub struct Listener {
    pub address: String,
    requests: Receiver<String>,
}

impl Listener {
    pub fn start() -> Self {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
        let address = socket.local_addr().expect("address").to_string();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for stream in socket.incoming().map_while(Result::ok) {
                let mut stream = stream;
                let mut bytes = vec![0; 64 << 10];
                let mut text = String::new();
                // A form comes behind its head, perhaps in a piece of its own.
                while let Ok(n @ 1..) = stream.read(&mut bytes) {
                    text.push_str(&String::from_utf8_lossy(&bytes[..n]));
                    let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                    let length = head.to_lowercase().split("content-length: ").nth(1).map_or(0, |rest| {
                        rest.lines().next().and_then(|length| length.trim().parse().ok()).unwrap_or(0)
                    });
                    if body.len() >= length {
                        break;
                    }
                }
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                let _ = sender.send(text);
            }
        });
        Self { address, requests }
    }

    /// Waits until a hub is told of a published file, whatever it is told of before.
    #[track_caller]
    pub fn is_told_of(&self, file: &str) {
        let name = format!("hub.url=https%3A%2F%2Fnews.example.org%2F{}&", file.replace('/', "%2F"));
        while !self.next().contains(&name) {}
    }

    #[track_caller]
    fn next(&self) -> String {
        self.requests.recv_timeout(Duration::from_secs(30)).expect("somebody asks")
    }
}

#[test]
fn hubs_are_told_of_changes_and_a_heart_beats() {
    let (house, hub, heart) = (House::new(), Listener::start(), Listener::start());
    house.serves("/a", entries(0..2));
    house.config(&format!(
        "server: {{ listen: '127.0.0.1:0', hubs: ['http://{}/hub'], heartbeat_url: 'http://{}/geheim' }}\n\
         schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]\ntopics: [{{ id: t }}]",
        hub.address, heart.address
    ));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    assert!(heart.next().starts_with("GET /geheim HTTP/1.1"));
    // The empty feeds of the first moment may be told of, too; what counts is that the news are.
    let told = || {
        let mut left = vec!["atom.xml", "rss.xml", "feed.json"];
        while !left.is_empty() {
            let request = hub.next();
            assert!(request.starts_with("POST /hub HTTP/1.1") && request.contains("hub.mode=publish"), "{request}");
            let of = |name: &str| request.contains(&format!("hub.url=https%3A%2F%2Fnews.example.org%2Ft%2F{name}"));
            left.retain(|name| !of(name));
        }
    };
    told();
    assert!(house.read("data/public/t/atom.xml").contains("rel=\"hub\""));
    while hub.requests.try_recv().is_ok() {}
    house.serves("/a", entries(0..3));
    house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    told();
    // Most of all of a takedown, since it has to reach whoever has the entry.
    house.run(["forget", "https://example.org/1", "--reason", "asked"]).success();
    told();
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn pages_tell_how_things_stand() {
    let house = House::new();
    house.serves("/a", entries(0..2)).serves("/b", "<html>down</html>");
    house.config(
        "server: { listen: '127.0.0.1:0', metrics: '127.0.0.1:0' }\nschedule: '@yearly'\n\
         feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{server}/b' }]\ntopics: [{ id: t }]",
    );
    let daemon = Daemon::start(&house);
    let measured = daemon.metrics.clone().expect("numbers");
    daemon.polled("a", "polled");
    daemon.polled("b", "failed");
    // The states of feeds are stored a second after the first of them.
    let run = loop {
        let run = house.run(["status", "--json"]).success();
        if run.stdout.contains("\"state\":\"failing\"") {
            break run;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let lines: Vec<serde_json::Value> = run.stdout.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
    let of = |feed: &str| lines.iter().find(|line| line["feed"] == feed).expect("feed");
    assert_eq!((&of("a")["state"], &of("b")["state"]), (&"ok".into(), &"failing".into()));
    assert!(of("a")["next"].is_string() && of("b")["why"] == "failures", "{}", run.stdout);
    assert_eq!(of("a")["alarms"][0]["kind"], "silent", "its entries are years old");
    let run = house.run(["status"]).success();
    assert!(run.stdout.contains("feed `b`: "), "{}", run.stdout);
    let page = daemon.get("/status", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("text/html"), "{page}");
    assert!(page.contains("feed `b`: ") && page.contains("content-security-policy"), "{page}");
    let health = daemon.get("/health", "");
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"status\":\"ready\""), "{health}");
    let alarms = daemon.get("/alarms.atom", "");
    assert!(alarms.contains("application/atom+xml") && alarms.contains("<entry"), "{alarms}");
    let etag = alarms.lines().find_map(|l| l.strip_prefix("etag: ")).expect("etag").to_owned();
    assert!(daemon.get("/alarms.atom", &format!("If-None-Match: {etag}\r\n")).starts_with("HTTP/1.1 304"));
    let numbers = get(&measured, "/metrics", "");
    for line in [
        "feedmill_polls_total{outcome=\"polled\"} 1",
        "feedmill_polls_total{outcome=\"failed\"} 1",
        "feedmill_entries_total{outcome=\"new\"} 2",
    ] {
        assert!(numbers.contains(line), "{line}\n{numbers}");
    }
    // What the daemon makes lies in no file.
    assert!(!house.path("data/public/status").exists() && !house.path("data/public/health").exists());
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_public_folder_that_cannot_be_written_keeps_nothing_from_being_archived() {
    let house = House::new();
    house.serves("/a", entries(0..2));
    house.config(&format!(
        "{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]\ntopics: [{{ id: t }}]"
    ));
    house.write("data/public", b"a file where a folder should be");
    let daemon = Daemon::start(&house);
    daemon.line(|line| line.contains("error: `data/public"));
    let health = daemon.get("/health", "");
    assert!(health.starts_with("HTTP/1.1 503") && health.contains("degraded"), "{health}");
    house.serves("/a", entries(0..4));
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains("data/public"), "{}", run.stderr);
    assert_eq!(house.posts().len(), 4);
    std::fs::remove_file(house.path("data/public")).expect("removed");
    house.run(["publish"]).success();
    assert!(daemon.get("/health", "").starts_with("HTTP/1.1 200"));
    assert!(house.read("data/public/t/atom.xml").contains("<title>T3</title>"));
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn trouble_with_the_archive_passes_and_the_daemon_goes_on() {
    let house = House::new();
    house.serves("/a", entries(0..2));
    house.config(&format!(
        "{SERVER}schedule: '@every 1s'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]\ntopics: [{{ id: t }}]"
    ));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    // Publishing follows a poll, and would not happen while nothing can be kept.
    daemon.get_with("/t/atom.xml", "<title>T1</title>");
    // No new month can be begun: its folder's place is taken.
    let raw = house.path("data/archive/_raw");
    std::fs::rename(&raw, house.path("raw")).expect("aside");
    house.write("data/archive/_raw", b"in the way");
    house.serves("/a", entries(0..4));
    daemon.line(|line| line.contains("nothing can be kept at the moment; next try in 5 s"));
    let health = daemon.get_with("/health", "_raw");
    assert!(health.starts_with("HTTP/1.1 503"), "{health}");
    let run = house.run(["poll"]).code(1);
    assert_ne!(run.stderr, "");
    assert!(daemon.get("/t/atom.xml", "").starts_with("HTTP/1.1 200"), "what is published is served on");
    std::fs::remove_file(&raw).expect("removed");
    std::fs::rename(house.path("raw"), &raw).expect("back");
    // It is polled again by itself: nothing of the failed poll was marked as seen.
    daemon.line(|line| line.contains(" new=2 "));
    assert!(daemon.get_with("/health", "\"status\":\"ready\"").starts_with("HTTP/1.1 200"));
    assert_eq!(daemon.terminate(), 0);
    house.run(["verify", "--deep"]).success();
}

#[test]
fn systemd_is_told_when_the_daemon_is_ready_reloads_and_stops() {
    let house = House::new();
    house.serves("/a", entries(0..1));
    house.config(&format!("{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: '{{server}}/a' }}]"));
    let path = house.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("socket");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("patience");
    let heard = |wanted: &str| loop {
        let mut bytes = [0; 4096];
        let n = socket.recv(&mut bytes).unwrap_or_else(|e| panic!("{wanted}: {e}"));
        if String::from_utf8_lossy(&bytes[..n]).contains(wanted) {
            return;
        }
    };
    let daemon = Daemon::start_with(&house, |command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "2000000");
    });
    heard("READY=1");
    heard("WATCHDOG=1");
    heard("STATUS=1 feeds, 0 failing");
    heard("WATCHDOG=1");
    daemon.signal("HUP");
    heard("RELOADING=1");
    heard("READY=1");
    assert_eq!(
        {
            daemon.signal("TERM");
            heard("STOPPING=1");
            daemon.wait()
        },
        0
    );
}

#[test]
fn fifty_stops_at_random_moments_lose_nothing() {
    let house = House::new();
    house.config(&format!(
        "{SERVER}schedule: '@every 1s'\nfeeds: [{}]\ntopics: [{{ id: t }}]",
        (0..4).map(|n| format!("{{ id: f{n}, name: F{n}, url: '{{server}}/{n}' }}")).collect::<Vec<_>>().join(", ")
    ));
    let shown = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(10));
    for feed in 0..4 {
        let shown = shown.clone();
        house.serves_fresh(&format!("/{feed}"), move || {
            // Each look shows more: ten entries, two of them new.
            let last = shown.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
            let entry = |n: usize| {
                let link = format!("https://example.org/{feed}/{n}");
                item(&format!("F{feed} E{n}"), &link, &link, DATE, "<p>x</p>")
            };
            crate::house::Page::of(rss(&(last - 10..last).map(entry).collect::<String>()))
        });
    }
    let mut dice = crate::newsroom::Dice(0x5740);
    for _ in 0..50 {
        let daemon = Daemon::start(&house);
        std::thread::sleep(Duration::from_millis(dice.moment(400)));
        let began = std::time::Instant::now();
        assert_eq!(daemon.terminate(), 0);
        assert!(began.elapsed() < Duration::from_secs(10), "systemd would have killed it");
    }
    house.run(["verify", "--deep"]).success();
    let kept = house.posts();
    let titles: std::collections::BTreeSet<&str> =
        kept.values().filter_map(|post| post.lines().find(|line| line.starts_with("title: "))).collect();
    assert_eq!(titles.len(), kept.len(), "nothing twice");
    // Whatever an answered document held that the daemon says it kept is in the archive; what the ledger says is there.
    let added = house.ledger().iter().filter(|line| line["op"] == "add").count();
    assert_eq!(added, kept.len());
    assert!(kept.len() > 50, "{}", kept.len());
    let before = kept.len();
    let run = house.run(["poll", "--force"]).success();
    assert!(run.stdout.contains("4 read"), "{}", run.stdout);
    assert!(house.posts().len() >= before);
    let feed = house.read("data/public/t/atom.xml");
    assert!(feed.contains("<title>F0 E"), "published");
}

#[test]
fn whoever_waits_for_a_daemon_that_stops_is_told_so() {
    let house = House::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = silent.local_addr().expect("address");
    house.config(&format!(
        "{SERVER}schedule: '@yearly'\nfeeds: [{{ id: a, name: A, url: 'http://{address}/', enabled: false }}]"
    ));
    let config = house.read("config.yaml").replace("allow: [", &format!("allow: ['{address}', "));
    house.write("config.yaml", config.as_bytes());
    let daemon = Daemon::start(&house);
    let waiting = house.command().args(["poll", "a"]).stderr(Stdio::piped()).spawn().expect("poll");
    let _connection = silent.accept().expect("the daemon asks");
    assert_eq!(daemon.terminate(), 0);
    let output = waiting.wait_with_output().expect("ended");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "error: the daemon was told to stop\n");
}
