//! What a model of costs needs: processor time and memory for each thing that can be had many of.

use std::time::Duration;

use redis::streams::StreamReadReply;

use super::cluster::{Cluster, Kind};
use super::commands::{Cost, idle, keyed, paced};
use super::rounds::NODES;
use super::server::Redis;
use crate::client::Http;
use crate::now;

const SYSTEMS: usize = 1000;
const RATE: u32 = 500;
const TIME_S: u32 = 5;
const READERS: usize = 20;
const IDLE: Duration = Duration::from_secs(3);
/// Timers last one second: this long after the last one, every node has had its try at ending it.
const DEADLINES: Duration = Duration::from_secs(3);
pub(crate) const MANY: usize = 3000;
const RUNS: usize = 10;
const KEYS: usize = 3000;
/// More than can be carried out: each waits for the one before.
const AT_ONCE: u32 = 1_000_000;

/// All commands go to the first node; the others read the feed.
pub(crate) struct Processor {
    pub(crate) idle: Cost,
    pub(crate) commands: Cost,
    /// A timer and its deadline counts once.
    pub(crate) timers: Cost,
}

pub(crate) async fn processor(redis: &Redis, nodes: usize) -> Processor {
    let prefix = format!("costof{nodes}");
    let cluster = Cluster::start(Kind::Acequia, redis, &prefix, nodes, SYSTEMS);
    let count = (RATE * TIME_S) as usize;
    let verbs = ["manual", "stop"].iter().cycle();
    let laps = verbs.flat_map(|verb| (0..SYSTEMS).map(move |i| format!("/systems/s{i}/{verb}")));
    let warm = laps.clone().take(SYSTEMS * 2);
    paced(&cluster, redis, warm, (AT_ONCE, Duration::ZERO)).await;
    let idle = idle(&cluster, redis, IDLE).await;
    let commands = paced(&cluster, redis, laps.take(count), (RATE, Duration::ZERO)).await;
    let timers = (0..SYSTEMS).cycle().take(count);
    let timers = timers.map(|i| format!("/systems/s{i}/timer?seconds=1"));
    // Those that are still on from the commands would be in the way.
    let stops = (0..SYSTEMS).map(|i| format!("/systems/s{i}/stop"));
    paced(&cluster, redis, stops, (AT_ONCE, Duration::ZERO)).await;
    let timers = paced(&cluster, redis, timers, (RATE, DEADLINES)).await;
    Processor {
        idle,
        commands,
        timers,
    }
}

/// What Redis takes more for a command, for each of several readers of the feed that read as nodes do. More of them than there are
/// nodes here, because one costs little.
pub(crate) async fn reader_us(redis: &Redis) -> f64 {
    let cluster = Cluster::start(Kind::Acequia, redis, "readers", 1, SYSTEMS);
    let verbs = ["manual", "stop"].iter().cycle();
    let laps = verbs.flat_map(|verb| (0..SYSTEMS).map(move |i| format!("/systems/s{i}/{verb}")));
    let mut us = Vec::new();
    for readers in [0, READERS] {
        let tasks: Vec<_> = (0..readers)
            .map(|_| tokio::task::spawn_local(read_feed(redis.url(), feed_of("readers"))))
            .collect();
        let idle = idle(&cluster, redis, IDLE).await;
        let laps = laps.clone().take((RATE * TIME_S) as usize);
        let cost = paced(&cluster, redis, laps, (RATE, Duration::ZERO)).await;
        us.push(cost.redis_us(&idle));
        tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
    (us[1] - us[0]) / READERS as f64
}

async fn read_feed(url: String, feed: String) {
    let settings = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url).unwrap();
    let connection = client.get_multiplexed_async_connection_with_config(&settings);
    let (mut connection, mut place) = (connection.await.unwrap(), "$".to_owned());
    loop {
        let mut read = redis::cmd("XREAD");
        read.arg(&["COUNT", "1000", "BLOCK", "1000", "STREAMS", &feed, &place]);
        let read: Option<StreamReadReply> = read.query_async(&mut connection).await.unwrap();
        let last = read.and_then(|read| Some(read.keys.first()?.ids.last()?.id.clone()));
        place = last.unwrap_or(place);
    }
}

/// The key of the feed.
fn feed_of(prefix: &str) -> String {
    format!("{{{prefix}}}:feed")
}

/// In bytes, but for `ready_s`.
#[derive(Default)]
pub(crate) struct Memory {
    /// Redis, for a system that is registered and has never changed.
    pub(crate) registered: f64,
    /// The same for its state with the first action.
    pub(crate) state: f64,
    /// The same for each action after that.
    pub(crate) action: f64,
    /// The same for an answer that is kept under its key.
    pub(crate) key: f64,
    /// The feed as a whole.
    pub(crate) feed: f64,
    /// A node, for each system that it knows.
    pub(crate) known: f64,
    /// How long a new node takes until it is ready, with so many systems.
    pub(crate) ready_s: f64,
}

pub(crate) async fn memory(redis: &Redis) -> Memory {
    let prefix = "many";
    let (feed, many) = (feed_of(prefix), MANY as f64);
    let used = || redis.used_bytes() - redis.bytes_of(&feed);
    let empty = used();
    let cluster = Cluster::start(Kind::Acequia, redis, prefix, NODES, MANY);
    let registered = used();
    run_each(&cluster, redis, 1).await;
    let first = used();
    run_each(&cluster, redis, RUNS - 1).await;
    let last = used();
    let stops = (0..KEYS).map(|i| format!("/systems/s{i}/stop"));
    keyed(&cluster, stops).await;
    let with_keys = used();
    drop(cluster);

    let small = Cluster::start(Kind::Acequia, redis, "one", 1, 1);
    wait_until_ready(&small).await;
    let base = small.resident_kib();
    drop(small);
    let start = now();
    let full = Cluster::start(Kind::Acequia, redis, prefix, 1, MANY);
    wait_until_ready(&full).await;
    Memory {
        registered: (registered - empty) / many,
        state: (first - registered) / many,
        action: (last - first) / many / (RUNS - 1) as f64,
        key: (with_keys - last) / KEYS as f64,
        feed: redis.bytes_of(&feed),
        known: (full.resident_kib() - base) * 1024.0 / many,
        ready_s: start.elapsed().as_secs_f64(),
    }
}

/// Lets each system have so many runs.
async fn run_each(cluster: &Cluster, redis: &Redis, runs: usize) {
    let verbs = ["manual", "stop"].iter().cycle().take(2 * runs);
    let paths = verbs.flat_map(|verb| (0..MANY).map(move |i| format!("/systems/s{i}/{verb}")));
    let done = paced(cluster, redis, paths, (AT_ONCE, Duration::ZERO)).await;
    assert_eq!(done.refused, 0, "every system has as many runs");
}

async fn wait_until_ready(cluster: &Cluster) {
    let mut http = Http::connect(cluster.nodes[0].address).await;
    while http.request("GET", "/readyz").await.is_none() {}
}
