//! That the weather is that of its climate, over a thousand years, and the same for the same seed.

use std::path::Path;

use super::*;
use crate::simulator::climate::MONTH_DAYS;

const YEARS: u32 = 1000;

fn climate(name: &str) -> Climate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/climates");
    Climate::read(&folder.join(name)).unwrap()
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    a.map(|row| std::array::from_fn(|j| (0..3).map(|k| row[k] * b[k][j]).sum()))
}

fn transposed(a: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| a[j][i]))
}

#[track_caller]
fn equal_within(a: &Matrix, b: &Matrix, tolerance: f64) {
    for (a, b) in a.iter().flatten().zip(b.iter().flatten()) {
        assert!((a - b).abs() <= tolerance, "{a} is not {b}");
    }
}

/// Correlations of Tmax, Tmin and Rs of the same day (M0), and with the day before (M1), that Richardson published.
const M0: Matrix = [
    [1.0, 0.633, 0.186],
    [0.633, 1.0, -0.193],
    [0.186, -0.193, 1.0],
];
const M1: Matrix = [
    [0.621, 0.445, 0.087],
    [0.563, 0.674, -0.100],
    [0.015, -0.091, 0.251],
];

#[test]
fn the_matrices_give_the_published_correlations_of_a_day() {
    let mut covariance = M0;
    for _ in 0..200 {
        let remembered = product(&product(&A, &covariance), &transposed(&A));
        let new = product(&B, &transposed(&B));
        covariance = std::array::from_fn(|i| std::array::from_fn(|j| remembered[i][j] + new[i][j]));
    }
    equal_within(&covariance, &M0, 0.001);
}

#[test]
fn the_matrices_give_the_published_correlations_with_the_day_before() {
    // A = M1 M0^-1, but for the rounding of both: A M0 = M1.
    equal_within(&product(&A, &M0), &M1, 0.003);
}

/// Sums of a month over all years.
#[derive(Clone, Copy, Default)]
struct OfMonth {
    wet_days: f64,
    days_with_rain: f64,
    rain_mm: f64,
    tmax_c: f64,
}

/// The means of a month over a thousand years: of its days, and of its rain.
fn thousand_years(climate: &Climate) -> [OfMonth; 12] {
    let mut weather = Weather::new(climate.clone(), 1, 1);
    let mut months = [OfMonth::default(); 12];
    for _ in 0..YEARS * u32::from(YEAR_DAYS) {
        let day = weather.due;
        let month = &mut months[month_of(day.day_of_year)];
        month.wet_days += f64::from(u8::from(day.wet));
        month.days_with_rain += f64::from(u8::from(day.rain_mm > 0.0));
        month.rain_mm += day.rain_mm;
        month.tmax_c += day.tmax_c;
        weather.draw_next();
    }
    let mut days = MONTH_DAYS.iter();
    months.map(|sums| {
        let years = f64::from(YEARS);
        let days = f64::from(*days.next().unwrap());
        OfMonth {
            wet_days: sums.wet_days / years,
            days_with_rain: sums.days_with_rain / years,
            rain_mm: sums.rain_mm / years,
            tmax_c: sums.tmax_c / years / days,
        }
    })
}

#[test]
fn a_thousand_years_of_gainesville_are_those_of_its_card() {
    let climate = climate("gainesville.toml");
    let rain_mm = [
        84.0, 109.3, 98.0, 74.3, 92.3, 162.9, 169.3, 193.9, 133.1, 56.0, 57.0, 69.8,
    ];
    let months = thousand_years(&climate);
    let mut year = 0.0;
    for (m, of_month) in months.iter().enumerate() {
        let expected = &climate.months[m];
        let (share, rain) = (expected.rain.wet_share(), rain_mm[m]);
        let wet_days = share * f64::from(MONTH_DAYS[m]);
        let tmax = share * expected.tmax.wet.mean + (1.0 - share) * expected.tmax.dry.mean;
        let name = format!("month {}", m + 1);
        assert!((of_month.wet_days - wet_days).abs() < 0.3, "{name}");
        assert!((of_month.rain_mm / rain - 1.0).abs() < 0.08, "{name}");
        assert!((of_month.tmax_c - tmax).abs() < 0.2, "{name}");
        year += of_month.rain_mm;
    }
    assert!(
        (year / rain_mm.iter().sum::<f64>() - 1.0).abs() < 0.03,
        "{year} mm a year"
    );
}

