//! Many sockets are told the time: what that costs acequia, three peers that an experienced developer would write, and the
//! floor, in turn, on one core. `make bench-fanout`, or `cargo bench --bench load -- fanout`; the tables go to
//! `target/fanout.md`, too, and the plots to `target/fanout/`. `smoke` is the short form of it, for CI.
//!
//! Compare within one run: these machines are noisy. Every round measures all servers in turn, and a ratio is the median of
//! the ratios of its rounds.

mod cell;
mod cores;
mod crowd;
mod figures;
mod frame;
mod goals;
mod heard;
mod kernel;
mod member;
mod plot;
mod report;
mod server;
mod smoke;

use cell::Cell;
use cores::Cores;
use figures::Results;
use report::Report;
use server::Kind;

use crate::now;

pub(crate) use cores::{open_many_files, own_cpu_s};
pub(crate) use smoke::smoke;

const CLIENTS: [usize; 3] = [1000, 3000, 9000];
const ROOMS: [usize; 3] = [1, 10, 1000];
const ROUNDS: usize = 3;
/// Seconds that are measured in one room, of which there are plots and goals, and in more.
const TICKS: [usize; 2] = [5, 4];
/// As many rooms as clients against one room, at a gateway that knows as many systems.
const MANY: usize = 10_000;
const MANY_ROOMS: [Cell; 2] = [plan(MANY, 1, MANY), plan(MANY, MANY, MANY)];

const fn plan(clients: usize, rooms: usize, systems: usize) -> Cell {
    let ticks = TICKS[if rooms == 1 { 0 } else { 1 }];
    Cell {
        clients,
        rooms,
        systems,
        ticks,
    }
}

pub(crate) fn measure() {
    let start = now();
    let mut report = Report::new(server::versions());
    open_many_files();
    let cores = Cores::take();
    let mut results = Results::default();
    for round in 1..=ROUNDS {
        measure_all(round, cores, &mut results);
        let took = start.elapsed().as_secs_f64();
        println!("Round {round} of {ROUNDS} has ended after {took:.0} s.");
    }
    println!();
    report.goals(&results);
    report.many_rooms(&results);
    report.all(&results);
    report.end(start.elapsed());
    plot::all(&results);
}

/// As many rooms as clients against one room, alone.
pub(crate) fn rooms() {
    open_many_files();
    let cores = Cores::take();
    let mut results = Results::default();
    for _ in 0..ROUNDS {
        measure_rooms(cores, &mut results);
    }
    Report::default().many_rooms(&results);
}

fn measure_all(round: usize, cores: Cores, results: &mut Results) {
    for clients in CLIENTS {
        for rooms in ROOMS {
            let cell = plan(clients, rooms, rooms);
            for kind in Kind::ALL {
                // Python takes so long that once is enough to see by how much.
                let enough = round > 1 || (clients == CLIENTS[2] && rooms > 1);
                if kind != Kind::Python || !enough {
                    results.add(kind, cell, cell::measure(kind, cell, cores));
                }
            }
        }
    }
    measure_rooms(cores, results);
}

fn measure_rooms(cores: Cores, results: &mut Results) {
    for cell in MANY_ROOMS {
        let kind = Kind::Acequia;
        results.add(kind, cell, cell::measure(kind, cell, cores));
    }
}
