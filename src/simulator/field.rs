//! A field: soil, crop and irrigation, and the water in its root zone, in steps of a minute.
//!
//! Water falls on the surface, sinks into the root zone with a delay, and leaves it through the crop or below the roots.
//! The delay is what a controller that looks at the soil moisture alone waters too much by. The water table is deep:
//! nothing rises from it. Never draws anything by chance, never allocates.

use std::ops::AddAssign;

use super::fao56;
use super::irrigation::Irrigation;

/// Less water than this on the surface sinks in at once, mm.
const FILM_MM: f64 = 1e-6;

/// A soil.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Soil {
    /// Water content at field capacity, m3/m3.
    pub theta_fc: f64,
    /// Water content at the wilting point, m3/m3.
    pub theta_wp: f64,
    /// In this time the water on the surface sinks in, but for one part in e, min.
    pub infiltration_min: f64,
    /// More water than this does not stay on the surface, but runs off, mm.
    pub surface_mm: f64,
}

/// A crop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crop {
    /// Root depth Zr, m.
    pub zr_m: f64,
    /// Share p of TAW that is taken up without stress, for an ETc of 5 mm/d (FAO-56, Table 22).
    pub p_table: f64,
    /// Crop coefficients Kc ini, mid and end (Table 12).
    pub kc: [f64; 3],
    /// Days of the stages: initial, development, mid-season, late season (Table 11).
    pub stage_days: [u16; 4],
}

/// Everything of a field that does not change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Site {
    pub soil: Soil,
    pub crop: Crop,
    pub irrigation: Irrigation,
}

/// Fields to begin with, by name. Soils lie within the ranges of FAO-56, Table 19; crops are those of Tables 11, 12 and
/// 22, but for the lawn, which is kept short, its roots with it, and is green for most of a year. Infiltration and hardware
/// are usual ones.
pub const PRESETS: [(&str, Site); 4] = [
    (
        "lawn-sand",
        Site {
            soil: soil(0.12, 0.045, 3.0),
            crop: Crop {
                zr_m: 0.30,
                p_table: 0.40,
                kc: [0.90, 0.95, 0.95],
                stage_days: [10, 20, 300, 35],
            },
            // Sprinklers, 20 mm/h.
            irrigation: irrigation(10.0, 30.0, 0.75),
        },
    ),
    (
        "tomato-loam",
        Site {
            soil: soil(0.25, 0.12, 20.0),
            crop: Crop {
                zr_m: 0.70,
                p_table: 0.40,
                kc: [0.60, 1.15, 0.80],
                stage_days: [30, 40, 45, 30],
            },
            // Drippers, 6 mm/h.
            irrigation: irrigation(10.0, 100.0, 0.90),
        },
    ),
    (
        "lettuce-sandyloam",
        Site {
            soil: soil(0.23, 0.11, 10.0),
            crop: Crop {
                zr_m: 0.30,
                p_table: 0.30,
                kc: [0.70, 1.00, 0.95],
                stage_days: [20, 30, 15, 10],
            },
            // Small sprinklers, 12 mm/h.
            irrigation: irrigation(10.0, 50.0, 0.80),
        },
    ),
    (
        "olive-clay",
        Site {
            soil: soil(0.36, 0.22, 60.0),
            crop: Crop {
                zr_m: 1.20,
                p_table: 0.65,
                kc: [0.65, 0.70, 0.70],
                stage_days: [30, 90, 60, 90],
            },
            // Drippers, 3 mm/h.
            irrigation: irrigation(20.0, 400.0, 0.90),
        },
    ),
];

const fn soil(theta_fc: f64, theta_wp: f64, infiltration_min: f64) -> Soil {
    Soil {
        theta_fc,
        theta_wp,
        infiltration_min,
        surface_mm: 20.0,
    }
}

const fn irrigation(flow_l_min: f64, area_m2: f64, efficiency: f64) -> Irrigation {
    Irrigation {
        flow_l_min,
        area_m2,
        efficiency,
    }
}

impl Crop {
    /// Crop coefficient Kc on a day of the season, from 1 (FAO-56, chapter 6): level in the first stage and in mid-season,
    /// in straight lines between and after, and then as at the end.
    pub fn kc(&self, day: u16) -> f64 {
        let [ini, mid, end] = self.kc;
        let [initial, development, mid_season, late] = self.stage_days.map(f64::from);
        let day = f64::from(day);
        let developed = ((day - initial) / development).clamp(0.0, 1.0);
        let aged = ((day - initial - development - mid_season) / late).clamp(0.0, 1.0);
        ini + (mid - ini) * developed + (end - mid) * aged
    }
}

impl Site {
    /// The preset of that name.
    pub fn preset(name: &str) -> Option<Self> {
        let found = PRESETS.iter().find(|(preset, _)| *preset == name);
        found.map(|(_, site)| *site)
    }

    /// Total available water TAW of the root zone, mm.
    pub fn taw_mm(&self) -> f64 {
        fao56::total_available_water(self.soil.theta_fc, self.soil.theta_wp, self.crop.zr_m)
    }
}

/// What comes to a field in a minute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Minute {
    /// Reference evapotranspiration ET0, mm.
    pub et0_mm: f64,
    /// Rain P, mm.
    pub rain_mm: f64,
    /// Water that left the hardware, mm on the area. Not all of it reaches the soil.
    pub gross_irrigation_mm: f64,
}

