//! Hubs are named in feeds and told of changes; a heartbeat says that a round went well.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use feedmill::config::{self, Config, Source};
use feedmill::fetch::{Hook, Limits, MinRate};
use feedmill::hubs::Hubs;
use feedmill::model::Format;
use tokio::task::JoinHandle;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use url::Url;

use crate::house::{DATE, House, files, item, rss};
use crate::world::World;

/// A server that keeps every request whole, and answers each with the next of some statuses, else with 204.
struct Listener {
    url: String,
    heard: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

impl Listener {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let url = format!("http://{}/hub", listener.local_addr().expect("address"));
        let (heard, answers) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<VecDeque<u16>>>::default());
        let (log, next) = (Arc::clone(&heard), Arc::clone(&answers));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let request = read_request(&stream);
                let status = next.lock().expect("answers").pop_front().unwrap_or(204);
                // A hub asks a subscriber to repeat a word.
                let challenge = request.split("hub.challenge=").nth(1).and_then(|rest| rest.split(['&', ' ']).next());
                let (status, body) = challenge.map_or((status, ""), |word| (200, word));
                log.lock().expect("log").push(request.clone());
                let length = if status == 204 { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
                let place = "Location: http://127.0.0.1:9/elsewhere\r\n";
                let answer = format!("HTTP/1.1 {status} X\r\n{length}{place}Connection: close\r\n\r\n{body}");
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { url, heard, answers }
    }

    fn answers(&self, statuses: &[u16]) {
        self.answers.lock().expect("answers").extend(statuses);
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("log").clone()
    }

    /// Waits until it was asked so often; who never asks fails the test after a minute.
    async fn hears(&self, times: usize) -> Vec<String> {
        eventually(|| (self.heard().len() >= times).then(|| self.heard())).await
    }

    /// The addresses that it was told of.
    fn told(&self) -> Vec<String> {
        let field = |request: String, name: &str| {
            let body = request.split("\r\n\r\n").nth(1).expect("a body").to_owned();
            url::form_urlencoded::parse(body.as_bytes())
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        self.heard().into_iter().map(|request| field(request, "hub.url").expect("hub.url")).collect()
    }
}

fn read_request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return request;
        }
    }
    let head = request.to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).expect("body");
    request + &String::from_utf8_lossy(&body)
}

async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within a minute");
}

/// Sentences that the operator is told.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Said {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Message(String);
        impl tracing::field::Visit for Message {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{}{value:?}", if field.name() == "message" { "" } else { " " });
            }
        }
        if *event.metadata().level() <= tracing::Level::INFO && event.metadata().target().starts_with("feedmill") {
            let mut message = Message(format!("{}: ", event.metadata().level()));
            event.record(&mut message);
            self.0.lock().expect("said").push(message.0);
        }
    }
}

impl Said {
    /// Listens in this thread until the guard goes.
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let said = Self::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(said.clone()));
        (said, guard)
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("said").clone()
    }
}

fn config(server: &str) -> Config {
    let text = format!("site: {{ url: 'https://news.example.org/' }}\nserver: {{ {server} }}\n");
    let env = |name: &str| (name == "KEY").then(|| "geheim".to_owned());
    config::read(&[Source { name: "c.yaml", text: &text }], &env).expect("config")
}

fn hook() -> Hook {
    let limits = Limits {
        per_host: 1,
        host_delay: Duration::ZERO,
        timeout: Duration::from_secs(30),
        first_byte: Duration::from_secs(15),
        min_rate: MinRate::per_second(0),
        max_body: 1 << 20,
        user_agent: "feedmill/test".into(),
        allow: vec![],
        proxy: None,
        ca_file: None,
    };
    Hook::new(&limits).expect("client")
}

struct Running {
    hubs: Arc<Hubs>,
    stop: Arc<tokio::sync::Notify>,
    task: JoinHandle<()>,
}

fn run(server: &str, waits: [Duration; 4]) -> Running {
    let hubs = Arc::new(Hubs::new(&config(server).server, hook()).with_waits(waits));
    let stop = Arc::new(tokio::sync::Notify::new());
    let (running, end) = (Arc::clone(&hubs), Arc::clone(&stop));
    let task = tokio::spawn(async move { running.run(end.notified()).await });
    Running { hubs, stop, task }
}

const AT_ONCE: [Duration; 4] = [Duration::from_millis(1); 4];
const NEVER: [Duration; 4] = [Duration::from_hours(1); 4];

