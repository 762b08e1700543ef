//! Starts the real program as a process of its own. The load program of `benches` starts it with this file, too.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts it on the store and the configuration in `folder`, and returns when it listens. What it logs afterwards goes to
/// standard error.
pub(crate) fn start(
    listen: SocketAddr,
    folder: &Path,
    config: &str,
    arguments: &[&str],
) -> (Child, SocketAddr) {
    let file = folder.join("acequia.toml");
    std::fs::write(&file, config).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_acequia"))
        .args(["serve", "--listen", &listen.to_string(), "--store"])
        .arg(format!("sqlite:{}", folder.join("acequia.db").display()))
        .arg("--config")
        .arg(file)
        .args(arguments)
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let address = loop {
        let mut line = String::new();
        assert_ne!(
            log.read_line(&mut line).unwrap(),
            0,
            "the gateway ended early"
        );
        if let Some((_, address)) = line.split_once(" on http://") {
            break address.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            // Who reads our own output may be gone.
            let _ = writeln!(std::io::stderr(), "gateway: {line}");
        }
    });
    (child, address)
}
