//! The store of many processes: a Redis or Valkey server that all of them share.
//!
//! A commit is one script, which compares, writes and puts the change on the feed in one step. Every process reads the
//! feed and keeps a copy of all states; what it shows comes from there, what it decides is read fresh. Which process
//! does something is nowhere a question: the `seq` that a change expects lets exactly one win.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::streams::StreamRangeReply;
use redis::{Client, RedisError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{CommitError, Feed, OpenError, ReadError, RedisUrl};
use crate::command::SystemId;
use crate::config::Systems;
use crate::engine::{Action, State};
use crate::time::{BootId, Clock, Reference, SharedClock, Ticks};

mod codec;
mod commit;
mod in_flight;
mod keys;
mod reader;
mod registry;
mod replica;
mod scripts;
mod server;
mod session;
mod shared;
mod timekeeper;
mod timewatch;
pub(super) mod transfer;

use keys::Keys;
use session::Keeper;
use shared::{Session, Shared};
use timewatch::SCHEMA;

/// How long the last word to the server may take.
const GOOD_BYE: Duration = Duration::from_millis(250);
/// States that are read at a time.
const STATES_AT_A_TIME: usize = 1000;

/// A handle to the store; clones share it.
#[derive(Clone, Debug)]
pub struct Redis {
    shared: Arc<Shared>,
    keeper: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Redis {
    pub(super) async fn open(url: &RedisUrl) -> Result<Self, OpenError> {
        let store = Self::connect(url).await?;
        store
            .is_known()
            .await
            .map_err(|what| cannot_open(url, &what))?;
        let unfinished = store.unfinished().await;
        match unfinished.map_err(|cause| cannot_open(url, &cause))? {
            None => Ok(store),
            Some(source) => {
                let cut = format!(
                    "moving everything into it from {source} was cut; run that migration again"
                );
                Err(cannot_open(url, &cut))
            }
        }
    }

    /// Also where a migration was cut.
    async fn connect(url: &RedisUrl) -> Result<Self, OpenError> {
        let fail = |cause: RedisError| cannot_open(url, &cause);
        // For `rediss`. Whoever was first has chosen the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = url.server.tcp_settings().clone().set_nodelay(true);
        let client = Client::open(url.server.clone().set_tcp_settings(settings)).map_err(fail)?;
        let clock = SharedClock::new(Reference {
            wall_minus_own_ms: 0,
            wall_minus_ticks_ms: 0,
            boot: BootId::NONE,
            offset_s: 0,
        });
        let node = format!("{:016x}", rand::random::<u64>());
        let shared = Arc::new(Shared::new(client, Keys::new(&url.prefix), node, clock));
        let mut keeper = Keeper::new(Arc::clone(&shared));
        let live = keeper.begin().await.map_err(fail)?;
        let keeper = tokio::spawn(keeper.run(live));
        Ok(Self {
            shared,
            keeper: Arc::new(Mutex::new(Some(keeper))),
        })
    }

    /// # Errors
    /// When it was written by a newer version.
    async fn is_known(&self) -> Result<(), String> {
        let mut session = self.session().ok_or("it does not answer any more")?;
        let schema: Result<Option<u32>, _> = redis::cmd("HGET")
            .arg(self.shared.keys.clock())
            .arg("schema")
            .query_async(&mut session.connection)
            .await;
        match schema.map_err(|cause| cause.to_string())? {
            Some(newer) if newer > SCHEMA => Err(format!(
                "it has schema version {newer}, this acequia knows up to {SCHEMA}"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.shared.clock.clone())
    }

    fn session(&self) -> Option<Session> {
        self.shared.session()
    }

    /// What a failed read means. A server that did not answer is not asked by anybody else.
    fn read_error(&self, session: &Session, error: &RedisError) -> ReadError {
        if error.code().is_none() {
            self.shared.doubt(session.generation);
        }
        tracing::warn!(%error, "Redis cannot be read");
        ReadError::Unavailable
    }

    pub(super) async fn register(
        &self,
        systems: Systems,
    ) -> Result<watch::Receiver<Arc<Systems>>, ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let registered = registry::register(&self.shared, systems, &mut session.connection).await;
        registered.map_err(|error| self.read_error(&session, &error))
    }

    pub(super) async fn load(&self, system: &SystemId) -> Result<State, ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let known = self.known(system);
        let read: Result<Option<String>, _> = redis::cmd("HGET")
            .arg(self.shared.keys.states())
            .arg(system.as_str())
            .query_async(&mut session.connection)
            .await;
        let state = read.map_err(|error| self.read_error(&session, &error))?;
        let state = state.map_or(Ok(State::default()), |state| {
            readable(system.as_str(), codec::state(&state))
        })?;
        if state.seq < known.seq {
            // A new session gives back what was lost; nothing is decided before.
            tracing::error!(%system, seq = state.seq, known = known.seq, "Redis has lost a change");
            self.shared.lost.store(true, Ordering::Relaxed);
            self.shared.doubt(session.generation);
            return Err(ReadError::Unavailable);
        }
        Ok(state)
    }

    pub(super) fn known(&self, system: &SystemId) -> State {
        self.shared.replica.get(system)
    }

    pub(super) fn stale_ms(&self) -> Option<u64> {
        self.shared.stale_ms()
    }

    pub(super) async fn running(&self) -> Result<Vec<(SystemId, State)>, ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let ids: Result<Vec<String>, _> = redis::cmd("SMEMBERS")
            .arg(self.shared.keys.running())
            .query_async(&mut session.connection)
            .await;
        let ids = ids.map_err(|error| self.read_error(&session, &error))?;
        let mut running = Vec::with_capacity(ids.len());
        for portion in ids.chunks(STATES_AT_A_TIME) {
            let states: Result<Vec<Option<String>>, _> = redis::cmd("HMGET")
                .arg(self.shared.keys.states())
                .arg(portion)
                .query_async(&mut session.connection)
                .await;
            let states = states.map_err(|error| self.read_error(&session, &error))?;
            for (id, state) in portion.iter().zip(states) {
                let state = state.map_or(Ok(State::default()), |state| {
                    readable(id, codec::state(&state))
                });
                // One that cannot be read is no reason not to see to the others; one can have been stopped since the
                // list was read.
                if let (Ok(system), Ok(state)) = (readable(id, SystemId::parse(id)), state)
                    && state.run.is_some()
                {
                    running.push((system, state));
                }
            }
        }
        Ok(running)
    }

    pub(super) async fn history(
        &self,
        system: &SystemId,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<Action>, ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let newest = before.map_or_else(|| "+".into(), |before| format!("({before}-0"));
        let read: Result<StreamRangeReply, _> = redis::cmd("XREVRANGE")
            .arg(self.shared.keys.history(system))
            .arg(newest)
            .arg("-")
            .arg("COUNT")
            .arg(limit)
            .query_async(&mut session.connection)
            .await;
        let rows = read.map_err(|error| self.read_error(&session, &error))?.ids;
        rows.iter()
            .map(|row| {
                let action = row.get::<String>("a").unwrap_or_default();
                readable(system.as_str(), codec::action(&action))
            })
            .collect()
    }

    pub(super) fn changes(&self) -> Feed {
        self.shared.replica.changes()
    }

    /// Asks for something to be written that changes nothing. A full server takes it, as it takes what closes a valve.
    pub(super) async fn ping(&self) -> Result<(), ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let mut nothing = redis::cmd("HDEL");
        nothing.arg(self.shared.keys.fences()).arg("");
        let answered = nothing.exec_async(&mut session.connection).await;
        answered.map_err(|error| self.read_error(&session, &error))
    }

    /// Ends when nobody keeps the session any more.
    pub(super) async fn failed_for_good(&self) {
        self.shared.ended.cancelled().await;
    }

    /// Notes a stop, so that no opening that was decided before it can be carried out after it.
    pub(super) async fn forestall(&self, system: &SystemId, now: Ticks) -> Result<(), CommitError> {
        let mut session = self.session().ok_or(CommitError::Unavailable)?;
        let noted =
            scripts::forestall(&self.shared.keys, system, now, &mut session.connection).await;
        noted.map_err(|error| {
            self.read_error(&session, &error);
            CommitError::Unavailable
        })
    }

    pub(super) async fn commit_in_hand(&self) {
        self.shared.in_flight.empty().await;
    }

    pub(super) async fn close(&self) {
        let keeper = self
            .keeper
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .take();
        if let Some(keeper) = keeper {
            keeper.abort();
            // It was told to end just now.
            let _ = keeper.await;
        }
        let session = self.session();
        self.shared.end();
        if let Some(mut session) = session {
            // Nothing of this node is on its way any more. What is left behind without this is a name and a number.
            let mut gone = redis::cmd("HDEL");
            gone.arg(self.shared.keys.fences()).arg(&self.shared.node);
            let _ = timeout(GOOD_BYE, gone.exec_async(&mut session.connection)).await;
        }
    }
}

fn cannot_open(url: &RedisUrl, cause: &dyn std::fmt::Display) -> OpenError {
    OpenError(format!("the store {url} cannot be opened: {cause}"))
}

/// Something in the server that cannot be read was written by somebody else.
fn readable<T, E: std::fmt::Display>(system: &str, read: Result<T, E>) -> Result<T, ReadError> {
    read.map_err(|cause| {
        tracing::error!(%cause, system, "what is in Redis cannot be read");
        ReadError::Unavailable
    })
}
