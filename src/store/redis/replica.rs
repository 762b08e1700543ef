//! The states as this process knows them: a copy that the feed keeps up to date, and from which everybody here is told.
//!
//! Never asks the server.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::broadcast;

use crate::command::SystemId;
use crate::engine::{Action, Change, State};
use crate::store::lean::Lean;
use crate::store::{Committed, FEED_CAPACITY, Feed, News};

/// The copy.
#[derive(Debug)]
pub(super) struct Replica {
    states: DashMap<SystemId, Lean>,
    feed: broadcast::Sender<News>,
}

impl Replica {
    pub(super) fn new() -> Self {
        Self {
            states: DashMap::new(),
            feed: broadcast::Sender::new(FEED_CAPACITY),
        }
    }

    pub(super) fn get(&self, system: &SystemId) -> State {
        let copied = self.states.get(system);
        copied.map_or_else(State::default, |copied| State::from(&*copied))
    }

    pub(super) fn changes(&self) -> Feed {
        self.feed.subscribe()
    }

    /// Takes a change in and tells of it, unless it is known.
    pub(super) fn change(&self, system: &SystemId, state: State, action: Option<Action>) {
        if self.put(system, &state) {
            let change = Change { state, action };
            let system = system.clone();
            // Nobody reads while the gateway starts and stops.
            let _ = self
                .feed
                .send(News::Change(Arc::new(Committed { system, change })));
        }
    }

    /// Takes a state in without a word: who needs to know is told of a gap.
    pub(super) fn put(&self, system: &SystemId, state: &State) -> bool {
        let mut copied = self.states.entry(system.clone()).or_default();
        let newer = state.seq > copied.seq;
        if newer {
            *copied = Lean::from(state.clone());
        }
        newer
    }

    /// Tells that changes may be missing.
    pub(super) fn gap(&self) {
        let _ = self.feed.send(News::Gap);
    }

    /// Every state, as it is known.
    pub(super) fn all(&self) -> Vec<(SystemId, State)> {
        let states = self.states.iter();
        states
            .map(|entry| (entry.key().clone(), State::from(entry.value())))
            .collect()
    }
}
