//! Where a request goes: to Socket.IO, or to the routes of HTTP.
//!
//! The origin of one of Socket.IO is checked. A websocket that opens a session of protocol v5 goes to [`session`]; before
//! the library gets any other request, its websocket is tied to its session, and what the session would keep of it for life
//! is let go of.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::{Arc, Weak};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use socketioxide::service::SocketIoService;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::{Service, ServiceExt, service_fn};

use crate::config::Origins;
use crate::connection::Connections;
use crate::error::ApiError;
use crate::http::shape;
use crate::link::Link;
use crate::socket::Door;
use crate::{origin, query, session};

/// All that Engine.IO reads of the headers of a request, which has one of them: of a POST, and of a websocket.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::SEC_WEBSOCKET_KEY];

/// As a service, of which each request has a clone.
pub(crate) fn service(
    front: Arc<Front>,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send {
    service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { Ok(front.answer(request).await) }
    })
}

/// What answers every request.
pub(crate) struct Front {
    pub socket_io: SocketIoService<Router>,
    pub door: Arc<Door>,
    pub http: Router,
    /// The largest body of a request of HTTP. Socket.IO has its own limit.
    pub body_bytes: usize,
    pub origins: Arc<Origins>,
    pub connections: Arc<Connections>,
}

impl Front {
    async fn answer(&self, request: Request) -> Response {
        let answer = if is_socket_io(&request) {
            self.socket_io(request).await
        } else {
            self.http(request).await
        };
        answer.unwrap_or_else(|error| shape(error.into_response()))
    }

    async fn http(&self, request: Request) -> Result<Response, ApiError> {
        query::check_length(request.body(), self.body_bytes)?;
        let Ok(answer) = self.http.clone().oneshot(request).await;
        Ok(shape(answer))
    }

    async fn socket_io(&self, mut request: Request) -> Result<Response, ApiError> {
        origin::check(&self.origins, request.headers())?;
        let link = request.extensions_mut().remove::<Weak<Link>>();
        let link = link.and_then(|link| link.upgrade());
        let link = link.filter(|_| is(&request, "transport", "websocket"));
        if let Some(link) = &link {
            if let Some(accept) = opening(&request) {
                link.begin_held();
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(session::run(upgrade, Arc::clone(&self.door)));
                return Ok(switching(&accept));
            }
            if let Some(session) = parameter(&request, "sid") {
                self.connections.expect(&session, link);
            }
        }
        release(&mut request);
        let Ok(answer) = self.socket_io.clone().oneshot(request).await;
        if let Some(link) = link
            && answer.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            link.begin();
        }
        Ok(answer.map(Body::new))
    }
}

/// What the answer makes of the key (RFC 6455, 4.2.2) of a request that becomes a websocket and opens a session of
/// protocol v5 on it. Of all others the library says what is wrong with them.
fn opening(request: &Request) -> Option<String> {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY)?;
    let can = request.extensions().get::<OnUpgrade>().is_some() && request.method() == Method::GET;
    let opens = is(request, "EIO", "4") && parameter(request, "sid").is_none();
    (can && opens).then(|| derive_accept_key(key.as_bytes()))
}

fn switching(accept: &str) -> Response {
    let headers = [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// Socket.IO keeps the parts of the request that opened a connection. Header values and the address are slices of the
/// buffer that the request was read into, and hold 16 KiB of it per connection. A few fresh copies take their place.
/// (axum's own copy of the address, its feature `original-uri`, would hold it as well and stays off.)
fn release(request: &mut Request) {
    // A map that may grow begins with room for six.
    let mut fresh = HeaderMap::with_capacity(1);
    for name in KEPT {
        let value = request.headers().get(&name);
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_bytes(value.as_bytes())) {
            fresh.insert(name, value);
        }
    }
    *request.headers_mut() = fresh;
    // A text that was an address is one still.
    if let Ok(uri) = Uri::try_from(request.uri().to_string()) {
        *request.uri_mut() = uri;
    }
}

/// The paths that the library answers.
fn is_socket_io(request: &Request) -> bool {
    let below = request.uri().path().strip_prefix("/socket.io");
    below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

fn is(request: &Request, name: &str, value: &str) -> bool {
    parameter(request, name).is_some_and(|it| it == value)
}

fn parameter<'a>(request: &'a Request, name: &str) -> Option<Cow<'a, str>> {
    let query = request.uri().query()?.as_bytes();
    let mut parameters = form_urlencoded::parse(query);
    parameters.find_map(|(key, value)| (key == name).then_some(value))
}
