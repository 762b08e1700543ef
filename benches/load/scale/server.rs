//! A Redis of its own, as durable as Redis can be, and what it says of itself.
//!
//! Never a Redis that was there before: it has a folder, a port and an end of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::process::{Process, folder};

/// Somebody else may take the free port before Redis does.
const TRIES: usize = 5;

pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        for _ in 0..TRIES {
            let folder = folder();
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let mut child = Command::new("redis-server")
                .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
                .args(["--appendonly", "yes", "--appendfsync", "always"])
                .args(["--save", "", "--maxmemory-policy", "noeviction"])
                .arg("--dir")
                .arg(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap_or_else(|cause| panic!("redis-server: {cause}"));
            let ready = wait_until_ready(&mut child);
            let process = Process::new(child);
            if ready {
                return Self {
                    address,
                    process,
                    _folder: folder,
                };
            }
        }
        panic!("redis-server does not start");
    }

    /// The database that everything is measured on.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    pub(crate) fn cpu_s(&self) -> f64 {
        self.process.cpu_s()
    }

    pub(crate) fn version(&self) -> String {
        self.info("server", "redis_version")
    }

    pub(crate) fn used_bytes(&self) -> f64 {
        self.info("memory", "used_memory").parse().unwrap()
    }

    /// What a key and all that is under it takes.
    pub(crate) fn bytes_of(&self, key: &str) -> f64 {
        let bytes = self.ask(&["MEMORY", "USAGE", key, "SAMPLES", "0"]);
        bytes.parse().unwrap_or(0.0)
    }

    fn info(&self, section: &str, name: &str) -> String {
        let all = self.ask(&["INFO", section]);
        let mut lines = all.lines().filter_map(|line| line.split_once(':'));
        let line = lines.find(|(key, _)| *key == name);
        line.map(|(_, value)| value.to_owned()).unwrap()
    }

    /// Asks one thing and returns the text of the answer: a string, a number, or nothing.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let mut stream = BufReader::new(TcpStream::connect(self.address).unwrap());
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        stream.read_line(&mut head).unwrap();
        let (kind, rest) = head.trim_end().split_at(1);
        match (kind, rest.parse::<usize>()) {
            ("$", Ok(length)) => {
                let mut text = vec![0; length];
                stream.read_exact(&mut text).unwrap();
                String::from_utf8(text).unwrap()
            }
            ("$", Err(_)) => String::new(),
            ("-", _) => panic!("{words:?}: {rest}"),
            _ => rest.to_owned(),
        }
    }
}

/// False when it ended instead.
fn wait_until_ready(child: &mut Child) -> bool {
    let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = log
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.contains("Ready to accept connections"));
    // Who stops reading would stop Redis, in time.
    std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
    ready
}
