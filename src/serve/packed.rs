//! Files in memory, as they are and packed: made once for each content, by threads that may block.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::files::Tag;

/// A representation of RFC 9110 section 8.4: the bytes themselves, or a coding of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Plain,
    Gzip,
    Brotli,
}

impl Form {
    /// What `Content-Encoding` calls it.
    pub(super) fn coding(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Gzip => Some("gzip"),
            Self::Brotli => Some("br"),
        }
    }
}

/// Bytes of memory for all of it.
const ROOM: usize = 64 << 20;
/// What an entry costs beside its bytes, roughly.
const ENTRY: usize = 256;
/// Packed at a time: polls go on beside it.
const WORKERS: usize = 1;
/// How long an answer waits for a form that is being made; what comes later serves the next one.
const PATIENCE: Duration = Duration::from_millis(100);
/// Of gzip; above that, time grows faster than bytes shrink.
const GZIP: u32 = 6;
/// Of brotli: smaller than gzip's best in about the time of its middle. Nine and more take seconds for a megabyte.
const BROTLI: i32 = 5;

/// What is kept of recent contents.
pub(super) struct Packed {
    kept: Mutex<Kept>,
    workers: Semaphore,
    room: usize,
}

#[derive(Default)]
struct Kept {
    entries: HashMap<(Tag, Form), Entry>,
    /// Bytes of all entries.
    size: usize,
    /// Counts uses; the entry with the lowest goes first.
    now: u64,
}

struct Entry {
    made: watch::Receiver<Option<Made>>,
    size: usize,
    used: u64,
}

#[derive(Clone)]
enum Made {
    Bytes(Bytes),
    /// It would not be smaller, or the file could not be read.
    Nothing,
}

impl Packed {
    pub(super) fn new() -> Self {
        Self::with_room(ROOM)
    }

    fn with_room(room: usize) -> Self {
        Self { kept: Mutex::default(), workers: Semaphore::new(WORKERS), room }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bytes of a content, which `read` brings when they are not here. Blocks only its own thread.
    pub(super) async fn plain<R>(self: &Arc<Self>, tag: Tag, read: R) -> Option<Bytes>
    where
        R: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        let mut made = self.made(tag, Form::Plain, read);
        done(made.wait_for(Option::is_some).await.ok()?.as_ref())
    }

    /// The first of these forms that can be had at once or soon. The first is made if it is nowhere.
    pub(super) async fn packed<R>(
        self: &Arc<Self>,
        tag: Tag,
        forms: impl Iterator<Item = Form>,
        read: R,
    ) -> Option<(Form, Bytes)>
    where
        R: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        let mut forms = forms;
        let best = forms.next()?;
        let mut made = self.made(tag, best, read);
        let in_time = timeout(PATIENCE, made.wait_for(Option::is_some)).await;
        if let Some(bytes) = in_time.ok().and_then(Result::ok).and_then(|made| done(made.as_ref())) {
            return Some((best, bytes));
        }
        let mut kept = self.kept();
        forms.find_map(|form| {
            let made = kept.find(tag, form)?;
            let bytes = done(made.borrow().as_ref());
            bytes.map(|bytes| (form, bytes))
        })
    }

    /// What will hold a form, whoever asked first.
    fn made<R>(self: &Arc<Self>, tag: Tag, form: Form, read: R) -> watch::Receiver<Option<Made>>
    where
        R: FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    {
        let mut kept = self.kept();
        if let Some(made) = kept.find(tag, form) {
            return made;
        }
        let (sender, made) = watch::channel(None);
        let used = kept.now;
        kept.entries.insert((tag, form), Entry { made: made.clone(), size: ENTRY, used });
        kept.size += ENTRY;
        drop(kept);
        let packed = self.clone();
        // The client that asked may leave: the others wait for the same bytes.
        tokio::spawn(async move {
            let turn = if form == Form::Plain { None } else { packed.workers.acquire().await.ok() };
            let task = tokio::task::spawn_blocking(move || make(tag, form, read));
            let result = task.await.map_err(io::Error::other).flatten();
            drop(turn);
            packed.keep(tag, form, result.as_ref().ok());
            let _ = sender.send(Some(result.unwrap_or(Made::Nothing)));
        });
        made
    }

    /// Enters what was made; a failure is forgotten, so that the next request tries again.
    fn keep(&self, tag: Tag, form: Form, made: Option<&Made>) {
        let mut kept = self.kept();
        match made {
            Some(Made::Bytes(bytes)) => {
                if let Some(entry) = kept.entries.get_mut(&(tag, form)) {
                    entry.size += bytes.len();
                    kept.size += bytes.len();
                }
            }
            Some(Made::Nothing) => {}
            None => kept.remove((tag, form)),
        }
        if kept.size > self.room {
            kept.shrink(self.room / 8 * 7);
        }
    }
}

impl Kept {
    fn find(&mut self, tag: Tag, form: Form) -> Option<watch::Receiver<Option<Made>>> {
        self.now += 1;
        let entry = self.entries.get_mut(&(tag, form))?;
        entry.used = self.now;
        Some(entry.made.clone())
    }

