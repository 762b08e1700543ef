//! The embedded store: one SQLite file, one thread that writes, one that reads the history.
//!
//! States live in memory as well, as a copy of what is durable: the writer is the only one that changes either.
//! Changes that wait at the same moment share one transaction and so one fsync (group commit).

use std::collections::{HashSet, VecDeque};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use dashmap::DashMap;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{CommitError, Committed, FEED_CAPACITY, Feed, HISTORY_KEPT, OpenError, ReadError};
use crate::command::SystemId;
use crate::engine::{Action, Change, Run, State};

mod rows;

/// Openings that may wait to be written; one more is refused as overloaded. At a typical 1 ms for a group this is
/// less than a second of work.
const OPENINGS_WAITING: usize = 4096;
/// Changes of one transaction at the most: bounds how long a `stop` waits for the commit in hand.
const GROUP: usize = 256;
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

/// The copy of a state, and how many actions its history holds. Most systems wait, so what only runs need is elsewhere.
#[derive(Debug)]
struct Copied {
    seq: u64,
    run: Option<Box<Run>>,
    actions: u32,
}

impl Copied {
    fn new(State { seq, run }: State, actions: u32) -> Self {
        let run = run.map(Box::new);
        Self { seq, run, actions }
    }
}

impl From<&Copied> for State {
    fn from(copied: &Copied) -> Self {
        Self {
            seq: copied.seq,
            run: copied.run.as_deref().cloned(),
        }
    }
}

/// What the thread that writes can be asked for.
#[derive(Debug)]
enum Job {
    Write(Write),
    /// Answered after the commit in hand, and after what opens this system was taken out of the queue.
    Forestall(Option<SystemId>, oneshot::Sender<()>),
    /// Asks whether it can write.
    Probe(oneshot::Sender<Result<(), ReadError>>),
}

#[derive(Debug)]
struct Write {
    committed: Arc<Committed>,
    reply: oneshot::Sender<Result<(), CommitError>>,
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

/// A group after its commit.
struct Written {
    valid: Vec<(Write, Result<(), CommitError>)>,
    stale: Vec<Write>,
    waiters: Vec<oneshot::Sender<()>>,
}

/// Groups that were written and not told yet; the thread that writes waits when there are more.
const GROUPS_WAITING: usize = 16;

/// Tells the feed, and then the callers, what was written. A task does it and not the thread that writes, because each
/// sleeper that a thread outside the runtime wakes costs it a call of the kernel.
fn herald(
    feed: broadcast::Sender<Arc<Committed>>,
    ended: DropGuard,
) -> (mpsc::Sender<Written>, tokio::task::JoinHandle<()>) {
    let (written, mut groups) = mpsc::channel::<Written>(GROUPS_WAITING);
    let task = tokio::spawn(async move {
        let _ended = ended;
        while let Some(group) = groups.recv().await {
            for (Write { committed, reply }, answer) in group.valid {
                if answer.is_ok() {
                    // Nobody reads the feed while the gateway starts and stops: then there is nobody to tell.
                    let _ = feed.send(committed);
                }
                // A caller that went away does not undo what is durable.
                let _ = reply.send(answer);
            }
            // Answered last, so that who comes back reads what overtook it.
            for Write { reply, .. } in group.stale {
                let _ = reply.send(Err(CommitError::Stale));
            }
            for waiter in group.waiters {
                let _ = waiter.send(());
            }
        }
    });
    (written, task)
}

/// The thread that writes.
struct Writer {
    connection: Connection,
    states: Arc<DashMap<SystemId, Copied>>,
    written: mpsc::Sender<Written>,
    cannot_write: Arc<AtomicBool>,
    queue: Served<Job>,
    _lock: File,
}

impl Writer {
    fn run(mut self) {
        while let Some(group) = self.queue.0.pop(GROUP) {
            self.serve(group);
        }
        if let Err((_, cause)) = self.connection.close() {
            tracing::error!(%cause, "the store was not closed in order");
        }
    }

    fn serve(&mut self, group: Vec<Job>) {
        let (mut writes, mut waiters, mut forestalled) = (Vec::new(), Vec::new(), Vec::new());
        for job in group {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Forestall(system, reply) => {
                    forestalled.extend(system);
                    waiters.push(reply);
                }
                Job::Probe(reply) => {
                    let probed = rows::probe(&self.connection);
                    self.cannot_write.store(probed.is_err(), Ordering::Relaxed);
                    // Who asked may be gone.
                    let _ = reply.send(probed.map_err(|_| ReadError::Unavailable));
                }
            }
        }
        let taken_out = self.take_out(&forestalled);
        writes.extend(taken_out);
        let (valid, stale) = self.split(writes, &forestalled);
        let valid = self.commit(valid);
        let written = Written {
            valid,
            stale,
            waiters,
        };
        // The herald ends with the runtime: then nobody waits for an answer.
        let _ = self.written.blocking_send(written);
    }

    /// Takes what would open these systems out of the queue.
    fn take_out(&self, systems: &[SystemId]) -> Vec<Write> {
        if systems.is_empty() {
            return Vec::new();
        }
        let mut waiting = guard(&self.queue.0.waiting);
        let (out, rest) = waiting.rest.drain(..).partition(|job| match job {
            Job::Write(write) => systems.contains(&write.committed.system),
            Job::Forestall(..) | Job::Probe(_) => false,
        });
        waiting.rest = rest;
        drop(waiting);
        let out: VecDeque<Job> = out;
        let writes = out.into_iter().filter_map(|job| match job {
            Job::Write(write) => Some(write),
            Job::Forestall(..) | Job::Probe(_) => None,
        });
        writes.collect()
    }

