//! The answers that are kept, so that a request that comes again gets the same one and has no second effect.

use crate::command::Request;
use crate::engine::Answer;
use crate::time::{BootId, Moment, Ticks};

/// How long an answer is kept at least, in milliseconds: 24 h.
pub const KEPT_MS: i64 = 24 * 3600 * 1000;

/// Answers kept at the most; when there are more the oldest is forgotten early. About 250 bytes each.
pub const RECEIPTS_KEPT: u64 = 1_000_000;

/// A request that has a key, and the answer that is kept under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub request: Request,
    /// When it was answered.
    pub boot: BootId,
    pub ticks: Ticks,
    pub answer: Answer,
}

impl Receipt {
    /// For an answer that is given at `now`.
    pub fn new(request: &Request, answer: Answer, now: &Moment) -> Self {
        Self {
            request: request.clone(),
            boot: now.boot,
            ticks: now.ticks,
            answer,
        }
    }
}

/// True when an answer of that time is not kept any more at `now`. Only ticks count, because the wall clock can be set:
/// an answer from before the machine booted is certainly as old as the machine has been up.
pub fn is_forgotten(boot: BootId, ticks: Ticks, now: (BootId, Ticks)) -> bool {
    let age = if boot == now.0 {
        now.1.since(ticks)
    } else {
        now.1.millis()
    };
    age >= KEPT_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * 1000;

    #[test]
    fn an_answer_is_kept_for_24_hours_of_ticks_and_never_less() {
        let forgotten = |boot: u128, hours: i64, now: i64| {
            let ticks = |hours| Ticks::from_millis(hours * HOUR);
            is_forgotten(BootId(boot), ticks(hours), (BootId(1), ticks(now)))
        };
        assert!(!forgotten(1, 5, 5));
        assert!(!forgotten(1, 5, 28));
        assert!(forgotten(1, 5, 29));
        // Of another boot: only what the machine has been up for is certain.
        assert!(!forgotten(2, 500, 23));
        assert!(forgotten(2, 500, 24));
    }
}
