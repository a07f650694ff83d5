//! The man page and the completions of shells, made of the same definitions as `--help`.

use std::fmt::Write;
use std::io;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use super::Cli;

/// What a page of section 1 says after the commands.
const REST: &str = r"
.SH FILES
.TP
config/feedmill.yaml
The config, unless \fB\-\-config\fR or FEEDMILL_CONFIG names another. Paths in it are relative to the working folder.
.TP
data/archive
Posts and ledger: the truth. ARCHIVE.md in it describes them.
.TP
data/index
What is remembered of the archive; it can be deleted.
.TP
data/public
The published files; they can be deleted, too.
.SH ENVIRONMENT
.TP
FEEDMILL_CONFIG
The config file.
.TP
NO_COLOR
When it is set, nothing is coloured.
.PP
A value of the config that holds ${NAME} takes it from the environment.
.SH SIGNALS
.TP
TERM, INT
The daemon finishes the writes under way and ends; a second signal ends it at once.
.TP
HUP
The daemon reads its config again; the command reload does the same and tells what came of it.
.SH EXIT STATUS
.TP
0
Done.
.TP
1
Failed.
.TP
2
Wrong usage.
.TP
3
The config has problems; nothing was started.
.TP
4
Done, but some feeds failed, or some posts could not be read.
";

/// A script that completes commands, flags and values.
pub(super) fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "feedmill", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The whole program as one page of roff, section 1.
pub(super) fn page() -> io::Result<String> {
    let program = shown();
    let man = Man::new(program.clone().disable_help_subcommand(true)).manual("feedmill").date("");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(".SH COMMANDS\n");
    for command in program.get_subcommands() {
        add(&mut page, command, "feedmill")?;
    }
    page.push_str(REST.trim_start());
    Ok(page)
}

/// A command with its own arguments; those of all commands stand at the beginning.
fn add(page: &mut String, command: &Command, parent: &str) -> io::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    if command.has_subcommands() {
        return command.get_subcommands().try_for_each(|command| add(page, command, &name));
    }
    let man = Man::new(command.clone().bin_name(&name).disable_help_flag(true));
    let _ = writeln!(page, ".SS {}", name.replace('-', "\\-"));
    page.push_str(&body(|out| man.render_synopsis_section(out))?);
    page.push_str(".PP\n");
    page.push_str(&body(|out| man.render_description_section(out))?);
    page.push_str(&body(|out| man.render_options_section(out))?);
    Ok(())
}

/// A section without its heading and what stands before it.
fn body(render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<String> {
    let mut section = Vec::new();
    render(&mut section)?;
    let section = String::from_utf8_lossy(&section).into_owned();
    Ok(section.split_once(".SH ").and_then(|(_, rest)| rest.split_once('\n')).map_or("", |(_, body)| body).to_owned())
}

/// The program without what is hidden: scripts would offer it otherwise.
fn shown() -> Command {
    let whole = Cli::command();
    Command::new("feedmill")
        .version(env!("CARGO_PKG_VERSION"))
        .about(whole.get_about().cloned().unwrap_or_default())
        .override_usage("feedmill [-C DIR] [--config FILE] [-v|-q] [--log-format FORMAT] COMMAND")
        .args(whole.get_arguments().cloned())
        .subcommands(whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned())
}
