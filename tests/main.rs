//! The only test binary; each file is one subject.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod archive;
mod broken;
mod corpus;
mod daemon;
mod damage;
mod floors;
mod formats;
mod full;
mod histories;
mod house;
mod identity;
mod jekyll;
mod kill;
mod maintain;
mod model;
mod newsroom;
mod outputs;
mod poll;
mod properties;
mod python;
mod readers;
mod readme;
mod seeds;
mod topics;
mod torture;
mod twin;
mod world;
