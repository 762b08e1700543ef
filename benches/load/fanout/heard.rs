//! What all clients have heard: who has joined, how many clocks came, and when those of the seconds that are measured did.
//!
//! A second is known by what the clocks show, modulo a minute: nothing that is measured takes that long.

use std::time::Instant;

use super::cores::own_cpu_s;
use crate::{middle, percentile};

/// The arrivals of one second.
#[derive(Default)]
pub(crate) struct Tick {
    arrivals: Vec<Instant>,
    /// Processor time of the load program at the first arrival and at the last.
    cpu_s: [f64; 2],
}

pub(crate) struct Heard {
    pub(crate) joined: usize,
    /// Clients that were cut.
    pub(crate) lost: usize,
    /// Clocks that came to who had joined.
    pub(crate) clocks: u64,
    /// Clocks of a second that the client had heard of.
    pub(crate) twice: usize,
    first: u8,
    ticks: Vec<Tick>,
}

impl Heard {
    pub(crate) fn new() -> Self {
        Self {
            joined: 0,
            lost: 0,
            clocks: 0,
            twice: 0,
            first: 0,
            ticks: Vec::new(),
        }
    }

    /// Keeps the arrivals of so many seconds.
    pub(crate) fn keep(&mut self, first: u8, ticks: usize) {
        self.first = first;
        self.ticks.clear();
        self.ticks.resize_with(ticks, || Tick {
            arrivals: Vec::with_capacity(self.joined),
            ..Tick::default()
        });
    }

    pub(crate) fn joined(&mut self) {
        self.joined += 1;
    }

    pub(crate) fn lost(&mut self, had_joined: bool) {
        self.lost += 1;
        self.joined -= usize::from(had_joined);
    }

    pub(crate) fn clock(&mut self, second: u8, at: Instant) {
        self.clocks += 1;
        let since = (second + 60 - self.first) % 60;
        let Some(tick) = self.ticks.get_mut(usize::from(since)) else {
            return;
        };
        if tick.arrivals.is_empty() {
            tick.cpu_s[0] = own_cpu_s();
        }
        tick.arrivals.push(at);
        if tick.arrivals.len() == self.joined {
            tick.cpu_s[1] = own_cpu_s();
        }
    }

    pub(crate) fn ticks(&self) -> &[Tick] {
        &self.ticks
    }
}

/// From the first client that heard a second to others, in milliseconds: in the median of the seconds.
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) last: f64,
}

pub(crate) fn latency(ticks: &[Tick]) -> Option<Latency> {
    let each: Vec<Vec<f64>> = ticks.iter().filter_map(Tick::sorted_ms).collect();
    let of = |percent| {
        let values = each.iter().map(|sorted| percentile(sorted, percent));
        middle(values)
    };
    Some(Latency {
        p50: of(50.0)?,
        p99: of(99.0)?,
        last: of(100.0)?,
    })
}

impl Tick {
    fn sorted_ms(&self) -> Option<Vec<f64>> {
        let first = self.arrivals.iter().min()?;
        let each = self.arrivals.iter();
        let mut sorted: Vec<f64> = each
            .map(|at| (*at - *first).as_secs_f64() * 1000.0)
            .collect();
        sorted.sort_by(f64::total_cmp);
        Some(sorted)
    }
}

/// Clocks that did not come.
pub(crate) struct Missed {
    pub(crate) clocks: usize,
    /// Seconds in which somebody missed one.
    pub(crate) seconds: usize,
}

pub(crate) fn missed(ticks: &[Tick], clients: usize) -> Missed {
    let each = ticks.iter();
    let each = each.map(|tick| clients.saturating_sub(tick.arrivals.len()));
    Missed {
        clocks: each.clone().sum(),
        seconds: each.filter(|missed| *missed > 0).count(),
    }
}

/// How much of the time between the first client and the last the load program was at work, in the seconds that everybody
/// heard: near 1, it is the load program that was measured.
pub(crate) fn own_share(ticks: &[Tick]) -> Option<f64> {
    let (mut cpu, mut time) = (0.0, 0.0);
    for tick in ticks.iter().filter(|tick| tick.cpu_s[1] > 0.0) {
        let first = tick.arrivals.iter().min()?;
        let last = tick.arrivals.iter().max()?;
        cpu += tick.cpu_s[1] - tick.cpu_s[0];
        time += (*last - *first).as_secs_f64();
    }
    (time > 0.0).then_some(cpu / time)
}
