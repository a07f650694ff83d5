//! A server for tests that sends any bytes, in any rhythm.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One thing an answer does.
#[derive(Clone)]
pub(crate) enum Step {
    /// These bytes.
    Send(Vec<u8>),
    /// These bytes, so many times over.
    Repeat(Vec<u8>, usize),
    /// These bytes again and again, with a pause between.
    Drip(Vec<u8>, Duration),
    /// Nothing, for ever.
    Hang,
    /// End with a TCP reset.
    Reset,
}

/// A listening server; it ends with the runtime of the test.
pub(crate) struct Origin {
    pub(crate) at: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<AtomicUsize>,
}

impl Origin {
    /// Answers each request with what `answer` makes of its path, then closes the connection unless the answer
    /// says `keep-alive`.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::listen("127.0.0.1:0", answer).await
    }

    pub(crate) async fn listen(at: &str, answer: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (log, count, answer) = (requests.clone(), connections.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let (log, answer) = (log.clone(), answer.clone());
                tokio::spawn(async move {
                    let _ = converse(stream, &log, &*answer).await;
                });
            }
        });
        Self { at, requests, connections }
    }

    /// Answers every request with the same bytes.
    pub(crate) async fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |_| vec![Step::Send(bytes.clone())]).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far, from request line to blank line.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }

    /// One request as text, each byte a character.
    pub(crate) fn request(&self, n: usize) -> String {
        self.requests()[n].iter().copied().map(char::from).collect()
    }
}

async fn converse(
    mut stream: TcpStream,
    log: &Mutex<Vec<Vec<u8>>>,
    answer: &(dyn Fn(&str) -> Vec<Step> + Send + Sync),
) -> std::io::Result<()> {
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let byte = stream.read_u8().await?;
            request.push(byte);
            // A TLS greeting, for one, has no blank line.
            if request.len() == 1 && !byte.is_ascii_alphabetic() {
                break;
            }
        }
        let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
        log.lock().unwrap().push(request);
        let mut stays = false;
        for step in answer(&path) {
            match step {
                Step::Send(bytes) => {
                    stays |= bytes.windows(10).any(|part| part == b"keep-alive");
                    stream.write_all(&bytes).await?;
                }
                Step::Repeat(bytes, times) => {
                    for _ in 0..times {
                        stream.write_all(&bytes).await?;
                    }
                }
                Step::Drip(bytes, pause) => loop {
                    stream.write_all(&bytes).await?;
                    tokio::time::sleep(pause).await;
                },
                Step::Hang => std::future::pending::<()>().await,
                Step::Reset => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    #[expect(deprecated, reason = "with zero it does not block")]
                    return stream.set_linger(Some(Duration::ZERO));
                }
            }
        }
        if !stays {
            stream.shutdown().await?;
            return Ok(());
        }
    }
}
