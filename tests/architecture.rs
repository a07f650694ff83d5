//! What ARCHITECTURE.md and docs/evidence.md name is there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::house::files;

/// What stands in backticks.
fn quoted(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// True when the sources define something of this name: a function, a type, a constant, a module, a field or a variant.
fn is_defined(name: &str, sources: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "const", "static", "mod", "type"];
    let ends = ['(', '<', ' ', ':', ';', '=', ',', '\n'];
    let begins = kinds.into_iter().any(|kind| {
        let start = format!("{kind} {name}");
        sources.match_indices(&start).any(|(at, found)| sources[at + found.len()..].starts_with(ends))
    });
    let is_variant = |(at, found): (usize, &str)| sources[at + found.len()..].starts_with([',', ' ', '(']);
    begins || sources.match_indices(&format!("\n    {name}")).any(is_variant)
}

/// Looks for all that a page names; how many names and files it has.
fn check(page: &str) -> (usize, usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join(page)).expect("page");
    let all: Vec<_> = ["src", "tests"].into_iter().flat_map(|folder| files(&root.join(folder))).collect();
    let rust: Vec<_> = all.iter().filter(|file| file.extension().is_some_and(|end| end == "rs")).collect();
    let sources: String = rust.iter().map(|file| std::fs::read_to_string(file).expect("source")).collect();
    let is_module = |name: &str| {
        let is_it = |part: &std::ffi::OsStr| part == name || part == &*format!("{name}.rs");
        rust.iter().any(|file| file.strip_prefix(root).is_ok_and(|path| path.iter().any(is_it)))
    };
    let (mut names, mut paths) = (0, 0);
    for quoted in quoted(&text) {
        let quoted = quoted.strip_suffix('/').unwrap_or(quoted);
        let parts: Vec<&str> = quoted.split("::").collect();
        if parts.len() > 1 && parts.iter().all(|part| is_name(part)) {
            names += 1;
            for part in parts {
                assert!(is_module(part) || is_defined(part, &sources), "{page}: `{quoted}`: there is no `{part}`");
            }
        }
        if let Some((_, "rs" | "md" | "html" | "py" | "yaml")) = quoted.rsplit_once('.')
            && !quoted.contains([' ', '*', '<'])
        {
            paths += 1;
            assert!(
                root.join(quoted).exists() || all.iter().any(|file| file.ends_with(quoted)),
                "{page}: no `{quoted}`"
            );
        }
    }
    (names, paths)
}

#[test]
fn what_the_architecture_names_is_there() {
    let (names, paths) = check("ARCHITECTURE.md");
    assert!(names > 30 && paths > 20, "{names} names and {paths} files were found in it");
}

#[test]
fn every_test_that_shows_a_promise_is_there() {
    let (names, _) = check("docs/evidence.md");
    assert!(names > 30, "{names} names were found in it");
}
