//! The server over loopback.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

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
            serve(listener, root, stop, limits).await;
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
    let house = House::new().await;
    let etag = house.get("/", "").await.header("etag").unwrap().to_owned();
    for (method, path, headers, status) in [
        ("GET", "/", String::new(), 200),
        ("GET", "/", format!("If-None-Match: {etag}\r\n"), 304),
        ("GET", "/tencent", String::new(), 301),
        ("GET", "/<script>", String::new(), 400),
        ("GET", "/%3Cscript%3E", String::new(), 404),
        ("POST", "/", String::new(), 405),
    ] {
        let answer = house.send(method, path, &headers).await;
        assert_eq!(answer.status, status);
        assert!(!String::from_utf8_lossy(&answer.body).contains("script"));
        if status == 400 {
            // hyper's own, without a body.
            assert!(answer.body.is_empty());
            continue;
        }
        for (name, value) in SECURITY {
            assert_eq!(answer.header(name.as_str()), value.to_str().ok(), "{status}");
        }
    }
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

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let house = House::new().await;
    let mut stream = house.connect().await;
    let mut bytes = vec![0; 1 << 16];
    for _ in 0..3 {
        stream.write_all(b"GET /tencent/atom.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut read = 0;
        while !bytes[..read].ends_with(b"<feed/>") {
            let n = stream.read(&mut bytes[read..]).await.unwrap();
            assert_ne!(n, 0);
            read += n;
        }
        assert_eq!(Answer::read(&bytes[..read]).status, 200);
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let house = House::new().await;
    let answer = house.get("/", &format!("X: {}\r\n", "a".repeat(HEAD_SIZE + 1))).await;
    assert_eq!(answer.status, 431);
    let answer = house.get("/", &"X: a\r\n".repeat(200)).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let house = House::with(Limits { head: Duration::from_millis(200), ..LIMITS }).await;
    let mut stream = house.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n").await.unwrap();
    let dripping = async {
        // Each line comes in time; all of them do not.
        while stream.write_all(b"X: a\r\n").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LIMITS.head / 2, dripping).await.expect("an end");
}

#[tokio::test]
async fn idle_and_stuck_connections_are_closed() {
    let house = House::with(Limits { idle: Duration::from_millis(100), ..LIMITS }).await;
    house.file("big.xml", vec![b'x'; 20 << 20]);
    let mut idle = house.connect().await;
    let mut stuck = house.connect().await;
    stuck.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    timeout(LIMITS.idle / 2, idle.read_to_end(&mut bytes)).await.expect("an end").unwrap();
    assert!(bytes.is_empty());
    // It took nothing while the other waited; what the system had buffered is all it gets.
    sleep(Duration::from_millis(500)).await;
    let _ = timeout(LIMITS.idle / 2, stuck.read_to_end(&mut bytes)).await.expect("an end");
    assert!(bytes.len() < 20 << 20);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let house = House::with(Limits { connections: 2, ..LIMITS }).await;
    let first = house.connect().await;
    let _second = house.connect().await;
    assert!(timeout(Duration::from_millis(200), house.get("/", "")).await.is_err());
    drop(first);
    assert_eq!(house.get("/", "").await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_answers_finish_and_no_more_begin() {
    let mut house = House::new().await;
    let text = vec![b'x'; 20 << 20];
    house.file("big.xml", &text);
    let mut stream = house.connect().await;
    let _idle = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut bytes = vec![0; 1 << 10];
    stream.read_exact(&mut bytes).await.unwrap();
    house.stop.take().unwrap().send(()).unwrap();
    stream.read_to_end(&mut bytes).await.unwrap();
    assert!(Answer::read(&bytes).body == text);
    house.server.await.unwrap();
    assert!(TcpStream::connect(house.at).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut house = House::with(Limits { stop: Duration::from_millis(100), ..LIMITS }).await;
    house.file("big.xml", vec![b'x'; 20 << 20]);
    let mut stream = house.connect().await;
    stream.write_all(b"GET /big.xml HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    house.stop.take().unwrap().send(()).unwrap();
    timeout(LIMITS.stop / 2, house.server).await.expect("an end").unwrap();
}
