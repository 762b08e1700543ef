//! The embedded store under the microscope: the write-ahead log of a run is cut at every place where a power cut can
//! have left it, and what remains is opened and compared with what had been answered by then, to the last field.
//!
//! Of SQLite's formats only the log's headers are read here. What the kernel does with the files is not looked at.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use acequia::command::{Command, SystemId};
use acequia::engine::{Action, Mode, State};
use acequia::store::{CommitError, Committed, Feed, HISTORY_KEPT, News, Store};
use futures_util::future::{FutureExt, join_all};
use rand::RngExt;
use rand::seq::IndexedRandom;
use tempfile::TempDir;

use crate::dice::Dice;
use crate::store::{STOP, carry_out, change, id, manual, open, receipt, timer};

/// Systems of a run, and how many changes are made one at a time before all of them change at once.
const BEDS: usize = 12;
const ALONE: usize = 12;

fn beds() -> Vec<SystemId> {
    (0..BEDS).map(|i| id(&format!("bed-{i}"))).collect()
}

/// What a store holds: states and histories, newest first.
#[derive(Clone, Default)]
struct Contents(BTreeMap<SystemId, (State, Vec<Action>)>);

impl Contents {
    async fn of(store: &Store, systems: &[SystemId]) -> Self {
        let mut contents = Self::default();
        for system in systems {
            let state = store.load(system).await.unwrap();
            let rows = store.history(system, HISTORY_KEPT + 1, None).await;
            contents.0.insert(system.clone(), (state, rows.unwrap()));
        }
        let running = store.running().await.unwrap();
        let running: BTreeMap<_, _> = running.into_iter().collect();
        let ours = contents.0.iter().map(|(id, (state, _))| (id, state));
        let ours = ours.filter(|(_, state)| state.run.is_some());
        assert!(ours.eq(&running), "what runs is what is not waiting");
        contents
    }

    /// Of all that it holds only what is wrong is shown.
    fn must_be(&self, expected: &Self, when: &str) {
        assert!(self.0.keys().eq(expected.0.keys()));
        for (system, (state, rows)) in &self.0 {
            let (expected_state, expected_rows) = &expected.0[system];
            assert_eq!(state, expected_state, "{system}: {when}");
            let mut both = rows.iter().zip(expected_rows);
            let wrong = both.find(|(row, expected)| row != expected);
            let counts = (rows.len(), expected_rows.len());
            assert!(
                wrong.is_none() && counts.0 == counts.1,
                "{system}: {when}: {counts:?} {wrong:#?}"
            );
        }
    }

    /// Every change counts its system on by one.
    fn changes(&self) -> u64 {
        self.0.values().map(|(state, _)| state.seq).sum()
    }

    fn apply(&mut self, committed: &Committed) {
        let Committed { system, change } = committed;
        let (state, rows) = self.0.get_mut(system).unwrap();
        *state = change.state.clone();
        if let Some(action) = &change.action {
            rows.insert(0, action.clone());
            rows.truncate(HISTORY_KEPT as usize);
        }
    }
}

/// A run of the real store: its files as they were in the end, and what they must hold.
struct Recording {
    systems: Vec<SystemId>,
    /// Everything that happened is in the log: the database is as it was when the run began.
    database: Vec<u8>,
    log: Vec<u8>,
    before: Contents,
    /// In the order of the feed.
    changes: Vec<Arc<Committed>>,
    answered: Vec<Answered>,
}

/// So many changes had been told or answered when the log was so long.
struct Answered {
    changes: usize,
    log_length: u64,
}

