//! What a user does wrong, what servers do, and what happens to disks. Each scene gives all that the program said.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::daemon::Daemon;
use crate::house::{DATE, House, Page, Run, files, item, rss};

const SITE: &str = "site: { url: 'https://news.example.org/' }\n";

fn all(run: &Run) -> String {
    format!("{}{}", run.stdout, run.stderr)
}

fn entry(n: usize, words: &str) -> String {
    item(
        &format!("Title {words} {n}"),
        &format!("https://example.org/{words}/{n}"),
        &format!("g{n}"),
        DATE,
        &format!("<p>{words}</p>"),
    )
}

fn status(code: u16, headers: &[(&str, &str)]) -> Page {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Page { status: code, headers, body: b"x".to_vec() }
}

/// A config of feeds at the house's server, one by path.
fn feeds(house: &House, paths: &[&str]) -> String {
    paths.iter().fold("feeds:\n".to_owned(), |text, path| {
        format!("{text}  - {{ id: {path}, name: {path}, url: 'http://{}/{path}' }}\n", house.server())
    })
}

pub fn config() -> String {
    let house = House::new();
    let mut said = all(&house.run(["check"]).code(3));
    let mut tell = |text: &str, code: i32| {
        house.write("config.yaml", text.as_bytes());
        said.push_str(&all(&house.run(["check"]).code(code)));
    };
    tell(
        "site: { url: 'https://news.example.org/', titel: x }\nserver: { qqqqqqqqqq: 1 }\nfetch: { ca_file: ~/ca.pem }\n\
         feeds:\n  - { id: a, name: A, url: 'https://a.example.org/', username: me, password: typed }\n  \
         - { id: b, name: B, url: 'https://a.example.org/', schedule: '0 9 *' }\n  - { id: c, name: C }\n  \
         - { id: d, name: D, url: 'https://d.example.org/', headers: { X-K: '${NOT_SET_ANYWHERE}' }, schedule: '0 0 9 * * 1' }\n\
         topics: [{ id: t, feeds: [aa] }]\n",
        3,
    );
    tell(&format!("{SITE}feeds: x\n"), 3);
    tell(&format!("{SITE}storage: {{ public: data }}\n"), 3);
    tell("site:\n  url: https://news.example.org/\n  title: News: mine\n", 3);
    tell(&format!("{SITE}schedule: @hourly\n"), 3);
    tell(&format!("{SITE}fetch:\n\ttimeout: 1s\n"), 3);
    tell(
        &format!(
            "{SITE}fetch: {{ proxy: 'http://127.0.0.1:3128' }}\nfeeds: [{{ id: a, name: A, url: 'https://a.example.org/' }}]\n"
        ),
        0,
    );
    said
}

pub fn commands() -> String {
    let house = House::new();
    let two = "feeds:\n  - { id: a, name: A, url: '{server}/a' }\n  - { id: p, name: P, url: '{server}/page-of-p' }\ntopics: [{ id: t }]";
    house.config(&format!("server: {{ listen: '127.0.0.1:0' }}\n{two}"));
    house.serves("/a", rss(&entry(1, "x"))).serves("/page", "<html><body>words</body></html>");
    house
        .write("old/_posts/a.textile", b"---\ntitle: x\n---\n")
        .write("old/_posts/b.md", b"words")
        .write("feed.xml", rss("").as_bytes());
    let (page, known) = (format!("http://{}/page", house.server()), format!("http://{}/a", house.server()));
    let mut said = String::new();
    for (args, code) in [
        (&["poll", "nowhere"][..], 2),
        (&["reload"], 1),
        (&["add", &page], 1),
        (&["add", &known], 1),
        (&["import", "feed.xml"], 1),
        (&["import", "old"], 4),
        (&["forget", "https://example.org/nowhere", "--reason", "x"], 2),
        (&["explain", "nowhere"], 2),
    ] {
        said.push_str(&all(&Run::of(&house.command().args(args).output().expect("runs")).code(code)));
    }
    let gone = settled();
    gone.run(["forget", "https://example.org/x/1", "--reason", "asked to"]).success();
    gone.write("old/_posts/1.md", b"---\ntitle: x\nfrom: https://example.org/x/1\n---\nx\n");
    said.push_str(&all(&gone.run(["import", "old"]).code(4)));
    let anchored = House::new();
    anchored.config("feeds: &all\n  [{ id: a, name: A, url: '{server}/a' }]").serves("/b", rss(&entry(1, "x")));
    let refused = anchored.run(["add", &format!("http://{}/b", anchored.server())]).code(1);
    assert!(refused.stdout.contains("  - id: \"127-0-0-1\"\n    name: Feed\n    url: "), "{}", refused.stdout);
    said.push_str(&all(&refused));
    said + &beside_a_daemon(&house)
}

