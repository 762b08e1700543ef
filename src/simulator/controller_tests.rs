//! What each controller does, and what it does badly.

use super::*;
use crate::simulator::chance;

const PACE: Pace = Pace { speed: 1.0 };

fn controller(kind: Kind) -> Controller {
    let site = Site::preset("tomato-loam").unwrap();
    Controller::new(kind, site, PACE, chance::stream(1, "controller"))
}

/// A dry day of 5 mm, with the soil as moist as that.
fn view(now: FieldMs, moisture: f64) -> View {
    View {
        now,
        moisture: Some((now, moisture)),
        rain_24h_mm: 0.0,
        rain_tomorrow_mm: 0.0,
        et0_mm: 5.0,
        kc: 1.0,
        sunrise: next_time_of_day(now, 5 * HOUR),
    }
}

/// All that it sends until then, and when.
fn until(
    controller: &mut Controller,
    end: FieldMs,
    seen: impl Fn(FieldMs) -> View,
) -> Vec<(FieldMs, Call)> {
    let mut sent = Vec::new();
    while controller.next() < end {
        let (now, mut calls) = (controller.next(), Vec::new());
        controller.wake(&seen(now), &mut calls);
        assert!(controller.next() > now);
        sent.extend(calls.into_iter().map(|call| (now, call)));
    }
    sent
}

fn asks(sent: &[(FieldMs, Call)]) -> Vec<Ask> {
    sent.iter().map(|(_, call)| call.ask).collect()
}

fn seconds(call: &Call) -> u32 {
    match call.ask {
        Ask::Timer { seconds } => seconds,
        other => panic!("{other:?}"),
    }
}

const THRESHOLD: Kind = Kind::Threshold {
    mad: 0.4,
    hysteresis: 0.02,
    pulse_s: 600.0,
    soak_s: 1800.0,
    max_s_per_day: 7200.0,
};

#[test]
fn threshold_waters_a_dry_field_in_pulses_and_lets_them_soak() {
    let sent = until(&mut controller(THRESHOLD), 6 * HOUR, |now| view(now, 0.15));
    assert!((8..=9).contains(&sent.len()), "{}", sent.len());
    for pair in sent.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 2400 * SECOND);
    }
    assert_eq!(seconds(&sent[0].1), 600);
}

#[test]
fn threshold_goes_on_until_the_soil_is_wetter_than_where_it_began() {
    // It begins below 0.198 and ends above 0.218.
    let (mut dry, mut damp) = (controller(THRESHOLD), controller(THRESHOLD));
    assert!(until(&mut damp, DAY, |now| view(now, 0.21)).is_empty());
    assert!(!until(&mut dry, HOUR, |now| view(now, 0.19)).is_empty());
    assert!(!until(&mut dry, 3 * HOUR, |now| view(now, 0.21)).is_empty());
    assert!(until(&mut dry, 6 * HOUR, |now| view(now, 0.22)).is_empty());
    assert!(until(&mut dry, 9 * HOUR, |now| view(now, 0.21)).is_empty());
}

#[test]
fn threshold_does_not_water_by_a_sensor_that_has_fallen_silent() {
    let old = |now| View {
        moisture: Some((now - STALE, 0.10)),
        ..view(now, 0.0)
    };
    assert!(until(&mut controller(THRESHOLD), DAY, old).is_empty());
    let none = |now| View {
        moisture: None,
        ..view(now, 0.0)
    };
    assert!(until(&mut controller(THRESHOLD), DAY, none).is_empty());
}

const ET_BUCKET: Kind = Kind::EtBucket {
    max_s: 14_400.0,
    forgets: 0.0,
};

#[test]
fn et_bucket_gives_back_what_evaporated_and_is_done_at_sunrise() {
    let sent = until(&mut controller(ET_BUCKET), 3 * DAY, |now| view(now, 0.2));
    assert_eq!(sent.len(), 2);
    // 5 mm at 6 mm/h, of which nine tenths arrive.
    for (number, (at, call)) in sent.iter().enumerate() {
        assert_eq!(seconds(call), 3333);
        let sunrise = (number as i64 + 1) * DAY + 5 * HOUR;
        assert_eq!(at + 3333 * SECOND, sunrise);
    }
}

