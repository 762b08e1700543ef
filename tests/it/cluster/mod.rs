//! Three gateways of the real program on one Redis, as behind a load balancer: each can be killed, ended and started
//! again, and so can Redis. The first of them has a line to Redis that can fail.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::field::Gateways;
use crate::fixture::{Answer, Http, Process, Socket, WATCHDOG, instant};
use crate::program::{self, PROGRAM};
use crate::wall_clock::{self, WallClock};

pub(crate) mod follower;
pub(crate) mod proxy;
pub(crate) mod redis;

use proxy::Proxy;
use redis::Redis;

pub(crate) const NODES: usize = 3;

/// What is wrong must be right again after so long. A program that was not optimized, on a machine that others use, may
/// come late to look.
pub(crate) const HEALED: Duration = Duration::from_secs(2);
/// A run may be so much longer or shorter than asked, as seen over the network on such a machine.
pub(crate) const TOLERANCE: Duration = Duration::from_secs(1);
/// At the turn of a second, and when the wall clock is set, no tick may come for so long.
pub(crate) const LONGEST_SILENCE: Duration = Duration::from_millis(2200);
/// Between two looks at whether something has come about.
const LOOK: Duration = Duration::from_millis(5);

/// The lines that a program has logged.
pub(crate) type Log = watch::Receiver<Vec<String>>;

/// One of the machines.
struct Node {
    folder: PathBuf,
    clock: WallClock,
    store: String,
    config: String,
    log: Option<Log>,
    process: Option<Process>,
}

impl Node {
    async fn start(&mut self) {
        let mut command = program::command(PROGRAM);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env("LD_PRELOAD", wall_clock::library());
        self.clock.show(&mut command);
        let (folder, store, config) =
            (self.folder.clone(), self.store.clone(), self.config.clone());
        let (lines, log) = watch::channel(Vec::new());
        let note = move |line: &str| {
            let line = line.to_owned();
            lines.send_modify(|lines| lines.push(line));
        };
        // The line to Redis is carried by the tasks of the test, which must not wait for this one.
        let start = move || program::start_on(&store, command, &folder, &config, note);
        let started = spawn_blocking(start).await.unwrap();
        self.process = Some(Process::listening(started));
        self.log = Some(log);
    }
}

/// All machines; gone when it is dropped.
pub(crate) struct Cluster {
    nodes: Vec<Node>,
    pub(crate) proxy: Proxy,
    pub(crate) redis: Redis,
    gateways: watch::Sender<Vec<SocketAddr>>,
    _home: TempDir,
}

impl Cluster {
    /// All of them with the same configuration.
    pub(crate) async fn start(config: &str) -> Self {
        Self::with([config; NODES]).await
    }

    /// Each with a configuration of its own, started one after the other.
    pub(crate) async fn with(configs: [&str; NODES]) -> Self {
        Self::with_a_clock_off(configs, [0; NODES]).await
    }

    /// With wall clocks that are off by so many seconds.
    pub(crate) async fn with_a_clock_off(configs: [&str; NODES], off_s: [i64; NODES]) -> Self {
        let home = TempDir::new().unwrap();
        let redis = Redis::start(&home.path().join("redis"));
        let proxy = Proxy::start(redis.socket()).await;
        let mut nodes = Vec::new();
        for (i, config) in configs.into_iter().enumerate() {
            let folder = home.path().join(format!("node-{i}"));
            std::fs::create_dir(&folder).unwrap();
            let clock = WallClock::kept_in(folder.join("clock"));
            clock.set(off_s[i]);
            let direct = i > 0;
            let mut node = Node {
                folder,
                clock,
                store: if direct { redis.url("") } else { proxy.url() },
                config: config.into(),
                log: None,
                process: None,
            };
            node.start().await;
            nodes.push(node);
        }
        let cluster = Self {
            nodes,
            proxy,
            redis,
            gateways: watch::Sender::new(Vec::new()),
            _home: home,
        };
        cluster.tell_gateways();
        cluster
    }

