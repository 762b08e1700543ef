//! The file beside the database: one gateway at a time, and a mark that says whether the database can be believed.
//!
//! The mark is one byte in a place that is taken already: setting it needs no room, so it also works on a full disk.

use std::fs::{File, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The database holds everything that was answered, and nothing else.
const BELIEVED: u8 = b'0';
/// It may lack a run's end, or hold a beginning that was refused: after a restart nothing may go on from it.
const DOUBTED: u8 = b'1';
/// Setting the mark has failed: it may be either.
const UNKNOWN: u8 = b'?';

/// The lock, held for as long as the database is used.
///
/// Two gateways on one file would each believe their own copy of the states. The lock is beside the database and not
/// on it, because SQLite's own locks are lost when any handle to the same file is closed.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    /// None: a new lock, of a store that has never been used.
    mark: Option<u8>,
}

impl Lock {
    pub(super) fn take(path: &Path) -> Result<Self, TryLockError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(PathBuf::from(name))
            .map_err(TryLockError::Error)?;
        file.try_lock()?;
        let mut mark = [0];
        let read = file.read_at(&mut mark, 0).map_err(TryLockError::Error)?;
        let mark = (read == 1).then_some(mark[0]);
        Ok(Self { file, mark })
    }

    /// True when there has been a store here.
    pub(super) const fn was_used(&self) -> bool {
        self.mark.is_some()
    }

    pub(super) const fn doubts(&self) -> bool {
        matches!(self.mark, Some(mark) if mark != BELIEVED)
    }

    /// Sets the mark, durably. One that cannot be set is logged: there is nothing else that could be done.
    pub(super) fn set_doubt(&mut self, doubt: bool) {
        let mark = if doubt { DOUBTED } else { BELIEVED };
        if self.mark == Some(mark) {
            return;
        }
        let set = self.file.write_all_at(&[mark], 0);
        match set.and_then(|()| self.file.sync_data()) {
            Ok(()) => self.mark = Some(mark),
            Err(cause) => {
                if self.mark.replace(UNKNOWN) != Some(UNKNOWN) {
                    tracing::error!(%cause, doubt, "the mark beside the store could not be set");
                }
            }
        }
    }
}
