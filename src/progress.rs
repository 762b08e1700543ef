//! How far something is: a bar at a terminal, a line for each tenth elsewhere.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// The bar.
pub(crate) struct Bar {
    bar: ProgressBar,
    is_terminal: bool,
    all: f64,
    unit: &'static str,
    tenths: u32,
}

impl Bar {
    /// For so much of something that is counted in `unit`.
    pub(crate) fn new(all: f64, unit: &'static str) -> Self {
        let is_terminal = io::stderr().is_terminal();
        let bar = if is_terminal {
            ProgressBar::new(all.ceil() as u64)
        } else {
            ProgressBar::hidden()
        };
        let template = format!("{{bar:40}} {{pos}}/{{len}} {unit}  {{eta}} left");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        Self {
            bar,
            is_terminal,
            all,
            unit,
            tenths: 0,
        }
    }

    /// So much is done.
    pub(crate) fn at(&mut self, done: f64) {
        self.bar.set_position(done as u64);
        let reached = (10.0 * done / self.all) as u32;
        if !self.is_terminal && reached > self.tenths {
            self.tenths = reached;
            let all = (10.0 * self.all).round() / 10.0;
            // Who does not read it does not hold it up.
            let _ = writeln!(io::stderr(), "{} % of {all} {}", 10 * reached, self.unit);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
