//! feedmill polls feeds, keeps every entry for ever as a readable post, and republishes merged
//! feeds by topic. ARCHITECTURE.md has the picture; the modules stand here in floor order.

// Floor 0: values.
pub mod model;
// Floor 1: pure rules.
pub mod config;
pub mod history;
pub mod identity;
pub mod normalize;
pub mod output;
pub mod pace;
pub mod plan;
pub mod post;
pub mod read;
pub mod schedule;
pub mod topic;
// Floor 2: the five edges, and the disk that two of them write to.
pub mod archive;
pub mod clock;
pub mod disk;
pub mod fetch;
pub mod index;
pub mod site;
// Floor 3: flows.
pub mod keep;
pub mod maintain;
pub mod poll;
pub mod publish;
pub mod takedown;
pub mod watch;
// Floor 4: what lives long.
pub mod control;
pub mod daemon;
pub mod hubs;
pub mod metrics;
pub mod serve;
pub mod systemd;
// Floor 5: the program.
pub mod app;
pub mod cli;
pub mod log;
