//! The real program on a real disk that is full: what opens a valve is refused, what closes it is not, everything else
//! lives on, and all heals without a restart.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Http, Process, Socket, WATCHDOG};
use crate::machine::Machine;

const SYSTEMS: &str = r#"
[[systems]]
id = "north"
[[systems]]
id = "south"
[[systems]]
id = "idle"
[[systems]]
id = "busy"
"#;

/// Fills the disk and works until the program notices: SQLite's log is written over as long as it has room in itself.
async fn fill(machine: &Machine, gateway: &Process) {
    machine.fill(gateway);
    let refused = async {
        loop {
            let answer = gateway.http.post("/systems/busy/manual").await;
            if answer.status == StatusCode::SERVICE_UNAVAILABLE {
                assert_eq!(answer.error_code(), "store_unavailable");
                assert_eq!(answer.headers["retry-after"], "1");
                return;
            }
            gateway.http.post("/systems/busy/stop").await;
        }
    };
    tokio::time::timeout(WATCHDOG, refused)
        .await
        .expect("a disk of a megabyte fills up");
}

async fn readiness(gateway: &Process) -> StatusCode {
    gateway.http.get("/readyz").await.status
}

async fn heals(gateway: &Process) {
    let healed = async { while readiness(gateway).await != StatusCode::OK {} };
    tokio::time::timeout(WATCHDOG, healed)
        .await
        .expect("it heals without a restart");
}

#[tokio::test]
async fn a_stop_is_carried_out_and_the_rest_is_refused_until_there_is_room_again() {
    let machine = Machine::with_a_disk_of(1024);
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual?by=first").await;
    gateway.http.change("/systems/south/timer?seconds=2").await;
    let mut watcher = Socket::connect(gateway.address).await;
    for system in ["north", "south", "idle"] {
        watcher.join(system).await;
    }
    fill(&machine, &gateway).await;
    assert_eq!(readiness(&gateway).await, StatusCode::SERVICE_UNAVAILABLE);
    let opening = gateway.http.post("/systems/idle/timer?seconds=1").await;
    assert_eq!(opening.error_code(), "store_unavailable");

    let stopped = gateway.http.change("/systems/north/stop?by=second").await;
    assert_eq!(
        (&stopped["mode"], &stopped["seq"]),
        (&json!("wait"), &json!(2))
    );
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let action = watcher.event("action").await;
        ended.push((action["system"].clone(), action["outcome"].clone()));
    }
    // The timer ends on time, too.
    assert!(
        ended.contains(&(json!("north"), json!("stopped"))),
        "{ended:?}"
    );
    assert!(
        ended.contains(&(json!("south"), json!("completed"))),
        "{ended:?}"
    );
    watcher.event("clock").await;
    for system in ["north", "south"] {
        assert_eq!(gateway.http.state(system).await["mode"], "wait");
        assert_eq!(gateway.http.history(system).await.len(), 1);
    }
    let again = gateway.http.post("/systems/north/timer").await;
    assert_eq!(
        again.error_code(),
        "store_unavailable",
        "nothing opens meanwhile"
    );
    assert_eq!(readiness(&gateway).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(gateway.http.get("/healthz").await.status, StatusCode::OK);

    machine.make_room(&gateway);
    heals(&gateway).await;
    let state = gateway.http.change("/systems/north/manual").await;
    assert_eq!(state["seq"], 3);
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn a_retried_stop_on_a_full_disk_gets_the_answer_that_it_got() {
    let machine = Machine::with_a_disk_of(1024);
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual").await;
    fill(&machine, &gateway).await;
    let key = [("Idempotency-Key", "\"stop-1\"")];
    let stop = async || {
        let path = "/systems/north/stop";
        gateway.http.send(Method::POST, path, &key, "").await.text
    };
    let first = stop().await;
    assert!(first.contains(r#""changed":true"#), "{first}");
    assert_eq!(stop().await, first);
    machine.make_room(&gateway);
    heals(&gateway).await;
    assert_eq!(stop().await, first);
}

#[tokio::test]
async fn whoever_dies_with_a_stop_unwritten_starts_with_no_water() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    for system in ["north", "south"] {
        gateway
            .http
            .change(&format!("/systems/{system}/manual"))
            .await;
    }
    machine.fail("enospc");
    gateway.http.change("/systems/north/stop").await;
    gateway.kill();
    machine.heal();
    let gateway = machine.start(SYSTEMS);
    for system in ["north", "south"] {
        let state = gateway.http.state(system).await;
        assert_eq!((&state["mode"], &state["seq"]), (&json!("wait"), &json!(3)));
        assert_eq!(
            gateway.http.history(system).await[0]["outcome"],
            "interrupted"
        );
    }
}

#[tokio::test]
async fn an_opening_that_was_refused_but_reached_the_disk_is_not_in_force_after_a_restart() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/south/manual").await;
    gateway.http.change("/systems/south/stop").await;
    machine.fail("eio written");
    let refused = gateway.http.post("/systems/south/manual").await;
    assert_eq!(refused.error_code(), "store_unavailable");
    gateway.kill();
    machine.heal();
    let gateway = machine.start(SYSTEMS);
    assert_eq!(gateway.http.state("south").await["mode"], "wait");
}

#[tokio::test]
async fn a_stop_on_a_failing_disk_takes_no_longer_than_the_disk_takes_to_fail() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual").await;
    machine.fail("enospc");
    let stop = gateway.http.change("/systems/north/stop");
    let stopped = tokio::time::timeout(Duration::from_secs(1), stop).await;
    assert_eq!(stopped.expect("within a second")["mode"], "wait");
}

