//! A day of weather and its course: what of it falls into each of its 1440 minutes.
//!
//! Times are solar: the sun is highest at minute 720. Knows nothing of other days but what the temperature needs.

use std::f64::consts::PI;

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

use super::fao56::Et0;

/// Minutes of a day.
pub const DAY_MIN: u16 = 1440;
/// When a day is warmest: two hours after noon, min.
const WARMEST_MIN: f64 = 840.0;
const NOON_MIN: f64 = 720.0;
/// Mean length of a shower, min.
const MEAN_SHOWER_MIN: f64 = 120.0;
/// Least length of a shower, min.
const LEAST_SHOWER_MIN: f64 = 5.0;

/// The weather of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// Day J of the year, 1 to 365.
    pub day_of_year: u16,
    pub tmax_c: f64,
    pub tmin_c: f64,
    /// Solar radiation Rs, MJ m-2 d-1. Where the climate does not know any, it is estimated from the temperatures.
    pub rs_mj_m2: f64,
    pub rain_mm: f64,
    /// Reference evapotranspiration.
    pub et0: Et0,
    /// The rain, in the order in which it begins.
    pub showers: Vec<Shower>,
    pub course: Course,
}

/// What the course of a day needs beside its sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Sunrise, min of the day. The sun sets as long after noon as it rises before.
    pub sunrise_min: f64,
    /// Tmax of the day before, C.
    pub tmax_before_c: f64,
    /// Tmin of the day after, C.
    pub tmin_after_c: f64,
}

/// Rain that falls evenly from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shower {
    /// From this minute of the day.
    pub start_min: f64,
    /// Until this minute of the day; at most [`DAY_MIN`].
    pub end_min: f64,
    pub rain_mm: f64,
}

impl Day {
    /// ET0 of a minute of the day in mm: a half sine from sunrise to sunset, as its integral, so that the minutes make
    /// the sum of the day.
    pub fn et0_mm_in(&self, minute: u16) -> f64 {
        self.et0_mm_until(minute + 1) - self.et0_mm_until(minute)
    }

    fn et0_mm_until(&self, minute: u16) -> f64 {
        let sunrise = self.course.sunrise_min;
        let daylight = 2.0 * (NOON_MIN - sunrise);
        let passed = ((f64::from(minute) - sunrise) / daylight).clamp(0.0, 1.0);
        self.et0.mm() * (1.0 - (PI * passed).cos()) / 2.0
    }

    /// Rain of a minute of the day in mm. The minutes make the sum of the day.
    pub fn rain_mm_in(&self, minute: u16) -> f64 {
        let start = f64::from(minute);
        let rain = self.showers.iter();
        rain.map(|shower| shower.rain_mm_until(start + 1.0) - shower.rain_mm_until(start))
            .sum()
    }

    /// Temperature of the air at the beginning of a minute of the day in C: half cosines from the Tmax of the day before to
    /// Tmin at sunrise, to Tmax two hours after noon, to the Tmin of the day after.
    pub fn temperature_c_at(&self, minute: u16) -> f64 {
        let (now, day) = (f64::from(minute), f64::from(DAY_MIN));
        let sunrise = self.course.sunrise_min;
        let (from, to) = if now < sunrise {
            let before = (WARMEST_MIN - day, self.course.tmax_before_c);
            (before, (sunrise, self.tmin_c))
        } else if now < WARMEST_MIN {
            ((sunrise, self.tmin_c), (WARMEST_MIN, self.tmax_c))
        } else {
            let after = (sunrise + day, self.course.tmin_after_c);
            ((WARMEST_MIN, self.tmax_c), after)
        };
        let passed = (now - from.0) / (to.0 - from.0);
        from.1 + (to.1 - from.1) * (1.0 - (PI * passed).cos()) / 2.0
    }
}

impl Shower {
    fn rain_mm_until(&self, minute: f64) -> f64 {
        let passed = (minute - self.start_min) / (self.end_min - self.start_min);
        self.rain_mm * passed.clamp(0.0, 1.0)
    }
}

/// Spreads the rain of a day over one to three showers: they begin at any time, last two hours in the mean (exponential),
/// and share the rain by chance (Dirichlet, by cutting it anywhere). What would last past midnight falls before.
pub(super) fn showers(rain_mm: f64, chance: &mut ChaCha8Rng) -> Vec<Shower> {
    if rain_mm <= 0.0 {
        return Vec::new();
    }
    let mut showers: Vec<Shower> = (0..chance.random_range(1..=3))
        .map(|_| shower(chance))
        .collect();
    showers.sort_by(|a, b| a.start_min.total_cmp(&b.start_min));
    let mut cuts: Vec<f64> = (1..showers.len())
        .map(|_| rain_mm * chance.random::<f64>())
        .collect();
    cuts.sort_by(f64::total_cmp);
    cuts.push(rain_mm);
    let mut fallen = 0.0;
    for (shower, until) in showers.iter_mut().zip(cuts) {
        shower.rain_mm = until - fallen;
        fallen = until;
    }
    showers
}

