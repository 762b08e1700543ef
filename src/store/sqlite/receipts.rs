//! The answers that are kept under the keys of their requests, as rows.
//!
//! SQL only.

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, TransactionBehavior, named_params, params};

use super::values::Local;
use crate::command::{IdempotencyKey, Request};
use crate::engine::{Answer, Shown, ShownRun};
use crate::store::receipt::{RECEIPTS_KEPT, Receipt, is_forgotten};
use crate::time::{BootId, Ticks};

/// `id` grows with time. `seq` and what follows: the state as it was answered; `reason`: why nothing had changed.
pub(super) const SCHEMA: &str = "
CREATE TABLE receipts (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    asks TEXT NOT NULL,
    boot BLOB NOT NULL,
    ticks INTEGER NOT NULL,
    reason TEXT,
    seq INTEGER NOT NULL,
    mode TEXT,
    start TEXT,
    end TEXT,
    elapsed_ms INTEGER,
    remaining_ms INTEGER,
    by TEXT
) STRICT;
";

/// What is kept under a key, unless it is old enough to be forgotten at `now`. What cannot be read is not kept, either.
pub(super) fn find(
    connection: &Connection,
    key: &IdempotencyKey,
    now: (BootId, Ticks),
) -> rusqlite::Result<Option<Receipt>> {
    let mut statement = connection.prepare_cached("SELECT * FROM receipts WHERE key = ?1")?;
    let found = statement.query_row([key.as_str()], |row| receipt(key, row));
    let found = match found {
        Err(error) if error.sqlite_error_code().is_none() => None,
        found => Some(found?),
    };
    Ok(found.filter(|receipt| !is_forgotten(receipt.boot, receipt.ticks, now)))
}

/// Keeps a receipt, and forgets two that are old enough, where there are any: so the table shrinks faster than it grows.
pub(super) fn keep(connection: &Connection, receipt: &Receipt) -> rusqlite::Result<()> {
    let now = (receipt.boot, receipt.ticks);
    // One under the same key is there only when it should have been forgotten.
    let forget = "DELETE FROM receipts WHERE key = ?1";
    connection
        .prepare_cached(forget)?
        .execute([receipt.request.key.as_str()])?;
    let Shown { seq, run } = &receipt.answer.shown;
    let run = run.as_ref();
    connection
        .prepare_cached(
            "INSERT INTO receipts VALUES (NULL, :key, :asks, :boot, :ticks, :reason, :seq, :mode, \
             :start, :end, :elapsed_ms, :remaining_ms, :by)",
        )?
        .execute(named_params! {
            ":key": receipt.request.key.as_str(),
            ":asks": &*receipt.request.asks,
            ":boot": receipt.boot,
            ":ticks": receipt.ticks.millis(),
            ":reason": receipt.answer.unchanged,
            ":seq": seq,
            ":mode": run.map(|run| run.mode),
            ":start": run.map(|run| Local(run.start)),
            ":end": run.and_then(|run| run.end).map(Local),
            ":elapsed_ms": run.map(|run| run.elapsed_ms),
            ":remaining_ms": run.and_then(|run| run.remaining_ms),
            ":by": run.and_then(|run| run.by.as_ref()),
        })?;
    forget_oldest(connection, connection.last_insert_rowid(), now)
}

/// Keeps receipts of another store, oldest first.
pub(super) fn import(connection: &mut Connection, receipts: &[Receipt]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for receipt in receipts {
        keep(&transaction, receipt)?;
    }
    transaction.commit()
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<usize> {
    connection.query_row("SELECT count(*) FROM receipts", [], |row| row.get(0))
}

/// Those after the row `after`, oldest first, each with its row. None in place of one that cannot be read.
pub(super) fn page(
    connection: &Connection,
    after: i64,
    most: usize,
) -> rusqlite::Result<Vec<(i64, Option<Receipt>)>> {
    let sql = "SELECT * FROM receipts WHERE id > ?1 ORDER BY id LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params![after, most], |row| {
        let key: String = row.get("key")?;
        let id = row.get("id")?;
        let key = IdempotencyKey::bare(&key).map_err(FromSqlError::other);
        let read = key
            .map_err(rusqlite::Error::from)
            .and_then(|key| receipt(&key, row));
        match read {
            Err(error) if error.sqlite_error_code().is_none() => Ok((id, None)),
            read => Ok((id, Some(read?))),
        }
    })?;
    rows.collect()
}

fn forget_oldest(
    connection: &Connection,
    newest: i64,
    now: (BootId, Ticks),
) -> rusqlite::Result<()> {
    let mut oldest =
        connection.prepare_cached("SELECT id, boot, ticks FROM receipts ORDER BY id LIMIT 2")?;
    let oldest = oldest.query_map([], |row| {
        let id = row.get::<_, i64>("id")?;
        let kept = newest.abs_diff(id) < RECEIPTS_KEPT;
        let written = row
            .get("boot")
            .and_then(|boot| Ok((boot, row.get("ticks")?)));
        // What cannot be read is of no use.
        let old = written.map_or(true, |(boot, ticks)| {
            is_forgotten(boot, Ticks::from_millis(ticks), now)
        });
        Ok((id, !kept || old))
    })?;
    let oldest: Vec<_> = oldest.collect::<rusqlite::Result<_>>()?;
    for (id, _) in oldest.into_iter().filter(|(_, forgotten)| *forgotten) {
        connection
            .prepare_cached("DELETE FROM receipts WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(())
}

fn receipt(key: &IdempotencyKey, row: &Row<'_>) -> rusqlite::Result<Receipt> {
    let run = match row.get("mode")? {
        None => None,
        Some(mode) => Some(ShownRun {
            mode,
            start: row.get::<_, Local>("start")?.0,
            end: row.get::<_, Option<Local>>("end")?.map(|end| end.0),
            elapsed_ms: row.get("elapsed_ms")?,
            remaining_ms: row.get("remaining_ms")?,
            by: row.get("by")?,
        }),
    };
    let seq = row.get("seq")?;
    Ok(Receipt {
        request: Request {
            key: key.clone(),
            asks: row.get::<_, String>("asks")?.into(),
        },
        boot: row.get("boot")?,
        ticks: Ticks::from_millis(row.get("ticks")?),
        answer: Answer {
            shown: Shown { seq, run },
            unchanged: row.get("reason")?,
        },
    })
}
