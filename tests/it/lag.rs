//! Readers of the feed that are behind the store: they tell nothing out of turn, and what the feed has lost they read from
//! the store.

use acequia::command::{Command, SystemId};
use acequia::engine::{Change, Decision, State, decide};
use acequia::store::CommitError;
use acequia::time::{Clock, Moment};
use futures_util::future::{FutureExt, join_all};
use serde_json::json;

use crate::fixture::{Gateway, Setup};
use crate::store::{id, manual, timer};

/// Changes that a reader of the feed may be behind before it has lost some.
const FEED_CAPACITY: usize = 4096;
/// More systems than that, by a whole group of the store.
const SYSTEMS: usize = FEED_CAPACITY + 256;

fn opening(command: &Command, now: &Moment) -> Change {
    match decide(&State::default(), command, now) {
        Decision::Change(change) => change,
        Decision::Unchanged(reason) => panic!("{reason:?}"),
    }
}

/// Opens them, the first with a timer of a minute, so that the feed tells it all in one breath and its readers have lost
/// the first.
///
/// The store is locked until the first group is in hand and no more may wait. Then this thread, which is that of the
/// gateway, stands still until everything is written: the herald has it all when it goes on, and does not rest before
/// the readers have lost something.
async fn open_all(gateway: &Gateway, systems: &[SystemId]) {
    let now = gateway.clock.now();
    let lock = gateway.lock_store();
    let mut waiting = Vec::new();
    while waiting.len() < systems.len() {
        let command = if waiting.is_empty() {
            timer(60)
        } else {
            manual()
        };
        let system = &systems[waiting.len()];
        let mut commit = Box::pin(gateway.store.commit(system, opening(&command, &now)));
        match (&mut commit).now_or_never() {
            None => waiting.push(commit),
            Some(Err(CommitError::Overloaded)) if waiting.len() > FEED_CAPACITY => break,
            Some(Err(CommitError::Overloaded)) => std::thread::yield_now(),
            Some(other) => panic!("{other:?}"),
        }
    }
    lock.execute_batch("ROLLBACK").unwrap();
    let written = || -> usize {
        let count = "SELECT count(*) FROM systems";
        lock.query_row(count, [], |row| row.get(0)).unwrap()
    };
    while written() < waiting.len() {
        std::thread::yield_now();
    }
    assert!(join_all(waiting).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn what_the_feed_lost_is_read_from_the_store() {
    let names = (0..SYSTEMS).map(|i| format!("s{i}"));
    let systems: Vec<_> = names.map(|name| id(&name)).collect();
    let config: String = systems
        .iter()
        .map(|id| format!("[[systems]]\nid = \"{id}\"\n"))
        .chain(["[[systems]]\nid = \"idle\"\n".to_owned()])
        .collect();
    let gateway = Setup::with(&config).start().await;
    let mut socket = gateway.join("s0").await;
    assert_eq!(socket.join("idle").await["ok"], true);
    open_all(&gateway, &systems).await;

    let state = socket.expect("state").await;
    assert_eq!(
        (&state["system"], &state["seq"], &state["mode"]),
        (&json!("s0"), &json!(1), &json!("timer"))
    );
    let (_, before) = socket.ask("leave", &[json!("idle")]).await;
    assert_eq!(before, [], "where nothing has changed nothing is told");
    // Its deadline was lost as well.
    gateway.advance(60_000);
    assert_eq!(socket.event("action").await["outcome"], "completed");
}

#[tokio::test]
async fn the_clock_of_a_room_does_not_run_ahead_of_its_state() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    let north = id("north");
    let change = opening(&manual(), &gateway.clock.now());
    let mut commit = Box::pin(gateway.store.commit(&north, change));
    assert!((&mut commit).now_or_never().is_none(), "it is written");
    // This thread, which is that of the gateway, stands still until it is: nobody has been told.
    let seq = || {
        let state = gateway.store.load(&north).now_or_never();
        state.unwrap().unwrap().seq
    };
    while seq() == 0 {
        std::thread::yield_now();
    }
    gateway.advance(1_000);
    assert_eq!(socket.expect("clock").await["seq"], 0);
    assert_eq!(socket.expect("state").await["seq"], 1);
    commit.await.unwrap();
}
