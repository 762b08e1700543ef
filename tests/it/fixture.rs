//! A gateway to test: inside this process on a manual clock, or the real program as a process of its own; and the
//! clients to test it with. Nothing here asserts what a gateway should do.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use acequia::config::{self, Overrides, Settings};
use acequia::store::Store;
use acequia::time::{BootId, ManualClock, Moment, Ticks, Zone};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

use crate::cluster::redis::Redis;
use crate::program::{self, PROGRAM};

/// Nothing in a test takes this long: who waits longer waits for something that does not come.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(20);

/// A port that is free.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// The wall clock of a manual gateway when it starts: 2026-11-23T09:14:00.250 UTC, with its ticks at one hour.
pub(crate) const START_UTC_MS: i64 = 1_795_425_240_250;
pub(crate) const START_TICKS: i64 = 3_600_000;

/// Three systems: what most tests need.
pub(crate) const SYSTEMS: &str = r#"
[[systems]]
id = "north"
name = "North field"
[[systems]]
id = "south"
timer_seconds = 30
[[systems]]
id = "limited"
manual_limit = 60
"#;

/// A gateway inside this process, on a clock that the test moves.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) http: Http,
    pub(crate) store: Store,
    home: Option<Home>,
    shutdown: CancellationToken,
    running: Option<JoinHandle<()>>,
}

/// Where gateways live, one after the other: a folder, and with `TESTS_STORE=redis` a Redis in it, in place of the
/// embedded store.
pub(crate) struct Home {
    redis: Option<Redis>,
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let on_redis = std::env::var("TESTS_STORE").is_ok_and(|store| store == "redis");
        let redis = on_redis.then(|| Redis::start(&folder.path().join("redis")));
        Self { redis, folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn store(&self) -> String {
        match &self.redis {
            Some(redis) => redis.url(""),
            None => format!("sqlite:{}", self.path().join("acequia.db").display()),
        }
    }
}

/// How to start one.
pub(crate) struct Setup {
    config: String,
    home: Option<Home>,
    boot: u128,
    ticks: i64,
    utc_ms: i64,
    zone: Zone,
}

impl Setup {
    pub(crate) fn with(config: &str) -> Self {
        Self {
            config: config.into(),
            home: None,
            boot: 1,
            ticks: START_TICKS,
            utc_ms: START_UTC_MS,
            zone: Zone::new(|_| 0),
        }
    }

    /// With another wall clock at the start.
    pub(crate) fn at(mut self, utc_ms: i64, zone: Zone) -> Self {
        self.utc_ms = utc_ms;
        self.zone = zone;
        self
    }

    /// On the store that another gateway has left.
    pub(crate) fn on(mut self, home: Home) -> Self {
        self.home = Some(home);
        self
    }

    /// The machine was off in between.
    pub(crate) fn rebooted(mut self) -> Self {
        self.boot += 1;
        self.ticks = 5_000;
        self
    }

    /// Time has passed in between.
    pub(crate) fn later(mut self, by: Duration) -> Self {
        let millis = i64::try_from(by.as_millis()).unwrap();
        self.ticks += millis;
        self.utc_ms += millis;
        self
    }

    fn settings(&self, home: &Home) -> Settings {
        let file = home.path().join("acequia.toml");
        std::fs::write(&file, &self.config).unwrap();
        let overrides = Overrides {
            store: Some(home.store()),
            ..Overrides::default()
        };
        config::read(Some(&file), overrides).unwrap().1
    }

