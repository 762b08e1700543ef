//! The store of many processes: a Redis or Valkey server that all of them share.
//!
//! A commit is one script, which compares, writes and puts the change on the feed in one step. Every process reads the
//! feed and keeps a copy of all states; what it shows comes from there, what it decides is read fresh. Which process
//! does something is nowhere a question: the `seq` that a change expects lets exactly one win.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::streams::StreamRangeReply;
use redis::{Client, RedisError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::receipt::Receipt;
use super::{CommitError, Feed, OpenError, ReadError, RedisUrl};
use crate::command::SystemId;
use crate::config::Systems;
use crate::engine::{Action, Answer, Change, State};
use crate::time::{BootId, Clock, Reference, SharedClock, Ticks};

mod codec;
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

use in_flight::{Fate, Ticket};
use keys::Keys;
use scripts::{Commit, Committed, Kind};
use session::Keeper;
use shared::{Session, Shared};
use timewatch::SCHEMA;

/// What opens is carried out within so long of being sent, or not at all: whoever asked for it may have given up.
const OPENS_WITHIN_MS: i64 = 2000;
/// A change that is written was seen on this process's own feed within so long, or it is answered without that.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
/// How long it may take to find out what became of a commit whose answer was lost. After that it is answered that this is
/// not known.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);
/// A node that shows times by a clock that was set hears of it within so long.
const CLOCK_WITHIN: Duration = Duration::from_secs(1);
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
        store.is_known().await.map_err(|what| cannot_open(url, &what))?;
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
    fn failed(&self, session: &Session, error: &RedisError) -> ReadError {
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
        registered.map_err(|error| self.failed(&session, &error))
    }

    pub(super) async fn load(&self, system: &SystemId) -> Result<State, ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let read: Result<Option<String>, _> = redis::cmd("HGET")
            .arg(self.shared.keys.states())
            .arg(system.as_str())
            .query_async(&mut session.connection)
            .await;
        let state = read.map_err(|error| self.failed(&session, &error))?;
        state.map_or(Ok(State::default()), |state| {
            readable(system.as_str(), codec::state(&state))
        })
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
        let ids = ids.map_err(|error| self.failed(&session, &error))?;
        let mut running = Vec::with_capacity(ids.len());
        for portion in ids.chunks(STATES_AT_A_TIME) {
            let states: Result<Vec<Option<String>>, _> = redis::cmd("HMGET")
                .arg(self.shared.keys.states())
                .arg(portion)
                .query_async(&mut session.connection)
                .await;
            let states = states.map_err(|error| self.failed(&session, &error))?;
            for (id, state) in portion.iter().zip(states) {
                let system = readable(id, SystemId::parse(id))?;
                let state = state.map_or(Ok(State::default()), |state| {
                    readable(id, codec::state(&state))
                })?;
                // It can have been stopped since the list was read.
                if state.run.is_some() {
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
        let rows = read.map_err(|error| self.failed(&session, &error))?.ids;
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

    pub(super) async fn ping(&self) -> Result<(), ReadError> {
        let mut session = self.session().ok_or(ReadError::Unavailable)?;
        let answered: Result<String, _> = redis::cmd("PING")
            .query_async(&mut session.connection)
            .await;
        answered
            .map(drop)
            .map_err(|error| self.failed(&session, &error))
    }

    /// Notes a stop, so that no opening that was decided before it can be carried out after it.
    pub(super) async fn forestall(&self, system: &SystemId, now: Ticks) -> Result<(), CommitError> {
        let mut session = self.session().ok_or(CommitError::Unavailable)?;
        let noted =
            scripts::forestall(&self.shared.keys, system, now, &mut session.connection).await;
        noted.map_err(|error| {
            self.failed(&session, &error);
            CommitError::Unavailable
        })
    }

    /// Commits a change, or an answer that says that there was none, or both. The answer that was kept before under the
    /// same key, if any.
    pub(super) async fn commit(
        &self,
        system: &SystemId,
        change: Option<Change>,
        receipt: Option<Receipt>,
    ) -> Result<Option<Answer>, CommitError> {
        let mut session = self.session().ok_or(CommitError::Unavailable)?;
        let ticket = self.shared.in_flight.begin(session.generation);
        let version = self.shared.clock_version.borrow().clone();
        let commit = self.prepare(
            &session,
            &ticket,
            &version,
            system,
            change.as_ref(),
            receipt.as_ref(),
        );
        let kind = commit.kind;
        let mut on_its_way = OnItsWay {
            shared: &self.shared,
            number: Some(ticket.number),
        };
        let sent = commit
            .send(&self.shared.keys, &mut session.connection)
            .await;
        let number = ticket.number;
        let not_written = |error| {
            self.shared.in_flight.end(number, Fate::NotWritten);
            Err(error)
        };
        on_its_way.number = None;
        match sent {
            Ok(Committed::Done(kept)) => {
                if kind == Kind::Answers {
                    self.shared.in_flight.end(number, Fate::Written);
                } else if timeout(SEEN_WITHIN, ticket.fate).await.is_err() {
                    tracing::debug!(%system, "a change was not seen on the feed yet");
                }
                kept.map_or(Ok(None), |kept| answer(receipt.as_ref(), &kept))
            }
            Ok(Committed::Known(kept)) => {
                self.shared.in_flight.end(number, Fate::NotWritten);
                answer(receipt.as_ref(), &kept)
            }
            Ok(Committed::Stale) => not_written(CommitError::Stale),
            Ok(Committed::Late) => not_written(CommitError::Overloaded),
            Ok(Committed::OldClock) => {
                self.wait_for_clock(&version).await;
                not_written(CommitError::Stale)
            }
            Ok(Committed::Fenced) => not_written(after_all(kind)),
            Err(error) if error.code().is_some() => {
                tracing::error!(%error, "Redis has refused a commit");
                not_written(CommitError::Unavailable)
            }
            Err(error) => {
                tracing::warn!(%error, %system, "Redis has not answered a commit: it is found out what became of it");
                self.shared.doubt(session.generation);
                // A caller who gives up now leaves the ticket to the feed.
                match timeout(SETTLED_WITHIN, ticket.fate).await {
                    Ok(Ok(Fate::Written)) => Ok(None),
                    Ok(Ok(Fate::NotWritten)) => Err(after_all(kind)),
                    Ok(Ok(Fate::Unknown) | Err(_)) | Err(_) => Err(CommitError::Unavailable),
                }
            }
        }
    }

    fn prepare<'a>(
        &'a self,
        session: &Session,
        ticket: &Ticket,
        clock_version: &'a str,
        system: &'a SystemId,
        change: Option<&Change>,
        receipt: Option<&'a Receipt>,
    ) -> Commit<'a> {
        let run = change.and_then(|change| change.state.run.as_ref());
        let kind = match change {
            None => Kind::Answers,
            Some(change) if change.closes() => Kind::Closes,
            Some(_) => Kind::Opens,
        };
        let answered_seq = receipt.map_or(0, |receipt| receipt.answer.shown.seq);
        let action = change.and_then(|change| change.action.as_ref());
        Commit {
            node: &self.shared.node,
            generation: session.generation,
            nonce: format!("{}:{}", self.shared.node, ticket.number),
            system,
            expected_seq: change.map_or(answered_seq, Change::expected_seq),
            kind,
            state: change.map_or_else(String::new, |change| codec::state_value(&change.state)),
            action: action.map_or_else(String::new, codec::action_value),
            started: run.map_or(Ticks::from_millis(0), |run| run.started),
            valid_until_ms: self.shared.server_ms().saturating_add(OPENS_WITHIN_MS),
            clock_version,
            key: receipt.map_or("", |receipt| receipt.request.key.as_str()),
            receipt: receipt.map_or_else(String::new, codec::receipt_value),
            ticks: receipt.map_or(Ticks::from_millis(0), |receipt| receipt.ticks),
        }
    }

    /// Waits until this process has heard how the clock stands now.
    async fn wait_for_clock(&self, known: &str) {
        self.shared.look.notify_one();
        let mut version = self.shared.clock_version.subscribe();
        let news = version.wait_for(|version| version != known);
        // Without news it is tried again all the same.
        let _ = timeout(CLOCK_WITHIN, news).await;
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

/// A commit whose caller gives up while it is being sent leaves the book, or nobody could ever stop in order.
struct OnItsWay<'a> {
    shared: &'a Shared,
    number: Option<u64>,
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.in_flight.end(number, Fate::Unknown);
        }
    }
}

/// A commit that was not written although it was valid: what closes a valve is tried again at once.
fn after_all(kind: Kind) -> CommitError {
    match kind {
        Kind::Closes => CommitError::Stale,
        Kind::Opens | Kind::Answers => CommitError::Unavailable,
    }
}

/// The answer that is kept, if the request is the one that it was given to.
fn answer(receipt: Option<&Receipt>, kept: &str) -> Result<Option<Answer>, CommitError> {
    let Some(receipt) = receipt else {
        return Ok(None);
    };
    match codec::receipt(&receipt.request.key, kept) {
        Ok(kept) if kept.request == receipt.request => Ok(Some(kept.answer)),
        Ok(_) => Err(CommitError::KeyReused),
        Err(cause) => {
            tracing::error!(%cause, kept, "an answer that is kept in Redis cannot be read");
            Err(CommitError::Unavailable)
        }
    }
}

/// Something in the server that cannot be read was written by somebody else.
fn readable<T, E: std::fmt::Display>(system: &str, read: Result<T, E>) -> Result<T, ReadError> {
    read.map_err(|cause| {
        tracing::error!(%cause, system, "what is in Redis cannot be read");
        ReadError::Unavailable
    })
}
