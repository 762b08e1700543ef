//! Every cell of the table of contract section 2, and the machine against a plain model under random commands,
//! deadlines, steps of the wall clock, changes of the zone and reboots.

use proptest::prelude::*;

use super::*;
use crate::time::Zone;

const UTC: Zone = Zone::new(|_| 0);

fn at(ticks: i64) -> Moment {
    Moment {
        utc_ms: 1_000_000 + ticks,
        ticks: Ticks::from_millis(ticks),
        boot: BootId(1),
        zone: UTC,
    }
}

fn local(ticks: i64) -> NaiveDateTime {
    at(ticks).wall().local()
}

fn name(text: &str) -> Option<By> {
    By::parse(text).unwrap()
}

fn timer(seconds: u32) -> Command {
    let by = name("controller");
    Command::Timer { seconds, by }
}

fn manual() -> Command {
    let by = name("person");
    Command::Manual { limit_s: None, by }
}

fn stop() -> Command {
    Command::Stop {
        by: name("stopper"),
    }
}

fn changed(decision: Decision) -> Change {
    match decision {
        Decision::Change(change) => change,
        Decision::Unchanged(reason) => panic!("unchanged: {reason:?}"),
    }
}

fn unchanged(decision: Decision) -> Reason {
    match decision {
        Decision::Change(change) => panic!("changed: {change:?}"),
        Decision::Unchanged(reason) => reason,
    }
}

/// The state after a command at tick 0.
fn after(command: &Command) -> State {
    changed(decide(&State::default(), command, &at(0))).state
}

#[test]
fn wait_timer_starts_a_timer() {
    let change = changed(decide(&State::default(), &timer(10), &at(500)));
    let run = change.state.run.unwrap();
    assert_eq!((change.state.seq, change.action), (1, None));
    assert_eq!((run.mode, run.planned_ms()), (Mode::Timer, Some(10_000)));
    assert_eq!(run.started, Ticks::from_millis(500));
    assert_eq!(run.by, name("controller"));
}

#[test]
fn wait_manual_starts_a_manual_run_without_end() {
    let change = changed(decide(&State::default(), &manual(), &at(500)));
    let run = change.state.run.unwrap();
    assert_eq!((change.state.seq, change.action), (1, None));
    assert_eq!((run.mode, run.deadline), (Mode::Manual, None));
}

#[test]
fn wait_stop_changes_nothing() {
    let decision = decide(&State::default(), &stop(), &at(0));
    assert_eq!(unchanged(decision), Reason::NotRunning);
}

#[test]
fn wait_has_no_deadline() {
    let state = State { seq: 4, run: None };
    assert_eq!(settle(&state, &at(i64::MAX / 2)), None);
}

#[test]
fn timer_timer_changes_nothing() {
    let decision = decide(&after(&timer(10)), &timer(20), &at(1_000));
    assert_eq!(unchanged(decision), Reason::TimerRunning);
}

#[test]
fn timer_manual_replaces_the_timer() {
    let change = changed(decide(&after(&timer(10)), &manual(), &at(4_000)));
    let action = change.action.unwrap();
    assert_eq!(change.state.run.unwrap().mode, Mode::Manual);
    assert_eq!((change.state.seq, action.id), (2, 2));
    assert_eq!(
        (action.mode, action.outcome),
        (Mode::Timer, Outcome::Replaced)
    );
    assert_eq!((action.start, action.end), (local(0), Some(local(4_000))));
    assert_eq!(
        (action.duration_ms, action.planned_ms),
        (Some(4_000), Some(10_000))
    );
    assert_eq!(
        (action.by, action.ended_by),
        (name("controller"), name("person"))
    );
}

#[test]
fn timer_stop_ends_it() {
    let change = changed(decide(&after(&timer(10)), &stop(), &at(4_000)));
    let action = change.action.unwrap();
    assert_eq!(change.state, State { seq: 2, run: None });
    assert_eq!(
        (action.mode, action.outcome),
        (Mode::Timer, Outcome::Stopped)
    );
    assert_eq!(
        (action.duration_ms, action.planned_ms),
        (Some(4_000), Some(10_000))
    );
    assert_eq!(
        (action.by, action.ended_by),
        (name("controller"), name("stopper"))
    );
}

