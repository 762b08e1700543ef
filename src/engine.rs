//! The state machine: contract section 2 as one pure function, and what the clocks decide as another.
//!
//! Nothing here waits, fails, reads a clock or knows of a store, a socket or a request.
//! State is a value and time is an argument: `(State, Command, Moment) -> Decision`.

use chrono::NaiveDateTime;

use crate::command::{By, Command};
use crate::time::{BootId, Moment, Ticks, Wall};

/// A wall clock further off than this from where the ticks say it should be has stepped.
pub const STEP_MS: u64 = 1000;

/// The two clocks are read one after the other and each is cut to a millisecond: what is derived from them wavers by so
/// much although nothing has changed.
const WAVER_MS: u64 = 2;

/// The whole state of a system. `run` is none in mode `wait`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Grows by one with every change, is never reused. 0: nothing has ever happened here.
    pub seq: u64,
    pub run: Option<Run>,
}

impl State {
    /// The state as it is to be shown at `now`.
    pub fn shown(&self, now: &Moment) -> Shown {
        Shown {
            seq: self.seq,
            run: self.run.as_ref().map(|run| run.shown(now)),
        }
    }
}

/// A state as people and programs see it at one moment: what was derived from the clocks stays as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub seq: u64,
    pub run: Option<ShownRun>,
}

/// A run as it is shown: local wall times, and lengths in milliseconds that need no wall clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownRun {
    pub mode: Mode,
    pub start: NaiveDateTime,
    /// None in manual without a limit.
    pub end: Option<NaiveDateTime>,
    pub elapsed_ms: u64,
    pub remaining_ms: Option<u64>,
    pub by: Option<By>,
}

/// How water runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Timer,
    Manual,
}

/// Water that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub mode: Mode,
    /// The boot whose ticks `started` and `deadline` are.
    pub boot: BootId,
    pub started: Ticks,
    pub deadline: Option<Ticks>,
    /// The start as it was last shown.
    pub shown_start: Wall,
    /// The UTC offset in force when it was last shown.
    pub shown_offset_s: i32,
    /// Who asked for it.
    pub by: Option<By>,
}

impl Run {
    fn begin(mode: Mode, length_s: Option<u32>, by: Option<By>, now: &Moment) -> Self {
        Self {
            mode,
            boot: now.boot,
            started: now.ticks,
            deadline: length_s.map(|s| now.ticks.plus(i64::from(s) * 1000)),
            shown_start: now.wall(),
            shown_offset_s: now.wall().offset_s,
            by,
        }
    }

    /// The length that was asked for, in milliseconds.
    pub fn planned_ms(&self) -> Option<u64> {
        self.deadline
            .map(|deadline| non_negative(deadline.since(self.started)))
    }

    fn shown(&self, now: &Moment) -> ShownRun {
        let steadied = self.steadied(now);
        let end = self.deadline.map(|end| steadied.wall_at(end).local());
        // A run whose end is about to be written is not shown longer than it was.
        let until = self.deadline.map_or(now.ticks, |end| end.min(now.ticks));
        ShownRun {
            mode: self.mode,
            start: steadied.wall_at(self.started).local(),
            end,
            elapsed_ms: non_negative(until.since(self.started)),
            remaining_ms: self.deadline.map(|end| non_negative(end.since(now.ticks))),
            by: self.by.clone(),
        }
    }

    /// The reading of the clocks that the times of this run are derived from: as it is, but for the wavering between
    /// two readings. The start of a run that was shown once is shown the same until the wall clock moves.
    fn steadied(&self, now: &Moment) -> Moment {
        let derived = now.wall_at(self.started).utc_ms;
        let off = self.shown_start.utc_ms.saturating_sub(derived);
        let off = if off.unsigned_abs() <= WAVER_MS {
            off
        } else {
            0
        };
        Moment {
            utc_ms: now.utc_ms + off,
            ..*now
        }
    }

    /// True when the wall clock has stepped, or its UTC offset has changed, since the run was last shown.
    fn is_shown_wrong(&self, now: &Moment) -> bool {
        let start = now.wall_at(self.started);
        start.utc_ms.abs_diff(self.shown_start.utc_ms) > STEP_MS
            || now.wall().offset_s != self.shown_offset_s
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The timer ran to its end.
    Completed,
    /// Somebody stopped it.
    Stopped,
    /// A manual run took the place of a timer.
    Replaced,
    /// A manual run came to the limit of its system.
    Limited,
    /// The machine went down during the run: nobody knows when the water stopped.
    Interrupted,
}

/// One finished run: a row of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The `seq` of the change that ended the run: unique in its system, grows with time.
    pub id: u64,
    pub mode: Mode,
    pub start: NaiveDateTime,
    pub end: Option<NaiveDateTime>,
    pub duration_ms: Option<u64>,
    pub planned_ms: Option<u64>,
    pub outcome: Outcome,
    /// Who asked for the run.
    pub by: Option<By>,
    /// Who stopped or replaced it.
    pub ended_by: Option<By>,
}

/// A new state, and the run that it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub state: State,
    pub action: Option<Action>,
}

