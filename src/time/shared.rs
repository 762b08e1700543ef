//! The clock that several machines share: somebody else's wall, told from here by the machine's own ticks.
//!
//! It is told where the shared clock stands ([`SharedClock::set`]) and reckons on from there. It asks nobody.

use std::sync::{Arc, RwLock};

use super::{BootId, Clock, Moment, Sleep, Ticks, Zone, nap_until, read_ticks};

/// Where the shared clock stands, seen from the ticks of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The shared wall (milliseconds of UTC) minus the ticks of this machine.
    pub wall_minus_own_ms: i64,
    /// The shared wall minus the shared ticks: grows by as much as the shared wall has stepped.
    pub wall_minus_ticks_ms: i64,
    pub boot: BootId,
    /// The UTC offset that all machines show.
    pub offset_s: i32,
}

/// The shared clock. Clones tell the same time.
#[derive(Clone, Debug)]
pub(crate) struct SharedClock(Arc<RwLock<Reference>>);

impl SharedClock {
    pub(crate) fn new(reference: Reference) -> Self {
        Self(Arc::new(RwLock::new(reference)))
    }

    /// The ticks of this machine, which the shared clock is reckoned from.
    pub(crate) fn own_ticks() -> Ticks {
        read_ticks()
    }

    /// The UTC offset that this machine would show by itself, in seconds.
    pub(crate) fn own_offset_s(utc_ms: i64) -> i32 {
        Zone::system().at(utc_ms).offset_s
    }

    pub(crate) fn reference(&self) -> Reference {
        *self
            .0
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn set(&self, reference: Reference) {
        *self
            .0
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = reference;
    }
}

impl Clock for SharedClock {
    fn now(&self) -> Moment {
        let reference = self.reference();
        let utc_ms = read_ticks()
            .millis()
            .saturating_add(reference.wall_minus_own_ms);
        Moment {
            utc_ms,
            ticks: Ticks::from_millis(utc_ms.saturating_sub(reference.wall_minus_ticks_ms)),
            boot: reference.boot,
            zone: Zone::system().showing(reference.offset_s, utc_ms),
        }
    }

    fn sleep_until(&self, until: Ticks) -> Sleep<'_> {
        Box::pin(nap_until(until, || self.now().ticks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_and_ticks_are_reckoned_from_the_machine_s_own() {
        let reference = Reference {
            wall_minus_own_ms: 1_795_000_000_000,
            wall_minus_ticks_ms: 3_600_000,
            boot: BootId(7),
            offset_s: 5400,
        };
        let clock = SharedClock::new(reference);
        let before = SharedClock::own_ticks();
        let now = clock.now();
        let after = SharedClock::own_ticks();
        let own = now.utc_ms - reference.wall_minus_own_ms;
        assert!((before.millis()..=after.millis()).contains(&own));
        assert_eq!(now.utc_ms - now.ticks.millis(), 3_600_000);
        assert_eq!((now.boot, now.wall().offset_s), (BootId(7), 5400));
    }
}
