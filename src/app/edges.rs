//! How the daemon's parts are made on one machine, and made again.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::{App, AppError, LocalPoller, heal};
use crate::archive::FolderArchive;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::daemon::Edges;
use crate::fetch::{Fetcher, Hook};
use crate::index::{Damage, SledIndex};
use crate::poll::PollError;

/// How the daemon's parts are made, and made again.
pub(super) struct LocalEdges {
    /// The main config file.
    path: PathBuf,
    /// What of the index cannot be believed.
    damage: Mutex<Damage>,
}

impl LocalEdges {
    /// For the config that lies there.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, damage: Mutex::default() }
    }

    /// Opens everything and mends it. What turns out damaged is noted, and opened anew without it the next time.
    pub(super) async fn open_app(&self, app: &App) -> Result<LocalPoller, AppError> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let poller = app.poller(true, &app.config.storage.index, &damage)?;
        poller.archive.hold().map_err(PollError::from)?;
        match heal(&poller).await {
            Ok(said) => {
                for line in said {
                    tracing::warn!("{line}");
                }
                Ok(poller)
            }
            Err(error) => {
                self.note(poller.index.damage());
                Err(error)
            }
        }
    }

    fn note(&self, damage: Damage) {
        *self.damage.lock().unwrap_or_else(PoisonError::into_inner) = damage;
    }

    /// True when something was noted.
    pub(super) fn has_damage(&self) -> bool {
        !self.damage.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

impl Edges for LocalEdges {
    type Fetch = Fetcher;
    type Index = SledIndex;
    type Archive = FolderArchive;
    type Clock = SystemClock;

    fn close(&self, poller: LocalPoller) {
        self.note(poller.index.damage());
    }

    async fn open(&self, config: Arc<Config>) -> Result<LocalPoller, String> {
        let app = App { config, path: self.path.clone() };
        self.open_app(&app).await.map_err(|error| error.to_string())
    }

    fn config(&self) -> Result<Arc<Config>, Vec<String>> {
        match App::load(Some(self.path.clone())) {
            Ok(app) => Ok(app.config),
            Err(AppError::Config(problems)) => Err(problems.iter().map(ToString::to_string).collect()),
            Err(error) => Err(vec![error.to_string()]),
        }
    }

    fn fetcher(&self, config: &Config) -> Result<Arc<Fetcher>, String> {
        let app = App { config: Arc::new(config.clone()), path: self.path.clone() };
        Fetcher::new(&app.limits()).map(Arc::new).map_err(|error| error.to_string())
    }

    fn hook(&self, config: &Config) -> Result<Hook, String> {
        let app = App { config: Arc::new(config.clone()), path: self.path.clone() };
        Hook::new(&app.limits()).map_err(|error| error.to_string())
    }
}
