//! The rules of a card, and the climate that comes of it.
//!
//! Every refusal names the key and says what is allowed; where the card stood is for who reads it.

use std::ops::RangeInclusive;

use rand_distr::Gamma;
use thiserror::Error;

use super::{ByRain, Card, Climate, MONTH_DAYS, Month, Monthly, Rain, Spread, Wgen, Year};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Temperatures that occur on earth, C.
const TEMPERATURES: RangeInclusive<f64> = -60.0..=60.0;

/// A value that is not allowed.
#[derive(Debug, Error)]
#[error("{key}: {problem}")]
pub(super) struct Refused {
    key: String,
    problem: String,
}

fn refused(key: &str, problem: impl Into<String>) -> Refused {
    Refused {
        key: key.to_owned(),
        problem: problem.into(),
    }
}

fn in_month(key: &str, month: usize) -> String {
    format!("{key}, {}", MONTHS[month])
}

fn within(key: &str, value: f64, allowed: RangeInclusive<f64>) -> Result<(), Refused> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let (least, most) = allowed.into_inner();
    let problem = format!("{value} is not allowed; a number from {least} to {most} is");
    Err(refused(key, problem))
}

fn each_within(key: &str, year: &Year, allowed: &RangeInclusive<f64>) -> Result<(), Refused> {
    for (month, value) in year.iter().enumerate() {
        within(&in_month(key, month), *value, allowed.clone())?;
    }
    Ok(())
}

pub(super) fn climate(card: Card) -> Result<Climate, Refused> {
    // Nearer to the poles there are days on which the sun does not rise or set.
    within("latitude_deg", card.latitude_deg, -66.0..=66.0)?;
    within("elevation_m", card.elevation_m, -450.0..=6000.0)?;
    within("wind_m_s", card.wind_m_s, 0.0..=30.0)?;
    within("krs", card.krs, 0.1..=0.25)?;
    if let Some(below) = card.dew_point_below_tmin_c {
        within("dew_point_below_tmin_c", below, 0.0..=20.0)?;
    }
    let months = match (&card.wgen, &card.monthly) {
        (Some(wgen), None) => from_wgen(wgen)?,
        (None, Some(monthly)) => from_means(monthly)?,
        _ => {
            let problem = "exactly one of the tables [wgen] and [monthly] is allowed";
            return Err(refused("wgen", problem));
        }
    };
    Ok(Climate {
        name: card.name,
        latitude_rad: card.latitude_deg.to_radians(),
        elevation_m: card.elevation_m,
        wind_m_s: card.wind_m_s,
        krs: card.krs,
        dew_point_below_tmin_c: card.dew_point_below_tmin_c,
        months,
    })
}

fn from_wgen(wgen: &Wgen) -> Result<Vec<Month>, Refused> {
    let deviations = 0.0..=20.0;
    let radiation = 0.0..=50.0;
    each_within("wgen.tmax_dry_c", &wgen.tmax_dry_c, &TEMPERATURES)?;
    each_within("wgen.tmax_dry_sd_c", &wgen.tmax_dry_sd_c, &deviations)?;
    each_within("wgen.tmax_wet_c", &wgen.tmax_wet_c, &TEMPERATURES)?;
    each_within("wgen.tmax_wet_sd_c", &wgen.tmax_wet_sd_c, &deviations)?;
    each_within("wgen.tmin_c", &wgen.tmin_c, &TEMPERATURES)?;
    each_within("wgen.tmin_sd_c", &wgen.tmin_sd_c, &deviations)?;
    each_within("wgen.rs_dry_mj_m2", &wgen.rs_dry_mj_m2, &radiation)?;
    each_within("wgen.rs_dry_sd_mj_m2", &wgen.rs_dry_sd_mj_m2, &deviations)?;
    each_within("wgen.rs_wet_mj_m2", &wgen.rs_wet_mj_m2, &radiation)?;
    each_within("wgen.rs_wet_sd_mj_m2", &wgen.rs_wet_sd_mj_m2, &deviations)?;
    check_order("wgen.tmin_c", &wgen.tmin_c, &wgen.tmax_dry_c)?;
    check_order("wgen.tmin_c", &wgen.tmin_c, &wgen.tmax_wet_c)?;
    check_rain("wgen", &wgen.rain_mm, &wgen.wet_days)?;
    each_within("wgen.p01", &wgen.p01, &(0.0..=1.0))?;
    each_within("wgen.alpha", &wgen.alpha, &(0.01..=10.0))?;
    let month = |m: usize| {
        let spread = |mean: &Year, sd: &Year| Spread {
            mean: mean[m],
            sd: sd[m],
        };
        Ok(Month {
            tmax: ByRain {
                dry: spread(&wgen.tmax_dry_c, &wgen.tmax_dry_sd_c),
                wet: spread(&wgen.tmax_wet_c, &wgen.tmax_wet_sd_c),
            },
            tmin: spread(&wgen.tmin_c, &wgen.tmin_sd_c),
            rs: Some(ByRain {
                dry: spread(&wgen.rs_dry_mj_m2, &wgen.rs_dry_sd_mj_m2),
                wet: spread(&wgen.rs_wet_mj_m2, &wgen.rs_wet_sd_mj_m2),
            }),
            rain: rain_from_wgen(wgen, m)?,
        })
    };
    (0..12).map(month).collect()
}

