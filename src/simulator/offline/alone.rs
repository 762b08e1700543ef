//! One system with a gateway of its own, from the beginning of a season to its end.

use std::ops::ControlFlow;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde_json::json;

use super::event::{Event, Flight, Queue};
use crate::command::{By, Command};
use crate::engine::Reason;
use crate::simulator::actuator::Heard;
use crate::simulator::call::{Ask, Call, Settled, Tries, UNAVAILABLE, WRONG};
use crate::simulator::pace::{Ms, whole};
use crate::simulator::plot::{Departure, Harvest, Plot};
use crate::simulator::rules::Rules;
use crate::simulator::scenario::{Link, Scenario, System};
use crate::simulator::stand_in::StandIn;
use crate::simulator::trouble::{Trouble, troubles};
use crate::simulator::{chance, law};
use crate::time::Zone;

/// The wall clock of the gateway when a season begins, in milliseconds of UTC: 2026-05-01. It has nothing to do with the
/// time of the field.
const WALL_MS: i64 = 1_777_593_600_000;

/// What a gateway that is overloaded says in `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// One system, by itself, with a gateway of its own.
#[derive(Debug)]
pub(super) struct Alone {
    plot: Plot,
    pub(super) rules: Option<Rules>,
    gateway: StandIn,
    manual_limit_s: Option<u32>,
    link: Link,
    random: ChaCha8Rng,
    queue: Queue,
    flights: Vec<Flight>,
    is_away: bool,
    is_cut: bool,
    /// Until when the actuator was last known not to listen.
    deaf_until: Ms,
    violations: Vec<String>,
}

impl Alone {
    pub(super) fn new(scenario: &Scenario, system: &System, trace: bool) -> Self {
        let kind = &system.actuator;
        let link_ms = whole(scenario.link.delay_ms);
        let mut alone = Self {
            plot: Plot::new(scenario, system, trace),
            rules: kind
                .keeps_the_rules()
                .then(|| Rules::new(scenario.lease_ms, link_ms, kind.motor_ms())),
            gateway: StandIn::new(WALL_MS, Zone::new(|_| 0)),
            manual_limit_s: system.manual_limit_s,
            link: scenario.link,
            random: chance::stream(scenario.seed, &format!("link/{}", system.id)),
            queue: Queue::default(),
            flights: Vec::new(),
            is_away: false,
            is_cut: false,
            deaf_until: 0,
            violations: Vec::new(),
        };
        for (at, trouble) in troubles(scenario, &system.id) {
            alone.queue.push(at, Event::Trouble(trouble));
        }
        alone.queue.push(0, Event::Frame);
        alone
    }

    /// `progress` is told each day how many have passed.
    pub(super) fn run(
        mut self,
        length: Ms,
        mut progress: impl FnMut(f64) -> ControlFlow<()>,
    ) -> Harvest {
        let mut departures = Vec::new();
        let (mut end, mut told) = (length, 0.0);
        while let Some(at) = self.next().filter(|at| *at <= length) {
            if !self.is_away && self.gateway.settle(at) {
                self.changed(at);
            }
            self.plot.advance(at, &mut departures);
            for departure in departures.drain(..) {
                self.depart(at, departure);
            }
            self.listen_again(at);
            while let Some(event) = self.queue.pop(at) {
                self.happens(at, event);
            }
            self.judge(at);
            if self.plot.days() - told >= 1.0 {
                told = self.plot.days();
                if progress(told).is_break() {
                    end = at;
                    break;
                }
            }
        }
        let wrong = law::faults(self.gateway.changes(), self.gateway.boots());
        self.violations.extend(wrong);
        let mut harvest = self.plot.finish(end);
        harvest.violations.extend(self.violations);
        harvest
    }

    fn next(&self) -> Option<Ms> {
        let deadline = self.gateway.next_deadline().filter(|_| !self.is_away);
        let is_open = self.plot.actuator().is_open();
        let judged = self.rules.as_ref().and_then(|rules| rules.next(is_open));
        let times = [self.queue.next(), deadline, judged, self.plot.next()];
        times.into_iter().flatten().min()
    }

