//! The command table, `docs/commands.md` and every command line of the pages against `--help`.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::LazyLock;

use clap::Parser;
use clap::error::ErrorKind;

use super::markdown::{PAGES, page, rows, section, sections, spans};

/// Where the options that every command takes begin.
const EVERYWHERE: &str = "\n\nOptions of every command:\n";

fn help(command: &str) -> String {
    let mut feedmill = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    let output = feedmill.args(command.split_whitespace()).arg("--help").env_remove("FEEDMILL_CONFIG").output();
    String::from_utf8(output.expect("runs").stdout).expect("UTF-8")
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default().lines().take_while(|line| !line.trim().is_empty());
    // Descriptions are broken into lines; only names stand at this margin.
    let at_margin = list.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = at_margin.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

/// Every command that does something, such as `export opml`.
static COMMANDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let below = |name: String| {
        let inner = listed(&help(&name));
        if inner.is_empty() { vec![name] } else { inner.into_iter().map(|inner| format!("{name} {inner}")).collect() }
    };
    let all: Vec<String> = listed(&help("")).into_iter().flat_map(below).collect();
    assert!(all.len() >= 15, "{all:?}");
    all
});

/// The long options that a help describes, but `--help`.
fn options(help: &str) -> BTreeSet<String> {
    let described = help.lines().filter(|line| line.starts_with("  ") && line.trim_start().starts_with('-'));
    let long = described.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")));
    long.map(|word| word.trim_end_matches(',').to_owned()).filter(|word| word != "--help").collect()
}

#[test]
fn the_page_of_commands_is_what_help_says() {
    let page = page("docs/commands.md");
    let titles: Vec<String> = sections(&page).into_iter().skip(1).map(|section| section.title).collect();
    let wanted: BTreeSet<String> =
        COMMANDS.iter().map(|name| format!("feedmill {name}")).chain(["feedmill".to_owned()]).collect();
    assert_eq!(titles.iter().cloned().collect::<BTreeSet<_>>(), wanted);
    for title in titles {
        let name = title.strip_prefix("feedmill").expect("feedmill").trim();
        let whole = help(name);
        // What every command takes stands once on the page, with the program itself.
        let said = if name.is_empty() { whole.as_str() } else { whole.split(EVERYWHERE).next().expect("help") };
        let shown = &section(&page, &title).blocks[0].text;
        assert_eq!(shown.trim_end(), said.trim_end(), "docs/commands.md, {title}");
        assert!(whole.contains(EVERYWHERE), "{title}");
    }
}

/// `feedmill poll [FEED…]` and `[FEED]...` of a help are the same words.
fn usage_words(usage: &str) -> BTreeSet<String> {
    let plain = usage.replace("]...", "…]").replace("[OPTIONS] ", "").replace("[OPTIONS]", "");
    // `[--json]`: options that may be left out are in the table, but in no usage.
    let plain: String = plain
        .split('[')
        .map(|part| {
            part.split_once(']')
                .filter(|(p, _)| p.starts_with("--"))
                .map_or(if part.contains(']') { format!("[{part}") } else { part.to_owned() }, |(_, rest)| {
                    rest.to_owned()
                })
        })
        .collect();
    plain.split_whitespace().map(|word| word.trim_matches(['<', '>']).to_owned()).collect()
}

#[test]
fn each_row_of_the_command_table_is_what_help_says() {
    let table: Vec<Vec<String>> = rows(&section(&page("README.md"), "Commands"))
        .into_iter()
        .filter(|row| row[0].starts_with("`feedmill "))
        .collect();
    let mut named = BTreeSet::new();
    for row in &table {
        for shown in spans(&row[0]) {
            let name = COMMANDS.iter().find(|name| {
                let rest = shown.strip_prefix("feedmill ").and_then(|rest| rest.strip_prefix(name.as_str()));
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            });
            let name = name.unwrap_or_else(|| panic!("`{shown}` is no command"));
            let help = help(name);
            let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).expect("usage");
            assert_eq!(usage_words(&shown), usage_words(usage), "{shown}");
            let own = options(help.split(EVERYWHERE).next().expect("help"));
            let told: BTreeSet<String> = row
                .iter()
                .flat_map(|cell| cell.split(['`', '[', ']', ' ']))
                .filter(|word| word.starts_with("--"))
                .map(str::to_owned)
                .collect();
            assert_eq!(told, own, "the row of `{shown}`");
            named.insert(name.clone());
        }
    }
    assert_eq!(named, COMMANDS.iter().cloned().collect());
}

