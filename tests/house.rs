//! The harness: a temporary folder, a config, a local feed server, the real binary.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

/// What the server answers under a path.
#[derive(Clone, Debug)]
pub struct Page {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Page {
    /// A document, with an `ETag` made of its bytes.
    pub fn of(body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        let etag = feedmill::model::Fingerprint::of(&String::from_utf8_lossy(&body)).hex();
        Self { status: 200, headers: vec![("ETag".into(), format!("\"{etag}\""))], body }
    }
}

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Request {
    /// `host/path`, as the request named them.
    pub to: String,
    pub headers: BTreeMap<String, String>,
}

/// A house to live in for one test.
pub struct House {
    folder: tempfile::TempDir,
    server: Server,
}

/// What makes a page each time it is asked for.
type Press = Arc<dyn Fn() -> Page + Send + Sync>;

struct Server {
    address: String,
    pages: Arc<Mutex<HashMap<String, Press>>>,
    log: Arc<Mutex<Vec<Request>>>,
}

/// What a run of the program did.
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl House {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("temporary folder"), server: Server::start() }
    }

    /// Writes `config.yaml`: site, fetch and storage with test values, then the given feeds and
    /// topics. `{server}` stands for the server's address.
    pub fn config(&self, rest: &str) -> &Self {
        let server = &self.server.address;
        let text = format!(
            "site: {{ title: Test, url: 'https://news.example.org/' }}\n\
             fetch: {{ allow: ['{server}'], min_interval: 0s, host_delay: 0s }}\n{}\n",
            rest.replace("{server}", &format!("http://{server}"))
        );
        self.write("config.yaml", text.as_bytes())
    }

    /// Writes a file below the house.
    pub fn write(&self, path: &str, bytes: &[u8]) -> &Self {
        write(&self.path(path), bytes);
        self
    }

    /// Serves a document under a path, with an `ETag` made of its bytes.
    pub fn serves(&self, path: &str, body: impl AsRef<[u8]>) -> &Self {
        self.serves_page(path, Page::of(body))
    }

    pub fn serves_page(&self, path: &str, page: Page) -> &Self {
        self.serves_fresh(path, move || page.clone())
    }

    /// Serves under a path what is made when somebody asks.
    pub fn serves_fresh(&self, path: &str, make: impl Fn() -> Page + Send + Sync + 'static) -> &Self {
        self.server.pages.lock().expect("pages").insert(path.to_owned(), Arc::new(make));
        self
    }

    /// Host and port of the server.
    pub fn server(&self) -> &str {
        &self.server.address
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.server.log.lock().expect("log").clone()
    }

    /// Runs the program with this house's config.
    pub fn run<const N: usize>(&self, args: [&str; N]) -> Run {
        Run::of(&self.command().args(args).output().expect("the program runs"))
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
        command.current_dir(self.folder.path()).env_remove("FEEDMILL_CONFIG").args(["--config", "config.yaml"]);
        command
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Texts of all posts, by path below the archive.
    pub fn posts(&self) -> BTreeMap<String, String> {
        let root = self.path("data/archive");
        // A running program has files whose names begin with a dot, until they are written.
        let is_whole = |path: &PathBuf| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        files(&root.join("_posts"))
            .into_iter()
            .filter(is_whole)
            .map(|path| {
                let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
                (name, fs::read_to_string(&path).expect("post"))
            })
            .collect()
    }

    /// All lines of the ledger.
    pub fn ledger(&self) -> Vec<serde_json::Value> {
        ledger(&self.path("data/archive"))
    }

    /// Bytes and times of every file and folder of `data` outside the index.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, (Option<String>, SystemTime)> {
        let mut found = BTreeMap::new();
        snapshot(&self.path("data"), &mut found);
        found.retain(|path, _| !path.starts_with(self.path("data/index")));
        found.remove(&self.path("data"));
        found
    }
}

fn snapshot(path: &Path, found: &mut BTreeMap<PathBuf, (Option<String>, SystemTime)>) {
    let facts = fs::metadata(path).expect("metadata");
    let bytes = facts.is_file().then(|| String::from_utf8_lossy(&fs::read(path).expect("bytes")).into_owned());
    found.insert(path.to_owned(), (bytes, facts.modified().expect("time")));
    if facts.is_dir() {
        for entry in fs::read_dir(path).expect("folder") {
            snapshot(&entry.expect("entry").path(), found);
        }
    }
}

