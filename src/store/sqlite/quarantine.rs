//! What becomes of a damaged database: it is put aside, for people who may save something from it.
//!
//! Moves files only; what is damaged is decided where the rows are read.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// The database, its write-ahead log and the index of it.
const SUFFIXES: [&str; 3] = ["", "-wal", "-shm"];

/// Moves the files of a database aside, as `NAME.damaged-1` or the next number that is free, and returns that name.
pub(super) fn put_aside(path: &Path) -> io::Result<String> {
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
