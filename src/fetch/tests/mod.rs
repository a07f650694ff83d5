//! The client against servers that misbehave. Nothing here leaves the machine.

mod answered;
mod asked;
mod bombs;
mod broken;
mod guarded;
mod proxied;
mod secure;

use std::time::Duration;

use url::Url;

use super::origin::{Origin, Step};
use super::*;
use crate::model::FeedId;

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n<rss>hello</rss>";

fn source(url: &str) -> FeedSource {
    FeedSource {
        id: FeedId::parse("a").unwrap(),
        name: "A".to_owned(),
        url: Url::parse(url).unwrap(),
        language: None,
        tags: Vec::new(),
        dedup: crate::model::Dedup::Auto,
        revisions: crate::model::Revisions::Keep,
        access: crate::model::Access::default(),
    }
}

fn limits(allow: Vec<Allow>) -> Limits {
    Limits {
        per_host: 1,
        host_delay: Duration::ZERO,
        timeout: Duration::from_secs(20),
        first_byte: Duration::from_secs(15),
        min_rate: MinRate::per_second(512),
        max_body: 1 << 20,
        user_agent: "feedmill/test (+https://news.example.org/)".to_owned(),
        allow,
        proxy: None,
        ca_file: None,
    }
}

fn allowing(origin: &Origin) -> Limits {
    limits(vec![Allow::HostPort(origin.at.ip().to_string(), origin.at.port())])
}

async fn ask_with(limits: &Limits, url: &str, validators: &Validators) -> Result<Fetched, FetchError> {
    HttpFetch::new(limits).unwrap().get(&source(url), validators).await
}

/// Asks the origin, which is allowed, for a path.
async fn ask(origin: &Origin, path: &str) -> Result<Fetched, FetchError> {
    ask_with(&allowing(origin), &origin.url(path), &Validators::default()).await
}

async fn body(origin: &Origin, path: &str) -> Body {
    match ask(origin, path).await {
        Ok(Fetched::Body(body)) => body,
        other => panic!("{other:?}"),
    }
}

/// The sentence about a failure, with the port of the origin replaced by `PORT`.
async fn said(origin: &Origin, path: &str) -> String {
    let error = ask(origin, path).await.unwrap_err();
    error.to_string().replace(&origin.at.port().to_string(), "PORT")
}

/// An answer with a body and the length that belongs to it. It says that the connection ends with it, or the next
/// request might still be sent over it.
fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let close = if headers.contains("keep-alive") { "" } else { "Connection: close\r\n" };
    let mut bytes = format!("HTTP/1.1 {status}\r\n{headers}{close}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `<rss>hello</rss>` in each encoding; the brotli one is an uncompressed meta-block and the empty last one.
const ENCODED: [(&str, &str); 4] = [
    ("gzip", "1f8b0800000000000203b3292a2eb6cb48cdc9c9b7d10731010f609c8710000000"),
    ("deflate", "789cb3292a2eb6cb48cdc9c9b7d107310132be05e8"),
    ("zstd", "28b52ffd04588100003c7273733e68656c6c6f3c2f7273733e2b801168"),
    ("br", "f000103c7273733e68656c6c6f3c2f7273733e03"),
];

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// Runs one of the ignored helpers in a process of its own: environment and memory belong to the whole process.
async fn helped(helper: &'static str, environment: Vec<(&'static str, String)>) -> String {
    let run = move || {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--ignored", "--nocapture", helper]).envs(environment).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said.into_owned()
}
