//! More than one machine, and openings that are on their way when the line to Redis fails: whoever was refused, or has
//! gone, has opened nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::{Method, StatusCode};
use rand::RngExt;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::proxy::Flow;
use crate::cluster::{Cluster, HEALED, NODES, must_be_unavailable};
use crate::dice::{Dice, rounds};
use crate::fixture::{Answer, Http, Socket, WATCHDOG};
use crate::verdict::Told;

/// What can happen to the line while commands are on it.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    Cut,
    HalfClosed,
    /// A command takes longer than it may on its way, both ways.
    Late,
    AnswersHeld,
    Silent,
}

const TROUBLES: [Trouble; 5] = [
    Trouble::Cut,
    Trouble::HalfClosed,
    Trouble::Late,
    Trouble::AnswersHeld,
    Trouble::Silent,
];
/// Openings that are on the line at once.
const AT_ONCE: usize = 8;

/// Asks for an opening, with a key that is the name of the system.
async fn open(http: &Http, system: &str) -> Answer {
    let path = format!("/systems/{system}/timer?seconds=600&by={system}");
    let key = [("Idempotency-Key", system)];
    http.send(Method::POST, &path, &key, "").await
}

/// Lets the line of the first gateway fail while openings are on it, and returns who was answered what.
async fn openings_over(
    cluster: &Cluster,
    trouble: Trouble,
    dice: &mut Dice,
) -> Vec<(String, Answer)> {
    let http = cluster.http(0);
    let mut asked = Vec::new();
    let strikes = dice.random_range(0..AT_ONCE);
    for i in 0..AT_ONCE {
        let (http, system) = (http.clone(), format!("s{}", trouble as usize * AT_ONCE + i));
        asked.push(tokio::spawn(async move {
            let answer = open(&http, &system).await;
            (system, answer)
        }));
        if i == strikes {
            let late = Flow::Late(Duration::from_millis(300));
            match trouble {
                Trouble::Cut => cluster.proxy.cut(),
                Trouble::HalfClosed => cluster.proxy.half_close(),
                Trouble::Late => cluster.proxy.set(late, late),
                Trouble::AnswersHeld => cluster.proxy.set(Flow::Open, Flow::Held),
                Trouble::Silent => cluster.proxy.set(Flow::Held, Flow::Held),
            }
        }
        // Some of the answers are on their way while others are asked for.
        cluster.http(0).get("/healthz").await;
    }
    if matches!(trouble, Trouble::AnswersHeld | Trouble::Silent) {
        // For longer than a gateway waits for Redis.
        let mut socket = cluster.join(1, "s0").await;
        for _ in 0..3 {
            socket.event("clock").await;
        }
        cluster.proxy.heal();
    }
    let answers = timeout(WATCHDOG, join_all(asked))
        .await
        .expect("all are answered");
    cluster.proxy.heal();
    answers.into_iter().map(|answer| answer.unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_whose_answer_was_lost_on_the_line_is_told_as_it_is_and_waters_once() {
    let mut dice = Dice::new();
    let systems = (0..TROUBLES.len() * AT_ONCE).map(|i| format!("[[systems]]\nid = \"s{i}\"\n"));
    let cluster = Cluster::start(&systems.collect::<String>()).await;
    let mut refused = Vec::new();
    for trouble in TROUBLES {
        for (system, answer) in openings_over(&cluster, trouble, &mut dice).await {
            if answer.status == StatusCode::OK {
                assert_eq!(answer.json()["state"]["by"], *system, "{}", answer.text);
                let state = cluster.http(1).state(&system).await;
                assert_eq!(state["by"], *system, "{trouble:?}: {} {state}", answer.text);
            } else {
                must_be_unavailable(&answer);
                refused.push((trouble, system));
            }
        }
        let healed = cluster.heals().await;
        assert!(healed < HEALED, "{healed:?}");
    }
    for (trouble, system) in refused {
        let told = Told::by(cluster.http(1), &system, 0).await;
        assert_eq!(told.runs_of(&system), 0, "{trouble:?}: it was refused");
        let again = open(cluster.http(2), &system).await;
        assert_eq!(again.status, StatusCode::OK, "{}", again.text);
    }
    for i in 0..TROUBLES.len() * AT_ONCE {
        let system = format!("s{i}");
        open(cluster.http(0), &system).await;
        cluster
            .http(2)
            .post(&format!("/systems/{system}/stop"))
            .await;
        let again = open(cluster.http(1), &system).await.json();
        assert_eq!(again["state"]["by"], *system, "the answer that it got");
        let told = Told::by(cluster.http(1), &system, 0).await;
        assert_eq!(told.runs_of(&system), 1, "{} {:#?}", told.state, told.rows);
        assert_eq!(told.state["mode"], "wait");
    }
}

/// Callers who ask for one opening after the other, each in a system of its own, and once only.
struct Crowd {
    answered: Arc<AtomicUsize>,
    callers: Vec<JoinHandle<Vec<(String, Answer)>>>,
}

/// Openings that a caller asks for.
const OPENINGS: usize = 60;
/// Callers of a gateway.
const CALLERS: usize = 8;

fn crowd_config() -> String {
    let systems = (0..CALLERS * OPENINGS).map(|i| format!("[[systems]]\nid = \"crowd-{i}\"\n"));
    systems.collect()
}

impl Crowd {
    fn at(gateways: &[&Http]) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let callers = (0..CALLERS).map(|i| {
            let http = Http::new(gateways[i % gateways.len()].address());
            let answered = Arc::clone(&answered);
            tokio::spawn(async move {
                let mut answers = Vec::new();
                for n in 0..OPENINGS {
                    let system = format!("crowd-{}", n * CALLERS + i);
                    let path = format!("/systems/{system}/manual?by={system}");
                    let answer = http.post(&path).await;
                    answered.fetch_add(1, Ordering::Relaxed);
                    answers.push((system, answer));
                }
                answers
            })
        });
        let callers = callers.collect();
        Self { answered, callers }
    }

    /// Returns when so many were answered.
    async fn answers(&self, count: usize) {
        while self.answered.load(Ordering::Relaxed) < count {
            tokio::task::yield_now().await;
        }
    }
}

async fn ticks(socket: &mut Socket, count: usize) {
    for _ in 0..count {
        socket.event("clock").await;
    }
}

/// The connection of a gateway is closed while openings are on it; they come to Redis when the gateway has another one
/// and has told the callers that nothing was opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_connection_has_left_on_the_line_opens_nothing_when_it_comes_to_redis_at_last() {
    let mut dice = Dice::new();
    for _ in 0..rounds(1) {
        let cluster = Cluster::start(&crowd_config()).await;
        let mut socket = cluster.join(1, "crowd-0").await;
        let crowd = Crowd::at(&[cluster.http(0)]);
        crowd
            .answers(dice.random_range(20..CALLERS * OPENINGS / 2))
            .await;
        cluster.proxy.set(Flow::Held, Flow::Open);
        // What was read by now is decided, and the openings are on the line.
        for _ in 0..20 {
            cluster.http(0).get("/healthz").await;
        }
        cluster.proxy.strand();
        let crowd = timeout(WATCHDOG, join_all(crowd.callers));
        let crowd = crowd.await.expect("all are answered");
        let told: Vec<_> = crowd.into_iter().flat_map(Result::unwrap).collect();
        cluster.proxy.wash_up();
        ticks(&mut socket, 1).await;
        let mut refused = 0;
        for (system, answer) in told {
            let state = cluster.http(2).state(&system).await;
            if answer.status == StatusCode::OK {
                assert_eq!(state["by"], *system, "{} {state}", answer.text);
            } else {
                must_be_unavailable(&answer);
                refused += 1;
                assert_eq!(state["seq"], 0, "it was refused: {state}");
            }
        }
        assert!(refused > 0, "nothing was on the line");
    }
}

/// Openings are on their way to every gateway, and to Redis, when it stands still. Their callers go before it goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_that_comes_to_redis_later_than_two_seconds_opens_nothing() {
    let mut dice = Dice::new();
    let cluster = Cluster::start(&crowd_config()).await;
    let mut socket = cluster.join(1, "crowd-0").await;
    let gateways: Vec<_> = (0..NODES).map(|node| cluster.http(node)).collect();
    let crowd = Crowd::at(&gateways);
    crowd
        .answers(dice.random_range(20..CALLERS * OPENINGS / 2))
        .await;
    cluster.redis.signal("-STOP");
    crowd.callers.iter().for_each(JoinHandle::abort);
    ticks(&mut socket, 4).await;
    let thawed_ms = now_ms();
    cluster.redis.signal("-CONT");
    let healed = cluster.heals().await;
    assert!(healed < HEALED, "{healed:?}");
    ticks(&mut socket, 2).await;
    let carried_out = cluster
        .redis
        .ask(&format!("XRANGE {{acequia}}:feed {thawed_ms} +"));
    assert!(!carried_out.contains("crowd-"), "{carried_out}");
}

fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the test knows the right time")]
    chrono::Utc::now().timestamp_millis()
}
