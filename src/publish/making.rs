//! Documents that are made beside each other, on several cores.

use std::collections::VecDeque;

use tokio::task::JoinHandle;

use super::PublishError;

/// So many are in hand at most: each holds its posts.
const MOST: usize = 4;

/// Documents in hand. They come in the order in which they were begun, so that the disk is written in one order whichever is
/// made faster.
#[derive(Debug, Default)]
pub(super) struct Making(VecDeque<(String, JoinHandle<Vec<u8>>)>);

impl Making {
    /// True when one has to be taken before the next is begun.
    pub(super) fn is_full(&self) -> bool {
        self.0.len() >= MOST
    }

    /// Begins with the document of this path.
    pub(super) fn begin(&mut self, path: String, make: impl FnOnce() -> Vec<u8> + Send + 'static) {
        self.0.push_back((path, tokio::task::spawn_blocking(make)));
    }

    /// The first that was begun and not taken yet, with its path.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Vec<u8>)>, PublishError> {
        let Some((path, made)) = self.0.pop_front() else { return Ok(None) };
        match made.await {
            Ok(bytes) => Ok(Some((path, bytes))),
            Err(cause) => Err(PublishError::Document { path, cause }),
        }
    }
}
