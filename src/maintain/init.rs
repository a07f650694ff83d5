//! What a new house needs: a config, an archive that Jekyll builds, a service.
//!
//! Nothing that exists is touched, so `init` may be run again at any time, for instance to get back a
//! file that was deleted.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Stands in the service where the folder's name cannot: systemd reads UTF-8 on one line.
const ELSEWHERE: &str = "/srv/feedmill";

/// Each file and what is in it, in the order of writing.
const FILES: &[(&str, &str)] = &[
    ("config/feedmill.yaml", include_str!("init/feedmill.yaml")),
    (".gitignore", include_str!("init/gitignore")),
    ("data/archive/ARCHIVE.md", include_str!("init/ARCHIVE.md")),
    ("data/archive/.gitattributes", include_str!("init/archive/gitattributes")),
    ("data/archive/.gitignore", include_str!("init/archive/gitignore")),
    ("data/archive/_config.yml", include_str!("init/archive/_config.yml")),
    ("data/archive/_includes/post.html", include_str!("init/archive/_includes/post.html")),
    ("data/archive/_layouts/default.html", include_str!("init/archive/_layouts/default.html")),
    ("data/archive/_layouts/month.html", include_str!("init/archive/_layouts/month.html")),
    ("data/archive/_layouts/post.html", include_str!("init/archive/_layouts/post.html")),
    ("data/archive/_plugins/archive.rb", include_str!("init/archive/_plugins/archive.rb")),
    ("data/archive/archive.css", include_str!("init/archive/archive.css")),
    ("data/archive/index.html", include_str!("init/archive/index.html")),
    ("feedmill.service", include_str!("init/feedmill.service")),
];

/// A file that `init` stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Below the folder.
    pub path: PathBuf,
    /// It was there before, and is as it was.
    pub left_alone: bool,
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        if self.left_alone { write!(f, "left `{path}` alone: it exists") } else { write!(f, "wrote `{path}`") }
    }
}

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// A folder.
    #[error("`{}` cannot be made: {cause}; what was written before it is complete", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// A file.
    #[error("`{}` cannot be written: {cause}; what was written before it is complete", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
}

/// Writes what is missing below `dir`; the folder is made if need be.
pub fn init(dir: &Path) -> Result<Vec<Written>, InitError> {
    make_folder(dir)?;
    let service = service(&fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned()));
    let mut written = Vec::with_capacity(FILES.len());
    for (name, text) in FILES {
        let text = if *name == "feedmill.service" { service.as_str() } else { text };
        let left_alone = !write_new(&dir.join(name), text)?;
        written.push(Written { path: PathBuf::from(name), left_alone });
    }
    Ok(written)
}

/// Writes a file unless something has its name; says whether it did.
fn write_new(path: &Path, text: &str) -> Result<bool, InitError> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let failed = |cause| InitError::File { path: path.to_owned(), cause };
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
        // Half a file would be left alone for ever.
        let _ = fs::remove_file(path);
        failed(error)
    })?;
    Ok(true)
}

fn make_folder(path: &Path) -> Result<(), InitError> {
    fs::create_dir_all(path).map_err(|cause| InitError::Folder { path: path.to_owned(), cause })
}