#[test]
fn options_of_every_command_are_told_below_the_table() {
    let whole = help("");
    let text = section(&page("README.md"), "Commands").text;
    for option in options(whole.split(EVERYWHERE).nth(1).expect("options")) {
        let short = whole.lines().find(|line| line.contains(&option)).and_then(|line| line.trim().split(',').next());
        let is_told =
            text.contains(&format!("`{option}")) || short.is_some_and(|short| text.contains(&format!("`{short}`")));
        assert!(is_told || option == "--version", "the README does not tell of `{option}`");
    }
}

/// A command line as it stands in a text: without what the shell does, and words of the program only.
fn words(line: &str) -> Vec<String> {
    let own = line.split([';', '|', '>', '&']).next().unwrap_or_default().split(" # ").next().unwrap_or_default();
    let mut words = Vec::new();
    for (at, part) in own.split('"').enumerate() {
        // Between quotes a text is one word.
        if at % 2 == 1 { words.push(part.to_owned()) } else { words.extend(part.split_whitespace().map(str::to_owned)) }
    }
    words.iter().map(|word| word.trim_matches(['[', ']']).to_owned()).filter(|word| !word.is_empty()).collect()
}

/// Every line that begins with `feedmill`, in blocks and between backticks.
fn command_lines(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for section in sections(page) {
        let blocks = section.blocks.iter().filter(|block| block.is_for_shell());
        let lines: Vec<String> =
            blocks.flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        let mut all: Vec<String> = lines;
        all.extend(spans(&section.text));
        found.extend(all.into_iter().filter(|line| line.starts_with("feedmill ")));
    }
    found
}

#[test]
fn no_page_shows_a_command_that_the_program_does_not_know() {
    let mut count = 0;
    for name in PAGES.into_iter().chain(["CONTRIBUTING.md", "CHANGELOG.md", "docs/performance.md"]) {
        for line in command_lines(&page(name)) {
            let Err(error) = feedmill::cli::Cli::try_parse_from(words(&line)) else {
                count += 1;
                continue;
            };
            // A command may be named without what it needs, or with a name in place of it, such as SHELL.
            let is_named_only =
                matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand);
            let is_stand_in = error.kind() == ErrorKind::InvalidValue && line.ends_with(" SHELL");
            let is_alone = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            assert!(is_named_only || is_stand_in || is_alone, "{name}: `{line}`: {error}");
        }
    }
    assert!(count > 40, "{count}");
}

#[test]
fn no_page_names_an_option_that_nobody_knows() {
    // Of cargo, curl and git; and what every command has.
    let foreign =
        ["--locked", "--path", "--fail", "--quiet", "--message", "--initial-branch", "--set-upstream", "--help"];
    let known: BTreeSet<String> =
        COMMANDS.iter().map(String::as_str).chain([""]).flat_map(|name| options(&help(name))).collect();
    for name in PAGES {
        for section in sections(&page(name)) {
            let blocks = section.blocks.iter().filter(|block| block.is_for_shell()).map(|block| block.text.clone());
            for text in blocks.chain(spans(&section.text)) {
                for word in text.split(|c: char| c.is_whitespace() || "[]()".contains(c)) {
                    let word = word.split('=').next().unwrap_or_default();
                    let is_option = word.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_alphabetic));
                    assert!(!is_option || known.contains(word) || foreign.contains(&word), "{name}: `{word}`");
                }
            }
        }
    }
}