impl Recording {
    /// Changes the systems at random, one at a time and all at once in turn, so many times.
    async fn make(folder: &Path, systems: Vec<SystemId>, times: u32, dice: &mut Dice) -> Self {
        let store = open(folder).await;
        let mut feed = store.changes();
        let mut recording = Self {
            before: Contents::of(&store, &systems).await,
            systems,
            database: Vec::new(),
            log: Vec::new(),
            changes: Vec::new(),
            answered: Vec::new(),
        };
        for _ in 0..times {
            for _ in 0..ALONE {
                let system = match dice.random_ratio(1, 3) {
                    true => &recording.systems[0],
                    false => recording.systems.choose(&mut **dice).unwrap(),
                };
                let command = some_command(&store.load(system).await.unwrap(), dice);
                carry_out(&store, system, &command).await;
                recording.note(&mut feed, folder);
            }
            recording.change_all_at_once(&store, folder, dice).await;
            recording.note(&mut feed, folder);
        }
        // A file that is closed takes the locks of its process with it: SQLite's are not needed any more.
        recording.database = std::fs::read(folder.join("acequia.db")).unwrap();
        recording.log = std::fs::read(folder.join("acequia.db-wal")).unwrap();
        store.close().await;
        recording
    }

    /// While the database is locked all of the changes come to wait: all but those that the store has in hand at that
    /// moment are one group afterwards.
    async fn change_all_at_once(&self, store: &Store, folder: &Path, dice: &mut Dice) {
        let lock = rusqlite::Connection::open(folder.join("acequia.db")).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut commands = Vec::new();
        for system in &self.systems {
            let command = some_command(&store.load(system).await.unwrap(), dice);
            commands.push((system, command));
        }
        let changes = commands
            .iter()
            .map(|(system, command)| carry_out(store, system, command));
        let mut changes = join_all(changes);
        assert!((&mut changes).now_or_never().is_none(), "all of them wait");
        lock.execute_batch("ROLLBACK").unwrap();
        changes.await;
    }

    fn note(&mut self, feed: &mut Feed, folder: &Path) {
        self.changes
            .extend(std::iter::from_fn(|| match feed.try_recv() {
                Ok(News::Change(committed)) => Some(committed),
                _ => None,
            }));
        let log = std::fs::metadata(folder.join("acequia.db-wal")).unwrap();
        self.answered.push(Answered {
            changes: self.changes.len(),
            log_length: log.len(),
        });
    }

    /// How many changes had been answered when the log was no longer than this.
    fn answered_by(&self, log_length: usize) -> usize {
        let then = self.answered.iter();
        let then = then.filter(|answered| answered.log_length <= log_length as u64);
        then.map(|answered| answered.changes).max().unwrap_or(0)
    }

    /// Opens the store on what a power cut has left of its log.
    async fn reopen(&self, database: &[u8], log: &[u8]) -> Contents {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("acequia.db"), database).unwrap();
        std::fs::write(folder.path().join("acequia.db-wal"), log).unwrap();
        let store = open(folder.path()).await;
        let contents = Contents::of(&store, &self.systems).await;
        let mut grown = contents.clone();
        for system in &self.systems[..2] {
            let state = store.load(system).await.unwrap();
            let command = if state.run.is_some() { STOP } else { manual() };
            let change = carry_out(&store, system, &command).await;
            let system = system.clone();
            grown.apply(&Committed { system, change });
        }
        store.close().await;
        is_consistent(folder.path());
        let store = open(folder.path()).await;
        let found = Contents::of(&store, &self.systems).await;
        found.must_be(&grown, "it takes new changes");
        contents
    }
}

fn some_command(state: &State, dice: &mut Dice) -> Command {
    let seconds = dice.random_range(1..=86_400);
    match state.run.as_ref().map(|run| run.mode) {
        None if dice.random() => timer(seconds),
        Some(Mode::Timer) if dice.random() => manual(),
        None => manual(),
        Some(_) => STOP,
    }
}

/// The file is whole, and each state agrees with the rows of its history.
fn is_consistent(folder: &Path) {
    let file = rusqlite::Connection::open(folder.join("acequia.db")).unwrap();
    let checked: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(checked, "ok");
    let sql = "SELECT count(*) FROM systems WHERE \
         actions <> (SELECT count(*) FROM actions WHERE system = systems.id) \
         OR (mode IS NULL AND seq <> (SELECT max(id) FROM actions WHERE system = systems.id)) \
         OR seq < (SELECT max(id) FROM actions WHERE system = systems.id)";
    let wrong: u32 = file.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(wrong, 0, "states that do not agree with their history");
}

