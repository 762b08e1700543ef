//! Controllers that never rest, those who watch, and the account of what they were told: whatever happens to the gateway,
//! it must be found again in its states and its history.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::NaiveDateTime;
use hyper::{Method, StatusCode};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::fixture::{Http, Packet, Socket, WATCHDOG};

pub(crate) const CONTROLLERS: usize = 12;

/// Commands at random to systems at random, from many controllers at once, for as long as the gateway answers.
pub(crate) struct Load {
    answers: watch::Receiver<usize>,
    controllers: Vec<JoinHandle<Vec<Answered>>>,
}

/// A command that was carried out, or left all as it was.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) by: String,
    pub(crate) outcome: Value,
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

/// Joins all of the systems and notes everything that comes until the gateway ends.
pub(crate) async fn watch(
    address: SocketAddr,
    systems: &[String],
) -> JoinHandle<Vec<(String, Value)>> {
    let mut socket = Socket::connect(address).await;
    let mut seen = Vec::new();
    let mut note = move |packet| match packet {
        Packet::Event(event, payload) => {
            seen.push((event, payload));
            None
        }
        Packet::Closed => Some(std::mem::take(&mut seen)),
        Packet::Ack(..) => panic!("{packet:?}"),
    };
    for system in systems {
        let (ack, before) = socket.ask("join", &[json!(system)]).await;
        assert_eq!(ack["ok"], true, "{ack}");
        before.into_iter().for_each(|packet| _ = note(packet));
    }
    tokio::spawn(async move {
        loop {
            if let Some(seen) = note(socket.next().await) {
                return seen;
            }
        }
    })
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
            self.must_explain(then);
            if outcome["changed"] == false {
                continue;
            }
            let (_, rows) = &self.0[text(then, "system")];
            let ended = rows.iter().find(|row| row["id"] == then["seq"]);
            let right = match (then["mode"] == "wait", ended) {
                (true, row) => row.is_some_and(|row| row["outcome"] == "stopped"),
                (false, row) => row.is_none_or(|row| row["outcome"] == "replaced"),
            };
            let by_whom = ended.is_none_or(|row| row["ended_by"] == **by);
            assert!(right && by_whom, "{outcome} by {by} ended {ended:?}");
        }
    }

    /// A state of before is that of now, or the history tells what became of it.
    fn must_explain(&self, then: &Value) {
        let (now, rows) = &self.0[text(then, "system")];
        let (seq, about) = (number(then, "seq"), || {
            format!("{then}, now {now}, {rows:#?}")
        });
        assert!(number(now, "seq") >= seq, "{}", about());
        if now["seq"] == then["seq"] {
            for field in ["mode", "start", "end", "by"] {
                let (was, is) = (&then[field], &now[field]);
                let same = was == is || (field != "mode" && near(was, is));
                assert!(same, "{field}: {}", about());
            }
        } else if then["mode"] == "wait" {
            let ended = rows.iter().any(|row| number(row, "id") == seq);
            assert!(ended || seq == 0, "{}", about());
        } else {
            // The first that ended afterwards.
            let mut later = rows.iter().rev().filter(|row| number(row, "id") > seq);
            let ended = later
                .next()
                .unwrap_or_else(|| panic!("no end: {}", about()));
            for field in ["mode", "start", "by"] {
                let (was, is) = (&then[field], &ended[field]);
                let same = was == is || (field == "start" && near(was, is));
                assert!(same, "{field}: {is} of {}", about());
            }
        }
    }

    /// What somebody has watched: states never go back, and neither they nor actions were told that are not so.
    pub(crate) fn must_agree_with(&self, seen: &[(String, Value)]) {
        let mut last = BTreeMap::new();
        for (event, payload) in seen {
            let system = text(payload, "system");
            let (now, rows) = &self.0[system];
            match event.as_str() {
                "state" => {
                    self.must_explain(payload);
                    let (seq, before) = (number(payload, "seq"), last.get(system));
                    assert!(before.is_none_or(|before| *before < seq), "{payload}");
                    last.insert(system, seq);
                }
                "action" => assert!(rows.contains(payload), "{payload} {rows:#?}"),
                "clock" => assert!(
                    number(payload, "seq") <= number(now, "seq"),
                    "{payload} {now}"
                ),
                other => panic!("{other}: {payload}"),
            }
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

pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    let text = value[field].as_str();
    text.unwrap_or_else(|| panic!("no {field}: {value}"))
}

pub(crate) fn number(value: &Value, field: &str) -> u64 {
    let number = value[field].as_u64();
    number.unwrap_or_else(|| panic!("no {field}: {value}"))
}

/// Wall times of a run are derived from two clocks that are read one after the other: they waver by so much.
const SAME_TIME_MS: u64 = 2;

pub(crate) fn near(a: &Value, b: &Value) -> bool {
    let millis = |v: &Value| {
        NaiveDateTime::parse_from_str(v.as_str()?, "%Y-%m-%dT%H:%M:%S%.3f")
            .ok()
            .map(|t| t.and_utc().timestamp_millis())
    };
    matches!((millis(a), millis(b)), (Some(a), Some(b)) if a.abs_diff(b) <= SAME_TIME_MS)
}
