//! Figures in files.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A CSV file that rows are added to; it gets its first line with its first row.
#[derive(Debug)]
pub struct Record {
    file: PathBuf,
}

impl Record {
    /// The file given, else one in `target/bench`.
    pub fn new(file: Option<&Path>, name: &str) -> Self {
        let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("target/bench/{name}.csv"));
        let file = file.map_or_else(default, Path::to_owned);
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new("."))).expect("a folder for the figures");
        Self { file }
    }

    pub fn row(&mut self, columns: &[(&str, String)]) {
        let line = |cells: Vec<&str>| cells.join(",") + "\n";
        let mut file = File::options().append(true).create(true).open(&self.file).expect("the file of the figures");
        if file.metadata().expect("an open file").len() == 0 {
            file.write_all(line(columns.iter().map(|(name, _)| *name).collect()).as_bytes()).expect("written");
        }
        file.write_all(line(columns.iter().map(|(_, value)| value.as_str()).collect()).as_bytes()).expect("written");
        eprintln!("{}", columns.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "));
    }
}

/// The middle of the values, the mean of the two in the middle where they are even.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[half - 1], sorted[half]) } else { sorted[half] }
}

/// What is measured on: written beside the figures.
pub fn machine(file: &Path) {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').unwrap_or_default().1.trim().to_owned()
    };
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let facts = serde_json::json!({
        "processor": value(&read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": value(&read("/proc/meminfo"), "MemTotal"),
        "kernel": read("/proc/sys/kernel/osrelease").trim(),
        "disk": said("findmnt", &["-n", "-o", "FSTYPE,OPTIONS", "-T", "/tmp"]),
        "rustc": said("rustc", &["--version"]),
        "nginx": said("sh", &["-c", "nginx -v 2>&1"]),
        "commit": said("git", &["log", "-1", "--format=%h"]),
        "day": said("date", &["-u", "+%Y-%m-%d"]),
    });
    let text = serde_json::to_string_pretty(&facts).expect("json");
    crate::ours::put(file, &(text + "\n"));
}
