//! The way out: one task sends everything that a room hears, so that its order is the order in which it was sent.
//!
//! `state` and `action` on change, `clock` at the turn of each second, and the snapshot for who joined. It reads the
//! store and never writes.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use serde::Serialize;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};

use crate::command::SystemId;
use crate::engine::{Action, State};
use crate::error::ApiError;
use crate::gateway::Gateway;
use crate::members::{Members, Shown};
use crate::store::{Committed, Feed, News};
use crate::time::Moment;
use crate::wire;

/// Joins that may wait for their snapshot; the next one waits at the door, where each socket has as many places as it may
/// join systems. One takes microseconds.
const JOINS_WAITING: usize = 1024;
/// Rooms that are told the time between two looks at what else there is to tell.
const CLOCKS_AT_A_TIME: usize = 8;
/// Actions that are told again after the feed was lost: as many as one page of the history.
const ACTIONS_TOLD_AGAIN: u32 = 100;
/// Histories that are read at the same time for it.
const HISTORIES_AT_ONCE: usize = 64;

/// A socket that has entered a room and waits for its snapshot.
pub(crate) struct Join {
    pub socket: SocketRef,
    pub system: SystemId,
    pub ack: AckSender,
    /// One of the places that its socket has among those who wait.
    pub place: OwnedSemaphorePermit,
}

/// The doors to the task: where joins go in and ticks come out.
#[derive(Clone)]
pub(crate) struct Doors {
    pub joins: mpsc::Sender<Join>,
    /// The moment of the last tick. Of several ticks a slow reader sees the newest.
    pub ticks: watch::Receiver<Moment>,
}

/// The task.
pub(crate) struct Rooms {
    io: SocketIo,
    gateway: Gateway,
    members: Arc<Members>,
    feed: Feed,
    joins: mpsc::Receiver<Join>,
    ticks: watch::Sender<Moment>,
}

impl Rooms {
    /// Reads the feed from now on; what is committed before [`Rooms::run`] is not lost.
    pub(crate) fn new(io: SocketIo, gateway: Gateway, members: Arc<Members>) -> (Self, Doors) {
        let (joins_in, joins) = mpsc::channel(JOINS_WAITING);
        let (ticks, ticks_out) = watch::channel(gateway.clock().now());
        let feed = gateway.store().changes();
        let rooms = Self {
            io,
            gateway,
            members,
            feed,
            joins,
            ticks,
        };
        let doors = Doors {
            joins: joins_in,
            ticks: ticks_out,
        };
        (rooms, doors)
    }

    /// Sends, for ever. Cancel by dropping it.
    pub(crate) async fn run(mut self) {
        let mut last = self.gateway.clock().now();
        let mut untold = VecDeque::new();
        loop {
            let turn = last.next_turn();
            // Ticks first: a flood of joins or changes does not hold up the time.
            let next = tokio::select! {
                biased;
                () = until_second_changes(&self.gateway, turn, last.second()) => Next::Tick,
                next = next(&mut self.joins, &mut self.feed) => next,
                // Others get their turn between two portions, or changes would wait where they come from.
                () = tokio::task::yield_now(), if !untold.is_empty() => Next::Clocks,
            };
            match next {
                Next::Tick => {
                    last = self.gateway.clock().now();
                    self.ticks.send_replace(last);
                    // Who has not heard of the last second comes first: where a second is too short for all, each has
                    // a clock all the same, less often.
                    let late: HashSet<SystemId> = untold.iter().cloned().collect();
                    let watched = self.members.watched().into_iter();
                    let watched = watched.map(|(system, _)| system);
                    untold.extend(watched.filter(|system| !late.contains(system)));
                }
                Next::Join(join) => self.snapshot(join).await,
                Next::Change(change) => self.next_change(change).await,
                Next::Clocks => {}
            }
            // A change waits for a few clocks at the most, and they wait for one change.
            let portion = untold.len().min(CLOCKS_AT_A_TIME);
            self.tell_clocks(&last, untold.drain(..portion)).await;
        }
    }

    async fn tell_clocks(&self, now: &Moment, rooms: impl Iterator<Item = SystemId>) {
        let (wall, stale_ms) = (now.wall(), self.gateway.store().stale_ms());
        for system in rooms {
            // It may know more than when the second turned, or have no members any more.
            if let Some(Shown::Seq(seq)) = self.members.shown(&system) {
                let clock = wire::Clock::new(&system, seq, wall, stale_ms);
                self.emit(&system, "clock", &clock).await;
            }
        }
    }

