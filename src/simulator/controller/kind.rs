//! The kinds of controllers, as a scenario names them, with their numbers.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::simulator::number::{Number, number};

/// How often somebody may want something in a day.
const PER_DAY: RangeInclusive<f64> = 0.001..=1000.0;
/// The length of a run, in seconds of the field.
const RUN_S: RangeInclusive<f64> = 1.0..=86_400.0;
const SHARE: RangeInclusive<f64> = 0.0..=1.0;
const HOURS: RangeInclusive<f64> = 0.01..=1000.0;

/// A kind of controller. Times are those of the field where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kind {
    /// Waters below a moisture, in pulses with pauses, until it is above it again.
    Threshold {
        /// Management allowed depletion, share of the available water.
        #[serde(default = "mad")]
        mad: f64,
        /// So much more moisture than where it began ends it, m3/m3.
        #[serde(default = "hysteresis")]
        hysteresis: f64,
        #[serde(default = "pulse")]
        pulse_s: f64,
        #[serde(default = "soak")]
        soak_s: f64,
        /// No more pulses that day.
        #[serde(default = "a_day")]
        max_s_per_day: f64,
    },
    /// Gives back before sunrise what evaporated (Hargreaves-Samani).
    EtBucket {
        #[serde(default = "longest")]
        max_s: f64,
        /// How often it forgets that it has watered.
        #[serde(default)]
        forgets: f64,
    },
    /// The same, unless the soil is wet or it has rained.
    Hybrid {
        #[serde(default = "longest")]
        max_s: f64,
        /// Less depletion than this share of the available water is wet.
        #[serde(default = "wet")]
        mad: f64,
        /// So much rain in 24 h is enough.
        #[serde(default = "veto")]
        rain_veto_mm: f64,
    },
    /// Every day at the same time for as long, whatever the weather.
    Cron { at_h: f64, seconds: f64 },
    /// Opens by hand, taps twice now and then, forgets to close.
    Human {
        per_day: f64,
        minutes: f64,
        #[serde(default)]
        forgets: f64,
    },
    /// Waits 300 ms for an answer and sends again three times at once.
    Impatient {
        every_h: f64,
        seconds: f64,
        /// Whether it has heard of `Idempotency-Key`.
        #[serde(default)]
        keys: bool,
    },
    /// Is offline now and then, and sends all that it wanted when it comes back.
    Flapper {
        per_day: f64,
        seconds: f64,
        good_h: f64,
        bad_h: f64,
    },
    /// Two of the same, a moment apart, in milliseconds of the gateway.
    Twin {
        every_h: f64,
        seconds: f64,
        apart_ms: f64,
    },
    /// Reads the history all the time. In milliseconds of the gateway.
    Chatty { period_ms: f64 },
    /// Sends what nobody can mean.
    Bad { per_day: f64 },
}

const fn mad() -> f64 {
    0.4
}
const fn hysteresis() -> f64 {
    0.02
}
const fn pulse() -> f64 {
    600.0
}
const fn soak() -> f64 {
    1800.0
}
const fn a_day() -> f64 {
    5400.0
}
const fn longest() -> f64 {
    14_400.0
}
const fn wet() -> f64 {
    0.1
}
const fn veto() -> f64 {
    5.0
}

impl Kind {
    /// The name in files and in `by`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Threshold { .. } => "threshold",
            Self::EtBucket { .. } => "et-bucket",
            Self::Hybrid { .. } => "hybrid",
            Self::Cron { .. } => "cron",
            Self::Human { .. } => "human",
            Self::Impatient { .. } => "impatient",
            Self::Flapper { .. } => "flapper",
            Self::Twin { .. } => "twin",
            Self::Chatty { .. } => "chatty",
            Self::Bad { .. } => "bad",
        }
    }

    /// Its numbers, for who checks them.
    pub fn numbers(&self) -> Vec<Number> {
        match *self {
            Self::Threshold {
                mad,
                hysteresis,
                pulse_s,
                soak_s,
                max_s_per_day,
            } => vec![
                number("mad", mad, SHARE),
                number("hysteresis", hysteresis, SHARE),
                number("pulse_s", pulse_s, RUN_S),
                number("soak_s", soak_s, 0.0..=86_400.0),
                number("max_s_per_day", max_s_per_day, RUN_S),
            ],
            Self::EtBucket { max_s, forgets } => vec![
                number("max_s", max_s, RUN_S),
                number("forgets", forgets, SHARE),
            ],
            Self::Hybrid {
                max_s,
                mad,
                rain_veto_mm,
            } => vec![
                number("max_s", max_s, RUN_S),
                number("mad", mad, SHARE),
                number("rain_veto_mm", rain_veto_mm, 0.1..=1000.0),
            ],
            Self::Cron { at_h, seconds } => vec![
                number("at_h", at_h, 0.0..=24.0),
                number("seconds", seconds, RUN_S),
            ],
            Self::Human {
                per_day,
                minutes,
                forgets,
            } => vec![
                number("per_day", per_day, PER_DAY),
                number("minutes", minutes, 0.1..=1440.0),
                number("forgets", forgets, SHARE),
            ],
            Self::Impatient {
                every_h, seconds, ..
            } => vec![
                number("every_h", every_h, HOURS),
                number("seconds", seconds, RUN_S),
            ],
            Self::Flapper {
                per_day,
                seconds,
                good_h,
                bad_h,
            } => vec![
                number("per_day", per_day, PER_DAY),
                number("seconds", seconds, RUN_S),
                number("good_h", good_h, HOURS),
                number("bad_h", bad_h, HOURS),
            ],
            Self::Twin {
                every_h,
                seconds,
                apart_ms,
            } => vec![
                number("every_h", every_h, HOURS),
                number("seconds", seconds, RUN_S),
                number("apart_ms", apart_ms, 0.0..=60_000.0),
            ],
            Self::Chatty { period_ms } => vec![number("period_ms", period_ms, 10.0..=1e9)],
            Self::Bad { per_day } => vec![number("per_day", per_day, PER_DAY)],
        }
    }
}
