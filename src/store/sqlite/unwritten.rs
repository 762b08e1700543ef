//! What was applied and shown although it could not be written: the ends of runs, while the disk is full or broken.
//!
//! The thread that writes adds to it and empties it; the history is read with it.

use std::sync::{Arc, Mutex};

use super::queue::guard;
use super::rows::{Count, Entry};
use crate::command::SystemId;
use crate::engine::Action;
use crate::store::Committed;
use crate::store::receipt::Receipt;

/// In the order in which it was applied. Holds one closing for each system at the most, because nothing is opened while
/// there is any.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<Vec<Closing>>);

/// A change that closed a valve, with the number of actions before and after it, and the answer to who asked for it.
#[derive(Clone, Debug)]
pub(super) struct Closing {
    pub(super) committed: Arc<Committed>,
    pub(super) count: Count,
    pub(super) receipt: Option<Receipt>,
}

impl Closing {
    pub(super) fn entry(&self) -> Entry<'_> {
        Entry {
            change: Some((&self.committed, self.count)),
            receipt: self.receipt.as_ref(),
        }
    }
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        guard(&self.0).is_empty()
    }

    pub(super) fn add(&self, closing: Closing) {
        guard(&self.0).push(closing);
    }

    pub(super) fn all(&self) -> Vec<Closing> {
        guard(&self.0).clone()
    }

    pub(super) fn clear(&self) {
        guard(&self.0).clear();
    }

    /// Takes one out that was written.
    pub(super) fn remove(&self, system: &SystemId) {
        guard(&self.0).retain(|closing| &closing.committed.system != system);
    }

    pub(super) fn receipt(&self, key: &str) -> Option<Receipt> {
        let closings = guard(&self.0);
        let mut receipts = closings.iter().filter_map(|c| c.receipt.as_ref());
        receipts.find(|r| r.request.key.as_str() == key).cloned()
    }

    /// The actions of a system that are in no row yet, newest first.
    pub(super) fn actions(&self, system: &SystemId, before: Option<u64>) -> Vec<Action> {
        let closings = guard(&self.0);
        let of_system = closings
            .iter()
            .rev()
            .filter(|c| &c.committed.system == system);
        let actions = of_system.filter_map(|c| c.committed.change.action.clone());
        actions
            .filter(|action| before.is_none_or(|before| action.id < before))
            .collect()
    }
}

/// The newest actions of both, newest first. What was written meanwhile is in both.
pub(super) fn newest(unwritten: Vec<Action>, rows: Vec<Action>, limit: u32) -> Vec<Action> {
    let mut all = unwritten;
    all.retain(|action| rows.iter().all(|row| row.id != action.id));
    all.extend(rows);
    all.sort_by_key(|action| std::cmp::Reverse(action.id));
    all.truncate(limit as usize);
    all
}
