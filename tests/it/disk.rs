//! The real program on a disk that fails, or that keeps only what was synced when the power goes. That the disk does so
//! is shown here, too: the other tests of it would show nothing otherwise.

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fixture::{Answer, Http, Packet, Process, SYSTEMS, Socket, WATCHDOG};
use crate::machine::Machine;

/// What the program would show if the machine lost power now.
async fn if_power_failed_now(machine: &Machine) -> Value {
    let other = machine.with_what_is_durable();
    let gateway = other.start(SYSTEMS);
    gateway.http.state("north").await
}

#[tokio::test]
async fn a_command_is_durable_before_it_is_answered() {
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    for (seq, verb) in ["timer?seconds=3600", "manual", "stop"]
        .into_iter()
        .enumerate()
    {
        let answered = gateway.http.change(&format!("/systems/north/{verb}")).await;
        let durable = if_power_failed_now(&machine).await;
        assert_eq!(answered["seq"], seq + 1);
        assert_eq!(
            (&durable["seq"], &durable["mode"]),
            (&answered["seq"], &answered["mode"])
        );
    }
}

/// Sends a command while no sync returns, and comes back when the command is written and waits for its sync.
async fn hang(machine: &Machine, gateway: &Process, path: &'static str) -> JoinHandle<Answer> {
    machine.fail("hang");
    let http = Http::new(gateway.address);
    let command = tokio::spawn(async move { http.post(path).await });
    let hangs = async {
        while !machine.hangs() {
            assert_eq!(gateway.http.get("/healthz").await.status, StatusCode::OK);
        }
    };
    let hangs = tokio::time::timeout(WATCHDOG, hangs).await;
    hangs.expect("it is written");
    command
}

#[tokio::test]
async fn a_command_is_neither_answered_nor_told_before_its_sync_returns_and_is_lost_with_the_power()
{
    let machine = Machine::new();
    let gateway = machine.start(SYSTEMS);
    gateway.http.change("/systems/north/manual?by=first").await;
    let mut socket = Socket::connect(gateway.address).await;
    socket.join("north").await;
    let command = hang(&machine, &gateway, "/systems/north/stop").await;
    assert_eq!(gateway.http.state("north").await["seq"], 1);
    let (_, told) = socket.ask("leave", &[json!("south")]).await;
    let only_clocks = |packet: &Packet| matches!(packet, Packet::Event(name, _) if name == "clock");
    assert!(told.iter().all(only_clocks), "{told:?}");
    assert!(!command.is_finished());
    assert_eq!(if_power_failed_now(&machine).await["seq"], 1);
    machine.heal();
    assert_eq!(command.await.unwrap().json()["state"]["seq"], 2);
    assert_eq!(if_power_failed_now(&machine).await["seq"], 2);

    let command = hang(&machine, &gateway, "/systems/north/timer?seconds=3600").await;
    gateway.kill();
    assert!(command.await.is_err(), "nobody was answered");
    machine.heal();
    let gateway = machine.start(SYSTEMS);
    assert_eq!(
        gateway.http.state("north").await["seq"],
        3,
        "it was written"
    );
    gateway.kill();
    let machine = machine.after_a_power_cut();
    let gateway = machine.start(SYSTEMS);
    let state = gateway.http.state("north").await;
    assert_eq!((&state["seq"], &state["mode"]), (&json!(2), &json!("wait")));
    gateway.http.change("/systems/north/manual").await;
}

#[tokio::test]
async fn a_command_that_a_failing_disk_did_not_take_is_refused_and_all_heals() {
    for fault in ["enospc", "eio", "eio written"] {
        let machine = Machine::new();
        let gateway = machine.start(SYSTEMS);
        gateway
            .http
            .change("/systems/north/timer?seconds=3600&by=first")
            .await;
        machine.fail(fault);
        let refused = gateway.http.post("/systems/north/manual").await;
        let answer = (refused.status, refused.error_code());
        assert_eq!(
            answer,
            (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable".into()),
            "{fault}"
        );
        assert_eq!(gateway.http.state("north").await["by"], "first", "{fault}");
        machine.heal();
        let state = gateway.http.change("/systems/north/manual?by=second").await;
        assert_eq!(state["seq"], 2, "{fault}");
        gateway.kill();
        let machine = machine.after_a_power_cut();
        let rows = machine.start(SYSTEMS).http.history("north").await;
        let ends = rows
            .iter()
            .map(|row| (row["id"].clone(), row["outcome"].clone(), row["by"].clone()));
        let expected = [(3, "interrupted", "second"), (2, "replaced", "first")];
        let expected = expected.map(|(id, outcome, by)| (json!(id), json!(outcome), json!(by)));
        assert_eq!(ends.collect::<Vec<_>>(), expected, "{fault}");
    }
}
