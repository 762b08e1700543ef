//! The equations of FAO-56: from a day's weather to the reference evapotranspiration ET0, and from a soil's water to how
//! much of it a crop still takes up.
//!
//! R. G. Allen, L. S. Pereira, D. Raes and M. Smith, *Crop evapotranspiration*, FAO Irrigation and Drainage Paper 56,
//! Rome 1998. Each function is one equation and names its number. Pure functions: nothing is remembered, nothing drawn by
//! chance.

use std::f64::consts::PI;

/// Evaporation of 1 MJ per square metre, in mm: 1 / 2.45 (FAO-56, Eq. 20).
const MM_PER_MJ: f64 = 0.408;
/// Solar constant, MJ m-2 min-1.
const SOLAR_CONSTANT: f64 = 0.0820;
/// Stefan-Boltzmann constant, MJ K-4 m-2 d-1.
const STEFAN_BOLTZMANN: f64 = 4.903e-9;
/// Albedo of the reference crop.
const ALBEDO: f64 = 0.23;
/// Least wind speed that the Penman-Monteith equation is given, m/s (FAO-56, chapter 4).
pub const LEAST_U2: f64 = 0.5;
/// Wind speed where none was measured, m/s (FAO-56, chapter 3).
pub const DEFAULT_U2: f64 = 2.0;

/// Atmospheric pressure P in kPa, at an elevation in m (Eq. 7).
pub fn atmospheric_pressure(elevation_m: f64) -> f64 {
    101.3 * ((293.0 - 0.0065 * elevation_m) / 293.0).powf(5.26)
}

/// Psychrometric constant gamma in kPa/C, at a pressure in kPa (Eq. 8).
pub fn psychrometric_constant(pressure_kpa: f64) -> f64 {
    0.665e-3 * pressure_kpa
}

/// Saturation vapour pressure e0 in kPa, at a temperature in C (Eq. 11).
pub fn saturation_vapour_pressure(t_c: f64) -> f64 {
    0.6108 * (17.27 * t_c / (t_c + 237.3)).exp()
}

/// Mean saturation vapour pressure es of a day in kPa (Eq. 12).
pub fn mean_saturation_vapour_pressure(tmax_c: f64, tmin_c: f64) -> f64 {
    f64::midpoint(
        saturation_vapour_pressure(tmax_c),
        saturation_vapour_pressure(tmin_c),
    )
}

/// Slope Delta of the curve of the saturation vapour pressure in kPa/C, at a temperature in C (Eq. 13).
pub fn vapour_pressure_slope(t_c: f64) -> f64 {
    4098.0 * saturation_vapour_pressure(t_c) / (t_c + 237.3).powi(2)
}

/// Actual vapour pressure ea in kPa, from the dew point in C (Eq. 14). Where nothing is known of the humidity, the dew
/// point is near Tmin, or 2 to 3 C below it where the air is dry (Eq. 48).
pub fn actual_vapour_pressure_from_dew_point(tdew_c: f64) -> f64 {
    saturation_vapour_pressure(tdew_c)
}

/// Actual vapour pressure ea in kPa, from the greatest and the least relative humidity of a day in % (Eq. 17).
pub fn actual_vapour_pressure_from_humidity(
    tmax_c: f64,
    tmin_c: f64,
    rh_max: f64,
    rh_min: f64,
) -> f64 {
    let at_sunrise = saturation_vapour_pressure(tmin_c) * rh_max;
    let after_noon = saturation_vapour_pressure(tmax_c) * rh_min;
    (at_sunrise + after_noon) / 200.0
}

/// Inverse relative distance dr between earth and sun, on day J of the year (Eq. 23).
pub fn inverse_relative_distance(day_of_year: u16) -> f64 {
    1.0 + 0.033 * year_angle(day_of_year).cos()
}

/// Solar declination delta in rad, on day J of the year (Eq. 24).
pub fn solar_declination(day_of_year: u16) -> f64 {
    0.409 * (year_angle(day_of_year) - 1.39).sin()
}

fn year_angle(day_of_year: u16) -> f64 {
    2.0 * PI / 365.0 * f64::from(day_of_year)
}

/// Sunset hour angle ws in rad, for a latitude and a declination in rad (Eq. 25): 0 where the sun does not rise, pi where
/// it does not set.
pub fn sunset_hour_angle(latitude_rad: f64, declination_rad: f64) -> f64 {
    let cosine = -latitude_rad.tan() * declination_rad.tan();
    cosine.clamp(-1.0, 1.0).acos()
}

/// Extraterrestrial radiation Ra in MJ m-2 d-1, for a latitude in rad on day J of the year (Eq. 21).
pub fn extraterrestrial_radiation(latitude_rad: f64, day_of_year: u16) -> f64 {
    let declination = solar_declination(day_of_year);
    let ws = sunset_hour_angle(latitude_rad, declination);
    let vertical = ws * latitude_rad.sin() * declination.sin();
    let horizontal = latitude_rad.cos() * declination.cos() * ws.sin();
    let scale = 24.0 * 60.0 / PI * SOLAR_CONSTANT * inverse_relative_distance(day_of_year);
    scale * (vertical + horizontal)
}

