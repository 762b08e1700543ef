//! The server as the source or the target of a migration: read and written as a whole, with no gateway around.

use std::time::Duration;

use redis::streams::StreamRangeReply;
use redis::{RedisError, RedisResult};

use super::{Redis, codec, scripts};
use crate::command::{IdempotencyKey, SystemId};
use crate::engine::{Action, State};
use crate::store::migrate::{Bundle, MigrateError, failed};
use crate::store::receipt::Receipt;
use crate::store::{HISTORY_KEPT, OpenError, RedisUrl};
use crate::time::{Clock, Moment};

/// A gateway that lives answers a roll call within so long.
const ROLL: Duration = Duration::from_millis(1500);
/// Systems that are cleared away at a time.
const PORTION: usize = 1000;

/// The server.
pub(in crate::store) struct Server(Redis);

fn redis_failed(cause: RedisError) -> MigrateError {
    failed("Redis", cause)
}

impl Redis {
    /// From where everything is being moved into this store, if that is not done.
    pub(super) async fn unfinished(&self) -> RedisResult<Option<String>> {
        let mut session = self.session().ok_or_else(away)?;
        redis::cmd("GET")
            .arg(self.shared.keys.migrating())
            .query_async(&mut session.connection)
            .await
    }
}

fn away() -> RedisError {
    scripts::strange("Redis does not answer any more")
}

impl Server {
    pub(in crate::store) async fn open(url: &RedisUrl) -> Result<Self, OpenError> {
        Redis::connect(url).await.map(Self)
    }

    pub(in crate::store) fn now(&self) -> Moment {
        self.0.shared.clock.now()
    }

    fn connection(&self) -> Result<redis::aio::ConnectionManager, MigrateError> {
        let session = self.0.session().ok_or_else(away).map_err(redis_failed)?;
        Ok(session.connection)
    }

    /// # Errors
    /// When a gateway uses it.
    pub(in crate::store) async fn is_unused(&self) -> Result<(), MigrateError> {
        let (keys, mut connection) = (&self.0.shared.keys, self.connection()?);
        let called = scripts::call_roll(keys, &mut connection).await;
        called.map_err(redis_failed)?;
        tokio::time::sleep(ROLL).await;
        let voices = scripts::voices(keys, &mut connection)
            .await
            .map_err(redis_failed)?;
        if voices.iter().any(|(node, _)| *node != self.0.shared.node) {
            return Err(MigrateError::Failed(
                "a gateway runs on this Redis: stop it first".into(),
            ));
        }
        Ok(())
    }

    /// Begins to move everything into it.
    ///
    /// # Errors
    /// When it is in use or not empty, but for what the same migration has left that was cut.
    pub(in crate::store) async fn begin(&self, source: &str) -> Result<(), MigrateError> {
        self.is_unused().await?;
        let (keys, mut connection) = (&self.0.shared.keys, self.connection()?);
        let states = self.0.shared.replica.all();
        match self.0.unfinished().await.map_err(redis_failed)? {
            Some(other) if other != source => {
                let what = format!(
                    "moving everything into it from {other} was cut; run that migration again, or clear it"
                );
                return Err(MigrateError::Failed(what));
            }
            None if !states.is_empty() => {
                let what = format!(
                    "the target holds {} systems already; it must be empty (another prefix is)",
                    states.len()
                );
                return Err(MigrateError::Failed(what));
            }
            _ => {}
        }
        let mut mark = redis::cmd("SET");
        mark.arg(keys.migrating()).arg(source);
        mark.exec_async(&mut connection)
            .await
            .map_err(redis_failed)?;
        for portion in states.chunks(PORTION) {
            let mut clear = redis::cmd("DEL");
            portion.iter().for_each(|(system, _)| {
                clear.arg(keys.history(system));
            });
            clear
                .exec_async(&mut connection)
                .await
                .map_err(redis_failed)?;
        }
        let mut clear = redis::cmd("DEL");
        clear.arg(keys.states()).arg(keys.running());
        clear.arg(keys.receipts()).arg(keys.ages());
        clear
            .exec_async(&mut connection)
            .await
            .map_err(redis_failed)
    }

    /// Everything is there.
    pub(in crate::store) async fn finish(&self) -> Result<(), MigrateError> {
        let mut done = redis::cmd("DEL");
        done.arg(self.0.shared.keys.migrating());
        done.exec_async(&mut self.connection()?)
            .await
            .map_err(redis_failed)?;
        self.0.close().await;
        Ok(())
    }

