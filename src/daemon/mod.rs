//! Every feed at its times, the published files over HTTP, and answers to the operator, until a signal says stop.
//!
//! Four things run side by side: those who ask feeds (`poll::Asking`), the work on what comes back (`work`), the server, and
//! the control socket (`talk`). They meet in `House`.

mod outward;
mod pages;
mod request;
mod talk;
mod work;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use self::outward::Outward;
use self::pages::Survey;
use self::request::Request;
use self::work::Work;
use crate::archive::{Archive, ArchiveError};
use crate::clock::Clock;
use crate::config::Config;
use crate::control::{self, ControlError, Socket};
use crate::fetch::{Fetch, Hook};
use crate::index::Index;
use crate::metrics;
use crate::model::LedgerPosition;
use crate::poll::{LastAsked, PollError, Poller, Stop};
use crate::publish::PublishError;
use crate::serve;
use crate::site::Site;
use crate::systemd;
use crate::takedown::TakedownError;

/// Why the daemon stopped, or its work did.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address cannot be listened on.
    #[error("`{address}` cannot be listened on: {cause}; change `{key}`, or stop what uses it")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The key of the config that names it.
        key: &'static str,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// What hubs are told with cannot be made.
    #[error("{0}")]
    Hook(String),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
    /// A second signal came before the first was done.
    #[error("stopped at once by a second signal; what was under way is mended at the next start")]
    Twice,
    /// The task that asks feeds ended by itself.
    #[error(
        "nobody asks feeds any more: the task that does ended by itself; it is begun again, please report what it said before"
    )]
    NobodyAsks,
    /// A poll stopped.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Publishing stopped.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// A takedown stopped.
    #[error(transparent)]
    Takedown(#[from] TakedownError),
}

/// After the first signal, so long for what is under way; the machine's own patience is often ten seconds.
const LAST_WORK: Duration = Duration::from_secs(8);
/// After the last work, so long for what operators are still told.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Signals so close together are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);
/// Between two attempts to go on after trouble with the disk.
const REST: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(1), Duration::from_mins(5)];
/// Requests that wait for the work to take them.
const REQUESTS: usize = 16;
/// What whoever asks for something too late is told.
const STOPPED: &str = "the daemon was told to stop";
/// Between two looks at how things stand.
const MEASURE: Duration = Duration::from_mins(1);

/// What a daemon is made of, and how it is made anew.
pub trait Edges: Send + Sync + 'static {
    /// Where bytes come from.
    type Fetch: Fetch + 'static;
    /// What is remembered.
    type Index: Index + 'static;
    /// What is kept.
    type Archive: Archive + 'static;
    /// What time it is.
    type Clock: Clock + 'static;

    /// Takes note of what is wrong with a poller's edges, and closes them.
    fn close(&self, poller: PollerOf<Self>);

    /// Opens archive and index again, and mends them; or says in a sentence why it cannot be done.
    fn open(&self, config: Arc<Config>) -> impl Future<Output = Result<PollerOf<Self>, String>>;

    /// Reads the config again; what is wrong with it, as sentences.
    fn config(&self) -> Result<Arc<Config>, Vec<String>>;

    /// What fetches by this config.
    fn fetcher(&self, config: &Config) -> Result<Arc<Self::Fetch>, String>;

    /// What hubs are told with.
    fn hook(&self, config: &Config) -> Result<Hook, String>;
}

/// The poller over a daemon's edges.
pub type PollerOf<E> = Poller<<E as Edges>::Fetch, <E as Edges>::Index, <E as Edges>::Archive, <E as Edges>::Clock>;

/// What all parts of the daemon know.
pub(crate) struct House<E: Edges> {
    edges: E,
    site: Site,
    /// What it keeps, as an absolute path: no reload changes that.
    archive: PathBuf,
    /// What is polled now; `None` while archive and index are opened again.
    poller: watch::Sender<Option<PollerOf<E>>>,
    /// Why nothing can be kept at the moment.
    trouble: watch::Sender<Option<String>>,
    requests: mpsc::Sender<Request<E::Fetch>>,
    /// Configs are read one after the other, so that the latest one holds in the end.
    reloading: tokio::sync::Mutex<()>,
    outward: Arc<Outward>,
    /// Publishers are spared, whatever becomes of what they said.
    asked: LastAsked,
    survey: tokio::sync::Mutex<Option<Survey>>,
    started: Instant,
}

impl<E: Edges> House<E> {
    fn has_metrics(&self) -> bool {
        self.poller.borrow().as_ref().is_some_and(|poller| poller.config.server.metrics.is_some())
    }
}

