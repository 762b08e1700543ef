//! What befalls a gateway and its links in a season without a network, drawn before it begins.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

use super::chance;
use super::pace::{DAY, Ms, whole};
use super::scenario::Scenario;

/// No wall clock is set by more, in milliseconds: ten years.
const LARGEST_STEP_MS: Ms = 10 * 365 * DAY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The process dies and is started again; the machine stays on.
    Crash {
        away_ms: Ms,
    },
    PowerCut {
        away_ms: Ms,
    },
    /// Somebody sets the wall clock.
    ClockStep {
        by_ms: i64,
    },
    /// The feed of the actuator is cut.
    FeedCut {
        for_ms: Ms,
    },
}

/// All that befalls a system, by time. What befalls the gateway is the same for each of its systems.
pub fn troubles(scenario: &Scenario, system: &str) -> Vec<(Ms, Trouble)> {
    let faults = &scenario.faults;
    let mut gateway = chance::stream(scenario.seed, "troubles");
    let mut feed = chance::stream(scenario.seed, &format!("feed/{system}"));
    let mut all = Vec::new();
    let mut add = |per_day, random: &mut _, trouble: &dyn Fn(&mut ChaCha8Rng) -> Trouble| {
        for at in moments(scenario, per_day, random) {
            let trouble = trouble(random);
            all.push((at, trouble));
        }
    };
    let away_s = faults.away_s;
    add(faults.crashes_per_day, &mut gateway, &|random| {
        Trouble::Crash {
            away_ms: up_to(away_s, random),
        }
    });
    add(faults.power_cuts_per_day, &mut gateway, &|random| {
        Trouble::PowerCut {
            away_ms: up_to(away_s, random),
        }
    });
    add(faults.clock_steps_per_day, &mut gateway, &|random| {
        Trouble::ClockStep {
            by_ms: step(random),
        }
    });
    add(faults.feed_cuts_per_day, &mut feed, &|random| {
        Trouble::FeedCut {
            for_ms: up_to(faults.feed_cut_s, random),
        }
    });
    all.sort_by_key(|(at, _)| *at);
    all
}

fn up_to(seconds: f64, random: &mut ChaCha8Rng) -> Ms {
    whole(random.random_range(0.0..=seconds) * 1000.0).max(1)
}

/// As often a second or an hour as years, either way.
fn step(random: &mut ChaCha8Rng) -> i64 {
    let size = 10_f64.powf(random.random_range(3.0..=(LARGEST_STEP_MS as f64).log10()));
    let sign = if random.random_bool(0.5) { 1.0 } else { -1.0 };
    whole(size * sign)
}

/// Moments of something that happens so often in a day of the field, by chance.
fn moments(scenario: &Scenario, per_day: f64, random: &mut ChaCha8Rng) -> Vec<Ms> {
    let Some(law) = Exp::new(per_day).ok().filter(|_| per_day > 0.0) else {
        return Vec::new();
    };
    let pace = scenario.pace();
    let mut all = Vec::new();
    let mut at = pace.days(law.sample(random));
    while at < scenario.length() {
        all.push(at);
        at += pace.days(law.sample(random)).max(1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::scenario::{Overrides, parse};

    const DAYS: usize = 200;

    fn all(system: &str) -> Vec<(Ms, Trouble)> {
        let text = format!(
            "days = {DAYS}\nstart = \"2026-07-01\"\nclimate = \"toulon\"\n\
             faults = {{ crashes_per_day = 2, power_cuts_per_day = 1, away_s = 60, clock_steps_per_day = 3, \
             feed_cuts_per_day = 4, feed_cut_s = 100 }}\n\
             [[systems]]\nid = \"north\"\nfield = \"tomato-loam\""
        );
        let scenario = parse(&text, "test", ("test", None), Overrides::default()).unwrap();
        troubles(&scenario, system)
    }

    #[test]
    fn each_comes_as_often_as_is_said_and_lasts_no_longer() {
        let mut counts = [0; 4];
        for (at, trouble) in all("north") {
            assert!((0..DAYS as Ms * DAY).contains(&at));
            let (kind, size, most) = match trouble {
                Trouble::Crash { away_ms } => (0, away_ms, 60_000),
                Trouble::PowerCut { away_ms } => (1, away_ms, 60_000),
                Trouble::ClockStep { by_ms } => (2, by_ms.abs(), LARGEST_STEP_MS),
                Trouble::FeedCut { for_ms } => (3, for_ms, 100_000),
            };
            counts[kind] += 1;
            assert!((1..=most).contains(&size), "{trouble:?}");
        }
        for (count, per_day) in counts.into_iter().zip([2, 1, 3, 4]) {
            let expected = per_day * DAYS;
            assert!(count > expected * 4 / 5 && count < expected * 6 / 5);
        }
    }

    #[test]
    fn a_gateway_fails_for_all_of_its_systems_and_a_feed_for_its_own() {
        let is_feed = |(_, trouble): &(Ms, Trouble)| matches!(trouble, Trouble::FeedCut { .. });
        let parted = |system| -> (Vec<_>, Vec<_>) { all(system).into_iter().partition(is_feed) };
        let ((feed, gateway), (other, same)) = (parted("north"), parted("south"));
        assert_eq!(gateway, same);
        assert_ne!(feed, other);
    }
}
