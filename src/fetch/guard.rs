//! Which addresses may be asked.
//!
//! A feed address comes from the operator, but a redirect and a name's addresses come from strangers, and the
//! program often runs where private services listen. So nothing but public unicast addresses is asked unless
//! `fetch.allow` says so. A host is judged twice: as it stands in the URL, before every request ([`Guard::judge`]), and,
//! for a name, by the addresses it leads to ([`Guard::address`]) at the moment of connecting, so that a name which
//! changes its answer between two look-ups gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::config::Allow;
use crate::model::Proxy;

/// What may be asked besides the public network.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    hosts: Vec<(String, u16)>,
    networks: Vec<IpNet>,
}

/// How a host that passed [`Guard::judge`] may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `fetch.allow` lists exactly this host and port: wherever it leads is the operator's choice.
    Listed,
    /// Each address is judged when connecting.
    Guarded,
}

/// Why an address is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// `0.0.0.0/8` and `::`, which lead to this machine.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `localhost`, `.local`, `.internal`: means nothing outside the network of this machine.
    LocalName,
    /// RFC 1918, and `64:ff9b:1::/48` (RFC 8215).
    Private,
    /// `169.254.0.0/16`, `fe80::/10`.
    LinkLocal,
    /// `100.64.0.0/10`, RFC 6598.
    CarrierGrade,
    /// `fc00::/7`, and its predecessor `fec0::/10`.
    UniqueLocal,
    /// Where cloud machines find their own secrets.
    Metadata,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// `192.0.2.0/24` and others, RFC 5737, RFC 3849, RFC 9637.
    Documentation,
    /// `198.18.0.0/15`, `2001:2::/48`.
    Benchmark,
    /// Teredo and the 6to4 relays: ways into somebody else's IPv4 network.
    Tunnel,
    /// What the registries keep for other uses.
    Reserved,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "a private address (this machine)",
            Self::Loopback => "a private address (loopback)",
            Self::LocalName => "a name of a private network",
            Self::Private => "a private address",
            Self::LinkLocal => "a private address (link-local)",
            Self::CarrierGrade => "a private address (carrier-grade NAT)",
            Self::UniqueLocal => "a private address (unique local)",
            Self::Metadata => "a cloud metadata address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "a documentation address",
            Self::Benchmark => "a benchmark address",
            Self::Tunnel => "a tunnel address",
            Self::Reserved => "a reserved address",
        })
    }
}

/// A name that leads to no address that may be asked; what the resolver reports, without the port it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{class}")]
pub struct NotPublic {
    /// The first refused address; `None` for a name that is judged as such.
    pub ip: Option<IpAddr>,
    /// What it is.
    pub class: Class,
}

/// A host that is not asked, and the sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The host as it stands in the URL.
    pub host: String,
    /// The port that would have been asked.
    pub port: u16,
    /// The address and what it is.
    pub found: NotPublic,
    /// The address that redirected here, fit to be shown.
    pub via: Option<String>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, found: NotPublic { ip, class }, via } = self;
        if let Some(via) = via {
            write!(f, "`{via}` redirects to `{host}:{port}`: ")?;
        }
        // A name is shown with the address it leads to, and so is an address that hides another one.
        let shown = host.trim_start_matches('[').trim_end_matches(']');
        match ip {
            Some(ip) if ip.to_string() != shown => write!(f, "`{host}` leads to `{ip}`, {class}")?,
            _ => write!(f, "`{host}` is {class}")?,
        }
        // Nobody's feed lives on the others.
        let may_be_ours = matches!(
            class,
            Class::Loopback
                | Class::LocalName
                | Class::Private
                | Class::LinkLocal
                | Class::CarrierGrade
                | Class::UniqueLocal
        );
        if may_be_ours {
            let listed = ip.filter(|_| host.starts_with('[')).map_or_else(|| host.clone(), bracketed);
            write!(f, "; if it is yours, add `{listed}:{port}` to fetch.allow")?;
        }
        Ok(())
    }
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

impl Guard {
    /// Takes `fetch.allow`.
    pub fn new(allow: &[Allow]) -> Self {
        let mut guard = Self::default();
        for allowed in allow {
            match allowed {
                Allow::HostPort(host, port) => guard.hosts.push((host_name(host), *port)),
                Allow::Network(network) => guard.networks.push(*network),
            }
        }
        guard
    }