/// Runs until SIGTERM or SIGINT.
pub async fn run<E: Edges>(edges: E, poller: PollerOf<E>, site: Site) -> Result<(), DaemonError> {
    let config = Arc::clone(&poller.config);
    // Fixed before anybody reads it beside the work.
    pages::look(&poller, &site).await?;
    let socket = Socket::listen(&config.server.socket)?;
    let (listener, address) = listen("server.listen", config.server.listen).await?;
    let measured = match config.server.metrics {
        Some(address) => Some(listen("server.metrics", address).await?),
        None => None,
    };
    let mut signals = Signals::new()?;
    let (stopper, stop) = Stop::new();
    let (requests, asked) = mpsc::channel(REQUESTS);
    let outward = Arc::new(Outward::new(poller.clock.now()));
    outward.renew(&config, edges.hook(&config).map_err(DaemonError::Hook)?);
    let house = Arc::new(House {
        edges,
        site,
        archive: control::absolute(&config.storage.archive),
        poller: watch::Sender::new(Some(poller)),
        trouble: watch::Sender::new(None),
        requests,
        reloading: tokio::sync::Mutex::default(),
        outward,
        asked: LastAsked::default(),
        survey: tokio::sync::Mutex::default(),
        started: Instant::now(),
    });
    let (mut first, mut second) = (stop.clone(), stop.clone());
    let pages = pages::Desk(Arc::clone(&house));
    let public = config.storage.public.clone();
    let server = tokio::spawn(serve::run(listener, public, pages, async move { first.wait().await }));
    if let Some((listener, address)) = measured {
        let metrics = Arc::clone(&house.outward.metrics);
        tokio::spawn(metrics::serve(listener, metrics, async move { second.wait().await }));
        tracing::info!("numbers for Prometheus on http://{address}/metrics");
    }
    let talk = tokio::spawn(talk::listen(socket, Arc::clone(&house), stop.clone()));
    let feeds = config.feeds.iter().filter(|feed| feed.enabled).count();
    tracing::info!("serving `{}` on http://{address}/, polling {feeds} feeds", config.storage.public.display());
    systemd::ready();
    let mut work = pin!(keep_working(&house, asked, stop));
    {
        // Ends with the loop: a look that stands still may hold what others wait for.
        let mut looks = pin!(measure(&house));
        loop {
            tokio::select! {
                told = signals.next() => match told {
                    Told::Stop => break,
                    // Beside the work: it may have to wait for it.
                    Told::Reload => drop(tokio::spawn(talk::reload_by_signal(Arc::clone(&house)))),
                },
                // It only ends when it was told to.
                done = work.as_mut() => return done,
                () = looks.as_mut() => {}
            }
        }
    }
    let _ = stopper.send(true);
    house.outward.end();
    let last_work = async {
        let done = work.await;
        // Every answer is given; whoever does not take it is not waited for.
        let _ = tokio::join!(server, timeout(LAST_WORDS, talk));
        done
    };
    end(last_work, &mut signals).await
}

/// Finishes what is under way, as far as there is time for it; a second signal ends it at once.
async fn end(
    last_work: impl Future<Output = Result<(), DaemonError>>,
    signals: &mut Signals,
) -> Result<(), DaemonError> {
    systemd::stopping();
    tracing::info!("stopping: nothing new is begun, what is under way is finished");
    let done = tokio::select! {
        done = timeout(LAST_WORK, last_work) => done,
        () = signals.stop() => return Err(DaemonError::Twice),
    };
    if let Ok(done) = done {
        done?;
    } else {
        tracing::warn!("something under way took too long; what is half done is mended at the next start");
    }
    tracing::info!("stopped");
    Ok(())
}

async fn listen(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), DaemonError> {
    let listener = TcpListener::bind(address).await.map_err(|cause| DaemonError::Listen { address, key, cause })?;
    let address = listener.local_addr().unwrap_or(address);
    Ok((listener, address))
}

/// Tells from time to time how things stand, and systemd that the daemon is still at work: this runs beside the work on one
/// thread, and stands still where that hangs.
async fn measure<E: Edges>(house: &House<E>) {
    // Only numbers need it. Whoever kept it here would keep it locked when it has to be opened again.
    let has_metrics = house.has_metrics();
    let poller = house.poller.borrow().clone().filter(|_| has_metrics);
    let posts = match poller {
        Some(poller) => poller.archive.post_paths().await.map_or(0, |paths| paths.len()),
        None => 0,
    };
    let tick = systemd::watchdog_interval().unwrap_or(MEASURE).min(MEASURE);
    let mut measured: Option<Instant> = None;
    loop {
        systemd::watchdog();
        if measured.is_some_and(|at| at.elapsed() < MEASURE) {
            sleep(tick).await;
            continue;
        }
        measured = Some(Instant::now());
        house.outward.metrics.tasks(tokio::runtime::Handle::current().metrics().num_alive_tasks());
        if let Some(survey) = house.survey().await {
            let archive = house.poller.borrow().as_ref().map(|poller| Arc::clone(&poller.archive));
            let ledger = match archive {
                Some(archive) => archive.position().await.unwrap_or_default(),
                None => LedgerPosition::default(),
            };
            house.outward.stands(&survey.feeds, ledger.iter().map(|end| end.length).sum(), posts);
            systemd::status(&Outward::summary(&survey.feeds));
        }
        sleep(tick).await;
    }
}

