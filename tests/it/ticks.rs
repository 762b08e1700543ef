//! The clock of a room: one tick at the turn of each second, whatever the wall clock does.

use serde_json::json;

use crate::fixture::{Gateway, Socket};
use acequia::time::Zone;

/// Lets the wall turn to its next second and returns the clock that is shown then.
async fn tick(gateway: &Gateway, socket: &mut Socket, after_ms: u64) -> String {
    gateway.advance(after_ms);
    let clock = socket.event("clock").await;
    clock["now"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn it_ticks_at_the_turn_of_each_second_and_not_before() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    // It is 00.250 now. If the tick came early, this join of another room would come after it.
    gateway.advance(749);
    let (ack, before) = socket.ask("join", &[json!("south")]).await;
    assert_eq!(ack["ok"], true);
    let names: Vec<_> = before.iter().map(|packet| format!("{packet:?}")).collect();
    assert_eq!(before.len(), 2, "only the snapshot of south: {names:?}");
    gateway.advance(1);
    for _ in 0..2 {
        assert_eq!(socket.expect("clock").await["now"], "2026-11-23T09:14:01");
    }
    gateway.advance(1_000);
    for _ in 0..2 {
        assert_eq!(socket.expect("clock").await["now"], "2026-11-23T09:14:02");
    }
}

#[tokio::test]
async fn a_step_of_the_wall_clock_neither_skips_nor_doubles_a_tick() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    assert_eq!(
        tick(&gateway, &mut socket, 750).await,
        "2026-11-23T09:14:01"
    );
    gateway.clock.step_wall(3_600_000);
    assert_eq!(
        tick(&gateway, &mut socket, 1_000).await,
        "2026-11-23T10:14:02"
    );
    assert_eq!(
        tick(&gateway, &mut socket, 1_000).await,
        "2026-11-23T10:14:03"
    );
    gateway.clock.step_wall(-7_200_500);
    assert_eq!(
        tick(&gateway, &mut socket, 1_000).await,
        "2026-11-23T08:14:03"
    );
    assert_eq!(
        tick(&gateway, &mut socket, 500).await,
        "2026-11-23T08:14:04"
    );
    // Back by less than a second, over the turn: the second that was shown is not shown again.
    gateway.clock.step_wall(-400);
    assert_eq!(
        tick(&gateway, &mut socket, 1_400).await,
        "2026-11-23T08:14:05"
    );
    assert_eq!(
        tick(&gateway, &mut socket, 1_000).await,
        "2026-11-23T08:14:06"
    );
}

#[tokio::test]
async fn a_step_of_the_wall_clock_shows_a_running_system_anew_and_leaves_its_length() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/timer?seconds=60").await;
    let mut socket = gateway.join("north").await;
    gateway.advance(1_000);
    gateway.clock.step_wall(3_600_000);
    gateway.advance(1_000);
    let state = socket.event("state").await;
    assert_eq!(
        (&state["seq"], &state["mode"]),
        (&json!(2), &json!("timer"))
    );
    assert_eq!(state["start"], "2026-11-23T10:14:00.250");
    assert_eq!(state["end"], "2026-11-23T10:15:00.250");
    assert_eq!(state["remaining_ms"], 58_000);
    gateway.advance(58_000);
    let action = socket.event("action").await;
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&json!("completed"), &json!(60_000))
    );
}

#[tokio::test]
async fn another_utc_offset_shows_a_running_system_anew() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    let mut socket = gateway.join("north").await;
    gateway.clock.set_zone(Zone::new(|_| -7200));
    gateway.advance(1_000);
    let state = socket.event("state").await;
    assert_eq!(
        (&state["seq"], &state["start"]),
        (&json!(2), &json!("2026-11-23T07:14:00.250"))
    );
}

#[tokio::test]
async fn waiting_systems_do_not_change_when_the_clock_steps() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/timer?seconds=1").await;
    let mut socket = gateway.join("north").await;
    gateway.advance(1_000);
    socket.event("action").await;
    gateway.clock.step_wall(86_400_000);
    assert_eq!(
        tick(&gateway, &mut socket, 1_000).await,
        "2026-11-24T09:14:02"
    );
    assert_eq!(gateway.http.state("north").await["seq"], 2);
}
