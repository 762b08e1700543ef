//! Several nodes on one Redis: acequia, or the peer in Node.

use std::fmt::Write;
use std::path::Path;

use tempfile::TempDir;

use super::server::Redis;
use crate::process::{Gateway, folder};
use crate::program;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/scale");

/// What runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Acequia,
    /// socket.io with a clock of each room every second, as acequia has it.
    Peer,
    /// socket.io with nothing to do but the commands.
    PeerWithoutClocks,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Acequia, Self::Peer, Self::PeerWithoutClocks];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Acequia => "acequia on Redis, durable",
            Self::Peer => "socket.io + redis-adapter, not durable",
            Self::PeerWithoutClocks => "the same without clocks",
        }
    }
}

pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Gateway>,
    _folder: TempDir,
}

impl Cluster {
    /// Starts nodes that share the keys or channels under `prefix`. Systems are called s0, s1 …
    pub(crate) fn start(
        kind: Kind,
        redis: &Redis,
        prefix: &str,
        nodes: usize,
        systems: usize,
    ) -> Self {
        let folder = folder();
        let mut config = String::new();
        for i in 0..systems {
            write!(config, "[[systems]]\nid = \"s{i}\"\n").unwrap();
        }
        let file = folder.path().join("acequia.toml");
        std::fs::write(&file, config).unwrap();
        let nodes = (0..nodes)
            .map(|node| {
                Gateway::listening(match kind {
                    Kind::Acequia => acequia(redis, prefix, &file),
                    Kind::Peer | Kind::PeerWithoutClocks => {
                        let mut peer = peer(redis, prefix);
                        peer.args([node.to_string(), nodes.to_string()]);
                        if kind == Kind::PeerWithoutClocks {
                            peer.arg("--no-clock");
                        }
                        peer
                    }
                })
            })
            .collect();
        Self {
            nodes,
            _folder: folder,
        }
    }

    /// Processor time of each node so far, in seconds.
    pub(crate) fn cpu_s(&self) -> Vec<f64> {
        self.nodes.iter().map(Gateway::cpu_s).collect()
    }

    pub(crate) fn resident_kib(&self) -> f64 {
        self.nodes.iter().map(Gateway::resident_kib).sum()
    }
}

fn acequia(redis: &Redis, prefix: &str, file: &Path) -> std::process::Command {
    let mut program = program::command(program::PROGRAM);
    program
        .env("ACEQUIA_STORE", format!("{}?prefix={prefix}", redis.url()))
        .args(["serve", "--listen", "127.0.0.1:0", "--config"])
        .arg(file);
    program
}

fn peer(redis: &Redis, prefix: &str) -> std::process::Command {
    assert!(
        Path::new(PEER).join("node_modules/.stamp").exists(),
        "make bench-scale installs the peer's packages"
    );
    let mut peer = program::command("node");
    peer.current_dir(PEER)
        .env("NODE_ENV", "production")
        .args(["server.js", &redis.url(), prefix]);
    peer
}
