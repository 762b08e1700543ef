//! What is remembered: the state of every system and its history.
//!
//! The contract of a store. It owns the feed: [`Store::commit`] compares, writes, and makes the change visible on
//! [`Store::changes`] in one step, in this order: durable (what closes a valve: durable or, while that cannot be, put down
//! to be written later), then readable through `load`, then on the feed, then answered. It never decides what a change is.

mod lean;
pub mod migrate;
pub mod receipt;
mod redis;
mod sqlite;
mod text;
mod url;

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::{broadcast, watch};

use crate::command::SystemId;
use crate::config::Systems;
use crate::engine::{Action, Answer, Change, State};
use crate::time::{Clock, Moment};

use self::redis::Redis;
use receipt::Receipt;
use sqlite::Sqlite;
pub use url::{RedisUrl, StoreUrl};

/// Actions kept per system; older ones are forgotten.
pub const HISTORY_KEPT: u32 = 1000;

/// Changes of one transaction at the most: bounds how long a `stop` waits for the commit in hand.
const GROUP: usize = 256;

/// Changes that a reader of the feed may be behind before it is told that it lagged, and reads the store again.
const FEED_CAPACITY: usize = 4096;

/// A change that is durable.
#[derive(Debug)]
pub struct Committed {
    pub system: SystemId,
    pub change: Change,
}

/// What the feed tells.
#[derive(Clone, Debug)]
pub enum News {
    /// A change. Those of one system come in the order of its `seq`.
    Change(Arc<Committed>),
    /// Changes may be missing before what comes next: what is known was read again.
    Gap,
}

/// The feed: every change of every system.
pub type Feed = broadcast::Receiver<News>;

/// The store cannot be opened: nothing was changed. The text is for the person at the machine.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct OpenError(String);

/// Why a change was not written.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum CommitError {
    #[error("the system has changed meanwhile")]
    Stale,
    #[error("the key of the request was used for another one")]
    KeyReused,
    #[error("too many changes wait to be written")]
    Overloaded,
    #[error("the store cannot write")]
    Unavailable,
}

/// Why nothing could be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    #[error("too many readers wait")]
    Overloaded,
    #[error("the store cannot be read")]
    Unavailable,
}

/// A handle to the store; clones share it.
#[derive(Clone, Debug)]
pub enum Store {
    Sqlite(Sqlite),
    Redis(Redis),
}

impl Store {
    /// Opens the store, creating it where there is none. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// When it cannot be opened, belongs to another process, or was written by a newer version.
    pub async fn open(url: &StoreUrl) -> Result<Self, OpenError> {
        Self::open_in_groups(url, GROUP).await
    }

