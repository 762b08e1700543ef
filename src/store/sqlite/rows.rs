//! The tables, and how states and actions become rows.
//!
//! SQL only: no threads, no queues.

use std::path::Path;
use std::time::Duration;

use dashmap::DashMap;
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params, params};
use thiserror::Error;

use super::fault::Fault;
use super::receipts;
use super::values::Local;
use super::writer::Copied;
use crate::command::SystemId;
use crate::engine::{Action, Mode, Run, State};
use crate::store::Committed;
use crate::store::receipt::Receipt;
use crate::time::{BootId, Ticks, Wall};

/// Grows with every change of the tables; a file with a greater number was written by a newer acequia.
const SCHEMA_VERSION: i64 = 2;

/// How long a write waits for somebody else's lock.
const BUSY: Duration = Duration::from_secs(2);
/// The same after a write that failed: who holds the lock so long will hold it longer, and a stop does not wait for it.
const BUSY_IN_TROUBLE: Duration = Duration::from_millis(50);

/// `boot`: 16 bytes. `started`, `deadline`: milliseconds of that boot. `start_utc_ms`, `start_offset_s`, `offset_s`:
/// the start as last shown, its UTC offset, and the offset in force then. `actions`: how many the history holds, so
/// that nobody has to count. `sum`: a checksum of the row, see [`sum`]. `start` and `end` of an action: local time as it
/// was shown.
const SCHEMA: &str = "
CREATE TABLE systems (
    id TEXT PRIMARY KEY,
    seq INTEGER NOT NULL CHECK (seq > 0),
    mode TEXT,
    boot BLOB,
    started INTEGER,
    deadline INTEGER,
    start_utc_ms INTEGER,
    start_offset_s INTEGER,
    offset_s INTEGER,
    by TEXT,
    actions INTEGER NOT NULL,
    sum INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE actions (
    system TEXT NOT NULL,
    id INTEGER NOT NULL,
    mode TEXT NOT NULL,
    start TEXT NOT NULL,
    end TEXT,
    duration_ms INTEGER,
    planned_ms INTEGER,
    outcome TEXT NOT NULL,
    by TEXT,
    ended_by TEXT,
    PRIMARY KEY (system, id)
) STRICT, WITHOUT ROWID;
";

/// What version 2 added to the tables of version 1.
const SUMS: &str = "ALTER TABLE systems ADD COLUMN sum INTEGER";

/// Why a file cannot be opened.
#[derive(Debug, Error)]
pub(super) enum RowsError {
    #[error(transparent)]
    Sql(rusqlite::Error),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it has schema version {0}, this acequia knows up to {SCHEMA_VERSION}")]
    Newer(i64),
}

impl From<rusqlite::Error> for RowsError {
    fn from(error: rusqlite::Error) -> Self {
        match Fault::of(&error) {
            Fault::Disk | Fault::Failing => Self::Sql(error),
            // Not a database, malformed, other tables than ours, values that mean nothing.
            Fault::Damaged | Fault::Row => Self::Damaged(error.to_string()),
        }
    }
}

/// Opens the file to write, creating it where there is none, and reads the states of all systems that have ever
/// changed.
pub(super) fn open(path: &Path) -> Result<(Connection, DashMap<SystemId, Copied>), RowsError> {
    let mut connection = Connection::open(path)?;
    // With a write-ahead log and FULL, COMMIT returns after the fsync of the log: what is answered survives a power
    // cut, and a torn write at the end of the log is found by its checksum and ignored.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Nobody else writes, but somebody may look into the file with a tool that locks it for a moment.
    be_patient(&connection, true)?;
    check(&connection)?;
    bring_up_to_date(&mut connection)?;
    let states = states(&connection)?;
    Ok((connection, states))
}

/// Whether a write waits for somebody else's lock as long as is usual.
pub(super) fn be_patient(connection: &Connection, patient: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(if patient { BUSY } else { BUSY_IN_TROUBLE })
}

/// SQLite's own look at every page.
fn check(connection: &Connection) -> Result<(), RowsError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(RowsError::Damaged(found))
}

fn bring_up_to_date(connection: &mut Connection) -> Result<(), RowsError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(receipts::SCHEMA)?;
        }
        1 => {
            transaction.execute_batch(SUMS)?;
            transaction.execute_batch(receipts::SCHEMA)?;
            for read in read_states(&transaction)? {
                update_state(&transaction, &read.system, &read.state, read.actions)?;
            }
        }
        SCHEMA_VERSION => return Ok(()),
        newer => return Err(RowsError::Newer(newer)),
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    Ok(transaction.commit()?)
}

