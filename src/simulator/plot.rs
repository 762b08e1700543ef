//! One system from end to end: its field under the weather, the sensors in it, the controllers that read them, the valve.
//!
//! Pure: a runner tells it what time it is and what the gateway says, and carries its calls. Never knows whether the
//! gateway is near, far, or only a stand-in.

use serde_json::{Value, json};

use super::actuator::{Actuator, Heard, Moved};
use super::books::Books;
use super::call::{Call, Settled};
use super::chance;
use super::controller::{Controller, View};
use super::day::DAY_MIN;
use super::field::{Field, Minute};
use super::pace::{DAY, FieldMs, MINUTE, Ms, Pace};
use super::scenario::{Scenario, System};
use super::season::{Opening, Sample, SystemSeason};
use super::senses::{Measured, Senses};
use super::sensor::Faults;
use super::sky::Sky;

const MINUTES_PER_HOUR: i64 = 60;
const MINUTES_PER_DAY: i64 = DAY_MIN as i64;

/// A decision of a controller, on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The number of the controller.
    pub controller: usize,
    pub call: Call,
}

/// What a system leaves behind.
#[derive(Debug)]
pub struct Harvest {
    pub season: SystemSeason,
    /// What happened, and when, in the order in which it was noticed; empty when nothing was to be written down.
    pub trace: Vec<(Ms, Value)>,
    /// What must never happen to water, and did.
    pub violations: Vec<String>,
}

/// A run of the gateway.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: Ms,
    until: Option<Ms>,
}

#[derive(Debug)]
pub struct Plot {
    pace: Pace,
    sky: Sky,
    field: Field,
    books: Books,
    senses: Senses,
    actuator: Actuator,
    controllers: Vec<Controller>,
    /// Minutes of the field that have passed.
    minutes: i64,
    /// Up to here the water was counted.
    flowed: FieldMs,
    /// Open time in the minute that is not over, times the share of the flow, in milliseconds of the field.
    open_ms: f64,
    opened_at: Option<Ms>,
    run: Option<Run>,
    /// When the last run ended.
    ended_at: Ms,
    /// Since the last sample.
    irrigation_mm: f64,
    rain_mm: f64,
    season: SystemSeason,
    trace: Option<Vec<(Ms, Value)>>,
    violations: Vec<String>,
}

impl Plot {
    /// `trace`: whether everything that happens is written down.
    pub fn new(scenario: &Scenario, system: &System, trace: bool) -> Self {
        let (seed, pace, id) = (scenario.seed, scenario.pace(), system.id.as_str());
        let raw_mm = system.site.taw_mm() * system.site.crop.p_table;
        let mut field = Field::new(system.site, system.dryness * raw_mm);
        let sky = Sky::new(scenario.climate.clone(), seed, scenario.first_day());
        field.start_day(sky.today.et0.mm());
        let faults = if system.sensor_faults {
            Faults::USUAL
        } else {
            Faults::NONE
        };
        let controllers = system.controllers.iter().enumerate().map(|(number, kind)| {
            let random = chance::stream(seed, &format!("controller/{id}/{number}"));
            Controller::new(*kind, system.site, pace, random)
        });
        let random = chance::stream(seed, &format!("actuator/{id}"));
        Self {
            pace,
            sky,
            books: Books::open(&field),
            senses: Senses::new(
                &system.site,
                system.calibration,
                faults,
                (seed, id),
                field.theta(),
            ),
            field,
            actuator: Actuator::new(system.actuator, scenario.lease_ms, pace, random),
            controllers: controllers.collect(),
            minutes: 0,
            flowed: 0,
            open_ms: 0.0,
            opened_at: None,
            run: None,
            ended_at: 0,
            irrigation_mm: 0.0,
            rain_mm: 0.0,
            season: SystemSeason {
                id: id.to_owned(),
                name: system.name.clone(),
                field: system.field.clone(),
                actuator: system.actuator.name().to_owned(),
                controllers: system
                    .controllers
                    .iter()
                    .map(|kind| kind.name().to_owned())
                    .collect(),
                ..SystemSeason::default()
            },
            trace: trace.then(Vec::new),
            violations: Vec::new(),
        }
    }

    pub const fn actuator(&self) -> &Actuator {
        &self.actuator
    }

