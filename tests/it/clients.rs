//! Real foreign clients on the real program: JavaScript and Python, of both protocol versions, over each transport.
//! What they check is in `tests/clients`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::fixture::{ANY_PORT, Home, Process};

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

fn set_up(path: &str) {
    assert!(
        Path::new(CLIENTS).join(path).exists(),
        "make prepare-tests installs the clients' packages"
    );
}

/// Node, where the packages of the clients are found.
pub(crate) fn node() -> Command {
    set_up("node_modules/.stamp");
    let mut command = Command::new("node");
    command.current_dir(CLIENTS);
    command
}

/// Python with the packages of the clients.
pub(crate) fn python() -> Command {
    set_up(".venv/.stamp");
    let mut command = Command::new(Path::new(CLIENTS).join(".venv/bin/python"));
    command.current_dir(CLIENTS);
    command
}

/// Program and arguments of every client; each gets a system of its own.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("v4.mjs", &["--transport", "polling"]),
    ("v4.mjs", &["--transport", "websocket"]),
    ("v4.mjs", &["--transport", "default"]),
    ("v2.cjs", &["--transport", "polling"]),
    ("v2.cjs", &["--transport", "websocket"]),
    ("v2.cjs", &["--transport", "default"]),
    ("sync.py", &["--transport", "polling"]),
    ("sync.py", &["--transport", "websocket"]),
    ("sync.py", &["--transport", "default"]),
    ("asynchronous.py", &["--transport", "polling"]),
    ("asynchronous.py", &["--transport", "websocket"]),
    ("asynchronous.py", &["--transport", "default"]),
    ("raw.mjs", &[]),
    ("raw.mjs", &["--legacy"]),
];

fn program(name: &str) -> Command {
    let mut command = if name.ends_with(".py") {
        python()
    } else {
        node()
    };
    command
        .arg(name)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn every_foreign_client_sees_what_the_contract_promises_side_by_side() {
    let home = Home::new();
    // The last client speaks to the default system; nobody owns the yardstick.
    let systems: String = (0..PROGRAMS.len())
        .map(|i| format!("[[systems]]\nid = \"s{i}\"\n"))
        .collect();
    let last = PROGRAMS.len() - 1;
    let config =
        format!("default_system = \"s{last}\"\n{systems}[[systems]]\nid = \"yardstick\"\n");
    let gateway = Process::start_in(&home, ANY_PORT, &config);
    let url = format!("http://{}", gateway.address);
    let running: Vec<Child> = PROGRAMS
        .iter()
        .enumerate()
        .map(|(i, (name, arguments))| {
            let mut command = program(name);
            command
                .args(["--url", &url, "--system", &format!("s{i}")])
                .args(*arguments);
            if !name.starts_with("raw") {
                command.args(["--yardstick", "yardstick"]);
            }
            command.spawn().unwrap()
        })
        .collect();
    let mut failed = Vec::new();
    for (client, (name, arguments)) in running.into_iter().zip(PROGRAMS) {
        let done = client.wait_with_output().unwrap();
        let text =
            [done.stdout, done.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if !done.status.success() || !text[0].contains("PASS") {
            failed.push(format!("{name} {arguments:?}\n{}", text.concat()));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// A client that says each time that it has joined.
struct Joiner {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Joiner {
    fn start(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn joined(&mut self) -> u64 {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        let seq = line.trim().strip_prefix("joined ");
        seq.and_then(|seq| seq.parse().ok())
            .unwrap_or_else(|| panic!("it said {line:?}"))
    }
}

impl Drop for Joiner {
    fn drop(&mut self) {
        // It has ended by itself if all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn every_foreign_client_comes_back_after_sigterm_and_after_kill_9() {
    let home = Home::new();
    let config = "[[systems]]\nid = \"north\"\n";
    let gateway = Process::start_in(&home, ANY_PORT, config);
    let address = gateway.address;
    let url = format!("http://{address}");
    let kinds = [
        ("reconnect.mjs", "4"),
        ("reconnect.mjs", "2"),
        ("reconnect.py", "threads"),
        ("reconnect.py", "asyncio"),
    ];
    let mut clients: Vec<Joiner> = kinds
        .iter()
        .map(|(name, kind)| {
            let mut command = program(name);
            command.args([&url, "north", kind]);
            Joiner::start(command)
        })
        .collect();
    for client in &mut clients {
        assert_eq!(client.joined(), 0);
    }
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(gateway.terminate().await, Some(0));
    let gateway = Process::start_in(&home, address, config);
    for (client, kind) in clients.iter_mut().zip(kinds) {
        assert_eq!(client.joined(), 1, "{kind:?} after SIGTERM");
    }
    gateway.http.change("/systems/north/stop").await;
    gateway.kill();
    let _gateway = Process::start_in(&home, address, config);
    for (client, kind) in clients.iter_mut().zip(kinds) {
        assert_eq!(client.joined(), 2, "{kind:?} after kill -9");
        assert!(client.child.wait().unwrap().success());
    }
}
