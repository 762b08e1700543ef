//! What a controller sends and gets back, and how it tries again: exponential pauses with jitter, `Retry-After`, a number
//! of tries.
//!
//! Never sends anything: the runners do.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use serde_json::{Value, json};

use super::pace::Ms;

/// What is asked of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Seconds of the gateway.
    Timer {
        seconds: u32,
    },
    Manual,
    Stop,
    History,
    /// An entry of [`WRONG`].
    Wrong(usize),
}

/// A request that nobody can mean, and how it is to be refused. `{id}` is the system.
#[derive(Debug)]
pub struct Wrong {
    pub method: &'static str,
    pub path: &'static str,
    pub status: u16,
    pub code: &'static str,
}

const fn wrong(method: &'static str, path: &'static str, status: u16, code: &'static str) -> Wrong {
    Wrong {
        method,
        path,
        status,
        code,
    }
}

pub const WRONG: [Wrong; 8] = [
    wrong(
        "POST",
        "/systems/{id}/timer?seconds=-1",
        400,
        "invalid_seconds",
    ),
    wrong(
        "POST",
        "/systems/{id}/timer?seconds=1000000000000",
        400,
        "invalid_seconds",
    ),
    wrong(
        "POST",
        "/systems/{id}/timer?seconds=abc",
        400,
        "invalid_seconds",
    ),
    wrong(
        "POST",
        "/systems/{id}/timer?seconds=0",
        400,
        "invalid_seconds",
    ),
    wrong(
        "POST",
        "/systems/nobody-knows-this/timer",
        404,
        "unknown_system",
    ),
    wrong("POST", "/systems/NO%20ID/stop", 400, "invalid_system_id"),
    wrong("DELETE", "/systems/{id}/stop", 405, "method_not_allowed"),
    wrong("GET", "/systems/{id}/history?limit=0", 400, "invalid_limit"),
];

/// One decision of a controller, to be carried out with as many tries as it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub ask: Ask,
    /// The `Idempotency-Key`, the same for every try.
    pub key: Option<String>,
    pub policy: Policy,
    /// How long after the decision it leaves, in milliseconds of the gateway.
    pub after_ms: Ms,
}

/// How somebody waits and tries again. Times are those of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a try waits for its answer.
    pub timeout: Duration,
    pub tries: usize,
    /// Before the second try; zero: every try leaves at once.
    pub first_pause: Duration,
}

/// No pause is longer, but for its jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Policy {
    /// As docs/protocol.md advises.
    pub const PATIENT: Self = Self {
        timeout: Duration::from_secs(5),
        tries: 5,
        first_pause: Duration::from_millis(500),
    };
    pub const IMPATIENT: Self = Self {
        timeout: Duration::from_millis(300),
        tries: 4,
        first_pause: Duration::ZERO,
    };
    pub const ONCE: Self = Self {
        timeout: Duration::from_secs(5),
        tries: 1,
        first_pause: Duration::ZERO,
    };
}

/// What came of a decision in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The system changed.
    Changed,
    /// It did not, and why.
    Unchanged(String),
    /// What was asked for was shown.
    Read,
    /// The status and code of an error.
    Refused {
        status: u16,
        code: String,
    },
    NoAnswer,
}

impl Ask {
    /// As a trace tells it.
    pub fn told(self) -> Value {
        match self {
            Self::Timer { seconds } => json!({"timer": seconds}),
            Self::Manual => json!("manual"),
            Self::Stop => json!("stop"),
            Self::History => json!("history"),
            Self::Wrong(number) => json!({"wrong": WRONG[number].path}),
        }
    }
}

impl Settled {
    /// Whether it is what a sound gateway may answer.
    pub fn is_sound(&self, ask: Ask) -> bool {
        match (ask, self) {
            (_, Self::NoAnswer) => true,
            (_, Self::Refused { status, .. }) if *status == UNAVAILABLE => true,
            (Ask::Wrong(number), Self::Refused { status, code }) => {
                let expected = &WRONG[number];
                (expected.status, expected.code) == (*status, code.as_str())
            }
            (Ask::Wrong(_), _) | (_, Self::Refused { .. }) => false,
            (Ask::History, settled) => *settled == Self::Read,
            (_, settled) => *settled != Self::Read,
        }
    }

