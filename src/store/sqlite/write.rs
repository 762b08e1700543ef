//! One write: what is asked of the file for one system, and what became of it.
//!
//! Values only: nothing is written here.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::command::SystemId;
use crate::engine::{Answer, Change};
use crate::store::receipt::Receipt;
use crate::store::{CommitError, Committed};

/// What is to be written for a system, in one go.
#[derive(Debug)]
pub(super) struct Write {
    pub(super) system: SystemId,
    /// None: nothing changes, the answer that says so is kept.
    pub(super) change: Option<Arc<Committed>>,
    pub(super) receipt: Option<Box<Receipt>>,
    pub(super) reply: oneshot::Sender<Reply>,
}

/// Nothing: written as asked. An answer: the request had been answered before, with this.
pub(super) type Reply = Result<Option<Answer>, CommitError>;

impl Write {
    pub(super) fn new(
        system: SystemId,
        change: Option<Change>,
        receipt: Option<Receipt>,
        reply: oneshot::Sender<Reply>,
    ) -> Self {
        let committed = |change| {
            let system = system.clone();
            Arc::new(Committed { system, change })
        };
        Self {
            change: change.map(committed),
            receipt: receipt.map(Box::new),
            system,
            reply,
        }
    }

    pub(super) fn closes(&self) -> bool {
        self.change
            .as_ref()
            .is_some_and(|committed| committed.change.closes())
    }

    /// True when it only keeps an answer: nothing changes.
    pub(super) fn only_answers(&self) -> bool {
        self.change.is_none()
    }

    pub(super) fn opens_one_of(&self, systems: &[SystemId]) -> bool {
        !self.closes() && !self.only_answers() && systems.contains(&self.system)
    }

    /// The `seq` that the system must still have.
    pub(super) fn expected_seq(&self) -> Option<u64> {
        match (&self.change, &self.receipt) {
            (Some(committed), _) => Some(committed.change.expected_seq()),
            (None, Some(receipt)) => Some(receipt.answer.shown.seq),
            (None, None) => None,
        }
    }
}

/// A write, what will be answered to it, and what becomes of it.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) write: Write,
    pub(super) reply: Reply,
    pub(super) fate: Fate,
}

/// What becomes of a planned write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be written.
    Asked,
    /// In force.
    Applied,
    /// Nothing to write: it was answered before, or is refused.
    Settled,
}

/// Parts the writes into the first of each key, with those that have none, and the others.
pub(super) fn first_of_each_key(writes: Vec<Write>) -> (Vec<Write>, Vec<Write>) {
    let mut keys = HashSet::new();
    writes.into_iter().partition(|write| {
        let receipt = write.receipt.as_ref();
        receipt.is_none_or(|receipt| keys.insert(receipt.request.key.clone()))
    })
}
