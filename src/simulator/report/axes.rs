//! The axes of a plot: where its ticks are, and what they say.

use std::ops::Range;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

use super::decimal;

pub(super) const HOUR: f64 = 1.0 / 24.0;
/// The most steps between dates that do not overlap.
const DATES: f64 = 9.0;

/// The horizontal axis, the same for all plots of a system.
pub(super) struct Time {
    start: Option<NaiveDateTime>,
    pub(super) days: f64,
}

impl Time {
    pub(super) fn of(start: &str, days: f64) -> Self {
        let start = start.parse::<NaiveDate>().ok();
        Self {
            start: start.map(|day| day.and_time(NaiveTime::MIN)),
            days: if days.is_finite() {
                days.max(HOUR)
            } else {
                HOUR
            },
        }
    }

    pub(super) fn scale(&self) -> Scale {
        let steps = [1.0, 2.0, 3.0, 6.0, 12.0].map(|hours| hours * HOUR);
        let mut steps = steps.into_iter().chain([1.0, 2.0, 7.0, 14.0, 28.0]);
        let step = steps
            .find(|step| self.days / step <= DATES)
            .unwrap_or_else(|| (self.days / DATES / 28.0).ceil() * 28.0);
        Scale::new(0.0, self.days, step)
    }

    /// The date, and within a day the time; only the number of the day if the first date is none.
    pub(super) fn label(&self, day: f64) -> String {
        let since = TimeDelta::try_seconds((day * 86_400.0).round() as i64);
        let date = self.start.zip(since);
        match date.and_then(|(start, since)| start.checked_add_signed(since)) {
            Some(date) if date.time() == NaiveTime::MIN => date.format("%-d %b").to_string(),
            Some(date) => date.format("%H:%M").to_string(),
            None => format!("day {}", (day * 100.0).round() / 100.0),
        }
    }
}

/// The vertical axis.
pub(super) struct Axis {
    pub(super) scale: Scale,
    /// Decimals of its labels.
    places: usize,
}

impl Axis {
    /// Around all values, from one round number to another, with about so many steps between them.
    pub(super) fn over(values: impl Iterator<Item = f64>, steps: f64) -> Self {
        let ends = values
            .filter(|value| value.is_finite())
            .map(|value| (value, value))
            .reduce(|(low, high), (value, _)| (low.min(value), high.max(value)));
        let (low, high) = match ends {
            Some((low, high)) if low < high => (low, high),
            Some((low, _)) => (low, low + 1.0),
            None => (0.0, 1.0),
        };
        let least = (high - low) / steps;
        let magnitude = 10_f64.powf(least.log10().floor());
        let rounds = [1.0, 2.0, 5.0].map(|round| round * magnitude);
        let step = rounds.into_iter().find(|round| *round >= least);
        let step = step.unwrap_or(10.0 * magnitude);
        let (bottom, top) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self {
            scale: Scale::new(bottom, top, step),
            places: (-step.log10().floor()).max(0.0) as usize,
        }
    }

    /// From 0 to 1, without ticks.
    pub(super) fn bare() -> Self {
        let (from, to, ticks) = (0.0, 1.0, Vec::new());
        Self {
            scale: Scale { from, to, ticks },
            places: 0,
        }
    }

    pub(super) fn downwards(mut self) -> Self {
        let Scale { from, to, .. } = &mut self.scale;
        std::mem::swap(from, to);
        self
    }

    pub(super) fn label(&self, value: f64) -> String {
        decimal(value, self.places)
    }
}

/// An axis as Plotters takes it. Its own finds other ticks, and those that it can be given have no labels for `f64`.
#[derive(Clone)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    ticks: Vec<f64>,
}

impl Scale {
    fn new(from: f64, to: f64, step: f64) -> Self {
        let first = (from / step).round() as i64;
        let last = (to / step + 1e-6).floor() as i64;
        let ticks = (first..=last).map(|times| times as f64 * step).collect();
        Self { from, to, ticks }
    }
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.ticks.clone()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(start: &str, days: f64) -> Vec<String> {
        let time = Time::of(start, days);
        let scale = time.scale();
        scale.ticks.iter().map(|day| time.label(*day)).collect()
    }

    fn values(axis: &Axis) -> Vec<String> {
        axis.scale
            .ticks
            .iter()
            .map(|value| axis.label(*value))
            .collect()
    }

    #[test]
    fn dates_follow_the_calendar() {
        let expected = ["20 Feb", "27 Feb", "6 Mar", "13 Mar", "20 Mar"];
        assert_eq!(dates("2026-02-20", 30.0), expected);
    }

    #[test]
    fn a_short_simulation_shows_the_time_of_day() {
        let expected = ["1 May", "06:00", "12:00", "18:00", "2 May", "06:00"];
        assert_eq!(dates("2026-05-01", 1.3), expected);
    }

    #[test]
    fn days_are_numbered_where_the_first_date_is_none() {
        assert_eq!(dates("spring", 4.0)[..3], ["day 0", "day 0.5", "day 1"]);
    }

    #[test]
    fn no_simulation_is_too_long_or_too_short_for_its_dates() {
        for days in [
            0.0,
            0.01,
            1.0,
            9.5,
            120.0,
            4_000.0,
            1e15,
            f64::INFINITY,
            f64::NAN,
        ] {
            let dates = dates("2026-05-01", days);
            assert!((1..=10).contains(&dates.len()), "{days} days: {dates:?}");
        }
    }

    #[test]
    fn values_lie_between_round_numbers() {
        let axis = Axis::over([0.214, f64::NAN, 0.323].into_iter(), 6.0);
        let expected = [
            "0.20", "0.22", "0.24", "0.26", "0.28", "0.30", "0.32", "0.34",
        ];
        assert_eq!(values(&axis), expected);
        let axis = Axis::over([0.0, 108.0].into_iter(), 6.0).downwards();
        let expected = ["0", "20", "40", "60", "80", "100", "120"];
        assert_eq!(values(&axis), expected);
        assert_eq!(axis.scale.range(), 120.0..0.0);
    }

    #[test]
    fn values_that_are_all_the_same_or_none_have_an_axis_too() {
        for values in [vec![], vec![0.3; 5], vec![-2.0]] {
            let Scale { from, to, ticks } = Axis::over(values.into_iter(), 6.0).scale;
            assert!(from < to);
            assert!(ticks.len() > 2);
        }
    }
}
