//! What keeps valves from staying open: a stop has the last word, and a store that cannot write is no secret.
//!
//! The disk is slow, or fails, because the test holds the lock of the database.

use std::io::{Read, Write};
use std::net::TcpStream;

use hyper::{Method, StatusCode};

use crate::fixture::{Answer, Gateway, Http, Process, SYSTEMS, Setup};

/// Sends a command and lets it get as far as it gets while the store is locked.
async fn on_its_way(gateway: &Gateway, path: &'static str) -> tokio::task::JoinHandle<Answer> {
    let http = Http::new(gateway.address);
    let sent = tokio::spawn(async move { http.post(path).await });
    gateway.catch_its_breath().await;
    sent
}

#[tokio::test]
async fn a_stop_that_follows_an_opening_whose_caller_gave_up_is_the_last_word() {
    let gateway = Gateway::start().await;
    let lock = gateway.lock_store();
    let manual = on_its_way(&gateway, "/systems/north/manual").await;
    manual.abort();
    gateway.catch_its_breath().await;
    let stop = on_its_way(&gateway, "/systems/north/stop").await;
    assert!(!stop.is_finished(), "it waits for the commit in hand");
    drop(lock);
    let outcome = stop.await.unwrap().json();
    assert_eq!(outcome["state"]["mode"], "wait", "{outcome}");
    gateway.catch_its_breath().await;
    assert_eq!(gateway.http.state("north").await, outcome["state"]);
}

fn ask(connection: &mut TcpStream, what: &str) {
    let request = format!("{what} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
}

/// A browser that waits no longer closes the connection; what it sent stands in the queue of the gateway all the same.
#[tokio::test]
async fn an_opening_whose_caller_gave_up_while_the_gateway_was_frozen_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Process::start(folder.path(), "", &[]);
    let http = Http::new(gateway.address);
    for round in 0..20 {
        // Asked before: a browser keeps its connection.
        let mut caller = TcpStream::connect(gateway.address).unwrap();
        ask(&mut caller, "GET /systems/default");
        let answered = caller.read(&mut [0; 4096]).unwrap();
        assert!(answered > 0);
        gateway.signal("-STOP");
        ask(&mut caller, "POST /systems/default/manual");
        drop(caller);
        gateway.signal("-CONT");
        while http.get("/healthz").await.json()["connections"] != 1 {}
        let state = http.state("default").await;
        assert_eq!(state["seq"], 0, "round {round}: {state}");
    }
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn an_opening_that_waited_is_forestalled_by_a_stop_that_found_nothing_running() {
    let gateway = Gateway::start().await;
    let lock = gateway.lock_store();
    let other = on_its_way(&gateway, "/systems/south/manual").await;
    let timer = on_its_way(&gateway, "/systems/north/timer").await;
    let stop = on_its_way(&gateway, "/systems/north/stop").await;
    drop(lock);
    let outcome = stop.await.unwrap().json();
    assert_eq!(outcome["state"]["mode"], "wait", "{outcome}");
    assert_eq!(other.await.unwrap().json()["changed"], true);
    let timer = timer.await.unwrap();
    assert_eq!(
        (timer.status, timer.error_code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
    );
    assert_eq!(timer.headers["retry-after"], "1");
    assert_eq!(gateway.http.state("north").await["seq"], 0);
}

#[tokio::test]
async fn an_opening_that_a_stop_overtook_is_not_tried_again() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/timer?seconds=60").await;
    let lock = gateway.lock_store();
    let other = on_its_way(&gateway, "/systems/south/manual").await;
    let manual = on_its_way(&gateway, "/systems/north/manual?by=first").await;
    let stop = on_its_way(&gateway, "/systems/north/stop?by=second").await;
    drop(lock);
    assert_eq!(stop.await.unwrap().json()["changed"], true);
    assert_eq!(manual.await.unwrap().error_code(), "overloaded");
    assert_eq!(other.await.unwrap().json()["changed"], true);
    let state = gateway.http.state("north").await;
    assert_eq!((&state["mode"], &state["seq"]), (&"wait".into(), &2.into()));
}

#[tokio::test]
async fn a_manual_that_a_timer_overtook_still_takes_its_place() {
    let gateway = Gateway::start().await;
    let lock = gateway.lock_store();
    let other = on_its_way(&gateway, "/systems/south/manual").await;
    let timer = on_its_way(&gateway, "/systems/north/timer").await;
    let manual = on_its_way(&gateway, "/systems/north/manual").await;
    drop(lock);
    for command in [other, timer, manual] {
        assert_eq!(command.await.unwrap().json()["changed"], true);
    }
    let state = gateway.http.state("north").await;
    assert_eq!(
        (&state["mode"], &state["seq"]),
        (&"manual".into(), &2.into())
    );
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_run_to_be_shown_anew() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    gateway.clock.step_wall(3_600_000);
    let state = gateway.http.change("/systems/north/stop").await;
    assert_eq!(state["seq"], 2);
    let row = &gateway.http.history("north").await[0];
    assert_eq!(row["start"], "2026-11-23T10:14:00.250");
}

#[tokio::test]
async fn while_nothing_can_be_written_commands_are_refused_and_reads_go_on_and_all_heals() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/south/timer?seconds=10").await;
    let mut socket = gateway.join("south").await;
    let lock = gateway.lock_store();
    let refused = gateway.http.post("/systems/north/manual").await;
    assert_eq!(
        (refused.status.as_u16(), refused.error_code().as_str()),
        (503, "store_unavailable")
    );
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(
        gateway.http.get("/readyz").await.error_code(),
        "store_unavailable"
    );
    assert_eq!(gateway.http.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(gateway.http.state("north").await["seq"], 0);
    gateway.advance(750);
    assert_eq!(socket.expect("clock").await["seq"], 1, "clocks go on");
    // The deadline comes while nothing can be written, and is tried again until it can.
    gateway.advance(10_000);
    gateway.catch_its_breath().await;
    drop(lock);
    gateway.advance(1_000);
    let action = socket.event("action").await;
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&"completed".into(), &10_000.into())
    );
    assert_eq!(gateway.http.get("/readyz").await.status, StatusCode::OK);
    gateway.http.change("/systems/north/manual").await;
}

