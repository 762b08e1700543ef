//! The order of what goes out on one connection: the library's writes and our messages, one whole frame after another.
//!
//! No sockets and no tasks: whoever calls hands over how to write.

use std::collections::VecDeque;
use std::io;

use axum::body::Bytes;

use super::frames::{self, Frames, Seen};
use crate::command::SystemId;

/// A text message, encoded once for all who get it.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    frame: Bytes,
    late: Late,
}

/// What becomes of a message that cannot be written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It is worth nothing later.
    Dropped,
    /// It waits, and only the newest of its system does.
    Newest(SystemId),
    /// It waits, unless too many do.
    Kept,
}

impl Message {
    /// The parts of the payload in their order.
    pub(crate) fn text(payload: &[&str], late: Late) -> Self {
        Self {
            frame: frames::text(payload).into(),
            late,
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is written, waits, or was lost with its client.
    Here,
    /// Give it to the library: nothing of ours goes out here before what the library still holds.
    Library,
    /// The same, as [`marked`]: once that has gone out here, what was given to the library before has, too.
    Marked,
}

/// The same JSON of an object with a blank at its end, where nothing else that is sent has one.
pub(crate) fn marked(json: &str) -> String {
    let open = json.strip_suffix('}').unwrap_or(json);
    format!("{open} }}")
}

/// The way out.
#[derive(Debug)]
pub(crate) struct Out {
    library: Frames,
    way: Way,
    waiting: Option<Box<Waiting>>,
    /// Messages that may wait, besides the newest states.
    most: usize,
    closed: bool,
}

/// Which way our messages go.
#[derive(Debug)]
enum Way {
    /// That of the library.
    Library,
    /// As before, until it has written all that it was given.
    Handover(Box<Handover>),
    Straight,
}

/// What the library has to write before the first message may be written straight.
#[derive(Debug)]
struct Handover {
    first: First,
    /// Whether that has passed.
    passed: bool,
    /// Messages that were given to the library after it, and have not passed.
    outstanding: u32,
    /// The first bytes of the payload that passes, and its last ones.
    kind: [u8; 2],
    tail: [u8; 3],
}

/// Where the count of what the library was given begins.
#[derive(Debug, PartialEq, Eq)]
enum First {
    /// At the connect packet of a client whose first packet it is.
    Connect,
    /// At a message that is [`marked`].
    Marked,
}

/// How the payload of a marked message ends.
const MARK: [u8; 3] = *b" }]";

/// Socket.IO's packets, behind Engine.IO's `4`: connect, event, ack.
const CONNECT: [u8; 2] = *b"40";
const EVENT: [u8; 2] = *b"42";
const ACK: [u8; 2] = *b"43";

/// What could not be written.
#[derive(Debug, Default)]
struct Waiting {
    /// The rest of a frame of ours that has begun.
    rest: Bytes,
    whole: VecDeque<(Late, Bytes)>,
}

impl Out {
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            library: Frames::new(),
            way: Way::Library,
            waiting: None,
            most,
            closed: false,
        }
    }

    /// The answer that the library writes next makes it a websocket.
    pub(crate) fn begin(&mut self) {
        self.library.begin();
    }

    /// A client is about to get its connect packet, and no message before it.
    pub(crate) fn await_connect(&mut self) {
        self.way = Way::Handover(Box::new(Handover::new(First::Connect)));
    }

    /// True once messages are written straight.
    pub(crate) const fn is_straight(&self) -> bool {
        matches!(self.way, Way::Straight)
    }

    /// True once it is a websocket.
    pub(crate) fn begun(&self) -> bool {
        self.library.begun()
    }

    /// True while a frame of ours waits, and it is not for the library to go on.
    pub(crate) fn waits(&self) -> bool {
        self.waiting.is_some() && !self.closed && self.library.between()
    }

