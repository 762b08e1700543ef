//! The rules: what each key of a scenario may hold, and the scenario that comes of it.
//!
//! Every refusal names the key and says what is allowed.

use std::ops::RangeInclusive;

use chrono::NaiveDate;

use super::{Faults, File, Link, Scenario, System, SystemEntry};
use crate::command::{By, SystemId};
use crate::simulator::climate::Climate;
use crate::simulator::field::{PRESETS, Site};
use crate::simulator::number::Number;

/// As many systems as a gateway is measured with.
const MOST_SYSTEMS: u32 = 100_000;

/// The longest `manual_limit`: a year, in seconds, as the gateway has it.
const LONGEST_LIMIT_S: u32 = 31_536_000;

const SHARE_LOST: RangeInclusive<f64> = 0.0..=0.9;
const PER_DAY: RangeInclusive<f64> = 0.0..=1000.0;
const AWAY_S: RangeInclusive<f64> = 0.0..=86_400.0;

/// A value that is not allowed.
pub(super) struct Refused {
    pub(super) key: String,
    pub(super) problem: String,
}

fn refused(key: impl Into<String>, problem: impl Into<String>) -> Refused {
    Refused {
        key: key.into(),
        problem: problem.into(),
    }
}

/// A number of what is allowed; NaN is none.
fn within(key: &str, value: f64, allowed: RangeInclusive<f64>) -> Result<(), Refused> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let (least, most) = (allowed.start(), allowed.end());
    let problem = format!("{value} is not allowed; a number from {least} to {most} is");
    Err(refused(key, problem))
}

/// Days of all systems together: every hour of each is kept, 100 bytes or so.
const MOST_SYSTEM_DAYS: f64 = 200_000.0;

pub(super) fn check(file: &File, name: &str, climate: Climate) -> Result<Scenario, Refused> {
    within("days", file.days, 0.001..=3660.0)?;
    within("speed", file.speed, 0.01..=86_400.0)?;
    within("lease_seconds", file.lease_seconds.into(), 5.0..=3600.0)?;
    check_link(&file.link)?;
    check_faults(&file.faults)?;
    let start = NaiveDate::parse_from_str(&file.start, "%Y-%m-%d").map_err(|_| {
        let problem = format!(
            "{:?} is not allowed; a date as in 2026-05-01 is",
            file.start
        );
        refused("start", problem)
    })?;
    let systems = systems(&file.systems)?;
    within(
        "days",
        file.days,
        0.001..=MOST_SYSTEM_DAYS / systems.len() as f64,
    )?;
    Ok(Scenario {
        name: name.to_owned(),
        seed: file.seed,
        days: file.days,
        speed: file.speed,
        start,
        climate,
        lease_ms: i64::from(file.lease_seconds) * 1000,
        link: file.link,
        faults: file.faults,
        systems,
    })
}

fn check_link(link: &Link) -> Result<(), Refused> {
    within("link.lost", link.lost, SHARE_LOST)?;
    within("link.lost_answers", link.lost_answers, SHARE_LOST)?;
    within("link.overloaded", link.overloaded, SHARE_LOST)?;
    within("link.delay_ms", link.delay_ms, 0.0..=60_000.0)
}

fn check_faults(faults: &Faults) -> Result<(), Refused> {
    let f = faults;
    within("faults.crashes_per_day", f.crashes_per_day, PER_DAY)?;
    within("faults.power_cuts_per_day", f.power_cuts_per_day, PER_DAY)?;
    within("faults.away_s", f.away_s, AWAY_S)?;
    within("faults.clock_steps_per_day", f.clock_steps_per_day, PER_DAY)?;
    within("faults.feed_cuts_per_day", f.feed_cuts_per_day, PER_DAY)?;
    within("faults.feed_cut_s", f.feed_cut_s, AWAY_S)
}

fn systems(entries: &[SystemEntry]) -> Result<Vec<System>, Refused> {
    let mut systems = Vec::new();
    for (number, entry) in entries.iter().enumerate() {
        let placed = |refused: Refused| Refused {
            key: format!("systems[{number}].{}", refused.key),
            ..refused
        };
        let model = system(entry).map_err(placed)?;
        systems.extend(copies(entry, &model).map_err(placed)?);
    }
    let many = systems.len();
    if many == 0 || many > MOST_SYSTEMS as usize {
        let problem = format!("{many} are not allowed; 1 to {MOST_SYSTEMS} are");
        return Err(refused("systems", problem));
    }
    let mut ids: Vec<&str> = systems.iter().map(|system| system.id.as_str()).collect();
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(refused(
            "systems",
            format!("the id {:?} is there twice", pair[0]),
        ));
    }
    Ok(systems)
}

fn system(entry: &SystemEntry) -> Result<System, Refused> {
    let mut site = Site::preset(&entry.field).ok_or_else(|| {
        let known = PRESETS.map(|(name, _)| name).join(", ");
        let problem = format!("there is no {:?}; allowed are {known}", entry.field);
        refused("field", problem)
    })?;
    let hardware = &mut site.irrigation;
    hardware.area_m2 = entry.area_m2.unwrap_or(hardware.area_m2);
    hardware.flow_l_min = entry.flow_l_min.unwrap_or(hardware.flow_l_min);
    within("area_m2", hardware.area_m2, 0.1..=1e7)?;
    within("flow_l_min", hardware.flow_l_min, 0.01..=1e6)?;
    within("dryness", entry.dryness, 0.0..=2.0)?;
    if let Some(limit) = entry.manual_limit {
        within("manual_limit", limit.into(), 1.0..=LONGEST_LIMIT_S.into())?;
    }
    numbers("actuator", entry.actuator.numbers())?;
    for (number, controller) in entry.controllers.iter().enumerate() {
        numbers(&format!("controllers[{number}]"), controller.numbers())?;
    }
    Ok(System {
        id: entry.id.clone(),
        name: entry.name.clone().unwrap_or_else(|| entry.id.clone()),
        field: entry.field.clone(),
        site,
        dryness: entry.dryness,
        manual_limit_s: entry.manual_limit,
        calibration: entry.sensor.calibration,
        sensor_faults: entry.sensor.faults,
        actuator: entry.actuator,
        controllers: entry.controllers.clone(),
    })
}

fn numbers(place: &str, numbers: Vec<Number>) -> Result<(), Refused> {
    for Number {
        key,
        value,
        allowed,
    } in numbers
    {
        within(&format!("{place}.{key}"), value, allowed)?;
    }
    Ok(())
}

/// The system itself, or as many of it as there are to be, numbered.
fn copies(entry: &SystemEntry, model: &System) -> Result<Vec<System>, Refused> {
    let count = entry.count.unwrap_or(1);
    within("count", count.into(), 1.0..=MOST_SYSTEMS.into())?;
    let copies = (1..=count).map(|number| {
        let numbered = |text: &str, gap: char| match entry.count {
            Some(_) => format!("{text}{gap}{number}"),
            None => text.to_owned(),
        };
        let (id, name) = (numbered(&model.id, '-'), numbered(&model.name, ' '));
        SystemId::parse(&id)
            .map_err(|allowed| refused("id", format!("{id:?} is not allowed; {allowed}")))?;
        if !matches!(By::parse(&name), Ok(Some(_))) {
            return Err(refused("name", "1 to 64 printable characters are allowed"));
        }
        Ok(System {
            id,
            name,
            ..model.clone()
        })
    });
    copies.collect()
}
