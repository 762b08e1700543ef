//! `Idempotency-Key`: a request that comes again gets the answer that it got, and waters once.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{Answer, Gateway, Http, Process, SYSTEMS, Setup};

const HOUR_MS: u64 = 3_600_000;

async fn send(http: &Http, path: &str, key: &str) -> Answer {
    http.send(Method::POST, path, &[("Idempotency-Key", key)], "")
        .await
}

async fn ask(http: &Http, path: &str, key: &str) -> Value {
    let answer = send(http, path, key).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json()
}

#[tokio::test]
async fn a_timer_that_is_sent_again_after_it_ended_waters_once() {
    let gateway = Gateway::start().await;
    let path = "/systems/north/timer?seconds=5&by=soil-3";
    let first = send(&gateway.http, path, "\"8e03978e\"").await;
    assert_eq!(first.json()["changed"], true);
    let mut socket = gateway.join("north").await;
    gateway.advance(60_000);
    assert_eq!(socket.event("action").await["outcome"], "completed");
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    let again = send(&gateway.http, path, "\"8e03978e\"").await;
    assert_eq!(
        (again.status, &again.text),
        (first.status, &first.text),
        "the same answer, to the letter"
    );
    let state = gateway.http.state("north").await;
    assert_eq!((&state["mode"], &state["seq"]), (&"wait".into(), &2.into()));
    assert_eq!(gateway.http.history("north").await.len(), 1);
}

#[tokio::test]
async fn the_same_key_bare_or_quoted_by_get_or_post_in_query_or_body_is_the_same_request() {
    let gateway = Gateway::start().await;
    let first = ask(
        &gateway.http,
        "/systems/north/timer?seconds=5&by=pump",
        "k-1",
    )
    .await;
    let key = [("idempotency-key", "\"k-1\"")];
    let by_get = gateway
        .http
        .send(
            Method::GET,
            "/systems/north/timer?by=pump&seconds=5",
            &key,
            "",
        )
        .await;
    assert_eq!(by_get.json(), first);
    let body = r#"{"seconds":5,"by":"pump"}"#;
    let in_body = gateway
        .http
        .send(Method::POST, "/systems/north/timer", &key, body)
        .await;
    assert_eq!(in_body.json(), first);
    let legacy = gateway
        .http
        .send(Method::GET, "/timer?seconds=5&by=pump", &key, "")
        .await;
    assert_eq!(
        legacy.text, "timer mode starter",
        "the default system is north"
    );
    assert_eq!(gateway.http.state("north").await["seq"], 1);
}

#[tokio::test]
async fn an_answer_that_nothing_changed_is_kept_too() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    let path = "/systems/north/timer?seconds=5";
    let refused = ask(&gateway.http, path, "k").await;
    assert_eq!(refused["reason"], "manual_has_priority");
    gateway.http.change("/systems/north/stop").await;
    assert_eq!(ask(&gateway.http, path, "k").await, refused);
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    let idle = ask(&gateway.http, "/systems/north/stop", "s").await;
    assert_eq!(idle["reason"], "not_running");
    assert_eq!(ask(&gateway.http, "/systems/north/stop", "s").await, idle);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_is_refused() {
    let gateway = Gateway::start().await;
    ask(&gateway.http, "/systems/north/timer?seconds=5&by=a", "k").await;
    gateway.advance(10_000);
    for other in [
        "/systems/north/timer?seconds=6&by=a",
        "/systems/north/timer?by=a",
        "/systems/north/timer?seconds=5&by=b",
        "/systems/south/timer?seconds=5&by=a",
        "/systems/north/manual?by=a",
    ] {
        let answer = send(&gateway.http, other, "k").await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (422, "idempotency_key_reused"),
            "{other}"
        );
    }
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    assert_eq!(gateway.http.state("south").await["seq"], 0);
}

#[tokio::test]
async fn a_stop_stops_whatever_its_key_says() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    let first = ask(&gateway.http, "/systems/north/stop", "k").await;
    assert_eq!(first["changed"], true);
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(
        ask(&gateway.http, "/systems/north/stop", "k").await,
        first,
        "the answer that it got"
    );
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    gateway.http.change("/systems/south/manual").await;
    let reused = send(&gateway.http, "/systems/south/stop", "k").await;
    assert_eq!(reused.error_code(), "idempotency_key_reused");
    assert_eq!(gateway.http.state("south").await["mode"], "wait");
}

