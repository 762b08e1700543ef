//! Ties a session of Socket.IO to the link of its websocket, so that it can be written to straight.
//!
//! Only tells the link and the session of each other: when the first message may be written is for the link to see.

use std::sync::{Arc, Weak};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::connection::Connections;
use crate::link::Link;

/// A layer outside of the Socket.IO layer. A session that is opened by this request finds the link in its extensions; one
/// that goes on over it finds it among the [`Connections`].
pub(crate) async fn tie(
    State(connections): State<Arc<Connections>>,
    mut request: Request,
    next: Next,
) -> Response {
    let link = request.extensions_mut().remove::<Weak<Link>>();
    let upgrades = request.headers().contains_key(header::UPGRADE);
    let link = link.filter(|_| upgrades && request.uri().path().starts_with("/socket.io"));
    let Some((weak, link)) = link.and_then(|weak| Some((weak.clone(), weak.upgrade()?))) else {
        return next.run(request).await;
    };
    let query = request.uri().query().unwrap_or_default().as_bytes();
    let session = form_urlencoded::parse(query).find(|(key, _)| key == "sid");
    if let Some((_, session)) = session {
        connections.expect(&session, &link);
    } else {
        request.extensions_mut().insert(weak);
    }
    let response = next.run(request).await;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        link.begin();
    }
    response
}
