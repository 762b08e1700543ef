//! The task that tells what was written: the feed first, then the callers.
//!
//! Decides nothing and writes nothing.

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_util::sync::DropGuard;

use super::write::{Fate, Planned};
use crate::store::{CommitError, News};

/// A group after its commit.
pub(super) struct Written {
    pub(super) valid: Vec<Planned>,
    pub(super) stale: Vec<Planned>,
    pub(super) waiters: Vec<oneshot::Sender<()>>,
}

/// Groups that were written and not told yet; the thread that writes waits when there are more.
const GROUPS_WAITING: usize = 16;

/// Tells the feed, and then the callers, what was written. A task does it and not the thread that writes, because each
/// sleeper that a thread outside the runtime wakes costs it a call of the kernel.
pub(super) fn herald(
    feed: broadcast::Sender<News>,
    ended: DropGuard,
) -> (mpsc::Sender<Written>, tokio::task::JoinHandle<()>) {
    let (written, mut groups) = mpsc::channel::<Written>(GROUPS_WAITING);
    let task = tokio::spawn(async move {
        let _ended = ended;
        while let Some(group) = groups.recv().await {
            for Planned { write, reply, fate } in group.valid {
                if let (Some(committed), Fate::Applied) = (write.change, fate) {
                    // Nobody reads the feed while the gateway starts and stops: then there is nobody to tell.
                    let _ = feed.send(News::Change(committed));
                }
                // A caller that went away does not undo what is durable.
                let _ = write.reply.send(reply);
            }
            // Answered last, so that who comes back reads what overtook it.
            for Planned { write, .. } in group.stale {
                let _ = write.reply.send(Err(CommitError::Stale));
            }
            for waiter in group.waiters {
                let _ = waiter.send(());
            }
        }
    });
    (written, task)
}
