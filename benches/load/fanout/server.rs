//! The servers that are compared. Each is started as its users start it, on a core of its own, and listens on a port that
//! the kernel gives.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::cores::Cores;
use crate::process::{Gateway, Spent, folder};

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Floor,
    Acequia,
    Bun,
    Node,
    Python,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Floor,
        Self::Acequia,
        Self::Bun,
        Self::Node,
        Self::Python,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "the floor",
            Self::Acequia => "acequia",
            Self::Bun => "socket.io on Bun",
            Self::Node => "socket.io on Node",
            Self::Python => "python-socketio",
        }
    }

    fn command(self) -> Option<Command> {
        let (program, folder, arguments): (PathBuf, _, &[&str]) = match self {
            Self::Acequia => return None,
            Self::Floor => (std::env::current_exe().unwrap(), "", &["floor"]),
            Self::Bun => {
                let bun = installed("bun/node_modules/.stamp", "node_modules/.bin/bun");
                (bun, "bun", &["server.js"])
            }
            Self::Node => {
                installed("node/node_modules/.stamp", "");
                ("node".into(), "node", &["server.js"])
            }
            Self::Python => {
                let python = installed("python/.venv/.stamp", ".venv/bin/python");
                (python, "python", &["server.py"])
            }
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(Path::new(PEERS).join(folder))
            .env("NODE_ENV", "production");
        Some(command)
    }
}

/// A program of a peer.
fn installed(stamp: &str, program: &str) -> PathBuf {
    let stamp = Path::new(PEERS).join(stamp);
    assert!(stamp.exists(), "make bench installs the peers: {stamp:?}");
    stamp.ancestors().nth(2).unwrap().join(program)
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Gateway,
    _folder: TempDir,
}

impl Server {
    /// Starts it; a gateway knows so many systems, called s0, s1 …
    pub(crate) fn start(kind: Kind, systems: usize, cores: Cores) -> Self {
        let folder = folder();
        let process = cores.starting(|| match kind.command() {
            Some(command) => Gateway::listening(command),
            None => Gateway::start(folder.path(), &config(systems)),
        });
        Self {
            address: process.address,
            process,
            _folder: folder,
        }
    }

    pub(crate) fn spent(&self) -> Spent {
        self.process.spent()
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        self.process.resident_kib()
    }
}

fn config(systems: usize) -> String {
    let mut config = String::new();
    for i in 0..systems {
        write!(config, "[[systems]]\nid = \"s{i}\"\n").unwrap();
    }
    config
}

/// What the versions of the peers are.
pub(crate) fn versions() -> String {
    let said = |program: PathBuf| {
        let output = Command::new(program).arg("--version").output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    format!(
        "Bun {}, Node {}, {}",
        said(installed(
            "bun/node_modules/.stamp",
            "node_modules/.bin/bun"
        )),
        said("node".into()),
        said(installed("python/.venv/.stamp", ".venv/bin/python")),
    )
}
