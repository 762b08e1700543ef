//! Clients by hand: somebody who joins and leaves as it should be, and strangers who abandon the handshake at any step of
//! it, in order or with a reset.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use hyper::Method;
use serde_json::Value;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, connect_async};

use crate::fixture::{Http, WATCHDOG, WebSocket};

/// How long an answer is waited for that may not come.
const GLANCE: Duration = Duration::from_millis(20);

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";
/// Of Socket.IO 2, which is connected without a `40`.
pub(crate) const WEBSOCKET_OF_2: &str = "/socket.io/?EIO=3&transport=websocket";

/// The last thing that a stranger does before it goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Connect,
    HalfARequestLine,
    /// And waits to be cut.
    HeadersWithoutEnd,
    HalfABody,
    PollingOpen,
    PollingConnect,
    PollLeftHanging,
    /// Asks for a websocket and reads nothing of the answer.
    UpgradeUnread,
    UpgradeHalfRead,
    UpgradeHalfReadOf2,
    Upgrade,
    UpgradeOf2,
    Probe,
    NamespaceConnect,
    Join,
    JoinAndLeave,
    JoinAndDisconnect,
    /// Joins, disconnects twice, connects again in the same session, and joins.
    JoinAgain,
    RawFeed,
}

pub(crate) const STEPS: [Step; 19] = [
    Step::Connect,
    Step::HalfARequestLine,
    Step::HeadersWithoutEnd,
    Step::HalfABody,
    Step::PollingOpen,
    Step::PollingConnect,
    Step::PollLeftHanging,
    Step::UpgradeUnread,
    Step::UpgradeHalfRead,
    Step::UpgradeHalfReadOf2,
    Step::Upgrade,
    Step::UpgradeOf2,
    Step::Probe,
    Step::NamespaceConnect,
    Step::Join,
    Step::JoinAndLeave,
    Step::JoinAndDisconnect,
    Step::JoinAgain,
    Step::RawFeed,
];

