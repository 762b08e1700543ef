//! A campaign of faults: the real program under load, and in every round something goes wrong at a moment that chance
//! chooses. Controllers that get no answer in time send their command again, with its key. Afterwards every answer is
//! looked for in the states and histories, and every run is counted (field.rs, verdict.rs).

use std::net::SocketAddr;

use hyper::StatusCode;
use rand::RngExt;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::dice::{Dice, faults_in_full, rounds};
use crate::field::{self, CONTROLLERS, Field, Gateways, config};
use crate::fixture::{Http, Process, WATCHDOG};
use crate::machine::Machine;
use crate::verdict::Figures;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// kill -9, and a new start in the same boot of the machine.
    Killed,
    /// What was not synced is lost, and the machine boots anew.
    PowerCut,
    /// SIGSTOP for a while.
    Frozen,
    /// No room, for a while.
    DiskFull,
    /// No sync succeeds, for a while.
    DiskFails,
    /// Somebody sets the wall clock.
    ClockSet,
}

const FAULTS: [Fault; 6] = [
    Fault::Killed,
    Fault::PowerCut,
    Fault::Frozen,
    Fault::DiskFull,
    Fault::DiskFails,
    Fault::ClockSet,
];

/// The gateway of this moment, on the machine of this moment.
struct Site {
    machine: Machine,
    process: Option<Process>,
    gateways: watch::Sender<Vec<SocketAddr>>,
}

impl Site {
    fn new() -> Self {
        let machine = Machine::with_a_clock();
        let process = machine.start(&config());
        let gateways = watch::Sender::new(vec![process.address]);
        Self {
            machine,
            process: Some(process),
            gateways,
        }
    }

    fn start_again(&mut self) {
        let process = self.machine.start(&config());
        self.gateways.send_replace(vec![process.address]);
        self.process = Some(process);
    }
}

impl field::Site for Site {
    type Fault = Fault;

    fn gateways(&self) -> Gateways {
        self.gateways.subscribe()
    }

    fn http(&self) -> &Http {
        &self.process.as_ref().unwrap().http
    }

    async fn strike(&mut self, fault: Fault, field: &Field, dice: &mut Dice) {
        match fault {
            Fault::Killed => {
                self.process.take().unwrap().kill();
                self.start_again();
            }
            Fault::PowerCut => {
                self.process.take().unwrap().kill();
                self.machine = self.machine.after_a_power_cut();
                self.start_again();
            }
            Fault::Frozen => {
                let process = self.process.as_ref().unwrap();
                process.signal("-STOP");
                let sent = field.account.lock().unwrap().sent;
                // Everybody has run out of patience so often.
                let times = dice.random_range(1..=3);
                let enough = sent + times * CONTROLLERS;
                field.until(|account| account.sent >= enough).await;
                self.process.as_ref().unwrap().signal("-CONT");
            }
            Fault::DiskFull | Fault::DiskFails => {
                let fails = if fault == Fault::DiskFull {
                    "enospc"
                } else {
                    "eio"
                };
                self.machine.fail(fails);
                let refused = field.account.lock().unwrap().refused;
                let enough = refused + dice.random_range(10..200);
                field.until(|account| account.refused >= enough).await;
                self.machine.heal();
                let healed =
                    async { while self.http().get("/readyz").await.status != StatusCode::OK {} };
                timeout(WATCHDOG, healed).await.expect("it heals");
            }
            Fault::ClockSet => {
                let years = 365 * 86_400 * dice.random_range(-20..=20_i64);
                self.machine
                    .set_clock(years + dice.random_range(-7200..=7200));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_no_answer_is_lost_nothing_waters_twice_or_too_long() {
    let mut dice = Dice::new();
    let mut site = Site::new();
    let mut figures = Figures::new();
    for n in 0..rounds(FAULTS.len()) {
        let fault = FAULTS[n % FAULTS.len()];
        field::round(&mut site, fault, &mut dice, &mut figures).await;
    }
    figures.tell();
    // A program that was not optimized, on a machine that others use, may come late to look.
    figures.must_be_right(if faults_in_full() { 200 } else { 1_000 });
}
