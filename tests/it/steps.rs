//! Runs and rooms while the wall clock does what it likes. Random scripts are played to a gateway, and everything that
//! its rooms hear is held against what the contract lets a listener expect; then the turns that everybody knows.
//!
//! A listener knows ticks and wall of the manual clock, and what it was told. It has no part of the engine.

use std::collections::BTreeMap;

use chrono::{DateTime, Offset, TimeZone, Utc};
use chrono_tz::Europe::Paris;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{Gateway, Packet, START_UTC_MS, SYSTEMS, Setup, Socket};
use acequia::time::{Clock, Zone};

const PARIS: Zone = Zone::new(offset_s);
/// 2026-03-29T01:00:00Z, when it becomes 03:00 in Paris.
const SPRING_MS: i64 = 1_774_746_000_000;
/// 2026-10-25T01:00:00Z, when it becomes 02:00 in Paris for the second time.
const AUTUMN_MS: i64 = 1_792_890_000_000;
/// A wall clock that has moved so far is noticed, within so many ticks.
const STEP_MS: i64 = 1000;
const NOTICED_MS: i64 = 1000;
/// Two readings of the clocks of a real machine differ by so much; a start that was shown is kept over it.
const WAVER_MS: i64 = 2;

fn offset_s(utc_ms: i64) -> i32 {
    let utc = DateTime::<Utc>::from_timestamp_millis(utc_ms).unwrap();
    let offset = Paris.offset_from_utc_datetime(&utc.naive_utc());
    offset.fix().local_minus_utc()
}

/// How the contract writes a time of Paris.
fn local(utc_ms: i64, format: &str) -> String {
    let local_ms = utc_ms + i64::from(offset_s(utc_ms)) * 1000;
    let local = DateTime::<Utc>::from_timestamp_millis(local_ms).unwrap();
    local.format(format).to_string()
}

fn assert_shows(shown: &Value, utc_ms: i64, what: &Value) {
    let format = "%Y-%m-%dT%H:%M:%S%.3f";
    let mut right = (-WAVER_MS..=WAVER_MS).map(|waver| local(utc_ms + waver, format));
    assert!(
        right.any(|right| *shown == right),
        "{shown} is not {} in {what}",
        local(utc_ms, format)
    );
}

/// A reading of both clocks.
#[derive(Clone, Copy)]
struct Now {
    ticks: i64,
    utc_ms: i64,
}

impl Now {
    fn second(self) -> i64 {
        self.utc_ms.div_euclid(1000)
    }

    fn next_turn(self) -> i64 {
        self.ticks + 1000 - self.utc_ms.rem_euclid(1000)
    }

    fn wall_at(self, ticks: i64) -> i64 {
        self.utc_ms + ticks - self.ticks
    }
}

/// A run as a listener knows it.
#[derive(Clone)]
struct Run {
    mode: String,
    started: i64,
    deadline: Option<i64>,
    /// Start and UTC offset as they were shown last.
    shown: (i64, i32),
    /// Since when they are wrong, so that it has to be shown anew.
    wrong_since: Option<i64>,
}

/// What a listener knows of a room.
struct Room {
    seq: u64,
    run: Option<Run>,
    /// A run whose end was shown, and whose action has not come yet.
    ended: Option<Run>,
    actions: Vec<Value>,
    /// The second that the last clock showed, and the tick at which it is over.
    second: i64,
    over: i64,
}

impl Room {
    /// The wall may have moved, or its offset.
    fn look_at_the_wall(&mut self, now: Now) {
        let Some(run) = &mut self.run else { return };
        let (start, offset) = run.shown;
        let wrong =
            (now.wall_at(run.started) - start).abs() > STEP_MS || offset_s(now.utc_ms) != offset;
        run.wrong_since = wrong.then(|| run.wrong_since.unwrap_or(now.ticks));
    }

    fn is_shown_wrong(&self) -> bool {
        self.run
            .as_ref()
            .is_some_and(|run| run.wrong_since.is_some())
    }

