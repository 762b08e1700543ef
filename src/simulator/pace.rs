//! Two times: that of the gateway, on which runs are measured and valves turn, and that of the field, which may pass
//! faster. One factor lies between them.
//!
//! Never reads a clock.

/// Milliseconds of the gateway since the simulation began.
pub type Ms = i64;

/// Milliseconds of the field since the midnight at which the simulation began.
pub type FieldMs = i64;

pub const SECOND: FieldMs = 1000;
pub const MINUTE: FieldMs = 60 * SECOND;
pub const HOUR: FieldMs = 60 * MINUTE;
pub const DAY: FieldMs = 24 * HOUR;

/// How many seconds pass in the field in one second of the gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub speed: f64,
}

impl Pace {
    /// The field's time when the gateway's is `at`.
    pub fn field(&self, at: Ms) -> FieldMs {
        whole(at as f64 * self.speed)
    }

    /// The first millisecond of the gateway at which the field's time is `field` or later.
    pub fn gateway(&self, field: FieldMs) -> Ms {
        let near = whole((field as f64 / self.speed).ceil());
        if self.field(near) < field {
            near + 1
        } else {
            near
        }
    }

    /// Days of the field, in milliseconds of the gateway.
    pub fn days(&self, days: f64) -> Ms {
        whole(days * DAY as f64 / self.speed)
    }

    /// How long a run must be asked for so that the field gets `seconds` of water; at least a second.
    pub fn ask_seconds(&self, seconds: f64) -> u32 {
        (seconds / self.speed).ceil().clamp(1.0, 86_400.0) as u32
    }
}

/// Milliseconds, rounded. What does not fit, 290 million years, is as many as fit.
pub fn whole(millis: f64) -> i64 {
    millis.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Pace = Pace { speed: 1440.0 };

    #[test]
    fn a_day_of_the_field_is_a_minute_of_the_gateway_at_1440() {
        assert_eq!(FAST.field(60_000), DAY);
        assert_eq!(FAST.gateway(DAY), 60_000);
        assert_eq!(FAST.days(1.0), 60_000);
    }

    #[test]
    fn the_field_is_never_earlier_than_asked_for() {
        for pace in [
            FAST,
            Pace { speed: 1.0 },
            Pace { speed: 7.3 },
            Pace { speed: 0.3 },
        ] {
            for field in (DAY..).step_by(977).take(1000) {
                assert!(pace.field(pace.gateway(field)) >= field, "{pace:?} {field}");
            }
        }
    }

    #[test]
    fn a_run_is_rounded_up_to_a_whole_second_of_the_gateway() {
        assert_eq!(FAST.ask_seconds(630.0), 1);
        assert_eq!(Pace { speed: 1.0 }.ask_seconds(629.2), 630);
        assert_eq!(Pace { speed: 1.0 }.ask_seconds(1e9), 86_400);
    }
}
