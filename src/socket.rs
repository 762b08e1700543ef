//! The way in over Socket.IO: connect, join, leave. Reads only; commands are HTTP.
//!
//! Nothing is sent from here but acks of refusals: what a room hears comes from [`crate::rooms`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use socketioxide::extract::{Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::layer::SocketIoLayer;
use socketioxide::{ParserConfig, SocketIo};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::command::SystemId;
use crate::config::Limits;
use crate::connection::Connections;
use crate::error::{ApiError, Code};
use crate::gateway::Gateway;
use crate::members::{Members, TooManyJoins};
use crate::rooms::Join;
use crate::visitor::{Ack, Visitor};
use crate::wire;

/// The events of the contract that a client may send.
pub const EVENTS_IN: [&str; 2] = ["join", "leave"];
/// The events of the contract that a client hears.
pub const EVENTS_OUT: [&str; 3] = ["state", "clock", "action"];

/// Binary attachments of one packet that are read, to be refused with an ack.
const BINARIES: usize = 4;
/// How long a packet may wait for its attachments.
const BINARIES_TIMEOUT: Duration = Duration::from_secs(5);

/// The Socket.IO server with our limits; [`serve`] gives it its handlers.
pub(crate) fn layer(limits: &Limits) -> (SocketIoLayer, SocketIo) {
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
        .build_layer()
}

/// What a handler needs.
#[derive(Clone)]
pub(crate) struct Door {
    pub gateway: Gateway,
    pub members: Arc<Members>,
    pub connections: Arc<Connections>,
    pub joins: mpsc::Sender<Join>,
}

/// Takes connections from now on.
pub(crate) fn serve(io: &SocketIo, door: Door) {
    // The handlers are registered in the middleware: an event that a client sends as soon as it is connected would
    // be lost if they were registered in the connect handler, which runs after the connect packet went out.
    let register = move |socket: SocketRef| {
        door.register(&socket);
        std::future::ready(Ok::<(), Infallible>(()))
    };
    io.ns("/", (async |_: SocketRef| {}).with(register));
}

impl Door {
    fn register(&self, socket: &SocketRef) {
        Visitor::arrive(socket, &self.members, &self.connections);
        let door = self.clone();
        // Closures that are not async run in the order of the events; only what they return is a task of its own.
        socket.on(
            "join",
            move |socket: SocketRef, TryData(id): TryData<serde_json::Value>, ack: Ack| {
                let visitor = Visitor::of(&socket);
                let entered = id
                    .map_err(|_| wrong_payload())
                    .and_then(|id| door.enter(visitor.as_deref(), &id));
                async move {
                    let Some(visitor) = visitor else { return };
                    until_connected(&visitor, &socket).await;
                    match entered {
                        Ok((system, place)) => {
                            let join = Join {
                                visitor,
                                system,
                                ack,
                                place,
                            };
                            door.ask_for_snapshot(join).await;
                        }
                        Err(error) => refuse(&visitor, ack, &error),
                    }
                }
            },
        );
        socket.on(
            "leave",
            move |socket: SocketRef, TryData(id): TryData<serde_json::Value>, ack: Ack| {
                let visitor = Visitor::of(&socket);
                let left = id
                    .map_err(|_| wrong_payload())
                    .and_then(|id| system_id(&id));
                if let (Some(visitor), Ok(system)) = (&visitor, &left) {
                    visitor.leave(system);
                }
                async move {
                    match (visitor, left) {
                        (Some(visitor), Ok(_)) => {
                            visitor.answer(ack, &wire::Ack::Left { ok: true })
                        }
                        (Some(visitor), Err(error)) => refuse(&visitor, ack, &error),
                        (None, _) => {}
                    }
                }
            },
        );
        socket.on_fallback(async |socket: SocketRef, Event(name): Event, ack: Ack| {
            let allowed = EVENTS_IN.join(" and ");
            let message = format!("there is no event {name:?}; allowed are {allowed}");
            if let Some(visitor) = Visitor::of(&socket) {
                refuse(&visitor, ack, &ApiError::bad_request(message));
            }
        });
        socket.on_disconnect(|socket: SocketRef| {
            if let Some(visitor) = Visitor::of(&socket) {
                visitor.depart();
            }
            std::future::ready(())
        });
    }

    fn enter(
        &self,
        visitor: Option<&Visitor>,
        id: &serde_json::Value,
    ) -> Result<(SystemId, OwnedSemaphorePermit), ApiError> {
        let system = system_id(id)?;
        if self.gateway.systems().get(&system).is_none() {
            return Err(ApiError::unknown_system(&system));
        }
        let visitor = visitor.ok_or_else(ApiError::overloaded)?;
        let place = visitor.place().ok_or_else(ApiError::overloaded)?;
        visitor.enter(&system).map_err(|TooManyJoins { allowed }| {
            let message = format!("a socket may join {allowed} systems; leave one first");
            ApiError::new(Code::TooManyJoins, message)
        })?;
        Ok((system, place))
    }

    async fn ask_for_snapshot(&self, join: Join) {
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
async fn until_connected(visitor: &Visitor, socket: &SocketRef) {
    // One that is not connected after these, a second in all, has gone.
    for look in 0..10 {
        if visitor.is_connected(socket) {
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
