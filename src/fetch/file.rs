//! `file:` feeds.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use url::Url;

use super::error::{FetchError, words};
use super::shown::shown;
use super::{Body, Fetched};
use crate::model::Validators;

/// Reads a file, or finds it unchanged by its time and size.
///
/// The caller has made the address absolute, and it was written by the operator: no redirect leads here.
pub(super) async fn get(url: &Url, validators: &Validators, max_body: u64) -> Result<Fetched, FetchError> {
    let Ok(path) = url.to_file_path() else {
        return Err(FetchError::Address { url: shown(url), cause: "a file address names no host".to_owned() });
    };
    let (url, known) = (url.clone(), validators.clone());
    let name = path.display().to_string();
    tokio::task::spawn_blocking(move || read(&path, url, known, max_body))
        .await
        .unwrap_or_else(|stopped| Err(FetchError::File { path: name, cause: stopped.to_string() }))
}

fn read(path: &Path, url: Url, known: Validators, max_body: u64) -> Result<Fetched, FetchError> {
    let failed = |error: &io::Error| FetchError::File { path: path.display().to_string(), cause: reason(error) };
    let (mut file, found) = open(path).map_err(|error| failed(&error))?;
    let etag = mark(&found);
    if known.etag.as_ref() == Some(&etag) {
        return Ok(Fetched::NotModified { validators: known, freshness: None, moved: None });
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large from one that just fits.
    (&mut file).take(max_body.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > max_body {
        return Err(FetchError::TooLarge { url: path.display().to_string(), limit: max_body });
    }
    // A file that was written to meanwhile gets no validators, so the next poll reads it again.
    let after = file.metadata().map_err(|error| failed(&error))?;
    let etag = (mark(&after) == etag).then_some(etag);
    Ok(Fetched::Body(Body {
        bytes,
        content_type: None,
        base: url,
        status: 200,
        validators: Validators { etag, last_modified: None, from: None },
        freshness: None,
        headers: Vec::new(),
        moved: None,
    }))
}

/// Opens a regular file. Without `NONBLOCK` opening a FIFO would wait for a writer for ever.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok((file, found))
}

/// `"mtime_ns-size"`: changes whenever the file is written or replaced.
fn mark(found: &Metadata) -> String {
    let nanos = i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec());
    format!("\"{nanos}-{}\"", found.size())
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => words(&error.to_string()).to_owned(),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test's files need no care")]
mod tests {
    use super::*;

    async fn ask(path: &Path, known: &Validators) -> Result<Fetched, FetchError> {
        get(&Url::from_file_path(path).unwrap(), known, 10).await
    }

    #[tokio::test]
    async fn an_unchanged_file_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("新闻 1%.xml");
        std::fs::write(&path, "0123456789").unwrap();
        let Ok(Fetched::Body(body)) = ask(&path, &Validators::default()).await else { panic!("no body") };
        assert_eq!(body.bytes, b"0123456789");
        assert_eq!((body.status, body.content_type, body.moved), (200, None, None));
        let again = ask(&path, &body.validators).await;
        assert_eq!(
            again,
            Ok(Fetched::NotModified { validators: body.validators.clone(), freshness: None, moved: None })
        );
        std::fs::write(&path, "012").unwrap();
        let Ok(Fetched::Body(changed)) = ask(&path, &body.validators).await else { panic!("no body") };
        assert_eq!(changed.bytes, b"012");
    }

    #[tokio::test]
    async fn what_is_no_regular_file_of_fair_size_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let said = async |path: &Path| {
            let text = ask(path, &Validators::default()).await.unwrap_err().to_string();
            text.replace(&folder.path().display().to_string(), "")
        };
        assert_eq!(said(&folder.path().join("none.xml")).await, "`/none.xml` cannot be read: no such file");
        assert_eq!(said(folder.path()).await, "`` cannot be read: not a regular file");
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(said(&fifo).await, "`/fifo` cannot be read: not a regular file");
        assert_eq!(said(Path::new("/dev/zero")).await, "`/dev/zero` cannot be read: not a regular file");
        let large = folder.path().join("large.xml");
        std::fs::write(&large, "0123456789a").unwrap();
        assert_eq!(said(&large).await, "`/large.xml` is larger than 10 bytes; if that is right, raise fetch.max_body");
        let elsewhere = Url::parse("file://example.org/a.xml").unwrap();
        let error = get(&elsewhere, &Validators::default(), 10).await.unwrap_err();
        assert_eq!(error.to_string(), "`file://example.org/a.xml` cannot be fetched: a file address names no host");
    }
}