    fn judge(&mut self, at: Ms) {
        let is_open = self.plot.actuator().is_open();
        let wrong = self
            .rules
            .as_mut()
            .and_then(|rules| rules.judge(at, is_open));
        self.violations.extend(wrong);
    }

    fn happens(&mut self, at: Ms, event: Event) {
        match event {
            Event::Trouble(trouble) => self.trouble(at, trouble),
            Event::Back { has_booted } => self.back(at, has_booted),
            Event::FeedHeals => {
                self.is_cut = false;
                self.frame_due(at);
            }
            Event::Frame => self.frame(at),
            Event::Sends { flight } => self.sends(at, flight),
            Event::Arrives { flight, attempt } => self.arrives(at, flight, attempt),
            Event::Answered {
                flight,
                attempt,
                came,
                retry_after,
            } => self.came(at, (flight, attempt), &came, retry_after),
            Event::GivesUp { flight, attempt } => {
                self.came(at, (flight, attempt), &Settled::NoAnswer, None);
            }
        }
    }

    fn trouble(&mut self, at: Ms, trouble: Trouble) {
        match trouble {
            Trouble::ClockStep { by_ms } => {
                self.plot
                    .note(at, || json!({"event": "clock set", "by_ms": by_ms}));
                self.gateway.set_wall(by_ms);
                if !self.is_away && self.gateway.settle(at) {
                    self.changed(at);
                }
            }
            Trouble::FeedCut { for_ms } => {
                self.plot
                    .note(at, || json!({"event": "feed cut", "for_ms": for_ms}));
                self.is_cut = true;
                self.silence(at);
                self.queue.push(at + for_ms, Event::FeedHeals);
            }
            // It cannot fall further.
            Trouble::Crash { .. } | Trouble::PowerCut { .. } if self.is_away => {}
            Trouble::Crash { away_ms } => {
                self.plot
                    .note(at, || json!({"event": "crash", "away_ms": away_ms}));
                self.away(at, away_ms, false);
            }
            Trouble::PowerCut { away_ms } => {
                self.plot
                    .note(at, || json!({"event": "power cut", "away_ms": away_ms}));
                self.plot.run_ends(at);
                self.away(at, away_ms, true);
            }
        }
    }

    fn away(&mut self, at: Ms, away_ms: Ms, has_booted: bool) {
        self.is_away = true;
        self.silence(at);
        self.queue.push(at + away_ms, Event::Back { has_booted });
    }

    fn back(&mut self, at: Ms, has_booted: bool) {
        self.is_away = false;
        self.plot.note(at, || json!({"event": "back"}));
        if has_booted {
            self.gateway.boot(at);
        }
        if self.gateway.settle(at) {
            self.changed(at);
        }
        self.frame_due(at);
    }

    fn silence(&mut self, at: Ms) {
        self.plot.silence(at, at);
        if let Some(rules) = &mut self.rules {
            rules.silence(at);
        }
    }

    /// What the gateway has to say of the run.
    fn shown(&self, at: Ms) -> Heard {
        let run = self.gateway.state().run.as_ref();
        let now = self.gateway.moment(at).ticks;
        Heard {
            is_running: run.is_some(),
            remaining_ms: run
                .and_then(|run| run.deadline)
                .map(|deadline| deadline.since(now).max(0)),
        }
    }

    /// The state is another, and the feed tells it when the gateway's clock turns next.
    fn changed(&mut self, at: Ms) {
        let shown = self.shown(at);
        self.plot.run_is(at, shown);
        if let Some(rules) = &mut self.rules {
            rules.run_is(at, shown.is_running);
        }
        let delay = self.delay();
        self.frame_due(at + delay);
    }

    /// An actuator that listens again hears the next turn of the gateway's clock.
    fn frame_due(&mut self, at: Ms) {
        let moment = self.gateway.moment(at);
        let turn = at + moment.next_turn().since(moment.ticks);
        self.queue.push(turn, Event::Frame);
    }

    fn frame(&mut self, at: Ms) {
        if self.is_away || self.is_cut || at < self.deaf_until {
            return;
        }
        let shown = self.shown(at);
        self.plot.hear(at, shown);
        if let Some(rules) = &mut self.rules {
            rules.hear(at, shown);
        }
    }

