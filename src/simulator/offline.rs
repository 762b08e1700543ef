//! A season without a network: virtual time, the gateway's own engine, and links that lose and delay as the scenario says.
//!
//! Everything is drawn from the seed: the same scenario leaves the same trace, byte by byte. Each system is simulated by
//! itself, so that none can affect another. Never waits and never reads a clock.

use std::ops::ControlFlow;

use serde_json::Value;

use super::pace::Ms;
use super::scenario::Scenario;
use super::season::Season;

mod alone;
mod event;

use alone::Alone;

/// What a season leaves behind.
#[derive(Debug)]
pub struct Outcome {
    pub season: Season,
    /// JSON lines, in order of time; empty when no trace was wanted.
    pub trace: Vec<String>,
    /// What must never happen, and did, in words.
    pub violations: Vec<String>,
}

/// Runs a whole scenario, one system after the other. `progress` is told now and then how many days of systems are done,
/// and can end it; what was done until then is what remains.
pub fn run(
    scenario: &Scenario,
    trace: bool,
    mut progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Outcome {
    let mut seasons = Vec::new();
    let mut lines: Vec<(Ms, usize, Value)> = Vec::new();
    let mut violations = Vec::new();
    for (number, system) in scenario.systems.iter().enumerate() {
        let before = number as f64 * scenario.days;
        let mut flow = ControlFlow::Continue(());
        let harvest = Alone::new(scenario, system, trace).run(scenario.length(), |days| {
            flow = progress(before + days);
            flow
        });
        lines.extend(
            harvest
                .trace
                .into_iter()
                .map(|(at, event)| (at, number, event)),
        );
        let named = |what| format!("{}: {what}", system.id);
        violations.extend(harvest.violations.into_iter().map(named));
        seasons.push(harvest.season);
        if flow.is_break() || progress(before + scenario.days).is_break() {
            break;
        }
    }
    lines.sort_by_key(|(at, number, _)| (*at, *number));
    let line = |(at, number, mut event): (Ms, usize, Value)| {
        event["at_ms"] = at.into();
        event["system"] = scenario.systems[number].id.as_str().into();
        event.to_string()
    };
    Outcome {
        season: Season {
            scenario: scenario.name.clone(),
            seed: scenario.seed,
            climate: scenario.climate.name.clone(),
            start: scenario.start.to_string(),
            days: scenario.days,
            speed: scenario.speed,
            systems: seasons,
        },
        trace: lines.into_iter().map(line).collect(),
        violations,
    }
}

#[cfg(test)]
#[path = "offline_tests.rs"]
mod tests;
