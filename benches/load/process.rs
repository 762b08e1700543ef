//! The gateway under load: the real binary, on a store on the disk of the build folder (a store in memory would have
//! no fsync), and what the kernel says of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::program;

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    process: Process,
}

/// A process that ends with this value.
pub(crate) struct Process(Child);

/// A folder on the disk that the program was built on.
pub(crate) fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

impl Gateway {
    pub(crate) fn start(folder: &Path, config: &str) -> Self {
        Self::of(program::start(
            ([127, 0, 0, 1], 0).into(),
            folder,
            config,
            &[],
        ))
    }

    /// Starts this program itself as a server of that name, with the store and the configuration of a gateway.
    pub(crate) fn of_ours(name: &str, folder: &Path, config: &str) -> Self {
        let mut command = program::command(std::env::current_exe().unwrap().to_str().unwrap());
        command.arg(name);
        Self::of(program::start_as(command, folder, config))
    }

    /// Starts a command that says where it listens.
    pub(crate) fn listening(command: Command) -> Self {
        Self::of(program::listening(command, |_| ()))
    }

    fn of((child, address): (Child, SocketAddr)) -> Self {
        let process = Process::new(child);
        Self { address, process }
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        self.process.resident_kib()
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }

    pub(crate) fn spent(&self) -> Spent {
        self.process.spent()
    }
}

/// Processor time of each thread of a process, in nanoseconds, as the scheduler counts it.
pub(crate) struct Spent(BTreeMap<String, u64>);

impl Spent {
    /// What was spent since then, in seconds. What a thread that has ended since then spent is not known.
    pub(crate) fn since_s(&self, before: &Self) -> f64 {
        let each = self.0.iter();
        let each = each.map(|(thread, ns)| ns - before.0.get(thread).unwrap_or(&0));
        each.sum::<u64>() as f64 / 1e9
    }
}

impl Process {
    pub(crate) fn new(child: Child) -> Self {
        Self(child)
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        let path = format!("/proc/{}/status", self.0.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// For what takes less than the hundredths of a second in [`Process::cpu_s`].
    pub(crate) fn spent(&self) -> Spent {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let each = threads.filter_map(|thread| {
            let thread = thread.unwrap();
            // It may have ended.
            let text = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            let ns = text.split_whitespace().next()?.parse().unwrap();
            Some((thread.file_name().into_string().unwrap(), ns))
        });
        Spent(each.collect())
    }

    /// Processor time used so far, in seconds (the kernel counts in hundredths).
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
