//! A radio link that loses messages in bursts, after Gilbert and Elliott: a good and a bad state, each with its own loss.
//!
//! Knows nothing of what is sent.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp1};

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radio {
    /// How long the good and the bad state last in the mean, min.
    pub good_min: f64,
    pub bad_min: f64,
    /// Share of messages that are lost in each.
    pub loss_good: f64,
    pub loss_bad: f64,
}

impl Radio {
    /// A mast that is out of reach now and then: one message in fifty is lost, most of them in a row.
    pub const MAST: Self = Self {
        good_min: 1440.0,
        bad_min: 20.0,
        loss_good: 0.01,
        loss_bad: 0.8,
    };
    /// Loses nothing.
    pub const PERFECT: Self = Self {
        loss_good: 0.0,
        loss_bad: 0.0,
        ..Self::MAST
    };

    /// Share of messages that are lost in the long run.
    pub const fn loss(&self) -> f64 {
        let both = self.good_min + self.bad_min;
        (self.good_min * self.loss_good + self.bad_min * self.loss_bad) / both
    }
}

/// A link, from minute 0 on.
#[derive(Debug)]
pub struct Link {
    radio: Radio,
    good: bool,
    /// When the state ends, min.
    until_min: f64,
    chance: ChaCha8Rng,
}

impl Link {
    pub fn new(radio: Radio, mut chance: ChaCha8Rng) -> Self {
        let drawn: f64 = Exp1.sample(&mut chance);
        Self {
            radio,
            good: true,
            until_min: drawn * radio.good_min,
            chance,
        }
    }

    /// Whether a message arrives that is sent at this minute, which is never before that of the last.
    pub fn delivers(&mut self, now_min: f64) -> bool {
        while self.until_min <= now_min {
            self.good = !self.good;
            let drawn: f64 = Exp1.sample(&mut self.chance);
            self.until_min += drawn * self.mean_min();
        }
        let loss = if self.good {
            self.radio.loss_good
        } else {
            self.radio.loss_bad
        };
        self.chance.random::<f64>() >= loss
    }

    const fn mean_min(&self) -> f64 {
        if self.good {
            self.radio.good_min
        } else {
            self.radio.bad_min
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::chance;

    /// Whether each of so many messages arrives, one every minute.
    fn messages(radio: Radio, count: u32) -> Vec<bool> {
        let mut link = Link::new(radio, chance::stream(11, "radio"));
        (0..count)
            .map(|minute| link.delivers(f64::from(minute)))
            .collect()
    }

    fn lost(messages: &[bool]) -> f64 {
        let share = messages.iter().map(|arrived| f64::from(u8::from(!arrived)));
        share.sum::<f64>() / messages.len() as f64
    }

    #[test]
    fn as_much_is_lost_as_the_states_lose_together() {
        let loss = lost(&messages(Radio::MAST, 2_000_000));
        assert!((Radio::MAST.loss() - 0.0208).abs() < 1e-4);
        assert!((loss - 0.0208).abs() < 0.002, "{loss}");
    }

    #[test]
    fn losses_come_in_bursts() {
        let messages = messages(Radio::MAST, 2_000_000);
        let pairs = messages.windows(2).filter(|pair| !pair[0]);
        let after_loss: Vec<bool> = pairs.map(|pair| pair[1]).collect();
        // More than half of the losses are of the bad state, which goes on.
        assert!(lost(&after_loss) > 0.3);
    }

    #[test]
    fn a_perfect_link_loses_nothing() {
        assert!(
            messages(Radio::PERFECT, 100_000)
                .iter()
                .all(|arrived| *arrived)
        );
    }
}
