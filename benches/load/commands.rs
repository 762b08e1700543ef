//! Durable commands per second over 1,000 systems, and how long each waits: a gateway that writes in groups, the same with
//! each fsync alone, and one command after another. `cargo bench --bench load -- commands`.
//!
//! Compare within one run: every round measures all of them in turn, and a ratio is the median of the ratios of its rounds.

mod alone;
mod caller;
mod crowd;
mod flame;

use std::time::Duration;

use crate::middle;
use crate::process::{Gateway, folder};

pub(crate) use alone::serve as alone;
use crowd::{Crowd, Took};
pub(crate) use flame::record as flame;

const SYSTEMS: usize = 1000;
/// As many systems as connections, against the same systems one after another.
const FEW: usize = 64;
const CONNECTIONS: [usize; 2] = [64, 256];
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(3);
/// Before the first round: every system has its row, then.
const WARM: Duration = Duration::from_millis(500);

/// What is measured, in the order of a round.
const CASES: [Case; 7] = [
    case(false, CONNECTIONS[0], SYSTEMS),
    case(true, CONNECTIONS[0], SYSTEMS),
    case(false, CONNECTIONS[1], SYSTEMS),
    case(true, CONNECTIONS[1], SYSTEMS),
    case(false, 1, SYSTEMS),
    case(false, FEW, FEW),
    case(false, 1, FEW),
];

/// Pairs of cases, by their places, whose commands per second are compared.
const RATIOS: [(&str, usize, usize); 4] = [
    ("64 connections: groups to each fsync alone", 0, 1),
    ("256 connections: groups to each fsync alone", 2, 3),
    ("1000 systems: 64 connections to one after another", 0, 4),
    ("64 systems: at once to one after another", 5, 6),
];

struct Case {
    alone: bool,
    crowd: Crowd,
}

const fn case(alone: bool, connections: usize, systems: usize) -> Case {
    Case {
        alone,
        crowd: Crowd {
            connections,
            systems,
        },
    }
}

pub(crate) fn measure() {
    let (ours, others) = (folder(), folder());
    let groups = Gateway::start(ours.path(), &config());
    let alone = Gateway::of_ours("alone", others.path(), &config());
    for gateway in [&groups, &alone] {
        case(false, CONNECTIONS[0], SYSTEMS)
            .crowd
            .load(gateway, WARM);
    }
    let mut rounds: [Vec<Took>; CASES.len()] = Default::default();
    for _ in 0..ROUNDS {
        for (case, took) in CASES.iter().zip(&mut rounds) {
            let gateway = if case.alone { &alone } else { &groups };
            took.push(case.crowd.load(gateway, TIME));
        }
    }
    for (case, took) in CASES.iter().zip(&rounds) {
        report(case, took);
    }
    for (name, one, other) in RATIOS {
        let pairs = rounds[one].iter().zip(&rounds[other]);
        let ratio = middle(pairs.map(|(one, other)| one.per_second / other.per_second)).unwrap();
        println!("| durable commands per second, {name}, ratio | {ratio:.1} |");
    }
}

fn config() -> String {
    (0..SYSTEMS)
        .map(|i| format!("[[systems]]\nid = \"s{i}\"\n"))
        .collect()
}

fn report(case: &Case, rounds: &[Took]) {
    let Crowd {
        connections,
        systems,
    } = case.crowd;
    let who = match (connections, case.alone) {
        (1, _) => "one after another".to_owned(),
        (_, true) => format!("{connections} connections, each fsync alone"),
        (_, false) => format!("{connections} connections"),
    };
    let of = |figure: fn(&Took) -> f64| middle(rounds.iter().map(figure)).unwrap();
    println!(
        "| {systems} systems, {who} | {:.0} durable commands per second, p50 {:.2} ms, p99 {:.2} ms; \
         processor: gateway {:.0} %, load {:.0} % of a core |",
        of(|took| took.per_second),
        of(|took| took.p50_ms),
        of(|took| took.p99_ms),
        of(|took| took.gateway * 100.0),
        of(|took| took.load * 100.0),
    );
}
