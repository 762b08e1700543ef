//! That a field loses no water and makes none, and that it does by the minute what FAO-56 does by the day.

use proptest::prelude::*;

use super::*;
use crate::simulator::balance::{DayOrder, DayWater, RootZone, daily_balance};
use crate::simulator::day::DAY_MIN;

fn tomato(dr_mm: f64) -> Field {
    Field::new(Site::preset("tomato-loam").unwrap(), dr_mm)
}

/// A day of which every minute is alike.
fn even_day(field: &mut Field, et0_mm: f64, rain_mm: f64) -> Fluxes {
    let minutes = f64::from(DAY_MIN);
    let minute = Minute {
        et0_mm: et0_mm / minutes,
        rain_mm: rain_mm / minutes,
        gross_irrigation_mm: 0.0,
    };
    field.start_day(et0_mm);
    let mut day = Fluxes::default();
    for _ in 0..DAY_MIN {
        day += field.step(&minute);
    }
    day
}

#[test]
fn presets_lie_within_the_soils_of_table_19() {
    // Field capacity, wilting point; sand, loam, sandy loam, clay.
    let ranges = [
        ("lawn-sand", 0.07..=0.17, 0.02..=0.07),
        ("tomato-loam", 0.20..=0.30, 0.07..=0.17),
        ("lettuce-sandyloam", 0.18..=0.28, 0.06..=0.16),
        ("olive-clay", 0.32..=0.40, 0.20..=0.24),
    ];
    for ((name, fc, wp), (preset, site)) in ranges.into_iter().zip(PRESETS) {
        assert_eq!(name, preset);
        assert!(fc.contains(&site.soil.theta_fc) && wp.contains(&site.soil.theta_wp));
        assert_eq!(Site::preset(name), Some(site));
    }
    assert_eq!(Site::preset("rice-mud"), None);
}

#[test]
fn the_crop_coefficient_follows_the_stages() {
    let crop = Site::preset("tomato-loam").unwrap().crop;
    for (day, kc) in [
        (1, 0.60),
        (30, 0.60),
        (50, 0.875),
        (70, 1.15),
        (115, 1.15),
        (130, 0.975),
        (145, 0.80),
        (300, 0.80),
    ] {
        assert!((crop.kc(day) - kc).abs() < 1e-12, "day {day}");
    }
}

#[test]
fn a_dry_field_by_the_minute_is_the_daily_balance() {
    let mut field = tomato(20.0);
    let mut dr = 20.0;
    for _ in 0..60 {
        even_day(&mut field, 6.0, 0.0);
        let root_zone = RootZone {
            taw_mm: field.taw_mm(),
            p: field.raw_mm() / field.taw_mm(),
        };
        let water = DayWater {
            et0_mm: 6.0,
            kc: field.kc(),
            ..DayWater::default()
        };
        let balance = daily_balance(dr, root_zone, &water, DayOrder::WaterFirst);
        dr = balance.dr_mm;
        assert!((field.dr_mm() - dr).abs() < 1e-9);
        assert!((field.ks() - balance.ks).abs() < 1e-12);
    }
    assert!(field.ks() < 1.0, "the test comes as far as stress");
}

#[test]
fn less_is_readily_available_on_a_day_of_much_thirst() {
    let mut field = tomato(0.0);
    field.start_day(10.0);
    assert!((field.kc() - 0.60).abs() < 1e-12);
    assert!((field.raw_mm() - (0.40 - 0.04) * 91.0).abs() < 1e-9);
}

#[test]
fn stress_is_that_of_the_morning_whatever_comes_in_the_day() {
    let mut field = tomato(80.0);
    even_day(&mut field, 6.0, 60.0);
    let stressed = field.ks();
    assert!(stressed < 1.0);
    field.start_day(6.0);
    assert!((field.ks() - 1.0).abs() < 1e-12);
}

