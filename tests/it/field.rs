//! A field under load, for campaigns of faults: controllers that send a command again, with its key, until it is answered,
//! ponds whose runs are measured, and the account of it all, which verdict.rs judges.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::{Method, StatusCode};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::dice::Dice;
use crate::fixture::{Http, WATCHDOG, instant};
use crate::load::number;
use crate::verdict::{Figures, Wrong};

/// Systems that many controllers command.
const FIELDS: usize = 8;
/// Systems that nobody commands but the test, to measure how long their runs last.
const PONDS: usize = 4;
pub(crate) const CONTROLLERS: usize = 12;
const VERBS: &[&str] = &[
    "manual?",
    "stop?",
    "timer?seconds=1&",
    "timer?seconds=3600&",
];
/// A controller that has waited for so long sends its command again.
const PATIENCE: Duration = Duration::from_millis(400);
/// Between two attempts of a controller, and two looks at a run.
const PAUSE: Duration = Duration::from_millis(5);

pub(crate) fn systems() -> Vec<String> {
    let fields = (0..FIELDS).map(|i| format!("field-{i}"));
    let ponds = (0..PONDS).map(|i| format!("pond-{i}"));
    fields.chain(ponds).collect()
}

pub(crate) fn config() -> String {
    let systems = systems().into_iter();
    systems
        .map(|id| format!("[[systems]]\nid = \"{id}\"\n"))
        .collect()
}

/// What happened to the commands of the controllers.
#[derive(Debug, Default)]
pub(crate) struct Account {
    /// The name of each command and the answer that it got in the end.
    pub(crate) answered: Vec<(String, Value)>,
    pub(crate) sent: usize,
    pub(crate) refused: usize,
}

/// Where the gateways are at this moment.
pub(crate) type Gateways = watch::Receiver<Vec<SocketAddr>>;

/// What everybody shares.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) gateways: Gateways,
    pub(crate) over: watch::Receiver<bool>,
    pub(crate) account: Arc<Mutex<Account>>,
}

impl Field {
    /// Sends a command, again and again with the same key, to one gateway after the other until it is answered. Nothing
    /// if the round ends before.
    pub(crate) async fn carry_out(&self, system: &str, verb: &str, by: &str) -> Option<Value> {
        let mut pause = interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let path = format!("/systems/{system}/{verb}by={by}");
        let key = [("Idempotency-Key", by)];
        let first = by.bytes().map(usize::from).sum::<usize>();
        for attempt in first.. {
            pause.tick().await;
            let Some(address) = self.gateway(attempt) else {
                continue;
            };
            let http = Http::new(address);
            self.account.lock().unwrap().sent += 1;
            let sent = timeout(PATIENCE, http.try_send(Method::POST, &path, &key, "")).await;
            match sent {
                Ok(Ok(answer)) if answer.status == StatusCode::OK => {
                    let outcome = answer.json();
                    let answered = (by.to_owned(), outcome.clone());
                    self.account.lock().unwrap().answered.push(answered);
                    return Some(outcome);
                }
                Ok(Ok(answer)) => {
                    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
                    self.account.lock().unwrap().refused += 1;
                }
                // Gone, or silent for too long.
                Ok(Err(_)) | Err(_) => {}
            }
            if *self.over.borrow() {
                return None;
            }
        }
        None
    }

    fn gateway(&self, n: usize) -> Option<SocketAddr> {
        let gateways = self.gateways.borrow();
        gateways.get(n % gateways.len().max(1)).copied()
    }

    /// Lets a run begin, and measures by how many milliseconds it was longer than asked, as somebody sees it who looks
    /// at every gateway all the time.
    pub(crate) async fn overrun_ms(&self, pond: &str, seconds: u32, by: &str) -> u64 {
        let verb = format!("timer?seconds={seconds}&");
        let began = self.carry_out(pond, &verb, by).await;
        let began = began.expect("the round waits for the ponds");
        let asked = instant() + Duration::from_secs(seconds.into());
        let seq = number(&began["state"], "seq");
        let eyes = self.gateways.borrow().len();
        let looks = (0..eyes).map(|eye| self.sees_the_end(eye, pond, seq));
        let seen = join_all(looks).await.into_iter();
        let over = seen.map(|(since, end)| end.saturating_duration_since(asked.max(since)));
        u64::try_from(over.max().unwrap().as_millis()).unwrap()
    }

