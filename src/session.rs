//! A session of protocol v5 on a websocket that was opened for it: one task opens it, hears what the client says, and sees
//! that it lives.
//!
//! The library would take three tasks and a queue for it, 15 KiB, which only wait: what such a client is told is written
//! straight. Packets are read and made by the library's own parser, what an event does is for [`Door`] to say, and all other
//! sessions are the library's: over polling, those that move on from there, and of protocol v4.

use std::io::Write;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use engineioxide_core::{OpenPacket, Packet as EnginePacket, ProtocolVersion, Sid, Str};
use futures_util::StreamExt;
use hyper::upgrade::{OnUpgrade, Parts};
use hyper_util::rt::TokioIo;
use socketioxide_core::Value;
use socketioxide_core::packet::{ConnectPacket, Packet, PacketData};
use socketioxide_core::parser::{Parse, ParseConfig, ParseError, ParserState};
use socketioxide_parser_common::CommonParser;
use tokio::time::sleep;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::connection::Connection;
use crate::link::{Late, Link, Message, Text};
use crate::rooms::Join;
use crate::socket::{BINARIES, BINARIES_TIMEOUT, Door};
use crate::visitor::{Ack, Visitor};

/// The namespace that there is.
const ROOT: &str = "/";

/// The answers to a client's pings that wait for it; of more the websocket keeps the last one.
const ANSWERS: usize = 1024;

/// Opens a session on the connection that is handed over, and serves it until it ends.
pub(crate) async fn run(upgrade: OnUpgrade, door: Arc<Door>) {
    let upgraded = upgrade.await.map_err(drop);
    let parts = upgraded.and_then(|it| it.downcast::<TokioIo<Connection>>().map_err(drop));
    // Who has gone meanwhile has no session.
    let Ok(Parts { io, read_buf, .. }) = parts else {
        return;
    };
    let connection = io.into_inner();
    let limits = Arc::clone(&door.limits);
    let mut session = Session::open(Arc::clone(connection.link()), door);
    let config = WebSocketConfig::default()
        .read_buffer_size(limits.socket_read_buffer_bytes)
        .max_message_size(Some(limits.socket_message_bytes))
        .max_frame_size(Some(limits.socket_message_bytes))
        .write_buffer_size(0)
        .max_write_buffer_size(ANSWERS);
    // A copy: these few bytes, if any, are in the buffer that the request was read into.
    let begin = read_buf.to_vec();
    drop(read_buf);
    let (role, config) = (Role::Server, Some(config));
    let mut frames = WebSocketStream::from_partially_read(connection, begin, role, config).await;

    let after = |ms| sleep(Duration::from_millis(ms));
    let mut awaits = Awaits::Connect;
    let mut alarm = pin!(after(limits.header_timeout_ms));
    loop {
        // What has come while this process was held up counts: who sends is there.
        let frame = tokio::select! {
            biased;
            frame = frames.next() => frame,
            () = &mut alarm => {
                if awaits != Awaits::Turn {
                    break;
                }
                session.send(EnginePacket::Ping);
                awaits = Awaits::Pong;
                alarm.set(after(limits.ping_timeout_ms));
                continue;
            }
        };
        let Some(Ok(frame)) = frame else { break };
        match session.hear(frame) {
            Ok(Heard::Sign(sign)) if sign == awaits => {
                awaits = Awaits::Turn;
                alarm.set(after(limits.ping_interval_ms));
            }
            Ok(Heard::Join(join)) => session.door.ask_for_snapshot(join).await,
            Ok(Heard::Sign(_) | Heard::Nothing) => {}
            Err(End) => break,
        }
    }
    // Who sees the end of it is no member any more.
    drop(session);
    // Its client may have closed it, or be gone.
    let _ = frames.close(None).await;
}

/// What a session needs to hear of its client before its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Connect,
    Pong,
    /// Nothing: it is its turn to ask.
    Turn,
}

/// What was heard of a client.
enum Heard {
    /// That it is there.
    Sign(Awaits),
    /// It waits for a snapshot.
    Join(Join),
    /// Nothing more is to be done about it.
    Nothing,
}

/// The session is over: its client has said so, or something that nobody understands.
struct End;

/// A session that is open.
struct Session {
    link: Arc<Link>,
    door: Arc<Door>,
    /// None before its client has connected, and after it has disconnected.
    visitor: Option<Arc<Visitor>>,
    /// A packet whose attachments are to come.
    partial: Option<Box<ParserState>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.disconnect();
    }
}

