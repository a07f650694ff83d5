//! What servers that misbehave cost: no other feed any time, and little memory.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::misdeeds::{answer, feed};
use super::villain;
use crate::house::House;
use crate::origin::{Origin, Step};

/// A run of the program that is ended when it is no longer needed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_hang_delay_no_other_feed() {
    const HANGING: usize = 64;
    const GOOD: usize = 100;
    let house = House::new();
    let mut config = "site: { url: 'https://n.example.org/' }\n\
                      fetch: { allow: [127.0.0.0/8], min_interval: 0s, timeout: 90s, first_byte: 90s }\nfeeds:\n"
        .to_owned();
    let mut servers = Vec::new();
    for n in 0..HANGING + GOOD {
        // A host of its own each.
        let hangs = n < HANGING;
        let steps = move |_: &str| if hangs { vec![Step::Hang] } else { answer("200 OK", "", feed(n)) };
        let server = Origin::listen(&format!("127.0.1.{}:0", n + 1), steps).await;
        let _ = writeln!(config, "- {{ id: f-{n:03}, name: '{n}', url: '{}' }}", server.url("/"));
        servers.push(server);
    }
    house.write("config.yaml", config.as_bytes());
    let mut command = house.command();
    let mut run = Running(command.arg("poll").stdout(Stdio::null()).spawn().expect("runs"));
    // Long before the first of those that hang is given up, every other feed is kept.
    let start = Instant::now();
    while house.posts().len() < GOOD && start.elapsed() < Duration::from_secs(75) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(house.posts().len(), GOOD);
    assert!(run.0.try_wait().expect("known").is_none(), "those that hang are still waited for");
    assert!(servers[..HANGING].iter().all(|server| server.connections() == 1));
}

/// The most memory that the program ever had when it was done with one path of a server, in KiB. Another feed, which
/// hangs, keeps it from ending before it has been looked at.
fn peak(house: &House, origin: &Origin, path: &str, max_body: &str) -> u64 {
    let (at, last) = (origin.at, "zz");
    let config = format!(
        "site: {{ url: 'https://n.example.org/' }}\n\
         fetch: {{ allow: ['{at}'], min_interval: 0s, host_delay: 0s, per_host: 2, max_body: {max_body}, timeout: 90s, \
         first_byte: 90s }}\n\
         feeds:\n- {{ id: it, name: it, url: 'http://{at}/{path}' }}\n\
         - {{ id: {last}, name: {last}, url: 'http://{at}/silence' }}\n"
    );
    house.write("config.yaml", config.as_bytes());
    let mut command = house.command();
    let mut run = Running(
        command.args(["-v", "poll", "--force"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs"),
    );
    let mut lines = BufReader::new(run.0.stdout.take().expect("output")).lines();
    assert!(lines.any(|line| line.expect("line").starts_with("feed=it outcome=")), "{path}");
    let status = fs::read_to_string(format!("/proc/{}/status", run.0.id())).expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("peak");
    line.trim().trim_end_matches(" kB").parse().expect("number")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bomb_costs_much_memory() {
    let (origin, house) = (villain().await, House::new());
    let done = tokio::task::spawn_blocking(move || {
        let harmless = peak(&house, &origin, "hops-0", "64MiB");
        for (path, max_body) in [
            ("gzip-bomb", "64MiB"),
            ("gzip-gzip-bomb", "64MiB"),
            ("zstd-bomb", "64MiB"),
            ("zstd-window", "64MiB"),
            // Which has no more than the default allows.
            ("brotli-bomb", "63MiB"),
            ("endless", "64MiB"),
            ("head-line", "64MiB"),
            ("chunk-extension", "64MiB"),
        ] {
            let more = peak(&house, &origin, path, max_body).saturating_sub(harmless);
            println!("{path}: +{more} KiB over {harmless} KiB");
            assert!(more < 64 << 10, "{path}: {more} KiB");
        }
    });
    done.await.expect("measured");
}
