//! The only test binary; each file is one subject.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod actions;
mod addresses;
mod alarms;
mod apart;
mod architecture;
mod archive;
mod broken;
mod corpus;
mod daemon;
mod damage;
mod edited;
mod fetch;
mod floors;
mod forgotten;
mod formats;
mod full;
mod histories;
mod history;
mod hostile;
mod house;
mod hubs;
mod identity;
mod imports;
mod jekyll;
mod kill;
mod maintain;
mod merged;
mod model;
mod month;
mod newsroom;
mod operations;
#[allow(dead_code, clippy::unwrap_used, reason = "the unit tests' server, which has more ways than are needed here")]
#[path = "../src/fetch/origin.rs"]
mod origin;
mod outputs;
mod pages;
mod polite;
mod poll;
mod pressure;
mod properties;
mod python;
mod readers;
mod readme;
mod seeds;
mod serve;
mod status;
mod takedown;
mod topics;
mod torture;
mod twin;
mod world;
