//! The load program: the numbers of README, measured on the real binary over loopback. `make bench` runs all of it;
//! `cargo bench --bench load -- latency systems commands fanout` runs what is named. Only when they are named alone run
//! `scale`, which has its own table and needs Redis and Node, and two parts of `fanout`: `smoke`, the short form of it, and
//! `rooms`, as many rooms as clients against one. `floor` is a server of `fanout`, `alone` one of `commands`, and
//! `flame FILE` is what `make bench-flame` draws.
//!
//! Measures only: whether a number is good enough is for who reads it, but for `smoke`, which fails.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]
#![allow(clippy::print_stdout, reason = "what it measures is printed")]

mod client;
mod commands;
mod fanout;
#[path = "../peers/floor.rs"]
mod floor;
mod latency;
mod process;
#[path = "../../tests/it/program.rs"]
mod program;
mod scale;
mod systems;

use std::process::ExitCode;
use std::time::Instant;

use tokio::runtime::Runtime;

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Instant {
    Instant::now()
}

/// The value below which `percent` of the sorted values lie.
fn percentile(sorted: &[f64], percent: f64) -> f64 {
    let last = sorted.len() - 1;
    sorted[((last as f64) * percent / 100.0).round() as usize]
}

/// The median; none of no values.
fn middle(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| percentile(&values, 50.0))
}

fn main() -> ExitCode {
    // `cargo bench` adds --bench; what is left are names.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let names: Vec<&str> = named.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["floor"] => floor::serve(),
        ["alone", store, config] => commands::alone(store, config),
        ["flame", file] => commands::flame(file),
        ["smoke"] => return fanout::smoke(),
        ["rooms"] => fanout::rooms(),
        ["scale"] => runtime().block_on(scale::measure()),
        names => one_table(|name| names.is_empty() || names.contains(&name)),
    }
    ExitCode::SUCCESS
}

fn one_table(wanted: impl Fn(&str) -> bool) {
    if ["latency", "systems", "commands"].into_iter().any(&wanted) {
        println!("| what | measured |\n|---|---|");
    }
    runtime().block_on(async {
        if wanted("latency") {
            latency::measure().await;
        }
        if wanted("systems") {
            systems::measure().await;
        }
    });
    if wanted("commands") {
        commands::measure();
    }
    if wanted("fanout") {
        println!();
        fanout::measure();
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}
