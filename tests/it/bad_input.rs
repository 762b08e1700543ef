//! What is wrong is said in the shape of the contract, and changes nothing for anybody.

use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Gateway, Packet, Socket, websocket};

/// Method, path, body, status, code.
const TABLE: &[(&str, &str, &str, u16, &str)] = &[
    (
        "POST",
        "/systems/north/timer?seconds=-1",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=0",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=86401",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=1000000000000",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=1e12",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=99999999999999999999999",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=abc",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=5.5",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=%2B5",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=5&seconds=6",
        "",
        400,
        "invalid_seconds",
    ),
    (
        "GET",
        "/systems/north/timer?seconds=-1",
        "",
        400,
        "invalid_seconds",
    ),
    ("GET", "/timer?seconds=abc", "", 400, "invalid_seconds"),
    (
        "POST",
        "/systems/north/timer",
        r#"{"seconds": "five"}"#,
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer",
        r#"{"seconds": null}"#,
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer",
        r#"{"seconds": 1.5}"#,
        400,
        "invalid_seconds",
    ),
    (
        "POST",
        "/systems/north/timer",
        r#"{"second": 5}"#,
        400,
        "bad_request",
    ),
    (
        "POST",
        "/systems/north/timer?seconds=5",
        r#"{"seconds": 5}"#,
        400,
        "bad_request",
    ),
    (
        "POST",
        "/systems/north/timer",
        "seconds=5",
        400,
        "bad_request",
    ),
    ("POST", "/systems/north/timer", "[5]", 400, "bad_request"),
    (
        "POST",
        "/systems/north/manual",
        r#"{"seconds": 5}"#,
        400,
        "bad_request",
    ),
    (
        "POST",
        "/systems/north/manual",
        r#"{"by": 5}"#,
        400,
        "bad_request",
    ),
    ("POST", "/systems/north/stop", "{", 400, "bad_request"),
    (
        "POST",
        "/systems/north/manual?by=a%0Ab",
        "",
        400,
        "bad_request",
    ),
    (
        "POST",
        "/systems/north/manual?by=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "",
        400,
        "bad_request",
    ),
    ("POST", "/systems/nowhere/manual", "", 404, "unknown_system"),
    ("GET", "/systems/nowhere", "", 404, "unknown_system"),
    ("GET", "/systems/nowhere/history", "", 404, "unknown_system"),
    ("GET", "/systems/nowhere/ws", "", 404, "unknown_system"),
    ("POST", "/systems/North/stop", "", 400, "invalid_system_id"),
    ("GET", "/systems/-north", "", 400, "invalid_system_id"),
    ("GET", "/systems/n%20orth", "", 400, "invalid_system_id"),
    (
        "GET",
        "/systems/n%2Forth/history",
        "",
        400,
        "invalid_system_id",
    ),
    ("GET", "/systems/%FF", "", 400, "bad_request"),
    (
        "GET",
        "/systems/north/history?limit=0",
        "",
        400,
        "invalid_limit",
    ),
    (
        "GET",
        "/systems/north/history?limit=101",
        "",
        400,
        "invalid_limit",
    ),
    (
        "GET",
        "/systems/north/history?limit=ten",
        "",
        400,
        "invalid_limit",
    ),
    (
        "GET",
        "/systems/north/history?limit=-1",
        "",
        400,
        "invalid_limit",
    ),
    (
        "GET",
        "/systems/north/history?before=x",
        "",
        400,
        "bad_request",
    ),
    ("GET", "/systems/north/ws", "", 400, "bad_request"),
    ("GET", "/ws", "", 400, "bad_request"),
    ("GET", "/nothing", "", 404, "not_found"),
    ("GET", "/systems/north/water", "", 404, "not_found"),
    ("GET", "/systems/", "", 404, "not_found"),
    ("GET", "/systems/north/../south", "", 404, "not_found"),
    ("DELETE", "/systems/north", "", 405, "method_not_allowed"),
    (
        "PUT",
        "/systems/north/timer?seconds=5",
        "",
        405,
        "method_not_allowed",
    ),
    ("GET", "/systems?running=yes", "", 400, "bad_request"),
    ("GET", "/systems?running=True", "", 400, "bad_request"),
    ("GET", "/systems?running=", "", 400, "bad_request"),
    ("GET", "/systems?running", "", 400, "bad_request"),
    (
        "GET",
        "/systems?running=true&running=true",
        "",
        400,
        "bad_request",
    ),
    ("POST", "/systems", "", 405, "method_not_allowed"),
    (
        "POST",
        "/systems/north/history",
        "",
        405,
        "method_not_allowed",
    ),
    ("PATCH", "/stop", "", 405, "method_not_allowed"),
    ("POST", "/healthz", "", 405, "method_not_allowed"),
];