    pub(crate) async fn start(mut self) -> Gateway {
        let home = self.home.take().unwrap_or_else(Home::new);
        let settings = self.settings(&home);
        let clock = Arc::new(ManualClock::new(Moment {
            utc_ms: self.utc_ms,
            ticks: Ticks::from_millis(self.ticks),
            boot: BootId(self.boot),
            zone: self.zone,
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let store = Store::open(&settings.store).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = {
            let (clock, shutdown) = (Arc::clone(&clock), shutdown.clone());
            let store = store.clone();
            tokio::spawn(async move {
                acequia::run(settings, store, clock, listener, shutdown)
                    .await
                    .unwrap();
            })
        };
        Gateway {
            address,
            clock,
            http: Http::new(address),
            store,
            home: Some(home),
            shutdown,
            running: Some(running),
        }
    }
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Setup::with(SYSTEMS).start().await
    }

    pub(crate) async fn connect(&self) -> Socket {
        Socket::connect(self.address).await
    }

    /// A socket that has joined a system and read its snapshot.
    pub(crate) async fn join(&self, system: &str) -> Socket {
        let mut socket = self.connect().await;
        let ack = socket.join(system).await;
        assert_eq!(ack["ok"], true, "{ack}");
        socket
    }

    /// Holds the lock of the store's file as another program could: nothing is written until it is dropped.
    pub(crate) fn lock_store(&self) -> rusqlite::Connection {
        let path = self.home.as_ref().unwrap().path().join("acequia.db");
        let lock = rusqlite::Connection::open(path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        lock
    }

    /// Lets the gateway, which runs on the same thread, do whatever has been sent to it.
    pub(crate) async fn catch_its_breath(&self) {
        for _ in 0..20 {
            self.http.get("/healthz").await;
        }
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }

    /// Stops it in order and hands over what it leaves.
    pub(crate) async fn stop(mut self) -> Home {
        self.shutdown.cancel();
        let running = self.running.take().unwrap();
        tokio::time::timeout(WATCHDOG, running)
            .await
            .expect("the gateway stops")
            .unwrap();
        self.home.take().unwrap()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// An HTTP client for one gateway.
#[derive(Clone)]
pub(crate) struct Http {
    client: HyperClient<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    /// The code of an error that has the shape of the contract.
    pub(crate) fn error_code(&self) -> String {
        let body = self.json();
        let error = body["error"]
            .as_object()
            .unwrap_or_else(|| panic!("no error: {body}"));
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        assert!(
            error["message"].as_str().is_some_and(|m| !m.is_empty()),
            "{body}"
        );
        assert_eq!(error.len(), 2, "{body}");
        error["code"].as_str().unwrap().to_owned()
    }
}

impl Http {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            client: HyperClient::builder(TokioExecutor::new()).build_http(),
            address,
        }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
        let response = tokio::time::timeout(WATCHDOG, self.client.request(request)).await??;
        let (parts, body) = response.into_parts();
        let bytes = tokio::time::timeout(WATCHDOG, body.collect())
            .await??
            .to_bytes();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec())?,
        })
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.try_send(method, path, headers, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], "").await
    }

    /// A command that changes something; returns the state.
    pub(crate) async fn change(&self, path: &str) -> Value {
        let outcome = self.post(path).await.json();
        assert_eq!(outcome["changed"], true, "{outcome}");
        outcome["state"].clone()
    }

    pub(crate) async fn state(&self, system: &str) -> Value {
        self.get(&format!("/systems/{system}")).await.json()["state"].clone()
    }

    pub(crate) async fn history(&self, system: &str) -> Vec<Value> {
        let rows = self
            .get(&format!("/systems/{system}/history?limit=100"))
            .await
            .json();
        rows.as_array().unwrap().clone()
    }
}

pub(crate) const SOCKET_IO: &str = "/socket.io/?EIO=4&transport=websocket";

pub(crate) type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A websocket without any protocol on top.
pub(crate) async fn websocket(address: SocketAddr, path: &str) -> WebSocket {
    let url = format!("ws://{address}{path}");
    // As every client of Socket.IO: two packets in a row do not wait for each other.
    let connecting = tokio_tungstenite::connect_async_with_config(url, None, true);
    let connected = tokio::time::timeout(WATCHDOG, connecting).await;
    connected.expect("the handshake ends").unwrap().0
}