/// Somebody who goes away at a step, with a reset or in order. None when the gateway was first.
pub(crate) async fn abandon(
    address: SocketAddr,
    step: Step,
    system: &str,
    reset: bool,
) -> Option<()> {
    let join = format!(r#"42["join","{system}"]"#);
    let leave = format!(r#"42["leave","{system}"]"#);
    match step {
        Step::Connect => raw(address, "", reset).await.map(drop),
        Step::HalfARequestLine => raw(address, "GET /socke", reset).await.map(drop),
        Step::HeadersWithoutEnd => {
            let head = format!("GET {WEBSOCKET} HTTP/1.1\r\nHost: x\r\n");
            let mut stream = raw(address, &head, reset).await?;
            let cut = timeout(WATCHDOG, stream.read_to_end(&mut Vec::new())).await;
            cut.expect("who does not finish the headers is cut")
                .ok()
                .map(drop)
        }
        Step::HalfABody => {
            let session = Polling::open(address).await?;
            let head = format!("POST {} HTTP/1.1\r\nHost: x\r\n", session.path);
            let post = head + "Content-Length: 40\r\n\r\n42[";
            raw(address, &post, reset).await.map(drop)
        }
        Step::PollingOpen => Polling::open(address).await.map(drop),
        Step::PollingConnect => Polling::open(address).await?.post("40").await,
        Step::PollLeftHanging => {
            let mut session = Polling::open(address).await?;
            session.post("40").await?;
            session.hear("40").await?;
            let poll = format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", session.path);
            let mut stream = raw(address, &poll, reset).await?;
            let _ = timeout(GLANCE, stream.read_u8()).await;
            Some(())
        }
        Step::UpgradeUnread => raw(address, &upgrade(WEBSOCKET), reset).await.map(drop),
        Step::UpgradeHalfRead => half_read(address, WEBSOCKET, reset).await,
        Step::UpgradeHalfReadOf2 => half_read(address, WEBSOCKET_OF_2, reset).await,
        Step::Upgrade => ws(address, WEBSOCKET, reset).await.map(drop),
        Step::UpgradeOf2 => ws(address, WEBSOCKET_OF_2, reset).await.map(drop),
        Step::Probe => {
            let session = Polling::open(address).await?;
            let mut stream = ws(address, &session.websocket(), reset).await?;
            say(&mut stream, "2probe").await?;
            hear(&mut stream, "3probe").await.map(drop)
        }
        Step::NamespaceConnect => connected(address, reset).await.map(drop),
        Step::Join => say(&mut connected(address, reset).await?, &join).await,
        Step::JoinAndLeave => {
            let mut stream = connected(address, reset).await?;
            for packet in [&join, &leave, &join, &leave] {
                say(&mut stream, packet).await?;
            }
            Some(())
        }
        Step::JoinAndDisconnect => {
            let mut stream = connected(address, reset).await?;
            say(&mut stream, &join).await?;
            say(&mut stream, "41").await
        }
        Step::JoinAgain => {
            let mut stream = connected(address, reset).await?;
            for packet in [&join, "41", "41", "40", &join, &join, &join] {
                say(&mut stream, packet).await?;
            }
            let _ = timeout(GLANCE, hear(&mut stream, "43")).await;
            Some(())
        }
        Step::RawFeed => {
            let mut stream = ws(address, &format!("/systems/{system}/ws"), reset).await?;
            hear(&mut stream, "{").await.map(drop)
        }
    }
}

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

async fn ws(address: SocketAddr, path: &str, reset: bool) -> Option<WebSocket> {
    let shaken = timeout(WATCHDOG, connect_async(format!("ws://{address}{path}"))).await;
    // The session that it belongs to may have ended meanwhile.
    let (stream, _) = shaken.expect("the handshake ends").ok()?;
    if let MaybeTlsStream::Plain(stream) = stream.get_ref() {
        end_with(stream, reset);
    }
    Some(stream)
}

/// A websocket that is connected to the namespace.
async fn connected(address: SocketAddr, reset: bool) -> Option<WebSocket> {
    let mut stream = ws(address, WEBSOCKET, reset).await?;
    say(&mut stream, "40").await?;
    hear(&mut stream, "40").await?;
    Some(stream)
}

async fn say(stream: &mut WebSocket, packet: &str) -> Option<()> {
    stream.send(Message::text(packet)).await.ok()
}

/// The next packet that begins like this.
async fn hear(stream: &mut WebSocket, prefix: &str) -> Option<String> {
    loop {
        let message = timeout(WATCHDOG, stream.next()).await;
        let message = message.expect("something comes")?.ok()?;
        match message.to_text() {
            Ok(packet) if packet.starts_with(prefix) => return Some(packet.to_owned()),
            Ok("2") => say(stream, "3").await?,
            Ok(_) | Err(_) => {}
        }
    }
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

    /// Where a websocket goes on with the session.
    pub(crate) fn websocket(&self) -> String {
        self.path.replace("polling", "websocket")
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

/// Somebody who joins, leaves and goes as it should be. None when a busy machine answered a ping too late.
pub(crate) async fn visit(address: SocketAddr, system: String, polling: bool) -> Option<()> {
    let join = (format!(r#"421["join","{system}"]"#), r#"431[{"ok":true"#);
    let leave = (format!(r#"422["leave","{system}"]"#), r#"432[{"ok":true"#);
    if polling {
        let mut session = Polling::open(address).await?;
        for (packet, answer) in [("40".into(), "40"), join, leave] {
            session.post(&packet).await?;
            session.hear(answer).await?;
        }
        session.post("1").await
    } else {
        let mut stream = connected(address, false).await?;
        for (packet, answer) in [join, leave] {
            say(&mut stream, &packet).await?;
            hear(&mut stream, answer).await?;
        }
        stream.close(None).await.ok()
    }
}
