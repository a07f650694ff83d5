use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use url::Url;

use super::{SITE, problems_of, read_all};
use crate::config::{Allow, Config, Feed, Fetch, Server, Site, Storage, includes};
use crate::model::{
    Access, Dedup, FeedId, FeedSelection, FeedSource, Format, Login, Password, Pattern, Place, Proxy, Publish,
    Revisions, Route, Secret, SecretUrl, Topic, TopicId,
};
use crate::normalize::html::Cuts;
use crate::post::Layout;
use crate::schedule::Schedule;

fn good(text: &str) -> Config {
    let text = format!("{SITE}{text}");
    read_all(&[("c.yaml", &text)]).unwrap_or_else(|problems| panic!("{text}\n{problems:?}"))
}

fn feed(id: &str, name: &str, url: &str) -> Feed {
    Feed {
        source: FeedSource {
            id: FeedId::parse(id).unwrap(),
            name: name.to_owned(),
            url: Url::parse(url).unwrap(),
            language: None,
            tags: vec![],
            dedup: Dedup::Auto,
            revisions: Revisions::Keep,
            access: Access::default(),
        },
        enabled: true,
        schedule: Schedule::parse("@hourly", Tz::UTC).unwrap(),
        cuts: Cuts::new(&[], &[]).unwrap(),
        include: vec![],
        exclude: vec![],
        encoding: None,
        max_entries: 100_000,
        publish: Publish::Full,
    }
}

fn proxy(url: &str) -> Proxy {
    Proxy::new(Url::parse(url).unwrap()).unwrap()
}

