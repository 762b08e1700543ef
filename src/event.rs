//! An event on its way out: encoded once for all who hear it, whichever way they are told.
//!
//! Its shape is of [`wire`], who hears it is for [`crate::rooms`] to say.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::command::SystemId;
use crate::link::{Late, Message};
use crate::wire;

/// Name, payload, and both as a frame.
#[derive(Debug)]
pub(crate) struct Event {
    pub name: &'static str,
    pub payload: Box<RawValue>,
    pub message: Message,
}

impl Event {
    /// A client that cannot take it gets the newest one of the system when it can.
    pub(crate) fn state(system: &SystemId, state: &wire::State<'_>) -> Self {
        Self::new("state", state, Late::Newest(system.clone()))
    }

    /// A client that cannot take it does not get it.
    pub(crate) fn clock(clock: &wire::Clock<'_>) -> Self {
        Self::new("clock", clock, Late::Dropped)
    }

    /// A client that cannot take it gets it when it can, unless too much waits for it.
    pub(crate) fn action(action: &wire::Action<'_>) -> Self {
        Self::new("action", action, Late::Kept)
    }

    fn new(name: &'static str, payload: &impl Serialize, late: Late) -> Self {
        let payload = encode(payload);
        let message = Message::text(&["42[\"", name, "\",", payload.get(), "]"], late);
        Self {
            name,
            payload,
            message,
        }
    }
}

/// The answer to an event of a client, as it goes out on a websocket.
pub(crate) fn ack(id: i64, payload: &RawValue) -> Message {
    Message::text(
        &["43", &id.to_string(), "[", payload.get(), "]"],
        Late::Kept,
    )
}

/// Every shape of [`wire`] can be encoded.
pub(crate) fn encode(payload: &impl Serialize) -> Box<RawValue> {
    to_raw_value(payload).unwrap_or_default()
}

/// The same payload, [`marked`](crate::link::marked).
pub(crate) fn marked(payload: &RawValue) -> Box<RawValue> {
    RawValue::from_string(crate::link::marked(payload.get())).unwrap_or_default()
}
