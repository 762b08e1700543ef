//! The queue in front of a thread: bounded, with a side door for what must not wait.
//!
//! Knows nothing of what waits in it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// A bounded queue with a side door for what must not wait.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    came: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    first: VecDeque<T>,
    rest: VecDeque<T>,
    closed: bool,
}

/// The queue takes no more.
pub(super) struct Full;

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting {
            first: VecDeque::new(),
            rest: VecDeque::new(),
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            came: Condvar::new(),
            capacity,
        }
    }

    /// What comes after the end is dropped, and with it its reply: the caller is told `Unavailable`.
    pub(super) fn push(&self, item: T) -> Result<(), Full> {
        let mut waiting = guard(&self.waiting);
        if waiting.rest.len() >= self.capacity {
            return Err(Full);
        }
        if !waiting.closed {
            waiting.rest.push_back(item);
            self.came.notify_one();
        }
        Ok(())
    }

    pub(super) fn push_first(&self, item: T) {
        let mut waiting = guard(&self.waiting);
        if !waiting.closed {
            waiting.first.push_back(item);
            self.came.notify_one();
        }
    }

    /// Waits for something and takes all of it, `most` at the most; with a `patience` it comes back empty-handed after
    /// that time. Nothing once the queue is closed and empty.
    pub(super) fn pop(&self, most: usize, patience: Option<Duration>) -> Option<Vec<T>> {
        let mut waiting = guard(&self.waiting);
        loop {
            let first = waiting.first.len().min(most);
            let rest = waiting.rest.len().min(most - first);
            if first + rest > 0 {
                let mut taken: Vec<T> = waiting.first.drain(..first).collect();
                taken.extend(waiting.rest.drain(..rest));
                return Some(taken);
            }
            if waiting.closed {
                return None;
            }
            let Some(patience) = patience else {
                waiting = self
                    .came
                    .wait(waiting)
                    .unwrap_or_else(|poisoned| poisoned.into_inner());
                continue;
            };
            let woken = self.came.wait_timeout(waiting, patience);
            let (woken, timer) = woken.unwrap_or_else(|poisoned| poisoned.into_inner());
            if timer.timed_out() {
                return Some(Vec::new());
            }
            waiting = woken;
        }
    }

    /// Takes what matches from those that wait.
    pub(super) fn take_out(&self, matches: impl Fn(&T) -> bool) -> Vec<T> {
        let mut waiting = guard(&self.waiting);
        let (out, rest) = waiting.rest.drain(..).partition::<Vec<T>, _>(matches);
        waiting.rest = rest.into();
        out
    }

    /// What must not wait is still served; the rest is given up.
    pub(super) fn close(&self) {
        let mut waiting = guard(&self.waiting);
        waiting.closed = true;
        waiting.rest.clear();
        drop(waiting);
        self.came.notify_all();
    }
}

/// Held by the thread that serves a queue. When the thread ends, in whatever way, nobody waits for it any longer.
pub(super) struct Served<T>(pub(super) Arc<Queue<T>>, pub(super) CancellationToken);

impl<T> Drop for Served<T> {
    fn drop(&mut self) {
        self.0.close();
        let mut waiting = guard(&self.0.waiting);
        waiting.first.clear();
        waiting.rest.clear();
        drop(waiting);
        self.1.cancel();
    }
}

/// A panic under one of these locks leaves nothing half-done: the data is whole.
pub(super) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}
