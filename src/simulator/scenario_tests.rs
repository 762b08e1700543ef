//! What a scenario may say, and what of it has a default.

use super::*;

const LEAST: &str = r#"
    days = 1
    start = "2024-12-31"
    climate = "lyon"
    [[systems]]
    id = "north"
    field = "tomato-loam"
"#;

fn scenario(text: &str) -> Result<Scenario, String> {
    let place = "x.toml";
    parse(text, place, ("x", None), Overrides::default()).map_err(|e| e.to_string())
}

#[test]
fn what_is_not_said_has_a_default() {
    let scenario = scenario(LEAST).unwrap();
    assert_eq!(
        (scenario.seed, scenario.speed, scenario.lease_ms),
        (1, 1.0, 30_000)
    );
    let system = &scenario.systems[0];
    assert_eq!((system.name.as_str(), system.dryness), ("north", 0.0));
    assert_eq!(system.actuator, actuator::Kind::Perfect);
    assert!(system.controllers.is_empty() && !system.sensor_faults);
    // The last day of a leap year has no number of its own.
    assert_eq!(scenario.first_day(), 365);
}

#[test]
fn a_count_makes_as_many_systems_with_numbers() {
    let text = format!("{LEAST}\nname = \"Bed\"\ncount = 3");
    let scenario = scenario(&text).unwrap();
    let names: Vec<(&str, &str)> = scenario
        .systems
        .iter()
        .map(|system| (system.id.as_str(), system.name.as_str()))
        .collect();
    let expected = [
        ("north-1", "Bed 1"),
        ("north-2", "Bed 2"),
        ("north-3", "Bed 3"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn flags_come_before_the_file_and_are_named_when_they_are_wrong() {
    let overrides = Overrides {
        seed: Some(7),
        days: Some(2.0),
        speed: Some(-1.0),
    };
    let wrong = parse(LEAST, "x.toml", ("x", None), overrides).unwrap_err();
    let expected = "flag --speed: speed: -1 is not allowed; a number from 0.01 to 86400 is";
    assert_eq!(wrong.to_string(), expected);
    let overrides = Overrides {
        speed: None,
        ..overrides
    };
    let scenario = parse(LEAST, "x.toml", ("x", None), overrides).unwrap();
    assert_eq!((scenario.seed, scenario.days), (7, 2.0));
}

#[test]
fn every_number_of_a_controller_or_an_actuator_is_checked() {
    for (line, expected) in [
        (
            r#"controllers = [{ kind = "cron", at_h = 25, seconds = 60 }]"#,
            "controllers[0].at_h: 25 is not allowed; a number from 0 to 24 is",
        ),
        (
            r#"controllers = [{ kind = "threshold" }, { kind = "bad", per_day = nan }]"#,
            "controllers[1].per_day: NaN is not allowed; a number from 0.001 to 1000 is",
        ),
        (
            r#"controllers = [{ kind = "et-bucket", forgets = 1.5 }]"#,
            "controllers[0].forgets: 1.5 is not allowed; a number from 0 to 1 is",
        ),
        (
            r#"actuator = { kind = "leaky", share = -0.1 }"#,
            "actuator.share: -0.1 is not allowed; a number from 0 to 1 is",
        ),
        (
            r#"actuator = { kind = "slow", motor_s = 0 }"#,
            "actuator.motor_s: 0 is not allowed; a number from 0.001 to 600 is",
        ),
    ] {
        let wrong = scenario(&format!("{LEAST}\n{line}")).unwrap_err();
        assert_eq!(wrong, format!("x.toml: systems[0].{expected}"));
    }
}