/// A write-ahead log as its header divides it: 32 bytes, and then frames of a header of 24 bytes and a page.
struct Log<'a>(&'a [u8]);

impl Log<'_> {
    const HEADER: usize = 32;

    fn number(&self, at: usize) -> usize {
        u32::from_be_bytes(self.0[at..at + 4].try_into().unwrap()) as usize
    }

    fn page_size(&self) -> usize {
        self.number(8)
    }

    /// Where the log ends after so many frames.
    fn end(&self, frames: usize) -> usize {
        Self::HEADER + frames * (24 + self.page_size())
    }

    fn frames(&self) -> usize {
        (self.0.len() - Self::HEADER) / (24 + self.page_size())
    }

    /// True when a transaction ends with this frame.
    fn commits(&self, frame: usize) -> bool {
        self.number(self.end(frame) + 4) > 0
    }

    /// True when nothing in it is left from before a checkpoint: each frame repeats the salts of the header.
    fn is_of_one_piece(&self) -> bool {
        let salts = |at: usize| &self.0[at..at + 8];
        self.end(self.frames()) == self.0.len()
            && (0..self.frames()).all(|frame| salts(self.end(frame) + 8) == salts(16))
    }

    /// Cut off at a place, and what had not been written in order yet is garbage.
    fn garbled_after(&self, cut: usize) -> Vec<u8> {
        let (whole, rest) = self.0.split_at(cut);
        [whole.to_vec(), rest.iter().map(|byte| !byte).collect()].concat()
    }
}

/// Opens every remainder of the log, from nothing to all of it.
async fn examine(recording: &Recording, dice: &mut Dice) {
    let log = Log(&recording.log);
    assert!(log.is_of_one_piece(), "the run is all of the log");
    let mut expected = recording.before.clone();
    let mut applied = 0;
    let mut groups = HashSet::new();
    for torn in [0, 1, Log::HEADER - 1] {
        let found = recording.reopen(&recording.database, &log.0[..torn]).await;
        found.must_be(&expected, &format!("a log of {torn} bytes"));
    }
    for frames in 0..=log.frames() {
        let cut = log.end(frames);
        let found = recording.reopen(&recording.database, &log.0[..cut]).await;
        let now = usize::try_from(found.changes() - recording.before.changes()).unwrap();
        if frames > 0 && log.commits(frames - 1) {
            groups.insert(
                now.checked_sub(applied)
                    .expect("nothing is lost by more log"),
            );
            for committed in &recording.changes[applied..now] {
                expected.apply(committed);
            }
            applied = now;
        }
        found.must_be(
            &expected,
            &format!("the first {frames} frames, {applied} changes"),
        );
        let answered = recording.answered_by(cut);
        assert!(answered <= applied, "{answered} answered, {applied} there");

        if frames < log.frames() && dice.random_ratio(1, 3) {
            // Torn inside of the next frame, and garbage instead of it.
            let torn = dice.random_range(cut + 1..log.end(frames + 1));
            let garbled_at = dice.random_range(cut..log.end(frames + 1));
            let remainders = [log.0[..torn].to_vec(), log.garbled_after(garbled_at)];
            for remainder in remainders {
                let found = recording.reopen(&recording.database, &remainder).await;
                found.must_be(
                    &expected,
                    &format!("torn at {torn}, garbled at {garbled_at}"),
                );
            }
        }
    }
    assert_eq!(applied, recording.changes.len());
    let together = recording.systems.len() / 2;
    assert!(groups.iter().any(|group| *group >= together), "{groups:?}");
}

#[tokio::test]
async fn the_log_of_a_new_store_cut_anywhere_holds_what_was_answered_and_nothing_by_halves() {
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let recording = Recording::make(folder.path(), beds(), 4, &mut dice).await;
    examine(&recording, &mut dice).await;
}

