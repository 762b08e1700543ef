//! Ties a session of Socket.IO to the link of its websocket, so that it can be written to straight.
//!
//! Only tells the link and the session of each other: when the first message may be written is for the link to see.

use std::borrow::Cow;
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
    let link = link.filter(|_| is_websocket(&request));
    let Some((weak, link)) = link.and_then(|weak| Some((weak.clone(), weak.upgrade()?))) else {
        return next.run(request).await;
    };
    if let Some(session) = parameter(&request, "sid") {
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

/// True for what makes the connection a websocket of Socket.IO, if it is granted.
fn is_websocket(request: &Request) -> bool {
    let upgrade = request.headers().get(header::UPGRADE);
    request.uri().path().starts_with("/socket.io")
        && upgrade.is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && parameter(request, "transport").is_some_and(|transport| transport == "websocket")
}

fn parameter<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let query = request.uri().query()?.as_bytes();
    let mut parameters = form_urlencoded::parse(query);
    parameters.find_map(|(key, value)| (key == name).then_some(value))
}
