//! The one door for commands: load, decide, commit, again if something overtook it.
//!
//! Emits nothing: who watches hears of a change from the store's feed.

use std::sync::Arc;

use thiserror::Error;

use crate::command::{Command, SystemId};
use crate::config::Systems;
use crate::engine::{self, Answer, Change, Decision, Reason, State};
use crate::store::{CommitError, ReadError, Store};
use crate::time::Clock;

/// Systems, store and clock: everything that a command needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    systems: Arc<Systems>,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum SubmitError {
    #[error("too many changes wait")]
    Overloaded,
    #[error("the store does not answer")]
    Unavailable,
}

impl From<ReadError> for SubmitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Overloaded => Self::Overloaded,
            ReadError::Unavailable => Self::Unavailable,
        }
    }
}

impl Gateway {
    pub(crate) fn new(systems: Arc<Systems>, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            systems,
            store,
            clock,
        }
    }

    pub(crate) fn systems(&self) -> &Systems {
        &self.systems
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Carries out a command. When it returns without an error, the state in the answer is durable and on the feed.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn submit(
        &self,
        system: &SystemId,
        command: &Command,
    ) -> Result<Answer, SubmitError> {
        let stops = matches!(command, Command::Stop { .. });
        let (mut overtaken, mut alone) = (false, false);
        loop {
            let state = self.store.load(system).await?;
            let now = self.clock.now();
            // What the clocks demand comes first. A stop only waits for what ends the run: a run that is over need
            // not be shown anew.
            let demanded = engine::settle(&state, &now).filter(|change| !stops || change.closes());
            if let Some(change) = demanded {
                self.commit(system, change).await?;
                continue;
            }
            let change = match engine::decide(&state, command, &now) {
                // An opening may be in the commit in hand, or wait for the next one: who asked for it may have given
                // up, and relies on this stop.
                Decision::Unchanged(Reason::NotRunning) if !alone => {
                    self.store.forestall(system).await;
                    alone = true;
                    continue;
                }
                Decision::Unchanged(reason) => {
                    return Ok(Answer {
                        shown: state.shown(&now),
                        unchanged: Some(reason),
                    });
                }
                // Something closed the valve while this command waited. Who did that came later and has the last
                // word; a person who wants water after all can ask again.
                Decision::Change(change)
                    if overtaken && !change.closes() && state.run.is_none() =>
                {
                    return Err(SubmitError::Overloaded);
                }
                Decision::Change(change) => change,
            };
            let state = change.state.clone();
            // This ends: without a stop a system can change twice at the most (to a timer, to manual), and after
            // one an opening gives up and another stop has nothing left to do.
            overtaken = !self.commit(system, change).await?;
            if !overtaken {
                return Ok(Answer {
                    shown: state.shown(&self.clock.now()),
                    unchanged: None,
                });
            }
        }
    }

    /// Commits what the clocks demand of a system, and returns the state that results.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn settled(&self, system: &SystemId) -> Result<State, SubmitError> {
        loop {
            let state = self.store.load(system).await?;
            match engine::settle(&state, &self.clock.now()) {
                Some(change) => self.commit(system, change).await?,
                None => return Ok(state),
            };
        }
    }

    /// False when something overtook the change.
    async fn commit(&self, system: &SystemId, change: Change) -> Result<bool, SubmitError> {
        match self.store.commit(system, change).await {
            Ok(()) => Ok(true),
            Err(CommitError::Stale) => Ok(false),
            Err(CommitError::Overloaded) => Err(SubmitError::Overloaded),
            Err(CommitError::Unavailable) => Err(SubmitError::Unavailable),
        }
    }
}
