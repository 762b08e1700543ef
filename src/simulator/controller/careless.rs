//! Those that water without looking: people, and programs whose connection comes and goes.

use rand::RngExt;

use super::{Hand, Kind, hours, next_time_of_day};
use crate::simulator::call::{Ask, Call, Policy};
use crate::simulator::pace::{FieldMs, HOUR, MINUTE, whole};

/// When somebody who has forgotten to close sees it.
const MORNING: FieldMs = 8 * HOUR;

/// How often somebody taps twice, and how long after, in milliseconds of the gateway.
const TAPS_TWICE: f64 = 0.3;
const SECOND_TAP_MS: std::ops::Range<i64> = 80..300;

/// Of somebody who opens by hand.
#[derive(Debug, Default)]
pub(super) struct Human {
    has_opened: bool,
}

impl Human {
    pub(super) fn act(
        &mut self,
        kind: &Kind,
        now: FieldMs,
        hand: &mut Hand,
        calls: &mut Vec<Call>,
    ) -> FieldMs {
        let &Kind::Human {
            per_day,
            minutes,
            forgets,
        } = kind
        else {
            return FieldMs::MAX;
        };
        if std::mem::take(&mut self.has_opened) {
            calls.push(hand.call(Ask::Stop, Policy::PATIENT, true));
            return now + hand.pause(per_day);
        }
        self.has_opened = true;
        calls.push(hand.call(Ask::Manual, Policy::PATIENT, false));
        if hand.random.random_bool(TAPS_TWICE) {
            let mut again = hand.call(Ask::Manual, Policy::PATIENT, false);
            again.after_ms = hand.random.random_range(SECOND_TAP_MS);
            calls.push(again);
        }
        if hand.random.random_bool(forgets) {
            return next_time_of_day(now, MORNING).max(now + HOUR);
        }
        now + whole(minutes * MINUTE as f64 * hand.random.random_range(0.5..1.5))
    }
}

/// Of a program that is offline now and then.
#[derive(Debug)]
pub(super) struct Flapper {
    is_online: bool,
    /// When it goes offline, or comes back.
    turns: FieldMs,
    /// When it next wants water.
    wants: FieldMs,
    /// What it wanted and could not send.
    queued: u32,
}

impl Flapper {
    pub(super) const fn new(turns: FieldMs, wants: FieldMs) -> Self {
        Self {
            is_online: true,
            turns,
            wants,
            queued: 0,
        }
    }

    pub(super) fn next(&self) -> FieldMs {
        self.turns.min(self.wants)
    }

    pub(super) fn flap(
        &mut self,
        kind: &Kind,
        now: FieldMs,
        hand: &mut Hand,
        calls: &mut Vec<Call>,
    ) -> FieldMs {
        let &Kind::Flapper {
            per_day,
            seconds,
            good_h,
            bad_h,
        } = kind
        else {
            return FieldMs::MAX;
        };
        if self.turns <= now {
            self.is_online = !self.is_online;
            let mean_h = if self.is_online { good_h } else { bad_h };
            self.turns = now + hand.exponential(hours(mean_h));
        }
        if self.wants <= now {
            self.queued += 1;
            self.wants = now + hand.pause(per_day);
        }
        if self.is_online {
            for _ in 0..std::mem::take(&mut self.queued) {
                calls.push(hand.timer(seconds, Policy::PATIENT, true));
            }
        }
        self.next()
    }
}