fn topic(id: &str) -> Topic {
    Topic {
        id: TopicId::parse(id).unwrap(),
        title: id.to_owned(),
        picks: true,
        feeds: FeedSelection::All,
        any: vec![],
        all: vec![],
        none: vec![],
        regex: None,
        places: vec![Place::Title, Place::Body],
        languages: vec![],
        speakers: Arc::new([]),
        includes: vec![],
        limit: 50,
        max_age: None,
        per_feed_limit: None,
        fold: false,
        formats: Format::ALL.to_vec(),
        changes: false,
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_site_is_enough() {
    let version = env!("CARGO_PKG_VERSION");
    let expected = Config {
        site: Site {
            title: "news.example.org".to_owned(),
            url: Url::parse("https://news.example.org/").unwrap(),
            author: None,
            language: None,
        },
        storage: Storage {
            archive: PathBuf::from("data/archive"),
            index: PathBuf::from("data/index"),
            public: PathBuf::from("data/public"),
            layout: Layout::Month,
            raw: true,
        },
        server: Server {
            listen: "127.0.0.1:8080".parse().unwrap(),
            socket: PathBuf::from("data/feedmill.sock"),
            metrics: None,
            hubs: vec![],
            heartbeat_url: None,
        },
        fetch: Fetch {
            concurrency: 64,
            per_host: 1,
            host_delay: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            first_byte: Duration::from_secs(15),
            min_rate: 512,
            max_body: 64 * 1024 * 1024,
            user_agent: format!("feedmill/{version} (+https://news.example.org/)"),
            proxy: None,
            ca_file: None,
            allow: vec![],
            min_interval: Duration::from_mins(15),
        },
        feeds: vec![],
        topics: vec![],
    };
    assert_eq!(good(""), expected);
    // a key without a value counts as not written
    let nothing = "storage:\nserver: ~\nfetch: { allow: , timeout: null }\nschedule:\nfeeds:\ntopics:\ninclude:\n";
    assert_eq!(good(nothing), expected);
}

pub(super) const ALL_KEYS: &str = r#"
site:
  title: 新闻汇编
  url: https://news.example.org/feeds
  author: 新闻汇编编辑部
  language: zh-Hans
storage:
  archive: /srv/archive
  index: /srv/index
  public: /srv/public
  layout: flat
  raw: none
server:
  listen: "[::1]:80"
  socket: /run/feedmill/control
  metrics: "[::1]:9464"
  hubs: [ https://hub.example.org, "http://127.0.0.1:9000/hub?x=1" ]
  heartbeat_url: "https://beat.example.org/${TOKEN}"
fetch:
  concurrency: 8
  per_host: 2
  host_delay: 250ms
  timeout: 1m30s
  first_byte: 20s
  min_rate: 2KiB/s
  max_body: 500KB
  user_agent: "{site.url} {version} bot"
  proxy: socks5h://127.0.0.1:9050
  ca_file: config/ca.pem
  allow: [ "127.0.0.1:9000", "[::1]:9000", NAS.local:8080, 192.168.7.0/24, 192.168.7.5, "fd00::/8" ]
  min_interval: 0s
schedule: "*/5 * * * *"
timezone: Asia/Shanghai
include: [config/feeds/*.yaml]
feeds:
  - id: rfa-mandarin
    name: 自由亚洲电台
    url: https://www.rfa.org/arc/outboundfeeds/mandarin/rss/
    schedule: "@daily"
    timezone: Europe/Berlin
    enabled: false
    language: zh-Hans
    tags: [新闻, 2021]
    dedup: guid
    encoding: gb18030
    include: 工人
    exclude: [广告, ad]
    headers: { X-Key: 'abc', accept-language: zh }
    username: ann
    password_file: /run/secrets/ann
    proxy: none
    mirrors: [https://mirror.example.net/rss]
    max_entries: 500
    publish: excerpt
    revisions: ignore
    remove: [p.share, ".ads"]
    remove_text: ['^\s*分享']
  - { id: blog, name: " Ein Blog ", url: "file:///srv/blog.xml#top", remove: .ads }
topics:
  - id: tencent
    title: 腾讯
    feeds: [rfa-mandarin, blog, blog]
    any: [腾讯, 2021, 1.10, true, 0x1F, 007, no]
    all: WeChat
    none: []
    regex: '(?i)wei\s?xin'
    in: [tags, title]
    languages: [zh, en-GB]
    limit: 10000
    max_age: 30d
    per_feed_limit: 7
    fold: true
    formats: [json, atom, json]
    changes: true
  - id: all
    feeds: "*"
  - id: both
    topics: [all, tencent, all]
"#;

fn server() -> Server {
    Server {
        listen: "[::1]:80".parse().unwrap(),
        socket: PathBuf::from("/run/feedmill/control"),
        metrics: Some("[::1]:9464".parse().unwrap()),
        hubs: vec![
            Url::parse("https://hub.example.org/").unwrap(),
            Url::parse("http://127.0.0.1:9000/hub?x=1").unwrap(),
        ],
        heartbeat_url: Some(SecretUrl::new(Url::parse("https://beat.example.org/geheim").unwrap())),
    }
}

fn all_keys() -> Config {
    let tencent = Topic {
        title: "腾讯".to_owned(),
        feeds: FeedSelection::Some(vec![FeedId::parse("blog").unwrap(), FeedId::parse("rfa-mandarin").unwrap()]),
        any: owned(&["腾讯", "2021", "1.10", "true", "0x1F", "007", "no"]),
        all: owned(&["WeChat"]),
        regex: Some(Pattern::parse(r"(?i)wei\s?xin").unwrap()),
        places: vec![Place::Tags, Place::Title],
        languages: owned(&["zh", "en-GB"]),
        speakers: Arc::new([FeedId::parse("rfa-mandarin").unwrap()]),
        limit: 10_000,
        max_age: Some(Duration::from_hours(30 * 24)),
        per_feed_limit: Some(7),
        fold: true,
        formats: vec![Format::Atom, Format::Json],
        changes: true,
        ..topic("tencent")
    };
    let includes = vec![Arc::new(topic("all")), Arc::new(tencent.clone())];
    Config {
        site: Site {
            title: "新闻汇编".to_owned(),
            url: Url::parse("https://news.example.org/feeds/").unwrap(),
            author: Some("新闻汇编编辑部".to_owned()),
            language: Some("zh-Hans".to_owned()),
        },
        storage: Storage {
            archive: PathBuf::from("/srv/archive"),
            index: PathBuf::from("/srv/index"),
            public: PathBuf::from("/srv/public"),
            layout: Layout::Flat,
            raw: false,
        },
        server: server(),
        fetch: Fetch {
            concurrency: 8,
            per_host: 2,
            host_delay: Duration::from_millis(250),
            timeout: Duration::from_secs(90),
            first_byte: Duration::from_secs(20),
            min_rate: 2048,
            max_body: 500_000,
            user_agent: concat!("https://news.example.org/feeds/ ", env!("CARGO_PKG_VERSION"), " bot").to_owned(),
            proxy: Some(proxy("socks5h://127.0.0.1:9050")),
            ca_file: Some(PathBuf::from("config/ca.pem")),
            allow: vec![
                Allow::HostPort("127.0.0.1".to_owned(), 9000),
                Allow::HostPort("::1".to_owned(), 9000),
                Allow::HostPort("nas.local".to_owned(), 8080),
                Allow::Network("192.168.7.0/24".parse().unwrap()),
                Allow::Network("192.168.7.5/32".parse().unwrap()),
                Allow::Network("fd00::/8".parse().unwrap()),
            ],
            min_interval: Duration::ZERO,
        },
        feeds: vec![
            Feed {
                source: FeedSource {
                    id: FeedId::parse("rfa-mandarin").unwrap(),
                    name: "自由亚洲电台".to_owned(),
                    url: Url::parse("https://www.rfa.org/arc/outboundfeeds/mandarin/rss/").unwrap(),
                    language: Some("zh-Hans".to_owned()),
                    tags: owned(&["新闻", "2021"]),
                    dedup: Dedup::Guid,
                    revisions: Revisions::Ignore,
                    access: Access {
                        headers: vec![
                            ("x-key".to_owned(), Secret::new("abc")),
                            ("accept-language".to_owned(), Secret::new("zh")),
                        ],
                        login: Some(Login {
                            username: "ann".to_owned(),
                            password: Password::File(PathBuf::from("/run/secrets/ann")),
                        }),
                        route: Route::Direct,
                        secret_address: false,
                        keys: vec![],
                        mirrors: vec![Url::parse("https://mirror.example.net/rss").unwrap()],
                    },
                },
                enabled: false,
                schedule: Schedule::parse("@daily", Tz::Europe__Berlin).unwrap(),
                cuts: Cuts::new(&owned(&["p.share", ".ads"]), &owned(&[r"^\s*分享"])).unwrap(),
                include: owned(&["工人"]),
                exclude: owned(&["广告", "ad"]),
                encoding: Some("gb18030".to_owned()),
                max_entries: 500,
                publish: Publish::Excerpt,
            },
            Feed {
                schedule: Schedule::parse("*/5 * * * *", Tz::Asia__Shanghai).unwrap(),
                cuts: Cuts::new(&owned(&[".ads"]), &[]).unwrap(),
                ..feed("blog", "Ein Blog", "file:///srv/blog.xml")
            },
        ],
        topics: vec![tencent, topic("all"), Topic { picks: false, includes, ..topic("both") }],
    }
}

