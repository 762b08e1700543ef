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
    tomorrow: Day,
}

impl Sky {
    pub fn new(climate: Climate, seed: u64, first_day_of_year: u16) -> Self {
        let latitude_rad = climate.latitude_rad;
        let mut weather = Weather::new(climate, seed, first_day_of_year);
        Self {
            latitude_rad,
            today: weather.next_day(),
            tomorrow: weather.next_day(),
            weather,
        }
    }

    pub fn next_day(&mut self) {
        self.today = std::mem::replace(&mut self.tomorrow, self.weather.next_day());
    }

    /// The rain of tomorrow, as a perfect forecast has it, mm.
    pub const fn rain_tomorrow_mm(&self) -> f64 {
        self.tomorrow.rain_mm
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::simulator::pace::HOUR;

    fn sky() -> Sky {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/climates/toulon.toml");
        Sky::new(Climate::read(&card).unwrap(), 1, 182)
    }

    #[test]
    fn the_next_sunrise_is_today_s_until_it_has_come() {
        let sky = sky();
        let today = sky.next_sunrise(0);
        assert!((4 * HOUR..5 * HOUR).contains(&today), "{today}");
        assert_eq!(sky.next_sunrise(today - 1), today);
        assert_eq!(sky.next_sunrise(today), today + DAY);
        assert_eq!(sky.next_sunrise(3 * DAY + 23 * HOUR), today + 4 * DAY);
    }

    #[test]
    fn the_rain_of_tomorrow_is_what_falls_then() {
        let mut sky = sky();
        for _ in 0..100 {
            let foretold = sky.rain_tomorrow_mm();
            sky.next_day();
            assert!((foretold - sky.today.rain_mm).abs() < 1e-12);
        }
    }

    #[test]
    fn the_minutes_of_a_day_make_its_sums() {
        let mut sky = sky();
        for _ in 0..30 {
            sky.next_day();
            let minutes = (0..1440).map(|minute| sky.minute(minute));
            let (et0, rain) = minutes.fold((0.0, 0.0), |(et0, rain), minute| {
                (et0 + minute.et0_mm, rain + minute.rain_mm)
            });
            assert!((et0 - sky.today.et0.mm()).abs() < 1e-9);
            assert!((rain - sky.today.rain_mm).abs() < 1e-9);
        }
    }

    #[test]
    fn a_thermometer_is_enough_where_the_climate_knows_no_more() {
        let sky = sky();
        assert!((sky.hargreaves_mm() - sky.today.et0.mm()).abs() < 1e-9);
    }
}
