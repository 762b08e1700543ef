//! The rules: what each key may hold, and the settings that come of it.
//!
//! Every refusal names the key and says what is allowed; where the value stood is for who reads the configuration.

use tracing_subscriber::EnvFilter;

use super::{CROWD, File, Limits, Origins, Settings, System, SystemEntry, Systems};
use crate::command::{By, SystemId};
use crate::store::StoreUrl;

/// The longest `manual_limit`: a year, in seconds. More is a slip of the keyboard.
const LONGEST_LIMIT_S: u32 = 31_536_000;

/// `lease_seconds`, where it is not set: outlasts a restart of the gateway.
const LEASE_S: u32 = 30;

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

pub(super) fn check(file: &File) -> Result<Settings, Refused> {
    let listen = file.listen.parse().map_err(|_| {
        refused(
            "listen",
            format!(
                "{:?} is not ADDRESS:PORT, as in 127.0.0.1:8001",
                file.listen
            ),
        )
    })?;
    within("max_timer", file.max_timer, 1, 86_400)?;
    check_limits(&file.limits)?;
    EnvFilter::try_new(&file.log).map_err(|e| {
        refused("log", format!("{e}; allowed are error, warn, info, debug, trace, or a filter as in info,acequia=debug"))
    })?;
    Ok(Settings {
        listen,
        store: store(&file.store)?,
        log: file.log.clone(),
        max_timer: file.max_timer,
        origins: origins(&file.cors.allowed_origins)?,
        limits: file.limits.clone(),
        crowd: CROWD,
        systems: systems(file)?,
    })
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), Refused> {
    if value < least || value > most {
        let problem = format!("{value} is not allowed; a whole number from {least} to {most} is");
        return Err(refused(key, problem));
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), Refused> {
    let l = limits;
    within("limits.connections", l.connections, 1, 1_000_000)?;
    within("limits.joins_per_socket", l.joins_per_socket, 1, 128)?;
    within("limits.body_bytes", l.body_bytes, 256, 1 << 20)?;
    within(
        "limits.header_timeout_ms",
        l.header_timeout_ms,
        100,
        600_000,
    )?;
    within(
        "limits.tcp_user_timeout_ms",
        l.tcp_user_timeout_ms,
        100,
        600_000,
    )?;
    within("limits.write_timeout_ms", l.write_timeout_ms, 100, 600_000)?;
    within(
        "limits.send_buffer_bytes",
        l.send_buffer_bytes,
        2048,
        1 << 24,
    )?;
    within("limits.socket_packets", l.socket_packets, 8, 1 << 20)?;
    within(
        "limits.socket_message_bytes",
        l.socket_message_bytes,
        256,
        1 << 20,
    )?;
    within(
        "limits.socket_read_buffer_bytes",
        l.socket_read_buffer_bytes,
        128,
        1 << 20,
    )?;
    within("limits.ping_interval_ms", l.ping_interval_ms, 100, 600_000)?;
    within("limits.ping_timeout_ms", l.ping_timeout_ms, 100, 600_000)
}

fn store(url: &str) -> Result<StoreUrl, Refused> {
    StoreUrl::parse(url).map_err(|problem| refused("store", problem))
}

fn origins(list: &[String]) -> Result<Origins, Refused> {
    if list.iter().any(|origin| origin == "*") {
        return Ok(Origins::Any);
    }
    for (i, origin) in list.iter().enumerate() {
        let host = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '?' | '#' | '@' | '*');
        if !host.is_some_and(|host| !host.is_empty() && host.chars().all(plain)) {
            return Err(refused(
                format!("cors.allowed_origins[{i}]"),
                format!(
                    "{origin:?} is not allowed; \"*\" or an origin as in http://box.local:3000 is"
                ),
            ));
        }
    }
    Ok(Origins::Only(list.to_vec()))
}

fn systems(file: &File) -> Result<Systems, Refused> {
    let only = [SystemEntry {
        id: "default".into(),
        name: None,
        timer_seconds: None,
        manual_limit: None,
        lease_seconds: None,
    }];
    let entries = if file.systems.is_empty() {
        &only[..]
    } else {
        &file.systems
    };
    let checked = entries.iter().enumerate().map(|(i, entry)| {
        system(entry, file.max_timer)
            .map_err(|Refused { key, problem }| refused(format!("systems[{i}].{key}"), problem))
    });
    let mut by_id = checked.collect::<Result<Box<[System]>, _>>()?;
    let first = by_id.first().map(|system| system.id.clone());
    by_id.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    if let Some(twice) = by_id.windows(2).find(|pair| pair[0].id == pair[1].id) {
        return Err(refused(
            "systems",
            format!("the id {:?} is there twice", twice[0].id),
        ));
    }
    let default = match (&file.default_system, first) {
        (None, Some(first)) => first,
        (Some(id), _) => {
            let found = by_id.iter().find(|system| system.id.as_str() == id);
            let unknown = || {
                refused(
                    "default_system",
                    format!("{id:?} is not the id of a system"),
                )
            };
            found.ok_or_else(unknown)?.id.clone()
        }
        (None, None) => return Err(refused("systems", "there must be one at least")),
    };
    Ok(Systems { by_id, default })
}

fn system(entry: &SystemEntry, max_timer: u32) -> Result<System, Refused> {
    let id = SystemId::parse(&entry.id)
        .map_err(|allowed| refused("id", format!("{:?} is not allowed; {allowed}", entry.id)))?;
    let name = entry.name.as_deref().unwrap_or(&entry.id);
    if !matches!(By::parse(name), Ok(Some(_))) {
        return Err(refused("name", "1 to 64 printable characters are allowed"));
    }
    let timer_seconds = entry.timer_seconds.unwrap_or_else(|| max_timer.min(10));
    within("timer_seconds", timer_seconds, 1, max_timer)?;
    if let Some(limit) = entry.manual_limit {
        within("manual_limit", limit, 1, LONGEST_LIMIT_S)?;
    }
    let lease_seconds = entry.lease_seconds.unwrap_or(LEASE_S);
    // There is a clock each second: less than a few of them would close valves for a hiccup of the network.
    within("lease_seconds", lease_seconds, 5, 3_600)?;
    Ok(System {
        id,
        name: name.into(),
        timer_seconds,
        manual_limit: entry.manual_limit,
        lease_seconds,
    })
}