#[test]
fn every_key_in_block_style() {
    assert_eq!(read_all(&[("c.yaml", ALL_KEYS)]), Ok(all_keys()));
}

#[test]
fn crlf_and_a_byte_order_mark_change_nothing() {
    let text = format!("\u{feff}{}", ALL_KEYS.replace('\n', "\r\n"));
    assert_eq!(read_all(&[("c.yaml", &text)]), Ok(all_keys()));
    assert_eq!(includes(&text), ["config/feeds/*.yaml"]);
    assert_eq!(
        problems_of("\u{feff}site: { url: 'http://a' }\r\nsiet: 1\r\n"),
        "c.yaml:2: unknown key `siet`; did you mean `site`?"
    );
}

#[test]
fn tabs_between_key_and_value() {
    assert_eq!(good("topics:\n- id:\ta\t# a tab\n").topics, [topic("a")]);
}

#[test]
fn flow_style_and_anchors() {
    let config = good(
        "{ feeds: [ {id: a, name: A, url: 'http://a/', remove: &cuts [p, q]}, {id: b, name: B, url: 'http://b/', remove: *cuts} ] }"
            .trim_matches(['{', '}', ' ']),
    );
    assert_eq!(config.feeds[0].cuts, config.feeds[1].cuts);
    let text = "{ site: { url: 'http://a' },\n  topics: [ { id: x,\n limit: 0 } ] }";
    assert_eq!(problems_of(text), "c.yaml:3: topics[0].limit: `0`: must be a whole number from 1 to 10000");
}