    /// True when single hosts are listed, so that [`Way::Listed`] can occur.
    pub fn lists_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Judges the host and port of a URL as they stand there, in every spelling the `url` crate reads as an address.
    pub fn judge(&self, url: &Url) -> Result<Way, Refusal> {
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().unwrap_or_default();
        let name = host_name(host);
        if self.hosts.iter().any(|(listed, at)| *listed == name && *at == port) {
            return Ok(Way::Listed);
        }
        let ip = match url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(_)) | None => return Ok(Way::Guarded),
        };
        match self.address(ip) {
            Ok(()) => Ok(Way::Guarded),
            Err(found) => Err(Refusal { host: host.to_owned(), port, found, via: None }),
        }
    }

    /// Judges like [`Guard::judge`] what is asked through a proxy. Where a name leads is then the proxy's affair, and
    /// nobody judges it; so names that by themselves mean a private network are refused here, and so is the proxy's.
    pub fn judge_name(&self, url: &Url, proxy: &Proxy) -> Result<Way, Refusal> {
        let way = self.judge(url)?;
        let host = url.host_str().unwrap_or_default();
        let (name, own) = (host_name(host), proxy.reveal().host_str().map(host_name));
        if way == Way::Listed || !(is_local_name(&name) || own.as_ref() == Some(&name)) {
            return Ok(way);
        }
        let found = NotPublic { ip: None, class: Class::LocalName };
        let port = url.port_or_known_default().unwrap_or_default();
        Err(Refusal { host: host.to_owned(), port, found, via: None })
    }

    /// Judges one address, literal or looked up.
    pub fn address(&self, ip: IpAddr) -> Result<(), NotPublic> {
        let ip = unmapped(ip);
        if self.networks.iter().any(|network| network.contains(&ip)) {
            return Ok(());
        }
        let class = match ip {
            IpAddr::V4(ip) => class_v4(ip),
            IpAddr::V6(ip) => class_v6(ip),
        };
        class.map_or(Ok(()), |class| Err(NotPublic { ip: Some(ip), class }))
    }
}

/// RFC 6761, 6762, 8375, and `internal`, under which cloud machines find their secrets; a name without a dot is
/// completed by whoever looks it up.
fn is_local_name(name: &str) -> bool {
    const LAST: [&str; 6] = ["localhost", "local", "internal", "home.arpa", "localdomain", "lan"];
    let is_below = |last: &&str| name.strip_suffix(*last).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    name.parse::<IpAddr>().is_err() && (!name.contains('.') || LAST.iter().any(is_below))
}

/// One form for a host however it is spelled: lower case, punycode, no last dot, no brackets, no mapped IPv4.
fn host_name(text: &str) -> String {
    let bare = text.trim().trim_end_matches('.');
    let bare = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(bare);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return unmapped(ip).to_string();
    }
    match Host::parse(bare) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(ip)) => ip.to_string(),
        Ok(Host::Ipv6(ip)) => unmapped(IpAddr::V6(ip)).to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

/// `::ffff:127.0.0.1` is `127.0.0.1` to the kernel.
fn unmapped(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

/// `None` for a public unicast address; the others as the IANA special-purpose registry has them.
fn class_v4(ip: Ipv4Addr) -> Option<Class> {
    Some(match ip.octets().into() {
        // 169.254.169.254 EC2, Azure, Google …; 169.254.170.2 ECS; 100.100.100.200 Alibaba; 192.0.0.192 Oracle;
        // 168.63.129.16 Azure, which looks public and is not.
        (169, 254, 169, 254) | (169, 254, 170, 2) | (100, 100, 100, 200) | (192, 0, 0, 192) | (168, 63, 129, 16) => {
            Class::Metadata
        }
        (0, ..) => Class::Unspecified,
        (127, ..) => Class::Loopback,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) => Class::Private,
        (169, 254, ..) => Class::LinkLocal,
        (100, 64..=127, ..) => Class::CarrierGrade,
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => Class::Documentation,
        (198, 18 | 19, ..) => Class::Benchmark,
        (192, 88, 99, _) => Class::Tunnel,
        (224..=239, ..) => Class::Multicast,
        (255, 255, 255, 255) => Class::Broadcast,
        (192, 0, 0, _) | (240..=255, ..) => Class::Reserved,
        _ => return None,
    })
}