/// What commands say while a daemon has the data, and beside sockets that are somebody else's.
fn beside_a_daemon(house: &House) -> String {
    let daemon = Daemon::start(house);
    let mut said = all(&house.run(["verify"]).code(1)) + &all(&house.run(["daemon"]).code(1));
    let text = house.read("config.yaml");
    let others = [
        ("elsewhere.yaml", text.replace("server: { ", "server: { socket: data/other.sock, ")),
        ("another.yaml", format!("{text}\nstorage: {{ archive: data/another, index: data/another-index }}\n")),
        (
            "beside.yaml",
            text.replace("server: { ", "server: { socket: data/beside.sock, ") + "\nstorage: { index: data/beside }\n",
        ),
        ("silent.yaml", text.replace("server: { ", "server: { socket: data/silent.sock, ")),
    ];
    let silent = UnixListener::bind(house.path("data/silent.sock")).expect("socket");
    std::thread::spawn(move || silent.incoming().for_each(drop));
    for (name, text) in others {
        house.write(name, text.as_bytes());
        let mut feedmill = Command::new(env!("CARGO_BIN_EXE_feedmill"));
        let done = feedmill.current_dir(house.path(".")).args(["--config", name, "poll"]).output();
        said.push_str(&all(&Run::of(&done.expect("runs")).code(1)));
    }
    assert_eq!(daemon.terminate(), 0);
    said
}

/// A server that does one thing with each connection.
fn server(each: impl Fn(TcpStream) + Send + Copy + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let address = listener.local_addr().expect("address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                each(stream);
            });
        }
    });
    address
}

/// Keeps a connection until the other side leaves.
fn hold(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 64]);
}

pub fn unreached() -> String {
    let house = House::new();
    let here = house.server().to_owned();
    let hangs = server(hold);
    let stops = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<rss>");
        hold(stream);
    });
    let breaks = server(drop);
    let plain = server(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    house.serves_page("/inside", status(302, &[("Location", "http://10.0.0.1/")]));
    house.serves_page("/circle", status(302, &[("Location", "/circle")]));
    let feeds = [
        ("refused", "http://127.0.0.1:1/".to_owned(), ""),
        ("proxied", format!("http://{here}/x"), ", proxy: 'http://127.0.0.1:1'"),
        ("tls", format!("https://{plain}/"), ""),
        ("hangs", format!("http://{hangs}/"), ""),
        ("stops", format!("http://{stops}/"), ""),
        ("breaks", format!("http://{breaks}/"), ""),
        ("greets", format!("https://{here}/"), ""),
        ("private", "http://127.0.0.1:2/".to_owned(), ""),
        ("inside", format!("http://{here}/inside"), ""),
        ("circle", format!("http://{here}/circle"), ""),
        ("file", "file:nowhere.xml".to_owned(), ""),
    ];
    let fetch = format!(
        "fetch: {{ allow: ['{here}', '127.0.0.1:1', '{hangs}', '{stops}', '{breaks}', '{plain}'], per_host: 9, host_delay: 0s, first_byte: 1s, \
         timeout: 2s }}\nfeeds:\n"
    );
    let text = feeds.iter().fold(format!("{SITE}{fetch}"), |text, (id, url, more)| {
        format!("{text}  - {{ id: {id}, name: {id}, url: '{url}'{more} }}\n")
    });
    house.write("config.yaml", text.as_bytes());
    let said = all(&house.run(["poll"]).code(4).summary("11 failed"));
    house.write("config.yaml", format!("{SITE}fetch: {{ ca_file: nowhere.pem }}\n").as_bytes());
    said + &all(&house.run(["check"]).code(0))
}

