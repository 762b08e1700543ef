//! A soil moisture sensor: what of the water content of a root zone a controller gets to see.
//!
//! It follows the soil late, is a little wrong in a way of its own, wanders, warms up, rounds, breaks down now and then,
//! and not all that it sends arrives. The sizes of these are within what makers and field studies say of sensors as
//! TEROS 12. What is true of a reading, beside the number, stands with it, and is not for controllers.

use std::f64::consts::PI;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

use super::chance;
use super::radio::{Link, Radio};

/// A sensor wakes this often, min, and then waits up to [`JITTER_S`], so that not all send at once.
pub const PERIOD_MIN: u64 = 15;
pub const JITTER_S: f64 = 10.0;
/// Greatest water content that it can measure, and the least difference, m3/m3.
pub const RANGE: f64 = 0.70;
pub const RESOLUTION: f64 = 0.001;

/// Standard deviations: of the gain, the noise of a reading and the drift, m3/m3.
const GAIN_SD: f64 = 0.05;
const NOISE_SD: f64 = 0.0025;
const DRIFT_SD: f64 = 0.004;
/// After this time a drift has forgotten all but one part in e, min.
const DRIFT_MIN: f64 = 10.0 * DAY_MIN;
/// What a sensor shows more for a soil that is warmer than [`NEUTRAL_C`], m3/m3/C: mean and standard deviation.
const WARMTH_MEAN: f64 = -0.0015;
const WARMTH_SD: f64 = 0.0007;
const NEUTRAL_C: f64 = 20.0;
/// Depth at which the daily wave of the temperature has one part in e left, m.
const DAMPING_M: f64 = 0.12;
/// Share of the wave of the air that the surface of the soil takes part in.
const SURFACE_SHARE: f64 = 0.5;
/// When the wave of the surface goes through its mean upwards: six hours before it is warmest, min.
const WAVE_START_MIN: f64 = 480.0;
/// A spike is so high, either way, m3/m3.
const SPIKE: std::ops::RangeInclusive<f64> = 0.1..=0.3;
/// How long a sensor is stuck or its cable broken, min: six hours to three days.
const OUTAGE_MIN: std::ops::RangeInclusive<f64> = 360.0..=4320.0;
const DAY_MIN: f64 = 1440.0;

/// Whether a sensor was calibrated for its soil.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    /// As it comes from the factory: off by 0.03 m3/m3 (standard deviation).
    Factory,
    /// For its soil: off by 0.012 m3/m3.
    Soil,
}

impl Calibration {
    const fn bias_sd(self) -> f64 {
        match self {
            Self::Factory => 0.03,
            Self::Soil => 0.012,
        }
    }
}

/// How often a sensor fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Probability that a reading is a spike.
    pub spike: f64,
    /// Mean time until it is stuck at a number, d.
    pub stuck_days: f64,
    /// Mean time until its cable breaks, d: then it shows 0 or nothing.
    pub cable_days: f64,
    pub radio: Radio,
}

impl Faults {
    pub const USUAL: Self = Self {
        spike: 1e-4,
        stuck_days: 60.0,
        cable_days: 120.0,
        radio: Radio::MAST,
    };
    pub const NONE: Self = Self {
        spike: 0.0,
        stuck_days: f64::INFINITY,
        cable_days: f64::INFINITY,
        radio: Radio::PERFECT,
    };
}

/// How a sensor is built and where it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    pub calibration: Calibration,
    pub depth_m: f64,
    /// In this time it has followed the soil, but for one part in e, min: 5 to 30.
    pub response_min: f64,
    pub faults: Faults,
}

/// Temperatures of the air on a day, C.
#[derive(Clone, Copy, Debug)]
pub struct Air {
    pub tmax_c: f64,
    pub tmin_c: f64,
}

impl Air {
    /// Temperature of the soil at a depth in m and a minute of the day, C: a wave around the mean of the day that gets
    /// smaller and later with the depth.
    pub fn soil_c(&self, depth_m: f64, minute_of_day: f64) -> f64 {
        let mean = f64::midpoint(self.tmax_c, self.tmin_c);
        let depth = depth_m / DAMPING_M;
        let wave = SURFACE_SHARE * (self.tmax_c - self.tmin_c) / 2.0 * (-depth).exp();
        let phase = 2.0 * PI * (minute_of_day - WAVE_START_MIN) / DAY_MIN - depth;
        mean + wave * phase.sin()
    }
}

/// What is true of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Sound,
    Spike,
    /// It repeats an earlier number.
    Stuck,
    /// Its cable is broken: 0.
    Zero,
    /// Its cable is broken: not a number.
    Nothing,
}

/// What a sensor sends.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// When, s since the simulation began.
    pub at_s: f64,
    /// Water content, m3/m3. May be NaN.
    pub theta: f64,
    pub condition: Condition,
    /// Whether it arrives.
    pub delivered: bool,
}

/// A soil moisture sensor.
#[derive(Debug)]
pub struct SoilMoistureSensor {
    probe: Probe,
    character: Character,
    /// Share of the way to the soil's water content that it goes in a minute.
    follows: f64,
    /// Water content that the sensor has followed to, m3/m3.
    followed: f64,
    drift: f64,
    /// The last number that it measured.
    last: f64,
    /// What it suffers from, and until when, min.
    outage: Option<(Condition, f64)>,
    link: Link,
    chance: Chance,
}

