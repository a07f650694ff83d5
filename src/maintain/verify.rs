//! Checks every post against its name, its ledger line and the index.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::archive::{Archive, ArchiveError, Line, Op};
use crate::index::{Index, IndexError};
use crate::model::{EntryKey, LedgerPosition, PostPath};

/// Why the check stopped.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The archive cannot be read at all.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The index cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// What was checked and found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Posts that were read.
    pub posts: usize,
    /// One sentence for each thing that is not as it has to be.
    pub findings: Vec<String>,
}

/// Checks the whole archive; `deep` compares checksums too.
pub async fn archive<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    deep: bool,
    progress: impl Fn(usize, usize),
) -> Result<Verified, VerifyError> {
    let mut lines = archive.lines_after(&LedgerPosition::default()).await?;
    lines.sort_by_key(|line| line.seen);
    let written = last_by_path(&lines);
    let records: HashMap<EntryKey, String> =
        index.all().await?.into_iter().map(|found| (found.key, found.record.path)).collect();
    // Another maker's layout may put posts anywhere: the ledger knows where.
    let named: BTreeSet<String> = written.keys().map(ToString::to_string).collect();
    let gone = archive.missing(named.clone()).await?;
    let mut paths: BTreeSet<PostPath> = archive.post_paths().await?.into_iter().collect();
    paths.extend(named.difference(&gone).filter_map(|path| PostPath::parse(path)));
    let mut done = Verified::default();
    for (i, path) in paths.iter().enumerate() {
        check(archive, path, written.get(path.as_str()).copied(), &records, deep, &mut done).await?;
        if i % 1_000 == 0 {
            progress(i, paths.len());
        }
    }
    for (path, line) in written.iter().filter(|(path, _)| gone.contains(**path)) {
        done.findings.push(format!(
            "`{path}`: the ledger names this post of {}, but it is gone; restore it from a backup",
            line.seen.day()
        ));
    }
    let known: BTreeSet<&str> = written.keys().copied().collect();
    for path in records.values().filter(|path| !known.contains(path.as_str())) {
        done.findings.push(format!("`{path}`: the index knows it, but the ledger does not; run `feedmill reindex`"));
    }
    Ok(done)
}

/// The last line that wrote each path, without the paths of entries that were taken down: several may have held one, and
/// it is gone for good, wherever its line stands.
fn last_by_path(lines: &[Line]) -> BTreeMap<&str, &Line> {
    let gone: HashSet<EntryKey> = lines.iter().filter(|line| line.op == Op::Forget).map(|line| line.key).collect();
    let left = lines.iter().filter(|line| !gone.contains(&line.key));
    left.filter_map(|line| Some((line.path.as_deref()?, line))).collect()
}

async fn check<A: Archive>(
    archive: &A,
    path: &PostPath,
    line: Option<&Line>,
    records: &HashMap<EntryKey, String>,
    deep: bool,
    done: &mut Verified,
) -> Result<(), VerifyError> {
    done.posts += 1;
    let post = match archive.read(path).await {
        Ok(post) => post,
        Err(error @ ArchiveError::Post { .. }) => {
            done.findings.push(error.to_string());
            return Ok(());
        }
        Err(error) if error.is_absence() => {
            done.findings
                .push(format!("`{path}`: a link that leads to no file; remove it, or put the file in its place"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let Some(line) = line else {
        done.findings.push(format!("`{path}`: no ledger line names it; run `feedmill reindex`, which gives it one"));
        return Ok(());
    };
    let imported = line.op == Op::Import;
    if !imported && post.key != line.key {
        done.findings.push(format!("`{path}`: its key is {}, the ledger says {}", post.key, line.key));
    }
    if !imported && !path.as_str().rsplit('/').next().is_some_and(|name| name.starts_with(&post.date.day())) {
        done.findings.push(format!("`{path}`: its date is {}, its name says another day", post.date.day()));
    }
    match records.get(&line.key) {
        None => done.findings.push(format!("`{path}`: the index does not know it; run `feedmill reindex`")),
        // Of several imported posts with one key the index takes one.
        Some(known) if !imported && known != path.as_str() => {
            done.findings.push(format!("`{path}`: the index has `{known}` for its key; run `feedmill reindex`"));
        }
        Some(_) => {}
    }
    if deep {
        let sum = archive.checksum(path).await?;
        if line.sha256.as_ref() != Some(&sum) {
            done.findings.push(format!("`{path}`: its bytes are not those that were written; restore it from a backup, or leave it if you meant to change it"));
        }
    }
    Ok(())
}