/// The same, with a kernel that takes little before the gateway has to wait for its client to read.
pub(crate) async fn websocket_with_receive_buffer(
    address: SocketAddr,
    path: &str,
    bytes: u32,
) -> WebSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(bytes).unwrap();
    let stream = MaybeTlsStream::Plain(socket.connect(address).await.unwrap());
    let url = format!("ws://{address}{path}");
    let connected = tokio_tungstenite::client_async(url, stream);
    connected.await.unwrap().0
}

/// A Socket.IO client, protocol v5, websocket only, that keeps everything in the order in which it came.
pub(crate) struct Socket {
    stream: WebSocket,
    next_ack: u64,
}

/// Something that came.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Packet {
    Event(String, Value),
    Ack(u64, Value),
    Closed,
}

impl Socket {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::open(websocket(address, SOCKET_IO).await).await
    }

    /// The same to a gateway that may be gone, or go while it is asked.
    pub(crate) async fn try_connect(address: SocketAddr) -> Option<Self> {
        let url = format!("ws://{address}{SOCKET_IO}");
        let connected = tokio_tungstenite::connect_async(url);
        let (mut stream, _) = tokio::time::timeout(WATCHDOG, connected)
            .await
            .expect("the handshake ends")
            .ok()?;
        stream.send(Message::text("40")).await.ok()?;
        let mut socket = Self::connected(stream);
        while !socket.text().await?.starts_with("40") {}
        Some(socket)
    }

    async fn open(mut stream: WebSocket) -> Self {
        stream.send(Message::text("40")).await.unwrap();
        let mut socket = Self::connected(stream);
        while !socket.text().await.expect("connected").starts_with("40") {}
        socket
    }

    /// A client whose kernel takes little before the gateway has to wait for it to read.
    pub(crate) async fn connect_with_receive_buffer(address: SocketAddr, bytes: u32) -> Self {
        Self::open(websocket_with_receive_buffer(address, SOCKET_IO, bytes).await).await
    }

    /// A client that is connected already.
    pub(crate) const fn connected(stream: WebSocket) -> Self {
        Self {
            stream,
            next_ack: 0,
        }
    }

    /// Closes it in order and waits until the gateway has, too.
    pub(crate) async fn close(mut self) {
        // It may be closed already.
        let _ = self.stream.close(None).await;
        while let Some(Ok(_)) = self.stream.next().await {}
    }

    /// The next text frame; none when the connection is closed.
    pub(crate) async fn text(&mut self) -> Option<String> {
        loop {
            let message = tokio::time::timeout(WATCHDOG, self.stream.next())
                .await
                .expect("something comes");
            match message {
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Packet {
        loop {
            let Some(text) = self.text().await else {
                return Packet::Closed;
            };
            if text == "2" {
                self.pong().await;
            } else if let Some(event) = text.strip_prefix("42") {
                let event: Value = serde_json::from_str(event).unwrap();
                return Packet::Event(event[0].as_str().unwrap().into(), event[1].clone());
            } else if let Some(ack) = text.strip_prefix("43") {
                let digits = ack.find('[').unwrap();
                let payload: Value = serde_json::from_str(&ack[digits..]).unwrap();
                return Packet::Ack(ack[..digits].parse().unwrap(), payload[0].clone());
            } else if text == "1" || text == "41" {
                return Packet::Closed;
            }
        }
    }

    /// The next event of that name; what comes before it is skipped, without the cost of reading it.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let prefix = format!("42[\"{name}\",");
        loop {
            let text = self.text().await;
            let text = text.unwrap_or_else(|| panic!("closed while waiting for {name}"));
            if text == "2" {
                self.pong().await;
            } else if let Some(payload) = text.strip_prefix(&prefix) {
                let payload = payload.strip_suffix(']').unwrap();
                return serde_json::from_str(payload).unwrap();
            }
        }
    }

    async fn pong(&mut self) {
        // A gateway that goes away while it pings is seen at the next read.
        let _ = self.stream.send(Message::text("3")).await;
    }

    /// The next event, which must be of that name.
    pub(crate) async fn expect(&mut self, name: &str) -> Value {
        match self.next().await {
            Packet::Event(event, payload) if event == name => payload,
            other => panic!("waited for {name}, got {other:?}"),
        }
    }

    pub(crate) async fn send_raw(&mut self, text: String) -> Result<(), String> {
        self.send(Message::text(text)).await
    }

    pub(crate) async fn send_binary(&mut self, bytes: &'static [u8]) -> Result<(), String> {
        self.send(Message::binary(bytes)).await
    }

    async fn send(&mut self, message: Message) -> Result<(), String> {
        let sent = self.stream.send(message).await;
        sent.map_err(|e| e.to_string())
    }

    /// Sends an event and returns the ack of it, and what came before the ack.
    pub(crate) async fn ask(&mut self, event: &str, payload: &[Value]) -> (Value, Vec<Packet>) {
        let id = self.next_ack;
        self.next_ack += 1;
        let mut array = vec![json!(event)];
        array.extend_from_slice(payload);
        self.send_raw(format!("42{id}{}", Value::Array(array)))
            .await
            .unwrap();
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Packet::Ack(ack, payload) if ack == id => return (payload, before),
                Packet::Closed => panic!("closed while waiting for the ack of {event}"),
                other => before.push(other),
            }
        }
    }

    pub(crate) async fn join(&mut self, system: &str) -> Value {
        self.ask("join", &[json!(system)]).await.0
    }
}

