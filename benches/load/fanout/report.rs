//! The tables of the fan-out: printed, and kept in `target/fanout.md`.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use super::cell::{Cell, Measured};
use super::figures::{Figure, Results, median, ratio};
use super::goals::GOALS;
use super::server::Kind;
use super::{CLIENTS, MANY, MANY_ROOMS, ROUNDS};

/// Above this share of the time of a tick the load program may be what was measured.
const BUSY: f64 = 0.85;
/// What many rooms may cost more than one.
const MANY_ROOMS_LIMIT: f64 = 1.3;

#[derive(Default)]
pub(crate) struct Report {
    text: String,
}

/// Where the build is.
pub(crate) fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("..")
}

impl Report {
    pub(crate) fn new(versions: impl Display) -> Self {
        let mut report = Self {
            text: String::new(),
        };
        let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = model
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let model = model.map_or("processor", |model| model.trim_matches([':', '\t', ' ']));
        let linux = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        report.line(format!(
            "{model}, Linux {}, {versions}. Medians of {ROUNDS} rounds, of Python one round.\n",
            linux.trim()
        ));
        report
    }

    pub(crate) fn goals(&mut self, results: &Results) {
        let [few, more, most] = CLIENTS;
        self.line(format!(
            "| goal, acequia | rooms | limit | {few} clients | {more} | {most} |\n|---|---|---|---|---|---|"
        ));
        for goal in &GOALS {
            for line in goal.lines(results) {
                self.line(line);
            }
        }
        self.line("");
    }

    pub(crate) fn many_rooms(&mut self, results: &Results) {
        let [one, many] = MANY_ROOMS.map(|cell| results.of_cell(Kind::Acequia, cell));
        let tick_ms = |rounds| median(rounds, Figure::Message).map(|us| us * MANY as f64 / 1000.0);
        self.line("| acequia: CPU of a tick | measured |\n|---|---|");
        self.line(format!(
            "| one room of {MANY} | {} ms |",
            number(tick_ms(one), 1)
        ));
        self.line(format!(
            "| {MANY} rooms of one | {} ms |",
            number(tick_ms(many), 1)
        ));
        let ratio = ratio(many, one, Figure::Message);
        let reached = match ratio {
            Some(ratio) if ratio <= MANY_ROOMS_LIMIT => "reached",
            _ => "missed",
        };
        let ratio = number(ratio, 2);
        self.line(format!(
            "| the ratio, goal ≤ {MANY_ROOMS_LIMIT} | {ratio} {reached} |\n"
        ));
    }

    pub(crate) fn all(&mut self, results: &Results) {
        self.line(
            "| clients | rooms | server | CPU per delivered message, µs | first to p50 / p99 / last client, ms \
             | CPU per connect, µs | resident / kernel memory per client, KiB | load at work in a tick | |\n\
             |---|---|---|---|---|---|---|---|---|",
        );
        for (cell, kind, rounds) in results.rows() {
            let figure = |figure, digits| number(median(rounds, figure), digits);
            self.line(format!(
                "| {} | {} | {} | {} | {} / {} / {} | {} | {} / {} | {} | {} |",
                cell.clients,
                cell.rooms,
                kind.name(),
                figure(Figure::Message, 2),
                figure(Figure::P50, 1),
                figure(Figure::P99, 1),
                figure(Figure::Last, 1),
                figure(Figure::Connect, 0),
                figure(Figure::Resident, 1),
                figure(Figure::Kernel, 1),
                own_share(rounds)
                    .map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0)),
                remarks(cell, rounds),
            ));
        }
        self.line("");
    }

    pub(crate) fn end(mut self, took: Duration) {
        self.line(format!("All of it took {:.0} s.", took.as_secs_f64()));
        std::fs::write(target().join("fanout.md"), &self.text).unwrap();
    }

    fn line(&mut self, line: impl Display) {
        println!("{line}");
        self.text.push_str(&format!("{line}\n"));
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.digits$}"))
}

/// The most of all rounds.
fn own_share(rounds: &[Measured]) -> Option<f64> {
    rounds
        .iter()
        .filter_map(|one| one.own_share)
        .reduce(f64::max)
}

/// What a reader has to know before the figures of a row are believed.
fn remarks(cell: &Cell, rounds: &[Measured]) -> String {
    let mut remarks = Vec::new();
    if rounds.iter().any(|one| !one.held_all) {
        let least = rounds.iter().map(|one| one.held).min().unwrap_or(0);
        remarks.push(format!("did not hold {}: {least}", cell.clients));
    }
    let missed: usize = rounds.iter().map(|one| one.missed.clocks).sum();
    if missed > 0 {
        let seconds: usize = rounds.iter().map(|one| one.missed.seconds).sum();
        let all: usize = rounds.iter().map(|one| one.held * cell.ticks).sum();
        let of = rounds.len() * cell.ticks;
        remarks.push(format!(
            "{missed} of {all} clocks did not come in their second, in {seconds} of {of} seconds"
        ));
    }
    let twice: usize = rounds.iter().map(|one| one.twice).sum();
    if twice > 0 {
        remarks.push(format!("{twice} clocks came twice"));
    }
    if own_share(rounds).is_some_and(|share| share > BUSY) {
        remarks.push("the load program was too busy: it may be what was measured".to_owned());
    }
    if cell.systems > cell.rooms {
        remarks.push(format!("{} systems", cell.systems));
    }
    remarks.join("; ")
}
