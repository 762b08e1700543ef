//! The server as the source or the target of a migration: read and written as a whole, with no gateway around.

use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::streams::StreamRangeReply;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError, RedisResult};

use super::keys::Keys;
use super::{Redis, codec, scripts, server};
use crate::command::{IdempotencyKey, SystemId};
use crate::engine::{Action, State};
use crate::store::migrate::{Bundle, MigrateError, failed};
use crate::store::receipt::Receipt;
use crate::store::{HISTORY_KEPT, OpenError, RedisUrl};
use crate::time::{Clock, Moment};

/// A gateway that lives answers a roll call within so long: its second look at the clock, and time to be late.
const ROLL: Duration = Duration::from_millis(2500);
/// Commands that are sent at a time, so that a slow server answers them before it counts as away.
const AT_A_TIME: usize = 2000;
/// Histories that are read at a time: each is a thousand rows at the most.
const HISTORIES_AT_A_TIME: usize = 8;
/// Before the source in the mark: whether the target is free is not known yet, so nothing of it may be cleared away. Such
/// a mark goes by itself.
const NOT_BEGUN: &str = "not begun: ";
const NOT_BEGUN_S: u64 = 30;

/// The server.
pub(in crate::store) struct Server {
    redis: Redis,
    /// Which start of it this is.
    start: String,
}

