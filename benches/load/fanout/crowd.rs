//! All clients in one thread on one epoll: up to 10,000 sockets on one core.
//!
//! It never waits for one client: what has come is read, wherever it came.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::heard::Heard;
use super::member::Member;
use crate::now;

/// Clients that are between their first packet and the ack of their join.
const IN_FLIGHT: usize = 64;
const EVENTS: usize = 256;
const BUFFER: usize = 64 * 1024;
/// Between two looks at what has come. Latencies are known to that.
const NAP: Duration = Duration::from_micros(200);

pub(crate) struct Crowd {
    pub(crate) heard: Heard,
    poll: Poll,
    events: Events,
    members: Vec<Member>,
    buffer: Vec<u8>,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self {
            heard: Heard::new(),
            poll: Poll::new().unwrap(),
            events: Events::with_capacity(EVENTS),
            members: Vec::new(),
            buffer: vec![0; BUFFER],
        }
    }

    /// Brings in clients, each into the next of the rooms, until there are so many or the time is over. Says whether all
    /// have joined.
    pub(crate) fn join(
        &mut self,
        address: SocketAddr,
        rooms: usize,
        clients: usize,
        until: Instant,
    ) -> bool {
        loop {
            let settled = self.heard.joined + self.heard.lost;
            if settled >= clients || now() >= until {
                break;
            }
            while self.members.len() < clients && self.members.len() < settled + IN_FLIGHT {
                self.connect(address, rooms);
            }
            self.turn(until.saturating_duration_since(now()));
        }
        self.heard.joined == clients
    }

    fn connect(&mut self, address: SocketAddr, rooms: usize) {
        let number = self.members.len();
        // Over loopback it is the kernel that answers, and at once.
        let stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.set_nodelay(true).unwrap();
        // Nothing is left of it afterwards: ten thousand that linger for a minute would be in the way of the next.
        SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        let stream = TcpStream::from_std(stream);
        let mut member = Member::new(stream, (number % rooms) as u32).unwrap();
        let registry = self.poll.registry();
        registry
            .register(member.stream(), Token(number), Interest::READABLE)
            .unwrap();
        self.members.push(member);
    }

    /// Hears what comes until then. It looks every now and then instead of being woken: a server would pay for each time
    /// that it wakes somebody on the other core, and clients are not on its machine.
    pub(crate) fn listen(&mut self, until: Instant) {
        loop {
            while self.turn(Duration::ZERO) == EVENTS {}
            let left = until.saturating_duration_since(now());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }

    /// One wait, and what it brought: says how many clients had something to read.
    fn turn(&mut self, wait: Duration) -> usize {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => return 0,
            polled => polled.unwrap(),
        }
        let mut read = 0;
        for event in &self.events {
            let member = &mut self.members[event.token().0];
            let ended = event.is_read_closed() || event.is_error();
            member.read(&mut self.buffer, ended, &mut self.heard, now());
            read += 1;
        }
        read
    }
}
