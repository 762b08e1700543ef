//! A connection: the stream of one client, whatever protocol it speaks, and the list of all that are open.
//!
//! Bytes only.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use dashmap::DashMap;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// The connections that are open, so that they can be cut from outside the tasks that own them.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    open: DashMap<u64, Weak<TcpStream>>,
    last: AtomicU64,
}

impl Connections {
    /// Takes a stream into the list. It counts, and holds its permit, as long as it lives, also after it became a
    /// websocket.
    pub(crate) fn open(
        self: &Arc<Self>,
        stream: TcpStream,
        permit: OwnedSemaphorePermit,
    ) -> Connection {
        let stream = Arc::new(stream);
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        self.open.insert(id, Arc::downgrade(&stream));
        Connection {
            _permit: permit,
            stream,
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
        for stream in self.open.iter().filter_map(|entry| entry.upgrade()) {
            // It may have been closed at this moment by its client.
            let _ = SockRef::from(&*stream).shutdown(Shutdown::Both);
        }
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
    stream: Arc<TcpStream>,
    id: u64,
    list: Arc<Connections>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.list.open.remove(&self.id);
    }
}

/// Does the operation as soon as the stream is ready for it.
fn when_ready<T>(
    mut ready: impl FnMut() -> Poll<io::Result<()>>,
    mut operation: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        ready!(ready())?;
        match operation() {
            // The readiness was old news and is forgotten now.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            done => return Poll::Ready(done),
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = &self.stream;
        let read = when_ready(
            || stream.poll_read_ready(cx),
            || stream.try_read(buf.initialize_unfilled()),
        );
        read.map_ok(|bytes| buf.advance(bytes))
    }
}

impl Connection {
    /// What a write of so many bytes is taken for: it was done, whatever became of it.
    fn written(&self, bytes: usize, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        written.map(|written| {
            Ok(written.unwrap_or_else(|_| {
                // The reader is to see the end, however the write failed. A client that has gone is cut already.
                let _ = SockRef::from(&*self.stream).shutdown(Shutdown::Both);
                bytes
            }))
        })
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.stream;
        let written = when_ready(|| stream.poll_write_ready(cx), || stream.try_write(buf));
        self.written(buf.len(), written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = &self.stream;
        let written = when_ready(
            || stream.poll_write_ready(cx),
            || stream.try_write_vectored(bufs),
        );
        self.written(bufs.iter().map(|buf| buf.len()).sum(), written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}
