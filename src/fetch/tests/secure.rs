//! TLS with an authority of our own, HTTP/2, and connections that are used again.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, BoxStream, StreamExt};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

/// Who vouches for servers.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server of these names, whose certificate is good for these years.
    pub(super) fn server(&self, names: &[&str], years: (i32, i32), protocols: &[&str]) -> ServerConfig {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder().with_no_client_auth();
        let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// The file for `fetch.ca_file`.
    pub(super) fn file(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &self.pem).unwrap();
        file
    }
}

/// Years in which the tests of this program are run.
pub(super) const NOW: (i32, i32) = (2020, 2120);

/// A server behind TLS that speaks what its ALPN says.
pub(super) struct Secure {
    pub(super) at: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<(Version, HeaderMap)>>>,
}

impl Secure {
    pub(super) async fn start(config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (count, log, acceptor) = (connections.clone(), requests.clone(), TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (log, acceptor) = (log.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let service = service_fn(move |request: Request<Incoming>| {
                        let path = request.uri().path().to_owned();
                        let response = answer_to(path.clone());
                        log.lock().unwrap().push((request.version(), request.headers().clone()));
                        response
                    });
                    let io = TokioIo::new(stream);
                    if is_h2 {
                        let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(io, service)
                            .await;
                    } else {
                        let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
                    }
                });
            }
        });
        Self { at, connections, requests }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.at.port())
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The headers of the requests so far.
    pub(super) fn requests(&self) -> Vec<HeaderMap> {
        self.requests.lock().unwrap().iter().map(|(_, headers)| headers.clone()).collect()
    }

    fn versions(&self) -> Vec<Version> {
        self.requests.lock().unwrap().iter().map(|(version, _)| *version).collect()
    }
}

/// A body that may break off.
type Torn = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

async fn answer_to(path: String) -> io::Result<Response<Torn>> {
    let builder = match path.as_str() {
        "/hang" => std::future::pending().await,
        "/refused" => return Err(io::Error::other("refused")),
        "/304" => Response::builder().status(304).header("etag", "\"1\""),
        "/404" => Response::builder().status(404),
        "/hop" => Response::builder().status(302).header("location", "/end"),
        "/head" => Response::builder().header("x", "y".repeat(100 << 10)),
        _ => Response::builder(),
    };
    let whole = if path == "/304" { "" } else { "<rss>hello</rss>" };
    let frame = |text: &'static str| Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let frames = match path.as_str() {
        "/torn" => stream::iter([frame("<rss>")]).chain(stream::once(torn())).boxed(),
        _ => stream::iter([frame(whole)]).boxed(),
    };
    Ok(builder.body(StreamBody::new(frames)).unwrap())
}

/// Breaks off when what came before has been sent.
async fn torn() -> io::Result<Frame<Bytes>> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Err(io::Error::other("torn"))
}

fn trusting(authority: &tempfile::NamedTempFile) -> Limits {
    let allow = vec![Allow::Network("127.0.0.0/8".parse().unwrap()), Allow::Network("::1/128".parse().unwrap())];
    Limits { ca_file: Some(authority.path().to_owned()), ..limits(allow) }
}

#[tokio::test]
async fn one_connection_serves_all_requests_of_a_host() {
    let authority = Authority::new("ours");
    let file = authority.file();
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)]
    {
        let server = Secure::start(authority.server(&["localhost"], NOW, protocols)).await;
        let fetch = HttpFetch::new(&trusting(&file)).unwrap();
        let known = Validators { etag: Some("\"1\"".to_owned()), last_modified: None, from: None };
        for path in ["/a", "/b", "/304", "/404", "/hop", "/c"] {
            let fetched = fetch.get(&source(&server.url(path)), &known).await;
            match path {
                "/304" => assert!(matches!(fetched, Ok(Fetched::NotModified { .. })), "{fetched:?}"),
                "/404" => assert!(matches!(fetched, Err(FetchError::Status { .. })), "{fetched:?}"),
                _ => assert!(matches!(fetched, Ok(Fetched::Body(_))), "{fetched:?}"),
            }
        }
        assert_eq!(server.versions(), vec![version; 7]);
        assert_eq!(server.connections(), 1, "{protocols:?}");
    }
}