/// What a signal says.
enum Told {
    Stop,
    Reload,
}

/// The signals that the daemon knows.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> Result<Self, DaemonError> {
        let of = |kind| signal(kind).map_err(DaemonError::Signals);
        Ok(Self {
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
            hang_up: of(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// A second signal to stop; one right behind the first is the same one, sent to the process and to its group.
    async fn stop(&mut self) {
        let _ = timeout(SAME_SIGNAL, async { while !matches!(self.next().await, Told::Stop) {} }).await;
        while !matches!(self.next().await, Told::Stop) {}
    }
}

/// Works until it is told to stop; whoever asked for something too late is told so.
async fn keep_working<E: Edges>(
    house: &House<E>,
    mut requests: mpsc::Receiver<Request<E::Fetch>>,
    stop: Stop,
) -> Result<(), DaemonError> {
    let done = work_on(house, &mut requests, stop).await;
    requests.close();
    while let Some(Request { answer, .. }) = requests.recv().await {
        answer.failed(STOPPED, 1);
    }
    done
}

/// Where the disk or the index fails, everything is opened and mended again, as a new start would, while what is published is
/// served on.
async fn work_on<E: Edges>(
    house: &House<E>,
    requests: &mut mpsc::Receiver<Request<E::Fetch>>,
    mut stop: Stop,
) -> Result<(), DaemonError> {
    let mut failures = 0;
    loop {
        let Some(poller) = house.poller.borrow().clone() else { return Ok(()) };
        let began = Instant::now();
        let House { site, outward, poller: current, asked, .. } = house;
        let worked = Work::run(&poller, site, outward, current, asked, requests, &stop).await;
        let Err(error) = worked else { return Ok(()) };
        let sentence = error.to_string();
        house.trouble.send_replace(Some(sentence.clone()));
        tracing::error!("{sentence}");
        failures = if began.elapsed() > REST[REST.len() - 1] { 0 } else { failures };
        // A reload may have brought another one since.
        let poller = house.poller.send_replace(None).unwrap_or(poller);
        let config = Arc::clone(&poller.config);
        house.edges.close(poller);
        loop {
            let rest = REST[failures.min(REST.len() - 1)];
            failures += 1;
            tracing::warn!("nothing can be kept at the moment; next try in {} s", rest.as_secs());
            tokio::select! {
                () = stop.wait() => return Ok(()),
                () = refuse(requests, house) => {}
                () = sleep(rest) => {}
            }
            match house.edges.open(Arc::clone(&config)).await {
                Ok(poller) => {
                    house.poller.send_replace(Some(poller));
                    house.trouble.send_replace(None);
                    break;
                }
                Err(sentence) => {
                    tracing::error!("{sentence}");
                    house.trouble.send_replace(Some(sentence));
                }
            }
        }
    }
}

/// Nobody waits for work that cannot be done.
async fn refuse<E: Edges>(requests: &mut mpsc::Receiver<Request<E::Fetch>>, house: &House<E>) {
    while let Some(Request { answer, .. }) = requests.recv().await {
        let trouble = house.trouble.borrow().clone().unwrap_or_default();
        answer.failed(&unable(&trouble), 1);
    }
    std::future::pending::<()>().await;
}

/// What whoever asks for something is told while archive and index are closed.
fn unable(trouble: &str) -> String {
    format!("the daemon cannot do anything at the moment: {trouble}")
}

/// Polls, publishes and gives feeds back until it is told to stop: all that the daemon does but serve and answer.
pub async fn work<F, I, A, C>(poller: &Poller<F, I, A, C>, site: &Site, stop: &Stop) -> Result<(), DaemonError>
where
    F: Fetch + 'static,
    I: Index + 'static,
    A: Archive + 'static,
    C: Clock + 'static,
{
    let (_sender, mut requests) = mpsc::channel(1);
    let current = watch::Sender::new(None);
    let outward = Arc::new(Outward::new(poller.clock.now()));
    Work::run(poller, site, &outward, &current, &LastAsked::default(), &mut requests, stop).await
}
