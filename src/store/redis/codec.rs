//! How states, actions, answers and systems stand in a Redis value: short JSON arrays, the `seq` of a state first.
//!
//! Conversions only. The scripts rely on one thing: the first number in a state is its `seq`.

use serde::{Deserialize, Serialize};

use crate::command::{By, IdempotencyKey, Request, SystemId};
use crate::config::System;
use crate::engine::{Action, Answer, Mode, Outcome, Reason, Run, Shown, ShownRun, State};
use crate::store::receipt::Receipt;
use crate::store::text::{Named, local, parse_local};
use crate::time::{BootId, Ticks, Wall};

/// A value that cannot be read: somebody else wrote it, or a newer version.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(String);

fn unreadable(cause: impl std::fmt::Display) -> Unreadable {
    Unreadable(cause.to_string())
}

type Read<T> = Result<T, Unreadable>;

fn text(value: &impl Serialize) -> String {
    // Arrays of numbers and texts can always be written.
    serde_json::to_string(value).unwrap_or_default()
}

fn named<T: Named>(name: &str) -> Read<T> {
    T::named(name).ok_or_else(|| unreadable(format!("{name:?} is no known name")))
}

fn by(text: Option<String>) -> Read<Option<By>> {
    let parsed = text.map(|text| By::parse(&text)).transpose();
    Ok(parsed.map_err(unreadable)?.flatten())
}

fn by_text(by: Option<&By>) -> Option<String> {
    by.map(|by| by.as_str().to_owned())
}

pub(super) fn boot_value(boot: BootId) -> String {
    format!("{:032x}", boot.0)
}

pub(super) fn boot(text: &str) -> Read<BootId> {
    BootId::parse(text).ok_or_else(|| unreadable(format!("{text:?} is no boot")))
}

/// `[seq, run]`
#[derive(Deserialize, Serialize)]
struct StateRow(u64, Option<RunRow>);

/// `[mode, boot, started, deadline, start (UTC, ms), its offset (s), offset when shown (s), by]`
#[derive(Deserialize, Serialize)]
struct RunRow(
    String,
    String,
    i64,
    Option<i64>,
    i64,
    i32,
    i32,
    Option<String>,
);

pub(super) fn state_value(state: &State) -> String {
    let run = state.run.as_ref().map(|run| {
        RunRow(
            run.mode.name().into(),
            boot_value(run.boot),
            run.started.millis(),
            run.deadline.map(Ticks::millis),
            run.shown_start.utc_ms,
            run.shown_start.offset_s,
            run.shown_offset_s,
            by_text(run.by.as_ref()),
        )
    });
    text(&StateRow(state.seq, run))
}

pub(super) fn state(value: &str) -> Read<State> {
    let StateRow(seq, run) = serde_json::from_str(value).map_err(unreadable)?;
    let run = run.map(|row| {
        let RunRow(mode, boot_id, started, deadline, utc_ms, offset_s, shown_offset_s, who) = row;
        Ok(Run {
            mode: named::<Mode>(&mode)?,
            boot: boot(&boot_id)?,
            started: Ticks::from_millis(started),
            deadline: deadline.map(Ticks::from_millis),
            shown_start: Wall { utc_ms, offset_s },
            shown_offset_s,
            by: by(who)?,
        })
    });
    Ok(State {
        seq,
        run: run.transpose()?,
    })
}

/// `[id, mode, start, end, duration, planned, outcome, by, ended by]`
#[derive(Deserialize, Serialize)]
struct ActionRow(
    u64,
    String,
    String,
    Option<String>,
    Option<u64>,
    Option<u64>,
    String,
    Option<String>,
    Option<String>,
);

pub(super) fn action_value(action: &Action) -> String {
    text(&ActionRow(
        action.id,
        action.mode.name().into(),
        local(&action.start),
        action.end.as_ref().map(local),
        action.duration_ms,
        action.planned_ms,
        action.outcome.name().into(),
        by_text(action.by.as_ref()),
        by_text(action.ended_by.as_ref()),
    ))
}

pub(super) fn action(value: &str) -> Read<Action> {
    let row: ActionRow = serde_json::from_str(value).map_err(unreadable)?;
    let ActionRow(id, mode, start, end, duration_ms, planned_ms, outcome, who, ender) = row;
    let end = end.map(|end| parse_local(&end)).transpose();
    Ok(Action {
        id,
        mode: named::<Mode>(&mode)?,
        start: parse_local(&start).map_err(unreadable)?,
        end: end.map_err(unreadable)?,
        duration_ms,
        planned_ms,
        outcome: named::<Outcome>(&outcome)?,
        by: by(who)?,
        ended_by: by(ender)?,
    })
}

/// `[asks, boot, ticks, reason, seq, run]`
#[derive(Deserialize, Serialize)]
struct ReceiptRow(String, String, i64, Option<String>, u64, Option<ShownRow>);

/// `[mode, start, end, elapsed, remaining, by]`
#[derive(Deserialize, Serialize)]
struct ShownRow(
    String,
    String,
    Option<String>,
    u64,
    Option<u64>,
    Option<String>,
);

