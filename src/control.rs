//! The control socket: a command beside a running daemon.
//!
//! Lines of JSON over a Unix socket that only its owner may open. The daemon greets, the client sends one [`Command`], and
//! [`Line`]s come back until one of them ends the answer.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, process};

use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;

use crate::model::{FeedStatus, Timestamp};
use crate::poll::FeedReport;

/// How long either side waits for the other's first line.
pub const FIRST_LINE: Duration = Duration::from_secs(10);
/// Bytes of a command at most.
pub const LONGEST_COMMAND: u64 = 1 << 20;

/// What a running daemon is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Poll feeds, or every enabled one, and publish what changed.
    Poll {
        /// Ids.
        feeds: Vec<String>,
        /// Feeds that were polled recently, too, and whole documents.
        force: bool,
        /// Write nothing.
        dry_run: bool,
    },
    /// How the feeds are.
    Status,
    /// Publish topics, or all.
    Publish {
        /// Ids.
        topics: Vec<String>,
    },
    /// Tell which entry something is.
    Explain {
        /// Address or path.
        what: String,
    },
    /// Take an entry down.
    Forget {
        /// Address or path.
        what: String,
        /// Why.
        reason: String,
    },
    /// Read the config again.
    Reload,
}

/// A line of an answer. All but `Hello`, `Report` and `Status` are the last one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The daemon greets.
    Hello {
        /// Its process.
        pid: u32,
        /// Its archive, as an absolute path.
        archive: PathBuf,
    },
    /// A feed was polled.
    Report(Box<Report>),
    /// How one feed is.
    Status(Box<FeedStatus>),
    /// When all of that was so.
    Now {
        /// The daemon's clock.
        now: Timestamp,
    },
    /// All feeds asked for were polled, and what changed is published.
    Polled {
        /// Posts that could not be read for publishing.
        unreadable: Vec<String>,
        /// How long it took.
        seconds: f64,
    },
    /// Topics were published.
    Published {
        /// Files with new bytes.
        changed: usize,
        /// Posts that could not be read.
        unreadable: Vec<String>,
    },
    /// Done, and this is the answer.
    Text {
        /// For people.
        text: String,
    },
    /// It could not be done.
    Failed {
        /// Sentences.
        texts: Vec<String>,
        /// The exit code that says so.
        code: u8,
    },
}

impl Line {
    fn is_last(&self) -> bool {
        !matches!(self, Self::Hello { .. } | Self::Report(_) | Self::Status(_))
    }
}

/// A report with what `--json` does not show and people are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    #[serde(flatten)]
    shown: FeedReport,
    notes: Vec<String>,
    reason: Option<String>,
    repairs: Option<String>,
    took: Duration,
}

impl From<&FeedReport> for Report {
    fn from(report: &FeedReport) -> Self {
        let FeedReport { notes, reason, repairs, took, .. } = report.clone();
        Self { shown: report.clone(), notes, reason, repairs, took }
    }
}

impl From<Report> for FeedReport {
    fn from(report: Report) -> Self {
        let Report { shown, notes, reason, repairs, took } = report;
        Self { notes, reason, repairs, took, ..shown }
    }
}

/// Why the control socket could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another daemon answers on it.
    #[error("a daemon (pid {pid}) answers on `{}` already; stop it, or give this one another `server.socket`", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
        /// Who answers.
        pid: String,
    },
    /// It cannot be made.
    #[error("the control socket `{}` cannot be made: {cause}; change `server.socket`", path.display())]
    Make {
        /// The socket.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Somebody holds it who does not answer.
    #[error("nobody answers on the control socket `{}`: {cause}; look after the daemon, or remove the file if there is none", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// What happened.
        cause: io::Error,
    },
    /// The connection broke.
    #[error("the daemon (pid {pid}) hung up in the middle of its answer: {cause}; its log says more")]
    Broken {
        /// The daemon.
        pid: u32,
        /// The system's words.
        cause: io::Error,
    },
    /// The daemon keeps something else.
    #[error("the daemon (pid {pid}) on `{}` keeps the archive `{}`, not this one; give each its own `server.socket`", path.display(), archive.display())]
    Other {
        /// The socket.
        path: PathBuf,
        /// The daemon.
        pid: u32,
        /// Its archive.
        archive: PathBuf,
    },
    /// The daemon could not do it.
    #[error("{}", texts.join("\n"))]
    Refused {
        /// Its sentences.
        texts: Vec<String>,
        /// The exit code.
        code: u8,
    },
}

