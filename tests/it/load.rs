//! Controllers that never rest, and the account of what they were answered: whatever happens to the gateway, it must
//! be found again in its states and its history.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDateTime;
use hyper::{Method, StatusCode};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::fixture::{Http, WATCHDOG};

const CONTROLLERS: usize = 12;

/// Commands at random to systems at random, from many controllers at once, for as long as the gateway answers.
pub(crate) struct Load {
    answers: watch::Receiver<usize>,
    controllers: Vec<JoinHandle<Vec<Answered>>>,
}

/// A command that was carried out, or left all as it was.
#[derive(Debug)]
pub(crate) struct Answered {
    by: String,
    outcome: Value,
}

impl Load {
    /// `verbs` are the commands to choose from.
    pub(crate) fn start(
        http: &Http,
        systems: &[String],
        verbs: &'static [&str],
        dice: &mut Dice,
    ) -> Self {
        let (count, answers) = watch::channel(0);
        let count = Arc::new(count);
        let controllers = (0..CONTROLLERS).map(|i| {
            let name = format!("c{i}-{}", dice.random::<u32>());
            let (http, count, systems) = (http.clone(), Arc::clone(&count), systems.to_vec());
            let mut dice = dice.another();
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for n in 0.. {
                    let system = systems.choose(&mut dice).unwrap();
                    let verb = verbs.choose(&mut dice).unwrap();
                    let by = format!("{name}-{n}");
                    let path = format!("/systems/{system}/{verb}by={by}");
                    let Ok(answer) = http.try_send(Method::POST, &path, &[], "").await else {
                        break;
                    };
                    if answer.status == StatusCode::OK {
                        let outcome = answer.json();
                        answered.push(Answered { by, outcome });
                    } else {
                        // A stop overtook it.
                        assert_eq!(answer.error_code(), "overloaded");
                    }
                    count.send_modify(|count| *count += 1);
                }
                answered
            })
        });
        let controllers = controllers.collect();
        Self {
            answers,
            controllers,
        }
    }

    /// Returns when so many commands were answered.
    pub(crate) async fn answers(&mut self, count: usize) {
        let answered = self.answers.wait_for(|answers| *answers >= count);
        let answered = tokio::time::timeout(WATCHDOG, answered).await;
        answered.expect("answers come").unwrap();
    }

    /// What was answered until the gateway ended.
    pub(crate) async fn end(self) -> Vec<Answered> {
        let mut answered = Vec::new();
        for controller in self.controllers {
            answered.extend(controller.await.unwrap());
        }
        answered
    }
}

/// What a gateway shows of its systems: the state, and the newest actions first.
#[derive(Debug)]
pub(crate) struct Shown(pub(crate) BTreeMap<String, (Value, Vec<Value>)>);

impl Shown {
    pub(crate) async fn by(http: &Http, systems: &[String]) -> Self {
        let mut shown = BTreeMap::new();
        for system in systems {
            let state = http.state(system).await;
            shown.insert(system.clone(), (state, http.history(system).await));
        }
        Self(shown)
    }

    /// Everything that was answered is there to the last field.
    pub(crate) fn must_hold(&self, answered: &[Answered]) {
        for Answered { by, outcome } in answered {
            let then = &outcome["state"];
            let (now, rows) = &self.0[then["system"].as_str().unwrap()];
            let about = || format!("{outcome} by {by}, now {now}, {rows:#?}");
            assert!(number(now, "seq") >= number(then, "seq"), "{}", about());
            if outcome["changed"] == false {
                continue;
            }
            let ended = rows.iter().find(|row| row["id"] == then["seq"]);
            if then["mode"] == "wait" {
                let ended = ended.unwrap_or_else(|| panic!("no end: {}", about()));
                assert_eq!(ended["outcome"], "stopped", "{}", about());
            }
            assert!(
                ended.is_none_or(|row| row["ended_by"] == **by),
                "{}",
                about()
            );
            if then["mode"] == "wait" {
                continue;
            }
            assert!(
                ended.is_none_or(|row| row["outcome"] == "replaced"),
                "{}",
                about()
            );
            // The run goes on, or it is the first that ended afterwards.
            let later = rows.iter().rev();
            let mut later = later.filter(|row| number(row, "id") > number(then, "seq"));
            let run = match now["seq"] == then["seq"] {
                true => now,
                false => later
                    .next()
                    .unwrap_or_else(|| panic!("no end: {}", about())),
            };
            let same = run["mode"] == then["mode"] && run["by"] == **by;
            assert!(same && near(&run["start"], &then["start"]), "{}", about());
        }
    }

    /// What had been shown before is shown still: nothing goes back, and no row of the history has changed.
    pub(crate) fn must_follow(&self, before: &Self) {
        for (system, (then, rows_then)) in &before.0 {
            let (now, rows) = &self.0[system];
            assert!(number(now, "seq") >= number(then, "seq"), "{then} {now}");
            let Some(oldest) = rows.last().map(|row| number(row, "id")) else {
                assert!(rows_then.is_empty(), "{system}: {rows_then:?}");
                continue;
            };
            let newest = rows_then.first().map_or(0, |row| number(row, "id"));
            let ids = oldest..=newest;
            let kept = |rows: &[Value]| -> Vec<Value> {
                let kept = rows.iter().filter(|row| ids.contains(&number(row, "id")));
                kept.cloned().collect()
            };
            assert_eq!(kept(rows), kept(rows_then), "{system}");
        }
    }
}

pub(crate) fn number(value: &Value, field: &str) -> u64 {
    let number = value[field].as_u64();
    number.unwrap_or_else(|| panic!("no {field}: {value}"))
}

/// A run that goes on is shown by times derived from now: milliseconds may differ by the wavering of the clocks.
pub(crate) fn near(a: &Value, b: &Value) -> bool {
    let millis = |v: &Value| {
        NaiveDateTime::parse_from_str(v.as_str()?, "%Y-%m-%dT%H:%M:%S%.3f")
            .ok()
            .map(|t| t.and_utc().timestamp_millis())
    };
    matches!((millis(a), millis(b)), (Some(a), Some(b)) if a.abs_diff(b) <= 2)
}
