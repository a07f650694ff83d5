//! The only test binary; each file is one subject.

#![expect(clippy::print_stdout, reason = "a skipped test says so")]

mod archive;
mod daemon;
mod damage;
mod floors;
mod histories;
mod house;
mod identity;
mod jekyll;
mod maintain;
mod outputs;
mod poll;
mod properties;
mod python;
mod readme;

mod seeds;
mod topics;
mod world;
