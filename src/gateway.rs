//! The one door for commands: load, decide, commit, again if something overtook it.
//!
//! Emits nothing: who watches hears of a change from the store's feed.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;

use crate::command::{Command, Request, SystemId};
use crate::config::Systems;
use crate::engine::{self, Answer, Change, Decision, Reason, State};
use crate::store::receipt::Receipt;
use crate::store::{CommitError, ReadError, Store};
use crate::time::{Clock, Moment};

/// Systems, store and clock: everything that a command needs. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gateway {
    systems: watch::Receiver<Arc<Systems>>,
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

/// Which of the things that the clocks demand are seen to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demands {
    /// That runs end. It never fails for want of a disk.
    Ends,
    /// That, too, runs are shown anew after a step of the wall clock.
    All,
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
    pub(crate) fn new(
        systems: watch::Receiver<Arc<Systems>>,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            systems,
            store,
            clock,
        }
    }

    /// The systems of this moment: other nodes may add some.
    pub(crate) fn systems(&self) -> Arc<Systems> {
        Arc::clone(&self.systems.borrow())
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
        // A stop only waits for what ends the run: a run that is over need not be shown anew.
        let demands = match command {
            Command::Stop { .. } => Demands::Ends,
            Command::Timer { .. } | Command::Manual { .. } => Demands::All,
        };
        let (mut overtaken, mut alone) = (false, false);
        loop {
            let (state, now) = self.settled(system, demands).await?;
            let decision = engine::decide(&state, command, &now);
            let outcome = match decision {
                // An opening may be in the commit in hand, or wait for the next one: who asked for it may have given
                // up, and relies on this stop.
                Decision::Unchanged(Reason::NotRunning) if !alone => {
                    self.store.forestall(system, &now).await?;
                    alone = true;
                    continue;
                }
                // Something closed the valve while this command waited. Who did that came later and has the last
                // word; a person who wants water after all can ask again.
                Decision::Change(change)
                    if overtaken && !change.closes() && state.run.is_none() =>
                {
                    return Err(SubmitError::Overloaded);
                }
                Decision::Unchanged(reason) => {
                    let answer = Answer {
                        shown: state.shown(&now),
                        unchanged: Some(reason),
                    };
                    self.unchanged(system, request, answer, &now).await
                }
                Decision::Change(change) => self.change(system, request, change, &now).await,
            };
            match outcome {
                // This ends: without a stop a system can change twice at the most (to a timer, to manual), and after
                // one an opening gives up and another stop has nothing left to do.
                Err(CommitError::Stale) => overtaken = true,
                outcome => return Ok(outcome?),
            }
        }
    }

    /// Commits a change, and with it the answer if its request has a key.
    async fn change(
        &self,
        system: &SystemId,
        request: Option<&Request>,
        change: Change,
        now: &Moment,
    ) -> Result<Answer, CommitError> {
        let state = change.state.clone();
        let answer = |now: &Moment| Answer {
            shown: state.shown(now),
            unchanged: None,
        };
        let Some(request) = request else {
            self.store.commit(system, change).await?;
            return Ok(answer(&self.clock.now()));
        };
        let receipt = Receipt::new(request, answer(now), now);
        let kept = receipt.answer.clone();
        let before = self.store.commit_once(system, Some(change), receipt);
        Ok(before.await?.unwrap_or(kept))
    }

    /// Keeps an answer that says that nothing changed, if its request has a key.
    async fn unchanged(
        &self,
        system: &SystemId,
        request: Option<&Request>,
        answer: Answer,
        now: &Moment,
    ) -> Result<Answer, CommitError> {
        let Some(request) = request else {
            return Ok(answer);
        };
        let receipt = Receipt::new(request, answer.clone(), now);
        match self.store.commit_once(system, None, receipt).await {
            Ok(before) => Ok(before.unwrap_or(answer)),
            // That nothing runs is true whether it can be kept or not.
            Err(CommitError::Unavailable) if answer.unchanged == Some(Reason::NotRunning) => {
                Ok(answer)
            }
            Err(error) => Err(error),
        }
    }

    /// Commits what the clocks demand of a system, and returns the state that results, with the moment at which they
    /// demanded nothing more.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub(crate) async fn settled(
        &self,
        system: &SystemId,
        demands: Demands,
    ) -> Result<(State, Moment), SubmitError> {
        loop {
            let (state, now) = (self.store.load(system).await?, self.clock.now());
            let change = engine::settle(&state, &now);
            match change.filter(|change| demands == Demands::All || change.closes()) {
                Some(change) => ignore_stale(self.store.commit(system, change).await)?,
                None => return Ok((state, now)),
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
