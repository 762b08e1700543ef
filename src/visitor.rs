//! One Socket.IO client: the rooms that it has joined, and the one way in which it is told anything.
//!
//! A client on a plain websocket of protocol v5 is written to straight, all others by the library. Either way, what
//! is said to one client goes out in the order in which it was said. What that is, is decided elsewhere.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{FromMessageParts, Value};
use socketioxide::socket::{Sid, Socket};
use socketioxide::{ProtocolVersion, SocketIo};

use crate::command::SystemId;
use crate::connection::Connections;
use crate::event::{Event, Packet};
use crate::link::{Link, Message, Said};
use crate::members::{Members, Room, Seat, TooManyJoins};
use crate::wire;

/// Lives in the handlers of a socket of the library, or in a session of ours, and ends with it.
#[derive(Debug)]
pub(crate) struct Visitor {
    way: Way,
    /// None after it went away, so that an event that was still on its way cannot bring it back. Held while something is
    /// said, which so has its place in the order, and is not heard by who has left.
    joined: Mutex<Option<Vec<Joined>>>,
    /// How many snapshots it waits for.
    waits_for: AtomicUsize,
    members: Arc<Members>,
}

/// Where its messages are written.
#[derive(Debug)]
enum Way {
    /// Its session is ours, on this link.
    Ours(Arc<Link>),
    /// Its session is the library's, which alone knows how to speak to it.
    Library(Sid),
    /// The same, until it moves to a websocket: on that link, as soon as the library has written there what it was given.
    Moving(Sid, OnceLock<Weak<Link>>, Arc<Connections>),
}

/// A system that the client has joined; it has a seat once it was let in.
#[derive(Debug)]
struct Joined {
    room: Arc<Room>,
    seat: Option<Seat>,
}

