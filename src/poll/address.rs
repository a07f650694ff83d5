//! The addresses of a feed: which of them may be asked, and where permanent redirects lead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use super::document::FeedError;
use crate::fetch::{self, FetchError};
use crate::index::{FeedState, Held};
use crate::model::{FeedSource, Timestamp, Validators};
use crate::pace::{self, GONE, LONGEST_HOLD, Wake, Why};

/// The addresses of a feed in the order in which they are tried: where it moved to, its own, its mirrors.
pub(super) fn of(source: &FeedSource, state: &FeedState) -> Vec<Url> {
    let moved = state.moved.as_deref().and_then(|url| Url::parse(url).ok());
    let mut addresses: Vec<Url> = Vec::new();
    for url in moved.into_iter().chain([source.url.clone()]).chain(source.access.mirrors.iter().cloned()) {
        if !addresses.contains(&url) {
            addresses.push(url);
        }
    }
    addresses
}

/// Hosts that want to be left alone, and until when. Copies are one: all who ask know what one of them was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Holds(Arc<Mutex<HashMap<String, Timestamp>>>);

impl Holds {
    /// Takes over what is known of a feed.
    pub(super) fn learn(&self, state: &FeedState, now: Timestamp) {
        let mut hosts = self.hosts();
        for Held { host, until } in state.held.values() {
            let until = Timestamp::from_millis(*until);
            let known = hosts.entry(host.clone()).or_insert(until);
            *known =
                if is_possible(*known, now) && is_possible(until, now) { until.max(*known) } else { until.min(*known) };
        }
    }

    /// Takes over what an address that brought nothing said.
    pub(super) fn note(&self, address: &Url, error: &FeedError, now: Timestamp) {
        let mut told = FeedState::default();
        note_failure(&mut told, address, error, now);
        self.learn(&told, now);
    }

    /// Until when nobody may ask the host of an address.
    pub(super) fn until(&self, address: &Url, now: Timestamp) -> Option<Timestamp> {
        let until = self.hosts().get(&fetch::host(address)).copied();
        until.filter(|until| *until > now && is_possible(*until, now))
    }

    fn hosts(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until when an address may not be asked, and why.
    fn closed(&self, address: &Url, state: &FeedState, now: Timestamp) -> Option<Wake> {
        let own = state.held.get(address.as_str()).map(|held| Timestamp::from_millis(held.until));
        let own = own.filter(|until| is_possible(*until, now));
        let held = own.max(self.until(address, now)).map(|at| Wake { at, why: Why::Held });
        let gone = state.gone.get(address.as_str()).map(|asked| Timestamp::from_millis(*asked));
        // Likewise: it would be left alone for years.
        let gone =
            gone.filter(|asked| *asked <= now).map(|asked| Wake { at: pace::later(asked, GONE), why: Why::Gone });
        [held, gone].into_iter().flatten().filter(|wake| wake.at > now).max_by_key(|wake| wake.at)
    }

    /// The addresses that may be asked now; where there is none, when the first one may be.
    pub(super) fn open(&self, addresses: Vec<Url>, state: &FeedState, now: Timestamp) -> Result<Vec<Url>, Wake> {
        let mut first: Option<Wake> = None;
        let mut open = Vec::new();
        for address in addresses {
            match self.closed(&address, state, now) {
                None => open.push(address),
                Some(wake) if first.is_none_or(|first| wake.at < first.at) => first = Some(wake),
                Some(_) => {}
            }
        }
        match first {
            Some(wake) if open.is_empty() => Err(wake),
            _ => Ok(open),
        }
    }
}

/// Nobody is left alone for longer than a week. Whoever seems to be was told so by a clock that was ahead, and has since been
/// set back: when the wait ends nobody knows, and by that time it would last for years.
fn is_possible(until: Timestamp, now: Timestamp) -> bool {
    until <= pace::later(now, LONGEST_HOLD)
}

/// Notes in the state what an address that brought nothing said.
pub(super) fn note_failure(state: &mut FeedState, address: &Url, error: &FeedError, now: Timestamp) {
    let FeedError::Fetch(error) = error else { return };
    if error.is_gone() {
        state.gone.insert(address.to_string(), now.millis());
    }
    if let Some(wait) = error.retry_after(now).filter(|wait| *wait > Duration::ZERO) {
        let host = error.host().unwrap_or_else(|| fetch::host(address));
        let until = pace::later(now, wait.min(LONGEST_HOLD)).millis();
        state.held.insert(address.to_string(), Held { host, until });
    }
}

/// Forgets what is over.
pub(super) fn tidy(state: &mut FeedState, addresses: &[Url], now: Timestamp) {
    let is_known = |url: &str| addresses.iter().any(|address| address.as_str() == url);
    state.held.retain(|url, held| is_known(url) && held.until > now.millis());
    state.gone.retain(|url, _| is_known(url));
    state.elsewhere.retain(|url, _| is_known(url));
}

/// What came of a permanent redirect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// The feed is asked there from now on.
    Settled(Url),
    /// It was the first time, or nothing changed.
    Waiting,
    /// Nothing says that this is the same feed.
    Stranger(Url),
}