#[test]
fn timer_deadline_completes_it_at_the_deadline_however_late_it_is_noticed() {
    let state = after(&timer(10));
    assert_eq!(settle(&state, &at(9_999)), None);
    for noticed in [10_000, 10_001, 99_000] {
        let change = settle(&state, &at(noticed)).unwrap();
        let action = change.action.unwrap();
        assert_eq!(change.state, State { seq: 2, run: None });
        assert_eq!(
            (action.mode, action.outcome),
            (Mode::Timer, Outcome::Completed)
        );
        assert_eq!((action.start, action.end), (local(0), Some(local(10_000))));
        assert_eq!(
            (action.duration_ms, action.planned_ms),
            (Some(10_000), Some(10_000))
        );
        assert_eq!(action.ended_by, None);
    }
}

#[test]
fn manual_timer_changes_nothing() {
    let decision = decide(&after(&manual()), &timer(5), &at(1_000));
    assert_eq!(unchanged(decision), Reason::ManualHasPriority);
}

#[test]
fn manual_manual_changes_nothing() {
    let decision = decide(&after(&manual()), &manual(), &at(1_000));
    assert_eq!(unchanged(decision), Reason::ManualRunning);
}

#[test]
fn manual_stop_ends_it() {
    let change = changed(decide(&after(&manual()), &stop(), &at(7_000)));
    let action = change.action.unwrap();
    assert_eq!(change.state, State { seq: 2, run: None });
    assert_eq!(
        (action.mode, action.outcome),
        (Mode::Manual, Outcome::Stopped)
    );
    assert_eq!((action.duration_ms, action.planned_ms), (Some(7_000), None));
}

#[test]
fn manual_without_limit_has_no_deadline() {
    assert_eq!(settle(&after(&manual()), &at(10_i64.pow(12))), None);
}

#[test]
fn manual_with_limit_is_limited_at_its_deadline() {
    let limit_s = Some(60);
    let state = after(&Command::Manual { limit_s, by: None });
    assert_eq!(settle(&state, &at(59_999)), None);
    let action = settle(&state, &at(60_000)).unwrap().action.unwrap();
    assert_eq!(
        (action.mode, action.outcome),
        (Mode::Manual, Outcome::Limited)
    );
    assert_eq!(action.duration_ms, Some(60_000));
}

#[test]
fn another_boot_interrupts_whatever_ran_and_keeps_the_start_as_it_was_shown() {
    for command in [timer(10), manual()] {
        let mut now = at(2_000);
        now.boot = BootId(2);
        now.utc_ms += 77_000;
        let change = settle(&after(&command), &now).unwrap();
        let action = change.action.unwrap();
        assert_eq!(change.state, State { seq: 2, run: None });
        assert_eq!(action.outcome, Outcome::Interrupted);
        assert_eq!(
            (action.start, action.end, action.duration_ms),
            (local(0), None, None)
        );
    }
}

#[test]
fn a_step_of_the_wall_clock_shows_the_run_anew_and_leaves_its_length() {
    let state = after(&timer(10));
    for step in [-50 * 366 * 86_400_000, -3_600_000, -1_001, 1_001, 3_600_000] {
        let mut now = at(4_000);
        now.utc_ms += step;
        let change = settle(&state, &now).unwrap();
        let run = change.state.run.clone().unwrap();
        assert_eq!((change.state.seq, change.action), (2, None));
        assert_eq!(run.deadline, state.run.as_ref().unwrap().deadline);
        assert_eq!(run.shown_start.utc_ms, 1_000_000 + step);
        assert_eq!(settle(&change.state, &now), None, "shown once");
    }
    for drift in [-1_000, 1_000] {
        let mut now = at(4_000);
        now.utc_ms += drift;
        assert_eq!(
            settle(&state, &now),
            None,
            "a drift of {drift} ms is no step"
        );
    }
}

#[test]
fn the_shown_start_does_not_waver_with_the_reading_of_the_clocks() {
    let run = after(&timer(10)).run.unwrap();
    for (waver, shown) in [
        (-2, 0),
        (-1, 0),
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 3),
        (-500, -500),
    ] {
        let mut now = at(4_000);
        now.utc_ms += waver;
        let start = run.steadied(&now).wall_at(run.started);
        assert_eq!(start.utc_ms, 1_000_000 + shown, "read {waver} ms off");
    }
}

