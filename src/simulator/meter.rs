//! Meters that count: a rain gauge that tips, a flow meter that pulses.
//!
//! Neither loses what it has measured: what is not enough for a count is part of the next.

use rand::RngExt;

use super::chance;

/// Rain of a tip, mm.
pub const TIP_MM: f64 = 0.2;
/// A flow meter counts so much too many or too few at most.
pub const FLOW_ERROR: f64 = 0.02;

/// A rain gauge with a bucket that tips.
#[derive(Clone, Debug, Default)]
pub struct RainGauge {
    bucket_mm: f64,
}

impl RainGauge {
    /// Rain falls into it, mm: how often does it tip?
    pub fn step(&mut self, rain_mm: f64) -> u32 {
        self.bucket_mm += rain_mm;
        let tips = (self.bucket_mm / TIP_MM).floor();
        self.bucket_mm -= tips * TIP_MM;
        tips as u32
    }
}

/// A flow meter.
#[derive(Clone, Debug)]
pub struct FlowMeter {
    /// Pulses per litre as they are, within ±[`FLOW_ERROR`] of what its plate says.
    pulses_per_litre: f64,
    /// Part of a pulse that has not been sent yet.
    begun: f64,
}

impl FlowMeter {
    /// A meter of that name, on the plate of which so many pulses per litre stand.
    pub fn new(pulses_per_litre: f64, seed: u64, name: &str) -> Self {
        let mut chance = chance::stream(seed, &format!("flow meter/{name}"));
        let error = chance.random_range(-FLOW_ERROR..=FLOW_ERROR);
        Self {
            pulses_per_litre: pulses_per_litre * (1.0 + error),
            begun: 0.0,
        }
    }

    /// Water flows through it, L: how often does it pulse?
    pub fn step(&mut self, litres: f64) -> u32 {
        self.begun += litres * self.pulses_per_litre;
        let pulses = self.begun.floor();
        self.begun -= pulses;
        pulses as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_tips_for_every_fifth_of_a_millimetre() {
        let mut gauge = RainGauge::default();
        assert_eq!(gauge.step(0.15), 0);
        assert_eq!(gauge.step(0.15), 1);
        assert_eq!(gauge.step(1.05), 5);
        let tips: u32 = (0..100_000).map(|_| gauge.step(0.003)).sum();
        assert!((1499..=1501).contains(&tips), "{tips} tips");
    }

    #[test]
    fn a_meter_counts_what_flows_within_its_error() {
        let counts: Vec<u32> = (0..500)
            .map(|meter| {
                let mut meter = FlowMeter::new(10.0, 1, &format!("north-{meter}"));
                (0..1000).map(|_| meter.step(0.777)).sum()
            })
            .collect();
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least >= 7614 && *least < 7640, "{least}");
        assert!(*most <= 7926 && *most > 7900, "{most}");
        let mean = f64::from(counts.iter().sum::<u32>()) / 500.0;
        assert!((mean / 7770.0 - 1.0).abs() < 0.002, "{mean}");
    }

    #[test]
    fn a_meter_of_the_same_name_is_the_same() {
        let pulses = |seed, name| FlowMeter::new(450.0, seed, name).step(1000.0);
        assert_eq!(pulses(1, "north"), pulses(1, "north"));
        assert_ne!(pulses(1, "north"), pulses(1, "south"));
        assert_ne!(pulses(1, "north"), pulses(2, "north"));
    }
}
