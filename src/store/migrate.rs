//! Moving everything from one store to another: states, histories, answers that are kept.
//!
//! A target is complete or it is not a store: one that was cut is refused by gateways, and is begun anew by the same
//! migration. The source is only read.

use thiserror::Error;

use super::receipt::{Receipt, is_forgotten};
use super::redis::transfer::Server;
use super::sqlite::transfer::{Source, Target};
use super::{OpenError, StoreUrl};
use crate::command::SystemId;
use crate::engine::{self, Action, Run, State};
use crate::time::{Clock, Moment, SystemClock};

/// Systems, or answers, that are moved at a time.
const PORTION: usize = 256;

/// Why nothing, or not everything, was moved. The text is for the person at the machine.
#[derive(Debug, Error)]
pub enum MigrateError {
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("a store is moved from sqlite: to redis://, or back")]
    SameKind,
    #[error("{0}")]
    Failed(String),
}

pub(super) fn failed(what: &str, cause: impl std::fmt::Display) -> MigrateError {
    MigrateError::Failed(format!("{what}: {cause}"))
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Systems and answers that were moved.
    pub moved: usize,
    /// Those that there are.
    pub all: usize,
}

/// A system with its history, oldest first.
pub(super) struct Bundle {
    pub(super) system: SystemId,
    pub(super) state: State,
    pub(super) actions: Vec<Action>,
}

/// Moves everything. `tell` hears how far it is.
///
/// # Errors
/// [`MigrateError`]: when a store is in use, cannot be read, or the target is not empty.
pub async fn migrate(
    from: &StoreUrl,
    to: &StoreUrl,
    tell: impl FnMut(Progress),
) -> Result<Progress, MigrateError> {
    let machine = SystemClock::new().map_err(|e| failed("this machine's clock", e))?;
    match (from, to) {
        (StoreUrl::Sqlite(from), StoreUrl::Redis(to)) => {
            let source = Source::open(from)?;
            let server = Server::open(to).await?;
            // However it is named from where one stands, it is the same source.
            let named = std::path::absolute(from).unwrap_or_else(|_| from.clone());
            server.begin(&format!("sqlite:{}", named.display())).await?;
            let moved = to_server(&source, &server, &machine, tell).await?;
            server.finish().await?;
            Ok(moved)
        }
        (StoreUrl::Redis(from), StoreUrl::Sqlite(to)) => {
            let mut target = Target::create(to)?;
            let server = Server::open(from).await?;
            let newest = server.is_a_source().await?;
            let moved = from_server(&server, &mut target, &machine, tell).await?;
            server.is_still(&newest).await?;
            target.finish()?;
            Ok(moved)
        }
        _ => Err(MigrateError::SameKind),
    }
}

async fn to_server(
    source: &Source,
    server: &Server,
    machine: &SystemClock,
    mut tell: impl FnMut(Progress),
) -> Result<Progress, MigrateError> {
    let states = source.states();
    let mut progress = Progress {
        moved: 0,
        all: states.len() + source.count_receipts()?,
    };
    tell(progress);
    for portion in states.chunks(PORTION) {
        let (then, now) = (machine.now(), server.now());
        let mut bundles = Vec::with_capacity(portion.len());
        for (system, state) in portion {
            let actions = source.history(system)?;
            bundles.push(Bundle::moved(system, state, actions, (&then, &now)));
        }
        server.put(&bundles).await?;
        progress.moved += portion.len();
        tell(progress);
    }
    let mut after = 0;
    loop {
        let portion = source.receipts(after, PORTION)?;
        let Some((last, _)) = portion.last() else {
            return Ok(progress);
        };
        after = *last;
        let (then, now) = (machine.now(), server.now());
        let read = portion.len();
        let kept = portion.into_iter();
        let kept: Vec<_> = kept
            .filter_map(|(_, receipt)| moved_receipt(receipt?, &then, &now))
            .collect();
        server.put_receipts(&kept).await?;
        progress.moved += read;
        tell(progress);
    }
}

async fn from_server(
    server: &Server,
    target: &mut Target,
    machine: &SystemClock,
    mut tell: impl FnMut(Progress),
) -> Result<Progress, MigrateError> {
    let states = server.states().await?;
    let mut progress = Progress {
        moved: 0,
        all: states.len() + server.count_receipts().await?,
    };
    tell(progress);
    for portion in states.chunks(PORTION) {
        let histories = server.histories(portion).await?;
        let (then, now) = (server.now(), machine.now());
        let bundles: Vec<_> = portion
            .iter()
            .zip(histories)
            .map(|((system, state), actions)| Bundle::moved(system, state, actions, (&then, &now)))
            .collect();
        target.put(&bundles)?;
        progress.moved += portion.len();
        tell(progress);
    }
    // In the order of their age, because the file forgets the oldest first.
    let mut rank = 0;
    loop {
        let portion = server.receipts(rank, PORTION).await?;
        if portion.is_empty() {
            return Ok(progress);
        }
        let (then, now) = (server.now(), machine.now());
        let read = portion.len();
        rank += read;
        let kept = portion.into_iter().flatten();
        let kept: Vec<_> = kept
            .filter_map(|receipt| moved_receipt(receipt, &then, &now))
            .collect();
        target.put_receipts(&kept)?;
        progress.moved += read;
        tell(progress);
    }
}

impl Bundle {
    /// As it is to be written at the target, whose clock shows `now` when the source's shows `then`. A run goes on, with
    /// the time that it has left; one that the source's clock has ended already is over.
    fn moved(
        system: &SystemId,
        state: &State,
        mut actions: Vec<Action>,
        (then, now): (&Moment, &Moment),
    ) -> Self {
        let over = engine::settle(state, then).filter(engine::Change::closes);
        let state = match over {
            Some(change) => {
                actions.extend(change.action);
                change.state
            }
            None => State {
                seq: state.seq,
                run: state.run.as_ref().map(|run| moved_run(run, then, now)),
            },
        };
        Self {
            system: system.clone(),
            state,
            actions,
        }
    }
}

fn moved_run(run: &Run, then: &Moment, now: &Moment) -> Run {
    let moved = |ticks: crate::time::Ticks| now.ticks.plus(ticks.since(then.ticks));
    Run {
        boot: now.boot,
        started: moved(run.started),
        deadline: run.deadline.map(moved),
        ..run.clone()
    }
}

/// None for one that is old enough to be forgotten.
fn moved_receipt(receipt: Receipt, then: &Moment, now: &Moment) -> Option<Receipt> {
    if is_forgotten(receipt.boot, receipt.ticks, (then.boot, then.ticks)) {
        return None;
    }
    // Of another boot of a machine only what it has been up for is certain.
    let age = if receipt.boot == then.boot {
        then.ticks.since(receipt.ticks)
    } else {
        then.ticks.millis()
    };
    Some(Receipt {
        boot: now.boot,
        ticks: now.ticks.plus(-age),
        ..receipt
    })
}
