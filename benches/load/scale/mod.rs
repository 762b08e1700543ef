//! More than one machine: three nodes on one Redis, and the same of socket.io with its Redis adapter, in one run. `make
//! bench-scale`, or `cargo bench --bench load -- scale`. The table goes to `target/scale.md`, too; docs/scaling.md says
//! what follows from it.
//!
//! All of it shares the cores of this machine, also this program with its 1,000 clients: compare within one run.

mod cluster;
mod commands;
mod constants;
mod crowd;
mod latency;
mod report;
mod rounds;
mod server;

use tokio::task::LocalSet;

use crate::now;
use constants::{memory, processor, reader_us};
use report::Report;
use rounds::{NODES, floods, latencies};
use server::Redis;

pub(crate) async fn measure() {
    LocalSet::new().run_until(run()).await;
}

async fn run() {
    let start = now();
    let redis = Redis::start();
    let mut report = Report::new(&redis);
    let watched = latencies(&redis).await;
    report.latencies(&watched);
    report.floods(&floods(&redis).await);
    let alone = processor(&redis, 1).await;
    let together = processor(&redis, NODES).await;
    report.processor(&alone, &together, reader_us(&redis).await);
    report.clients(&watched, &together);
    report.memory(&memory(&redis).await);
    report.end(start.elapsed());
}
