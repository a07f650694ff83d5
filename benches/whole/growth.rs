//! What a poll costs as the number of feeds grows, and as servers become slower.

use std::path::Path;

use crate::floor::Mode;
use crate::ours::{IN_FLIGHT, folder};
use crate::record::Record;
use crate::rounds::{Client, Stand};

/// Cold and warm polls of so many feeds, ours and the floor's.
pub fn sizes(sizes: &[usize], rounds: usize, out: Option<&Path>) {
    let mut rows = Record::new(out, "sizes");
    for &feeds in sizes {
        eprintln!("making {feeds} feeds");
        let stand = Stand::new(feeds, 1, 0);
        for round in 1..=rounds {
            let scratch = folder();
            let costs =
                [(Client::Feedmill, stand.ours().1), (Client::FloorWrite, stand.floor(Mode::Write, scratch.path()))];
            for (client, costs) in costs {
                for (phase, cost) in costs.into_iter().filter(|(phase, _)| *phase != "changed") {
                    rows.row(&[
                        ("feeds", feeds.to_string()),
                        ("round", round.to_string()),
                        ("client", client.name().to_owned()),
                        ("phase", phase.to_owned()),
                        ("wall_s", format!("{:.4}", cost.wall)),
                        ("cpu_s", format!("{:.4}", cost.cpu)),
                        ("peak_mib", format!("{:.1}", cost.peak)),
                    ]);
                }
            }
        }
    }
}

/// Polls of servers that wait before each answer.
pub fn latency(feeds: usize, waits: &[u64], rounds: usize, out: Option<&Path>) {
    let mut rows = Record::new(out, "latency");
    for &wait in waits {
        let stand = Stand::new(feeds, 1, wait);
        for round in 1..=rounds {
            let (_, costs) = stand.ours();
            for (phase, cost) in costs.into_iter().filter(|(phase, _)| *phase != "changed") {
                rows.row(&[
                    ("latency_ms", wait.to_string()),
                    ("feeds", feeds.to_string()),
                    ("round", round.to_string()),
                    ("phase", phase.to_owned()),
                    ("wall_s", format!("{:.4}", cost.wall)),
                    ("cpu_s", format!("{:.4}", cost.cpu)),
                    // Nobody with so many requests under way can be faster.
                    ("least_s", format!("{:.4}", feeds.div_ceil(IN_FLIGHT) as f64 * wait as f64 / 1e3)),
                ]);
            }
        }
    }
}
