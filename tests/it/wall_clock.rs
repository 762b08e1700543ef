//! A wall clock that a test sets, under a program that knows nothing of it. The clocks that runs are measured on are as
//! they are.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::machine::compiled;

/// By how many nanoseconds the clock is off, in a file that programs map, see tests/faults/clock.c.
pub(crate) struct WallClock {
    path: PathBuf,
    file: File,
}

impl WallClock {
    /// Right, or as it has been left in the file.
    pub(crate) fn kept_in(path: PathBuf) -> Self {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .unwrap();
        let clock = Self { path, file };
        if clock.file.metadata().unwrap().len() == 0 {
            clock.set(0);
        }
        clock
    }

    /// Another one that shows the same, until one of them is set.
    pub(crate) fn copied_to(&self, path: PathBuf) -> Self {
        std::fs::copy(&self.path, &path).unwrap();
        Self::kept_in(path)
    }

    /// Sets it to so many seconds after (or before) the right time.
    pub(crate) fn set(&self, off_s: i64) {
        let off_ns = off_s * 1_000_000_000;
        self.file.write_all_at(&off_ns.to_ne_bytes(), 0).unwrap();
    }

    /// Has a program read this clock, which also needs the [`library`] in front of it.
    pub(crate) fn show<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        program.env("CLOCK_OFF", &self.path)
    }
}

/// For `LD_PRELOAD`.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled("clock", include_str!("../faults/clock.c")))
}
