//! What is simulated: systems, fields, climate, controllers, faults. Read from a TOML file and checked before anything
//! begins.
//!
//! Never runs anything, and opens no file but the two it is given: the scenario and its climate card.

use std::path::{Path, PathBuf};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::actuator;
use super::climate::{Climate, ClimateError, YEAR_DAYS};
use super::controller::Kind as ControllerKind;
use super::field::Site;
use super::pace::{Ms, Pace};
use super::sensor::Calibration;

mod check;

use check::{Refused, check};

/// What `acequia simulate` shows without a scenario.
const DEMO: &str = include_str!("../../config/scenarios/demo.toml");
const DEMO_NAME: &str = "demo";

/// The climate cards that come with acequia.
const CLIMATES: [(&str, &str); 3] = [
    (
        "gainesville",
        include_str!("../../config/climates/gainesville.toml"),
    ),
    ("toulon", include_str!("../../config/climates/toulon.toml")),
    ("lyon", include_str!("../../config/climates/lyon.toml")),
];

/// A scenario that cannot be used. One line: file, key, what is allowed.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ScenarioError {
    #[error("{place}: {problem}")]
    Scenario { place: String, problem: String },
    #[error(transparent)]
    Climate(#[from] ClimateError),
}

/// What can be written into the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "default_seed")]
    seed: u64,
    days: f64,
    #[serde(default = "default_speed")]
    speed: f64,
    start: String,
    climate: String,
    #[serde(default = "default_lease")]
    lease_seconds: u32,
    #[serde(default)]
    link: Link,
    #[serde(default)]
    faults: Faults,
    systems: Vec<SystemEntry>,
}

const fn default_seed() -> u64 {
    1
}
const fn default_speed() -> f64 {
    1.0
}
const fn default_lease() -> u32 {
    30
}

/// The network between controllers and gateway, as the offline season has it. Shares are of all tries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Link {
    /// Requests that never arrive.
    pub lost: f64,
    /// Answers that never arrive: the gateway has done it, and nobody knows.
    pub lost_answers: f64,
    /// Requests that the gateway refuses because it has too much to do.
    pub overloaded: f64,
    /// The longest way there, and the longest way back, in milliseconds of the gateway.
    pub delay_ms: f64,
}

/// What befalls the gateway in the offline season: how often in a day of the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// The process dies and is started again.
    pub crashes_per_day: f64,
    /// The power goes.
    pub power_cuts_per_day: f64,
    /// How long the gateway is away then, at the most, in seconds of the gateway.
    pub away_s: f64,
    /// Somebody sets the wall clock, by up to ten years.
    pub clock_steps_per_day: f64,
    /// The actuators' feed is cut, each by itself.
    pub feed_cuts_per_day: f64,
    /// For how long at the most, in seconds of the gateway.
    pub feed_cut_s: f64,
}

/// One `[[systems]]` of the file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SystemEntry {
    id: String,
    /// So many of them: `id-1`, `id-2`, …
    count: Option<u32>,
    name: Option<String>,
    field: String,
    area_m2: Option<f64>,
    flow_l_min: Option<f64>,
    #[serde(default)]
    dryness: f64,
    manual_limit: Option<u32>,
    #[serde(default)]
    sensor: SensorEntry,
    #[serde(default)]
    actuator: actuator::Kind,
    #[serde(default)]
    controllers: Vec<ControllerKind>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SensorEntry {
    calibration: Calibration,
    faults: bool,
}

impl Default for SensorEntry {
    fn default() -> Self {
        Self {
            calibration: Calibration::Soil,
            faults: false,
        }
    }
}

/// Everything that was checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: String,
    pub seed: u64,
    /// How many are simulated.
    pub days: f64,
    /// Seconds of the field in one second of the gateway.
    pub speed: f64,
    /// The first day.
    pub start: NaiveDate,
    pub climate: Climate,
    pub lease_ms: Ms,
    pub link: Link,
    pub faults: Faults,
    pub systems: Vec<System>,
}

/// A system that was checked.
#[derive(Clone, Debug)]
pub struct System {
    pub id: String,
    pub name: String,
    /// The name of the preset.
    pub field: String,
    pub site: Site,
    /// Depletion at first: 0 is none, 1 is where stress begins (p of Table 22).
    pub dryness: f64,
    pub manual_limit_s: Option<u32>,
    pub calibration: Calibration,
    pub sensor_faults: bool,
    pub actuator: actuator::Kind,
    pub controllers: Vec<ControllerKind>,
}