pub fn useless() -> String {
    let house = House::new();
    let paths = [
        "s401", "s403", "s404", "s410", "s429", "s500", "none", "blank", "large", "linked", "page", "words", "cut",
        "torn",
    ];
    let config = format!(
        "{SITE}fetch: {{ allow: ['{}'], host_delay: 0s, min_interval: 0s, max_body: 10KiB }}\n{}",
        house.server(),
        feeds(&house, &paths)
    );
    house.write("config.yaml", config.as_bytes());
    for code in [401, 403, 404, 410, 429, 500] {
        house.serves_page(&format!("/s{code}"), status(code, &[]));
    }
    house.serves_page("/none", Page { body: Vec::new(), ..status(200, &[]) }).serves("/blank", " \n");
    house.serves("/large", rss(&entry(1, &"x".repeat(20_000))));
    house.serves("/linked", "<!doctype html><html><head><link rel=\"alternate\" type=\"application/rss+xml\" href=\"/f\"></head><body>x</body></html>");
    house.serves("/page", "<!doctype html><html><body>x</body></html>").serves("/words", "just words");
    house.serves("/cut", "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel>");
    house.serves(
        "/torn",
        "{\"version\": \"https://jsonfeed.org/version/1.1\", \"title\": \"x\", \"items\": [{\"id\": \"1\", \"ti",
    );
    let said = all(&house.run(["poll"]).code(4).summary("14 failed"));
    // It keeps the other feeds of its host waiting, so it has a house of its own.
    let busy = House::new();
    let elsewhere = busy.server().replace("127.0.0.1", "localhost");
    let config = format!(
        "{SITE}fetch: {{ allow: ['{}', '{elsewhere}'], host_delay: 0s, min_interval: 0s }}\n{}  \
         - {{ id: hop, name: hop, url: 'http://{elsewhere}/hop' }}\n",
        busy.server(),
        feeds(&busy, &["busy"]),
    );
    let there = format!("http://{}/there", busy.server());
    busy.write("config.yaml", config.as_bytes()).serves_page("/busy", status(503, &[("Retry-After", "100")]));
    busy.serves_page("/hop", status(302, &[("Location", &there)]));
    said + &all(&busy.run(["poll", "busy"]).code(4)) + &all(&busy.run(["poll", "hop"]).code(4))
}

pub fn odd() -> (String, String) {
    let house = House::new();
    let own = |path: &str| format!("http://{}/{path}", house.server());
    let elsewhere = house.server().replace("127.0.0.1", "localhost");
    let ids = ["cut", "empty", "anew", "moved", "stranger", "gap", "gone"];
    let text = format!(
        "{SITE}fetch: {{ allow: ['{}', '{elsewhere}'], host_delay: 0s, min_interval: 0s }}\n{}  \
         - {{ id: many, name: many, url: '{}', max_entries: 1 }}\n  - {{ id: mirror, name: mirror, url: '{}', mirrors: ['{}'] }}\n",
        house.server(),
        feeds(&house, &ids),
        own("many"),
        own("nowhere"),
        own("copy"),
    );
    house.write("config.yaml", text.as_bytes());
    let entries =
        |words: &str, numbers: std::ops::Range<usize>| rss(&numbers.map(|n| entry(n, words)).collect::<String>());
    let whole = entries("cut", 0..2);
    house
        .serves("/cut", &whole[..whole.len() - 60])
        .serves("/empty", rss(&format!("<item></item>{}", entry(1, "empty"))));
    house.serves("/many", entries("many", 0..2)).serves("/copy", entries("copy", 0..2));
    for path in ["anew", "moved", "stranger", "gap"] {
        house.serves(&format!("/{path}"), entries(path, 0..7));
    }
    house.serves_page("/gone", status(410, &[]));
    let mut said = all(&house.run(["poll"]).code(4));
    // Each id is another entry's now.
    let turned = |n: usize| {
        item(
            &format!("Title anew {}", n + 1),
            &format!("https://example.org/anew/{}", n + 1),
            &format!("g{n}"),
            DATE,
            &format!("<p>other {n}</p>"),
        )
    };
    house.serves("/anew", rss(&(0..7).map(turned).collect::<String>()));
    house.serves_page("/moved", status(301, &[("Location", "/there")])).serves("/there", entries("moved", 0..7));
    let stranger = format!("http://{elsewhere}/casino");
    house
        .serves_page("/stranger", status(301, &[("Location", &stranger)]))
        .serves("/casino", entries("casino", 10..12));
    let later = (20..27).map(|n| {
        item(&format!("T{n}"), &format!("https://example.org/later/{n}"), &format!("later{n}"), DATE, "<p>y</p>")
    });
    house.serves("/gap", rss(&later.collect::<String>()));
    for _ in 0..2 {
        said.push_str(&all(&house.run(["poll", "--force"]).code(4)));
    }
    let status = all(&house.run(["status"]).success());
    house.write("config.yaml", text.replace("min_interval: 0s", "min_interval: 1h").as_bytes());
    said.push_str(&all(&house.run(["-v", "poll", "many"]).success()));
    (said, status)
}

