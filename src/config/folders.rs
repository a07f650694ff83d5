//! How the folders of `storage` lie to each other.

use std::path::{Component, Path, PathBuf};

use super::Storage;
use super::keys::Keys;
use super::notes::Taken;

/// A folder inside another, and why it may not be there.
const APART: [(&str, &str, &str); 3] = [
    ("archive", "public", "which everybody may read"),
    ("index", "public", "which everybody may read"),
    ("archive", "index", "which may be deleted at any time"),
];

/// Notes folders that are one, and those that lie where they would come to harm, or do some.
pub(super) fn check(keys: &mut Keys<'_>, storage: &Storage) {
    let folders = [("archive", &storage.archive), ("index", &storage.index), ("public", &storage.public)];
    let folders = folders.map(|(key, path)| (key, whole(keys, path)));
    let mut taken = Taken::new();
    for (key, path) in &folders {
        let path = path.to_string_lossy().into_owned();
        keys.unique(key, path, &mut taken, "archive, index and public must be different folders");
    }
    let path = |key| folders.iter().find(|(known, _)| *known == key).map(|(_, path)| path);
    for (inner, outer, why) in APART {
        let lies_in = path(inner).zip(path(outer)).is_some_and(|(a, b)| a != b && a.starts_with(b));
        if lies_in {
            let at = if keys.is_written(inner) { inner } else { outer };
            keys.refuse(at, format!("`{inner}` lies in `{outer}`, {why}; give each a folder of its own"));
        }
    }
}

/// The path from the root of the disk on, links followed as far as there is something.
fn whole(keys: &Keys<'_>, path: &Path) -> PathBuf {
    let folder = (keys.notes.env)("PWD").unwrap_or_default();
    let real = (keys.notes.real)(&Path::new(&folder).join(path));
    let mut whole = PathBuf::new();
    for part in real.components() {
        match part {
            Component::CurDir => {}
            // What does not exist is no link, so the folder above it is the one before it.
            Component::ParentDir if matches!(whole.components().next_back(), Some(Component::Normal(_))) => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    whole
}
