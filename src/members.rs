//! Who watches what: the rooms that have members, who they are, and what was last shown in them.
//!
//! A list only: nothing is sent here.

use std::ops::Range;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use slab::Slab;

use crate::command::SystemId;
use crate::visitor::Visitor;

/// A place among the members of a room.
pub(crate) type Seat = usize;

/// The rooms that have members.
#[derive(Debug)]
pub(crate) struct Members {
    rooms: DashMap<SystemId, Room>,
    pub joins_per_socket: usize,
}

#[derive(Debug, Default)]
struct Room {
    /// How many have entered.
    members: usize,
    /// Those of them that were let in. Each keeps its seat, so that the room can be told in portions.
    seats: Slab<Weak<Visitor>>,
    shown: Shown,
}

/// The `seq` that the members of a room have seen last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Its first member waits for its snapshot.
    #[default]
    Nothing,
    Seq(u64),
}

/// The socket has joined as many systems as it may.
#[derive(Debug)]
pub(crate) struct TooManyJoins {
    pub allowed: usize,
}

/// Some of the members of a room.
#[derive(Debug)]
pub(crate) struct Portion {
    pub members: Vec<(Seat, Arc<Visitor>)>,
    /// What they have seen.
    pub seq: u64,
    /// The seats that come after theirs; none when that is all.
    pub rest: Option<Range<Seat>>,
}

impl Members {
    pub(crate) fn new(joins_per_socket: usize) -> Self {
        Self {
            rooms: DashMap::new(),
            joins_per_socket,
        }
    }

    pub(crate) fn one_more(&self, system: &SystemId) {
        self.rooms.entry(system.clone()).or_default().members += 1;
    }

    /// A seat for one who has entered.
    pub(crate) fn seat(&self, system: &SystemId, visitor: Weak<Visitor>) -> Option<Seat> {
        let mut room = self.rooms.get_mut(system)?;
        Some(room.seats.insert(visitor))
    }

    pub(crate) fn one_less(&self, system: &SystemId, seat: Option<Seat>) {
        if let Entry::Occupied(mut room) = self.rooms.entry(system.clone()) {
            if let Some(seat) = seat {
                room.get_mut().seats.try_remove(seat);
            }
            room.get_mut().members -= 1;
            if room.get().members == 0 {
                room.remove();
            }
        }
    }

    /// The members on these seats, but no more than so many; none when nobody has been shown anything.
    pub(crate) fn portion(
        &self,
        system: &SystemId,
        seats: Range<Seat>,
        most: usize,
    ) -> Option<Portion> {
        let room = self.rooms.get(system)?;
        let Shown::Seq(seq) = room.shown else {
            return None;
        };
        let end = seats.end.min(room.seats.capacity());
        let mut next = seats.start;
        let mut members = Vec::with_capacity(most.min(room.seats.len()));
        while next < end && members.len() < most {
            let visitor = room.seats.get(next).and_then(Weak::upgrade);
            members.extend(visitor.map(|visitor| (next, visitor)));
            next += 1;
        }
        let rest = (next < end).then_some(next..seats.end);
        Some(Portion { members, seq, rest })
    }

    /// What the members of a room have seen; none where a room has no members.
    pub(crate) fn shown(&self, system: &SystemId) -> Option<Shown> {
        self.rooms.get(system).map(|room| room.shown)
    }

    /// The members of the room have been shown the state of `seq`.
    pub(crate) fn note_shown(&self, system: &SystemId, seq: u64) {
        if let Some(mut room) = self.rooms.get_mut(system) {
            room.shown = Shown::Seq(seq);
        }
    }

    /// How many rooms have members, and how many members they have: a socket counts in each of its rooms.
    pub(crate) fn count(&self) -> (usize, usize) {
        let rooms = self.rooms.iter();
        rooms.fold((0, 0), |(rooms, members), room| {
            (rooms + 1, members + room.members)
        })
    }

    /// The rooms whose members have seen a state, and the `seq` of it.
    pub(crate) fn watched(&self) -> Vec<(SystemId, u64)> {
        self.rooms
            .iter()
            .filter_map(|room| match room.shown {
                Shown::Nothing => None,
                Shown::Seq(seq) => Some((room.key().clone(), seq)),
            })
            .collect()
    }
}
