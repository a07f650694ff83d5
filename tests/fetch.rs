//! Asking, with the real program: ways to servers, secrets, servers that misbehave.

use std::fs;

use crate::house::{DATE, House, Page, Run, files, item, rss};

#[test]
fn a_check_says_whom_the_guard_sees_by_name_only() {
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
}

/// Passwords and keys, and what they become on the wire.
const SECRETS: [&str; 9] = [
    "Pr0xyPassw0rd",
    "YW5uOlByMHh5UGFzc3cwcmQ=",
    "F33dPassw0rd",
    "Ym9iOkYzM2RQYXNzdzByZA==",
    "F1lePassw0rd",
    "Y2FybDpGMWxlUGFzc3cwcmQ=",
    "H3aderKey",
    "D3adPassw0rd",
    "Url3Key",
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
