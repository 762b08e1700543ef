//! The gateway under load: the real binary, on a store on the disk of the build folder (a store in memory would have
//! no fsync), and what the kernel says of it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Child;

use tempfile::TempDir;

use crate::program;

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    child: Child,
}

/// A folder on the disk that the program was built on.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Gateway {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        let (child, address) = program::start(([127, 0, 0, 1], 0).into(), folder, config, &[]);
        Self { address, child }
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Processor time used so far, in seconds (the kernel counts in hundredths).
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
