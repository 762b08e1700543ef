//! What a simulation leaves behind: for each system what was asked, what flowed, how dry it became, hour by hour.
//!
//! Only values: filled by the world, read by the report and the summary.

/// One sample of the field of a system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Days since the simulation began.
    pub day: f64,
    /// Root-zone depletion, and where stress (RAW) and wilting (TAW) begin, mm.
    pub depletion_mm: f64,
    pub raw_mm: f64,
    pub taw_mm: f64,
    /// Volumetric soil moisture, m³/m³: as it is, and as the sensor last said.
    pub moisture: f64,
    pub measured: Option<f64>,
    /// Since the last sample, mm.
    pub rain_mm: f64,
    pub irrigation_mm: f64,
}

/// The valve of a system was open, in days since the simulation began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Opening {
    pub from: f64,
    pub to: f64,
}

/// What came of the water and of the commands of a system.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Of the runs of the gateway, as long as they lasted: their nominal flow, litres.
    pub asked_l: f64,
    /// Through the valve, litres.
    pub delivered_l: f64,
    /// The longest that a valve was open after its run had ended, seconds of the gateway.
    pub worst_over_run_s: f64,
    /// Days at whose end the depletion was beyond RAW.
    pub stress_days: u32,
    /// Lost below the roots, mm.
    pub percolation_mm: f64,
    /// Decisions of controllers, and tries of the same decision beyond the first.
    pub commands: u64,
    pub repeated: u64,
    /// Answers: a change, none, a refusal (4xx, 5xx), and decisions that were never answered.
    pub changed: u64,
    pub unchanged: u64,
    pub refused: u64,
    pub unanswered: u64,
    /// Tries that were answered from memory, because their key was known.
    pub absorbed: u64,
    /// Refusals that should not have been, or answers to what nobody can mean: none, if the gateway is sound.
    pub wrong_answers: u64,
}

/// All of one system.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SystemSeason {
    pub id: String,
    pub name: String,
    /// The preset of its field, its actuator and its controllers, in words.
    pub field: String,
    pub actuator: String,
    pub controllers: Vec<String>,
    pub samples: Vec<Sample>,
    pub openings: Vec<Opening>,
    pub tally: Tally,
}

/// All of a simulation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Season {
    /// What was simulated: the name of the scenario, its seed, its climate, its first day (as in 2026-05-01).
    pub scenario: String,
    pub seed: u64,
    pub climate: String,
    pub start: String,
    /// Simulated days.
    pub days: f64,
    /// Simulated seconds in one second of the gateway.
    pub speed: f64,
    pub systems: Vec<SystemSeason>,
}
