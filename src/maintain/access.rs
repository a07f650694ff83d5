//! What a check says about the ways to servers, before anything is asked.

use crate::config::{Config, Feed};
use crate::fetch::{self, Fetcher, Limits};
use crate::model::Route;

/// Sentences about what would go wrong at the next poll, or is less guarded than it seems.
pub fn notes(config: &Config, limits: &Limits) -> Vec<String> {
    let client = Fetcher::new(limits).err().map(|error| error.to_string());
    let logins = config.feeds.iter().filter_map(|feed| {
        let error = fetch::try_login(&feed.source.access).err()?;
        Some(format!("feed `{}`: {error}", feed.source.id))
    });
    client.into_iter().chain(logins).chain(unseen_by_the_guard(config)).chain(open_metrics(config)).collect()
}

/// Numbers are for the operator; a container, though, has to give them beyond its own loopback.
fn open_metrics(config: &Config) -> Option<String> {
    let address = config.server.metrics.filter(|address| !address.ip().is_loopback())?;
    Some(format!(
        "whoever reaches `{address}` (server.metrics) reads the numbers and the names of your feeds; keep it behind a \
         firewall, or listen on 127.0.0.1"
    ))
}

/// Says which feeds go through a proxy that looks names up itself.
fn unseen_by_the_guard(config: &Config) -> Option<String> {
    let proxy = |feed: &Feed| match &feed.source.access.route {
        Route::Usual => config.fetch.proxy.clone(),
        Route::Direct => None,
        Route::Through(proxy) => Some(proxy.clone()),
    };
    let is_unseen =
        |feed: &&Feed| !feed.source.is_file() && proxy(feed).is_some_and(|proxy| proxy.reveal().scheme() != "socks5");
    let unseen: Vec<&str> = config.feeds.iter().filter(is_unseen).map(|feed| feed.source.id.as_str()).collect();
    let feeds = match unseen.as_slice() {
        [] => return None,
        [one] => format!("feed `{one}` goes"),
        [first, rest @ ..] if rest.len() > 3 => format!("feed `{first}` and {} others go", rest.len()),
        all => format!("feeds `{}` go", all.join("`, `")),
    };
    Some(format!(
        "{feeds} through a proxy, which looks names up itself; the guard against private addresses sees only what stands \
         in an address there, not where a name leads"
    ))
}
