//! The commands and the history over HTTP, as contract sections 2 to 4 promise them.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::json;

use crate::fixture::{Gateway, SYSTEMS, Setup};

#[tokio::test]
async fn systems_are_listed_by_id_with_state_and_clock() {
    let gateway = Gateway::start().await;
    let systems = gateway.http.get("/systems").await.json();
    let ids: Vec<_> = systems
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["id"].clone())
        .collect();
    assert_eq!(ids, ["limited", "north", "south"]);
    assert_eq!(
        gateway.http.get("/systems/north").await.json(),
        json!({
            "id": "north", "name": "North field", "timer_seconds": 10, "lease_seconds": 30,
            "state": {
                "system": "north", "seq": 0, "mode": "wait", "start": null, "end": null,
                "elapsed_ms": null, "remaining_ms": null, "by": null
            },
            "clock": {"system": "north", "now": "2026-11-23T09:14:00", "seq": 0}
        })
    );
    assert_eq!(systems[1], gateway.http.get("/systems/north").await.json());
}

#[tokio::test]
async fn a_timer_runs_its_seconds_and_is_remembered() {
    let gateway = Gateway::start().await;
    let outcome = gateway
        .http
        .post("/systems/north/timer?seconds=90&by=pump%203")
        .await
        .json();
    assert_eq!(
        outcome,
        json!({"changed": true, "state": {
            "system": "north", "seq": 1, "mode": "timer",
            "start": "2026-11-23T09:14:00.250", "end": "2026-11-23T09:15:30.250",
            "elapsed_ms": 0, "remaining_ms": 90_000, "by": "pump 3"
        }})
    );
    let mut socket = gateway.join("north").await;
    gateway.advance(30_000);
    let state = gateway.http.state("north").await;
    assert_eq!(
        (&state["elapsed_ms"], &state["remaining_ms"]),
        (&json!(30_000), &json!(60_000))
    );
    gateway.advance(60_000);
    let action = socket.event("action").await;
    assert_eq!(
        action,
        json!({
            "system": "north", "id": 2, "mode": "timer",
            "start": "2026-11-23T09:14:00.250", "end": "2026-11-23T09:15:30.250",
            "duration_ms": 90_000, "planned_ms": 90_000, "outcome": "completed",
            "by": "pump 3", "ended_by": null
        })
    );
    assert_eq!(gateway.http.history("north").await, [action]);
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
}

#[tokio::test]
async fn a_timer_without_seconds_runs_the_system_s_own() {
    let gateway = Gateway::start().await;
    assert_eq!(
        gateway.http.change("/systems/north/timer").await["remaining_ms"],
        10_000
    );
    assert_eq!(
        gateway.http.change("/systems/south/timer").await["remaining_ms"],
        30_000
    );
}

#[tokio::test]
async fn every_cell_of_the_table_that_changes_nothing_says_why() {
    let gateway = Gateway::start().await;
    let http = &gateway.http;
    let unchanged = async |path: &str| {
        let outcome = http.post(path).await.json();
        assert_eq!(outcome["changed"], false, "{outcome}");
        outcome["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(unchanged("/systems/north/stop").await, "not_running");
    http.change("/systems/north/timer?seconds=5").await;
    assert_eq!(
        unchanged("/systems/north/timer?seconds=50").await,
        "timer_running"
    );
    http.change("/systems/north/manual").await;
    assert_eq!(
        unchanged("/systems/north/timer").await,
        "manual_has_priority"
    );
    assert_eq!(unchanged("/systems/north/manual").await, "manual_running");
    assert_eq!(http.state("north").await["seq"], 2);
}

#[tokio::test]
async fn manual_replaces_a_timer_and_runs_until_stopped() {
    let gateway = Gateway::start().await;
    gateway
        .http
        .change("/systems/north/timer?seconds=60&by=controller")
        .await;
    gateway.advance(5_000);
    let manual = gateway.http.change("/systems/north/manual?by=Maria").await;
    assert_eq!(
        (&manual["mode"], &manual["end"]),
        (&json!("manual"), &json!(null))
    );
    assert_eq!(manual["remaining_ms"], json!(null));
    gateway.advance(86_400_000);
    gateway.http.change("/systems/north/stop?by=Jo").await;
    let history = gateway.http.history("north").await;
    assert_eq!(history.len(), 2);
    assert_eq!(
        (&history[0]["outcome"], &history[1]["outcome"]),
        (&json!("stopped"), &json!("replaced"))
    );
    assert_eq!(history[0]["duration_ms"], 86_400_000);
    assert_eq!(history[0]["planned_ms"], json!(null));
    assert_eq!(
        (&history[0]["by"], &history[0]["ended_by"]),
        (&json!("Maria"), &json!("Jo"))
    );
    assert_eq!(
        (&history[1]["duration_ms"], &history[1]["planned_ms"]),
        (&json!(5_000), &json!(60_000))
    );
}

#[tokio::test]
async fn a_manual_limit_ends_a_manual_run() {
    let gateway = Gateway::start().await;
    let state = gateway.http.change("/systems/limited/manual").await;
    assert_eq!(
        (&state["mode"], &state["remaining_ms"]),
        (&json!("manual"), &json!(60_000))
    );
    let mut socket = gateway.join("limited").await;
    gateway.advance(60_000);
    let action = socket.event("action").await;
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&json!("limited"), &json!(60_000))
    );
}