/// A disk that never answers: the valve is left to its actuator, which closes it when no clock comes any more. Neither a
/// caller that gives up nor a log that nobody reads keeps it from that.
#[tokio::test]
async fn when_the_disk_hangs_and_water_cannot_be_stopped_the_gateway_ends() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual").await;
    machine.fail("hang");
    let http = gateway.http.clone();
    let stop = http.post("/systems/north/stop");
    let gave_up = tokio::time::timeout(Duration::from_secs(1), stop).await;
    assert!(gave_up.is_err(), "nobody is answered");
    let unready = http.get("/readyz").await;
    assert_eq!(unready.error_code(), "store_unavailable");
    assert_eq!(gateway.exit_code().await, Some(1));
}

#[tokio::test]
async fn whoever_asks_whether_it_is_ready_does_not_hold_up_a_stop() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual").await;
    // Another program holds the file: each attempt to write waits for it.
    let lock = rusqlite::Connection::open(machine.disk().join("acequia.db")).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = gateway.http.post("/systems/south/manual").await;
    assert_eq!(refused.error_code(), "store_unavailable");
    let asking: Vec<_> = (0..200)
        .map(|_| {
            let http = Http::new(gateway.address);
            tokio::spawn(async move { http.get("/readyz").await.status })
        })
        .collect();
    let stop = gateway.http.change("/systems/north/stop");
    let stopped = tokio::time::timeout(Duration::from_secs(2), stop).await;
    assert_eq!(stopped.expect("in time")["mode"], "wait");
    for asked in asking {
        assert_eq!(asked.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
    }
    drop(lock);
    heals(&gateway).await;
}

#[tokio::test]
async fn once_the_disk_has_healed_nothing_is_doubted_and_runs_go_on_over_a_restart() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual").await;
    machine.fail("eio");
    let refused = gateway.http.post("/systems/south/manual").await;
    assert_eq!(refused.error_code(), "store_unavailable");
    machine.heal();
    heals(&gateway).await;
    gateway.kill();
    let gateway = machine.start(SYSTEMS);
    assert_eq!(gateway.http.state("north").await["mode"], "manual");
}

#[tokio::test]
async fn it_starts_on_a_full_disk_with_nothing_running_and_writes_that_later() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    for system in ["north", "south"] {
        let path = format!("/systems/{system}/manual");
        gateway.http.change(&path).await;
    }
    machine.fail("enospc");
    gateway.http.change("/systems/north/stop").await;
    gateway.kill();
    let gateway = machine.start(SYSTEMS);
    for system in ["north", "south"] {
        assert_eq!(gateway.http.state(system).await["mode"], "wait");
        let rows = gateway.http.history(system).await;
        assert_eq!(rows[0]["outcome"], "interrupted");
    }
    machine.heal();
    heals(&gateway).await;
    gateway.kill();
    let gateway = machine.start(SYSTEMS);
    for system in ["north", "south"] {
        let state = gateway.http.state(system).await;
        assert_eq!((&state["mode"], &state["seq"]), (&json!("wait"), &json!(3)));
    }
}
