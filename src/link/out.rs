//! The order of what goes out on one connection: the library's writes and our messages, one whole frame after another.
//!
//! No sockets and no tasks: whoever calls hands over how to write.

use std::collections::VecDeque;
use std::io;

use axum::body::Bytes;

use super::frames::{Frames, Text};
use super::handover::{First, Handover};
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
    /// It is worth nothing later, but for finding out whether anything is accepted.
    Dropped,
    /// It waits, and only the newest of its system does.
    Newest(SystemId),
    /// It waits, unless too many do.
    Kept,
}

impl Message {
    pub(crate) fn new(text: Text, late: Late) -> Self {
        Self {
            frame: text.frame(),
            late,
        }
    }

    /// The frame, header and all.
    pub(crate) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Several that go out in one piece, or wait together.
    pub(crate) fn together<'a>(messages: impl Iterator<Item = &'a Self>) -> Self {
        let frames: Vec<_> = messages.map(|message| &message.frame[..]).collect();
        Self {
            frame: frames.concat().into(),
            late: Late::Kept,
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
    /// The same, [`marked`](super::marked): once that has gone out here, what was given to the library before has, too.
    Marked,
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
    /// None so far: the head of the answer that makes it a websocket is kept, and goes out with the first message.
    Held(Vec<u8>),
    /// As before, until it has written all that it was given.
    Handover(Box<Handover>),
    Straight,
}

/// What could not be written.
#[derive(Debug, Default)]
struct Waiting {
    /// The rest of a frame of ours that has begun.
    rest: Bytes,
    whole: VecDeque<(Late, Bytes)>,
    /// How many of these are [`Late::Kept`].
    kept: usize,
    /// The last one that was dropped.
    dropped: Bytes,
}

impl Out {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            library: Frames::default(),
            way: Way::Library,
            waiting: None,
            most,
            closed: false,
        }
    }

    /// The answer that is written next makes it a websocket.
    pub(crate) fn begin(&mut self) {
        self.library.begin();
    }

    /// The same for one without the library, which the next message opens: both go out in one piece.
    pub(crate) fn begin_held(&mut self) {
        self.begin();
        self.way = Way::Held(Vec::new());
    }

    /// A client is about to get its connect packet here, and no message before it.
    pub(crate) fn await_connect(&mut self) {
        if self.library.begun() {
            self.way = Way::Handover(Box::new(Handover::new(First::Connect)));
        }
    }

    /// True once messages are written straight.
    pub(crate) const fn is_straight(&self) -> bool {
        matches!(self.way, Way::Straight)
    }

    /// True once it is a websocket on which a message has passed.
    pub(crate) const fn begun(&self) -> bool {
        self.is_straight() || self.library.begun()
    }

    /// True while the stream does not take what we say, and it is not for the library to go on.
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
            Way::Held(head) => {
                let first = [&head[..], &message.frame].concat();
                let late = message.late.clone();
                self.way = Way::Straight;
                return self.say(
                    &Message {
                        frame: first.into(),
                        late,
                    },
                    write,
                );
            }
            Way::Straight => {}
        }
        if self.closed || self.library.closed() {
            return Ok(Said::Here);
        }
        if self.library.between() && self.flush(&mut write)? {
            match accepted(write(&message.frame))? {
                Some(written) if written == message.frame.len() => {}
                Some(written) => self.waiting().rest = message.frame.slice(written..),
                None => self.keep(message),
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
            Way::Library | Way::Held(_) | Way::Straight => {}
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
        if let Way::Held(head) = &mut self.way {
            bytes.iter().for_each(|part| head.extend_from_slice(part));
            let all = bytes.iter().map(|part| part.len()).sum();
            self.pass(bytes, all);
            return Ok(all);
        }
        // Once our messages go straight, the library's have no order with them: pings need not wait for all of ours.
        let mut one = |bytes: &[u8]| write(&[io::IoSlice::new(bytes)]);
        let free = if self.is_straight() {
            self.flush_rest(&mut one)?
        } else {
            self.flush(&mut one)?
        };
        if self.library.between() && !free {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let written = write(bytes)?;
        self.pass(bytes, written);
        self.hand_over();
        Ok(written)
    }

    /// Follows so many bytes of what the library writes.
    fn pass(&mut self, bytes: &[io::IoSlice<'_>], mut left: usize) {
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
    }

    fn hand_over(&mut self) {
        if matches!(&self.way, Way::Handover(handover) if handover.is_over()) {
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
        loop {
            if !self.flush_rest(&mut write)? {
                return Ok(false);
            }
            let Some(waiting) = &mut self.waiting else {
                return Ok(true);
            };
            let Some((late, frame)) = waiting.whole.front() else {
                self.waiting = None;
                return Ok(true);
            };
            let Some(written) = accepted(write(frame))? else {
                return Ok(false);
            };
            waiting.rest = frame.slice(written..);
            waiting.kept -= usize::from(*late == Late::Kept);
            waiting.whole.pop_front();
        }
    }

    /// The same for a frame of ours that has begun.
    fn flush_rest(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if let Some(waiting) = &mut self.waiting {
            if !self.library.between() {
                return Ok(false);
            }
            while !waiting.rest.is_empty() {
                let Some(written) = accepted(write(&waiting.rest))? else {
                    return Ok(false);
                };
                waiting.rest = waiting.rest.slice(written..);
            }
        }
        Ok(true)
    }

    /// Finds out whether anything is accepted, by what waits or, where nothing does, by the last message that was dropped.
    ///
    /// # Errors
    /// Those of `write` but [`io::ErrorKind::WouldBlock`].
    pub(crate) fn try_once_more(
        &mut self,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        if let Some(waiting) = &mut self.waiting
            && waiting.rest.is_empty()
            && waiting.whole.is_empty()
            && !waiting.dropped.is_empty()
        {
            let dropped = std::mem::take(&mut waiting.dropped);
            waiting.whole.push_back((Late::Dropped, dropped));
        }
        let mut any = false;
        self.flush(|bytes| {
            let written = write(bytes);
            any |= written.is_ok();
            written
        })?;
        Ok(any)
    }

    /// A system that is left has no news any more.
    pub(crate) fn forget(&mut self, system: &SystemId) {
        if let Some(waiting) = &mut self.waiting {
            let of_it = |late: &Late| matches!(late, Late::Newest(newest) if newest == system);
            waiting.whole.retain(|(late, _)| !of_it(late));
        }
    }

    fn waiting(&mut self) -> &mut Waiting {
        self.waiting.get_or_insert_default()
    }

    fn keep(&mut self, message: &Message) {
        let most = self.most;
        let waiting = self.waiting();
        match &message.late {
            Late::Dropped => {
                waiting.dropped = message.frame.clone();
                return;
            }
            // In the place of the one that it replaces: what came after that must not come before this.
            Late::Newest(_) => {
                let mut whole = waiting.whole.iter_mut();
                if let Some((_, frame)) = whole.find(|(late, _)| *late == message.late) {
                    *frame = message.frame.clone();
                    return;
                }
            }
            Late::Kept if waiting.kept >= most => return,
            Late::Kept => waiting.kept += 1,
        }
        let whole = (message.late.clone(), message.frame.clone());
        waiting.whole.push_back(whole);
    }
}

/// How much was written; none when nothing can be at this moment.
fn accepted(written: io::Result<usize>) -> io::Result<Option<usize>> {
    match written {
        Ok(0) => Err(io::ErrorKind::WriteZero.into()),
        Ok(written) => Ok(Some(written)),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
#[path = "out_tests.rs"]
mod tests;