/// A shower of which it is not yet known how much falls.
fn shower(chance: &mut ChaCha8Rng) -> Shower {
    let day = f64::from(DAY_MIN);
    let start_min = chance.random_range(0.0..day - LEAST_SHOWER_MIN);
    let drawn: f64 = Exp1.sample(chance);
    let length = (drawn * MEAN_SHOWER_MIN).max(LEAST_SHOWER_MIN);
    Shower {
        start_min,
        end_min: (start_min + length).min(day),
        rain_mm: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::chance;

    fn day(rain_mm: f64, seed: u64) -> Day {
        Day {
            day_of_year: 196,
            tmax_c: 26.6,
            tmin_c: 14.8,
            rs_mj_m2: 22.3,
            rain_mm,
            et0: Et0::PenmanMonteith(4.56),
            showers: showers(rain_mm, &mut chance::stream(seed, "showers")),
            course: Course {
                sunrise_min: 257.3,
                tmax_before_c: 30.0,
                tmin_after_c: 12.0,
            },
        }
    }

    #[test]
    fn the_minutes_make_the_evapotranspiration_of_the_day() {
        let day = day(0.0, 1);
        let sum: f64 = (0..DAY_MIN).map(|minute| day.et0_mm_in(minute)).sum();
        assert!((sum - 4.56).abs() < 1e-12, "{sum}");
    }

    #[test]
    fn nothing_evaporates_at_night_and_most_at_noon() {
        let day = day(0.0, 1);
        for dark in [0, 256, 1183, 1439] {
            assert!(day.et0_mm_in(dark).abs() < 1e-15);
        }
        let noon = day.et0_mm_in(720);
        assert!((0..DAY_MIN).all(|minute| day.et0_mm_in(minute) <= noon + 1e-12));
        // The half sine of the reference: pi / 2N an hour at its top.
        let daylight_h = (NOON_MIN - 257.3) / 30.0;
        let top = 4.56 * PI / (2.0 * daylight_h) / 60.0;
        assert!((noon - top).abs() < 1e-6);
    }

    #[test]
    fn the_minutes_make_the_rain_of_the_day_and_none_is_lost_at_midnight() {
        let mut clipped = 0;
        for seed in 0..2000 {
            let day = day(17.3, seed);
            assert!((1..=3).contains(&day.showers.len()));
            let last = f64::from(DAY_MIN);
            clipped += usize::from(day.showers.iter().any(|s| s.end_min >= last));
            for shower in &day.showers {
                assert!(shower.rain_mm >= 0.0 && shower.start_min >= 0.0);
                assert!(shower.end_min - shower.start_min >= LEAST_SHOWER_MIN - 1e-9);
                assert!(shower.end_min <= last);
            }
            let of_showers: f64 = day.showers.iter().map(|shower| shower.rain_mm).sum();
            assert!((of_showers - 17.3).abs() < 1e-12);
            let of_minutes: f64 = (0..DAY_MIN).map(|minute| day.rain_mm_in(minute)).sum();
            assert!((of_minutes - 17.3).abs() < 1e-9);
        }
        assert!(clipped > 100, "{clipped} days with rain at midnight");
    }

    #[test]
    fn showers_last_two_hours_and_share_the_rain_evenly_in_the_mean() {
        let days: Vec<Day> = (0..4000).map(|seed| day(10.0, seed)).collect();
        let away_from_midnight = days
            .iter()
            .flat_map(|day| &day.showers)
            .filter(|shower| shower.start_min < 480.0);
        let lengths: Vec<f64> = away_from_midnight
            .map(|shower| shower.end_min - shower.start_min)
            .collect();
        let mean = lengths.iter().sum::<f64>() / f64::from(u32::try_from(lengths.len()).unwrap());
        assert!((mean - 120.0).abs() < 8.0, "{mean} min");
        let threes: Vec<&Day> = days.iter().filter(|day| day.showers.len() == 3).collect();
        let count = f64::from(u32::try_from(threes.len()).unwrap());
        for i in 0..3 {
            let mean = threes.iter().map(|day| day.showers[i].rain_mm).sum::<f64>() / count;
            assert!((mean - 10.0 / 3.0).abs() < 0.25, "{mean} mm");
        }
    }

    #[test]
    fn a_dry_day_has_no_showers() {
        assert!(day(0.0, 1).showers.is_empty());
    }

    #[test]
    fn the_temperature_runs_from_tmin_at_sunrise_to_tmax_after_noon() {
        let day = day(0.0, 1);
        let course: Vec<f64> = (0..DAY_MIN).map(|m| day.temperature_c_at(m)).collect();
        assert!((course[257] - 14.8).abs() < 0.01);
        assert!((course[840] - 26.6).abs() < 1e-12);
        assert!(course[257..840].windows(2).all(|pair| pair[0] <= pair[1]));
        assert!(course[840..].windows(2).all(|pair| pair[0] >= pair[1]));
        let steps = course.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        assert!(steps.fold(0.0, f64::max) < 0.05);
    }

    #[test]
    fn the_temperature_does_not_jump_at_midnight() {
        let today = day(0.0, 1);
        let tomorrow = Day {
            tmin_c: today.course.tmin_after_c,
            course: Course {
                tmax_before_c: today.tmax_c,
                ..today.course
            },
            ..today.clone()
        };
        let jump = tomorrow.temperature_c_at(0) - today.temperature_c_at(DAY_MIN - 1);
        assert!(jump.abs() < 0.05, "{jump} C");
    }
}
