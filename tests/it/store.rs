//! What every store must do, whatever is behind it: each rule is a function of a [`Store`], so that another backend
//! runs the same suite. Then what is true of the embedded one alone.

use std::path::Path;

use acequia::command::{By, Command, IdempotencyKey, Request, SystemId};
use acequia::engine::{Answer, Change, Decision, Outcome, Reason, State, decide, settle};
use acequia::store::receipt::Receipt;
use acequia::store::{CommitError, HISTORY_KEPT, News, Store, StoreUrl};
use acequia::time::{BootId, Moment, Ticks, Zone};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::cluster::redis::Redis;

pub(crate) async fn open(folder: &Path) -> Store {
    let url = StoreUrl::Sqlite(folder.join("acequia.db"));
    Store::open(&url).await.unwrap()
}

pub(crate) fn id(name: &str) -> SystemId {
    SystemId::parse(name).unwrap()
}

pub(crate) fn now() -> Moment {
    Moment {
        utc_ms: 1_795_425_240_250,
        ticks: Ticks::from_millis(3_600_000),
        boot: BootId(u128::MAX - 1),
        zone: Zone::new(|_| -12_600),
    }
}

/// The change that a command makes of a state.
pub(crate) fn change(state: &State, command: &Command) -> Change {
    match decide(state, command, &now()) {
        Decision::Change(change) => change,
        Decision::Unchanged(reason) => panic!("{reason:?}"),
    }
}

pub(crate) fn timer(seconds: u32) -> Command {
    let by = By::parse("größe ✓").unwrap();
    Command::Timer { seconds, by }
}

pub(crate) fn manual() -> Command {
    let (limit_s, by) = (None, None);
    Command::Manual { limit_s, by }
}

pub(crate) const STOP: Command = Command::Stop { by: None };

/// Commits what a command makes of the state that the store holds.
pub(crate) async fn carry_out(store: &Store, system: &SystemId, command: &Command) -> Change {
    let change = change(&store.load(system).await.unwrap(), command);
    store.commit(system, change.clone()).await.unwrap();
    change
}

async fn what_never_changed_waits_with_seq_0(store: &Store) {
    assert_eq!(store.load(&id("new")).await, Ok(State::default()));
    assert_eq!(store.history(&id("new"), 10, None).await, Ok(vec![]));
    assert_eq!(store.running().await, Ok(vec![]));
    assert_eq!(store.ping().await, Ok(()));
}

async fn what_is_committed_is_read_back_to_the_last_field(store: &Store) {
    let (timed, held) = (id("timed"), id("held"));
    let timer = carry_out(store, &timed, &timer(90)).await;
    let manual = carry_out(store, &held, &manual()).await;
    assert_eq!(store.load(&timed).await, Ok(timer.state.clone()));
    assert_eq!(store.load(&held).await, Ok(manual.state.clone()));
    let mut running = store.running().await.unwrap();
    running.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        running,
        [(held.clone(), manual.state), (timed.clone(), timer.state)]
    );
    let stop = carry_out(store, &timed, &STOP).await;
    assert_eq!(store.load(&timed).await, Ok(stop.state));
    assert_eq!(
        store.history(&timed, 10, None).await,
        Ok(vec![stop.action.unwrap()])
    );
    assert_eq!(store.running().await.unwrap().len(), 1);
}

async fn only_one_of_two_changes_of_the_same_state_is_written(store: &Store) {
    let system = id("contended");
    let state = store.load(&system).await.unwrap();
    let rivals = (1..=20).map(|seconds| store.commit(&system, change(&state, &timer(seconds))));
    let results = join_all(rivals).await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(
        results
            .iter()
            .all(|r| matches!(r, Ok(()) | Err(CommitError::Stale)))
    );
    assert_eq!(store.load(&system).await.unwrap().seq, 1);
    let late = store.commit(&system, change(&state, &manual())).await;
    assert_eq!(late, Err(CommitError::Stale));
}

async fn the_feed_tells_every_change_once_in_order_and_after_it_can_be_read(store: &Store) {
    let mut feed = store.changes();
    let system = id("told");
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(carry_out(store, &system, &timer(5)).await);
        made.push(carry_out(store, &system, &STOP).await);
    }
    for change in made {
        let Ok(News::Change(committed)) = feed.recv().await else {
            panic!("no change");
        };
        assert_eq!((&committed.system, &committed.change), (&system, &change));
        assert!(store.load(&system).await.unwrap().seq >= change.state.seq);
    }
    let stale = store
        .commit(&system, change(&State::default(), &manual()))
        .await;
    assert_eq!(stale, Err(CommitError::Stale));
    assert!(feed.try_recv().is_err(), "what is not written is not told");
}

