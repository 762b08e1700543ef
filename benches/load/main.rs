//! The load program: the numbers of README, measured on the real binary over loopback. `make bench` runs all of it;
//! `cargo bench --bench load -- fanout idle systems durable` runs what is named. `scale` has its own table and runs only
//! when it is named: it needs Redis and Node.
//!
//! Measures only: whether a number is good enough is for who reads it.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "what it measures is printed")]

mod client;
mod durable;
mod fanout;
mod idle;
mod process;
#[path = "../../tests/it/program.rs"]
mod program;
mod scale;
mod systems;

use std::time::Instant;

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// The value below which `percent` of the sorted values lie.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[((last as f64) * percent / 100.0).round() as usize]
}

fn main() {
    // `cargo bench` adds --bench; what is left are names.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|n| n == name);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    if named == ["scale"] {
        return runtime.block_on(scale::measure());
    }
    println!("| what | measured |\n|---|---|");
    runtime.block_on(async {
        if wanted("fanout") {
            fanout::measure().await;
        }
        if wanted("idle") {
            idle::measure().await;
        }
        if wanted("systems") {
            systems::measure().await;
        }
        if wanted("durable") {
            durable::measure().await;
        }
    });
}
