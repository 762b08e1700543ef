//! What becomes of a database that cannot be believed: a damaged one is put aside, for people who may save something from
//! it; the runs of a doubted one are ended.
//!
//! What is damaged is decided where the file is opened.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dashmap::DashMap;
use rusqlite::Connection;

use super::lock::Lock;
use super::open::{self, FileError};
use super::writer::Copied;
use crate::command::SystemId;
use crate::time::BootId;

/// A database that can be used.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) states: DashMap<SystemId, Copied>,
    pub(super) quarantined: Option<String>,
}

/// Opens the database; a damaged one is put aside, and a new one takes its place, where everything waits.
pub(super) fn open_or_put_aside(path: &Path, lock: &mut Lock) -> Result<Opened, FileError> {
    let begins = begins(path);
    let is_sqlite = begins
        .as_ref()
        .is_none_or(|begins| begins.is_empty() || begins == MAGIC);
    let opened = match begins {
        // SQLite takes an empty file for a new one.
        Some(begins) if begins.is_empty() && lock.was_used() => {
            Err(FileError::Damaged("it is empty".into()))
        }
        None if lock.was_used() => {
            tracing::warn!("there was a store here, and its file is gone: everything begins anew");
            open::open(path)
        }
        // Nobody has used it as a store: a slip in the configuration must not cost somebody a file.
        Some(_) if !is_sqlite && !lock.was_used() => Err(FileError::Foreign),
        _ => open::open(path),
    };
    let (opened, quarantined) = match opened {
        Err(FileError::Damaged(cause)) => {
            // A start that breaks off half-way must not find one of the files without the other and believe it.
            lock.set_doubt(true);
            let name = put_aside(path)
                .map_err(|e| FileError::Damaged(format!("{cause}; it cannot be put aside: {e}")))?;
            tracing::error!(
                cause,
                "THE STORE IS DAMAGED. It was put aside as {name}. A new one takes its place: its history is empty, \
                 and every system is in wait. Look at the valves"
            );
            (open::open(path)?, Some(name))
        }
        opened => (opened?, None),
    };
    let (writer, states) = opened;
    Ok(Opened {
        writer,
        states,
        quarantined,
    })
}

/// How every SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// The first bytes of a file; none where there is no file that can be read.
fn begins(path: &Path) -> Option<Vec<u8>> {
    let mut first = Vec::new();
    let file = File::open(path).ok()?;
    file.take(MAGIC.len() as u64).read_to_end(&mut first).ok()?;
    Some(first)
}

/// Lets no run go on: ends each one's claim to belong to any boot of the machine, so that it counts as interrupted. The
/// next `seq` is skipped, because it may have been shown with an end that was not written. Returns how many there are.
pub(super) fn distrust_runs(states: &DashMap<SystemId, Copied>) -> usize {
    let mut runs = 0;
    for mut copied in states.iter_mut() {
        if let Some(run) = copied.lean.run.as_mut() {
            run.boot = BootId::NONE;
            copied.lean.seq += 1;
            runs += 1;
        }
    }
    if runs > 0 {
        tracing::error!(
            runs,
            "what was answered last could not be written before the gateway ended: every run counts as interrupted"
        );
    }
    runs
}

/// The database, its write-ahead log and the index of it.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Moves the files of a database aside, as `NAME.damaged-1` or the next number that is free, and returns that name.
fn put_aside(path: &Path) -> io::Result<String> {
    let mut n = 1;
    let name = loop {
        let name = with_suffix(path, &format!(".damaged-{n}"));
        let mut taken = false;
        for suffix in SUFFIXES {
            taken |= with_suffix(&name, suffix).try_exists()?;
        }
        if !taken {
            break name;
        }
        n += 1;
    };
    // The log first: a log without its database is lost at the next start, a database without its log is not whole.
    for suffix in SUFFIXES.iter().rev() {
        match std::fs::rename(with_suffix(path, suffix), with_suffix(&name, suffix)) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
    }
    let name = name.file_name().unwrap_or(name.as_os_str());
    Ok(name.to_string_lossy().into_owned())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