/// p11 is what keeps the wet days as many as the card says.
fn rain_from_wgen(wgen: &Wgen, month: usize) -> Result<Rain, Refused> {
    let (p01, wet_days) = (wgen.p01[month], wgen.wet_days[month]);
    if wet_days == 0.0 {
        return Ok(NEVER);
    }
    let pw = wet_days / f64::from(MONTH_DAYS[month]);
    let p11 = 1.0 - p01 * (1.0 - pw) / pw;
    let key = in_month("wgen.p01", month);
    if !(0.0..=1.0).contains(&p11) {
        let most = pw / (1.0 - pw);
        let problem = format!(
            "{p01} is not allowed; with {wet_days} wet days a number from 0 to {most:.3} is"
        );
        return Err(refused(&key, problem));
    }
    let alpha = wgen.alpha[month];
    rain(
        month,
        &Parameters {
            p01,
            p11,
            alpha,
            beta: wgen.rain_mm[month] / wet_days / alpha,
        },
    )
}

fn from_means(means: &Monthly) -> Result<Vec<Month>, Refused> {
    each_within("monthly.tmax_c", &means.tmax_c, &TEMPERATURES)?;
    each_within("monthly.tmin_c", &means.tmin_c, &TEMPERATURES)?;
    check_order("monthly.tmin_c", &means.tmin_c, &means.tmax_c)?;
    check_rain("monthly", &means.rain_mm, &means.wet_days)?;
    let month = |m: usize| {
        let (tmax, tmin) = (means.tmax_c[m], means.tmin_c[m]);
        // Deviations of SIMMETEO.
        let tmax = Spread {
            mean: tmax,
            sd: (5.8 - 0.09 * tmax).max(0.5),
        };
        let tmin = Spread {
            mean: tmin,
            sd: (5.2 - 0.13 * tmin).max(0.5),
        };
        Ok(Month {
            tmax: ByRain {
                dry: tmax,
                wet: tmax,
            },
            tmin,
            rs: None,
            rain: rain_from_means(means, m)?,
        })
    };
    (0..12).map(month).collect()
}

fn rain_from_means(means: &Monthly, month: usize) -> Result<Rain, Refused> {
    let wet_days = means.wet_days[month];
    if wet_days == 0.0 {
        return Ok(NEVER);
    }
    let pw = wet_days / f64::from(MONTH_DAYS[month]);
    rain(month, &geng(pw, means.rain_mm[month] / wet_days))
}

/// What WGEN has to know of the rain of a month.
pub(super) struct Parameters {
    pub(super) p01: f64,
    pub(super) p11: f64,
    pub(super) alpha: f64,
    pub(super) beta: f64,
}

/// After Geng et al. (1986), from the share of wet days and the rain of one of them in mm. Where the shape would leave the
/// range for which it was found, the scale keeps the mean, which SIMMETEO gives up.
pub(super) fn geng(pw: f64, of_wet_day_mm: f64) -> Parameters {
    let p01 = 0.75 * pw;
    let beta = (-2.16 + 1.83 * of_wet_day_mm).max(0.01);
    let alpha = (of_wet_day_mm / beta).clamp(0.01, 0.998);
    Parameters {
        p01,
        p11: 0.25 + p01,
        alpha,
        beta: of_wet_day_mm / alpha,
    }
}

const NEVER: Rain = Rain {
    p01: 0.0,
    p11: 0.0,
    amount: None,
};

fn rain(month: usize, of: &Parameters) -> Result<Rain, Refused> {
    let amount = Gamma::new(of.alpha, of.beta).map_err(|e| {
        let key = in_month("rain_mm", month);
        refused(&key, format!("no amounts can be drawn: {e}"))
    })?;
    Ok(Rain {
        p01: of.p01,
        p11: of.p11,
        amount: Some(amount),
    })
}

fn check_order(key: &str, tmin: &Year, tmax: &Year) -> Result<(), Refused> {
    for (month, (tmin, tmax)) in tmin.iter().zip(tmax).enumerate() {
        if tmin > tmax {
            let problem = format!("{tmin} is not allowed; a number up to Tmax, {tmax}, is");
            return Err(refused(&in_month(key, month), problem));
        }
    }
    Ok(())
}

/// Some rain on every wet day, none without.
fn check_rain(table: &str, rain_mm: &Year, wet_days: &Year) -> Result<(), Refused> {
    for (month, (rain, days)) in rain_mm.iter().zip(wet_days).enumerate() {
        let rain_key = in_month(&format!("{table}.rain_mm"), month);
        let days_key = in_month(&format!("{table}.wet_days"), month);
        within(&days_key, *days, 0.0..=f64::from(MONTH_DAYS[month]))?;
        if *days > 0.0 {
            within(&rain_key, *rain, 0.1 * days..=5000.0)?;
        } else {
            within(&rain_key, *rain, 0.0..=0.0)?;
        }
    }
    Ok(())
}
