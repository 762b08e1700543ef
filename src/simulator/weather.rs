//! Days of weather that never were, as they are usual in a climate: WGEN (Richardson 1981; Richardson and Wright 1984).
//!
//! Whether it rains follows a Markov chain, how much a Gamma distribution; Tmax, Tmin and radiation depend on both the day
//! before and each other. The same climate, seed and first day give the same weather. Never knows which year it is.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::chance;
use super::climate::{ByRain, Climate, YEAR_DAYS, month_of};
use super::day::{Course, Day, showers};
use super::fao56::{self, Et0, Observed};

/// Rain of a day that is less than this counts as none, mm.
const LEAST_RAIN_MM: f64 = 0.1;
/// Beyond this many standard deviations nothing is drawn.
const MOST_DEVIATION: f64 = 2.5;
/// Days after which the residuals have forgotten where they began.
const FORGOTTEN_DAYS: usize = 30;

type Vector = [f64; 3];
type Matrix = [Vector; 3];

/// How the residuals of Tmax, Tmin and Rs depend on those of the day before, and on chance. Wrong copies circulate; the
/// tests know the correlations that these have to give.
const A: Matrix = [
    [0.567, 0.086, -0.002],
    [0.253, 0.504, -0.050],
    [-0.006, -0.039, 0.244],
];
const B: Matrix = [
    [0.781, 0.0, 0.0],
    [0.328, 0.637, 0.0],
    [0.238, -0.341, 0.873],
];

/// The weather of a place, one day after the other.
#[derive(Debug)]
pub struct Weather {
    climate: Climate,
    tmax_before_c: f64,
    /// The day that is due next.
    due: Sums,
    residuals: Vector,
    chance: Chance,
}

/// What is drawn of a day.
#[derive(Clone, Copy, Debug)]
struct Sums {
    day_of_year: u16,
    /// State of the Markov chain. Some wet days have too little rain to count.
    wet: bool,
    rain_mm: f64,
    tmax_c: f64,
    tmin_c: f64,
    rs_mj_m2: f64,
}

/// Streams of random numbers: how many of one are used does not change another.
#[derive(Debug)]
struct Chance {
    occurrence: ChaCha8Rng,
    amount: ChaCha8Rng,
    residuals: ChaCha8Rng,
    showers: ChaCha8Rng,
}

impl Weather {
    /// Weather from that day J of the year on, 1 to 365.
    pub fn new(climate: Climate, seed: u64, first_day_of_year: u16) -> Self {
        let mut chance = Chance {
            occurrence: chance::stream(seed, "weather/occurrence"),
            amount: chance::stream(seed, "weather/amount"),
            residuals: chance::stream(seed, "weather/residuals"),
            showers: chance::stream(seed, "weather/showers"),
        };
        let mut residuals = [0.0; 3];
        for _ in 0..FORGOTTEN_DAYS {
            residuals = next_residuals(&residuals, &mut chance.residuals);
        }
        let rain = climate.months[month_of(first_day_of_year)].rain;
        let wet = chance.occurrence.random::<f64>() < rain.wet_share();
        let first = draw(
            &climate,
            (first_day_of_year, wet),
            &residuals,
            &mut chance.amount,
        );
        Self {
            climate,
            tmax_before_c: first.tmax_c,
            due: first,
            residuals,
            chance,
        }
    }

    /// The next day. After the last of a year comes the first of another.
    pub fn next_day(&mut self) -> Day {
        let today = self.due;
        let tomorrow = self.draw_next();
        let day = Day {
            day_of_year: today.day_of_year,
            tmax_c: today.tmax_c,
            tmin_c: today.tmin_c,
            rs_mj_m2: today.rs_mj_m2,
            rain_mm: today.rain_mm,
            et0: self.et0(&today),
            showers: showers(today.rain_mm, &mut self.chance.showers),
            course: Course {
                sunrise_min: self.sunrise_min(today.day_of_year),
                tmax_before_c: self.tmax_before_c,
                tmin_after_c: tomorrow.tmin_c,
            },
        };
        self.tmax_before_c = today.tmax_c;
        day
    }

