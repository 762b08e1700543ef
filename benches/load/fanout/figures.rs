//! What was measured in all rounds, and the medians of it.

use std::collections::BTreeMap;

use super::cell::{Cell, Measured};
use super::server::Kind;
use crate::middle;

/// The rounds of every server in every cell.
#[derive(Default)]
pub(crate) struct Results(BTreeMap<(Cell, Kind), Vec<Measured>>);

/// One of the things that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Message,
    P50,
    P99,
    Last,
    Connect,
    Resident,
    Kernel,
}

impl Figure {
    pub(crate) fn of(self, measured: &Measured) -> Option<f64> {
        let latency = measured.latency.as_ref();
        match self {
            Self::Message => measured.message_us,
            Self::P50 => latency.map(|latency| latency.p50),
            Self::P99 => latency.map(|latency| latency.p99),
            Self::Last => latency.map(|latency| latency.last),
            Self::Connect => measured.connect_us,
            Self::Resident => measured.resident_kib,
            Self::Kernel => measured.kernel_kib,
        }
    }
}

impl Results {
    pub(crate) fn add(&mut self, kind: Kind, cell: Cell, measured: Measured) {
        self.0.entry((cell, kind)).or_default().push(measured);
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = (&Cell, Kind, &[Measured])> {
        let rows = self.0.iter();
        rows.map(|((cell, kind), rounds)| (cell, *kind, rounds.as_slice()))
    }

    /// The cell of so many clients and rooms, where a gateway knows no more systems than that.
    pub(crate) fn rounds(&self, kind: Kind, clients: usize, rooms: usize) -> &[Measured] {
        let row = self.rows().find(|(cell, of, _)| {
            *of == kind && (cell.clients, cell.rooms, cell.systems) == (clients, rooms, rooms)
        });
        row.map_or(&[], |(_, _, rounds)| rounds)
    }

    pub(crate) fn of_cell(&self, kind: Kind, cell: Cell) -> &[Measured] {
        self.0.get(&(cell, kind)).map_or(&[], Vec::as_slice)
    }
}

/// The median over the rounds that have it.
pub(crate) fn median(rounds: &[Measured], figure: Figure) -> Option<f64> {
    middle(rounds.iter().filter_map(|one| figure.of(one)))
}

/// The median of what one server takes against another in the same round. A server that did not hold its clients has no
/// ratio.
pub(crate) fn ratio(ours: &[Measured], others: &[Measured], figure: Figure) -> Option<f64> {
    let pairs = ours.iter().zip(others);
    let pairs = pairs.filter(|(one, other)| one.held_all && other.held_all);
    let ratios = pairs.filter_map(|(one, other)| Some(figure.of(one)? / figure.of(other)?));
    middle(ratios)
}