#[test]
fn et_bucket_waits_until_it_is_worthwhile_and_owes_nothing_after_rain() {
    let cool = |now| View {
        et0_mm: 0.8,
        ..view(now, 0.2)
    };
    assert_eq!(until(&mut controller(ET_BUCKET), 4 * DAY, cool).len(), 1);
    let wet = |now: FieldMs| View {
        rain_24h_mm: if now < DAY { 100.0 } else { 0.0 },
        ..view(now, 0.2)
    };
    // What the field does not keep is no credit: the next day has to be given back.
    let sent = until(&mut controller(ET_BUCKET), 5 * DAY, wet);
    let days: Vec<i64> = sent.iter().map(|(at, _)| at / DAY).collect();
    assert_eq!(days, [2, 3, 4]);
}

#[test]
fn et_bucket_still_owes_what_its_longest_run_did_not_give() {
    let short = Kind::EtBucket {
        max_s: 1800.0,
        forgets: 0.0,
    };
    let once = |now: FieldMs| View {
        et0_mm: if now < DAY { 10.0 } else { 0.0 },
        ..view(now, 0.2)
    };
    let sent = until(&mut controller(short), 10 * DAY, once);
    // 10 mm take 6667 s; the last 1.9 mm are not worth opening a valve for.
    assert_eq!(sent.len(), 3, "{sent:?}");
}

#[test]
fn threshold_gives_up_for_a_day_where_water_does_not_raise_what_its_sensor_says() {
    let sent = until(&mut controller(THRESHOLD), 2 * DAY, |now| view(now, 0.10));
    let pulses = |day: i64| sent.iter().filter(|(at, _)| at / DAY == day).count();
    assert_eq!((pulses(0), pulses(1)), (12, 12));
}

#[test]
fn et_bucket_that_forgets_to_reset_waters_more_each_day_up_to_its_cap() {
    let forgetful = Kind::EtBucket {
        max_s: 7200.0,
        forgets: 1.0,
    };
    let sent = until(&mut controller(forgetful), 5 * DAY, |now| view(now, 0.2));
    let lengths: Vec<u32> = sent.iter().map(|(_, call)| seconds(call)).collect();
    assert_eq!(lengths, [3333, 6667, 7200, 7200]);
}

#[test]
fn hybrid_is_vetoed_by_wet_soil_and_by_rain() {
    let hybrid = || {
        controller(Kind::Hybrid {
            max_s: 14_400.0,
            mad: 0.1,
            rain_veto_mm: 5.0,
        })
    };
    assert_eq!(
        until(&mut hybrid(), 3 * DAY, |now| view(now, 0.20)).len(),
        2
    );
    assert!(until(&mut hybrid(), 3 * DAY, |now| view(now, 0.24)).is_empty());
    let rain = |now| View {
        rain_24h_mm: 5.0,
        ..view(now, 0.20)
    };
    assert!(until(&mut hybrid(), 3 * DAY, rain).is_empty());
}

#[test]
fn hybrid_leaves_room_for_rain_that_is_foretold_and_trusts_no_forecast_wholly() {
    let hybrid = |rain_tomorrow_mm| {
        let kind = Kind::Hybrid {
            max_s: 14_400.0,
            mad: 0.1,
            rain_veto_mm: 5.0,
        };
        let foretold = |now| View {
            rain_tomorrow_mm,
            ..view(now, 0.20)
        };
        until(&mut controller(kind), 2 * DAY, foretold)
    };
    assert_eq!(seconds(&hybrid(0.0)[0].1), 3333);
    // 2 mm that may be 1 or 3.
    let less = seconds(&hybrid(2.0)[0].1);
    assert!((1333..=2667).contains(&less), "{less}");
    assert!(hybrid(10.0).is_empty());
}

#[test]
fn cron_waters_every_day_at_its_hour_in_the_rain_too() {
    let mut cron = controller(Kind::Cron {
        at_h: 5.5,
        seconds: 900.0,
    });
    let rain = |now| View {
        rain_24h_mm: 50.0,
        ..view(now, 0.25)
    };
    let sent = until(&mut cron, 3 * DAY, rain);
    let times: Vec<FieldMs> = sent.iter().map(|(at, _)| at % DAY).collect();
    assert_eq!(times, [5 * HOUR + 30 * MINUTE; 3]);
}

