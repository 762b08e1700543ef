//! Example 19 of FAO-56: ET0 of an hour, calculated with the same equations as that of a day.
//!
//! The simulator itself divides the ET0 of its day and has no use for hours: what is needed for them stands here.

use std::f64::consts::PI;

use super::fao56::{
    atmospheric_pressure, inverse_relative_distance, net_longwave_radiation,
    net_shortwave_radiation, psychrometric_constant, saturation_vapour_pressure, solar_declination,
    vapour_pressure_slope,
};

/// Solar constant, MJ m-2 min-1.
const SOLAR_CONSTANT: f64 = 0.0820;

/// Share of the net radiation that goes into the soil by day and comes out of it by night (Eq. 45, 46).
const SOIL_BY_DAY: f64 = 0.1;
const SOIL_BY_NIGHT: f64 = 0.5;

/// Where a station stands. Longitudes are degrees west of Greenwich.
#[derive(Clone, Copy, Debug)]
struct Station {
    latitude_rad: f64,
    longitude_west: f64,
    /// Of the centre of its time zone.
    zone_west: f64,
    elevation_m: f64,
}

/// Extraterrestrial radiation Ra of the hour around `mid_h` (local standard time, as in 14.5), MJ m-2 h-1, on day J of the
/// year (Eq. 28 to 33). 0 while the sun is down.
fn extraterrestrial_radiation(station: &Station, day_of_year: u16, mid_h: f64) -> f64 {
    let b = 2.0 * PI * (f64::from(day_of_year) - 81.0) / 364.0;
    let season_h = 0.1645 * (2.0 * b).sin() - 0.1255 * b.cos() - 0.025 * b.sin();
    let solar_h = mid_h + 0.06667 * (station.zone_west - station.longitude_west) + season_h;
    let middle = PI / 12.0 * (solar_h - 12.0);
    let (from, to) = (middle - PI / 24.0, middle + PI / 24.0);
    let declination = solar_declination(day_of_year);
    let latitude = station.latitude_rad;
    let vertical = (to - from) * latitude.sin() * declination.sin();
    let horizontal = latitude.cos() * declination.cos() * (to.sin() - from.sin());
    let scale = 12.0 * 60.0 / PI * SOLAR_CONSTANT * inverse_relative_distance(day_of_year);
    (scale * (vertical + horizontal)).max(0.0)
}

/// What was measured in an hour.
#[derive(Clone, Copy, Debug)]
struct Hour {
    t_c: f64,
    /// Relative humidity, %.
    rh: f64,
    u2_m_s: f64,
    /// Solar radiation Rs, MJ m-2 h-1.
    rs: f64,
    /// Rs/Rso; by night that of some hours before sunset (chapter 4).
    rs_by_rso: f64,
    elevation_m: f64,
}

impl Hour {
    /// Reference evapotranspiration ET0 of the hour in mm (Eq. 53).
    fn et0_mm(&self) -> f64 {
        let saturated = saturation_vapour_pressure(self.t_c);
        let ea = saturated * self.rh / 100.0;
        let longwave = net_longwave_radiation(self.t_c, self.t_c, ea, self.rs_by_rso) / 24.0;
        let rn = net_shortwave_radiation(self.rs) - longwave;
        let soil = if self.rs > 0.0 {
            SOIL_BY_DAY
        } else {
            SOIL_BY_NIGHT
        };
        let slope = vapour_pressure_slope(self.t_c);
        let gamma = psychrometric_constant(atmospheric_pressure(self.elevation_m));
        let radiation = 0.408 * slope * (rn - soil * rn);
        let wind = gamma * 37.0 / (self.t_c + 273.0) * self.u2_m_s * (saturated - ea);
        (radiation + wind) / (slope + gamma * (1.0 + 0.34 * self.u2_m_s))
    }
}

/// N'Diaye, Senegal.
const NDIAYE: Station = Station {
    latitude_rad: 0.283_034,
    longitude_west: 16.25,
    zone_west: 15.0,
    elevation_m: 8.0,
};
const FIRST_OF_OCTOBER: u16 = 274;

#[test]
fn the_hours_of_example_19_evaporate_what_it_prints() {
    let ra = extraterrestrial_radiation(&NDIAYE, FIRST_OF_OCTOBER, 14.5);
    assert!((ra - 3.543).abs() < 0.005, "{ra}");
    let day = Hour {
        t_c: 38.0,
        rh: 52.0,
        u2_m_s: 3.3,
        rs: 2.450,
        rs_by_rso: 2.450 / (0.75 * ra),
        elevation_m: NDIAYE.elevation_m,
    };
    assert!((day.et0_mm() - 0.63).abs() < 0.01, "{}", day.et0_mm());
    assert_eq!(
        extraterrestrial_radiation(&NDIAYE, FIRST_OF_OCTOBER, 2.5),
        0.0
    );
    let night = Hour {
        t_c: 28.0,
        rh: 90.0,
        u2_m_s: 1.9,
        rs: 0.0,
        rs_by_rso: 0.8,
        elevation_m: NDIAYE.elevation_m,
    };
    assert!(night.et0_mm().abs() < 0.01, "{}", night.et0_mm());
}

#[test]
fn the_hours_of_a_day_have_the_radiation_of_the_day() {
    let hours = (0..24)
        .map(|hour| extraterrestrial_radiation(&NDIAYE, FIRST_OF_OCTOBER, f64::from(hour) + 0.5));
    let day = super::fao56::extraterrestrial_radiation(NDIAYE.latitude_rad, FIRST_OF_OCTOBER);
    let sum: f64 = hours.sum();
    assert!((sum - day).abs() < 0.01 * day, "{sum} {day}");
}