/// A greeted daemon.
#[derive(Debug)]
pub struct Client {
    pid: u32,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the daemon of an archive; `None` when there is none.
    pub fn connect(path: &Path, archive: &Path) -> Result<Option<Self>, ControlError> {
        let silent = |cause| ControlError::Silent { path: path.to_owned(), cause };
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) => return Err(silent(error)),
        };
        stream.set_read_timeout(Some(FIRST_LINE)).map_err(silent)?;
        let mut stream = BufReader::new(stream);
        let Line::Hello { pid, archive: kept } = read_line(&mut stream).map_err(silent)? else {
            return Err(silent(io::Error::other("what answers is no feedmill daemon")));
        };
        // From now on an answer may take as long as the work.
        stream.get_ref().set_read_timeout(None).map_err(silent)?;
        let own = absolute(archive);
        if kept != own {
            return Err(ControlError::Other { path: path.to_owned(), pid, archive: kept });
        }
        Ok(Some(Self { pid, stream }))
    }

    /// The daemon's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Asks, hands over the lines on the way, and returns the last one.
    pub fn ask(mut self, command: &Command, mut on_the_way: impl FnMut(Line)) -> Result<Line, ControlError> {
        let broken = |cause| ControlError::Broken { pid: self.pid, cause };
        let mut text = serde_json::to_string(command).map_err(|e| broken(e.into()))?;
        text.push('\n');
        self.stream.get_mut().write_all(text.as_bytes()).map_err(broken)?;
        loop {
            match read_line(&mut self.stream).map_err(broken)? {
                Line::Failed { texts, code } => return Err(ControlError::Refused { texts, code }),
                line if line.is_last() => return Ok(line),
                line => on_the_way(line),
            }
        }
    }
}

fn read_line(stream: &mut BufReader<UnixStream>) -> io::Result<Line> {
    let mut text = String::new();
    if stream.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&text)?)
}

/// No file, or a file that a daemon left which is no more.
fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// A path that means the same in another working directory.
pub fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Makes the socket, in place of one that a daemon left which is no more.
    pub fn listen(path: &Path) -> Result<Self, ControlError> {
        let make = |cause| ControlError::Make { path: path.to_owned(), cause };
        match UnixStream::connect(path) {
            Ok(stream) => return Err(ControlError::Taken { path: path.to_owned(), pid: greeting(stream) }),
            Err(error) if is_nobody(&error) => {}
            Err(cause) => return Err(make(cause)),
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(make)?;
        // Made where nobody else may look, so that at no moment another user could open it.
        let private = folder.join(format!(".feedmill-{}", process::id()));
        let _ = fs::remove_dir_all(&private);
        fs::DirBuilder::new().mode(0o700).create(&private).map_err(make)?;
        let hidden = private.join("s");
        let listener = UnixListener::bind(&hidden).and_then(|listener| {
            fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
            fs::rename(&hidden, path)?;
            Ok(listener)
        });
        let _ = fs::remove_dir_all(&private);
        Ok(Self { path: path.to_owned(), listener: listener.map_err(make)? })
    }

    /// The next client.
    pub async fn accept(&self) -> io::Result<tokio::net::UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn greeting(stream: UnixStream) -> String {
    let _ = stream.set_read_timeout(Some(FIRST_LINE));
    match read_line(&mut BufReader::new(stream)) {
        Ok(Line::Hello { pid, .. }) => pid.to_string(),
        _ => "unknown".to_owned(),
    }
}
