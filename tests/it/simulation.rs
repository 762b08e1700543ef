//! The simulated controllers: programs that know the gateway over HTTP only.

use std::process::Command;

use crate::fixture::Gateway;

#[tokio::test]
async fn every_system_is_asked_for_water_again_and_again() {
    let gateway = Gateway::start().await;
    let mut sockets = Vec::new();
    for system in ["north", "south", "limited"] {
        sockets.push(gateway.join(system).await);
    }
    let url = format!("http://{}", gateway.address);
    let simulation = tokio::spawn(async move { acequia::simulator::run(&url, 0.0..=0.01).await });
    for socket in &mut sockets {
        for _ in 0..3 {
            let state = socket.event("state").await;
            assert_eq!(
                (&state["mode"], &state["by"]),
                (&"timer".into(), &"simulator".into())
            );
            // The longest timer of them is over.
            gateway.advance(30_000);
            assert_eq!(socket.event("state").await["mode"], "wait");
        }
    }
    simulation.abort();
}

#[test]
fn a_gateway_that_is_not_there_is_named_with_the_cause() {
    let done = Command::new(env!("CARGO_BIN_EXE_acequia"))
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
