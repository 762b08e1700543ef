//! The original's routes and its raw feed, spoken as the original's clients speak them.

use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::fixture::{Gateway, SYSTEMS, Setup, WATCHDOG, WebSocket, websocket};

async fn frame(socket: &mut WebSocket) -> Option<Value> {
    let next = tokio::time::timeout(WATCHDOG, socket.next())
        .await
        .expect("a frame comes");
    match next? {
        Ok(Message::Text(text)) => Some(serde_json::from_str(&text).unwrap()),
        Ok(Message::Close(_)) | Err(_) => None,
        Ok(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn commands_answer_the_original_s_texts_and_move_the_default_system() {
    let config = format!("default_system = \"south\"\n{SYSTEMS}");
    let gateway = Setup::with(&config).start().await;
    let steps = [
        ("/timer?seconds=5", "timer mode starter", "timer"),
        ("/manual", "clock mode starter", "manual"),
        ("/manual", "clock mode starter", "manual"),
        ("/timer", "timer mode starter", "manual"),
        ("/stop", "stop", "wait"),
        ("/stop", "stop", "wait"),
        ("/timer", "timer mode starter", "timer"),
    ];
    for (path, text, mode) in steps {
        let answer = gateway.http.get(path).await;
        assert_eq!(
            (answer.status, answer.text.as_str()),
            (StatusCode::OK, text)
        );
        assert!(
            answer.headers["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        assert_eq!(gateway.http.state("south").await["mode"], mode, "{path}");
    }
    assert_eq!(gateway.http.state("south").await["remaining_ms"], 30_000);
    assert_eq!(gateway.http.state("north").await["seq"], 0);
}

#[tokio::test]
async fn the_default_system_is_the_first_that_is_configured() {
    let gateway = Gateway::start().await;
    gateway.http.get("/manual").await;
    assert_eq!(gateway.http.state("north").await["mode"], "manual");
}

#[tokio::test]
async fn history_has_the_original_s_shape() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    gateway.http.get("/timer?seconds=10").await;
    gateway.advance(10_000);
    socket.event("action").await;
    gateway.http.get("/manual").await;
    gateway.advance(5_000);
    gateway.http.get("/stop").await;
    let expected = json!([
        {"mode": "manual_mode", "timestamp": "2026-11-23T09:14:15.250", "since": "2026-11-23T09:14:10.250", "to": null},
        {"mode": "timer_mode", "timestamp": "2026-11-23T09:14:10.250", "since": "2026-11-23T09:14:00.250",
         "to": "2026-11-23T09:14:10.250"},
    ]);
    assert_eq!(gateway.http.get("/history").await.json(), expected);
}

#[tokio::test]
async fn history_shows_the_last_ten_and_interrupted_runs_as_dates_that_clients_can_read() {
    let gateway = Gateway::start().await;
    for _ in 0..11 {
        gateway.http.get("/manual").await;
        gateway.http.get("/stop").await;
    }
    gateway.http.get("/manual").await;
    let gateway = Setup::with(SYSTEMS)
        .on(gateway.stop().await)
        .rebooted()
        .start()
        .await;
    let rows = gateway.http.get("/history").await.json();
    assert_eq!(rows.as_array().unwrap().len(), 10);
    assert_eq!(
        rows[0],
        json!({"mode": "manual_mode", "timestamp": "2026-11-23T09:14:00.250",
               "since": "2026-11-23T09:14:00.250", "to": null})
    );
}

#[tokio::test]
async fn the_raw_feed_sends_everything_once_a_second_on_each_of_its_addresses() {
    let gateway = Gateway::start().await;
    for path in ["/ws", "/", "/systems/north/ws"] {
        let mut feed = websocket(gateway.address, path).await;
        let wait = json!({"mode": "wait_mode", "timestamp": "2026-11-23T09:14:00", "since": null, "to": null});
        assert_eq!(frame(&mut feed).await, Some(wait), "{path}");
    }
    let mut feed = websocket(gateway.address, "/ws").await;
    frame(&mut feed).await;
    gateway.http.get("/timer?seconds=10").await;
    gateway.advance(750);
    let timer = json!({"mode": "timer_mode", "timestamp": "2026-11-23T09:14:01",
                       "since": "2026-11-23T09:14:00.250", "to": "2026-11-23T09:14:10.250"});
    assert_eq!(frame(&mut feed).await, Some(timer));
    gateway.http.get("/manual").await;
    gateway.advance(1_000);
    let manual = json!({"mode": "manual_mode", "timestamp": "2026-11-23T09:14:02",
                        "since": "2026-11-23T09:14:01.000", "to": null});
    assert_eq!(frame(&mut feed).await, Some(manual));
}

#[tokio::test]
async fn the_raw_feed_closes_on_close_and_ignores_the_rest() {
    let gateway = Gateway::start().await;
    let mut feed = websocket(gateway.address, "/ws").await;
    frame(&mut feed).await;
    for noise in ["", "hello", "{\"mode\":\"manual_mode\"}", "CLOSE"] {
        feed.send(Message::text(noise)).await.unwrap();
    }
    feed.send(Message::binary(vec![0_u8, 1, 2])).await.unwrap();
    gateway.advance(750);
    assert_eq!(frame(&mut feed).await.unwrap()["mode"], "wait_mode");
    feed.send(Message::text("close")).await.unwrap();
    assert_eq!(frame(&mut feed).await, None);
}

#[tokio::test]
async fn the_raw_feed_ends_when_the_gateway_stops() {
    let gateway = Gateway::start().await;
    let mut feed = websocket(gateway.address, "/ws").await;
    frame(&mut feed).await;
    gateway.stop().await;
    assert_eq!(frame(&mut feed).await, None);
}
