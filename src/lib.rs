//! acequia: a gateway for irrigation. Many systems, one room each; what happens is durable before anybody hears of it.
//!
//! ```text
//!  front: http ─┐
//!  legacy ──────┼─ Command ─> gateway ─> engine ─> store.commit ─> changes() ─┬─> rooms ─> room "north": state, action
//!  simulator ───┘ (HTTP only)  │   │    (pure)     (durable)      (the feed)  └─> deadlines: the next one moved
//!                              │   └─ deadlines settle what is due the same way
//!                              └─ answer back to the caller
//!  session, socket: join -> enter room -> rooms: read state -> snapshot to this one socket (reads only)
//! ```
//!
//! # Invariants
//!
//! 1. [`engine`] and [`command`] import nothing of ours but each other and [`time`]'s types. They cannot wait and hold
//!    no clock.
//! 2. Nothing is live before it is durable, but for what closes a valve while the disk of one machine does not write. The
//!    store owns the feed: a commit compares, writes, and makes the change visible in one step. `http` never emits.
//! 3. Only `http`, `legacy`, `socket`, `rooms`, `event`, `visitor` and `error` use `wire`. Only `front`, `socket`,
//!    `rooms` and `visitor` know socketioxide; `session` knows its parser, and speaks for it on the websockets that were opened
//!    for a session of protocol 5. `rooms` never writes to the store; `socket` and `session` never submit. What is said to a
//!    client goes through its `visitor`, and on a websocket through its `link`: one order.
//! 4. State is a value, time is an argument. The operating system's clocks are read in [`time`] alone (clippy refuses
//!    them elsewhere). Where several machines share a store, its clock is the only one.
//! 5. Deadlines are data in the states, fired by one loop, never a task per system. Any node may fire one, or show a run
//!    anew: the `seq` that a change expects lets exactly one win.
//! 6. Every queue is bounded, and what happens when it is full is written beside it.
//! 7. A process that loses its memory loses nothing but connections, and ends that no disk would take: then it trusts no
//!    run. Idle systems cost no CPU. What a commit became is never guessed: it is read.
//! 8. Locks are std's, short, never across an await. SQLite lives on its own threads. What rooms and feeds show comes from
//!    memory: no store that hangs holds up a clock.
//! 9. Small errors inside, one `ApiError` at the edge; causes go to the log, never to the client.
//! 10. One slow, stalled or hostile client costs the others nothing.
//! 11. [`simulator`] knows the gateway only over the network, but for its season without one: `stand_in`, `offline` and
//!     `law` use the pure [`engine`], and nothing else of the gateway but the names that [`command`] checks. Nothing of the
//!     gateway knows the simulator.

pub mod command;
pub mod config;
mod connection;
mod console;
mod deadlines;
pub mod engine;
mod error;
mod event;
mod front;
mod gateway;
mod http;
mod legacy;
mod link;
mod members;
mod origin;
mod query;
mod rooms;
mod serve;
mod session;
pub mod simulator;
mod socket;
pub mod store;
pub mod time;
mod visitor;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::Layer;
use tower_http::trace::TraceLayer;

pub use error::Code;
pub use http::ROUTES;
pub use socket::{EVENTS_IN, EVENTS_OUT};

use config::Settings;
use connection::Connections;
use front::Front;
use gateway::Gateway;
use members::Members;
use rooms::Rooms;
use store::Store;
use time::Clock;

/// How long the commit in hand has when the gateway stops, and the store to be closed. With the connections' last moments
/// it is less than five seconds.
const LAST_COMMIT: Duration = Duration::from_secs(2);
const CLOSE: Duration = Duration::from_secs(1);

/// Why the gateway ends without having been told to.
#[derive(Debug, Error)]
pub enum RunError {
    #[error("the store does not let the runs be settled that it holds; nothing was served")]
    NotSettled,
    #[error("what {0} has failed: only a restart helps")]
    Failed(&'static str),
}

/// The whole gateway, from a store that is open and a port that is bound until `shutdown`.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    settings: Settings,
    store: Store,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let systems = store.register(settings.systems).await;
    let systems = systems.map_err(|_| RunError::NotSettled)?;
    let gateway = Gateway::new(systems, store, clock);
    let limits = Arc::new(settings.limits);
    let origins = Arc::new(settings.origins);
    let members = Arc::new(Members::new(limits.joins_per_socket));
    let (socket_io, io) = socket::service(&limits);
    let (rooms, doors) = Rooms::new(io.clone(), gateway.clone(), Arc::clone(&members));
    let connections = Arc::new(Connections::default());
    let door = Arc::new(socket::Door {
        gateway: gateway.clone(),
        members: Arc::clone(&members),
        connections: Arc::clone(&connections),
        limits: Arc::clone(&limits),
        joins: doors.joins,
    });
    socket::serve(&io, Arc::clone(&door));

    deadlines::settle_all(&gateway)
        .await
        .map_err(|_| RunError::NotSettled)?;
    let mut rooms = tokio::spawn(rooms.run());
    let mut deadlines = tokio::spawn(deadlines::watch(gateway.clone()));

    let app = http::App {
        gateway: gateway.clone(),
        ticks: doors.ticks,
        limits: Arc::clone(&limits),
        origins: Arc::clone(&origins),
        max_timer: settings.max_timer,
        members,
        connections: Arc::clone(&connections),
        shutdown: shutdown.clone(),
    };
    let cors = origin::cors(&origins);
    let front = Arc::new(Front {
        socket_io,
        door,
        http: http::router(Arc::new(app)),
        body_bytes: limits.body_bytes,
        origins,
        connections: Arc::clone(&connections),
    });
    let service = TraceLayer::new_for_http()
        .on_failure(())
        .layer(cors.layer(front::service(front)));

    let store = gateway.store();
    let serving = async {
        let (limits, crowd) = (&limits, settings.crowd);
        let leftover =
            serve::accept(listener, service, (limits, crowd), connections, shutdown).await;
        if timeout(LAST_COMMIT, store.commit_in_hand()).await.is_err() {
            tracing::warn!("the disk does not answer: the last commit may be lost");
        }
        leftover.end().await;
    };
    // Without any of these, timers would not end, or nobody would hear of it: better no gateway than such a one.
    let ended = tokio::select! {
        () = serving => Ok(()),
        _ = &mut rooms => Err(RunError::Failed("tells the rooms")),
        _ = &mut deadlines => Err(RunError::Failed("ends the runs")),
        () = store.failed() => Err(RunError::Failed("keeps the store")),
    };
    rooms.abort();
    deadlines.abort();
    if timeout(CLOSE, store.close()).await.is_err() {
        tracing::error!("the disk does not answer: the store was not closed");
    }
    ended
}
