//! What a single value of the config may be. Each function reads one text, never blank, variables filled in.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::{TZ_VARIANTS, Tz};
use ipnet::IpNet;
use url::{Host, Url};

use super::{Allow, units};
use crate::model::{
    Dedup, FeedId, Format, Password, Pattern, Place, Proxy, Publish, Revisions, Route, Secret, SecretUrl, TopicId,
};
use crate::post::Layout;
use crate::read;

/// Why a value is refused.
#[derive(Debug, PartialEq)]
pub(super) enum Bad {
    /// A reason that is shown after the value.
    Shown(String),
    /// A reason that is shown alone, because the value may hold a secret.
    Hidden(String),
}

fn bad<T>(reason: impl Into<String>) -> Result<T, Bad> {
    Err(Bad::Shown(reason.into()))
}

fn hidden<T>(reason: impl Into<String>) -> Result<T, Bad> {
    Err(Bad::Hidden(reason.into()))
}

/// A name, title or word: one line, blanks at the ends dropped.
pub(super) fn line(text: &str) -> Result<String, Bad> {
    if text.trim().contains(char::is_control) {
        return bad("must be a single line");
    }
    Ok(text.trim().to_owned())
}

pub(super) fn truth(text: &str) -> Result<bool, Bad> {
    choice(&text.to_ascii_lowercase(), &[("true", true), ("false", false)])
}

pub(super) fn layout(text: &str) -> Result<Layout, Bad> {
    choice(text, &[("month", Layout::Month), ("flat", Layout::Flat)])
}

pub(super) fn place(text: &str) -> Result<Place, Bad> {
    choice(text, &[("title", Place::Title), ("body", Place::Body), ("tags", Place::Tags)])
}

/// A regular expression. Its compiler draws a picture and says what is wrong in the last line.
pub(super) fn pattern(text: &str) -> Result<Pattern, Bad> {
    Pattern::parse(text).or_else(|error| {
        let message = error.to_string();
        let cause = message.lines().last().unwrap_or_default().trim().trim_end_matches('.');
        let mut letters = cause.strip_prefix("error: ").unwrap_or(cause).chars();
        let first: String = letters.next().into_iter().flat_map(char::to_lowercase).collect();
        bad(format!("not a regular expression: {first}{}", letters.as_str()))
    })
}

pub(super) fn dedup(text: &str) -> Result<Dedup, Bad> {
    choice(text, &[("auto", Dedup::Auto), ("url", Dedup::Url), ("guid", Dedup::Guid)])
}

/// A label that the reader of feeds understands.
pub(super) fn encoding(text: &str) -> Result<String, Bad> {
    if read::is_encoding(text) {
        return Ok(text.to_owned());
    }
    bad("is no encoding; write one such as `gb18030`, `big5` or `windows-1251`")
}

pub(super) fn revisions(text: &str) -> Result<Revisions, Bad> {
    choice(text, &[("keep", Revisions::Keep), ("replace", Revisions::Replace), ("ignore", Revisions::Ignore)])
}

pub(super) fn publish(text: &str) -> Result<Publish, Bad> {
    let choices =
        [("full", Publish::Full), ("excerpt", Publish::Excerpt), ("link", Publish::Link), ("none", Publish::None)];
    choice(text, &choices)
}

pub(super) fn format(text: &str) -> Result<Format, Bad> {
    choice(text, &[("atom", Format::Atom), ("rss", Format::Rss), ("json", Format::Json)])
}

/// Whether source fragments are kept.
pub(super) fn raw(text: &str) -> Result<bool, Bad> {
    choice(text, &[("items", true), ("none", false)])
}

fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, Bad> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
    bad(format!("not one of {}{}", names.join(", "), did_you_mean(text, names.iter().copied())))
}

pub(super) fn number(range: RangeInclusive<usize>) -> impl Fn(&str) -> Result<usize, Bad> {
    move |text| match text.parse() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => bad(format!("must be a whole number from {} to {}", range.start(), range.end())),
    }
}

