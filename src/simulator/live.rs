//! A scenario against a live gateway: time passes, controllers call over HTTP, actuators follow the raw feed.
//!
//! Every system is a task of its own with a plot of its own. Knows the gateway only over the network.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::RngExt;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::actuator::Heard;
use super::api::{Api, Listed, Reply, Row};
use super::call::{Ask, Call, Policy, Settled, Tries};
use super::chance;
use super::feed;
use super::outcome::Outcome;
use super::pace::Ms;
use super::plot::{Departure, Harvest, Plot};
use super::rules::Rules;
use super::scenario::{Scenario, System};

/// Without a frame for so long the feed is silent: one comes every second.
const LATE_MS: Ms = 3000;

/// A frame tells whole seconds, and takes its time: the end of a run that it tells wavers by so much.
const WAVER_MS: Ms = 1500;

/// How often the progress is told.
const TOLD: Duration = Duration::from_millis(250);

/// Frames that wait to be heard: more than one only when this program is held up.
const FRAMES: usize = 16;

/// Why nothing can be simulated.
#[derive(Debug, Error)]
pub enum LiveError {
    #[error(
        "the gateway has no system {0}; `acequia simulate --print-systems` prints what its configuration needs"
    )]
    Missing(String),
}

/// The same scenario for the systems that a gateway has: those that it names keep what they are, every other one is as
/// one of them, in turn.
pub fn adapted(scenario: &Scenario, listed: &[Listed]) -> Scenario {
    let models = &scenario.systems;
    let systems = listed.iter().enumerate().map(|(number, listed)| {
        let named = models.iter().find(|model| model.id == listed.id);
        System {
            id: listed.id.clone(),
            name: listed.name.clone(),
            ..named.unwrap_or(&models[number % models.len()]).clone()
        }
    });
    Scenario {
        systems: systems.collect(),
        ..scenario.clone()
    }
}

/// Runs a scenario against the gateway at `api`, which has the systems `listed`, until it is over or `stop`. `progress` is
/// told the days that have passed.
///
/// # Errors
/// [`LiveError`] when the gateway lacks a system. It may come and go.
pub async fn run(
    api: &Api,
    scenario: &Scenario,
    listed: &[Listed],
    trace: bool,
    stop: &CancellationToken,
    mut progress: impl FnMut(f64) -> ControlFlow<()>,
) -> Result<Outcome, LiveError> {
    let mut tasks = JoinSet::new();
    let over = stop.child_token();
    let clock = Clock::begin();
    let leases: HashMap<&str, i64> = listed
        .iter()
        .map(|each| (each.id.as_str(), each.lease_seconds))
        .collect();
    // One copy for all of them, with the lease that the gateway has for each.
    let mut own = scenario.clone();
    for (number, system) in scenario.systems.iter().enumerate() {
        let lease_seconds = leases.get(system.id.as_str());
        own.lease_ms = lease_seconds.ok_or_else(|| LiveError::Missing(system.id.clone()))? * 1000;
        let alone = Alone::new(api, &own, system, trace, clock);
        let (length, over) = (scenario.length(), over.clone());
        tasks.spawn(async move { (number, alone.run(length, over).await) });
    }
    tracing::info!(systems = tasks.len(), "controllers ask for water");
    let mut harvests = Vec::new();
    let mut told = tokio::time::interval(TOLD);
    while !tasks.is_empty() {
        tokio::select! {
            Some(done) = tasks.join_next() => match done {
                Ok(harvest) => harvests.push(harvest),
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            },
            _ = told.tick() => {
                let days = scenario.pace().field(clock.now()) as f64 / super::pace::DAY as f64;
                if progress(days.min(scenario.days)).is_break() {
                    over.cancel();
                }
            }
        }
    }
    harvests.sort_by_key(|(number, _)| *number);
    let harvests = harvests.into_iter().map(|(_, harvest)| harvest).collect();
    Ok(Outcome::of(scenario, harvests))
}

/// Milliseconds since the simulation began.
#[derive(Clone, Copy)]
struct Clock(Instant);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the simulation is a program of its own, with a clock of its own"
    )]
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn now(self) -> Ms {
        Ms::try_from(self.0.elapsed().as_millis()).unwrap_or(Ms::MAX)
    }

    fn at(self, at: Ms) -> Instant {
        self.0 + Duration::from_millis(at.unsigned_abs())
    }
}