impl Change {
    /// The `seq` that the system must still have for this change to be valid.
    pub const fn expected_seq(&self) -> u64 {
        self.state.seq - 1
    }

    /// True when no water runs after it: such a change waits for nothing but the commit in hand.
    pub const fn closes(&self) -> bool {
        self.state.run.is_none()
    }
}

/// Why a command left everything as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    TimerRunning,
    ManualHasPriority,
    ManualRunning,
    NotRunning,
}

/// What is answered to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The state after the command.
    pub shown: Shown,
    /// Why nothing changed; none when something did.
    pub unchanged: Option<Reason>,
}

/// What a command leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "taken apart where it is made; a box would cost an allocation per command"
)]
pub enum Decision {
    Change(Change),
    Unchanged(Reason),
}

/// What the clocks alone demand of a state; it comes before any command.
///
/// - The run began in another boot of the machine: `wait`, [`Outcome::Interrupted`].
/// - The deadline has come: `wait`, [`Outcome::Completed`] or [`Outcome::Limited`], ended at the deadline.
/// - The wall clock has stepped by more than [`STEP_MS`] or changed its UTC offset: the same run, shown anew.
pub fn settle(state: &State, now: &Moment) -> Option<Change> {
    let run = state.run.as_ref()?;
    if run.boot != now.boot {
        return Some(end(state, run, Ending::Unknown));
    }
    if let Some(deadline) = run.deadline.filter(|deadline| *deadline <= now.ticks) {
        let outcome = match run.mode {
            Mode::Timer => Outcome::Completed,
            Mode::Manual => Outcome::Limited,
        };
        return Some(end(state, run, Ending::at(deadline, outcome, None, now)));
    }
    run.is_shown_wrong(now).then(|| Change {
        state: State {
            seq: state.seq + 1,
            run: Some(Run {
                shown_start: run.steadied(now).wall_at(run.started),
                shown_offset_s: now.wall().offset_s,
                ..run.clone()
            }),
        },
        action: None,
    })
}

/// The table of the contract. The state is taken to be settled, see [`settle`].
pub fn decide(state: &State, command: &Command, now: &Moment) -> Decision {
    match (command, &state.run) {
        (Command::Stop { .. }, None) => Decision::Unchanged(Reason::NotRunning),
        (Command::Stop { by }, Some(run)) => {
            let ending = Ending::at(now.ticks, Outcome::Stopped, by.clone(), now);
            Decision::Change(end(state, run, ending))
        }
        (Command::Timer { .. }, Some(run)) => Decision::Unchanged(match run.mode {
            Mode::Manual => Reason::ManualHasPriority,
            Mode::Timer => Reason::TimerRunning,
        }),
        (Command::Timer { seconds, by }, None) => {
            begin(state, Mode::Timer, Some(*seconds), by.as_ref(), now)
        }
        (Command::Manual { .. }, Some(run)) if run.mode == Mode::Manual => {
            Decision::Unchanged(Reason::ManualRunning)
        }
        (Command::Manual { limit_s, by }, _) => {
            begin(state, Mode::Manual, *limit_s, by.as_ref(), now)
        }
    }
}

/// Starts a run; one that was going on is replaced.
fn begin(
    state: &State,
    mode: Mode,
    length_s: Option<u32>,
    by: Option<&By>,
    now: &Moment,
) -> Decision {
    let replaced = state.run.as_ref().and_then(|run| {
        let ending = Ending::at(now.ticks, Outcome::Replaced, by.cloned(), now);
        end(state, run, ending).action
    });
    Decision::Change(Change {
        state: State {
            seq: state.seq + 1,
            run: Some(Run::begin(mode, length_s, by.cloned(), now)),
        },
        action: replaced,
    })
}

/// How and when a run ended, as far as it is known.
enum Ending<'a> {
    Known {
        at: Ticks,
        outcome: Outcome,
        by: Option<By>,
        now: &'a Moment,
    },
    Unknown,
}

impl<'a> Ending<'a> {
    const fn at(at: Ticks, outcome: Outcome, by: Option<By>, now: &'a Moment) -> Self {
        Self::Known {
            at,
            outcome,
            by,
            now,
        }
    }
}

fn end(state: &State, run: &Run, ending: Ending<'_>) -> Change {
    let seq = state.seq + 1;
    let interrupted = Action {
        id: seq,
        mode: run.mode,
        start: run.shown_start.local(),
        end: None,
        duration_ms: None,
        planned_ms: run.planned_ms(),
        outcome: Outcome::Interrupted,
        by: run.by.clone(),
        ended_by: None,
    };
    let action = match ending {
        Ending::Unknown => interrupted,
        Ending::Known {
            at,
            outcome,
            by,
            now,
        } => Action {
            start: run.steadied(now).wall_at(run.started).local(),
            end: Some(run.steadied(now).wall_at(at).local()),
            duration_ms: Some(non_negative(at.since(run.started))),
            outcome,
            ended_by: by,
            ..interrupted
        },
    };
    Change {
        state: State { seq, run: None },
        action: Some(action),
    }
}

/// Ticks of one boot do not run backwards: a negative distance could only come from a damaged store.
fn non_negative(millis: i64) -> u64 {
    u64::try_from(millis).unwrap_or(0)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
