//! The one door for commands: load, decide, commit, again if something overtook it.
//!
//! Emits nothing: who watches hears of a change from the store's feed.

use std::sync::Arc;

use thiserror::Error;

use crate::command::{Command, Request, SystemId};
use crate::config::Systems;
use crate::engine::{self, Answer, Decision, Reason, State};
use crate::store::receipt::Receipt;
use crate::store::{CommitError, ReadError, Store};
use crate::time::{Clock, Moment};

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
    #[error("the key of the request was used for another one")]
    KeyReused,
}

impl From<ReadError> for SubmitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Overloaded => Self::Overloaded,
            ReadError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<CommitError> for SubmitError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::KeyReused => Self::KeyReused,
            // Whoever is overtaken tries again, or gives up.
            CommitError::Stale | CommitError::Overloaded => Self::Overloaded,
            CommitError::Unavailable => Self::Unavailable,
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
    /// A command whose request has a key is carried out once: when it comes again, it gets the answer that it got, and
    /// has no second effect; a stop stops all the same.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn submit(
        &self,
        system: &SystemId,
        command: &Command,
        request: Option<&Request>,
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
                ignore_stale(self.store.commit(system, change).await)?;
                continue;
            }
            let decision = engine::decide(&state, command, &now);
            let (change, unchanged) = match decision {
                // An opening may be in the commit in hand, or wait for the next one: who asked for it may have given
                // up, and relies on this stop.
                Decision::Unchanged(Reason::NotRunning) if !alone => {
                    self.store.forestall(system).await;
                    alone = true;
                    continue;
                }
                Decision::Unchanged(reason) => (None, Some(reason)),
                // Something closed the valve while this command waited. Who did that came later and has the last
                // word; a person who wants water after all can ask again.
                Decision::Change(change)
                    if overtaken && !change.closes() && state.run.is_none() =>
                {
                    return Err(SubmitError::Overloaded);
                }
                Decision::Change(change) => (Some(change), None),
            };
            let state = change.as_ref().map_or(state, |change| change.state.clone());
            let answer = |now: &Moment| Answer {
                shown: state.shown(now),
                unchanged,
            };
            let committed = match (request, change) {
                (None, None) => return Ok(answer(&now)),
                (None, Some(change)) => self.store.commit(system, change).await.map(|()| None),
                (Some(request), change) => {
                    let receipt = Receipt {
                        request: request.clone(),
                        boot: now.boot,
                        ticks: now.ticks,
                        answer: answer(&now),
                    };
                    let committed = self
                        .store
                        .commit_once(system, change, receipt.clone())
                        .await;
                    committed.map(|before| Some(before.unwrap_or(receipt.answer)))
                }
            };
            match committed {
                Ok(None) => return Ok(answer(&self.clock.now())),
                Ok(Some(kept)) => return Ok(kept),
                // This ends: without a stop a system can change twice at the most (to a timer, to manual), and after
                // one an opening gives up and another stop has nothing left to do.
                Err(CommitError::Stale) => overtaken = true,
                // That nothing runs is true whether it can be written or not.
                Err(CommitError::Unavailable | CommitError::Overloaded)
                    if unchanged == Some(Reason::NotRunning) =>
                {
                    return Ok(answer(&now));
                }
                Err(error) => return Err(error.into()),
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
                Some(change) => ignore_stale(self.store.commit(system, change).await)?,
                None => return Ok(state),
            }
        }
    }
}

/// Something that overtook a change is no failure: the state is looked at again.
fn ignore_stale(committed: Result<(), CommitError>) -> Result<(), SubmitError> {
    match committed {
        Ok(()) | Err(CommitError::Stale) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
