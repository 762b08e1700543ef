//! Clients by hand.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::Method;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::fixture::{Http, WATCHDOG};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
/// Of Socket.IO 2, which is connected without a `40`.
pub(crate) const WEBSOCKET_OF_2: &str = "/socket.io/?EIO=3&transport=websocket";

fn upgrade(path: &str) -> String {
    let headers =
        "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    format!(
        "GET {path} HTTP/1.1\r\n{headers}\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads the first bytes of the answer and is gone before the first packet.
pub(crate) async fn half_read(address: SocketAddr, path: &str, reset: bool) -> Option<()> {
    let mut stream = raw(address, &upgrade(path), reset).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.ok()?;
    (&answer == b"HTTP/1.1 101").then_some(())
}

/// A connection that begins like this, and ends with a reset or in order.
async fn raw(address: SocketAddr, begin: &str, reset: bool) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    end_with(&stream, reset);
    stream.write_all(begin.as_bytes()).await.ok()?;
    Some(stream)
}

fn end_with(stream: &TcpStream, reset: bool) {
    let linger = reset.then_some(Duration::ZERO);
    SockRef::from(stream).set_linger(linger).unwrap();
}

/// A session over polling.
pub(crate) struct Polling {
    address: SocketAddr,
    http: Http,
    path: String,
}

impl Polling {
    pub(crate) async fn open(address: SocketAddr) -> Option<Self> {
        let http = Http::new(address);
        let opened = http.try_send(Method::GET, POLLING, &[], "").await.ok()?;
        let open: Value = serde_json::from_str(opened.text.strip_prefix('0')?).ok()?;
        let path = format!("{POLLING}&sid={}", open["sid"].as_str()?);
        Some(Self {
            address,
            http,
            path,
        })
    }

    pub(crate) async fn post(&self, packet: &str) -> Option<()> {
        let text = packet.to_owned();
        let sent = self
            .http
            .try_send(Method::POST, &self.path, &[], text)
            .await;
        sent.ok()?.status.is_success().then_some(())
    }

    /// Returns when a packet has come that begins like this.
    pub(crate) async fn hear(&mut self, prefix: &str) -> Option<()> {
        loop {
            let polled = self.http.try_send(Method::GET, &self.path, &[], "").await;
            let polled = polled.ok().filter(|answer| answer.status.is_success())?;
            let mut packets = polled.text.split('\x1e');
            if packets.clone().any(|packet| packet == "2") {
                self.post("3").await?;
            }
            if packets.any(|packet| packet.starts_with(prefix)) {
                return Some(());
            }
        }
    }

    /// A connection that has been used once.
    pub(crate) async fn line(&self) -> Line {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let path = self.path.clone();
        let mut line = Line { stream, path };
        line.post("3").await;
        line.answered().await;
        line
    }
}

/// One of the connections of a session over polling, by hand.
pub(crate) struct Line {
    stream: TcpStream,
    path: String,
}

impl Line {
    /// Posts packets, in one piece.
    pub(crate) async fn post(&mut self, packets: &str) {
        let (path, length) = (&self.path, packets.len());
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}");
        let request = format!("{head}\r\n\r\n{packets}");
        self.stream.write_all(request.as_bytes()).await.unwrap();
    }

    /// Returns when the gateway has answered.
    pub(crate) async fn answered(&mut self) {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            let read = timeout(WATCHDOG, self.stream.read_buf(&mut answer)).await;
            let read = read.expect("an answer comes").unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        }
    }
}
