//! The tables, and how states and actions become rows.
//!
//! SQL only: no threads, no queues.

use std::path::Path;
use std::time::Duration;

use chrono::NaiveDateTime;
use dashmap::DashMap;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, TransactionBehavior, named_params, params};
use thiserror::Error;

use super::writer::Copied;
use crate::command::{By, SystemId};
use crate::engine::{Action, Change, Mode, Outcome, Run, State};
use crate::store::Committed;
use crate::time::{BootId, Ticks, Wall};

/// Grows with every change of the tables; a file with a greater number was written by a newer acequia.
const SCHEMA_VERSION: i64 = 1;

/// How long a write waits for somebody else's lock.
const BUSY: Duration = Duration::from_secs(2);

/// `boot`: 16 bytes. `started`, `deadline`: milliseconds of that boot. `start_utc_ms`, `start_offset_s`, `offset_s`:
/// the start as last shown, its UTC offset, and the offset in force then. `actions`: how many the history holds, so
/// that nobody has to count. `start` and `end` of an action: local time as it was shown.
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
    actions INTEGER NOT NULL
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

/// Why a file cannot be opened.
#[derive(Debug, Error)]
pub(super) enum RowsError {
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    #[error("it has schema version {0}, this acequia knows up to {SCHEMA_VERSION}")]
    Newer(i64),
}

/// Opens the file to write, creating it where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, RowsError> {
    let mut connection = Connection::open(path)?;
    // With a write-ahead log and FULL, COMMIT returns after the fsync of the log: what is answered survives a power
    // cut, and a torn write at the end of the log is found by its checksum and ignored.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    // Nobody else writes, but somebody may look into the file with a tool that locks it for a moment.
    connection.busy_timeout(BUSY)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match version {
        0 => {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        }
        SCHEMA_VERSION => {}
        newer => return Err(RowsError::Newer(newer)),
    }
    transaction.commit()?;
    Ok(connection)
}

/// Opens the file, which must be there, to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// The states of all systems that have ever changed.
pub(super) fn states(connection: &Connection) -> rusqlite::Result<DashMap<SystemId, Copied>> {
    let mut statement = connection.prepare("SELECT * FROM systems")?;
    let rows = statement.query_map([], |row| {
        let copied = Copied::new(state(row)?, row.get("actions")?);
        Ok((row.get("id")?, copied))
    })?;
    rows.collect()
}

fn state(row: &rusqlite::Row<'_>) -> rusqlite::Result<State> {
    let seq = row.get("seq")?;
    let Some(mode) = row.get::<_, Option<Mode>>("mode")? else {
        return Ok(State { seq, run: None });
    };
    let run = Run {
        mode,
        boot: BootId(u128::from_be_bytes(row.get("boot")?)),
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

/// A change, and how many actions the history of its system holds before and after it.
pub(super) struct Row<'a> {
    pub(super) committed: &'a Committed,
    pub(super) before: u32,
    pub(super) after: u32,
}

/// Writes all of the changes in one transaction, or none.
///
/// The statements of every day touch one row of one table: one that could fail half-way makes SQLite keep a journal for
/// it alone, 64 KiB at a time, which cost as much as the rest of the commit (docs/performance.md).
pub(super) fn write<'a>(
    connection: &mut Connection,
    rows: impl Iterator<Item = Row<'a>>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for Row {
        committed,
        before,
        after,
    } in rows
    {
        let Committed { system, change } = committed;
        write_state(&transaction, system, change, after)?;
        if let Some(action) = &change.action {
            write_action(&transaction, system, action)?;
            if before == after {
                forget_oldest(&transaction, system)?;
            }
        }
    }
    transaction.commit()
}

fn write_state(
    connection: &Connection,
    system: &SystemId,
    change: &Change,
    actions: u32,
) -> rusqlite::Result<()> {
    let run = change.state.run.as_ref();
    let sql = if change.expected_seq() == 0 {
        // OR REPLACE: a commit whose success was not reported may have left a row.
        "INSERT OR REPLACE INTO systems VALUES (:id, :seq, :mode, :boot, :started, :deadline, \
         :start_utc_ms, :start_offset_s, :offset_s, :by, :actions)"
    } else {
        "UPDATE systems SET seq = :seq, mode = :mode, boot = :boot, started = :started, \
         deadline = :deadline, start_utc_ms = :start_utc_ms, start_offset_s = :start_offset_s, \
         offset_s = :offset_s, by = :by, actions = :actions WHERE id = :id"
    };
    let written = connection.prepare_cached(sql)?.execute(named_params! {
        ":id": system,
        ":seq": change.state.seq,
        ":mode": run.map(|run| run.mode),
        ":boot": run.map(|run| run.boot.0.to_be_bytes()),
        ":started": run.map(|run| run.started.millis()),
        ":deadline": run.and_then(|run| run.deadline).map(Ticks::millis),
        ":start_utc_ms": run.map(|run| run.shown_start.utc_ms),
        ":start_offset_s": run.map(|run| run.shown_start.offset_s),
        ":offset_s": run.map(|run| run.shown_offset_s),
        ":by": run.and_then(|run| run.by.as_ref()),
        ":actions": actions,
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
    statement
        .query_map(params![system, before, limit], action)?
        .collect()
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

/// A local time without zone, as text.
struct Local(NaiveDateTime);

const LOCAL_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f";

impl ToSql for Local {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.format(LOCAL_FORMAT).to_string().into())
    }
}

impl FromSql for Local {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        NaiveDateTime::parse_from_str(value.as_str()?, LOCAL_FORMAT)
            .map(Self)
            .map_err(FromSqlError::other)
    }
}

impl ToSql for SystemId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for SystemId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Self::parse(value.as_str()?).map_err(FromSqlError::other)
    }
}

impl ToSql for By {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for By {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match Self::parse(value.as_str()?) {
            Ok(Some(by)) => Ok(by),
            Ok(None) => Err(FromSqlError::InvalidType),
            Err(invalid) => Err(FromSqlError::other(invalid)),
        }
    }
}

/// Stores a plain enum as the name on its right, and reads it back.
macro_rules! stored_as_text {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(match self { $(Self::$variant => $text,)+ }.into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                match value.as_str()? {
                    $($text => Ok(Self::$variant),)+
                    other => Err(FromSqlError::other(std::io::Error::other(format!(
                        concat!("no such ", stringify!($name), ": {:?}"), other
                    )))),
                }
            }
        }
    };
}

stored_as_text!(Mode { Timer = "timer", Manual = "manual" });
stored_as_text!(Outcome {
    Completed = "completed",
    Stopped = "stopped",
    Replaced = "replaced",
    Limited = "limited",
    Interrupted = "interrupted",
});