    /// The same, with so many changes of one transaction at the most, but at least one: with one, each change has an
    /// fsync of its own, against which groups are measured. Redis groups by itself, whatever is said here.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_in_groups(url: &StoreUrl, most: usize) -> Result<Self, OpenError> {
        match url {
            StoreUrl::Sqlite(path) => Sqlite::open(path, most.max(1)).map(Self::Sqlite),
            StoreUrl::Redis(url) => Redis::open(url).await.map(Self::Redis),
        }
    }

    /// True where other processes may change what is in it.
    pub const fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Redis(_) => true,
        }
    }

    /// The clock on which the runs of this store are measured, where it is not the machine's: every node shows it.
    pub fn clock(&self) -> Option<Arc<dyn Clock>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Redis(store) => Some(store.clock()),
        }
    }

    /// Makes these systems known to every node, and returns those that there are: these and what other nodes have.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn register(
        &self,
        systems: Systems,
    ) -> Result<watch::Receiver<Arc<Systems>>, ReadError> {
        match self {
            Self::Sqlite(_) => Ok(watch::channel(Arc::new(systems)).1),
            Self::Redis(store) => store.register(systems).await,
        }
    }

    /// The last durable state; the default one for a system that has never changed. It is never older than what
    /// anybody was answered before.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn load(&self, system: &SystemId) -> Result<State, ReadError> {
        match self {
            Self::Sqlite(store) => Ok(store.load(system)),
            Self::Redis(store) => store.load(system).await,
        }
    }

    /// The last state that is known to this process, from memory: what the feed has told. Another node may have
    /// changed it a moment ago.
    pub fn known(&self, system: &SystemId) -> State {
        match self {
            Self::Sqlite(store) => store.load(system),
            Self::Redis(store) => store.known(system),
        }
    }

    /// How long ago, in milliseconds, what is known was certainly the newest; none while the store answers.
    pub fn stale_ms(&self) -> Option<u64> {
        match self {
            Self::Sqlite(_) => None,
            Self::Redis(store) => store.stale_ms(),
        }
    }

    /// The state as [`Store::load`] reads it; what is known, and how old that is, when it cannot be read.
    pub async fn newest(&self, system: &SystemId) -> (State, Option<u64>) {
        match self.load(system).await {
            Ok(state) => (state, None),
            Err(_) => (self.known(system), Some(self.stale_ms().unwrap_or(0))),
        }
    }

    /// Every system that has water running.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn running(&self) -> Result<Vec<(SystemId, State)>, ReadError> {
        match self {
            Self::Sqlite(store) => Ok(store.running()),
            Self::Redis(store) => store.running().await,
        }
    }

    /// Writes a change if its system still has the `seq` that it expects. When it returns without an error the change
    /// is durable and on the feed. A change that opens a valve is given up with its caller; one that closes is not.
    ///
    /// What closes a valve does not depend on the disk: when it cannot be written it is applied and shown all the same,
    /// and written as soon as it can be. Until then nothing that opens is accepted, and a restart ends every run.
    ///
    /// # Errors
    /// [`CommitError`]; nothing was written, but for `Unavailable`, after which the disk may hold what it did not confirm.
    pub async fn commit(&self, system: &SystemId, change: Change) -> Result<(), CommitError> {
        match self {
            Self::Sqlite(store) => store.commit(system.clone(), change).await,
            Self::Redis(store) => store.commit(system, Some(change), None).await.map(drop),
        }
    }

    /// Writes a change, if there is one, together with the answer that is kept under the key of its request, as
    /// [`Store::commit`] does. When the request was answered before, that answer is returned instead and nothing is
    /// written; but what closes a valve closes it whatever its key says.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit_once(
        &self,
        system: &SystemId,
        change: Option<Change>,
        receipt: Receipt,
    ) -> Result<Option<Answer>, CommitError> {
        match self {
            Self::Sqlite(store) => store.commit_once(system.clone(), change, receipt).await,
            Self::Redis(store) => store.commit(system, change, Some(receipt)).await,
        }
    }

    /// The name under which a damaged store was put aside when this one was opened in its place.
    pub fn quarantined(&self) -> Option<&str> {
        match self {
            Self::Sqlite(store) => store.quarantined(),
            Self::Redis(_) => None,
        }
    }

    /// Returns when no opening of the system is on its way any more that was decided before `now`: the commit in hand is
    /// done, and those that waited for the next one were answered as stale.
    ///
    /// # Errors
    /// [`CommitError::Unavailable`].
    pub async fn forestall(&self, system: &SystemId, now: &Moment) -> Result<(), CommitError> {
        match self {
            Self::Sqlite(store) => {
                store.forestall(system.clone()).await;
                Ok(())
            }
            Self::Redis(store) => store.forestall(system, now.ticks).await,
        }
    }

    /// Returns when the commit in hand is done.
    pub async fn commit_in_hand(&self) {
        match self {
            Self::Sqlite(store) => store.commit_in_hand().await,
            Self::Redis(store) => store.commit_in_hand().await,
        }
    }

    /// Ends when the store cannot go on, whatever is asked of it: only a restart helps.
    pub async fn failed(&self) {
        match self {
            Self::Sqlite(store) => store.failed().await,
            Self::Redis(store) => store.failed_for_good().await,
        }
    }

    /// The newest actions of a system, newest first, those before the id `before` where it is given.
    ///
    /// # Errors
    /// [`ReadError`].
    pub async fn history(
        &self,
        system: &SystemId,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<Action>, ReadError> {
        match self {
            Self::Sqlite(store) => store.history(system.clone(), limit, before).await,
            Self::Redis(store) => store.history(system, limit, before).await,
        }
    }

    /// Everything that is committed from now on.
    pub fn changes(&self) -> Feed {
        match self {
            Self::Sqlite(store) => store.changes(),
            Self::Redis(store) => store.changes(),
        }
    }

    /// Asks whether the store can be read and written.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot.
    pub async fn ping(&self) -> Result<(), ReadError> {
        match self {
            Self::Sqlite(store) => store.ping().await,
            Self::Redis(store) => store.ping().await,
        }
    }

    /// Finishes the commit in hand and what closes valves, gives up what opens them, and lets go of the files. Later
    /// calls fail.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Redis(store) => store.close().await,
        }
    }
}
