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

    /// For a task of the same test.
    pub(crate) fn another(&mut self) -> StdRng {
        StdRng::from_rng(&mut self.numbers)
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

/// True when everything is to be tried at length (`ACEQUIA_FAULTS=full`, as `make faults` sets it).
pub(crate) fn faults_in_full() -> bool {
    std::env::var("ACEQUIA_FAULTS").as_deref() == Ok("full")
}

/// How often a test that lives by chance plays: so many times usually, a hundred in full.
pub(crate) fn rounds(usually: usize) -> usize {
    if faults_in_full() { 100 } else { usually }
}

/// Says what was measured, as a row of a table: shown when the test fails, and added to the file that `ACEQUIA_FIGURES`
/// names.
#[expect(clippy::print_stdout, reason = "figures are for people")]
pub(crate) fn report(what: &str, figure: &str) {
    println!("| {what} | {figure} |");
    if let Some(path) = std::env::var_os("ACEQUIA_FIGURES") {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(path);
        writeln!(file.unwrap(), "| {what} | {figure} |").unwrap();
    }
}
