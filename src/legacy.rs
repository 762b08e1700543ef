//! The original's routes: its names, its answers, its raw feed, for its one system, which is our default one.
//!
//! Nothing else: what they do is what the routes of [`crate::http`] do.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;

use crate::command::SystemId;
use crate::console;
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::http::{App, on_command};
use crate::origin;
use crate::query::{Verb, asks_for_websocket};
use crate::wire::{LegacyAction, RawFrame};

/// The original showed the last ten.
const HISTORY: u32 = 10;

/// A command of the original. It answered the same text whether something changed or not.
pub(crate) fn command(verb: Verb, answer: &'static str) -> MethodRouter<Arc<App>> {
    on_command(async move |State(app): State<Arc<App>>, request: Request| {
        app.carry_out(verb, &app.default_system()?, request).await?;
        Ok::<_, ApiError>(answer)
    })
}

pub(crate) async fn history(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let system = app.default_system()?;
    let actions = app
        .gateway
        .store()
        .history(&system.id, HISTORY, None)
        .await?;
    let rows: Vec<_> = actions.iter().map(LegacyAction::new).collect();
    Ok(Json(rows).into_response())
}

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

pub(crate) async fn default_feed(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let system = app.default_system()?.id.clone();
    feed(app, system, &headers, upgrade)
}

pub(crate) async fn system_feed(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let system = app.system(&id)?.id.clone();
    feed(app, system, &headers, upgrade)
}

/// `/` is the console, and the raw feed for who asks for a websocket.
pub(crate) async fn root(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, ApiError> {
    if !asks_for_websocket(request.headers()) {
        return Ok(console::index());
    }
    let (mut parts, _) = request.into_parts();
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await;
    default_feed(State(app), parts.headers, upgrade).await
}

fn feed(
    app: Arc<App>,
    system: SystemId,
    headers: &HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    origin::check(&app.origins, headers)?;
    let upgrade = upgrade.map_err(|_| {
        ApiError::bad_request("this is a websocket: connect to it as ws://, version 13, with GET")
    })?;
    let limits = &app.limits;
    Ok(upgrade
        .max_message_size(limits.socket_message_bytes)
        .max_frame_size(limits.socket_message_bytes)
        .read_buffer_size(limits.socket_read_buffer_bytes)
        // The answers to pings of a client that does not read.
        .write_buffer_size(0)
        .max_write_buffer_size(limits.socket_message_bytes)
        .on_upgrade(async move |mut socket| {
            // Who went away, or stopped reading, has no use for a reason.
            let _ = send_ticks(&mut socket, &app, &system).await;
        }))
}

/// A feed ended early, because its client has gone.
struct Gone;

impl From<axum::Error> for Gone {
    fn from(_: axum::Error) -> Self {
        Self
    }
}

/// One frame at once, then one at the turn of each second.
async fn send_ticks(socket: &mut WebSocket, app: &App, system: &SystemId) -> Result<(), Gone> {
    let mut ticks = app.ticks.clone();
    ticks.mark_unchanged();
    send(socket, app, frame(&app.gateway, system)).await?;
    loop {
        tokio::select! {
            biased;
            () = app.shutdown.cancelled() => {
                let reason = CloseFrame { code: close_code::RESTART, reason: "restart".into() };
                return send(socket, app, Message::Close(Some(reason))).await;
            }
            turned = ticks.changed() => {
                turned.map_err(|_| Gone)?;
                send(socket, app, frame(&app.gateway, system)).await?;
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) if text.as_str() == "close" => {
                    return send(socket, app, Message::Close(None)).await;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(()),
            },
        }
    }
}

fn frame(gateway: &Gateway, system: &SystemId) -> Message {
    let store = gateway.store();
    let frame = RawFrame::new(
        &store.known(system),
        &gateway.clock().now(),
        store.stale_ms(),
    );
    let json = serde_json::to_string(&frame).unwrap_or_default();
    Message::text(json)
}

/// A client that takes nothing for too long is gone.
async fn send(socket: &mut WebSocket, app: &App, message: Message) -> Result<(), Gone> {
    let patience = Duration::from_millis(app.limits.write_timeout_ms);
    match tokio::time::timeout(patience, socket.send(message)).await {
        Ok(sent) => Ok(sent?),
        Err(_) => Err(Gone),
    }
}