/// What makes a sensor differ from others of its kind, and does not change.
#[derive(Clone, Copy, Debug)]
struct Character {
    gain: f64,
    bias: f64,
    warmth: f64,
}

/// Streams of random numbers: its faults do not change what a sensor measures.
#[derive(Debug)]
struct Chance {
    noise: ChaCha8Rng,
    faults: ChaCha8Rng,
}

impl SoilMoistureSensor {
    /// A sensor of that name, in a soil with the water content theta in m3/m3.
    pub fn new(probe: Probe, seed: u64, name: &str, theta: f64) -> Self {
        let mut made = chance::stream(seed, &format!("sensor/{name}/made"));
        let character = Character {
            gain: 1.0 + GAIN_SD * normal(&mut made),
            bias: probe.calibration.bias_sd() * normal(&mut made),
            warmth: WARMTH_MEAN + WARMTH_SD * normal(&mut made),
        };
        let radio = chance::stream(seed, &format!("sensor/{name}/radio"));
        Self {
            probe,
            character,
            follows: share_of(1.0, probe.response_min),
            followed: theta,
            drift: DRIFT_SD * normal(&mut made),
            last: theta,
            outage: None,
            link: Link::new(probe.faults.radio, radio),
            chance: Chance {
                noise: chance::stream(seed, &format!("sensor/{name}/noise")),
                faults: chance::stream(seed, &format!("sensor/{name}/faults")),
            },
        }
    }

    /// A minute of the simulation passes, counted from 0, at the beginning of which the soil has the water content theta in
    /// m3/m3: a reading every [`PERIOD_MIN`].
    pub fn step(&mut self, now_min: u64, theta: f64, air: &Air) -> Option<Reading> {
        self.followed += (theta - self.followed) * self.follows;
        if !now_min.is_multiple_of(PERIOD_MIN) {
            return None;
        }
        let now = now_min as f64;
        let jitter_s = self.chance.noise.random_range(0.0..JITTER_S);
        let measured = self.measure(now, air);
        let (theta, condition) = self.suffer(now, measured);
        Some(Reading {
            at_s: now * 60.0 + jitter_s,
            theta,
            condition,
            delivered: self.link.delivers(now),
        })
    }

    /// What a sensor shows that is whole.
    fn measure(&mut self, now_min: f64, air: &Air) -> f64 {
        let noise = &mut self.chance.noise;
        let kept = (-(PERIOD_MIN as f64) / DRIFT_MIN).exp();
        self.drift = kept * self.drift + DRIFT_SD * (1.0 - kept * kept).sqrt() * normal(noise);
        let Character { gain, bias, warmth } = self.character;
        let soil_c = air.soil_c(self.probe.depth_m, now_min % DAY_MIN);
        let shown = gain * self.followed + bias + warmth * (soil_c - NEUTRAL_C) + self.drift;
        rounded(shown + NOISE_SD * normal(noise))
    }

    /// What it shows instead, if it is not.
    fn suffer(&mut self, now_min: f64, measured: f64) -> (f64, Condition) {
        self.outage = self.outage.filter(|(_, until)| now_min < *until);
        let spikes = self.chance.faults.random::<f64>() < self.probe.faults.spike;
        if self.outage.is_none() {
            self.outage = self.fail(now_min);
        }
        match self.outage {
            Some((Condition::Zero, _)) => return (0.0, Condition::Zero),
            Some((Condition::Nothing, _)) => return (f64::NAN, Condition::Nothing),
            Some(_) => return (self.last, Condition::Stuck),
            None => self.last = measured,
        }
        if spikes {
            let height = self.chance.faults.random_range(SPIKE);
            let sign = if self.chance.faults.random::<bool>() {
                1.0
            } else {
                -1.0
            };
            return (rounded(measured + sign * height), Condition::Spike);
        }
        (measured, Condition::Sound)
    }

    /// Whether it breaks down since the last reading.
    fn fail(&mut self, now_min: f64) -> Option<(Condition, f64)> {
        let chance = &mut self.chance.faults;
        let faults = &self.probe.faults;
        let period = PERIOD_MIN as f64;
        let cable = chance.random::<f64>() < share_of(period, faults.cable_days * DAY_MIN);
        let stuck = chance.random::<f64>() < share_of(period, faults.stuck_days * DAY_MIN);
        let condition = match (cable, stuck) {
            (true, _) if chance.random::<bool>() => Condition::Zero,
            (true, _) => Condition::Nothing,
            (false, true) => Condition::Stuck,
            (false, false) => return None,
        };
        Some((condition, now_min + chance.random_range(OUTAGE_MIN)))
    }
}

/// How much of the way is gone in a time that is this long, where all but one part in e is gone in `whole`.
fn share_of(time: f64, whole: f64) -> f64 {
    1.0 - (-time / whole).exp()
}

/// Within the range of a sensor, and in steps of its resolution.
fn rounded(theta: f64) -> f64 {
    ((theta / RESOLUTION).round() * RESOLUTION).clamp(0.0, RANGE)
}

fn normal(chance: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(chance)
}

#[cfg(test)]
#[path = "sensor_tests.rs"]
mod tests;
