//! Two sites of the archive: the one it is, and one with Jekyll's own Markdown and nothing that protects.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::{House, files};

/// A page that was built: its name, and where it lies.
pub type Built = (String, PathBuf);

/// All posts on one page, each in a section of its own, so that what breaks out of it is seen.
const ALL: &str = "---\npermalink: /all.html\n---\n<!DOCTYPE html><meta charset=\"utf-8\"><title>All</title><body>\
    {% for post in site.posts %}<section data-of=\"{{ post.url | escape }}\"><h1>{{ post.title | escape }}</h1>\
    {{ post.content }}</section><hr data-end>{% endfor %}</body>";

/// The pages of both sites; none where Jekyll is not installed.
pub fn sites(house: &House) -> Vec<Built> {
    if !Command::new("jekyll").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: `jekyll` is not installed");
        return Vec::new();
    }
    let posts = house.posts();
    let own = build(&house.path("data/archive"), &house.path("site"));
    // A folder for year, month, day and post.
    let pages = own.iter().filter(|(name, _)| name.matches('/').count() == 4).count();
    assert_eq!(pages, posts.len(), "one page for each post");
    for (path, text) in &posts {
        house.write(&format!("other/{path}"), text.as_bytes());
    }
    house.write("other/_config.yml", b"timezone: UTC\nstrict_front_matter: true\npermalink: pretty\nencoding: utf-8\n");
    house.write("other/_layouts/post.html", b"{{ content }}");
    house.write("other/all.html", ALL.as_bytes());
    let other = build(&house.path("other"), &house.path("other-site"));
    own.into_iter().chain(other.into_iter().filter(|(name, _)| name == "all.html")).collect()
}

/// Builds a site without a word of complaint.
fn build(from: &Path, to: &Path) -> Vec<Built> {
    let output = Command::new("jekyll")
        .args(["build".as_ref(), "--source".as_ref(), from.as_os_str(), "--destination".as_ref(), to.as_os_str()])
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("jekyll runs");
    let log = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let words = ["warning", "error", "conflict", "exception", "skipping"];
    let complaints: Vec<_> =
        log.lines().filter(|line| words.iter().any(|word| line.to_lowercase().contains(word))).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let page = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "html");
    let named = |file: PathBuf| (file.strip_prefix(to).expect("below").to_string_lossy().into_owned(), file);
    files(to).into_iter().filter(page).map(named).collect()
}