async fn history_is_newest_first_paged_and_bounded(store: &Store) {
    let system = id("busy");
    let other = id("busy-too");
    carry_out(store, &other, &manual()).await;
    carry_out(store, &other, &STOP).await;
    for _ in 0..HISTORY_KEPT + 5 {
        carry_out(store, &system, &manual()).await;
        carry_out(store, &system, &STOP).await;
    }
    let mut ids = Vec::new();
    loop {
        let page = store
            .history(&system, 100, ids.last().copied())
            .await
            .unwrap();
        ids.extend(page.iter().map(|action| action.id));
        if page.len() < 100 {
            break;
        }
    }
    let newest = u64::from(HISTORY_KEPT + 5) * 2;
    let expected: Vec<u64> = (0..u64::from(HISTORY_KEPT))
        .map(|i| newest - 2 * i)
        .collect();
    assert_eq!(ids, expected);
    assert_eq!(
        store.history(&other, 10, None).await.unwrap().len(),
        1,
        "another system's history is its own"
    );
    assert_eq!(
        store
            .history(&system, 10, Some(u64::MAX))
            .await
            .unwrap()
            .len(),
        10
    );
}

async fn changes_of_many_systems_at_once_are_all_written(store: &Store) {
    let commits = (0..200).map(|i| async move {
        let system = id(&format!("many-{i}"));
        for _ in 0..5 {
            carry_out(store, &system, &manual()).await;
            carry_out(store, &system, &STOP).await;
        }
        store.load(&system).await.unwrap().seq
    });
    assert!(join_all(commits).await.iter().all(|seq| *seq == 10));
}

async fn an_interrupted_run_is_remembered_without_an_end(store: &Store) {
    let system = id("cut");
    let run = carry_out(store, &system, &timer(60)).await;
    let rebooted = Moment {
        boot: BootId(1),
        ..now()
    };
    let change = settle(&run.state, &rebooted).unwrap();
    store.commit(&system, change.clone()).await.unwrap();
    let history = store.history(&system, 1, None).await.unwrap();
    assert_eq!(history[0].outcome, Outcome::Interrupted);
    assert_eq!(history, [change.action.unwrap()]);
}

/// A receipt for what a command makes of a state, as the gateway would write it.
pub(crate) fn receipt(key: &str, asks: &str, state: &State, unchanged: Option<Reason>) -> Receipt {
    let key = IdempotencyKey::parse(key.as_bytes()).unwrap();
    let asks = asks.into();
    let answer = Answer {
        shown: state.shown(&now()),
        unchanged,
    };
    Receipt::new(&Request { key, asks }, answer, &now())
}

async fn a_request_with_a_key_is_carried_out_once_and_answered_the_same(store: &Store) {
    let system = id("retried");
    let idle = store.load(&system).await.unwrap();
    let opening = change(&idle, &timer(60));
    let first = receipt("k", "timer", &opening.state, None);
    let commit = |change: Option<Change>, receipt: &Receipt| {
        store.commit_once(&system, change, receipt.clone())
    };
    assert_eq!(commit(Some(opening.clone()), &first).await, Ok(None));
    let kept = Ok(Some(first.answer.clone()));
    assert_eq!(commit(Some(opening.clone()), &first).await, kept);
    let second = receipt("k", "timer", &opening.state, Some(Reason::TimerRunning));
    assert_eq!(commit(None, &second).await, kept);
    let other = receipt("k", "manual", &opening.state, None);
    let reused = commit(Some(change(&opening.state, &manual())), &other).await;
    assert_eq!(reused, Err(CommitError::KeyReused));
    assert_eq!(store.load(&system).await, Ok(opening.state.clone()));

    let closing = change(&opening.state, &STOP);
    assert_eq!(commit(Some(closing.clone()), &first).await, kept);
    assert_eq!(
        store.load(&system).await,
        Ok(closing.state.clone()),
        "what closes a valve closes it whatever its key says"
    );
    let unchanged = receipt("s", "stop", &closing.state, Some(Reason::NotRunning));
    assert_eq!(commit(None, &unchanged).await, Ok(None));
    assert_eq!(
        commit(None, &unchanged).await,
        Ok(Some(unchanged.answer.clone()))
    );
    let stale = receipt("t", "timer", &opening.state, None);
    let late = commit(Some(opening), &stale).await;
    assert_eq!(late, Err(CommitError::Stale));
}

