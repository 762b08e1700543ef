//! Coming and going: nothing is kept for who is gone.

use std::time::Duration;

use tempfile::TempDir;
use tokio::time::interval;

use crate::fixture::{Process, instant};
use crate::load::number;
use crate::program::{self, PROGRAM};
use crate::strangers::Polling;

/// Between two looks at what the gateway holds.
const LOOK: Duration = Duration::from_millis(20);
/// Who goes away without a word is noticed by then.
const GONE: Duration = Duration::from_secs(30);

/// What the gateway holds for whoever is there.
#[derive(Debug)]
struct Held {
    rooms: u64,
    members: u64,
}

impl Held {
    async fn by(gateway: &Process) -> Self {
        let health = gateway.http.get("/healthz").await.json();
        Self {
            rooms: number(&health, "rooms"),
            members: number(&health, "members"),
        }
    }

    /// What it holds when it holds what it should.
    async fn when(gateway: &Process, should: impl Fn(&Self) -> bool) {
        let (mut look, began) = (interval(LOOK), instant());
        loop {
            look.tick().await;
            let held = Self::by(gateway).await;
            if should(&held) {
                return;
            }
            assert!(began.elapsed() < GONE, "it holds {held:?} still");
        }
    }
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
