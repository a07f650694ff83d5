//! Asking, with the real program: ways to servers, secrets, servers that misbehave.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::house::{DATE, House, Page, Run, files, item, rss};
use crate::origin::{Origin, Step};

#[test]
fn a_check_says_what_the_guard_does_not_see_and_what_cannot_be_read() {
    let house = House::new();
    let feed = |id: &str, more: &str| format!("- {{ id: {id}, name: {id}, url: 'https://{id}.example.org/'{more} }}\n");
    let config = |proxy: &str, feeds: &str| {
        house.write("config.yaml", format!("site: {{ url: 'https://n.example/' }}\n{proxy}feeds:\n{feeds}").as_bytes());
        let said = house.run(["check"]).success().stdout;
        let notes: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("note: ")).collect();
        notes.join("\n").replace(
            " through a proxy, which looks names up itself; the guard against private addresses sees only what stands in \
             an address there, not where a name leads",
            " unseen",
        )
    };
    let tor = "fetch: { proxy: 'socks5h://127.0.0.1:9050' }\n";
    let (a, b) = (feed("a", ""), feed("b", ", proxy: none"));
    assert_eq!(config("", &(a.clone() + &b)), "");
    assert_eq!(config("fetch: { proxy: 'socks5://127.0.0.1:9050' }\n", &a), "");
    assert_eq!(config(tor, &(a.clone() + &b)), "feed `a` goes unseen");
    assert_eq!(config("", &feed("a", ", proxy: 'http://p.example.org:3128'")), "feed `a` goes unseen");
    assert_eq!(config(tor, &(a.clone() + &feed("c", ""))), "feeds `a`, `c` go unseen");
    let many: String = ["a", "c", "d", "e", "f"].map(|id| feed(id, "")).concat();
    assert_eq!(config(tor, &many), "feed `a` and 4 others go unseen");
    assert_eq!(config(tor, "- { id: f, name: F, url: 'file:///srv/a.xml' }\n"), "");
    // And what would stop the next poll.
    house.write("secret", b"s3cret\n");
    assert_eq!(config("", &feed("a", ", username: ann, password_file: secret")), "");
    assert_eq!(
        config("", &feed("a", ", username: ann, password_file: nowhere")),
        "feed `a`: `nowhere` cannot be read: No such file or directory"
    );
    assert_eq!(
        config("fetch: { ca_file: nowhere }\n", &feed("a", "")),
        "`nowhere` (fetch.ca_file) cannot be used: No such file or directory"
    );
}

/// Passwords and keys, and what they become on the wire.
const SECRETS: [&str; 10] = [
    "Pr0xyPassw0rd",
    "YW5uOlByMHh5UGFzc3cwcmQ=",
    "F33dPassw0rd",
    "Ym9iOkYzM2RQYXNzdzByZA==",
    "F1lePassw0rd",
    "Y2FybDpGMWxlUGFzc3cwcmQ=",
    "H3aderKey",
    "D3adPassw0rd",
    "Url3Key",
    "P4thKey90",
];

/// Every file of the house, its index aside, that holds one of the secrets, and did not when it was made.
fn leaks(house: &House) -> Vec<String> {
    let mut found = Vec::new();
    // The index is the operator's own; what is asked for next has to lie somewhere.
    for path in files(&house.path("data")).into_iter().filter(|path| !path.starts_with(house.path("data/index"))) {
        let bytes = fs::read(&path).expect("file");
        // Raw files are packed.
        let unpacked = zstd::decode_all(&bytes[..]).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned() + &String::from_utf8_lossy(&unpacked);
        let name = path.strip_prefix(house.path("data")).expect("below").display().to_string();
        found.extend(SECRETS.iter().filter(|secret| text.contains(**secret)).map(|secret| format!("{name}: {secret}")));
    }
    found
}

