//! A season without a network: virtual time, the gateway's own engine, and links that lose and delay as the scenario says.
//!
//! Everything is drawn from the seed: the same scenario leaves the same trace, byte by byte. Each system is simulated by
//! itself, so that none can affect another. Never waits and never reads a clock.

use std::ops::ControlFlow;

use super::outcome::Outcome;
use super::scenario::Scenario;

mod alone;
mod event;

use alone::Alone;

/// Runs a whole scenario, one system after the other. `progress` is told now and then how many days of systems are done,
/// and can end it; what was done until then is what remains.
pub fn run(
    scenario: &Scenario,
    trace: bool,
    mut progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Outcome {
    let mut harvests = Vec::new();
    for (number, system) in scenario.systems.iter().enumerate() {
        let before = number as f64 * scenario.days;
        let mut flow = ControlFlow::Continue(());
        let harvest = Alone::new(scenario, system, trace).run(scenario.length(), |days| {
            flow = progress(before + days);
            flow
        });
        harvests.push(harvest);
        if flow.is_break() || progress(before + scenario.days).is_break() {
            break;
        }
    }
    Outcome::of(scenario, harvests)
}

#[cfg(test)]
#[path = "offline_tests.rs"]
mod tests;
