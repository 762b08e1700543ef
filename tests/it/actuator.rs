//! The reference actuator (`examples/actuator.py`) on the real program: what is left of the water when the gateway dies
//! or freezes, or when the wall clock is set.
//!
//! Times are those that the actuator prints: they are on the same clock as the gateway's ticks.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use acequia::time::{Clock, SystemClock};
use tempfile::TempDir;
use tokio::sync::mpsc;

use crate::clients::python;
use crate::fixture::{Process, Socket, WATCHDOG, send_signal};
use crate::wall_clock::{self, WallClock};

/// One for each thing that can happen to a valve. The shortest lease there is keeps the tests short.
const SYSTEMS: &str = r#"
[[systems]]
id = "timer"
lease_seconds = 5
[[systems]]
id = "manual"
lease_seconds = 5
[[systems]]
id = "limited"
lease_seconds = 5
manual_limit = 2
"#;
pub(crate) const LEASE_MS: i64 = 5_000;
/// How far a valve may be from what was asked for.
const TOLERANCE_MS: i64 = 500;

pub(crate) fn now_ms() -> i64 {
    SystemClock::new().unwrap().now().ticks.millis()
}

#[track_caller]
fn assert_near(what: &str, is: i64, should: i64) {
    assert!(
        is.abs_diff(should) <= TOLERANCE_MS.unsigned_abs(),
        "{what}: {is} ms, not {should} ms"
    );
}

#[track_caller]
pub(crate) fn assert_lease(silent: i64) {
    // The actuator may have heard the last clock a little before the test.
    assert!(
        (LEASE_MS - 300..=LEASE_MS + 1_000).contains(&silent),
        "closed after {silent} ms of silence"
    );
}

/// `examples/actuator.py`, killed when it is dropped.
pub(crate) struct Actuator {
    child: Child,
    lines: mpsc::UnboundedReceiver<(i64, String)>,
}

impl Actuator {
    fn start(gateway: &Process, system: &str) -> Self {
        Self::with(gateway, system, |_| {})
    }

    fn with(gateway: &Process, system: &str, more: impl FnOnce(&mut Command)) -> Self {
        Self::at(&format!("http://{}", gateway.address), system, more)
    }

    pub(crate) fn at(url: &str, system: &str, more: impl FnOnce(&mut Command)) -> Self {
        let mut command = python();
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/actuator.py"))
            .args([url, system]);
        more(&mut command);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (said, lines) = mpsc::unbounded_channel();
        let system = system.to_owned();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                // Who reads our own output may be gone, and so may the test.
                let _ = writeln!(std::io::stderr(), "actuator {system}: {line}");
                let (at, words) = line.split_once(' ').unwrap();
                let seconds: f64 = at.parse().unwrap();
                #[expect(clippy::cast_possible_truncation, reason = "milliseconds of uptime")]
                let _ = said.send(((seconds * 1000.0) as i64, words.to_owned()));
            }
        });
        Self { child, lines }
    }

    /// The next line, and when it was said.
    async fn line(&mut self) -> (i64, String) {
        let line = tokio::time::timeout(WATCHDOG, self.lines.recv()).await;
        line.expect("the actuator says something")
            .expect("the actuator has not ended")
    }

    /// The next line, which must begin so; returns when it was said.
    pub(crate) async fn says(&mut self, words: &str) -> i64 {
        let (at, said) = self.line().await;
        assert!(said.starts_with(words), "waited for {words:?}: {said:?}");
        at
    }

    /// The next line about the valve, which must be this one; returns when it was said.
    pub(crate) async fn valve(&mut self, words: &str) -> i64 {
        loop {
            let (at, said) = self.line().await;
            if !["connected", "lost"].contains(&said.split(' ').next().unwrap()) {
                assert!(said.starts_with(words), "waited for {words:?}: {said:?}");
                return at;
            }
        }
    }

    /// The end of a timer, which the actuator knows from two sides at the same time.
    async fn timer_end(&mut self) -> i64 {
        let (at, said) = self.line().await;
        assert!(
            ["closed deadline", "closed state"].contains(&said.as_str()),
            "{said:?}"
        );
        at
    }

    /// Waits until it is in the room with its valve closed.
    pub(crate) async fn ready(mut self) -> Self {
        let mut said = [self.line().await.1, self.line().await.1];
        said.sort();
        // The first snapshot may come before the valve has arrived.
        assert!(
            said[0].starts_with("closed") && said[1] == "connected",
            "{said:?}"
        );
        self
    }

    async fn exit_code(&mut self) -> Option<i32> {
        while tokio::time::timeout(WATCHDOG, self.lines.recv())
            .await
            .expect("it ends")
            .is_some()
        {}
        self.child.wait().unwrap().code()
    }
}