    pub fn controller_name(&self, controller: usize) -> &'static str {
        self.controllers[controller].name()
    }

    /// Days of the field that have passed.
    pub fn days(&self) -> f64 {
        self.flowed as f64 / DAY as f64
    }

    /// When something happens here by itself.
    pub fn next(&self) -> Option<Ms> {
        let decisions = self
            .controllers
            .iter()
            .map(|each| self.pace.gateway(each.next()));
        decisions.chain(self.actuator.next()).min()
    }

    /// Lets everything happen that is due until `at`, and appends what is to be sent.
    pub fn advance(&mut self, at: Ms, departures: &mut Vec<Departure>) {
        while let Some(due) = self.actuator.next().filter(|next| *next <= at) {
            self.flow_until(due);
            let moved = self.actuator.advance(due);
            self.moved(moved);
        }
        self.flow_until(at);
        let now = self.pace.field(at);
        let mut calls = Vec::new();
        for number in 0..self.controllers.len() {
            while self.controllers[number].next() <= now {
                let view = self.view();
                self.controllers[number].wake(&view, &mut calls);
                for call in calls.drain(..) {
                    self.departs(at, number, &call);
                    departures.push(Departure {
                        controller: number,
                        call,
                    });
                }
            }
        }
    }

    /// The gateway has a run, or none. Whoever watches the gateway knows it, even while the actuator hears nothing.
    pub fn run_is(&mut self, at: Ms, heard: Heard) {
        let until = heard.remaining_ms.map(|left| at + left);
        // Its end was not heard, and this is another.
        if self
            .run
            .and_then(|run| run.until)
            .is_some_and(|until| until <= at)
        {
            self.run_ends(at);
        }
        if heard.is_running {
            let from = self.run.map_or(at, |run| run.from);
            self.run = Some(Run { from, until });
        } else {
            self.run_ends(at);
        }
        self.note(at, || json!({"event": "state", "running": heard.is_running, "remaining_ms": heard.remaining_ms}));
    }

    /// Whatever runs is over, although nobody may know it yet.
    pub fn run_ends(&mut self, at: Ms) {
        if let Some(run) = self.run.take() {
            self.ended_at = run.until.map_or(at, |until| until.min(at));
            self.season.tally.asked_l += self.litres(self.ended_at - run.from);
        }
    }

    /// The actuator hears the gateway.
    pub fn hear(&mut self, at: Ms, heard: Heard) {
        self.flow_until(at);
        let moved = self.actuator.hear(at, heard);
        self.moved(moved);
    }

    /// The actuator has heard nothing since `since`, which is noticed at `at`.
    pub fn silence(&mut self, since: Ms, at: Ms) {
        self.flow_until(at);
        let moved = self.actuator.silence(since, at);
        self.moved(moved);
    }

    /// A try beyond the first of the same decision.
    pub const fn repeated(&mut self) {
        self.season.tally.repeated += 1;
    }

    /// A try was answered from memory.
    pub const fn absorbed(&mut self) {
        self.season.tally.absorbed += 1;
    }

    /// What came of a decision.
    pub fn settled(&mut self, at: Ms, departure: &Departure, settled: &Settled) {
        let tally = &mut self.season.tally;
        match settled {
            Settled::Changed => tally.changed += 1,
            Settled::Unchanged(_) => tally.unchanged += 1,
            Settled::Read => {}
            Settled::Refused { .. } => tally.refused += 1,
            Settled::NoAnswer => tally.unanswered += 1,
        }
        tally.wrong_answers += u64::from(!settled.is_sound(departure.call.ask));
        let by = self.controller_name(departure.controller);
        self.note(at, || json!({"event": "settled", "by": by, "ask": departure.call.ask.told(), "answer": settled.told()}));
    }

    /// Writes down something that happened.
    pub fn note(&mut self, at: Ms, event: impl FnOnce() -> Value) {
        if let Some(trace) = &mut self.trace {
            trace.push((at, event()));
        }
    }

    /// The end.
    pub fn finish(mut self, at: Ms) -> Harvest {
        self.flow_until(at);
        self.close_opening(at);
        self.run_ends(at);
        let wrong = self.season.tally.wrong_answers;
        if wrong > 0 {
            self.violations.push(format!(
                "{wrong} answers that a sound gateway does not give"
            ));
        }
        Harvest {
            season: self.season,
            trace: self.trace.unwrap_or_default(),
            violations: self.violations,
        }
    }

    fn departs(&mut self, at: Ms, controller: usize, call: &Call) {
        self.season.tally.commands += 1;
        let by = self.controller_name(controller);
        self.note(
            at,
            || json!({"event": "asks", "by": by, "ask": call.ask.told(), "key": call.key}),
        );
    }

    fn moved(&mut self, moved: Option<Moved>) {
        let Some(Moved { at, is_open }) = moved else {
            return;
        };
        if is_open {
            self.opened_at = Some(at);
        } else {
            self.close_opening(at);
        }
        self.note(at, || json!({"event": "valve", "open": is_open}));
    }

    fn close_opening(&mut self, at: Ms) {
        let Some(from) = self.opened_at.take() else {
            return;
        };
        let was_to_close = match self.run {
            Some(run) => run.until.unwrap_or(at),
            None => self.ended_at,
        };
        let over_ms = at - was_to_close.max(from);
        let worst = &mut self.season.tally.worst_over_run_s;
        *worst = worst.max(over_ms as f64 / 1000.0);
        let day = |at: Ms| self.pace.field(at) as f64 / DAY as f64;
        let opening = Opening {
            from: day(from),
            to: day(at),
        };
        self.season.openings.push(opening);
    }

    fn litres(&self, open: Ms) -> f64 {
        let seconds = open as f64 * self.pace.speed / 1000.0;
        self.field.site().irrigation.litres(seconds)
    }

    /// Time passes in the field, minute by minute; the valve stays as it is.
    fn flow_until(&mut self, at: Ms) {
        let now = self.pace.field(at);
        while (self.minutes + 1) * MINUTE <= now {
            let end = (self.minutes + 1) * MINUTE;
            self.open_ms += (end - self.flowed) as f64 * self.actuator.flow();
            self.flowed = end;
            self.minute_passes();
        }
        self.open_ms += (now - self.flowed).max(0) as f64 * self.actuator.flow();
        self.flowed = self.flowed.max(now);
    }

    fn minute_passes(&mut self) {
        let open_s = std::mem::take(&mut self.open_ms) / 1000.0;
        let hardware = self.field.site().irrigation;
        let minute_of_day = u16::try_from(self.minutes % MINUTES_PER_DAY).unwrap_or(0);
        let minute = self.sky.minute(minute_of_day);
        let measured = Measured {
            theta: self.field.theta(),
            rain_mm: minute.rain_mm,
            litres: hardware.litres(open_s),
        };
        let number = self.minutes.unsigned_abs();
        self.senses.minute_passes(number, measured, &self.sky.air());
        let fluxes = self.field.step(&Minute {
            gross_irrigation_mm: hardware.gross_mm(open_s),
            ..minute
        });
        self.books.add(fluxes);
        self.season.tally.delivered_l += measured.litres;
        self.season.tally.percolation_mm += fluxes.deep_percolation_mm;
        self.irrigation_mm += fluxes.irrigation_mm;
        self.rain_mm += fluxes.rain_mm;
        self.minutes += 1;
        if self.minutes % MINUTES_PER_HOUR == 0 {
            self.sample();
        }
        if self.minutes % MINUTES_PER_DAY == 0 {
            self.day_ends();
        }
    }

    fn sample(&mut self) {
        let sample = Sample {
            day: self.minutes as f64 / MINUTES_PER_DAY as f64,
            depletion_mm: self.field.dr_mm(),
            raw_mm: self.field.raw_mm(),
            taw_mm: self.field.taw_mm(),
            moisture: self.field.theta(),
            measured: self.senses.moisture().map(|(_, moisture)| moisture),
            rain_mm: std::mem::take(&mut self.rain_mm),
            irrigation_mm: std::mem::take(&mut self.irrigation_mm),
        };
        self.season.samples.push(sample);
    }

    fn day_ends(&mut self) {
        let is_stressed = self.field.dr_mm() > self.field.raw_mm();
        self.season.tally.stress_days += u32::from(is_stressed);
        let day = self.minutes / MINUTES_PER_DAY;
        let wrong = self.books.close(&self.field);
        self.violations
            .extend(wrong.map(|what| format!("day {day}: {what}")));
        let at = self.pace.gateway(self.minutes * MINUTE);
        let (depletion_mm, moisture) = (self.field.dr_mm(), self.field.theta());
        let (rain_mm, et0_mm) = (self.sky.today.rain_mm, self.sky.today.et0.mm());
        let flow_pulses = self.senses.day_ends();
        self.note(at, || {
            json!({
                "event": "day", "day": day, "rain_mm": rain_mm, "et0_mm": et0_mm,
                "depletion_mm": depletion_mm, "moisture": moisture, "flow_pulses": flow_pulses,
            })
        });
        self.sky.next_day();
        self.field.start_day(self.sky.today.et0.mm());
    }

    fn view(&self) -> View {
        View {
            now: self.flowed,
            moisture: self.senses.moisture(),
            rain_24h_mm: self.senses.rain_24h_mm(),
            rain_tomorrow_mm: self.sky.rain_tomorrow_mm(),
            et0_mm: self.sky.hargreaves_mm(),
            kc: self.field.kc(),
            sunrise: self.sky.next_sunrise(self.flowed),
        }
    }
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
