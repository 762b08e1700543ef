//! Sessions on a websocket that was opened for them: they speak as those of the library do, live as long as their clients do,
//! and leave nothing behind.

use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use crate::dice::Dice;
use crate::fixture::{Gateway, SOCKET_IO, SYSTEMS, Setup, Socket, WATCHDOG, WebSocket, websocket};
use crate::load::number;
use crate::strangers::Polling;

/// Packets of clients that know the protocol.
const RIGHT: [&str; 12] = [
    "40",
    "40{\"token\":\"x\"}",
    "40/other,",
    "3",
    r#"42["join","north"]"#,
    r#"421["join","north"]"#,
    r#"422["leave","north"]"#,
    r#"423["leave","north",{"more":1}]"#,
    r#"424["join","nowhere"]"#,
    r#"42/other,5["join","north"]"#,
    "436[1]",
    r#"451-7["join",{"_placeholder":true,"num":0}]"#,
];
/// Packets of others. After some of them the session goes on.
const WRONG: [&str; 31] = [
    "",
    "x",
    "0",
    "1",
    "2",
    "2probe",
    "3probe",
    "5",
    "6",
    "b",
    "bAQID",
    "4",
    "4x",
    "420",
    "42",
    "42[",
    "42[]",
    "42[1]",
    "42{}",
    "428[\"join\"]",
    "429[\"join\",7]",
    "42[\"\",[]]",
    "41/other,",
    "42/other",
    "43",
    "43[]",
    "44",
    "45",
    "451-[\"join\"",
    "455-[\"join\"]",
    "49é",
];

/// What a client has seen of a session.
#[derive(Debug, PartialEq)]
struct Seen {
    texts: Vec<String>,
    ended: bool,
}

/// A session before its client has connected, on a websocket from the beginning or since a moment ago.
async fn session(gateway: &Gateway, moved: bool) -> Socket {
    if !moved {
        return Socket::connected(websocket(gateway.address, SOCKET_IO).await);
    }
    let session = Polling::open(gateway.address).await.unwrap();
    let mut stream = websocket(gateway.address, &session.websocket()).await;
    for (packet, answer) in [("2probe", Some("3probe")), ("5", None)] {
        stream.send(Message::text(packet)).await.unwrap();
        if let Some(answer) = answer {
            let heard = stream.next().await.unwrap().unwrap();
            assert_eq!(heard.into_text().unwrap().as_str(), answer);
        }
    }
    Socket::connected(stream)
}

/// The same whichever way it was told, and whenever.
fn plain(text: &str) -> Option<String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (kind, json) = text.split_at(digits);
    match kind {
        "0" | "1" | "2" => None,
        "40" => Some(kind.to_owned()),
        _ => match serde_json::from_str::<Value>(json) {
            Ok(json) => Some(format!("{kind}{json}")),
            Err(_) => Some(text.to_owned()),
        },
    }
}

