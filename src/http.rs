//! The way in over HTTP: systems, commands, history, health.
//!
//! Parses, asks the gateway, answers. Emits nothing to rooms.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get};
use axum::{Json, Router};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::command::{Command, SystemId};
use crate::config::{Limits, Origins, System};
use crate::connection::Connections;
use crate::engine::Answer;
use crate::error::{ApiError, Code};
use crate::gateway::Gateway;
use crate::members::Members;
use crate::origin;
use crate::query::{self, Asked, Verb};
use crate::time::Moment;
use crate::{console, legacy, wire};

mod list;

/// What the handlers need.
pub(crate) struct App {
    pub gateway: Gateway,
    pub ticks: watch::Receiver<Moment>,
    pub limits: Arc<Limits>,
    pub origins: Arc<Origins>,
    /// The longest timer, in seconds.
    pub max_timer: u32,
    pub members: Arc<Members>,
    pub connections: Arc<Connections>,
    pub shutdown: CancellationToken,
}

/// Method and path of every route but the console's files, for the documentation and the test that compares the two.
pub const ROUTES: [&str; 18] = [
    "GET /systems",
    "GET /systems/{id}",
    "POST|GET /systems/{id}/manual",
    "POST|GET /systems/{id}/timer",
    "POST|GET /systems/{id}/stop",
    "GET /systems/{id}/history",
    "GET /systems/{id}/ws",
    "POST|GET /manual",
    "POST|GET /timer",
    "POST|GET /stop",
    "GET /history",
    "GET /ws",
    "GET /healthz",
    "GET /readyz",
    "GET /",
    "GET /console/{id}",
    "GET /console/{id}/",
    "GET /{file}",
];

/// Every route of the gateway but Socket.IO's: [`crate::front`] tells the two apart.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/systems", get(list::systems))
        .route("/systems/{id}", get(system))
        .route("/systems/{id}/manual", command(Verb::Manual))
        .route("/systems/{id}/timer", command(Verb::Timer))
        .route("/systems/{id}/stop", command(Verb::Stop))
        .route("/systems/{id}/history", get(history))
        .route("/systems/{id}/ws", get(legacy::system_feed))
        .route(
            "/manual",
            legacy::command(Verb::Manual, "clock mode starter"),
        )
        .route("/timer", legacy::command(Verb::Timer, "timer mode starter"))
        .route("/stop", legacy::command(Verb::Stop, "stop"))
        .route("/history", get(legacy::history))
        .route("/ws", get(legacy::default_feed))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/", get(legacy::root))
        .route("/console/{id}", get(console::page))
        .route("/console/{id}/", get(console::page))
        .fallback(console::file)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(app)
}

/// A route that both `POST` and `GET` may call, and nothing else: `HEAD`, which axum would serve as `GET`, is sent by
/// programs that only want to look.
pub(crate) fn on_command<H, T>(handler: H) -> MethodRouter<Arc<App>>
where
    H: axum::handler::Handler<T, Arc<App>>,
    T: 'static,
{
    let allowed = MethodFilter::GET.or(MethodFilter::POST);
    let refuse = async |request: Request| {
        let allow = [(header::ALLOW, "GET,POST")];
        (allow, method_not_allowed(request).await)
    };
    MethodRouter::new()
        .on(allowed, handler)
        .on(MethodFilter::HEAD, refuse)
        .fallback(refuse)
}

fn command(verb: Verb) -> MethodRouter<Arc<App>> {
    on_command(
        async move |State(app): State<Arc<App>>, Path(id): Path<String>, request: Request| {
            let system = app.system(&id)?;
            let answer = app.carry_out(verb, &system, request).await?;
            Ok::<_, ApiError>(outcome(&system, &answer))
        },
    )
}

fn outcome(system: &System, answer: &Answer) -> Response {
    Json(wire::Outcome {
        changed: answer.unchanged.is_none(),
        reason: answer.unchanged.map(wire::reason),
        state: wire::State::new(&system.id, &answer.shown),
    })
    .into_response()
}

impl App {
    /// The system of that id.
    pub(crate) fn system(&self, id: &str) -> Result<System, ApiError> {
        let id = SystemId::parse(id)?;
        let system = self.gateway.systems().get(&id).cloned();
        system.ok_or_else(|| ApiError::unknown_system(&id))
    }

    /// The system that the routes of the original mean.
    pub(crate) fn default_system(&self) -> Result<System, ApiError> {
        self.system(self.gateway.systems().default_id().as_str())
    }

