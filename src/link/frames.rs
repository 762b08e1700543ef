//! Where one websocket frame ends and the next begins, in bytes that somebody else writes.
//!
//! The server's side of RFC 6455, 5.2: nothing is masked. Looks only, and puts the header in front of a text of ours.

use std::io;

use axum::body::Bytes;

/// What a writer is in the middle of.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    at: At,
    /// A frame of a message whose last frame is to come.
    unfinished: bool,
    /// A message has passed.
    begun: bool,
}

#[derive(Debug, Default)]
enum At {
    /// HTTP, and no websocket so far.
    #[default]
    Http,
    /// The head of the answer that makes it one. So many bytes of its end have gone by.
    Head(usize),
    /// The header of a frame; so many bytes of it are there, none between two frames.
    Header([u8; 10], usize),
    Payload {
        len: u64,
        passed: u64,
        opcode: u8,
    },
    /// A close frame has passed: nothing may follow it.
    Closed,
}

/// What is seen of a frame of a message that passes. Control frames say nothing, or what the client chose.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen<'a> {
    /// A part of the payload, and where in it.
    Part(u64, &'a [u8]),
    /// The end of a frame.
    End,
}

const END_OF_HEAD: &[u8] = b"\r\n\r\n";
const FIN: u8 = 0x80;
const OPCODE: u8 = 0x0f;
const CLOSE: u8 = 0x08;
/// Control frames may stand between those of a message.
const FIRST_CONTROL: u8 = 0x08;

impl Frames {
    /// The answer that is written next makes it a websocket.
    pub(crate) fn begin(&mut self) {
        self.at = At::Head(0);
    }

    /// True when another frame may be written here.
    pub(crate) fn between(&self) -> bool {
        matches!(self.at, At::Header(_, 0)) && !self.unfinished
    }

    /// True once a message has passed.
    pub(crate) const fn begun(&self) -> bool {
        self.begun
    }

    pub(crate) fn closed(&self) -> bool {
        matches!(self.at, At::Closed)
    }

    /// Follows what was written.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut see: impl FnMut(Seen<'_>)) {
        while !bytes.is_empty() {
            let taken = match &mut self.at {
                At::Http | At::Closed => return,
                At::Head(matched) => {
                    *matched = match bytes[0] {
                        b if b == END_OF_HEAD[*matched] => *matched + 1,
                        b => usize::from(b == END_OF_HEAD[0]),
                    };
                    if *matched == END_OF_HEAD.len() {
                        self.at = At::Header([0; 10], 0);
                    }
                    1
                }
                At::Header(header, have) => {
                    header[*have] = bytes[0];
                    *have += 1;
                    if let Some(len) = payload_len(&header[..*have]) {
                        let first = header[0];
                        self.begin_payload(first, len, &mut see);
                    }
                    1
                }
                At::Payload {
                    len,
                    passed,
                    opcode,
                } => {
                    let left = usize::try_from(*len - *passed).unwrap_or(usize::MAX);
                    let part = &bytes[..left.min(bytes.len())];
                    if *opcode < FIRST_CONTROL {
                        see(Seen::Part(*passed, part));
                    }
                    *passed += part.len() as u64;
                    if passed == len {
                        self.end_payload(&mut see);
                    }
                    part.len()
                }
            };
            bytes = &bytes[taken..];
        }
    }

    fn begin_payload(&mut self, first: u8, len: u64, see: &mut impl FnMut(Seen<'_>)) {
        let opcode = first & OPCODE;
        if opcode < FIRST_CONTROL {
            self.unfinished = first & FIN == 0;
        }
        self.at = At::Payload {
            len,
            passed: 0,
            opcode,
        };
        if len == 0 {
            self.end_payload(see);
        }
    }

    fn end_payload(&mut self, see: &mut impl FnMut(Seen<'_>)) {
        let At::Payload { opcode, .. } = self.at else {
            return;
        };
        if opcode < FIRST_CONTROL {
            self.begun = true;
            see(Seen::End);
        }
        self.at = if opcode == CLOSE {
            At::Closed
        } else {
            At::Header([0; 10], 0)
        };
    }
}

/// The length of the payload, once the header is complete.
fn payload_len(header: &[u8]) -> Option<u64> {
    let (_, rest) = header.split_first()?;
    match *rest.first()? {
        126 => Some(u64::from(u16::from_be_bytes(
            rest.get(1..3)?.try_into().ok()?,
        ))),
        127 => Some(u64::from_be_bytes(rest.get(1..9)?.try_into().ok()?)),
        len => Some(u64::from(len)),
    }
}

/// The longest header that there is.
const LONGEST_HEADER: usize = 10;

/// A text frame that is being filled. Its header is put in front of the payload when that is complete, in room that was
/// left for it.
#[derive(Debug)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// With room for a payload of so many bytes.
    pub(crate) fn with_capacity(payload: usize) -> Self {
        let mut bytes = Vec::with_capacity(LONGEST_HEADER + payload);
        bytes.resize(LONGEST_HEADER, 0);
        Self(bytes)
    }

    /// The length of the payload so far.
    pub(crate) const fn len(&self) -> usize {
        self.0.len() - LONGEST_HEADER
    }

    /// The whole frame.
    pub(crate) fn frame(mut self) -> Bytes {
        const TEXT: u8 = FIN | 0x01;
        let len = self.len();
        let wide = (len as u64).to_be_bytes();
        let mut header = [0; LONGEST_HEADER];
        header[0] = TEXT;
        let size = match len {
            ..=125 => {
                header[1] = wide[7];
                2
            }
            126..=65_535 => {
                header[1] = 126;
                header[2..4].copy_from_slice(&wide[6..]);
                4
            }
            _ => {
                header[1] = 127;
                header[2..].copy_from_slice(&wide);
                LONGEST_HEADER
            }
        };
        let begin = LONGEST_HEADER - size;
        self.0[begin..LONGEST_HEADER].copy_from_slice(&header[..size]);
        Bytes::from(self.0).slice(begin..)
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
