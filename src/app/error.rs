//! Why a command failed, and with which exit code.

use std::path::PathBuf;

use crate::config::{Problem, append};
use crate::control::ControlError;
use crate::daemon::DaemonError;
use crate::fetch::FetchError;
use crate::index::IndexError;
use crate::maintain::forget::ForgetError;
use crate::maintain::import::ImportError;
use crate::maintain::ingest::IngestError;
use crate::maintain::init::InitError;
use crate::maintain::verify::VerifyError;
use crate::poll::PollError;
use crate::publish::PublishError;
use crate::read::list;
use crate::takedown::TakedownError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// `-C` names no folder.
    #[error("`{}` cannot be entered: {cause}", path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The config has problems.
    #[error("{} problems in the config", .0.len())]
    Config(Vec<Problem>),
    /// A name on the command line is not in the config.
    #[error("unknown {what} `{name}`; the config has {known}")]
    Unknown {
        /// `feed` or `topic`.
        what: &'static str,
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// The program could not start its threads.
    #[error("the program cannot start: {0}")]
    Start(std::io::Error),
    /// The client could not be built.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A poll stopped.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// Publishing stopped.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Taking over the archive stopped.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// An import of posts stopped.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// An entry could not be found or forgotten.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// A takedown stopped.
    #[error(transparent)]
    Takedown(#[from] TakedownError),
    /// The control socket.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Another process has the index open.
    #[error("`{}` is in use by another feedmill (pid {pid}){}", index.display(), if *answers {
        "; it is a daemon that does not do this: stop it first".to_owned()
    } else {
        format!(" that does not answer on `{}`; wait for it or stop it", socket.display())
    })]
    Held {
        /// `storage.index`.
        index: PathBuf,
        /// The other process.
        pid: String,
        /// `server.socket`.
        socket: PathBuf,
        /// It answers on the socket.
        answers: bool,
    },
    /// Nobody is there to be asked.
    #[error("no daemon answers on `{}`; one that starts reads the config as it is then", socket.display())]
    NoDaemon {
        /// `server.socket`.
        socket: PathBuf,
    },
    /// The check stopped.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A file named on the command line cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A file is no list of feeds.
    #[error("`{}` is not a list of feeds: {cause}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: list::ListError,
    },
    /// A feed could not be found behind an address.
    #[error("`{address}` cannot be added: {cause}")]
    Add {
        /// As given.
        address: String,
        /// Why.
        cause: String,
    },
    /// The config could not be changed.
    #[error("`{}` cannot be changed: {cause}", path.display())]
    Append {
        /// The config file.
        path: PathBuf,
        /// Why.
        cause: append::AppendError,
    },
    /// The config could not be written.
    #[error("`{}` cannot be written: {cause}", path.display())]
    Write {
        /// The config file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// A new folder could not be set up.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The daemon stopped.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

impl AppError {
    /// 1 the program failed, 2 wrong usage, 3 the config has problems.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Control(ControlError::Refused { code, .. }) => *code,
            Self::Unknown { .. } | Self::Directory { .. } | Self::Forget(ForgetError::Unknown(_)) => 2,
            Self::Takedown(error) if error.is_unknown() => 2,
            _ => 1,
        }
    }
}