/// The service with its paths filled in.
fn service(dir: &Path) -> String {
    let dir = dir.to_str().filter(|dir| !dir.chars().any(char::is_control)).unwrap_or(ELSEWHERE);
    let in_home = ["/home/", "/root/", "/run/user/"].iter().any(|home| format!("{dir}/").starts_with(home));
    // `%` begins a specifier everywhere; only lists of paths know quotes.
    let percent = dir.replace('%', "%%");
    let quoted = percent.replace('\\', "\\\\").replace('"', "\\\"");
    include_str!("init/feedmill.service")
        .replace("@DATA@", &format!("\"{quoted}/data\""))
        .replace("@DIR@", &percent)
        .replace("@HOME@", if in_home { "read-only" } else { "yes" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn everything_is_written_once_and_then_left_alone() {
        let folder = tempfile::tempdir().expect("folder");
        let dir = folder.path().join("new/house");
        let first = init(&dir).expect("written");
        assert!(first.iter().all(|file| !file.left_alone));
        assert_eq!(first.len(), FILES.len());
        let css = dir.join("data/archive/archive.css");
        fs::remove_file(&css).expect("removed");
        OpenOptions::new()
            .append(true)
            .open(dir.join("config/feedmill.yaml"))
            .and_then(|mut file| file.write_all(b"# mine\n"))
            .expect("changed");
        let second = init(&dir).expect("written");
        let new: Vec<String> = second.iter().filter(|f| !f.left_alone).map(ToString::to_string).collect();
        assert_eq!(new, ["wrote `data/archive/archive.css`"]);
        assert_eq!(second[0].to_string(), "left `config/feedmill.yaml` alone: it exists");
        assert!(fs::read_to_string(dir.join("config/feedmill.yaml")).expect("config").ends_with("# mine\n"));
        assert!(css.exists());
    }

    #[test]
    fn every_template_is_written() {
        fn count(folder: &Path) -> usize {
            fs::read_dir(folder)
                .expect("folder")
                .map(|entry| entry.expect("entry").path())
                .map(|path| if path.is_dir() { count(&path) } else { 1 })
                .sum()
        }
        assert_eq!(count(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/maintain/init")), FILES.len());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        File::create(folder.path().join("data")).expect("file");
        let sentence = init(folder.path()).expect_err("in the way").to_string();
        assert!(sentence.contains("data/archive` cannot be made: "), "{sentence}");
    }

    #[test]
    fn paths_of_the_service_hold_what_systemd_would_read_as_something_else() {
        let text = service(Path::new("/srv/a b/100%\"x"));
        assert!(text.contains("\nWorkingDirectory=/srv/a b/100%%\"x\n"), "{text}");
        assert!(text.contains("\nReadWritePaths=\"/srv/a b/100%%\\\"x/data\"\n"), "{text}");
        assert!(text.contains("\nProtectHome=yes\n"));
        assert!(service(Path::new("/home/me")).contains("\nProtectHome=read-only\n"));
        assert!(service(Path::new("/srv/a\n[Service]")).contains("\nWorkingDirectory=/srv/feedmill\n"));
        assert!(["@DIR@", "@DATA@", "@HOME@"].iter().all(|mark| !text.contains(mark)));
    }

    #[test]
    fn the_service_of_contrib_is_the_one_that_is_written() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/feedmill.service");
        assert_eq!(fs::read_to_string(path).expect("contrib/feedmill.service"), service(Path::new(ELSEWHERE)));
    }

    /// The quoted words of a table in another file of the program.
    fn words(source: &str, from: &str) -> Vec<String> {
        let table = source.split(from).nth(1).and_then(|rest| rest.split("];").next()).expect(from);
        table.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn archive_md_knows_every_rule_of_the_canonical_url() {
        let text = include_str!("init/ARCHIVE.md");
        let source = include_str!("../identity/canonical.rs");
        for table in ["const TRACKING:", "const TRACKING_VALUES:", "const REDIRECTORS:"] {
            let words = words(source, table);
            assert!(words.len() > 10, "{table}");
            for word in words {
                let shown = format!("`{}`", word.trim_end_matches('*'));
                assert!(text.contains(&shown), "ARCHIVE.md does not name {shown} of `{table}`");
            }
        }
        assert!(text.contains(&format!("**Canonical URL, version {}.**", crate::identity::VERSION)));
    }

    #[test]
    fn archive_md_knows_every_op_and_field_of_the_ledger() {
        let text = include_str!("init/ARCHIVE.md");
        let ledger = include_str!("../archive/ledger.rs");
        let raw = include_str!("../archive/raw.rs");
        let code = |source: &'static str| source.split("#[cfg(test)]").next().expect("code").lines();
        let field = |line: &'static str| line.trim().strip_prefix("pub ")?.split_once(": ").map(|(field, _)| field);
        let in_memory = |field: &str| field.contains(' ') || ["answer", "fragments"].contains(&field);
        for field in code(ledger).chain(code(raw)).filter_map(field).filter(|field| !in_memory(field)) {
            assert!(text.contains(&format!("`{field}`")), "ARCHIVE.md does not name the field `{field}`");
        }
        let ops = ledger.split("pub enum Op {").nth(1).and_then(|rest| rest.split('}').next()).expect("ops");
        for op in ops.lines().map(str::trim).filter(|line| line.ends_with(',')) {
            let op = op.trim_end_matches(',').to_lowercase();
            assert!(text.contains(&format!("| `{op}` |")), "ARCHIVE.md does not describe the op `{op}`");
        }
    }
}