/// A house with two posts, known to its index.
fn settled() -> House {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]\ntopics: [{ id: t }]");
    house.serves("/a", rss(&(entry(1, "x") + &entry(2, "x"))));
    house.run(["poll"]).success();
    house
}

pub fn damage() -> String {
    let mut said = String::new();
    let house = House::new();
    house
        .config("feeds: [{ id: a, name: A, url: '{server}/a' }]\ntopics: [{ id: t }]")
        .serves("/a", rss(&entry(1, "x")));
    house.write("data/archive/_posts", b"in the way");
    said.push_str(&all(&house.run(["poll"]).code(1)));
    fs::remove_file(house.path("data/archive/_posts")).expect("removed");
    house.write("data/public", b"in the way");
    said.push_str(&all(&house.run(["poll"]).code(1)));

    let house = settled();
    for file in files(&house.path("data/index/entries")) {
        crate::house::write(&file, &[0xA5; 4096]);
    }
    said.push_str(&all(&house.run(["poll", "--force"]).success()));

    let house = settled();
    fs::remove_dir_all(house.path("data/archive/_posts")).expect("removed");
    fs::remove_dir_all(house.path("data/archive/_ledger")).expect("removed");
    said.push_str(&all(&house.run(["poll"]).success()));

    let house = settled();
    let ledger = files(&house.path("data/archive/_ledger"))
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("20")));
    let ledger = ledger.expect("a ledger");
    let torn = fs::read_to_string(&ledger).expect("lines") + "{\"op\":\"ad";
    crate::house::write(&ledger, torn.as_bytes());
    house.write("data/archive/_ledger/.unclean", b"");
    said.push_str(&all(&house.run(["poll"]).success()));
    let house = settled();
    let raw = files(&house.path("data/archive/_raw")).pop().expect("raw");
    crate::house::write(&raw, b"torn");
    said.push_str(&all(&house.run(["forget", "https://example.org/x/1", "--reason", "asked to"]).success()));
    said + &examined()
}

/// What `verify` and `publish` say of posts that somebody else had in hand.
fn examined() -> String {
    let house = settled();
    let paths: Vec<String> = house.posts().keys().map(|path| format!("data/archive/{path}")).collect();
    fs::remove_file(house.path(&paths[0])).expect("removed");
    let edited = house.read(&paths[1]).replace("<p>", "<p>edited ");
    house.write(&paths[1], edited.as_bytes());
    house.write("data/archive/_posts/2020-01-01-stray.md", edited.replace("/2", "/3").as_bytes());
    std::os::unix::fs::symlink("nowhere", house.path("data/archive/_posts/link.md")).expect("a link");
    let said = all(&house.run(["verify", "--deep"]).code(1));
    house.write(&paths[1], b"");
    said + &all(&house.run(["publish"]).code(4))
}

pub fn daemon() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").expect("port");
    let house = House::new();
    let listen = |address: &str| {
        format!("server: {{ listen: '{address}' }}\nfeeds: [{{ id: a, name: A, url: '{{server}}/nothing' }}]")
    };
    house.config(&listen(&taken.local_addr().expect("address").to_string()));
    let mut said = all(&house.run(["daemon"]).code(1));
    house.config(&listen("127.0.0.1:0"));
    let daemon = Daemon::start(&house);
    house.config("feds: []");
    said.push_str(&all(&house.run(["reload"]).code(3)));
    house.config(&listen(&taken.local_addr().expect("address").to_string()));
    said.push_str(&all(&house.run(["reload"]).code(3)));
    assert_eq!(daemon.terminate(), 0);
    said
}
