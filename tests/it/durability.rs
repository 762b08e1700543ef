//! kill -9 in the middle of commands: what was answered is there, nothing is half-done.

use std::time::Duration;

use acequia::time::{Clock, SystemClock};
use futures_util::future::join_all;
use rand::RngExt;
use serde_json::Value;
use tempfile::TempDir;

use crate::dice::{Dice, rounds};
use crate::fixture::{Process, Socket, instant};
use crate::load::{CONTROLLERS, Load, Shown, number, watch};

const FIELDS: usize = 20;
const VERBS: &[&str] = &[
    "manual?",
    "stop?",
    "timer?seconds=3600&",
    "timer?seconds=1&",
];

/// Nobody commands these but the test: their deadlines pass while the gateway is down.
const PONDS: [(&str, &str, &str); 3] = [
    ("pond-0", "timer?seconds=1", "completed"),
    ("pond-1", "timer?seconds=1", "completed"),
    ("pond-2", "manual", "limited"),
];

fn fields() -> Vec<String> {
    (0..FIELDS).map(|i| format!("s{i}")).collect()
}

fn config() -> String {
    let mut ids = fields();
    ids.extend(PONDS.map(|(id, _, _)| id.into()));
    let tables = ids.iter().map(|id| format!("[[systems]]\nid = \"{id}\"\n"));
    tables.collect::<String>() + "manual_limit = 1\n"
}

/// Starts the runs of the ponds, of one second each, and waits for their answers.
async fn open_the_ponds(gateway: &Process) {
    let opened = PONDS.map(|(id, verb, _)| async move {
        let state = gateway.http.change(&format!("/systems/{id}/{verb}")).await;
        assert!(number(&state, "remaining_ms") <= 1_000, "{state}");
    });
    join_all(opened).await;
}

/// Their runs were as long as they were to be, though nobody was there to end them.
fn ponds_ended_at_their_deadline(now: &Shown, round: usize) {
    for (id, _, outcome) in PONDS {
        let (state, rows) = &now.0[id];
        assert_eq!(state["mode"], "wait", "{state}");
        assert_eq!(rows.len(), (round + 1).min(100), "{id}: one run a round");
        assert_eq!(rows[0]["outcome"], outcome, "{}", rows[0]);
        assert_eq!(rows[0]["planned_ms"], 1_000, "{}", rows[0]);
    }
}

/// Runs that came to their deadline lasted as long as they were to, by every field that says so.
fn deadlines_were_kept(rows: &[Value]) {
    let due = |row: &&Value| row["outcome"] == "completed" || row["outcome"] == "limited";
    for row in rows.iter().filter(due) {
        assert_eq!(row["duration_ms"], row["planned_ms"], "{row}");
        let at = |field: &str| {
            row[field]
                .as_str()
                .unwrap()
                .parse::<chrono::NaiveDateTime>()
        };
        let lasted = (at("end").unwrap() - at("start").unwrap()).num_milliseconds();
        assert_eq!(row["duration_ms"], lasted, "{row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_history_answers_and_what_clients_saw_agree_after_kill_9_again_and_again() {
    let mut dice = Dice::new();
    let clock = SystemClock::new().unwrap();
    let folder = TempDir::new().unwrap();
    let mut systems = fields();
    systems.extend(PONDS.map(|(id, _, _)| id.into()));
    let mut gateway = Process::start(folder.path(), &config(), &[]);
    let mut before = Shown::by(&gateway.http, &systems).await;
    let mut actions_seen = 0;
    for round in 0..rounds(10) {
        let mut clients = Vec::new();
        for _ in 0..3 {
            clients.push(watch(gateway.address, &systems).await);
        }
        let mut load = Load::start(&gateway.http, &fields(), VERBS, &mut dice);
        load.answers(dice.random_range(20..250)).await;
        open_the_ponds(&gateway).await;
        gateway.kill();
        let answered = load.end().await;
        clock.sleep_until(clock.now().ticks.plus(1_000)).await;

        gateway = Process::start(folder.path(), &config(), &[]);
        let now = Shown::by(&gateway.http, &systems).await;
        now.must_hold(&answered);
        now.must_follow(&before);
        for client in clients {
            let seen = client.await.unwrap();
            now.must_agree_with(&seen);
            actions_seen += seen.iter().filter(|(event, _)| event == "action").count();
        }
        ponds_ended_at_their_deadline(&now, round);
        for (system, (state, rows)) in &now.0 {
            deadlines_were_kept(rows);
            seq_has_no_gap(system, state, rows);
            // A command whose answer was lost may have been carried out, one per controller at the most, and one
            // deadline may have passed.
            let then = answered.iter().map(|one| &one.outcome["state"]);
            let then = then.filter(|state| state["system"] == **system);
            let then = then.map(|state| number(state, "seq")).max();
            let then = then.unwrap_or_else(|| number(&before.0[system].0, "seq"));
            let lost = CONTROLLERS as u64 + 1;
            assert!(
                number(state, "seq") <= then + lost,
                "{then} then, {state} now"
            );
        }
        before = now;
    }
    assert!(actions_seen > 0, "nobody saw an action");
}

/// Every change of seq is a start, a replacement or an end. From the rows of the history, newest first, each number
/// must be explained: an end has its own row, a start is the number before or the end of what it replaced.
fn seq_has_no_gap(system: &str, state: &Value, rows: &[Value]) {
    let seq = number(state, "seq");
    let mut expected = seq;
    if state["mode"] != "wait" {
        let replaced = rows.first().is_some_and(|row| row["id"] == seq);
        expected = if replaced { seq } else { seq - 1 };
    }
    for row in rows {
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
        .change("/systems/s1/timer?seconds=4&by=pump")
        .await;
    let answered = instant();
    gateway.http.change("/systems/s2/manual").await;
    let mut socket = Socket::connect(gateway.address).await;
    socket.join("s1").await;
    for _ in 0..2 {
        socket.event("clock").await;
    }
    gateway.kill();

    let gateway = Process::start(folder.path(), &config(), &[]);
    let passed = answered.elapsed();
    let state = gateway.http.state("s1").await;
    let remaining = Duration::from_millis(number(&state, "remaining_ms"));
    // Ticks are whole milliseconds.
    let most = Duration::from_millis(4_001).saturating_sub(passed);
    assert!(remaining <= most, "{remaining:?} after {passed:?}");
    let mut socket = Socket::connect(gateway.address).await;
    let ack = socket.join("s1").await;
    assert_eq!(ack["system"]["state"]["mode"], "timer", "{ack}");
    let action = socket.event("action").await;
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&"completed".into(), &4_000.into())
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
