//! Controllers that look before they water: at the soil, at the sky, or at both.

use std::ops::RangeInclusive;

use rand::RngExt;

use super::{Hand, Kind, View, next_time_of_day};
use crate::simulator::call::{Call, Policy};
use crate::simulator::pace::{DAY, FieldMs, HOUR, MINUTE, whole};

/// How often a controller with a sensor looks at it.
pub(super) const LOOK: FieldMs = 15 * MINUTE;

/// When the water of the day is counted.
pub(super) const EVENING: FieldMs = 23 * HOUR;

/// Less than this is not worth opening a valve for, mm.
const WORTHWHILE_MM: f64 = 2.0;

/// A forecast says half to one and a half times what comes.
const FORECAST: RangeInclusive<f64> = 0.5..=1.5;

/// Of a controller that waters in pulses while the soil is dry.
#[derive(Debug, Default)]
pub(super) struct Threshold {
    is_watering: bool,
    /// The last pulse has not sunk in before.
    not_before: FieldMs,
    /// The day of the last pulse, and for how many seconds it was watered on it.
    today: (i64, f64),
}

impl Threshold {
    pub(super) fn look(
        &mut self,
        kind: &Kind,
        view: &View,
        hand: &mut Hand,
        calls: &mut Vec<Call>,
    ) -> FieldMs {
        let next = view.now + LOOK;
        let &Kind::Threshold {
            mad,
            hysteresis,
            pulse_s,
            soak_s,
            max_s_per_day,
        } = kind
        else {
            return next;
        };
        let day = view.now.div_euclid(DAY);
        if self.today.0 != day {
            self.today = (day, 0.0);
        }
        let on = hand.moisture_at(mad);
        self.is_watering = match view.fresh_moisture() {
            // Without a sensor that can be believed, no water: plants wait longer than a flooded cellar.
            None => false,
            Some(moisture) if moisture < on => true,
            Some(moisture) if moisture > on + hysteresis => false,
            Some(_) => self.is_watering,
        };
        // A sensor that reads too low would water for ever.
        let is_enough = self.today.1 + pulse_s > max_s_per_day;
        if self.is_watering && !is_enough && view.now >= self.not_before {
            self.today.1 += pulse_s;
            self.not_before = view.now + whole((pulse_s + soak_s) * 1000.0);
            calls.push(hand.timer(pulse_s, Policy::PATIENT, true));
        }
        next
    }
}

/// Of a controller that keeps books of the water.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Negative is owed.
    mm: f64,
    /// The length of the run that is due, in seconds of the field.
    planned_s: Option<f64>,
}

impl Bucket {
    pub(super) fn tend(
        &mut self,
        kind: &Kind,
        view: &View,
        hand: &mut Hand,
        calls: &mut Vec<Call>,
    ) -> FieldMs {
        let evening = next_time_of_day(view.now, EVENING);
        if let Some(seconds) = self.planned_s.take() {
            let forgets = match *kind {
                Kind::EtBucket { forgets, .. } => forgets,
                _ => 0.0,
            };
            if !hand.random.random_bool(forgets) {
                let needed_s = f64::from(hand.site.irrigation.seconds_for(-self.mm, 1.0));
                self.mm *= 1.0 - (seconds / needed_s.max(1.0)).min(1.0);
            }
            calls.push(hand.timer(seconds, Policy::PATIENT, true));
            return evening;
        }
        // What a field that is full does not keep runs off below: no rain is credit.
        self.mm = (self.mm + view.rain_24h_mm - view.kc * view.et0_mm).min(0.0);
        let (max_s, is_vetoed, foretold_mm) = match *kind {
            Kind::Hybrid {
                max_s,
                mad,
                rain_veto_mm,
            } => {
                let wet = hand.moisture_at(mad);
                let is_wet = view.fresh_moisture().is_some_and(|moisture| moisture > wet);
                let off = hand.random.random_range(FORECAST);
                let is_vetoed = is_wet || view.rain_24h_mm >= rain_veto_mm;
                (max_s, is_vetoed, off * view.rain_tomorrow_mm)
            }
            Kind::EtBucket { max_s, .. } => (max_s, false, 0.0),
            _ => return evening,
        };
        let owed_mm = -self.mm - foretold_mm;
        if owed_mm < WORTHWHILE_MM || is_vetoed {
            return evening;
        }
        let needed_s = hand.site.irrigation.seconds_for(owed_mm, 1.0);
        let seconds = f64::from(needed_s).min(max_s);
        self.planned_s = Some(seconds);
        (view.sunrise - whole(seconds * 1000.0)).max(view.now + 1)
    }
}