/// Opens the file, which must be there, to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn states(connection: &Connection) -> Result<DashMap<SystemId, Copied>, RowsError> {
    let rows = read_states(connection)?;
    let states = DashMap::with_capacity(rows.len());
    for read in rows {
        if read.sum != Some(sum(&read.system, &read.state, read.actions)) {
            let what = format!("the state of {} is not what was written", read.system);
            return Err(RowsError::Damaged(what));
        }
        states.insert(read.system, Copied::new(read.state, read.actions));
    }
    Ok(states)
}

/// A row of the systems as it was read.
struct Read {
    system: SystemId,
    state: State,
    actions: u32,
    /// None in a file of version 1.
    sum: Option<u32>,
}

fn read_states(connection: &Connection) -> rusqlite::Result<Vec<Read>> {
    let mut statement = connection.prepare("SELECT * FROM systems")?;
    let rows = statement.query_map([], |row| {
        Ok(Read {
            system: row.get("id")?,
            state: state(row)?,
            actions: row.get("actions")?,
            sum: row.get("sum")?,
        })
    })?;
    rows.collect()
}

/// A checksum of all that the row of a system holds: SQLite would not notice another digit in a deadline.
fn sum(system: &SystemId, state: &State, actions: u32) -> u32 {
    let mut text = format!("{system}/{}/{actions}", state.seq);
    if let Some(run) = &state.run {
        let Run {
            mode,
            boot,
            started,
            deadline,
            shown_start,
            shown_offset_s,
            by,
        } = run;
        let by = by.as_ref().map(crate::command::By::as_str);
        let row = format!(
            "/{mode:?}/{}/{}/{:?}/{}/{}/{shown_offset_s}/{by:?}",
            boot.0,
            started.millis(),
            deadline.map(Ticks::millis),
            shown_start.utc_ms,
            shown_start.offset_s,
        );
        text.push_str(&row);
    }
    crc32fast::hash(text.as_bytes())
}

/// Lets no run go on: ends each one's claim to belong to any boot of the machine, so that it counts as interrupted. The
/// next `seq` is skipped, because it may have been shown with an end that was not written.
pub(super) fn distrust_runs(
    connection: &mut Connection,
    states: &DashMap<SystemId, Copied>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for mut entry in states.iter_mut() {
        let (system, copied) = entry.pair_mut();
        if let Some(run) = copied.run.as_mut() {
            run.boot = BootId::NONE;
            copied.seq += 1;
            update_state(&transaction, system, &State::from(&*copied), copied.actions)?;
        }
    }
    transaction.commit()
}

fn state(row: &rusqlite::Row<'_>) -> rusqlite::Result<State> {
    let seq = row.get("seq")?;
    let Some(mode) = row.get::<_, Option<Mode>>("mode")? else {
        return Ok(State { seq, run: None });
    };
    let run = Run {
        mode,
        boot: row.get("boot")?,
        started: Ticks::from_millis(row.get("started")?),
        deadline: row
            .get::<_, Option<i64>>("deadline")?
            .map(Ticks::from_millis),
        shown_start: Wall {
            utc_ms: row.get("start_utc_ms")?,
            offset_s: row.get("start_offset_s")?,
        },
        shown_offset_s: row.get("offset_s")?,
        by: row.get("by")?,
    };
    Ok(State {
        seq,
        run: Some(run),
    })
}

/// What is written in one go for a system: a change with the number of actions that its history holds before and after
/// it, and the answer that is kept.
pub(super) struct Row<'a> {
    pub(super) change: Option<(&'a Committed, u32, u32)>,
    pub(super) receipt: Option<&'a Receipt>,
}

/// Writes all of the rows in one transaction, or none.
///
/// The statements of every day touch one row of one table: one that could fail half-way makes SQLite keep a journal for
/// it alone, 64 KiB at a time, which cost as much as the rest of the commit (docs/performance.md).
pub(super) fn write<'a>(
    connection: &mut Connection,
    rows: impl Iterator<Item = Row<'a>>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for Row { change, receipt } in rows {
        if let Some((Committed { system, change }, before, after)) = change {
            if change.expected_seq() == 0 {
                insert_state(&transaction, system, &change.state, after)?;
            } else {
                update_state(&transaction, system, &change.state, after)?;
            }
            if let Some(action) = &change.action {
                write_action(&transaction, system, action)?;
                if before == after {
                    forget_oldest(&transaction, system)?;
                }
            }
        }
        if let Some(receipt) = receipt {
            receipts::keep(&transaction, receipt)?;
        }
    }
    transaction.commit()
}

