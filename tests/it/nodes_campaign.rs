//! A campaign of faults with more than one machine: three gateways on one Redis under load, and in every round something
//! goes wrong at a moment that chance chooses. Controllers that get no answer in time send their command again, with its
//! key, to the next gateway. Afterwards every answer is looked for, and every run is counted (field.rs, verdict.rs).

use std::time::Duration;

use rand::RngExt;
use rand::seq::SliceRandom;

use crate::cluster::proxy::Flow;
use crate::cluster::{Cluster, NODES};
use crate::dice::{Dice, report, rounds};
use crate::field::{self, CONTROLLERS, Field, Gateways, config};
use crate::fixture::Http;
use crate::verdict::Figures;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// kill -9 of a gateway, and a new start.
    NodeKilled,
    /// SIGSTOP of a gateway for a while.
    NodeFrozen,
    /// SIGTERM of a gateway, and a new start.
    NodeRestarted,
    /// kill -9 of Redis, and a new start on what it has left.
    RedisKilled,
    /// SIGSTOP of Redis for a while.
    RedisFrozen,
    /// Somebody sets the clock of Redis.
    RedisClockSet,
    /// The line of a gateway to Redis is cut, and there is none for a while.
    LineCut,
    /// It is cut or closed by halves, and is as good as ever at once.
    LineBroken,
    /// It is slow for a while.
    LineLate,
    /// Nothing comes through for a while, or no answers do; then all that was held back.
    LineSilent,
}

const FAULTS: [Fault; 10] = [
    Fault::NodeKilled,
    Fault::NodeFrozen,
    Fault::NodeRestarted,
    Fault::RedisKilled,
    Fault::RedisFrozen,
    Fault::RedisClockSet,
    Fault::LineCut,
    Fault::LineBroken,
    Fault::LineLate,
    Fault::LineSilent,
];

/// A run may be so much longer than asked, in milliseconds.
const TOO_LONG_MS: u64 = 1_000;

/// The machines, and how long it took at worst until all gateways were ready again.
struct Site {
    cluster: Cluster,
    worst_healing: Duration,
}

impl Site {
    /// Everybody has run out of patience, or was refused or answered, so often.
    async fn for_a_while(&self, field: &Field, dice: &mut Dice) {
        let sent = field.account.lock().unwrap().sent;
        let enough = sent + dice.random_range(1..=6) * CONTROLLERS;
        field.until(|account| account.sent >= enough).await;
    }

    async fn strike_a_node(&mut self, fault: Fault, field: &Field, dice: &mut Dice) {
        let node = dice.random_range(0..NODES);
        match fault {
            Fault::NodeKilled => {
                self.cluster.kill(node);
                self.for_a_while(field, dice).await;
                self.cluster.start_again(node).await;
            }
            Fault::NodeRestarted => {
                self.cluster.terminate(node).await;
                self.cluster.start_again(node).await;
            }
            _ => {
                self.cluster.process(node).signal("-STOP");
                self.for_a_while(field, dice).await;
                self.cluster.process(node).signal("-CONT");
            }
        }
    }

    async fn strike_redis(&mut self, fault: Fault, field: &Field, dice: &mut Dice) {
        match fault {
            Fault::RedisKilled => {
                self.cluster.redis.kill();
                if dice.random() {
                    self.for_a_while(field, dice).await;
                }
                self.cluster.redis.start_again();
            }
            Fault::RedisFrozen => {
                self.cluster.redis.signal("-STOP");
                self.for_a_while(field, dice).await;
                self.cluster.redis.signal("-CONT");
            }
            _ => {
                let hours = 3600 * dice.random_range(-48..=48_i64);
                let off_s = hours + dice.random_range(-90..=90);
                self.cluster.redis.set_clock(off_s);
            }
        }
    }

    async fn strike_the_line(&mut self, fault: Fault, field: &Field, dice: &mut Dice) {
        let proxy = &self.cluster.proxy;
        match fault {
            Fault::LineCut => proxy.go_down(),
            Fault::LineLate => {
                let mut late = || Flow::Late(Duration::from_millis(dice.random_range(0..400)));
                proxy.set(late(), late());
            }
            Fault::LineSilent if dice.random() => proxy.set(Flow::Open, Flow::Held),
            Fault::LineSilent => proxy.set(Flow::Held, Flow::Held),
            _ if dice.random() => return proxy.cut(),
            _ => return proxy.half_close(),
        }
        self.for_a_while(field, dice).await;
        self.cluster.proxy.heal();
    }
}

impl field::Site for Site {
    type Fault = Fault;

    fn gateways(&self) -> Gateways {
        self.cluster.gateways()
    }

    fn http(&self) -> &Http {
        self.cluster.http(0)
    }

    async fn strike(&mut self, fault: Fault, field: &Field, dice: &mut Dice) {
        match fault {
            Fault::NodeKilled | Fault::NodeFrozen | Fault::NodeRestarted => {
                self.strike_a_node(fault, field, dice).await;
            }
            Fault::RedisKilled | Fault::RedisFrozen | Fault::RedisClockSet => {
                self.strike_redis(fault, field, dice).await;
            }
            Fault::LineCut | Fault::LineBroken | Fault::LineLate | Fault::LineSilent => {
                self.strike_the_line(fault, field, dice).await;
            }
        }
        let healed = self.cluster.heals().await;
        self.worst_healing = self.worst_healing.max(healed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_between_gateways_no_answer_is_lost_nothing_waters_twice_or_too_long() {
    let mut dice = Dice::new();
    let mut site = Site {
        cluster: Cluster::start(&config()).await,
        worst_healing: Duration::ZERO,
    };
    let mut figures = Figures::new();
    let mut faults = FAULTS;
    faults.shuffle(&mut *dice);
    for fault in faults.into_iter().cycle().take(rounds(3)) {
        field::round(&mut site, fault, &mut dice, &mut figures).await;
    }
    figures.tell();
    let healing = site.worst_healing.as_millis();
    report(
        "worst time until all were ready again",
        &format!("{healing} ms"),
    );
    figures.must_be_right(TOO_LONG_MS);
}