#[test]
fn human_opens_and_stops_taps_twice_and_forgets() {
    let mut human = controller(Kind::Human {
        per_day: 4.0,
        minutes: 30.0,
        forgets: 0.2,
    });
    let sent = until(&mut human, 100 * DAY, |now| view(now, 0.2));
    let twice = sent.iter().filter(|(_, call)| call.after_ms > 0).count();
    let once: Vec<&(FieldMs, Call)> = sent.iter().filter(|(_, call)| call.after_ms == 0).collect();
    let mut forgotten = 0;
    for pair in once.chunks_exact(2) {
        assert_eq!((pair[0].1.ask, pair[1].1.ask), (Ask::Manual, Ask::Stop));
        let lasted = pair[1].0 - pair[0].0;
        if lasted > 45 * MINUTE {
            assert!(pair[1].0 % DAY == 8 * HOUR || lasted == HOUR);
            forgotten += 1;
        }
    }
    let openings = once.len() / 2;
    assert!(openings > 100);
    assert!((openings / 5..openings / 2).contains(&twice), "{twice}");
    assert!(
        (openings / 10..openings / 3).contains(&forgotten),
        "{forgotten}"
    );
}

#[test]
fn impatient_sends_again_at_once_with_a_key_if_it_knows_them() {
    for keys in [true, false] {
        let mut impatient = controller(Kind::Impatient {
            every_h: 2.0,
            seconds: 60.0,
            keys,
        });
        let sent = until(&mut impatient, DAY, |now| view(now, 0.2));
        assert_eq!(sent.len(), 11);
        for (_, call) in &sent {
            assert_eq!(call.policy, Policy::IMPATIENT);
            assert_eq!(call.key.is_some(), keys);
        }
    }
}

#[test]
fn twins_ask_for_the_same_a_moment_apart_each_with_its_own_key() {
    let mut twin = controller(Kind::Twin {
        every_h: 6.0,
        seconds: 60.0,
        apart_ms: 500.0,
    });
    let sent = until(&mut twin, DAY, |now| view(now, 0.2));
    assert_eq!(sent.len(), 6);
    for pair in sent.chunks_exact(2) {
        assert_eq!(pair[0].0, pair[1].0);
        assert_eq!(pair[0].1.ask, pair[1].1.ask);
        assert_ne!(pair[0].1.key, pair[1].1.key);
        assert!((0..=500).contains(&pair[1].1.after_ms));
    }
}

#[test]
fn flapper_sends_all_that_it_wanted_when_it_comes_back() {
    let mut flapper = controller(Kind::Flapper {
        per_day: 48.0,
        seconds: 60.0,
        good_h: 4.0,
        bad_h: 8.0,
    });
    let sent = until(&mut flapper, 60 * DAY, |now| view(now, 0.2));
    assert!((2600..3200).contains(&sent.len()), "{}", sent.len());
    let mut bursts: Vec<usize> = sent.chunk_by(|a, b| a.0 == b.0).map(<[_]>::len).collect();
    bursts.sort_unstable();
    assert!(bursts[0] == 1 && *bursts.last().unwrap() > 20, "{bursts:?}");
}

#[test]
fn chatty_reads_the_history_all_the_time_and_never_opens() {
    let mut chatty = controller(Kind::Chatty {
        period_ms: 120_000.0,
    });
    let sent = until(&mut chatty, HOUR, |now| view(now, 0.1));
    assert_eq!(asks(&sent), vec![Ask::History; 30]);
}

#[test]
fn bad_sends_each_nonsense_in_turn() {
    let mut bad = controller(Kind::Bad { per_day: 100.0 });
    let sent = until(&mut bad, DAY, |now| view(now, 0.1));
    let expected: Vec<Ask> = (0..sent.len())
        .map(|n| Ask::Wrong(n % WRONG.len()))
        .collect();
    assert!(sent.len() > WRONG.len());
    assert_eq!(asks(&sent), expected);
}

#[test]
fn no_key_is_used_twice() {
    let mut twin = controller(Kind::Twin {
        every_h: 0.1,
        seconds: 60.0,
        apart_ms: 500.0,
    });
    let sent = until(&mut twin, 30 * DAY, |now| view(now, 0.2));
    let keys: std::collections::HashSet<_> = sent.iter().map(|(_, call)| &call.key).collect();
    assert_eq!(keys.len(), sent.len());
}

#[test]
fn a_faster_field_is_asked_for_less_time_at_the_gateway() {
    let site = Site::preset("tomato-loam").unwrap();
    let kind = Kind::Cron {
        at_h: 1.0,
        seconds: 3600.0,
    };
    let fast = Pace { speed: 360.0 };
    let mut cron = Controller::new(kind, site, fast, chance::stream(1, "controller"));
    let sent = until(&mut cron, DAY, |now| view(now, 0.2));
    assert_eq!(seconds(&sent[0].1), 10);
}