#[test]
fn the_other_forms_of_a_value() {
    let feed = |rest: &str| good(&format!("feeds: [{{ id: a, name: A, url: 'http://a/'{rest} }}]")).feeds.remove(0);
    assert!(!feed(", enabled: False").enabled);
    assert!(feed(", enabled: 'true'").enabled);
    assert_eq!(feed(", timezone: Asia/Tokyo").schedule, Schedule::parse("@hourly", Tz::Asia__Tokyo).unwrap());
    assert_eq!(good("fetch: { max_body: 1000 }").fetch.max_body, 1000);
    assert_eq!(good("fetch: { proxy: none, min_rate: 0/s }").fetch, good("fetch: { min_rate: 0B/s }").fetch);
    assert_eq!(good("fetch: { proxy: 'http://p.example.org' }").fetch.proxy, Some(proxy("http://p.example.org:80/")));
    let through = |text: &str| feed(&format!(", proxy: '{text}'")).source.access.route;
    assert_eq!(through("direct"), Route::Direct);
    assert_eq!(through("socks5://ann:${TOKEN}@[::1]:1080"), Route::Through(proxy("socks5://ann:geheim@[::1]:1080")));
    assert_eq!(
        feed(", username: 'ann b', password: '${TOKEN}'").source.access.login,
        Some(Login { username: "ann b".to_owned(), password: Password::Given(Secret::new("geheim")) })
    );
    assert_eq!(
        feed(", headers: { AUTHORIZATION: 'Bearer ${TOKEN}' }").source.access.headers,
        [("authorization".to_owned(), Secret::new("Bearer geheim"))]
    );
    assert_eq!(
        good("topics:\n- id: a\n  any: ['null', \"~\", ' AI ', 'a b', 2021-01-01]\n  all: |\n    腾讯\n").topics,
        [Topic { any: owned(&["null", "~", "AI", "a b", "2021-01-01"]), all: owned(&["腾讯"]), ..topic("a") }]
    );
    assert_eq!(good("topics: [{ id: a, limit: '7' }]").topics[0].limit, 7);
    assert_eq!(good("topics: [{ id: a, feeds: ['*'] }]").topics[0].feeds, FeedSelection::All);
    assert_eq!(good("topics: [{ id: index, title: ~ }, { id: feed }]").topics, [topic("index"), topic("feed")]);
}

#[test]
fn variables_are_filled_in() {
    let config = good(
        "storage: { archive: '${ROOT}/archive' }\n\
         feeds: [{ id: a, name: 'A $${HOST} $5 ${HOST}', url: 'https://${HOST}/a?token=${TOKEN}' }]\n\
         topics: [{ id: a, limit: '${MANY}', any: ['${TRICK}'] }]\n",
    );
    assert_eq!(config.storage.archive, PathBuf::from("/srv/archive"));
    assert_eq!(config.feeds[0].source.name, "A ${HOST} $5 feeds.example.org");
    assert_eq!(config.feeds[0].source.url.as_str(), "https://feeds.example.org/a?token=geheim");
    assert_eq!(config.topics[0].limit, 7);
    assert_eq!(config.topics[0].any, ["${TOKEN}: [x"]);
}

#[test]
fn topics_gather_others_in_any_order() {
    let topics = good("topics: [{ id: a, topics: [b, c], any: x }, { id: b, topics: c, none: y }, { id: c }]").topics;
    let c = Arc::new(topic("c"));
    let b = Topic { picks: false, includes: vec![Arc::clone(&c)], none: owned(&["y"]), ..topic("b") };
    let a = Topic { includes: vec![Arc::new(b.clone()), c], any: owned(&["x"]), ..topic("a") };
    assert_eq!(topics, [a, b, topic("c")]);
}