#[test]
fn a_thousand_years_of_a_derived_card_have_its_rain_and_warmth() {
    for (name, year_mm) in [("toulon.toml", 665.0), ("lyon.toml", 830.0)] {
        let climate = climate(name);
        let months = thousand_years(&climate);
        let rain: f64 = months.iter().map(|month| month.rain_mm).sum();
        assert!((rain / year_mm - 1.0).abs() < 0.03, "{name}: {rain} mm");
        for (m, of_month) in months.iter().enumerate() {
            let expected = &climate.months[m];
            let wet_days = expected.rain.wet_share() * f64::from(MONTH_DAYS[m]);
            assert!((of_month.wet_days - wet_days).abs() < 0.3, "{name}");
            // A Tmin that is drawn above Tmax changes places with it: in winter that lifts the mean.
            let tmax = of_month.tmax_c - expected.tmax.dry.mean;
            assert!((-0.2..0.35).contains(&tmax), "{name}: {tmax} C");
        }
    }
}

#[test]
fn rain_that_no_gauge_would_show_is_not_counted() {
    for month in thousand_years(&climate("gainesville.toml")) {
        assert!(month.days_with_rain < month.wet_days);
        assert!(month.days_with_rain > 0.7 * month.wet_days);
    }
}

fn days(name: &str, seed: u64, first: u16, count: usize) -> Vec<Day> {
    let mut weather = Weather::new(climate(name), seed, first);
    (0..count).map(|_| weather.next_day()).collect()
}

#[test]
fn the_same_seed_is_the_same_weather_and_another_is_another() {
    let once = days("gainesville.toml", 1, 100, 400);
    assert_eq!(once, days("gainesville.toml", 1, 100, 400));
    assert_ne!(once, days("gainesville.toml", 2, 100, 400));
}

#[test]
fn days_follow_each_other_through_the_year_and_know_their_neighbours() {
    let days = days("lyon.toml", 1, 364, 4);
    let numbers: Vec<u16> = days.iter().map(|day| day.day_of_year).collect();
    assert_eq!(numbers, [364, 365, 1, 2]);
    for pair in days.windows(2) {
        assert!((pair[0].course.tmin_after_c - pair[1].tmin_c).abs() < 1e-12);
        assert!((pair[1].course.tmax_before_c - pair[0].tmax_c).abs() < 1e-12);
    }
}

#[test]
fn every_day_is_possible() {
    for name in ["gainesville.toml", "toulon.toml", "lyon.toml"] {
        let latitude = climate(name).latitude_rad;
        for day in days(name, 5, 1, 20 * 365) {
            let ra = fao56::extraterrestrial_radiation(latitude, day.day_of_year);
            assert!(day.tmin_c <= day.tmax_c);
            assert!(day.rs_mj_m2 <= 0.8 * ra && day.rs_mj_m2 >= 0.16 * ra);
            assert!(day.rain_mm == 0.0 || day.rain_mm >= 0.1);
            assert_eq!(day.rain_mm > 0.0, !day.showers.is_empty());
            assert!((0.0..12.0).contains(&day.et0.mm()), "{day:?}");
            let measured = matches!(day.et0, Et0::PenmanMonteith(_));
            assert_eq!(measured, name == "gainesville.toml");
        }
    }
}

#[test]
fn a_year_of_evapotranspiration_is_that_of_its_latitude() {
    for (name, least, most) in [
        ("gainesville.toml", 1100.0, 1500.0),
        ("toulon.toml", 850.0, 1200.0),
        ("lyon.toml", 700.0, 1000.0),
    ] {
        let sum: f64 = days(name, 3, 1, 3650).iter().map(|day| day.et0.mm()).sum();
        let year = sum / 10.0;
        assert!((least..most).contains(&year), "{name}: {year} mm");
    }
}

/// ET0 and radiation of ten years in which the climate of a card differs in something.
fn sums_where(name: &str, differs: fn(&mut Climate)) -> (f64, f64) {
    let mut climate = climate(name);
    differs(&mut climate);
    let mut weather = Weather::new(climate, 3, 1);
    (0..3650).fold((0.0, 0.0), |(et0, rs), _| {
        let day = weather.next_day();
        (et0 + day.et0.mm(), rs + day.rs_mj_m2)
    })
}

#[test]
fn dry_air_and_wind_make_more_evaporate() {
    let usual = sums_where("gainesville.toml", |_| {}).0;
    let dry = sums_where("gainesville.toml", |climate| {
        climate.dew_point_below_tmin_c = Some(3.0);
    });
    let windy = sums_where("gainesville.toml", |climate| climate.wind_m_s = 4.0);
    assert!(dry.0 > 1.03 * usual && windy.0 > 1.03 * usual);
}

#[test]
fn radiation_that_is_not_known_is_estimated_with_the_coefficient_of_the_card() {
    let coast = sums_where("toulon.toml", |_| {}).1;
    let inland = sums_where("toulon.toml", |climate| climate.krs = 0.16).1;
    assert!((inland / coast - 0.16 / 0.19).abs() < 0.01);
}