/// Daylight hours N, for a latitude in rad on day J of the year (Eq. 34).
pub fn daylight_hours(latitude_rad: f64, day_of_year: u16) -> f64 {
    24.0 / PI * sunset_hour_angle(latitude_rad, solar_declination(day_of_year))
}

/// Solar radiation Rs in MJ m-2 d-1, from n of N hours with sunshine and Ra (Eq. 35).
pub fn solar_radiation_from_sunshine(sunshine_h: f64, daylight_h: f64, ra: f64) -> f64 {
    (0.25 + 0.50 * sunshine_h / daylight_h) * ra
}

/// Solar radiation Rs in MJ m-2 d-1, from the temperatures of a day in C and Ra (Eq. 50). `krs` is 0.16 inland and 0.19 on
/// the coast.
pub fn solar_radiation_from_temperature(krs: f64, tmax_c: f64, tmin_c: f64, ra: f64) -> f64 {
    krs * (tmax_c - tmin_c).max(0.0).sqrt() * ra
}

/// Clear-sky solar radiation Rso in MJ m-2 d-1, at an elevation in m (Eq. 37).
pub fn clear_sky_radiation(elevation_m: f64, ra: f64) -> f64 {
    (0.75 + 2e-5 * elevation_m) * ra
}

/// Net shortwave radiation Rns in MJ m-2 d-1 (Eq. 38).
pub fn net_shortwave_radiation(rs: f64) -> f64 {
    (1.0 - ALBEDO) * rs
}

/// Net longwave radiation Rnl in MJ m-2 d-1 that leaves the earth, from the temperatures of a day in C, ea in kPa and
/// Rs/Rso (Eq. 39).
pub fn net_longwave_radiation(tmax_c: f64, tmin_c: f64, ea_kpa: f64, rs_by_rso: f64) -> f64 {
    let fourth_power = |t_c: f64| (t_c + 273.16).powi(4);
    let emitted = STEFAN_BOLTZMANN * f64::midpoint(fourth_power(tmax_c), fourth_power(tmin_c));
    let humidity = 0.34 - 0.14 * ea_kpa.sqrt();
    let cloudiness = 1.35 * rs_by_rso.min(1.0) - 0.35;
    emitted * humidity * cloudiness
}

/// Wind speed u2 at 2 m in m/s, from one that was measured at a height in m (Eq. 47); at least [`LEAST_U2`].
pub fn wind_speed_at_2m(uz_m_s: f64, height_m: f64) -> f64 {
    (uz_m_s * 4.87 / (67.8 * height_m - 5.42).ln()).max(LEAST_U2)
}

/// What the Penman-Monteith equation is given of a day.
#[derive(Clone, Copy, Debug)]
pub struct PenmanMonteith {
    pub tmax_c: f64,
    pub tmin_c: f64,
    /// Net radiation Rn, MJ m-2 d-1.
    pub rn: f64,
    /// Soil heat flux G, MJ m-2 d-1: 0 for a day (Eq. 42).
    pub g: f64,
    /// Wind speed u2 at 2 m, m/s.
    pub u2_m_s: f64,
    /// Actual vapour pressure ea, kPa.
    pub ea_kpa: f64,
    pub elevation_m: f64,
}

impl PenmanMonteith {
    /// Reference evapotranspiration ET0 in mm/d (Eq. 6).
    pub fn et0_mm(&self) -> f64 {
        let t_c = f64::midpoint(self.tmax_c, self.tmin_c);
        let slope = vapour_pressure_slope(t_c);
        let gamma = psychrometric_constant(atmospheric_pressure(self.elevation_m));
        let deficit = mean_saturation_vapour_pressure(self.tmax_c, self.tmin_c) - self.ea_kpa;
        let radiation = MM_PER_MJ * slope * (self.rn - self.g);
        let wind = gamma * 900.0 / (t_c + 273.0) * self.u2_m_s * deficit;
        (radiation + wind) / (slope + gamma * (1.0 + 0.34 * self.u2_m_s))
    }
}

/// Reference evapotranspiration ET0 in mm/d, after Hargreaves and Samani, from the temperatures of a day in C and Ra in
/// MJ m-2 d-1 (Eq. 52).
pub fn hargreaves_samani(tmax_c: f64, tmin_c: f64, ra: f64) -> f64 {
    let t_c = f64::midpoint(tmax_c, tmin_c);
    0.0023 * (t_c + 17.8) * (tmax_c - tmin_c).max(0.0).sqrt() * MM_PER_MJ * ra
}

