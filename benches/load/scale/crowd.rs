//! The clients: some in every room, spread over the nodes, and what has arrived at them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use crate::client::Socket;
use crate::now;

/// A `state` that arrived at a client.
#[derive(Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) node: usize,
    pub(crate) seq: u64,
    pub(crate) at: Instant,
}

/// A room, and what has arrived in it since its last command.
#[derive(Default)]
pub(crate) struct Room {
    pub(crate) arrivals: RefCell<Vec<Arrival>>,
    pub(crate) news: Notify,
    /// A command is on its way.
    pub(crate) busy: Cell<bool>,
    /// Water runs, after that command.
    pub(crate) runs: Cell<bool>,
}

/// The clients leave when this is dropped.
pub(crate) struct Crowd {
    pub(crate) rooms: Vec<Rc<Room>>,
    pub(crate) members: usize,
    tasks: Vec<JoinHandle<()>>,
}

impl Crowd {
    /// Connects `members` clients for each of the systems. The members of a room are at different nodes, as far as there are.
    pub(crate) async fn join(cluster: &Cluster, systems: usize, members: usize) -> Self {
        let rooms: Vec<_> = (0..systems).map(|_| Rc::new(Room::default())).collect();
        let mut tasks = Vec::new();
        for (client, (system, room)) in (0..members)
            .flat_map(|_| rooms.iter().enumerate())
            .enumerate()
        {
            let node = client % cluster.nodes.len();
            let mut socket = Socket::join(cluster.nodes[node].address, &format!("s{system}")).await;
            let room = Rc::clone(room);
            tasks.push(tokio::task::spawn_local(async move {
                loop {
                    if let Some(seq) = socket.next(seq_of_state).await {
                        let at = now();
                        room.arrivals.borrow_mut().push(Arrival { node, seq, at });
                        room.news.notify_one();
                    }
                }
            }));
        }
        Self {
            rooms,
            members,
            tasks,
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn seq_of_state(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    seq_of(text.strip_prefix("42[\"state\",")?)
}

/// The first `seq` in a text.
pub(crate) fn seq_of(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("\"seq\":")?;
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    rest[..end].parse().ok()
}
