//! The gateway of the season that needs no network: the engine itself, with one system, a store in memory and clocks that
//! are set.
//!
//! Decides nothing about water: [`crate::engine`] does.

use std::collections::HashMap;

use crate::command::Command;
use crate::engine::{self, Action, Change, Decision, Reason, State};
use crate::time::{BootId, Moment, Ticks, Zone};

use super::pace::Ms;

/// One change of the system: what it led to, and what caused it. Without a command it was a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub at: Ms,
    pub command: Option<Command>,
    pub key: Option<String>,
    pub state: State,
    pub action: Option<Action>,
}

/// What is answered to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub unchanged: Option<Reason>,
    /// The key was known: this is what was answered the first time.
    pub is_from_memory: bool,
}

#[derive(Debug)]
pub struct StandIn {
    state: State,
    changes: Vec<Changed>,
    receipts: HashMap<String, Answer>,
    /// UTC when the simulation began, with all that was set since.
    wall_ms: i64,
    zone: Zone,
    /// When each boot after the first began.
    boots: Vec<Ms>,
}

impl StandIn {
    /// `wall_ms`: milliseconds of UTC at the beginning.
    pub fn new(wall_ms: i64, zone: Zone) -> Self {
        Self {
            state: State::default(),
            changes: Vec::new(),
            receipts: HashMap::new(),
            wall_ms,
            zone,
            boots: Vec::new(),
        }
    }

    /// The reading of the gateway's clocks.
    pub fn moment(&self, at: Ms) -> Moment {
        Moment {
            utc_ms: self.wall_ms + at,
            ticks: Ticks::from_millis(at - self.booted_at()),
            boot: BootId(self.boots.len() as u128 + 1),
            zone: self.zone,
        }
    }

    fn booted_at(&self) -> Ms {
        self.boots.last().copied().unwrap_or(0)
    }

    pub const fn state(&self) -> &State {
        &self.state
    }

    /// All that ever happened to the system.
    pub fn changes(&self) -> &[Changed] {
        &self.changes
    }

    /// When the machine booted, but for the first time.
    pub fn boots(&self) -> &[Ms] {
        &self.boots
    }

    /// When the run ends by itself.
    pub fn next_deadline(&self) -> Option<Ms> {
        let deadline = self.state.run.as_ref()?.deadline?;
        Some(deadline.millis() + self.booted_at())
    }

    /// Carries out a command, once for each key.
    pub fn carry_out(&mut self, at: Ms, command: Command, key: Option<&str>) -> Answer {
        if let Some(known) = key.and_then(|key| self.receipts.get(key)) {
            return Answer {
                is_from_memory: true,
                ..*known
            };
        }
        self.settle(at);
        let unchanged = match engine::decide(&self.state, &command, &self.moment(at)) {
            Decision::Unchanged(reason) => Some(reason),
            Decision::Change(change) => {
                self.keep(at, Some((command, key)), change);
                None
            }
        };
        let answer = Answer {
            unchanged,
            is_from_memory: false,
        };
        if let Some(key) = key {
            self.receipts.insert(key.to_owned(), answer);
        }
        answer
    }

    /// Somebody sets the wall clock.
    pub const fn set_wall(&mut self, by_ms: i64) {
        self.wall_ms += by_ms;
    }

    /// The machine boots anew: its ticks begin again.
    pub fn boot(&mut self, at: Ms) {
        self.boots.push(at);
    }

    /// A look at the clocks: true when they changed something.
    pub fn settle(&mut self, at: Ms) -> bool {
        let Some(change) = engine::settle(&self.state, &self.moment(at)) else {
            return false;
        };
        self.keep(at, None, change);
        true
    }

    fn keep(&mut self, at: Ms, cause: Option<(Command, Option<&str>)>, change: Change) {
        let key = cause.as_ref().and_then(|(_, key)| key.map(str::to_owned));
        self.state = change.state.clone();
        self.changes.push(Changed {
            at,
            command: cause.map(|(command, _)| command),
            key,
            state: change.state,
            action: change.action,
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Paris;

    use super::*;
    use crate::engine::Outcome;

    fn timer(seconds: u32) -> Command {
        Command::Timer { seconds, by: None }
    }

    fn utc() -> StandIn {
        StandIn::new(0, Zone::new(|_| 0))
    }

    #[test]
    fn a_key_that_is_known_gets_its_answer_again_and_changes_nothing() {
        let mut gateway = utc();
        let first = gateway.carry_out(0, timer(10), Some("a"));
        gateway.settle(10_000);
        let again = gateway.carry_out(11_000, timer(10), Some("a"));
        assert_eq!(first.unchanged, again.unchanged);
        assert!(!first.is_from_memory && again.is_from_memory);
        assert_eq!(gateway.changes().len(), 2);
    }

    #[test]
    fn a_run_ends_at_its_deadline_and_not_before() {
        let mut gateway = utc();
        gateway.carry_out(500, timer(10), None);
        assert_eq!(gateway.next_deadline(), Some(10_500));
        assert!(!gateway.settle(10_499));
        assert!(gateway.settle(10_500));
        assert_eq!(gateway.state().run, None);
    }

    #[test]
    fn a_boot_interrupts_what_ran() {
        let mut gateway = utc();
        gateway.carry_out(0, timer(10), None);
        gateway.boot(5000);
        assert!(gateway.settle(5000));
        let action = gateway.changes()[1].action.as_ref().unwrap();
        assert_eq!(action.outcome, Outcome::Interrupted);
        gateway.carry_out(6000, timer(10), None);
        assert_eq!(gateway.next_deadline(), Some(16_000));
    }

    /// Clocks in Paris were set back from 03:00 to 02:00 on 2026-10-25.
    #[test]
    fn a_run_over_the_end_of_summer_time_is_shown_in_the_new_time_and_lasts_as_long() {
        let zone = Zone::new(|utc_ms| {
            use chrono::{DateTime, Offset, TimeZone, Utc};
            let utc = DateTime::<Utc>::from_timestamp_millis(utc_ms).unwrap();
            let offset = Paris.offset_from_utc_datetime(&utc.naive_utc());
            offset.fix().local_minus_utc()
        });
        // 2026-10-25 02:59:55 in Paris.
        let mut gateway = StandIn::new(1_792_889_995_000, zone);
        let shown = |gateway: &StandIn, at| {
            let run = gateway.state().shown(&gateway.moment(at)).run.unwrap();
            (run.end.unwrap().to_string(), run.remaining_ms.unwrap())
        };
        gateway.carry_out(0, timer(10), None);
        for at in (0..10_000).step_by(1000) {
            gateway.settle(at);
            let left = 10_000 - u64::try_from(at).unwrap();
            let end = "2026-10-25 02:00:05".to_owned();
            assert_eq!(shown(&gateway, at), (end, left));
        }
        assert!(gateway.settle(10_000));
        let action = gateway.changes().last().unwrap().action.clone().unwrap();
        assert_eq!(action.duration_ms, Some(10_000));
        assert_eq!(action.end.unwrap().to_string(), "2026-10-25 02:00:05");
    }
}
