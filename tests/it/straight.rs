//! What is written to websockets straight, beside the library: whole, in order, and not for ever to who does not read.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::fixture::{
    Gateway, Packet, Process, SOCKET_IO, SYSTEMS, Setup, Socket, WATCHDOG, WebSocket, resident_kib,
    websocket, websocket_with_receive_buffer,
};
use crate::load::number;
use crate::strangers::Polling;

/// The kernels hold a few dozen states.
const TINY: u32 = 2048;
/// So many that they do not fit, and the library would have room for all of them.
const CHANGES: u64 = 300;

async fn gateway(limits: &str) -> Gateway {
    let config = format!("[limits]\nsend_buffer_bytes = {TINY}\n{limits}\n{SYSTEMS}");
    Setup::with(&config).start().await
}

async fn change(gateway: &Gateway, system: &str, changes: u64) {
    for verb in ["manual", "stop"].iter().cycle().take(changes as usize) {
        gateway
            .http
            .change(&format!("/systems/{system}/{verb}"))
            .await;
    }
}

/// A client that has joined over polling and goes on over a websocket.
async fn moved(address: SocketAddr, receive_buffer: Option<u32>) -> WebSocket {
    let mut session = Polling::open(address).await.unwrap();
    session.post("40").await.unwrap();
    session.hear("40").await.unwrap();
    session.post(r#"420["join","north"]"#).await.unwrap();
    session.hear("430").await.unwrap();
    let path = session.websocket();
    let mut stream = match receive_buffer {
        Some(bytes) => websocket_with_receive_buffer(address, &path, bytes).await,
        None => websocket(address, &path).await,
    };
    stream.send(Message::text("2probe")).await.unwrap();
    let pong = stream.next().await.unwrap().unwrap();
    assert_eq!(pong.into_text().unwrap().as_str(), "3probe");
    stream.send(Message::text("5")).await.unwrap();
    stream
}

/// Asks for a websocket that opens a session, and reads until it has heard this.
async fn ask_for_websocket(gateway: &Gateway, version: &str, more: &[u8], until: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let request = format!(
        "GET /socket.io/?EIO=4&transport=websocket {version}\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let all = [request.as_bytes(), more].concat();
    stream.write_all(&all).await.unwrap();
    let mut heard = Vec::new();
    let listen = async {
        while !String::from_utf8_lossy(&heard).contains(until) {
            let read = stream.read_buf(&mut heard).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&heard));
        }
    };
    tokio::time::timeout(WATCHDOG, listen).await.unwrap();
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test]
async fn the_answer_to_who_cannot_have_a_websocket_of_http_1_0_goes_out_all_the_same() {
    let gateway = gateway("").await;
    let answer = ask_for_websocket(&gateway, "HTTP/1.0", b"", "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 101 "), "{answer:?}");
}