#[test]
fn an_address_with_a_variable_behind_its_host_is_shown_to_nobody() {
    for (address, is_secret) in [
        ("https://feeds.example.org/a", false),
        ("https://${HOST}/a", false),
        ("https://${HOST}/a?b=$${TOKEN}", false),
        ("https://${HOST}/a?token=${TOKEN}", true),
        ("https://feeds.example.org/${TOKEN}/a", true),
        ("${URL}", true),
    ] {
        let feed = good(&format!("feeds: [{{ id: a, name: A, url: '{address}' }}]")).feeds.remove(0);
        assert_eq!(feed.source.access.secret_address, is_secret, "{address}");
        assert_eq!(feed.source.public_url().is_none(), is_secret, "{address}");
    }
    let config = good("feeds: [{ id: a, name: A, url: 'http://a/', mirrors: ['http://b/${TOKEN}'] }]");
    assert!(config.feeds[0].source.access.secret_address);
}

#[test]
fn included_files_add_feeds_and_topics() {
    let main = format!("{SITE}include: config/feeds/*.yaml\ntimezone: Asia/Tokyo\ntopics: [{{ id: t, feeds: b }}]\n");
    let config = read_all(&[
        ("c.yaml", &main),
        ("f/a.yaml", "feeds: [{ id: a, name: A, url: 'http://a/' }]"),
        ("f/b.yaml", "feeds: [{ id: b, name: B, url: 'http://b/' }]\ntopics: [{ id: u, feeds: [a] }]"),
        ("f/c.yaml", ""),
    ])
    .unwrap();
    let ids: Vec<_> = config.feeds.iter().map(|feed| feed.source.id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(config.feeds[1].schedule, Schedule::parse("@hourly", Tz::Asia__Tokyo).unwrap());
    let ids: Vec<_> = config.topics.iter().map(|topic| topic.id.as_str()).collect();
    assert_eq!(ids, ["t", "u"]);
}

#[test]
fn include_patterns_are_left_to_the_caller() {
    assert_eq!(includes("include: [a/*.yaml, b.yaml]"), ["a/*.yaml", "b.yaml"]);
    assert_eq!(includes("include: a.yaml\nsite: 5"), ["a.yaml"]);
    for text in ["", "include:", "include: {}", "a: b: c", "- include", "feeds: []"] {
        assert!(includes(text).is_empty(), "{text}");
    }
}

#[test]
fn what_is_not_published_is_in_no_topic() {
    let config = good(
        "feeds: [{ id: a, name: A, url: 'http://a', publish: none }, { id: b, name: B, url: 'http://b', publish: link }]\n\
         topics: [{ id: all }, { id: some, feeds: [a, b] }, { id: none, feeds: [a] }]\n",
    );
    let ids = |ids: &[&str]| ids.iter().map(|id| FeedId::parse(id).unwrap()).collect();
    let selections: Vec<_> = config.topics.iter().map(|topic| topic.feeds.clone()).collect();
    let some = |list: &[&str]| FeedSelection::Some(ids(list));
    assert_eq!(selections, [FeedSelection::Except(ids(&["a"])), some(&["b"]), some(&[])]);
    let shown = |id: &str| config.shown(FeedId::parse(id).as_ref());
    assert_eq!([shown("a"), shown("b"), shown("c")], [Publish::None, Publish::Link, Publish::Full]);
}

#[test]
fn the_heartbeat_shows_itself_to_nobody() {
    let config = good("server: { heartbeat_url: 'https://beat.example.org/${TOKEN}', hubs: https://hub.example.org/ }");
    assert_eq!(config.server.heartbeat_url.as_ref().unwrap().reveal().as_str(), "https://beat.example.org/geheim");
    let shown = format!("{config:?}");
    assert!(shown.contains("heartbeat_url: Some(…)"), "{shown}");
    assert!(!shown.contains("geheim") && !shown.contains("beat.example.org"), "{shown}");
}