/// A frame is at most so late on its way: this machine is busy with both ends of it, and perhaps with more.
const LINK_MS: Ms = 2000;

/// One system, by itself.
struct Alone {
    api: Api,
    id: Arc<str>,
    plot: Plot,
    /// None for an actuator that breaks them by design.
    rules: Option<Rules>,
    clock: Clock,
    chance: rand::rngs::ChaCha8Rng,
    /// Whether water runs, and until when, as far as that has an end.
    known: Option<(bool, Option<Ms>)>,
    /// When a frame was heard last.
    heard_at: Ms,
    is_silent: bool,
    repeated: Arc<AtomicU64>,
    is_open_by_hand: bool,
    violations: Vec<String>,
}

/// What came of a decision.
struct Carried {
    departure: Departure,
    reply: Reply,
}

impl Alone {
    fn new(api: &Api, scenario: &Scenario, system: &System, trace: bool, clock: Clock) -> Self {
        let kind = system.actuator;
        Self {
            api: api.clone(),
            id: system.id.as_str().into(),
            plot: Plot::new(scenario, system, trace),
            rules: kind
                .keeps_the_rules()
                .then(|| Rules::new(scenario.lease_ms, LINK_MS, kind.motor_ms())),
            clock,
            chance: chance::stream(scenario.seed, &format!("live/{}", system.id)),
            known: None,
            heard_at: 0,
            is_silent: true,
            repeated: Arc::default(),
            is_open_by_hand: false,
            violations: Vec::new(),
        }
    }

    async fn run(mut self, length: Ms, over: CancellationToken) -> Harvest {
        let newest = self.newest().await;
        let (sender, mut frames) = mpsc::channel(FRAMES);
        let authority = self.api.authority().to_owned();
        let feed = tokio::spawn(feed::follow(authority, self.id.to_string(), sender));
        let mut flights = FuturesUnordered::new();
        let mut departures = Vec::new();
        let mut end = length;
        loop {
            let now = self.clock.now();
            if now >= end || over.is_cancelled() {
                end = now.min(end);
                break;
            }
            self.plot.advance(now, &mut departures);
            for departure in departures.drain(..) {
                flights.push(self.carry_out(departure));
            }
            self.notice_silence(now);
            self.judge(now);
            let next = self.clock.at(self.next().map_or(end, |next| next.min(end)));
            tokio::select! {
                Some(heard) = frames.recv() => self.hear(heard),
                Some(carried) = flights.next() => self.carried(&carried),
                () = tokio::time::sleep_until(next) => {}
                () = over.cancelled() => {}
            }
        }
        feed.abort();
        for _ in 0..self.repeated.load(Ordering::Relaxed) {
            self.plot.repeated();
        }
        self.close().await;
        let rows = self.api.history(&self.id).await;
        let judged = match (newest, rows) {
            (Some(newest), Ok(rows)) => faults(&rows, newest),
            _ => vec!["the history cannot be read, and is not judged".to_owned()],
        };
        let mut harvest = self.plot.finish(end);
        harvest.violations.extend(self.violations);
        harvest.violations.extend(judged);
        harvest
    }

    /// When the feed is silent, unless it is heard before.
    fn silent_at(&self) -> Option<Ms> {
        (!self.is_silent).then_some(self.heard_at + LATE_MS)
    }

    fn notice_silence(&mut self, now: Ms) {
        if self.silent_at().is_none_or(|silent_at| now < silent_at) {
            return;
        }
        self.is_silent = true;
        self.plot.silence(self.heard_at, now);
        if let Some(rules) = &mut self.rules {
            rules.silence(self.heard_at);
        }
    }

    /// When something has to be done, or looked at, although nothing is heard.
    fn next(&self) -> Option<Ms> {
        let is_open = self.plot.actuator().is_open();
        let judged = self.rules.as_ref().and_then(|rules| rules.next(is_open));
        [self.plot.next(), self.silent_at(), judged]
            .into_iter()
            .flatten()
            .min()
    }

    /// The newest row of the history before anything was asked.
    async fn newest(&self) -> Option<u64> {
        let rows = self.api.history(&self.id).await.ok()?;
        Some(rows.first().map_or(0, |row| row.id))
    }

