//! A commit, from the change to what the caller is told: also when the answer of the server is lost.
//!
//! Whatever became of it is read and never guessed.

use std::time::Duration;

use redis::{RedisError, RedisResult};
use tokio::time::timeout;

use super::in_flight::{Fate, Ticket};
use super::scripts::{Commit, Kind, Reply};
use super::shared::{Session, Shared};
use super::{Redis, codec};
use crate::command::SystemId;
use crate::engine::{Answer, Change};
use crate::store::CommitError;
use crate::store::receipt::Receipt;
use crate::time::Ticks;

/// What opens is carried out within so long of being sent, or not at all: whoever asked for it may have given up.
const OPENS_WITHIN_MS: i64 = 2000;
/// A change that is written was seen on this process's own feed within so long, or it is answered without that.
const SEEN_WITHIN: Duration = Duration::from_secs(1);
/// How long it may take to find out what became of a commit whose answer was lost. After that it is answered that this is
/// not known.
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// What is to be committed.
struct Asked<'a> {
    system: &'a SystemId,
    change: Option<&'a Change>,
    receipt: Option<&'a Receipt>,
}

impl Asked<'_> {
    fn kind(&self) -> Kind {
        match self.change {
            None => Kind::Answers,
            Some(change) if change.closes() => Kind::Closes,
            Some(_) => Kind::Opens,
        }
    }

    /// The arguments of the script.
    fn call<'a>(
        &'a self,
        shared: &'a Shared,
        session: &Session,
        number: u64,
        clock_version: &'a str,
    ) -> Commit<'a> {
        let Self {
            system,
            change,
            receipt,
        } = *self;
        let run = change.and_then(|change| change.state.run.as_ref());
        let answered_seq = receipt.map_or(0, |receipt| receipt.answer.shown.seq);
        let action = change.and_then(|change| change.action.as_ref());
        Commit {
            node: &shared.node,
            generation: session.generation,
            nonce: format!("{}:{number}", shared.node),
            system,
            expected_seq: change.map_or(answered_seq, Change::expected_seq),
            kind: self.kind(),
            state: change.map_or_else(String::new, |change| codec::state_value(&change.state)),
            action: action.map_or_else(String::new, codec::action_value),
            started: run.map_or(Ticks::from_millis(0), |run| run.started),
            valid_until_ms: shared.server_ms().saturating_add(OPENS_WITHIN_MS),
            clock_version,
            key: receipt.map_or("", |receipt| receipt.request.key.as_str()),
            receipt: receipt.map_or_else(String::new, codec::receipt_value),
            ticks: receipt.map_or(Ticks::from_millis(0), |receipt| receipt.ticks),
        }
    }

    /// It was not written although it was valid. What closes a valve is tried again at once.
    fn not_after_all(&self) -> CommitError {
        match self.kind() {
            Kind::Closes => CommitError::Stale,
            Kind::Opens | Kind::Answers => CommitError::Unavailable,
        }
    }

    /// What the caller gets for an answer that was kept before, if his request is the one that it was given to.
    fn answered(&self, kept: &str) -> Result<Option<Answer>, CommitError> {
        let Some(receipt) = self.receipt else {
            return Ok(None);
        };
        match codec::receipt(&receipt.request.key, kept) {
            Ok(kept) if kept.request == receipt.request => Ok(Some(kept.answer)),
            Ok(_) => Err(CommitError::KeyReused),
            Err(cause) => {
                tracing::error!(%cause, kept, "an answer that is kept in Redis cannot be read");
                Err(CommitError::Unavailable)
            }
        }
    }
}

impl Redis {
    /// Commits a change, or an answer that says that there was none, or both. The answer that was kept before under the
    /// same key, if any.
    pub(in crate::store) async fn commit(
        &self,
        system: &SystemId,
        change: Option<Change>,
        receipt: Option<Receipt>,
    ) -> Result<Option<Answer>, CommitError> {
        let shared = &self.shared;
        let asked = Asked {
            system,
            change: change.as_ref(),
            receipt: receipt.as_ref(),
        };
        let mut session = self.session().ok_or(CommitError::Unavailable)?;
        // What closes waits behind no more openings than this, and is never refused for it.
        let _place = match asked.kind() {
            Kind::Opens => {
                let place = shared.openings.try_acquire();
                Some(place.map_err(|_| CommitError::Overloaded)?)
            }
            Kind::Closes | Kind::Answers => None,
        };
        let ticket = shared.in_flight.begin(session.generation);
        let mut on_its_way = OnItsWay(shared, Some(ticket.number));
        // One that ended before it was in the book will not be settled by the next.
        if self
            .session()
            .is_none_or(|now| now.generation != session.generation)
        {
            return Err(CommitError::Unavailable);
        }
        let version = shared.clock_version.borrow().clone();
        let call = asked.call(shared, &session, ticket.number, &version);
        let reply = call.send(&shared.keys, &mut session.connection).await;
        on_its_way.1 = None;
        self.became(&asked, &session, ticket, &version, reply).await
    }

