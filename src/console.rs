//! The web console, as it was built by `make prepare-client`, out of the binary.
//!
//! Files only. Without a built console the page says how to build it.

use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::error::{ApiError, Code};

#[derive(Embed)]
#[folder = "client/dist"]
#[allow_missing = true]
struct Dist;

/// The page may load nothing from elsewhere, and nobody may put it into a frame and have it clicked.
const POLICY: &str =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

const NOT_BUILT: &str = "<!doctype html><html lang=en><title>acequia</title>\
    <h1>The console is not built</h1>\
    <p>The gateway runs, its console is missing. Build it with <code>make prepare-client</code>, \
    then start the gateway again with <code>make run</code>.";

/// The console's only page: it finds out by itself which system it shows.
pub(crate) fn index() -> Response {
    let page = match Dist::get("index.html") {
        Some(page) => with_type(page),
        None => Html(NOT_BUILT).into_response(),
    };
    let mut page = page;
    let headers = page.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    page
}

pub(crate) async fn page() -> Response {
    index()
}

/// A file of the console, or the answer for a path that nothing is at.
pub(crate) async fn file(method: Method, uri: Uri) -> Result<Response, ApiError> {
    let path = uri.path().trim_start_matches('/');
    let found = Dist::get(path).filter(|_| method == Method::GET || method == Method::HEAD);
    let Some(found) = found else {
        let message = "there is nothing here; GET /systems lists the systems";
        return Err(ApiError::new(Code::NotFound, message));
    };
    let mut response = with_type(found);
    let headers = response.headers_mut();
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(caching(path)),
    );
    Ok(response)
}

/// How long a file may be kept without being asked for again.
fn caching(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        // The build puts a hash of the content into the names below assets.
        _ if path.starts_with("assets/") => "public, max-age=31536000, immutable",
        // An icon of yesterday does no harm.
        Some("png" | "svg") => "public, max-age=86400",
        _ => "no-cache",
    }
}

fn with_type(file: EmbeddedFile) -> Response {
    let kind = match file.metadata.mimetype() {
        text if text.starts_with("text/") => format!("{text}; charset=utf-8"),
        other => other.to_owned(),
    };
    ([(header::CONTENT_TYPE, kind)], file.data).into_response()
}