    /// Looks at the gateway with this number, whichever it is, until a run has ended. Returns since when it has answered
    /// without a break, knowing that what it shows is so, and when it showed the end. While it is away, or does not
    /// know, it shows no end that there is.
    async fn sees_the_end(&self, eye: usize, pond: &str, seq: u64) -> (Instant, Instant) {
        let mut pause = interval(PAUSE);
        pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let path = format!("/systems/{pond}");
        let mut since = Some(instant());
        loop {
            pause.tick().await;
            let look = async {
                let http = Http::new(self.gateway(eye)?);
                let looked = http.try_send(Method::GET, &path, &[], "");
                let answer = timeout(PATIENCE, looked).await.ok()?.ok()?;
                let system = (answer.status == StatusCode::OK).then(|| answer.json())?;
                let knows = system["clock"]["stale_ms"].is_null();
                knows.then(|| system["state"].clone())
            };
            let Some(state) = look.await else {
                since = None;
                continue;
            };
            let (since, now) = (*since.get_or_insert_with(instant), instant());
            if number(&state, "seq") > seq && state["mode"] == "wait" {
                return (since, now);
            }
        }
    }

    /// Waits while something lasts: for so many more answers, or refusals.
    pub(crate) async fn until(&self, enough: impl Fn(&Account) -> bool) {
        let mut pause = interval(PAUSE);
        let waited = async {
            while !enough(&self.account.lock().unwrap()) {
                pause.tick().await;
            }
        };
        timeout(WATCHDOG, waited).await.expect("the load goes on");
    }

    /// Waits for so many more answers.
    pub(crate) async fn answers(&self, count: usize) {
        let enough = self.account.lock().unwrap().answered.len() + count;
        self.until(|account| account.answered.len() >= enough).await;
    }

    /// Commands one system after the other until the round is over.
    pub(crate) async fn controller(self, name: String, mut choices: StdRng) {
        for n in 0.. {
            let system = format!("field-{}", choices.random_range(0..FIELDS));
            let verb = VERBS.choose(&mut choices).unwrap();
            self.carry_out(&system, verb, &format!("{name}-{n}")).await;
            if *self.over.borrow() {
                return;
            }
        }
    }
}

/// A place where something can go wrong.
pub(crate) trait Site {
    type Fault: Copy + Debug + Ord;

    fn gateways(&self) -> Gateways;

    /// Of a gateway that is ready.
    fn http(&self) -> &Http;

    /// Lets something go wrong, and heals it.
    async fn strike(&mut self, fault: Self::Fault, field: &Field, dice: &mut Dice);
}

/// The controllers of a field, at work.
pub(crate) struct Load {
    pub(crate) field: Field,
    over: watch::Sender<bool>,
    controllers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Starts them; their commands have names that begin with this one.
    pub(crate) fn start(gateways: Gateways, name: &str, dice: &mut Dice) -> Self {
        let over = watch::Sender::new(false);
        let field = Field {
            gateways,
            over: over.subscribe(),
            account: Arc::default(),
        };
        let controllers = (0..CONTROLLERS).map(|i| {
            let name = format!("{name}c{i}");
            tokio::spawn(field.clone().controller(name, dice.another()))
        });
        let controllers = controllers.collect();
        Self {
            field,
            over,
            controllers,
        }
    }

    /// Lets them end.
    pub(crate) async fn end(self) -> Account {
        self.over.send_replace(true);
        for controller in self.controllers {
            controller.await.unwrap();
        }
        std::mem::take(&mut *self.field.account.lock().unwrap())
    }
}

/// The seq of each system, as a gateway shows it.
pub(crate) async fn seqs(http: &Http, systems: &[String]) -> BTreeMap<String, u64> {
    let mut seqs = BTreeMap::new();
    for system in systems {
        let seq = number(&http.state(system).await, "seq");
        seqs.insert(system.clone(), seq);
    }
    seqs
}

/// One round: under load something goes wrong, at a moment that chance chooses.
pub(crate) async fn round<S: Site>(
    site: &mut S,
    fault: S::Fault,
    dice: &mut Dice,
    figures: &mut Figures<S::Fault>,
) {
    let n = figures.rounds();
    let before = seqs(site.http(), &systems()).await;
    let load = Load::start(site.gateways(), &format!("r{n}"), dice);
    let field = load.field.clone();
    let ponds: Vec<_> = (0..PONDS)
        .map(|i| {
            let (field, seconds) = (field.clone(), dice.random_range(1..=2));
            tokio::spawn(async move {
                let (pond, by) = (format!("pond-{i}"), format!("r{n}p{i}"));
                field.overrun_ms(&pond, seconds, &by).await
            })
        })
        .collect();

    field.answers(dice.random_range(20..200)).await;
    site.strike(fault, &field, dice).await;
    field.answers(CONTROLLERS).await;
    for overrun in join_all(ponds).await {
        figures.overran(fault, overrun.unwrap());
    }
    let account = load.end().await;

    let wrong = Wrong::since(&before, site.http(), &account).await;
    figures.add(fault, &account, &wrong);
}
