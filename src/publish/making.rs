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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn documents_come_in_order_and_one_that_fails_is_named() {
        let mut making = Making::default();
        making.begin("slow".to_owned(), || {
            std::thread::sleep(Duration::from_millis(50));
            b"1".to_vec()
        });
        making.begin("fast".to_owned(), || b"2".to_vec());
        making.begin("broken".to_owned(), || std::panic::panic_any("no such thing"));
        assert!(!making.is_full());
        making.begin("last".to_owned(), || b"4".to_vec());
        assert!(making.is_full());
        let mut came = Vec::new();
        for _ in 0..4 {
            came.push(match making.next().await {
                Ok(Some((path, bytes))) => format!("{path} {}", String::from_utf8_lossy(&bytes)),
                Ok(None) => "nothing".to_owned(),
                Err(error) => error.to_string(),
            });
        }
        assert_eq!((&came[0][..], &came[1][..], &came[3][..]), ("slow 1", "fast 2", "last 4"));
        assert!(came[2].starts_with("`broken` cannot be made: ") && came[2].contains("no such thing"), "{}", came[2]);
        assert!(matches!(making.next().await, Ok(None)));
    }
}
