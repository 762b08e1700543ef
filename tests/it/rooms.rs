//! Rooms over Socket.IO: who hears what, in which order, and what is answered.

use std::time::Duration;

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};

use crate::fixture::{Gateway, Packet, SYSTEMS, Setup, Socket};

#[tokio::test]
async fn join_answers_with_a_snapshot_in_event_and_ack() {
    let gateway = Gateway::start().await;
    gateway
        .http
        .change("/systems/north/timer?seconds=60&by=pump")
        .await;
    gateway.advance(1_000);
    let mut socket = gateway.connect().await;
    let (ack, before) = socket.ask("join", &[json!("north")]).await;
    let system = gateway.http.get("/systems/north").await.json();
    assert_eq!(ack, json!({"ok": true, "system": system}));
    assert_eq!(
        before,
        [
            Packet::Event("state".into(), system["state"].clone()),
            Packet::Event("clock".into(), system["clock"].clone()),
        ]
    );
}

#[tokio::test]
async fn a_room_hears_its_own_system_and_no_other() {
    let gateway = Gateway::start().await;
    let mut north = gateway.join("north").await;
    let mut south = gateway.join("south").await;
    let mut nowhere = gateway.connect().await;
    gateway.http.change("/systems/north/manual").await;
    gateway.http.change("/systems/north/stop").await;
    gateway.http.change("/systems/south/timer").await;
    gateway.advance(750);

    assert_eq!(north.expect("state").await["mode"], "manual");
    assert_eq!(north.expect("state").await["mode"], "wait");
    assert_eq!(north.expect("action").await["id"], 2);
    let clock = north.expect("clock").await;
    assert_eq!(
        (&clock["system"], &clock["seq"]),
        (&json!("north"), &json!(2))
    );
    assert_eq!(south.expect("state").await["mode"], "timer");
    assert_eq!(south.expect("clock").await["seq"], 1);
    // Whatever had been sent to who joined nothing would stand before this ack.
    let (_, before) = nowhere.ask("leave", &[json!("north")]).await;
    assert_eq!(before, []);
}

#[tokio::test]
async fn unchanged_commands_are_not_told() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    gateway.http.post("/systems/north/stop").await;
    gateway.http.change("/systems/north/manual").await;
    gateway.http.post("/systems/north/manual").await;
    gateway.http.post("/systems/north/timer").await;
    gateway.http.change("/systems/north/stop").await;
    let seqs = [socket.expect("state").await, socket.expect("state").await];
    assert_eq!(seqs.map(|state| state["seq"].as_u64().unwrap()), [1, 2]);
}

#[tokio::test]
async fn who_left_hears_nothing_and_who_joins_again_is_up_to_date() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    assert_eq!(
        socket.ask("leave", &[json!("north")]).await.0,
        json!({"ok": true})
    );
    gateway.http.change("/systems/north/manual").await;
    let (ack, before) = socket.ask("join", &[json!("south")]).await;
    assert_eq!((&ack["ok"], before.len()), (&json!(true), 2));
    let (ack, before) = socket.ask("join", &[json!("north")]).await;
    assert_eq!(ack["system"]["state"]["seq"], 1);
    assert_eq!(before.len(), 2);
}

#[tokio::test]
async fn joining_twice_is_fine_and_leaving_once_is_enough() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    let (ack, before) = socket.ask("join", &[json!("north")]).await;
    assert_eq!((&ack["ok"], before.len()), (&json!(true), 2));
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(socket.expect("state").await["seq"], 1);
    socket.ask("leave", &[json!("north")]).await;
    gateway.http.change("/systems/north/stop").await;
    assert_eq!(socket.ask("leave", &[json!("north")]).await.1, []);
}

#[tokio::test]
async fn what_is_wrong_with_a_payload_is_said_and_the_socket_stays() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.join("north").await;
    let cases = [
        ("join", vec![json!("nowhere")], "unknown_system"),
        ("join", vec![json!("North")], "invalid_system_id"),
        ("join", vec![json!("")], "invalid_system_id"),
        ("join", vec![json!(7)], "bad_request"),
        ("join", vec![json!(null)], "bad_request"),
        ("join", vec![json!({"system": "north"})], "bad_request"),
        ("join", vec![json!(["north"])], "bad_request"),
        ("join", vec![], "bad_request"),
        ("leave", vec![json!("../etc")], "invalid_system_id"),
        ("leave", vec![json!(false)], "bad_request"),
        ("stop", vec![json!("north")], "bad_request"),
        ("state", vec![json!({"seq": 9})], "bad_request"),
    ];
    for (event, payload, code) in cases {
        let (ack, before) = socket.ask(event, &payload).await;
        assert_eq!(ack["ok"], false, "{event} {payload:?}");
        assert_eq!(ack["error"]["code"], code, "{event} {payload:?}: {ack}");
        assert!(
            ack["error"]["message"]
                .as_str()
                .is_some_and(|m| !m.is_empty())
        );
        assert_eq!(before, []);
    }
    gateway.http.change("/systems/north/manual").await;
    assert_eq!(socket.expect("state").await["seq"], 1);
}

