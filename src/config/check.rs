//! Every key of the config, with its default. A new key is a line here, a field in `Config`, and a test.
//!
//! A function here asks for all its keys before the first `?`, so that one mistake hides no other.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use url::Url;

use super::folders;
use super::gather::{self, Draft};
use super::keys::Keys;
use super::notes::{Notes, Spot, Taken, quote};
use super::raw::Node;
use super::values::{self, Bad};
use super::{Config, Feed, Fetch, Server, Site, Storage};
use crate::model::{
    Access, Dedup, FeedId, FeedSelection, FeedSource, Format, Login, Password, Place, Publish, Revisions, Route, Topic,
};
use crate::normalize::html::Cuts;
use crate::post::Layout;
use crate::read::Hints;
use crate::schedule::Schedule;
use crate::topic;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// What an included file cannot say.
const MAIN_ONLY: [&str; 7] = ["site", "storage", "server", "fetch", "schedule", "timezone", "include"];

/// What may stand only once in all files.
#[derive(Default)]
struct Seen {
    feed_ids: Taken,
    feed_names: Taken,
    feed_urls: Taken,
    topic_ids: Taken,
}

/// When feeds are polled that do not say it themselves.
#[derive(Clone)]
struct Rhythm {
    cron: String,
    zone: Tz,
}

/// Builds the config from the main file and the included ones; `None` stands for a file that is no YAML.
/// The config is of use only if nothing was noted.
pub(super) fn config(notes: &Notes<'_>, files: &[Option<Node>]) -> Option<Config> {
    let roots = files.iter().enumerate().filter_map(|(file, root)| Some((file, root.as_ref()?)));
    let mut roots: Vec<_> = roots.map(|(file, root)| (file == 0, Keys::of_file(notes, file, root))).collect();
    let is_complete = roots.len() == files.len();

    let mut settings = None;
    for (is_main, keys) in &mut roots {
        if *is_main {
            settings = Some(self::settings(keys));
        } else {
            keys.forbid(&MAIN_ONLY, "belongs in the main file; an included one holds only `feeds` and `topics`");
        }
    }
    let rhythm = settings.as_ref().map_or_else(Rhythm::default, |settings| settings.rhythm.clone());

    let mut seen = Seen::default();
    let mut feeds = Vec::new();
    for (_, keys) in &mut roots {
        feeds.extend(keys.sections("feeds", |keys| feed(keys, &rhythm, &mut seen)));
    }
    let mut drafts = Vec::new();
    for (_, keys) in &mut roots {
        drafts.extend(keys.sections("topics", |keys| topic(keys, &feeds, &mut seen, is_complete)));
    }
    keep_private(&feeds, &mut drafts);
    let topics = gather::topics(notes, &drafts, is_complete.then_some(&seen.topic_ids));
    for (_, keys) in roots {
        keys.end();
    }

    let Settings { site, storage, server, fetch, .. } = settings?;
    Some(Config { site: site?, storage, server, fetch, feeds, topics })
}

/// Takes feeds that are not published out of every topic: what belongs to a topic is published.
fn keep_private(feeds: &[Feed], drafts: &mut [Draft]) {
    let private = feeds.iter().filter(|feed| feed.publish == Publish::None).map(|feed| feed.source.id.clone());
    let mut private: Vec<FeedId> = private.collect();
    if private.is_empty() {
        return;
    }
    private.sort();
    for draft in drafts {
        match &mut draft.topic.feeds {
            FeedSelection::Some(feeds) => feeds.retain(|feed| !private.contains(feed)),
            all => *all = FeedSelection::Except(private.clone()),
        }
    }
}

/// What only the main file says.
struct Settings {
    site: Option<Site>,
    storage: Storage,
    server: Server,
    fetch: Fetch,
    rhythm: Rhythm,
}

fn settings(keys: &mut Keys<'_>) -> Settings {
    let site = keys.section("site", site);
    let site_url = site.as_ref().map_or("", |site| site.url.as_str());
    let settings = Settings {
        storage: keys.section("storage", storage),
        server: keys.section("server", server),
        fetch: keys.section("fetch", |keys| fetch(keys, site_url)),
        rhythm: rhythm(keys),
        site,
    };
    include(keys);
    settings
}

