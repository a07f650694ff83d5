//! The files of the config.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::AppError;
use crate::config::{self, Problem};
use crate::disk::{Disk, LocalDisk};

/// The main config file and those it includes, with their names.
pub(super) fn texts(path: &Path) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let main = read_text(path)?;
    let mut texts = vec![(path.display().to_string(), main)];
    for pattern in config::includes(&texts[0].1) {
        let paths = glob::glob(&pattern).map_err(|e| vec![problem(path, "include", &format!("`{pattern}`: {e}"))])?;
        let mut found: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
        found.sort();
        if found.is_empty() && !pattern.contains(['*', '?', '[']) {
            return Err(vec![problem(path, "include", &format!("`{pattern}`: no such file"))]);
        }
        for file in found {
            let text = read_text(&file)?;
            texts.push((file.display().to_string(), text));
        }
    }
    Ok(texts)
}

pub(super) fn read_text(path: &Path) -> Result<String, Vec<Problem>> {
    std::fs::read_to_string(path).map_err(|error| {
        let text = match error.kind() {
            // Whoever starts in a folder without a config has not set one up, or stands in the wrong folder.
            ErrorKind::NotFound => {
                "there is no such file; `feedmill init` makes one, `--config FILE` names another".to_owned()
            }
            _ => format!("cannot be read: {error}"),
        };
        vec![problem(path, "", &text)]
    })
}

/// Replaces the config whole, so that no crash leaves half of it.
pub(super) fn replace_config(path: &Path, text: &str) -> Result<(), AppError> {
    let failed = |cause| AppError::Write { path: path.to_owned(), cause };
    let written = crate::disk::temporary(path);
    LocalDisk.write(&written, text.as_bytes()).map_err(failed)?;
    LocalDisk.sync(&written).map_err(failed)?;
    LocalDisk.rename(&written, path).map_err(failed)
}

/// Where a path leads when links are followed, as far as there is something.
pub(super) fn real(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|above| Some((above, std::fs::canonicalize(above).ok()?)));
    let whole = found.and_then(|(above, real)| Some(real.join(path.strip_prefix(above).ok()?)));
    whole.unwrap_or_else(|| path.to_owned())
}

fn problem(file: &Path, path: &str, text: &str) -> Problem {
    Problem { file: file.display().to_string(), line: None, path: path.to_owned(), text: text.to_owned() }
}
