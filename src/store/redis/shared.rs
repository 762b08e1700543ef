//! What the handle of the store and the task that keeps its session share.
//!
//! Values and locks; nothing is sent from here.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use redis::Client;
use redis::aio::ConnectionManager;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use super::keys::Keys;
use super::registry::Registry;
use super::replica::Replica;
use crate::time::{SharedClock, Ticks};

/// News is asked for all the time, and the answer that there is none comes twice a second. Without one for so long, in
/// milliseconds, what is known may be old.
const SILENT_MS: i64 = 2000;

/// A node that shows times by a clock that was set hears of it within so long.
const CLOCK_WITHIN: Duration = Duration::from_secs(1);

/// Openings that may be on their way; one more is refused as overloaded. They take Redis some 50 ms.
const OPENINGS: usize = 1024;

/// A session: a connection that has fenced off those before it.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) connection: ConnectionManager,
    pub(super) generation: u64,
}

pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) keys: Keys,
    /// The name of this process among all that share the server: random, new with every start.
    pub(super) node: String,
    pub(super) replica: Replica,
    pub(super) in_flight: InFlight,
    /// Places for openings on their way.
    pub(super) openings: Semaphore,
    pub(super) clock: SharedClock,
    /// The version of the clock that `clock` shows. Seen to change by who waits for news of it.
    pub(super) clock_version: watch::Sender<String>,
    /// The server's own clock minus the ticks of this machine, as read last.
    pub(super) server_minus_own_ms: AtomicI64,
    /// When the server was asked for the last time for news that it has answered, or said that there are none.
    contact_ms: AtomicI64,
    session: RwLock<Option<Session>>,
    /// The server has less than it had: the next session gives it back.
    pub(super) lost: AtomicBool,
    /// The generation of the last session that was doubted.
    doubted: watch::Sender<u64>,
    /// Somebody wants a look at the clock before it is time.
    pub(super) look: Notify,
    pub(super) registry: Registry,
    /// Cancelled when the task that keeps the session ends.
    pub(super) ended: CancellationToken,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let server = self.client.get_connection_info().addr().to_string();
        f.debug_struct("Redis")
            .field("server", &server)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) fn new(client: Client, keys: Keys, node: String, clock: SharedClock) -> Self {
        Self {
            client,
            keys,
            node,
            replica: Replica::new(),
            in_flight: InFlight::new(),
            openings: Semaphore::new(OPENINGS),
            clock,
            clock_version: watch::Sender::default(),
            server_minus_own_ms: AtomicI64::default(),
            contact_ms: AtomicI64::new(SharedClock::own_ticks().millis()),
            session: RwLock::default(),
            lost: AtomicBool::default(),
            doubted: watch::Sender::default(),
            look: Notify::new(),
            registry: Registry::default(),
            ended: CancellationToken::new(),
        }
    }

    /// The session; none while the server is away.
    pub(super) fn session(&self) -> Option<Session> {
        let session = self.session.read();
        session
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .clone()
    }

    pub(super) fn begin(&self, session: Session) {
        *self
            .session
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(session);
    }

    /// No session from now on.
    pub(super) fn end(&self) {
        *self
            .session
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }

    /// A connection of this session did not answer: it is over.
    pub(super) fn doubt(&self, generation: u64) {
        let mut session = self
            .session
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if session
            .as_ref()
            .is_some_and(|session| session.generation == generation)
        {
            *session = None;
            self.doubted.send_replace(generation);
        }
    }

    /// Ends when somebody doubts this session.
    pub(super) async fn doubted(&self, generation: u64) {
        let mut doubted = self.doubted.subscribe();
        // The sender lives in self, which this future borrows: the wait cannot fail.
        let _ = doubted.wait_for(|doubted| *doubted == generation).await;
    }

    /// Waits until this process shows times by a clock of which that is true; what is shown meanwhile may be shown by one
    /// that was set. Without news it goes on all the same.
    pub(super) async fn wait_for_clock(&self, is_shown: impl Fn(&str) -> bool) {
        let mut version = self.clock_version.subscribe();
        if is_shown(&version.borrow()) {
            return;
        }
        self.look.notify_one();
        let _ = timeout(CLOCK_WITHIN, version.wait_for(|version| is_shown(version))).await;
    }

    /// What is known is what there was at that time, or newer.
    pub(super) fn contact(&self, asked: Ticks) {
        self.contact_ms.fetch_max(asked.millis(), Ordering::Relaxed);
    }

    /// How long ago, in milliseconds, what is known was certainly the newest; none while that is about now.
    pub(super) fn stale_ms(&self) -> Option<u64> {
        let contact = Ticks::from_millis(self.contact_ms.load(Ordering::Relaxed));
        let silent = SharedClock::own_ticks().since(contact);
        let away = self.session().is_none() || silent > SILENT_MS;
        away.then(|| u64::try_from(silent).unwrap_or(0))
    }

    /// What the server's own clock shows now, in milliseconds, as far as this machine can reckon it.
    pub(super) fn server_ms(&self) -> i64 {
        let ahead = self.server_minus_own_ms.load(Ordering::Relaxed);
        SharedClock::own_ticks().millis().saturating_add(ahead)
    }
}
