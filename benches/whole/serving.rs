//! The daemon as a web server, and nginx on the same files, under the load of wrk.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

use crate::ours::{House, LISTEN, program, put};
use crate::record::Record;
use crate::rounds::Stand;

const NGINX: u16 = LISTEN + 1;

/// The document that is asked for.
const DOCUMENT: &str = "/topic0/atom.xml";

/// How a document is asked for.
const KINDS: [&str; 3] = ["full", "gzip", "304"];

/// Says loudly that nothing was measured where a tool is missing.
pub fn run(rounds: usize, seconds: usize, out: Option<&Path>) {
    for tool in ["wrk", "nginx"] {
        if Command::new(tool).arg("-v").output().is_err() {
            eprintln!(
                "SKIPPED: serving was not measured, because `{tool}` is missing; Debian has a package of that name"
            );
            return;
        }
    }
    let mut rows = Record::new(out, "serving");
    let stand = Stand::new(100, 1, 0);
    let house = stand.house();
    let (_, summary) = house.poll();
    assert_eq!(summary.failed, 0, "feeds failed");
    let daemon = daemon(&house);
    let nginx = nginx(&house);
    for round in 1..=rounds {
        for kind in KINDS {
            for (server, port, child) in [("feedmill", LISTEN, &daemon), ("nginx", NGINX, &nginx)] {
                let before = ticks(child.0.id());
                let (answers, failures, latency) = load(port, kind, seconds);
                let cpu = ticks(child.0.id()) - before;
                assert_eq!(failures, 0, "{server} answered with failures");
                rows.row(&[
                    ("round", round.to_string()),
                    ("server", server.to_owned()),
                    ("kind", kind.to_owned()),
                    (
                        "bytes",
                        fs::metadata(house.path(&format!("public{DOCUMENT}"))).expect("a file").len().to_string(),
                    ),
                    ("answers_per_s", format!("{:.0}", answers / seconds as f64)),
                    ("p99_ms", format!("{:.2}", latency / 1e3)),
                    ("cpu_us_per_answer", format!("{:.2}", cpu * 1e6 / answers)),
                ]);
            }
        }
    }
}

fn daemon(house: &House) -> Running {
    let child = Command::new(program())
        .arg("-C")
        .arg(house.path(""))
        .args(["--config", "feedmill.yaml", "-q", "daemon"])
        .stdout(Stdio::null())
        .spawn()
        .expect("the daemon starts");
    let child = Running(child);
    wait(LISTEN);
    child
}

/// nginx with what a careful operator would set: packed files made before, files kept open.
fn nginx(house: &House) -> Running {
    let document = fs::read(house.path(&format!("public{DOCUMENT}"))).expect("a published file");
    let root = house.path("nginx");
    fs::create_dir_all(root.join("topic0")).expect("a folder");
    put(&root.join("topic0/atom.xml"), std::str::from_utf8(&document).expect("text"));
    let packed = fs::File::create(root.join("topic0/atom.xml.gz")).expect("a file");
    let mut packed = GzEncoder::new(packed, Compression::default());
    packed.write_all(&document).and_then(|()| packed.finish().map(drop)).expect("packed");
    let config = house.path("nginx.conf");
    put(
        &config,
        &format!(
            "daemon off; worker_processes auto; pid {0}/nginx.pid; error_log stderr crit;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;\n\
             client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
             open_file_cache max=1000; types {{ application/atom+xml xml; }}\n\
             server {{ listen 127.0.0.1:{NGINX}; root {0}/nginx; gzip_static on; gzip_vary on; }} }}\n",
            house.path("").display()
        ),
    );
    let child = Command::new("nginx").arg("-c").arg(config).args(["-e", "stderr"]).spawn().expect("nginx starts");
    let child = Running(child);
    wait(NGINX);
    child
}

/// Connects until somebody listens.
fn wait(port: u16) {
    for _ in 0..500 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("nobody listens at port {port}");
}

/// A server that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// Answers, answers that were failures, and the 99th percentile of their time (microseconds).
fn load(port: u16, kind: &str, seconds: usize) -> (f64, u64, f64) {
    let etag = etag(port, kind);
    let header = match kind {
        "304" => format!("If-None-Match: {etag}"),
        "gzip" => "Accept-Encoding: gzip".to_owned(),
        _ => "Accept-Encoding: identity".to_owned(),
    };
    let script = house_script();
    let output = Command::new("wrk")
        .args(["-t1", "-c32", &format!("-d{seconds}s"), "-H", &header, "-s"])
        .arg(script.path())
        .arg(format!("http://127.0.0.1:{port}{DOCUMENT}"))
        .output()
        .expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let figures = text.lines().find_map(|line| line.strip_prefix("figures ")).expect("wrk's figures");
    let figures: Vec<f64> = figures.split(' ').map(|word| word.parse().expect("a number")).collect();
    let whole = |figure: f64| figure.round().max(0.0).to_string().parse().expect("a number");
    (figures[0], whole(figures[1]), figures[2])
}

fn house_script() -> tempfile::NamedTempFile {
    let mut script = tempfile::NamedTempFile::new().expect("a file");
    script
        .write_all(
            b"done = function(summary, latency)\n\
              local e = summary.errors\n\
              local failures = e.connect + e.read + e.write + e.status + e.timeout\n\
              print(string.format('figures %d %d %d', summary.requests, failures, latency:percentile(99)))\n\
              end\n",
        )
        .expect("written");
    script
}

/// The document's `ETag`, and the status that the kind has to have.
fn etag(port: u16, kind: &str) -> String {
    let ask = |headers: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("listens");
        write!(stream, "GET {DOCUMENT} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n").expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    };
    let full = ask("");
    let line = full.lines().find(|line| line.to_ascii_lowercase().starts_with("etag:")).expect("an ETag");
    let etag = line.split_once(':').expect("a header").1.trim().to_owned();
    let (header, status, word) = match kind {
        "304" => (format!("If-None-Match: {etag}\r\n"), "304", ""),
        "gzip" => ("Accept-Encoding: gzip\r\n".to_owned(), "200", "gzip"),
        _ => (String::new(), "200", ""),
    };
    // A form that is being made is not waited for: the first answers may come as they are.
    for _ in 0..100 {
        let answer = ask(&header);
        if answer.split(' ').nth(1) == Some(status) && answer.contains(word) {
            return etag;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no answer of the kind `{kind}` at port {port}");
}

/// Seconds of processor of a process and its children.
fn ticks(process: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    let own = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
        fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
    };
    own(process) + children.map(own).sum::<f64>()
}