    fn hear_clock(&mut self, clock: &Value, now: Now) {
        assert_eq!(
            clock["now"],
            local(now.utc_ms, "%Y-%m-%dT%H:%M:%S"),
            "{clock}"
        );
        assert_eq!(clock["seq"], self.seq, "{clock}");
        assert_ne!(now.second(), self.second, "shown twice: {clock}");
        assert!(now.ticks >= self.over, "before the turn: {clock}");
        self.second = now.second();
        self.over = now.next_turn();
    }

    fn hear_state(&mut self, state: &Value, now: Now) {
        assert_eq!(state["seq"], self.seq + 1, "{state}");
        self.seq += 1;
        let mode = state["mode"].as_str().unwrap();
        let goes_on = self.run.as_ref().is_some_and(|run| run.mode == mode);
        if !goes_on {
            assert!(self.ended.is_none(), "without an action before {state}");
            self.ended = self.run.take();
        }
        if mode == "wait" {
            assert!(self.ended.is_some(), "{state}");
            return;
        }
        if let Some(run) = &mut self.run {
            let wrong = run.wrong_since.take();
            assert!(wrong.is_some(), "shown anew for no reason: {state}");
            run.shown = (now.wall_at(run.started), offset_s(now.utc_ms));
        } else {
            self.run = Some(Run {
                mode: mode.into(),
                started: now.ticks,
                deadline: state["remaining_ms"].as_i64().map(|left| now.ticks + left),
                shown: (now.utc_ms, offset_s(now.utc_ms)),
                wrong_since: None,
            });
        }
        self.assert_shown_right(state, now);
    }

    /// Whenever and wherever a running state is shown, its times are those of the wall that is now.
    fn assert_shown_right(&self, state: &Value, now: Now) {
        let Some(run) = &self.run else { return };
        let elapsed = state["elapsed_ms"].as_i64().unwrap();
        let late = now.ticks - run.started - elapsed;
        assert!((0..=NOTICED_MS).contains(&late), "{late} ms late: {state}");
        assert_shows(&state["start"], now.wall_at(run.started), state);
        match run.deadline {
            Some(deadline) => {
                assert_eq!(
                    state["remaining_ms"],
                    deadline - run.started - elapsed,
                    "{state}"
                );
                assert_shows(&state["end"], now.wall_at(deadline), state);
            }
            None => assert_eq!(
                (&state["end"], &state["remaining_ms"]),
                (&json!(null), &json!(null))
            ),
        }
    }

    fn hear_action(&mut self, action: &Value, now: Now) {
        let run = self
            .ended
            .take()
            .unwrap_or_else(|| panic!("nothing ended: {action}"));
        assert_eq!(
            (&action["id"], &action["mode"]),
            (&json!(self.seq), &json!(run.mode))
        );
        let planned = run.deadline.map(|deadline| deadline - run.started);
        assert_eq!(action["planned_ms"], json!(planned), "{action}");
        let over = run.deadline.is_some_and(|deadline| deadline <= now.ticks);
        let (end, outcome) = match (over, run.mode.as_str(), &self.run) {
            (true, "timer", _) => (run.deadline.unwrap(), "completed"),
            (true, _, _) => (run.deadline.unwrap(), "limited"),
            (false, _, None) => (now.ticks, "stopped"),
            (false, _, Some(_)) => (now.ticks, "replaced"),
        };
        assert_eq!(action["outcome"], outcome, "{action}");
        assert_eq!(action["duration_ms"], end - run.started, "{action}");
        assert_shows(&action["start"], now.wall_at(run.started), action);
        assert_shows(&action["end"], now.wall_at(end), action);
        self.actions.push(action.clone());
    }

    /// What the gateway owes its listeners by now.
    fn owes(&self, now: Now) -> bool {
        let run = self.run.as_ref();
        let over = run
            .and_then(|run| run.deadline)
            .is_some_and(|deadline| deadline <= now.ticks);
        let wrong = run.and_then(|run| run.wrong_since);
        over || self.ended.is_some() || wrong.is_some_and(|since| since + NOTICED_MS <= now.ticks)
    }

