//! What is going to happen to a system that is simulated by itself, in order of time.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::simulator::call::{Settled, Tries};
use crate::simulator::pace::Ms;
use crate::simulator::plot::Departure;
use crate::simulator::trouble::Trouble;

/// Something that happens at a moment. A flight is a decision on its way, by its number.
#[derive(Debug)]
pub(super) enum Event {
    Trouble(Trouble),
    /// The gateway is started again, after a boot of the machine or not.
    Back {
        has_booted: bool,
    },
    FeedHeals,
    /// The feed tells the state.
    Frame,
    Sends {
        flight: usize,
    },
    Arrives {
        flight: usize,
        attempt: usize,
    },
    Answered {
        flight: usize,
        attempt: usize,
        came: Settled,
        retry_after: Option<Duration>,
    },
    GivesUp {
        flight: usize,
        attempt: usize,
    },
}

/// A decision that is being carried out.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) departure: Departure,
    pub(super) tries: Tries,
    pub(super) attempt: usize,
    /// Whether the answer to this attempt is waited for.
    pub(super) is_waiting: bool,
}

/// Events by time, and at the same one in the order in which they were thought of.
#[derive(Debug, Default)]
pub(super) struct Queue {
    events: BTreeMap<(Ms, u64), Event>,
    pushed: u64,
}

impl Queue {
    pub(super) fn push(&mut self, at: Ms, event: Event) {
        self.pushed += 1;
        self.events.insert((at, self.pushed), event);
    }

    pub(super) fn next(&self) -> Option<Ms> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next event that is due.
    pub(super) fn pop(&mut self, at: Ms) -> Option<Event> {
        let first = self.events.first_entry();
        let due = first.filter(|first| first.key().0 <= at)?;
        Some(due.remove())
    }
}
