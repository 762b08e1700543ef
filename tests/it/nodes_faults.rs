//! More than one machine, and what lies between them fails: Redis, or the line to it.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::StatusCode;
use rand::RngExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::cluster::{
    Cluster, HEALED, LONGEST_SILENCE, NODES, TOLERANCE, must_be_unavailable, until,
};
use crate::dice::{Dice, faults_in_full};
use crate::field::{self, Load, seqs};
use crate::fixture::{Answer, Http, SYSTEMS, Socket, instant};
use crate::load::{near, number};
use crate::nodes::{followers, the_timer_has_ended};
use crate::verdict::Wrong;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_restarted_under_load_and_nothing_is_lost_or_cut_or_missed() {
    const SECONDS: u64 = 4;
    let mut dice = Dice::new();
    let mut cluster = Cluster::start(&field::config()).await;
    let systems = field::systems();
    let before = seqs(cluster.http(0), &systems).await;
    let manual = cluster.http(0).change("/systems/pond-0/manual").await;
    let (followers, goal) = followers(&cluster, &systems).await;
    let timer = format!("/systems/pond-1/timer?seconds={SECONDS}");
    cluster.http(1).change(&timer).await;
    let began = instant();
    let load = Load::start(cluster.gateways(), "load", &mut dice);
    for in_order in [true, false] {
        load.field.answers(dice.random_range(50..200)).await;
        if in_order {
            cluster.redis.terminate();
        } else {
            cluster.redis.kill();
        }
        cluster.redis.start_again();
        let healed = cluster.heals().await;
        assert!(healed < HEALED, "{healed:?}");
    }
    load.field.answers(50).await;
    the_timer_has_ended(&cluster, began, SECONDS).await;

    let account = load.end().await;
    assert!(account.answered.len() > 200);
    let wrong = Wrong::since(&before, cluster.http(0), &account).await;
    assert_eq!(wrong, Wrong::default());
    goal.send_replace(Some(seqs(cluster.http(0), &systems).await));
    for follower in followers {
        let connections = follower.await.unwrap();
        assert_eq!(connections.len(), 1, "nobody lost the connection");
        systems
            .iter()
            .for_each(|system| connections[0].must_be_without_a_gap(system));
    }
    let now = cluster.http(1).state("pond-0").await;
    assert_eq!(
        (&now["seq"], &now["mode"]),
        (&manual["seq"], &"manual".into())
    );
    assert!(near(&now["start"], &manual["start"]), "{now} {manual}");
}

/// All gateways end while water runs, and start again.
async fn all_gateways_are_away(meanwhile: impl FnOnce(&mut Cluster)) -> Cluster {
    let mut cluster = Cluster::start(SYSTEMS).await;
    cluster.http(0).change("/systems/north/manual").await;
    let timer = "/systems/south/timer?seconds=3600";
    cluster.http(1).change(timer).await;
    (0..NODES).for_each(|node| cluster.kill(node));
    meanwhile(&mut cluster);
    for node in 0..NODES {
        cluster.start_again(node).await;
    }
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_goes_on_over_a_time_without_any_gateway() {
    let cluster = all_gateways_are_away(|_| ()).await;
    for node in 0..NODES {
        let http = cluster.http(node);
        let (north, south) = (http.state("north").await, http.state("south").await);
        assert_eq!(
            (&north["seq"], &north["mode"]),
            (&1.into(), &"manual".into())
        );
        assert_eq!(
            (&south["seq"], &south["mode"]),
            (&1.into(), &"timer".into())
        );
    }
}

/// Nobody can know how long it was away: its clock is all that there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_is_interrupted_when_redis_is_started_again_while_no_gateway_watches() {
    let cluster = all_gateways_are_away(|cluster| {
        cluster.redis.terminate();
        cluster.redis.start_again();
    })
    .await;
    for node in 0..NODES {
        for system in ["north", "south"] {
            let state = cluster.http(node).state(system).await;
            assert_eq!((&state["seq"], &state["mode"]), (&2.into(), &"wait".into()));
            let row = &cluster.http(node).history(system).await[0];
            assert_eq!(
                (&row["outcome"], &row["end"]),
                (&"interrupted".into(), &Value::Null)
            );
        }
    }
    cluster.http(2).change("/systems/north/manual").await;
}