    /// Nothing is written any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.waiting = None;
    }

    /// Sends a message, or leaves it to the library, which must then be given it.
    ///
    /// # Errors
    /// Those of `write` but [`io::ErrorKind::WouldBlock`].
    pub(crate) fn say(
        &mut self,
        message: &Message,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<Said> {
        match &mut self.way {
            Way::Library => {
                if !self.library.begun() {
                    return Ok(Said::Library);
                }
                self.way = Way::Handover(Box::new(Handover::new(First::Marked)));
                return Ok(Said::Marked);
            }
            Way::Handover(handover) => {
                handover.outstanding += 1;
                return Ok(Said::Library);
            }
            Way::Straight => {}
        }
        if self.closed || self.library.closed() {
            return Ok(Said::Here);
        }
        if self.library.between() && self.flush(&mut write)? {
            match write(&message.frame) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) if written == message.frame.len() => {}
                Ok(written) => self.waiting().rest = message.frame.slice(written..),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.keep(message),
                Err(e) => return Err(e),
            }
        } else {
            self.keep(message);
        }
        Ok(Said::Here)
    }

    /// The library did not take a message that was left to it.
    pub(crate) fn not_taken(&mut self, said: Said) {
        match &mut self.way {
            Way::Handover(_) if said == Said::Marked => self.way = Way::Library,
            Way::Handover(handover) => {
                handover.outstanding = handover.outstanding.saturating_sub(1)
            }
            Way::Library | Way::Straight => {}
        }
        self.hand_over();
    }

    /// Writes for the library, between whole frames of ours.
    ///
    /// # Errors
    /// Those of `write`.
    pub(crate) fn write(
        &mut self,
        bytes: &[io::IoSlice<'_>],
        mut write: impl FnMut(&[io::IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut one = |bytes: &[u8]| write(&[io::IoSlice::new(bytes)]);
        if self.library.between() && !self.flush(&mut one)? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = write(bytes)?;
        let mut left = written;
        for part in bytes {
            let part = &part[..left.min(part.len())];
            left -= part.len();
            let way = &mut self.way;
            self.library.pass(part, |seen| {
                if let Way::Handover(handover) = way {
                    handover.see(&seen);
                }
            });
        }
        self.hand_over();
        Ok(written)
    }

    fn hand_over(&mut self) {
        if matches!(&self.way, Way::Handover(h) if h.passed && h.outstanding == 0) {
            self.way = Way::Straight;
        }
    }

    /// Writes what waits, if the library is between two frames; false when some of it still does.
    ///
    /// # Errors
    /// Those of `write` but [`io::ErrorKind::WouldBlock`].
    pub(crate) fn flush(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        let Some(waiting) = &mut self.waiting else {
            return Ok(true);
        };
        if !self.library.between() {
            return Ok(false);
        }
        loop {
            let begun = !waiting.rest.is_empty();
            let next = if begun {
                &waiting.rest
            } else if let Some((_, frame)) = waiting.whole.front() {
                frame
            } else {
                self.waiting = None;
                return Ok(true);
            };
            match write(next) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    waiting.rest = next.slice(written..);
                    if !begun {
                        waiting.whole.pop_front();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
        }
    }

    fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    fn keep(&mut self, message: &Message) {
        let most = self.most;
        let kept = |(late, _): &&(Late, Bytes)| *late == Late::Kept;
        match &message.late {
            Late::Dropped => return,
            // In the place of the one that it replaces: what came after that must not come before this.
            Late::Newest(_) => {
                let mut whole = self.waiting().whole.iter_mut();
                if let Some((_, frame)) = whole.find(|(late, _)| *late == message.late) {
                    *frame = message.frame.clone();
                    return;
                }
            }
            Late::Kept if self.waiting().whole.iter().filter(kept).count() >= most => return,
            Late::Kept => {}
        }
        let whole = (message.late.clone(), message.frame.clone());
        self.waiting().whole.push_back(whole);
    }
}

impl Handover {
    const fn new(first: First) -> Self {
        Self {
            first,
            passed: false,
            outstanding: 0,
            kind: [0; 2],
            tail: [0; 3],
        }
    }

    /// Follows the library's frames.
    fn see(&mut self, seen: &Seen<'_>) {
        match *seen {
            Seen::Part(at, bytes) => {
                let at = usize::try_from(at).unwrap_or(usize::MAX);
                for (kind, byte) in self.kind.iter_mut().skip(at).zip(bytes) {
                    *kind = *byte;
                }
                for byte in &bytes[bytes.len().saturating_sub(self.tail.len())..] {
                    self.tail.rotate_left(1);
                    self.tail[2] = *byte;
                }
            }
            Seen::End => {
                let message = self.kind == EVENT || self.kind == ACK;
                if self.passed {
                    self.outstanding = self.outstanding.saturating_sub(u32::from(message));
                } else {
                    self.passed = match self.first {
                        First::Connect => self.kind == CONNECT,
                        First::Marked => message && self.tail == MARK,
                    };
                }
                (self.kind, self.tail) = ([0; 2], [0; 3]);
            }
        }
    }
}

#[cfg(test)]
#[path = "out_tests.rs"]
mod tests;
