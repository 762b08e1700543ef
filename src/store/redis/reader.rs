//! The reader of the feed: every change that any node has committed, from the last one that was seen.
//!
//! What it reads it hands on; it writes nothing but what the server has lost and this process knows.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{RedisError, RedisResult};

use super::in_flight::Fate;
use super::scripts::{self, Found, strange};
use super::session::ANSWER;
use super::shared::Shared;
use super::{codec, registry};
use crate::command::SystemId;
use crate::engine::State;
use crate::time::{SharedClock, Ticks};

/// Entries that are read at a time.
const PORTION: usize = 1000;

/// A place on the feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u64, u64);

impl FromStr for Place {
    type Err = RedisError;

    fn from_str(id: &str) -> Result<Self, RedisError> {
        let wrong = || strange(&format!("{id:?} is no id of a stream"));
        let (millis, count) = id.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Self(number(millis)?, number(count)?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// States that are newer than what is known.
pub(super) type News = Vec<(SystemId, State)>;

/// What is known after catching up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    Everything,
    /// The states of all systems, but not what happened in between.
    WithGap,
}

/// The reader.
pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Up to where it has read; none before the first time.
    place: Option<Place>,
    /// What stands at that place, where it was read: another server may have the same place by chance.
    mark: String,
    /// When the last portion was asked for in this session.
    asked: Option<Ticks>,
}

impl Reader {
    /// How long the server holds an answer back while there is no news.
    pub(super) const PATIENCE: Duration = Duration::from_millis(500);

    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            place: None,
            mark: String::new(),
            asked: None,
        }
    }

    /// Up to where it has read, as the server names it; empty before the first time.
    pub(super) fn place(&self) -> String {
        self.place
            .map_or_else(String::new, |place| place.to_string())
    }

    /// What stands there, see `fence.lua`; empty where it was not read.
    pub(super) fn mark(&self) -> String {
        self.mark.clone()
    }

    /// Goes on from a place that was not read.
    fn go_to(&mut self, place: Place) {
        if self.place != Some(place) {
            self.place = Some(place);
            self.mark.clear();
        }
    }

    /// Reads what happened since the last session.
    pub(super) async fn catch_up(
        &mut self,
        found: &Found,
        whole: bool,
        connection: &mut ConnectionManager,
    ) -> RedisResult<(Caught, News)> {
        self.asked = None;
        let newest: Place = found.newest.parse()?;
        let Some(place) = self.place else {
            let news = self.read_states(connection).await?;
            self.go_to(newest);
            return Ok((Caught::Everything, news));
        };
        // Before anything was ever told there is nothing that can be missing.
        if !whole && place != Place(0, 0) {
            tracing::warn!(
                %place,
                newest = found.newest,
                "the feed of Redis may not lead on from what was read last: all states are read again"
            );
            return self.begin_anew(newest, connection).await;
        }
        while self.place.is_some_and(|place| place < newest) {
            let read: StreamRangeReply = redis::cmd("XRANGE")
                .arg(self.shared.keys.feed())
                .arg(format!("({}", self.place()))
                .arg(newest.to_string())
                .arg("COUNT")
                .arg(PORTION)
                .query_async(connection)
                .await?;
            if read.ids.is_empty() {
                break;
            }
            self.take(&read.ids, connection).await?;
        }
        if self.place < Some(newest) {
            self.go_to(newest);
        }
        // The feed may have been cut while it was read.
        let oldest: StreamRangeReply = redis::cmd("XRANGE")
            .arg(self.shared.keys.feed())
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(1)
            .query_async(connection)
            .await?;
        let oldest = oldest.ids.first().map(|entry| entry.id.parse::<Place>());
        if oldest.transpose()?.is_some_and(|oldest| oldest > place) && place != Place(0, 0) {
            return self.begin_anew(newest, connection).await;
        }
        Ok((Caught::Everything, News::new()))
    }

    /// The feed does not lead from what is known to what is: what is known is given back, where the server has lost it,
    /// and everything is read.
    async fn begin_anew(
        &mut self,
        newest: Place,
        connection: &mut ConnectionManager,
    ) -> RedisResult<(Caught, News)> {
        self.restore(connection).await?;
        let news = self.read_states(connection).await?;
        self.go_to(newest);
        Ok((Caught::WithGap, news))
    }

    /// Reads all states, a portion at a time; returns those that are newer than what is known.
    async fn read_states(&self, connection: &mut ConnectionManager) -> RedisResult<News> {
        let (mut cursor, mut news) = (scripts::SCAN_BEGIN.to_owned(), News::new());
        loop {
            let key = self.shared.keys.states();
            let (next, states) = scripts::scan(&key, &cursor, connection).await?;
            for (system, state) in states {
                match (SystemId::parse(&system), codec::state(&state)) {
                    (Ok(system), Ok(state)) => {
                        if state.seq > self.shared.replica.get(&system).seq {
                            news.push((system, state));
                        }
                    }
                    _ => tracing::error!(system, state, "a state in Redis cannot be read"),
                }
            }
            let Some(next) = next else {
                return Ok(news);
            };
            cursor = next;
        }
    }

    /// The server may be behind what it has told before: it was restored, or a replica that had not everything took its
    /// place. What this process knows is given back.
    async fn restore(&self, connection: &mut ConnectionManager) -> RedisResult<()> {
        let known = self.shared.replica.all();
        let mut restored = 0;
        for portion in known.chunks(PORTION) {
            let states: Vec<_> = portion
                .iter()
                .map(|(system, state)| {
                    let runs = state.run.is_some();
                    (
                        system.to_string(),
                        state.seq,
                        runs,
                        codec::state_value(state),
                    )
                })
                .collect();
            restored += scripts::restore(&self.shared.keys, &states, connection).await?;
        }
        if restored > 0 {
            tracing::error!(
                restored,
                "Redis has lost changes that it had confirmed: the states are restored from this gateway's memory, \
                 the history of what was lost is not"
            );
        }
        Ok(())
    }

    /// Reads the feed until that fails; says why.
    pub(super) async fn follow(
        &mut self,
        mut feed: ConnectionManager,
        mut commands: ConnectionManager,
    ) -> RedisError {
        loop {
            if let Err(failed) = self.portion(&mut feed, &mut commands).await {
                return failed;
            }
        }
    }

    async fn portion(
        &mut self,
        feed: &mut ConnectionManager,
        commands: &mut ConnectionManager,
    ) -> RedisResult<()> {
        let asked = SharedClock::own_ticks();
        let place = self.place.unwrap_or(Place(0, 0));
        let read: Option<StreamReadReply> = redis::cmd("XREAD")
            .arg("COUNT")
            .arg(PORTION)
            .arg("BLOCK")
            .arg(Self::PATIENCE.as_millis() as u64)
            .arg("STREAMS")
            .arg(self.shared.keys.feed())
            .arg(place.to_string())
            .query_async(feed)
            .await?;
        let before = self.asked.replace(asked).unwrap_or(asked);
        let took = SharedClock::own_ticks().since(before).unsigned_abs();
        if u128::from(took) > (Self::PATIENCE + ANSWER).as_millis() * 2 {
            // This process stood still, or had too much to do: the feed may have been cut meanwhile.
            return Err(strange("the feed was read too late"));
        }
        self.shared.contact(asked);
        let streams = read.into_iter().flat_map(|read| read.keys);
        let entries: Vec<StreamId> = streams.flat_map(|stream| stream.ids).collect();
        self.take(&entries, commands).await
    }

    /// Hands on what was read.
    async fn take(
        &mut self,
        entries: &[StreamId],
        commands: &mut ConnectionManager,
    ) -> RedisResult<()> {
        let (mut registered, mut version) = (Vec::new(), String::new());
        for entry in entries {
            let field = |name| entry.get::<String>(name).unwrap_or_default();
            let systems = field("r");
            if !systems.is_empty() {
                registered.extend(systems.split_whitespace().map(String::from));
                version = field("rv");
            }
            if let Ok(version) = field("c").parse::<u64>() {
                // A run that is shown anew by this clock would be shown here as it was before.
                let known = |known: &str| known.parse().is_ok_and(|known: u64| known >= version);
                self.shared.wait_for_clock(known).await;
            }
            let system = field("s");
            if !system.is_empty() {
                self.hand_on(&system, &field("v"), &field("a"));
            }
            let nonce = field("n");
            let ours = nonce.strip_prefix(self.shared.node.as_str());
            let number = ours.and_then(|rest| rest.strip_prefix(':')?.parse().ok());
            if let Some(number) = number {
                self.shared.in_flight.end(number, Fate::Written);
            }
            self.place = Some(entry.id.parse()?);
            self.mark = format!("{}|{nonce}", field("v"));
        }
        if registered.is_empty() {
            return Ok(());
        }
        // If that fails, the next session finds that it has not read this version.
        registry::read(&self.shared, &registered, &version, commands).await
    }

    fn hand_on(&self, system: &str, state: &str, action: &str) {
        let read = || {
            let action = (!action.is_empty()).then(|| codec::action(action));
            let system = SystemId::parse(system).map_err(|e| e.to_string())?;
            let state = codec::state(state).map_err(|e| e.to_string())?;
            let action = action.transpose().map_err(|e| e.to_string())?;
            Ok::<_, String>((system, state, action))
        };
        match read() {
            Ok((system, state, action)) => self.shared.replica.change(&system, state, action),
            Err(cause) => {
                tracing::error!(
                    system,
                    state,
                    cause,
                    "a change on the feed of Redis cannot be read"
                );
            }
        }
    }
}
