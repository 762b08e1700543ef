//! The rules of the contract, written down a second time: whether a sequence of changes is one that may have happened.
//!
//! Uses nothing of the engine but its types: it judges what the engine has done.

use std::collections::HashSet;

use super::pace::Ms;
use super::stand_in::Changed;
use crate::command::Command;
use crate::engine::{Action, Mode, Outcome, State};

/// What is wrong with the changes of a system, in words; empty if nothing is. `boots`: when the machine booted.
pub fn faults(changes: &[Changed], boots: &[Ms]) -> Vec<String> {
    let mut judge = Judge {
        boots,
        before: State::default(),
        began: None,
        keys: HashSet::new(),
        faults: Vec::new(),
    };
    for change in changes {
        judge.hear(change);
    }
    judge.end();
    judge.faults
}

struct Judge<'a> {
    boots: &'a [Ms],
    before: State,
    /// When the run that is going on began.
    began: Option<Ms>,
    keys: HashSet<&'a str>,
    faults: Vec<String>,
}

impl<'a> Judge<'a> {
    fn hear(&mut self, change: &'a Changed) {
        let seq = change.state.seq;
        if seq != self.before.seq + 1 {
            self.fault(seq, &format!("follows {}", self.before.seq));
        }
        if !is_legal(&self.before, change) {
            self.fault(seq, &format!("is no legal change: {change:?}"));
        }
        if change
            .key
            .as_deref()
            .is_some_and(|key| !self.keys.insert(key))
        {
            self.fault(seq, "its key has changed something before");
        }
        if let Some(action) = &change.action {
            self.judge_end(change, action);
        }
        let begins = change.command.is_some() || self.began.is_none();
        self.began = match change.state.run {
            Some(_) if begins => Some(change.at),
            Some(_) => self.began,
            None => None,
        };
        self.before = change.state.clone();
    }

    /// The length of a run is that of its ticks, whatever the wall clock did; and no run outlives its boot.
    fn judge_end(&mut self, change: &Changed, action: &Action) {
        let seq = change.state.seq;
        let lasted = self
            .began
            .and_then(|began| u64::try_from(change.at - began).ok());
        let planned = action.planned_ms;
        let is_right = match action.outcome {
            Outcome::Completed | Outcome::Limited => {
                action.duration_ms == planned && lasted >= planned
            }
            Outcome::Stopped | Outcome::Replaced => {
                action.duration_ms == lasted && planned.is_none_or(|planned| lasted < Some(planned))
            }
            Outcome::Interrupted => action.duration_ms.is_none(),
        };
        if !is_right {
            self.fault(
                seq,
                &format!("a run lasted {lasted:?} ms, and is written as {action:?}"),
            );
        }
        let interrupted = (action.outcome == Outcome::Interrupted).then_some(change.at);
        if self.cut_at().filter(|cut| *cut <= change.at) != interrupted {
            self.fault(seq, "a run ended otherwise than its boot did");
        }
    }

    /// When the machine booted during the run that is going on.
    fn cut_at(&self) -> Option<Ms> {
        let began = self.began?;
        self.boots.iter().copied().find(|boot| *boot > began)
    }

    fn end(&mut self) {
        if self.cut_at().is_some() {
            self.fault(self.before.seq, "a run has outlived its boot");
        }
    }

    fn fault(&mut self, seq: u64, what: &str) {
        self.faults.push(format!("seq {seq}: {what}"));
    }
}

/// The table of contract section 2, with the clocks' own changes.
fn is_legal(before: &State, change: &Changed) -> bool {
    let mode = |state: &State| state.run.as_ref().map(|run| run.mode);
    let outcome = change.action.as_ref().map(|action| action.outcome);
    let ended_by_clock = |mode| match mode {
        Mode::Timer => Outcome::Completed,
        Mode::Manual => Outcome::Limited,
    };
    match (mode(before), &change.command, mode(&change.state)) {
        (None, Some(Command::Timer { .. }), Some(Mode::Timer))
        | (None, Some(Command::Manual { .. }), Some(Mode::Manual)) => outcome.is_none(),
        (Some(Mode::Timer), Some(Command::Manual { .. }), Some(Mode::Manual)) => {
            outcome == Some(Outcome::Replaced)
        }
        (Some(_), Some(Command::Stop { .. }), None) => outcome == Some(Outcome::Stopped),
        (Some(mode), None, None) => {
            outcome == Some(ended_by_clock(mode)) || outcome == Some(Outcome::Interrupted)
        }
        // Shown anew.
        (Some(was), None, Some(is)) => was == is && outcome.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::stand_in::StandIn;
    use crate::time::Zone;

    /// A timer that ends, one that is replaced, the clock set meanwhile, a manual run that is stopped, one that is cut by a
    /// boot.
    fn lawful() -> (Vec<Changed>, Vec<Ms>) {
        let mut gateway = StandIn::new(0, Zone::new(|_| 0));
        let timer = |seconds| Command::Timer { seconds, by: None };
        let manual = || Command::Manual {
            limit_s: None,
            by: None,
        };
        gateway.carry_out(0, timer(10), Some("a"));
        gateway.settle(10_000);
        gateway.carry_out(20_000, timer(10), Some("b"));
        gateway.carry_out(21_000, manual(), None);
        gateway.set_wall(3_600_000);
        gateway.settle(22_000);
        gateway.carry_out(23_000, Command::Stop { by: None }, None);
        gateway.carry_out(24_000, manual(), None);
        gateway.boot(30_000);
        gateway.settle(30_000);
        (gateway.changes().to_vec(), gateway.boots().to_vec())
    }

    /// How many faults there are when the changes are doctored.
    fn found(doctor: impl FnOnce(&mut Vec<Changed>, &mut Vec<Ms>)) -> usize {
        let (mut changes, mut boots) = lawful();
        doctor(&mut changes, &mut boots);
        faults(&changes, &boots).len()
    }

    fn action(change: &mut Changed) -> &mut Action {
        change.action.as_mut().unwrap()
    }

    #[test]
    fn what_the_engine_does_is_lawful() {
        let (changes, boots) = lawful();
        assert_eq!(changes.len(), 8);
        assert_eq!(faults(&changes, &boots), Vec::<String>::new());
    }

    #[test]
    fn a_gap_in_the_sequence_is_found() {
        assert_ne!(found(|changes, _| drop(changes.remove(4))), 0);
    }

    #[test]
    fn a_timer_over_a_manual_run_is_found() {
        let forged = |changes: &mut Vec<Changed>, _: &mut Vec<Ms>| {
            changes[4].command = changes[0].command.clone();
        };
        assert_ne!(found(forged), 0);
    }

    #[test]
    fn a_key_that_waters_twice_is_found() {
        assert_ne!(found(|changes, _| changes[2].key = Some("a".to_owned())), 0);
    }

    #[test]
    fn a_run_that_a_clock_has_lengthened_is_found() {
        let longer = |changes: &mut Vec<Changed>, _: &mut Vec<Ms>| {
            action(&mut changes[1]).duration_ms = Some(3_610_000);
        };
        assert_ne!(found(longer), 0);
        assert_ne!(found(|changes, _| changes[1].at = 9_999), 0);
        assert_ne!(found(|changes, _| changes[5].at += 1), 0);
    }

    #[test]
    fn a_run_that_outlives_its_boot_is_found() {
        assert_ne!(found(|changes, _| changes.truncate(7)), 0);
        assert_ne!(found(|_, boots| boots.clear()), 0);
        assert_ne!(found(|_, boots| boots[0] = 22_500), 0);
    }
}
