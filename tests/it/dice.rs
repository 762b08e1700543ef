//! Chance that can be had again: a test that fails names the seed of its choices, and `ACEQUIA_SEED` repeats them.

use std::io::Write;
use std::ops::{Deref, DerefMut};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Random numbers of one test.
pub(crate) struct Dice {
    seed: u64,
    numbers: StdRng,
}

impl Dice {
    pub(crate) fn new() -> Self {
        let given = std::env::var("ACEQUIA_SEED").ok();
        let seed = given.map_or_else(rand::random, |seed| seed.parse().unwrap());
        let numbers = StdRng::seed_from_u64(seed);
        Self { seed, numbers }
    }
}

impl Deref for Dice {
    type Target = StdRng;

    fn deref(&self) -> &StdRng {
        &self.numbers
    }
}

impl DerefMut for Dice {
    fn deref_mut(&mut self) -> &mut StdRng {
        &mut self.numbers
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Nobody reads it if even this cannot be written.
            let _ = writeln!(std::io::stderr(), "chosen with ACEQUIA_SEED={}", self.seed);
        }
    }
}
