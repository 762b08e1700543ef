//! What a simulation leaves behind, whichever runner it had: the season, what happened, and what never should have.

use serde_json::Value;

use super::pace::Ms;
use super::plot::Harvest;
use super::scenario::Scenario;
use super::season::Season;

/// What remains of a simulation.
#[derive(Debug)]
pub struct Outcome {
    pub season: Season,
    /// JSON lines, in order of time; empty when no trace was wanted.
    pub trace: Vec<String>,
    /// What must never happen, and did, in words.
    pub violations: Vec<String>,
}

impl Outcome {
    /// Puts together what the systems of a scenario have left, in their order; the last ones may be missing.
    pub fn of(scenario: &Scenario, harvests: Vec<Harvest>) -> Self {
        let mut lines: Vec<(Ms, usize, Value)> = Vec::new();
        let (mut systems, mut violations) = (Vec::new(), Vec::new());
        for (number, harvest) in harvests.into_iter().enumerate() {
            let id = &scenario.systems[number].id;
            let happened = harvest.trace.into_iter();
            lines.extend(happened.map(|(at, event)| (at, number, event)));
            violations.extend(
                harvest
                    .violations
                    .iter()
                    .map(|what| format!("{id}: {what}")),
            );
            systems.push(harvest.season);
        }
        lines.sort_by_key(|(at, number, _)| (*at, *number));
        let line = |(at, number, mut event): (Ms, usize, Value)| {
            event["at_ms"] = at.into();
            event["system"] = scenario.systems[number].id.as_str().into();
            event.to_string()
        };
        Self {
            season: Season {
                scenario: scenario.name.clone(),
                seed: scenario.seed,
                climate: scenario.climate.name.clone(),
                start: scenario.start.to_string(),
                days: scenario.days,
                speed: scenario.speed,
                systems,
            },
            trace: lines.into_iter().map(line).collect(),
            violations,
        }
    }
}