    /// Draws the day after that which is due, which it then is itself.
    fn draw_next(&mut self) -> Sums {
        let before = self.due;
        let day_of_year = before.day_of_year % YEAR_DAYS + 1;
        let rain = self.climate.months[month_of(day_of_year)].rain;
        let probability = if before.wet { rain.p11 } else { rain.p01 };
        let wet = self.chance.occurrence.random::<f64>() < probability;
        self.residuals = next_residuals(&self.residuals, &mut self.chance.residuals);
        let amount = &mut self.chance.amount;
        self.due = draw(&self.climate, (day_of_year, wet), &self.residuals, amount);
        self.due
    }

    fn et0(&self, sums: &Sums) -> Et0 {
        let climate = &self.climate;
        let known = climate.months[month_of(sums.day_of_year)].rs.is_some();
        let dew_point = climate
            .dew_point_below_tmin_c
            .map(|below| sums.tmin_c - below);
        Et0::of(&Observed {
            day_of_year: sums.day_of_year,
            latitude_rad: climate.latitude_rad,
            elevation_m: climate.elevation_m,
            tmax_c: sums.tmax_c,
            tmin_c: sums.tmin_c,
            rs: known.then_some(sums.rs_mj_m2),
            ea_kpa: dew_point.map(fao56::actual_vapour_pressure_from_dew_point),
            u2_m_s: climate.wind_m_s,
        })
    }

    fn sunrise_min(&self, day_of_year: u16) -> f64 {
        let daylight_h = fao56::daylight_hours(self.climate.latitude_rad, day_of_year);
        (12.0 - daylight_h / 2.0) * 60.0
    }
}

/// A day, wet or dry, with these residuals.
fn draw(
    climate: &Climate,
    (day_of_year, wet): (u16, bool),
    residuals: &Vector,
    chance: &mut ChaCha8Rng,
) -> Sums {
    let month = &climate.months[month_of(day_of_year)];
    let amount = month.rain.amount.filter(|_| wet);
    let rain_mm = amount.map_or(0.0, |gamma| gamma.sample(chance));
    let around = |by_rain: &ByRain, residual: f64| {
        let spread = if wet { by_rain.wet } else { by_rain.dry };
        spread.mean + spread.sd * residual
    };
    let tmax = around(&month.tmax, residuals[0]);
    let tmin = month.tmin.mean + month.tmin.sd * residuals[1];
    let (tmax_c, tmin_c) = (tmax.max(tmin), tmax.min(tmin));
    let ra = fao56::extraterrestrial_radiation(climate.latitude_rad, day_of_year);
    let rs = month.rs.map_or_else(
        || fao56::solar_radiation_from_temperature(climate.krs, tmax_c, tmin_c, ra),
        |rs| around(&rs, residuals[2]),
    );
    Sums {
        day_of_year,
        wet,
        rain_mm: if rain_mm < LEAST_RAIN_MM {
            0.0
        } else {
            rain_mm
        },
        tmax_c,
        tmin_c,
        // Between a sky that is wholly covered and a clear one, as DSSAT has it.
        rs_mj_m2: rs.clamp(0.2 * 0.8 * ra, 0.8 * ra),
    }
}

/// Residuals of a day: A x + B e, of those x of the day before and of chance e.
fn next_residuals(before: &Vector, chance: &mut ChaCha8Rng) -> Vector {
    let by_chance = [
        truncated_normal(chance),
        truncated_normal(chance),
        truncated_normal(chance),
    ];
    let (remembered, new) = (times(&A, before), times(&B, &by_chance));
    [
        remembered[0] + new[0],
        remembered[1] + new[1],
        remembered[2] + new[2],
    ]
}

fn truncated_normal(chance: &mut ChaCha8Rng) -> f64 {
    loop {
        let drawn: f64 = StandardNormal.sample(chance);
        if drawn.abs() <= MOST_DEVIATION {
            return drawn;
        }
    }
}

fn times(matrix: &Matrix, vector: &Vector) -> Vector {
    matrix.map(|row| row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2])
}

#[cfg(test)]
#[path = "weather_tests.rs"]
mod tests;
