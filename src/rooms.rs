//! The way out: one task sends everything that a room hears, so that its order is the order in which it was sent.
//!
//! `state` and `action` on change, `clock` at the turn of each second, and the snapshot for who joined. It reads the
//! store and never writes.

use std::collections::{HashSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use socketioxide::SocketIo;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};

use crate::command::SystemId;
use crate::engine::{Action, State};
use crate::event::Event;
use crate::gateway::Gateway;
use crate::members::{Members, Portion, Room, Seat, Shown};
use crate::store::{Committed, Feed, News};
use crate::time::Moment;
use crate::visitor::{Ack, Place, Visitor};
use crate::wire;

/// Joins that may wait for their snapshot; the next one waits at the door, where each socket has as many places as it may
/// join systems. One takes microseconds.
const JOINS_WAITING: usize = 1024;
/// Members that are told something between two looks at what else there is to do: less than a millisecond.
const MEMBERS_AT_A_TIME: usize = 64;
/// All seats of a room.
const ALL: Range<Seat> = 0..Seat::MAX;
/// Actions that are told again after the feed was lost: as many as one page of the history.
const ACTIONS_TOLD_AGAIN: u32 = 100;
/// Histories that are read at the same time for it.
const HISTORIES_AT_ONCE: usize = 64;

/// A socket that has entered a room and waits for its snapshot.
pub(crate) struct Join {
    pub visitor: Arc<Visitor>,
    pub system: SystemId,
    pub ack: Ack,
    /// One of the places that its socket has among those who wait.
    pub place: Place,
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
        let mut untold = Untold::default();
        loop {
            let turn = last.next_turn();
            // Ticks first: a flood of joins or changes does not hold up the time.
            let next = tokio::select! {
                biased;
                () = until_second_changes(&self.gateway, turn, last.second()) => Next::Tick,
                next = next(&mut self.joins, &mut self.feed) => next,
                // Others get their turn between two portions, or changes would wait where they come from.
                () = tokio::task::yield_now(), if !untold.0.is_empty() => Next::Clocks,
            };
            match next {
                Next::Tick => {
                    last = self.gateway.clock().now();
                    self.ticks.send_replace(last);
                    untold.turn(&self.members);
                }
                Next::Join(join) => self.snapshot(join).await,
                Next::Change(change) => self.next_change(change).await,
                Next::Clocks => {}
            }
            // A change waits for a few clocks at the most, and they wait for one change.
            self.tell_clocks(&last, &mut untold);
        }
    }

    fn tell_clocks(&self, now: &Moment, untold: &mut Untold) {
        if untold.0.is_empty() {
            return;
        }
        let (second, stale_ms) = (wire::second(now.wall()), self.gateway.store().stale_ms());
        let mut most = MEMBERS_AT_A_TIME;
        while most > 0
            && let Some((room, seats)) = untold.0.pop_front()
        {
            // It may know more than when the second turned, or have no members any more.
            let Some(portion) = room.portion(seats, most) else {
                continue;
            };
            let clock = wire::Clock::new(&room.system, portion.seq, &second, stale_ms);
            self.tell_portion(&room, &portion, &Event::clock(&clock));
            // A room without anybody on these seats is not free, either.
            most = most.saturating_sub(portion.members.len().max(1));
            if let Some(rest) = portion.rest {
                untold.0.push_front((room, rest));
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
        let Some(room) = self.members.room(system) else {
            return;
        };
        if matches!(room.shown(), Shown::Seq(seq) if seq < change.state.seq) {
            self.tell_state(&room, &change.state).await;
            if let Some(action) = &change.action {
                self.tell_action(&room, action).await;
            }
        }
    }

    async fn tell_state(&self, room: &Arc<Room>, state: &State) {
        let shown = state.shown(&self.gateway.clock().now());
        let event = Event::state(&room.system, &wire::State::new(&room.system, &shown));
        self.tell_room(room, &event).await;
        room.note_shown(state.seq);
    }

    async fn tell_action(&self, room: &Arc<Room>, action: &Action) {
        let event = Event::action(&wire::Action::new(&room.system, action));
        self.tell_room(room, &event).await;
    }

    /// Lets a socket into the room and shows it what the room knows. Nothing falls between, because all that the room
    /// hears is sent from this task.
    async fn snapshot(&mut self, join: Join) {
        let Join {
            visitor,
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
        let events = [
            Event::state(&system, &snapshot.state),
            Event::clock(&snapshot.clock),
        ];
        let answer = wire::Ack::Joined {
            ok: true,
            system: snapshot,
        };
        if let Some((room, seat)) = visitor.admit(&system) {
            room.note_shown(state.seq);
            visitor.welcome(&self.io, (&room, seat), &events, ack, &answer);
        } else {
            // It has left meanwhile.
            visitor.answer(ack, &answer);
        }
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
        let behind = self.members.rooms().into_iter();
        let behind = behind.filter_map(|room| {
            let Shown::Seq(seen) = room.shown() else {
                return None;
            };
            let state = store.known(&room.system);
            (state.seq > seen).then_some((room, seen, state))
        });
        let mut read = stream::iter(behind)
            .map(|(room, seen, state)| async move {
                let system = &room.system;
                let actions = store.history(system, ACTIONS_TOLD_AGAIN, None).await;
                (room, seen, state, actions)
            })
            .buffered(HISTORIES_AT_ONCE);
        while let Some((room, seen, state, actions)) = read.next().await {
            self.tell_state(&room, &state).await;
            match actions {
                Ok(actions) => {
                    // What ended later is told with the change that the feed still holds.
                    let missed = |action: &&Action| action.id > seen && action.id <= state.seq;
                    for action in actions.iter().rev().filter(missed) {
                        self.tell_action(&room, action).await;
                    }
                }
                Err(error) => {
                    tracing::error!(system = %room.system, %error, "a room was not told of every run that has ended");
                }
            }
        }
    }

    /// Tells all members of a room, in portions, so that who runs on this thread beside this task is not held up.
    async fn tell_room(&self, room: &Arc<Room>, event: &Event) {
        let mut seats = ALL;
        while let Some(portion) = room.portion(seats, MEMBERS_AT_A_TIME) {
            self.tell_portion(room, &portion, event);
            let Some(rest) = portion.rest else { return };
            seats = rest;
            tokio::task::yield_now().await;
        }
    }

    fn tell_portion(&self, room: &Arc<Room>, portion: &Portion, event: &Event) {
        for (seat, member) in &portion.members {
            member.hear(&self.io, (room, *seat), event);
        }
    }
}

/// The rooms that are to be told of the second, and which of their seats.
#[derive(Default)]
struct Untold(VecDeque<(Arc<Room>, Range<Seat>)>);

impl Untold {
    /// The second turned. Who has not heard of the last one comes first: where a second is too short for all, each has a
    /// clock all the same, less often.
    fn turn(&mut self, members: &Members) {
        let mut late = HashSet::new();
        for (room, seats) in std::mem::take(&mut self.0) {
            // Only the first room can have been told in part.
            if late.insert(Arc::as_ptr(&room)) {
                self.0
                    .push_back((Arc::clone(&room), seats.start..Seat::MAX));
                if seats.start > 0 {
                    self.0.push_back((room, 0..seats.start));
                }
            }
        }
        let rooms = members.rooms().into_iter();
        let rooms = rooms.filter(|room| !late.contains(&Arc::as_ptr(room)));
        // Who waits for the first snapshot of a room sees this second with it.
        let watched = rooms.filter(|room| room.shown() != Shown::Nothing);
        self.0.extend(watched.map(|room| (room, ALL)));
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
