//! One loop for all deadlines: it wakes for the next one and lets the clocks have their say.
//!
//! Deadlines are data in the states; this loop holds a copy that it can always read again from the store. It decides
//! nothing itself: [`Gateway::settled`] does, and its commits go the way of every other change.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::StreamExt;
use rand::RngExt;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::command::SystemId;
use crate::engine::{self, State};
use crate::gateway::{Demands, Gateway, SubmitError};
use crate::store::{Committed, Feed, News, ReadError};
use crate::time::{Moment, Ticks};

/// While water runs the wall clock is looked at this often, to notice a step or another UTC offset.
const LOOK_EVERY_MS: i64 = 1000;
/// A run that could not be ended because the store does not answer is tried again after this time.
const TRY_AGAIN_MS: i64 = 200;
/// Where several nodes share a store, each waits so long at the most for another to do what is due.
const LONGEST_WAIT: Duration = Duration::from_millis(25);
/// Settled at the same time at the most: as many as the store writes in one group.
const AT_ONCE: usize = 256;

/// Settles what is due, for ever. Cancel by dropping it: nothing is lost, the deadlines are in the store.
pub(crate) async fn watch(gateway: Gateway) {
    let mut feed = gateway.store().changes();
    let mut running = Running::default();
    let mut behind = true;
    loop {
        if behind {
            behind = running.read_again(&gateway).await.is_err();
        }
        let mut due = running.due(&gateway.clock().now());
        if !due.is_empty() && gateway.store().is_shared() {
            // As a rule one node ends a run, and the others hear of it in time to leave it.
            let wait = rand::rng().random_range(Duration::ZERO..LONGEST_WAIT);
            tokio::time::sleep(wait).await;
            behind |= running.catch_up(&mut feed);
            due.retain(|system| running.states.contains_key(system));
        }
        let mut failed = behind;
        for settled in settle(&gateway, due, Demands::All).await {
            match settled {
                Ok((system, state)) => running.put(system, state),
                Err(_) => failed = true,
            }
        }
        behind |= running.catch_up(&mut feed);

        let wake = running.next_look(&gateway.clock().now(), failed);
        let sleep = async {
            match wake {
                Some(ticks) => gateway.clock().sleep_until(ticks).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = sleep => {}
            change = feed.recv() => match change {
                Ok(News::Change(committed)) => running.note(&committed),
                Ok(News::Gap) | Err(RecvError::Lagged(_)) => behind = true,
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Ends what must have ended, before anybody is served: after a reboot nothing that was running may be shown as if it
/// were. Does not depend on the disk.
///
/// # Errors
/// [`SubmitError`] when the store does not answer.
pub(crate) async fn settle_all(gateway: &Gateway) -> Result<(), SubmitError> {
    let running = gateway.store().running().await?;
    for (system, state) in &running {
        if gateway.systems().get(system).is_none() {
            let seq = state.seq;
            tracing::warn!(%system, seq, "water runs in a system that is not in the configuration any more");
        }
    }
    let systems = running.into_iter().map(|(system, _)| system).collect();
    let settled = settle(gateway, systems, Demands::Ends).await;
    settled.into_iter().try_for_each(|one| one.map(|_| ()))
}

async fn settle(
    gateway: &Gateway,
    due: Vec<SystemId>,
    demands: Demands,
) -> Vec<Result<(SystemId, State), SubmitError>> {
    futures_util::stream::iter(due)
        .map(|system| async move {
            let (state, _) = gateway.settled(&system, demands).await?;
            Ok((system, state))
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

/// The systems that have water running.
#[derive(Default)]
struct Running {
    states: HashMap<SystemId, State>,
    deadlines: BTreeSet<(Ticks, SystemId)>,
    looked: Option<Ticks>,
}

impl Running {
    async fn read_again(&mut self, gateway: &Gateway) -> Result<(), ReadError> {
        let running = gateway.store().running().await?;
        *self = Self::default();
        for (system, state) in running {
            self.put(system, state);
        }
        Ok(())
    }

    fn note(&mut self, committed: &Committed) {
        self.put(committed.system.clone(), committed.change.state.clone());
    }

    fn put(&mut self, system: SystemId, state: State) {
        let known = self.states.get(&system);
        if known.is_some_and(|known| known.seq >= state.seq) {
            return;
        }
        if let Some(deadline) = known.and_then(deadline) {
            self.deadlines.remove(&(deadline, system.clone()));
        }
        if let Some(deadline) = deadline(&state) {
            self.deadlines.insert((deadline, system.clone()));
        }
        if state.run.is_some() {
            self.states.insert(system, state);
        } else {
            self.states.remove(&system);
        }
    }

    /// Takes what is on the feed; true when it lagged and the store must be read again.
    fn catch_up(&mut self, feed: &mut Feed) -> bool {
        loop {
            match feed.try_recv() {
                Ok(News::Change(committed)) => self.note(&committed),
                Ok(News::Gap) | Err(TryRecvError::Lagged(_)) => return true,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return false,
            }
        }
    }

    /// What must be settled now: deadlines that have come; when there are none, and a second has passed, what the wall
    /// clock shows wrong, a portion at a time, so that no deadline waits for it.
    fn due(&mut self, now: &Moment) -> Vec<SystemId> {
        let come = self.deadlines.iter();
        let come = come.take_while(|(deadline, _)| *deadline <= now.ticks);
        let come: Vec<_> = come.map(|(_, system)| system.clone()).collect();
        let looked = self.looked;
        let look = looked.is_none_or(|looked| now.ticks.since(looked) >= LOOK_EVERY_MS);
        if !come.is_empty() || !look {
            return come;
        }
        let states = self.states.iter();
        let wrong = states.filter(|(_, state)| engine::settle(state, now).is_some());
        let wrong: Vec<_> = wrong
            .map(|(system, _)| system.clone())
            .take(AT_ONCE)
            .collect();
        if wrong.len() < AT_ONCE {
            self.looked = Some(now.ticks);
        }
        wrong
    }

    /// When to wake without news; none while nothing runs.
    fn next_look(&self, now: &Moment, failed: bool) -> Option<Ticks> {
        if failed {
            return Some(now.ticks.plus(TRY_AGAIN_MS));
        }
        if self.states.is_empty() {
            return None;
        }
        let look = self
            .looked
            .map_or(now.ticks, |looked| looked.plus(LOOK_EVERY_MS));
        let next = self.deadlines.first().map(|(deadline, _)| *deadline);
        Some(next.map_or(look, |deadline| deadline.min(look)))
    }
}

fn deadline(state: &State) -> Option<Ticks> {
    state.run.as_ref()?.deadline
}
