//! The short form for CI: acequia against the floor, a thousand clients in one room. `make bench-smoke`.
//!
//! The floor is measured again in every round, beside acequia: the same limit holds on a slow machine and on a fast one.

use std::process::ExitCode;

use super::cell::{self, Cell};
use super::cores::{self, Cores};
use super::server::Kind;
use crate::percentile;

const ROUNDS: usize = 4;
/// What acequia may take of the floor's CPU per delivered message.
const LIMIT: f64 = 1.4;
const CELL: Cell = Cell {
    clients: 1000,
    rooms: 1,
    systems: 1,
    ticks: 2,
};

/// Fails when acequia takes more than the limit. Noise only ever adds to what a second costs: it is the cheap ones that are
/// compared, a quarter of the way up, so that no single one decides.
pub(crate) fn smoke() -> ExitCode {
    cores::open_many_files();
    let cores = Cores::take();
    let (mut floor, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        for (kind, all) in [(Kind::Floor, &mut floor), (Kind::Acequia, &mut ours)] {
            let measured = cell::measure(kind, CELL, cores);
            let name = kind.name();
            if !measured.held_all || measured.missed.clocks > 0 {
                println!("FAILED: of {name}, not every client heard every second.");
                return ExitCode::FAILURE;
            }
            let each = measured.each_message_us.iter();
            let each: Vec<String> = each.map(|us| format!("{us:.1} µs")).collect();
            let each = each.join(", ");
            println!("Round {round}, CPU per delivered message of {name}: {each}.");
            all.extend(measured.each_message_us);
        }
    }
    let [floor, ours] = [floor, ours].map(cheap);
    let ratio = ours / floor;
    let compared = format!(
        "acequia {ours:.1} µs, the floor {floor:.1} µs, {ratio:.2} times as much, and {LIMIT} is the limit"
    );
    if ratio > LIMIT {
        println!("FAILED: {compared}.");
        return ExitCode::FAILURE;
    }
    println!("Passed: {compared}.");
    ExitCode::SUCCESS
}

fn cheap(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    percentile(&values, 25.0)
}