#[tokio::test]
async fn a_command_after_a_deadline_that_was_not_noticed_yet_finds_the_run_ended() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/timer?seconds=10").await;
    gateway.advance(10_000);
    // Whoever is first, the deadline or the stop: the run lasted what was asked.
    let outcome = gateway.http.post("/systems/north/stop").await.json();
    assert_eq!(
        (&outcome["changed"], &outcome["reason"]),
        (&json!(false), &json!("not_running"))
    );
    let history = gateway.http.history("north").await;
    assert_eq!(history.len(), 1);
    assert_eq!(
        (&history[0]["outcome"], &history[0]["duration_ms"]),
        (&json!("completed"), &json!(10_000))
    );
}

#[tokio::test]
async fn get_and_post_do_the_same_and_a_json_body_is_a_query() {
    let gateway = Gateway::start().await;
    let http = &gateway.http;
    assert_eq!(
        http.get("/systems/north/timer?seconds=7").await.json()["changed"],
        true
    );
    assert_eq!(
        http.get("/systems/north/stop").await.json()["changed"],
        true
    );
    let body = r#"{"seconds": 9, "by": "json"}"#;
    let outcome = http
        .send(Method::POST, "/systems/north/timer", &[], body)
        .await
        .json();
    assert_eq!(
        (&outcome["state"]["remaining_ms"], &outcome["state"]["by"]),
        (&json!(9_000), &json!("json"))
    );
}

#[tokio::test]
async fn history_is_paged_newest_first() {
    let gateway = Gateway::start().await;
    for _ in 0..12 {
        gateway.http.change("/systems/north/manual").await;
        gateway.http.change("/systems/north/stop").await;
    }
    let ids = async |query: &str| {
        let rows = gateway
            .http
            .get(&format!("/systems/north/history{query}"))
            .await
            .json();
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("").await, [24, 22, 20, 18, 16, 14, 12, 10, 8, 6]);
    assert_eq!(ids("?limit=2&unknown=x").await, [24, 22]);
    assert_eq!(ids("?limit=3&before=20").await, [18, 16, 14]);
    assert_eq!(ids("?before=2").await, [0_u64; 0]);
    assert_eq!(ids("?limit=100").await.len(), 12);
}

#[tokio::test]
async fn nothing_is_lost_over_a_restart_in_the_same_boot() {
    let gateway = Gateway::start().await;
    gateway
        .http
        .change("/systems/north/timer?seconds=60&by=a")
        .await;
    gateway.http.change("/systems/south/manual?by=b").await;
    gateway
        .http
        .change("/systems/limited/timer?seconds=5&by=c")
        .await;
    let folder = gateway.stop().await;

    let gateway = Setup::with(SYSTEMS)
        .on(folder)
        .later(Duration::from_secs(20))
        .start()
        .await;
    let north = gateway.http.state("north").await;
    assert_eq!(
        (&north["mode"], &north["remaining_ms"]),
        (&json!("timer"), &json!(40_000))
    );
    assert_eq!((&north["seq"], &north["by"]), (&json!(1), &json!("a")));
    let south = gateway.http.state("south").await;
    assert_eq!(
        (&south["mode"], &south["elapsed_ms"]),
        (&json!("manual"), &json!(20_000))
    );
    let limited = gateway.http.state("limited").await;
    assert_eq!(
        (&limited["mode"], &limited["seq"]),
        (&json!("wait"), &json!(2))
    );
    let row = &gateway.http.history("limited").await[0];
    assert_eq!(
        (&row["outcome"], &row["end"]),
        (&json!("completed"), &json!("2026-11-23T09:14:05.250"))
    );
}