    /// Writes all of them in one transaction. When that fails each is tried alone: one that cannot be written must not
    /// hold up the others.
    fn commit(&mut self, writes: Vec<Write>) -> Vec<(Write, Result<(), CommitError>)> {
        if writes.is_empty() {
            return Vec::new();
        }
        let together = self.write(&writes);
        let alone = together.is_err() && writes.len() > 1;
        let answers = writes.into_iter().map(|write| {
            let answer = if alone {
                self.write(std::slice::from_ref(&write))
            } else {
                together
            };
            (write, answer)
        });
        answers.collect()
    }

    fn write(&mut self, writes: &[Write]) -> Result<(), CommitError> {
        let actions: Vec<(u32, u32)> = writes.iter().map(|write| self.actions(write)).collect();
        let rows = writes.iter().zip(&actions);
        let rows = rows.map(|(write, (before, after))| rows::Row {
            committed: &write.committed,
            before: *before,
            after: *after,
        });
        let written = rows::write(&mut self.connection, rows);
        self.cannot_write.store(written.is_err(), Ordering::Relaxed);
        written.map_err(|cause| {
            tracing::error!(%cause, changes = writes.len(), "the store cannot write");
            CommitError::Unavailable
        })?;
        for (Write { committed, .. }, (_, actions)) in writes.iter().zip(actions) {
            let copied = Copied::new(committed.change.state.clone(), actions);
            self.states.insert(committed.system.clone(), copied);
        }
        Ok(())
    }

    /// How many actions the history of the system holds before and after a change.
    fn actions(&self, write: &Write) -> (u32, u32) {
        let Committed { system, change } = &*write.committed;
        let before = self.states.get(system).map_or(0, |copied| copied.actions);
        let after = match change.action {
            Some(_) => (before + 1).min(HISTORY_KEPT),
            None => before,
        };
        (before, after)
    }

    /// Parts a group into the changes that can be written together and those that something overtook. Nobody waits any
    /// longer for an opening whose caller has gone: it counts as overtaken, too.
    fn split(&self, group: Vec<Write>, forestalled: &[SystemId]) -> (Vec<Write>, Vec<Write>) {
        let mut changed = HashSet::new();
        group.into_iter().partition(|write| {
            let Committed { system, change } = &*write.committed;
            let wanted =
                change.closes() || !(write.reply.is_closed() || forestalled.contains(system));
            let seq = self.states.get(system).map_or(0, |copied| copied.seq);
            wanted && seq == change.expected_seq() && changed.insert(system.clone())
        })
    }
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

/// A bounded queue with a side door for what must not wait.
#[derive(Debug)]
struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    came: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    first: VecDeque<T>,
    rest: VecDeque<T>,
    closed: bool,
}

/// The queue takes no more.
struct Full;

impl<T> Queue<T> {
    fn new(capacity: usize) -> Self {
        let waiting = Waiting {
            first: VecDeque::new(),
            rest: VecDeque::new(),
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            came: Condvar::new(),
            capacity,
        }
    }

    /// What comes after the end is dropped, and with it its reply: the caller is told `Unavailable`.
    fn push(&self, item: T) -> Result<(), Full> {
        let mut waiting = guard(&self.waiting);
        if waiting.rest.len() >= self.capacity {
            return Err(Full);
        }
        if !waiting.closed {
            waiting.rest.push_back(item);
            self.came.notify_one();
        }
        Ok(())
    }

    fn push_first(&self, item: T) {
        let mut waiting = guard(&self.waiting);
        if !waiting.closed {
            waiting.first.push_back(item);
            self.came.notify_one();
        }
    }

    /// Waits for something and takes all of it, `most` at the most. Nothing once the queue is closed and empty.
    fn pop(&self, most: usize) -> Option<Vec<T>> {
        let mut waiting = guard(&self.waiting);
        loop {
            let first = waiting.first.len().min(most);
            let rest = waiting.rest.len().min(most - first);
            if first + rest > 0 {
                let mut taken: Vec<T> = waiting.first.drain(..first).collect();
                taken.extend(waiting.rest.drain(..rest));
                return Some(taken);
            }
            if waiting.closed {
                return None;
            }
            waiting = self
                .came
                .wait(waiting)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// What must not wait is still served; the rest is given up.
    fn close(&self) {
        let mut waiting = guard(&self.waiting);
        waiting.closed = true;
        waiting.rest.clear();
        drop(waiting);
        self.came.notify_all();
    }
}

/// Held by the thread that serves a queue. When the thread ends, in whatever way, nobody waits for it any longer.
struct Served<T>(Arc<Queue<T>>, CancellationToken);

impl<T> Drop for Served<T> {
    fn drop(&mut self) {
        self.0.close();
        let mut waiting = guard(&self.0.waiting);
        waiting.first.clear();
        waiting.rest.clear();
        drop(waiting);
        self.1.cancel();
    }
}

/// A panic under one of these locks leaves nothing half-done: the data is whole.
fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