pub(super) fn receipt_value(receipt: &Receipt) -> String {
    let Shown { seq, run } = &receipt.answer.shown;
    let run = run.as_ref().map(|run| {
        ShownRow(
            run.mode.name().into(),
            local(&run.start),
            run.end.as_ref().map(local),
            run.elapsed_ms,
            run.remaining_ms,
            by_text(run.by.as_ref()),
        )
    });
    text(&ReceiptRow(
        receipt.request.asks.to_string(),
        boot_value(receipt.boot),
        receipt.ticks.millis(),
        receipt.answer.unchanged.map(|reason| reason.name().into()),
        *seq,
        run,
    ))
}

pub(super) fn receipt(key: &IdempotencyKey, value: &str) -> Read<Receipt> {
    let row: ReceiptRow = serde_json::from_str(value).map_err(unreadable)?;
    let ReceiptRow(asks, boot_id, ticks, reason, seq, run) = row;
    let run = run.map(|row| {
        let ShownRow(mode, start, end, elapsed_ms, remaining_ms, who) = row;
        let end = end.map(|end| parse_local(&end)).transpose();
        Ok(ShownRun {
            mode: named::<Mode>(&mode)?,
            start: parse_local(&start).map_err(unreadable)?,
            end: end.map_err(unreadable)?,
            elapsed_ms,
            remaining_ms,
            by: by(who)?,
        })
    });
    Ok(Receipt {
        request: Request {
            key: key.clone(),
            asks: asks.into(),
        },
        boot: boot(&boot_id)?,
        ticks: Ticks::from_millis(ticks),
        answer: Answer {
            shown: Shown {
                seq,
                run: run.transpose()?,
            },
            unchanged: reason.as_deref().map(named::<Reason>).transpose()?,
        },
    })
}

/// The settings of a system, by name: people look at these.
#[derive(Deserialize, Serialize)]
struct SystemRow {
    name: String,
    timer_seconds: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    manual_limit: Option<u32>,
    lease_seconds: u32,
}

pub(super) fn system_value(system: &System) -> String {
    text(&SystemRow {
        name: system.name.to_string(),
        timer_seconds: system.timer_seconds,
        manual_limit: system.manual_limit,
        lease_seconds: system.lease_seconds,
    })
}

pub(super) fn system(id: &str, value: &str) -> Read<System> {
    let row: SystemRow = serde_json::from_str(value).map_err(unreadable)?;
    Ok(System {
        id: SystemId::parse(id).map_err(unreadable)?,
        name: row.name.into(),
        timer_seconds: row.timer_seconds,
        manual_limit: row.manual_limit,
        lease_seconds: row.lease_seconds,
    })
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn run() -> Run {
        Run {
            mode: Mode::Timer,
            boot: BootId(u128::MAX - 1),
            started: Ticks::from_millis(-5),
            deadline: Some(Ticks::from_millis(1_795_425_240_250)),
            shown_start: Wall {
                utc_ms: -1,
                offset_s: -12_600,
            },
            shown_offset_s: 3600,
            by: By::parse("größe \"✓\" 7").unwrap(),
        }
    }

    #[test]
    fn a_state_is_read_back_to_the_last_field_and_begins_with_its_seq() {
        for state_before in [
            State::default(),
            State {
                seq: 9_007_199_254_740_991,
                run: Some(run()),
            },
            State {
                seq: 3,
                run: Some(Run {
                    mode: Mode::Manual,
                    deadline: None,
                    by: None,
                    ..run()
                }),
            },
        ] {
            let value = state_value(&state_before);
            let digits = value.trim_start_matches('[');
            assert!(digits.starts_with(&state_before.seq.to_string()), "{value}");
            assert_eq!(state(&value).unwrap(), state_before);
        }
        assert!(state("[1,[\"drip\"]]").is_err());
    }

    #[test]
    fn actions_and_answers_are_read_back_to_the_last_field() {
        let start = NaiveDate::from_ymd_opt(2026, 11, 23);
        let start = start
            .and_then(|day| day.and_hms_milli_opt(9, 14, 0, 7))
            .unwrap();
        let whole = Action {
            id: 12,
            mode: Mode::Manual,
            start,
            end: Some(start),
            duration_ms: Some(u64::MAX),
            planned_ms: Some(0),
            outcome: Outcome::Replaced,
            by: By::parse("a").unwrap(),
            ended_by: By::parse("b").unwrap(),
        };
        let interrupted = Action {
            end: None,
            duration_ms: None,
            planned_ms: None,
            outcome: Outcome::Interrupted,
            by: None,
            ended_by: None,
            ..whole.clone()
        };
        for before in [whole, interrupted] {
            assert_eq!(action(&action_value(&before)).unwrap(), before);
        }
        let key = IdempotencyKey::parse(b"k").unwrap();
        let kept = Receipt {
            request: Request {
                key: key.clone(),
                asks: "timer north 10".into(),
            },
            boot: BootId(3),
            ticks: Ticks::from_millis(5),
            answer: Answer {
                shown: Shown {
                    seq: 4,
                    run: Some(ShownRun {
                        mode: Mode::Timer,
                        start,
                        end: Some(start),
                        elapsed_ms: 1,
                        remaining_ms: Some(2),
                        by: None,
                    }),
                },
                unchanged: Some(Reason::TimerRunning),
            },
        };
        assert_eq!(receipt(&key, &receipt_value(&kept)).unwrap(), kept);
    }
}