    /// What the answer of the server means for the caller.
    async fn became(
        &self,
        asked: &Asked<'_>,
        session: &Session,
        ticket: Ticket,
        version: &str,
        reply: RedisResult<Reply>,
    ) -> Result<Option<Answer>, CommitError> {
        let shared = &self.shared;
        let Ticket { number, fate } = ticket;
        let reply = match reply {
            Err(error) if !is_refused(&error) => {
                let system = asked.system;
                tracing::warn!(%error, %system, "Redis has not answered a commit: it is found out what became of it");
                shared.doubt(session.generation);
                return self.settled(asked, number, fate).await;
            }
            Ok(Reply::Done(kept)) if asked.change.is_some() => {
                // A caller who gives up now leaves the ticket to the feed.
                if timeout(SEEN_WITHIN, fate).await.is_err() {
                    shared.in_flight.end(number, Fate::Written);
                }
                return kept.map_or(Ok(None), |kept| asked.answered(&kept));
            }
            reply => reply,
        };
        shared.in_flight.end(number, Fate::NotWritten);
        match reply {
            Ok(Reply::Done(_)) => Ok(None),
            Ok(Reply::Known(kept)) => asked.answered(&kept),
            Ok(Reply::Stale) => Err(CommitError::Stale),
            Ok(Reply::Late) => Err(CommitError::Overloaded),
            Ok(Reply::OldClock) => {
                shared.wait_for_clock(|known| known != version).await;
                Err(CommitError::Stale)
            }
            Ok(Reply::Fenced) => {
                shared.doubt(session.generation);
                Err(asked.not_after_all())
            }
            Err(error) => {
                tracing::error!(%error, "Redis has refused a commit");
                if !is_full(&error) {
                    shared.doubt(session.generation);
                }
                Err(CommitError::Unavailable)
            }
        }
    }

    /// Finds out what became of a commit whose answer was lost: the next session reads it on the feed.
    async fn settled(
        &self,
        asked: &Asked<'_>,
        number: u64,
        fate: tokio::sync::oneshot::Receiver<Fate>,
    ) -> Result<Option<Answer>, CommitError> {
        let told = timeout(SETTLED_WITHIN, fate).await;
        self.shared.in_flight.end(number, Fate::Unknown);
        match told {
            Ok(Ok(Fate::Written)) => Ok(None),
            Ok(Ok(Fate::NotWritten)) => Err(asked.not_after_all()),
            Ok(Ok(Fate::Unknown)) => self.compared(asked).await,
            Ok(Err(_)) | Err(_) => Err(CommitError::Unavailable),
        }
    }

    /// The feed does not reach back: the state says it, unless it has changed since.
    async fn compared(&self, asked: &Asked<'_>) -> Result<Option<Answer>, CommitError> {
        let state = self.load(asked.system).await;
        let state = state.map_err(|_| CommitError::Unavailable)?;
        match asked.change {
            Some(change) if change.state == state => Ok(None),
            Some(change) if change.state.seq > state.seq => Err(asked.not_after_all()),
            _ => Err(CommitError::Unavailable),
        }
    }
}

/// A commit whose caller gives up while it is being sent leaves the book, or nobody could ever stop in order.
struct OnItsWay<'a>(&'a Shared, Option<u64>);

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.1 {
            self.0.in_flight.end(number, Fate::Unknown);
        }
    }
}

/// The server says that it does not write at all: certainly nothing of the commit was. Any other error may have come
/// halfway.
fn is_refused(error: &RedisError) -> bool {
    let codes = [
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "TRYAGAIN",
    ];
    error.code().is_some_and(|code| codes.contains(&code))
}

/// It can be read all the same.
fn is_full(error: &RedisError) -> bool {
    let codes = ["MISCONF", "NOREPLICAS", "OOM"];
    error.code().is_some_and(|code| codes.contains(&code))
}