impl Drop for Actuator {
    fn drop(&mut self) {
        // It has ended by itself if the test says so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A valve that is a file: open while it is there. It opens and closes with shell commands.
fn valve_commands(folder: &Path, open: &str, close: &str) -> impl FnOnce(&mut Command) {
    let inside = |command| format!("cd {} && {command}", folder.display());
    let arguments = [
        "--open".into(),
        inside(open),
        "--close".into(),
        inside(close),
    ];
    move |command| {
        command.args(arguments);
    }
}

fn exists(folder: &TempDir, name: &str) -> bool {
    folder.path().join(name).exists()
}

/// Somebody else in a room: tells how time goes by.
struct Watch(Socket);

impl Watch {
    async fn start(gateway: &Process) -> Self {
        let mut socket = Socket::connect(gateway.address).await;
        socket.join("manual").await;
        socket.event("clock").await;
        Self(socket)
    }

    /// Waits for that many turns of the second; returns when the last one was heard.
    async fn seconds(&mut self, count: usize) -> i64 {
        for _ in 0..count {
            self.0.event("clock").await;
        }
        now_ms()
    }

    /// Waits for a turn of the second that everybody has heard; returns when it was.
    async fn heard_by_all(&mut self, gateway: &Process) -> i64 {
        let heard = self.seconds(1).await;
        for _ in 0..20 {
            gateway.http.get("/healthz").await;
        }
        heard
    }
}

/// A timer and a manual run, both with an open valve: that of the timer will close in three seconds.
struct Running {
    timer: Actuator,
    manual: Actuator,
    timer_opened: i64,
    watch: Watch,
}

const TIMER_MS: i64 = 3_000;

async fn running(gateway: &Process) -> Running {
    let timer = Actuator::start(gateway, "timer");
    let manual = Actuator::start(gateway, "manual");
    let (mut timer, mut manual) = (timer.ready().await, manual.ready().await);
    let watch = Watch::start(gateway).await;
    gateway.http.change("/systems/manual/manual").await;
    gateway.http.change("/systems/timer/timer?seconds=3").await;
    let timer_opened = timer.valve("open state").await;
    manual.valve("open state").await;
    Running {
        timer,
        manual,
        timer_opened,
        watch,
    }
}

impl Running {
    /// The gateway has not been heard since `heard`: both valves close in time.
    async fn close_in_silence(&mut self, heard: i64) {
        let closed = self.timer.valve("closed deadline").await;
        assert_near("the timer", closed - self.timer_opened, TIMER_MS);
        assert_lease(self.manual.valve("closed lease").await - heard);
    }
}

#[tokio::test]
async fn the_valve_follows_timer_manual_stop_and_its_own_end() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let commands = valve_commands(folder.path(), "touch open", "rm -f open");
    std::fs::write(folder.path().join("open"), "left open").unwrap();
    let mut actuator = Actuator::with(&gateway, "timer", commands).ready().await;
    assert!(!exists(&folder, "open"), "it starts closed");

    gateway.http.change("/systems/timer/timer?seconds=2").await;
    let opened = actuator.says("open state").await;
    assert!(exists(&folder, "open"));
    let closed = actuator.timer_end().await;
    assert!(!exists(&folder, "open"));
    assert_near("the timer", closed - opened, 2_000);

    gateway.http.change("/systems/timer/manual").await;
    actuator.says("open state").await;
    gateway.http.change("/systems/timer/stop").await;
    actuator.says("closed state").await;

    gateway.http.change("/systems/timer/manual").await;
    actuator.says("open state").await;
    send_signal(actuator.child.id(), "-TERM");
    actuator.says("closed stop").await;
    assert!(!exists(&folder, "open"));
    assert_eq!(actuator.exit_code().await, Some(0));
}

#[tokio::test]
async fn kill_9_of_the_gateway_closes_the_valves_and_its_return_opens_what_still_runs() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let address = gateway.address;
    let mut running = running(&gateway).await;
    let heard = running.watch.heard_by_all(&gateway).await;
    gateway.kill();
    running.close_in_silence(heard).await;

