//! Many connections on one thread, each in a closed loop: who has its answer asks for the next one.

use std::time::Duration;

use mio::{Events, Interest, Poll, Token};

use super::caller::Caller;
use crate::fanout::own_cpu_s;
use crate::process::Gateway;
use crate::{now, percentile};

/// A gateway that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many connections, which share so many systems out among them.
#[derive(Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) connections: usize,
    pub(crate) systems: usize,
}

/// What a time of load took.
pub(crate) struct Took {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Processor time of the gateway, in cores.
    pub(crate) gateway: f64,
    /// The same of the load program: it is one thread, and at 1 it measures itself.
    pub(crate) load: f64,
}

impl Crowd {
    /// Loads the gateway for so long, and then until every system is stopped.
    pub(crate) fn load(self, gateway: &Gateway, time: Duration) -> Took {
        let mut poll = Poll::new().unwrap();
        let mut callers: Vec<Caller> = (0..self.connections)
            .map(|own| {
                let systems = (own..self.systems).step_by(self.connections).collect();
                let mut caller = Caller::connect(gateway.address, systems);
                let registry = poll.registry();
                registry
                    .register(caller.stream(), Token(own), Interest::READABLE)
                    .unwrap();
                caller
            })
            .collect();
        let mut events = Events::with_capacity(self.connections);
        let mut answered = Vec::new();
        let (start, spent, own) = (now(), gateway.spent(), own_cpu_s());
        for caller in &mut callers {
            caller.ask(start);
        }
        let mut asking = self.connections;
        while asking > 0 {
            poll.poll(&mut events, Some(PATIENCE)).unwrap();
            assert!(!events.is_empty(), "{asking} commands have no answer");
            for event in &events {
                let caller = &mut callers[event.token().0];
                if !caller.hear() {
                    continue;
                }
                let at = now();
                answered.push((at - caller.asked()).as_secs_f64() * 1000.0);
                if at - start >= time && caller.has_stopped() {
                    asking -= 1;
                } else {
                    caller.ask(at);
                }
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let load = (own_cpu_s() - own) / seconds;
        let gateway = gateway.spent().since_s(&spent) / seconds;
        answered.sort_by(f64::total_cmp);
        let [p50_ms, p99_ms] = [50.0, 99.0].map(|percent| percentile(&answered, percent));
        Took {
            per_second: answered.len() as f64 / seconds,
            p50_ms,
            p99_ms,
            gateway,
            load,
        }
    }
}