    /// As a trace tells it.
    pub fn told(&self) -> Value {
        match self {
            Self::Changed => json!("changed"),
            Self::Unchanged(reason) => json!(reason),
            Self::Read => json!("read"),
            Self::Refused { code, .. } => json!(code),
            Self::NoAnswer => json!(null),
        }
    }
}

/// The status of what is worth another try.
pub const UNAVAILABLE: u16 = 503;

/// The tries of one decision.
#[derive(Debug)]
pub struct Tries {
    pauses: ExponentialBackoff,
}

impl Tries {
    /// Their pauses are drawn from the seed.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let pauses = ExponentialBuilder::default()
            .with_min_delay(policy.first_pause)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(policy.tries - 1)
            .with_jitter()
            .with_jitter_seed(seed)
            .build();
        Self { pauses }
    }

    /// After a try that came to this: the pause before the next, or none when the decision is settled. Who sends again
    /// what was refused will be refused again, but for a gateway that cannot just now and says how long.
    pub fn pause_after(
        &mut self,
        came: &Settled,
        retry_after: Option<Duration>,
    ) -> Option<Duration> {
        match came {
            Settled::NoAnswer => self.pauses.next(),
            Settled::Refused { status, .. } if *status == UNAVAILABLE => {
                let pause = self.pauses.next()?;
                Some(pause.max(retry_after.unwrap_or_default()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overloaded() -> Settled {
        Settled::Refused {
            status: UNAVAILABLE,
            code: "overloaded".to_owned(),
        }
    }

    fn pauses(policy: Policy, seed: u64) -> Vec<Duration> {
        let mut tries = Tries::new(policy, seed);
        std::iter::from_fn(|| tries.pause_after(&Settled::NoAnswer, None)).collect()
    }

    #[test]
    fn the_patient_wait_twice_as_long_each_time_with_jitter_and_give_up() {
        let pauses = pauses(Policy::PATIENT, 1);
        let bounds = [500, 1000, 2000, 4000].map(Duration::from_millis);
        assert_eq!(pauses.len(), bounds.len());
        for (pause, least) in pauses.into_iter().zip(bounds) {
            assert!((least..least * 2).contains(&pause), "{pause:?} {least:?}");
        }
    }

    #[test]
    fn the_same_seed_is_the_same_jitter_and_another_is_another() {
        assert_eq!(pauses(Policy::PATIENT, 1), pauses(Policy::PATIENT, 1));
        assert_ne!(pauses(Policy::PATIENT, 1), pauses(Policy::PATIENT, 2));
    }

    #[test]
    fn the_impatient_try_three_times_more_without_a_pause() {
        assert_eq!(pauses(Policy::IMPATIENT, 1), [Duration::ZERO; 3]);
        assert!(pauses(Policy::ONCE, 1).is_empty());
    }

    #[test]
    fn a_gateway_that_says_when_is_not_asked_before() {
        let minute = Duration::from_secs(60);
        let mut tries = Tries::new(Policy::IMPATIENT, 1);
        assert_eq!(tries.pause_after(&overloaded(), Some(minute)), Some(minute));
        assert_eq!(tries.pause_after(&overloaded(), None), Some(Duration::ZERO));
    }

    #[test]
    fn what_was_answered_or_refused_for_good_is_not_sent_again() {
        let mut tries = Tries::new(Policy::PATIENT, 1);
        let refused = Settled::Refused {
            status: 400,
            code: "invalid_seconds".to_owned(),
        };
        for came in [Settled::Changed, Settled::Read, refused] {
            assert_eq!(tries.pause_after(&came, None), None);
        }
    }
}