fn insert_state(
    connection: &Connection,
    system: &SystemId,
    state: &State,
    actions: u32,
) -> rusqlite::Result<()> {
    // OR REPLACE: a commit whose success was not reported may have left a row.
    let sql = "INSERT OR REPLACE INTO systems VALUES (:id, :seq, :mode, :boot, :started, :deadline, \
         :start_utc_ms, :start_offset_s, :offset_s, :by, :actions, :sum)";
    write_state(connection, sql, (system, state, actions))
}

fn update_state(
    connection: &Connection,
    system: &SystemId,
    state: &State,
    actions: u32,
) -> rusqlite::Result<()> {
    let sql = "UPDATE systems SET seq = :seq, mode = :mode, boot = :boot, started = :started, \
         deadline = :deadline, start_utc_ms = :start_utc_ms, start_offset_s = :start_offset_s, \
         offset_s = :offset_s, by = :by, actions = :actions, sum = :sum WHERE id = :id";
    write_state(connection, sql, (system, state, actions))
}

fn write_state(
    connection: &Connection,
    sql: &str,
    (system, state, actions): (&SystemId, &State, u32),
) -> rusqlite::Result<()> {
    let run = state.run.as_ref();
    let written = connection.prepare_cached(sql)?.execute(named_params! {
        ":id": system,
        ":seq": state.seq,
        ":mode": run.map(|run| run.mode),
        ":boot": run.map(|run| run.boot),
        ":started": run.map(|run| run.started.millis()),
        ":deadline": run.and_then(|run| run.deadline).map(Ticks::millis),
        ":start_utc_ms": run.map(|run| run.shown_start.utc_ms),
        ":start_offset_s": run.map(|run| run.shown_start.offset_s),
        ":offset_s": run.map(|run| run.shown_offset_s),
        ":by": run.and_then(|run| run.by.as_ref()),
        ":actions": actions,
        ":sum": sum(system, state, actions),
    })?;
    match written {
        1 => Ok(()),
        rows => Err(rusqlite::Error::StatementChangedRows(rows)),
    }
}

fn write_action(
    connection: &Connection,
    system: &SystemId,
    action: &Action,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO actions VALUES (:system, :id, :mode, :start, :end, :duration_ms, \
             :planned_ms, :outcome, :by, :ended_by)",
        )?
        .execute(named_params! {
            ":system": system,
            ":id": action.id,
            ":mode": action.mode,
            ":start": Local(action.start),
            ":end": action.end.map(Local),
            ":duration_ms": action.duration_ms,
            ":planned_ms": action.planned_ms,
            ":outcome": action.outcome,
            ":by": action.by,
            ":ended_by": action.ended_by,
        })?;
    Ok(())
}

fn forget_oldest(connection: &Connection, system: &SystemId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM actions WHERE system = ?1 AND id = \
             (SELECT min(id) FROM actions WHERE system = ?1)",
        )?
        .execute([system])?;
    Ok(())
}

/// The newest actions of a system, newest first.
pub(super) fn history(
    connection: &Connection,
    system: &SystemId,
    limit: u32,
    before: Option<u64>,
) -> rusqlite::Result<Vec<Action>> {
    // Ids are SQLite's 64-bit integers: everything is before a greater number.
    let before = before.map_or(i64::MAX, |id| i64::try_from(id).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(
        "SELECT * FROM actions WHERE system = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![system, before, limit], action)?;
    let readable = rows.filter(|row| match row {
        Err(rusqlite::Error::FromSqlConversionFailure(.., cause)) => {
            tracing::error!(%system, %cause, "a row of the history is damaged and left out");
            false
        }
        _ => true,
    });
    readable.collect()
}

fn action(row: &rusqlite::Row<'_>) -> rusqlite::Result<Action> {
    Ok(Action {
        id: row.get("id")?,
        mode: row.get("mode")?,
        start: row.get::<_, Local>("start")?.0,
        end: row.get::<_, Option<Local>>("end")?.map(|end| end.0),
        duration_ms: row.get("duration_ms")?,
        planned_ms: row.get("planned_ms")?,
        outcome: row.get("outcome")?,
        by: row.get("by")?,
        ended_by: row.get("ended_by")?,
    })
}

/// Writes what is there already, to see whether it can be.
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)
}

/// Reads one page of the file.
pub(super) fn ping(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}
