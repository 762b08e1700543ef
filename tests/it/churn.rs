//! Coming and going: nothing is kept for who is gone.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tempfile::TempDir;
use tokio::time::interval;

use crate::fixture::{Process, instant, open_files, resident_kib};
use crate::load::number;
use crate::program::{self, PROGRAM};
use crate::strangers::{Polling, WEBSOCKET_OF_2, half_read};

const SYSTEMS: usize = 16;
/// Of a crowd.
const ROWS: usize = 16;
/// Between two looks at what the gateway holds.
const LOOK: Duration = Duration::from_millis(20);
/// All that was abandoned ends by a ping that is not answered or by the timeout for headers, after two seconds.
const GONE: Duration = Duration::from_secs(30);
/// A session that is kept costs 8 KiB (measured): a quarter of the strangers may not leave one behind.
const GROWTH_KIB: u64 = 4096;

fn config() -> String {
    let limits =
        "[limits]\nping_interval_ms = 1000\nping_timeout_ms = 500\nheader_timeout_ms = 2000\n";
    let systems = (0..SYSTEMS).map(|i| format!("[[systems]]\nid = \"s{i}\"\n"));
    limits.to_owned() + &systems.collect::<String>()
}

/// The program, and what it holds for nobody but who asks, with all open that it opens at first use.
async fn start(folder: &TempDir) -> (Process, Held) {
    let gateway = Process::start(folder.path(), &config(), &[]);
    gateway.http.change("/systems/s1/manual").await;
    gateway.http.change("/systems/s1/stop").await;
    // The client of the test may have opened a second connection, which is cut when nothing is asked on it.
    let held = Held::when(&gateway, |held| held.connections == 1).await;
    assert_eq!((held.rooms, held.members), (0, 0));
    (gateway, held)
}

/// What the gateway holds for whoever is there.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    rooms: u64,
    members: u64,
    connections: u64,
    tasks: u64,
    files: usize,
}

impl Held {
    async fn by(gateway: &Process) -> Self {
        let health = gateway.http.get("/healthz").await.json();
        Self {
            rooms: number(&health, "rooms"),
            members: number(&health, "members"),
            connections: number(&health, "connections"),
            tasks: number(&health, "tasks"),
            files: open_files(gateway),
        }
    }

    /// What it holds when it holds what it should.
    async fn when(gateway: &Process, should: impl Fn(&Self) -> bool) -> Self {
        let (mut look, began) = (interval(LOOK), instant());
        loop {
            look.tick().await;
            let held = Self::by(gateway).await;
            if should(&held) {
                return held;
            }
            assert!(began.elapsed() < GONE, "it holds {held:?} still");
        }
    }

    /// Returns when the gateway holds this again and nothing more.
    async fn again(&self, gateway: &Process) {
        Self::when(gateway, |held| held == self).await;
    }
}

/// Strangers who are gone before the first packet of their session, in a few rows.
async fn crowd(gateway: &Process, strangers: usize) {
    let gone = (0..strangers).map(|i| half_read(gateway.address, WEBSOCKET_OF_2, i % 2 == 0));
    let gone = stream::iter(gone).buffer_unordered(ROWS);
    gone.for_each(async |_| ()).await;
}

/// Such a session is connected without a word from the client, and no ping was sent yet that could end it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hangs_up_before_the_first_packet_leaves_no_session_behind() {
    let folder = TempDir::new().unwrap();
    let (gateway, nobody) = start(&folder).await;
    crowd(&gateway, 500).await;
    nobody.again(&gateway).await;
    let resident = resident_kib(&gateway);
    crowd(&gateway, 2000).await;
    nobody.again(&gateway).await;
    let grown = resident_kib(&gateway).saturating_sub(resident);
    assert!(grown < GROWTH_KIB, "{grown} KiB more than before");
}

/// The first goodbye of a socket takes it out of the list when its handler has run, the second at once, and what the first
/// takes out may be the next socket of the session. On one thread, with both requests there at the same time, it is: the
/// tasks run in the order connect, join, goodbye.
#[tokio::test]
async fn who_is_forgotten_while_it_joins_is_no_member_for_ever() {
    let folder = TempDir::new().unwrap();
    let mut command = program::command(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0"]);
    command.env("TOKIO_WORKER_THREADS", "1");
    let config = "[[systems]]\nid = \"s0\"";
    let gateway = Process::listening(program::start_as(command, folder.path(), config));
    for _ in 0..10 {
        let mut session = Polling::open(gateway.address).await.unwrap();
        session.post("40").await.unwrap();
        session.hear("40").await.unwrap();
        let (mut one, mut other) = (session.line().await, session.line().await);
        gateway.signal("-STOP");
        one.post(r#"42["join","s0"]"#).await;
        other.post("41\x1e41\x1e40").await;
        gateway.signal("-CONT");
        one.answered().await;
        other.answered().await;
        // It may have ended already, when it was asked to join nothing any more.
        let _ = session.post("1").await;
    }
    let nobody = |held: &Held| (held.rooms, held.members) == (0, 0);
    Held::when(&gateway, nobody).await;
}