fn site(keys: &mut Keys<'_>) -> Option<Site> {
    let url = keys.required("url", values::site_url);
    let title = keys.optional("title", values::line);
    let author = keys.optional("author", values::line);
    let language = keys.optional("language", values::language);
    let url = url?;
    let title = title.unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned());
    Some(Site { title, url, author, language })
}

fn storage(keys: &mut Keys<'_>) -> Storage {
    let storage = Storage {
        archive: keys.or("archive", PathBuf::from("data/archive"), values::path),
        index: keys.or("index", PathBuf::from("data/index"), values::path),
        public: keys.or("public", PathBuf::from("data/public"), values::path),
        layout: keys.or("layout", Layout::Month, values::layout),
        raw: keys.or("raw", true, values::raw),
    };
    folders::check(keys, &storage);
    storage
}

fn server(keys: &mut Keys<'_>) -> Server {
    let server = Server {
        listen: keys.or("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), values::listen),
        socket: keys.or("socket", PathBuf::from("data/feedmill.sock"), values::path),
        metrics: keys.optional("metrics", values::listen),
        hubs: hubs(keys),
        heartbeat_url: keys.optional("heartbeat_url", values::heartbeat_url),
    };
    if server.metrics == Some(server.listen) && server.listen.port() != 0 {
        keys.refuse("metrics", "is the address of `listen` too; give it a port of its own");
    }
    server
}

/// Addresses that every published feed names.
fn hubs(keys: &mut Keys<'_>) -> Vec<Url> {
    for (text, spot) in keys.texts("hubs") {
        if values::holds_key(text) {
            keys.notes.add(&spot, "feeds name their hubs to everybody; take the `${NAME}` out of it");
        }
    }
    let mut hubs: Vec<Url> = Vec::new();
    for (hub, spot) in keys.list_at("hubs", values::hub) {
        if hubs.contains(&hub) {
            keys.notes.add(&spot, "stands twice");
        }
        hubs.push(hub);
    }
    hubs
}

fn fetch(keys: &mut Keys<'_>, site_url: &str) -> Fetch {
    let moment = || values::duration(Duration::from_millis(1)..=DAY / 24);
    Fetch {
        concurrency: keys.or("concurrency", 64, values::number(1..=1000)),
        per_host: keys.or("per_host", 1, values::number(1..=1000)),
        host_delay: keys.or("host_delay", SECOND, values::duration(Duration::ZERO..=DAY / 24)),
        timeout: keys.or("timeout", 30 * SECOND, moment()),
        first_byte: keys.or("first_byte", 15 * SECOND, moment()),
        min_rate: keys.or("min_rate", 512, values::rate(0..=1 << 30)),
        max_body: keys.or("max_body", 64 << 20, values::size(1..=4 << 30)),
        user_agent: keys.or("user_agent", format!("feedmill/{} (+{site_url})", env!("CARGO_PKG_VERSION")), |text| {
            values::user_agent(text, site_url)
        }),
        proxy: match keys.or("proxy", Route::Direct, values::route) {
            Route::Through(proxy) => Some(proxy),
            Route::Usual | Route::Direct => None,
        },
        ca_file: keys.optional("ca_file", values::path),
        allow: keys.list("allow", values::allow),
        min_interval: keys.or("min_interval", 15 * 60 * SECOND, values::duration(Duration::ZERO..=31 * DAY)),
    }
}

impl Default for Rhythm {
    fn default() -> Self {
        Self { cron: "@hourly".to_owned(), zone: Tz::UTC }
    }
}

/// `schedule` and `timezone` of the main file.
fn rhythm(keys: &mut Keys<'_>) -> Rhythm {
    let default = Rhythm::default();
    let zone = keys.or("timezone", default.zone, values::zone);
    let cron = keys.or("schedule", default.cron, |text| schedule(text, zone).map(|_| text.to_owned()));
    Rhythm { cron, zone }
}

/// `schedule` and `timezone` of a feed.
fn feed_schedule(keys: &mut Keys<'_>, default: &Rhythm) -> Option<Schedule> {
    let zone = keys.or("timezone", default.zone, values::zone);
    let own = keys.optional("schedule", |text| schedule(text, zone));
    own.or_else(|| keys.accept("schedule", schedule(&default.cron, zone)))
}

fn schedule(text: &str, zone: Tz) -> Result<Schedule, Bad> {
    Schedule::parse(text, zone).map_err(|error| Bad::Shown(reason(&error.to_string(), text)))
}

/// The patterns were expanded by the caller, who does not know the environment.
fn include(keys: &mut Keys<'_>) {
    for (text, spot) in keys.texts("include") {
        if text.contains("${") {
            keys.notes.add(&spot, "`${…}` cannot be used here");
        } else if text.trim().is_empty() {
            keys.notes.add(&spot, "is empty");
        }
    }
}

fn feed(keys: &mut Keys<'_>, default: &Rhythm, seen: &mut Seen) -> Option<Feed> {
    let id = keys.required("id", values::feed_id);
    let name = keys.required("name", values::line);
    // Paths of a config are relative to the working folder, those of `file:` feeds too.
    let folder = (keys.notes.env)("PWD").unwrap_or_default();
    let url = keys.required("url", |text| values::feed_url(text, Path::new(&folder)));
    let enabled = keys.or("enabled", true, values::truth);
    let language = keys.optional("language", values::language);
    let tags = keys.list("tags", values::line);
    let dedup = keys.or("dedup", Dedup::Auto, values::dedup);
    let revisions = keys.or("revisions", Revisions::Keep, values::revisions);
    let schedule = feed_schedule(keys, default);
    let include = keys.list("include", values::line);
    let exclude = keys.list("exclude", values::line);
    let cuts = cuts(keys);
    let encoding = keys.optional("encoding", values::encoding);
    let access = access(keys, Path::new(&folder));
    let max_entries = keys.or("max_entries", Hints::MAX_ENTRIES, values::number(1..=10_000_000));
    let publish = keys.or("publish", Publish::Full, values::publish);

    // A bad id counts too, or each topic that names it would be a second problem.
    if let Some(id) = keys.text("id") {
        keys.unique("id", id, &mut seen.feed_ids, "another feed has this id");
    }
    if let Some(name) = &name {
        keys.unique("name", name.clone(), &mut seen.feed_names, "another feed has this name");
    }
    if let Some(url) = &url {
        keys.unique("url", url.as_str().to_owned(), &mut seen.feed_urls, "another feed has this address");
    }
    let source = FeedSource { id: id?, name: name?, url: url?, language, tags, dedup, revisions, access };
    Some(Feed { source, enabled, schedule: schedule?, include, exclude, cuts: cuts?, encoding, max_entries, publish })
}

fn access(keys: &mut Keys<'_>, folder: &Path) -> Access {
    let headers = keys.named("headers", values::header);
    let login = login(keys);
    if login.is_some() && headers.iter().any(|(name, _)| name == "authorization") {
        keys.refuse("headers", "`username` makes the header `Authorization`; keep one of the two");
    }
    let mirrors = keys.list("mirrors", |text| values::feed_url(text, folder));
    let addresses: Vec<_> = keys.texts("url").into_iter().chain(keys.texts("mirrors")).collect();
    let secret_address = addresses.iter().any(|(text, _)| values::holds_key(text));
    let env = keys.notes.env;
    let secrets = addresses.iter().flat_map(|(text, _)| values::keys_in(text, env)).collect();
    let route = keys.or("proxy", Route::Usual, values::route);
    Access { headers, login, route, secret_address, keys: secrets, mirrors }
}

/// `username` with `password_file` or `password`.
fn login(keys: &mut Keys<'_>) -> Option<Login> {
    let username = keys.optional("username", values::username);
    let file = keys.optional("password_file", |text| values::path(text).map(Password::File));
    // The config lies in backups and in git.
    let is_typed = keys.texts("password").iter().any(|(text, _)| !text.contains("${"));
    if is_typed {
        keys.refuse("password", "a password does not stand in a config; use `${NAME}` or `password_file`");
    }
    let given = if is_typed { None } else { keys.optional("password", values::password) };

    let (has_name, has_file, has_word) = (keys.has("username"), keys.has("password_file"), keys.has("password"));
    match (has_name, has_file, has_word) {
        (_, true, true) => keys.refuse("password", "`password_file` says it too; keep one of the two"),
        (true, false, false) => keys.refuse("username", "`password_file` or `password: ${NAME}` is missing"),
        (false, true, false) => keys.refuse("password_file", "`username` is missing"),
        (false, false, true) => keys.refuse("password", "`username` is missing"),
        _ => {}
    }
    Some(Login { username: username?, password: file.or(given)? })
}

fn cuts(keys: &mut Keys<'_>) -> Option<Cuts> {
    let alone = |text: &str| vec![text.to_owned()];
    let remove = keys.list("remove", |text| made(&alone(text), &[]).map(|_| text.to_owned()));
    let remove_text = keys.list("remove_text", |text| made(&[], &alone(text)).map(|_| text.to_owned()));
    keys.accept("remove", made(&remove, &remove_text))
}

/// The only place that looks at a problem of `Cuts`.
fn made(remove: &[String], remove_text: &[String]) -> Result<Cuts, Bad> {
    Cuts::new(remove, remove_text).map_err(|problems| {
        let text = remove.first().or(remove_text.first()).map_or("", String::as_str);
        let reasons: Vec<_> = problems.iter().map(|(_, problem)| reason(problem, text)).collect();
        Bad::Shown(reasons.join("; "))
    })
}

/// A neighbour's message on one line, without the text it may begin with: that is put before it anyway.
fn reason(message: &str, text: &str) -> String {
    let message = message.split_once(&format!("`{text}`: ")).map_or(message, |(_, reason)| reason);
    // regex draws a picture and says what is wrong in the last line
    let last = message.trim_end().lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn topic(keys: &mut Keys<'_>, feeds: &[Feed], seen: &mut Seen, is_complete: bool) -> Option<Draft> {
    let id = keys.required("id", values::topic_id);
    let title = keys.optional("title", values::line);
    let includes = keys.list_at("topics", values::line);
    let selection = selection(keys, is_complete.then_some(&seen.feed_ids));
    let any = keys.list("any", values::line);
    let all = keys.list("all", values::line);
    let none = keys.list("none", values::line);
    let regex = keys.optional("regex", values::pattern);
    let places = keys.list_or("in", vec![Place::Title, Place::Body], values::place);
    let languages = keys.list("languages", values::language);
    let limit = keys.or("limit", 50, values::number(1..=10_000));
    let max_age = keys.optional("max_age", values::duration(SECOND * 60..=36_500 * DAY));
    let per_feed_limit = keys.optional("per_feed_limit", values::number(1..=10_000));
    let fold = keys.or("fold", false, values::truth);
    let mut formats = keys.list_or("formats", Format::ALL.to_vec(), values::format);
    formats.sort();
    formats.dedup();
    let changes = keys.or("changes", false, values::truth);
    // One that only gathers others would take every post otherwise.
    let picks = includes.is_empty() || ["feeds", "any", "all", "regex"].into_iter().any(|key| keys.is_written(key));

    let id_text = keys.text("id");
    if let Some(id) = id_text {
        keys.unique("id", id, &mut seen.topic_ids, "another topic has this id");
    }
    let id = id?;
    let title = title.unwrap_or_else(|| id.as_str().to_owned());
    let speaks = |feed: &&FeedSource| feed.language.as_ref().is_some_and(|tag| topic::speaks(&languages, tag));
    let speakers: BTreeSet<FeedId> =
        feeds.iter().map(|feed| &feed.source).filter(speaks).map(|f| f.id.clone()).collect();
    let topic = Topic {
        id,
        title,
        picks,
        feeds: selection,
        any,
        all,
        none,
        regex,
        places,
        languages,
        speakers: speakers.into_iter().collect(),
        includes: Vec::new(),
        limit,
        max_age,
        per_feed_limit,
        fold,
        formats,
        changes,
    };
    Some(Draft { topic, includes })
}

/// `feeds` of a topic; `known` is there unless a file with feeds could not be read.
fn selection(keys: &mut Keys<'_>, known: Option<&Taken>) -> FeedSelection {
    let list = keys.spot_of("feeds");
    let names = keys.list_at("feeds", values::line);
    keys.refuse_empty("feeds");
    if names.is_empty() {
        return FeedSelection::All;
    }
    let mut feeds = Vec::new();
    let mut is_all = false;
    for (name, spot) in names {
        if name == "*" {
            is_all = true;
        } else if known.is_some_and(|known| !known.contains_key(&name)) {
            let mut text = format!("unknown feed {}", quote(&name));
            if !keys.notes.is_full() {
                let ids = known.into_iter().flat_map(|known| known.keys().map(String::as_str));
                text.push_str(&values::did_you_mean(&name, ids));
            }
            keys.notes.add(&Spot { path: list.path.clone(), ..spot }, text);
        }
        feeds.extend(FeedId::parse(&name));
    }
    feeds.sort();
    feeds.dedup();
    if is_all { FeedSelection::All } else { FeedSelection::Some(feeds) }
}
