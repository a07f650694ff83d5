//! The daemon: polls at its times, serves what it publishes, stops when told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::house::{DATE, House, item, rss};

/// A running daemon; killed when the test ends early.
struct Daemon {
    child: Child,
    lines: Receiver<String>,
    address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start(house: &House) -> Self {
        let mut child = house.command().arg("daemon").stdout(Stdio::piped()).spawn().expect("daemon");
        let output = BufReader::new(child.stdout.take().expect("stdout"));
        let (sender, lines) = channel();
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut daemon = Self { child, lines, address: String::new() };
        let first = daemon.line(|line| line.starts_with("serving "));
        let address = first.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect("address");
        daemon.address.push_str(address);
        daemon
    }

    /// Waits for a line; a daemon that never says it fails the test after a minute.
    fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(1)).expect("the daemon says it");
            if wanted(&line) {
                return line;
            }
        }
    }

    fn get(&self, path: &str, header: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\r\n").expect("asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    }

    fn terminate(mut self) -> i32 {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().expect("kill");
        self.child.wait().expect("ended").code().unwrap_or(-1)
    }
}

#[test]
fn polls_serves_and_stops() {
    let house = House::new();
    house.serves("/a.xml", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>x</p>")));
    house.config(
        "server: { listen: '127.0.0.1:0' }\nschedule: '@every 1s'\nfeeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]",
    );
    let daemon = Daemon::start(&house);
    daemon.line(|line| line.starts_with("feed=a outcome=polled new=1 revised=0 duplicate=0 "));
    daemon.line(|line| line.starts_with("feed=a outcome=not_modified "));
    let answer = daemon.get("/t/atom.xml", "");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/atom+xml"), "{answer}");
    assert!(answer.contains("<title>One</title>"));
    let etag = answer.lines().find_map(|l| l.strip_prefix("etag: ")).expect("etag").to_owned();
    let again = daemon.get("/t/atom.xml", &format!("If-None-Match: {etag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304"), "{again}");
    assert!(daemon.get("/../config.yaml", "").starts_with("HTTP/1.1 4"));
    assert_eq!(daemon.terminate(), 0);
    house.run(["poll"]).summary("1 not modified").success();
}

#[test]
fn a_second_process_on_the_same_data_is_told_who_holds_it() {
    let house = House::new();
    house.serves("/a.xml", rss(""));
    house.config("server: { listen: '127.0.0.1:0' }\nfeeds: [{ id: a, name: A, url: '{server}/a.xml' }]");
    let daemon = Daemon::start(&house);
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains(&format!("in use by another feedmill (pid {})", daemon.child.id())), "{}", run.stderr);
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn a_stop_in_the_middle_of_a_slow_answer_is_quick_and_clean() {
    let house = House::new();
    // Accepts and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("port");
    let address = silent.local_addr().expect("address");
    house.config(&format!(
        "server: {{ listen: '127.0.0.1:0' }}\nschedule: '@every 1s'\nfeeds: [{{ id: a, name: A, url: 'http://{address}/' }}]"
    ));
    let config = house.read("config.yaml").replace("allow: [", &format!("allow: ['{address}', "));
    house.write("config.yaml", config.as_bytes());
    let daemon = Daemon::start(&house);
    let _connection = silent.accept().expect("the daemon asks");
    assert_eq!(daemon.terminate(), 0);
}
