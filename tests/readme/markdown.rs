//! As much of Markdown as the README and its pages use.

use std::fs;
use std::path::Path;

/// The pages for users.
pub const PAGES: [&str; 5] =
    ["README.md", "docs/behaviour.md", "docs/commands.md", "docs/config.md", "docs/troubleshooting.md"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Text between two headings.
#[derive(Debug)]
pub struct Section {
    pub title: String,
    /// Without the blocks.
    pub text: String,
    pub blocks: Vec<Block>,
}

/// What stands between fences.
#[derive(Clone, Debug)]
pub struct Block {
    /// `sh`, `yaml` and the like.
    pub language: String,
    pub text: String,
}

impl Block {
    pub fn is_for_shell(&self) -> bool {
        self.language == "sh"
    }
}

/// The sections of a page; the first one has no title and holds what stands before the first `##`.
pub fn sections(page: &str) -> Vec<Section> {
    let new = |title: &str| Section { title: title.to_owned(), text: String::new(), blocks: Vec::new() };
    let mut found = vec![new("")];
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let section = found.last_mut().expect("one");
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```");
            let text: String = inside.flat_map(|line| [line, "\n"]).collect();
            section.blocks.push(Block { language: language.to_owned(), text });
        } else if let Some(title) = line.strip_prefix("##") {
            found.push(new(title.trim_start_matches('#').trim()));
        } else {
            section.text.push_str(line);
            section.text.push('\n');
        }
    }
    found
}

/// The section of a page with this title.
pub fn section(page: &str, title: &str) -> Section {
    let found = sections(page).into_iter().find(|section| section.title == title);
    found.unwrap_or_else(|| panic!("there is no section `{title}`"))
}

/// The rows of the tables of a section, without their heads.
pub fn rows(section: &Section) -> Vec<Vec<String>> {
    let lines: Vec<&str> = section.text.lines().collect();
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with("|---"));
    let row = |(at, line): (usize, &&str)| {
        let cells = line.strip_prefix('|').filter(|_| !line.starts_with("|---") && !is_head(at))?;
        Some(cells.trim_end_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect())
    };
    lines.iter().enumerate().filter_map(row).collect()
}

/// What stands between backticks, in order.
pub fn spans(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        let marks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
        let behind = &rest[at + marks..];
        let Some(end) = closing(behind, marks) else { break };
        let inner = &behind[..end];
        let bare = inner.strip_prefix(' ').and_then(|inner| inner.strip_suffix(' '));
        found.push(bare.filter(|bare| !bare.trim().is_empty()).unwrap_or(inner).replace('\n', " "));
        rest = &behind[end + marks..];
    }
    found
}

/// Where so many backticks stand, and not more.
fn closing(text: &str, marks: usize) -> Option<usize> {
    let mut at = 0;
    loop {
        at += text[at..].find('`')?;
        let run = text[at..].len() - text[at..].trim_start_matches('`').len();
        if run == marks {
            return Some(at);
        }
        at += run;
    }
}

/// As GitHub makes anchors of headings.
pub fn anchor(title: &str) -> String {
    let kept = title.to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The targets of links, without those to other sites.
pub fn links(page: &str) -> Vec<String> {
    let outside: String = sections(page).into_iter().map(|section| section.text).collect();
    let targets = outside.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}
