//! 100,000 idle systems in the store: how soon the gateway is ready, and what they cost.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use acequia::command::{Command, SystemId};
use acequia::engine::{Decision, State, decide};
use acequia::store::{Store, StoreUrl};
use acequia::time::{Clock, SystemClock};
use futures_util::StreamExt;

use crate::client::Http;
use crate::now;
use crate::process::{Gateway, folder};

const SYSTEMS: usize = 100_000;

pub(crate) async fn measure() {
    let few = folder();
    let small = Gateway::start(few.path(), "[[systems]]\nid = \"s0\"\n");
    let mut http = Http::connect(small.address).await;
    assert!(http.request("GET", "/readyz").await.is_some());
    let base = small.resident_kib();
    drop(small);

    let many = folder();
    fill(many.path()).await;
    let mut config = String::new();
    for i in 0..SYSTEMS {
        writeln!(config, "[[systems]]\nid = \"s{i}\"\nname = \"System {i}\"").unwrap();
    }
    let start = now();
    let gateway = Gateway::start(many.path(), &config);
    let mut http = Http::connect(gateway.address).await;
    assert!(http.request("GET", "/readyz").await.is_some());
    let ready = start.elapsed().as_secs_f64();
    let each = (gateway.resident_kib() - base) / SYSTEMS as f64;
    let cpu = gateway.cpu_s();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let busy = (gateway.cpu_s() - cpu) / 10.0 * 100.0;
    // The first connection has been idle for so long that it may be closed.
    let mut http = Http::connect(gateway.address).await;
    let state = http.request("GET", "/systems/s77777").await.unwrap();
    assert!(state.contains("\"seq\":2"), "{state}");
    println!("| {SYSTEMS} idle systems in the store: ready in | {ready:.2} s |");
    println!(
        "| {SYSTEMS} idle systems in the store: processor time when idle | {busy:.2} % of a core |"
    );
    println!("| {SYSTEMS} idle systems in the store: resident memory per system | {each:.2} KiB |");
}

/// Gives each system a finished run.
async fn fill(folder: &Path) {
    let store = Store::open(&StoreUrl::Sqlite(folder.join("acequia.db"))).await;
    let store = store.unwrap();
    let now = SystemClock::new().unwrap().now();
    let runs = (0..SYSTEMS).map(|i| {
        let store = store.clone();
        async move {
            let system = SystemId::parse(&format!("s{i}")).unwrap();
            let mut state = State::default();
            let (limit_s, by) = (None, None);
            for command in [Command::Manual { limit_s, by: None }, Command::Stop { by }] {
                let Decision::Change(change) = decide(&state, &command, &now) else {
                    panic!("it changes");
                };
                state = change.state.clone();
                store.commit(&system, change).await.unwrap();
            }
        }
    });
    futures_util::stream::iter(runs)
        .buffer_unordered(512)
        .for_each(|()| async {})
        .await;
    store.close().await;
}