#[tokio::test]
async fn an_event_that_follows_the_connect_at_once_is_answered() {
    let gateway = Gateway::start().await;
    for _ in 0..50 {
        let mut socket = gateway.connect().await;
        assert_eq!(socket.join("north").await["ok"], true);
    }
}

#[tokio::test]
async fn join_and_leave_of_one_client_are_taken_in_order() {
    let gateway = Gateway::start().await;
    let mut socket = gateway.connect().await;
    for _ in 0..100 {
        socket
            .send_raw(r#"42["join","north"]"#.into())
            .await
            .unwrap();
        socket
            .send_raw(r#"42["leave","north"]"#.into())
            .await
            .unwrap();
    }
    // All snapshots have come when a later join is answered; then the room must be empty.
    assert_eq!(socket.join("south").await["ok"], true);
    gateway.http.change("/systems/north/manual").await;
    gateway.http.change("/systems/south/manual").await;
    assert_eq!(socket.expect("state").await["system"], "south");
}

#[tokio::test]
async fn a_socket_joins_as_many_systems_as_it_may_and_no_more() {
    let many: String = (0..129)
        .map(|i| format!("[[systems]]\nid = \"s{i}\"\n"))
        .collect();
    let gateway = Setup::with(&many).start().await;
    let mut socket = gateway.connect().await;
    for i in 0..128 {
        assert_eq!(socket.join(&format!("s{i}")).await["ok"], true, "{i}");
    }
    let refused = socket.join("s128").await;
    assert_eq!(refused["error"]["code"], "too_many_joins", "{refused}");
    assert_eq!(socket.join("s127").await["ok"], true, "again is not more");
    gateway.advance(750);
    let mut ticked = Vec::new();
    for _ in 0..128 {
        ticked.push(
            socket.expect("clock").await["system"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
    }
    ticked.sort_unstable();
    ticked.dedup();
    assert_eq!(ticked.len(), 128, "every room ticks");
    socket.ask("leave", &[json!("s5")]).await;
    assert_eq!(socket.join("s128").await["ok"], true);
}

/// What one watcher saw of a system.
#[derive(Default)]
struct Seen {
    state: u64,
    went_back: Vec<(u64, u64)>,
    clock_before_state: Vec<(u64, u64)>,
}

impl Seen {
    fn note(&mut self, packet: &Packet) {
        match packet {
            Packet::Event(name, payload) if name == "state" => {
                let seq = payload["seq"].as_u64().unwrap();
                if seq < self.state {
                    self.went_back.push((self.state, seq));
                }
                self.state = seq;
            }
            Packet::Event(name, payload) if name == "clock" => {
                let seq = payload["seq"].as_u64().unwrap();
                if seq > self.state {
                    self.clock_before_state.push((self.state, seq));
                }
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_while_the_state_changes_misses_nothing_and_never_goes_back() {
    const WATCHERS: usize = 32;
    const CHANGES: u64 = 400;
    let gateway = Gateway::start().await;
    let http = gateway.http.clone();
    let changes = tokio::spawn(async move {
        for _ in 0..CHANGES / 2 {
            http.change("/systems/north/manual").await;
            http.change("/systems/north/stop").await;
        }
    });
    let watchers = (0..WATCHERS).map(|i| {
        let address = gateway.address;
        tokio::spawn(async move {
            let mut socket = Socket::connect(address).await;
            // Each joins at another moment of the changes: after so many answers of its own.
            for _ in 0..i {
                socket.ask("leave", &[json!("north")]).await;
            }
            let (ack, before) = socket.ask("join", &[json!("north")]).await;
            let mut seen = Seen::default();
            before.iter().for_each(|packet| seen.note(packet));
            assert!(seen.state >= ack["system"]["state"]["seq"].as_u64().unwrap());
            while seen.state < CHANGES {
                seen.note(&socket.next().await);
            }
            (socket, seen)
        })
    });
    let watchers = join_all(watchers);
    tokio::pin!(watchers);
    let ticking = async {
        loop {
            // Time goes on meanwhile: a tick for each answer, so that clocks fall between the states.
            gateway.advance(1_000);
            gateway.http.get("/healthz").await;
        }
    };
    let watchers = tokio::select! {
        watchers = &mut watchers => watchers,
        () = ticking => unreachable!(),
    };
    changes.await.unwrap();
    for watcher in watchers {
        let (_, seen) = watcher.unwrap();
        assert_eq!(seen.state, CHANGES);
        assert_eq!(seen.went_back, []);
        assert_eq!(seen.clock_before_state, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_joins_around_a_change_ends_up_with_it_and_hears_of_it_once() {
    const ROUNDS: u64 = 500;
    let gateway = Gateway::start().await;
    let mut socket = gateway.connect().await;
    let room = [json!("north")];
    for seq in 1..=ROUNDS {
        let verb = if seq % 2 == 1 { "manual" } else { "stop" };
        let path = format!("/systems/north/{verb}");
        // Others may be before it in the queue for snapshots, and the change falls while it waits.
        for _ in 0..seq % 4 * 20 {
            let other = r#"42["join","limited"]"#;
            socket.send_raw(other.into()).await.unwrap();
        }
        let (_, (ack, mut heard)) =
            tokio::join!(gateway.http.change(&path), socket.ask("join", &room));
        assert_eq!(ack["ok"], true, "{ack}");
        let states = |heard: &[Packet]| {
            let states = heard.iter().filter_map(|packet| match packet {
                Packet::Event(name, state) if name == "state" && state["system"] == "north" => {
                    state["seq"].as_u64()
                }
                _ => None,
            });
            states.collect::<Vec<_>>()
        };
        // The change is on its way when its command is answered. It comes, and not twice.
        while !states(&heard).contains(&seq) {
            heard.push(socket.next().await);
        }
        heard.extend(socket.ask("join", &[json!("south")]).await.1);
        heard.extend(socket.ask("leave", &room).await.1);
        let states = states(&heard);
        let right = states == [seq] || states == [seq - 1, seq];
        assert!(right, "{states:?} around the change to {seq}");
    }
}

#[tokio::test]
async fn a_polling_client_hears_the_same() {
    let gateway = Gateway::start().await;
    let mut poller = Poller::connect(&gateway).await;
    poller.send(r#"420["join","north"]"#).await;
    let packets = poller.until("430").await;
    assert!(
        packets[0].starts_with(r#"42["state",{"system":"north","seq":0"#),
        "{packets:?}"
    );
    assert!(
        packets[1].starts_with(r#"42["clock",{"system":"north""#),
        "{packets:?}"
    );
    gateway.http.change("/systems/north/manual").await;
    let packets = poller.until(r#"42["state""#).await;
    let state: Value = serde_json::from_str(&packets.last().unwrap()[2..]).unwrap();
    assert_eq!(state[1]["mode"], "manual");
}

/// Engine.IO by HTTP long-polling alone.
struct Poller<'a> {
    gateway: &'a Gateway,
    path: String,
}

impl<'a> Poller<'a> {
    async fn connect(gateway: &'a Gateway) -> Self {
        let base = "/socket.io/?EIO=4&transport=polling";
        let open = gateway.http.get(base).await.text;
        let open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
        let sid = open["sid"].as_str().unwrap();
        let poller = Self {
            gateway,
            path: format!("{base}&sid={sid}"),
        };
        poller.send("40").await;
        poller
    }

    async fn send(&self, packet: &str) {
        let answer = self
            .gateway
            .http
            .send(Method::POST, &self.path, &[], packet.to_owned())
            .await;
        assert_eq!(answer.text, "ok");
    }

    /// Polls until a packet begins so, and returns the events and acks up to it.
    async fn until(&mut self, prefix: &str) -> Vec<String> {
        let mut packets = Vec::new();
        loop {
            let answer = self.gateway.http.get(&self.path).await;
            for packet in answer.text.split('\u{1e}') {
                match packet {
                    "2" => self.send("3").await,
                    packet if packet.starts_with("42") || packet.starts_with("43") => {
                        packets.push(packet.to_owned());
                        if packet.starts_with(prefix) {
                            return packets;
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

#[tokio::test]
async fn a_gateway_that_stops_lets_go_of_its_clients_and_they_may_come_back() {
    let gateway = Gateway::start().await;
    gateway.http.change("/systems/north/manual").await;
    let mut socket = gateway.join("north").await;
    let folder = gateway.stop().await;
    assert_eq!(socket.next().await, Packet::Closed);
    let gateway = Setup::with(SYSTEMS)
        .on(folder)
        .later(Duration::from_secs(3))
        .start()
        .await;
    let mut socket = gateway.connect().await;
    let ack = socket.join("north").await;
    assert_eq!(ack["system"]["state"]["elapsed_ms"], 3_000);
}