/// Waits until the store has been written again.
async fn ready(gateway: &Gateway) {
    let healed = async {
        while gateway.http.get("/readyz").await.status != StatusCode::OK {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::fixture::WATCHDOG, healed)
        .await
        .expect("it heals");
}

#[tokio::test]
async fn a_stop_is_carried_out_and_shown_while_nothing_can_be_written_and_written_later() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual?by=first").await;
    let mut socket = gateway.join("north").await;
    let lock = gateway.lock_store();
    let key = [("Idempotency-Key", "k")];
    let stop = "/systems/north/stop?by=second";
    let stopped = gateway.http.send(Method::POST, stop, &key, "").await;
    let outcome = stopped.json();
    assert_eq!(
        (&outcome["changed"], &outcome["state"]["mode"]),
        (&true.into(), &"wait".into())
    );
    assert_eq!(socket.expect("state").await["seq"], 2);
    let action = socket.expect("action").await;
    assert_eq!(action["outcome"], "stopped");
    assert_eq!(
        gateway.http.history("north").await,
        std::slice::from_ref(&action)
    );
    let again = gateway.http.send(Method::POST, stop, &key, "").await;
    assert_eq!(again.text, stopped.text, "its key is known already");
    let idle = gateway.http.post("/systems/north/stop").await.json();
    assert_eq!(idle["reason"], "not_running");
    let unready = gateway.http.get("/readyz").await;
    assert_eq!(unready.error_code(), "store_unavailable");
    let opening = gateway.http.post("/systems/north/manual").await;
    assert_eq!(opening.error_code(), "store_unavailable");
    drop(lock);
    ready(&gateway).await;

    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    assert_eq!(gateway.http.state("north").await["seq"], 2);
    assert_eq!(gateway.http.history("north").await, [action]);
    let again = gateway.http.send(Method::POST, stop, &key, "").await;
    assert_eq!(again.text, stopped.text, "and still after a restart");
}

#[tokio::test]
async fn after_a_restart_with_a_stop_that_was_never_written_no_water_runs_at_all() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    gateway.http.change("/systems/south/manual").await;
    let lock = gateway.lock_store();
    let stopped = gateway.http.change("/systems/north/stop").await;
    assert_eq!(stopped["seq"], 2);
    let folder = gateway.stop().await;
    drop(lock);

    // The same boot of the machine: otherwise both would go on.
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    for system in ["north", "south"] {
        let state = gateway.http.state(system).await;
        assert_eq!(state["mode"], "wait");
        assert_eq!(state["seq"], 3, "no number is used twice");
        let row = &gateway.http.history(system).await[0];
        assert_eq!(
            (&row["outcome"], &row["end"]),
            (&"interrupted".into(), &serde_json::Value::Null)
        );
    }
    gateway.http.change("/systems/south/manual").await;
    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    assert_eq!(
        gateway.http.state("south").await["mode"],
        "manual",
        "the doubt ends with the restart"
    );
}
