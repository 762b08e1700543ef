//! What the kernel holds for sockets.
//!
//! It keeps no account of that for each process, so what all sockets of the machine take is read before and after the
//! clients came:
//!
//! - the objects of the slab allocator that only sockets have (`/proc/slabinfo`, which root may read): the socket, its inode,
//!   its buffers, its place in an epoll;
//! - for each socket a file and a directory entry, whose caches are shared with every other file of the machine and are
//!   therefore counted by the sockets;
//! - the pages of the buffers of TCP (`/proc/net/sockstat`): what was sent and not read, and what TCP keeps for more.
//!
//! Over loopback both ends of a connection are in this machine, and they are made of the same things: half of it is the
//! server's. That gives the floor, which has no epoll, half of an epoll's entry too much (64 bytes), and everybody half
//! of what is buffered at the other end, which is nothing between two ticks.

use std::fs::read_to_string;

const PAGE: f64 = 4096.0;
const SOCKETS: &str = "sock_inode_cache";
/// The caches that belong to sockets alone.
const OWN: [&str; 6] = [
    "TCP",
    SOCKETS,
    "eventpoll_epi",
    "eventpoll_pwq",
    "skbuff_head_cache",
    "skbuff_small_head",
];
/// Of each of these a socket has one.
const SHARED: [&str; 2] = ["filp", "dentry"];

/// Bytes that all sockets of the machine take; nothing when that cannot be read.
pub(crate) fn sockets_bytes() -> Option<f64> {
    let slabs = read_to_string("/proc/slabinfo").ok()?;
    let caches = |name: &str| slabs.lines().filter_map(cache).find(|one| one.name == name);
    let own: f64 = OWN
        .iter()
        .filter_map(|name| caches(name))
        .map(|one| one.objects * one.size)
        .sum();
    let sockets = caches(SOCKETS)?.objects;
    let shared: f64 = SHARED
        .iter()
        .filter_map(|name| caches(name))
        .map(|one| one.size)
        .sum();
    Some(own + sockets * shared + buffers()?)
}

struct Cache<'a> {
    name: &'a str,
    objects: f64,
    /// With what is left over in its pages.
    size: f64,
}

/// A line of slabinfo: name, active objects, all objects, size, objects in a slab, pages in a slab.
fn cache(line: &str) -> Option<Cache<'_>> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let mut numbers = words.map_while(|word| word.parse::<f64>().ok());
    let objects = numbers.next()?;
    let (_, _, in_a_slab, pages) = (
        numbers.next()?,
        numbers.next()?,
        numbers.next()?,
        numbers.next()?,
    );
    Some(Cache {
        name,
        objects,
        size: pages * PAGE / in_a_slab,
    })
}

fn buffers() -> Option<f64> {
    let sockstat = read_to_string("/proc/net/sockstat").ok()?;
    let tcp = sockstat.lines().find(|line| line.starts_with("TCP:"))?;
    let pages: f64 = tcp.split_once(" mem ")?.1.parse().ok()?;
    Some(pages * PAGE)
}
