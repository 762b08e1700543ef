//! A Redis of a test's own: on a folder and a socket that nobody else has, with a wall clock that can be set. It is
//! ended, killed, frozen, and started again on what it has left. No other server is looked at.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::fixture::send_signal;
use crate::wall_clock::{self, WallClock};

/// Killed when it is dropped.
pub(crate) struct Redis {
    folder: PathBuf,
    clock: WallClock,
    server: Child,
}

impl Redis {
    /// On an empty folder, or on what another has left in it. Returns when it answers.
    pub(crate) fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let clock = WallClock::kept_in(folder.join("clock"));
        let server = serve(folder, &clock);
        let folder = folder.into();
        Self {
            folder,
            clock,
            server,
        }
    }

    /// After it has ended. Its clock is off as before.
    pub(crate) fn start_again(&mut self) {
        self.server = serve(&self.folder, &self.clock);
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Ends it in order.
    pub(crate) fn terminate(&mut self) {
        self.signal("-TERM");
        assert!(self.server.wait().unwrap().success());
    }

    /// Freezes it (`-STOP`) or lets it go on (`-CONT`). What is sent to it meanwhile waits in its kernel.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(self.server.id(), signal);
    }

    /// Sets its wall clock, `TIME` with it, to so many seconds after (or before) the right time.
    pub(crate) fn set_clock(&self, off_s: i64) {
        self.clock.set(off_s);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Where a gateway finds it, without anything in between.
    pub(crate) fn url(&self, parameters: &str) -> String {
        format!("redis+unix://{}?{parameters}", self.socket().display())
    }

    /// What it answers to a command without blanks in its words, as it stands on the line.
    pub(crate) fn ask(&self, command: &str) -> String {
        let mut line = UnixStream::connect(self.socket()).unwrap();
        write!(line, "{command}\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The process is the server itself, so that a signal meets it and nothing in between.
fn serve(folder: &Path, clock: &WallClock) -> Child {
    let mut server = Command::new("redis-server");
    let mut server = clock
        .show(&mut server)
        .args(["--port", "0", "--appendonly", "yes"])
        .args(["--appendfsync", "always", "--save", ""])
        .arg("--unixsocket")
        .arg(folder.join("socket"))
        .arg("--dir")
        .arg(folder)
        .env("LD_PRELOAD", wall_clock::library())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("make prepare-tests installs redis-server");
    let mut log = BufReader::new(server.stdout.take().unwrap());
    let mut said = String::new();
    while !said.to_ascii_lowercase().contains("ready to accept") {
        let read = log.read_line(&mut said).unwrap();
        assert_ne!(read, 0, "redis-server ended early: {said}");
    }
    std::thread::spawn(move || {
        for line in log.lines().map_while(Result::ok) {
            // Who reads our own output may be gone.
            let _ = writeln!(std::io::stderr(), "redis: {line}");
        }
    });
    server
}
