//! The thread that writes: groups of changes, one transaction and one fsync each.
//!
//! The only place that changes a state, in the file and in the copy.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::herald::Written;
use super::lock::Lock;
use super::queue::Served;
use super::unwritten::{Closing, Unwritten};
use super::write::{Fate, Planned, Write, first_of_each_key};
use super::{receipts, rows};
use crate::command::SystemId;
use crate::engine::{Run, State};
use crate::store::receipt::Receipt;
use crate::store::{CommitError, HISTORY_KEPT, ReadError};

/// Changes of one transaction at the most: bounds how long a `stop` waits for the commit in hand.
const GROUP: usize = 256;

/// What could not be written is tried again after this time.
const TRY_AGAIN: Duration = Duration::from_millis(250);

/// What the thread that writes can be asked for.
#[derive(Debug)]
pub(super) enum Job {
    Write(Write),
    /// Answered after the commit in hand, and after what opens this system was taken out of the queue.
    Forestall(Option<SystemId>, oneshot::Sender<()>),
    /// Asks whether it can write.
    Probe(oneshot::Sender<Result<(), ReadError>>),
}

/// The copy of a state, and how many actions its history holds. Most systems wait, so what only runs need is elsewhere.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) seq: u64,
    pub(super) run: Option<Box<Run>>,
    pub(super) actions: u32,
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

/// The thread that writes.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) states: Arc<DashMap<SystemId, Copied>>,
    pub(super) written: mpsc::Sender<Written>,
    pub(super) cannot_write: Arc<AtomicBool>,
    pub(super) unwritten: Arc<Unwritten>,
    pub(super) queue: Served<Job>,
    /// Held for as long as the file is used.
    pub(super) lock: Lock,
}

impl Writer {
    pub(super) fn run(mut self) {
        while let Some(group) = self.queue.0.pop(GROUP, self.patience()) {
            self.serve(group);
        }
        if self.write(&mut []).is_err() {
            tracing::error!(
                "the store still cannot write: at the next start every run will count as interrupted"
            );
        }
        if let Err((_, cause)) = self.connection.close() {
            tracing::error!(%cause, "the store was not closed in order");
        }
    }