#[tokio::test]
async fn over_http_every_wrong_request_gets_its_code_and_nothing_changes() {
    let gateway = Gateway::start().await;
    let mut watcher = gateway.join("north").await;
    for (method, path, body, status, code) in TABLE {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = gateway.http.send(method, path, &[], *body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (*status, *code),
            "{path} {body}"
        );
        assert_eq!(answer.headers["content-type"], "application/json", "{path}");
    }
    let state = gateway.http.state("north").await;
    assert_eq!((&state["seq"], &state["mode"]), (&json!(0), &json!("wait")));
    assert_eq!(gateway.http.history("north").await.len(), 0);
    assert_eq!(
        watcher.ask("leave", &[json!("south")]).await.1,
        [],
        "nobody heard anything"
    );
}

#[tokio::test]
async fn a_405_says_what_is_allowed() {
    let gateway = Gateway::start().await;
    let answer = gateway
        .http
        .send(Method::DELETE, "/systems/north/stop", &[], "")
        .await;
    let allow = answer.headers["allow"].to_str().unwrap();
    assert_eq!(allow, "GET,POST");
}

#[tokio::test]
async fn who_only_looks_opens_no_valve() {
    let gateway = Gateway::start().await;
    for path in ["/systems/north/manual", "/manual", "/systems/north/timer"] {
        let answer = gateway.http.send(Method::HEAD, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "HEAD {path}");
        assert_eq!(answer.headers["allow"], "GET,POST");
        for headers in [
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
        ] {
            let answer = gateway.http.send(Method::GET, path, &[headers], "").await;
            assert_eq!(answer.error_code(), "bad_request", "{headers:?} {path}");
        }
    }
    assert_eq!(gateway.http.state("north").await["seq"], 0);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_connection_of_others_goes_on() {
    let gateway = Gateway::start().await;
    let mut watcher = gateway.join("north").await;
    let large = "x".repeat(16_385);
    for path in ["/systems/north/manual", "/manual"] {
        let answer = gateway
            .http
            .send(Method::POST, path, &[], large.clone())
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.error_code().as_str()),
            (413, "too_large")
        );
        assert!(
            answer.text.contains("16384"),
            "what is allowed: {}",
            answer.text
        );
    }
    for (method, path) in [
        (Method::GET, "/systems"),
        (Method::PUT, "/stop"),
        (Method::POST, "/nowhere"),
        (Method::POST, "/systems/nowhere/stop"),
    ] {
        let answer = gateway.http.send(method, path, &[], large.clone()).await;
        assert_eq!(answer.error_code(), "too_large", "{path}");
    }
    // In pieces, so that nobody knows the length before.
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let head =
        "POST /systems/north/manual HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let piece = format!("{head}4001\r\n{large}\r\n0\r\n\r\n");
    stream.write_all(piece.as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    assert_eq!(gateway.http.state("north").await["seq"], 0);
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(watcher.expect("state").await["seq"], 1);
}

#[tokio::test]
async fn a_frame_that_is_too_large_costs_only_who_sent_it() {
    let gateway = Gateway::start().await;
    let mut watcher = gateway.join("north").await;
    let mut large = gateway.join("north").await;
    let event = format!("42[\"join\",\"{}\"]", "x".repeat(20_000));
    // The gateway may close while the rest is on its way.
    let _ = large.send_raw(event).await;
    assert_eq!(large.next().await, Packet::Closed);

    let mut feed = websocket(gateway.address, "/ws").await;
    let message = tokio_tungstenite::tungstenite::Message::text("x".repeat(20_000));
    let _ = futures_util::SinkExt::send(&mut feed, message).await;
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut feed).await {}

    gateway.http.change("/systems/north/manual").await;
    assert_eq!(watcher.expect("state").await["seq"], 1);
}

