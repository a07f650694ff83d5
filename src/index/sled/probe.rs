//! Tries a store before it is believed: opens it and reads all there is.
//!
//! A damaged store can hang, panic, or bring its process down, and a thread that hangs cannot be
//! ended. So the trial runs in a process of its own where there is a program for it.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::store::{self, caught, refused};
use super::{Kind, entries, state};
use crate::index::IndexError;

/// Name of the hidden command that [`run`] stands behind.
pub const COMMAND: &str = "try-store";

/// A process that was killed and is still there after this time waits for its disk.
const DEATH: Duration = Duration::from_secs(5);

/// Where the trial runs.
#[derive(Clone, Debug)]
pub(super) enum Guard {
    /// In a process of this program, which has the command [`COMMAND`].
    Process(PathBuf),
    /// In a thread, which is left alone when it hangs.
    Thread,
}

/// What a trial found.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All of it can be read.
    Sound,
    /// It is damaged, or cannot be read in time; the cause.
    Suspect(String),
}

impl Guard {
    /// Tries a store; an error is a disk that does not do its work.
    pub(super) fn try_store(&self, kind: Kind, path: &Path) -> Result<Verdict, IndexError> {
        let limit = store::limit(path);
        let hangs = || Verdict::Suspect(format!("it could not be read within {} s", limit.as_secs()));
        if let Self::Process(program) = self
            && let Ok(child) = start(program, kind, path)
        {
            return watch(child, path, limit).map(|verdict| verdict.unwrap_or_else(hangs));
        }
        let store = path.to_owned();
        match store::within(limit, move || check(kind, &store)) {
            Some(done) => judged(done),
            None => Ok(hangs()),
        }
    }
}

/// The other side of the process: tries a store and prints what it found. It ends with the process
/// that started it, which it knows by the end of standard input.
pub fn run(kind: &str, path: &Path) {
    thread::spawn(|| {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        #[expect(clippy::disallowed_methods, reason = "nobody waits for the answer, and the store may hang")]
        std::process::exit(1);
    });
    let kind = if kind == Kind::State.name() { Kind::State } else { Kind::Entries };
    let told = match judged(check(kind, path)) {
        Ok(Verdict::Sound) => "sound".to_owned(),
        Ok(Verdict::Suspect(cause)) => format!("suspect {cause}"),
        Err(IndexError::Store { cause, .. }) => format!("refused {cause}"),
        Err(error) => format!("refused {error}"),
    };
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{told}").and_then(|()| out.flush());
}

fn check(kind: Kind, path: &Path) -> Result<(), IndexError> {
    let db = store::open(path)?;
    caught(path, || match kind {
        Kind::State => state::check(path, &db),
        Kind::Entries => entries::check(path, &db),
    })
}

fn judged(done: Result<(), IndexError>) -> Result<Verdict, IndexError> {
    match done {
        Ok(()) => Ok(Verdict::Sound),
        Err(IndexError::Damaged { cause, .. }) => Ok(Verdict::Suspect(cause)),
        Err(error) => Err(error),
    }
}

fn start(program: &Path, kind: Kind, path: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(kind.name()).arg(path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

/// Waits for the verdict; `None` when it does not come in time.
fn watch(mut child: Child, path: &Path, limit: Duration) -> Result<Option<Verdict>, IndexError> {
    let failed = |e| refused(path, "opened", e);
    let ended = wait(&mut child, limit).map_err(failed)?;
    if ended.is_none() {
        child.kill().map_err(failed)?;
        return match wait(&mut child, DEATH).map_err(failed)? {
            Some(_) => Ok(None),
            None => Err(refused(path, "read", "the disk does not answer")),
        };
    }
    let mut told = String::new();
    if let Some(out) = &mut child.stdout {
        out.read_to_string(&mut told).map_err(failed)?;
    }
    match told.split_once(' ').unwrap_or((&told, "")) {
        ("sound", _) => Ok(Some(Verdict::Sound)),
        ("suspect", cause) => Ok(Some(Verdict::Suspect(cause.to_owned()))),
        ("refused", cause) => Err(refused(path, "opened", cause)),
        _ if ended.is_some_and(is_crash) => Ok(Some(Verdict::Suspect("its reader crashed".to_owned()))),
        // Somebody ended it, or the system had no memory for it: that says nothing of the store.
        _ => Err(refused(path, "opened", "its trial was ended from outside; run it again")),
    }
}

fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        match child.try_wait()? {
            None if start.elapsed() < limit => thread::sleep(Duration::from_millis(5)),
            done => return Ok(done),
        }
    }
}

/// True for a process that ended by its own doing, without a verdict: a signal for a broken
/// instruction, address or assertion.
fn is_crash(status: ExitStatus) -> bool {
    // SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
    status.signal().is_none_or(|signal| matches!(signal, 4 | 5 | 6 | 7 | 8 | 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(script: &str, limit: Duration) -> Result<Option<Verdict>, IndexError> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        watch(command.spawn().expect("sh"), Path::new("store"), limit)
    }

    #[test]
    fn a_crash_is_damage_and_an_end_from_outside_is_not() {
        let long = Duration::from_mins(1);
        assert!(matches!(watched("printf sound", long), Ok(Some(Verdict::Sound))));
        let told = watched("printf 'suspect no page 7'", long);
        assert!(matches!(told, Ok(Some(Verdict::Suspect(cause))) if cause == "no page 7"));
        assert!(matches!(watched("kill -ABRT $$", long), Ok(Some(Verdict::Suspect(_)))));
        assert!(matches!(watched("kill -SEGV $$", long), Ok(Some(Verdict::Suspect(_)))));
        for outside in ["printf 'refused no space'", "kill -KILL $$", "kill -TERM $$"] {
            assert!(matches!(watched(outside, long), Err(IndexError::Store { .. })), "{outside}");
        }
        assert!(matches!(watched("exec sleep 600", Duration::from_millis(50)), Ok(None)));
    }
}
