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
    pub address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    pub fn start(house: &House) -> Self {
        let mut child = house.command().arg("daemon").stderr(Stdio::piped()).spawn().expect("daemon");
        let output = BufReader::new(child.stderr.take().expect("stderr"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut daemon = Self { child, lines, address: String::new() };
        let first = daemon.line(|line| line.contains("serving "));
        let address = first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("address");
        daemon.address.push_str(address);
        daemon
    }

    /// Waits for a line; a daemon that never says it fails the test after a minute.
    pub fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut said = Vec::new();
        loop {
            let Ok(line) = self.lines.recv_timeout(Duration::from_secs(20)) else {
                panic!("the daemon never said it:\n{}", said.join("\n"))
            };
            if wanted(&line) {
                return line;
            }
            said.push(line);
        }
    }

    /// Waits for the line of a poll.
    pub fn polled(&self, feed: &str, outcome: &str) -> String {
        self.line(|line| line.contains(&format!("feed={feed} ")) && line.contains(&format!("outcome={outcome} ")))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn get(&self, path: &str, header: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
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
    let answer = daemon.get("/t/atom.xml", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/atom+xml"), "{answer}");
    assert!(answer.contains("<title>T0</title>"));
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
    feeds(&format!("{}", a.replace("name: A", "name: New")), "{ id: t }");
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
