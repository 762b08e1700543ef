//! One server, so many clients in so many rooms: from its start to its end.
//!
//! The first clients warm the server up. They stay and do not count, so that nothing that is measured reuses what was
//! theirs. Then all others come, a tick is let go by, and so many seconds are measured, from the middle of one to the middle
//! of another.

use std::time::{Duration, Instant};

use acequia::time::{Clock, SystemClock};

use super::cores::Cores;
use super::crowd::Crowd;
use super::heard::{Latency, Missed, latency, missed, own_share};
use super::kernel::sockets_bytes;
use super::server::{Kind, Server};
use crate::now;

const WARM: usize = 200;
/// How long all clients may take to come.
const PATIENCE: Duration = Duration::from_secs(20);
/// The least time between the last join and what is measured.
const SETTLED: Duration = Duration::from_millis(500);
/// In this millisecond of a second nobody has anything to tell.
const MIDDLE_MS: i64 = 500;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) clients: usize,
    pub(crate) rooms: usize,
    /// Systems that a gateway knows; there may be more than rooms.
    pub(crate) systems: usize,
    /// Seconds that are measured.
    pub(crate) ticks: usize,
}

/// What a server did with a cell.
pub(crate) struct Measured {
    /// Clients that had joined when it was measured.
    pub(crate) held: usize,
    pub(crate) held_all: bool,
    /// Processor time for each clock that a client was told, in µs.
    pub(crate) message_us: Option<f64>,
    /// The same in each second.
    pub(crate) each_message_us: Vec<f64>,
    pub(crate) latency: Option<Latency>,
    /// Processor time from the first packet of a client to the ack of its join, in µs.
    pub(crate) connect_us: Option<f64>,
    pub(crate) resident_kib: Option<f64>,
    pub(crate) kernel_kib: Option<f64>,
    /// Of the time of a tick, what the load program was at work.
    pub(crate) own_share: Option<f64>,
    pub(crate) missed: Missed,
    /// Clocks that told a client a second that it knew.
    pub(crate) twice: usize,
}

pub(crate) fn measure(kind: Kind, cell: Cell, cores: Cores) -> Measured {
    let mut crowd = Crowd::new();
    let server = Server::start(kind, cell.systems, cores);
    let until = now() + PATIENCE;
    crowd.join(server.address, cell.rooms, WARM.min(cell.clients), until);
    let before = Memory::of(&server);
    let (spent, clocks, warm) = (server.spent(), crowd.heard.clocks, crowd.heard.joined);
    crowd.join(server.address, cell.rooms, cell.clients, until);
    let joining_us = server.spent().since_s(&spent) * 1e6;
    let told = crowd.heard.clocks - clocks;
    let came = crowd.heard.joined.saturating_sub(warm) as f64;

    crowd.listen(middle(now() + SETTLED));
    let held = crowd.heard.joined;
    let (each_message_us, message_us) = seconds(&server, &mut crowd, cell.ticks);
    let after = Memory::of(&server);
    let heard = &crowd.heard;
    let each_kib = |bytes: f64| (came > 0.0).then_some(bytes / came / 1024.0);
    Measured {
        held,
        held_all: held == cell.clients,
        // Clocks that were told meanwhile have their own price.
        connect_us: message_us
            .filter(|_| came > 0.0)
            .map(|each| (joining_us - told as f64 * each) / came),
        each_message_us,
        message_us,
        latency: latency(heard.ticks()),
        resident_kib: each_kib(after.resident - before.resident),
        kernel_kib: after
            .kernel
            .zip(before.kernel)
            .and_then(|(after, before)| each_kib((after - before) / 2.0)),
        own_share: own_share(heard.ticks()),
        missed: missed(heard.ticks(), held),
        twice: heard.twice,
    }
    // The server ends before its clients do, which leave without a trace then.
}

/// Bytes.
struct Memory {
    resident: f64,
    /// Of both ends of the connections.
    kernel: Option<f64>,
}

impl Memory {
    fn of(server: &Server) -> Self {
        Self {
            resident: server.resident_kib() * 1024.0,
            kernel: sockets_bytes(),
        }
    }
}

/// Listens for so many seconds: the price of a clock in each, and over all.
fn seconds(server: &Server, crowd: &mut Crowd, ticks: usize) -> (Vec<f64>, Option<f64>) {
    let second = clock_ms().div_euclid(1000) + 1;
    crowd.heard.keep(second.rem_euclid(60) as u8, ticks);
    let (first_spent, first_clocks) = (server.spent(), crowd.heard.clocks);
    let mut each = Vec::new();
    for _ in 0..ticks {
        let (spent, clocks) = (server.spent(), crowd.heard.clocks);
        crowd.listen(middle(now() + Duration::from_millis(100)));
        each.extend(price(
            server.spent().since_s(&spent),
            crowd.heard.clocks - clocks,
        ));
    }
    let mean = price(
        server.spent().since_s(&first_spent),
        crowd.heard.clocks - first_clocks,
    );
    (each, mean)
}

fn price(spent_s: f64, clocks: u64) -> Option<f64> {
    (clocks > 0).then(|| spent_s / clocks as f64 * 1e6)
}

/// The first middle of a second after then.
fn middle(after: Instant) -> Instant {
    let then_ms = clock_ms() + after.saturating_duration_since(now()).as_millis() as i64;
    let wait = (MIDDLE_MS - then_ms).rem_euclid(1000);
    after + Duration::from_millis(wait.unsigned_abs())
}

/// The wall clock, whose seconds the servers tell.
fn clock_ms() -> i64 {
    SystemClock::new().unwrap().now().utc_ms
}
