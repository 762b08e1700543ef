//! The weather over a field, day by day and minute by minute, and what of it can be known on the ground.

use super::climate::Climate;
use super::day::Day;
use super::fao56;
use super::field::Minute;
use super::pace::{DAY, FieldMs, MINUTE, whole};
use super::sensor::Air;
use super::weather::Weather;

#[derive(Debug)]
pub struct Sky {
    latitude_rad: f64,
    weather: Weather,
    pub today: Day,
}

impl Sky {
    pub fn new(climate: Climate, seed: u64, first_day_of_year: u16) -> Self {
        let latitude_rad = climate.latitude_rad;
        let mut weather = Weather::new(climate, seed, first_day_of_year);
        Self {
            latitude_rad,
            today: weather.next_day(),
            weather,
        }
    }

    pub fn next_day(&mut self) {
        self.today = self.weather.next_day();
    }

    /// What falls and evaporates in a minute of today.
    pub fn minute(&self, minute_of_day: u16) -> Minute {
        Minute {
            et0_mm: self.today.et0_mm_in(minute_of_day),
            rain_mm: self.today.rain_mm_in(minute_of_day),
            gross_irrigation_mm: 0.0,
        }
    }

    pub const fn air(&self) -> Air {
        Air {
            tmax_c: self.today.tmax_c,
            tmin_c: self.today.tmin_c,
        }
    }

    /// ET0 of today, as a controller makes it out that has a thermometer (Hargreaves-Samani), mm.
    pub fn hargreaves_mm(&self) -> f64 {
        let Day {
            day_of_year,
            tmax_c,
            tmin_c,
            ..
        } = self.today;
        let ra = fao56::extraterrestrial_radiation(self.latitude_rad, day_of_year);
        fao56::hargreaves_samani(tmax_c, tmin_c, ra).max(0.0)
    }

    /// The next sunrise after `now`, which is of today; tomorrow's is taken to be as early as today's.
    pub fn next_sunrise(&self, now: FieldMs) -> FieldMs {
        let midnight = now.div_euclid(DAY) * DAY;
        let sunrise = midnight + whole(self.today.course.sunrise_min * MINUTE as f64);
        if sunrise > now {
            sunrise
        } else {
            sunrise + DAY
        }
    }
}
