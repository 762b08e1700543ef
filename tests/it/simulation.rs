//! `acequia simulate --url`, and `serve --simulate`: scenarios against the real program, over the network.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::{Http, Process, instant};
use crate::program::{self, PROGRAM};

/// A day and some more, so that whatever is done once a day is done, in seconds.
const SHORT: [&str; 4] = ["--speed", "14400", "--days", "1.1"];

fn scenario(name: &str) -> String {
    format!(
        "{}/config/scenarios/{name}.toml",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// A gateway with the systems that a scenario needs.
fn gateway_for(folder: &Path, scenario: &str) -> Process {
    let printed = program::command(PROGRAM)
        .args(["simulate", "--print-systems", "--scenario", scenario])
        .output()
        .unwrap();
    assert!(printed.status.success());
    Process::start(folder, &String::from_utf8(printed.stdout).unwrap(), &[])
}

fn simulate(gateway: &Process, arguments: &[&str]) -> Child {
    program::command(PROGRAM)
        .args(["simulate", "--url", &format!("http://{}", gateway.address)])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for its end, which must be one without a violation; returns what it has said.
fn ended(simulation: Child) -> String {
    let output = simulation.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}\n{errors}");
    said
}

async fn keeps_what_must_always_hold(name: &str) {
    let folder = TempDir::new().unwrap();
    let scenario = scenario(name);
    let gateway = gateway_for(folder.path(), &scenario);
    let arguments = [&["--scenario", &scenario][..], &SHORT].concat();
    let said = ended(simulate(&gateway, &arguments));
    let all: Vec<&str> = said.lines().last().unwrap().split_whitespace().collect();
    let commands: u64 = all[6].parse().unwrap();
    assert!(all[0] == "all" && commands > 0, "{said}");
    let ready = gateway.http.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn the_demonstration_keeps_what_must_always_hold_live() {
    keeps_what_must_always_hold("demo").await;
}

#[tokio::test]
async fn a_summer_keeps_what_must_always_hold_live() {
    keeps_what_must_always_hold("season").await;
}

#[tokio::test]
async fn failing_actuators_and_sensors_keep_what_must_always_hold_live() {
    keeps_what_must_always_hold("faults").await;
}

#[tokio::test]
async fn many_hands_on_one_valve_keep_what_must_always_hold_live() {
    keeps_what_must_always_hold("contention").await;
}

#[tokio::test]
async fn nonsense_and_curiosity_keep_what_must_always_hold_live() {
    keeps_what_must_always_hold("hostile").await;
}

#[tokio::test]
async fn a_thousand_systems_keep_what_must_always_hold_live() {
    keeps_what_must_always_hold("crowd").await;
}

/// The state of a system that runs, as soon as one does.
async fn first_running(http: &Http) -> Value {
    loop {
        let running = http.get("/systems?running=true").await.json();
        if let Some(system) = running.as_array().unwrap().first() {
            return system["state"].clone();
        }
    }
}

#[tokio::test]
async fn serve_simulate_shows_the_demonstration_alive_within_ten_seconds_whatever_its_systems_are()
{
    let begun = instant();
    let folder = TempDir::new().unwrap();
    let systems = "[[systems]]\nid = \"mine\"\n[[systems]]\nid = \"greenhouse\"\n";
    let gateway = Process::start(folder.path(), systems, &["--simulate"]);
    let state = tokio::time::timeout(Duration::from_secs(10), first_running(&gateway.http));
    let state = state.await.expect("a valve opens within ten seconds");
    assert!(begun.elapsed() < Duration::from_secs(15), "{state}");
    assert!(["threshold", "human", "et-bucket"].contains(&state["by"].as_str().unwrap()));
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn a_gateway_that_is_killed_and_comes_back_is_found_again() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario("contention");
    let gateway = gateway_for(folder.path(), &scenario);
    let config = std::fs::read_to_string(folder.path().join("acequia.toml")).unwrap();
    let arguments = ["--scenario", &scenario, "--speed", "1440", "--days", "0.3"];
    let simulation = simulate(&gateway, &arguments);
    let before = first_running(&gateway.http).await;
    let address = gateway.address;
    gateway.kill();
    let gateway = Process::start_at(address, folder.path(), &config, &[]);
    let system = before["system"].as_str().unwrap();
    // It is asked for water again: a later number.
    while gateway.http.state(system).await["seq"].as_u64() <= before["seq"].as_u64() {}
    ended(simulation);
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn a_gateway_that_dies_for_good_leaves_no_valve_open() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario("demo");
    let gateway = gateway_for(folder.path(), &scenario);
    let arguments = ["--scenario", &scenario, "--speed", "1440", "--days", "0.15"];
    let simulation = simulate(&gateway, &arguments);
    first_running(&gateway.http).await;
    gateway.kill();
    let output = simulation.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("the history cannot be read"), "{said}");
    assert!(!said.contains("the valve is open"), "{said}");
}

#[tokio::test]
async fn what_one_system_suffers_no_other_feels_and_the_original_s_history_is_that_of_the_default_system()
 {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("scenario.toml");
    let noisy = "controllers = [{ kind = \"flapper\", per_day = 400, seconds = 1440, good_h = 2, bad_h = 1 }, \
                 { kind = \"bad\", per_day = 400 }, { kind = \"chatty\", period_ms = 50 }]";
    let text = format!(
        "days = 1\nspeed = 1440\nstart = \"2026-07-01\"\nclimate = \"toulon\"\n\
         [[systems]]\nid = \"a-noisy\"\nfield = \"lawn-sand\"\n{noisy}\n\
         [[systems]]\nid = \"calm\"\nfield = \"lawn-sand\"\n"
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let gateway = gateway_for(folder.path(), file);
    ended(simulate(&gateway, &["--scenario", file, "--days", "0.15"]));
    let rows = gateway.http.history("a-noisy").await;
    assert!(!rows.is_empty());
    assert_eq!(gateway.http.state("calm").await["seq"], 0);
    assert!(gateway.http.history("calm").await.is_empty());

    let original = gateway.http.get("/history").await.json();
    let original = original.as_array().unwrap();
    assert_eq!(original.len(), rows.len().min(10));
    for (old, row) in original.iter().zip(&rows) {
        assert_eq!(
            (&old["since"], &old["timestamp"]),
            (&row["start"], &row["end"])
        );
    }
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test]
async fn a_live_run_that_is_interrupted_ends_with_what_was_done() {
    let folder = TempDir::new().unwrap();
    let scenario = scenario("season");
    let gateway = gateway_for(folder.path(), &scenario);
    let arguments = ["--scenario", &scenario, "--speed", "1440", "--days", "2"];
    let mut simulation = simulate(&gateway, &arguments);
    let mut line = String::new();
    let mut progress = BufReader::new(simulation.stderr.take().unwrap());
    while !line.starts_with("10 % of 2 days") {
        line.clear();
        assert!(progress.read_line(&mut line).unwrap() > 0, "it has ended");
    }
    crate::fixture::send_signal(simulation.id(), "-INT");
    let output = simulation.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("Stopped early"), "{said}");
    assert!(said.contains("\nall "), "{said}");
}

#[test]
fn a_gateway_that_is_not_there_is_named_with_the_cause() {
    let done = program::command(PROGRAM)
        .args(["simulate", "--url", "http://127.0.0.1:9"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert!(
        error.contains("does not answer") && error.contains("refused"),
        "{error}"
    );
}

#[tokio::test]
async fn a_system_that_the_gateway_lacks_is_named() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), "", &[]);
    let scenario = scenario("season");
    let done = simulate(&gateway, &["--scenario", &scenario]).wait_with_output();
    let done = done.unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert!(
        error.contains("no system") && error.contains("--print-systems"),
        "{error}"
    );
}
