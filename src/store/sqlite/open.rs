//! Opening the file: whose it is, whether it is whole, and bringing its tables up to date.
//!
//! Changes nothing in a file that is not ours.

use std::path::Path;

use dashmap::DashMap;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use thiserror::Error;

use super::receipts;
use super::rows::{self, StateRow};
use super::writer::Copied;
use crate::command::SystemId;

/// Grows with every change of the tables; a file with a greater number was written by a newer acequia.
const SCHEMA_VERSION: i64 = 2;

/// `PRAGMA application_id` of a store, "aq" and the version once more: a version that is damaged is not taken for a newer
/// one. Version 1 had none.
const fn application_id(version: i64) -> i64 {
    0x6171_0000 | version
}

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
pub(super) enum FileError {
    #[error(transparent)]
    Sql(rusqlite::Error),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error("it has schema version {0}, this acequia knows up to {SCHEMA_VERSION}")]
    Newer(i64),
    #[error("it is no store of acequia, and was left as it is")]
    Foreign,
}

impl From<rusqlite::Error> for FileError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // Malformed, other tables than ours, or values that mean nothing.
            None
            | Some(
                ErrorCode::ConstraintViolation
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown,
            ) => Self::Damaged(error.to_string()),
            // What went wrong outside of the file.
            Some(_) => Self::Sql(error),
        }
    }
}

/// Opens the file to write, creating it where there is none, and reads the states of all systems that have ever
/// changed.
pub(super) fn open(path: &Path) -> Result<(Connection, DashMap<SystemId, Copied>), FileError> {
    let mut connection = Connection::open(path)?;
    // Until the file is known to be whole nothing is written into it, and its log stays as it is.
    keep_log(&connection, true)?;
    rows::be_patient(&connection, true)?;
    let is_new = is_new(&connection)?;
    // With a write-ahead log and FULL, COMMIT returns after the fsync of the log: what is answered survives a power
    // cut, and a torn write at the end of the log is found by its checksum and ignored.
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    check(&connection)?;
    bring_up_to_date(&mut connection, is_new)?;
    let states = states(&connection)?;
    keep_log(&connection, false)?;
    Ok((connection, states))
}

fn keep_log(connection: &Connection, keep: bool) -> rusqlite::Result<()> {
    let setting = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
    connection.set_db_config(setting, keep).map(|_| ())
}

/// True for a file without tables.
///
/// # Errors
/// [`FileError::Foreign`] when there are tables, and none of ours.
fn is_new(connection: &Connection) -> Result<bool, FileError> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get(0))?;
    let names: Vec<String> = names.collect::<rusqlite::Result<_>>()?;
    let ours = names
        .iter()
        .any(|name| name == "systems" || name == "actions");
    if !names.is_empty() && !ours {
        return Err(FileError::Foreign);
    }
    Ok(names.is_empty())
}

/// SQLite's own look at every page.
fn check(connection: &Connection) -> Result<(), FileError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(FileError::Damaged(found))
}

fn bring_up_to_date(connection: &mut Connection, is_new: bool) -> Result<(), FileError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get(0));
    let (version, id): (i64, i64) = (pragma("user_version")?, pragma("application_id")?);
    match version {
        0 if is_new => {
            transaction.execute_batch(SCHEMA)?;
            transaction.execute_batch(receipts::SCHEMA)?;
        }
        1 if id == 0 => {
            transaction.execute_batch(SUMS)?;
            transaction.execute_batch(receipts::SCHEMA)?;
            for row in rows::read_states(&transaction)? {
                rows::update_state(&transaction, &row.system, &row.state, row.actions)?;
            }
        }
        SCHEMA_VERSION if id == application_id(version) => return Ok(()),
        newer if newer > SCHEMA_VERSION && id == application_id(newer) => {
            return Err(FileError::Newer(newer));
        }
        nobodys => {
            let what = format!("no acequia writes schema version {nobodys} with this id");
            return Err(FileError::Damaged(what));
        }
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.pragma_update(None, "application_id", application_id(SCHEMA_VERSION))?;
    Ok(transaction.commit()?)
}

fn states(connection: &Connection) -> Result<DashMap<SystemId, Copied>, FileError> {
    let rows = rows::read_states(connection)?;
    let states = DashMap::with_capacity(rows.len());
    for StateRow {
        system,
        state,
        actions,
        sum,
    } in rows
    {
        if sum != Some(rows::sum(&system, &state, actions)) {
            let what = format!("the state of {system} is not what was written");
            return Err(FileError::Damaged(what));
        }
        states.insert(system, Copied::new(state, actions));
    }
    Ok(states)
}

/// Opens the file, which must be there, to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Writes what is there already, to see whether it can be.
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)
}
