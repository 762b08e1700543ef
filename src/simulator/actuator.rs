//! A valve and what moves it: follows the state that the gateway tells, keeps the deadline and the lease on its own clock,
//! and can be as bad as real ones are.
//!
//! Pure: what it hears and when it is are arguments. It never asks anybody for water.

use std::ops::RangeInclusive;

use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp};
use serde::Deserialize;

use super::number::{Number, number};
use super::pace::{Ms, Pace, whole};

/// How seldom and how often something may go wrong with an actuator, in days of the field.
const EVERY_DAYS: RangeInclusive<f64> = 0.001..=10_000.0;

/// How long an actuator that was switched off takes until it listens again, in milliseconds of the gateway.
const BOOT_MS: Ms = 3000;

/// What is wrong with an actuator. Times are seconds of the gateway, as a real valve has them; how often something goes
/// wrong is in simulated days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    #[default]
    Perfect,
    /// A motor that takes its time, both ways.
    Slow { motor_s: f64 },
    /// Hears nothing for a while, now and then.
    Deaf { every_days: f64, for_s: f64 },
    /// Loses power now and then, and comes back as it was built: open or closed.
    Rebooting {
        every_days: f64,
        comes_back_open: bool,
    },
    /// Lets a share of the flow through when it is closed.
    Leaky { share: f64 },
    /// Lets only a share of the flow through when it is open.
    Clogged { share: f64 },
    /// Computes its deadline from the wall time that it is told and from its own clock, which is off.
    WrongClock { off_s: f64 },
    /// Goes on for ever when it hears nothing.
    IgnoresLease,
}

impl Kind {
    /// Its numbers, for who checks them.
    pub fn numbers(&self) -> Vec<Number> {
        match *self {
            Self::Perfect | Self::IgnoresLease => vec![],
            Self::Slow { motor_s } => vec![number("motor_s", motor_s, 0.001..=600.0)],
            Self::Deaf { every_days, for_s } => vec![
                number("every_days", every_days, EVERY_DAYS),
                number("for_s", for_s, 1.0..=86_400.0),
            ],
            Self::Rebooting { every_days, .. } => {
                vec![number("every_days", every_days, EVERY_DAYS)]
            }
            Self::Leaky { share } | Self::Clogged { share } => {
                vec![number("share", share, 0.0..=1.0)]
            }
            Self::WrongClock { off_s } => vec![number("off_s", off_s, -86_400.0..=86_400.0)],
        }
    }

    /// The name in files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Perfect => "perfect",
            Self::Slow { .. } => "slow",
            Self::Deaf { .. } => "deaf",
            Self::Rebooting { .. } => "rebooting",
            Self::Leaky { .. } => "leaky",
            Self::Clogged { .. } => "clogged",
            Self::WrongClock { .. } => "wrong-clock",
            Self::IgnoresLease => "ignores-lease",
        }
    }

    /// True for those that keep the rules of docs/protocol.md.
    pub const fn keeps_the_rules(&self) -> bool {
        match *self {
            Self::IgnoresLease => false,
            Self::WrongClock { off_s } => off_s <= 0.0,
            Self::Rebooting {
                comes_back_open, ..
            } => !comes_back_open,
            _ => true,
        }
    }

    /// How long a valve of this kind turns, in milliseconds of the gateway.
    pub fn motor_ms(&self) -> Ms {
        match *self {
            Self::Slow { motor_s } => millis(motor_s),
            _ => 0,
        }
    }
}

/// What the gateway says of the system: its mode is `wait` or not, and what remains of the run, if it has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub is_running: bool,
    pub remaining_ms: Option<Ms>,
}

/// The valve moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub at: Ms,
    pub is_open: bool,
}

#[derive(Debug)]
pub struct Actuator {
    kind: Kind,
    lease_ms: Ms,
    pace: Pace,
    random: ChaCha8Rng,
    /// What was heard last, and until when a run lasts on this actuator's own clock. None: nothing since it came up.
    known: Option<(Heard, Option<Ms>)>,
    /// Since when nothing has been heard; none while the feed lives.
    silent_since: Option<Ms>,
    /// Nothing is heard before.
    deaf_until: Ms,
    next_fault: Option<Ms>,
    is_open: bool,
    /// Where the motor is going, and when it will be there.
    moving: Option<Moved>,
}

impl Actuator {
    pub fn new(kind: Kind, lease_ms: Ms, pace: Pace, mut random: ChaCha8Rng) -> Self {
        let every_days = match kind {
            Kind::Deaf { every_days, .. } | Kind::Rebooting { every_days, .. } => Some(every_days),
            _ => None,
        };
        let next_fault = every_days.map(|days| waiting(pace, days, &mut random));
        Self {
            kind,
            lease_ms,
            pace,
            random,
            known: None,
            silent_since: Some(0),
            deaf_until: 0,
            next_fault,
            is_open: false,
            moving: None,
        }
    }

    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// The share of the nominal flow that gets through now.
    pub const fn flow(&self) -> f64 {
        match (self.kind, self.is_open) {
            (Kind::Leaky { share }, false) | (Kind::Clogged { share }, true) => share,
            (_, true) => 1.0,
            (_, false) => 0.0,
        }
    }

