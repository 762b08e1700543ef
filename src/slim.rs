//! Lets go of what a socket would keep of its request for life.
//!
//! Socket.IO keeps the parts of the request that opened a connection. Header values and the address are slices of the
//! buffer that the request was read into, and hold 16 KiB of it per connection. A few fresh copies take their place.
//! (axum's own copy of the address, its feature `original-uri`, would hold it as well and stays off.)

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

/// All that Engine.IO reads of a request, which has one of them: of a POST, and of a websocket.
const KEPT: [HeaderName; 2] = [header::CONTENT_TYPE, header::SEC_WEBSOCKET_KEY];

/// A layer outside of the Socket.IO layer.
pub(crate) async fn release(mut request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/socket.io") {
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
    next.run(request).await
}
