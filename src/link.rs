//! The link of one client: its stream, and the lock that keeps whole what the library and the rooms write to it.
//!
//! The library is who owns the connection and writes to it: hyper, then the library of Socket.IO, or in a session of ours the
//! websocket alone, which answers pings and a close. Knows frames and bytes, nothing of who gets what. It cuts a client that
//! accepts nothing.

use std::io;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::command::SystemId;
use crate::config::Limits;

mod frames;
mod handover;
mod out;

pub(crate) use frames::Text;
pub(crate) use handover::marked;
use out::Out;
pub(crate) use out::{Late, Message, Said};

/// What the library has ready for a client that takes nothing. Its websockets write from 128 KiB on and take no more
/// meanwhile, but for the answers to a client's pings: who sends these and does not read is cut.
const MOST_READY: usize = 256 * 1024;

/// Shared by the connection that owns it and the rooms that its client has joined.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    state: Mutex<State>,
    /// How long a client may accept nothing.
    write_timeout: Duration,
}

#[derive(Debug)]
struct State {
    out: Out,
    session: Option<String>,
    /// The library waits until the stream takes more.
    library_waits: bool,
    /// Told when the library has gone on, as long as a task attends to what waits.
    attended: Option<Arc<Notify>>,
}

impl Link {
    pub(crate) fn new(stream: TcpStream, limits: &Limits) -> Self {
        let state = State {
            out: Out::new(limits.socket_packets),
            session: None,
            library_waits: false,
            attended: None,
        };
        Self {
            stream,
            state: Mutex::new(state),
            write_timeout: Duration::from_millis(limits.write_timeout_ms),
        }
    }

    pub(crate) const fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// A panic under this lock can leave a frame torn: nobody may write on.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            self.cut(&mut state);
            state
        })
    }

    /// Notes the session that wants to go on over it, which was opened over others; returns the one before.
    pub(crate) fn expect(&self, session: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.lock().session, session)
    }

    /// The answer that is written next makes it a websocket, which the library writes to.
    pub(crate) fn begin(&self) {
        self.lock().out.begin();
    }

    /// The same for one that only we write messages to. The answer goes out together with the first of them.
    pub(crate) fn begin_held(&self) {
        self.lock().out.begin_held();
    }

    /// Its client is about to get its connect packet, and no message before it.
    pub(crate) fn await_connect(&self) {
        self.lock().out.await_connect();
    }

    /// Its client has left the system.
    pub(crate) fn forget(&self, system: &SystemId) {
        self.lock().out.forget(system);
    }

    /// Sends a message, or leaves it to the library. What cannot be written at once is kept or not, as the message says,
    /// and never waited for.
    pub(crate) fn say(self: &Arc<Self>, message: &Message) -> Said {
        self.say_locked(&mut self.lock(), message)
    }

    /// The same for what only goes straight; false where nothing does, and it was not sent.
    pub(crate) fn say_straight(self: &Arc<Self>, message: &Message) -> bool {
        let mut state = self.lock();
        let straight = state.out.is_straight();
        if straight {
            self.say_locked(&mut state, message);
        }
        straight
    }

    fn say_locked(self: &Arc<Self>, state: &mut State, message: &Message) -> Said {
        let said = state
            .out
            .say(message, |bytes| self.stream.try_write(bytes))
            .unwrap_or_else(|_| {
                self.cut(state);
                Said::Here
            });
        self.attend(state);
        said
    }

    /// The library did not take what was left to it.
    pub(crate) fn not_taken(&self, said: Said) {
        self.lock().out.not_taken(said);
    }

    /// Writes for the library, as soon as it is its turn and the stream takes something.
    pub(crate) fn poll_write(
        self: &Arc<Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            {
                let mut state = self.lock();
                let write = |bytes: &[io::IoSlice<'_>]| match bytes {
                    [one] => self.stream.try_write(one),
                    many => self.stream.try_write_vectored(many),
                };
                let written = state.out.write(bytes, write);
                let waits = matches!(&written, Err(e) if e.kind() == io::ErrorKind::WouldBlock);
                let ready: usize = bytes.iter().map(|part| part.len()).sum();
                if waits && ready > MOST_READY && state.out.begun() {
                    self.cut(&mut state);
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                state.library_waits = waits;
                if let Some(attended) = &state.attended
                    && !waits
                {
                    attended.notify_one();
                }
                self.attend(&mut state);
                if !waits {
                    return Poll::Ready(written);
                }
            }
            // The readiness was old news and is forgotten now.
            ready!(self.stream.poll_write_ready(cx))?;
        }
    }

    /// Its connection has ended.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.out.close();
        if state.attended.is_some() {
            self.cut(&mut state);
        }
    }

    /// Nothing is read or written any more. Who reads sees the end.
    pub(crate) fn shut(&self) {
        self.cut(&mut self.lock());
    }

    /// Nothing is written any more.
    pub(crate) fn shut_writes(&self) -> io::Result<()> {
        self.lock().out.close();
        SockRef::from(&self.stream).shutdown(Shutdown::Write)
    }

    fn cut(&self, state: &mut State) {
        state.out.close();
        state.library_waits = false;
        // It may have been closed at this moment by its client.
        let _ = SockRef::from(&self.stream).shutdown(Shutdown::Both);
        if let Some(attended) = &state.attended {
            attended.notify_one();
        }
    }

    /// Starts a task for what waits, where there is none.
    fn attend(self: &Arc<Self>, state: &mut State) {
        let library_waits = state.library_waits && state.out.begun();
        if state.attended.is_none() && (library_waits || state.out.waits()) {
            let attended = Arc::new(Notify::new());
            state.attended = Some(Arc::clone(&attended));
            tokio::spawn(Arc::clone(self).while_something_waits(attended));
        }
    }

    /// Writes what waits as soon as the stream takes it. Cuts the client when it takes nothing for too long.
    async fn while_something_waits(self: Arc<Self>, library: Arc<Notify>) {
        while let Some(waits) = self.what_waits() {
            let moved = async {
                match waits {
                    // An error is met by the next write.
                    Waits::Ours => drop(self.stream.writable().await),
                    Waits::Library => library.notified().await,
                }
            };
            let moved = timeout(self.write_timeout, moved).await;
            let mut state = self.lock();
            let lives = match moved {
                Ok(()) => state
                    .out
                    .flush(|bytes| self.stream.try_write(bytes))
                    .map(|_| true),
                // The kernel says that there is room only when a third of the buffer is free: a slow reader is asked.
                Err(_) => state
                    .out
                    .try_once_more(|bytes| SockRef::from(&self.stream).send(bytes)),
            };
            if !lives.unwrap_or(false) {
                tracing::debug!("a client that accepted nothing was cut");
                self.cut(&mut state);
            }
        }
    }

    /// None from the moment on at which nobody need attend to it.
    fn what_waits(&self) -> Option<Waits> {
        let mut state = self.lock();
        if state.out.waits() {
            Some(Waits::Ours)
        } else if state.library_waits {
            Some(Waits::Library)
        } else {
            state.attended = None;
            None
        }
    }
}

/// Who has something that the stream does not take.
#[derive(Clone, Copy, Debug)]
enum Waits {
    Ours,
    /// It may be in the middle of a frame, and goes on by itself.
    Library,
}
