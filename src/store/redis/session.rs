//! The task that keeps a session with the server: connect, fence off what older connections have left behind, catch up
//! with the feed, serve, and again from the start when anything of it fails.
//!
//! It writes no change of its own; what it reads goes to the replica, and from there to everybody.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use redis::RedisResult;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

use super::in_flight::Fate;
use super::reader::{Caught, Reader};
use super::shared::{Session, Shared};
use super::timewatch::Watch;
use super::{registry, scripts};
use crate::time::SharedClock;

/// The server has so long to accept a connection, and to answer.
const CONNECT: Duration = Duration::from_secs(1);
pub(super) const ANSWER: Duration = Duration::from_secs(2);
/// Between two attempts to connect: from the first to the last of these, and as much again at random, so that not all
/// nodes come back in the same moment; and soon enough that no run is a second too long because of it.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// A session that has lasted so long, in milliseconds, was one.
const LASTING_MS: i64 = 1000;
/// Commands that may wait to be sent on a connection.
const PIPELINE: usize = 1024;

/// A new connection. The manager connects anew by itself; whoever must know that it did is fenced off by the generation.
pub(super) async fn connect(
    shared: &Shared,
    answer_within: Duration,
) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(answer_within))
        .set_number_of_retries(0)
        .set_pipeline_buffer_size(PIPELINE);
    ConnectionManager::new_with_config(shared.client.clone(), config).await
}

/// The task, and what it knows of the sessions before.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    reader: Reader,
    watch: Watch,
    /// Of the last session that was begun.
    generation: u64,
}

/// A session that has begun.
pub(super) struct Live {
    commands: ConnectionManager,
    feed: ConnectionManager,
    generation: u64,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            reader: Reader::new(Arc::clone(&shared)),
            watch: Watch::new(Arc::clone(&shared)),
            shared,
            generation: 0,
        }
    }

    /// Keeps a session, for ever; one that fails at once is not begun again at once. Cancel by dropping it.
    pub(super) async fn run(mut self, mut live: Live) {
        let _ended = self.shared.ended.clone().drop_guard();
        let mut pauses: Box<dyn Iterator<Item = Duration> + Send> = Box::new(backoff());
        loop {
            let began = SharedClock::own_ticks();
            let cause = self.serve(live).await;
            self.shared.end();
            tracing::warn!(%cause, "the session with Redis has ended: commands are refused until there is another");
            if SharedClock::own_ticks().since(began) > LASTING_MS {
                pauses = Box::new(backoff());
            } else {
                tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
            }
            live = self.begin_again(&mut pauses).await;
            tracing::info!("there is a session with Redis again");
        }
    }

    async fn begin_again(&mut self, pauses: &mut impl Iterator<Item = Duration>) -> Live {
        let mut said = String::new();
        loop {
            match self.begin().await {
                Ok(live) => return live,
                Err(cause) => {
                    let cause = cause.to_string();
                    if cause != said {
                        tracing::warn!(cause, "Redis does not answer yet");
                    }
                    said = cause;
                }
            }
            tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
        }
    }

    /// One attempt to begin a session.
    pub(super) async fn begin(&mut self) -> RedisResult<Live> {
        let shared = Arc::clone(&self.shared);
        let asked = SharedClock::own_ticks();
        let mut commands = connect(&shared, ANSWER).await?;
        let feed = connect(&shared, Reader::PATIENCE + ANSWER).await?;
        self.generation += 1;
        if self.generation == 1 {
            scripts::check_rights(&shared.keys, &mut commands).await?;
        }
        let session = (shared.node.as_str(), self.generation);
        let read = (self.reader.place(), self.reader.mark());
        let found = scripts::fence(&shared.keys, session, &read, &mut commands).await?;
        self.watch.begin(&mut commands).await?;
        registry::begin(&shared, &found.systems, &mut commands).await?;
        let whole = found.there && !shared.lost.load(Ordering::Relaxed);
        let caught = self.reader.catch_up(&found, whole, &mut commands).await;
        // Nothing may fail from here on: what was read is in no other hand.
        let (caught, news) = caught?;
        shared.lost.store(false, Ordering::Relaxed);
        shared.contact(asked);
        shared.begin(Session {
            connection: commands.clone(),
            generation: self.generation,
        });
        // Told when the histories can be read, all at once: nobody may wait in between for a change that does not come.
        let told = news
            .iter()
            .filter(|(system, state)| shared.replica.put(system, state));
        if told.count() > 0 {
            shared.replica.gap();
        }
        let fate = match caught {
            Caught::Everything => Fate::NotWritten,
            Caught::WithGap => Fate::Unknown,
        };
        shared.in_flight.settle(self.generation, fate);
        Ok(Live {
            commands,
            feed,
            generation: self.generation,
        })
    }

    /// Serves until something fails; says what.
    async fn serve(&mut self, live: Live) -> String {
        let Live {
            commands,
            feed,
            generation,
        } = live;
        tokio::select! {
            failed = self.reader.follow(feed, commands.clone()) => failed.to_string(),
            failed = self.watch.keep(commands) => failed.to_string(),
            () = self.shared.doubted(generation) => "an answer was lost".into(),
        }
    }
}

fn backoff() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::new()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .without_max_times()
        .build()
}
