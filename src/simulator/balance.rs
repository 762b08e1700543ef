//! The water balance of a root zone in steps of a day, as the worked examples of FAO-56 do it by hand.
//!
//! What a controller that keeps books would calculate; the field itself is in [`super::field`] and steps by the minute.
//! Pure functions.

use super::fao56;

/// Less rain than this share of ET0 evaporates before it reaches the roots (FAO-56, chapter 8).
const LEAST_RAIN_OF_ET0: f64 = 0.2;

/// When in the day the water comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOrder {
    /// Before the crop takes up any, as in Example 38: what is too much percolates before.
    WaterFirst,
    /// All at once, as Eq. 85 and 88 have it to the letter: the crop drinks of what would percolate.
    Equation88,
}

/// A root zone on a day.
#[derive(Clone, Copy, Debug)]
pub struct RootZone {
    /// Total available water TAW, mm.
    pub taw_mm: f64,
    /// Share p of it that is taken up without stress.
    pub p: f64,
}

/// The water of a day, mm.
#[derive(Clone, Copy, Debug, Default)]
pub struct DayWater {
    /// Reference evapotranspiration ET0.
    pub et0_mm: f64,
    /// Crop coefficient Kc.
    pub kc: f64,
    /// Rain P.
    pub rain_mm: f64,
    /// What of the rain runs off, RO.
    pub runoff_mm: f64,
    /// Irrigation I that reaches the soil.
    pub irrigation_mm: f64,
    /// Capillary rise CR from the water table.
    pub capillary_rise_mm: f64,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayBalance {
    /// Stress coefficient Ks.
    pub ks: f64,
    /// What came into the root zone, mm: (P - RO) + I + CR, without rain that is too little to count.
    pub water_mm: f64,
    /// Evapotranspiration ETa, mm.
    pub eta_mm: f64,
    /// Deep percolation DP, mm.
    pub deep_percolation_mm: f64,
    /// Root zone depletion Dr at the end of the day, mm.
    pub dr_mm: f64,
}

/// The balance of a day after one that ended with the depletion `dr_mm`, of 0 to TAW (Eq. 85, 86 and 88). Ks is that of the
/// beginning of the day: with [`DayOrder::WaterFirst`] after its water has come.
pub fn daily_balance(
    dr_mm: f64,
    root_zone: RootZone,
    day: &DayWater,
    order: DayOrder,
) -> DayBalance {
    let RootZone { taw_mm, p } = root_zone;
    let counts = day.rain_mm >= LEAST_RAIN_OF_ET0 * day.et0_mm;
    let rain = if counts {
        day.rain_mm - day.runoff_mm
    } else {
        0.0
    };
    let water_mm = rain + day.irrigation_mm + day.capillary_rise_mm;
    let start = match order {
        DayOrder::WaterFirst => (dr_mm - water_mm).max(0.0),
        DayOrder::Equation88 => dr_mm,
    };
    let ks = fao56::stress_coefficient(start, taw_mm, p);
    let etc = ks * day.kc * day.et0_mm;
    let (eta_mm, deep_percolation_mm) = match order {
        DayOrder::WaterFirst => (etc.min(taw_mm - start), (water_mm - dr_mm).max(0.0)),
        DayOrder::Equation88 => {
            let eta = etc.min(taw_mm - dr_mm + water_mm);
            (eta, (water_mm - eta - dr_mm).max(0.0))
        }
    };
    DayBalance {
        ks,
        water_mm,
        eta_mm,
        deep_percolation_mm,
        dr_mm: dr_mm - water_mm + eta_mm + deep_percolation_mm,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Example 37: a tomato of which nobody takes care for ten days.
    #[test]
    fn a_crop_without_water_is_stressed_as_in_example_37() {
        let root_zone = RootZone {
            taw_mm: fao56::total_available_water(0.32, 0.12, 0.8),
            p: 0.4,
        };
        let ks = [
            1.0, 1.0, 0.9688, 0.9082, 0.8514, 0.7982, 0.7483, 0.7016, 0.6577, 0.6166,
        ];
        let eta = [
            6.0, 6.0, 5.812, 5.449, 5.109, 4.789, 4.490, 4.209, 3.946, 3.700,
        ];
        let dr = [
            61.0, 67.0, 72.812, 78.262, 83.370, 88.160, 92.650, 96.859, 100.805, 104.505,
        ];
        for order in [DayOrder::WaterFirst, DayOrder::Equation88] {
            let mut depletion = 55.0;
            for day in 0..10 {
                let water = DayWater {
                    et0_mm: 5.0,
                    kc: 1.2,
                    ..DayWater::default()
                };
                let balance = daily_balance(depletion, root_zone, &water, order);
                assert!((balance.ks - ks[day]).abs() < 1e-4, "day {}", day + 1);
                assert!((balance.eta_mm - eta[day]).abs() < 1e-3, "day {}", day + 1);
                assert!((balance.dr_mm - dr[day]).abs() < 1e-3, "day {}", day + 1);
                depletion = balance.dr_mm;
            }
        }
    }

    /// Example 38: irrigation on days 1 and 10, rain on day 6, roots that grow. Depletions, and the percolation of day 1.
    fn example_38(order: DayOrder) -> (Vec<f64>, f64) {
        let et0 = [4.5, 5.0, 3.9, 4.2, 4.8, 2.7, 5.8, 5.1, 4.7, 5.2];
        let kc = [1.21, 1.21, 1.04, 0.70, 0.52, 1.00, 0.82, 0.55, 0.47, 1.21];
        let mut depletion = 23.4;
        let mut percolation = Vec::new();
        let mut depletions = Vec::new();
        for (i, day) in (0_u8..10).enumerate() {
            let zr = 0.30 + 0.05 * f64::from(day) / 9.0;
            let root_zone = RootZone {
                taw_mm: fao56::total_available_water(0.23, 0.10, zr),
                p: 0.6,
            };
            let water = DayWater {
                et0_mm: et0[i],
                kc: kc[i],
                rain_mm: if day == 5 { 6.0 } else { 0.0 },
                irrigation_mm: [40.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 27.0][i],
                ..DayWater::default()
            };
            let balance = daily_balance(depletion, root_zone, &water, order);
            depletion = balance.dr_mm;
            depletions.push(depletion);
            percolation.push(balance.deep_percolation_mm);
        }
        assert!(percolation[1..9].iter().all(|mm| *mm == 0.0));
        (depletions, percolation[0])
    }

    #[test]
    fn water_that_comes_first_gives_example_38() {
        let (depletions, percolation) = example_38(DayOrder::WaterFirst);
        let calculated = [
            5.45, 11.50, 15.55, 18.49, 20.99, 17.69, 22.44, 25.25, 27.46, 6.75,
        ];
        let printed = [5.0, 12.0, 16.0, 18.0, 21.0, 18.0, 22.0, 25.0, 27.0, 6.0];
        for ((dr, calculated), printed) in depletions.iter().zip(calculated).zip(printed) {
            assert!((dr - calculated).abs() < 0.006, "{dr} is not {calculated}");
            assert!((dr - printed).abs() < 1.0, "{dr} is not {printed}");
        }
        assert!((percolation - 16.6).abs() < 1e-9);
    }

    #[test]
    fn equation_88_to_the_letter_gives_other_depletions_in_example_38() {
        let (depletions, percolation) = example_38(DayOrder::Equation88);
        for (day, expected) in [(0, 0.0), (1, 6.05), (2, 10.11), (9, 1.30)] {
            let dr = depletions[day];
            assert!((dr - expected).abs() < 0.006, "{dr} is not {expected}");
        }
        assert!((percolation - 11.155).abs() < 1e-9);
    }

    #[test]
    fn rain_that_evaporates_at_once_does_not_count() {
        let root_zone = RootZone {
            taw_mm: 100.0,
            p: 0.5,
        };
        let after = |rain_mm| {
            let water = DayWater {
                et0_mm: 5.0,
                kc: 1.0,
                rain_mm,
                ..DayWater::default()
            };
            daily_balance(20.0, root_zone, &water, DayOrder::WaterFirst).dr_mm
        };
        assert!((after(0.9) - 25.0).abs() < 1e-12);
        assert!((after(1.0) - 24.0).abs() < 1e-12);
    }

    #[test]
    fn a_crop_takes_up_no_more_than_there_is() {
        let root_zone = RootZone {
            taw_mm: 10.0,
            p: 0.8,
        };
        let water = DayWater {
            et0_mm: 12.0,
            kc: 1.2,
            ..DayWater::default()
        };
        for order in [DayOrder::WaterFirst, DayOrder::Equation88] {
            let balance = daily_balance(5.0, root_zone, &water, order);
            assert!((balance.dr_mm - 10.0).abs() < 1e-12);
            assert!((balance.eta_mm - 5.0).abs() < 1e-12);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_water_is_lost_or_made_and_depletion_stays_within_taw(
            (taw_mm, p, wetness) in (5.0..250.0, 0.1..0.8, 0.0..1.0),
            (et0_mm, kc) in (0.0..12.0, 0.2..1.3),
            (rain_mm, runoff, irrigation_mm, capillary_rise_mm) in (0.0..80.0, 0.0..1.0, 0.0..60.0, 0.0..3.0),
            literal in any::<bool>(),
        ) {
            let dr = wetness * taw_mm;
            let day = DayWater {
                et0_mm, kc, rain_mm, runoff_mm: runoff * rain_mm, irrigation_mm, capillary_rise_mm,
            };
            let order = if literal { DayOrder::Equation88 } else { DayOrder::WaterFirst };
            let after = daily_balance(dr, RootZone { taw_mm, p }, &day, order);
            let stored = dr - after.dr_mm;
            let kept = after.water_mm - after.eta_mm - after.deep_percolation_mm;
            prop_assert!((stored - kept).abs() < 1e-9);
            prop_assert!(after.dr_mm > -1e-9 && after.dr_mm < taw_mm + 1e-9);
            prop_assert!(after.eta_mm >= 0.0 && after.deep_percolation_mm >= 0.0);
        }
    }
}
