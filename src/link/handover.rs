//! The hand-over of a websocket from the library to the rooms: when has the library written all that it was given?
//!
//! Looks at the frames that pass; what that means for a message is for [`super::out`] to say.

use super::frames::Seen;

/// The same JSON of an object with a blank at its end, where nothing else that is sent has one.
pub(crate) fn marked(json: &str) -> String {
    let open = json.strip_suffix('}').unwrap_or(json);
    format!("{open} }}")
}

/// What the library has to write before the first message may be written straight.
#[derive(Debug)]
pub(super) struct Handover {
    first: First,
    /// Whether that has passed.
    pub(super) passed: bool,
    /// Messages that were given to the library after it, and have not passed.
    pub(super) outstanding: u32,
    /// The first bytes of the payload that passes, and its last ones.
    kind: [u8; 2],
    tail: [u8; 3],
}

/// Where the count of what the library was given begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum First {
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

impl Handover {
    pub(super) const fn new(first: First) -> Self {
        Self {
            first,
            passed: false,
            outstanding: 0,
            kind: [0; 2],
            tail: [0; 3],
        }
    }

    /// True once all that the library was given has passed.
    pub(super) const fn is_over(&self) -> bool {
        self.passed && self.outstanding == 0
    }

    /// Follows the library's frames.
    pub(super) fn see(&mut self, seen: &Seen<'_>) {
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
