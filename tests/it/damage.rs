//! A database that is damaged is put aside, loudly, and the gateway starts with everything in `wait`: never with a
//! state that nobody wrote.

use std::collections::BTreeMap;
use std::path::Path;

use acequia::command::SystemId;
use acequia::engine::State;
use acequia::store::{Store, StoreUrl};
use hyper::Method;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tempfile::TempDir;

use crate::fixture::{Gateway, Process, SYSTEMS, Setup};
use crate::store::{STOP, carry_out, id, manual, open, timer};

const SEED: u64 = 20_261_124;
const SYSTEM_COUNT: usize = 40;

/// What a store of forty systems holds, some of them running, after an orderly end; and its file.
async fn recorded() -> (BTreeMap<SystemId, State>, Vec<u8>) {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    let mut states = BTreeMap::new();
    for i in 0..SYSTEM_COUNT {
        let system = id(&format!("s{i}"));
        carry_out(&store, &system, &timer(60)).await;
        let mut change = carry_out(&store, &system, &STOP).await;
        if i % 3 == 0 {
            change = carry_out(&store, &system, &manual()).await;
        }
        if i % 3 == 1 {
            change = carry_out(&store, &system, &timer(3600)).await;
        }
        states.insert(system, change.state);
    }
    store.close().await;
    let file = std::fs::read(folder.path().join("acequia.db")).unwrap();
    (states, file)
}

/// A folder in which a gateway was used, with this for its database.
fn folder_with(file: &[u8]) -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("acequia.db"), file).unwrap();
    std::fs::write(folder.path().join("acequia.db.lock"), "0").unwrap();
    folder
}

/// Opens it: either it was put aside, byte by byte, and nothing is known, or every state is as it was written.
async fn opens_safely(file: &[u8], states: &BTreeMap<SystemId, State>, what: &str) -> bool {
    let folder = folder_with(file);
    let url = StoreUrl::Sqlite(folder.path().join("acequia.db"));
    let store = Store::open(&url)
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let quarantined = store.quarantined().map(str::to_owned);
    for (system, state) in states {
        let loaded = store.load(system).await.unwrap();
        match quarantined {
            Some(_) => assert_eq!(loaded, State::default(), "{what}: {system}"),
            None => assert_eq!(&loaded, state, "{what}: {system}"),
        }
        let history = store.history(system, 10, None).await;
        assert!(quarantined.is_none() || history == Ok(vec![]), "{what}");
    }
    if let Some(name) = &quarantined {
        let aside = std::fs::read(folder.path().join(name)).unwrap();
        assert!(
            same_but_for_the_header(&aside, file),
            "{what}: kept as it was"
        );
        carry_out(&store, &id("s0"), &manual()).await;
        assert_eq!(store.ping().await, Ok(()));
    }
    store.close().await;
    quarantined.is_some()
}

/// SQLite may have written into the first hundred bytes before it noticed.
fn same_but_for_the_header(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.get(100..) == b.get(100..)
}

#[tokio::test]
async fn a_file_that_was_cut_at_50_places_or_between_any_pages_is_put_aside() {
    let (states, file) = recorded().await;
    let page = usize::from(u16::from_be_bytes([file[16], file[17]]));
    for i in 0..50 {
        let cut = file.len() * i / 50;
        let put_aside = opens_safely(&file[..cut], &states, &format!("cut at {cut}")).await;
        // The end of the last page may be empty: then nothing is missing.
        let missing = file[cut..].iter().any(|byte| *byte != 0);
        assert!(put_aside || !missing, "cut at {cut} of {}", file.len());
    }
    for cut in (0..file.len()).step_by(page) {
        assert!(opens_safely(&file[..cut], &states, &format!("{cut} bytes")).await);
    }
    assert!(!opens_safely(&file, &states, "whole").await);
}

#[tokio::test]
async fn random_bytes_anywhere_are_noticed_or_harmless() {
    let (states, file) = recorded().await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut put_aside = 0;
    for round in 0..300 {
        let mut damaged = file.clone();
        let length = [1, 4, 64, 4096][round % 4];
        let at = random.random_range(0..file.len());
        let end = (at + length).min(file.len());
        random.fill(&mut damaged[at..end]);
        // The version of the tables: a greater one is that of a newer acequia, and left alone.
        damaged
            .get_mut(60..64)
            .unwrap()
            .copy_from_slice(&file[60..64]);
        let what = format!("seed {SEED}, round {round}: {length} random bytes at {at}");
        put_aside += usize::from(opens_safely(&damaged, &states, &what).await);
    }
    assert!(put_aside > 100, "{put_aside} of 300 were noticed");
}

#[tokio::test]
async fn a_digit_of_a_deadline_that_changed_is_noticed() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    carry_out(&store, &id("north"), &timer(60)).await;
    store.close().await;
    let path = folder.path().join("acequia.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    let sql = "UPDATE systems SET deadline = deadline + 86400000";
    assert_eq!(file.execute(sql, []).unwrap(), 1);
    drop(file);
    let store = open(folder.path()).await;
    assert_eq!(store.quarantined(), Some("acequia.db.damaged-1"));
    assert_eq!(store.load(&id("north")).await, Ok(State::default()));
}