    let gateway = Process::start_at(address, folder.path(), SYSTEMS, &[]);
    running.manual.valve("open state").await;
    gateway.http.change("/systems/manual/stop").await;
    running.manual.valve("closed state").await;
    // The timer has ended meanwhile: what its valve says next is the next run.
    gateway.http.change("/systems/timer/manual").await;
    running.timer.valve("open state").await;
}

#[tokio::test]
async fn a_frozen_gateway_closes_the_valves_and_its_thaw_opens_what_still_runs() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let mut running = running(&gateway).await;
    let heard = running.watch.heard_by_all(&gateway).await;
    gateway.signal("-STOP");
    running.close_in_silence(heard).await;

    gateway.signal("-CONT");
    running.manual.valve("open state").await;
    gateway.http.change("/systems/manual/stop").await;
    running.manual.valve("closed state").await;
}

#[tokio::test]
async fn steps_of_the_actuators_wall_clock_change_neither_its_deadline_nor_its_lease() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let clock = WallClock::kept_in(folder.path().join("clock"));
    let on_that_clock = |command: &mut Command| {
        clock.show(command).env("LD_PRELOAD", wall_clock::library());
    };
    let timer = Actuator::with(&gateway, "timer", on_that_clock);
    let manual = Actuator::with(&gateway, "manual", on_that_clock);
    let (mut timer, mut manual) = (timer.ready().await, manual.ready().await);
    let mut watch = Watch::start(&gateway).await;
    gateway.http.change("/systems/manual/manual").await;
    manual.valve("open state").await;
    gateway.http.change("/systems/timer/timer?seconds=5").await;
    let opened = timer.valve("open state").await;

    clock.set(3600);
    watch.seconds(2).await;
    clock.set(-10 * 365 * 86_400);
    let mut asked = python();
    on_that_clock(&mut asked);
    let shown = asked
        .args(["-c", "import time; print(time.time_ns() // 10**6)"])
        .output();
    let shown: i64 = String::from_utf8(shown.unwrap().stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let years = (SystemClock::new().unwrap().now().utc_ms - shown) / (365 * 86_400_000);
    assert_eq!(years, 10, "the actuators' wall clock has been set back");

    // Nothing is heard any more: what closes the valves is the actuator's own clock.
    let heard = watch.heard_by_all(&gateway).await;
    gateway.signal("-STOP");
    let closed = timer.valve("closed deadline").await;
    assert_near("the timer", closed - opened, 5_000);
    assert_lease(manual.valve("closed lease").await - heard);
}

#[tokio::test]
async fn an_actuator_that_was_frozen_itself_believes_nothing_that_has_waited_for_it() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let mut actuator = Actuator::start(&gateway, "manual").ready().await;
    let mut watch = Watch::start(&gateway).await;
    gateway.http.change("/systems/manual/manual").await;
    actuator.says("open state").await;
    send_signal(actuator.child.id(), "-STOP");
    watch.seconds(7).await;
    send_signal(actuator.child.id(), "-CONT");
    // The clocks that have waited in its buffer open nothing: it takes a new connection to do so.
    let mut said = [actuator.line().await.1, actuator.line().await.1];
    said.sort();
    assert_eq!(said[0], "closed lease");
    assert!(said[1].starts_with("lost no clock"), "{said:?}");
    actuator.says("connected").await;
    actuator.says("open state").await;
}