    /// Ticks at which something is due.
    fn due(&self) -> impl Iterator<Item = i64> {
        let run = self.run.as_ref();
        let deadline = run.and_then(|run| run.deadline);
        let noticed = run
            .and_then(|run| run.wrong_since)
            .map(|since| since + NOTICED_MS);
        deadline.into_iter().chain(noticed).chain([self.over])
    }
}

/// One socket in some rooms of a gateway.
struct Listener {
    gateway: Gateway,
    socket: Socket,
    rooms: BTreeMap<&'static str, Room>,
}

/// The system that is only there to be joined again: whatever was sent before stands before the ack.
const BARRIER: &str = "south";

impl Listener {
    async fn start(utc_ms: i64) -> Self {
        let gateway = Setup::with(SYSTEMS).at(utc_ms, PARIS).start().await;
        let mut listener = Self {
            socket: gateway.connect().await,
            gateway,
            rooms: BTreeMap::new(),
        };
        let now = listener.now();
        for system in ["north", "limited"] {
            assert_eq!(listener.socket.join(system).await["ok"], true);
            let room = Room {
                seq: 0,
                run: None,
                ended: None,
                actions: Vec::new(),
                second: now.second(),
                over: now.next_turn(),
            };
            listener.rooms.insert(system, room);
        }
        listener
    }

    fn now(&self) -> Now {
        let now = self.gateway.clock.now();
        Now {
            ticks: now.ticks.millis(),
            utc_ms: now.utc_ms,
        }
    }

    fn hear(&mut self, packet: Packet) {
        let now = self.now();
        let Packet::Event(event, payload) = packet else {
            panic!("the connection did not stay: {packet:?}");
        };
        let Some(room) = self.rooms.get_mut(payload["system"].as_str().unwrap()) else {
            return;
        };
        match event.as_str() {
            "clock" => room.hear_clock(&payload, now),
            "state" => room.hear_state(&payload, now),
            "action" => room.hear_action(&payload, now),
            other => panic!("{other}"),
        }
    }

    /// Hears whatever the rooms were to be told by now.
    async fn listen(&mut self) {
        let (ack, before) = self.socket.ask("join", &[json!(BARRIER)]).await;
        assert_eq!(ack["ok"], true);
        for packet in before {
            self.hear(packet);
        }
        while self.rooms.values().any(|room| room.owes(self.now())) {
            let packet = self.socket.next().await;
            self.hear(packet);
        }
    }

    /// Time passes, and stops wherever something is due.
    async fn pass(&mut self, ms: i64) {
        let end = self.now().ticks + ms;
        while self.now().ticks < end {
            let now = self.now();
            let due = self.rooms.values().flat_map(Room::due);
            let due = due
                .filter(|due| *due > now.ticks)
                .chain([now.next_turn(), end]);
            let by = due.min().unwrap() - now.ticks;
            self.gateway.advance(by.unsigned_abs());
            let now = self.now();
            for room in self.rooms.values_mut() {
                room.look_at_the_wall(now);
            }
            self.listen().await;
            for room in self.rooms.values() {
                assert!(
                    now.ticks < room.over || room.second == now.second(),
                    "a tick is missing"
                );
            }
        }
    }

    async fn step(&mut self, ms: i64) {
        // What was sent before this step could be heard after it, and nobody could say of which wall it speaks.
        while self.rooms.values().any(Room::is_shown_wrong) {
            self.pass(NOTICED_MS).await;
        }
        self.gateway.clock.step_wall(ms);
        let now = self.now();
        for room in self.rooms.values_mut() {
            room.look_at_the_wall(now);
        }
        // When the turn has been waited for longer than usual, because the wall went back over it, another second is
        // shown as soon as the rooms have something else to do: the second time is after that.
        self.listen().await;
        self.listen().await;
    }