/// A place among those who wait for a snapshot.
#[derive(Debug)]
pub(crate) struct Place(Arc<Visitor>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waits_for.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Visitor {
    /// A client of the library comes, with no room yet. Called before the library has anything to say to it.
    pub(crate) fn arrive(
        socket: &SocketRef,
        members: &Arc<Members>,
        connections: &Arc<Connections>,
    ) -> Self {
        let way = match socket.protocol() {
            ProtocolVersion::V4 => Way::Library(socket.id),
            ProtocolVersion::V5 => {
                // It may have moved already, or be in its second life on the same websocket.
                if let Some(link) = connections.expected(socket.id.as_str()) {
                    link.await_connect();
                }
                Way::Moving(socket.id, OnceLock::new(), Arc::clone(connections))
            }
        };
        Self::new(way, members)
    }

    /// A client of ours comes, with no room yet.
    pub(crate) fn on(link: &Arc<Link>, members: &Arc<Members>) -> Self {
        Self::new(Way::Ours(Arc::clone(link)), members)
    }

    fn new(way: Way, members: &Arc<Members>) -> Self {
        Self {
            way,
            joined: Mutex::new(Some(Vec::new())),
            waits_for: AtomicUsize::new(0),
            members: Arc::clone(members),
        }
    }

    /// One of as many places as it may join systems; none for a client that asks faster than it is answered.
    pub(crate) fn place(self: &Arc<Self>) -> Option<Place> {
        let place = Place(Arc::clone(self));
        let before = self.waits_for.fetch_add(1, Ordering::Relaxed);
        (before < self.members.joins_per_socket).then_some(place)
    }

    /// Counts the client as a member of the room, which it hears once it is admitted. Entering twice is fine.
    ///
    /// # Errors
    /// [`TooManyJoins`]; the client stays where it is.
    pub(crate) fn enter(&self, system: &SystemId) -> Result<(), TooManyJoins> {
        let mut joined = self.lock();
        let Some(joined) = joined.as_mut() else {
            return Ok(());
        };
        if joined.iter().any(|joined| joined.room.system == *system) {
            return Ok(());
        }
        let allowed = self.members.joins_per_socket;
        if joined.len() >= allowed {
            return Err(TooManyJoins { allowed });
        }
        // As a rule it is the only one.
        joined.reserve_exact(1);
        joined.push(Joined {
            room: self.members.enter(system),
            seat: None,
        });
        Ok(())
    }

    /// Lets a member hear the room from now on; none when it has left meanwhile.
    pub(crate) fn admit(self: &Arc<Self>, system: &SystemId) -> Option<(Arc<Room>, Seat)> {
        let mut joined = self.lock();
        let mut joined = joined.iter_mut().flatten();
        let Joined { room, seat } = joined.find(|joined| joined.room.system == *system)?;
        let seat = seat.get_or_insert_with(|| room.seat(Arc::downgrade(self)));
        Some((Arc::clone(room), *seat))
    }

    /// Leaves the room. Leaving a room that was never entered is fine.
    pub(crate) fn leave(&self, system: &SystemId) {
        let mut joined = self.lock();
        let Some(joined) = joined.as_mut() else {
            return;
        };
        if let Some(i) = joined
            .iter()
            .position(|joined| joined.room.system == *system)
        {
            let joined = joined.swap_remove(i);
            self.gone(&joined);
        }
    }

    /// The client is gone, from all its rooms, for good.
    pub(crate) fn depart(&self) {
        let joined = self.lock().take();
        for joined in joined.into_iter().flatten() {
            self.gone(&joined);
        }
    }

    fn gone(&self, joined: &Joined) {
        self.members.leave(&joined.room, joined.seat);
        if let Some(link) = self.link() {
            link.forget(&joined.room.system);
        }
    }

    /// Tells the member on that seat of the room an event of it, unless it has left.
    pub(crate) fn hear(&self, io: &SocketIo, (room, seat): (&Arc<Room>, Seat), event: &Event) {
        let joined = self.lock();
        if Self::is_seated(&joined, room, seat) {
            self.tell(io, event);
        }
    }

    fn is_seated(joined: &Option<Vec<Joined>>, room: &Arc<Room>, seat: Seat) -> bool {
        let seated = |joined: &Joined| joined.seat == Some(seat) && Arc::ptr_eq(&joined.room, room);
        joined.iter().flatten().any(seated)
    }

    /// Tells a member that was let in its first events, and answers its `join`: in one piece where it can be written straight.
    pub(crate) fn welcome(
        &self,
        io: &SocketIo,
        (room, seat): (&Arc<Room>, Seat),
        events: &[Event],
        ack: Ack,
        answer: &wire::Ack<'_>,
    ) {
        let joined = self.lock();
        let ack = ack.with(answer);
        if Self::is_seated(&joined, room, seat) {
            let first = events.iter().map(|event| &event.packet);
            let packets = first.chain(ack.as_ref().map(|(packet, _)| packet));
            let messages = packets.map(|packet| &packet.message);
            if let Some(link) = self.link()
                && link.say_straight(&Message::together(messages))
            {
                return;
            }
            for event in events {
                self.tell(io, event);
            }
        }
        if let Some((packet, sender)) = ack {
            self.reply(&packet, sender);
        }
    }

    /// Answers an event of the client.
    pub(crate) fn answer(&self, ack: Ack, answer: &wire::Ack<'_>) {
        if let Some((packet, sender)) = ack.with(answer) {
            let _order = self.lock();
            self.reply(&packet, sender);
        }
    }

    fn tell(&self, io: &SocketIo, event: &Event) {
        self.say(&event.packet.message, |said| {
            // It may have gone at this moment, or have so much waiting for it that it learns of this one from the
            // `seq` of the next clock.
            let Some(socket) = self.id().and_then(|id| io.get_socket(id)) else {
                return false;
            };
            socket.emit(event.name, &event.packet.payload(said)).is_ok()
        });
    }

    /// Who is gone needs no answer.
    fn reply(&self, packet: &Packet, sender: Option<AckSender>) {
        self.say(&packet.message, |said| {
            sender.is_some_and(|sender| sender.send(&packet.payload(said)).is_ok())
        });
    }

    /// Straight, or by what the library is given. Whoever calls holds the lock, so that nothing overtakes it in between.
    fn say(&self, message: &Message, library: impl FnOnce(Said) -> bool) {
        let Some(link) = self.link() else {
            library(Said::Library);
            return;
        };
        let said = link.say(message);
        if said != Said::Here && !library(said) {
            link.not_taken(said);
        }
    }

    fn link(&self) -> Option<Cow<'_, Arc<Link>>> {
        match &self.way {
            Way::Ours(link) => Some(Cow::Borrowed(link)),
            Way::Library(_) => None,
            Way::Moving(id, link, connections) => {
                if let Some(link) = link.get() {
                    return link.upgrade().map(Cow::Owned);
                }
                let moved = connections.expected(id.as_str())?;
                link.get_or_init(|| Arc::downgrade(&moved));
                Some(Cow::Owned(moved))
            }
        }
    }

    /// Which one of the library's.
    const fn id(&self) -> Option<Sid> {
        match self.way {
            Way::Ours(_) => None,
            Way::Library(id) | Way::Moving(id, ..) => Some(id),
        }
    }

    /// A panic under this lock leaves a list that is still a list.
    fn lock(&self) -> MutexGuard<'_, Option<Vec<Joined>>> {
        let locked = self.joined.lock();
        locked.unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Drop for Visitor {
    /// Not every socket departs. socketioxide removes one without a word when its client had disconnected twice in the
    /// same session before, or when the session ends while it connects.
    fn drop(&mut self) {
        self.depart();
    }
}

/// How a client wants the answer to one of its events, if it does.
pub(crate) struct Ack {
    id: Option<i64>,
    /// The library's, for its own clients.
    sender: Option<AckSender>,
}

impl Ack {
    /// For a client of ours, which may have given its event a number.
    pub(crate) const fn ours(id: Option<i64>) -> Self {
        Self { id, sender: None }
    }

    /// The answer, and how it is given; none for who asked for none.
    fn with(self, answer: &wire::Ack<'_>) -> Option<(Packet, Option<AckSender>)> {
        let packet = Packet::ack(self.id?, answer);
        Some((packet, self.sender))
    }
}

impl FromMessageParts<LocalAdapter> for Ack {
    type Error = Infallible;

    fn from_message_parts(
        socket: &Arc<Socket>,
        value: &mut Value,
        id: &Option<i64>,
    ) -> Result<Self, Infallible> {
        let sender = AckSender::from_message_parts(socket, value, id)?;
        Ok(Self {
            id: *id,
            sender: Some(sender),
        })
    }
}
