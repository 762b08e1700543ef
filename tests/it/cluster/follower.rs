//! A client that stays with its systems whatever happens to the gateways: when its connection ends it goes to the next
//! one and joins again. It notes what it hears and judges whether it has missed anything.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::LOOK;
use crate::field::Gateways;
use crate::fixture::{Packet, Socket, instant};
use crate::load::number;

/// What one connection has brought.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) events: Vec<(Instant, String, Value)>,
}

/// The seqs that everybody must have heard of, once they are known.
pub(crate) type Goal = watch::Receiver<Option<BTreeMap<String, u64>>>;

/// Follows until all is heard that the goal says; returns what each connection has brought, in their order. The first is
/// to the gateway with this number.
pub(crate) async fn follow(
    gateways: Gateways,
    first: usize,
    systems: Vec<String>,
    goal: Goal,
) -> JoinHandle<Vec<Heard>> {
    let joined = watch::Sender::new(false);
    let mut is_joined = joined.subscribe();
    let following = tokio::spawn(async move {
        let mut connections = Vec::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for next in first.. {
            look.tick().await;
            let address = {
                let gateways = gateways.borrow();
                gateways[next % gateways.len()]
            };
            let Some(socket) = Socket::try_connect(address).await else {
                continue;
            };
            let (heard, done) = listen(socket, &systems, &goal, &joined).await;
            connections.push(heard);
            if done {
                break;
            }
        }
        connections
    });
    is_joined.wait_for(|joined| *joined).await.unwrap();
    following
}

/// Joins, and notes what comes until the connection ends or all is heard: true then.
async fn listen(
    mut socket: Socket,
    systems: &[String],
    goal: &Goal,
    joined: &watch::Sender<bool>,
) -> (Heard, bool) {
    let mut heard = Heard { events: Vec::new() };
    for system in systems {
        let join = format!("42{}", json!(["join", system]));
        if socket.send_raw(join).await.is_err() {
            return (heard, false);
        }
    }
    let mut seqs = BTreeMap::new();
    loop {
        match socket.next().await {
            Packet::Event(event, payload) => {
                // What belongs to a state has come when a clock tells of it.
                if event == "clock" {
                    let system = payload["system"].as_str().unwrap().to_owned();
                    seqs.insert(system, number(&payload, "seq"));
                }
                heard.events.push((instant(), event, payload));
            }
            Packet::Closed => return (heard, false),
            ack @ Packet::Ack(..) => panic!("nobody asked for {ack:?}"),
        }
        if seqs.len() == systems.len() {
            joined.send_replace(true);
        }
        // A clock of each system comes every second, so that this is looked at.
        let goal = goal.borrow();
        let is_reached = |goal: &BTreeMap<String, u64>| {
            let mut goal = goal.iter();
            goal.all(|(system, seq)| seqs.get(system).is_some_and(|heard| heard >= seq))
        };
        if goal.as_ref().is_some_and(is_reached) {
            return (heard, true);
        }
    }
}

impl Heard {
    pub(crate) fn of<'a>(
        &'a self,
        event: &'a str,
        system: &'a str,
    ) -> impl Iterator<Item = (Instant, &'a Value)> {
        let all = self.events.iter();
        let named =
            all.filter(move |(_, name, payload)| name == event && payload["system"] == system);
        named.map(|(at, _, payload)| (*at, payload))
    }

    pub(crate) fn seqs(&self, system: &str) -> Vec<u64> {
        let states = self.of("state", system);
        states.map(|(_, state)| number(state, "seq")).collect()
    }

    /// Every seq came once and in order, and no clock told of one before its state.
    pub(crate) fn must_be_without_a_gap(&self, system: &str) {
        let mut seq = None;
        for (_, event, payload) in &self.events {
            if payload["system"] != system {
                continue;
            }
            let now = number(payload, if event == "action" { "id" } else { "seq" });
            match event.as_str() {
                "state" => {
                    assert!(
                        seq.is_none_or(|seq| now == seq + 1),
                        "{payload} after {seq:?}: {:?}",
                        self.seqs(system)
                    );
                    seq = Some(now);
                }
                _ => assert_eq!(Some(now), seq, "{event} {payload}"),
            }
        }
    }

    /// When every system was shown for the first time.
    pub(crate) fn joined(&self, systems: &[String]) -> Option<Instant> {
        let shown = systems.iter().map(|system| {
            let mut states = self.of("state", system);
            states.next().map(|(at, _)| at)
        });
        shown.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}
