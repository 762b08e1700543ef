//! The way in over Socket.IO: connect, join, leave. Reads only; commands are HTTP.
//!
//! Nothing is sent from here but acks: what a room hears comes from [`crate::rooms`]. The sessions are the library's, but for
//! those of [`crate::session`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use socketioxide::extract::{Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, SocketIo};
use tokio::sync::mpsc;

use crate::command::SystemId;
use crate::config::Limits;
use crate::connection::Connections;
use crate::error::{ApiError, Code};
use crate::gateway::Gateway;
use crate::members::{Members, TooManyJoins};
use crate::rooms::Join;
use crate::visitor::{Ack, Place, Visitor};
use crate::wire;

/// The events of the contract that a client may send.
pub const EVENTS_IN: [&str; 2] = ["join", "leave"];
/// The events of the contract that a client hears.
pub const EVENTS_OUT: [&str; 3] = ["state", "clock", "action"];

/// Binary attachments of one packet that are read, to be refused with an ack.
pub(crate) const BINARIES: usize = 4;
/// So much of the name of an event is repeated to who sent it.
const LONGEST_NAME: usize = 64;
/// How long a packet may wait for its attachments.
pub(crate) const BINARIES_TIMEOUT: Duration = Duration::from_secs(5);

/// The Socket.IO server with our limits, and nothing behind it; [`serve`] gives it its handlers.
pub(crate) fn service(limits: &Limits) -> (SocketIoService<Router>, SocketIo) {
    SocketIo::builder()
        .max_buffer_size(limits.socket_packets)
        .max_payload(limits.socket_message_bytes as u64)
        .ws_max_message_size(limits.socket_message_bytes)
        .ws_max_frame_size(limits.socket_message_bytes)
        .ws_read_buffer_size(limits.socket_read_buffer_bytes)
        .ping_interval(Duration::from_millis(limits.ping_interval_ms))
        .ping_timeout(Duration::from_millis(limits.ping_timeout_ms))
        // A session that was opened and not connected is kept for so long, whole and with a task, although its client
        // is gone.
        .connect_timeout(Duration::from_millis(limits.header_timeout_ms))
        .with_parser(
            // Binary is never right, but who sends a little of it is told so instead of being cut.
            ParserConfig::common()
                .max_incoming_binaries(BINARIES)
                .max_incoming_binary_buf_size(limits.socket_message_bytes)
                .packet_completion_timeout(BINARIES_TIMEOUT),
        )
        .build_with_inner_svc(Router::new())
}

/// What the handlers need.
pub(crate) struct Door {
    pub gateway: Gateway,
    pub members: Arc<Members>,
    pub connections: Arc<Connections>,
    pub limits: Arc<Limits>,
    pub joins: mpsc::Sender<Join>,
}

/// Takes connections from now on.
pub(crate) fn serve(io: &SocketIo, door: Arc<Door>) {
    // The handlers are registered in the middleware: an event that a client sends as soon as it is connected would
    // be lost if they were registered in the connect handler, which runs after the connect packet went out.
    let register = move |socket: SocketRef| {
        let visitor = Visitor::arrive(&socket, &door.members, &door.connections);
        register(&socket, &Arc::new(visitor), &door);
        std::future::ready(Ok::<(), Infallible>(()))
    };
    io.ns("/", (async |_: SocketRef| {}).with(register));
}

/// The visitor lives as long as the handlers, and they as long as the socket. There is one for all events: a table of them
/// would be kept for every client.
fn register(socket: &SocketRef, visitor: &Arc<Visitor>, door: &Arc<Door>) {
    let (one, door) = (Arc::clone(visitor), Arc::clone(door));
    // What a closure does that is not async happens in the order of the events; only what it returns is a task of its own.
    socket.on_fallback(
        move |socket: SocketRef,
              Event(name): Event,
              TryData(payload): TryData<serde_json::Value>,
              ack: Ack| {
            let join = door.hear(&one, &name, payload.ok(), ack);
            let door = Arc::clone(&door);
            async move {
                if let Some(join) = join {
                    until_connected(&socket).await;
                    door.ask_for_snapshot(join).await;
                }
            }
        },
    );
    let visitor = Arc::clone(visitor);
    socket.on_disconnect(move || {
        visitor.depart();
        std::future::ready(())
    });
}

/// What an event of a client has done.
enum Done {
    /// It waits for the snapshot, in its place.
    Entered(SystemId, Place),
    Left,
}

impl Door {
    /// Does what an event of a client asks for, and answers it; a join is to be followed by
    /// [`Door::ask_for_snapshot`], which does that.
    pub(crate) fn hear(
        &self,
        visitor: &Arc<Visitor>,
        name: &str,
        payload: Option<serde_json::Value>,
        ack: Ack,
    ) -> Option<Join> {
        let payload = payload.ok_or_else(wrong_payload);
        match payload.and_then(|payload| self.event(visitor, name, &payload)) {
            Ok(Done::Entered(system, place)) => {
                return Some(Join {
                    visitor: Arc::clone(visitor),
                    system,
                    ack,
                    place,
                });
            }
            Ok(Done::Left) => visitor.answer(ack, &wire::Ack::Left { ok: true }),
            Err(error) => refuse(visitor, ack, &error),
        }
        None
    }

    fn event(
        &self,
        visitor: &Arc<Visitor>,
        name: &str,
        payload: &serde_json::Value,
    ) -> Result<Done, ApiError> {
        match name {
            "join" => self.enter(visitor, &system_id(payload)?),
            "leave" => {
                visitor.leave(&system_id(payload)?);
                Ok(Done::Left)
            }
            _ => {
                let allowed = EVENTS_IN.join(" and ");
                let name: String = name.chars().take(LONGEST_NAME).collect();
                let message = format!("there is no event {name:?}; allowed are {allowed}");
                Err(ApiError::bad_request(message))
            }
        }
    }

    fn enter(&self, visitor: &Arc<Visitor>, system: &SystemId) -> Result<Done, ApiError> {
        if self.gateway.systems().get(system).is_none() {
            return Err(ApiError::unknown_system(system));
        }
        let place = visitor.place().ok_or_else(ApiError::overloaded)?;
        visitor.enter(system).map_err(|TooManyJoins { allowed }| {
            let message = format!("a socket may join {allowed} systems; leave one first");
            ApiError::new(Code::TooManyJoins, message)
        })?;
        Ok(Done::Entered(system.clone(), place))
    }

    pub(crate) async fn ask_for_snapshot(&self, join: Join) {
        if let Err(mpsc::error::SendError(join)) = self.joins.send(join).await {
            refuse(&join.visitor, join.ack, &ApiError::overloaded());
        }
    }
}

/// Answers an event that cannot be.
fn refuse(visitor: &Visitor, ack: Ack, error: &ApiError) {
    let error = error.body();
    visitor.answer(ack, &wire::Ack::Refused { ok: false, error });
}

/// What is sent to a client before it was told that it is connected would be lost, and a client that joins at once would
/// not get its snapshot, only the ack of it if it asked for one.
async fn until_connected(socket: &SocketRef) {
    // One that is not connected after these, a second in all, has gone.
    for look in 0..10 {
        if socket.connected() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1 << look)).await;
    }
}

fn system_id(id: &serde_json::Value) -> Result<SystemId, ApiError> {
    let id = id.as_str().ok_or_else(wrong_payload)?;
    Ok(SystemId::parse(id)?)
}

fn wrong_payload() -> ApiError {
    ApiError::bad_request("the payload must be the id of a system, a string")
}
