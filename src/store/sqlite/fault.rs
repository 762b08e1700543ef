//! What kind of thing went wrong with the file: that decides what may still be done.

use rusqlite::{Error, ErrorCode};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// One row, or the statement that was to change it.
    Row,
    /// The disk has no room, or somebody else holds the file: nothing was written.
    Disk,
    /// The disk failed half-way: what it holds is not known until it is written again.
    Failing,
    /// The file is no database any more, or holds what nobody wrote.
    Damaged,
}

impl Fault {
    pub(super) fn of(cause: &Error) -> Self {
        match cause.sqlite_error_code() {
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::FileLockingProtocolFailed
                | ErrorCode::OperationInterrupted
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly,
            ) => Self::Disk,
            Some(ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => Self::Failing,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            _ => Self::Row,
        }
    }
}