/// Follows permanent redirects: an address that they led to twice, and that is the same feed's, is where the feed is
/// asked from now on. `shares` tells that a known entry of the feed was there.
pub(super) fn follow(state: &mut FeedState, own: &Url, asked: &Url, to: Option<&Url>, shares: bool) -> Move {
    let first = state.moved.as_deref().unwrap_or(own.as_str());
    // Mirrors are the operator's choice, and so is the address in the config while it is only asked in need.
    if asked.as_str() != first {
        return Move::Waiting;
    }
    let Some(to) = to.filter(|to| *to != asked) else {
        state.moving = None;
        return Move::Waiting;
    };
    if !shares && !are_of_one_domain(asked, to) {
        state.moving = None;
        return Move::Stranger(to.clone());
    }
    if state.moving.as_deref() != Some(to.as_str()) {
        state.moving = Some(to.to_string());
        return Move::Waiting;
    }
    state.moving = None;
    // Who gives them at the new address may be yet another.
    let mut validators = state.validators_of(asked.as_str());
    if validators.from.take_if(|from| from == to.as_str()).is_none() {
        validators = Validators::default();
    }
    state.moved = Some(to.to_string()).filter(|_| to != own);
    state.moved_since = state.polled.filter(|_| to != own);
    state.put_validators(to.as_str(), validators);
    Move::Settled(to.clone())
}

/// Whether an answer without anything new, from the address where permanent redirects led, is this feed's: its former answer
/// came from elsewhere, or from there and had shown so.
pub(super) fn was_same(state: &FeedState, asked: &Url, to: Option<&Url>) -> bool {
    let Some(to) = to.map(Url::as_str) else { return true };
    state.moving.as_deref() == Some(to) || state.validators_of(asked.as_str()).from.as_deref() != Some(to)
}

/// Forgets a new address that turned out to be none, while the old one answers.
pub(super) fn turn_back(state: &mut FeedState, failed: &[(Url, FeedError)], answered: &Url, own: &Url) -> bool {
    let is_final = |error: &FeedError| match error {
        FeedError::Fetch(error) => error.was_asked() && !error.is_transient(),
        FeedError::Read(_) => true,
        FeedError::Task(_) => false,
    };
    let Some(moved) = state.moved.clone().filter(|_| answered == own) else { return false };
    let is_wrong = failed.iter().any(|(address, error)| address.as_str() == moved && is_final(error));
    if is_wrong {
        (state.moved, state.moved_since) = (None, None);
        state.moving = None;
    }
    is_wrong
}

/// `feeds.example.co.uk` and `www.example.co.uk` are; `a.github.io` and `b.github.io` are not.
fn are_of_one_domain(a: &Url, b: &Url) -> bool {
    let domain = |url: &Url| {
        let host = url.host_str()?.trim_end_matches('.').to_owned();
        let registrable = psl::domain_str(&host).map(str::to_owned);
        match url.host()? {
            url::Host::Domain(_) => registrable.or(Some(host)),
            _ => Some(host),
        }
    };
    domain(a).is_some() && domain(a) == domain(b)
}