    /// Nobody is left who would stop what was opened by hand.
    async fn close(&self) {
        if !self.is_open_by_hand {
            return;
        }
        let stop = Call {
            ask: Ask::Stop,
            key: None,
            policy: Policy::PATIENT,
            after_ms: 0,
        };
        let reply = self.api.send(&self.id, "simulator", &stop).await;
        if !matches!(reply.settled, Settled::Changed | Settled::Unchanged(_)) {
            tracing::warn!(id = %self.id, "a manual run that the simulator began could not be stopped");
        }
    }

    /// Tries as often as its policy wants.
    fn carry_out(&mut self, departure: Departure) -> impl Future<Output = Carried> + use<> {
        let (api, id) = (self.api.clone(), Arc::clone(&self.id));
        let by = self.plot.controller_name(departure.controller);
        let repeated = Arc::clone(&self.repeated);
        let mut tries = Tries::new(departure.call.policy, self.chance.random());
        async move {
            tokio::time::sleep(Duration::from_millis(
                departure.call.after_ms.unsigned_abs(),
            ))
            .await;
            loop {
                let reply = api.send(&id, by, &departure.call).await;
                let Some(pause) = tries.pause_after(&reply.settled, reply.retry_after) else {
                    return Carried { departure, reply };
                };
                repeated.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(pause).await;
            }
        }
    }

    fn carried(&mut self, Carried { departure, reply }: &Carried) {
        let now = self.clock.now();
        self.plot.settled(now, departure, &reply.settled);
        if let Some(state) = reply.state {
            self.knows(now, state);
            self.is_open_by_hand |= departure.call.ask == Ask::Manual;
        }
        if let Settled::Refused {
            status: 500..,
            code,
        } = &reply.settled
        {
            tracing::debug!(id = %self.id, code, "the gateway could not");
        }
    }

    fn hear(&mut self, heard: Heard) {
        let now = self.clock.now();
        self.heard_at = now;
        self.is_silent = false;
        self.knows(now, heard);
        self.plot.hear(now, heard);
        let is_deaf = self.plot.actuator().deaf_until() > now;
        if let Some(rules) = self.rules.as_mut().filter(|_| !is_deaf) {
            rules.hear(now, heard);
        }
    }

    fn judge(&mut self, now: Ms) {
        let (is_open, deaf_until) = (
            self.plot.actuator().is_open(),
            self.plot.actuator().deaf_until(),
        );
        if let Some(rules) = self.rules.as_mut().filter(|_| deaf_until > now) {
            rules.silence(now);
        }
        let judged = self
            .rules
            .as_mut()
            .and_then(|rules| rules.judge(now, is_open));
        self.violations.extend(judged);
    }

    /// Tells the plot only what is new: that water runs or does not, or that it has got another end.
    fn knows(&mut self, now: Ms, state: Heard) {
        let known = (state.is_running, state.remaining_ms.map(|left| now + left));
        let is_news = match (self.known, known) {
            (Some((was, Some(before))), (is, Some(end))) => {
                was != is || (end - before).abs() > WAVER_MS
            }
            (before, after) => before != Some(after),
        };
        if is_news {
            self.known = Some(known);
            self.is_open_by_hand &= state.is_running;
            self.plot.run_is(now, state);
            if let Some(rules) = &mut self.rules {
                rules.run_is(now, state.is_running);
            }
        }
    }
}

/// What is wrong with the history since the simulation began: rows count up, and what ran to its end was as long as planned.
fn faults(rows: &[Row], newest: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let since: Vec<&Row> = rows.iter().take_while(|row| row.id > newest).collect();
    for pair in since.windows(2) {
        if pair[0].id <= pair[1].id {
            faults.push(format!(
                "row {} of the history follows row {}",
                pair[0].id, pair[1].id
            ));
        }
    }
    for row in since {
        let is_whole = matches!(row.outcome.as_str(), "completed" | "limited");
        if is_whole && row.duration_ms != row.planned_ms {
            let (real, planned) = (row.duration_ms, row.planned_ms);
            faults.push(format!("a run of {planned:?} ms lasted {real:?} ms"));
        }
    }
    faults
}
