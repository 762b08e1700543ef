//! Who asks for water: programs with sensors behind them, clocks, people, and those that do it badly.
//!
//! Pure: what is measured and when it is are arguments; what is to be sent leaves as calls. It never knows how a call
//! travels ([`super::call`]) nor whether a valve opened.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::call::{Ask, Call, Policy, WRONG};
use super::field::Site;
use super::pace::{DAY, FieldMs, HOUR, MINUTE, Pace, SECOND, whole};

mod careful;
mod careless;
mod kind;

use careful::{Bucket, Threshold};
use careless::{Flapper, Human};
pub use kind::Kind;

/// A reading older than this says nothing.
const STALE: FieldMs = 3 * HOUR;

/// What a controller can know at a moment.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub now: FieldMs,
    /// The last reading of the soil moisture that could be believed, m3/m3, and when it was taken.
    pub moisture: Option<(FieldMs, f64)>,
    /// By the rain gauge in the last 24 hours, mm.
    pub rain_24h_mm: f64,
    /// The rain of tomorrow, mm: what a forecast would say if it were never wrong.
    pub rain_tomorrow_mm: f64,
    /// ET0 of the day, by Hargreaves-Samani, mm.
    pub et0_mm: f64,
    /// Crop coefficient of the day.
    pub kc: f64,
    /// The next sunrise after now.
    pub sunrise: FieldMs,
}

impl View {
    fn fresh_moisture(&self) -> Option<f64> {
        self.moisture
            .filter(|(taken, _)| self.now - taken < STALE)
            .map(|(_, moisture)| moisture)
    }
}

/// Decides when it is woken, and says when it wants to be woken next.
#[derive(Debug)]
pub struct Controller {
    kind: Kind,
    next: FieldMs,
    mind: Mind,
    hand: Hand,
}

/// What a kind of controller remembers between two decisions.
#[derive(Debug)]
enum Mind {
    /// Whoever does the same each time.
    Simple,
    Threshold(Threshold),
    Bucket(Bucket),
    Human(Human),
    Flapper(Flapper),
    /// The number of the next nonsense.
    Bad(usize),
}

/// Writes calls.
#[derive(Debug)]
struct Hand {
    name: &'static str,
    site: Site,
    pace: Pace,
    random: ChaCha8Rng,
    /// Each decision has its own key.
    decisions: u64,
}

impl Controller {
    pub fn new(kind: Kind, site: Site, pace: Pace, random: ChaCha8Rng) -> Self {
        let mut hand = Hand {
            name: kind.name(),
            site,
            pace,
            random,
            decisions: 0,
        };
        let (mind, next) = match kind {
            Kind::Threshold { .. } => {
                let first = hand.random.random_range(0..careful::LOOK);
                (Mind::Threshold(Threshold::default()), first)
            }
            Kind::EtBucket { .. } | Kind::Hybrid { .. } => {
                let evening = next_time_of_day(0, careful::EVENING);
                (Mind::Bucket(Bucket::default()), evening)
            }
            Kind::Cron { at_h, .. } => (Mind::Simple, next_time_of_day(0, hours(at_h))),
            Kind::Impatient { every_h, .. } | Kind::Twin { every_h, .. } => {
                (Mind::Simple, hours(every_h))
            }
            Kind::Human { per_day, .. } => (Mind::Human(Human::default()), hand.pause(per_day)),
            Kind::Flapper {
                per_day, good_h, ..
            } => {
                let flapper = Flapper::new(hand.exponential(hours(good_h)), hand.pause(per_day));
                let next = flapper.next();
                (Mind::Flapper(flapper), next)
            }
            Kind::Chatty { .. } => (Mind::Simple, SECOND),
            Kind::Bad { per_day } => (Mind::Bad(0), hand.pause(per_day)),
        };
        Self {
            kind,
            next,
            mind,
            hand,
        }
    }

