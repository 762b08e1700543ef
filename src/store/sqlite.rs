//! The embedded store: one SQLite file, one thread that writes, one that reads the history.
//!
//! States live in memory as well, as a copy of what is durable: the writer is the only one that changes either.
//! Changes that wait at the same moment share one transaction and so one fsync (group commit).

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use dashmap::DashMap;
use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::CancellationToken;

use super::{CommitError, Committed, FEED_CAPACITY, Feed, OpenError, ReadError};
use crate::command::SystemId;
use crate::engine::{Action, Change, State};

mod queue;
mod rows;
mod writer;

use queue::{Full, Queue, Served, guard};
use writer::{Copied, Job, Write, Writer, herald};

/// Openings that may wait to be written; one more is refused as overloaded. At a typical 1 ms for a group this is
/// less than a second of work.
const OPENINGS_WAITING: usize = 4096;
/// Readers of the history that may wait; one more is refused as overloaded.
const READS_WAITING: usize = 1024;

/// A handle to the embedded store; clones share it.
#[derive(Clone, Debug)]
pub struct Sqlite(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    states: Arc<DashMap<SystemId, Copied>>,
    feed: broadcast::Sender<Arc<Committed>>,
    writes: Arc<Queue<Job>>,
    reads: Arc<Queue<Read>>,
    threads: Mutex<Option<Threads>>,
    /// The last group could not be written.
    cannot_write: Arc<AtomicBool>,
    /// Cancelled when a thread or the herald ends.
    ended: CancellationToken,
}

#[derive(Debug)]
struct Threads {
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
    herald: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
enum Read {
    History {
        system: SystemId,
        limit: u32,
        before: Option<u64>,
        reply: oneshot::Sender<Result<Vec<Action>, ReadError>>,
    },
    Ping(oneshot::Sender<Result<(), ReadError>>),
}

impl Sqlite {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let fail = |what: &str, cause: &dyn std::fmt::Display| {
            OpenError(format!("the store {} {what}: {cause}", path.display()))
        };
        let lock = lock(path).map_err(|e| match e {
            TryLockError::WouldBlock => fail("is in use by another process", &"one may use it"),
            TryLockError::Error(e) => fail("cannot be opened", &e),
        })?;
        let writer = rows::open(path).map_err(|e| fail("cannot be opened", &e))?;
        let reader = rows::open_to_read(path).map_err(|e| fail("cannot be opened", &e))?;
        let states = rows::states(&writer).map_err(|e| fail("cannot be read", &e))?;

        let shared = Shared {
            states: Arc::new(states),
            feed: broadcast::Sender::new(FEED_CAPACITY),
            writes: Arc::new(Queue::new(OPENINGS_WAITING)),
            reads: Arc::new(Queue::new(READS_WAITING)),
            threads: Mutex::default(),
            cannot_write: Arc::default(),
            ended: CancellationToken::new(),
        };
        let (written, herald) = herald(shared.feed.clone(), shared.ended.clone().drop_guard());
        let writing = Writer {
            connection: writer,
            states: Arc::clone(&shared.states),
            written,
            cannot_write: Arc::clone(&shared.cannot_write),
            queue: Served(Arc::clone(&shared.writes), shared.ended.clone()),
            _lock: lock,
        };
        let reads = Served(Arc::clone(&shared.reads), shared.ended.clone());
        let threads = Threads {
            writer: spawn("store-writer", move || writing.run())
                .map_err(|e| fail("cannot have a thread", &e))?,
            reader: spawn("store-reader", move || read(&reader, &reads))
                .map_err(|e| fail("cannot have a thread", &e))?,
            herald,
        };
        *guard(&shared.threads) = Some(threads);
        Ok(Self(Arc::new(shared)))
    }

    pub(super) fn load(&self, system: &SystemId) -> State {
        self.0
            .states
            .get(system)
            .map_or_else(State::default, |copied| State::from(&*copied))
    }

    pub(super) fn running(&self) -> Vec<(SystemId, State)> {
        self.0
            .states
            .iter()
            .filter(|entry| entry.run.is_some())
            .map(|entry| (entry.key().clone(), State::from(entry.value())))
            .collect()
    }

