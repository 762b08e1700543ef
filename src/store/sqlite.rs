//! The embedded store: one SQLite file, one thread that writes, one that reads the history.
//!
//! States live in memory as well, as a copy of what is durable (and of ends that are not yet, see [`unwritten`]): the
//! writer is the only one that changes either.
//! Changes that wait at the same moment share one transaction and so one fsync (group commit).

use std::fs::TryLockError;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use dashmap::DashMap;
use rusqlite::Connection;
use tokio::sync::{broadcast, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::receipt::Receipt;
use super::{CommitError, FEED_CAPACITY, Feed, News, OpenError, ReadError};
use crate::command::SystemId;
use crate::engine::{Action, Answer, Change, State};

mod fault;
mod file;
mod herald;
mod lock;
mod open;
mod quarantine;
mod queue;
mod receipts;
mod rows;
pub(super) mod transfer;
mod unwritten;
mod values;
mod write;
mod writer;

use file::StoreFile;
use herald::herald;
use lock::Lock;
use quarantine::{Opened, distrust_runs, open_or_put_aside};
use queue::{Full, Queue, Served, guard};
use unwritten::Unwritten;
use write::Write;
use writer::{Copied, Job, Writer};

/// Openings that may wait to be written; one more is refused as overloaded. At a typical 1 ms for a group this is
/// less than a second of work.
const OPENINGS_WAITING: usize = 4096;
/// Readers of the history that may wait; one more is refused as overloaded.
const READS_WAITING: usize = 1024;

/// A thread that does not come round to a probe for so long waits for the disk.
const PATIENCE: Duration = Duration::from_secs(1);
/// A disk that neither works nor fails for so long does not let water be stopped. Better no gateway then: actuators close
/// their valves when they hear no clock any more.
const HUNG: Duration = Duration::from_secs(10);

/// A handle to the embedded store; clones share it.
#[derive(Clone, Debug)]
pub struct Sqlite(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    states: Arc<DashMap<SystemId, Copied>>,
    feed: broadcast::Sender<News>,
    writes: Arc<Queue<Job>>,
    reads: Arc<Queue<Read>>,
    threads: Mutex<Option<Threads>>,
    /// What was applied although it could not be written.
    unwritten: Arc<Unwritten>,
    /// The name under which a damaged file was put aside.
    quarantined: Option<String>,
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
    pub(super) fn open(path: &Path, most: usize) -> Result<Self, OpenError> {
        let fail = |what: &str, cause: &dyn std::fmt::Display| {
            OpenError(format!("the store {} {what}: {cause}", path.display()))
        };
        // Behind a link, all the files belong beside the one that it names.
        let real = std::fs::canonicalize(path);
        let path = real.as_deref().unwrap_or(path);
        let mut lock = Lock::take(path).map_err(|e| match e {
            TryLockError::WouldBlock => fail("is in use by another process", &"one may use it"),
            TryLockError::Error(e) => fail("cannot be opened", &e),
        })?;
        let Opened {
            writer,
            states,
            quarantined,
        } = open_or_put_aside(path, &mut lock).map_err(|e| fail("cannot be opened", &e))?;
        let distrusted = if lock.doubts() {
            distrust_runs(&states)
        } else {
            0
        };
        if distrusted == 0 {
            lock.set_doubt(false);
        }
        let reader = open::open_to_read(path).map_err(|e| fail("cannot be opened", &e))?;

        let shared = Shared {
            states: Arc::new(states),
            feed: broadcast::Sender::new(FEED_CAPACITY),
            writes: Arc::new(Queue::new(OPENINGS_WAITING)),
            reads: Arc::new(Queue::new(READS_WAITING)),
            threads: Mutex::default(),
            unwritten: Arc::default(),
            quarantined,
            ended: CancellationToken::new(),
        };
        let (written, herald) = herald(shared.feed.clone(), shared.ended.clone().drop_guard());
        let writing = Writer {
            most,
            file: StoreFile {
                connection: writer,
                lock,
                unwritten: Arc::clone(&shared.unwritten),
                cannot_write: false,
                distrusted,
            },
            states: Arc::clone(&shared.states),
            written,
            queue: Served(Arc::clone(&shared.writes), shared.ended.clone()),
            gave_up: false,
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
            .map_or_else(State::default, |copied| State::from(&copied.lean))
    }

    pub(super) fn running(&self) -> Vec<(SystemId, State)> {
        self.0
            .states
            .iter()
            .filter(|entry| entry.lean.run.is_some())
            .map(|entry| (entry.key().clone(), State::from(&entry.lean)))
            .collect()
    }

    pub(super) fn quarantined(&self) -> Option<&str> {
        self.0.quarantined.as_deref()
    }

    pub(super) async fn commit(&self, system: SystemId, change: Change) -> Result<(), CommitError> {
        self.write(system, Some(change), None).await.map(|_| ())
    }

    pub(super) async fn commit_once(
        &self,
        system: SystemId,
        change: Option<Change>,
        receipt: Receipt,
    ) -> Result<Option<Answer>, CommitError> {
        self.write(system, change, Some(receipt)).await
    }

    async fn write(
        &self,
        system: SystemId,
        change: Option<Change>,
        receipt: Option<Receipt>,
    ) -> Result<Option<Answer>, CommitError> {
        let (reply, answer) = oneshot::channel();
        let write = Write::new(system, change, receipt, reply);
        let closes = write.closes();
        if closes || write.only_answers() {
            // Never refused: each one belongs to a connection or to a running system, and both are bounded.
            self.0.writes.push_first(Job::Write(write));
        } else {
            let pushed = self.0.writes.push(Job::Write(write));
            pushed.map_err(|Full| CommitError::Overloaded)?;
        }
        let answer = if closes {
            self.unless_it_hangs(answer).await
        } else {
            answer.await.ok()
        };
        answer.unwrap_or(Err(CommitError::Unavailable))
    }

    /// Waits for what a stop needs. Nothing when the store has ended, or ends because of this.
    async fn unless_it_hangs<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        if let Ok(answer) = timeout(HUNG, answer).await {
            return answer.ok();
        }
        let seconds = HUNG.as_secs();
        tracing::error!("the disk has not answered for {seconds} s, and water cannot be stopped");
        self.0.ended.cancel();
        None
    }

    pub(super) async fn history(
        &self,
        system: SystemId,
        limit: u32,
        before: Option<u64>,
    ) -> Result<Vec<Action>, ReadError> {
        // Before the rows are read: what is written meanwhile is among those, then.
        let unwritten = self.0.unwritten.actions(&system, before);
        let (reply, answer) = oneshot::channel();
        let read = Read::History {
            system,
            limit,
            before,
            reply,
        };
        let rows = self.read(read, answer).await?;
        Ok(unwritten::newest(unwritten, rows, limit))
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
        let _ = self.unless_it_hangs(answer).await;
    }

    pub(super) async fn failed(&self) {
        self.0.ended.cancelled().await;
    }

    pub(super) async fn ping(&self) -> Result<(), ReadError> {
        if self.0.ended.is_cancelled() {
            return Err(ReadError::Unavailable);
        }
        // While all is well nothing is written for it.
        let (reply, answer) = oneshot::channel();
        self.0.writes.push_first(Job::Probe(reply));
        let answer = timeout(PATIENCE, answer).await;
        answer.map_or(Err(ReadError::Unavailable), |answer| {
            answer.unwrap_or(Err(ReadError::Unavailable))
        })?;
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

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

/// The thread that reads the history.
fn read(connection: &Connection, queue: &Served<Read>) {
    let unavailable = |cause: rusqlite::Error| {
        tracing::error!(%cause, "the store cannot be read");
        ReadError::Unavailable
    };
    while let Some(reads) = queue.0.pop(1, None) {
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
