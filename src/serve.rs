//! Connections: accepted, limited, served, and let go in order.
//!
//! Knows limits and addresses, nothing of irrigation.

use std::convert::Infallible;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::Response;
use axum::response::IntoResponse;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};

use crate::config::Limits;
use crate::connection::{Connection, Connections};
use crate::error::ApiError;
use crate::http::shape;
use crate::query::asks_for_websocket;

/// Who comes when it is full must say quickly what it is about, or nobody gets through to a `stop`.
const CROWD_HEADER_TIMEOUT: Duration = Duration::from_secs(1);
/// Requests that were sent together on one connection are answered so many at a time.
const REQUESTS_IN_A_TURN: u32 = 4;
/// How long a failed accept (no file descriptors left) waits for somebody to leave.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the answers that are on their way have once the gateway stops. What is open after that waits for events,
/// not for an answer, and is cut without a word: Engine.IO's own good-bye makes some clients stay away for good.
const LAST_ANSWERS: Duration = Duration::from_millis(250);
/// How long tasks have to notice that their connection was cut.
const DRAIN: Duration = Duration::from_secs(1);

/// Accepts connections until `shutdown`. When all places are taken `crowd` more are accepted, to be told so, or to have
/// their `stop` carried out; when these are taken too, the next waits in the kernel's queue.
pub(crate) async fn accept<S: Answers>(
    listener: TcpListener,
    service: S,
    (limits, crowd): (&Limits, usize),
    connections: Arc<Connections>,
    shutdown: CancellationToken,
) -> Leftover {
    let places = Arc::new(Semaphore::new(limits.connections));
    let crowd = Arc::new(Semaphore::new(crowd));
    let mut failing = false;
    loop {
        let place = tokio::select! {
            place = place(&places, &crowd) => place,
            () = shutdown.cancelled() => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        let (stream, _) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => {
                if !failing {
                    tracing::warn!(%cause, "connections cannot be accepted; it is tried again until they can");
                }
                failing = true;
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if failing {
            tracing::info!("connections are accepted again");
            failing = false;
        }
        if let Err(cause) = prepare(&stream, limits) {
            tracing::debug!(%cause, "a connection was gone before it began");
            continue;
        }
        let (permit, crowded) = match place {
            Place::Free(permit) => (permit, false),
            // Somebody may have left while nobody came.
            Place::Crowded(permit) => match Arc::clone(&places).try_acquire_owned() {
                Ok(free) => (free, false),
                Err(_) => (permit, true),
            },
        };
        let stream = connections.open(stream, permit, limits);
        tokio::spawn(connection(
            stream,
            crowded,
            service.clone(),
            limits.clone(),
            shutdown.clone(),
        ));
    }
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    Leftover {
        connections,
        places,
        all,
    }
}

/// What answers requests.
pub(crate) trait Answers:
    Service<Request, Response = Response<Self::Body>, Error = Infallible, Future: Send>
    + Clone
    + Send
    + 'static
{
    type Body: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Answers for S
where
    S: Service<Request, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Body = B;
}

/// The connections that are still open when no more are accepted.
pub(crate) struct Leftover {
    connections: Arc<Connections>,
    places: Arc<Semaphore>,
    all: u32,
}

impl Leftover {
    /// Waits for the answers that are on their way, then cuts what is still open.
    pub(crate) async fn end(self) {
        if timeout(LAST_ANSWERS, self.places.acquire_many(self.all))
            .await
            .is_ok()
        {
            return;
        }
        self.connections.cut();
        if timeout(DRAIN, self.places.acquire_many(self.all))
            .await
            .is_err()
        {
            tracing::warn!("some connections did not end in time");
        }
    }
}

enum Place {
    Free(OwnedSemaphorePermit),
    Crowded(OwnedSemaphorePermit),
}

/// Waits only when the crowd at the door is complete, too.
async fn place(places: &Arc<Semaphore>, crowd: &Arc<Semaphore>) -> Place {
    if let Ok(permit) = Arc::clone(places).try_acquire_owned() {
        return Place::Free(permit);
    }
    tokio::select! {
        biased;
        Ok(permit) = Arc::clone(places).acquire_owned() => Place::Free(permit),
        Ok(permit) = Arc::clone(crowd).acquire_owned() => Place::Crowded(permit),
        else => std::future::pending().await,
    }
}

fn prepare(stream: &TcpStream, limits: &Limits) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let timeout = Duration::from_millis(limits.tcp_user_timeout_ms.into());
    // A client that stops reading is cut by the kernel: nothing above it would notice.
    socket.set_tcp_user_timeout(Some(timeout))?;
    socket.set_send_buffer_size(limits.send_buffer_bytes)
}

async fn connection<S: Answers>(
    stream: Connection,
    crowded: bool,
    service: S,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let requests = AtomicU32::new(0);
    let link = Arc::downgrade(stream.link());
    let answering = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        // Only a websocket is written to beside the answers to its requests.
        if asks_for_websocket(request.headers()) {
            request.extensions_mut().insert(Weak::clone(&link));
        }
        let service = service.clone();
        let count = requests.fetch_add(1, Ordering::Relaxed);
        async move {
            // Who sends many requests at once gets a turn for a few of them, and then it is everybody else's.
            if count % REQUESTS_IN_A_TURN == REQUESTS_IN_A_TURN - 1 {
                tokio::task::yield_now().await;
            }
            if crowded && !is_stop(&request) {
                let refused = shape(ApiError::overloaded().into_response());
                return Ok(refused.map(Either::Right));
            }
            let answer = service.oneshot(request).await;
            answer.map(|answer| answer.map(Either::Left))
        }
    });
    let header_timeout = Duration::from_millis(limits.header_timeout_ms);
    let header_timeout = if crowded {
        header_timeout.min(CROWD_HEADER_TIMEOUT)
    } else {
        header_timeout
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(limits.body_bytes.max(8192))
        .keep_alive(!crowded)
        .serve_connection(TokioIo::new(stream), answering)
        .with_upgrades();
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "a connection ended early");
    }
}

/// Water is stopped however full it is.
fn is_stop(request: &Request) -> bool {
    let path = request.uri().path();
    path == "/stop" || (path.starts_with("/systems/") && path.ends_with("/stop"))
}