/// What is asked for beside the file: it comes before what the file says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Overrides {
    pub seed: Option<u64>,
    pub days: Option<f64>,
    pub speed: Option<f64>,
}

impl Scenario {
    /// Reads a scenario; without a file, the demonstration.
    ///
    /// # Errors
    /// [`ScenarioError`] for a file that cannot be read, an unknown key, or a value that is not allowed.
    pub fn read(path: Option<&Path>, overrides: Overrides) -> Result<Self, ScenarioError> {
        let Some(path) = path else {
            return parse(DEMO, "the demonstration", (DEMO_NAME, None), overrides);
        };
        let place = path.display().to_string();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match std::fs::read_to_string(path) {
            Ok(text) => parse(&text, &place, (&name, path.parent()), overrides),
            Err(e) => Err(ScenarioError::Scenario {
                place,
                problem: format!("cannot be read: {e}"),
            }),
        }
    }

    pub const fn pace(&self) -> Pace {
        Pace { speed: self.speed }
    }

    /// How long all of it lasts, in milliseconds of the gateway.
    pub fn length(&self) -> Ms {
        self.pace().days(self.days)
    }

    /// Day of the year of the first day.
    pub fn first_day(&self) -> u16 {
        // The climate has no 29th of February: a leap year ends a day early.
        u16::try_from(self.start.ordinal()).map_or(1, |day| day.min(YEAR_DAYS))
    }

    /// The `[[systems]]` that a gateway needs for this scenario.
    ///
    /// # Errors
    /// None that is known: what was checked can be written.
    pub fn gateway_systems(&self) -> Result<String, toml::ser::Error> {
        let lease_seconds = self.lease_ms / 1000;
        let systems = self.systems.iter().map(|system| GatewaySystem {
            id: &system.id,
            name: &system.name,
            manual_limit: system.manual_limit_s,
            lease_seconds,
        });
        toml::to_string(&GatewaySystems {
            systems: systems.collect(),
        })
    }
}

/// What a gateway's configuration says of systems.
#[derive(Serialize)]
struct GatewaySystems<'a> {
    systems: Vec<GatewaySystem<'a>>,
}

#[derive(Serialize)]
struct GatewaySystem<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    manual_limit: Option<u32>,
    lease_seconds: i64,
}

/// `place` is where the text stood, for who has to repair it; a climate card may lie in the same folder.
pub(super) fn parse(
    text: &str,
    place: &str,
    (name, folder): (&str, Option<&Path>),
    overrides: Overrides,
) -> Result<Scenario, ScenarioError> {
    let wrong = |problem: String| ScenarioError::Scenario {
        place: place.to_owned(),
        problem,
    };
    let table = text.parse::<toml::Table>().map_err(|e| {
        let start = e.span().map_or(0, |span| span.start);
        let line = text[..start].matches('\n').count() + 1;
        wrong(format!("line {line}: {}", one_line(e.message())))
    })?;
    let mut file: File =
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
            wrong(format!(
                "{}: {}",
                e.path(),
                one_line(&e.inner().to_string())
            ))
        })?;
    file.seed = overrides.seed.unwrap_or(file.seed);
    file.days = overrides.days.unwrap_or(file.days);
    file.speed = overrides.speed.unwrap_or(file.speed);
    let climate = climate(&file.climate, folder)?.ok_or_else(|| {
        let known = CLIMATES.map(|(known, _)| known).join(", ");
        let unknown = &file.climate;
        wrong(format!(
            "climate: there is no {unknown:?}; allowed are {known}, or the path of a card, which ends with .toml"
        ))
    })?;
    check(&file, name, climate).map_err(|Refused { key, problem }| {
        let has_flag = match key.as_str() {
            "days" => overrides.days.is_some(),
            "speed" => overrides.speed.is_some(),
            _ => false,
        };
        ScenarioError::Scenario {
            place: if has_flag {
                format!("flag --{key}")
            } else {
                place.to_owned()
            },
            problem: format!("{key}: {problem}"),
        }
    })
}

/// A card that comes with acequia, or a file beside the scenario. None: there is no such card.
fn climate(name: &str, folder: Option<&Path>) -> Result<Option<Climate>, ClimateError> {
    if let Some((_, card)) = CLIMATES.iter().find(|(known, _)| *known == name) {
        return Climate::parse(card, &format!("climate {name}")).map(Some);
    }
    if !name.ends_with(".toml") {
        return Ok(None);
    }
    let path = folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
    Climate::read(&path).map(Some)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "scenario_tests.rs"]
mod tests;
