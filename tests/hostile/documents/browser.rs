//! Every page that was built or published, and every body as readers show it, opened in a real browser.
//!
//! `harness.html` does the looking. What runs asks the house's server for `/pwned`, and so does the harness for everything
//! that could run. Pages that do harm on purpose show that both are seen.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::jekyll::Built;
use super::rules;
use crate::house::{House, Page};

/// What runs, as a page of the harness and as what it is known by; each has to be reported.
const CONTROLS: [(&str, &str, &str); 9] = [
    ("script", "html", "<script>PWN</script>"),
    ("handler", "html", "<img src=x onerror=PWN>"),
    ("event", "html", "<p onmouseover=PWN>a</p>"),
    (
        "policy",
        "html",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'\"><script>PWN</script>",
    ),
    ("address", "html", "<a href=\"java&Tab;script:x\">a</a>"),
    ("style", "html", "<p style=\"background:url(/pwned?control-style)\">a</p>"),
    ("escape", "html", "<section><p>a</section></section><b>x</b><hr data-end>"),
    (
        "xml",
        "xml",
        "<feed xmlns='http://www.w3.org/2005/Atom'><h:script xmlns:h='http://www.w3.org/1999/xhtml'>PWN</h:script></feed>",
    ),
    ("torn", "xml", "<feed><title></feed>"),
];

/// Runs only when a text is written and read again.
const AGAIN: &str = "<svg></p><style><a id=\"</style><img src=1 onerror=fetch('/pwned?control-again')>\">";

/// A browser that is ended when it is no longer needed.
struct Browser(Child);

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Browser {
    /// Opens an address; no name leads anywhere, so nothing leaves the machine.
    fn open(house: &House, address: &str) -> Self {
        let profile = house.path("profile");
        let browser = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
            .args([
                "--disable-extensions",
                "--disable-sync",
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args(["--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(browser.expect("chromium runs"))
    }
}

/// What the harness opens: pages by name and address, and bodies by name.
struct Shown<'h> {
    house: &'h House,
    pages: Vec<Value>,
    bodies: Vec<Value>,
}

impl Shown<'_> {
    /// A page without the policy that would hide what is wrong with it.
    fn page(&mut self, name: &str, extension: &str, text: &str) {
        let path = format!("/page/{}.{extension}", self.pages.len());
        let text = text.replace("http-equiv=\"Content-Security-Policy\"", "data-policy");
        self.house.serves_page(&path, answer(extension, text));
        self.pages.push(json!([name, path]));
    }

    /// What a reader makes of a topic's feeds: texts in sections, one below the other. In RSS some take everything for HTML.
    fn reader(&mut self, topic: &str) {
        let mut page = "<!DOCTYPE html><meta charset=\"utf-8\"><title>Reader</title><body>".to_owned();
        let mut show = |html: &str| {
            for part in ["<section>", html, "</section><hr data-end>"] {
                page.push_str(part);
            }
        };
        let feed: Value =
            serde_json::from_str(&self.house.read(&format!("data/public/{topic}/feed.json"))).expect("JSON");
        for item in feed["items"].as_array().expect("items") {
            let body = item["content_html"].as_str().unwrap_or_default();
            show(body);
            self.bodies.push(json!([item["tags"][0], body]));
        }
        for (file, names) in [("atom.xml", &["content"][..]), ("rss.xml", &RSS)] {
            let text = self.house.read(&format!("data/public/{topic}/{file}"));
            let document = roxmltree::Document::parse(&text).expect("XML");
            let texts = document.descendants().filter(|node| names.contains(&node.tag_name().name()));
            texts.filter_map(|node| node.text()).for_each(&mut show);
        }
        self.page(&format!("{topic} in a reader"), "html", &page);
    }
}

/// What readers of RSS show.
const RSS: [&str; 6] = ["encoded", "description", "title", "creator", "category", "source"];

fn answer(extension: &str, body: String) -> Page {
    let kind = match extension {
        "html" => "text/html; charset=utf-8",
        "json" => "application/json",
        _ => "text/xml",
    };
    Page { status: 200, headers: vec![("Content-Type".to_owned(), kind.to_owned())], body: body.into_bytes() }
}

/// Opens all pages of a house and these ones, where a browser is installed.
#[track_caller]
pub fn nothing_runs(house: &House, built: Vec<Built>) {
    if !Command::new("chromium").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: `chromium` is not installed");
        return;
    }
    let mut shown = Shown { house, pages: Vec::new(), bodies: Vec::new() };
    for path in rules::places(house).iter().filter(|path| path.starts_with("data/public/")) {
        if let Some((_, extension @ ("html" | "xml"))) = path.rsplit_once('.') {
            shown.page(path, extension, &house.read(path));
        }
        if let Some(topic) = path.strip_prefix("data/public/").and_then(|path| path.strip_suffix("/feed.json")) {
            // Each entry is in the topic of its group.
            if topic != "all" {
                shown.reader(topic);
            }
        }
    }
    for (name, file) in built {
        shown.page(&name, "html", &fs::read_to_string(file).expect("page"));
    }
    for (name, extension, text) in CONTROLS {
        let text = text.replace("PWN", &format!("fetch('/pwned?control-{name}-ran')"));
        shown.page(&format!("control-{name}"), extension, &text);
    }
    shown.bodies.push(json!(["control-again", AGAIN]));
    let (pages, bodies) = (shown.pages, shown.bodies);
    house.serves_page("/pages.json", answer("json", json!(pages).to_string()));
    house.serves_page("/bodies.json", answer("json", json!(bodies).to_string()));
    house.serves_page("/harness.html", answer("html", include_str!("harness.html").to_owned()));

    let before = house.requests().len();
    let browser = Browser::open(house, &format!("http://{}/harness.html", house.server()));
    let asked = wait(house, before);
    drop(browser);

    assert!(asked.contains(&format!("/done?{}+{}", pages.len(), bodies.len())), "{:?}", asked.last());
    let told: Vec<&String> = asked.iter().filter(|path| path.starts_with("/pwned")).collect();
    let (controls, harm): (Vec<_>, Vec<_>) = told.into_iter().partition(|path| path.starts_with("/pwned?control-"));
    for (name, _, text) in CONTROLS {
        let ran = if text.contains("PWN") { "-ran" } else { "" };
        let wanted = format!("/pwned?control-{name}{ran}");
        assert!(
            controls.iter().any(|path| path.starts_with(&wanted)),
            "the harness does not see {name}: {controls:#?}"
        );
    }
    assert!(controls.iter().any(|path| *path == "/pwned?control-again"), "{controls:#?}");
    assert!(harm.is_empty(), "{harm:#?}");
    println!("nothing runs in {} pages and {} bodies", pages.len() - CONTROLS.len(), bodies.len() - 1);
}

/// What was asked for, from a request on, until the harness is done.
fn wait(house: &House, from: usize) -> Vec<String> {
    let start = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let asked: Vec<String> =
            house.requests().split_off(from).into_iter().map(|request| path(&request.to)).collect();
        let is_done = asked.iter().any(|path| path.starts_with("/done") || path.starts_with("/failed"));
        if is_done || start.elapsed() > Duration::from_mins(5) {
            return asked;
        }
    }
}

/// A request's path and query without its host, with what the browser escaped as it was.
fn path(request: &str) -> String {
    let path = request.find('/').map_or("", |at| &request[at..]);
    let Some((path, query)) = path.split_once('?') else { return path.to_owned() };
    // Only what is no form is to be undone.
    let query = query.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    let query: String = url::form_urlencoded::parse(query.as_bytes()).map(|(text, _)| text.into_owned()).collect();
    format!("{path}?{query}")
}
