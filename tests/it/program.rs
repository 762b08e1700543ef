//! Starts the real program as a process of its own. The load program of `benches` starts it with this file, too.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program itself.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_acequia");

/// A command without what is set for the tests (`ACEQUIA_SEED`): the program takes such a name for a setting of its own.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ACEQUIA_") {
            command.env_remove(name);
        }
    }
    command
}

/// Starts it on the store and the configuration in `folder`, and returns when it listens. What it logs afterwards goes to
/// standard error.
pub(crate) fn start(
    listen: SocketAddr,
    folder: &Path,
    config: &str,
    arguments: &[&str],
) -> (Child, SocketAddr) {
    let mut program = command(PROGRAM);
    program.args(["serve", "--listen", &listen.to_string()]);
    program.args(arguments);
    start_as(program, folder, config)
}

/// The same with a command that ends in `serve` and arguments of it: who needs another environment wraps it.
pub(crate) fn start_as(program: Command, folder: &Path, config: &str) -> (Child, SocketAddr) {
    let store = format!("sqlite:{}", folder.join("acequia.db").display());
    start_on(&store, program, folder, config, |_| ())
}

/// The same on any store; `log` is given each line that the program logs.
pub(crate) fn start_on(
    store: &str,
    mut program: Command,
    folder: &Path,
    config: &str,
    log: impl FnMut(&str) + Send + 'static,
) -> (Child, SocketAddr) {
    let file = folder.join("acequia.toml");
    std::fs::write(&file, config).unwrap();
    program.args(["--store", store, "--config"]).arg(file);
    listening(program, log)
}

/// Starts whatever says ` on http://ADDRESS ` when it listens, and returns then; `log` is given each line that it logs.
pub(crate) fn listening(
    mut program: Command,
    mut log: impl FnMut(&str) + Send + 'static,
) -> (Child, SocketAddr) {
    let mut child = program
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap_or_else(|cause| panic!("{program:?}: {cause}"));
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    let address = loop {
        let before = said.len();
        let read = lines.read_line(&mut said).unwrap();
        assert_ne!(read, 0, "the gateway ended early: {said}");
        let line = &said[before..];
        log(line.trim_end());
        if let Some((_, address)) = line.split_once(" on http://") {
            break address.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    std::thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            log(&line);
            // Who reads our own output may be gone.
            let _ = writeln!(std::io::stderr(), "gateway: {line}");
        }
    });
    (child, address)
}
