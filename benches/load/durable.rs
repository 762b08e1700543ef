//! Durable commands per second: 64 systems at once against the same systems one after another.

use std::time::Duration;

use futures_util::future::join_all;

use crate::client::Http;
use crate::now;
use crate::process::{Gateway, folder};

const SYSTEMS: usize = 64;
const ROUNDS: usize = 3;
const TIME: Duration = Duration::from_secs(3);

pub(crate) async fn measure() {
    let folder = folder();
    let config: String = (0..SYSTEMS)
        .map(|i| format!("[[systems]]\nid = \"s{i}\"\n"))
        .collect();
    let gateway = Gateway::start(folder.path(), &config);
    let mut clients = Vec::new();
    for _ in 0..SYSTEMS {
        clients.push(Http::connect(gateway.address).await);
    }
    let (mut one, mut all) = (0.0, 0.0);
    for _ in 0..ROUNDS {
        one += one_after_another(&mut clients).await / ROUNDS as f64;
        all += at_once(&mut clients).await / ROUNDS as f64;
    }
    println!("| durable commands per second, {SYSTEMS} systems one after another | {one:.0} |");
    println!("| durable commands per second, {SYSTEMS} systems at once | {all:.0} |");
    println!(
        "| the ratio of the two, in the same run | {:.1} |",
        all / one
    );
}

/// Starts and stops the system; each is a durable change.
async fn start_and_stop(client: &mut Http, system: usize) {
    for verb in ["manual", "stop"] {
        let outcome = client.post(&format!("/systems/s{system}/{verb}")).await;
        assert!(outcome.starts_with("{\"changed\":true"), "{outcome}");
    }
}

async fn one_after_another(clients: &mut [Http]) -> f64 {
    let (start, mut commands) = (now(), 0);
    for (i, _) in (0..SYSTEMS).cycle().enumerate() {
        if start.elapsed() >= TIME {
            break;
        }
        let system = i % SYSTEMS;
        start_and_stop(&mut clients[system], system).await;
        commands += 2;
    }
    f64::from(commands) / start.elapsed().as_secs_f64()
}

async fn at_once(clients: &mut [Http]) -> f64 {
    let start = now();
    let each = clients
        .iter_mut()
        .enumerate()
        .map(|(system, client)| async move {
            let mut commands = 0;
            while start.elapsed() < TIME {
                start_and_stop(client, system).await;
                commands += 2;
            }
            commands
        });
    let commands: i32 = join_all(each).await.iter().sum();
    f64::from(commands) / start.elapsed().as_secs_f64()
}
