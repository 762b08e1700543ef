//! What is measured in and over a field, and what of it is believed.

use super::field::Site;
use super::meter::{FlowMeter, RainGauge, TIP_MM};
use super::pace::{FieldMs, whole};
use super::sensor::{Air, Calibration, Faults, Probe, SoilMoistureSensor};

/// A reading that differs from the last by more than this is not believed the first time (SaQC's test of spikes), m3/m3.
const SPIKE: f64 = 0.15;

/// What stands on the plate of a flow meter.
const PULSES_PER_LITRE: f64 = 10.0;

/// How a sensor answers, min.
const RESPONSE_MIN: f64 = 15.0;

/// What a minute brought.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub theta: f64,
    pub rain_mm: f64,
    /// Through the valve.
    pub litres: f64,
}

#[derive(Debug)]
pub struct Senses {
    sensor: SoilMoistureSensor,
    gauge: RainGauge,
    meter: FlowMeter,
    /// The last reading that was believed, and when it was taken.
    moisture: Option<(FieldMs, f64)>,
    /// A reading that was not believed: the next like it is.
    doubted: Option<f64>,
    rain_by_hour_mm: [f64; 24],
    pulses_today: u64,
}

impl Senses {
    /// Of a system of that name, in a soil with the water content theta.
    pub fn new(
        site: &Site,
        calibration: Calibration,
        faults: Faults,
        (seed, name): (u64, &str),
        theta: f64,
    ) -> Self {
        let probe = Probe {
            calibration,
            depth_m: site.crop.zr_m / 3.0,
            response_min: RESPONSE_MIN,
            faults,
        };
        Self {
            sensor: SoilMoistureSensor::new(probe, seed, name, theta),
            gauge: RainGauge::default(),
            meter: FlowMeter::new(PULSES_PER_LITRE, seed, name),
            moisture: None,
            doubted: None,
            rain_by_hour_mm: [0.0; 24],
            pulses_today: 0,
        }
    }

    pub const fn moisture(&self) -> Option<(FieldMs, f64)> {
        self.moisture
    }

    /// In the hour that is not over and the 23 before.
    pub fn rain_24h_mm(&self) -> f64 {
        self.rain_by_hour_mm.iter().sum()
    }

    /// A minute of the simulation passes, counted from 0.
    pub fn minute_passes(&mut self, minute: u64, measured: Measured, air: &Air) {
        let hour = usize::try_from(minute / 60 % 24).unwrap_or(0);
        if minute.is_multiple_of(60) {
            self.rain_by_hour_mm[hour] = 0.0;
        }
        let tips_mm = f64::from(self.gauge.step(measured.rain_mm)) * TIP_MM;
        self.rain_by_hour_mm[hour] += tips_mm;
        self.pulses_today += u64::from(self.meter.step(measured.litres));
        if let Some(reading) = self.sensor.step(minute, measured.theta, air)
            && reading.delivered
        {
            self.judge(whole(reading.at_s * 1000.0), reading.theta);
        }
    }

    /// A day ends: returns the pulses of the flow meter.
    pub const fn day_ends(&mut self) -> u64 {
        std::mem::replace(&mut self.pulses_today, 0)
    }

    /// Zero and what is no number is a broken cable; a leap has to come twice.
    fn judge(&mut self, at: FieldMs, theta: f64) {
        if theta.is_nan() || theta <= 0.0 {
            return;
        }
        let leaps = |from: f64| (theta - from).abs() > SPIKE;
        let is_leap = self.moisture.is_some_and(|(_, last)| leaps(last));
        if is_leap && self.doubted.is_none_or(leaps) {
            self.doubted = Some(theta);
            return;
        }
        self.doubted = None;
        self.moisture = Some((at, theta));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senses() -> Senses {
        let site = Site::preset("tomato-loam").unwrap();
        Senses::new(&site, Calibration::Soil, Faults::NONE, (1, "north"), 0.2)
    }

    #[test]
    fn a_spike_is_not_believed_and_a_leap_that_stays_is() {
        let mut senses = senses();
        for (at, theta) in [(0, 0.20), (1, 0.45), (2, 0.21)] {
            senses.judge(at, theta);
        }
        assert_eq!(senses.moisture(), Some((2, 0.21)));
        senses.judge(3, 0.45);
        senses.judge(4, 0.44);
        assert_eq!(senses.moisture(), Some((4, 0.44)));
    }

    #[test]
    fn a_broken_cable_says_nothing() {
        let mut senses = senses();
        senses.judge(0, 0.2);
        senses.judge(1, 0.0);
        senses.judge(2, f64::NAN);
        assert_eq!(senses.moisture(), Some((0, 0.2)));
    }

    #[test]
    fn rain_is_counted_since_midnight_and_over_a_day() {
        let mut senses = senses();
        let air = Air {
            tmax_c: 20.0,
            tmin_c: 10.0,
        };
        for minute in 0..3000 {
            let rain_mm = if minute < 60 { 0.1 } else { 0.0 };
            let measured = Measured {
                theta: 0.2,
                rain_mm,
                litres: 1.0,
            };
            senses.minute_passes(minute, measured, &air);
            if minute == 1439 {
                assert!((senses.rain_24h_mm() - 6.0).abs() < 0.21);
                let pulses = senses.day_ends();
                assert!((14_000..15_000).contains(&pulses), "{pulses}");
            }
        }
        assert!(senses.rain_24h_mm() < 0.01);
    }
}
