//! Fields that dry and are watered, and everybody who asks a gateway for water.
//!
//! ```text
//! climate ─> weather ─> day ─> sky ─┬─> field ─> sensor ─> radio ─> senses ─> controller ─> call ─┐
//!     │                             │    │                            ▲                          │
//!     └─────────── fao56 ───────────┘    └── books, meter ────────────┘                       gateway
//!                                                                                                │
//!            plot: one system from end to end        field <─ irrigation <─ valve <─ actuator <──┘
//! ```
//!
//! - The physics (up to `senses`) knows neither a network, a clock nor the gateway: from numbers, and seeds of chance, to
//!   numbers. `controller` and `actuator` are state machines of the same kind.
//! - `plot` is told what time it is and what the gateway says, by a runner: it does not know which.
//! - `offline` is the runner of virtual time. Its gateway is `stand_in`: the engine itself. What comes of it is judged by
//!   `law` (the changes), `rules` (the valve) and `books` (the water), each written down apart from what it judges.
//! - `scenario` is what is simulated, `season` what remains of it, `summary` says that in a table, `report` in a page
//!   with plots.
//!
//! Only `stand_in`, `offline` and `law` know the engine and its types; `scenario` checks names as the gateway does.
//! Everything else knows the gateway only over the network, as [`run`] does.

pub mod actuator;
pub mod balance;
pub mod books;
pub mod call;
pub mod chance;
pub mod climate;
pub mod controller;
pub mod day;
pub mod fao56;
pub mod field;
pub mod irrigation;
pub mod law;
pub mod meter;
pub mod number;
pub mod offline;
pub mod pace;
pub mod plot;
pub mod radio;
pub mod report;
pub mod rules;
pub mod scenario;
pub mod season;
pub mod senses;
pub mod sensor;
pub mod sky;
pub mod stand_in;
pub mod summary;
pub mod trouble;
pub mod weather;

#[cfg(test)]
mod season_tests;

use std::ops::RangeInclusive;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::RngExt;
use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinSet;

/// Seconds between two timers of a system, as the original had it.
pub const PAUSE_S: RangeInclusive<f64> = 20.0..=30.0;
/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A request that did not succeed.
#[derive(Debug, Error)]
pub enum RequestError {
    #[error("the address cannot be used")]
    Address(#[from] hyper::http::Error),
    #[error("the gateway does not answer")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("the answer broke off")]
    Body(#[from] hyper::Error),
    #[error("the gateway took too long to answer")]
    Timeout(#[from] tokio::time::error::Elapsed),
    #[error("the gateway answered {status}: {text}")]
    Refused { status: u16, text: String },
    #[error("the answer is not JSON")]
    Json(#[from] serde_json::Error),
}

/// Triggers a timer on every system of the gateway at `url` (as in `http://127.0.0.1:8001`) after random pauses within
/// `pause_s` seconds, for ever. Cancel by dropping it.
///
/// # Errors
/// [`RequestError`] when the systems cannot be listed; later failures are logged and tried again at the next turn.
pub async fn run(url: &str, pause_s: RangeInclusive<f64>) -> Result<(), RequestError> {
    let api = Api {
        client: Client::builder(TokioExecutor::new()).build_http(),
        base: url.trim_end_matches('/').to_owned(),
    };
    let systems = api.request(Method::GET, "/systems").await?;
    let ids = systems.as_array().into_iter().flatten();
    let mut controllers = JoinSet::new();
    for id in ids.filter_map(|system| system["id"].as_str()) {
        controllers.spawn(controller(api.clone(), id.to_owned(), pause_s.clone()));
    }
    tracing::info!(
        systems = controllers.len(),
        "simulated controllers ask for water"
    );
    controllers.join_all().await;
    Ok(())
}

async fn controller(api: Api, system: String, pause_s: RangeInclusive<f64>) {
    loop {
        let pause = rand::rng().random_range(pause_s.clone());
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        let path = format!("/systems/{system}/timer?by=simulator");
        match api.request(Method::POST, &path).await {
            Ok(outcome) => {
                tracing::info!(system, changed = %outcome["changed"], reason = %outcome["reason"], "timer asked for");
            }
            Err(cause) => tracing::warn!(system, %cause, "the simulated controller got no water"),
        }
    }
}

/// The gateway over HTTP.
#[derive(Clone)]
struct Api {
    client: Client<HttpConnector, Empty<Bytes>>,
    base: String,
}

impl Api {
    async fn request(&self, method: Method, path: &str) -> Result<Value, RequestError> {
        let uri = format!("{}{path}", self.base).parse::<Uri>();
        let request = Request::builder()
            .method(method)
            .uri(uri.map_err(hyper::http::Error::from)?)
            .body(Empty::new())?;
        let exchange = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            if !status.is_success() {
                let text = String::from_utf8_lossy(&body).into_owned();
                let status = status.as_u16();
                return Err(RequestError::Refused { status, text });
            }
            Ok(serde_json::from_slice(&body)?)
        };
        tokio::time::timeout(TIMEOUT, exchange).await?
    }
}