/// The real program, as a process of its own, killed when it is dropped.
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    pub(crate) http: Http,
    child: Child,
}

impl Process {
    /// Starts it on the store and the configuration in `folder`, on a free port.
    pub(crate) fn start(folder: &Path, config: &str, arguments: &[&str]) -> Self {
        Self::start_at(ANY_PORT, folder, config, arguments)
    }

    pub(crate) fn start_at(
        listen: SocketAddr,
        folder: &Path,
        config: &str,
        arguments: &[&str],
    ) -> Self {
        Self::listening(program::start(listen, folder, config, arguments))
    }

    /// Starts it on the store of a home.
    pub(crate) fn start_in(home: &Home, listen: SocketAddr, config: &str) -> Self {
        let mut command = program::command(PROGRAM);
        command.args(["serve", "--listen", &listen.to_string()]);
        let started = program::start_on(&home.store(), command, home.path(), config, |_| ());
        Self::listening(started)
    }

    /// One that was started already.
    pub(crate) fn listening((child, address): (Child, SocketAddr)) -> Self {
        Self {
            address,
            http: Http::new(address),
            child,
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns the exit code.
    pub(crate) async fn terminate(self) -> Option<i32> {
        self.end("-TERM").await
    }

    /// Sends a signal that does not end it: `-STOP` freezes it, `-CONT` lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(self.child.id(), signal);
    }

    /// Sends a signal; returns the exit code.
    pub(crate) async fn end(self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.exit_code().await
    }

    /// Waits until it ends by itself.
    pub(crate) async fn exit_code(mut self) -> Option<i32> {
        let ended = tokio::task::spawn_blocking(move || self.child.wait().unwrap());
        tokio::time::timeout(WATCHDOG, ended)
            .await
            .expect("it ends")
            .unwrap()
            .code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have been killed by the test.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many files a process has open.
pub(crate) fn open_files(process: &Process) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", process.id()))
        .unwrap()
        .count()
}

/// The memory of a process.
pub(crate) fn resident_kib(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The clock of the test itself, to measure with.
#[expect(clippy::disallowed_methods, reason = "a test measures from outside")]
pub(crate) fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Sends a signal to a process that the test has started.
pub(crate) fn send_signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
    // The kernel stops one thread after the other, each when its turn comes.
    while signal == "-STOP" && !is_frozen(process) {}
}

/// True when all threads of a process stand still.
fn is_frozen(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.into_iter().all(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
        // The state stands behind the name, which can contain anything.
        stat.rsplit(") ").next().unwrap().starts_with('T')
    })
}
