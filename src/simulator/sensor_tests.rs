//! That a sensor is as wrong as it was made to be, and no more.

use super::*;

const AIR: Air = Air {
    tmax_c: 25.0,
    tmin_c: 15.0,
};

const SOUND: Probe = Probe {
    calibration: Calibration::Factory,
    depth_m: 0.20,
    response_min: 10.0,
    faults: Faults::NONE,
};

const USUAL: Probe = Probe {
    faults: Faults::USUAL,
    ..SOUND
};

/// Readings of so many days in a soil that does not change.
fn readings(probe: Probe, name: &str, theta: f64, days: u64) -> Vec<Reading> {
    let mut sensor = SoilMoistureSensor::new(probe, 1, name, theta);
    (0..days * 1440)
        .filter_map(|minute| sensor.step(minute, theta, &AIR))
        .collect()
}

fn mean_and_sd(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / count;
    (mean, variance.sqrt())
}

#[track_caller]
fn close(value: f64, expected: f64, tolerance: f64) {
    assert!(
        (value - expected).abs() <= tolerance,
        "{value} is not {expected} within {tolerance}"
    );
}

fn characters(calibration: Calibration) -> Vec<Character> {
    let probe = Probe {
        calibration,
        ..SOUND
    };
    (0..4000)
        .map(|i| SoilMoistureSensor::new(probe, 1, &format!("s-{i}"), 0.2).character)
        .collect()
}

#[test]
fn sensors_differ_in_gain_bias_and_warmth_as_much_as_they_should() {
    let of = |value: fn(&Character) -> f64, calibration| {
        let values: Vec<f64> = characters(calibration).iter().map(value).collect();
        mean_and_sd(&values)
    };
    let (mean, sd) = of(|c| c.gain, Calibration::Factory);
    close(mean, 1.0, 0.003);
    close(sd, 0.05, 0.002);
    let (mean, sd) = of(|c| c.bias, Calibration::Factory);
    close(mean, 0.0, 0.002);
    close(sd, 0.03, 0.0015);
    let (mean, sd) = of(|c| c.bias, Calibration::Soil);
    close(mean, 0.0, 0.001);
    close(sd, 0.012, 0.0006);
    let (mean, sd) = of(|c| c.warmth, Calibration::Factory);
    close(mean, -0.0015, 0.000_05);
    close(sd, 0.0007, 0.000_04);
}

#[test]
fn a_sensor_shows_gain_and_bias_in_the_mean() {
    for i in 0..20 {
        let name = format!("s-{i}");
        let Character { gain, bias, .. } = SoilMoistureSensor::new(SOUND, 1, &name, 0.2).character;
        let shown: Vec<f64> = readings(SOUND, &name, 0.2, 200)
            .iter()
            .map(|reading| reading.theta)
            .collect();
        let (mean, sd) = mean_and_sd(&shown);
        // The soil is at 20 C in the mean; a drift of 0.004 is left of its twenty lives.
        close(mean, gain * 0.2 + bias, 0.004);
        close(sd, (DRIFT_SD.powi(2) + NOISE_SD.powi(2)).sqrt(), 0.0015);
    }
}

#[test]
fn a_drift_lasts_for_days_and_noise_does_not() {
    let readings = readings(SOUND, "s", 0.2, 1000);
    let shown: Vec<f64> = readings.iter().map(|reading| reading.theta).collect();
    let days: Vec<f64> = shown.chunks(96).map(|day| mean_and_sd(day).0).collect();
    close(mean_and_sd(&days).1, DRIFT_SD, 0.001);
    let next: Vec<f64> = days.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let kept = (-0.1_f64).exp();
    close(
        mean_and_sd(&next).1,
        DRIFT_SD * (2.0 - 2.0 * kept).sqrt(),
        0.0004,
    );
}

#[test]
fn readings_are_rounded_and_within_the_range() {
    for theta in [0.0, 0.2, 0.7] {
        for reading in readings(SOUND, "s", theta, 10) {
            assert!((0.0..=RANGE).contains(&reading.theta));
            let steps = reading.theta / RESOLUTION;
            close(steps, steps.round(), 1e-9);
        }
    }
}

#[test]
fn a_sensor_wakes_every_quarter_of_an_hour_and_waits_up_to_ten_seconds() {
    let readings = readings(SOUND, "s", 0.2, 30);
    assert_eq!(readings.len(), 30 * 96);
    let late: Vec<f64> = readings
        .iter()
        .zip(0_u32..)
        .map(|(reading, i)| reading.at_s - 900.0 * f64::from(i))
        .collect();
    assert!(late.iter().all(|late| (0.0..10.0).contains(late)));
    close(mean_and_sd(&late).0, 5.0, 0.2);
}

#[test]
fn a_sensor_follows_the_soil_late() {
    let mut sensor = SoilMoistureSensor::new(SOUND, 1, "s", 0.1);
    for minute in 0..10 {
        sensor.step(minute, 0.2, &AIR);
    }
    close(sensor.followed, 0.2 - 0.1 * (-1.0_f64).exp(), 1e-9);
}

