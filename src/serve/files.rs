//! From the path of a request to an open file.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::packed::Form;
use crate::model::Timestamp;

/// Read and sent at a time, in bytes; what one slow reader of a large file costs.
const CHUNK: usize = 64 << 10;
/// Remembered hashes; past that the memory starts afresh.
const REMEMBERED: usize = 100_000;

/// A folder of files to serve.
#[derive(Clone)]
pub(super) struct Files {
    root: PathBuf,
    // Hashing a large feed for each request would cost more than sending it.
    tags: Arc<Mutex<HashMap<String, (Mark, Tag)>>>,
}

/// What the bytes are: the first half of their SHA-256, the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tag([u8; 16]);

impl Tag {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self::from_hash(Sha256::new().chain_update(bytes))
    }

    fn from_hash(hash: Sha256) -> Self {
        let mut tag = Self([0; 16]);
        tag.0.copy_from_slice(&hash.finalize()[..16]);
        tag
    }

    /// The `ETag` of a form, quoted: RFC 9110 section 8.8.3.3 wants another one for each.
    pub(super) fn quoted(self, form: Form) -> String {
        let mut text = String::from("\"");
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        if let Some(coding) = form.coding() {
            let _ = write!(text, "-{coding}");
        }
        text.push('"');
        text
    }
}

/// What changes when a file is replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    device: u64,
    inode: u64,
    length: u64,
    nanos: i128,
}

impl Mark {
    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            nanos: i128::from(found.mtime()) * 1_000_000_000 + i128::from(found.mtime_nsec()),
        }
    }
}

/// What a path leads to.
pub(super) enum Found {
    /// A regular file.
    File(Opened),
    /// A folder asked for without its last slash.
    Folder,
    /// Nothing that is served.
    Nothing,
}

/// An open file.
#[derive(Clone)]
pub(super) struct Opened {
    file: Arc<File>,
    /// Bytes.
    pub(super) length: u64,
    /// When it was last written.
    pub(super) modified: Timestamp,
    pub(super) tag: Tag,
    pub(super) content_type: &'static str,
}

impl Opened {
    fn new(file: File, mark: Mark, tag: Tag, name: &str) -> Self {
        let modified = Timestamp::from_millis(i64::try_from(mark.nanos / 1_000_000).unwrap_or_default());
        Self { file: Arc::new(file), length: mark.length, modified, tag, content_type: content_type(name) }
    }

    /// All bytes. Blocks.
    pub(super) fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        self.file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// The next bytes behind the first `at`; none at the end. Blocks. A file that became shorter is an error: the
    /// length is promised already.
    pub(super) fn read_at(&self, at: u64) -> io::Result<Vec<u8>> {
        let left = self.length.saturating_sub(at);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

impl Files {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, tags: Arc::default() }
    }

    /// Opens what the path of a request names.
    pub(super) async fn open(&self, path: &str) -> io::Result<Found> {
        let Some((mut parts, is_folder)) = parts(path) else {
            return Ok(Found::Nothing);
        };
        if is_folder {
            parts.push("index.html".to_owned());
        }
        // What was asked for before is in the system's memory, and looking there takes less time than another thread
        // takes to wake up.
        if let Some(file) = self.unchanged(&parts) {
            return Ok(Found::File(file));
        }
        let files = self.clone();
        let opened = tokio::task::spawn_blocking(move || files.opened(&parts)).await.map_err(io::Error::other);
        match opened.flatten()? {
            Found::Folder if is_folder => Ok(Found::Nothing),
            found => Ok(found),
        }
    }

    /// A file that is as it was when it was last asked for.
    fn unchanged(&self, parts: &[String]) -> Option<Opened> {
        let name = parts.join("/");
        let (mark, tag) = self.tags().get(&name).copied()?;
        let file = File::from(self.open_below(parts).ok()?);
        let found = file.metadata().ok()?;
        (Mark::of(&found) == mark).then(|| Opened::new(file, mark, tag, &name))
    }

    /// Opens a file and takes its hash. Blocks.
    fn opened(&self, parts: &[String]) -> io::Result<Found> {
        let file = match self.open_below(parts) {
            Ok(file) => File::from(file),
            // ELOOP and, for folders, ENOTDIR are what NOFOLLOW says of a symbolic link; ENXIO is a socket.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO) => {
                return Ok(Found::Nothing);
            }
            Err(error) => return Err(error.into()),
        };
        let found = file.metadata()?;
        if found.is_dir() {
            return Ok(Found::Folder);
        }
        if !found.is_file() {
            return Ok(Found::Nothing);
        }
        let (name, mark) = (parts.join("/"), Mark::of(&found));
        let tag = tag(&file, mark.length)?;
        let opened = Opened::new(file, mark, tag, &name);
        let mut tags = self.tags();
        if tags.len() >= REMEMBERED {
            tags.clear();
        }
        tags.insert(name, (mark, tag));
        Ok(Found::File(opened))
    }

    fn tags(&self) -> MutexGuard<'_, HashMap<String, (Mark, Tag)>> {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Walks down one part at a time, so that no symbolic link below the root is followed, whenever it appears.
    fn open_below(&self, parts: &[String]) -> rustix::io::Result<OwnedFd> {
        // The root itself is opened anew each time: it may be replaced, and may be a link of the operator's.
        let folder = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let mut at = rustix::fs::open(&self.root, folder, Mode::empty())?;
        for (n, part) in parts.iter().enumerate() {
            let flags = if n + 1 == parts.len() { file } else { folder | OFlags::NOFOLLOW };
            at = rustix::fs::openat(&at, part.as_str(), flags, Mode::empty())?;
        }
        Ok(at)
    }
}