#[test]
fn secrets_go_over_the_wire_and_nowhere_else() {
    let house = House::new();
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    // The house's server stands for the proxy, too: it is asked for whole addresses.
    let proxy = house.server();
    house.write("secrets/carl", b"F1lePassw0rd\n");
    let feed = |id: &str, more: &str| {
        format!("- {{ id: {id}, name: {id}, url: 'http://feeds.example.org/{id}.xml?key=${{URL_KEY}}'{more} }}\n")
    };
    let config = format!(
        "site: {{ url: 'https://n.example.org/' }}\n\
         fetch: {{ min_interval: 0s, host_delay: 0s, proxy: 'http://ann:${{PROXY_PASSWORD}}@{proxy}' }}\n\
         topics: [{{ id: all }}]\nfeeds:\n{}{}{}{}{}{}",
        feed("good", ", username: bob, password: '${FEED_PASSWORD}', headers: { X-Key: '${HEADER_KEY}' }"),
        feed("file", ", username: carl, password_file: secrets/carl"),
        feed("gone", ", username: bob, password: '${FEED_PASSWORD}'"),
        feed("html", ", username: bob, password: '${FEED_PASSWORD}'"),
        feed("hop", ", username: bob, password: '${FEED_PASSWORD}', headers: { X-Key: '${HEADER_KEY}' }"),
        feed("dead", &format!(", proxy: 'socks5h://ann:${{DEAD_PASSWORD}}@{dead}'")),
    );
    house.write("config.yaml", config.as_bytes());
    let at = |id: &str| format!("http://feeds.example.org/{id}.xml?key=Url3Key");
    let one = |n: u8| rss(&item(&format!("Entry {n}"), &format!("https://example.org/{n}"), "", DATE, "<p>text</p>"));
    house.serves(&at("good"), one(1)).serves(&at("file"), one(2)).serves(&at("html"), "<!DOCTYPE html><p>x</p>");
    let hop = vec![("Location".to_owned(), "http://elsewhere.example.org/hop.xml?key=Url3Key".to_owned())];
    house.serves_page(&at("hop"), Page { status: 301, headers: hop, body: vec![] });
    house.serves("http://elsewhere.example.org/hop.xml?key=Url3Key", one(3));

    let run = |args: &[&str]| {
        let mut command = house.command();
        for (name, value) in [
            ("PROXY_PASSWORD", "Pr0xyPassw0rd"),
            ("FEED_PASSWORD", "F33dPassw0rd"),
            ("HEADER_KEY", "H3aderKey"),
            ("DEAD_PASSWORD", "D3adPassw0rd"),
            ("URL_KEY", "Url3Key"),
        ] {
            command.env(name, value);
        }
        Run::of(&command.args(args).output().expect("the program runs"))
    };
    let mut said = Vec::new();
    for args in [
        &["check"][..],
        &["poll", "--dry-run"],
        &["-v", "poll"],
        &["poll", "--json"],
        &["poll", "--force", "good"],
        &["publish"],
        &["verify", "--deep"],
        &["explain", "https://example.org/1"],
    ] {
        let run = run(args);
        said.push(format!("{args:?}\n{}\n{}", run.stdout, run.stderr));
    }
    let said = said.join("\n");
    for secret in SECRETS {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    assert_eq!(leaks(&house), Vec::<String>::new());
    assert_eq!(house.posts().len(), 3, "{said}");
}

#[test]
fn a_key_in_the_path_of_an_address_is_in_no_link() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/${PATH_KEY}/a.xml' }, { id: b, name: B, url: '{server}/${PATH_KEY}/b.xml' }]\n\
         topics: [{ id: all }]",
    );
    let there = format!("http://{}/P4thKey90/", house.server());
    let permalink =
        item("Three", "", "", DATE, "<p>third</p>").replace("<link></link>", &format!("<guid>{there}3</guid>"));
    let a = rss(&(item("One", "one", "g1", DATE, "<p>first <a href=\"more\">more</a></p>")
        + &item("Two", &format!("{there}2"), "g2", DATE, &format!("<p>second <img src=\"{there}2.png\"></p>"))
        + &permalink));
    let a = a.replace("<link>https://example.org/</link>", "<link>https://site.example.org/news/</link>");
    let b = rss(&item("Four", "four", "g4", DATE, "<p>fourth</p>")).replace("<link>https://example.org/</link>", "");
    house.serves("/P4thKey90/a.xml", a).serves("/P4thKey90/b.xml", b);
    let run = Run::of(&house.command().env("PATH_KEY", "P4thKey90").arg("poll").output().expect("the program runs"));
    run.summary("2 read (4 new posts)").success();
    assert_eq!(leaks(&house), Vec::<String>::new());
    let from = |title: &str| {
        let post = house.posts().into_values().find(|post| post.contains(title)).expect("post");
        post.lines().find_map(|line| line.strip_prefix("from: ")).expect("from").to_owned()
    };
    assert_eq!(from("One"), "https://site.example.org/news/one");
    assert_eq!((from("Two"), from("Three")), ("\"\"".to_owned(), "\"\"".to_owned()));
    assert_eq!(from("Four"), format!("http://{}/four", house.server()));
}

