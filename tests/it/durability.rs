//! kill -9 in the middle of commands: what was answered is there, nothing is half-done.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::Method;
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{Process, Socket};

const SYSTEMS: usize = 20;
const COMMANDS: usize = 200;
const ROUNDS: usize = 10;

fn config() -> String {
    (0..SYSTEMS)
        .map(|i| format!("[[systems]]\nid = \"s{i}\"\n"))
        .collect()
}

/// The highest state of each system that somebody was answered with.
type Answered = Arc<Mutex<HashMap<String, Value>>>;

/// Sends commands to all systems from twenty controllers until it is killed; `kill_after` answers end the gateway.
async fn load(gateway: Process, round: usize, kill_after: usize, answered: &Answered) {
    let answers = Arc::new(AtomicUsize::new(0));
    let gateway = Arc::new(Mutex::new(Some(gateway)));
    let http = gateway.lock().unwrap().as_ref().unwrap().http.clone();
    let controllers = (0..SYSTEMS).map(|i| {
        let (http, answers, answered, gateway) = (
            http.clone(),
            Arc::clone(&answers),
            Arc::clone(answered),
            Arc::clone(&gateway),
        );
        async move {
            for n in 0..COMMANDS / SYSTEMS {
                let system = format!("s{}", (i + n) % SYSTEMS);
                let verb = ["manual", "stop", "timer?seconds=3600"][(n + round) % 3];
                let path = format!("/systems/{system}/{verb}");
                let Ok(answer) = http.try_send(Method::POST, &path, &[], "").await else {
                    return;
                };
                let outcome = answer.json();
                let state = outcome["state"].clone();
                let mut known = answered.lock().unwrap();
                let last = known.entry(system).or_insert_with(|| state.clone());
                if last["seq"].as_u64() <= state["seq"].as_u64() {
                    *last = state;
                }
                drop(known);
                if answers.fetch_add(1, Ordering::SeqCst) + 1 == kill_after {
                    gateway.lock().unwrap().take().unwrap().kill();
                    return;
                }
            }
        }
    });
    join_all(controllers).await;
    assert!(
        gateway.lock().unwrap().is_none(),
        "killed after {kill_after} answers"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_that_was_answered_survives_kill_9_ten_times() {
    let folder = TempDir::new().unwrap();
    let answered = Answered::default();
    for round in 0..ROUNDS {
        let gateway = Process::start(folder.path(), &config(), &[]);
        // Somewhere in the middle, elsewhere each time.
        load(gateway, round, 40 + 13 * round, &answered).await;

        let gateway = Process::start(folder.path(), &config(), &[]);
        let known = answered.lock().unwrap().clone();
        for (system, answered) in &known {
            let state = gateway.http.state(system).await;
            let (now, then) = (
                state["seq"].as_u64().unwrap(),
                answered["seq"].as_u64().unwrap(),
            );
            // A command whose answer was lost may have been carried out: one per controller at the most.
            assert!(
                now >= then && now <= then + SYSTEMS as u64,
                "{system}: {answered} then, {state} now"
            );
            if now == then {
                for field in ["mode", "start", "end", "by"] {
                    let (was, is) = (&answered[field], &state[field]);
                    let same = was == is || (field != "mode" && near(was, is));
                    assert!(same, "{system}.{field}: {was} then, {is} now");
                }
            }
            seq_has_no_gap(&gateway, system, now, &state).await;
        }
        gateway.kill();
    }
    assert!(answered.lock().unwrap().len() == SYSTEMS);
}

/// A run that goes on is shown by times derived from now: milliseconds may differ by one.
fn near(a: &Value, b: &Value) -> bool {
    let millis = |v: &Value| {
        let text = v.as_str()?.to_owned();
        chrono::NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.3f")
            .ok()
            .map(|t| t.and_utc().timestamp_millis())
    };
    matches!((millis(a), millis(b)), (Some(a), Some(b)) if a.abs_diff(b) <= 2)
}

/// Every change of seq is a start, a replacement or an end. From the rows of the history, newest first, each number
/// must be explained: an end has its own row, a start is the number before or the end of what it replaced.
async fn seq_has_no_gap(gateway: &Process, system: &str, seq: u64, state: &Value) {
    let rows = gateway.http.history(system).await;
    let mut expected = seq;
    if state["mode"] != "wait" {
        let replaced = rows.first().is_some_and(|row| row["id"] == seq);
        expected = if replaced { seq } else { seq - 1 };
    }
    for row in &rows {
        let id = row["id"].as_u64().unwrap();
        assert_eq!(id, expected, "{system}: {rows:?}");
        let next = rows.iter().find(|other| other["id"].as_u64() < Some(id));
        let began_by_replacing = next.is_some_and(|next| {
            next["id"].as_u64() == Some(id - 1) && next["outcome"] == "replaced"
        });
        expected = if began_by_replacing {
            id - 1
        } else {
            id.saturating_sub(2)
        };
    }
    assert!(
        rows.len() == 100 || expected == 0,
        "{system}: down to the first: {rows:?}"
    );
}

#[tokio::test]
async fn a_timer_goes_on_to_its_deadline_over_kill_9() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), &config(), &[]);
    gateway
        .http
        .change("/systems/s1/timer?seconds=2&by=pump")
        .await;
    gateway.http.change("/systems/s2/manual").await;
    gateway.kill();

    let gateway = Process::start(folder.path(), &config(), &[]);
    let mut socket = Socket::connect(gateway.address).await;
    let ack = socket.join("s1").await;
    assert_eq!(ack["system"]["state"]["mode"], "timer", "{ack}");
    let action = socket.event("action").await;
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&"completed".into(), &2_000.into())
    );
    assert_eq!(gateway.http.state("s2").await["mode"], "manual");
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_in_order_within_five_seconds_with_clients_connected() {
    for signal in ["-TERM", "-INT"] {
        let folder = TempDir::new().unwrap();
        let gateway = Process::start(folder.path(), &config(), &[]);
        gateway.http.change("/systems/s1/manual").await;
        let mut sockets = Vec::new();
        for _ in 0..20 {
            let mut socket = Socket::connect(gateway.address).await;
            socket.join("s1").await;
            sockets.push(socket);
        }
        let _feed = crate::fixture::websocket(gateway.address, "/ws").await;
        let ended = tokio::time::timeout(Duration::from_secs(5), gateway.end(signal)).await;
        assert_eq!(ended.expect("within five seconds"), Some(0), "{signal}");
    }
}