#[tokio::test]
async fn what_is_no_socket_io_packet_costs_only_who_sent_it() {
    let gateway = Gateway::start().await;
    let mut watcher = gateway.join("north").await;
    for noise in [
        "",
        "x",
        "4",
        "42",
        "42[",
        "42[]",
        "42[1]",
        "42{}",
        "49",
        "99",
        "420",
        "451-[\"join\",{\"_placeholder\":true,\"num\":0}]",
    ] {
        let mut socket = Socket::connect(gateway.address).await;
        // It may be cut for it.
        let _ = socket.send_raw(noise.into()).await;
    }
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(watcher.expect("state").await["seq"], 1);
}

#[tokio::test]
async fn pages_of_other_origins_open_no_valve_unless_they_are_allowed() {
    let config =
        "[cors]\nallowed_origins = [\"http://good.example\"]\n[[systems]]\nid = \"north\"\n";
    let gateway = crate::fixture::Setup::with(config).start().await;
    let own = format!("http://{}", gateway.address);
    let refused: &[&[(&str, &str)]] = &[
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
    ];
    let paths = [
        "/systems/north/manual",
        "/manual",
        "/socket.io/?EIO=4&transport=polling",
    ];
    for headers in refused {
        for path in paths {
            let answer = gateway.http.send(Method::GET, path, headers, "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.error_code().as_str()),
                (403, "origin_not_allowed"),
                "{path} {headers:?}"
            );
        }
    }
    assert_eq!(gateway.http.state("north").await["seq"], 0);
    let allowed: &[&[(&str, &str)]] = &[
        &[("origin", "http://good.example")],
        &[("origin", &own)],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[],
    ];
    for headers in allowed {
        for path in paths {
            let answer = gateway.http.send(Method::GET, path, headers, "").await;
            assert_eq!(answer.status, StatusCode::OK, "{path} {headers:?}");
        }
    }
}

#[tokio::test]
async fn a_foreign_name_that_was_made_to_point_to_the_gateway_is_foreign() {
    let config =
        "[cors]\nallowed_origins = [\"https://farm.example\"]\n[[systems]]\nid = \"north\"\n";
    let gateway = crate::fixture::Setup::with(config).start().await;
    let send = async |host: &str, headers: &[(&str, &str)]| {
        let headers = [&[("host", host)], headers].concat();
        let answer = gateway
            .http
            .send(Method::POST, "/systems/north/stop", &headers, "")
            .await;
        answer.status.as_u16()
    };
    for host in ["evil.example", "evil.example:8001"] {
        assert_eq!(
            send(host, &[("origin", &format!("http://{host}"))]).await,
            403
        );
        assert_eq!(send(host, &[("sec-fetch-site", "same-origin")]).await, 403);
        assert_eq!(send(host, &[]).await, 200, "no browser");
    }
    for host in [
        "localhost:8001",
        "192.0.2.7",
        "[2001:db8::1]:8001",
        "acequia",
        "box.local:8001",
        "farm.example",
    ] {
        let scheme = if host == "farm.example" {
            "https"
        } else {
            "http"
        };
        assert_eq!(
            send(host, &[("origin", &format!("{scheme}://{host}"))]).await,
            200,
            "{host}"
        );
        assert_eq!(
            send(host, &[("sec-fetch-site", "same-origin")]).await,
            200,
            "{host}"
        );
    }
}

#[tokio::test]
async fn pages_that_are_allowed_may_read_the_answers() {
    let config = "[cors]\nallowed_origins = [\"*\"]\n";
    let gateway = crate::fixture::Setup::with(config).start().await;
    let page = [("origin", "http://localhost:3000")];
    for path in [
        "/systems",
        "/nothing",
        "/socket.io/?EIO=4&transport=polling",
    ] {
        let answer = gateway.http.send(Method::GET, path, &page, "").await;
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
    }
    let preflight = [
        page[0],
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = gateway
        .http
        .send(Method::OPTIONS, "/systems/default/stop", &preflight, "")
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer.headers["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("POST")
    );
    assert_eq!(answer.headers["access-control-allow-headers"], "*");
}
