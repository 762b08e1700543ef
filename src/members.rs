//! Who watches what: the rooms that have members, and what was last shown in them.
//!
//! Counts only: nothing is sent here.

use std::sync::{Arc, Mutex, MutexGuard};

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::command::SystemId;

/// The rooms that have members.
#[derive(Debug)]
pub(crate) struct Members {
    rooms: DashMap<SystemId, Room>,
    joins_per_socket: usize,
}

#[derive(Debug, Default)]
struct Room {
    members: usize,
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

/// What one socket has joined. Lives in the socket's extensions, and ends with it.
#[derive(Clone, Debug)]
struct Joined(Arc<Visit>);

#[derive(Debug)]
struct Visit {
    /// None after it went away, so that an event that was still on its way cannot bring it back.
    systems: Mutex<Option<Vec<SystemId>>>,
    members: Arc<Members>,
}

impl Visit {
    /// A panic under this lock leaves a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<SystemId>>> {
        let locked = self.systems.lock();
        locked.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn end(&self) {
        let systems = self.lock().take();
        for system in systems.unwrap_or_default() {
            self.members.one_less(&system);
        }
    }
}

impl Drop for Visit {
    /// Not every socket departs. socketioxide removes one without a word when its client had disconnected twice in the
    /// same session before, or when the session ends while it connects.
    fn drop(&mut self) {
        self.end();
    }
}

/// How many snapshots a socket may wait for at the same time.
#[derive(Clone, Debug)]
struct Places(Arc<Semaphore>);

impl Members {
    pub(crate) fn new(joins_per_socket: usize) -> Self {
        Self {
            rooms: DashMap::new(),
            joins_per_socket,
        }
    }

    /// A socket comes, with no room yet.
    pub(crate) fn arrive(self: &Arc<Self>, socket: &SocketRef) {
        let visit = Visit {
            systems: Mutex::new(Some(Vec::new())),
            members: Arc::clone(self),
        };
        socket.extensions.insert(Joined(Arc::new(visit)));
        let places = Places(Arc::new(Semaphore::new(self.joins_per_socket)));
        socket.extensions.insert(places);
    }

    /// A place among those who wait for a snapshot; none for a socket that asks faster than it is answered.
    pub(crate) fn place(socket: &SocketRef) -> Option<OwnedSemaphorePermit> {
        let Places(places) = socket.extensions.get::<Places>()?;
        places.try_acquire_owned().ok()
    }

    /// Counts the socket as a member of the room, which it hears once it is admitted. Entering twice is fine.
    ///
    /// # Errors
    /// [`TooManyJoins`]; the socket stays where it is.
    pub(crate) fn enter(&self, socket: &SocketRef, system: &SystemId) -> Result<(), TooManyJoins> {
        let Some(Joined(visit)) = socket.extensions.get() else {
            return Ok(());
        };
        let mut joined = visit.lock();
        let Some(systems) = joined.as_mut() else {
            return Ok(());
        };
        if systems.contains(system) {
            return Ok(());
        }
        if systems.len() >= self.joins_per_socket {
            let allowed = self.joins_per_socket;
            return Err(TooManyJoins { allowed });
        }
        systems.push(system.clone());
        self.rooms.entry(system.clone()).or_default().members += 1;
        Ok(())
    }

    /// Lets a member hear the room from now on; false when it has left meanwhile.
    pub(crate) fn admit(io: &SocketIo, socket: &SocketRef, system: &SystemId) -> bool {
        let Some(Joined(visit)) = socket.extensions.get() else {
            return false;
        };
        let joined = visit.lock();
        let member = joined
            .as_ref()
            .is_some_and(|systems| systems.contains(system));
        if !member {
            return false;
        }
        socket.join(system.to_string());
        // Who was removed without a word before it got here would stay in the room; who is removed from now on is
        // taken out of it, too.
        let present = io.get_socket(socket.id).is_some();
        if !present {
            socket.leave(system.to_string());
        }
        present
    }

    /// Leaves the room. Leaving a room that was never entered is fine.
    pub(crate) fn leave(&self, socket: &SocketRef, system: &SystemId) {
        let Some(Joined(visit)) = socket.extensions.get() else {
            return;
        };
        let mut joined = visit.lock();
        let Some(systems) = joined.as_mut() else {
            return;
        };
        if let Some(i) = systems.iter().position(|joined| joined == system) {
            systems.swap_remove(i);
            socket.leave(system.to_string());
            self.one_less(system);
        }
    }

    /// The socket is gone, from all its rooms, for good.
    pub(crate) fn depart(socket: &SocketRef) {
        if let Some(Joined(visit)) = socket.extensions.get() {
            visit.end();
        }
    }

    fn one_less(&self, system: &SystemId) {
        if let Entry::Occupied(mut room) = self.rooms.entry(system.clone()) {
            room.get_mut().members -= 1;
            if room.get().members == 0 {
                room.remove();
            }
        }
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
