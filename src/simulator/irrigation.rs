//! The hardware of a system: how deep the water stands that it brings in a time, and how long it takes for a depth.
//!
//! Pure functions. Knows neither when water is needed nor a valve.

/// A valve and what is behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Irrigation {
    /// Flow Q while the valve is open, L/min.
    pub flow_l_min: f64,
    /// Area A that is watered, m2.
    pub area_m2: f64,
    /// Share of the water that reaches the soil: of drippers about 0.9, of sprinklers 0.75 to 0.8.
    pub efficiency: f64,
}

impl Irrigation {
    /// Application rate PR, mm/h.
    pub const fn application_rate_mm_h(&self) -> f64 {
        60.0 * self.flow_l_min / self.area_m2
    }

    /// Water that flows while the valve is open so many seconds, L.
    pub const fn litres(&self, open_s: f64) -> f64 {
        self.flow_l_min * open_s / 60.0
    }

    /// Its depth on the area, mm. Not all of it reaches the soil.
    pub const fn gross_mm(&self, open_s: f64) -> f64 {
        self.litres(open_s) / self.area_m2
    }

    /// For how many whole seconds the valve has to be open for a net depth in mm to reach the soil. `multiplier` lengthens
    /// it, as [`scheduling_multiplier`] does.
    pub fn seconds_for(&self, net_mm: f64, multiplier: f64) -> u32 {
        let gross_mm = net_mm / self.efficiency;
        let seconds = gross_mm / self.application_rate_mm_h() * 3600.0 * multiplier;
        seconds.round() as u32
    }
}

/// Scheduling multiplier SM: by how much longer to water so that the driest quarter has enough, from the distribution
/// uniformity DU of the lower quarter, 0 to 1 (Irrigation Association).
pub const fn scheduling_multiplier(distribution_uniformity: f64) -> f64 {
    1.0 / (0.4 + 0.6 * distribution_uniformity)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 60 m2, where L/min and mm/h are the same number.
    fn with_rate(mm_h: f64, efficiency: f64) -> Irrigation {
        Irrigation {
            flow_l_min: mm_h,
            area_m2: 60.0,
            efficiency,
        }
    }

    #[test]
    fn depth_becomes_time_at_the_rate_of_the_hardware() {
        assert_eq!(with_rate(20.0, 0.8).seconds_for(64.0, 1.0), 14_400);
        assert_eq!(with_rate(20.0, 1.0).seconds_for(10.0, 1.0), 1800);
        assert_eq!(with_rate(6.0, 1.0).seconds_for(2.3, 1.0), 1380);
        let home_assistant = Irrigation {
            flow_l_min: 10.0,
            area_m2: 30.0,
            efficiency: 1.0,
        };
        assert!((home_assistant.application_rate_mm_h() - 20.0).abs() < 1e-12);
        assert_eq!(home_assistant.seconds_for(3.5, 1.0), 630);
    }

    /// Rachio's own example: half of 6 inches of soil that hold 17 %, at 1.5 inches an hour.
    #[test]
    fn uneven_watering_takes_longer() {
        let inch_mm = 25.4;
        let depth_mm = 6.0 * 0.17 * 0.5 * inch_mm;
        let hardware = with_rate(1.5 * inch_mm, 1.0);
        assert_eq!(hardware.seconds_for(depth_mm, 1.0), 1224);
        let multiplier = scheduling_multiplier(0.8);
        for (factor, seconds) in [
            (1.0, 1391),
            (1.5, 2086),
            (1.25, 1739),
            (0.75, 1043),
            (0.5, 695),
        ] {
            assert_eq!(hardware.seconds_for(depth_mm, multiplier * factor), seconds);
        }
    }

    #[test]
    fn time_becomes_the_depth_and_the_litres_that_it_was_for() {
        let hardware = with_rate(20.0, 0.8);
        let open_s = f64::from(hardware.seconds_for(10.0, 1.0));
        assert!((hardware.gross_mm(open_s) * 0.8 - 10.0).abs() < 1e-9);
        assert!((hardware.litres(open_s) - 750.0).abs() < 1e-9);
    }

    #[test]
    fn a_field_that_needs_nothing_gets_nothing() {
        assert_eq!(with_rate(20.0, 0.8).seconds_for(-3.0, 1.0), 0);
    }
}
