//! The real program while somebody sets its wall clock, and nobody touches the clock that runs are measured on: runs
//! last as long as was asked, what is shown moves with the wall, and nobody loses the connection.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::Instant;

use crate::fixture::{Packet, Process, Socket, WATCHDOG, instant, websocket};
use crate::load::number;
use crate::machine::Machine;

const SECONDS: u64 = 4;
const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;
/// A run may be so much longer or shorter than asked, as seen over the network.
const TOLERANCE: Duration = Duration::from_millis(200);
/// A step of the wall clock is noticed within a second; until then, and at the turn itself, no tick may come.
const LONGEST_SILENCE: Duration = Duration::from_millis(2200);

const CONFIG: &str = "[[systems]]\nid = \"north\"\n";

/// Everything that a listener has heard, with the moment at which it came.
struct Heard(Vec<(Instant, String, Value)>);

impl Heard {
    /// Listens until the run has ended.
    async fn by(mut socket: Socket) -> Self {
        let mut heard = Vec::new();
        loop {
            let Packet::Event(event, payload) = socket.next().await else {
                panic!("the connection was lost after {heard:?}");
            };
            let over = event == "action";
            heard.push((instant(), event, payload));
            if over {
                return Self(heard);
            }
        }
    }

    fn events<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (Instant, &'a Value)> {
        let named = self.0.iter().filter(move |(_, event, _)| event == name);
        named.map(|(at, _, payload)| (*at, payload))
    }
}

