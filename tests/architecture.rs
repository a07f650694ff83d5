//! What ARCHITECTURE.md names is there.

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

#[test]
fn what_the_architecture_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let rust = ["src", "tests"].into_iter().flat_map(|folder| files(&root.join(folder)));
    let rust = rust.filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let sources: String = rust.map(|file| std::fs::read_to_string(file).expect("source")).collect();
    let (mut names, mut paths) = (0, 0);
    for quoted in quoted(&text) {
        let quoted = quoted.strip_suffix('/').unwrap_or(quoted);
        let parts: Vec<&str> = quoted.split("::").collect();
        if parts.len() > 1 && parts.iter().all(|part| is_name(part)) {
            names += 1;
            for part in parts {
                let is_module = ["src", "tests"].iter().any(|folder| {
                    let place = root.join(folder);
                    place.join(part).is_dir() || place.join(format!("{part}.rs")).is_file()
                });
                assert!(is_module || is_defined(part, &sources), "`{quoted}`: there is no `{part}`");
            }
        }
        if let Some((_, "rs" | "md" | "html" | "py" | "yaml")) = quoted.rsplit_once('.')
            && !quoted.contains([' ', '*', '<'])
        {
            paths += 1;
            let is_there = ["", "src", "tests"].iter().any(|folder| root.join(folder).join(quoted).exists());
            assert!(is_there || files(&root.join("src")).iter().any(|file| file.ends_with(quoted)), "no `{quoted}`");
        }
    }
    assert!(names > 30 && paths > 20, "{names} names and {paths} files were found in it");
}
