//! The server over loopback.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]

mod limits;

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::fetch::date;

/// Pages as a daemon has them.
struct Fake;

impl Pages for Fake {
    async fn page(&self, path: &str) -> Option<Page> {
        let (status, content_type, body) = match path {
            "/health" => (503, "application/json", "{\"state\":\"degraded\"}".to_owned()),
            "/status" => (200, "text/html; charset=utf-8", "<p>feed</p>".repeat(500)),
            "/alarms.atom" => (200, "application/atom+xml; charset=utf-8", "<feed/>".to_owned()),
            _ => return None,
        };
        Some(Page { status, content_type, body: body.into_bytes() })
    }
}

struct House {
    folder: TempDir,
    at: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// Status line, headers in lower case, body.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    fn is_secure(&self) {
        for (name, value) in SECURITY {
            assert_eq!(self.header(name.as_str()), value.to_str().ok(), "{}", self.status);
        }
    }

    fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|part| part == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: bytes[end + 4..].to_vec() }
    }
}

impl House {
    async fn new() -> Self {
        Self::with(LIMITS).await
    }

    async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("public");
        std::fs::create_dir_all(root.join("tencent")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let stop = async {
                let _ = stopped.await;
            };
            serve(listener, Some(root), Fake, stop, limits).await;
        });
        let house = Self { folder, at, stop: Some(stop), server };
        house.file("index.html", "<p>all</p>");
        house.file("tencent/index.html", "<p>tencent</p>");
        house.file("tencent/atom.xml", "<feed/>");
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("public").join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) {
        let fresh = self.path(".new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.path(name)).unwrap();
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    async fn send(&self, method: &str, path: &str, headers: &str) -> Answer {
        let mut stream = self.connect().await;
        let request = format!("{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        Answer::read(&bytes)
    }

    async fn get(&self, path: &str, headers: &str) -> Answer {
        self.send("GET", path, headers).await
    }
}

#[tokio::test]
async fn files_are_served_with_type_length_and_validators() {
    let house = House::new().await;
    let answer = house.get("/tencent/atom.xml?a=b", "").await;
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"<feed/>"[..]));
    assert_eq!(answer.header("content-type"), Some("application/atom+xml; charset=utf-8"));
    assert_eq!(answer.header("content-length"), Some("7"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
    // printf '<feed/>' | sha256sum
    assert_eq!(answer.header("etag"), Some("\"189c4a8be44abcf73a70a950ceeedddf\""));
    let modified = date::parse(answer.header("last-modified").unwrap()).unwrap();
    let written = std::fs::metadata(house.path("tencent/atom.xml")).unwrap().modified().unwrap();
    let seconds = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(u64::try_from(modified.millis()).unwrap(), seconds * 1000);
    assert_eq!(house.get("/", "").await.body, b"<p>all</p>");
    assert_eq!(house.get("/tencent/", "").await.body, b"<p>tencent</p>");
}

#[tokio::test]
async fn browsers_get_feeds_as_xml_which_they_show_with_its_style() {
    let house = House::new().await;
    let chromium = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8\r\n";
    let reader = "Accept: application/atom+xml, text/html;q=0.5, */*;q=0.1\r\n";
    for (accept, expected) in
        [(chromium, "application/xml"), (reader, "application/atom+xml"), ("", "application/atom+xml")]
    {
        let answer = house.get("/tencent/atom.xml", accept).await;
        assert_eq!(answer.header("content-type"), Some(format!("{expected}; charset=utf-8").as_str()), "{accept}");
        assert_eq!(answer.header("vary"), Some("Accept"));
    }
    assert_eq!(house.get("/index.html", chromium).await.header("vary"), None);
}

#[tokio::test]
async fn a_folder_without_its_slash_is_redirected() {
    let house = House::new().await;
    let answer = house.get("/tencent", "").await;
    assert_eq!((answer.status, answer.header("location")), (301, Some("./tencent/")));
}

#[tokio::test]
async fn what_the_client_has_is_not_sent_again() {
    let house = House::new().await;
    let first = house.get("/tencent/atom.xml", "").await;
    let (etag, modified) = (first.header("etag").unwrap(), first.header("last-modified").unwrap());
    let later = date::format(crate::model::Timestamp::from_millis(4_000_000_000_000));
    for headers in [
        format!("If-None-Match: {etag}\r\n"),
        format!("If-None-Match: W/{etag}\r\n"),
        format!("If-None-Match: \"a\", W/\"b,c\" , {etag}\r\n"),
        format!("If-None-Match: \"a\"\r\nIf-None-Match: {etag}\r\n"),
        "If-None-Match: *\r\n".to_owned(),
        format!("If-Modified-Since: {modified}\r\n"),
        format!("If-Modified-Since: {later}\r\n"),
        format!("If-None-Match: {etag}\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
    ] {
        let answer = house.get("/tencent/atom.xml", &headers).await;
        assert_eq!((answer.status, answer.body.len()), (304, 0), "{headers}");
        assert_eq!(answer.header("etag"), Some(etag));
        assert!(answer.header("content-type").is_none());
        assert!(answer.header("cache-control").is_some());
    }
    for headers in [
        "If-None-Match: \"a\"\r\n".to_owned(),
        "If-None-Match: \r\n".to_owned(),
        format!("If-None-Match: \"a\"\r\nIf-Modified-Since: {later}\r\n"),
        "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(),
        "If-Modified-Since: yesterday\r\n".to_owned(),
    ] {
        assert_eq!(house.get("/tencent/atom.xml", &headers).await.status, 200, "{headers}");
    }
}

#[tokio::test]
async fn a_replaced_file_has_another_etag_and_a_touched_one_the_same() {
    let house = House::new().await;
    let first = house.get("/tencent/atom.xml", "").await;
    house.file("tencent/atom.xml", "<feed/>");
    assert_eq!(house.get("/tencent/atom.xml", "").await.header("etag"), first.header("etag"));
    house.file("tencent/atom.xml", "<FEED/>");
    let changed = house.get("/tencent/atom.xml", "").await;
    assert_ne!(changed.header("etag"), first.header("etag"));
    assert_eq!(changed.body, b"<FEED/>");
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let house = House::new().await;
    for path in ["/tencent/atom.xml", "/none"] {
        let (get, head) = (house.get(path, "").await, house.send("HEAD", path, "").await);
        assert_eq!((head.status, head.body.len()), (get.status, 0));
        let without_date = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.retain(|(name, _)| name != "date");
            headers
        };
        assert_eq!(without_date(&head), without_date(&get));
        assert_eq!(head.header("content-length").unwrap(), get.body.len().to_string());
    }
}

#[tokio::test]
async fn only_get_and_head_are_answered() {
    let house = House::new().await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let answer = house.send(method, "/tencent/atom.xml", "").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
    }
}

#[tokio::test]
async fn every_status_has_the_security_headers() {
    let house = House::with(Limits { head: Duration::from_millis(200), ..LIMITS }).await;
    let etag = house.get("/", "").await.header("etag").unwrap().to_owned();
    for (method, path, headers, status) in [
        ("GET", "/", String::new(), 200),
        ("GET", "/", format!("If-None-Match: {etag}\r\n"), 304),
        ("GET", "/tencent", String::new(), 301),
        ("GET", "/", "Host: b\r\n".to_owned(), 400),
        // What the library answers by itself, and nobody.
        ("GET", "/<script>", String::new(), 400),
        ("GET", "/", "script\r\n".to_owned(), 400),
        ("G<script>T", "/", String::new(), 400),
        ("GET", &format!("/{}", "script".repeat(HEAD_SIZE)), String::new(), 431),
        ("GET", "/", format!("X: {}\r\n", "script".repeat(HEAD_SIZE)), 431),
        ("GET", "/%3Cscript%3E", String::new(), 404),
        ("POST", "/", String::new(), 405),
        ("GET", "/", "Content-Length: 1\r\n".to_owned(), 413),
        ("GET", "/health", String::new(), 503),
    ] {
        let answer = house.send(method, path, &headers).await;
        assert_eq!(answer.status, status, "{method} {path:.20} {headers:.20}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("script"));
        answer.is_secure();
    }
    let mut stream = house.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    let answer = Answer::read(&bytes);
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    answer.is_secure();
}

#[tokio::test]
async fn the_librarys_own_answer_is_secure_behind_ours_too() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    stream.write_all(b"GET /tencent/atom.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (mut bytes, mut read) = (vec![0; 1 << 16], 0);
    while !bytes[..read].ends_with(b"<feed/>") {
        read += stream.read(&mut bytes[read..]).await.unwrap();
    }
    stream.write_all(b"GET / HTTP/9.9\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    let answer = Answer::read(&rest);
    assert_eq!(answer.status, 400);
    answer.is_secure();
}

#[tokio::test]
async fn a_request_with_a_body_is_refused_and_its_connection_closed() {
    let house = House::new().await;
    for head in ["Content-Length: 1000000000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        for (method, status) in [("GET", 413), ("POST", 405)] {
            let mut stream = house.connect().await;
            let request = format!("{method} / HTTP/1.1\r\nHost: a\r\n{head}\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            let answer = Answer::read(&bytes);
            assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{head}");
        }
    }
}

/// Asks until a form is made.
async fn in_form(house: &House, path: &str, form: &str) -> Answer {
    loop {
        let answer = house.get(path, &format!("Accept-Encoding: {form}\r\n")).await;
        assert_eq!(answer.status, 200);
        if answer.header("content-encoding") == Some(form) {
            return answer;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn unpacked(answer: &Answer) -> Vec<u8> {
    use std::io::Read;
    let mut plain = Vec::new();
    match answer.header("content-encoding") {
        Some("gzip") => flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).unwrap(),
        Some("br") => brotli::Decompressor::new(&answer.body[..], 4096).read_to_end(&mut plain).unwrap(),
        _ => Read::read_to_end(&mut answer.body.as_slice(), &mut plain).unwrap(),
    };
    plain
}

#[tokio::test]
async fn every_form_has_its_own_tag_and_the_same_bytes_inside() {
    let house = House::new().await;
    let text = "<entry>one</entry>".repeat(2000);
    house.file("tencent/atom.xml", &text);
    let mut tags = Vec::new();
    for form in ["gzip", "br"] {
        let answer = in_form(&house, "/tencent/atom.xml", form).await;
        assert!(answer.body.len() < text.len() / 10 && unpacked(&answer) == text.as_bytes());
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(answer.header("content-length").unwrap(), answer.body.len().to_string());
        let head = house.send("HEAD", "/tencent/atom.xml", &format!("Accept-Encoding: {form}\r\n")).await;
        let without_date =
            |answer: &Answer| answer.headers.iter().filter(|(name, _)| name != "date").cloned().collect::<Vec<_>>();
        assert_eq!(without_date(&head), without_date(&answer));
        tags.push(answer.header("etag").unwrap().to_owned());
    }
    let plain = house.get("/tencent/atom.xml", "").await;
    assert_eq!((plain.header("content-encoding"), &plain.body[..]), (None, text.as_bytes()));
    let base = plain.header("etag").unwrap().trim_matches('"').to_owned();
    assert_eq!(tags, [format!("\"{base}-gzip\""), format!("\"{base}-br\"")]);
    tags.push(format!("\"{base}\""));
    for tag in &tags {
        let same = format!("Accept-Encoding: gzip, br\r\nIf-None-Match: {tag}\r\n");
        let answer = house.get("/tencent/atom.xml", &same).await;
        assert_eq!((answer.status, answer.header("etag")), (304, Some(tag.as_str())));
        assert_eq!(answer.header("vary"), Some("Accept, Accept-Encoding"));
        assert_eq!(answer.header("content-encoding"), None);
    }
    // What the client cannot read it does not have.
    let plain = house.get("/tencent/atom.xml", &format!("If-None-Match: {}\r\n", tags[0])).await;
    assert_eq!(plain.status, 200);
    house.file("tencent/atom.xml", text.replace("one", "two"));
    let changed = in_form(&house, "/tencent/atom.xml", "gzip").await;
    assert!(unpacked(&changed) == text.replace("one", "two").as_bytes());
    let same = format!("Accept-Encoding: gzip, br\r\nIf-None-Match: {}\r\n", tags.join(", "));
    assert_eq!(house.get("/tencent/atom.xml", &same).await.status, 200);
}

#[tokio::test]
async fn what_gains_nothing_is_not_packed() {
    let house = House::new().await;
    house.file("a.png", vec![b'a'; 10_000]);
    house.file("small.xml", vec![b'a'; 500]);
    for path in ["/a.png", "/small.xml", "/health"] {
        let answer = house.get(path, "Accept-Encoding: gzip, br\r\n").await;
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (None, None), "{path}");
    }
}

#[tokio::test]
async fn pages_come_before_files_and_are_asked_for_each_time() {
    let house = House::new().await;
    house.file("status", "a file");
    let answer = in_form(&house, "/status", "gzip").await;
    assert_eq!(unpacked(&answer), "<p>feed</p>".repeat(500).as_bytes());
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("last-modified"), None);
    let same = format!("Accept-Encoding: gzip\r\nIf-None-Match: {}\r\n", answer.header("etag").unwrap());
    assert_eq!(house.get("/status?a", &same).await.status, 304);
    let health = house.get("/health", "If-None-Match: *\r\n").await;
    assert_eq!((health.status, health.header("etag"), health.body.len()), (503, None, 20));
    let browser = house.get("/alarms.atom", "Accept: text/html\r\n").await;
    assert_eq!(browser.header("content-type"), Some("application/xml; charset=utf-8"));
    assert_eq!(house.send("HEAD", "/health", "").await.header("content-length"), Some("20"));
}

#[tokio::test]
async fn pages_alone_are_served_without_a_folder() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut house = House::new().await;
    house.at = listener.local_addr().unwrap();
    let server = tokio::spawn(run_pages(listener, Fake, std::future::pending()));
    assert_eq!(house.get("/status", "").await.status, 200);
    assert_eq!(house.get("/", "").await.status, 404);
    server.abort();
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let house = House::new().await;
    std::fs::write(house.folder.path().join("secret"), "secret").unwrap();
    house.file("tencent/.draft.xml", "secret");
    let link = |target: &Path, name: &str| std::os::unix::fs::symlink(target, house.path(name)).unwrap();
    link(&house.folder.path().join("secret"), "link.xml");
    link(house.folder.path(), "up");
    link(Path::new("tencent"), "also");
    link(Path::new("tencent/atom.xml"), "atom.xml");
    assert!(std::process::Command::new("mkfifo").arg(house.path("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(house.path("socket")).unwrap();
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/tencent/../../secret",
        "/tencent/.draft.xml",
        "/link.xml",
        "/up/secret",
        "/up/",
        "/also/atom.xml",
        "/also",
        "/atom.xml",
        "/fifo",
        "/socket",
        "/tencent/atom.xml/",
        "/tencent/atom.xml/x",
        "/none",
        "/none/",
        "//",
        "/tencent//atom.xml",
        "/a%00b",
        "/\\secret",
        &format!("/{}", "a".repeat(300)),
    ] {
        let answer = house.get(path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, b"there is nothing here\n");
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_404() {
    let house = House::new().await;
    std::fs::remove_dir_all(house.path("")).unwrap();
    assert_eq!(house.get("/", "").await.status, 404);
}

#[tokio::test]
async fn a_file_replaced_while_it_is_read_stays_whole() {
    let house = House::new().await;
    let (old, new) = (vec![b'o'; 20 << 20], vec![b'n'; 20 << 20]);
    house.file("big.xml", &old);
    let mut stream = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut bytes = vec![0; 1 << 16];
    stream.read_exact(&mut bytes).await.unwrap();
    house.file("big.xml", &new);
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(Answer::read(&bytes).body == old);
    assert!(house.get("/big.xml", "").await.body == new);
}