    /// The name in files and in `by`.
    pub const fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// When it wants to be woken.
    pub const fn next(&self) -> FieldMs {
        self.next
    }

    /// Takes a decision at [`Self::next`] or later, and appends what it wants to be sent.
    pub fn wake(&mut self, view: &View, calls: &mut Vec<Call>) {
        let (now, hand) = (self.next, &mut self.hand);
        self.next = match (self.kind, &mut self.mind) {
            (Kind::Cron { seconds, .. }, _) => {
                calls.push(hand.timer(seconds, Policy::PATIENT, true));
                now + DAY
            }
            (
                Kind::Impatient {
                    every_h,
                    seconds,
                    keys,
                },
                _,
            ) => {
                calls.push(hand.timer(seconds, Policy::IMPATIENT, keys));
                now + hours(every_h)
            }
            (
                Kind::Twin {
                    every_h,
                    seconds,
                    apart_ms,
                },
                _,
            ) => {
                calls.push(hand.timer(seconds, Policy::PATIENT, true));
                let mut second = hand.timer(seconds, Policy::PATIENT, true);
                second.after_ms = whole(hand.random.random_range(0.0..=apart_ms));
                calls.push(second);
                now + hours(every_h)
            }
            (Kind::Chatty { period_ms }, _) => {
                calls.push(hand.call(Ask::History, Policy::ONCE, false));
                now + whole(period_ms * hand.pace.speed).max(MINUTE)
            }
            (_, Mind::Threshold(mind)) => mind.look(&self.kind, view, hand, calls),
            (_, Mind::Bucket(mind)) => mind.tend(&self.kind, view, hand, calls),
            (_, Mind::Human(mind)) => mind.act(&self.kind, now, hand, calls),
            (_, Mind::Flapper(mind)) => mind.flap(&self.kind, now, hand, calls),
            (Kind::Bad { per_day }, Mind::Bad(number)) => {
                calls.push(hand.call(Ask::Wrong(*number), Policy::ONCE, false));
                *number = (*number + 1) % WRONG.len();
                now + hand.pause(per_day)
            }
            (_, Mind::Bad(_) | Mind::Simple) => FieldMs::MAX,
        };
    }
}

impl Hand {
    fn timer(&mut self, field_seconds: f64, policy: Policy, has_key: bool) -> Call {
        let seconds = self.pace.ask_seconds(field_seconds);
        self.call(Ask::Timer { seconds }, policy, has_key)
    }

    fn call(&mut self, ask: Ask, policy: Policy, has_key: bool) -> Call {
        self.decisions += 1;
        let key = has_key.then(|| {
            let nonce: u64 = self.random.random();
            format!("{}-{}-{nonce:016x}", self.name, self.decisions)
        });
        Call {
            ask,
            key,
            policy,
            after_ms: 0,
        }
    }

    /// Until something that happens so often a day happens next.
    fn pause(&mut self, per_day: f64) -> FieldMs {
        self.exponential(whole(DAY as f64 / per_day))
    }

    fn exponential(&mut self, mean: FieldMs) -> FieldMs {
        let mean = mean as f64;
        let drawn = Exp::new(1.0 / mean).map_or(mean, |law| law.sample(&mut self.random));
        whole(drawn).max(SECOND)
    }

    /// The moisture at which a share of the available water is gone, m3/m3.
    const fn moisture_at(&self, depletion: f64) -> f64 {
        let soil = &self.site.soil;
        soil.theta_fc - depletion * (soil.theta_fc - soil.theta_wp)
    }
}

/// The next time after `now` at which the field's clock shows `time_of_day`.
const fn next_time_of_day(now: FieldMs, time_of_day: FieldMs) -> FieldMs {
    let today = now.div_euclid(DAY) * DAY + time_of_day;
    if today > now { today } else { today + DAY }
}

fn hours(hours: f64) -> FieldMs {
    whole(hours * HOUR as f64)
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;