/// What the last request sent back of an answer: `If-None-Match` and `If-Modified-Since`, byte for byte.
fn sent_back(origin: &Origin) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let request = origin.requests().pop().expect("a request");
    let value = |name: &str| {
        let mut lines = request.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.find_map(|line| line.strip_prefix(name.as_bytes())).map(<[u8]>::to_vec)
    };
    (value("if-none-match: "), value("if-modified-since: "))
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_outlive_restarts_failures_and_a_lost_index() {
    let count = Arc::new(AtomicUsize::new(0));
    let entry = rss(&item("One", "https://example.org/1", "", DATE, "<p>text</p>"));
    let answers = [
        // Odd, and not even ASCII.
        (&b"200 OK\r\nETag: W/\"\xff\xe5\xbe\xae\"odd\r\nLast-Modified: yesterday, perhaps"[..], entry.as_bytes()),
        (b"500 Internal Server Error\r\nETag: \"of the failure\"", b""),
        (b"200 OK\r\nETag: \"of the half\"\r\nContent-Encoding: gzip", &[0x1f, 0x8b, 8, 0]),
        (b"304 Not Modified\r\nETag: unquoted", b""),
        (b"304 Not Modified\r\nLast-Modified: today", b""),
    ];
    let answers: Vec<Vec<u8>> = answers
        .iter()
        .map(|(head, body)| {
            let length = format!("\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            [b"HTTP/1.1 ", *head, length.as_bytes(), body].concat()
        })
        .collect();
    let origin = Origin::start(move |_| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        vec![Step::Send(answers[n.min(answers.len() - 1)].clone())]
    })
    .await;
    let house = House::new();
    let at = origin.at;
    house.write(
        "config.yaml",
        format!(
            "site: {{ url: 'https://n.example.org/' }}\n\
             fetch: {{ allow: ['{at}'], min_interval: 0s, host_delay: 0s }}\n\
             feeds: [{{ id: a, name: A, url: 'http://{at}/' }}]"
        )
        .as_bytes(),
    );
    let odd = Some(b"W/\"\xff\xe5\xbe\xae\"odd".to_vec());
    let (yesterday, today) = (Some(b"yesterday, perhaps".to_vec()), Some(b"today".to_vec()));
    let unquoted = Some(b"unquoted".to_vec());
    for (n, (etag, modified)) in [
        (None, None),
        (odd.clone(), yesterday.clone()),
        (odd.clone(), yesterday.clone()),
        (odd, yesterday.clone()),
        // A 304 refreshes what it names and leaves the rest.
        (unquoted.clone(), yesterday),
        (unquoted.clone(), today.clone()),
    ]
    .into_iter()
    .enumerate()
    {
        let mut command = house.command();
        let run = tokio::task::spawn_blocking(move || command.arg("poll").output()).await;
        let run = Run::of(&run.expect("runs").expect("runs"));
        assert_eq!(run.code, if matches!(n, 1 | 2) { 4 } else { 0 }, "{n}: {}", run.stderr);
        assert_eq!(sent_back(&origin), (etag, modified), "{n}: {}", run.stderr);
    }
    // A clone of the archive, which has no index.
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    let mut command = house.command();
    tokio::task::spawn_blocking(move || command.arg("poll").output()).await.expect("runs").expect("runs");
    assert_eq!(sent_back(&origin), (unquoted, today));
}
