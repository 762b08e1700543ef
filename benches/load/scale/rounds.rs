//! acequia and its peer in turn, so that whatever the machine does meanwhile meets both.

use std::collections::HashMap;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::cluster::{Cluster, Kind};
use super::commands::{Cost, as_many_as_possible, idle};
use super::crowd::Crowd;
use super::latency::{Latencies, paced};
use super::server::Redis;

pub(crate) const NODES: usize = 3;
pub(crate) const SYSTEMS: usize = 100;
pub(crate) const MEMBERS: usize = 10;
pub(crate) const ROUNDS: usize = 3;
pub(crate) const RATE: u32 = 50;
pub(crate) const CONNECTIONS: usize = 64;
const ROUND: Duration = Duration::from_secs(6);
/// Before a round: Node compiles what it does often.
const WARM_UP: (u32, Duration) = (4 * RATE, Duration::from_secs(2));
const WATCH: Duration = Duration::from_secs(2);
const FLOOD: Duration = Duration::from_secs(3);
const FLOODED_SYSTEMS: usize = 256;
const SEED: u64 = 6;

/// What 1,000 clients saw, and what they cost while nothing happened.
#[derive(Clone, Default)]
pub(crate) struct Watched {
    pub(crate) latencies: Latencies,
    /// Nodes only; `commands` is the number of clients.
    pub(crate) clocks: Cost,
    pub(crate) resident_kib: f64,
}

/// Three rounds of each kind.
pub(crate) async fn latencies(redis: &Redis) -> Vec<(Kind, Watched)> {
    let mut random = StdRng::seed_from_u64(SEED);
    let mut watched = Kind::ALL.map(|kind| (kind, Watched::default()));
    for round in 0..ROUNDS {
        for (kind, sum) in &mut watched {
            let one = round_of(*kind, redis, round, &mut random).await;
            sum.latencies.add(&one.latencies);
            sum.clocks.add(&one.clocks);
            sum.resident_kib += one.resident_kib / ROUNDS as f64;
        }
    }
    watched.into()
}

async fn round_of(kind: Kind, redis: &Redis, round: usize, random: &mut StdRng) -> Watched {
    let prefix = format!("round{round}");
    let cluster = Cluster::start(kind, redis, &prefix, NODES, SYSTEMS);
    let before = cluster.resident_kib();
    let crowd = Crowd::join(&cluster, SYSTEMS, MEMBERS).await;
    let resident_kib = (cluster.resident_kib() - before) / (SYSTEMS * MEMBERS) as f64;
    paced(&cluster, &crowd, WARM_UP, random).await;
    let mut clocks = idle(&cluster, redis, WATCH).await;
    clocks.commands = (SYSTEMS * MEMBERS) as f64;
    let latencies = paced(&cluster, &crowd, (RATE, ROUND), random).await;
    Watched {
        latencies,
        clocks,
        resident_kib,
    }
}

/// As many commands as there can be, of acequia and of its peer, with one node and with three.
pub(crate) async fn floods(redis: &Redis) -> HashMap<(bool, usize), Cost> {
    let mut floods = HashMap::<_, Cost>::new();
    for round in 0..2 {
        for nodes in [1, NODES] {
            for kind in [Kind::Acequia, Kind::Peer] {
                let prefix = format!("flood{round}of{nodes}");
                let cluster = Cluster::start(kind, redis, &prefix, nodes, FLOODED_SYSTEMS);
                let size = (CONNECTIONS, FLOODED_SYSTEMS, FLOOD);
                let cost = as_many_as_possible(&cluster, redis, size).await;
                let key = (kind == Kind::Acequia, nodes);
                floods.entry(key).or_default().add(&cost);
            }
        }
    }
    floods
}
