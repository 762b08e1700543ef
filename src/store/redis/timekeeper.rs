//! What the server's clock says, seen from the ticks of this machine: the offset between the two, and whether the
//! server's clock has stepped.
//!
//! Asks nobody and decides nothing for others: values in, values out.

use std::collections::VecDeque;

use crate::time::Ticks;

/// Answers of which the quickest is believed: what it says of the offset is off by half of its way at the most.
const SAMPLES: usize = 16;
/// A sample further off than this from what is reckoned, and than what its way and drift allow, is a step.
const STEP_MS: i64 = 100;
/// No step is believed from an answer that took longer than this, unless all do.
const SLOW_MS: i64 = 200;
/// How fast two clocks may drift apart: twice the fastest that NTP slews one, in parts per million.
const DRIFT_PPM: i64 = 1000;

/// The server's clock as it was read once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// When it was asked, and when the answer was there, on the ticks of this machine.
    pub(super) asked: Ticks,
    pub(super) answered: Ticks,
    /// What the server said, without the steps that are known.
    pub(super) ticks: Ticks,
}

impl Sample {
    fn way_ms(&self) -> i64 {
        self.answered.since(self.asked)
    }

    /// The shared ticks minus those of this machine, if both ways took as long.
    fn offset_ms(&self) -> i64 {
        self.ticks
            .since(self.asked)
            .saturating_sub(self.way_ms() / 2)
    }
}

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Steady,
    /// The server's clock is off by so many milliseconds from where it should be.
    Stepped(i64),
    /// The answer took too long to say anything.
    Unclear,
}

/// The reckoning.
#[derive(Debug, Default)]
pub(super) struct Timekeeper {
    samples: VecDeque<Sample>,
    /// The shared ticks minus those of this machine; none before the first sample.
    offset_ms: Option<i64>,
    /// When the last sample was steady.
    steady: Option<Ticks>,
}

impl Timekeeper {
    /// The shared ticks minus those of this machine.
    pub(super) fn offset_ms(&self) -> i64 {
        self.offset_ms.unwrap_or_default()
    }

    /// Takes a sample in. After a step the reckoning goes on as if there had been none.
    pub(super) fn observe(&mut self, sample: Sample) -> Verdict {
        let Some(reckoned) = self.offset_ms else {
            self.adopt(sample);
            return Verdict::Steady;
        };
        let silent = self
            .steady
            .map_or(0, |steady| sample.answered.since(steady));
        let quickest = self.samples.iter().map(Sample::way_ms).min().unwrap_or(0);
        // What is reckoned is off by half of the way that it stands on, the sample by half of its own.
        let allowed = STEP_MS + (quickest + sample.way_ms()) / 2 + silent * DRIFT_PPM / 1_000_000;
        let off = sample.offset_ms().saturating_sub(reckoned);
        if off.abs() > allowed {
            let slow = sample.way_ms() > SLOW_MS.max(4 * quickest);
            return if slow {
                Verdict::Unclear
            } else {
                Verdict::Stepped(off)
            };
        }
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.steady = Some(sample.answered);
        let quickest = self.samples.iter().min_by_key(|sample| sample.way_ms());
        self.offset_ms = quickest.map(Sample::offset_ms);
        Verdict::Steady
    }

    /// Believes a sample, whatever was reckoned before: the clock that has stepped is this machine's.
    pub(super) fn adopt(&mut self, sample: Sample) {
        self.samples.clear();
        self.samples.push_back(sample);
        self.offset_ms = Some(sample.offset_ms());
        self.steady = Some(sample.answered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asked at `at`, with this way there and back, by a server that is ahead by `ahead`.
    fn sample(at: i64, (there, back): (i64, i64), ahead: i64) -> Sample {
        Sample {
            asked: Ticks::from_millis(at),
            answered: Ticks::from_millis(at + there + back),
            ticks: Ticks::from_millis(at + there + ahead),
        }
    }

    #[test]
    fn the_quickest_answer_is_believed() {
        let mut time = Timekeeper::default();
        assert_eq!(time.observe(sample(0, (80, 0), 5000)), Verdict::Steady);
        assert_eq!(time.offset_ms(), 5040);
        assert_eq!(time.observe(sample(500, (1, 1), 5000)), Verdict::Steady);
        assert_eq!(time.offset_ms(), 5000);
        assert_eq!(time.observe(sample(1000, (0, 90), 5000)), Verdict::Steady);
        assert_eq!(time.offset_ms(), 5000, "a slow answer changes nothing");
    }

    #[test]
    fn a_slow_drift_is_followed_and_is_no_step() {
        let mut time = Timekeeper::default();
        // 500 ppm for an hour.
        for half_seconds in 0..7200 {
            let at = half_seconds * 500;
            let drifted = at * 500 / 1_000_000;
            assert_eq!(time.observe(sample(at, (1, 1), drifted)), Verdict::Steady);
            let off = drifted - time.offset_ms();
            assert!((0..=5).contains(&off), "{off}");
        }
    }

    #[test]
    fn a_step_is_noticed_and_not_followed() {
        let mut time = Timekeeper::default();
        time.observe(sample(0, (1, 1), 5000));
        for step in [-3_600_000, -200, 200, 3_600_000] {
            let seen = time.observe(sample(500, (1, 1), 5000 + step));
            assert_eq!(seen, Verdict::Stepped(step));
            assert_eq!(time.offset_ms(), 5000);
        }
        // What a slow answer could explain is no step.
        assert_eq!(time.observe(sample(1000, (2000, 0), 4500)), Verdict::Steady);
        assert_eq!(time.offset_ms(), 5000);
    }

    #[test]
    fn who_began_with_a_slow_answer_takes_no_quick_one_for_a_step() {
        let mut time = Timekeeper::default();
        time.observe(sample(0, (0, 1500), 5000));
        assert_eq!(time.offset_ms(), 4250);
        assert_eq!(time.observe(sample(2000, (1, 1), 5000)), Verdict::Steady);
        assert_eq!(time.offset_ms(), 5000);
        // Of a slow one nothing is believed that a quick one would be.
        let slow = time.observe(sample(2500, (0, 1500), 8000));
        assert_eq!((slow, time.offset_ms()), (Verdict::Unclear, 5000));
    }

    #[test]
    fn after_a_long_silence_drift_is_no_step() {
        let mut time = Timekeeper::default();
        time.observe(sample(0, (1, 1), 5000));
        let day = 86_400_000;
        assert_eq!(
            time.observe(sample(day, (1, 1), 5000 + 8640)),
            Verdict::Steady
        );
        let mut time = Timekeeper::default();
        time.observe(sample(0, (1, 1), 5000));
        assert_eq!(
            time.observe(sample(day, (1, 1), 5000 + 90_000)),
            Verdict::Stepped(90_000)
        );
    }

    #[test]
    fn who_was_outvoted_believes_the_server() {
        let mut time = Timekeeper::default();
        time.observe(sample(0, (1, 1), 5000));
        let ahead = sample(500, (1, 1), 65_000);
        assert_eq!(time.observe(ahead), Verdict::Stepped(60_000));
        time.adopt(ahead);
        assert_eq!(time.offset_ms(), 65_000);
        assert_eq!(time.observe(sample(1000, (1, 1), 65_000)), Verdict::Steady);
    }
}