    /// When this actuator will next do something by itself.
    pub fn next(&self) -> Option<Ms> {
        let until = self.known.and_then(|(_, until)| until);
        let lease = self.lease_end();
        let motor = self.moving.map(|moved| moved.at);
        // What has already taken effect does not come again.
        let wishes = [until, lease]
            .into_iter()
            .flatten()
            .filter(|_| self.wishes_open());
        wishes.chain(motor).chain(self.next_fault).min()
    }

    /// Before this it hears nothing; long ago, where it listens.
    pub const fn deaf_until(&self) -> Ms {
        self.deaf_until
    }

    /// The gateway was heard. While the feed lives, it need not be told every second.
    pub fn hear(&mut self, at: Ms, heard: Heard) -> Option<Moved> {
        if at < self.deaf_until {
            return None;
        }
        let off = match self.kind {
            Kind::WrongClock { off_s } => millis(off_s),
            _ => 0,
        };
        self.known = Some((heard, heard.remaining_ms.map(|left| at + left + off)));
        self.silent_since = None;
        self.turn(at)
    }

    /// The feed has been silent since `since`, which is noticed at `at`.
    pub fn silence(&mut self, since: Ms, at: Ms) -> Option<Moved> {
        if self.silent_since.is_none() {
            self.silent_since = Some(since);
        }
        self.turn(at)
    }

    /// Does what is due at `at`, which is not later than [`Self::next`].
    pub fn advance(&mut self, at: Ms) -> Option<Moved> {
        if let Some(moved) = self.moving.filter(|moved| moved.at <= at) {
            self.moving = None;
            self.is_open = moved.is_open;
            return Some(moved);
        }
        if self.next_fault.is_some_and(|fault| fault <= at) {
            return self.fail(at);
        }
        self.turn(at)
    }

    fn fail(&mut self, at: Ms) -> Option<Moved> {
        let (every_days, moved) = match self.kind {
            Kind::Deaf { every_days, for_s } => {
                self.silent_since = self.silent_since.or(Some(at));
                self.deaf_until = at + millis(for_s);
                (every_days, self.turn(at))
            }
            Kind::Rebooting {
                every_days,
                comes_back_open,
            } => {
                self.silent_since = Some(at);
                self.deaf_until = at + BOOT_MS;
                self.known = None;
                let was_open = std::mem::replace(&mut self.is_open, comes_back_open);
                let moved = Moved {
                    at,
                    is_open: comes_back_open,
                };
                (every_days, (was_open != comes_back_open).then_some(moved))
            }
            _ => return None,
        };
        let pause = waiting(self.pace, every_days, &mut self.random);
        self.next_fault = Some(at + pause);
        moved
    }

    fn lease_end(&self) -> Option<Ms> {
        let ignores = self.kind == Kind::IgnoresLease;
        self.silent_since
            .filter(|_| !ignores)
            .map(|since| since + self.lease_ms)
    }

    /// True where the valve is open, or on its way there.
    fn wishes_open(&self) -> bool {
        self.moving.map_or(self.is_open, |moved| moved.is_open)
    }

    fn should_be_open(&self, at: Ms) -> bool {
        let Some((heard, until)) = self.known else {
            // One that comes back open stays so until it hears or its lease ends.
            return self.is_open && self.lease_end().is_none_or(|end| at < end);
        };
        heard.is_running
            && until.is_none_or(|until| at < until)
            && self.lease_end().is_none_or(|end| at < end)
    }

    /// Moves the valve where it should be, at once or with the motor.
    fn turn(&mut self, at: Ms) -> Option<Moved> {
        let is_open = self.should_be_open(at);
        if is_open == self.wishes_open() {
            return None;
        }
        let motor_ms = self.kind.motor_ms();
        let moved = Moved {
            at: at + motor_ms,
            is_open,
        };
        if motor_ms > 0 {
            // A motor that turns round before it has arrived is back where it was.
            self.moving = (is_open != self.is_open).then_some(moved);
            return None;
        }
        self.is_open = is_open;
        Some(moved)
    }
}

/// Until something that happens every so many days of the field happens next, in milliseconds of the gateway.
fn waiting(pace: Pace, mean_days: f64, random: &mut ChaCha8Rng) -> Ms {
    let days = Exp::new(1.0 / mean_days).map_or(mean_days, |law| law.sample(random));
    pace.days(days).max(1)
}

fn millis(seconds: f64) -> Ms {
    whole(seconds * 1000.0)
}

#[cfg(test)]
#[path = "actuator_tests.rs"]
mod tests;
