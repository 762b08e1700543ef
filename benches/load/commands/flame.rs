//! What `make bench-flame` draws: where the gateway is while 64 connections load it, as `perf` samples it.

use std::process::Command;
use std::time::Duration;

use super::crowd::Crowd;
use super::{CONNECTIONS, SYSTEMS, WARM, config};
use crate::process::{Gateway, folder};

const TIME: Duration = Duration::from_secs(10);
/// In Hz: no multiple of what the gateway and the kernel do every so often.
const SAMPLES: &str = "997";

/// Writes the samples into the file that is named.
pub(crate) fn record(file: &str) {
    let folder = folder();
    let gateway = Gateway::start(folder.path(), &config());
    let crowd = Crowd {
        connections: CONNECTIONS[0],
        systems: SYSTEMS,
    };
    crowd.load(&gateway, WARM);
    let mut perf = Command::new("perf")
        .args(["record", "--quiet", "--call-graph", "fp", "-F", SAMPLES])
        .args(["--output", file, "--pid", &gateway.id().to_string()])
        .args(["--", "sleep", &TIME.as_secs().to_string()])
        .spawn()
        .unwrap();
    let took = crowd.load(&gateway, TIME);
    assert!(perf.wait().unwrap().success());
    println!(
        "{:.0} durable commands per second while perf looked on; gateway {:.0} %, load {:.0} % of a core",
        took.per_second,
        took.gateway * 100.0,
        took.load * 100.0
    );
}
