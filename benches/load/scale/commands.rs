//! Commands without anybody who watches: as many as there can be, or so many a second, and what they cost.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::cluster::Cluster;
use super::server::Redis;
use crate::client::Http;
use crate::now;

/// What commands took and cost.
#[derive(Clone, Default)]
pub(crate) struct Cost {
    pub(crate) commands: f64,
    pub(crate) refused: usize,
    pub(crate) seconds: f64,
    /// From the command to its answer, in milliseconds.
    pub(crate) answered: Vec<f64>,
    /// Processor time in seconds.
    pub(crate) redis: f64,
    pub(crate) nodes: Vec<f64>,
}

impl Cost {
    pub(crate) fn add(&mut self, other: &Self) {
        self.commands += other.commands;
        self.refused += other.refused;
        self.seconds += other.seconds;
        self.answered.extend(&other.answered);
        self.redis += other.redis;
        self.nodes.resize(other.nodes.len(), 0.0);
        for (sum, more) in self.nodes.iter_mut().zip(&other.nodes) {
            *sum += more;
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.commands / self.seconds
    }

    /// Processor time of Redis in µs for each command, less what it takes in that time anyway.
    pub(crate) fn redis_us(&self, idle: &Self) -> f64 {
        (self.redis - idle.redis * self.seconds / idle.seconds) / self.commands * 1e6
    }

    /// The same of a node.
    pub(crate) fn node_us(&self, node: usize, idle: &Self) -> f64 {
        let idle = idle.nodes[node] * self.seconds / idle.seconds;
        (self.nodes[node] - idle) / self.commands * 1e6
    }
}

/// Looks at the processor time around what is done.
async fn costing(cluster: &Cluster, redis: &Redis, work: impl Future<Output = Cost>) -> Cost {
    let (redis_before, before, start) = (redis.cpu_s(), cluster.cpu_s(), now());
    let mut cost = work.await;
    cost.seconds = start.elapsed().as_secs_f64();
    cost.redis = redis.cpu_s() - redis_before;
    let after = cluster.cpu_s().into_iter();
    cost.nodes = after
        .zip(before)
        .map(|(after, before)| after - before)
        .collect();
    cost
}

/// What is spent while nobody asks for anything.
pub(crate) async fn idle(cluster: &Cluster, redis: &Redis, time: Duration) -> Cost {
    costing(cluster, redis, async {
        tokio::time::sleep(time).await;
        Cost::default()
    })
    .await
}

/// Closed loop: each connection starts and stops its own systems, one command after another, for a time.
pub(crate) async fn as_many_as_possible(
    cluster: &Cluster,
    redis: &Redis,
    (connections, systems, time): (usize, usize, Duration),
) -> Cost {
    let mut clients = Vec::new();
    for i in 0..connections {
        let address = cluster.nodes[i % cluster.nodes.len()].address;
        clients.push((i, Http::connect(address).await));
    }
    let start = now();
    costing(cluster, redis, async {
        let each = clients.into_iter().map(|(own, mut http)| async move {
            let mut cost = Cost::default();
            let own: Vec<usize> = (own..systems).step_by(connections).collect();
            for verb in ["timer", "stop"].iter().cycle() {
                for system in &own {
                    if start.elapsed() >= time {
                        return cost;
                    }
                    let path = format!("/systems/s{system}/{verb}");
                    cost.ask(&mut http, &path).await;
                }
            }
            cost
        });
        let mut sum = Cost::default();
        join_all(each).await.iter().for_each(|one| sum.add(one));
        sum
    })
    .await
}

impl Cost {
    async fn ask(&mut self, http: &mut Http, path: &str) {
        let sent = now();
        if http.request("POST", path).await.is_some() {
            self.commands += 1.0;
            self.answered.push(sent.elapsed().as_secs_f64() * 1000.0);
        } else {
            self.refused += 1;
        }
    }
}

/// Sends the paths to one node, so many a second; then waits for what comes of them.
pub(crate) async fn paced(
    cluster: &Cluster,
    redis: &Redis,
    paths: impl Iterator<Item = String>,
    (rate, afterwards): (u32, Duration),
) -> Cost {
    costing(cluster, redis, async {
        let sum = send_paced(cluster.nodes[0].address, paths, rate).await;
        tokio::time::sleep(afterwards).await;
        sum
    })
    .await
}

/// So many commands may be on their way before the next one has to wait for its turn.
const CONNECTIONS: usize = 32;

async fn send_paced(address: SocketAddr, paths: impl Iterator<Item = String>, rate: u32) -> Cost {
    let sum = Rc::new(RefCell::new(Cost::default()));
    let (queue, queued) = mpsc::channel::<String>(CONNECTIONS);
    let queued = Rc::new(tokio::sync::Mutex::new(queued));
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (queued, sum) = (Rc::clone(&queued), Rc::clone(&sum));
        tasks.push(tokio::task::spawn_local(async move {
            let mut http = Http::connect(address).await;
            let mut cost = Cost::default();
            while let Some(path) = next(&queued).await {
                cost.ask(&mut http, &path).await;
            }
            sum.borrow_mut().add(&cost);
        }));
    }
    let start = now();
    for (turn, path) in (0..).zip(paths) {
        tokio::time::sleep_until((start + Duration::from_secs(1) * turn / rate).into()).await;
        queue.send(path).await.unwrap();
    }
    drop(queue);
    for task in tasks {
        task.await.unwrap();
    }
    sum.take()
}

async fn next(queued: &tokio::sync::Mutex<mpsc::Receiver<String>>) -> Option<String> {
    queued.lock().await.recv().await
}

/// Sends each path to the first node, with a key of its own.
pub(crate) async fn keyed(cluster: &Cluster, paths: impl Iterator<Item = String>) {
    let mut http = Http::connect(cluster.nodes[0].address).await;
    for (i, path) in paths.enumerate() {
        // As long as a UUID.
        let key = format!("{i:08}-40d5-43dd-bc93-6894a57f9324");
        assert!(http.post_once(&path, &key).await.is_some(), "{path}");
    }
}