#[tokio::test]
async fn many_at_once_with_one_key_water_once_and_get_one_answer() {
    let gateway = Gateway::start().await;
    let clients: Vec<_> = (0..20).map(|_| Http::new(gateway.address)).collect();
    let sent = clients
        .iter()
        .map(|http| send(http, "/systems/north/timer?seconds=60", "k"));
    let answers = join_all(sent).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert_eq!(answers[0].json()["changed"], true);
    assert_eq!(gateway.http.state("north").await["seq"], 1);
}

#[tokio::test]
async fn one_key_for_two_systems_at_once_waters_one_of_them() {
    let gateway = Gateway::start().await;
    let sent = ["north", "south"].map(|system| {
        let http = Http::new(gateway.address);
        async move { send(&http, &format!("/systems/{system}/timer"), "k").await }
    });
    let mut statuses: Vec<_> = join_all(sent)
        .await
        .iter()
        .map(|a| a.status.as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 422]);
}

#[tokio::test]
async fn a_key_holds_for_24_hours_of_ticks_whatever_the_wall_clock_does() {
    let gateway = Gateway::start().await;
    let path = "/systems/north/timer?seconds=5";
    let first = ask(&gateway.http, path, "k").await;
    gateway.clock.step_wall(50 * 365 * 24 * 3_600_000);
    gateway.advance(24 * HOUR_MS - 1_000);
    gateway.catch_its_breath().await;
    assert_eq!(ask(&gateway.http, path, "k").await, first);
    gateway.advance(1_000);
    let second = ask(&gateway.http, path, "k").await;
    assert_eq!(second["changed"], true);
    assert_eq!(second["state"]["seq"], 3, "a run of its own");
}

#[tokio::test]
async fn a_key_survives_a_restart_and_a_reboot() {
    let gateway = Gateway::start().await;
    let path = "/systems/north/timer?seconds=5&by=größe";
    let first = ask(&gateway.http, path, "k").await;
    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS)
        .on(folder)
        .later(Duration::from_secs(3600))
        .start()
        .await;
    assert_eq!(ask(&gateway.http, path, "k").await, first);
    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS).on(folder).rebooted().start().await;
    assert_eq!(ask(&gateway.http, path, "k").await, first);
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    // Up for a day: whatever was answered in the boot before is older than that.
    gateway.advance(24 * HOUR_MS);
    assert_eq!(ask(&gateway.http, path, "k").await["changed"], true);
}

#[tokio::test]
async fn a_key_survives_kill_9_with_the_change_that_it_was_answered_with() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let path = "/systems/north/timer?seconds=3600";
    let first = ask(&gateway.http, path, "k").await;
    gateway.kill();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    assert_eq!(ask(&gateway.http, path, "k").await, first);
    assert_eq!(gateway.http.state("north").await["seq"], 1);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_nothing_is_done() {
    let gateway = Gateway::start().await;
    let long = "k".repeat(129);
    for key in ["", "\"\"", "\"open", "sch\u{f6}n", &long] {
        let answer = send(&gateway.http, "/systems/north/manual", key).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (400, "invalid_idempotency_key"),
            "{key:?}"
        );
    }
    let twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    let answer = gateway
        .http
        .send(Method::POST, "/systems/north/manual", &twice, "")
        .await;
    assert_eq!(answer.error_code(), "invalid_idempotency_key");
    assert_eq!(gateway.http.state("north").await["seq"], 0);
}

#[tokio::test]
async fn a_request_that_was_refused_may_come_again_with_its_key() {
    let gateway = Gateway::start().await;
    let wrong = send(&gateway.http, "/systems/north/timer?seconds=0", "k").await;
    assert_eq!(wrong.error_code(), "invalid_seconds");
    let right = ask(&gateway.http, "/systems/north/timer?seconds=5", "k").await;
    assert_eq!(right["changed"], true);
}
