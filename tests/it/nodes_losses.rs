//! A Redis that loses what it has confirmed, or is full: what the gateways know is given back, and water can be stopped.

use std::sync::Mutex;

use hyper::StatusCode;
use serde_json::Value;

use crate::cluster::{Cluster, NODES, must_be_unavailable, until};
use crate::fixture::{Http, SYSTEMS};

/// Lets Redis lose something while water runs; it can be stopped at any gateway all the same, and nobody forgets it.
async fn water_can_be_stopped_after(loss: &str) {
    let cluster = Cluster::start(SYSTEMS).await;
    cluster.http(1).change("/systems/north/manual").await;
    for node in 0..NODES {
        cluster.shows(node, "north", 1).await;
    }
    let answer = cluster.redis.ask(loss);
    assert!(!answer.starts_with('-'), "{loss}: {answer}");
    let outcome = accepted(cluster.http(2), "/systems/north/stop").await;
    assert_eq!(
        (&outcome["changed"], &outcome["state"]["seq"]),
        (&true.into(), &2.into()),
        "{loss}: {outcome}"
    );
    for node in 0..NODES {
        cluster.shows(node, "north", 2).await;
        cluster.ready(node).await;
    }
    for (node, command) in [(0, "manual"), (1, "stop")] {
        let outcome = accepted(cluster.http(node), &format!("/systems/south/{command}")).await;
        assert_eq!(outcome["changed"], true, "{loss}: {outcome}");
    }
}

/// The answer to a command that is sent again as long as it is refused, as every controller does.
async fn accepted(http: &Http, path: &str) -> Value {
    let outcome = Mutex::new(Value::Null);
    until("it is accepted", async || {
        let answer = http.post(path).await;
        if answer.status != StatusCode::OK {
            must_be_unavailable(&answer);
            return false;
        }
        *outcome.lock().unwrap() = answer.json();
        true
    })
    .await;
    outcome.into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_has_lost_altogether_is_given_back_and_can_be_stopped() {
    water_can_be_stopped_after("FLUSHALL").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_redis_has_lost_alone_is_given_back_and_can_be_stopped() {
    water_can_be_stopped_after("HDEL {acequia}:states north").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn water_can_be_stopped_although_redis_has_forgotten_the_sessions() {
    water_can_be_stopped_after("DEL {acequia}:fences").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systems_that_redis_has_forgotten_are_served_all_the_same() {
    water_can_be_stopped_after("DEL {acequia}:systems").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_takes_what_closes_a_valve_and_refuses_what_opens_one() {
    let cluster = Cluster::start(SYSTEMS).await;
    let http = cluster.http(1);
    http.change("/systems/north/manual").await;
    http.change("/systems/south/timer?seconds=1").await;
    cluster.redis.ask("CONFIG SET maxmemory 1");
    assert_eq!(http.change("/systems/north/stop").await["mode"], "wait");
    cluster.shows(2, "south", 2).await;
    must_be_unavailable(&http.post("/systems/north/manual").await);
    assert_eq!(http.get("/readyz").await.status, StatusCode::OK);
    assert_eq!(http.history("south").await[0]["outcome"], "completed");
    cluster.redis.ask("CONFIG SET maxmemory 0");
    http.change("/systems/north/manual").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_missed_more_than_the_feed_holds_is_shown_the_last_state_and_what_has_ended() {
    let cluster = Cluster::start(SYSTEMS).await;
    let mut socket = cluster.join(0, "north").await;
    cluster.http(1).change("/systems/north/manual").await;
    assert_eq!(socket.event("state").await["seq"], 1);
    cluster.proxy.go_down();
    while socket.event("clock").await["stale_ms"].is_null() {}
    cluster.http(1).change("/systems/north/stop").await;
    cluster.http(2).change("/systems/north/manual?by=Zoé").await;
    cluster.http(2).change("/systems/south/manual").await;
    cluster.redis.ask("XTRIM {acequia}:feed MAXLEN 1");
    cluster.proxy.heal();
    let state = socket.event("state").await;
    assert_eq!(
        (&state["seq"], &state["by"]),
        (&3.into(), &"Zoé".into()),
        "{state}"
    );
    assert_eq!(socket.event("action").await["id"], 2);
    cluster.shows(0, "south", 1).await;
}