/// The end of summer time moves no start, and so it does not show the wavering of the reading either.
#[test]
fn another_utc_offset_keeps_the_start_as_it_was_shown() {
    let state = after(&timer(10));
    for waver in -2..=2 {
        let mut now = at(4_000);
        now.utc_ms += waver;
        now.zone = Zone::new(|_| 3600);
        let run = settle(&state, &now).unwrap().state.run.unwrap();
        assert_eq!(run.shown_start.utc_ms, 1_000_000, "read {waver} ms off");
        assert_eq!(run.shown_start.offset_s, 3600);
    }
}

#[test]
fn a_run_is_never_shown_longer_than_it_was_asked_for() {
    let state = after(&timer(10));
    for (ticks, elapsed, remaining) in [
        (4_000, 4_000, 6_000),
        (10_000, 10_000, 0),
        (10_067, 10_000, 0),
    ] {
        let run = state.shown(&at(ticks)).run.unwrap();
        assert_eq!(
            (run.elapsed_ms, run.remaining_ms),
            (elapsed, Some(remaining))
        );
    }
}

#[test]
fn another_utc_offset_shows_the_run_anew() {
    let mut now = at(4_000);
    now.zone = Zone::new(|_| 3600);
    let change = settle(&after(&manual()), &now).unwrap();
    assert_eq!((change.state.seq, change.action), (2, None));
}

/// 2026-10-25 in Paris: at 03:00 CEST the clocks go back to 02:00 CET.
#[test]
fn a_timer_over_the_turn_of_summer_time_ends_after_its_seconds_in_the_repeated_hour() {
    let turn_ms = 1_792_890_000_000;
    let mut now = at(0);
    now.zone = Zone::new(|utc_ms| {
        if utc_ms < 1_792_890_000_000 {
            7200
        } else {
            3600
        }
    });
    now.utc_ms = turn_ms - 5_000;
    let state = changed(decide(&State::default(), &timer(10), &now)).state;
    let deadline = state.run.as_ref().unwrap().deadline.unwrap();
    assert_eq!(now.wall().local().to_string(), "2026-10-25 02:59:55");
    assert_eq!(
        now.wall_at(deadline).local().to_string(),
        "2026-10-25 02:00:05"
    );

    now.utc_ms += 5_000;
    now.ticks = now.ticks.plus(5_000);
    let shown_anew = settle(&state, &now).unwrap().state;
    assert_eq!((state.seq, shown_anew.seq), (1, 2));
    now.utc_ms += 5_000;
    now.ticks = now.ticks.plus(5_000);
    let action = settle(&shown_anew, &now).unwrap().action.unwrap();
    assert_eq!(action.start.to_string(), "2026-10-25 02:59:55");
    assert_eq!(action.end.unwrap().to_string(), "2026-10-25 02:00:05");
    assert_eq!(action.duration_ms, Some(10_000));
}

/// Something that happens to a system.
#[derive(Clone, Debug)]
enum Event {
    Ask(Command),
    TimePasses(i64),
    WallSteps(i64),
    OffsetIs(bool),
    Reboot,
}

fn event() -> impl Strategy<Value = Event> {
    const FIFTY_YEARS: i64 = 50 * 366 * 86_400_000;
    let command = prop_oneof![
        (1_u32..=30).prop_map(timer),
        prop::option::of(1_u32..=30).prop_map(|limit_s| Command::Manual { limit_s, by: None }),
        Just(stop()),
    ];
    prop_oneof![
        6 => command.prop_map(Event::Ask),
        6 => prop_oneof![0_i64..3_000, 0_i64..60_000].prop_map(Event::TimePasses),
        2 => prop_oneof![-5_000_i64..5_000, -FIFTY_YEARS..FIFTY_YEARS].prop_map(Event::WallSteps),
        1 => any::<bool>().prop_map(Event::OffsetIs),
        1 => Just(Event::Reboot),
    ]
}

/// The plain model: what runs, since when, until when, on ticks alone.
#[derive(Debug, Default)]
struct Model {
    run: Option<(Mode, i64, Option<i64>)>,
    ended: Vec<(Mode, Outcome, Option<u64>)>,
}