    /// Drops what was not asked for longest. To less than the room, so that not every new file costs a look at all.
    fn shrink(&mut self, size: usize) {
        // What is being made has waiters.
        let made = self.entries.iter().filter(|(_, entry)| entry.made.borrow().is_some());
        let mut oldest: Vec<_> = made.map(|(key, entry)| (entry.used, *key)).collect();
        oldest.sort_unstable_by_key(|(used, _)| *used);
        for (_, key) in oldest {
            if self.size <= size {
                return;
            }
            self.remove(key);
        }
    }

    fn remove(&mut self, key: (Tag, Form)) {
        if let Some(entry) = self.entries.remove(&key) {
            self.size -= entry.size;
        }
    }
}

fn done(made: Option<&Made>) -> Option<Bytes> {
    match made {
        Some(Made::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

fn make(tag: Tag, form: Form, read: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<Made> {
    let bytes = read()?;
    // A file that is written to while it is read must not be remembered as what it was.
    if Tag::of(&bytes) != tag {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let packed = match form {
        Form::Plain => return Ok(Made::Bytes(bytes.into())),
        Form::Gzip => gzip(&bytes)?,
        Form::Brotli => brotli(&bytes)?,
    };
    Ok(if packed.len() < bytes.len() { Made::Bytes(packed.into()) } else { Made::Nothing })
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP));
    packer.write_all(bytes)?;
    packer.finish()
}

fn brotli(mut bytes: &[u8]) -> io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: BROTLI, size_hint: bytes.len(), ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut bytes, &mut packed, &parameters)?;
    Ok(packed)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn text(n: usize) -> Vec<u8> {
        format!("<entry>{n}</entry>").repeat(500).into_bytes()
    }

    /// Waits for a form that may take longer than patience lasts.
    async fn wait_for(packed: &Arc<Packed>, bytes: &[u8], form: Form) -> Option<Bytes> {
        let held = bytes.to_vec();
        let mut made = packed.made(Tag::of(bytes), form, move || Ok(held));
        done(made.wait_for(Option::is_some).await.unwrap().as_ref())
    }

    #[tokio::test]
    async fn packed_bytes_unpack_to_what_they_were() {
        let (packed, text) = (Arc::new(Packed::new()), text(1));
        let gzip = wait_for(&packed, &text, Form::Gzip).await.unwrap();
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut back).unwrap();
        assert!(back == text && gzip.len() < text.len());
        let brotli = wait_for(&packed, &text, Form::Brotli).await.unwrap();
        let mut back = Vec::new();
        brotli::Decompressor::new(&brotli[..], 4096).read_to_end(&mut back).unwrap();
        assert!(back == text && brotli.len() < text.len());
        assert_eq!(wait_for(&packed, b"short", Form::Gzip).await, None);
    }

    #[tokio::test]
    async fn a_form_is_made_once_for_all_who_ask() {
        let (packed, text, reads) = (Arc::new(Packed::new()), text(1), Arc::new(AtomicUsize::new(0)));
        let asked = (0..50).map(|_| {
            let (text, reads) = (text.clone(), reads.clone());
            let mut made = packed.made(Tag::of(&text), Form::Gzip, move || {
                reads.fetch_add(1, Ordering::Relaxed);
                Ok(text)
            });
            async move { done(made.wait_for(Option::is_some).await.unwrap().as_ref()) }
        });
        let made = futures_util::future::join_all(asked).await;
        assert!(made.iter().all(|bytes| bytes.is_some() && *bytes == made[0]));
        assert_eq!(reads.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_room_is_kept_by_dropping_what_was_not_asked_for_longest() {
        let one = wait_for(&Arc::new(Packed::new()), &text(1), Form::Plain).await.unwrap().len() + ENTRY;
        let packed = Arc::new(Packed::with_room(one * 10));
        for n in (1..=9).chain([1]).chain(10..=12) {
            wait_for(&packed, &text(n), Form::Plain).await.unwrap();
        }
        let kept = packed.kept();
        assert!(kept.size <= packed.room, "{}", kept.size);
        let has = |n: usize| kept.entries.contains_key(&(Tag::of(&text(n)), Form::Plain));
        assert_eq!([1, 2, 3, 11, 12].map(has), [true, false, false, true, true]);
    }

    #[tokio::test]
    async fn what_cannot_be_read_or_changed_meanwhile_is_tried_again() {
        let (packed, text) = (Arc::new(Packed::new()), text(1));
        let tag = Tag::of(&text);
        assert_eq!(packed.plain(tag, || Err(io::ErrorKind::Other.into())).await, None);
        assert_eq!(packed.plain(tag, || Ok(b"other".to_vec())).await, None);
        let again = text.clone();
        assert!(packed.plain(tag, move || Ok(again)).await.unwrap() == text);
        assert!(packed.plain(tag, || Err(io::ErrorKind::Other.into())).await.unwrap() == text);
    }
}
