//! A climate: what the weather of a place is like, month by month, from a card that is written in TOML.
//!
//! A card gives either every parameter of WGEN (Richardson and Wright, *WGEN: a model for generating daily weather
//! variables*, USDA ARS-8, 1984), or only the monthly means that every weather service publishes; then the rest is derived
//! as Geng et al. (1986) and SIMMETEO of DSSAT do. Only what was checked leaves. Draws nothing by chance.

use std::path::Path;

use rand_distr::Gamma;
use serde::Deserialize;
use thiserror::Error;

use super::fao56::DEFAULT_U2;

mod check;

/// Days of each month. Simulated years have 365 days.
pub const MONTH_DAYS: [u16; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
/// Days of a simulated year.
pub const YEAR_DAYS: u16 = 365;

/// A number for each month.
type Year = [f64; 12];

/// What can be written on a card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Card {
    name: String,
    latitude_deg: f64,
    elevation_m: f64,
    #[serde(default = "default_wind")]
    wind_m_s: f64,
    #[serde(default = "default_krs")]
    krs: f64,
    dew_point_below_tmin_c: Option<f64>,
    wgen: Option<Wgen>,
    monthly: Option<Monthly>,
}

const fn default_wind() -> f64 {
    DEFAULT_U2
}

const fn default_krs() -> f64 {
    0.16
}

/// Every parameter of WGEN: means and standard deviations, by dry and wet days where they differ.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wgen {
    tmax_dry_c: Year,
    tmax_dry_sd_c: Year,
    tmax_wet_c: Year,
    tmax_wet_sd_c: Year,
    tmin_c: Year,
    tmin_sd_c: Year,
    rs_dry_mj_m2: Year,
    rs_dry_sd_mj_m2: Year,
    rs_wet_mj_m2: Year,
    rs_wet_sd_mj_m2: Year,
    rain_mm: Year,
    wet_days: Year,
    p01: Year,
    alpha: Year,
}

/// What weather services publish.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Monthly {
    tmax_c: Year,
    tmin_c: Year,
    rain_mm: Year,
    wet_days: Year,
}

/// The climate of a place.
#[derive(Clone, Debug)]
pub struct Climate {
    pub name: String,
    /// Latitude, rad; north is positive. The sun rises and sets there every day.
    pub latitude_rad: f64,
    pub elevation_m: f64,
    /// Wind speed u2 at 2 m, m/s.
    pub wind_m_s: f64,
    /// Coefficient of the solar radiation that is estimated from temperatures (FAO-56, Eq. 50).
    pub krs: f64,
    /// How far the dew point lies below Tmin, C, where that is known (FAO-56, Eq. 48).
    pub dew_point_below_tmin_c: Option<f64>,
    /// Twelve, from January.
    pub months: Vec<Month>,
}

/// The weather of a month.
#[derive(Clone, Copy, Debug)]
pub struct Month {
    /// Tmax, C.
    pub tmax: ByRain,
    /// Tmin, C.
    pub tmin: Spread,
    /// Solar radiation Rs, MJ m-2 d-1, where it is known.
    pub rs: Option<ByRain>,
    pub rain: Rain,
}

/// Of dry days, and of wet ones.
#[derive(Clone, Copy, Debug)]
pub struct ByRain {
    pub dry: Spread,
    pub wet: Spread,
}

/// Mean and standard deviation.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub mean: f64,
    pub sd: f64,
}

/// Rain as a Markov chain of two states, dry and wet, and a Gamma distribution of the amounts.
#[derive(Clone, Copy, Debug)]
pub struct Rain {
    /// Probability of rain after a dry day.
    pub p01: f64,
    /// Probability of rain after a wet day.
    pub p11: f64,
    /// Rain of a wet day, mm. None where it never rains.
    pub amount: Option<Gamma<f64>>,
}

impl Rain {
    /// Share of wet days in the long run.
    pub fn wet_share(&self) -> f64 {
        self.p01 / (1.0 + self.p01 - self.p11)
    }
}

/// A card that cannot be used. One line: which file, which key, what is allowed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{place}: {problem}")]
pub struct ClimateError {
    place: String,
    problem: String,
}

impl Climate {
    /// Reads a card from a file.
    ///
    /// # Errors
    /// [`ClimateError`] for a file that cannot be read, and as [`Climate::parse`] does.
    pub fn read(path: &Path) -> Result<Self, ClimateError> {
        let place = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(card) => Self::parse(&card, &place),
            Err(e) => Err(ClimateError {
                place,
                problem: format!("cannot be read: {e}"),
            }),
        }
    }

    /// Understands a card; `place` is where it stood, for who has to repair it.
    ///
    /// # Errors
    /// [`ClimateError`] for what is not TOML, an unknown or missing key, or a value that is not allowed.
    pub fn parse(card: &str, place: &str) -> Result<Self, ClimateError> {
        let error = |problem| ClimateError {
            place: place.to_owned(),
            problem,
        };
        let table: toml::Table = card
            .parse()
            .map_err(|e: toml::de::Error| error(one_line(&e.to_string())))?;
        let card: Card =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
                let problem = one_line(&e.inner().to_string());
                error(format!("{}: {problem}", e.path()))
            })?;
        check::climate(card).map_err(|refused| error(refused.to_string()))
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Index of the month, from 0, in which day J of the year is, from 1.
pub fn month_of(day_of_year: u16) -> usize {
    let mut last = 0;
    let ended = MONTH_DAYS.iter().take_while(|days| {
        last += **days;
        last < day_of_year
    });
    ended.count().min(11)
}

#[cfg(test)]
#[path = "climate_tests.rs"]
mod tests;