    /// How long to wait for work before what could not be written is tried again.
    fn patience(&self) -> Option<Duration> {
        (!self.unwritten.is_empty()).then_some(TRY_AGAIN)
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
                    // Who asked may be gone.
                    let _ = reply.send(self.probe());
                }
            }
        }
        if !forestalled.is_empty() {
            writes.extend(self.waiting_for(&forestalled));
        }
        let (mut valid, mut stale) = (Vec::new(), Vec::new());
        // Who sends the same key twice at once is answered the second time from what was kept the first time.
        while !writes.is_empty() {
            let (round, later) = first_of_each_key(writes);
            let planned = round.into_iter().map(|write| self.plan(write)).collect();
            let (mut current, overtaken) = self.split(planned, &forestalled);
            self.commit(&mut current);
            valid.extend(current);
            stale.extend(overtaken);
            writes = later;
        }
        if valid.is_empty() && !self.unwritten.is_empty() {
            // What could not be written is tried again, and noted if it still cannot be.
            let _ = self.write(&mut []);
        }
        let written = Written {
            valid,
            stale,
            waiters,
        };
        // The herald ends with the runtime: then nobody waits for an answer.
        let _ = self.written.blocking_send(written);
    }

    fn probe(&mut self) -> Result<(), ReadError> {
        let written = if self.unwritten.is_empty() {
            rows::probe(&self.connection).is_ok()
        } else {
            self.write(&mut []).is_ok()
        };
        if written && self.cannot_write.load(Ordering::Relaxed) {
            self.note_success(0);
        }
        written.then_some(()).ok_or(ReadError::Unavailable)
    }

    /// Takes the changes of these systems that wait for a later group out of the queue.
    fn waiting_for(&self, systems: &[SystemId]) -> impl Iterator<Item = Write> + use<> {
        let out = self
            .queue
            .0
            .take_out(|job| matches!(job, Job::Write(write) if systems.contains(&write.system)));
        out.into_iter().filter_map(|job| match job {
            Job::Write(write) => Some(write),
            Job::Forestall(..) | Job::Probe(_) => None,
        })
    }

    /// Parts a group into what can be written together and what something overtook. Nobody waits any longer for an
    /// opening whose caller has gone: it counts as overtaken, too.
    fn split(&self, group: Vec<Planned>, forestalled: &[SystemId]) -> (Vec<Planned>, Vec<Planned>) {
        let mut changed = HashSet::new();
        group.into_iter().partition(|Planned { write, fate, .. }| {
            let system = &write.system;
            let wanted =
                write.closes() || !(write.reply.is_closed() || forestalled.contains(system));
            let seq = self.states.get(system).map_or(0, |copied| copied.seq);
            let valid = write.expected_seq().is_none_or(|expected| expected == seq);
            *fate == Fate::Dropped || (wanted && valid && changed.insert(system.clone()))
        })
    }

    /// Looks up whether the request was answered before. What closes a valve does so in any case: the key only decides
    /// what is answered.
    fn plan(&self, mut write: Write) -> Planned {
        let reply = match &write.receipt {
            None => Ok(None),
            Some(receipt) => match self.answered(receipt) {
                Ok(Some(known)) if known.request == receipt.request => Ok(Some(known.answer)),
                Ok(Some(_)) => Err(CommitError::KeyReused),
                Ok(None) => Ok(None),
                Err(_) if write.closes() => Ok(None),
                Err(cause) => {
                    tracing::error!(%cause, "the store cannot be read");
                    Err(CommitError::Unavailable)
                }
            },
        };
        let news = matches!(reply, Ok(None));
        if !news {
            write.receipt = None;
        }
        let fate = if news || write.closes() {
            Fate::Asked
        } else {
            Fate::Dropped
        };
        Planned { write, reply, fate }
    }

    fn answered(&self, receipt: &Receipt) -> rusqlite::Result<Option<Receipt>> {
        let key = &receipt.request.key;
        match self.unwritten.receipt(key.as_str()) {
            Some(known) => Ok(Some(known)),
            None => receipts::find(&self.connection, key, (receipt.boot, receipt.ticks)),
        }
    }

    /// Writes all of them in one transaction. When one of them is at fault each is tried alone, so that it does not hold
    /// up the others. When the disk is, what closes valves is applied all the same, and written later.
    fn commit(&mut self, planned: &mut [Planned]) {
        if planned.iter().all(|one| one.fate != Fate::Asked) {
            return;
        }
        match self.write(planned) {
            Ok(()) => {}
            Err(Fault::Row) if planned.len() > 1 => {
                for one in planned {
                    if self.write(std::slice::from_mut(one)).is_err() {
                        self.do_without(one);
                    }
                }
            }
            Err(_) => planned.iter_mut().for_each(|one| self.do_without(one)),
        }
    }

    /// Writes what was asked for, after what could not be written before.
    fn write(&mut self, planned: &mut [Planned]) -> Result<(), Fault> {
        let late = self.unwritten.all();
        let asked = planned.iter().filter(|one| one.fate == Fate::Asked);
        let counts: Vec<_> = asked.clone().map(|one| self.actions(&one.write)).collect();
        let asked = asked.zip(&counts).map(|(Planned { write, .. }, counts)| {
            let (before, after) = *counts;
            let change = write.change.as_deref();
            rows::Row {
                change: change.map(|committed| (committed, before, after)),
                receipt: write.receipt.as_deref(),
            }
        });
        if late.is_empty() && counts.is_empty() {
            return Ok(());
        }
        let written = rows::write(
            &mut self.connection,
            late.iter().map(Closing::row).chain(asked),
        );
        if let Err(cause) = written {
            return Err(self.note_failure(&cause));
        }
        self.note_success(late.len());
        let asked = planned.iter_mut().filter(|one| one.fate == Fate::Asked);
        for (one, (_, actions)) in asked.zip(counts) {
            self.apply(one, actions);
        }
        Ok(())
    }

    /// What the copy says from now on.
    fn apply(&self, one: &mut Planned, actions: u32) {
        one.fate = Fate::Applied;
        if let Some(committed) = &one.write.change {
            let copied = Copied::new(committed.change.state.clone(), actions);
            self.states.insert(committed.system.clone(), copied);
        }
    }

    /// The disk is full or broken. A valve is closed all the same; whatever else was asked for is refused.
    fn do_without(&mut self, one: &mut Planned) {
        if one.fate != Fate::Asked {
            return;
        }
        let (before, after) = self.actions(&one.write);
        let closing = one.write.change.clone().filter(|c| c.change.closes());
        let Some(committed) = closing else {
            one.fate = Fate::Dropped;
            one.reply = Err(CommitError::Unavailable);
            return;
        };
        // Before anybody is told: if the gateway ends now, nothing may go on from what the disk says.
        self.lock.set_doubt(true);
        let (system, seq) = (&committed.system, committed.change.state.seq);
        tracing::error!(%system, seq, "water was stopped, which cannot be written yet");
        let receipt = one.write.receipt.as_deref().cloned();
        self.unwritten.add(Closing {
            committed,
            before,
            after,
            receipt,
        });
        self.apply(one, after);
    }

    fn note_failure(&mut self, cause: &rusqlite::Error) -> Fault {
        if !self.cannot_write.swap(true, Ordering::Relaxed) {
            tracing::error!(%cause, "the store cannot write");
            self.be_patient(false);
        }
        let fault = Fault::of(cause);
        if matches!(fault, Fault::Failing | Fault::Damaged) {
            self.lock.set_doubt(true);
        }
        fault
    }

    fn note_success(&mut self, late: usize) {
        self.unwritten.clear();
        self.lock.set_doubt(false);
        if self.cannot_write.swap(false, Ordering::Relaxed) {
            tracing::warn!(
                late,
                "the store can write again; what was stopped meanwhile is written"
            );
            self.be_patient(true);
        }
    }

    fn be_patient(&self, patient: bool) {
        if let Err(cause) = rows::be_patient(&self.connection, patient) {
            tracing::debug!(%cause, "the patience of the store could not be set");
        }
    }

    /// How many actions the history of the system holds before and after a change.
    fn actions(&self, write: &Write) -> (u32, u32) {
        let before = self
            .states
            .get(&write.system)
            .map_or(0, |copied| copied.actions);
        let ends_run = write
            .change
            .as_ref()
            .is_some_and(|committed| committed.change.action.is_some());
        let after = (before + u32::from(ends_run)).min(HISTORY_KEPT);
        (before, after)
    }
}