    pub(super) async fn commit(&self, system: SystemId, change: Change) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        let closes = change.closes();
        let committed = Arc::new(Committed { system, change });
        let write = Job::Write(Write { committed, reply });
        if closes {
            // Never refused: each one belongs to a connection or to a running system, and both are bounded.
            self.0.writes.push_first(write);
        } else {
            let pushed = self.0.writes.push(write);
            pushed.map_err(|Full| CommitError::Overloaded)?;
        }
        answer.await.unwrap_or(Err(CommitError::Unavailable))
    }

    pub(super) async fn history(
        &self,
        system: SystemId,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<Action>, ReadError> {
        let (reply, answer) = oneshot::channel();
        self.read(
            Read::History {
                system,
                limit,
                before,
                reply,
            },
            answer,
        )
        .await
    }

    pub(super) async fn forestall(&self, system: SystemId) {
        self.wait_for_commit(Some(system)).await;
    }

    pub(super) async fn commit_in_hand(&self) {
        self.wait_for_commit(None).await;
    }

    async fn wait_for_commit(&self, system: Option<SystemId>) {
        let (reply, answer) = oneshot::channel();
        self.0.writes.push_first(Job::Forestall(system, reply));
        // A store that has ended writes nothing any more, either.
        let _ = answer.await;
    }

    pub(super) async fn failed(&self) {
        self.0.ended.cancelled().await;
    }

    pub(super) async fn ping(&self) -> Result<(), ReadError> {
        if self.0.ended.is_cancelled() {
            return Err(ReadError::Unavailable);
        }
        // While all is well nothing is written for it.
        if self.0.cannot_write.load(Ordering::Relaxed) {
            let (reply, answer) = oneshot::channel();
            self.0.writes.push_first(Job::Probe(reply));
            answer.await.unwrap_or(Err(ReadError::Unavailable))?;
        }
        let (reply, answer) = oneshot::channel();
        self.read(Read::Ping(reply), answer).await
    }

    async fn read<T>(
        &self,
        read: Read,
        answer: oneshot::Receiver<Result<T, ReadError>>,
    ) -> Result<T, ReadError> {
        let pushed = self.0.reads.push(read);
        pushed.map_err(|Full| ReadError::Overloaded)?;
        answer.await.unwrap_or(Err(ReadError::Unavailable))
    }

    pub(super) fn changes(&self) -> Feed {
        self.0.feed.subscribe()
    }

    pub(super) async fn close(&self) {
        let Some(Threads {
            writer,
            reader,
            herald,
        }) = guard(&self.0.threads).take()
        else {
            return;
        };
        let shared = Arc::clone(&self.0);
        let ended = tokio::task::spawn_blocking(move || {
            // The reader first: SQLite tidies its files up only for who closes last and may write.
            shared.reads.close();
            let read = reader.join();
            shared.writes.close();
            read.and(writer.join()).is_ok()
        });
        if !matches!(ended.await, Ok(true)) || herald.await.is_err() {
            tracing::error!("the store was not closed in order");
        }
    }
}

impl Drop for Shared {
    /// The threads end with the last handle, whoever forgot to close.
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
    }
}

/// Two gateways on one file would each believe their own copy of the states. The lock is beside the database and not
/// on it, because SQLite's own locks are lost when any handle to the same file is closed.
fn lock(path: &Path) -> Result<File, TryLockError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(PathBuf::from(name))
        .map_err(TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

/// The thread that reads the history.
fn read(connection: &Connection, queue: &Served<Read>) {
    let unavailable = |cause: rusqlite::Error| {
        tracing::error!(%cause, "the store cannot be read");
        ReadError::Unavailable
    };
    while let Some(reads) = queue.0.pop(1) {
        for read in reads {
            // A reader that went away needs no answer.
            match read {
                Read::History {
                    system,
                    limit,
                    before,
                    reply,
                } => {
                    let rows = rows::history(connection, &system, limit, before);
                    let _ = reply.send(rows.map_err(unavailable));
                }
                Read::Ping(reply) => {
                    let _ = reply.send(rows::ping(connection).map_err(unavailable));
                }
            }
        }
    }
}
