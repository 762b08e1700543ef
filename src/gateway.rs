//! The one door for commands: load, decide, commit, again if something overtook it.
//!
//! Emits nothing: who watches hears of a change from the store's feed.

use std::sync::Arc;

use thiserror::Error;

use crate::command::{Command, SystemId};
use crate::config::Systems;
use crate::engine::{self, Change, Decision, Reason, State};
use crate::store::{CommitError, ReadError, Store};
use crate::time::{Clock, Moment};

/// How often an opening command may be overtaken before its caller is told to come back. Each round that is lost was
/// won by somebody else, so the system as a whole moves on.
const ROUNDS: u32 = 32;

/// Systems, store and clock: everything that a command needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    systems: Arc<Systems>,
    store: Store,
    clock: Arc<dyn Clock>,
}

/// What a command led to.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The state after the command, durable.
    pub state: State,
    /// Why nothing changed; none when something did.
    pub unchanged: Option<Reason>,
    /// When the answer was made.
    pub now: Moment,
}

/// Why a command could not be carried out; nothing was changed by it.
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
    /// [`SubmitError`]; the command has changed nothing.
    pub(crate) async fn submit(
        &self,
        system: &SystemId,
        command: &Command,
    ) -> Result<Answer, SubmitError> {
        let mut rounds = 0;
        loop {
            let state = self.settled(system).await?;
            let now = self.clock.now();
            let change = match engine::decide(&state, command, &now) {
                Decision::Change(change) => change,
                Decision::Unchanged(reason) => {
                    return Ok(Answer {
                        state,
                        unchanged: Some(reason),
                        now,
                    });
                }
            };
            let (state, closes) = (change.state.clone(), change.closes());
            match self.store.commit(system, change).await {
                Ok(()) => {
                    return Ok(Answer {
                        state,
                        unchanged: None,
                        now: self.clock.now(),
                    });
                }
                // A stop goes on until it is true: without another stop in between a system can change twice at the
                // most (to a timer, to manual), and after another stop there is nothing left to do.
                Err(CommitError::Stale) if closes || rounds < ROUNDS => rounds += 1,
                Err(CommitError::Stale | CommitError::Overloaded) => {
                    return Err(SubmitError::Overloaded);
                }
                Err(CommitError::Unavailable) => return Err(SubmitError::Unavailable),
            }
        }
    }

    /// Commits what the clocks demand of a system, and returns the state that results.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was changed.
    pub(crate) async fn settled(&self, system: &SystemId) -> Result<State, SubmitError> {
        loop {
            let state = self.store.load(system).await?;
            let Some(change) = engine::settle(&state, &self.clock.now()) else {
                return Ok(state);
            };
            let Change { state, .. } = change.clone();
            match self.store.commit(system, change).await {
                Ok(()) => return Ok(state),
                Err(CommitError::Stale) => {}
                Err(CommitError::Overloaded) => return Err(SubmitError::Overloaded),
                Err(CommitError::Unavailable) => return Err(SubmitError::Unavailable),
            }
        }
    }
}