fn feed(name: &str) -> Url {
    Url::parse(&format!("https://news.example.org/t/{name}")).expect("address")
}

#[tokio::test]
async fn every_hub_is_told_of_every_changed_feed() {
    let (one, two) = (Listener::start(), Listener::start());
    let running = run(&format!("hubs: ['{}', '{}?a=b']", one.url, two.url), NEVER);
    running.hubs.changed(&[feed("atom.xml"), feed("feed.json")]);
    let heard = one.hears(2).await;
    two.hears(2).await;
    assert_eq!(one.told(), ["https://news.example.org/t/atom.xml", "https://news.example.org/t/feed.json"]);
    assert_eq!(two.told(), one.told());
    assert!(two.heard()[0].starts_with("POST /hub?a=b HTTP/1.1\r\n"));
    let (top, body) = heard[0].split_once("\r\n\r\n").expect("a body");
    let top = top.to_ascii_lowercase();
    assert!(top.contains("\r\nuser-agent: feedmill/test"), "{top}");
    assert!(top.contains("\r\ncontent-type: application/x-www-form-urlencoded"), "{top}");
    let address = "https%3A%2F%2Fnews.example.org%2Ft%2Fatom.xml";
    assert_eq!(body, format!("hub.mode=publish&hub.url={address}&hub.topic={address}"));
    eventually(|| running.hubs.untold().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_hub_in_trouble_is_asked_again_and_told_once_of_what_changed_often() {
    let hub = Listener::start();
    hub.answers(&[503, 429, 500, 408]);
    let (said, _guard) = Said::listen();
    let running = run(&format!("hubs: ['{}']", hub.url), AT_ONCE);
    running.hubs.changed(&[feed("atom.xml"), feed("atom.xml")]);
    hub.hears(5).await;
    eventually(|| running.hubs.untold().is_empty().then_some(())).await;
    assert_eq!(hub.told(), vec!["https://news.example.org/t/atom.xml"; 5]);
    assert_eq!(said.all(), Vec::<String>::new(), "what passes is nobody's worry");

    // While it waits for the next try, further changes join it.
    let hub = Listener::start();
    hub.answers(&[503]);
    let running = run(&format!("hubs: ['{}']", hub.url), NEVER);
    running.hubs.changed(&[feed("atom.xml")]);
    hub.hears(1).await;
    for _ in 0..10 {
        running.hubs.changed(&[feed("atom.xml"), feed("rss.xml")]);
    }
    assert_eq!(running.hubs.untold(), [feed("atom.xml"), feed("rss.xml")]);
}

#[tokio::test]
async fn who_cannot_be_reached_is_given_up_with_one_sentence() {
    let hub = Listener::start();
    let (said, _guard) = Said::listen();
    let running = run(&format!("hubs: ['{}']", hub.url), AT_ONCE);
    for times in 1..=2 {
        hub.answers(&[502; 5]);
        running.hubs.changed(&[feed("atom.xml")]);
        hub.hears(5 * times).await;
        eventually(|| running.hubs.untold().is_empty().then_some(())).await;
    }
    let sentence = format!(
        "WARN: hub `{}` was not reached in 5 tries: it answered 502 Bad Gateway; its subscribers get what changed with \
         the next change",
        hub.url
    );
    assert_eq!(said.all(), std::slice::from_ref(&sentence));
    running.hubs.changed(&[feed("atom.xml")]);
    hub.hears(11).await;
    let again = format!("INFO: hub `{}` takes word again", hub.url);
    eventually(|| (said.all().len() == 2).then_some(())).await;
    assert_eq!(said.all(), [sentence, again]);
}

#[tokio::test]
async fn a_hub_that_refuses_is_not_asked_again() {
    let hub = Listener::start();
    hub.answers(&[404, 301]);
    let (said, _guard) = Said::listen();
    let running = run(&format!("hubs: ['{}']", hub.url), AT_ONCE);
    running.hubs.changed(&[feed("atom.xml")]);
    eventually(|| running.hubs.untold().is_empty().then_some(())).await;
    running.hubs.changed(&[feed("atom.xml")]);
    hub.hears(2).await;
    eventually(|| running.hubs.untold().is_empty().then_some(())).await;
    assert_eq!(hub.heard().len(), 2, "no redirect is followed");
    let sentence = "takes no word of `https://news.example.org/t/atom.xml`: it answered 404 Not Found; is it right in \
                    server.hubs?";
    assert_eq!(said.all(), [format!("WARN: hub `{}` {sentence}", hub.url)]);
}

#[tokio::test]
async fn what_waits_has_a_bound() {
    let hub = Listener::start();
    let (said, _guard) = Said::listen();
    let hubs = Hubs::new(&config(&format!("hubs: ['{}']", hub.url)).server, hook());
    let feeds: Vec<Url> = (0..100_010).map(|n| feed(&n.to_string())).collect();
    hubs.changed(&feeds);
    hubs.changed(&feeds);
    assert_eq!(hubs.untold().len(), 100_000);
    let sentence = "has 100000 feeds waiting; it will not hear of the others that changed";
    assert_eq!(said.all(), [format!("WARN: hub `{}` {sentence}", hub.url)]);
}

#[tokio::test]
async fn a_stop_waits_for_no_hub() {
    // It takes the connection, and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("port");
    let running = run(&format!("hubs: ['http://{}/']", deaf.local_addr().expect("address")), NEVER);
    running.hubs.changed(&[feed("atom.xml")]);
    let (stream, _) = tokio::task::spawn_blocking(move || deaf.accept().expect("asked")).await.expect("thread");
    running.stop.notify_one();
    running.task.await.expect("ended");
    assert_eq!(running.hubs.untold(), [feed("atom.xml")], "its successor can go on");
    drop(stream);
}

#[tokio::test]
async fn a_heartbeat_arrives_and_one_warning_tells_of_each_time_without() {
    let home = Listener::start();
    home.answers(&[200, 500, 404, 200, 503]);
    let (said, _guard) = Said::listen();
    let url = home.url.replace("/hub", "/beat/${KEY}");
    let running = run(&format!("heartbeat_url: '{url}'"), NEVER);
    for times in 1..=5 {
        running.hubs.heartbeat();
        home.hears(times).await;
    }
    assert!(home.heard().iter().all(|request| request.starts_with("GET /beat/geheim HTTP/1.1\r\n")));
    let failed = |cause: &str| format!("WARN: the heartbeat (server.heartbeat_url) does not arrive: {cause}");
    let wanted = [
        failed("it answered 500 Internal Server Error"),
        "INFO: the heartbeat (server.heartbeat_url) arrives again".to_owned(),
        failed("it answered 503 Service Unavailable"),
    ];
    eventually(|| (said.all().len() >= 3).then_some(())).await;
    assert_eq!(said.all(), wanted);
}

#[tokio::test]
async fn nothing_told_of_a_heartbeat_is_its_address() {
    let (said, _guard) = Said::listen();
    let closed = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address");
    for url in [format!("http://{closed}/${{KEY}}"), "http://geheim.invalid/${KEY}".to_owned()] {
        let before = said.all().len();
        let running = run(&format!("heartbeat_url: '{url}'"), NEVER);
        running.hubs.heartbeat();
        eventually(|| (said.all().len() > before).then_some(())).await;
    }
    let said = said.all().join("\n");
    assert!(said.contains("does not arrive: no connection: Connection refused"), "{said}");
    assert!(!said.contains("geheim") && !said.contains("127.0.0.1"), "{said}");
}

/// Each file of a topic with the hubs that it names.
fn hubs_of(house: &House) -> Vec<Vec<String>> {
    let named = |format: Format| {
        let text = house.read(&format!("data/public/t/{}", format.file()));
        if format == Format::Json {
            let feed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let hubs = feed["hubs"].as_array().cloned().unwrap_or_default();
            assert!(hubs.iter().all(|hub| hub["type"] == "WebSub"), "{text}");
            return hubs.iter().map(|hub| hub["url"].as_str().expect("url").to_owned()).collect();
        }
        let document = roxmltree::Document::parse(&text).expect("XML");
        let root = document.root_element();
        let channel = root.children().find(|node| node.has_tag_name("channel")).unwrap_or(root);
        let links = channel.children().filter(|node| node.has_tag_name(("http://www.w3.org/2005/Atom", "link")));
        let hubs = links.filter(|link| link.attribute("rel") == Some("hub"));
        hubs.map(|link| link.attribute("href").expect("href").to_owned()).collect()
    };
    Format::ALL.into_iter().map(named).collect()
}

#[test]
fn feeds_name_their_hubs_and_sealed_documents_none() {
    let house = House::new();
    let items = (0..130).fold(String::new(), |items, n| {
        items + &item(&format!("No {n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, "<p>x</p>")
    });
    house.serves("/a.xml", rss(&items));
    let settle = |server: &str| {
        house.config(&format!(
            "{server}\nfeeds: [{{ id: a, name: A, url: '{{server}}/a.xml' }}]\ntopics: [{{ id: t }}]"
        ));
        house.run(["poll"]).success();
    };
    settle("");
    assert_eq!(hubs_of(&house), vec![Vec::<String>::new(); 3]);
    let history = || {
        let sealed = files(&house.path("data/public/t/history"));
        assert_eq!(sealed.len(), 1);
        (
            house.read("data/public/t/atom.xml").contains("rel=\"prev-archive\""),
            std::fs::read(&sealed[0]).expect("sealed"),
        )
    };
    let before = history();
    assert!(before.0);
    let hubs = ["https://hub.example.org/?a=1&b=2", "https://pubsubhubbub.appspot.com/"];
    settle(&format!("server: {{ hubs: ['{}', '{}'] }}", hubs[0], hubs[1]));
    assert_eq!(hubs_of(&house), vec![hubs.to_vec(); 3]);
    assert_eq!(history(), before);
    let snapshot = house.snapshot();
    house.run(["poll"]).success();
    assert_eq!(house.snapshot(), snapshot);
    settle("");
    assert_eq!(hubs_of(&house), vec![Vec::<String>::new(); 3]);
}

#[test]
fn publishing_says_which_feeds_changed() {
    let world = World::new(
        "feeds: [{ id: f, name: F, url: 'https://feed.example.org/feed' }]\n\
         topics: [{ id: all }, { id: rust, any: [Rust], formats: [atom] }]",
    );
    let changed = |items: &str| {
        world.step(rss(items));
        world.publish().feeds.iter().map(Url::to_string).collect::<Vec<_>>()
    };
    let all = ["atom.xml", "rss.xml", "feed.json"].map(|file| format!("https://news.example.net/all/{file}"));
    let rust = "https://news.example.net/rust/atom.xml".to_owned();
    let one = item("One", "https://example.org/1", "g1", DATE, "<p>x</p>");
    let two = item("On Rust", "https://example.org/2", "g2", DATE, "<p>y</p>");
    // At first every file is new.
    assert_eq!(changed(&one), [all.as_slice(), std::slice::from_ref(&rust)].concat());
    assert_eq!(changed(&one), Vec::<String>::new());
    assert_eq!(changed(&(one.clone() + &two)), [all.as_slice(), std::slice::from_ref(&rust)].concat());
    let three = item("Three", "https://example.org/3", "g3", DATE, "<p>z</p>");
    assert_eq!(changed(&(one + &two + &three)), all);
}

struct Hub(Child);

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A hub of another maker fetches the feed and brings it to its subscriber.
#[tokio::test]
async fn a_real_hub_brings_the_change_to_its_subscribers() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tools/websub_hub.py");
    let python = Command::new("python3").arg("--version").output().is_ok_and(|done| done.status.success());
    if !script.exists() || !python {
        println!("skipped: python3 or the hub ../shared/tools/websub_hub.py is not here");
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    let process = Command::new("python3").arg(&script).arg(port.to_string()).stdout(Stdio::null()).spawn();
    let _hub = Hub(process.expect("python3"));
    eventually(|| TcpStream::connect(("127.0.0.1", port)).ok()).await;

    let house = House::new();
    house.serves("/t/atom.xml", "<feed>new</feed>");
    let topic = Url::parse(&format!("http://{}/t/atom.xml", house.server())).expect("address");
    let subscriber = Listener::start();
    let hub = Url::parse(&format!("http://127.0.0.1:{port}/hub")).expect("address");
    let form = [("hub.mode", "subscribe"), ("hub.callback", &subscriber.url), ("hub.topic", topic.as_str())];
    hook().post(&hub, &form).await.expect("the hub takes subscribers");
    subscriber.hears(1).await;
    // The hub counts a subscriber in when it has read the answer.
    let state = || reading(port).contains("\"verified\"");
    eventually(|| state().then_some(())).await;

    let running = run(&format!("hubs: ['{hub}']"), NEVER);
    running.hubs.changed(std::slice::from_ref(&topic));
    let heard = subscriber.hears(2).await;
    assert!(heard[1].ends_with("\r\n\r\n<feed>new</feed>"), "{}", heard[1]);
}

/// What the hub says of itself.
fn reading(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    stream.write_all(b"GET /state HTTP/1.0\r\n\r\n").expect("asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}
