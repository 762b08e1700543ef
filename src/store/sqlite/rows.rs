//! How states and actions become rows.
//!
//! SQL only: no threads, no queues.

use std::time::Duration;

use rusqlite::{Connection, Row, TransactionBehavior, named_params, params};

use super::receipts;
use super::values::Local;
use crate::command::SystemId;
use crate::engine::{Action, Mode, Run, State};
use crate::store::Committed;
use crate::store::receipt::Receipt;
use crate::time::{Ticks, Wall};

/// How long a write waits for somebody else's lock.
const BUSY: Duration = Duration::from_secs(2);
/// The same after a write that failed: who holds the lock so long will hold it longer, and a stop does not wait for it.
const BUSY_IN_TROUBLE: Duration = Duration::from_millis(50);

/// Whether a write waits for somebody else's lock as long as is usual.
pub(super) fn be_patient(connection: &Connection, patient: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(if patient { BUSY } else { BUSY_IN_TROUBLE })
}

/// A row of the systems as it was read.
pub(super) struct StateRow {
    pub(super) system: SystemId,
    pub(super) state: State,
    pub(super) actions: u32,
    /// None in a file of version 1.
    pub(super) sum: Option<u32>,
}

pub(super) fn read_states(connection: &Connection) -> rusqlite::Result<Vec<StateRow>> {
    let mut statement = connection.prepare("SELECT * FROM systems")?;
    let rows = statement.query_map([], |row| {
        Ok(StateRow {
            system: row.get("id")?,
            state: state(row)?,
            actions: row.get("actions")?,
            sum: row.get("sum")?,
        })
    })?;
    rows.collect()
}

/// A checksum of all that the row of a system holds: SQLite would not notice another digit in a deadline. It is kept in
/// files: what it is made of must stay the same.
pub(super) fn sum(system: &SystemId, state: &State, actions: u32) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    let mut add = |bytes: &[u8]| {
        // With its length, so that no two rows look alike.
        sum.update(&bytes.len().to_le_bytes());
        sum.update(bytes);
    };
    add(system.as_str().as_bytes());
    add(&state.seq.to_le_bytes());
    add(&actions.to_le_bytes());
    if let Some(run) = &state.run {
        let mode = match run.mode {
            Mode::Timer => b"timer".as_slice(),
            Mode::Manual => b"manual",
        };
        add(mode);
        add(&run.boot.0.to_le_bytes());
        add(&run.started.millis().to_le_bytes());
        let deadline = run.deadline.map(|deadline| deadline.millis().to_le_bytes());
        add(deadline.as_ref().map_or(&[], |bytes| bytes));
        add(&run.shown_start.utc_ms.to_le_bytes());
        add(&run.shown_start.offset_s.to_le_bytes());
        add(&run.shown_offset_s.to_le_bytes());
        let by = run.by.as_ref();
        add(by.map_or(&[], |by| by.as_str().as_bytes()));
    }
    sum.finalize()
}

fn state(row: &Row<'_>) -> rusqlite::Result<State> {
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

/// How many actions the history of a system holds before a change and after it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count {
    pub(super) before: u32,
    pub(super) after: u32,
}

/// What is written in one go for a system: a change, and the answer that is kept.
pub(super) struct Entry<'a> {
    pub(super) change: Option<(&'a Committed, Count)>,
    pub(super) receipt: Option<&'a Receipt>,
}

/// Writes all of the entries in one transaction, or none.
///
/// The statements of every day touch one row of one table: one that could fail half-way makes SQLite keep a journal for
/// it alone, 64 KiB at a time, which cost as much as the rest of the commit (docs/performance.md).
pub(super) fn write<'a>(
    connection: &mut Connection,
    entries: impl Iterator<Item = Entry<'a>>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for Entry { change, receipt } in entries {
        if let Some((Committed { system, change }, Count { before, after })) = change {
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

pub(super) fn update_state(
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

/// Writes systems that are not there yet, each with its history, in one transaction.
pub(super) fn import<'a>(
    connection: &mut Connection,
    systems: impl Iterator<Item = (&'a SystemId, &'a State, &'a [Action])>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (system, state, actions) in systems {
        let count = u32::try_from(actions.len()).unwrap_or(u32::MAX);
        insert_state(&transaction, system, state, count)?;
        for action in actions {
            write_action(&transaction, system, action)?;
        }
    }
    transaction.commit()
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

fn action(row: &Row<'_>) -> rusqlite::Result<Action> {
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

/// Reads one page of the file.
pub(super) fn ping(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}