    fn tell_gateways(&self) {
        let running = self.nodes.iter().filter_map(|node| node.process.as_ref());
        self.gateways
            .send_replace(running.map(|process| process.address).collect());
    }

    /// Where the gateways are that run, now and later.
    pub(crate) fn gateways(&self) -> Gateways {
        self.gateways.subscribe()
    }

    pub(crate) fn process(&self, node: usize) -> &Process {
        self.nodes[node].process.as_ref().expect("it runs")
    }

    pub(crate) fn http(&self, node: usize) -> &Http {
        &self.process(node).http
    }

    pub(crate) fn log(&self, node: usize) -> Log {
        self.nodes[node].log.clone().expect("it has run")
    }

    /// A socket at a node that has joined a system and read its snapshot.
    pub(crate) async fn join(&self, node: usize, system: &str) -> Socket {
        let mut socket = Socket::connect(self.process(node).address).await;
        let ack = socket.join(system).await;
        assert_eq!(ack["ok"], true, "{ack}");
        socket
    }

    /// One at each node.
    pub(crate) async fn join_all(&self, system: &str) -> Vec<Socket> {
        join_all((0..NODES).map(|node| self.join(node, system))).await
    }

    /// kill -9.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].process.take().unwrap().kill();
        self.tell_gateways();
    }

    /// SIGTERM. Nobody asks it for water any more, as when a load balancer takes it out.
    pub(crate) async fn terminate(&mut self, node: usize) {
        let process = self.nodes[node].process.take().unwrap();
        self.tell_gateways();
        assert_eq!(process.terminate().await, Some(0));
    }

    /// Starts one that has ended; returns when it is ready.
    pub(crate) async fn start_again(&mut self, node: usize) {
        self.nodes[node].start().await;
        self.ready(node).await;
        self.tell_gateways();
    }

    /// Returns when a node can read and write the store.
    pub(crate) async fn ready(&self, node: usize) {
        let http = self.http(node);
        until("it is ready", async || {
            http.get("/readyz").await.status == StatusCode::OK
        })
        .await;
    }

    /// Returns when all nodes that run can, and how long that took.
    pub(crate) async fn heals(&self) -> Duration {
        let began = instant();
        let running = (0..NODES).filter(|node| self.nodes[*node].process.is_some());
        join_all(running.map(|node| self.ready(node))).await;
        began.elapsed()
    }

    /// Returns when a node shows this state of a system, or a newer one.
    pub(crate) async fn shows(&self, node: usize, system: &str, seq: u64) {
        let http = self.http(node);
        until("it shows what was committed elsewhere", async || {
            http.state(system).await["seq"].as_u64() >= Some(seq)
        })
        .await;
    }
}

/// A run was as long as asked, as far as that can be seen from outside.
pub(crate) fn must_have_lasted(lasted: Duration, seconds: u64, what: &str) {
    let asked = Duration::from_secs(seconds);
    assert!(
        lasted + TOLERANCE > asked && lasted < asked + TOLERANCE,
        "{what}: {lasted:?}"
    );
}

/// Redis is away, and whoever asks is told to come again.
pub(crate) fn must_be_unavailable(answer: &Answer) {
    assert_eq!(answer.error_code(), "store_unavailable");
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    assert!(seconds.parse::<u32>().is_ok(), "{seconds}");
}

/// Looks until something is so.
pub(crate) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let waited = async {
        while !is_so().await {
            look.tick().await;
        }
    };
    timeout(WATCHDOG, waited).await.expect(what);
}

/// Waits until a program has logged a line that contains all of these words, and returns it.
pub(crate) async fn logged(mut log: Log, words: &[&str]) -> String {
    let says = |line: &&String| words.iter().all(|word| line.contains(word));
    let said = log.wait_for(|lines| lines.iter().any(|line| says(&line)));
    let lines = timeout(WATCHDOG, said).await;
    let lines = lines.unwrap_or_else(|_| panic!("it does not log {words:?}"));
    lines.unwrap().iter().find(says).unwrap().clone()
}
