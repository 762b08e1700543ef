//! Every JSON shape of the contract. Nothing else is serialized for the outside.
//!
//! Shapes only: no rule is decided here and nothing is sent.

use std::borrow::Cow;

use chrono::{NaiveDateTime, Timelike};
use serde::{Serialize, Serializer};

use crate::command::{By, SystemId};
use crate::time::{Moment, Wall};
use crate::{config, engine};

/// `GET /systems/{id}` and the answer to `join`.
#[derive(Debug, Serialize)]
pub(crate) struct System<'a> {
    pub id: &'a str,
    pub name: &'a str,
    pub timer_seconds: u32,
    pub lease_seconds: u32,
    pub state: State<'a>,
    pub clock: Clock<'a>,
}

impl<'a> System<'a> {
    pub(crate) fn new(
        system: &'a config::System,
        shown: &'a engine::Shown,
        now: &Moment,
        stale_ms: Option<u64>,
    ) -> Self {
        Self {
            id: system.id.as_str(),
            name: &system.name,
            timer_seconds: system.timer_seconds,
            lease_seconds: system.lease_seconds,
            state: State::new(&system.id, shown),
            clock: Clock::new(&system.id, shown.seq, second(now.wall()), stale_ms),
        }
    }
}

/// The event `state`: a full value, never a delta.
#[derive(Debug, Serialize)]
pub(crate) struct State<'a> {
    pub system: &'a str,
    pub seq: u64,
    pub mode: &'static str,
    #[serde(serialize_with = "with_millis")]
    pub start: Option<NaiveDateTime>,
    #[serde(serialize_with = "with_millis")]
    pub end: Option<NaiveDateTime>,
    pub elapsed_ms: Option<u64>,
    pub remaining_ms: Option<u64>,
    pub by: Option<&'a str>,
}

impl<'a> State<'a> {
    pub(crate) fn new(system: &'a SystemId, shown: &'a engine::Shown) -> Self {
        let run = shown.run.as_ref();
        Self {
            system: system.as_str(),
            seq: shown.seq,
            mode: run.map_or("wait", |run| mode(run.mode)),
            start: run.map(|run| run.start),
            end: run.and_then(|run| run.end),
            elapsed_ms: run.map(|run| run.elapsed_ms),
            remaining_ms: run.and_then(|run| run.remaining_ms),
            by: run.and_then(|run| by(run.by.as_ref())),
        }
    }
}

/// The event `clock`. `seq` is that of the current state, so that a missed change shows within a second. `stale_ms` is
/// there only while the store does not answer: how long ago the state was last known to be the newest.
#[derive(Debug, Serialize)]
pub(crate) struct Clock<'a> {
    pub system: &'a str,
    /// As [`second`] has it, which is the same for all who are told at the same moment.
    pub now: Cow<'a, str>,
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_ms: Option<u64>,
}

impl<'a> Clock<'a> {
    pub(crate) fn new(
        system: &'a SystemId,
        seq: u64,
        now: impl Into<Cow<'a, str>>,
        stale_ms: Option<u64>,
    ) -> Self {
        Self {
            system: system.as_str(),
            now: now.into(),
            seq,
            stale_ms,
        }
    }
}

/// The answer to a command.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome<'a> {
    pub changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub state: State<'a>,
}

/// A row of the history, and the event `action`.
#[derive(Debug, Serialize)]
pub(crate) struct Action<'a> {
    pub system: &'a str,
    pub id: u64,
    pub mode: &'static str,
    #[serde(serialize_with = "with_millis")]
    pub start: Option<NaiveDateTime>,
    #[serde(serialize_with = "with_millis")]
    pub end: Option<NaiveDateTime>,
    pub duration_ms: Option<u64>,
    pub planned_ms: Option<u64>,
    pub outcome: &'static str,
    pub by: Option<&'a str>,
    pub ended_by: Option<&'a str>,
}

impl<'a> Action<'a> {
    pub(crate) fn new(system: &'a SystemId, action: &'a engine::Action) -> Self {
        Self {
            system: system.as_str(),
            id: action.id,
            mode: mode(action.mode),
            start: Some(action.start),
            end: action.end,
            duration_ms: action.duration_ms,
            planned_ms: action.planned_ms,
            outcome: outcome(action.outcome),
            by: by(action.by.as_ref()),
            ended_by: by(action.ended_by.as_ref()),
        }
    }
}

