//! What `/healthz` tells of the gateway: whether its wall clock has been set, and who is there.

use serde_json::{Value, json};

use crate::fixture::{Gateway, SYSTEMS, Setup, WATCHDOG};
use acequia::time::Zone;

const UTC: Zone = Zone::new(|_| 0);
/// 2100-01-01, a time that no build of this program has seen.
const LATER_MS: i64 = 4_102_444_800_000;

async fn health(gateway: &Gateway) -> Value {
    gateway.http.get("/healthz").await.json()
}

#[tokio::test]
async fn a_wall_clock_from_before_the_build_is_not_plausible_until_it_is_set() {
    let gateway = Setup::with(SYSTEMS).at(0, UTC).start().await;
    assert_eq!(health(&gateway).await["clock_plausible"], false);
    gateway.clock.step_wall(LATER_MS);
    assert_eq!(health(&gateway).await["clock_plausible"], true);
    gateway.clock.step_wall(-LATER_MS - 1);
    assert_eq!(health(&gateway).await["clock_plausible"], false);
    assert_eq!(health(&gateway).await["status"], "serving");
}

#[tokio::test]
async fn a_socket_counts_in_each_of_its_rooms_until_it_leaves_or_goes() {
    let gateway = Gateway::start().await;
    let counted = |health: &Value| (health["rooms"].clone(), health["members"].clone());
    let nobody = health(&gateway).await;
    assert_eq!(counted(&nobody), (json!(0), json!(0)));
    assert_eq!(nobody["connections"], 1, "the one that asks");
    assert!(nobody["tasks"].as_u64().unwrap() > 0);

    let mut first = gateway.join("north").await;
    let second = gateway.join("north").await;
    assert_eq!(first.join("south").await["ok"], true);
    assert_eq!(first.join("south").await["ok"], true, "joining twice");
    let all = health(&gateway).await;
    assert_eq!(counted(&all), (json!(2), json!(3)));
    assert_eq!(all["connections"], 3);

    assert_eq!(first.ask("leave", &[json!("south")]).await.0["ok"], true);
    assert_eq!(counted(&health(&gateway).await), (json!(1), json!(2)));

    second.close().await;
    first.close().await;
    let empty = async {
        while counted(&health(&gateway).await) != counted(&nobody)
            || health(&gateway).await["connections"] != 1
        {}
    };
    tokio::time::timeout(WATCHDOG, empty)
        .await
        .expect("nobody is counted who is gone");
}