/// Listens to the clocks of a system for so long, and returns them.
async fn clocks_for(mut socket: Socket, time: Duration) -> (Socket, Vec<(Instant, Value)>) {
    let (began, mut clocks) = (instant(), Vec::new());
    while began.elapsed() < time {
        let clock = socket.event("clock").await;
        clocks.push((instant(), clock));
    }
    (socket, clocks)
}

fn post(http: &Http, path: &str) -> JoinHandle<Answer> {
    let (http, path) = (Http::new(http.address()), path.to_owned());
    tokio::spawn(async move { http.post(&path).await })
}

/// Redis stands still for so long. Nobody is told anything that is not so, and all is well when it goes on.
async fn redis_is_frozen_for(time: Duration) {
    let cluster = Cluster::start(SYSTEMS).await;
    cluster
        .http(0)
        .change("/systems/north/timer?seconds=600")
        .await;
    let sockets = cluster.join_all("north").await;
    cluster.redis.signal("-STOP");
    let began = instant();
    let listening: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(clocks_for(socket, time)))
        .collect();
    join_all((0..NODES).map(|node| is_refused(cluster.http(node)))).await;
    let mut heard = Vec::new();
    for listening in listening {
        heard.push(listening.await.unwrap());
    }
    cluster.redis.signal("-CONT");
    let healed = cluster.heals().await;
    assert!(healed < HEALED, "{healed:?}");

    for (mut socket, clocks) in heard {
        for pair in clocks.windows(2) {
            let ((before, earlier), (after, later)) = (&pair[0], &pair[1]);
            assert!(*after - *before < LONGEST_SILENCE, "{earlier} … {later}");
            assert_ne!(earlier["now"], later["now"]);
            let ages = (earlier["stale_ms"].as_u64(), later["stale_ms"].as_u64());
            let not_yet = ages.1.is_none() && *after - began < LONGEST_SILENCE;
            assert!(not_yet || ages.0 < ages.1, "{earlier} … {later}");
        }
        let (at, last) = clocks.last().unwrap();
        let stale = Duration::from_millis(number(last, "stale_ms"));
        assert!(stale < *at - began + LONGEST_SILENCE, "{last}");
        assert!(stale + TOLERANCE > *at - began, "{last}");
        // What comes now, the second after it is healed, shows what is so; whatever was late has had its time.
        while !socket.event("clock").await["stale_ms"].is_null() {}
        for _ in 0..2 {
            let clock = socket.event("clock").await;
            assert_eq!(
                (&clock["stale_ms"], &clock["seq"]),
                (&Value::Null, &1.into())
            );
        }
    }
    for node in 0..NODES {
        for system in ["south", "limited"] {
            let state = cluster.http(node).state(system).await;
            assert_eq!((&state["seq"], &state["mode"]), (&0.into(), &"wait".into()));
        }
        assert_eq!(cluster.http(node).state("north").await["mode"], "timer");
    }
    cluster.http(0).change("/systems/south/manual").await;
}

/// A gateway whose Redis stands still refuses what it is asked, and goes on.
async fn is_refused(http: &Http) {
    let gone = post(http, "/systems/limited/manual?by=gone");
    let asked = [
        post(http, "/systems/south/manual?by=refused"),
        post(http, "/systems/north/stop"),
    ];
    let healthy = async || http.get("/healthz").await.status == StatusCode::OK;
    until("it answers", healthy).await;
    gone.abort();
    let unready = async || http.get("/readyz").await.status == StatusCode::SERVICE_UNAVAILABLE;
    until("it says that it is not ready", unready).await;
    assert!(healthy().await);
    for asked in asked {
        let answer = timeout(REFUSED, asked)
            .await
            .expect("it is refused in time");
        must_be_unavailable(&answer.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_frozen_clocks_go_on_and_commands_are_refused_and_nothing_opens_afterwards()
{
    let seconds = if faults_in_full() { 10 } else { 3 };
    redis_is_frozen_for(Duration::from_secs(seconds)).await;
}

/// A command that Redis does not answer is refused after so long: no opening may be carried out so late.
const REFUSED: Duration = Duration::from_secs(3);
