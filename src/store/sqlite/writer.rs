//! The thread that writes: groups of changes, one transaction and one fsync each.
//!
//! The only place that changes a state, in the file and in the copy.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::DropGuard;

use super::queue::Served;
use super::rows;
use crate::command::SystemId;
use crate::engine::{Run, State};
use crate::store::{CommitError, Committed, HISTORY_KEPT, ReadError};

/// Changes of one transaction at the most: bounds how long a `stop` waits for the commit in hand.
const GROUP: usize = 256;

/// What the thread that writes can be asked for.
#[derive(Debug)]
pub(super) enum Job {
    Write(Write),
    /// Answered after the commit in hand, and after what opens this system was taken out of the queue.
    Forestall(Option<SystemId>, oneshot::Sender<()>),
    /// Asks whether it can write.
    Probe(oneshot::Sender<Result<(), ReadError>>),
}

#[derive(Debug)]
pub(super) struct Write {
    pub(super) committed: Arc<Committed>,
    pub(super) reply: oneshot::Sender<Result<(), CommitError>>,
}

/// The copy of a state, and how many actions its history holds. Most systems wait, so what only runs need is elsewhere.
#[derive(Debug)]
pub(super) struct Copied {
    seq: u64,
    pub(super) run: Option<Box<Run>>,
    actions: u32,
}

impl Copied {
    pub(super) fn new(State { seq, run }: State, actions: u32) -> Self {
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

/// A group after its commit.
pub(super) struct Written {
    valid: Vec<(Write, Result<(), CommitError>)>,
    stale: Vec<Write>,
    waiters: Vec<oneshot::Sender<()>>,
}

/// Groups that were written and not told yet; the thread that writes waits when there are more.
const GROUPS_WAITING: usize = 16;

/// Tells the feed, and then the callers, what was written. A task does it and not the thread that writes, because each
/// sleeper that a thread outside the runtime wakes costs it a call of the kernel.
pub(super) fn herald(
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
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) states: Arc<DashMap<SystemId, Copied>>,
    pub(super) written: mpsc::Sender<Written>,
    pub(super) cannot_write: Arc<AtomicBool>,
    pub(super) queue: Served<Job>,
    /// Held for as long as the file is used.
    pub(super) _lock: File,
}

impl Writer {
    pub(super) fn run(mut self) {
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
        if !forestalled.is_empty() {
            writes.extend(self.waiting_for(&forestalled));
        }
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

    /// Takes the changes of these systems that wait for a later group out of the queue.
    fn waiting_for(&self, systems: &[SystemId]) -> impl Iterator<Item = Write> + use<> {
        let out = self.queue.0.take_out(
            |job| matches!(job, Job::Write(write) if systems.contains(&write.committed.system)),
        );
        out.into_iter().filter_map(|job| match job {
            Job::Write(write) => Some(write),
            Job::Forestall(..) | Job::Probe(_) => None,
        })
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