/// All lines of an archive's ledger.
pub fn ledger(archive: &Path) -> Vec<serde_json::Value> {
    let mut files = files(&archive.join("_ledger"));
    files.retain(|f| f.extension().is_some_and(|e| e == "jsonl") && !f.ends_with("sources.jsonl"));
    let texts = files.iter().map(|f| fs::read_to_string(f).expect("ledger"));
    texts.flat_map(|text| text.lines().map(|l| serde_json::from_str(l).expect("json")).collect::<Vec<_>>()).collect()
}

/// All files below a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

impl Run {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn success(self) -> Self {
        self.code(0)
    }

    /// The summary's part after the time.
    #[track_caller]
    pub fn summary(self, wanted: &str) -> Self {
        let last = self.stdout.lines().last().unwrap_or_default();
        let got = last.split_once(" s: ").map_or(last, |(_, rest)| rest);
        assert_eq!(got, wanted, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Standard error, line by line.
    #[track_caller]
    pub fn says(self, wanted: &[&str]) -> Self {
        assert_eq!(self.stderr.lines().collect::<Vec<_>>(), wanted);
        self
    }
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address").to_string();
        let server = Self { address, pages: Arc::default(), log: Arc::default() };
        let (pages, log) = (Arc::clone(&server.pages), Arc::clone(&server.log));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (pages, log) = (Arc::clone(&pages), Arc::clone(&log));
                std::thread::spawn(move || while answer(&stream, &pages, &log).is_some() {});
            }
        });
        server
    }
}

fn answer(stream: &TcpStream, pages: &Mutex<HashMap<String, Press>>, log: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    log.lock().ok()?.push(Request { to: format!("{}{path}", headers.get("host")?), headers: headers.clone() });
    let press = pages.lock().ok()?.get(&path).cloned();
    let page = match press {
        Some(press) => press(),
        None => Page { status: 404, headers: vec![], body: b"nothing here".to_vec() },
    };
    let etag = page.headers.iter().find(|(name, _)| name == "ETag").map(|(_, value)| value);
    let same = etag.is_some() && headers.get("if-none-match") == etag;
    let (status, body) = if same { (304, &[][..]) } else { (page.status, &page.body[..]) };
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in &page.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body).ok()
}

/// Writes a file, and makes the folders above it.
pub fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("parent")).expect("folder");
    let mut file = fs::File::create(path).expect("file");
    file.write_all(bytes).expect("written");
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).map(|_| ()).expect("copied");
        }
    }
}

/// An RSS 2.0 document around items.
pub fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\" \
         xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>Feed</title>\
         <link>https://example.org/</link><description>d</description>{items}</channel></rss>"
    )
}

/// An RSS item.
pub fn item(title: &str, link: &str, guid: &str, date: &str, body: &str) -> String {
    let guid = if guid.is_empty() { String::new() } else { format!("<guid isPermaLink=\"false\">{guid}</guid>") };
    format!(
        "<item><title>{title}</title><link>{link}</link>{guid}<pubDate>{date}</pubDate>\
         <content:encoded><![CDATA[{body}]]></content:encoded></item>"
    )
}

pub const DATE: &str = "Wed, 28 Jul 2021 11:01:00 GMT";

/// Asks RFC 4287's schema; says so where neither schema nor jing is here.
pub fn assert_valid_atom(path: &str) {
    let schema = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/atom.rnc");
    if !schema.is_file() {
        println!("skipped: the schema ../shared/tools/atom.rnc is not here");
        return;
    }
    let jing = std::process::Command::new("jing").arg("-c").arg(schema).arg(path).output();
    let Ok(found) = jing else {
        println!("skipped: jing is not here");
        return;
    };
    assert!(found.status.success(), "{path}: {}", String::from_utf8_lossy(&found.stdout));
}

/// Reads a page as XML, which is stricter: what HTML leaves open is closed first.
pub fn assert_well_formed(page: &str) {
    let lines =
        page.lines().filter(|line| !["<!DOCTYPE", "<meta", "<link"].iter().any(|start| line.starts_with(start)));
    let strict = lines.collect::<Vec<_>>().join("\n");
    roxmltree::Document::parse(&strict).unwrap_or_else(|error| panic!("{error}: {page}"));
}
