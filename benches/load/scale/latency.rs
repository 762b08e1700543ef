//! From just before a command is written to the arrival of its `state` at every client of the room, on one clock.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tokio::time::timeout;

use super::cluster::Cluster;
use super::crowd::{Arrival, Crowd, Room, seq_of};
use crate::client::Http;
use crate::now;

/// A state that has not come after this time does not come.
const PATIENCE: Duration = Duration::from_secs(2);

/// What one or more rounds have measured, in milliseconds.
#[derive(Clone, Default)]
pub(crate) struct Latencies {
    /// At clients of the node that carried the command out.
    pub(crate) same: Vec<f64>,
    /// At clients of the others.
    pub(crate) other: Vec<f64>,
    /// At the last client of the room.
    pub(crate) last: Vec<f64>,
    /// The answer itself.
    pub(crate) answered: Vec<f64>,
    /// States that did not come.
    pub(crate) missed: usize,
    /// Commands that were not sent in their turn, because the one before was still on its way.
    pub(crate) late: usize,
}

impl Latencies {
    pub(crate) fn add(&mut self, other: &Self) {
        self.same.extend(&other.same);
        self.other.extend(&other.other);
        self.last.extend(&other.last);
        self.answered.extend(&other.answered);
        self.missed += other.missed;
        self.late += other.late;
    }
}

/// Idle connections to each node. The one that has been idle for longest is taken, so that none is closed for idleness.
struct Pool {
    nodes: Vec<RefCell<VecDeque<Http>>>,
}

/// Sends `rate` commands a second to random nodes, to one system after another in random order. Each comes somewhere in its
/// share of the second: at a fixed one, all or none would meet the clocks, which come at the turn of the second.
pub(crate) async fn paced(
    cluster: &Cluster,
    crowd: &Crowd,
    (rate, time): (u32, Duration),
    random: &mut StdRng,
) -> Latencies {
    let pool = Rc::new(Pool {
        nodes: cluster.nodes.iter().map(|_| RefCell::default()).collect(),
    });
    let addresses: Vec<_> = cluster.nodes.iter().map(|node| node.address).collect();
    let measured = Rc::new(RefCell::new(Latencies::default()));
    let mut order: Vec<usize> = Vec::new();
    let mut tasks = Vec::new();
    let start = now();
    for turn in 0..u32::try_from(time.as_secs()).unwrap() * rate {
        if order.is_empty() {
            order.extend(0..crowd.rooms.len());
            order.shuffle(random);
        }
        let (system, node) = (
            order.pop().unwrap(),
            random.random_range(0..addresses.len()),
        );
        let turn = f64::from(turn) + random.random_range(0.0..1.0);
        let turn = Duration::from_secs_f64(turn / f64::from(rate));
        tokio::time::sleep_until((start + turn).into()).await;
        let room = &crowd.rooms[system];
        if room.busy.replace(true) {
            measured.borrow_mut().late += 1;
            continue;
        }
        let verb = if room.runs.replace(!room.runs.get()) {
            "stop"
        } else {
            "manual"
        };
        let path = format!("/systems/s{system}/{verb}");
        let (room, members, pool) = (Rc::clone(room), crowd.members, Rc::clone(&pool));
        let (address, measured) = (addresses[node], Rc::clone(&measured));
        tasks.push(tokio::task::spawn_local(async move {
            let idle = pool.nodes[node].borrow_mut().pop_front();
            let mut http = match idle {
                Some(http) => http,
                None => Http::connect(address).await,
            };
            command(&mut http, &path, &room, (node, members), &measured).await;
            pool.nodes[node].borrow_mut().push_back(http);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    measured.take()
}

async fn command(
    http: &mut Http,
    path: &str,
    room: &Room,
    (node, members): (usize, usize),
    measured: &RefCell<Latencies>,
) {
    room.arrivals.borrow_mut().clear();
    let sent = now();
    let answer = http.post(path).await;
    let answered = now();
    let seq = seq_of(&answer).unwrap();
    let all = async {
        while room.count(seq) < members {
            room.news.notified().await;
        }
    };
    // Who has not heard of it is counted below.
    let _ = timeout(PATIENCE, all).await;

    let ms = |at: Instant| (at - sent).as_secs_f64() * 1000.0;
    let arrivals = room.arrivals.borrow();
    let arrivals: Vec<&Arrival> = arrivals.iter().filter(|one| one.seq == seq).collect();
    room.busy.set(false);
    let mut measured = measured.borrow_mut();
    measured.answered.push(ms(answered));
    measured.missed += members - arrivals.len();
    measured
        .last
        .extend(arrivals.iter().map(|one| one.at).max().map(ms));
    for arrival in arrivals {
        if arrival.node == node {
            measured.same.push(ms(arrival.at));
        } else {
            measured.other.push(ms(arrival.at));
        }
    }
}

impl Room {
    fn count(&self, seq: u64) -> usize {
        let arrivals = self.arrivals.borrow();
        arrivals.iter().filter(|one| one.seq == seq).count()
    }
}