#[tokio::test]
async fn a_reboot_ends_every_run_as_interrupted() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/timer?seconds=60").await;
    gateway.http.change("/systems/south/manual").await;
    let folder = gateway.stop().await;

    let gateway = Setup::with(SYSTEMS).on(folder).rebooted().start().await;
    for system in ["north", "south"] {
        let state = gateway.http.state(system).await;
        assert_eq!((&state["mode"], &state["seq"]), (&json!("wait"), &json!(2)));
        let row = &gateway.http.history(system).await[0];
        assert_eq!(row["outcome"], "interrupted");
        assert_eq!(
            (&row["end"], &row["duration_ms"]),
            (&json!(null), &json!(null))
        );
        assert_eq!(row["start"], "2026-11-23T09:14:00.250");
    }
    assert_eq!(gateway.http.history("limited").await.len(), 0);
}

#[tokio::test]
async fn health_and_readiness_answer() {
    let gateway = Gateway::start().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(
            gateway.http.get(path).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_list_of_very_many_systems_is_whole_and_in_order() {
    for count in [1, 255, 256, 257, 1000] {
        let config: String = (0..count)
            .map(|i| format!("[[systems]]\nid = \"s{i:04}\"\n"))
            .collect();
        let gateway = Setup::with(&config).start().await;
        let systems = gateway.http.get("/systems").await.json();
        let ids = systems
            .as_array()
            .unwrap()
            .iter()
            .map(|system| system["id"].as_str().unwrap().to_owned());
        assert_eq!(
            ids.collect::<Vec<_>>(),
            (0..count).map(|i| format!("s{i:04}")).collect::<Vec<_>>()
        );
    }
}

/// The ids of an answer of `GET /systems`.
fn ids(systems: &serde_json::Value) -> Vec<&str> {
    let systems = systems.as_array().unwrap().iter();
    systems.map(|s| s["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_can_be_of_those_that_run_or_of_those_that_wait() {
    let gateway = Gateway::start().await;
    let list = async |query: &str| {
        let path = format!("/systems{query}");
        gateway.http.get(&path).await.json()
    };
    assert_eq!(list("?running=true").await, json!([]));
    assert_eq!(list("?running=false").await, list("").await);

    gateway.http.change("/systems/south/manual").await;
    gateway.http.change("/systems/north/timer?seconds=60").await;
    let (all, running) = (list("").await, list("?running=true").await);
    assert_eq!(running, json!([all[1], all[2]]), "the same shape and order");
    assert_eq!(ids(&running), ["north", "south"]);
    assert_eq!(ids(&list("?running=false").await), ["limited"]);
    assert_eq!(list("?other=true").await, all);

    gateway.http.change("/systems/south/stop").await;
    assert_eq!(ids(&list("?running=true").await), ["north"]);
    assert_eq!(ids(&list("?running=false").await), ["limited", "south"]);

    let wrong = gateway.http.get("/systems?running=1").await.json();
    assert_eq!(
        wrong["error"]["message"],
        "'running' must be 'true' or 'false'"
    );
}

#[tokio::test]
async fn a_list_of_very_many_that_run_is_whole_and_in_order() {
    let id = |i: usize| format!("s{i:04}");
    let config: String = (0..1000)
        .map(|i| format!("[[systems]]\nid = \"{}\"\n", id(i)))
        .collect();
    let gateway = Setup::with(&config).start().await;
    // All of the first parts, and single ones later.
    let runs = |i: &usize| *i < 600 || i.is_multiple_of(100);
    for i in (0..1000).filter(runs) {
        gateway
            .http
            .change(&format!("/systems/{}/manual", id(i)))
            .await;
    }
    let running = gateway.http.get("/systems?running=true").await.json();
    let expected: Vec<_> = (0..1000).filter(runs).map(id).collect();
    assert_eq!(ids(&running), expected);
    let waiting = gateway.http.get("/systems?running=false").await.json();
    let expected: Vec<_> = (0..1000).filter(|i| !runs(i)).map(id).collect();
    assert_eq!(ids(&waiting), expected);
}

#[tokio::test]
async fn every_listed_route_takes_its_methods_and_no_other() {
    let gateway = Gateway::start().await;
    for route in acequia::ROUTES {
        let (methods, path) = route.split_once(' ').unwrap();
        let path = path.replace("{id}", "north").replace("{file}", "none");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let sent = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = gateway.http.send(sent, &path, &[], "").await;
            let listed = methods.split('|').any(|m| m == method);
            // A path that no file is at is not found, whatever the method.
            let refused = answer.status == StatusCode::METHOD_NOT_ALLOWED
                || answer.status == StatusCode::NOT_FOUND;
            assert!(
                refused != listed || path == "/none",
                "{method} {path}: {}",
                answer.status
            );
        }
    }
}
