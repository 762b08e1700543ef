//! The file as the source or the target of a migration: read and written as a whole, with no gateway around.

use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::lock::Lock;
use super::{open, receipts, rows};
use crate::command::SystemId;
use crate::engine::{Action, State};
use crate::store::migrate::{Bundle, MigrateError, failed};
use crate::store::receipt::Receipt;
use crate::store::{HISTORY_KEPT, OpenError};
use crate::time::BootId;

/// A file that is read.
pub(in crate::store) struct Source {
    connection: Connection,
    states: Vec<(SystemId, State)>,
    _lock: Lock,
}

fn cannot(path: &Path, what: &str, cause: impl std::fmt::Display) -> OpenError {
    OpenError(format!("the store {} {what}: {cause}", path.display()))
}

fn lock(path: &Path) -> Result<Lock, OpenError> {
    Lock::take(path).map_err(|e| match e {
        TryLockError::WouldBlock => cannot(path, "is in use by another process", "stop it first"),
        TryLockError::Error(e) => cannot(path, "cannot be opened", e),
    })
}

fn sql(cause: rusqlite::Error) -> MigrateError {
    failed("the file", cause)
}

impl Source {
    pub(in crate::store) fn open(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(cannot(path, "cannot be read", "there is no such file"));
        }
        // To SQLite this is a new database; to whoever names it as a source it is one that was lost.
        if std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
            return Err(cannot(path, "cannot be read", "it is empty"));
        }
        let lock = lock(path)?;
        let opened = open::open(path);
        let (connection, states) = opened.map_err(|e| cannot(path, "cannot be read", e))?;
        let mut states: Vec<_> = states
            .iter()
            .map(|entry| (entry.key().clone(), State::from(&entry.lean)))
            .collect();
        states.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if lock.doubts() {
            // As a gateway does after a restart: nothing goes on from a file that may lack an end, and the number that
            // such an end may have been shown with is not used again.
            for (_, state) in &mut states {
                if let Some(run) = &mut state.run {
                    run.boot = BootId::NONE;
                    state.seq += 1;
                }
            }
        }
        Ok(Self {
            connection,
            states,
            _lock: lock,
        })
    }

    /// Every system that has ever changed.
    pub(in crate::store) fn states(&self) -> &[(SystemId, State)] {
        &self.states
    }

    /// Oldest first.
    pub(in crate::store) fn history(&self, system: &SystemId) -> Result<Vec<Action>, MigrateError> {
        let newest = rows::history(&self.connection, system, HISTORY_KEPT, None);
        let mut actions = newest.map_err(sql)?;
        actions.reverse();
        Ok(actions)
    }

    pub(in crate::store) fn count_receipts(&self) -> Result<usize, MigrateError> {
        receipts::count(&self.connection).map_err(sql)
    }

    /// Those after the row `after`, oldest first, each with its row. None in place of one that cannot be read.
    pub(in crate::store) fn receipts(
        &self,
        after: i64,
        most: usize,
    ) -> Result<Vec<(i64, Option<Receipt>)>, MigrateError> {
        receipts::page(&self.connection, after, most).map_err(sql)
    }
}

/// A file that is written under another name, and gets its own when it is complete.
pub(in crate::store) struct Target {
    connection: Connection,
    unfinished: PathBuf,
    path: PathBuf,
    lock: Lock,
}

impl Target {
    pub(in crate::store) fn create(path: &Path) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        // The log of another database would be taken for that of the new one.
        for there in [path.to_owned(), beside(path, "-wal")] {
            if there.exists() {
                let free = "move it away, or name another file";
                return Err(cannot(&there, "is there already", free));
            }
        }
        let unfinished = beside(path, ".migrating");
        // What a migration that was cut has left.
        for name in ["", "-wal", "-shm"] {
            // There is none, as a rule.
            let _ = std::fs::remove_file(beside(&unfinished, name));
        }
        let opened = open::open(&unfinished);
        let (connection, _) = opened.map_err(|e| cannot(&unfinished, "cannot be written", e))?;
        Ok(Self {
            connection,
            unfinished,
            path: path.to_owned(),
            lock,
        })
    }

    pub(in crate::store) fn put(&mut self, bundles: &[Bundle]) -> Result<(), MigrateError> {
        let rows = bundles.iter().map(|bundle| {
            let kept = bundle.actions.len().saturating_sub(HISTORY_KEPT as usize);
            (&bundle.system, &bundle.state, &bundle.actions[kept..])
        });
        rows::import(&mut self.connection, rows).map_err(sql)
    }

    pub(in crate::store) fn put_receipts(&mut self, kept: &[Receipt]) -> Result<(), MigrateError> {
        receipts::import(&mut self.connection, kept).map_err(sql)
    }

    /// Gives the file its name.
    pub(in crate::store) fn finish(mut self) -> Result<(), MigrateError> {
        // The log goes into the file when the last connection closes; nobody says so if it does not.
        self.connection.close().map_err(|(_, cause)| sql(cause))?;
        if beside(&self.unfinished, "-wal").exists() {
            return Err(failed("the file", "its log could not be written into it"));
        }
        // What another database of this name has left there is not about this one.
        self.lock.set_doubt(false);
        let named = || {
            std::fs::File::open(&self.unfinished)?.sync_all()?;
            std::fs::rename(&self.unfinished, &self.path)?;
            let folder = self
                .path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        named().map_err(|e| failed("the file cannot be given its name", e))
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
