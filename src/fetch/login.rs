//! What only a feed's own server is told.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::{FetchError, words};
use crate::model::{Access, Login, Password, Secret};

/// A longer password is somebody's mistake: the wrong file. In bytes.
const LONGEST: u64 = 4096;

/// The headers that go with each request to a feed's own server; reads the password.
pub(super) async fn headers(access: &Access) -> Result<Vec<(String, Secret)>, FetchError> {
    let mut headers = access.headers.clone();
    let Some(Login { username, password }) = &access.login else { return Ok(headers) };
    let password = match password {
        Password::Given(password) => password.clone(),
        Password::File(path) => of_file(path.clone()).await?,
    };
    let basic = base64(format!("{username}:{}", password.reveal()).as_bytes());
    headers.push(("authorization".to_owned(), Secret::new(format!("Basic {basic}"))));
    Ok(headers)
}

async fn of_file(path: PathBuf) -> Result<Secret, FetchError> {
    let name = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || read(&path)).await;
    read.unwrap_or_else(|stopped| Err(stopped.to_string())).map_err(|cause| FetchError::File { path: name, cause })
}

fn read(path: &Path) -> Result<Secret, String> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map_err(|error| words(&error.to_string()).to_owned())?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("it should hold a password and is empty".to_owned());
    }
    if password.contains(char::is_control) {
        return Err("it should hold a password on its first line and nothing else".to_owned());
    }
    Ok(Secret::new(password))
}

/// RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits: usize, n| bits << 8 | group.get(n).map_or(0, |byte| usize::from(*byte)));
        for n in 0..4 {
            let letter = LETTERS.get(bits >> (18 - 6 * n) & 63).copied().map_or('=', char::from);
            text.push(if n > group.len() { '=' } else { letter });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("ann:s3cret", "YW5uOnMzY3JldA=="),
            ("微信~?", "5b6u5L+hfj8="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}