#[tokio::test]
async fn a_manual_limit_and_a_limit_of_the_actuator_end_a_manual_run() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let limited = Actuator::start(&gateway, "limited");
    let own = Actuator::with(&gateway, "manual", |command| {
        command.args(["--max-open", "1", "--lease", "3600"]);
    });
    let (mut limited, mut own) = (limited.ready().await, own.ready().await);
    let mut watch = Socket::connect(gateway.address).await;
    watch.join("limited").await;

    gateway.http.change("/systems/limited/manual").await;
    gateway.http.change("/systems/manual/manual").await;
    let opened = limited.says("open state").await;
    let closed = limited.timer_end().await;
    assert_near("the manual run", closed - opened, 2_000);
    let action = watch.event("action").await;
    for (field, value) in [("duration_ms", 2_000), ("planned_ms", 2_000)] {
        assert_eq!(action[field], value, "{action}");
    }
    assert_eq!(action["outcome"], "limited", "{action}");
    assert_eq!(gateway.http.state("limited").await["mode"], "wait");
    assert_eq!(gateway.http.history("limited").await, [action]);

    let opened = own.says("open state").await;
    let closed = own.says("closed max-open").await;
    assert_near("the actuator's own limit", closed - opened, 1_000);
    assert_eq!(gateway.http.state("manual").await["mode"], "manual");
    gateway.http.change("/systems/manual/stop").await;
    watch.event("clock").await;
    gateway.http.change("/systems/manual/manual").await;
    own.says("open state").await;
}

#[tokio::test]
async fn a_close_that_fails_is_tried_again_and_does_not_wait_for_an_open_that_hangs() {
    let folder = TempDir::new().unwrap();
    let gateway = Process::start(folder.path(), SYSTEMS, &[]);
    let broken = folder.path().join("broken");
    let commands = valve_commands(
        folder.path(),
        "touch open",
        "test ! -e broken && rm -f open",
    );
    let failing = Actuator::with(&gateway, "manual", commands);
    let commands = valve_commands(
        folder.path(),
        "touch opening; sleep 600",
        "touch hung.closed",
    );
    let hanging = Actuator::with(&gateway, "timer", commands);
    let (mut failing, mut hanging) = (failing.ready().await, hanging.ready().await);
    let mut watch = Watch::start(&gateway).await;

    gateway.http.change("/systems/manual/manual").await;
    failing.says("open state").await;
    std::fs::write(&broken, "").unwrap();
    gateway.http.change("/systems/manual/stop").await;
    let first = failing.says("failed to CLOSE").await;
    let second = failing.says("failed to CLOSE").await;
    assert_near("the next try", second - first, 1_000);
    assert!(exists(&folder, "open"));
    std::fs::remove_file(&broken).unwrap();
    failing.says("closed state").await;
    assert!(!exists(&folder, "open"));

    gateway.http.change("/systems/timer/timer?seconds=60").await;
    while !exists(&folder, "opening") {
        watch.seconds(1).await;
    }
    let asked = now_ms();
    gateway.http.change("/systems/timer/stop").await;
    let closed = hanging.says("closed state").await;
    assert_near("the stop", closed, asked);
}

#[tokio::test]
async fn it_waits_for_a_gateway_that_is_not_there_and_says_why_it_may_not_join() {
    let folder = TempDir::new().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("http://{address}");
    let mut early = Actuator::at(&url, "manual", |_| {});
    let mut unknown = Actuator::at(&url, "nowhere", |_| {});
    for actuator in [&mut early, &mut unknown] {
        actuator.says("closed start").await;
        actuator.says("lost").await;
    }
    let gateway = Process::start_at(address, folder.path(), SYSTEMS, &[]);
    early.says("connected").await;
    gateway.http.change("/systems/manual/manual").await;
    early.says("open state").await;
    unknown.says("refused unknown_system").await;

    let mut wrong = Actuator::at(&url, "No where", |_| {});
    wrong.says("closed start").await;
    wrong.says("refused invalid_system_id").await;
    assert_eq!(wrong.exit_code().await, Some(1));
    send_signal(unknown.child.id(), "-INT");
    assert_eq!(unknown.exit_code().await, Some(0), "it was still trying");
}
