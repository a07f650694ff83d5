//! From names to addresses, past the guard.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use crate::fetch::guard::Guard;

/// What is being looked up.
type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;
/// Finds the addresses of a name.
pub(super) type Lookup = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// As this machine does it.
pub(super) fn of_the_system() -> Lookup {
    Arc::new(|name| {
        let name = name.to_owned();
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    })
}

/// Looks names up and keeps to itself every address that the guard refuses. The connection goes to exactly what is
/// returned here, so a name that answers differently a second later gains nothing.
pub(super) struct Resolver {
    pub(super) guard: Arc<Guard>,
    pub(super) lookup: Lookup,
    /// The host of the proxy: where it lies is the operator's choice.
    pub(super) proxy: Option<String>,
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let (guard, answer) = (self.guard.clone(), (self.lookup)(name.as_str()));
        let (is_proxied, is_proxy) = (self.proxy.is_some(), self.proxy.as_deref() == Some(name.as_str()));
        Box::pin(async move {
            let (mut open, mut refused) = (Vec::new(), None);
            for ip in answer.await? {
                match guard.address(ip) {
                    Err(found) if !is_proxy => refused = refused.or(Some(found)),
                    _ => open.push(SocketAddr::new(ip, 0)),
                }
            }
            if is_proxied && !is_proxy {
                // A SOCKS proxy is given one address only, and not every one has a way to IPv6.
                open.sort_by_key(SocketAddr::is_ipv6);
            }
            match refused {
                Some(found) if open.is_empty() => Err(found.into()),
                _ => Ok(Box::new(open.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use reqwest::dns::Resolve;

    use super::*;
    use crate::fetch::guard::NotPublic;

    /// Gives one answer after the other.
    fn changing(answers: &'static [&'static [&'static str]]) -> Lookup {
        let asked = AtomicUsize::new(0);
        Arc::new(move |_| {
            let answer = answers[asked.fetch_add(1, Ordering::Relaxed)];
            Box::pin(async { Ok(answer.iter().map(|ip| ip.parse().unwrap()).collect()) })
        })
    }

    async fn resolved(resolver: &Resolver, name: &str) -> Result<Vec<String>, String> {
        match resolver.resolve(name.parse().unwrap()).await {
            Ok(found) => Ok(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.downcast::<NotPublic>().unwrap().to_string()),
        }
    }

    #[tokio::test]
    async fn a_name_that_changes_its_answer_gains_nothing() {
        let lookup = changing(&[
            &["93.184.216.34"],
            &["127.0.0.1"],
            &["10.0.0.1", "93.184.216.34", "::1", "2606:2800:220:1::1"],
            &["::ffff:127.0.0.1", "64:ff9b::a00:1"],
            &[],
        ]);
        let resolver = Resolver { guard: Arc::default(), lookup, proxy: None };
        let said = |text: &str| Err(text.to_owned());
        assert_eq!(resolved(&resolver, "a.example").await, Ok(vec!["93.184.216.34".to_owned()]));
        assert_eq!(resolved(&resolver, "a.example").await, said("a private address (loopback)"));
        let public = vec!["93.184.216.34".to_owned(), "2606:2800:220:1::1".to_owned()];
        assert_eq!(resolved(&resolver, "a.example").await, Ok(public));
        assert_eq!(resolved(&resolver, "a.example").await, said("a private address (loopback)"));
        assert_eq!(resolved(&resolver, "a.example").await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_proxy_may_lie_anywhere_and_what_it_leads_to_may_not() {
        let lookup = changing(&[&["127.0.0.1"], &["127.0.0.1"], &["2606:2800:220:1::1", "93.184.216.34"]]);
        let resolver = Resolver { guard: Arc::default(), lookup, proxy: Some("proxy.lan".to_owned()) };
        assert_eq!(resolved(&resolver, "proxy.lan").await, Ok(vec!["127.0.0.1".to_owned()]));
        assert!(resolved(&resolver, "a.example").await.is_err());
        let sorted = vec!["93.184.216.34".to_owned(), "2606:2800:220:1::1".to_owned()];
        assert_eq!(resolved(&resolver, "a.example").await, Ok(sorted));
    }
}
