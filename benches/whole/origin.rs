//! The server of the feeds, in a process of its own so that its work is not counted.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use feedmill::model::EntryKey;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::corpus::Corpus;

/// A running server; it ends with this.
#[derive(Debug)]
pub struct Origin {
    child: Child,
    /// Host and port.
    pub address: String,
}

/// What was answered since the last time this was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answers {
    pub full: usize,
    pub not_modified: usize,
}

impl Origin {
    /// Starts the server of a corpus and waits until it is ready.
    pub fn start(feeds: usize, seed: u64, latency: Duration) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("own path"))
            .args(["origin", &feeds.to_string(), &seed.to_string(), &latency.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut address = String::new();
        let said = child.stdout.take().expect("piped");
        BufReader::new(said).read_line(&mut address).expect("the server says its address");
        assert!(!address.is_empty(), "the server of the feeds did not start");
        Self { child, address: address.trim().to_owned() }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on the feeds are those of this version, and nothing was answered.
    pub fn turn_to(&self, version: usize) {
        self.ask(&format!("/version/{version}"));
    }

    /// What was answered since the last time.
    pub fn answers(&self) -> Answers {
        let said = self.ask("/answers");
        let (full, not_modified) = said.trim().split_once(' ').expect("two numbers");
        Answers { full: full.parse().expect("number"), not_modified: not_modified.parse().expect("number") }
    }

    fn ask(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("the server listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: origin\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer.split_once("\r\n\r\n").expect("head and body").1.to_owned()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// A document as it is sent.
struct Packed {
    gzip: Bytes,
    etag: String,
}

struct Shelf {
    /// Both versions of each feed, one where they are the same.
    feeds: HashMap<String, Vec<Packed>>,
    version: AtomicUsize,
    full: AtomicUsize,
    not_modified: AtomicUsize,
    latency: Duration,
}

/// Serves until standard input ends.
pub fn serve(corpus: &Corpus, latency: Duration) {
    let zero = AtomicUsize::default;
    let shelf = Arc::new(Shelf { feeds: pack(corpus), version: zero(), full: zero(), not_modified: zero(), latency });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("bound"));
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let shelf = Arc::clone(&shelf);
            let service = service_fn(move |request: Request<Incoming>| {
                let shelf = Arc::clone(&shelf);
                async move { Ok::<_, Infallible>(shelf.answer(request).await) }
            });
            tokio::spawn(
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    runtime.block_on(async {
        let until_the_end = || std::io::stdin().read_to_end(&mut Vec::new());
        tokio::task::spawn_blocking(until_the_end).await.expect("waited").expect("read");
    });
}

/// Makes and packs all documents, on every core.
fn pack(corpus: &Corpus) -> HashMap<String, Vec<Packed>> {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let versions = |feed| 0..if Corpus::changes(feed) { 2 } else { 1 };
    let some = |first| {
        let feeds = (first..corpus.feeds).step_by(workers);
        feeds.map(|feed| {
            (corpus.path(feed), versions(feed).map(|version| packed(&corpus.document(feed, version))).collect())
        })
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|first| scope.spawn(move || some(first).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("packed")).collect()
    })
}

fn packed(document: &str) -> Packed {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(document.as_bytes()).expect("into memory");
    let tag = EntryKey::of(document).hex();
    Packed { gzip: gzip.finish().expect("into memory").into(), etag: format!("\"{}\"", &tag[..16]) }
}

impl Shelf {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if let Some(version) = path.strip_prefix("/version/") {
            self.version.store(version.parse().unwrap_or_default(), Relaxed);
            self.counted();
            return Response::default();
        }
        if path == "/answers" {
            return Response::new(self.counted().into());
        }
        tokio::time::sleep(self.latency).await;
        let Some(versions) = self.feeds.get(path) else { return bare(StatusCode::NOT_FOUND) };
        let document = &versions[self.version.load(Relaxed).min(versions.len() - 1)];
        let says = |name: HeaderName, word: &str| has(request.headers(), &name, word);
        if says(IF_NONE_MATCH, &document.etag) {
            self.not_modified.fetch_add(1, Relaxed);
            let mut answer = bare(StatusCode::NOT_MODIFIED);
            answer.headers_mut().insert(ETAG, document.etag.parse().expect("header"));
            return answer;
        }
        if !says(ACCEPT_ENCODING, "gzip") {
            return bare(StatusCode::NOT_ACCEPTABLE);
        }
        self.full.fetch_add(1, Relaxed);
        let media_type = if path.ends_with("json") { "application/feed+json" } else { "application/xml" };
        Response::builder()
            .header(CONTENT_TYPE, media_type)
            .header(CONTENT_ENCODING, "gzip")
            .header(VARY, "accept-encoding")
            .header(ETAG, &document.etag)
            .body(document.gzip.clone().into())
            .expect("sound headers")
    }

    fn counted(&self) -> String {
        format!("{} {}", self.full.swap(0, Relaxed), self.not_modified.swap(0, Relaxed))
    }
}

fn has(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains(word))
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::default();
    *answer.status_mut() = status;
    answer
}
