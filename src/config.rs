//! From defaults, file, environment and flags to checked settings.
//!
//! Two stages: a [`File`] is what can be written down, [`Settings`] are what was checked, and only those leave.
//! Nothing is opened or bound here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::command::SystemId;
use crate::store::StoreUrl;

mod check;

use check::{Refused, check};

/// Of all that can be set in the environment.
const PREFIX: &str = "ACEQUIA_";

/// What can be written into the configuration file: every key has a default.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub listen: String,
    pub store: String,
    pub log: String,
    pub max_timer: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_system: Option<String>,
    pub cors: Cors,
    pub limits: Limits,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<SystemEntry>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8001".into(),
            store: "sqlite:acequia.db".into(),
            log: "info".into(),
            max_timer: 86_400,
            default_system: None,
            cors: Cors::default(),
            limits: Limits::default(),
            systems: Vec::new(),
        }
    }
}

/// Which web pages of other origins may use the gateway.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    pub allowed_origins: Vec<String>,
}

/// What one client, and all of them together, may take. The reasons stand in `config/acequia.toml`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    pub connections: usize,
    pub joins_per_socket: usize,
    pub body_bytes: usize,
    pub header_timeout_ms: u64,
    pub tcp_user_timeout_ms: u32,
    pub write_timeout_ms: u64,
    pub send_buffer_bytes: usize,
    pub socket_packets: usize,
    pub socket_message_bytes: usize,
    pub socket_read_buffer_bytes: usize,
    pub ping_interval_ms: u64,
    pub ping_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            joins_per_socket: 128,
            body_bytes: 16_384,
            header_timeout_ms: 10_000,
            tcp_user_timeout_ms: 10_000,
            write_timeout_ms: 10_000,
            send_buffer_bytes: 65_536,
            socket_packets: 1024,
            socket_message_bytes: 16_384,
            socket_read_buffer_bytes: 128,
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
        }
    }
}

/// One `[[systems]]` of the file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SystemEntry {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timer_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual_limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_seconds: Option<u32>,
}

/// One irrigation system as it is configured. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    pub id: SystemId,
    pub name: Arc<str>,
    /// The length of a timer that does not say its own, in seconds.
    pub timer_seconds: u32,
    /// A manual run ends by itself after this time, in seconds.
    pub manual_limit: Option<u32>,
    /// An actuator that hears no clock for this time closes its valve, in seconds.
    pub lease_seconds: u32,
}

/// All systems of the gateway: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Systems {
    /// Sorted: a map would cost each of many systems a second copy of its id.
    by_id: Box<[System]>,
    default: SystemId,
}

impl Systems {
    /// These, with the settings that are registered for them, and all others that are.
    #[must_use]
    pub fn updated(&self, registered: impl Iterator<Item = System>) -> Self {
        let mut all: Vec<System> = registered.collect();
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let missing = self.by_id.iter().filter(|system| {
            let found = all.binary_search_by(|other| other.id.cmp(&system.id));
            found.is_err()
        });
        let missing: Vec<System> = missing.cloned().collect();
        all.extend(missing);
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        Self {
            by_id: all.into(),
            default: self.default.clone(),
        }
    }

    pub fn get(&self, id: &SystemId) -> Option<&System> {
        let found = self.by_id.binary_search_by(|system| system.id.cmp(id));
        found.ok().map(|i| &self.by_id[i])
    }

    /// The system that the routes of the original mean.
    pub const fn default_id(&self) -> &SystemId {
        &self.default
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &System> {
        self.by_id.iter()
    }
}

/// Which origins a browser may come from, beside the gateway's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    Any,
    Only(Vec<String>),
}

/// Everything that was checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub listen: SocketAddr,
    pub store: StoreUrl,
    pub log: String,
    /// The longest timer, in seconds.
    pub max_timer: u32,
    pub origins: Origins,
    pub limits: Limits,
    /// Connections beyond `limits.connections` that are accepted, to be told that it is full, or to have their `stop`
    /// carried out.
    pub crowd: usize,
    pub systems: Systems,
}

/// Files that the gateway itself has open, with some to spare.
const OWN_FILES: usize = 32;
/// Connections beyond the limit that are accepted, to be told that it is full, or to have their `stop` carried out.
pub(super) const CROWD: usize = 64;

impl Settings {
    /// Takes no more connections than the process may have files open: those that are left for the crowd at the door
    /// are what a `stop` needs. False when `limits.connections` is not reached.
    pub fn fit_into(&mut self, files: usize) -> bool {
        let free = files.saturating_sub(OWN_FILES).max(2);
        self.crowd = CROWD.min(free / 2);
        let connections = self.limits.connections;
        self.limits.connections = connections.min(free - self.crowd);
        self.limits.connections == connections
    }

    /// The file as it would be if everything that is in force were written down.
    pub fn effective(&self, file: File) -> File {
        let systems = self.systems.iter().map(|system| SystemEntry {
            id: system.id.to_string(),
            name: Some(system.name.to_string()),
            timer_seconds: Some(system.timer_seconds),
            manual_limit: system.manual_limit,
            lease_seconds: Some(system.lease_seconds),
        });
        File {
            // Without a password: what is printed is read by others.
            store: self.store.to_string(),
            default_system: Some(self.systems.default_id().to_string()),
            systems: systems.collect(),
            ..file
        }
    }
}

