//! The short form for CI: acequia against the floor, a thousand clients in one room. `make bench-smoke`.
//!
//! The floor is measured again in every round, beside acequia: the same limit holds on a slow machine and on a fast one.

use std::process::ExitCode;

use super::cell::{self, Cell};
use super::cores::{self, Cores};
use super::figures::middle;
use super::server::Kind;

const ROUNDS: usize = 3;
/// What acequia may take of the floor's CPU per delivered message.
const LIMIT: f64 = 1.4;
const CELL: Cell = Cell {
    clients: 1000,
    rooms: 1,
    systems: 1,
    ticks: 4,
};

/// Fails when acequia takes more than the limit. Noise only ever adds to what a second costs, and comes and goes: in each
/// round the cheapest second of each is compared with the other's, and the median of the rounds counts.
pub(crate) fn smoke() -> ExitCode {
    cores::open_many_files();
    let cores = Cores::take();
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let Some((floor, ours)) = cheapest(Kind::Floor, cores).zip(cheapest(Kind::Acequia, cores))
        else {
            return ExitCode::FAILURE;
        };
        let ratio = ours / floor;
        println!(
            "Round {round}: CPU per delivered message of acequia {ours:.1} µs, of the floor {floor:.1} µs, {ratio:.2} times as much."
        );
        ratios.push(ratio);
    }
    let ratio = middle(ratios).unwrap();
    if ratio > LIMIT {
        println!("FAILED: in the median {ratio:.2} times the floor, and {LIMIT} is the limit.");
        return ExitCode::FAILURE;
    }
    println!("Passed: in the median {ratio:.2} times the floor, and {LIMIT} is the limit.");
    ExitCode::SUCCESS
}

/// What a clock costs in the cheapest second, in µs; nothing when not every client heard every second.
fn cheapest(kind: Kind, cores: Cores) -> Option<f64> {
    let measured = cell::measure(kind, CELL, cores);
    if !measured.held_all || measured.missed.clocks > 0 {
        println!(
            "FAILED: of {}, not every client heard every second.",
            kind.name()
        );
        return None;
    }
    measured.each_message_us.into_iter().reduce(f64::min)
}
