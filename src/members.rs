//! Who watches what: the rooms that have members, who they are, and what was last shown in them.
//!
//! A list only: nothing is sent here.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use indexmap::IndexMap;
use slab::Slab;

use crate::command::SystemId;
use crate::visitor::Visitor;

/// A place among the members of a room.
pub(crate) type Seat = usize;

/// The rooms that have members.
#[derive(Debug)]
pub(crate) struct Members {
    /// As they came, as far as none has gone: so do their clients lie in memory, here and in the kernel, and whoever tells
    /// all of them goes through that in its order.
    rooms: Mutex<IndexMap<SystemId, Arc<Room>>>,
    pub joins_per_socket: usize,
}

/// A room, from its first member to its last. The next one to come finds another.
#[derive(Debug)]
pub(crate) struct Room {
    pub system: SystemId,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    /// How many have entered.
    members: usize,
    /// Those of them that were let in. Each keeps its seat, so that the room can be told in portions.
    seats: Slab<Weak<Visitor>>,
    shown: Shown,
}

/// The `seq` that the members of a room have seen last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Its first member waits for its snapshot, or its last one has gone.
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
            rooms: Mutex::default(),
            joins_per_socket,
        }
    }

    /// The room of a system, with one more member.
    pub(crate) fn enter(&self, system: &SystemId) -> Arc<Room> {
        let mut rooms = self.lock();
        let room = rooms.entry(system.clone()).or_insert_with(|| {
            Arc::new(Room {
                system: system.clone(),
                inside: Mutex::default(),
            })
        });
        room.lock().members += 1;
        Arc::clone(room)
    }

    /// One who has entered is gone, from its seat if it has one.
    pub(crate) fn leave(&self, room: &Room, seat: Option<Seat>) {
        let mut rooms = self.lock();
        let mut inside = room.lock();
        if let Some(seat) = seat {
            inside.seats.try_remove(seat);
        }
        inside.members -= 1;
        if inside.members == 0 {
            inside.shown = Shown::Nothing;
            rooms.swap_remove(&room.system);
        }
    }

    /// The room of a system; none where that has no members.
    pub(crate) fn room(&self, system: &SystemId) -> Option<Arc<Room>> {
        self.lock().get(system).cloned()
    }

    /// What the members of the room of a system have seen; none where that has no members.
    pub(crate) fn shown(&self, system: &SystemId) -> Option<Shown> {
        self.room(system).map(|room| room.shown())
    }

    /// How many rooms have members, and how many members they have: a socket counts in each of its rooms.
    pub(crate) fn count(&self) -> (usize, usize) {
        let rooms = self.rooms();
        let members = rooms.iter().map(|room| room.lock().members);
        (rooms.len(), members.sum())
    }

    /// The rooms that have members.
    pub(crate) fn rooms(&self) -> Vec<Arc<Room>> {
        self.lock().values().cloned().collect()
    }

    /// A panic under this lock leaves a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, IndexMap<SystemId, Arc<Room>>> {
        let locked = self.rooms.lock();
        locked.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Room {
    /// A seat for one who has entered.
    pub(crate) fn seat(&self, visitor: Weak<Visitor>) -> Seat {
        self.lock().seats.insert(visitor)
    }

    /// The members on these seats, but no more than so many; none when nobody has been shown anything.
    pub(crate) fn portion(&self, seats: Range<Seat>, most: usize) -> Option<Portion> {
        let inside = self.lock();
        let Shown::Seq(seq) = inside.shown else {
            return None;
        };
        let taken = &inside.seats;
        let end = seats.end.min(taken.capacity());
        let mut next = seats.start;
        let mut members = Vec::with_capacity(most.min(taken.len()));
        while next < end && members.len() < most {
            let visitor = taken.get(next).and_then(Weak::upgrade);
            members.extend(visitor.map(|visitor| (next, visitor)));
            next += 1;
        }
        let rest = (next < end).then_some(next..seats.end);
        Some(Portion { members, seq, rest })
    }

    /// What the members have seen.
    pub(crate) fn shown(&self) -> Shown {
        self.lock().shown
    }

    /// The members have been shown the state of `seq`.
    pub(crate) fn note_shown(&self, seq: u64) {
        self.lock().shown = Shown::Seq(seq);
    }

    /// A panic under this lock leaves a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        let locked = self.inside.lock();
        locked.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