/// Of the bytes that will be sent.
fn tag(file: &File, length: u64) -> io::Result<Tag> {
    let mut hash = Sha256::new();
    let mut bytes = vec![0; CHUNK];
    let mut at = 0;
    while at < length {
        let most = usize::try_from(length - at).unwrap_or(CHUNK).min(CHUNK);
        match file.read_at(&mut bytes[..most], at)? {
            0 => break,
            n => {
                hash.update(&bytes[..n]);
                at += n as u64;
            }
        }
    }
    Ok(Tag::from_hash(hash))
}

/// The parts of a request's path, decoded, and whether it names a folder. `None` for what is never served: names
/// that are empty, begin with a dot (our temporary files do), or hold a backslash or a control character.
fn parts(path: &str) -> Option<(Vec<String>, bool)> {
    if path == "/" {
        return Some((Vec::new(), true));
    }
    let path = path.strip_prefix('/')?;
    let (path, is_folder) = path.strip_suffix('/').map_or((path, false), |folder| (folder, true));
    let mut parts = Vec::new();
    for part in path.split('/') {
        let part = decoded(part)?;
        let odd = |c: char| c.is_control() || matches!(c, '/' | '\\');
        if part.is_empty() || part.starts_with('.') || part.contains(odd) {
            return None;
        }
        parts.push(part);
    }
    Some((parts, is_folder))
}

/// Undoes percent-encoding, once; `None` when it is broken or the result is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push(u8::try_from(high << 4 | low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// By the names that `publish` gives. Sealed history documents are Atom too.
fn content_type(name: &str) -> &'static str {
    let file = name.rsplit('/').next().unwrap_or_default();
    match file {
        "atom.xml" => return "application/atom+xml; charset=utf-8",
        "rss.xml" => return "application/rss+xml; charset=utf-8",
        "feed.json" => return "application/feed+json; charset=utf-8",
        "opml.xml" => return "text/x-opml; charset=utf-8",
        _ => {}
    }
    match file.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "xml" if name.split('/').rev().skip(1).any(|part| part == "history") => "application/atom+xml; charset=utf-8",
        "xml" => "application/xml; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "opml" => "text/x-opml; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_served() {
        let plain = |path: &str| parts(path).map(|(parts, is_folder)| (parts.join("|"), is_folder));
        assert_eq!(plain("/"), Some((String::new(), true)));
        assert_eq!(plain("/tencent/"), Some(("tencent".to_owned(), true)));
        assert_eq!(plain("/tencent/atom.xml"), Some(("tencent|atom.xml".to_owned(), false)));
        assert_eq!(plain("/%E5%BE%AE/a%20b"), Some(("微|a b".to_owned(), false)));
        assert_eq!(plain("/a..b/c%2Exml"), Some(("a..b|c.xml".to_owned(), false)));
        for path in [
            "",
            "*",
            "a",
            "//",
            "///",
            "/..",
            "/../etc/passwd",
            "/a/../b",
            "/a/./b",
            "/.hidden",
            "/a/.tmp",
            "//a",
            "/a//b",
            "/a//",
            "/%2e%2e/etc",
            "/%2E%2E%2Fetc",
            "/a%2Fb",
            "/a%5C..%5Cb",
            "/a\\b",
            "/a%00.xml",
            "/a%0Ab",
            "/%",
            "/%z1",
            "/%f",
            "/%ff",
            "/%c0%ae%c0%ae/etc",
            "/%C2%85",
        ] {
            assert_eq!(plain(path), None, "{path}");
        }
        // Decoded once only.
        assert_eq!(plain("/%252e%252e/x"), Some(("%2e%2e|x".to_owned(), false)));
    }

    #[test]
    fn types_follow_from_names() {
        for (name, expected) in [
            ("tencent/atom.xml", "application/atom+xml; charset=utf-8"),
            ("tencent/rss.xml", "application/rss+xml; charset=utf-8"),
            ("tencent/feed.json", "application/feed+json; charset=utf-8"),
            ("opml.xml", "text/x-opml; charset=utf-8"),
            ("sources.opml", "text/x-opml; charset=utf-8"),
            ("tencent/history/1a2b/12.xml", "application/atom+xml; charset=utf-8"),
            ("a.xml", "application/xml; charset=utf-8"),
            ("index.html", "text/html; charset=utf-8"),
            ("feed.css", "text/css; charset=utf-8"),
            ("other", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }
}
