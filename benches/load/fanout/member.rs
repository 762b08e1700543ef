//! One client: Socket.IO, protocol v5, on a plain websocket, in one room. It answers pings and reads everything strictly:
//! a server that says what it may not say ends the measurement.
//!
//! It allocates nothing for a message; bytes are kept only when a frame comes in pieces.

use std::io::{Read, Write};
use std::time::Instant;

use mio::net::TcpStream;

use super::frame::{self, Kind};
use super::heard::Heard;
use crate::client::WEBSOCKET;

/// What RFC 6455 makes of the key.
const ACCEPT: &str = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_END: &[u8] = b"\r\n\r\n";
/// A second that no clock shows.
const NONE: u8 = u8::MAX;

pub(crate) struct Member {
    stream: TcpStream,
    room: u32,
    stage: Stage,
    /// The second of the last clock.
    second: u8,
    /// The beginning of a frame whose end has not come.
    cut: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Upgrading,
    Opening,
    Connecting,
    Joining,
    Joined,
    Lost,
}

impl Member {
    /// Asks for the websocket. The rest of the handshake follows from the answers.
    pub(crate) fn new(mut stream: TcpStream, room: u32) -> std::io::Result<Self> {
        stream.write_all(WEBSOCKET.as_bytes())?;
        Ok(Self {
            stream,
            room,
            stage: Stage::Upgrading,
            second: NONE,
            cut: Vec::new(),
        })
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Reads what has come. The buffer is everybody's: nothing stays in it.
    pub(crate) fn read(&mut self, buffer: &mut [u8], ended: bool, heard: &mut Heard, at: Instant) {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return self.lose(heard),
                Ok(read) => {
                    self.take(&buffer[..read], heard, at);
                    // A short read has emptied the socket: what comes after it is an event of its own.
                    if self.stage == Stage::Lost || (read < buffer.len() && !ended) {
                        return;
                    }
                }
                Err(cause) if cause.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => return self.lose(heard),
            }
        }
    }

    fn lose(&mut self, heard: &mut Heard) {
        if self.stage != Stage::Lost {
            heard.lost(self.stage == Stage::Joined);
            self.stage = Stage::Lost;
        }
    }

    fn take(&mut self, bytes: &[u8], heard: &mut Heard, at: Instant) {
        if self.cut.is_empty() {
            let rest = self.all(bytes, heard, at);
            if !rest.is_empty() {
                self.cut = rest.to_vec();
            }
        } else {
            let mut whole = std::mem::take(&mut self.cut);
            whole.extend_from_slice(bytes);
            self.cut = self.all(&whole, heard, at).to_vec();
        }
    }

    /// Takes all that is complete and returns the rest.
    fn all<'a>(&mut self, mut bytes: &'a [u8], heard: &mut Heard, at: Instant) -> &'a [u8] {
        if self.stage == Stage::Upgrading {
            let Some(end) = bytes.windows(4).position(|four| four == HEAD_END) else {
                return bytes;
            };
            let head = String::from_utf8_lossy(&bytes[..end]);
            assert!(head.starts_with("HTTP/1.1 101"), "{head}");
            let mut lines = head.lines();
            assert!(
                lines.any(|line| line.eq_ignore_ascii_case(ACCEPT)),
                "{head}"
            );
            self.stage = Stage::Opening;
            bytes = &bytes[end + HEAD_END.len()..];
        }
        while let Some((kind, payload, rest)) = frame::first(bytes) {
            match kind {
                Kind::Text => self.text(payload, heard, at),
                Kind::Ping => self.send(0x8a, payload, heard),
                Kind::Close => self.lose(heard),
            }
            bytes = rest;
        }
        bytes
    }

    fn text(&mut self, text: &[u8], heard: &mut Heard, at: Instant) {
        match self.stage {
            Stage::Joined if text.starts_with(b"42[\"clock\",") => {
                let second = clock(text, self.room);
                if second == self.second {
                    heard.twice += 1;
                } else {
                    self.second = second;
                    heard.clock(second, at);
                }
            }
            // What is told before the ack belongs to the join.
            Stage::Joined | Stage::Joining if text.starts_with(b"42[") => {}
            Stage::Joining if text.starts_with(b"430[{\"ok\":true") => {
                self.stage = Stage::Joined;
                heard.joined();
            }
            Stage::Opening if text.starts_with(b"0{\"sid\":\"") => {
                self.stage = Stage::Connecting;
                self.send(0x81, b"40", heard);
            }
            Stage::Connecting if text.starts_with(b"40{\"sid\":\"") => {
                self.stage = Stage::Joining;
                let join = format!("420[\"join\",\"s{}\"]", self.room);
                self.send(0x81, join.as_bytes(), heard);
            }
            Stage::Connecting | Stage::Joining | Stage::Joined if text == b"2" => {
                self.send(0x81, b"3", heard);
            }
            Stage::Lost => {}
            stage => panic!("{stage:?}: {}", String::from_utf8_lossy(text)),
        }
    }

    /// A short frame, masked with zeros.
    fn send(&mut self, first: u8, payload: &[u8], heard: &mut Heard) {
        const HEADER: usize = 6;
        let mut frame = [0; HEADER + 125];
        let length = HEADER + payload.len();
        frame[0] = first;
        frame[1] = 0x80 | payload.len() as u8;
        frame[HEADER..length].copy_from_slice(payload);
        // The kernel takes so little at once, or nobody is there any more.
        if !matches!(self.stream.write(&frame[..length]), Ok(written) if written == length) {
            self.lose(heard);
        }
    }
}

/// The second that a clock shows. Every server sends the same bytes: they would not be compared otherwise.
fn clock(text: &[u8], room: u32) -> u8 {
    second_of(text, room)
        .unwrap_or_else(|| panic!("no clock of room {room}: {}", String::from_utf8_lossy(text)))
}

fn second_of(text: &[u8], room: u32) -> Option<u8> {
    let rest = text.strip_prefix(b"42[\"clock\",{\"system\":\"s")?;
    let end = rest.iter().position(|byte| *byte == b'"')?;
    let (system, rest) = rest.split_at(end);
    if std::str::from_utf8(system).ok()?.parse() != Ok(room) {
        return None;
    }
    let (now, rest) = rest.strip_prefix(b"\",\"now\":\"")?.split_at_checked(19)?;
    if rest != b"\",\"seq\":0}]" || now[16] != b':' {
        return None;
    }
    std::str::from_utf8(&now[17..]).ok()?.parse().ok()
}