/// A store that was closed in order, and one of its systems has as much history as is kept: each action that comes
/// drives out another.
async fn with_a_full_history(folder: &Path) -> Vec<SystemId> {
    let store = open(folder).await;
    let mut systems = vec![id("full")];
    for _ in 0..HISTORY_KEPT / 2 {
        for command in [timer(60), manual(), STOP] {
            carry_out(&store, &systems[0], &command).await;
        }
    }
    store.close().await;
    systems.extend(beds());
    systems
}

#[tokio::test]
async fn the_log_of_a_store_with_a_full_history_cut_anywhere_holds_what_was_answered() {
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let systems = with_a_full_history(folder.path()).await;
    let before = std::fs::read(folder.path().join("acequia.db")).unwrap();
    let recording = Recording::make(folder.path(), systems, 2, &mut dice).await;
    assert!(recording.database == before, "no checkpoint during the run");
    let full = &recording.systems[0];
    let kept = recording.before.0[full].1.len();
    assert_eq!(kept, HISTORY_KEPT as usize);
    examine(&recording, &mut dice).await;
}

/// The database as a checkpoint of all of the log would have left it.
fn checkpointed(recording: &Recording) -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("acequia.db");
    std::fs::write(&path, &recording.database).unwrap();
    std::fs::write(folder.path().join("acequia.db-wal"), &recording.log).unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
        .unwrap();
    drop(file);
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_checkpoint_torn_anywhere_loses_nothing() {
    let mut dice = Dice::new();
    let folder = TempDir::new().unwrap();
    let recording = Recording::make(folder.path(), beds(), 4, &mut dice).await;
    let mut expected = recording.before.clone();
    for committed in &recording.changes {
        expected.apply(committed);
    }
    let after = checkpointed(&recording);
    let page_size = Log(&recording.log).page_size();
    for _ in 0..50 {
        // Each half of a page was written or was not; the last of them may be missing.
        let written = dice.random_range(0..=after.len() / page_size) * page_size;
        let mut torn = recording.database.clone();
        torn.resize(torn.len().max(written), 0);
        for half in (0..torn.len()).step_by(page_size / 2) {
            let half = half..half + page_size / 2;
            if dice.random() {
                torn[half.clone()].copy_from_slice(&after[half]);
            }
        }
        let found = recording.reopen(&torn, &recording.log).await;
        found.must_be(&expected, "the log is whole");
    }
}

#[tokio::test]
async fn the_log_cut_anywhere_holds_a_change_with_the_answer_that_is_kept_or_neither() {
    const REQUESTS: u64 = 8;
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await;
    let north = id("north");
    let mut made = Vec::new();
    for seq in 1..=REQUESTS {
        let command = if seq % 2 == 1 { timer(60) } else { STOP };
        let change = change(&store.load(&north).await.unwrap(), &command);
        let receipt = receipt(&format!("k{seq}"), "water", &change.state, None);
        let written = store.commit_once(&north, Some(change), receipt.clone());
        assert_eq!(written.await, Ok(None));
        made.push((seq, receipt));
    }
    let database = std::fs::read(folder.path().join("acequia.db")).unwrap();
    let log = std::fs::read(folder.path().join("acequia.db-wal")).unwrap();
    store.close().await;

    let log = Log(&log);
    let mut found = HashSet::new();
    for frames in 0..=log.frames() {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("acequia.db"), &database).unwrap();
        let remainder = &log.0[..log.end(frames)];
        std::fs::write(folder.path().join("acequia.db-wal"), remainder).unwrap();
        let store = open(folder.path()).await;
        let now = store.load(&north).await.unwrap().seq;
        found.insert(now);
        for (seq, receipt) in &made {
            // The request comes again, and would change nothing: what is not known of it is overtaken.
            let again = store.commit_once(&north, None, receipt.clone()).await;
            let expected = match *seq <= now {
                true => Ok(Some(receipt.answer.clone())),
                false => Err(CommitError::Stale),
            };
            assert_eq!(again, expected, "k{seq} of {now} in {frames} frames");
        }
        store.close().await;
    }
    assert_eq!(found, (0..=REQUESTS).collect());
}