/// The suite: what is true of a store that is new.
async fn conforms(store: &Store) {
    what_never_changed_waits_with_seq_0(store).await;
    what_is_committed_is_read_back_to_the_last_field(store).await;
    only_one_of_two_changes_of_the_same_state_is_written(store).await;
    the_feed_tells_every_change_once_in_order_and_after_it_can_be_read(store).await;
    changes_of_many_systems_at_once_are_all_written(store).await;
    an_interrupted_run_is_remembered_without_an_end(store).await;
    a_request_with_a_key_is_carried_out_once_and_answered_the_same(store).await;
    history_is_newest_first_paged_and_bounded(store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_conforms() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    conforms(&store).await;
}

async fn open_redis(redis: &Redis) -> Store {
    let url = StoreUrl::parse(&redis.url("")).unwrap();
    Store::open(&url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_conforms() {
    let folder = TempDir::new().unwrap();
    let redis = Redis::start(folder.path());
    conforms(&open_redis(&redis).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_committed_to_redis_is_there_when_it_was_killed_and_for_every_process() {
    let folder = TempDir::new().unwrap();
    let mut redis = Redis::start(folder.path());
    let (store, other) = (open_redis(&redis).await, open_redis(&redis).await);
    let mut feed = other.changes();
    let (system, ended) = (id("north"), id("ended"));
    let mut made = Vec::new();
    for (system, command) in [(&system, timer(90)), (&ended, manual()), (&ended, STOP)] {
        made.push((system.clone(), carry_out(&store, system, &command).await));
    }
    for (system, change) in &made {
        let News::Change(committed) = feed.recv().await.unwrap() else {
            panic!("a gap");
        };
        assert_eq!((&committed.system, &committed.change), (system, change));
        assert_eq!(
            other.load(system).await.map(|state| state.seq > 0),
            Ok(true)
        );
    }
    store.close().await;
    let commit = store.commit(&system, change(&made[0].1.state, &STOP)).await;
    assert_eq!(commit, Err(CommitError::Unavailable), "closed");
    assert!(store.ping().await.is_err());
    other.close().await;
    redis.kill();
    redis.start_again();

    let store = open_redis(&redis).await;
    let state = &made[0].1.state;
    assert_eq!(store.load(&system).await, Ok(state.clone()));
    assert_eq!(store.load(&ended).await, Ok(made[2].1.state.clone()));
    assert_eq!(
        store.history(&ended, 10, None).await,
        Ok(Vec::from_iter(made[2].1.action.clone()))
    );
    assert_eq!(store.running().await, Ok(vec![(system, state.clone())]));
}

#[tokio::test]
async fn state_seq_and_history_survive_a_close_and_a_reopen() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    let system = id("north");
    let timer = carry_out(&store, &system, &timer(90)).await;
    let ended = id("ended");
    carry_out(&store, &ended, &manual()).await;
    let stop = carry_out(&store, &ended, &STOP).await;
    store.close().await;
    let commit = store.commit(&system, change(&timer.state, &STOP)).await;
    assert_eq!(commit, Err(CommitError::Unavailable), "closed");
    assert!(store.ping().await.is_err());
    drop(store);
    let left = std::fs::read_dir(folder.path()).unwrap();
    let mut left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(
        left,
        ["acequia.db", "acequia.db.lock"],
        "no log is left behind"
    );

    let store = open(folder.path()).await;
    assert_eq!(store.load(&system).await, Ok(timer.state.clone()));
    assert_eq!(store.load(&ended).await, Ok(stop.state));
    assert_eq!(
        store.history(&ended, 10, None).await,
        Ok(vec![stop.action.unwrap()])
    );
    assert_eq!(store.running().await, Ok(vec![(system, timer.state)]));
}

#[tokio::test]
async fn a_store_in_use_is_not_opened_twice() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    let url = StoreUrl::Sqlite(folder.path().join("acequia.db"));
    let error = Store::open(&url).await.unwrap_err().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    store.close().await;
    Store::open(&url).await.unwrap();
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    store.close().await;
    let path = folder.path().join("acequia.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let id: i64 = 0x6171_0000 | 99;
    file.pragma_update(None, "application_id", id).unwrap();
    drop(file);
    let error = Store::open(&StoreUrl::Sqlite(path))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("schema version 99"), "{error}");
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let url = StoreUrl::Sqlite("/nowhere/at/all/acequia.db".into());
    let error = Store::open(&url).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere/at/all/acequia.db"), "{error}");
}
