//! 3,000 idle clients, each in a room that ticks: what one of them costs in resident memory.

use std::time::Duration;

use tokio::task::LocalSet;

use crate::client::Socket;
use crate::process::{Gateway, folder};

const CLIENTS: usize = 3000;

pub(crate) async fn measure() {
    let folder = folder();
    let gateway = Gateway::start(folder.path(), "[[systems]]\nid = \"north\"\n");
    let before = gateway.resident_kib();
    LocalSet::new()
        .run_until(async {
            for _ in 0..CLIENTS {
                let mut socket = Socket::join(gateway.address, "north").await;
                tokio::task::spawn_local(async move {
                    loop {
                        socket.next(|_| ()).await;
                    }
                });
            }
            let cpu = gateway.cpu_s();
            tokio::time::sleep(Duration::from_secs(5)).await;
            let busy = (gateway.cpu_s() - cpu) / 5.0 * 100.0;
            let each = (gateway.resident_kib() - before) / CLIENTS as f64;
            println!("| {CLIENTS} idle clients in one room: resident memory per client | {each:.1} KiB |");
            println!("| {CLIENTS} idle clients in one room: processor time of the ticks | {busy:.1} % of a core |");
        })
        .await;
}