#[test]
fn the_soil_is_warm_later_and_less_the_deeper_it_is() {
    let warmest = |depth_m: f64| {
        let at = |minute: u16| AIR.soil_c(depth_m, f64::from(minute));
        let best = (0..1440).max_by(|a, b| at(*a).total_cmp(&at(*b))).unwrap();
        (best, at(best))
    };
    // At the surface as the air is, two hours after noon, and half as much above the mean.
    let (when, warm) = warmest(0.0);
    assert_eq!(when, 840);
    close(warm, 22.5, 1e-9);
    // At the depth of damping a radian later.
    let (when, warm) = warmest(0.12);
    assert_eq!(when, 1069);
    close(warm, 20.0 + 2.5 * (-1.0_f64).exp(), 1e-4);
}

#[test]
fn warmth_shows_as_much_as_the_sensor_is_prone_to_it() {
    let mut sensor = SoilMoistureSensor::new(SOUND, 1, "s", 0.2);
    let mean_at = |sensor: &mut SoilMoistureSensor, t_c: f64| {
        let air = Air {
            tmax_c: t_c,
            tmin_c: t_c,
        };
        let shown: Vec<f64> = (0..200 * 1440)
            .filter_map(|minute| sensor.step(minute, 0.2, &air))
            .map(|reading| reading.theta)
            .collect();
        mean_and_sd(&shown).0
    };
    let difference = mean_at(&mut sensor, 40.0) - mean_at(&mut sensor, 0.0);
    close(difference, 40.0 * sensor.character.warmth, 0.004);
}

#[test]
fn a_sensor_without_faults_is_always_sound_and_always_heard() {
    for reading in readings(SOUND, "s", 0.2, 400) {
        assert_eq!(reading.condition, Condition::Sound);
        assert!(reading.delivered && reading.theta.is_finite());
    }
}

/// So many sensors over two years each.
fn with_faults(count: u32) -> Vec<Vec<Reading>> {
    (0..count)
        .map(|i| readings(USUAL, &format!("s-{i}"), 0.2, 730))
        .collect()
}

#[test]
fn faults_are_as_frequent_as_they_should_be() {
    let all = with_faults(20);
    let count = all.iter().map(Vec::len).sum::<usize>() as f64;
    let having = |holds: fn(&Reading) -> bool| {
        all.iter()
            .flatten()
            .filter(|reading| holds(reading))
            .count() as f64
    };
    let lost = having(|reading| !reading.delivered) / count;
    close(lost, Radio::MAST.loss(), 0.002);
    let whole = having(|r| matches!(r.condition, Condition::Sound | Condition::Spike));
    let spikes = having(|reading| reading.condition == Condition::Spike);
    close(spikes / whole, 1e-4, 0.3e-4);

    // Outages that begin, while the sensor is whole.
    let begins = |is: fn(Condition) -> bool| {
        let pairs = all.iter().flat_map(|readings| readings.windows(2));
        let begun = pairs.filter(|pair| !is(pair[0].condition) && is(pair[1].condition));
        begun.count() as f64
    };
    let whole_days = whole / 96.0;
    let stuck = begins(|condition| condition == Condition::Stuck);
    close(stuck / whole_days * 60.0, 1.0, 0.2);
    let cable = begins(|condition| matches!(condition, Condition::Zero | Condition::Nothing));
    close(cable / whole_days * 120.0, 1.0, 0.25);
}

#[test]
fn outages_last_from_six_hours_to_three_days() {
    let mut lengths = Vec::new();
    for readings in with_faults(4) {
        let runs = readings.chunk_by(|a, b| a.condition == b.condition);
        let outages =
            runs.filter(|run| !matches!(run[0].condition, Condition::Sound | Condition::Spike));
        lengths.extend(outages.map(<[Reading]>::len));
    }
    let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
    assert!(*least >= 24 && *most <= 289, "{least} to {most} readings");
}

#[test]
fn what_a_broken_sensor_shows_is_what_its_condition_says() {
    for readings in with_faults(4) {
        for pair in readings.windows(2) {
            let (before, now) = (pair[0], pair[1]);
            match now.condition {
                Condition::Zero => assert!(now.theta == 0.0),
                Condition::Nothing => assert!(now.theta.is_nan()),
                Condition::Stuck
                    if matches!(before.condition, Condition::Sound | Condition::Stuck) =>
                {
                    assert!((now.theta - before.theta).abs() < 1e-12);
                }
                _ => assert!((0.0..=RANGE).contains(&now.theta)),
            }
        }
    }
}

#[test]
fn faults_do_not_change_what_a_sensor_measures_while_it_is_whole() {
    let sound = readings(SOUND, "s", 0.2, 200);
    let faulty = readings(USUAL, "s", 0.2, 200);
    let mut broken = 0;
    for (sound, faulty) in sound.iter().zip(&faulty) {
        close(sound.at_s, faulty.at_s, 0.0);
        if faulty.condition == Condition::Sound {
            close(sound.theta, faulty.theta, 0.0);
        } else {
            broken += 1;
        }
    }
    assert!(broken > 0, "the test has seen a fault");
}

#[test]
fn a_sensor_of_the_same_seed_and_name_is_the_same() {
    let numbers = |probe, name| -> Vec<u64> {
        let readings = readings(probe, name, 0.2, 100);
        readings.iter().map(|r| r.theta.to_bits()).collect()
    };
    assert_eq!(numbers(USUAL, "north"), numbers(USUAL, "north"));
    assert_ne!(numbers(USUAL, "north"), numbers(USUAL, "south"));
}
