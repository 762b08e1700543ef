//! What a valve must keep to, written down apart from the actuators: water only while a run lasts that the gateway tells
//! of, closed within a second after a run that it can hear the end of, and within the lease in any case.
//!
//! Judges; never moves a valve.

use super::actuator::Heard;
use super::pace::Ms;

#[derive(Debug)]
pub struct Rules {
    lease_ms: Ms,
    /// What ends is told after this time at the latest, in milliseconds.
    tells_within_ms: Ms,
    /// A motor takes so long, in milliseconds.
    motor_ms: Ms,
    /// Until when the valve may be open after what was told last.
    told_until: Ms,
    /// Since when the feed has been silent; none while it lives.
    silent_since: Option<Ms>,
    /// Since when no run has been going on; none while one is.
    idle_since: Option<Ms>,
    /// When the feed began to live.
    heard_since: Ms,
    is_reported: bool,
}

impl Rules {
    /// `link_ms`: the longest way from the gateway to the actuator.
    pub const fn new(lease_ms: Ms, link_ms: Ms, motor_ms: Ms) -> Self {
        Self {
            lease_ms,
            tells_within_ms: 1000 + link_ms,
            motor_ms,
            told_until: 0,
            silent_since: Some(0),
            idle_since: Some(0),
            heard_since: 0,
            is_reported: false,
        }
    }

    /// The gateway has a run, or none, whether anybody hears of it or not.
    pub fn run_is(&mut self, at: Ms, is_running: bool) {
        self.idle_since = (!is_running).then(|| self.idle_since.unwrap_or(at));
    }

    /// From `at` on the actuator hears nothing.
    pub fn silence(&mut self, at: Ms) {
        self.silent_since = self.silent_since.or(Some(at));
    }

    /// The actuator was told.
    pub fn hear(&mut self, at: Ms, heard: Heard) {
        if self.silent_since.take().is_some() {
            self.heard_since = at;
        }
        self.told_until = match heard {
            Heard {
                is_running: false, ..
            } => at,
            Heard { remaining_ms, .. } => remaining_ms.map_or(Ms::MAX, |left| at + left),
        };
    }

    /// The last moment at which the valve may be open, if nothing else is heard.
    fn last(&self) -> Ms {
        let by_feed = match (self.silent_since, self.idle_since) {
            (Some(since), _) => since + self.lease_ms,
            (None, Some(since)) => since.max(self.heard_since) + self.tells_within_ms,
            (None, None) => Ms::MAX,
        };
        by_feed.min(self.told_until).saturating_add(self.motor_ms)
    }

    /// When a valve that is open has to be looked at.
    pub fn next(&self, is_open: bool) -> Option<Ms> {
        let last = self.last();
        (is_open && !self.is_reported && last < Ms::MAX).then(|| last + 1)
    }

    /// What is wrong at `at`, said once for each time that the valve is open too long.
    pub fn judge(&mut self, at: Ms, is_open: bool) -> Option<String> {
        let last = self.last();
        if !is_open || at <= last {
            self.is_reported = false;
            return None;
        }
        let is_news = !std::mem::replace(&mut self.is_reported, true);
        is_news.then(|| format!("the valve is open at {at} ms, and was to be closed by {last} ms"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Ms = 30_000;

    fn timer(left: Ms) -> Heard {
        Heard {
            is_running: true,
            remaining_ms: Some(left),
        }
    }

    const MANUAL: Heard = Heard {
        is_running: true,
        remaining_ms: None,
    };

    fn told(heard: Heard) -> Rules {
        let mut rules = Rules::new(LEASE, 0, 0);
        rules.run_is(1000, true);
        rules.hear(1000, heard);
        rules
    }

    #[test]
    fn a_valve_that_was_never_told_of_a_run_must_be_closed() {
        assert!(Rules::new(LEASE, 0, 0).judge(1, true).is_some());
        assert!(Rules::new(LEASE, 0, 0).judge(1, false).is_none());
    }

    #[test]
    fn a_timer_may_be_open_until_its_end() {
        let mut rules = told(timer(5000));
        assert_eq!(rules.next(true), Some(6001));
        assert!(rules.judge(6000, true).is_none());
        assert!(rules.judge(6001, true).is_some());
    }

    #[test]
    fn a_manual_run_may_be_open_until_a_second_after_it_was_stopped() {
        let mut rules = told(MANUAL);
        assert_eq!(rules.next(true), None);
        rules.run_is(60_000, false);
        assert!(rules.judge(61_000, true).is_none());
        assert!(rules.judge(61_001, true).is_some());
    }

    #[test]
    fn in_silence_a_valve_may_be_open_until_the_lease_ends() {
        let mut rules = told(MANUAL);
        rules.silence(60_000);
        rules.silence(70_000);
        assert!(rules.judge(90_000, true).is_none());
        assert!(rules.judge(90_001, true).is_some());
    }

    #[test]
    fn a_motor_has_its_time() {
        let mut rules = Rules::new(LEASE, 0, 4000);
        rules.run_is(1000, true);
        rules.hear(1000, timer(5000));
        assert!(rules.judge(10_000, true).is_none());
        assert!(rules.judge(10_001, true).is_some());
    }

    #[test]
    fn a_fault_is_said_once_until_the_valve_was_closed() {
        let mut rules = told(timer(5000));
        assert!(rules.judge(7000, true).is_some());
        assert!(rules.judge(8000, true).is_none());
        assert_eq!(rules.next(true), None);
        assert!(rules.judge(9000, false).is_none());
        assert!(rules.judge(9500, true).is_some());
    }
}
