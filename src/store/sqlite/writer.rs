//! The thread that writes: groups of changes, one transaction and one fsync each.
//!
//! The only place that changes a state, in the file and in the copy.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::file::StoreFile;
use super::herald::Written;
use super::queue::Served;
use super::rows::{Count, Entry};
use super::unwritten::Closing;
use super::write::{Fate, Planned, Write, first_of_each_key};
use crate::command::SystemId;
use crate::engine::State;
use crate::store::lean::Lean;
use crate::store::{CommitError, HISTORY_KEPT, ReadError};
use crate::time::BootId;

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

/// The copy of a state, and how many actions its history holds.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) lean: Lean,
    pub(super) actions: u32,
}

impl Copied {
    pub(super) fn new(state: State, actions: u32) -> Self {
        let lean = Lean::from(state);
        Self { lean, actions }
    }
}

/// The thread that writes.
pub(super) struct Writer {
    /// Changes of one transaction at the most.
    pub(super) most: usize,
    pub(super) file: StoreFile,
    pub(super) states: Arc<DashMap<SystemId, Copied>>,
    pub(super) written: mpsc::Sender<Written>,
    pub(super) queue: Served<Job>,
    /// The file failed in this turn: it is not tried again, because each attempt may take long.
    pub(super) gave_up: bool,
}

impl Writer {
    pub(super) fn run(mut self) {
        while let Some(group) = self.queue.0.pop(self.most, self.patience()) {
            self.serve(group);
        }
        self.file.close();
    }

    /// How long to wait for work before what could not be written is tried again.
    fn patience(&self) -> Option<Duration> {
        self.file.is_in_trouble().then_some(TRY_AGAIN)
    }

    fn serve(&mut self, group: Vec<Job>) {
        let (mut writes, mut waiters, mut forestalled) = (Vec::new(), Vec::new(), Vec::new());
        let mut probes = Vec::new();
        for job in group {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Forestall(system, reply) => {
                    forestalled.extend(system);
                    waiters.push(reply);
                }
                Job::Probe(reply) => probes.push(reply),
            }
        }
        if !forestalled.is_empty() {
            writes.extend(self.openings_of(&forestalled));
        }
        self.gave_up = false;
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
        // Before anybody relies on what is written now.
        self.file.end_doubt();
        let written = Written {
            valid,
            stale,
            waiters,
        };
        // The herald ends with the runtime: then nobody waits for an answer.
        let _ = self.written.blocking_send(written);
        // Once for all who ask, and after those who wait for an answer.
        let works = !self.gave_up && self.file.probe().is_ok();
        self.file.end_doubt();
        for probe in probes {
            // Who asked may be gone.
            let _ = probe.send(works.then_some(()).ok_or(ReadError::Unavailable));
        }
    }

    /// Takes what opens these systems, and waits for a later group, out of the queue.
    fn openings_of(&self, systems: &[SystemId]) -> impl Iterator<Item = Write> + use<> {
        let out = self
            .queue
            .0
            .take_out(|job| matches!(job, Job::Write(write) if write.opens_one_of(systems)));
        out.into_iter().filter_map(|job| match job {
            Job::Write(write) => Some(write),
            Job::Forestall(..) | Job::Probe(_) => None,
        })
    }

    /// Looks up whether the request was answered before. What closes a valve does so in any case: the key only decides
    /// what is answered.
    fn plan(&self, mut write: Write) -> Planned {
        let reply = match &write.receipt {
            None => Ok(None),
            Some(receipt) => match self.file.answered(receipt) {
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
            Fate::Settled
        };
        Planned { write, reply, fate }
    }

    /// Parts a group into what can be written together and what something overtook. Nobody waits any longer for an
    /// opening whose caller has gone: it counts as overtaken, too.
    fn split(&self, group: Vec<Planned>, forestalled: &[SystemId]) -> (Vec<Planned>, Vec<Planned>) {
        let mut changed = HashSet::new();
        group.into_iter().partition(|Planned { write, fate, .. }| {
            let system = &write.system;
            let wanted =
                write.closes() || !(write.reply.is_closed() || write.opens_one_of(forestalled));
            let seq = self.states.get(system).map_or(0, |copied| copied.lean.seq);
            let valid = write.expected_seq().is_none_or(|expected| expected == seq);
            *fate == Fate::Settled || (wanted && valid && changed.insert(system.clone()))
        })
    }

    /// Writes all of them in one transaction. When one of them is at fault each is tried alone, so that it does not hold
    /// up the others. When the file is, what closes valves is applied all the same, and written later.
    fn commit(&mut self, planned: &mut [Planned]) {
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

    fn write(&mut self, planned: &mut [Planned]) -> Result<(), Fault> {
        let asked = planned.iter().filter(|one| one.fate == Fate::Asked);
        let counts: Vec<_> = asked.clone().map(|one| self.count(&one.write)).collect();
        if counts.is_empty() {
            return Ok(());
        }
        if self.gave_up {
            return Err(Fault::Disk);
        }
        let entries = asked
            .zip(&counts)
            .map(|(Planned { write, .. }, count)| Entry {
                change: write.change.as_deref().map(|change| (change, *count)),
                receipt: write.receipt.as_deref(),
            });
        let written = self.file.write(entries);
        self.gave_up = written.is_err_and(|fault| fault != Fault::Row);
        written?;
        let asked = planned.iter_mut().filter(|one| one.fate == Fate::Asked);
        for (one, count) in asked.zip(counts) {
            self.apply(one, count);
        }
        Ok(())
    }

    /// What the copy says from now on.
    fn apply(&mut self, one: &mut Planned, count: Count) {
        one.fate = Fate::Applied;
        let Some(committed) = &one.write.change else {
            return;
        };
        let copied = Copied::new(committed.change.state.clone(), count.after);
        let before = self.states.insert(committed.system.clone(), copied);
        let run = before.and_then(|before| before.lean.run);
        if run.is_some_and(|run| run.boot == BootId::NONE) {
            self.file.distrusted -= 1;
        }
    }

    /// It cannot be written. A valve is closed all the same; whatever else was asked for is refused.
    fn do_without(&mut self, one: &mut Planned) {
        if one.fate != Fate::Asked {
            return;
        }
        let count = self.count(&one.write);
        let closing = one.write.change.clone().filter(|c| c.change.closes());
        let Some(committed) = closing else {
            one.fate = Fate::Settled;
            one.reply = Err(CommitError::Unavailable);
            return;
        };
        self.file.do_without(Closing {
            committed,
            count,
            receipt: one.write.receipt.as_deref().cloned(),
        });
        self.apply(one, count);
    }

    /// How many actions the history of the system holds before and after a change.
    fn count(&self, write: &Write) -> Count {
        let before = self
            .states
            .get(&write.system)
            .map_or(0, |copied| copied.actions);
        let ends_run = write
            .change
            .as_ref()
            .is_some_and(|committed| committed.change.action.is_some());
        let after = (before + u32::from(ends_run)).min(HISTORY_KEPT);
        Count { before, after }
    }
}