/// Says these packets, and asks for something at the end; each connect has its answer before more is said.
async fn say(socket: &mut Socket, packets: &[&str]) -> Seen {
    let (mut texts, mut connected) = (Vec::new(), false);
    let all = packets.iter().chain(&["40", r#"4299["join","south"]"#]);
    for packet in all {
        let waits_for = match *packet {
            r#"4299["join","south"]"# => Some("4399["),
            "40/other," => Some("44"),
            packet if packet.starts_with("40") && !connected => Some("40"),
            _ => None,
        };
        // It may have ended.
        let _ = socket.send_raw((*packet).to_owned()).await;
        if packet.starts_with("451-7") {
            let _ = socket.send_binary(b"x").await;
        }
        while let Some(begin) = waits_for {
            let Some(text) = socket.text().await else {
                texts.sort();
                return Seen { texts, ended: true };
            };
            texts.extend(plain(&text));
            if text.starts_with(begin) {
                connected |= begin == "40";
                break;
            }
        }
    }
    texts.sort();
    let ended = false;
    Seen { texts, ended }
}

async fn both(gateway: &Gateway, packets: &[&str]) -> Seen {
    let ours = say(&mut session(gateway, false).await, packets).await;
    let library = say(&mut session(gateway, true).await, packets).await;
    assert_eq!(ours, library, "after {packets:?}");
    ours
}

#[tokio::test]
async fn what_a_client_says_is_answered_as_on_a_websocket_that_it_has_moved_to() {
    let gateway = Gateway::start().await;
    let mut ended = 0;
    for packet in RIGHT.iter().chain(&WRONG) {
        ended += u32::from(both(&gateway, &[packet]).await.ended);
        ended += u32::from(both(&gateway, &["40", packet]).await.ended);
    }
    assert!((30..80).contains(&ended), "{ended} sessions ended");
    let mut dice = Dice::new();
    let mut answered = 0;
    for _ in 0..300 {
        let mut packets = vec!["40"];
        for _ in 0..dice.random_range(1..8) {
            packets.push(RIGHT.choose(&mut *dice).unwrap());
        }
        // What comes after it may still be answered by the library.
        if dice.random_bool(0.3) {
            packets.push(WRONG.choose(&mut *dice).unwrap());
        }
        answered += u32::from(!both(&gateway, &packets).await.ended);
    }
    assert!(answered > 150, "{answered} of 300 sessions were answered");
}

#[tokio::test]
async fn who_disconnects_hears_nothing_more_and_may_connect_again() {
    let gateway = Gateway::start().await;
    let members = async || number(&gateway.http.get("/healthz").await.json(), "members");
    let mut socket = gateway.join("north").await;
    for _ in 0..3 {
        socket.send_raw("41".into()).await.unwrap();
        let gone = async { while members().await > 0 {} };
        tokio::time::timeout(WATCHDOG, gone)
            .await
            .expect("no member");
        gateway.http.change("/systems/north/manual").await;
        gateway.http.change("/systems/north/stop").await;
        socket.send_raw("40".into()).await.unwrap();
        let text = socket.text().await.unwrap();
        assert!(text.starts_with("40{\"sid\":"), "{text}");
        socket.join("north").await;
        assert_eq!(members().await, 1);
    }
    socket.close().await;
    let gone = async { while members().await > 0 {} };
    tokio::time::timeout(WATCHDOG, gone)
        .await
        .expect("no member");
}

async fn with_pings(timeout_ms: u64) -> Gateway {
    let limits = format!("ping_interval_ms = 100\nping_timeout_ms = {timeout_ms}");
    Setup::with(&format!("[limits]\n{limits}\n{SYSTEMS}"))
        .start()
        .await
}

#[tokio::test]
async fn who_answers_pings_stays() {
    let gateway = with_pings(600_000).await;
    let mut socket = gateway.join("north").await;
    for _ in 0..5 {
        while socket.text().await.expect("it stays") != "2" {}
        socket.send_raw("3".into()).await.unwrap();
    }
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(socket.event("state").await["seq"], 1);
}

#[tokio::test]
async fn who_does_not_answer_a_ping_is_let_go() {
    let gateway = with_pings(200).await;
    let mut socket = session(&gateway, false).await;
    let mut pings = 0;
    socket.send_raw("40".into()).await.unwrap();
    // To say something else is no answer.
    socket
        .send_raw(r#"42["join","north"]"#.into())
        .await
        .unwrap();
    while let Some(text) = socket.text().await {
        pings += u32::from(text == "2");
    }
    assert_eq!(pings, 1);
    assert_eq!(
        number(&gateway.http.get("/healthz").await.json(), "members"),
        0
    );
}

/// What it is opened with, and what it sends first.
async fn opened(stream: &mut WebSocket) -> Value {
    let open = stream.next().await.unwrap().unwrap();
    let open = open.into_text().unwrap();
    serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap()
}

#[tokio::test]
async fn the_number_of_a_session_is_told_once_and_of_no_use_to_anybody() {
    let gateway = Gateway::start().await;
    let (mut one, mut other) = (
        websocket(gateway.address, SOCKET_IO).await,
        websocket(gateway.address, SOCKET_IO).await,
    );
    let (open, another) = (opened(&mut one).await, opened(&mut other).await);
    assert_ne!(open["sid"], another["sid"]);
    let expected = [
        ("pingInterval", 25_000),
        ("pingTimeout", 20_000),
        ("maxPayload", 16_384),
    ];
    for (key, value) in expected {
        assert_eq!(open[key], value);
    }
    assert_eq!(open["upgrades"], Value::Array(Vec::new()));
    one.send(Message::text("40")).await.unwrap();
    let connected = one.next().await.unwrap().unwrap().into_text().unwrap();
    for sid in [
        &open["sid"],
        &serde_json::from_str::<Value>(&connected[2..]).unwrap()["sid"],
    ] {
        let path = "/socket.io/?EIO=4&transport=polling&sid=";
        let path = format!("{path}{}", sid.as_str().unwrap());
        let refused = gateway.http.get(&path).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    }
}

#[tokio::test]
async fn the_websocket_below_answers_pings_and_a_close() {
    let gateway = Gateway::start().await;
    let mut stream = websocket(gateway.address, SOCKET_IO).await;
    opened(&mut stream).await;
    stream.send(Message::Ping("x".into())).await.unwrap();
    let pong = stream.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("x".into()));
    stream.send(Message::Close(None)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), Message::Close(None));
    assert!(stream.next().await.is_none());
}
