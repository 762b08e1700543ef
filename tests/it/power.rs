//! Power cuts under load: the real program on a disk that keeps only what was synced, and on a machine that comes back
//! with another boot id.

use rand::RngExt;
use serde_json::{Value, json};

use crate::dice::{Dice, rounds};
use crate::load::{Load, Shown, near, number};
use crate::machine::Machine;

const VERBS: &[&str] = &["manual?", "stop?", "timer?seconds=3600&"];

fn systems() -> Vec<String> {
    (0..8).map(|i| format!("s{i}")).collect()
}

fn config() -> String {
    let systems = systems().into_iter();
    systems
        .map(|id| format!("[[systems]]\nid = \"{id}\"\n"))
        .collect()
}

/// After a power cut everything waits, and each run that was going has an action without an end.
fn must_be_cut(now: &Shown, then: &Shown) {
    for (system, (was, rows_then)) in &then.0 {
        let (is, rows) = &now.0[system];
        assert_eq!(is["mode"], "wait", "{is}");
        if was["mode"] == "wait" {
            assert_eq!((is, rows), (was, rows_then));
            continue;
        }
        assert_eq!(number(is, "seq"), number(was, "seq") + 1, "{was} {is}");
        let timer = was["mode"] == "timer";
        let cut = json!({
            "system": system,
            "id": is["seq"],
            "mode": was["mode"],
            "start": rows[0]["start"],
            "end": null,
            "duration_ms": null,
            "planned_ms": if timer { json!(3_600_000) } else { Value::Null },
            "outcome": "interrupted",
            "by": was["by"],
            "ended_by": null,
        });
        assert_eq!(rows[0], cut);
        assert!(near(&rows[0]["start"], &was["start"]), "{was} {}", rows[0]);
        assert_eq!(
            rows[1..],
            rows_then[..(rows.len() - 1).min(rows_then.len())]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_answered_survives_power_cuts_and_what_ran_is_interrupted() {
    let mut dice = Dice::new();
    let (systems, config) = (systems(), config());
    let mut machine = Machine::new();
    let mut gateway = machine.start(&config);
    let mut before = Shown::by(&gateway.http, &systems).await;
    for _ in 0..rounds(5) {
        let mut load = Load::start(&gateway.http, &systems, VERBS, &mut dice);
        load.answers(dice.random_range(20..300)).await;
        gateway.kill();
        let answered = load.end().await;

        // What is durable is all there is, though the machine has not been off.
        let same_boot = machine.with_what_is_durable();
        gateway = same_boot.start(&config);
        let then = Shown::by(&gateway.http, &systems).await;
        then.must_hold(&answered);
        then.must_follow(&before);
        gateway.kill();

        let rebooted = machine.after_a_power_cut();
        gateway = rebooted.start(&config);
        let now = Shown::by(&gateway.http, &systems).await;
        must_be_cut(&now, &then);

        (machine, before) = if dice.random() {
            (rebooted, now)
        } else {
            gateway.kill();
            gateway = same_boot.start(&config);
            (same_boot, then)
        };
    }
}
