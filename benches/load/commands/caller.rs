//! One connection: HTTP/1.1, kept alive. It goes round its own systems, starts each and stops it, and reads every answer:
//! one that is no durable change ends the measurement.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use crate::client::whole;
use crate::now;

pub(crate) struct Caller {
    stream: TcpStream,
    systems: Vec<usize>,
    /// Commands so far: two for each system.
    commands: usize,
    asked: Instant,
    request: Vec<u8>,
    /// What has come of the answer.
    answer: Vec<u8>,
    read: usize,
}

impl Caller {
    pub(crate) fn connect(address: SocketAddr, systems: Vec<usize>) -> Self {
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self {
            stream: TcpStream::from_std(stream),
            systems,
            commands: 0,
            asked: now(),
            request: Vec::new(),
            answer: vec![0; 4096],
            read: 0,
        }
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// When the last command was sent.
    pub(crate) fn asked(&self) -> Instant {
        self.asked
    }

    /// Whether the last command was a stop.
    pub(crate) fn has_stopped(&self) -> bool {
        self.commands.is_multiple_of(2)
    }

    /// Sends the next command.
    pub(crate) fn ask(&mut self, at: Instant) {
        let system = self.systems[self.commands / 2 % self.systems.len()];
        let verb = ["timer", "stop"][self.commands % 2];
        self.commands += 1;
        self.asked = at;
        self.request.clear();
        let request = &mut self.request;
        write!(
            request,
            "POST /systems/s{system}/{verb} HTTP/1.1\r\nHost: gateway\r\n\r\n"
        )
        .unwrap();
        // The kernel takes so little at once.
        assert_eq!(self.stream.write(request).unwrap(), request.len());
    }

    /// Reads what has come: true once it is the whole answer.
    pub(crate) fn hear(&mut self) -> bool {
        loop {
            match self.stream.read(&mut self.answer[self.read..]) {
                Ok(0) => panic!("closed"),
                Ok(read) => self.read += read,
                Err(cause) if cause.kind() == ErrorKind::WouldBlock => return false,
                Err(cause) => panic!("{cause}"),
            }
            if let Some((head, body)) = whole(&self.answer[..self.read]) {
                assert!(
                    head.starts_with("HTTP/1.1 200") && body.starts_with("{\"changed\":true"),
                    "{head} {body}"
                );
                self.read = 0;
                return true;
            }
        }
    }
}
