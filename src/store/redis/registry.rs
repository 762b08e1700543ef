//! The systems that all nodes serve: each registers its own, and reads what the others have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use redis::RedisResult;
use redis::aio::ConnectionManager;
use tokio::sync::watch;

use super::shared::Shared;
use super::{codec, scripts};
use crate::command::SystemId;
use crate::config::{System, Systems};

/// Systems that are registered at a time.
const PORTION: usize = 500;

/// What is known of the systems.
#[derive(Default)]
pub(super) struct Registry {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Of all nodes, as they were registered.
    registered: HashMap<SystemId, System>,
    /// Up to which version they were read.
    version: String,
    /// Where they are told, once this node has said which are its own.
    told: Option<watch::Sender<Arc<Systems>>>,
}

impl Registry {
    /// A panic under this lock leaves a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Known {
    fn put(&mut self, id: &str, settings: &str) {
        match codec::system(id, settings) {
            Ok(system) => drop(self.registered.insert(system.id.clone(), system)),
            Err(cause) => tracing::error!(id, settings, %cause, "a system in Redis cannot be read"),
        }
    }

    fn tell(&self) {
        let Some(told) = &self.told else { return };
        told.send_if_modified(|systems| {
            let all = systems.updated(self.registered.values().cloned());
            let modified = all != **systems;
            if modified {
                let (before, now) = (systems.iter().len(), all.iter().len());
                tracing::info!(before, now, "the systems of all gateways");
                *systems = Arc::new(all);
            }
            modified
        });
    }
}

/// Registers this node's systems, and returns all that there are from now on.
pub(super) async fn register(
    shared: &Shared,
    own: Systems,
    connection: &mut ConnectionManager,
) -> RedisResult<watch::Receiver<Arc<Systems>>> {
    let rows = rows(&own);
    for portion in rows.chunks(PORTION) {
        let differed = scripts::register(&shared.keys, portion, true, connection).await?;
        for (id, former) in differed {
            let now = portion.iter().find(|(other, _)| *other == id);
            let now = now.map_or("", |(_, settings)| settings.as_str());
            tracing::warn!(
                system = id,
                former,
                now,
                "this gateway's settings of a system differ from what was registered, and replace it on every gateway"
            );
        }
    }
    let mut known = shared.registry.lock();
    for (id, settings) in &rows {
        known.put(id, settings);
    }
    let (told, receiver) = watch::channel(Arc::new(own));
    known.told = Some(told);
    known.tell();
    Ok(receiver)
}

fn rows(systems: &Systems) -> Vec<(String, String)> {
    systems
        .iter()
        .map(|system| (system.id.to_string(), codec::system_value(system)))
        .collect()
}

/// At the beginning of a session: gives back what the server has lost of what is served here, and reads what is new.
pub(super) async fn begin(
    shared: &Shared,
    version: &str,
    connection: &mut ConnectionManager,
) -> RedisResult<()> {
    let served = {
        let known = shared.registry.lock();
        if known.version == version {
            return Ok(());
        }
        known.told.as_ref().map(|told| Arc::clone(&told.borrow()))
    };
    if let Some(served) = served {
        for portion in rows(&served).chunks(PORTION) {
            scripts::register(&shared.keys, portion, false, connection).await?;
        }
    }
    let mut cursor = scripts::SCAN_BEGIN.to_owned();
    loop {
        let key = shared.keys.systems();
        let (next, systems) = scripts::scan(&key, &cursor, connection).await?;
        let mut known = shared.registry.lock();
        systems
            .iter()
            .for_each(|(id, settings)| known.put(id, settings));
        let Some(next) = next else {
            known.version = version.to_owned();
            known.tell();
            return Ok(());
        };
        cursor = next;
    }
}

/// Systems were registered: reads them.
pub(super) async fn read(
    shared: &Shared,
    ids: &[String],
    version: &str,
    connection: &mut ConnectionManager,
) -> RedisResult<()> {
    let settings: Vec<Option<String>> = redis::cmd("HMGET")
        .arg(shared.keys.systems())
        .arg(ids)
        .query_async(connection)
        .await?;
    let mut known = shared.registry.lock();
    for (id, settings) in ids.iter().zip(settings) {
        known.put(id, &settings.unwrap_or_default());
    }
    known.version = version.to_owned();
    known.tell();
    Ok(())
}
