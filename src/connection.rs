//! A connection: the stream of one client, whatever protocol it speaks, and the list of all that are open.
//!
//! Bytes only.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use dashmap::DashMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use crate::config::Limits;
use crate::link::Link;

/// The connections that are open, so that they can be cut, and written to, from outside the tasks that own them.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: DashMap<u64, Weak<Link>>,
    /// Those that a session has moved to, or is about to.
    sessions: DashMap<String, Weak<Link>>,
    last: AtomicU64,
}

impl Connections {
    /// Takes a stream into the list. It counts, and holds its permit, as long as it lives, also after it became a
    /// websocket.
    pub(crate) fn open(
        self: &Arc<Self>,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
        limits: &Limits,
    ) -> Connection {
        let link = Arc::new(Link::new(stream, limits));
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.insert(id, Arc::downgrade(&link));
        Connection {
            _permit: permit,
            link,
            id,
            list: Arc::clone(self),
        }
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.len()
    }

    /// Cuts all of them. Their tasks read the end of the stream.
    pub(crate) fn cut(&self) {
        for link in self.open.iter().filter_map(|entry| entry.upgrade()) {
            link.shut();
        }
    }

    /// Notes that a session wants to go on over this link.
    pub(crate) fn expect(&self, session: &str, link: &Arc<Link>) {
        self.forget(link.expect(Some(session.to_owned())), link);
        self.sessions
            .insert(session.to_owned(), Arc::downgrade(link));
    }

    fn forget(&self, session: Option<String>, link: &Arc<Link>) {
        let this = |other: &Weak<Link>| std::ptr::eq(other.as_ptr(), Arc::as_ptr(link));
        if let Some(session) = session {
            self.sessions.remove_if(&session, |_, link| this(link));
        }
    }

    /// The link that a session wanted to go on over last.
    pub(crate) fn expected(&self, session: &str) -> Option<Arc<Link>> {
        self.sessions.get(session)?.upgrade()
    }
}

/// The stream of one client.
///
/// Writing to it never fails: what is written after the client has gone is lost, and the end is seen by who reads. Not
/// everybody above takes a failed write for an end: engineioxide keeps a session for ever whose first packet cannot be
/// written, and has no task that reads for it.
pub(crate) struct Connection {
    // Dropped first: who sees the connection closed finds its place free.
    _permit: OwnedSemaphorePermit,
    link: Arc<Link>,
    id: u64,
    list: Arc<Connections>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.list.open.remove(&self.id);
        self.list.forget(self.link.expect(None), &self.link);
        self.link.end();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.link.stream();
        loop {
            ready!(stream.poll_read_ready(cx))?;
            match stream.try_read_buf(buf) {
                // The readiness was old news and is forgotten now.
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(|_| ())),
            }
        }
    }
}

impl Connection {
    /// For who writes to the client beside the one who owns the connection.
    pub(crate) const fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.link.poll_write(cx, bufs).map(|written| {
            Ok(written.unwrap_or_else(|_| {
                // The reader is to see the end, however the write failed. A client that has gone is cut already.
                self.link.shut();
                bufs.iter().map(|buf| buf.len()).sum()
            }))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.link.shut_writes())
    }
}
