//! The systems that all nodes serve: each registers its own, and reads what the others have.

use std::collections::HashMap;
use std::sync::Arc;

use redis::RedisResult;
use redis::aio::ConnectionManager;
use tokio::sync::watch;

use super::shared::Shared;
use super::{codec, scripts};
use crate::config::{System, Systems};

/// Systems that are registered at a time.
const PORTION: usize = 500;

/// Registers systems, and returns all that there are from now on.
pub(super) async fn register(
    shared: &Shared,
    own: Systems,
    connection: &mut ConnectionManager,
) -> RedisResult<watch::Receiver<Arc<Systems>>> {
    let rows: Vec<_> = own
        .iter()
        .map(|system| (system.id.to_string(), codec::system_value(system)))
        .collect();
    for portion in rows.chunks(PORTION) {
        for (id, former) in scripts::register(&shared.keys, portion, connection).await? {
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
    let receiver = {
        let sender = shared
            .systems
            .get_or_init(|| watch::Sender::new(Arc::new(own)));
        sender.subscribe()
    };
    refresh(shared, connection).await?;
    Ok(receiver)
}

/// Reads what is registered.
pub(super) async fn refresh(
    shared: &Shared,
    connection: &mut ConnectionManager,
) -> RedisResult<()> {
    let Some(sender) = shared.systems.get() else {
        return Ok(());
    };
    let rows: HashMap<String, String> = redis::cmd("HGETALL")
        .arg(shared.keys.systems())
        .query_async(connection)
        .await?;
    let registered = rows.iter().filter_map(|(id, settings)| {
        let read = codec::system(id, settings);
        read.inspect_err(
            |cause| tracing::error!(id, settings, %cause, "a system in Redis cannot be read"),
        )
        .ok()
    });
    let registered: Vec<System> = registered.collect();
    sender.send_if_modified(|systems| {
        let all = systems.updated(registered);
        let modified = all != **systems;
        if modified {
            let (before, now) = (systems.iter().len(), all.iter().len());
            tracing::info!(before, now, "the systems of all gateways");
            *systems = Arc::new(all);
        }
        modified
    });
    Ok(())
}
