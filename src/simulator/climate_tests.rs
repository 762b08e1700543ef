//! What a card may say, and what is derived from it.

use rand::RngExt;

use super::*;
use crate::simulator::chance;

/// The card of that name in `config/climates`.
fn card(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/climates");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn climate(name: &str) -> Climate {
    Climate::parse(&card(name), name).unwrap()
}

/// What is said to a card of Gainesville in which one line reads otherwise.
fn refusal(card_name: &str, line_begins: &str, instead: &str) -> String {
    let card = card(card_name);
    let lines = card.lines().map(|line| {
        if line.starts_with(line_begins) {
            instead
        } else {
            line
        }
    });
    let card: Vec<&str> = lines.collect();
    Climate::parse(&card.join("\n"), "x.toml")
        .unwrap_err()
        .to_string()
}

#[test]
fn every_card_that_is_delivered_can_be_used() {
    for name in ["gainesville.toml", "lyon.toml", "toulon.toml"] {
        let climate = climate(name);
        assert_eq!(climate.months.len(), 12);
        assert_eq!(climate.months[0].rs.is_some(), name == "gainesville.toml");
    }
}

#[test]
fn a_full_card_keeps_its_wet_days() {
    let climate = climate("gainesville.toml");
    let wet_days = [
        8.1, 7.5, 7.6, 5.6, 7.5, 12.0, 15.6, 15.4, 11.1, 6.2, 6.0, 7.4,
    ];
    for ((month, days), expected) in climate.months.iter().zip(MONTH_DAYS).zip(wet_days) {
        let share = month.rain.wet_share();
        assert!((share * f64::from(days) - expected).abs() < 1e-9);
    }
}

/// p01, p11, alpha and beta of Toulon in July, October and February as they were calculated apart from this program.
#[test]
fn rain_is_derived_from_means_as_geng_did() {
    for (days, wet_days, rain_mm, expected) in [
        (31.0, 1.3, 6.6, [0.031, 0.281, 0.712, 7.13]),
        (31.0, 5.9, 93.9, [0.143, 0.393, 0.590, 26.96]),
        (28.0, 7.1, 88.3, [0.190, 0.440, 0.604, 20.60]),
    ] {
        let derived = check::geng(wet_days / days, rain_mm / wet_days);
        let values = [derived.p01, derived.p11, derived.alpha, derived.beta];
        for (value, expected) in values.into_iter().zip(expected) {
            let rounded = if expected > 1.0 { 0.006 } else { 0.0006 };
            assert!(
                (value - expected).abs() < rounded,
                "{value} is not {expected}"
            );
        }
    }
}

#[test]
fn a_chain_that_is_derived_from_means_is_stationary_at_its_wet_days() {
    for pw in [0.1, 0.3, 0.5, 0.9] {
        let days = pw * 31.0;
        let line = format!("wet_days = [{days}, 8, 10, 12, 10, 9, 7, 8, 8, 11, 12, 11]");
        let card = card("lyon.toml");
        let lines = card
            .lines()
            .map(|known| match known.starts_with("wet_days") {
                true => &line,
                false => known,
            });
        let card: Vec<&str> = lines.collect();
        let climate = Climate::parse(&card.join("\n"), "x.toml").unwrap();
        let rain = climate.months[0].rain;
        assert!((rain.wet_share() - pw).abs() < 1e-12);

        let mut chance = chance::stream(7, "chain");
        let (mut wet, mut wet_days) = (false, 0_u32);
        for _ in 0..200_000 {
            let probability = if wet { rain.p11 } else { rain.p01 };
            wet = chance.random::<f64>() < probability;
            wet_days += u32::from(wet);
        }
        let share = f64::from(wet_days) / 200_000.0;
        assert!((share - pw).abs() < 0.01, "{share} is not {pw}");
    }
}

#[test]
fn the_mean_rain_of_a_wet_day_is_kept_where_it_only_drizzles() {
    let derived = check::geng(0.3, 1.2);
    assert!((derived.alpha * derived.beta - 1.2).abs() < 1e-9);
}