/// What is known of the weather of a day and its place.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// Day J of the year, from 1.
    pub day_of_year: u16,
    pub latitude_rad: f64,
    pub elevation_m: f64,
    pub tmax_c: f64,
    pub tmin_c: f64,
    /// Solar radiation Rs, MJ m-2 d-1, where it was measured.
    pub rs: Option<f64>,
    /// Actual vapour pressure ea, kPa, where the humidity is known.
    pub ea_kpa: Option<f64>,
    /// Wind speed u2 at 2 m, m/s.
    pub u2_m_s: f64,
}

/// Reference evapotranspiration ET0 of a day in mm, and how it was found. Never negative: dew does not count as water.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Et0 {
    PenmanMonteith(f64),
    /// Where radiation or humidity is not known.
    Hargreaves(f64),
}

impl Et0 {
    /// ET0 by the best equation for what is known.
    pub fn of(day: &Observed) -> Self {
        let ra = extraterrestrial_radiation(day.latitude_rad, day.day_of_year);
        let (Some(rs), Some(ea_kpa)) = (day.rs, day.ea_kpa) else {
            return Self::Hargreaves(hargreaves_samani(day.tmax_c, day.tmin_c, ra).max(0.0));
        };
        let rs_by_rso = rs / clear_sky_radiation(day.elevation_m, ra);
        let rnl = net_longwave_radiation(day.tmax_c, day.tmin_c, ea_kpa, rs_by_rso);
        let equation = PenmanMonteith {
            tmax_c: day.tmax_c,
            tmin_c: day.tmin_c,
            rn: net_shortwave_radiation(rs) - rnl,
            g: 0.0,
            u2_m_s: day.u2_m_s.max(LEAST_U2),
            ea_kpa,
            elevation_m: day.elevation_m,
        };
        Self::PenmanMonteith(equation.et0_mm().max(0.0))
    }

    /// ET0 in mm.
    pub const fn mm(self) -> f64 {
        match self {
            Self::PenmanMonteith(mm) | Self::Hargreaves(mm) => mm,
        }
    }
}

/// Total available water TAW of the root zone in mm, from the water contents at field capacity and wilting point in m3/m3
/// and the root depth Zr in m (Eq. 82).
pub fn total_available_water(theta_fc: f64, theta_wp: f64, zr_m: f64) -> f64 {
    1000.0 * (theta_fc - theta_wp) * zr_m
}

/// Fraction p of TAW that a crop takes up without stress: that of Table 22, which holds for an ETc of 5 mm/d, for the ETc of
/// the day in mm.
pub fn depletion_fraction(p_table: f64, etc_mm: f64) -> f64 {
    (p_table + 0.04 * (5.0 - etc_mm)).clamp(0.1, 0.8)
}

/// Readily available water RAW in mm (Eq. 83).
pub fn readily_available_water(p: f64, taw_mm: f64) -> f64 {
    p * taw_mm
}

/// Water stress coefficient Ks, from the root zone depletion Dr in mm (Eq. 84): 1 without stress, 0 at the wilting point.
pub fn stress_coefficient(dr_mm: f64, taw_mm: f64, p: f64) -> f64 {
    if dr_mm <= readily_available_water(p, taw_mm) {
        return 1.0;
    }
    ((taw_mm - dr_mm) / ((1.0 - p) * taw_mm)).max(0.0)
}

/// Soil water content theta of the root zone in m3/m3, from the depletion Dr in mm (Eq. 87).
pub fn water_content(theta_fc: f64, dr_mm: f64, zr_m: f64) -> f64 {
    theta_fc - dr_mm / (1000.0 * zr_m)
}

/// Root zone depletion Dr in mm, from the soil water content theta in m3/m3 (Eq. 87).
pub fn depletion(theta_fc: f64, theta: f64, zr_m: f64) -> f64 {
    1000.0 * (theta_fc - theta) * zr_m
}

/// Total evaporable water TEW of the soil's surface layer in mm, of Ze m (Eq. 73).
pub fn total_evaporable_water(theta_fc: f64, theta_wp: f64, ze_m: f64) -> f64 {
    1000.0 * (theta_fc - 0.5 * theta_wp) * ze_m
}

/// Evaporation reduction coefficient Kr, from the depletion De of the surface layer in mm, TEW and the readily evaporable
/// water REW (Eq. 74).
pub fn evaporation_reduction(de_mm: f64, tew_mm: f64, rew_mm: f64) -> f64 {
    ((tew_mm - de_mm) / (tew_mm - rew_mm)).clamp(0.0, 1.0)
}

/// Soil evaporation coefficient Ke, where the fraction `few` of the soil is both wetted and bare (Eq. 71).
pub fn evaporation_coefficient(kr: f64, kc_max: f64, kcb: f64, few: f64) -> f64 {
    (kr * (kc_max - kcb)).min(few * kc_max)
}

#[cfg(test)]
#[path = "fao56_tests.rs"]
mod tests;