impl Session {
    fn open(link: Arc<Link>, door: Arc<Door>) -> Self {
        let limits = &door.limits;
        let open = OpenPacket {
            sid: Sid::new(),
            upgrades: Default::default(),
            ping_interval: Duration::from_millis(limits.ping_interval_ms),
            ping_timeout: Duration::from_millis(limits.ping_timeout_ms),
            max_payload: limits.socket_message_bytes as u64,
        };
        let session = Self {
            link,
            door,
            visitor: None,
            partial: None,
        };
        session.send(EnginePacket::Open(open));
        session
    }

    /// Sends a packet of Engine.IO, in its turn.
    fn send(&self, packet: EnginePacket) {
        let packet = String::from(packet);
        let mut text = Text::with_capacity(packet.len());
        // A frame in memory can be written to.
        let _ = text.write_all(packet.as_bytes());
        self.link.say(&Message::new(text, Late::Kept));
    }

    /// Sends a packet of Socket.IO, in its turn.
    fn send_packet(&self, packet: Packet) {
        if let Value::Str(text, _) = CommonParser.encode(packet) {
            self.send(EnginePacket::Message(text));
        }
    }

    /// Does what a message says.
    fn hear(&mut self, frame: Frame) -> Result<Heard, End> {
        let packet = match frame {
            Frame::Text(text) => {
                let text = Str::copy_from_slice(&text);
                match EnginePacket::parse(ProtocolVersion::V4, text).map_err(|_| End)? {
                    EnginePacket::Message(text) => {
                        self.read(|config, state| CommonParser.decode_str(config, state, text))?
                    }
                    EnginePacket::Ping | EnginePacket::Pong => {
                        return Ok(Heard::Sign(Awaits::Pong));
                    }
                    _ => return Err(End),
                }
            }
            Frame::Binary(bytes) => {
                self.read(|config, state| CommonParser.decode_bin(config, state, bytes))?
            }
            // The websocket answers pings and closes, and ends after these.
            _ => None,
        };
        let Some(Packet { inner, ns }) = packet else {
            return Ok(Heard::Nothing);
        };
        match inner {
            PacketData::Connect(_) if ns == ROOT => {
                self.connect();
                Ok(Heard::Sign(Awaits::Connect))
            }
            PacketData::Connect(_) => {
                self.send_packet(Packet::connect_error(ns, "Invalid namespace"));
                Ok(Heard::Nothing)
            }
            _ if ns != ROOT => Ok(Heard::Nothing),
            PacketData::Disconnect => {
                self.disconnect();
                Ok(Heard::Nothing)
            }
            PacketData::Event(payload, ack) | PacketData::BinaryEvent(payload, ack) => {
                self.event(payload, ack)
            }
            // Nobody has asked for one, but who is connected may send it.
            PacketData::EventAck(..) | PacketData::BinaryAck(..) if self.visitor.is_some() => {
                Ok(Heard::Nothing)
            }
            _ => Err(End),
        }
    }

    /// Reads a part of a packet; none as long as there is more to come.
    fn read(
        &mut self,
        read: impl FnOnce(&ParseConfig, &ParserState) -> Result<Packet, ParseError>,
    ) -> Result<Option<Packet>, End> {
        let config = ParseConfig {
            max_incoming_binaries: BINARIES,
            max_incoming_binary_buf_size: self.door.limits.socket_message_bytes,
            packet_completion_timeout: BINARIES_TIMEOUT,
        };
        let state = self.partial.take().unwrap_or_default();
        match read(&config, &state) {
            Ok(packet) => Ok(Some(packet)),
            Err(ParseError::NeedsMoreBinaryData) => {
                self.partial = Some(state);
                Ok(None)
            }
            Err(_) => Err(End),
        }
    }

    /// Connecting twice is fine.
    fn connect(&mut self) {
        if self.visitor.is_none() {
            let sid = ConnectPacket { sid: Sid::new() };
            self.send_packet(Packet::connect(
                ROOT,
                CommonParser.encode_default(&sid).ok(),
            ));
            let visitor = Visitor::on(&self.link, &self.door.members);
            self.visitor = Some(Arc::new(visitor));
        }
    }

    fn event(&self, mut payload: Value, ack: Option<i64>) -> Result<Heard, End> {
        let visitor = self.visitor.as_ref().ok_or(End)?;
        let name = CommonParser
            .read_event(&payload)
            .map_err(|_| End)?
            .to_owned();
        let payload = CommonParser.decode_value(&mut payload, true).ok();
        let join = self.door.hear(visitor, &name, payload, Ack::ours(ack));
        Ok(join.map_or(Heard::Nothing, Heard::Join))
    }

    fn disconnect(&mut self) {
        if let Some(visitor) = self.visitor.take() {
            visitor.depart();
        }
    }
}
