//! The file and its troubles: written when it can be; the ends of runs wait here when it cannot.
//!
//! Knows nothing of callers and queues.

use std::sync::Arc;

use rusqlite::Connection;

use super::fault::Fault;
use super::lock::Lock;
use super::rows::{self, Entry};
use super::unwritten::{Closing, Unwritten};
use super::{open, receipts};
use crate::engine::Change;
use crate::store::Committed;
use crate::store::receipt::Receipt;

/// The database that is written, with its lock.
pub(super) struct StoreFile {
    pub(super) connection: Connection,
    /// Held for as long as the file is used.
    pub(super) lock: Lock,
    pub(super) unwritten: Arc<Unwritten>,
    /// The last attempt to write has failed.
    pub(super) cannot_write: bool,
    /// Runs that the file believes in and nobody else does; they are being ended.
    pub(super) distrusted: usize,
}

impl StoreFile {
    /// Writes all of the entries in one transaction, or none; before them, what could not be written earlier.
    pub(super) fn write<'a>(
        &mut self,
        entries: impl Iterator<Item = Entry<'a>>,
    ) -> Result<(), Fault> {
        // What is late is nobody else's fault: as long as it cannot be written, nothing can.
        self.write_late().map_err(|_| Fault::Disk)?;
        let written = rows::write(&mut self.connection, entries);
        self.note(written)
    }

    /// Tries whether it can be written again, if it could not.
    pub(super) fn probe(&mut self) -> Result<(), Fault> {
        if !self.is_in_trouble() {
            return Ok(());
        }
        if !self.unwritten.is_empty() {
            return self.write_late();
        }
        let probed = open::probe(&self.connection);
        self.note(probed)
    }

    /// True while something should be tried again by itself.
    pub(super) fn is_in_trouble(&self) -> bool {
        self.cannot_write || self.lock.doubts() || !self.unwritten.is_empty()
    }

    /// A valve was closed although that cannot be written.
    pub(super) fn do_without(&mut self, closing: Closing) {
        // Before anybody is told: if the gateway ends now, nothing may go on from what the file says.
        self.lock.set_doubt(true);
        let Committed { system, change } = &*closing.committed;
        let seq = change.state.seq;
        tracing::error!(%system, seq, "water was stopped, which cannot be written yet");
        self.unwritten.add(closing);
    }

    /// Clears the mark beside the file once it says what everybody believes.
    pub(super) fn end_doubt(&mut self) {
        let written = !self.cannot_write && self.unwritten.is_empty();
        if written && self.distrusted == 0 {
            self.lock.set_doubt(false);
        }
    }

    /// What was answered to the request before, if it was.
    pub(super) fn answered(&self, receipt: &Receipt) -> rusqlite::Result<Option<Receipt>> {
        let key = &receipt.request.key;
        match self.unwritten.receipt(key.as_str()) {
            Some(known) => Ok(Some(known)),
            None => receipts::find(&self.connection, key, (receipt.boot, receipt.ticks)),
        }
    }

    pub(super) fn close(mut self) {
        if self.probe().is_err() {
            tracing::error!(
                "the store still cannot write: at the next start every run will count as interrupted"
            );
        }
        self.end_doubt();
        if let Err((_, cause)) = self.connection.close() {
            tracing::error!(%cause, "the store was not closed in order");
        }
    }

    fn write_late(&mut self) -> Result<(), Fault> {
        let late = self.unwritten.all();
        if late.is_empty() {
            return Ok(());
        }
        let together = rows::write(&mut self.connection, late.iter().map(Closing::entry));
        match self.note(together) {
            Ok(()) => self.unwritten.clear(),
            Err(Fault::Row) => {
                for closing in &late {
                    self.write_what_can_be(closing)?;
                    self.unwritten.remove(&closing.committed.system);
                }
            }
            Err(fault) => return Err(fault),
        }
        let closings = late.len();
        tracing::warn!(closings, "what was stopped meanwhile is written now");
        Ok(())
    }

    /// Something beside it is damaged: the state is what counts, then the history, then the answer that is kept.
    fn write_what_can_be(&mut self, closing: &Closing) -> Result<(), Fault> {
        let Committed { system, change } = &*closing.committed;
        let alone = Committed {
            system: system.clone(),
            change: Change {
                state: change.state.clone(),
                action: None,
            },
        };
        let change = Some((&*closing.committed, closing.count));
        let alone = Some((&alone, closing.count));
        let receipt = closing.receipt.as_ref();
        let attempts = [(change, receipt), (change, None), (alone, None)];
        let mut outcome = Err(Fault::Row);
        for (change, receipt) in attempts {
            let entry = Entry { change, receipt };
            let written = rows::write(&mut self.connection, std::iter::once(entry));
            outcome = self.note(written);
            if outcome != Err(Fault::Row) {
                break;
            }
        }
        outcome
    }

    /// Takes note of an attempt to write.
    fn note(&mut self, written: rusqlite::Result<()>) -> Result<(), Fault> {
        let Err(cause) = written else {
            if std::mem::replace(&mut self.cannot_write, false) {
                tracing::warn!("the store can write again");
                self.be_patient(true);
            }
            return Ok(());
        };
        let fault = Fault::of(&cause);
        if fault == Fault::Row {
            tracing::error!(%cause, "a row cannot be written");
            return Err(fault);
        }
        if !std::mem::replace(&mut self.cannot_write, true) {
            tracing::error!(%cause, "the store cannot write");
            self.be_patient(false);
        }
        if fault != Fault::Disk || !self.unwritten.is_empty() {
            self.lock.set_doubt(true);
        }
        Err(fault)
    }

    fn be_patient(&self, patient: bool) {
        if let Err(cause) = rows::be_patient(&self.connection, patient) {
            tracing::debug!(%cause, "the patience of the store could not be set");
        }
    }
}