    /// Reads what a request asks of a system, and has it done.
    pub(crate) async fn carry_out(
        &self,
        verb: Verb,
        system: &System,
        request: Request,
    ) -> Result<Answer, ApiError> {
        origin::check(&self.origins, request.headers())?;
        refuse_prefetch(&request)?;
        let (parts, body) = request.into_parts();
        let body: Bytes = query::body(body, &self.limits).await?;
        let asked = query::asked(verb, parts.uri.query(), &body, self.max_timer)?;
        let request = query::request(&parts.headers, verb, &system.id, &asked)?;
        let Asked { seconds, by } = asked;
        let command = match verb {
            Verb::Manual => Command::Manual {
                limit_s: system.manual_limit,
                by,
            },
            Verb::Timer => Command::Timer {
                seconds: seconds.unwrap_or(system.timer_seconds),
                by,
            },
            Verb::Stop => Command::Stop { by },
        };
        let (gateway, id) = (self.gateway.clone(), system.id.clone());
        let submitted = async move { gateway.submit(&id, &command, request.as_ref()).await };
        if verb != Verb::Stop {
            // The connection is looked at once more before anything opens: who closed it while this request lay unread,
            // be it in the queue of a gateway that was frozen, waits for no water.
            tokio::task::yield_now().await;
            return Ok(submitted.await?);
        }
        // Who asks for a stop and does not wait for the answer wants it all the more.
        Ok(ToTheEnd(Some(Box::pin(submitted))).await?)
    }
}

/// Goes on by itself when nobody waits for it any longer.
struct ToTheEnd<T: Send + 'static>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T: Send + 'static> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let Some(work) = self.0.as_mut() else {
            return Poll::Pending;
        };
        let done = work.as_mut().poll(cx);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<T: Send + 'static> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        // Without a runtime the program is about to end.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// A browser that guesses where its user will go next must not open a valve.
fn refuse_prefetch(request: &Request) -> Result<(), ApiError> {
    let guesses = ["sec-purpose", "purpose", "x-moz"].iter().any(|name| {
        let value = request.headers().get(*name);
        value.is_some_and(|value| value.as_bytes().starts_with(b"prefetch"))
    });
    if guesses {
        let message = "a command is not carried out for a prefetch; open the address for real";
        return Err(ApiError::bad_request(message));
    }
    Ok(())
}

async fn system(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let system = app.system(&id)?;
    let (state, stale_ms) = app.gateway.store().newest(&system.id).await;
    let now = app.gateway.clock().now();
    let shown = state.shown(&now);
    Ok(Json(wire::System::new(&system, &shown, &now, stale_ms)).into_response())
}

async fn history(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let system = app.system(&id)?;
    let (limit, before) = query::page(query.as_deref())?;
    let actions = app
        .gateway
        .store()
        .history(&system.id, limit, before)
        .await?;
    let rows: Vec<_> = actions
        .iter()
        .map(|action| wire::Action::new(&system.id, action))
        .collect();
    Ok(Json(rows).into_response())
}

/// Answered from memory alone, whatever the store does.
async fn health(State(app): State<Arc<App>>) -> Json<wire::Health> {
    let (rooms, members) = app.members.count();
    Json(wire::Health {
        status: "serving",
        clock_plausible: app.gateway.clock().now().has_plausible_wall(),
        connections: app.connections.count(),
        rooms,
        members,
        tasks: Handle::current().metrics().num_alive_tasks(),
    })
}

async fn ready(State(app): State<Arc<App>>) -> Result<Response, ApiError> {
    let store = app.gateway.store();
    store.ping().await?;
    Ok(Json(wire::Ready::new(store.quarantined())).into_response())
}

async fn method_not_allowed(request: Request) -> ApiError {
    let message = format!(
        "{} is not allowed here; the Allow header says what is",
        request.method()
    );
    ApiError::new(Code::MethodNotAllowed, message)
}

/// The last word on every answer: refusals of the framework get the shape of ours, and nothing is kept in caches
/// unless its handler said so.
pub(crate) fn shape(mut response: Response) -> Response {
    let json = HeaderValue::from_static("application/json");
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if refused && response.headers().get(header::CONTENT_TYPE) != Some(&json) {
        let other = |code| ApiError::new(code, "the request cannot be understood");
        let error = match status {
            StatusCode::NOT_FOUND => other(Code::NotFound),
            StatusCode::METHOD_NOT_ALLOWED => other(Code::MethodNotAllowed),
            StatusCode::SERVICE_UNAVAILABLE => other(Code::Overloaded),
            _ => other(Code::BadRequest),
        };
        response = error.into_response();
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}