/// The answer to `join` and `leave`.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Ack<'a> {
    Joined { ok: bool, system: System<'a> },
    Left { ok: bool },
    Refused { ok: bool, error: ErrorBody<'a> },
}

/// Every error over HTTP.
#[derive(Debug, Serialize)]
pub(crate) struct Error<'a> {
    pub error: ErrorBody<'a>,
}

/// A stable code and a text for people.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    pub code: &'static str,
    pub message: &'a str,
}

/// `GET /healthz`: that the process serves, and what it holds.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    pub status: &'static str,
    pub clock_plausible: bool,
    pub connections: usize,
    pub rooms: usize,
    pub members: usize,
    pub tasks: usize,
}

/// `GET /readyz`, when all is well.
#[derive(Debug, Serialize)]
pub(crate) struct Ready<'a> {
    status: &'static str,
    /// The name under which a damaged store was put aside at the start.
    quarantined: Option<&'a str>,
}

impl<'a> Ready<'a> {
    pub(crate) const fn new(quarantined: Option<&'a str>) -> Self {
        let status = "ready";
        Self {
            status,
            quarantined,
        }
    }
}

/// A frame of the raw feed, with the names of the original.
#[derive(Debug, Serialize)]
pub(crate) struct RawFrame {
    pub mode: &'static str,
    pub timestamp: String,
    #[serde(serialize_with = "with_millis")]
    pub since: Option<NaiveDateTime>,
    #[serde(serialize_with = "with_millis")]
    pub to: Option<NaiveDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_ms: Option<u64>,
}

impl RawFrame {
    pub(crate) fn new(state: &engine::State, now: &Moment, stale_ms: Option<u64>) -> Self {
        let run = state.shown(now).run;
        // A run that is over is not shown on while its end cannot be written: who follows these frames knows no more.
        let run = run.as_ref().filter(|run| run.remaining_ms != Some(0));
        Self {
            mode: run.map_or("wait_mode", |run| legacy_mode(run.mode)),
            timestamp: second(now.wall()),
            since: run.map(|run| run.start),
            to: run.and_then(|run| run.end),
            stale_ms,
        }
    }
}

/// A row of the original's history.
#[derive(Debug, Serialize)]
pub(crate) struct LegacyAction {
    pub mode: &'static str,
    #[serde(serialize_with = "with_millis")]
    pub timestamp: Option<NaiveDateTime>,
    #[serde(serialize_with = "with_millis")]
    pub since: Option<NaiveDateTime>,
    #[serde(serialize_with = "with_millis")]
    pub to: Option<NaiveDateTime>,
}

impl LegacyAction {
    pub(crate) fn new(action: &engine::Action) -> Self {
        Self {
            mode: legacy_mode(action.mode),
            // The original always had an end here and its clients format it as a date:
            // an interrupted run, whose end nobody knows, carries its start.
            timestamp: action.end.or(Some(action.start)),
            since: Some(action.start),
            to: action
                .end
                .filter(|_| action.outcome == engine::Outcome::Completed),
        }
    }
}

pub(crate) fn reason(reason: engine::Reason) -> &'static str {
    match reason {
        engine::Reason::TimerRunning => "timer_running",
        engine::Reason::ManualHasPriority => "manual_has_priority",
        engine::Reason::ManualRunning => "manual_running",
        engine::Reason::NotRunning => "not_running",
    }
}

fn mode(mode: engine::Mode) -> &'static str {
    match mode {
        engine::Mode::Timer => "timer",
        engine::Mode::Manual => "manual",
    }
}

fn legacy_mode(mode: engine::Mode) -> &'static str {
    match mode {
        engine::Mode::Timer => "timer_mode",
        engine::Mode::Manual => "manual_mode",
    }
}

fn outcome(outcome: engine::Outcome) -> &'static str {
    match outcome {
        engine::Outcome::Completed => "completed",
        engine::Outcome::Stopped => "stopped",
        engine::Outcome::Replaced => "replaced",
        engine::Outcome::Limited => "limited",
        engine::Outcome::Interrupted => "interrupted",
    }
}

fn by(by: Option<&By>) -> Option<&str> {
    by.map(By::as_str)
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn with_millis<S: Serializer>(time: &Option<NaiveDateTime>, out: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => out.collect_str(&time.format("%Y-%m-%dT%H:%M:%S%.3f")),
        None => out.serialize_none(),
    }
}

/// A second of the server's local time.
pub(crate) fn second(now: Wall) -> String {
    let now = now.local();
    // A format that is read anew for each text takes longer.
    format!("{:?}", now.with_nanosecond(0).unwrap_or(now))
}
