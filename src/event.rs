//! What is on its way out: encoded once for all who get it, whichever way they are told.
//!
//! Its shape is of [`wire`], who gets it is for [`crate::rooms`] to say.

use std::io::Write;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::command::SystemId;
use crate::link::{Late, Message, Said, Text, marked};
use crate::wire;

/// As a rule there is nothing longer: an ack with a snapshot.
const ROOM: usize = 512;
/// A clock is told most often.
const ROOM_FOR_A_CLOCK: usize = 160;

/// A packet of Socket.IO with one payload.
#[derive(Debug)]
pub(crate) struct Packet {
    pub message: Message,
    /// The length of the payload, which stands before the last byte.
    payload: usize,
}

impl Packet {
    /// Every shape of [`wire`] can be encoded, and a frame in memory can be written to.
    fn new(mut text: Text, payload: &impl Serialize, late: Late) -> Self {
        let before = text.len();
        let _ = serde_json::to_writer(&mut text, payload);
        let payload = text.len() - before;
        let _ = text.write_all(b"]");
        let message = Message::new(text, late);
        Self { message, payload }
    }

    /// The answer to an event of a client.
    pub(crate) fn ack(id: i64, answer: &wire::Ack<'_>) -> Self {
        let mut text = Text::with_capacity(ROOM);
        let _ = write!(text, "43{id}[");
        Self::new(text, answer, Late::Kept)
    }

    /// The payload for the library, which encodes the rest itself.
    pub(crate) fn payload(&self, said: Said) -> Box<RawValue> {
        let frame = self.message.frame();
        let end = frame.len() - 1;
        let json = String::from_utf8_lossy(&frame[end - self.payload..end]);
        let json = if said == Said::Marked {
            marked(&json)
        } else {
            json.into_owned()
        };
        RawValue::from_string(json).unwrap_or_default()
    }
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub name: &'static str,
    pub packet: Packet,
}

impl Event {
    /// A client that cannot take it gets the newest one of the system when it can.
    pub(crate) fn state(system: &SystemId, state: &wire::State<'_>) -> Self {
        Self::new("state", ROOM, state, Late::Newest(system.clone()))
    }

    /// A client that cannot take it does not get it.
    pub(crate) fn clock(clock: &wire::Clock<'_>) -> Self {
        Self::new("clock", ROOM_FOR_A_CLOCK, clock, Late::Dropped)
    }

    /// A client that cannot take it gets it when it can, unless too much waits for it.
    pub(crate) fn action(action: &wire::Action<'_>) -> Self {
        Self::new("action", ROOM, action, Late::Kept)
    }

    fn new(name: &'static str, room: usize, payload: &impl Serialize, late: Late) -> Self {
        let mut text = Text::with_capacity(room);
        let _ = write!(text, "42[\"{name}\",");
        let packet = Packet::new(text, payload, late);
        Self { name, packet }
    }
}
