//! What a program costs: time, processor, memory.
//!
//! The system adds up the cost of all children of a process, so each program that is measured gets a parent of its own:
//! this tool, started again as `meter`. It is small, because a child counts the memory of its parent until it is
//! another program.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What a run of a program cost.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of processor, in the program and in the kernel for it.
    pub cpu: f64,
    /// Most memory it ever held (MiB).
    pub peak: f64,
    /// How it ended.
    pub code: i32,
}

/// Runs a program; what it prints goes to a file.
pub fn run(program: &Path, args: &[&str], output: &Path) -> Cost {
    settle();
    let done = Command::new(std::env::current_exe().expect("own path"))
        .arg("meter")
        .args([output, program])
        .args(args)
        .stderr(Stdio::inherit())
        .output()
        .expect("the meter starts");
    serde_json::from_slice(&done.stdout).expect("the meter prints what it measured")
}

/// What others left to be written is not the cost of this program.
fn settle() {
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(100));
}

/// The other side of [`run`].
pub fn child(output: &Path, program: &str, args: &[String]) {
    let output = File::create(output).expect("a file for what is printed");
    let start = Instant::now();
    let status = Command::new(program).args(args).stdout(output).status().expect("the program starts");
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("known to every Unix");
    let cost = Cost {
        wall,
        cpu: seconds(usage.user_time()) + seconds(usage.system_time()),
        peak: usage.max_rss() as f64 / 1024.0,
        code: status.code().unwrap_or(-1),
    };
    println!("{}", serde_json::to_string(&cost).expect("json"));
}

fn seconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6
}