    async fn next_change(&mut self, change: Result<News, RecvError>) {
        match change {
            Ok(News::Change(committed)) => self.tell(&committed).await,
            Ok(News::Gap) => self.catch_up().await,
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(
                    missed,
                    "the rooms lagged behind the store and read it again"
                );
                self.catch_up().await;
            }
            // The gateway holds the store for as long as this task runs.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    /// Tells a room what it does not know yet. Who waits for a snapshot gets this change, or a newer one, with it.
    async fn tell(&self, Committed { system, change }: &Committed) {
        let news = match self.members.shown(system) {
            Some(Shown::Seq(seq)) => seq < change.state.seq,
            Some(Shown::Nothing) | None => false,
        };
        if news {
            self.tell_state(system, &change.state).await;
            if let Some(action) = &change.action {
                self.tell_action(system, action).await;
            }
        }
    }

    async fn tell_state(&self, system: &SystemId, state: &State) {
        let shown = state.shown(&self.gateway.clock().now());
        self.emit(system, "state", &wire::State::new(system, &shown))
            .await;
        self.members.note_shown(system, state.seq);
    }

    async fn tell_action(&self, system: &SystemId, action: &Action) {
        self.emit(system, "action", &wire::Action::new(system, action))
            .await;
    }

    /// Lets a socket into the room and shows it what the room knows. Nothing falls between, because all that the room
    /// hears is sent from this task.
    async fn snapshot(&mut self, join: Join) {
        let Join {
            socket,
            system,
            ack,
            place: _place,
        } = join;
        let state = self.state_as_shown(&system).await;
        let systems = self.gateway.systems();
        let Some(configured) = systems.get(&system) else {
            return;
        };
        let now = self.gateway.clock().now();
        let shown = state.shown(&now);
        let stale_ms = self.gateway.store().stale_ms();
        let snapshot = wire::System::new(configured, &shown, &now, stale_ms);
        // A socket that cannot take its snapshot is gone, or will see from the next clock that it missed something.
        if Members::admit(&self.io, &socket, &system) {
            self.members.note_shown(&system, state.seq);
            let _ = socket.emit("state", &snapshot.state);
            let _ = socket.emit("clock", &snapshot.clock);
        }
        let _ = ack.send(&wire::Ack::Joined {
            ok: true,
            system: snapshot,
        });
    }

    /// The state of a system, after its room was told of it. The store may be ahead of the feed: the others hear first
    /// what a newcomer will be shown, or the newcomer would hear it again, after its snapshot.
    async fn state_as_shown(&mut self, system: &SystemId) -> State {
        loop {
            let state = self.gateway.store().known(system);
            let Some(Shown::Seq(_)) = self.members.shown(system) else {
                return state;
            };
            while let Some(Shown::Seq(seq)) = self.members.shown(system)
                && seq < state.seq
            {
                let change = self.feed.recv().await;
                self.next_change(change).await;
            }
            if self.members.shown(system) == Some(Shown::Seq(state.seq)) {
                return state;
            }
            // The feed had lagged and the room knows more by now, or everybody has left it.
        }
    }

    /// Reads what the feed has lost.
    async fn catch_up(&self) {
        let store = self.gateway.store();
        let behind = self.members.watched().into_iter();
        let behind = behind.filter_map(|(system, seen)| {
            let state = store.known(&system);
            (state.seq > seen).then_some((system, seen, state))
        });
        let mut read = stream::iter(behind)
            .map(|(system, seen, state)| async move {
                let actions = store.history(&system, ACTIONS_TOLD_AGAIN, None).await;
                (system, seen, state, actions)
            })
            .buffered(HISTORIES_AT_ONCE);
        while let Some((system, seen, state, actions)) = read.next().await {
            self.tell_state(&system, &state).await;
            match actions {
                Ok(actions) => {
                    // What ended later is told with the change that the feed still holds.
                    let missed = |action: &&Action| action.id > seen && action.id <= state.seq;
                    for action in actions.iter().rev().filter(missed) {
                        self.tell_action(&system, action).await;
                    }
                }
                Err(error) => {
                    tracing::error!(%system, %error, "a room was not told of every run that has ended");
                }
            }
        }
    }

    /// Encodes once and hands it to every member. A member whose buffer is full misses this one and learns it from
    /// the `seq` of the next clock.
    async fn emit<T: Serialize>(&self, system: &SystemId, event: &str, payload: &T) {
        let sent = self.io.to(system.to_string()).emit(event, payload).await;
        if let Err(error) = sent {
            tracing::debug!(%system, event, %error, "not every member took an event");
        }
    }
}

/// What happens next.
enum Next {
    Tick,
    Clocks,
    Join(Join),
    Change(Result<News, RecvError>),
}

/// Joins and changes in turn, whichever there are.
async fn next(joins: &mut mpsc::Receiver<Join>, feed: &mut Feed) -> Next {
    tokio::select! {
        Some(join) = joins.recv() => Next::Join(join),
        change = feed.recv() => Next::Change(change),
    }
}

/// Answers a join that cannot be.
pub(crate) fn refuse(ack: AckSender, error: &ApiError) {
    // Who is gone needs no answer.
    let _ = ack.send(&wire::Ack::Refused {
        ok: false,
        error: error.body(),
    });
}

/// Ends at the turn of the wall clock to another second than `last`: a timer that fires early is no second turn, and
/// a wall clock that was set back ticks on from where it is.
async fn until_second_changes(gateway: &Gateway, turn: crate::time::Ticks, last: i64) {
    let clock = gateway.clock();
    clock.sleep_until(turn).await;
    loop {
        let now = clock.now();
        if now.second() != last {
            return;
        }
        clock.sleep_until(now.next_turn()).await;
    }
}