impl FeedError {
    /// False when no request was sent.
    pub(super) fn was_asked(&self) -> bool {
        match self {
            Self::Fetch(error) => FetchError::was_asked(error),
            Self::Read(_) | Self::Task(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn registrable_domains_are_those_of_the_public_suffix_list() {
        for (a, b, same) in [
            ("http://feeds.example.co.uk/", "https://www.example.co.uk/x", true),
            ("http://example.com/", "https://www.example.com:8443/", true),
            ("http://a.co.uk/", "http://b.co.uk/", false),
            ("http://a.github.io/", "http://b.github.io/", false),
            ("http://example.com/", "http://example.org/", false),
            ("http://新闻.公司.cn/", "http://www.新闻.公司.cn/", true),
            ("http://127.0.0.1/", "http://127.0.0.1:8080/", true),
            ("http://127.0.0.1/", "http://127.0.0.2/", false),
            ("http://localhost/", "http://localhost:81/", true),
        ] {
            assert_eq!(are_of_one_domain(&url(a), &url(b)), same, "{a} {b}");
        }
    }

    #[test]
    fn an_address_moves_when_the_same_redirect_was_seen_twice() {
        let (own, to, other) = (url("http://a.example/f"), url("https://b.example/f"), url("https://c.example/f"));
        let mut state = FeedState { url: own.to_string(), ..FeedState::default() };
        state.validators.etag = Some("\"1\"".to_owned());
        state.validators.from = Some(to.to_string());
        state.polled = Some(7);
        assert_eq!(follow(&mut state, &own, &own, Some(&to), true), Move::Waiting);
        // Another target in between begins anew, and so does a direct answer.
        assert_eq!(follow(&mut state, &own, &own, Some(&other), true), Move::Waiting);
        assert_eq!(follow(&mut state, &own, &own, Some(&to), true), Move::Waiting);
        assert_eq!(follow(&mut state, &own, &own, None, true), Move::Waiting);
        assert_eq!(follow(&mut state, &own, &own, Some(&to), true), Move::Waiting);
        assert_eq!(state.moved, None);
        assert_eq!(follow(&mut state, &own, &own, Some(&to), true), Move::Settled(to.clone()));
        assert_eq!((state.moved.as_deref(), state.moved_since), (Some(to.as_str()), Some(7)));
        assert_eq!(state.validators_of(to.as_str()).etag.as_deref(), Some("\"1\""), "the next request is conditional");
        // From there it moves on, and back.
        assert_eq!(follow(&mut state, &own, &to, Some(&own), true), Move::Waiting);
        assert_eq!(follow(&mut state, &own, &to, Some(&own), true), Move::Settled(own.clone()));
        assert_eq!((state.moved, state.moved_since), (None, None));
    }

    #[test]
    fn a_stranger_is_not_followed() {
        let (own, to) = (url("http://a.example/f"), url("https://casino.example/f"));
        let mut state = FeedState { url: own.to_string(), ..FeedState::default() };
        for _ in 0..3 {
            assert_eq!(follow(&mut state, &own, &own, Some(&to), false), Move::Stranger(to.clone()));
        }
        assert_eq!((state.moved, state.moving), (None, None));
    }

    #[test]
    fn a_host_is_left_alone_and_a_mirror_elsewhere_is_asked() {
        let now = Timestamp::from_millis(1_000_000);
        let (own, mirror) = (url("http://a.example/f"), url("http://b.example/f"));
        let mut other = FeedState::default();
        other.held.insert("http://a.example/g".to_owned(), Held { host: "a.example".to_owned(), until: 2_000_000 });
        let holds = Holds::default();
        holds.learn(&other, now);
        let state = FeedState::default();
        let open = |addresses: &[&Url]| holds.open(addresses.iter().map(|u| (*u).clone()).collect(), &state, now);
        assert_eq!(open(&[&own, &mirror]), Ok(vec![mirror.clone()]));
        assert_eq!(open(&[&own]), Err(Wake { at: Timestamp::from_millis(2_000_000), why: Why::Held }));
        let mut gone = FeedState::default();
        gone.gone.insert(mirror.to_string(), 900_000);
        let wake = holds.open(vec![mirror.clone()], &gone, now).unwrap_err();
        assert_eq!((wake.why, wake.at), (Why::Gone, pace::later(Timestamp::from_millis(900_000), GONE)));
        assert!(holds.open(vec![mirror.clone()], &gone, wake.at).is_ok(), "a month later it is asked again");
        // Noted by a clock that was years ahead: it is neither left alone for years, nor in the way of what is true.
        let years = 7 * 365 * 86_400_000;
        other.held.insert("http://a.example/g".to_owned(), Held { host: "a.example".to_owned(), until: years });
        gone.gone.insert(mirror.to_string(), years);
        let holds = Holds::default();
        holds.learn(&other, now);
        assert!(holds.open(vec![own.clone()], &state, now).is_ok() && holds.open(vec![mirror], &gone, now).is_ok());
        other.held.insert("http://a.example/g".to_owned(), Held { host: "a.example".to_owned(), until: 2_000_000 });
        holds.learn(&other, now);
        assert!(holds.open(vec![own], &state, now).is_err());
    }
}