fn refused(why: &str) -> MigrateError {
    MigrateError::Failed(why.into())
}

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
    pub(in crate::store) async fn open(url: &RedisUrl) -> Result<Self, MigrateError> {
        let redis = Redis::connect(url).await?;
        let mut server = Self {
            redis,
            start: String::new(),
        };
        let known = server.redis.is_known().await;
        known.map_err(|what| OpenError(format!("the store {url}: {what}")))?;
        server.start = server.look().await?;
        Ok(server)
    }

    pub(in crate::store) fn now(&self) -> Moment {
        self.redis.shared.clock.now()
    }

    fn keys(&self) -> &Keys {
        &self.redis.shared.keys
    }

    fn connection(&self) -> Result<ConnectionManager, MigrateError> {
        let session = self.redis.session().ok_or_else(away);
        Ok(session.map_err(redis_failed)?.connection)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, MigrateError> {
        let answered = command.query_async(&mut self.connection()?).await;
        answered.map_err(redis_failed)
    }

    async fn send(&self, pipe: &Pipeline) -> Result<(), MigrateError> {
        if pipe.is_empty() {
            return Ok(());
        }
        let mut connection = self.connection()?;
        pipe.exec_async(&mut connection).await.map_err(redis_failed)
    }

    async fn look(&self) -> Result<String, MigrateError> {
        let mut connection = self.connection()?;
        server::look(&mut connection).await.map_err(redis_failed)
    }

    /// # Errors
    /// When a gateway uses it.
    pub(in crate::store) async fn is_unused(&self) -> Result<(), MigrateError> {
        let mut connection = self.connection()?;
        let called = scripts::call_roll(self.keys(), &mut connection).await;
        called.map_err(redis_failed)?;
        tokio::time::sleep(ROLL).await;
        let voices = scripts::voices(self.keys(), &mut connection).await;
        let own = &self.redis.shared.node;
        if voices
            .map_err(redis_failed)?
            .iter()
            .any(|(node, _)| node != own)
        {
            return Err(refused("a gateway runs on this Redis: stop it first"));
        }
        Ok(())
    }

    /// # Errors
    /// When it was started again meanwhile, or another one took its place: what it had not saved is gone.
    async fn is_the_same(&self) -> Result<(), MigrateError> {
        if self.look().await? == self.start {
            return Ok(());
        }
        Err(refused(
            "Redis was started again meanwhile, or another one took its place: run the migration again",
        ))
    }

    /// Where its feed ends, if it is a whole store that no gateway uses.
    pub(in crate::store) async fn is_a_source(&self) -> Result<String, MigrateError> {
        if let Some(other) = self.redis.unfinished().await.map_err(redis_failed)? {
            let cut = format!("moving everything into it from {other} was cut: it is not whole");
            return Err(refused(&cut));
        }
        self.is_unused().await?;
        self.newest().await
    }

    /// # Errors
    /// When anything was written since its feed ended there.
    pub(in crate::store) async fn is_still(&self, newest: &str) -> Result<(), MigrateError> {
        self.is_unused().await?;
        self.is_the_same().await?;
        if self.newest().await? == newest {
            return Ok(());
        }
        Err(refused(
            "a gateway has used this Redis meanwhile: stop it, and run the migration again",
        ))
    }

    async fn newest(&self) -> Result<String, MigrateError> {
        let mut newest = redis::cmd("XREVRANGE");
        newest
            .arg(self.keys().feed())
            .arg(&["+", "-", "COUNT", "1"]);
        let read: StreamRangeReply = self.ask(&newest).await?;
        Ok(read
            .ids
            .into_iter()
            .next()
            .map_or_else(String::new, |entry| entry.id))
    }

    /// Begins to move everything into it.
    ///
    /// # Errors
    /// When it is in use or not empty, but for what the same migration has left that was cut.
    pub(in crate::store) async fn begin(&self, source: &str) -> Result<(), MigrateError> {
        let marked = self.redis.unfinished().await.map_err(redis_failed)?;
        let begun = marked.filter(|mark| !mark.starts_with(NOT_BEGUN));
        if let Some(other) = begun.as_ref().filter(|other| *other != source) {
            let cut = format!(
                "moving everything into it from {other} was cut; run that migration again, or name another prefix"
            );
            return Err(refused(&cut));
        }
        if begun.is_none() {
            self.is_empty().await?;
            // Before the look around: a gateway that starts from now on refuses to.
            let mut mark = redis::cmd("SET");
            mark.arg(self.keys().migrating())
                .arg(format!("{NOT_BEGUN}{source}"))
                .arg("EX")
                .arg(NOT_BEGUN_S);
            let () = self.ask(&mark).await?;
        }
        let free = match self.is_unused().await {
            Ok(()) if begun.is_none() => self.is_empty().await,
            used_or_begun => used_or_begun,
        };
        if let Err(refused) = free {
            if begun.is_none() {
                self.unmark().await?;
            }
            return Err(refused);
        }
        let mut mark = redis::cmd("SET");
        let () = self
            .ask(mark.arg(self.keys().migrating()).arg(source))
            .await?;
        self.clear().await
    }

    async fn unmark(&self) -> Result<(), MigrateError> {
        let mut mark = redis::cmd("DEL");
        self.ask(mark.arg(self.keys().migrating())).await
    }

    async fn is_empty(&self) -> Result<(), MigrateError> {
        let (systems, answers) = (self.count_states().await?, self.count_receipts().await?);
        if systems + answers == 0 {
            return Ok(());
        }
        let what = format!(
            "the target holds {systems} systems and {answers} answers already; it must be empty (another prefix is)"
        );
        Err(refused(&what))
    }

    /// Clears away what a migration that was cut has left. The list of what there is goes last.
    async fn clear(&self) -> Result<(), MigrateError> {
        let keys = self.keys();
        let mut cursor = scripts::SCAN_BEGIN.to_owned();
        loop {
            let mut connection = self.connection()?;
            let scanned = scripts::scan(&keys.states(), &cursor, &mut connection).await;
            let (next, states) = scanned.map_err(redis_failed)?;
            let mut pipe = redis::pipe();
            for system in states.iter().filter_map(|(id, _)| SystemId::parse(id).ok()) {
                pipe.cmd("DEL").arg(keys.history(&system)).ignore();
            }
            self.send(&pipe).await?;
            let Some(next) = next else { break };
            cursor = next;
        }
        let mut clear = redis::cmd("UNLINK");
        clear.arg(keys.states()).arg(keys.running());
        clear.arg(keys.receipts()).arg(keys.ages());
        self.ask(&clear).await
    }

    /// Everything is there.
    pub(in crate::store) async fn finish(&self) -> Result<(), MigrateError> {
        self.is_the_same().await?;
        self.unmark().await?;
        self.redis.close().await;
        Ok(())
    }

    pub(in crate::store) async fn put(&self, bundles: &[Bundle]) -> Result<(), MigrateError> {
        let keys = self.keys();
        let mut pipe = redis::pipe();
        for Bundle {
            system,
            state,
            actions,
        } in bundles
        {
            // The state first: by it a history is found again that was cut.
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
            if pipe.len() >= AT_A_TIME {
                self.send(&pipe).await?;
                pipe.clear();
            }
        }
        self.send(&pipe).await
    }

    pub(in crate::store) async fn put_receipts(
        &self,
        kept: &[Receipt],
    ) -> Result<(), MigrateError> {
        let keys = self.keys();
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
        self.send(&pipe).await
    }

    /// Every system that has ever changed.
    ///
    /// # Errors
    /// Also when a state cannot be read: what is not moved is lost.
    pub(in crate::store) async fn states(&self) -> Result<Vec<(SystemId, State)>, MigrateError> {
        let mut states = self.redis.shared.replica.all();
        let unread = self.count_states().await?.abs_diff(states.len());
        if unread > 0 {
            return Err(refused(&format!(
                "the states of {unread} systems cannot be read"
            )));
        }
        states.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(states)
    }

    async fn count_states(&self) -> Result<usize, MigrateError> {
        let mut count = redis::cmd("HLEN");
        self.ask(count.arg(self.keys().states())).await
    }

    /// Of each of these, oldest first.
    pub(in crate::store) async fn histories(
        &self,
        systems: &[(SystemId, State)],
    ) -> Result<Vec<Vec<Action>>, MigrateError> {
        let mut all = Vec::with_capacity(systems.len());
        for portion in systems.chunks(HISTORIES_AT_A_TIME) {
            let mut pipe = redis::pipe();
            for (system, _) in portion {
                pipe.cmd("XRANGE")
                    .arg(self.keys().history(system))
                    .arg("-")
                    .arg("+");
            }
            let read: RedisResult<Vec<StreamRangeReply>> =
                pipe.query_async(&mut self.connection()?).await;
            for ((system, _), history) in portion.iter().zip(read.map_err(redis_failed)?) {
                let rows = history.ids.iter();
                let actions =
                    rows.map(|row| codec::action(&row.get::<String>("a").unwrap_or_default()));
                let actions = actions.collect::<Result<_, _>>();
                let what = format!("an action of {system} cannot be read");
                all.push(actions.map_err(|e| failed(&what, e))?);
            }
        }
        Ok(all)
    }

    pub(in crate::store) async fn count_receipts(&self) -> Result<usize, MigrateError> {
        let mut count = redis::cmd("ZCARD");
        self.ask(count.arg(self.keys().ages())).await
    }

    /// So many from a rank on, oldest first. None in place of one that cannot be read.
    pub(in crate::store) async fn receipts(
        &self,
        rank: usize,
        most: usize,
    ) -> Result<Vec<Option<Receipt>>, MigrateError> {
        let mut range = redis::cmd("ZRANGE");
        range.arg(self.keys().ages()).arg(rank).arg(rank + most - 1);
        let names: Vec<String> = self.ask(&range).await?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut values = redis::cmd("HMGET");
        values.arg(self.keys().receipts()).arg(&names);
        let values: Vec<Option<String>> = self.ask(&values).await?;
        let boot = self.now().boot;
        let receipts = names.iter().zip(values).map(|(name, value)| {
            let key = IdempotencyKey::bare(name).ok()?;
            let kept = codec::receipt(&key, &value?).ok()?;
            // The ticks of all boots of a Redis are one line, so the age of each is known.
            Some(Receipt { boot, ..kept })
        });
        Ok(receipts.collect())
    }
}