/// `None` for a public unicast address. Only `2000::/3` is ever given out, so everything outside it is refused.
fn class_v6(ip: Ipv6Addr) -> Option<Class> {
    let embedded = |high: u16, low: u16| class_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    Some(match ip.segments() {
        // EC2 and Google.
        [0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => Class::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0] => Class::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => Class::Loopback,
        // IPv4-compatible and IPv4-translated: forms nobody uses any more for anything good.
        [0, 0, 0, 0, 0 | 0xffff, 0, high, low] => embedded(high, low).unwrap_or(Class::Reserved),
        // NAT64 (RFC 6052), by which a network without IPv4 reaches public IPv4 hosts, and 6to4 (RFC 3056).
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            return embedded(high, low);
        }
        [0x0064, 0xff9b, 1, ..] => Class::Private,
        [0xfe80..=0xfebf, ..] => Class::LinkLocal,
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Class::UniqueLocal,
        [0xff00..=0xffff, ..] => Class::Multicast,
        // Teredo (RFC 4380): where it leads depends on its server.
        [0x2001, 0, ..] => Class::Tunnel,
        [0x2001, 2, 0, ..] => Class::Benchmark,
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Class::Documentation,
        [0x2001, 0..=0x01ff, ..] => Class::Reserved,
        [0x2000..=0x3fff, ..] => return None,
        _ => Class::Reserved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(allow: &[Allow], url: &str) -> Result<Way, String> {
        Guard::new(allow).judge(&Url::parse(url).unwrap()).map_err(|refusal| refusal.to_string())
    }

    fn host_port(host: &str, port: u16) -> Allow {
        Allow::HostPort(host.to_owned(), port)
    }

    #[test]
    fn every_spelling_of_an_address_is_seen_through() {
        for (host, class) in [
            ("127.0.0.1", Class::Loopback),
            ("127.1", Class::Loopback),
            ("127.0.0.1.", Class::Loopback),
            ("0x7f.1", Class::Loopback),
            ("0x7f000001", Class::Loopback),
            ("0177.0.0.01", Class::Loopback),
            ("2130706433", Class::Loopback),
            ("１２７.０.０.１", Class::Loopback),
            ("127。0。0。1", Class::Loopback),
            ("%31%32%37.0.0.1", Class::Loopback),
            ("[::1]", Class::Loopback),
            ("[0:0:0:0:0:0:0:1]", Class::Loopback),
            ("[::ffff:127.0.0.1]", Class::Loopback),
            ("[::ffff:7f00:1]", Class::Loopback),
            ("[::127.0.0.1]", Class::Loopback),
            ("[::ffff:0:127.0.0.1]", Class::Loopback),
            ("[64:ff9b::127.0.0.1]", Class::Loopback),
            ("[64:ff9b::10.0.0.1]", Class::Private),
            ("[64:ff9b:1::10.0.0.1]", Class::Private),
            ("[2002:7f00:1::]", Class::Loopback),
            ("[2002:c0a8:101::1]", Class::Private),
            ("[2001:0:4136:e378:8000:63bf:3fff:fdd2]", Class::Tunnel),
            ("0.0.0.0", Class::Unspecified),
            ("0", Class::Unspecified),
            ("0.1.2.3", Class::Unspecified),
            ("[::]", Class::Unspecified),
            ("10.0.0.1", Class::Private),
            ("172.16.0.1", Class::Private),
            ("172.31.255.255", Class::Private),
            ("192.168.1.1", Class::Private),
            ("169.254.1.1", Class::LinkLocal),
            ("169.254.169.254", Class::Metadata),
            ("[::ffff:169.254.169.254]", Class::Metadata),
            ("100.100.100.200", Class::Metadata),
            ("168.63.129.16", Class::Metadata),
            ("192.0.0.192", Class::Metadata),
            ("[fd00:ec2::254]", Class::Metadata),
            ("100.64.0.1", Class::CarrierGrade),
            ("[fe80::1]", Class::LinkLocal),
            ("[febf::1]", Class::LinkLocal),
            ("[fc00::1]", Class::UniqueLocal),
            ("[fdff::1]", Class::UniqueLocal),
            ("[fec0::1]", Class::UniqueLocal),
            ("[ff02::1]", Class::Multicast),
            ("224.0.0.1", Class::Multicast),
            ("239.255.255.250", Class::Multicast),
            ("255.255.255.255", Class::Broadcast),
            ("240.0.0.1", Class::Reserved),
            ("192.0.0.8", Class::Reserved),
            ("192.88.99.1", Class::Tunnel),
            ("192.0.2.1", Class::Documentation),
            ("198.51.100.1", Class::Documentation),
            ("203.0.113.1", Class::Documentation),
            ("[2001:db8::1]", Class::Documentation),
            ("[3fff::1]", Class::Documentation),
            ("198.18.0.1", Class::Benchmark),
            ("198.19.255.255", Class::Benchmark),
            ("[2001:2::1]", Class::Benchmark),
            ("[100::1]", Class::Reserved),
            ("[5f00::1]", Class::Reserved),
            ("[4000::1]", Class::Reserved),
        ] {
            let url = Url::parse(&format!("http://{host}/")).unwrap();
            let refusal = Guard::default().judge(&url).expect_err(host);
            assert_eq!(refusal.found.class, class, "{host}");
        }
    }

    #[test]
    fn public_addresses_and_names_pass() {
        for host in [
            "example.org",
            "localhost",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "[2606:4700::1111]",
            "[2001:4860:4860::8888]",
            "[64:ff9b::1.1.1.1]",
            "[2002:101:101::1]",
            "[::ffff:1.1.1.1]",
        ] {
            assert_eq!(judged(&[], &format!("https://{host}/")), Ok(Way::Guarded), "{host}");
        }
    }

    #[test]
    fn through_a_proxy_names_are_judged_as_such() {
        let guard = Guard::new(&[host_port("nas.local", 80)]);
        let proxy = Proxy::new(Url::parse("socks5://Proxy.Example.org:1080").unwrap()).unwrap();
        let said =
            |url: &str| guard.judge_name(&Url::parse(url).unwrap(), &proxy).map_err(|refusal| refusal.to_string());
        for host in [
            "localhost",
            "LOCALHOST.",
            "a.localhost",
            "printer.local",
            "metadata.google.internal",
            "router",
            "proxy.example.org.",
        ] {
            assert!(said(&format!("http://{host}/")).is_err(), "{host}");
        }
        for host in ["example.org", "notlocal.example", "mylocal.net", "abcdef.onion", "1.1.1.1", "[2606:4700::1111]"] {
            assert_eq!(said(&format!("http://{host}/")), Ok(Way::Guarded), "{host}");
        }
        assert_eq!(said("http://nas.local/"), Ok(Way::Listed));
        assert_eq!(
            said("http://nas.local:81/").unwrap_err(),
            "`nas.local` is a name of a private network; if it is yours, add `nas.local:81` to fetch.allow"
        );
        assert!(said("http://127.1/").is_err());
    }

    #[test]
    fn a_listed_host_passes_on_its_port_only() {
        let allow = [host_port("127.0.0.1", 9000), host_port("Printer.Example.", 80), host_port("::1", 9000)];
        for url in [
            "http://127.0.0.1:9000/",
            "http://2130706433:9000/",
            "http://[::ffff:127.0.0.1]:9000/",
            "http://printer.example/",
            "http://printer.example./",
            "http://[::1]:9000/x",
        ] {
            assert_eq!(judged(&allow, url), Ok(Way::Listed), "{url}");
        }
        assert_eq!(judged(&allow, "https://printer.example/"), Ok(Way::Guarded));
        assert_eq!(judged(&allow, "http://localhost:9000/"), Ok(Way::Guarded));
        for url in ["http://127.0.0.1/", "http://127.0.0.1:9001/", "http://127.0.0.2:9000/", "http://[::1]:9001/"] {
            assert!(judged(&allow, url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_listed_network_passes_on_every_port() {
        let allow = [Allow::Network("192.168.7.0/24".parse().unwrap()), Allow::Network("fd00::/8".parse().unwrap())];
        assert_eq!(judged(&allow, "http://192.168.7.9:81/"), Ok(Way::Guarded));
        assert_eq!(judged(&allow, "http://[::ffff:192.168.7.9]/"), Ok(Way::Guarded));
        assert_eq!(judged(&allow, "http://[fd12::1]/"), Ok(Way::Guarded));
        assert!(judged(&allow, "http://192.168.8.9/").is_err());
        // The tunnel is not in the network, wherever it ends.
        assert!(judged(&allow, "http://[2002:c0a8:709::1]/").is_err());
    }

    #[test]
    fn the_sentence_names_host_address_and_next_step() {
        let said = |url: &str| judged(&[], url).unwrap_err();
        assert_eq!(
            said("http://127.0.0.1:9000/feed"),
            "`127.0.0.1` is a private address (loopback); if it is yours, add `127.0.0.1:9000` to fetch.allow"
        );
        assert_eq!(
            said("https://[::1]/"),
            "`[::1]` is a private address (loopback); if it is yours, add `[::1]:443` to fetch.allow"
        );
        assert_eq!(
            said("http://[::ffff:10.0.0.1]/"),
            "`[::ffff:a00:1]` leads to `10.0.0.1`, a private address; if it is yours, add `10.0.0.1:80` to fetch.allow"
        );
        assert_eq!(said("http://169.254.169.254/latest"), "`169.254.169.254` is a cloud metadata address");
        let refusal = Refusal {
            host: "printer.example".to_owned(),
            port: 80,
            found: NotPublic { ip: "192.168.1.9".parse().ok(), class: Class::Private },
            via: Some("https://a.example/feed".to_owned()),
        };
        assert_eq!(
            refusal.to_string(),
            "`https://a.example/feed` redirects to `printer.example:80`: `printer.example` leads to `192.168.1.9`, \
             a private address; if it is yours, add `printer.example:80` to fetch.allow"
        );
    }
}