    /// Sends a command and hears what it led to; returns the outcome.
    async fn command(&mut self, system: &'static str, command: &str) -> Value {
        let outcome = self
            .gateway
            .http
            .post(&format!("/systems/{system}/{command}"))
            .await
            .json();
        while outcome["state"]["seq"] != self.rooms[system].seq
            || self.rooms[system].ended.is_some()
        {
            let packet = self.socket.next().await;
            self.hear(packet);
        }
        self.rooms[system].assert_shown_right(&outcome["state"], self.now());
        outcome
    }

    /// What was heard is what is kept.
    async fn compare_histories(&self) {
        for (system, room) in &self.rooms {
            let mut kept = self.gateway.http.history(system).await;
            let ids = kept.iter().map(|action| action["id"].as_u64().unwrap());
            assert!(ids.is_sorted_by(|newer, older| newer > older), "{kept:?}");
            kept.reverse();
            assert_eq!(kept, room.actions);
            let state = self.gateway.http.state(system).await;
            assert_eq!(state["seq"], room.seq);
            room.assert_shown_right(&state, self.now());
        }
    }
}

/// What happens in a script.
#[derive(Clone, Debug)]
enum Event {
    TimePasses(i64),
    WallSteps(i64),
    Timer(&'static str, i64),
    Manual(&'static str),
    Stop(&'static str),
}

fn event() -> impl Strategy<Value = Event> {
    const YEAR_MS: i64 = 366 * 86_400_000;
    let system = prop_oneof![Just("north"), Just("limited")];
    let ms = prop_oneof![
        0_i64..1_000,
        Just(STEP_MS),
        Just(STEP_MS + 1),
        1_000_i64..3_000,
        1_000_i64..86_400_000,
        1_000_i64..50 * YEAR_MS,
        Just(3_600_000_i64),
    ];
    prop_oneof![
        5 => prop_oneof![0_i64..1_500, 0_i64..20_000].prop_map(Event::TimePasses),
        4 => (ms, any::<bool>()).prop_map(|(ms, back)| Event::WallSteps(if back { -ms } else { ms })),
        3 => (system.clone(), 1_i64..=30).prop_map(|(system, seconds)| Event::Timer(system, seconds)),
        1 => system.clone().prop_map(Event::Manual),
        1 => system.prop_map(Event::Stop),
    ]
}

/// Where the wall is when the gateway starts: wherever a dead battery leaves it, today, just before a turn.
fn start() -> impl Strategy<Value = i64> {
    prop_oneof![
        0_i64..100_000,
        Just(START_UTC_MS),
        (0_i64..20_000).prop_map(|before| SPRING_MS - before),
        (0_i64..20_000).prop_map(|before| AUTUMN_MS - before),
    ]
}

async fn play(start: i64, script: Vec<Event>) {
    let mut listener = Listener::start(start).await;
    for event in script {
        match event {
            Event::TimePasses(ms) => listener.pass(ms).await,
            Event::WallSteps(ms) => listener.step(ms).await,
            Event::Timer(system, seconds) => {
                let free = listener.rooms[system].run.is_none();
                let outcome = listener
                    .command(system, &format!("timer?seconds={seconds}"))
                    .await;
                assert_eq!(outcome["changed"], free, "{outcome}");
                if free {
                    assert_eq!(outcome["state"]["remaining_ms"], seconds * 1000);
                }
            }
            Event::Manual(system) => {
                let run = listener.rooms[system].run.as_ref();
                let free = run.is_none_or(|run| run.mode == "timer");
                let outcome = listener.command(system, "manual").await;
                assert_eq!(outcome["changed"], free, "{outcome}");
            }
            Event::Stop(system) => {
                let runs = listener.rooms[system].run.is_some();
                let outcome = listener.command(system, "stop").await;
                assert_eq!(outcome["changed"], runs, "{outcome}");
            }
        }
    }
    // Everything that still runs and can end by itself does.
    listener.pass(61_000).await;
    let north = listener.rooms["north"].run.as_ref();
    assert!(north.is_none_or(|run| run.mode == "manual"));
    assert!(listener.rooms["limited"].run.is_none());
    listener.compare_histories().await;
}

/// Few by default, as many as `PROPTEST_CASES` says otherwise.
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = std::env::var_os("PROPTEST_CASES").map_or(64, |_| default.cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_time: 60_000,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_the_wall_does_runs_keep_their_length_and_rooms_are_told_the_truth(
        start in start(),
        script in prop::collection::vec(event(), 1..16),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(play(start, script));
    }
}

/// Ten seconds of timer, five before the turn and five after it: what is heard at each second, and the start and end
/// that are shown before and after.
async fn over_the_turn(turn_ms: i64, clocks: [&str; 10], (start, end): (&str, &str)) {
    let mut listener = Listener::start(turn_ms - 5_000).await;
    let state = listener.command("north", "timer?seconds=10").await["state"].clone();
    assert_eq!(
        (&state["start"], &state["end"]),
        (&json!(start), &json!(end))
    );
    let mut second = listener.gateway.join("north").await;
    for (i, clock) in (1..).zip(clocks) {
        listener.pass(1_000).await;
        assert_eq!(second.event("clock").await["now"], clock);
        let state = listener.gateway.http.state("north").await;
        let left = 10_000 - i * 1_000;
        assert_eq!(
            state["remaining_ms"],
            json!((left > 0).then_some(left)),
            "{state}"
        );
    }
    assert_eq!(listener.rooms["north"].seq, 3, "begun, shown anew, ended");
    let action = &listener.rooms["north"].actions[0];
    assert_eq!(
        (&action["start"], &action["end"]),
        (&json!(start), &json!(end))
    );
    assert_eq!(action["duration_ms"], 10_000);
    listener.compare_histories().await;
}

#[tokio::test]
async fn a_timer_over_the_end_of_summer_time_counts_down_through_the_repeated_hour() {
    let clocks = [
        "2026-10-25T02:59:56",
        "2026-10-25T02:59:57",
        "2026-10-25T02:59:58",
        "2026-10-25T02:59:59",
        "2026-10-25T02:00:00",
        "2026-10-25T02:00:01",
        "2026-10-25T02:00:02",
        "2026-10-25T02:00:03",
        "2026-10-25T02:00:04",
        "2026-10-25T02:00:05",
    ];
    let shown = ("2026-10-25T02:59:55.000", "2026-10-25T02:00:05.000");
    over_the_turn(AUTUMN_MS, clocks, shown).await;
}

#[tokio::test]
async fn a_timer_over_the_begin_of_summer_time_counts_down_over_the_hour_that_is_not() {
    let clocks = [
        "2026-03-29T01:59:56",
        "2026-03-29T01:59:57",
        "2026-03-29T01:59:58",
        "2026-03-29T01:59:59",
        "2026-03-29T03:00:00",
        "2026-03-29T03:00:01",
        "2026-03-29T03:00:02",
        "2026-03-29T03:00:03",
        "2026-03-29T03:00:04",
        "2026-03-29T03:00:05",
    ];
    let shown = ("2026-03-29T01:59:55.000", "2026-03-29T03:00:05.000");
    over_the_turn(SPRING_MS, clocks, shown).await;
}

#[tokio::test]
async fn a_run_that_begins_in_1970_is_shown_today_once_the_clock_is_set() {
    const BOOT_MS: i64 = 20_000;
    let mut listener = Listener::start(BOOT_MS).await;
    let state = listener.command("north", "timer?seconds=30").await["state"].clone();
    assert_eq!(state["start"], "1970-01-01T01:00:20.000");
    listener.pass(10_000).await;
    listener.step(START_UTC_MS - BOOT_MS - 10_000).await;
    listener.pass(1_000).await;
    let state = listener.gateway.http.state("north").await;
    assert_eq!(state["seq"], 2);
    assert_eq!(state["start"], "2026-11-23T10:13:50.250");
    assert_eq!(state["end"], "2026-11-23T10:14:20.250");
    assert_eq!(state["remaining_ms"], 19_000);
    listener.pass(19_000).await;
    let action = &listener.rooms["north"].actions[0];
    assert_eq!(
        (&action["outcome"], &action["duration_ms"]),
        (&json!("completed"), &json!(30_000))
    );
    listener.compare_histories().await;
}