/// A configuration that cannot be used. One line: where, which key, what is allowed.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{place}: {problem}")]
pub struct ConfigError {
    place: String,
    problem: String,
}

/// What stands above the file: the environment and the flags.
#[derive(Debug, Default)]
pub struct Overrides {
    /// `ACEQUIA_LISTEN` and its like. Others are not looked at.
    pub environment: Vec<(String, String)>,
    pub listen: Option<String>,
    pub store: Option<String>,
}

/// Reads what is configured: defaults, then the file, then the environment, then the flags.
///
/// # Errors
/// [`ConfigError`] for a file that cannot be read, an unknown key, or a value that is not allowed.
pub fn read(path: Option<&Path>, overrides: Overrides) -> Result<(File, Settings), ConfigError> {
    let place = path.map_or_else(
        || "the configuration".into(),
        |path| path.display().to_string(),
    );
    let mut table = match path {
        Some(path) => parse(path, &place)?,
        None => toml::Table::new(),
    };
    let mut places = BTreeMap::new();
    for (name, value) in overrides.environment {
        if let Some(name) = name.strip_prefix(PREFIX) {
            let key = set_from_environment(&mut table, name, &value)?;
            places.insert(key, format!("environment {PREFIX}{name}"));
        }
    }
    for (key, value) in [("listen", overrides.listen), ("store", overrides.store)] {
        if let Some(value) = value {
            table.insert(key.into(), value.into());
            places.insert(key.into(), format!("flag --{key}"));
        }
    }
    let error = |key: &str, problem: String| ConfigError {
        place: places.get(key).unwrap_or(&place).clone(),
        problem: format!("{key}: {problem}"),
    };
    let file: File = serde_path_to_error::deserialize(toml::Value::Table(table))
        .map_err(|e| error(&e.path().to_string(), one_line(&e.inner().to_string())))?;
    let settings = check(&file).map_err(|Refused { key, problem }| error(&key, problem))?;
    Ok((file, settings))
}

fn parse(path: &Path, place: &str) -> Result<toml::Table, ConfigError> {
    let error = |problem| ConfigError {
        place: place.into(),
        problem,
    };
    let text = std::fs::read_to_string(path).map_err(|e| error(format!("cannot be read: {e}")))?;
    text.parse().map_err(|e: toml::de::Error| {
        let start = e.span().map_or(0, |span| span.start);
        let line = text.as_bytes()[..start.min(text.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count();
        error(format!("line {}: {}", line + 1, one_line(e.message())))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts the value of `ACEQUIA_<NAME>` where it belongs and returns its key: `LIMITS_CONNECTIONS` is
/// `limits.connections`. A list is written with commas.
fn set_from_environment(
    table: &mut toml::Table,
    name: &str,
    value: &str,
) -> Result<String, ConfigError> {
    let error = |problem| ConfigError {
        place: format!("environment {PREFIX}{name}"),
        problem,
    };
    let keys = settable();
    let wanted = name.to_ascii_lowercase();
    let found = keys.iter().find(|(key, _)| key.replace('.', "_") == wanted);
    let Some((key, kind)) = found else {
        let names: Vec<String> = keys
            .iter()
            .map(|(key, _)| format!("{PREFIX}{}", key.replace('.', "_").to_ascii_uppercase()))
            .collect();
        return Err(error(format!(
            "no such setting; allowed are {}",
            names.join(", ")
        )));
    };
    let value = match kind {
        toml::Value::Integer(_) => value
            .parse()
            .map(toml::Value::Integer)
            .map_err(|_| error(format!("{key}: {value:?} is not a whole number")))?,
        toml::Value::Array(_) => {
            let items = value
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            toml::Value::Array(items.map(Into::into).collect())
        }
        _ => value.into(),
    };
    let (section, leaf) = key.split_once('.').unwrap_or(("", key));
    let target = if section.is_empty() {
        table
    } else {
        let entry = table
            .entry(section)
            .or_insert_with(|| toml::Table::new().into());
        entry
            .as_table_mut()
            .ok_or_else(|| error(format!("{section} is not a section in the file")))?
    };
    target.insert(leaf.into(), value);
    Ok(key.clone())
}

/// Every key that holds one value, with its default: derived from [`File`], so that none is forgotten.
fn settable() -> Vec<(String, toml::Value)> {
    let file = File {
        default_system: Some(String::new()),
        ..File::default()
    };
    let mut keys = Vec::new();
    for (key, value) in toml::Table::try_from(file).unwrap_or_default() {
        match value {
            toml::Value::Table(section) => {
                keys.extend(
                    section
                        .into_iter()
                        .map(|(leaf, v)| (format!("{key}.{leaf}"), v)),
                );
            }
            value => keys.push((key, value)),
        }
    }
    keys
}
