//! The server of a real daemon: forms, validators, limits, and clients that mean no good.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::house::{DATE, House, item, rss};

/// Longer than any good answer takes on any machine.
const PATIENCE: Duration = Duration::from_mins(2);

const SECURITY: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none';"),
];

/// A daemon that published one topic; killed at the end.
struct Server {
    house: House,
    daemon: Daemon,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The headers, without the time.
    fn lasting(&self) -> Vec<&(String, String)> {
        self.headers.iter().filter(|(name, _)| name != "date").collect()
    }

    /// The bytes inside the coding.
    fn inside(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        match self.header("content-encoding") {
            None => plain.clone_from(&self.body),
            Some("gzip") => {
                flate2::read::GzDecoder::new(&self.body[..]).read_to_end(&mut plain).expect("gzip");
            }
            Some("br") => {
                brotli::Decompressor::new(&self.body[..], 4096).read_to_end(&mut plain).expect("brotli");
            }
            Some(other) => panic!("nobody asked for {other}"),
        }
        plain
    }
}

impl Server {
    fn start() -> Self {
        let house = House::new();
        let items: String = (0..200)
            .map(|n| {
                let text = format!("<p>Paragraph {n}, which says what the {n} before it said.</p>").repeat(3);
                item(&format!("Entry {n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, &text)
            })
            .collect();
        house.serves("/a.xml", rss(&items));
        house.config(
            "server: { listen: '127.0.0.1:0' }\nfeeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]",
        );
        house.run(["poll"]).success();
        let daemon = Daemon::start(&house);
        Self { house, daemon }
    }

    fn connect(&self) -> TcpStream {
        connect(&self.daemon.address)
    }

    fn send(&self, method: &str, path: &str, headers: &str) -> Answer {
        send(&self.daemon.address, method, path, headers)
    }

    /// Asks until the answer comes in that form.
    fn in_form(&self, path: &str, form: &str) -> Answer {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let answer = self.send("GET", path, &format!("Accept-Encoding: {form}\r\n"));
            assert_eq!(answer.status, 200);
            if answer.header("content-encoding") == Some(form) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{path} never comes as {form}");
    }
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

fn send(address: &str, method: &str, path: &str, headers: &str) -> Answer {
    let mut stream = connect(address);
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").expect("asked");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("answered");
    read(&bytes)
}

fn read(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("plain text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
    let headers = lines.map(|line| line.split_once(": ").expect("a header"));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: bytes[end + 4..].to_vec() }
}

#[test]
fn every_form_holds_the_published_bytes_and_is_validated() {
    let server = Server::start();
    for name in ["t/atom.xml", "t/rss.xml", "t/feed.json", "t/index.html", "index.html"] {
        let path = format!("/{name}");
        let published = std::fs::read(server.house.path("data/public").join(name)).expect("a file");
        let plain = server.send("GET", &path, "");
        assert!(plain.body == published && plain.header("content-encoding").is_none(), "{name}");
        let mut tags = vec![plain.header("etag").expect("a tag").to_owned()];
        for form in ["gzip", "br"] {
            let answer = server.in_form(&path, form);
            assert!(answer.inside() == published, "{name} as {form}");
            assert!(answer.body.len() < published.len() && answer.header("vary").expect("vary").contains("Encoding"));
            let head = server.send("HEAD", &path, &format!("Accept-Encoding: {form}\r\n"));
            assert_eq!((head.status, head.body.len(), head.lasting()), (200, 0, answer.lasting()));
            tags.push(answer.header("etag").expect("a tag").to_owned());
        }
        assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[2] != tags[0], "{tags:?}");
        for tag in &tags {
            let asked = format!("Accept-Encoding: gzip, br\r\nIf-None-Match: {tag}\r\n");
            let answer = server.send("GET", &path, &asked);
            assert_eq!((answer.status, answer.body.len(), answer.header("etag")), (304, 0, Some(tag.as_str())));
        }
    }
}

#[test]
fn a_replaced_file_is_served_anew_in_every_form() {
    let server = Server::start();
    let public = server.house.path("data/public");
    for n in 0..5 {
        let text = format!("<p>{n}</p>").repeat(1000);
        server.house.write("data/public/.new", text.as_bytes());
        std::fs::rename(public.join(".new"), public.join("own.html")).expect("renamed");
        assert!(server.send("GET", "/own.html", "").body == text.as_bytes());
        for form in ["gzip", "br"] {
            assert!(server.in_form("/own.html", form).inside() == text.as_bytes(), "{n} as {form}");
        }
    }
}

#[test]
fn every_answer_is_secure_and_none_repeats_the_question() {
    let server = Server::start();
    let etag = server.send("GET", "/t/atom.xml", "").header("etag").expect("a tag").to_owned();
    let large = format!("X: {}\r\n", "evil".repeat(10_000));
    for (method, path, headers, status) in [
        ("GET", "/t/atom.xml", String::new(), 200),
        ("HEAD", "/t/atom.xml", String::new(), 200),
        ("GET", "/t/atom.xml", format!("If-None-Match: {etag}\r\n"), 304),
        ("GET", "/t", String::new(), 301),
        ("GET", "/evil", String::new(), 404),
        ("GET", "/../../evil", String::new(), 404),
        ("DELETE", "/evil", String::new(), 405),
        ("GET", "/<evil>", String::new(), 400),
        ("GET", "/evil", "Host: evil\r\n".to_owned(), 400),
        ("GET", "/evil", "Content-Length: 5\r\n".to_owned(), 413),
        ("GET", "/evil", large, 431),
    ] {
        let answer = server.send(method, path, &headers);
        assert_eq!(answer.status, status, "{method} {path}");
        for (name, value) in SECURITY {
            assert!(answer.header(name).is_some_and(|found| found.starts_with(value)), "{status} lacks {name}");
        }
        let whole = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
        assert!(!whole.contains("evil"), "{status}: {whole}");
    }
}

#[test]
fn a_large_request_body_is_not_read() {
    let server = Server::start();
    let mut stream = server.connect();
    write!(stream, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n").expect("asked");
    let mut bytes = Vec::new();
    // The connection is closed behind the answer, with 1,000,000,000 bytes missing.
    stream.read_to_end(&mut bytes).expect("answered");
    assert_eq!(read(&bytes).status, 405);
}

/// 500 connections that say nothing and 500 that send their heads byte by byte, each opened again when it is closed.
/// Meanwhile readers come and go, one after the other, and every one of them is answered.
#[test]
fn slow_clients_do_not_keep_readers_out() {
    let server = Server::start();
    let over = Arc::new(AtomicBool::new(false));
    let opened = Arc::new(AtomicUsize::new(0));
    let attacks: Vec<_> = [false, true]
        .map(|drips| {
            let (address, over, opened) = (server.daemon.address.clone(), over.clone(), opened.clone());
            std::thread::spawn(move || attack(&address, drips, &over, &opened))
        })
        .into();
    let end = Instant::now() + PATIENCE;
    while opened.load(Ordering::Relaxed) < 1000 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(opened.load(Ordering::Relaxed) >= 1000);
    let (mut times, mut failed) = (Vec::new(), Vec::new());
    for n in 0..300 {
        let began = Instant::now();
        let headers = if n % 2 == 0 { "" } else { "Accept-Encoding: gzip\r\n" };
        let answer = send(&server.daemon.address, "GET", "/t/atom.xml", headers);
        times.push(began.elapsed());
        if answer.status != 200 {
            failed.push(answer.status);
        }
        // So that the attacks have time to do their worst.
        std::thread::sleep(Duration::from_millis(5));
    }
    over.store(true, Ordering::Relaxed);
    for attack in attacks {
        attack.join().expect("an attack that ends");
    }
    times.sort_unstable();
    println!(
        "300 good requests beside {} bad connections: p50 {:?}, p99 {:?}, longest {:?}",
        opened.load(Ordering::Relaxed),
        times[150],
        times[297],
        times[299]
    );
    assert_eq!(failed, Vec::<u16>::new());
}

fn attack(address: &str, drips: bool, over: &AtomicBool, opened: &AtomicUsize) {
    let fresh = || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_nonblocking(true).ok()?;
        if drips {
            stream.write_all(b"GET / HTTP/1.1\r\nX: ").ok()?;
        }
        opened.fetch_add(1, Ordering::Relaxed);
        Some(stream)
    };
    let mut held: Vec<Option<TcpStream>> = (0..500).map(|_| fresh()).collect();
    while !over.load(Ordering::Relaxed) {
        for place in &mut held {
            let is_open = place.as_mut().is_some_and(|stream| {
                let waits = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
                let said = !drips || stream.write_all(b"x").is_ok();
                said && stream.read(&mut [0; 64]).is_err_and(waits)
            });
            if !is_open {
                *place = fresh();
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
