//! The reference actuator before a gateway that is heard and does not reach its store: its clocks carry `stale_ms`, and
//! none of them keeps a valve open.
//!
//! The gateway is a scripted one: it tells what the test wants, and has no store to lose.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, SocketRef};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actuator::{Actuator, LEASE_MS, assert_lease, now_ms};

/// More often than once in a second, so that the tests are short.
const TICK: Duration = Duration::from_millis(200);

/// What the scripted gateway tells.
struct Told {
    seq: u64,
    mode: &'static str,
    /// Since when it has not reached its store.
    away_since: Option<i64>,
    /// When it told last that it reaches its store.
    known: i64,
}

impl Told {
    fn state(&self) -> Value {
        let by = (self.mode != "wait").then_some("Maria");
        json!({"system": "north", "seq": self.seq, "mode": self.mode, "start": null, "end": null,
            "elapsed_ms": null, "remaining_ms": null, "by": by})
    }

    fn clock(&mut self) -> Value {
        let mut clock = json!({"system": "north", "now": "2026-11-23T09:14:00", "seq": self.seq});
        match self.away_since {
            Some(since) => clock["stale_ms"] = json!(now_ms() - since),
            None => self.known = now_ms(),
        }
        clock
    }

    fn system(&mut self) -> Value {
        json!({"id": "north", "name": "North field", "timer_seconds": 10, "lease_seconds": LEASE_MS / 1000,
            "state": self.state(), "clock": self.clock()})
    }
}

/// A gateway of one system, ended when it is dropped.
struct Scripted {
    url: String,
    io: SocketIo,
    told: Arc<Mutex<Told>>,
    /// How many clocks were told.
    ticks: watch::Receiver<u64>,
    tasks: [JoinHandle<()>; 2],
}

impl Scripted {
    async fn start(mode: &'static str) -> Self {
        let told = Arc::new(Mutex::new(Told {
            seq: 1,
            mode,
            away_since: None,
            known: 0,
        }));
        let (layer, io) = SocketIo::new_layer();
        let script = Arc::clone(&told);
        io.ns("/", async move |socket: SocketRef| join(&socket, &script));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = axum::Router::new().layer(layer);
        let served = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        let (ticked, ticks) = watch::channel(0);
        let ticking = tokio::spawn(tick(io.clone(), Arc::clone(&told), ticked));
        Self {
            url,
            io,
            told,
            ticks,
            tasks: [served, ticking],
        }
    }

    fn change(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Its store is away from now on; returns when it was last said to be there.
    fn lose_store(&self) -> i64 {
        let mut told = self.told.lock().unwrap();
        told.away_since = Some(now_ms());
        told.known
    }

    fn find_store(&self) -> i64 {
        self.change(|told| told.away_since = None);
        now_ms()
    }

    /// A change, told at once.
    async fn become_mode(&self, mode: &'static str) {
        let mut state = Value::Null;
        self.change(|told| {
            (told.seq, told.mode) = (told.seq + 1, mode);
            state = told.state();
        });
        self.io.emit("state", &state).await.unwrap();
    }

    async fn ticks(&mut self, count: u64) {
        let last = *self.ticks.borrow() + count;
        self.ticks.wait_for(|told| *told >= last).await.unwrap();
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Its one room is everybody: state, clock and ack, as after every join.
fn join(socket: &SocketRef, told: &Arc<Mutex<Told>>) {
    let told = Arc::clone(told);
    socket.on("join", move |socket: SocketRef, ack: AckSender| {
        let mut told = told.lock().unwrap();
        socket.emit("state", &told.state()).unwrap();
        socket.emit("clock", &told.clock()).unwrap();
        ack.send(&json!({"ok": true, "system": told.system()}))
            .unwrap();
        std::future::ready(())
    });
}

async fn tick(io: SocketIo, told: Arc<Mutex<Told>>, ticked: watch::Sender<u64>) {
    let mut interval = tokio::time::interval(TICK);
    loop {
        interval.tick().await;
        let clock = told.lock().unwrap().clock();
        io.emit("clock", &clock).await.unwrap();
        ticked.send_modify(|count| *count += 1);
    }
}

#[tokio::test]
async fn clocks_of_a_gateway_that_does_not_reach_its_store_do_not_renew_the_lease() {
    let gateway = Scripted::start("wait").await;
    let mut actuator = Actuator::at(&gateway.url, "north", |_| {}).ready().await;
    gateway.become_mode("manual").await;
    actuator.says("open state").await;

    let known = gateway.lose_store();
    assert_lease(actuator.valve("closed lease").await - known);
    let found = gateway.find_store();
    let opened = actuator.valve("open state").await;
    assert!(opened >= found, "opened {} ms early", found - opened);
}

#[tokio::test]
async fn what_a_gateway_without_its_store_tells_closes_a_valve_at_once_and_opens_none() {
    let mut gateway = Scripted::start("manual").await;
    gateway.lose_store();
    let mut actuator = Actuator::at(&gateway.url, "north", |_| {}).ready().await;
    // Neither the snapshot nor a change opens it, however many clocks come.
    gateway.ticks(2).await;
    gateway.become_mode("timer").await;
    gateway.ticks(2).await;
    let found = gateway.find_store();
    let opened = actuator.valve("open state").await;
    assert!(opened >= found, "opened {} ms early", found - opened);

    gateway.lose_store();
    gateway.ticks(1).await;
    gateway.become_mode("wait").await;
    actuator.valve("closed state").await;
}

#[tokio::test]
async fn a_snapshot_of_a_gateway_without_its_store_opens_nothing_although_the_lease_of_the_last_one_lasts()
 {
    let mut gateway = Scripted::start("wait").await;
    let mut actuator = Actuator::at(&gateway.url, "north", |_| {}).ready().await;
    gateway.ticks(1).await;
    gateway.lose_store();
    // It was told `wait` by one that knew; what it is told next is older than that.
    gateway.change(|told| told.mode = "manual");
    gateway.io.disconnect().await.unwrap();
    actuator.says("lost").await;
    actuator.says("connected").await;
    gateway.ticks(3).await;
    let found = gateway.find_store();
    let opened = actuator.valve("open state").await;
    assert!(opened >= found, "opened {} ms early", found - opened);
}

#[tokio::test]
async fn a_gateway_that_does_not_reach_its_store_is_left_for_another_less_and_less_often() {
    let mut gateway = Scripted::start("wait").await;
    let mut actuator = Actuator::at(&gateway.url, "north", |_| {}).ready().await;
    gateway.ticks(2).await;
    let known = gateway.lose_store();
    let without = "lost a gateway that does not reach its store";
    let first = actuator.says(without).await - known;
    let back = actuator.says("connected").await;
    let second = actuator.says(without).await - back;
    assert!(
        first < LEASE_MS,
        "there is time for another within the lease: {first} ms"
    );
    assert!(second > first * 3 / 2, "{first} ms, then {second} ms");
}
