//! Limits: what one client can take from the others.

use futures_util::StreamExt;
use futures_util::future::join_all;
use hyper::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::fixture::{
    Http, Process, SYSTEMS, Setup, Socket, WATCHDOG, open_files, resident_kib, websocket,
};
use crate::load::number;

#[tokio::test]
async fn beyond_the_connections_a_client_is_told_that_it_is_full_and_stop_still_works() {
    let config = format!("[limits]\nconnections = 4\n{SYSTEMS}");
    let gateway = Setup::with(&config).start().await;
    gateway.http.change("/systems/north/manual").await;
    let mut sockets = Vec::new();
    for _ in 0..3 {
        sockets.push(gateway.connect().await);
    }
    let late = Http::new(gateway.address);
    let answer = late.get("/systems").await;
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (StatusCode::SERVICE_UNAVAILABLE, "overloaded")
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(
        late.post("/systems/north/timer").await.error_code(),
        "overloaded"
    );
    assert_eq!(
        late.post("/systems/north/stop").await.json()["changed"],
        true
    );
    assert_eq!(late.get("/stop").await.text, "stop");
    for socket in sockets {
        socket.close().await;
    }
    assert_eq!(
        Http::new(gateway.address).get("/systems").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_connection_that_ended_makes_room_for_the_next() {
    let config = format!("[limits]\nconnections = 2\n{SYSTEMS}");
    let gateway = Setup::with(&config).start().await;
    for _ in 0..20 {
        let mut socket = gateway.connect().await;
        assert_eq!(socket.join("north").await["ok"], true);
        socket.close().await;
    }
}

#[tokio::test]
async fn who_does_not_finish_the_headers_is_cut() {
    let config = format!("[limits]\nheader_timeout_ms = 200\n{SYSTEMS}");
    let gateway = Setup::with(&config).start().await;
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    slow.write_all(b"GET /systems HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(WATCHDOG, slow.read_to_end(&mut rest)).await;
    read.expect("cut").unwrap();
    let mut silent = TcpStream::connect(gateway.address).await.unwrap();
    let read = tokio::time::timeout(WATCHDOG, silent.read_to_end(&mut rest)).await;
    read.expect("cut").unwrap();
}

#[tokio::test]
async fn who_does_not_finish_the_body_is_told_so() {
    let config = format!("[limits]\nheader_timeout_ms = 200\n{SYSTEMS}");
    let gateway = Setup::with(&config).start().await;
    let mut slow = TcpStream::connect(gateway.address).await.unwrap();
    let head = b"POST /systems/north/manual HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{";
    slow.write_all(head).await.unwrap();
    let mut answer = [0; 12];
    let read = tokio::time::timeout(WATCHDOG, slow.read_exact(&mut answer)).await;
    read.expect("answered").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert_eq!(gateway.http.state("north").await["seq"], 0);
}

#[tokio::test]
async fn a_session_that_is_opened_and_not_connected_ends_as_unfinished_headers_do() {
    let folder = TempDir::new().unwrap();
    let config = format!("[limits]\nheader_timeout_ms = 200\n{SYSTEMS}");
    let gateway = Process::start(folder.path(), &config, &[]);
    let tasks = async || number(&gateway.http.get("/healthz").await.json(), "tasks");
    let before = tasks().await;
    for _ in 0..10 {
        drop(websocket(gateway.address, "/socket.io/?EIO=4&transport=websocket").await);
    }
    let forgotten = async { while tasks().await > before {} };
    let forgotten = tokio::time::timeout(WATCHDOG, forgotten).await;
    forgotten.expect("no task waits for who is gone");
    let mut silent = websocket(gateway.address, "/socket.io/?EIO=4&transport=websocket").await;
    let cut = async { while let Some(Ok(_)) = silent.next().await {} };
    let cut = tokio::time::timeout(WATCHDOG, cut).await;
    cut.expect("who is there and says nothing is cut");
}

/// Milliseconds between the second that a clock shows and its arrival.
fn lateness_ms(clock: &serde_json::Value) -> i64 {
    let shown = clock["now"].as_str().unwrap();
    let shown = chrono::NaiveDateTime::parse_from_str(shown, "%Y-%m-%dT%H:%M:%S").unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the test compares with the same wall clock"
    )]
    let now = chrono::Local::now().naive_local();
    (now - shown).num_milliseconds()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_reading_is_cut_and_the_others_notice_nothing() {
    let folder = TempDir::new().unwrap();
    let config = format!("[limits]\ntcp_user_timeout_ms = 1000\n{SYSTEMS}");
    let gateway = Process::start(folder.path(), &config, &[]);
    // Each reads all the time: who waited for the others would be one who stops reading.
    let mut watchers = Vec::new();
    for _ in 0..5 {
        let mut socket = Socket::connect(gateway.address).await;
        socket.join("north").await;
        let (heard, lateness) = mpsc::channel(64);
        watchers.push(lateness);
        tokio::spawn(async move {
            while heard
                .send(lateness_ms(&socket.event("clock").await))
                .await
                .is_ok()
            {}
        });
    }
    let changes = {
        let http = gateway.http.clone();
        tokio::spawn(async move {
            loop {
                http.change("/systems/north/manual").await;
                http.change("/systems/north/stop").await;
            }
        })
    };
    // A round without anybody who stalls, so that what is measured is warm.
    for lateness in &mut watchers {
        lateness.recv().await.expect("a clock");
    }
    let (files, resident) = (open_files(&gateway), resident_kib(&gateway));
    let mut stalled = Vec::new();
    for _ in 0..3 {
        let mut socket = Socket::connect_with_receive_buffer(gateway.address, 2048).await;
        socket.join("north").await;
        stalled.push(socket);
    }
    assert_eq!(open_files(&gateway), files + stalled.len());

    let mut ticks = 0;
    while open_files(&gateway) > files {
        ticks += 1;
        assert!(
            ticks <= 10,
            "cut within the timeout, a second, and what the kernel takes to notice"
        );
        let late = watchers.iter_mut().map(mpsc::Receiver::recv);
        let late = join_all(late).await;
        assert!(
            late.iter().all(|ms| ms.is_some_and(|ms| ms <= 100)),
            "the tick came {late:?} ms late, or not at all"
        );
    }
    let grown = resident_kib(&gateway).saturating_sub(resident);
    assert!(grown < 4096, "{grown} KiB more than before");
    changes.abort();
}