#[test]
fn a_month_may_be_without_any_rain() {
    let card = card("toulon.toml")
        .replace(" 6.6, ", " 0.0, ")
        .replace(" 1.3, ", " 0.0, ");
    let climate = Climate::parse(&card, "x.toml").unwrap();
    assert!(climate.months[6].rain.amount.is_none());
    assert!(climate.months[6].rain.wet_share().abs() < 1e-12);
}

#[test]
fn a_value_that_is_not_allowed_is_refused_with_its_file_and_key_and_what_is() {
    for (line, instead, expected) in [
        (
            "latitude_deg",
            "latitude_deg = 90.0",
            "x.toml: latitude_deg: 90 is not allowed; a number from -66 to 66 is",
        ),
        (
            "elevation_m",
            "elevation_m = nan",
            "x.toml: elevation_m: NaN is not allowed; a number from -450 to 6000 is",
        ),
        (
            "elevation_m",
            "elevation_m = 10.0\nwind_m_s = -1.0",
            "x.toml: wind_m_s: -1 is not allowed; a number from 0 to 30 is",
        ),
        (
            "elevation_m",
            "elevation_m = 10.0\nwind = 2.0",
            "x.toml: wind: unknown field `wind`, expected one of",
        ),
        ("elevation_m", "", "missing field `elevation_m`"),
        (
            "elevation_m",
            "elevation_m = \"high\"",
            "x.toml: elevation_m: invalid type: string \"high\", expected f64",
        ),
        (
            "p01",
            "p01 = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
            "x.toml: wgen.p01, January: 2 is not allowed; a number from 0 to 1 is",
        ),
        (
            "p01",
            "p01 = [0.222, 0.9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
            "x.toml: wgen.p01, February: 0.9 is not allowed; with 7.5 wet days a number from 0 to 0.366 is",
        ),
        ("p01", "p01 = [0.222]", "x.toml: wgen.p01: invalid length 1"),
        (
            "alpha",
            "alpha = [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
            "x.toml: wgen.alpha, January: 0 is not allowed; a number from 0.01 to 10 is",
        ),
        (
            "tmin_sd_c",
            "tmin_sd_c = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1]",
            "x.toml: wgen.tmin_sd_c, December: -1 is not allowed; a number from 0 to 20 is",
        ),
        (
            "tmin_c",
            "tmin_c = [1, 1, 1, 1, 1, 33, 1, 1, 1, 1, 1, 1]",
            "x.toml: wgen.tmin_c, June: 33 is not allowed; a number up to Tmax, 31.8, is",
        ),
        (
            "wet_days",
            "wet_days = [32, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
            "x.toml: wgen.wet_days, January: 32 is not allowed; a number from 0 to 31 is",
        ),
        (
            "wet_days",
            "wet_days = [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
            "x.toml: wgen.rain_mm, January: 84 is not allowed; a number from 0 to 0 is",
        ),
        (
            "[wgen]",
            "[monthly]",
            "x.toml: monthly.alpha: unknown field `alpha`",
        ),
    ] {
        let said = refusal("gainesville.toml", line, instead);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_card_says_either_all_or_only_the_means() {
    let means = card("lyon.toml");
    let neither = &means[..means.find("[monthly]").unwrap()];
    let both = card("gainesville.toml") + &means[means.find("[monthly]").unwrap()..];
    for card in [neither, &both] {
        let said = Climate::parse(card, "x.toml").unwrap_err().to_string();
        let expected = "x.toml: wgen: exactly one of the tables [wgen] and [monthly] is allowed";
        assert_eq!(said, expected);
    }
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_named_in_one_line() {
    let said = Climate::read(Path::new("/nowhere/x.toml")).unwrap_err();
    assert!(
        said.to_string()
            .starts_with("/nowhere/x.toml: cannot be read:")
    );
    let said = Climate::parse("name = \n", "x.toml")
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("x.toml: ") && !said.contains('\n'),
        "{said}"
    );
}

#[test]
fn days_of_the_year_are_in_their_months() {
    for (day, month) in [(1, 0), (31, 0), (32, 1), (59, 1), (60, 2), (365, 11)] {
        assert_eq!(month_of(day), month, "day {day}");
    }
}