/// Bytes.
pub(super) fn size(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Bad> {
    move |text| match units::size(text) {
        None => bad("not a size; write it like `64MiB`, `500KB` or `1000` (bytes)"),
        Some(bytes) if range.contains(&bytes) => Ok(bytes),
        Some(_) => bad(format!("must be from {} to {} bytes", range.start(), range.end())),
    }
}

/// Bytes a second.
pub(super) fn rate(range: RangeInclusive<u64>) -> impl Fn(&str) -> Result<u64, Bad> {
    move |text| match text.strip_suffix("/s").and_then(units::size) {
        None => bad("not a rate; write it like `512B/s` or `2KiB/s`"),
        Some(bytes) if range.contains(&bytes) => Ok(bytes),
        Some(_) => bad(format!("must be from {} to {} bytes a second", range.start(), range.end())),
    }
}

pub(super) fn duration(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, Bad> {
    move |text| match units::duration(text) {
        None => bad("not a duration; write it like `30s`, `15m`, `1h30m` or `500ms`"),
        Some(duration) if range.contains(&duration) => Ok(duration),
        Some(_) => bad(format!("must be from {:?} to {:?}", range.start(), range.end())),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, Bad> {
    if text.contains('\0') {
        return bad("a path cannot hold NUL");
    }
    if text == "~" || text.starts_with("~/") {
        return bad("`~` is not expanded; write the whole path, or `${HOME}`");
    }
    Ok(PathBuf::from(text))
}

pub(super) fn feed_id(text: &str) -> Result<FeedId, Bad> {
    FeedId::parse(text).map_or_else(|| bad(BAD_ID), Ok)
}

pub(super) fn topic_id(text: &str) -> Result<TopicId, Bad> {
    TopicId::parse(text).map_or_else(|| bad(BAD_ID), Ok)
}

const BAD_ID: &str = "an id has 1 to 64 of the characters a-z, 0-9 and -";

/// BCP 47, by its look only.
pub(super) fn language(text: &str) -> Result<String, Bad> {
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts_well && text.split('-').all(is_part) {
        return Ok(text.to_owned());
    }
    bad("not a language tag; write it like `en` or `zh-Hans`")
}

pub(super) fn zone(text: &str) -> Result<Tz, Bad> {
    text.parse().or_else(|_| {
        // Names without a place (`EST`) and `Etc/GMT+8`, which is west of Greenwich, are seldom what is meant.
        let names = TZ_VARIANTS.iter().map(|zone| zone.name());
        let names = names.filter(|name| name.contains('/') && !name.starts_with("Etc/")).chain(["UTC"]);
        let meant = names
            .clone()
            .find(|name| {
                name.rsplit('/').next().is_some_and(|place| place.eq_ignore_ascii_case(&text.replace(' ', "_")))
            })
            .or_else(|| nearest(text, names));
        let next = meant.map_or_else(
            || "write it like `Asia/Shanghai` or `UTC`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        bad(format!("no such time zone; {next}"))
    })
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, Bad> {
    text.parse().or_else(|_| bad("not an IP address with a port; write it like `127.0.0.1:8080` or `[::1]:8080`"))
}

/// The address of a feed, without fragment. `file:a/b` is a path below `folder`, the absolute
/// working folder; for `Url` alone it would be `/a/b`.
pub(super) fn feed_url(text: &str, folder: &Path) -> Result<Url, Bad> {
    let mut url = match text.trim().strip_prefix("file:") {
        Some(path) if !path.starts_with('/') => below(folder, path)?,
        _ => address(text, &["http", "https", "file"])?,
    };
    url.set_fragment(None);
    if url.scheme() == "file" && url.host().is_some() {
        return hidden("a `file:` address names no host; write it like `file:///srv/a.xml` or `file:data/a.xml`");
    }
    Ok(url)
}

fn below(folder: &Path, path: &str) -> Result<Url, Bad> {
    Url::from_file_path(folder.join(path))
        .or_else(|()| hidden("the working folder is not known; write the whole path, such as `file:///srv/a.xml`"))
}

/// The address of the site, with a slash at the end.
pub(super) fn site_url(text: &str) -> Result<Url, Bad> {
    let mut url = address(text, &["http", "https"])?;
    if url.query().is_some() || url.fragment().is_some() {
        return hidden("the address of the site cannot have a `?` or `#` part; remove it");
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

/// A WebSub hub.
pub(super) fn hub(text: &str) -> Result<Url, Bad> {
    let url = address(text, &["http", "https"])?;
    if url.fragment().is_some() {
        return hidden("the address of a hub cannot have a `#` part; remove it");
    }
    Ok(url)
}

/// Who is told that all is well; whoever knows the address can say so too.
pub(super) fn heartbeat_url(text: &str) -> Result<SecretUrl, Bad> {
    address(text, &["http", "https"]).map(SecretUrl::new)
}

fn address(text: &str, schemes: &[&str]) -> Result<Url, Bad> {
    let kinds = schemes.join(", ");
    let url = match Url::parse(text.trim()) {
        Ok(url) => url,
        Err(url::ParseError::RelativeUrlWithoutBase) => {
            return hidden(format!("not a whole address; it begins with one of {kinds}"));
        }
        Err(error) => return hidden(format!("not an address: {error}")),
    };
    if !schemes.contains(&url.scheme()) {
        return hidden(format!("the address must begin with one of {kinds}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return hidden("user name and password may not stand in an address; remove them");
    }
    Ok(url)
}

pub(super) fn allow(text: &str) -> Result<Allow, Bad> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(Allow::Network(ip.into()));
    }
    if let Ok(network) = text.parse::<IpNet>() {
        if network != network.trunc() {
            return bad(format!("the address has bits beyond its length; did you mean `{}`?", network.trunc()));
        }
        return Ok(Allow::Network(network));
    }
    let Some((host, port)) = text.rsplit_once(':') else { return bad(BAD_ALLOW) };
    match (Host::parse(host), port.parse()) {
        (Ok(host), Ok(port @ 1..)) => {
            let host = match host {
                Host::Domain(name) => name,
                Host::Ipv4(ip) => ip.to_string(),
                Host::Ipv6(ip) => ip.to_string(),
            };
            Ok(Allow::HostPort(host, port))
        }
        _ => bad(BAD_ALLOW),
    }
}

const BAD_ALLOW: &str =
    "not an address to allow; write it like `nas.local:8080`, `[::1]:9000`, `192.168.7.5` or `192.168.7.0/24`";

/// A `User-Agent` with `{version}` and `{site.url}` filled in.
pub(super) fn user_agent(template: &str, site: &str) -> Result<String, Bad> {
    let agent = template.replace("{version}", env!("CARGO_PKG_VERSION")).replace("{site.url}", site);
    if agent.contains(['{', '}']) {
        return bad("in braces stands either `{version}` or `{site.url}`");
    }
    if agent.contains(|c: char| !matches!(c, ' '..='~')) {
        return bad("may hold printable ASCII only");
    }
    Ok(agent.trim().to_owned())
}

/// What the fetcher says itself, or what belongs to a single connection.
const NOT_YOURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A header of a request, its name in lower case.
pub(super) fn header(name: &str, text: &str) -> Result<(String, Secret), Bad> {
    let is_sign = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if name.is_empty() || !name.bytes().all(is_sign) {
        return hidden("this is no name of a header");
    }
    let name = name.to_ascii_lowercase();
    if NOT_YOURS.contains(&name.as_str()) {
        return hidden("feedmill says this itself; remove the header");
    }
    if text.contains(|c: char| !matches!(c, ' '..='~')) {
        return hidden("a header may hold printable ASCII only");
    }
    Ok((name, Secret::new(text.trim())))
}

/// A name for Basic authentication (RFC 7617).
pub(super) fn username(text: &str) -> Result<String, Bad> {
    if text.contains(|c: char| c == ':' || c.is_control()) {
        return hidden("a name to log in with holds no `:` and is a single line");
    }
    Ok(text.to_owned())
}

pub(super) fn password(text: &str) -> Result<Password, Bad> {
    if text.contains(char::is_control) {
        return hidden("a password is a single line");
    }
    Ok(Password::Given(Secret::new(text)))
}

/// The way to a server: a proxy, or `none`.
pub(super) fn route(text: &str) -> Result<Route, Bad> {
    if matches!(text, "none" | "direct") {
        return Ok(Route::Direct);
    }
    let proxy = Url::parse(text.trim()).ok().and_then(Proxy::new);
    proxy.map_or_else(|| hidden(BAD_PROXY), |proxy| Ok(Route::Through(proxy)))
}

const BAD_PROXY: &str = "not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` \
                         (http, https, socks5 or socks5h), or `none`";

/// Fills in `${NAME}`; `$${` is a plain `${`.
pub(super) fn fill(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut unset = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            filled.push_str(before);
            filled.push_str("${");
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_variable(name)) else {
            return Err(
                "after `${` comes the name of an environment variable and `}`; write `$${` for a plain `${`".to_owned()
            );
        };
        filled.push_str(before);
        match env(name) {
            Some(value) => filled.push_str(&value),
            None => unset.push(format!("`{name}`")),
        }
        rest = after;
    }
    filled.push_str(rest);
    if unset.is_empty() { Ok(filled) } else { Err(format!("not set in the environment: {}", unset.join(", "))) }
}

/// True for an address with a variable behind its host.
pub(super) fn holds_key(address: &str) -> bool {
    behind_host(&address.replace("$${", "")).contains("${")
}

/// The values of the variables behind an address's host.
pub(super) fn keys_in(address: &str, env: &dyn Fn(&str) -> Option<String>) -> Vec<Secret> {
    let address = address.replace("$${", "");
    let names = behind_host(&address).split("${").skip(1).filter_map(|after| after.split_once('}'));
    names.filter_map(|(name, _)| env(name)).map(Secret::new).collect()
}

fn behind_host(address: &str) -> &str {
    address.split_once("://").map_or(address, |(before, rest)| {
        let host = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        if before.contains("${") { before } else { rest.get(host..).unwrap_or_default() }
    })
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The candidate that was probably meant.
pub(super) fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let most = match length {
        0..=3 => 1,
        4..=7 => 2,
        _ => 3,
    };
    candidates
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= most)
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= most && *distance < length)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?`, or nothing.
pub(super) fn did_you_mean<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> String {
    nearest(word, candidates).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}