#[tokio::test]
async fn a_file_of_version_1_is_brought_up_to_date_and_keeps_what_it_holds() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    let state = carry_out(&store, &id("north"), &timer(60)).await.state;
    store.close().await;
    let path = folder.path().join("acequia.db");
    let file = rusqlite::Connection::open(&path).unwrap();
    let back = "ALTER TABLE systems DROP COLUMN sum; DROP TABLE receipts; PRAGMA user_version = 1; PRAGMA application_id = 0";
    file.execute_batch(back).unwrap();
    drop(file);
    for _ in 0..2 {
        let store = open(folder.path()).await;
        assert_eq!(store.quarantined(), None);
        assert_eq!(store.load(&id("north")).await, Ok(state.clone()));
        store.close().await;
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            name.contains("damaged") && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn the_gateway_starts_with_everything_in_wait_and_readyz_names_what_was_put_aside() {
    let gateway = Gateway::start().await;
    assert_eq!(
        gateway.http.get("/readyz").await.json()["quarantined"],
        serde_json::Value::Null
    );
    gateway.http.change("/systems/north/manual").await;
    let mut folder = gateway.stop().await;
    for expected in ["acequia.db.damaged-1", "acequia.db.damaged-2"] {
        let path = folder.path().join("acequia.db");
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        let gateway = Setup::with(SYSTEMS).on(folder).start().await;
        let ready = gateway.http.get("/readyz").await;
        assert_eq!(ready.status, 200);
        assert_eq!(ready.json()["quarantined"], expected);
        for system in ["north", "south", "limited"] {
            assert_eq!(gateway.http.state(system).await["mode"], "wait");
        }
        gateway.http.change("/systems/north/manual").await;
        folder = gateway.stop().await;
    }
    assert_eq!(
        names(folder.path()),
        ["acequia.db.damaged-1", "acequia.db.damaged-2"]
    );
}

#[tokio::test]
async fn a_log_that_belongs_to_a_damaged_file_is_put_aside_with_it() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    assert_eq!(gateway.terminate().await, Some(0));
    // The log holds what has changed since, not the whole.
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    gateway.http.change("/systems/north/manual").await;
    gateway.kill();
    let log = std::fs::read(folder.path().join("acequia.db-wal")).unwrap();
    std::fs::write(folder.path().join("acequia.db"), [7; 4096]).unwrap();
    let store = open(folder.path()).await;
    assert_eq!(store.quarantined(), Some("acequia.db.damaged-1"));
    store.close().await;
    let kept = std::fs::read(folder.path().join("acequia.db.damaged-1-wal")).unwrap();
    assert_eq!(kept, log);
}

#[tokio::test]
async fn a_file_that_is_no_store_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("acequia.db");
    let other = rusqlite::Connection::open(&path).unwrap();
    let tables = "CREATE TABLE fields (id TEXT); PRAGMA user_version = 2";
    other.execute_batch(tables).unwrap();
    drop(other);
    let database = std::fs::read(&path).unwrap();
    for file in [database, b"listen = \"127.0.0.1:8001\"\n".to_vec()] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("acequia.db");
        std::fs::write(&path, &file).unwrap();
        let error = Store::open(&StoreUrl::Sqlite(path.clone()))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no store of acequia"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), file);
    }
}

/// Answers that are kept have no checksum: one that cannot be read must not stand in the way of anything.
#[tokio::test]
async fn a_kept_answer_that_is_damaged_holds_nothing_up() {
    let gateway = Gateway::start().await;
    let key = [("Idempotency-Key", "first")];
    let timer = "/systems/north/timer?seconds=60";
    gateway.http.send(Method::POST, timer, &key, "").await;
    let folder = gateway.stop().await;
    let file = rusqlite::Connection::open(folder.path().join("acequia.db")).unwrap();
    file.execute("UPDATE receipts SET boot = x'00', mode = 'rain'", [])
        .unwrap();
    drop(file);
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    let key = [("Idempotency-Key", "second")];
    let stop = "/systems/north/stop";
    let stopped = gateway.http.send(Method::POST, stop, &key, "").await;
    assert_eq!(stopped.json()["changed"], true);
    assert_eq!(gateway.http.get("/readyz").await.status, 200);
    let key = [("Idempotency-Key", "first")];
    let again = gateway.http.send(Method::POST, timer, &key, "").await;
    assert_eq!(
        again.json()["changed"],
        true,
        "what cannot be read is not kept"
    );
    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    assert_eq!(gateway.http.state("north").await["mode"], "timer");
}

#[tokio::test]
async fn a_stop_closes_the_valve_though_its_answer_and_its_row_cannot_be_kept() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    let folder = gateway.stop().await;
    let file = rusqlite::Connection::open(folder.path().join("acequia.db")).unwrap();
    let broken = "DROP TABLE receipts; CREATE TABLE receipts (id INTEGER) STRICT; \
         INSERT INTO actions VALUES ('north', 2, 'timer', 'x', NULL, NULL, NULL, 'stopped', NULL, NULL)";
    file.execute_batch(broken).unwrap();
    drop(file);
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    let stopped = gateway.http.change("/systems/north/stop").await;
    assert_eq!(stopped["mode"], "wait");
    gateway.http.change("/systems/south/manual").await;
    let folder = gateway.stop().await;
    let gateway = Setup::with(SYSTEMS).on(folder).start().await;
    assert_eq!(gateway.http.state("north").await["seq"], 2);
    assert_eq!(gateway.http.state("north").await["mode"], "wait");
    assert_eq!(gateway.http.state("south").await["mode"], "manual");
}