#[tokio::test]
async fn what_a_client_sends_together_with_its_request_for_a_websocket_is_read() {
    let gateway = gateway("").await;
    let connect = [0x81, 0x82, 0, 0, 0, 0, b'4', b'0'];
    let heard = ask_for_websocket(&gateway, "HTTP/1.1", &connect, "40{\"sid\"").await;
    assert!(heard.starts_with("HTTP/1.1 101 "), "{heard:?}");
    assert!(heard.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{heard:?}");
}

/// What came, up to the state of `seq`: states in their order, and no clock ahead of them.
async fn states_up_to(socket: &mut Socket, seq: u64) -> usize {
    let (mut states, mut newest) = (0, 0);
    while newest < seq {
        let Packet::Event(name, payload) = socket.next().await else {
            panic!("closed after the state of {newest}");
        };
        match name.as_str() {
            "state" => {
                let seq = number(&payload, "seq");
                assert!(seq > newest, "{seq} after {newest}");
                (newest, states) = (seq, states + 1);
            }
            "clock" => assert!(number(&payload, "seq") <= newest, "{payload} at {newest}"),
            name => assert_eq!(name, "action"),
        }
    }
    states
}

#[tokio::test]
async fn who_reads_again_gets_the_newest_state_and_not_all_that_it_missed() {
    // The disk may be slow.
    let gateway = gateway("write_timeout_ms = 600000\ntcp_user_timeout_ms = 600000").await;
    let mut opened = Socket::connect_with_receive_buffer(gateway.address, TINY).await;
    opened.join("north").await;
    let mut moved = Socket::connected(moved(gateway.address, Some(TINY)).await);
    // Told by the library that it has written all, a client that has moved is written to straight, too.
    gateway.http.change("/systems/north/manual").await;
    moved.event("state").await;
    gateway.http.change("/systems/north/stop").await;
    moved.event("state").await;

    change(&gateway, "north", CHANGES).await;
    for client in [&mut opened, &mut moved] {
        let states = states_up_to(client, CHANGES + 2).await;
        assert!(states < CHANGES as usize / 2, "{states} of {CHANGES}");
    }
    // It is told everything again.
    gateway.http.change("/systems/north/manual").await;
    for client in [&mut opened, &mut moved] {
        assert_eq!(client.event("state").await["seq"], CHANGES + 3);
        gateway.advance(1_000);
        assert_eq!(client.event("clock").await["seq"], CHANGES + 3);
    }
}

#[tokio::test]
async fn a_client_that_moves_from_polling_in_the_middle_of_changes_hears_them_in_order() {
    let gateway = gateway("").await;
    let mut marked = 0;
    for round in 0..20 {
        let http = gateway.http.clone();
        let changes = tokio::spawn(async move {
            for verb in ["manual", "stop"].iter().cycle().take(20) {
                http.change(&format!("/systems/north/{verb}")).await;
            }
        });
        let mut socket = Socket::connected(moved(gateway.address, None).await);
        changes.await.unwrap();
        gateway.http.change("/systems/north/manual").await;
        gateway.http.change("/systems/north/stop").await;
        let last = (round + 1) * 22;
        let (mut newest, mut texts) = (0, Vec::new());
        while newest < last {
            let text = socket.text().await.expect("not closed");
            marked += usize::from(text.ends_with(" }]"));
            if let Some(event) = text.strip_prefix("42") {
                let event: Value = serde_json::from_str(event).unwrap();
                let seq = number(&event[1], if event[0] == "action" { "id" } else { "seq" });
                if event[0] == "state" {
                    assert!(seq > newest, "{text} after {texts:?}");
                    newest = seq;
                } else {
                    // What was said before it moved may have come by another way.
                    assert!(newest == 0 || seq <= newest, "{text} after {texts:?}");
                }
            }
            texts.push(text);
        }
        socket.close().await;
    }
    assert!(
        (10..=20).contains(&marked),
        "{marked} of 20 were handed over"
    );
}

#[tokio::test]
async fn who_accepts_nothing_for_the_write_timeout_is_cut_and_nobody_else() {
    let gateway = gateway("write_timeout_ms = 300\ntcp_user_timeout_ms = 600000").await;
    let mut reader = gateway.join("north").await;
    let mut stalled = Socket::connect_with_receive_buffer(gateway.address, TINY).await;
    stalled.join("north").await;
    let members = async || number(&gateway.http.get("/healthz").await.json(), "members");
    assert_eq!(members().await, 2);
    let reading = tokio::spawn(async move {
        states_up_to(&mut reader, CHANGES).await;
        reader
    });
    change(&gateway, "north", CHANGES).await;
    let mut reader = reading.await.unwrap();
    let cut = async { while members().await == 2 {} };
    tokio::time::timeout(WATCHDOG, cut)
        .await
        .expect("it is cut");
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(reader.event("state").await["seq"], CHANGES + 1);
    // It finds what the kernels held, and then the end.
    while stalled.next().await != Packet::Closed {}
}

/// Pings, answers and errors come from the library or beside it; states and clocks of three systems from the rooms.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_stay_whole_in_tiny_buffers_whoever_writes_them() {
    let gateway = gateway("ping_interval_ms = 100").await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Socket::connect_with_receive_buffer(gateway.address, TINY).await;
        client.join("south").await;
        clients.push(tokio::spawn(async move {
            let mut answers = 0;
            while answers < 200 {
                // The parser under this is strict, and every text is read as JSON.
                let event = ["join", "leave", "nonsense"][answers % 3];
                let (answer, _) = client.ask(event, &["north".into()]).await;
                assert_eq!(answer["ok"], event != "nonsense");
                answers += 1;
            }
            client.join("north").await;
            client
        }));
    }
    change(&gateway, "north", CHANGES).await;
    for client in clients {
        let mut client = client.await.unwrap();
        // Once this is answered it has read all that waited, and clocks are not dropped any more.
        client.join("north").await;
        gateway.advance(1_000);
        client.event("clock").await;
    }
}

/// Sends pings of the websocket and reads nothing, until this much is sent or the gateway has had enough.
async fn flood(mut stream: WebSocket, bytes: usize) -> WebSocket {
    for _ in 0..bytes / 125 {
        let ping = Message::Ping(vec![b'x'; 125].into());
        if stream.feed(ping).await.is_err() {
            break;
        }
    }
    let _ = stream.flush().await;
    stream
}

#[tokio::test]
async fn the_answers_to_pings_of_a_client_that_does_not_read_do_not_pile_up() {
    const FLOOD: usize = 20 << 20;
    const GROWTH_KIB: u64 = 6 << 10;
    let folder = TempDir::new().unwrap();
    // The raw feed does not read, either, while it is not read.
    let limits = "write_timeout_ms = 2000\ntcp_user_timeout_ms = 600000";
    let config = format!("[limits]\nsend_buffer_bytes = {TINY}\n{limits}\n{SYSTEMS}");
    let gateway = Process::start(folder.path(), &config, &[]);
    let mut reader = Socket::connect(gateway.address).await;
    reader.join("north").await;
    let resident = resident_kib(&gateway);
    let opened = websocket(gateway.address, SOCKET_IO).await;
    let feed = websocket(gateway.address, "/ws").await;
    let moved = moved(gateway.address, None).await;
    for (name, stream) in [("opened", opened), ("feed", feed), ("moved", moved)] {
        let flooded = tokio::time::timeout(WATCHDOG, flood(stream, FLOOD)).await;
        let _stream = flooded.expect("it is read or cut");
        let grown = resident_kib(&gateway).saturating_sub(resident);
        assert!(grown < GROWTH_KIB, "{name}: {grown} KiB more than before");
    }
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(reader.event("state").await["seq"], 1);
}