fn time(text: &Value) -> NaiveDateTime {
    let text = text.as_str().unwrap();
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// What a clock shows that is this far off, in the zone of the program, give or take what the network takes.
fn shows_about(shown: NaiveDateTime, at: NaiveDateTime) -> bool {
    (shown - at).num_milliseconds().abs() <= 1_000
}

/// The wall time in UTC, so many seconds off.
fn wall(off_s: i64) -> NaiveDateTime {
    #[expect(clippy::disallowed_methods, reason = "the test knows the right time")]
    let utc = chrono::Utc::now().naive_utc();
    utc + chrono::TimeDelta::seconds(off_s)
}

/// One tick after another: never two of the same second unless the wall was set back, never a silence.
fn ticks_go_on(heard: &Heard, steps_back: usize) {
    let clocks: Vec<_> = heard.events("clock").collect();
    let mut back = 0;
    for pair in clocks.windows(2) {
        let ((before, earlier), (after, later)) = (pair[0], pair[1]);
        assert!(after - before <= LONGEST_SILENCE, "{earlier} … {later}");
        let moved = (time(&later["now"]) - time(&earlier["now"])).num_seconds();
        assert_ne!(moved, 0, "a tick was doubled: {later}");
        back += usize::from(moved < 0);
    }
    assert!(back <= steps_back, "the clock went back {back} times");
    let rate = clocks.len() as u64;
    assert!((SECONDS - 1..=SECONDS + 2).contains(&rate), "{rate} ticks");
}

/// Starts a run, sets the wall clock in the middle of it, and checks all that the contract says of it. The program's
/// clock is off by `first_s` before and by `then_s` after.
async fn a_run_over_a_step(first_s: i64, then_s: i64) {
    let machine = Machine::with_a_clock();
    machine.set_clock(first_s);
    let gateway = machine.start_in("UTC", CONFIG);
    let mut socket = Socket::connect(gateway.address).await;
    socket.join("north").await;
    let mut raw = websocket(gateway.address, "/systems/north/ws").await;
    let listening = tokio::spawn(Heard::by(socket));

    let path = format!("/systems/north/timer?seconds={SECONDS}");
    let state = gateway.http.change(&path).await;
    let began = instant();
    assert!(shows_about(time(&state["start"]), wall(first_s)), "{state}");
    wait_for_frames(&mut raw, 2).await;
    machine.set_clock(then_s);

    let heard = tokio::time::timeout(WATCHDOG, listening).await;
    let heard = heard.expect("the run ends").unwrap();
    let what = format!("from {first_s} s to {then_s} s off");
    let (ended, action) = heard.events("action").next().unwrap();
    let lasted = ended - began;
    let asked = Duration::from_secs(SECONDS);
    assert!(
        lasted + TOLERANCE >= asked && lasted <= asked + TOLERANCE,
        "{what}: {lasted:?}"
    );
    assert_eq!(action["outcome"], "completed", "{what}");
    assert_eq!(action["duration_ms"], SECONDS * 1000, "{what}");

    let states: Vec<_> = heard.events("state").collect();
    let seqs: Vec<_> = states
        .iter()
        .map(|(_, state)| number(state, "seq"))
        .collect();
    assert_eq!(seqs, [1, 2, 3], "{what}: the run, shown anew, and its end");
    let (at, anew) = states[1];
    let shift = chrono::TimeDelta::from_std(instant() - at).unwrap();
    assert!(shows_about(
        time(&anew["start"]),
        wall(then_s) - shift - chrono::TimeDelta::milliseconds(number(anew, "elapsed_ms") as i64)
    ));
    let end = time(&anew["start"]) + chrono::TimeDelta::seconds(SECONDS as i64);
    assert_eq!(time(&anew["end"]), end, "{what}: {anew}");
    let passed = number(anew, "elapsed_ms") + number(anew, "remaining_ms");
    assert_eq!(passed, SECONDS * 1000, "{what}: {anew}");
    ticks_go_on(&heard, usize::from(then_s < first_s));
    wait_for_frames(&mut raw, 1).await;
    history_is_in_order(&gateway).await;
}

async fn wait_for_frames(raw: &mut crate::fixture::WebSocket, frames: usize) {
    for _ in 0..frames {
        let frame = tokio::time::timeout(WATCHDOG, raw.next()).await;
        assert!(frame.expect("a frame").unwrap().unwrap().is_text());
    }
}

/// A second run, and the rows by their ids, whatever their times say.
async fn history_is_in_order(gateway: &Process) {
    gateway.http.change("/systems/north/manual").await;
    gateway.http.change("/systems/north/stop").await;
    let rows = gateway.http.history("north").await;
    let ids: Vec<_> = rows.iter().map(|row| number(row, "id")).collect();
    assert_eq!(ids, [5, 3]);
}

#[tokio::test]
async fn a_run_lasts_as_long_as_asked_while_the_wall_clock_is_set() {
    let since_1970 = DateTime::UNIX_EPOCH.naive_utc() - wall(0);
    let steps = [
        (0, HOUR),
        (0, -HOUR),
        (0, 10 * YEAR),
        (0, -30 * YEAR),
        // Up without a clock battery and without a network, until somebody sets it.
        (since_1970.num_seconds() + 60, 0),
    ];
    let runs = steps.map(|(first_s, then_s)| tokio::spawn(a_run_over_a_step(first_s, then_s)));
    for run in runs {
        run.await.unwrap();
    }
}

/// 2026-10-25 in Paris: at 03:00 the clocks go back to 02:00.
#[tokio::test]
async fn a_run_over_the_end_of_summer_time_lasts_as_long_as_asked() {
    let machine = Machine::with_a_clock();
    let eve = DateTime::parse_from_rfc3339("2026-10-25T02:59:58+02:00").unwrap();
    machine.set_clock((eve.naive_utc() - wall(0)).num_seconds());
    let gateway = machine.start_in("Europe/Paris", CONFIG);
    let mut socket = Socket::connect(gateway.address).await;
    socket.join("north").await;
    let listening = tokio::spawn(Heard::by(socket));
    let path = format!("/systems/north/timer?seconds={SECONDS}");
    let state = gateway.http.change(&path).await;
    let began = instant();
    let heard = listening.await.unwrap();
    let (ended, action) = heard.events("action").next().unwrap();
    let (lasted, asked) = (ended - began, Duration::from_secs(SECONDS));
    assert!(
        lasted + TOLERANCE >= asked && lasted <= asked + TOLERANCE,
        "{lasted:?}"
    );
    assert!(
        state["start"]
            .as_str()
            .unwrap()
            .starts_with("2026-10-25T02:5"),
        "{state}"
    );
    assert!(
        action["end"]
            .as_str()
            .unwrap()
            .starts_with("2026-10-25T02:0"),
        "{action}"
    );
    assert_eq!(action["duration_ms"], SECONDS * 1000);
    let states: Vec<_> = heard
        .events("state")
        .map(|(_, state)| number(state, "seq"))
        .collect();
    assert_eq!(
        states,
        [1, 2, 3],
        "the run, shown anew in the repeated hour, and its end"
    );
    ticks_go_on(&heard, 1);
}

#[tokio::test]
async fn healthz_says_when_the_wall_clock_cannot_be_right() {
    let machine = Machine::with_a_clock();
    let gateway = machine.start(CONFIG);
    let plausible = async || gateway.http.get("/healthz").await.json()["clock_plausible"].clone();
    assert_eq!(plausible().await, true);
    machine.set_clock(-30 * YEAR);
    assert_eq!(plausible().await, false);
    machine.set_clock(YEAR);
    assert_eq!(plausible().await, true);
}
