//! What must hold whatever befalls a gateway and its links, over many seeds; and that each judge would notice.

use std::collections::HashMap;

use super::*;
use crate::simulator::pace::Ms;
use crate::simulator::rules::Rules;
use crate::simulator::scenario::{self, Overrides};

/// More goes wrong in these days than in a year of a real gateway.
const WORLD: &str = r#"
days = 1
start = "2026-07-01"
climate = "gainesville"

[link]
lost = 0.05
lost_answers = 0.1
overloaded = 0.05
delay_ms = 400

[faults]
crashes_per_day = 20
power_cuts_per_day = 8
away_s = 90
clock_steps_per_day = 20
feed_cuts_per_day = 40
feed_cut_s = 120
"#;

const CONTROLLERS: &str = r#"
field = "lettuce-sandyloam"
dryness = 1
manual_limit = 1200
sensor = { faults = true }
controllers = [
  { kind = "threshold" },
  { kind = "human", per_day = 40, minutes = 8, forgets = 0.1 },
  { kind = "twin", every_h = 1.1, seconds = 300, apart_ms = 500 },
  { kind = "impatient", every_h = 0.9, seconds = 200 },
  { kind = "impatient", every_h = 0.7, seconds = 200, keys = true },
  { kind = "flapper", per_day = 30, seconds = 200, good_h = 2, bad_h = 1 },
]
"#;

/// Those that keep the rules.
const SOUND: [&str; 7] = [
    r#"{ kind = "perfect" }"#,
    r#"{ kind = "slow", motor_s = 7.5 }"#,
    r#"{ kind = "deaf", every_days = 0.05, for_s = 200 }"#,
    r#"{ kind = "rebooting", every_days = 0.05, comes_back_open = false }"#,
    r#"{ kind = "leaky", share = 0.05 }"#,
    r#"{ kind = "clogged", share = 0.7 }"#,
    r#"{ kind = "wrong-clock", off_s = -7200 }"#,
];

fn world(seed: u64, systems: &[(&str, &str)]) -> Scenario {
    let mut text = WORLD.to_owned();
    for (id, actuator) in systems {
        text += &format!("[[systems]]\nid = \"{id}\"\nactuator = {actuator}\n{CONTROLLERS}");
    }
    let overrides = Overrides {
        seed: Some(seed),
        ..Overrides::default()
    };
    scenario::parse(&text, "test", ("test", None), overrides).unwrap()
}

fn season(scenario: &Scenario) -> Outcome {
    run(scenario, true, |_| ControlFlow::Continue(()))
}

/// How often a text is in the trace.
fn count(outcome: &Outcome, text: &str) -> usize {
    outcome
        .trace
        .iter()
        .filter(|line| line.contains(text))
        .count()
}

/// What is said of a system when that actuator is judged, although it may not keep the rules, or when the rules know
/// another link than there is.
fn judged(actuator: &str, link_ms: Ms) -> Vec<String> {
    let scenario = world(1, &[("north", actuator)]);
    let mut alone = Alone::new(&scenario, &scenario.systems[0], false);
    let motor_ms = scenario.systems[0].actuator.motor_ms();
    alone.rules = Some(Rules::new(scenario.lease_ms, link_ms, motor_ms));
    let harvest = alone.run(scenario.length(), |_| ControlFlow::Continue(()));
    harvest.violations
}

#[test]
fn nothing_that_must_never_happen_happens_over_200_seeds() {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for seed in 0..200 {
        let kind = |offset: usize| SOUND[(seed as usize + offset) % SOUND.len()];
        let systems = [("a", kind(0)), ("b", kind(3))];
        // To write a trace takes longer than all else.
        let is_counted = seed % 10 == 0;
        let scenario = world(seed, &systems);
        let outcome = run(&scenario, is_counted, |_| ControlFlow::Continue(()));
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}");
        for text in [
            "\"crash\"",
            "\"power cut\"",
            "\"clock set\"",
            "\"feed cut\"",
            "\"day\"",
        ] {
            *seen.entry(text).or_default() += count(&outcome, text);
        }
        for tally in outcome.season.systems.iter().map(|system| system.tally) {
            *seen.entry("absorbed").or_default() += tally.absorbed as usize;
            *seen.entry("repeated").or_default() += tally.repeated as usize;
            *seen.entry("changed").or_default() += tally.changed as usize;
            assert_eq!(tally.wrong_answers, 0);
        }
    }
    // Each of them has had its chance.
    for (what, least) in [
        ("\"crash\"", 500),
        ("\"power cut\"", 200),
        ("\"clock set\"", 600),
        ("\"feed cut\"", 1200),
        ("\"day\"", 40),
        ("absorbed", 1000),
        ("repeated", 10_000),
        ("changed", 20_000),
    ] {
        assert!(seen[what] >= least, "{what}: {}", seen[what]);
    }
}

