//! The books of a field: that no water appears or vanishes.
//!
//! Only adds up; the water itself moves in [`super::field`].

use super::field::{Field, Fluxes};

/// What the books of a day may be off by, mm.
const TOLERANCE_MM: f64 = 1e-9;

/// The books of a day.
#[derive(Debug)]
pub struct Books {
    opening: Stock,
    today: Fluxes,
}

/// Water that a field holds.
#[derive(Clone, Copy, Debug)]
struct Stock {
    dr_mm: f64,
    surface_mm: f64,
}

impl Stock {
    const fn of(field: &Field) -> Self {
        Self {
            dr_mm: field.dr_mm(),
            surface_mm: field.surface_mm(),
        }
    }
}

impl Books {
    pub fn open(field: &Field) -> Self {
        Self {
            opening: Stock::of(field),
            today: Fluxes::default(),
        }
    }

    pub fn add(&mut self, fluxes: Fluxes) {
        self.today += fluxes;
    }

    /// Ends a day and begins the next. Says what is wrong with the one that ended.
    pub fn close(&mut self, field: &Field) -> Option<String> {
        let closing = Stock::of(field);
        let off = imbalance_mm(self.opening, closing, &self.today);
        *self = Self {
            opening: closing,
            today: Fluxes::default(),
        };
        // Neither is NaN a balance.
        let is_balanced = off.abs() <= TOLERANCE_MM;
        (!is_balanced).then(|| format!("{off} mm of water appeared in a day"))
    }
}

/// Water that the field has and nothing brought.
fn imbalance_mm(opening: Stock, closing: Stock, day: &Fluxes) -> f64 {
    let more = opening.dr_mm - closing.dr_mm + closing.surface_mm - opening.surface_mm;
    let came = day.rain_mm + day.irrigation_mm;
    let left = day.runoff_mm + day.eta_mm + day.deep_percolation_mm;
    more - (came - left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::field::{Minute, Site};

    /// Books of a day with rain, of which `lost` tells what is not written down.
    fn day(forge: impl Fn(&mut Fluxes)) -> Option<String> {
        let mut field = Field::new(Site::preset("tomato-loam").unwrap(), 40.0);
        field.start_day(6.0);
        let mut books = Books::open(&field);
        for _ in 0..1440 {
            let mut fluxes = field.step(&Minute {
                et0_mm: 0.004,
                rain_mm: 0.05,
                gross_irrigation_mm: 0.01,
            });
            forge(&mut fluxes);
            books.add(fluxes);
        }
        books.close(&field)
    }

    #[test]
    fn a_day_balances() {
        assert_eq!(day(|_| {}), None);
    }

    #[test]
    fn water_that_vanishes_is_noticed() {
        assert!(day(|fluxes| fluxes.deep_percolation_mm = 0.0).is_some());
        assert!(day(|fluxes| fluxes.eta_mm *= 1.000_001).is_some());
        assert!(day(|fluxes| fluxes.rain_mm = f64::NAN).is_some());
    }
}