#[test]
fn water_sinks_in_with_the_time_of_its_soil() {
    let wet = Minute {
        gross_irrigation_mm: 10.0 / 0.9,
        ..Minute::default()
    };
    let mut field = tomato(40.0);
    let mut sunk = field.step(&wet).infiltration_mm;
    for _ in 1..20 {
        sunk += field.step(&Minute::default()).infiltration_mm;
    }
    let expected = 10.0 * (1.0 - (-1.0_f64).exp());
    assert!((sunk - expected).abs() < 1e-9, "{sunk} mm");
    assert!((field.surface_mm() - (10.0 - sunk)).abs() < 1e-9);
    for _ in 0..1000 {
        field.step(&Minute::default());
    }
    assert!(field.surface_mm() == 0.0, "the last film sinks in, too");
    assert!((field.dr_mm() - 30.0).abs() < 1e-9);
}

#[test]
fn more_than_the_surface_holds_runs_off() {
    let mut field = tomato(40.0);
    let storm = field.step(&Minute {
        rain_mm: 50.0,
        ..Minute::default()
    });
    assert!((storm.runoff_mm - 30.0).abs() < 1e-12);
}

#[test]
fn more_than_field_capacity_percolates() {
    let mut field = tomato(5.0);
    let day = even_day(&mut field, 0.0, 19.0);
    let left = field.surface_mm();
    assert!((day.deep_percolation_mm - (14.0 - left)).abs() < 1e-9);
    assert!((field.theta() - 0.25).abs() < 1e-12);
}

#[test]
fn a_field_dries_to_its_wilting_point_and_no_further() {
    let mut field = tomato(0.0);
    for _ in 0..2000 {
        even_day(&mut field, 12.0, 0.0);
    }
    assert!(field.dr_mm() <= field.taw_mm());
    assert!((field.theta() - 0.12).abs() < 1e-3);
}

#[test]
fn what_the_hardware_loses_does_not_reach_the_soil() {
    let mut field = tomato(40.0);
    let fluxes = field.step(&Minute {
        gross_irrigation_mm: 2.0,
        ..Minute::default()
    });
    assert!((fluxes.irrigation_mm - 1.8).abs() < 1e-12);
    assert!((fluxes.application_loss_mm - 0.2).abs() < 1e-12);
}

/// A random day: ET0, and at some minutes rain and irrigation.
fn day() -> impl Strategy<Value = (f64, Vec<(u16, f64, f64)>)> {
    let wet = (0..DAY_MIN, 0.0..8.0, 0.0..3.0);
    (0.0..12.0, prop::collection::vec(wet, 0..30))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_water_is_lost_or_made_on_any_day(
        preset in 0..PRESETS.len(),
        wetness in 0.0..1.0,
        days in prop::collection::vec(day(), 1..6),
    ) {
        let site = PRESETS[preset].1;
        let mut field = Field::new(site, wetness * site.taw_mm());
        for (et0_mm, wet) in days {
            let stored = field.surface_mm() - field.dr_mm();
            let mut minutes = vec![Minute { et0_mm: et0_mm / 1440.0, ..Minute::default() }; 1440];
            for (minute, rain_mm, gross_irrigation_mm) in wet {
                minutes[usize::from(minute)].rain_mm = rain_mm;
                minutes[usize::from(minute)].gross_irrigation_mm = gross_irrigation_mm;
            }
            field.start_day(et0_mm);
            let mut day = Fluxes::default();
            for minute in &minutes {
                day += field.step(minute);
                prop_assert!((0.0..=site.taw_mm()).contains(&field.dr_mm()));
                prop_assert!((0.0..=site.soil.surface_mm).contains(&field.surface_mm()));
            }
            let more = field.surface_mm() - field.dr_mm() - stored;
            let came = day.rain_mm - day.runoff_mm + day.irrigation_mm;
            let left = day.eta_mm + day.deep_percolation_mm;
            prop_assert!((more - (came - left)).abs() < 1e-9);
        }
    }
}
