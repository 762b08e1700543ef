//! What each actuator does with what it hears, and with silence.

use super::*;
use crate::simulator::chance;

const LEASE: Ms = 30_000;
const IDLE: Heard = Heard {
    is_running: false,
    remaining_ms: None,
};
const MANUAL: Heard = Heard {
    is_running: true,
    remaining_ms: None,
};

const fn timer(remaining_ms: Ms) -> Heard {
    Heard {
        is_running: true,
        remaining_ms: Some(remaining_ms),
    }
}

fn actuator(kind: Kind) -> Actuator {
    let pace = Pace { speed: 1.0 };
    Actuator::new(kind, LEASE, pace, chance::stream(1, "actuator"))
}

/// All moves until then that it makes by itself.
fn until(actuator: &mut Actuator, end: Ms) -> Vec<(Ms, bool)> {
    let mut moves = Vec::new();
    while let Some(next) = actuator.next().filter(|next| *next <= end) {
        let moved = actuator.advance(next);
        moves.extend(moved.map(|moved| (moved.at, moved.is_open)));
        assert_ne!((actuator.next(), moved), (Some(next), None), "it is stuck");
    }
    moves
}

#[test]
fn perfect_opens_when_it_hears_and_closes_at_the_end_of_the_timer_by_itself() {
    let mut perfect = actuator(Kind::Perfect);
    assert!(perfect.hear(1000, timer(5000)).unwrap().is_open);
    assert_eq!(until(&mut perfect, 100_000), [(6000, false)]);
    assert_eq!(perfect.next(), None);
}

#[test]
fn perfect_closes_when_it_hears_of_a_stop() {
    let mut perfect = actuator(Kind::Perfect);
    perfect.hear(1000, MANUAL);
    assert_eq!(until(&mut perfect, 1_000_000), []);
    assert!(!perfect.hear(1_000_000, IDLE).unwrap().is_open);
}

#[test]
fn perfect_closes_when_the_lease_ends_and_opens_again_when_it_hears() {
    let mut perfect = actuator(Kind::Perfect);
    perfect.hear(0, MANUAL);
    perfect.silence(10_000, 10_000);
    perfect.silence(20_000, 20_000);
    assert_eq!(until(&mut perfect, 100_000), [(40_000, false)]);
    assert!(perfect.hear(100_000, MANUAL).unwrap().is_open);
}

#[test]
fn slow_takes_its_time_both_ways() {
    let mut slow = actuator(Kind::Slow { motor_s: 4.0 });
    assert_eq!(slow.hear(0, timer(10_000)), None);
    assert_eq!(until(&mut slow, 100_000), [(4000, true), (14_000, false)]);
}

#[test]
fn slow_that_is_stopped_on_its_way_does_not_open() {
    let mut slow = actuator(Kind::Slow { motor_s: 4.0 });
    slow.hear(0, MANUAL);
    slow.hear(2000, IDLE);
    assert_eq!(until(&mut slow, 100_000), []);
    assert!(!slow.is_open());
}

#[test]
fn deaf_hears_nothing_for_a_while_and_keeps_its_lease() {
    let kind = Kind::Deaf {
        every_days: 0.01,
        for_s: 120.0,
    };
    let mut deaf = actuator(kind);
    deaf.hear(0, MANUAL);
    let falls = deaf.next().unwrap();
    assert_eq!(deaf.advance(falls), None);
    assert_eq!(deaf.deaf_until(), falls + 120_000);
    assert_eq!(deaf.hear(falls + 1000, IDLE), None);
    assert!(deaf.is_open());
    assert_eq!(until(&mut deaf, falls + LEASE), [(falls + LEASE, false)]);
    assert!(deaf.hear(falls + 120_000, MANUAL).unwrap().is_open);
}

#[test]
fn to_become_deaf_in_silence_does_not_lengthen_the_lease() {
    let kind = Kind::Deaf {
        every_days: 0.01,
        for_s: 120.0,
    };
    let mut deaf = actuator(kind);
    deaf.hear(0, MANUAL);
    let falls = deaf.next().unwrap();
    deaf.silence(falls - 5000, falls - 5000);
    assert_eq!(
        until(&mut deaf, falls + LEASE),
        [(falls - 5000 + LEASE, false)]
    );
}

#[test]
fn rebooting_comes_back_closed_and_opens_when_it_hears_again() {
    let kind = Kind::Rebooting {
        every_days: 0.01,
        comes_back_open: false,
    };
    let mut rebooting = actuator(kind);
    rebooting.hear(0, MANUAL);
    let falls = rebooting.next().unwrap();
    assert!(!rebooting.advance(falls).unwrap().is_open);
    assert_eq!(rebooting.hear(falls + 1000, MANUAL), None);
    let back = rebooting.deaf_until();
    assert!(rebooting.hear(back, MANUAL).unwrap().is_open);
}

#[test]
fn rebooting_that_comes_back_open_is_closed_by_what_it_hears_or_by_the_lease() {
    let kind = Kind::Rebooting {
        every_days: 1.0,
        comes_back_open: true,
    };
    for hears in [true, false] {
        let mut rebooting = actuator(kind);
        rebooting.hear(0, IDLE);
        let falls = rebooting.next().unwrap();
        assert!(rebooting.advance(falls).unwrap().is_open);
        if hears {
            let back = rebooting.deaf_until();
            assert!(!rebooting.hear(back, IDLE).unwrap().is_open);
        } else {
            let moves = until(&mut rebooting, falls + LEASE);
            assert_eq!(moves, [(falls + LEASE, false)]);
        }
    }
}

#[test]
fn leaky_and_clogged_let_through_a_share() {
    let mut leaky = actuator(Kind::Leaky { share: 0.05 });
    let mut clogged = actuator(Kind::Clogged { share: 0.7 });
    assert_eq!((leaky.flow(), clogged.flow()), (0.05, 0.0));
    leaky.hear(0, MANUAL);
    clogged.hear(0, MANUAL);
    assert_eq!((leaky.flow(), clogged.flow()), (1.0, 0.7));
}

#[test]
fn wrong_clock_ends_a_timer_late_or_early_when_nobody_tells_it() {
    for (off_s, closes) in [(-2.0, 3000), (7200.0, LEASE)] {
        let mut wrong = actuator(Kind::WrongClock { off_s });
        wrong.hear(0, timer(5000));
        wrong.silence(0, 0);
        assert_eq!(until(&mut wrong, 10_000_000), [(closes, false)]);
    }
}

#[test]
fn ignores_lease_goes_on_in_silence() {
    let mut ignores = actuator(Kind::IgnoresLease);
    ignores.hear(0, MANUAL);
    ignores.silence(1000, 1000);
    assert_eq!(until(&mut ignores, 100_000_000), []);
    assert!(ignores.is_open());
}

#[test]
fn silence_that_is_noticed_late_opens_nothing_that_its_deadline_has_closed() {
    let mut perfect = actuator(Kind::Perfect);
    perfect.hear(1000, timer(40));
    assert_eq!(
        perfect.advance(1040),
        Some(Moved {
            at: 1040,
            is_open: false
        })
    );
    assert_eq!(perfect.silence(1000, 4000), None);
    assert!(!perfect.is_open());
}
