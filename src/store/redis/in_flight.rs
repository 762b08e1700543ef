//! The commits that were sent and whose change was not yet seen on the feed: the feed says what became of them, also
//! when their answer was lost.
//!
//! Sends nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::{oneshot, watch};

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is on the feed.
    Written,
    /// It is not, and never will be: its session is over.
    NotWritten,
    /// The feed has forgotten it, if it ever was there.
    Unknown,
}

#[derive(Debug)]
struct Sent {
    generation: u64,
    fate: oneshot::Sender<Fate>,
}

/// A commit that was sent: the number that it has on the feed, and where its fate is told.
pub(super) struct Ticket {
    pub(super) number: u64,
    pub(super) fate: oneshot::Receiver<Fate>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct InFlight {
    sent: Mutex<Book>,
    /// How many there are.
    count: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Book {
    last: u64,
    sent: HashMap<u64, Sent>,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self {
            sent: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    /// A panic under this lock leaves a book that is still a book.
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.sent
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Notes a commit before it is sent.
    pub(super) fn begin(&self, generation: u64) -> Ticket {
        let (fate, told) = oneshot::channel();
        let mut book = self.lock();
        book.last += 1;
        let number = book.last;
        book.sent.insert(number, Sent { generation, fate });
        self.count.send_replace(book.sent.len());
        Ticket { number, fate: told }
    }

    /// Its change was seen on the feed, or it was answered that it was not written.
    pub(super) fn end(&self, number: u64, fate: Fate) {
        let mut book = self.lock();
        if let Some(sent) = book.sent.remove(&number) {
            // Who asked may have given up.
            let _ = sent.fate.send(fate);
        }
        self.count.send_replace(book.sent.len());
    }

    /// Everything that other sessions than this one have sent, and that was not seen by now, has this fate.
    pub(super) fn settle(&self, generation: u64, fate: Fate) {
        let mut book = self.lock();
        let old = book
            .sent
            .extract_if(|_, sent| sent.generation != generation);
        for (_, sent) in old {
            let _ = sent.fate.send(fate);
        }
        self.count.send_replace(book.sent.len());
    }

    /// Returns when nothing is on its way.
    pub(super) async fn empty(&self) {
        let mut count = self.count.subscribe();
        // The sender lives in self, which this future borrows: the wait cannot fail.
        let _ = count.wait_for(|count| *count == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_commit_has_the_fate_that_is_told_first() {
        let book = InFlight::new();
        let (seen, lost, later) = (book.begin(1), book.begin(1), book.begin(2));
        book.end(seen.number, Fate::Written);
        book.settle(2, Fate::NotWritten);
        assert_eq!(seen.fate.await, Ok(Fate::Written));
        assert_eq!(lost.fate.await, Ok(Fate::NotWritten));
        book.end(lost.number, Fate::Written);
        book.end(later.number, Fate::Written);
        assert_eq!(later.fate.await, Ok(Fate::Written));
        book.empty().await;
    }
}
