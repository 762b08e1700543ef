//! Which web pages may use the gateway: what browsers say of where a request comes from.
//!
//! CORS alone lets a foreign page send commands (it may only not read the answer) and does not know websockets:
//! whatever opens a valve or a connection is therefore checked here.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

use crate::config::Origins;
use crate::error::{ApiError, Code};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Names that the public DNS does not give to anybody (RFC 6761, 6762, 8375, and `.internal`); `.lan` is what home
/// routers use.
const LOCAL_NAMES: [&str; 5] = [".localhost", ".local", ".lan", ".home.arpa", ".internal"];

/// Refuses what a browser sends on behalf of a page that is not allowed. Programs that are no browsers say nothing
/// about an origin and pass.
///
/// # Errors
/// `origin_not_allowed`.
pub(crate) fn check(origins: &Origins, headers: &HeaderMap) -> Result<(), ApiError> {
    let Origins::Only(allowed) = origins else {
        return Ok(());
    };
    let own = own_authority(headers, allowed);
    let passes = match headers.get(header::ORIGIN).map(HeaderValue::to_str) {
        Some(Ok(origin)) => {
            allowed.iter().any(|a| a == origin) || (own.is_some() && authority(origin) == own)
        }
        Some(Err(_)) => false,
        // An image or a link of a foreign page has no origin, but modern browsers say that it is foreign.
        None => headers
            .get(FETCH_SITE)
            .is_none_or(|site| own.is_some() && (site == "same-origin" || site == "none")),
    };
    if passes {
        return Ok(());
    }
    let message =
        "pages of this origin may not use the gateway; cors.allowed_origins lists those that may";
    Err(ApiError::new(Code::OriginNotAllowed, message))
}

fn authority(origin: &str) -> Option<&str> {
    origin.split_once("://").map(|(_, authority)| authority)
}

/// The name that the browser knows this gateway by, if it is one that nobody else can let point to it.
///
/// A page of `evil.example` can have its name resolved to the gateway's address after it was loaded (DNS rebinding), and
/// is then, for the browser, a page of the gateway. Public names count therefore only when they are configured.
fn own_authority<'a>(headers: &'a HeaderMap, allowed: &[String]) -> Option<&'a str> {
    let own = headers.get(header::HOST)?.to_str().ok()?;
    let host = own.parse::<Authority>().ok()?;
    let name = host.host();
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let local = !name.contains('.') || LOCAL_NAMES.iter().any(|local| name.ends_with(local));
    let configured = allowed.iter().any(|origin| authority(origin) == Some(own));
    (address || local || configured).then_some(own)
}

/// The answers that let the allowed pages read what they asked for.
pub(crate) fn cors(origins: &Origins) -> CorsLayer {
    let allowed: AllowOrigin = match origins {
        Origins::Any => Any.into(),
        Origins::Only(list) => {
            let values = list
                .iter()
                .filter_map(|origin| HeaderValue::from_str(origin).ok());
            AllowOrigin::list(values)
        }
    };
    CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(Any)
        .expose_headers([header::RETRY_AFTER])
}
