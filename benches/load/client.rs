//! The cheapest clients that are still real ones: what they cost would be taken for the gateway's.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Asks for a websocket of Socket.IO, protocol v5.
pub(crate) const WEBSOCKET: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// HTTP/1.1 on one connection that stays open.
pub(crate) struct Http {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Http {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            buffer: Vec::with_capacity(4096),
        }
    }

    /// Sends a POST and returns the body of a 200.
    pub(crate) async fn post(&mut self, path: &str) -> String {
        self.request("POST", path).await.expect("200")
    }

    /// Sends a request and returns the body of a 200, or nothing for another status.
    pub(crate) async fn request(&mut self, method: &str, path: &str) -> Option<String> {
        self.send(method, path, "").await
    }

    /// Sends a POST that may be sent again, and returns the body of a 200, or nothing for another status.
    pub(crate) async fn post_once(&mut self, path: &str, key: &str) -> Option<String> {
        let header = format!("Idempotency-Key: \"{key}\"\r\n");
        self.send("POST", path, &header).await
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str) -> Option<String> {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n");
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.buffer.clear();
        loop {
            assert_ne!(
                self.stream.read_buf(&mut self.buffer).await.unwrap(),
                0,
                "closed"
            );
            if let Some((head, body)) = whole(&self.buffer) {
                return head.starts_with("HTTP/1.1 200").then(|| body.to_owned());
            }
        }
    }
}

/// Head and body of an answer, once all of it has come.
pub(crate) fn whole(answer: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.split("content-length: ").nth(1).expect("a length");
    let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
    (body.len() >= length).then_some((head, body))
}

/// A Socket.IO client, protocol v5, on a websocket.
pub(crate) struct Socket {
    stream: TcpStream,
    buffer: Vec<u8>,
    read: usize,
}

impl Socket {
    /// Connects and joins a system; returns when the join was acked.
    pub(crate) async fn join(address: SocketAddr, system: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(WEBSOCKET.as_bytes()).await.unwrap();
        let mut socket = Self {
            stream,
            buffer: Vec::with_capacity(1024),
            read: 0,
        };
        while !socket.buffer.windows(4).any(|w| w == b"\r\n\r\n") {
            assert_ne!(
                socket.stream.read_buf(&mut socket.buffer).await.unwrap(),
                0,
                "closed"
            );
        }
        let head = socket
            .buffer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap();
        assert!(socket.buffer.starts_with(b"HTTP/1.1 101"));
        socket.read = head + 4;
        socket.send(b"40").await;
        while !socket.next(|text| text.starts_with(b"40")).await {}
        socket
            .send(format!("420[\"join\",\"{system}\"]").as_bytes())
            .await;
        while !socket
            .next(|text| text.starts_with(b"430[{\"ok\":true"))
            .await
        {}
        socket
    }

    /// A short text frame, masked with zeros.
    async fn send(&mut self, text: &[u8]) {
        assert!(text.len() < 126);
        let mut frame = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend_from_slice(text);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Hands the next frame's payload over and returns the answer; pings are answered on the way.
    pub(crate) async fn next<T>(&mut self, look: impl FnOnce(&[u8]) -> T) -> T {
        loop {
            let waiting = &self.buffer[self.read..];
            if let Some((header, length)) = frame(waiting)
                && waiting.len() >= header + length
            {
                let payload = self.read + header..self.read + header + length;
                self.read = payload.end;
                if self.buffer[payload.clone()] == *b"2" {
                    self.send(b"3").await;
                    continue;
                }
                return look(&self.buffer[payload]);
            }
            self.buffer.drain(..self.read);
            self.read = 0;
            assert_ne!(
                self.stream.read_buf(&mut self.buffer).await.unwrap(),
                0,
                "closed"
            );
        }
    }
}

/// The lengths of the header and of the payload of the frame that begins here.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes.get(1)? {
        126 => Some((
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        )),
        127 => panic!("no frame of ours is that long"),
        length => Some((2, usize::from(length))),
    }
}
