//! The program: parse arguments, run, turn an error into an exit code.

use std::process::ExitCode;

use clap::Parser;
use feedmill::cli::{self, Cli};

/// A daemon that publishes large feeds for months must give memory back: glibc's allocator kept 745 MB for 109 MB in use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // A panic of the feed parser is caught and told as the failure of its feed, one of the index as
    // damage; its own message would only be noise before that sentence.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !feedmill::read::is_reading() && !feedmill::index::is_working() {
            usual(info);
        }
    }));
    cli::run(Cli::parse())
}