#[test]
fn an_actuator_that_ignores_its_lease_would_be_noticed() {
    assert_eq!(judged(SOUND[0], 400), Vec::<String>::new());
    assert!(!judged(r#"{ kind = "ignores-lease" }"#, 400).is_empty());
}

#[test]
fn a_valve_that_comes_back_open_would_be_noticed() {
    let opens = r#"{ kind = "rebooting", every_days = 0.05, comes_back_open = true }"#;
    assert!(!judged(opens, 400).is_empty());
}

#[test]
fn a_valve_that_trusts_a_clock_that_is_behind_would_be_noticed() {
    assert!(!judged(r#"{ kind = "wrong-clock", off_s = 7200 }"#, 400).is_empty());
}

#[test]
fn a_stop_that_takes_longer_than_a_second_and_the_link_would_be_noticed() {
    assert!(!judged(SOUND[0], -1000).is_empty());
}

#[test]
fn the_same_scenario_leaves_the_same_trace_and_another_seed_another() {
    let systems = [("a", SOUND[2]), ("b", SOUND[3])];
    let (once, again) = (season(&world(1, &systems)), season(&world(1, &systems)));
    assert!(once.trace.len() > 500, "{}", once.trace.len());
    assert_eq!(once.trace, again.trace);
    assert_eq!(once.season, again.season);
    assert_ne!(once.trace, season(&world(2, &systems)).trace);
}

#[test]
fn a_system_does_not_notice_which_others_there_are() {
    let of = |outcome: &Outcome| -> Vec<String> {
        let lines = outcome.trace.iter();
        let own = lines.filter(|line| line.contains(r#""system":"b""#));
        own.cloned().collect()
    };
    let alone = season(&world(3, &[("b", SOUND[2])]));
    let among = season(&world(
        3,
        &[("a", SOUND[0]), ("b", SOUND[2]), ("c", SOUND[1])],
    ));
    assert_eq!(of(&alone), of(&among));
    assert_eq!(alone.season.systems[0], among.season.systems[1]);
}

#[test]
fn a_run_is_asked_for_until_the_gateway_has_it_and_once_for_each_key() {
    let outcome = season(&world(5, &[("a", SOUND[0])]));
    let tally = outcome.season.systems[0].tally;
    let answered = tally.changed + tally.unchanged + tally.refused + tally.unanswered;
    assert!(tally.commands - answered < 10, "{tally:?}");
    assert!(tally.repeated > 0 && tally.absorbed > 0);
}

#[test]
fn what_is_delivered_is_what_is_asked_where_nothing_goes_wrong() {
    let mut quiet = world(1, &[("a", SOUND[0])]);
    (quiet.link, quiet.faults) = Default::default();
    let tally = season(&quiet).season.systems[0].tally;
    assert!(tally.asked_l > 100.0);
    // An actuator hears of a run, and of its end by hand, at the next turn of a second.
    let lost = (tally.asked_l - tally.delivered_l).abs() / tally.asked_l;
    assert!(lost < 0.01, "{tally:?}");
    assert!(tally.worst_over_run_s <= 1.0, "{tally:?}");
}

#[test]
fn a_season_that_is_ended_early_keeps_what_was_done() {
    let mut scenario = world(1, &[("a", SOUND[0]), ("b", SOUND[0]), ("c", SOUND[0])]);
    scenario.days = 3.0;
    let outcome = run(&scenario, false, |days| {
        if days < 4.0 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    let hours: Vec<usize> = outcome
        .season
        .systems
        .iter()
        .map(|system| system.samples.len())
        .collect();
    assert_eq!(hours, [72, 24]);
    assert!(outcome.trace.is_empty());
}