/// What became of it, and of what was there, mm.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fluxes {
    /// Rain P.
    pub rain_mm: f64,
    /// Irrigation I that reached the soil.
    pub irrigation_mm: f64,
    /// Irrigation that did not reach it: drift, evaporation on the way, leaks.
    pub application_loss_mm: f64,
    /// Runoff RO.
    pub runoff_mm: f64,
    /// From the surface into the root zone.
    pub infiltration_mm: f64,
    /// Evapotranspiration ETa.
    pub eta_mm: f64,
    /// Deep percolation DP, below the roots.
    pub deep_percolation_mm: f64,
}

impl AddAssign for Fluxes {
    fn add_assign(&mut self, other: Self) {
        self.rain_mm += other.rain_mm;
        self.irrigation_mm += other.irrigation_mm;
        self.application_loss_mm += other.application_loss_mm;
        self.runoff_mm += other.runoff_mm;
        self.infiltration_mm += other.infiltration_mm;
        self.eta_mm += other.eta_mm;
        self.deep_percolation_mm += other.deep_percolation_mm;
    }
}

/// A field and its water.
#[derive(Clone, Debug)]
pub struct Field {
    site: Site,
    /// Share of the water on the surface that sinks in within a minute.
    sinks: f64,
    dr_mm: f64,
    surface_mm: f64,
    /// Day of the season, from 1.
    day: u16,
    kc: f64,
    p: f64,
    ks: f64,
}

impl Field {
    /// A field on the first day of its season, with the root zone depletion Dr in mm (more than TAW is TAW). Until the
    /// first [`Field::start_day`] nothing grows on it.
    pub fn new(site: Site, dr_mm: f64) -> Self {
        Self {
            site,
            sinks: 1.0 - (-1.0 / site.soil.infiltration_min).exp(),
            dr_mm: dr_mm.clamp(0.0, site.taw_mm()),
            surface_mm: 0.0,
            day: 0,
            kc: 0.0,
            p: site.crop.p_table,
            ks: 1.0,
        }
    }

    /// A new day of the season begins, with that ET0 in mm. The stress of a crop is that of the depletion at the beginning
    /// of the day, as in Example 37: water relieves it on the next.
    pub fn start_day(&mut self, et0_mm: f64) {
        self.day = self.day.saturating_add(1);
        self.kc = self.site.crop.kc(self.day);
        self.p = fao56::depletion_fraction(self.site.crop.p_table, self.kc * et0_mm);
        self.ks = fao56::stress_coefficient(self.dr_mm, self.taw_mm(), self.p);
    }

    /// A minute passes: water comes, sinks in, percolates where it is too much, and then the crop takes up its part.
    pub fn step(&mut self, minute: &Minute) -> Fluxes {
        let irrigation_mm = minute.gross_irrigation_mm * self.site.irrigation.efficiency;
        self.surface_mm += minute.rain_mm + irrigation_mm;
        let runoff_mm = (self.surface_mm - self.site.soil.surface_mm).max(0.0);
        self.surface_mm -= runoff_mm;

        let infiltration_mm = if self.surface_mm < FILM_MM {
            self.surface_mm
        } else {
            self.surface_mm * self.sinks
        };
        self.surface_mm -= infiltration_mm;
        let deep_percolation_mm = (infiltration_mm - self.dr_mm).max(0.0);
        self.dr_mm = (self.dr_mm - infiltration_mm).max(0.0);

        let etc_mm = self.ks * self.kc * minute.et0_mm;
        let eta_mm = etc_mm.min(self.taw_mm() - self.dr_mm);
        self.dr_mm += eta_mm;
        Fluxes {
            rain_mm: minute.rain_mm,
            irrigation_mm,
            application_loss_mm: minute.gross_irrigation_mm - irrigation_mm,
            runoff_mm,
            infiltration_mm,
            eta_mm,
            deep_percolation_mm,
        }
    }

    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// Day of the season, from 1; 0 before it.
    pub const fn day(&self) -> u16 {
        self.day
    }

    /// Crop coefficient Kc of the day.
    pub const fn kc(&self) -> f64 {
        self.kc
    }

    /// Stress coefficient Ks of the day.
    pub const fn ks(&self) -> f64 {
        self.ks
    }

    /// Root zone depletion Dr, mm.
    pub const fn dr_mm(&self) -> f64 {
        self.dr_mm
    }

    /// Water that stands on the surface, mm.
    pub const fn surface_mm(&self) -> f64 {
        self.surface_mm
    }

    /// Total available water TAW, mm.
    pub fn taw_mm(&self) -> f64 {
        self.site.taw_mm()
    }

    /// Readily available water RAW of the day, mm. Beyond it the crop is stressed.
    pub fn raw_mm(&self) -> f64 {
        fao56::readily_available_water(self.p, self.taw_mm())
    }

    /// Soil water content theta of the root zone, m3/m3 (Eq. 87). Water on the surface is not in it yet.
    pub fn theta(&self) -> f64 {
        fao56::water_content(self.site.soil.theta_fc, self.dr_mm, self.site.crop.zr_m)
    }
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
