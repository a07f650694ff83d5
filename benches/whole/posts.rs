//! Archives of many short posts, written as the program writes them, and what is made from them.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use feedmill::archive::{Archive, Batch, FolderArchive, Kept, Line, Op};
use feedmill::identity::{VERSION, canonical_url};
use feedmill::model::{EntryKey, Post, Timestamp};
use feedmill::post::Layout;
use url::Url;

use crate::index::block_on;
use crate::meter::{self, Cost};
use crate::ours::{House, program};
use crate::random::Random;
use crate::record::Record;
use crate::text::{Language, Words};

/// Posts that are written at a time.
const PORTION: usize = 2_000;

/// A word that one in ten posts has.
const RARE: &str = "zeppelin";

/// A post arrives every ten minutes from 2006 on, so that a window of hours holds few.
const FIRST: i64 = 1_136_073_600_000;
const PAUSE: i64 = 600_000;

/// A topic with a new rule over so many posts.
pub fn topics(sizes: &[usize], rounds: usize, out: Option<&Path>) {
    let mut rows = Record::new(out, "topics");
    for &size in sizes {
        let house = filled(size);
        let feed = "  - { id: feed0, name: Feed 0, url: \"http://127.0.0.1:9/\" }\n";
        let topic = |words: &str| [format!("{{ id: topic, feeds: [\"*\"], any: [{words}] }}")];
        house.configure(feed, &topic("nowhere"));
        let reindexed = done(house.run(&["reindex"]));
        for round in 1..=rounds {
            // Another rule each time, which the index has not seen; it takes the same posts.
            house.configure(feed, &topic(&format!("{RARE}, nowhere{round}")));
            let published = done(house.run(&["publish"]));
            rows.row(&[
                ("posts", size.to_string()),
                ("round", round.to_string()),
                ("reindex_s", format!("{:.2}", reindexed.wall)),
                ("reindex_cpu_s", format!("{:.2}", reindexed.cpu)),
                ("reindex_peak_mib", format!("{:.1}", reindexed.peak)),
                ("publish_s", format!("{:.2}", published.wall)),
                ("publish_cpu_s", format!("{:.2}", published.cpu)),
                ("publish_peak_mib", format!("{:.1}", published.peak)),
            ]);
        }
    }
}

/// From the start of the program in a copy of an archive, without an index, to its first request.
pub fn clone(size: usize, rounds: usize, out: Option<&Path>) {
    let mut rows = Record::new(out, "clone");
    for round in 1..=rounds {
        let house = filled(size);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let feed = format!("  - {{ id: feed0, name: Feed 0, url: \"http://{address}/\" }}\n");
        let topics: Vec<_> =
            (0..10).map(|at| format!("{{ id: topic{at}, feeds: [\"*\"], any: [{RARE}, word{at}] }}")).collect();
        house.configure(&feed, &topics);
        rustix::fs::sync();
        let start = Instant::now();
        let mut child = Command::new(program())
            .arg("-C")
            .arg(house.path(""))
            .args(["--config", "feedmill.yaml", "-q", "poll"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let (mut stream, _) = listener.accept().expect("a request");
        stream.read_exact(&mut [0; 4]).expect("a request");
        let first = start.elapsed();
        // Whoever asks again meets a closed door.
        drop(listener);
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").expect("sent");
        std::thread::sleep(Duration::from_millis(50));
        drop(stream);
        child.wait().expect("ended");
        rows.row(&[
            ("posts", size.to_string()),
            ("round", round.to_string()),
            ("first_request_s", format!("{:.3}", first.as_secs_f64())),
            ("all_s", format!("{:.3}", start.elapsed().as_secs_f64())),
        ]);
    }
}

fn done(cost: Cost) -> Cost {
    assert_eq!(cost.code, 0, "the program failed");
    cost
}

/// A house whose archive holds so many posts and which has no index.
fn filled(size: usize) -> House {
    eprintln!("writing {size} posts");
    let house = House::new(&[]);
    let tool = std::env::current_exe().expect("own path");
    let archive = house.path("archive");
    done(meter::run(
        &tool,
        &["archive-fill", archive.to_str().expect("a path"), &size.to_string()],
        &house.path("out"),
    ));
    house
}

/// The child that writes an archive.
pub fn fill(at: &Path, size: usize) {
    let archive = FolderArchive::new(at.to_owned(), Layout::Month);
    let words = Words::new();
    block_on(async {
        for first in (0..size).step_by(PORTION) {
            let posts = (first..size.min(first + PORTION)).map(|at| kept(&words, at)).collect();
            archive.write_all(vec![Batch { posts, ..Batch::default() }]).await.expect("written");
        }
        archive.settle().await.expect("settled");
    });
}

fn kept(words: &Words, at: usize) -> Kept {
    let mut random = Random::of(&[7, at as u64]);
    let language = if at.is_multiple_of(2) { Language::Chinese } else { Language::English };
    let moment = Timestamp::from_millis(FIRST + PAUSE * i64::try_from(at).expect("small"));
    let from = format!("https://site{}.example/archive/{at}.html", at % 1000);
    let canonical = Url::parse(&from).ok().as_ref().and_then(canonical_url).expect("a sound link");
    let mut body = words.body(language, &mut random, 400).replace('\n', " ");
    if at.is_multiple_of(10) {
        body.push_str(&format!("<p>{RARE}</p>"));
    }
    let post = Post {
        title: words.title(language, &mut random),
        date: moment,
        author: "Feed 0".to_owned(),
        from,
        tags: vec!["Feed 0".to_owned()],
        categories: vec!["Feed 0".to_owned()],
        updated: None,
        lang: Some(language.tag().to_owned()),
        enclosures: Vec::new(),
        claimed: None,
        key: EntryKey::of(canonical.as_str()),
        body,
    };
    let line = Line {
        feed: Some("feed0".to_owned()),
        rule: Some(6),
        guid: Some(post.from.clone()),
        id: Some(post.from.clone()),
        canon: Some(VERSION),
        ..Line::new(Op::Add, moment, post.key)
    };
    Kept { post, replaces: None, line }
}