    pub(in crate::store) async fn put(&self, bundles: &[Bundle]) -> Result<(), MigrateError> {
        let keys = &self.0.shared.keys;
        let mut pipe = redis::pipe();
        for Bundle {
            system,
            state,
            actions,
        } in bundles
        {
            for action in actions {
                pipe.cmd("XADD")
                    .arg(keys.history(system))
                    .arg("MAXLEN")
                    .arg(HISTORY_KEPT)
                    .arg(format!("{}-0", action.id))
                    .arg("a")
                    .arg(codec::action_value(action))
                    .ignore();
            }
            pipe.cmd("HSET")
                .arg(keys.states())
                .arg(system.as_str())
                .arg(codec::state_value(state))
                .ignore();
            if state.run.is_some() {
                pipe.cmd("SADD")
                    .arg(keys.running())
                    .arg(system.as_str())
                    .ignore();
            }
        }
        pipe.exec_async(&mut self.connection()?)
            .await
            .map_err(redis_failed)
    }

    pub(in crate::store) async fn put_receipts(
        &self,
        kept: &[Receipt],
    ) -> Result<(), MigrateError> {
        let keys = &self.0.shared.keys;
        let mut pipe = redis::pipe();
        for receipt in kept {
            let key = receipt.request.key.as_str();
            pipe.cmd("HSET")
                .arg(keys.receipts())
                .arg(key)
                .arg(codec::receipt_value(receipt))
                .ignore();
            pipe.cmd("ZADD")
                .arg(keys.ages())
                .arg(receipt.ticks.millis())
                .arg(key)
                .ignore();
        }
        if kept.is_empty() {
            return Ok(());
        }
        pipe.exec_async(&mut self.connection()?)
            .await
            .map_err(redis_failed)
    }

    /// Every system that has ever changed.
    pub(in crate::store) fn states(&self) -> Vec<(SystemId, State)> {
        let mut states = self.0.shared.replica.all();
        states.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        states
    }

    /// Of each of these, oldest first.
    pub(in crate::store) async fn histories(
        &self,
        systems: &[(SystemId, State)],
    ) -> Result<Vec<Vec<Action>>, MigrateError> {
        let mut pipe = redis::pipe();
        for (system, _) in systems {
            pipe.cmd("XRANGE")
                .arg(self.0.shared.keys.history(system))
                .arg("-")
                .arg("+");
        }
        let read: RedisResult<Vec<StreamRangeReply>> =
            pipe.query_async(&mut self.connection()?).await;
        let histories = read.map_err(redis_failed)?;
        histories
            .iter()
            .map(|history| {
                let rows = history.ids.iter();
                let actions =
                    rows.map(|row| codec::action(&row.get::<String>("a").unwrap_or_default()));
                actions
                    .collect::<Result<_, _>>()
                    .map_err(|e| failed("an action cannot be read", e))
            })
            .collect()
    }

    pub(in crate::store) async fn count_receipts(&self) -> Result<usize, MigrateError> {
        let mut count = redis::cmd("ZCARD");
        count.arg(self.0.shared.keys.ages());
        count
            .query_async(&mut self.connection()?)
            .await
            .map_err(redis_failed)
    }

    /// So many from a rank on, oldest first. None in place of one that cannot be read.
    pub(in crate::store) async fn receipts(
        &self,
        rank: usize,
        most: usize,
    ) -> Result<Vec<Option<Receipt>>, MigrateError> {
        let (keys, mut connection) = (&self.0.shared.keys, self.connection()?);
        let mut range = redis::cmd("ZRANGE");
        range.arg(keys.ages()).arg(rank).arg(rank + most - 1);
        let names: Vec<String> = range
            .query_async(&mut connection)
            .await
            .map_err(redis_failed)?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = redis::cmd("HMGET");
        values.arg(keys.receipts()).arg(&names);
        let values: Vec<Option<String>> = values
            .query_async(&mut connection)
            .await
            .map_err(redis_failed)?;
        let receipts = names.iter().zip(values).map(|(name, value)| {
            let key = IdempotencyKey::bare(name).ok()?;
            codec::receipt(&key, &value?).ok()
        });
        Ok(receipts.collect())
    }
}
