//! What a plot makes of what it is told.

use super::*;
use crate::simulator::call::{Ask, Policy};
use crate::simulator::field::Fluxes;
use crate::simulator::pace::SECOND;
use crate::simulator::scenario::{Overrides, parse};

const IDLE: Heard = Heard {
    is_running: false,
    remaining_ms: None,
};

const fn timer(remaining_ms: Ms) -> Heard {
    Heard {
        is_running: true,
        remaining_ms: Some(remaining_ms),
    }
}

/// A dry field of tomatoes, 10 L/min, with that actuator and those controllers.
fn plot(actuator: &str, controllers: &str) -> Plot {
    let text = format!(
        "days = 1\nstart = \"2026-07-01\"\nclimate = \"toulon\"\n\
         [[systems]]\nid = \"north\"\nfield = \"tomato-loam\"\ndryness = 1.3\n\
         actuator = {{ kind = {actuator} }}\ncontrollers = [{controllers}]"
    );
    let scenario = parse(&text, "test", ("test", None), Overrides::default()).unwrap();
    Plot::new(&scenario, &scenario.systems[0], true)
}

fn call(ask: Ask) -> Departure {
    Departure {
        controller: 0,
        call: Call {
            ask,
            key: None,
            policy: Policy::ONCE,
            after_ms: 0,
        },
    }
}

fn refused(status: u16, code: &str) -> Settled {
    Settled::Refused {
        status,
        code: code.to_owned(),
    }
}

#[test]
fn water_flows_while_the_valve_is_open() {
    let mut plot = plot("\"perfect\"", "");
    plot.run_is(0, timer(90_000));
    plot.hear(0, timer(90_000));
    plot.advance(600_000, &mut Vec::new());
    let tally = plot.finish(600_000).season.tally;
    assert!((tally.delivered_l - 15.0).abs() < 1e-9, "{tally:?}");
}

#[test]
fn water_leaks_while_the_valve_is_closed() {
    let mut plot = plot("\"leaky\", share = 0.1", "");
    plot.advance(600_000, &mut Vec::new());
    let tally = plot.finish(600_000).season.tally;
    assert!((tally.delivered_l - 10.0).abs() < 1e-9, "{tally:?}");
    assert!(tally.asked_l.abs() < 1e-9);
}

#[test]
fn what_is_asked_is_what_the_gateway_ran_whether_the_actuator_hears_or_not() {
    let mut plot = plot("\"perfect\"", "");
    plot.run_is(0, timer(600_000));
    plot.run_is(60_000, IDLE);
    plot.run_is(120_000, timer(60_000));
    // Shown late: it had ended at its deadline.
    plot.run_is(300_000, IDLE);
    let tally = plot.finish(600_000).season.tally;
    assert!((tally.asked_l - 20.0).abs() < 1e-9, "{tally:?}");
    assert!(tally.delivered_l.abs() < 1e-9);
}

#[test]
fn an_over_run_is_how_long_the_valve_was_open_after_the_run() {
    let mut plot = plot("\"perfect\"", "");
    let manual = Heard {
        is_running: true,
        remaining_ms: None,
    };
    plot.run_is(0, manual);
    plot.hear(0, manual);
    plot.silence(5 * SECOND, 5 * SECOND);
    plot.run_is(10 * SECOND, IDLE);
    plot.advance(600_000, &mut Vec::new());
    let season = plot.finish(600_000).season;
    // The lease ends 30 s after the last that was heard.
    assert!((season.tally.worst_over_run_s - 25.0).abs() < 1e-9);
    assert!((season.openings[0].to * DAY as f64 - 35_000.0).abs() < 1e-6);
}

#[test]
fn a_controller_that_sees_a_dry_field_asks_for_water() {
    let mut plot = plot("\"perfect\"", "{ kind = \"threshold\" }");
    let mut departures = Vec::new();
    while departures.is_empty() {
        let next = plot.next().unwrap();
        assert!(next < 2 * 900_000, "it has seen nothing");
        plot.advance(next, &mut departures);
    }
    assert_eq!(departures[0].call.ask, Ask::Timer { seconds: 600 });
}

#[test]
fn only_answers_that_a_sound_gateway_gives_are_right() {
    let cases = [
        (Ask::Stop, Settled::Changed, 0),
        (Ask::Manual, Settled::NoAnswer, 0),
        (Ask::Manual, refused(503, "overloaded"), 0),
        (Ask::Wrong(0), refused(400, "invalid_seconds"), 0),
        (Ask::Wrong(0), refused(400, "bad_request"), 1),
        (Ask::Wrong(0), Settled::Changed, 1),
        (Ask::Stop, refused(404, "unknown_system"), 1),
        (Ask::History, Settled::Changed, 1),
        (Ask::Stop, Settled::Read, 1),
    ];
    for (ask, settled, wrong) in cases {
        let mut plot = plot("\"perfect\"", "{ kind = \"threshold\" }");
        plot.settled(0, &call(ask), &settled);
        let tally = plot.finish(0).season.tally;
        assert_eq!(tally.wrong_answers, wrong, "{ask:?} {settled:?}");
    }
}

#[test]
fn a_day_in_which_water_vanishes_is_said() {
    for (vanished_mm, expected) in [(0.0, 0), (1e-6, 1)] {
        let mut plot = plot("\"perfect\"", "");
        plot.books.add(Fluxes {
            rain_mm: vanished_mm,
            ..Fluxes::default()
        });
        plot.advance(DAY, &mut Vec::new());
        let harvest = plot.finish(DAY);
        assert_eq!(harvest.violations.len(), expected);
        assert_eq!(harvest.season.samples.len(), 24);
    }
}