    /// An actuator that has just become deaf hears the first frame after.
    fn listen_again(&mut self, at: Ms) {
        let from = self.plot.actuator().deaf_until();
        if from > self.deaf_until {
            self.deaf_until = from;
            self.silence(at);
            self.frame_due(from);
        }
    }

    fn depart(&mut self, at: Ms, departure: Departure) {
        let Call {
            policy, after_ms, ..
        } = departure.call;
        self.flights.push(Flight {
            departure,
            tries: Tries::new(policy, self.random.random()),
            attempt: 0,
            is_waiting: false,
        });
        let flight = self.flights.len() - 1;
        self.queue.push(at + after_ms, Event::Sends { flight });
    }

    fn sends(&mut self, at: Ms, flight: usize) {
        let this = &mut self.flights[flight];
        this.attempt += 1;
        this.is_waiting = true;
        let attempt = this.attempt;
        let timeout = millis(this.departure.call.policy.timeout);
        if attempt > 1 {
            self.plot.repeated();
        }
        if !self.random.random_bool(self.link.lost) {
            let arrives = at + self.delay();
            self.queue.push(arrives, Event::Arrives { flight, attempt });
        }
        self.queue
            .push(at + timeout, Event::GivesUp { flight, attempt });
    }

    fn delay(&mut self) -> Ms {
        whole(self.random.random_range(0.0..=self.link.delay_ms))
    }

    fn arrives(&mut self, at: Ms, flight: usize, attempt: usize) {
        if self.is_away {
            return;
        }
        let is_overloaded = self.random.random_bool(self.link.overloaded);
        let (came, retry_after) = if is_overloaded {
            let overloaded = Settled::Refused {
                status: UNAVAILABLE,
                code: "overloaded".to_owned(),
            };
            (overloaded, Some(RETRY_AFTER))
        } else {
            (self.carry_out(at, flight), None)
        };
        if !self.random.random_bool(self.link.lost_answers) {
            let back = at + self.delay();
            let answered = Event::Answered {
                flight,
                attempt,
                came,
                retry_after,
            };
            self.queue.push(back, answered);
        }
    }

    fn carry_out(&mut self, at: Ms, flight: usize) -> Settled {
        let Departure { controller, call } = &self.flights[flight].departure;
        let by = By::parse(self.plot.controller_name(*controller))
            .ok()
            .flatten();
        let command = match call.ask {
            Ask::History => return Settled::Read,
            // The doors are not simulated: what they refuse is tested on real ones.
            Ask::Wrong(number) => {
                return Settled::Refused {
                    status: WRONG[number].status,
                    code: WRONG[number].code.to_owned(),
                };
            }
            Ask::Timer { seconds } => Command::Timer { seconds, by },
            Ask::Manual => Command::Manual {
                limit_s: self.manual_limit_s,
                by,
            },
            Ask::Stop => Command::Stop { by },
        };
        let answer = self.gateway.carry_out(at, command, call.key.as_deref());
        if answer.is_from_memory {
            self.plot.absorbed();
        } else if answer.unchanged.is_none() {
            self.changed(at);
        }
        match answer.unchanged {
            None => Settled::Changed,
            Some(reason) => Settled::Unchanged(name_of(reason).to_owned()),
        }
    }

    /// What came of a try. Nobody waits any longer for the answer to an earlier one.
    fn came(
        &mut self,
        at: Ms,
        (flight, attempt): (usize, usize),
        came: &Settled,
        retry_after: Option<Duration>,
    ) {
        let this = &mut self.flights[flight];
        if this.attempt != attempt || !std::mem::take(&mut this.is_waiting) {
            return;
        }
        match this.tries.pause_after(came, retry_after) {
            Some(pause) => self.queue.push(at + millis(pause), Event::Sends { flight }),
            None => self.plot.settled(at, &this.departure, came),
        }
    }
}

fn millis(duration: Duration) -> Ms {
    whole(duration.as_secs_f64() * 1000.0)
}

/// The name of a reason, as the gateway has it.
const fn name_of(reason: Reason) -> &'static str {
    match reason {
        Reason::TimerRunning => "timer_running",
        Reason::ManualHasPriority => "manual_has_priority",
        Reason::ManualRunning => "manual_running",
        Reason::NotRunning => "not_running",
    }
}