impl Model {
    fn end(&mut self, outcome: Outcome, at: Option<i64>) {
        let (mode, started, _) = self.run.take().unwrap();
        let length = at.map(|at| u64::try_from(at - started).unwrap());
        self.ended.push((mode, outcome, length));
    }

    fn time_is(&mut self, now: i64) {
        match self.run {
            Some((mode, _, Some(deadline))) if deadline <= now => {
                let outcome =
                    [Outcome::Completed, Outcome::Limited][usize::from(mode == Mode::Manual)];
                self.end(outcome, Some(deadline));
            }
            _ => {}
        }
    }

    fn ask(&mut self, command: &Command, now: i64) -> bool {
        let until = |s: u32| now + i64::from(s) * 1000;
        match (command, self.run.map(|run| run.0)) {
            (Command::Timer { seconds, .. }, None) => {
                self.run = Some((Mode::Timer, now, Some(until(*seconds))));
            }
            (Command::Manual { limit_s, .. }, running) if running != Some(Mode::Manual) => {
                if running.is_some() {
                    self.end(Outcome::Replaced, Some(now));
                }
                self.run = Some((Mode::Manual, now, limit_s.map(until)));
            }
            (Command::Stop { .. }, Some(_)) => self.end(Outcome::Stopped, Some(now)),
            _ => return false,
        }
        true
    }
}

/// The engine as the gateway uses it: whatever the clocks demand comes first.
struct Machine {
    state: State,
    actions: Vec<Action>,
    now: Moment,
}

impl Machine {
    fn apply(&mut self, change: Change) {
        assert_eq!(
            change.state.seq,
            self.state.seq + 1,
            "seq grows by one per change"
        );
        assert_ne!(
            change.state.run, self.state.run,
            "an equal state is no change"
        );
        if let Some(action) = change.action {
            assert_eq!(action.id, change.state.seq);
            self.actions.push(action);
        }
        self.state = change.state;
    }

    fn settle(&mut self) {
        let mut rounds = 0;
        while let Some(change) = settle(&self.state, &self.now) {
            self.apply(change);
            rounds += 1;
            assert!(rounds <= 1, "one look at the clocks is enough");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_the_plain_model_does(events in prop::collection::vec(event(), 1..80)) {
        let mut machine = Machine { state: State::default(), actions: Vec::new(), now: at(0) };
        let mut model = Model::default();
        for event in events {
            match event {
                Event::Ask(command) => {
                    let ticks = machine.now.ticks.millis();
                    let expected = model.ask(&command, ticks);
                    let before = machine.state.seq;
                    if let Decision::Change(change) = decide(&machine.state, &command, &machine.now) {
                        machine.apply(change);
                    }
                    prop_assert_eq!(machine.state.seq > before, expected);
                }
                Event::TimePasses(ms) => {
                    machine.now.ticks = machine.now.ticks.plus(ms);
                    machine.now.utc_ms += ms;
                    model.time_is(machine.now.ticks.millis());
                }
                Event::WallSteps(ms) => machine.now.utc_ms += ms,
                Event::OffsetIs(summer) => {
                    machine.now.zone = if summer { Zone::new(|_| 7200) } else { UTC };
                }
                Event::Reboot => {
                    machine.now.boot = BootId(machine.now.boot.0 + 1);
                    machine.now.ticks = Ticks::from_millis(0);
                    if model.run.is_some() {
                        model.end(Outcome::Interrupted, None);
                    }
                }
            }
            machine.settle();
            let running = machine.state.run.as_ref();
            prop_assert_eq!(
                running.map(|run| (run.mode, run.started.millis(), run.deadline.map(Ticks::millis))),
                model.run
            );
        }
        let ended: Vec<_> = machine.actions.iter().map(|a| (a.mode, a.outcome, a.duration_ms)).collect();
        prop_assert_eq!(ended, model.ended);
        for action in &machine.actions {
            if action.outcome == Outcome::Completed {
                prop_assert_eq!(action.duration_ms, action.planned_ms, "a timer runs as long as it was asked to");
            }
        }
        prop_assert!(machine.actions.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
}