#[tokio::test]
async fn a_head_without_end_is_a_sentence_in_http_2_too() {
    let authority = Authority::new("ours");
    let file = authority.file();
    let server = Secure::start(authority.server(&["localhost"], NOW, &["h2"])).await;
    let error = ask_with(&trusting(&file), &server.url("/head"), &Validators::default()).await.unwrap_err();
    assert_eq!(
        error.to_string().replace(&server.at.port().to_string(), "PORT"),
        "`localhost:PORT` sent something that is not HTTP: HTTP/2 against its rules, or a head of more than 64 KiB"
    );
}

#[tokio::test]
async fn what_breaks_off_in_http_2_is_a_sentence() {
    let authority = Authority::new("ours");
    let file = authority.file();
    let server = Secure::start(authority.server(&["localhost"], NOW, &["h2"])).await;
    let limits = Limits { first_byte: Duration::from_millis(400), ..trusting(&file) };
    for (path, expected) in [
        ("/torn", "`URL` was cut off after 5 bytes: stream error received: unexpected internal error encountered"),
        (
            "/refused",
            "`AT` broke the connection off without an answer: stream error received: unexpected internal error encountered",
        ),
        ("/hang", "no answer from `AT` within 400ms (fetch.first_byte)"),
    ] {
        let url = server.url(path);
        let error = ask_with(&limits, &url, &Validators::default()).await.unwrap_err();
        let expected = expected.replace("URL", &url).replace("AT", &format!("localhost:{}", server.at.port()));
        assert_eq!(error.to_string(), expected);
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_a_sentence() {
    let (ours, other) = (Authority::new("ours"), Authority::new("another"));
    let file = ours.file();
    for (config, cause) in [
        (
            other.server(&["localhost"], NOW, &[]),
            "nobody known here vouches for its certificate; if you do, put its authority's certificate into fetch.ca_file",
        ),
        (
            Authority::new("ours").server(&["localhost"], NOW, &[]),
            "nobody known here vouches for its certificate; if you do, put its authority's certificate into fetch.ca_file",
        ),
        (ours.server(&["localhost"], (2019, 2020), &[]), "its certificate ended on 2020-01-01"),
        (
            ours.server(&["localhost"], (2119, 2120), &[]),
            "its certificate begins on 2119-01-01; is the clock right here?",
        ),
        (
            ours.server(&["news.example.org"], NOW, &[]),
            "its certificate is for `news.example.org`, not for `localhost`",
        ),
        (
            ours.server(&["a.example", "b.example", "c.example", "d.example"], NOW, &[]),
            "its certificate is for `a.example`, `b.example`, `c.example` and others, not for `localhost`",
        ),
    ] {
        let server = Secure::start(config).await;
        let error = ask_with(&trusting(&file), &server.url("/"), &Validators::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Tls { .. }) && !error.is_transient(), "{error:?}");
        let expected = format!("no secure connection to `localhost:{}`: {cause}", server.at.port());
        assert_eq!(error.to_string(), expected);
        assert!(server.versions().is_empty());
    }
}

#[tokio::test]
async fn what_is_no_tls_is_a_sentence() {
    let origin = Origin::saying("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let url = origin.url("/").replace("http:", "https:");
    let error = ask_with(&allowing(&origin), &url, &Validators::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("no secure connection to `{}`: it does not speak TLS; does the address begin with `http:`?", origin.at)
    );
}

#[test]
fn a_ca_file_without_certificates_is_a_sentence() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let said = |path: &std::path::Path| {
        let limits = Limits { ca_file: Some(path.to_owned()), ..limits(Vec::new()) };
        let error = HttpFetch::new(&limits).err().unwrap().to_string();
        error.replace(&path.display().to_string(), "ca.pem")
    };
    let empty = "`ca.pem` (fetch.ca_file) cannot be used: it holds no certificate in PEM form \
                 (`-----BEGIN CERTIFICATE-----`)";
    assert_eq!(said(file.path()), empty);
    std::fs::write(file.path(), "no certificate\n").unwrap();
    assert_eq!(said(file.path()), empty);
    std::fs::write(file.path(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(said(file.path()), "`ca.pem` (fetch.ca_file) cannot be used: one of its certificates cannot be read");
    assert_eq!(
        said(std::path::Path::new("/nowhere/ca.pem")),
        "`ca.pem` (fetch.ca_file) cannot be used: No such file or directory"
    );
}
