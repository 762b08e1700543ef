//! What a server says of itself: which start of it this is, and whether it keeps what it is given.

use redis::RedisResult;
use redis::aio::ConnectionManager;

use super::scripts::strange;

/// Looks at the server; returns the name of this start of it, which is empty where it may not be asked.
///
/// # Errors
/// Also when it cannot be written to.
pub(super) async fn look(connection: &mut ConnectionManager) -> RedisResult<String> {
    let told: String = match redis::cmd("INFO").query_async(connection).await {
        Ok(told) => told,
        Err(refused) if refused.code() == Some("NOPERM") => {
            tracing::warn!(
                "this user may not ask Redis for INFO: a restart of Redis that no gateway watches cannot be noticed"
            );
            return Ok(String::new());
        }
        Err(failed) => return Err(failed),
    };
    let field = |name: &str| {
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or_default().trim()
    };
    if field("role") == "slave" {
        return Err(strange("this Redis is a replica and cannot be written to"));
    }
    if field("aof_enabled") == "0" {
        tracing::warn!(
            "Redis runs without an append-only file: what it has confirmed is lost when it ends (appendonly yes)"
        );
    }
    let (policy, most) = (field("maxmemory_policy"), field("maxmemory"));
    if policy != "noeviction" && most != "0" && !policy.is_empty() {
        tracing::warn!(
            policy,
            "Redis may forget states when its memory is full (maxmemory-policy noeviction)"
        );
    }
    Ok(field("run_id").to_owned())
}
