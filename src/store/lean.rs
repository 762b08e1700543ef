//! A state as a copy in memory holds it. Most systems wait, so what only runs need is elsewhere.

use crate::engine::{Run, State};

/// The copy of a state.
#[derive(Debug, Default)]
pub(super) struct Lean {
    pub(super) seq: u64,
    pub(super) run: Option<Box<Run>>,
}

impl From<State> for Lean {
    fn from(State { seq, run }: State) -> Self {
        let run = run.map(Box::new);
        Self { seq, run }
    }
}

impl From<&Lean> for State {
    fn from(lean: &Lean) -> Self {
        Self {
            seq: lean.seq,
            run: lean.run.as_deref().cloned(),
        }
    }
}
