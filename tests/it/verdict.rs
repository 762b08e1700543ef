//! The verdict on what a field under load was told: every answer is looked for in the states and histories, and every run
//! is counted.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde_json::Value;

use crate::dice::report;
use crate::field::Account;
use crate::fixture::Http;
use crate::load::number;

/// The figures of a whole campaign.
#[derive(Debug)]
pub(crate) struct Figures<F> {
    rounds: usize,
    faults: BTreeMap<F, usize>,
    answered: usize,
    sent: usize,
    refused: usize,
    lost: usize,
    watered_twice: usize,
    longer_than_asked: usize,
    /// In milliseconds, by the fault of the round.
    worst_overrun_ms: BTreeMap<F, u64>,
}

impl<F: Copy + Debug + Ord> Figures<F> {
    pub(crate) const fn new() -> Self {
        Self {
            rounds: 0,
            faults: BTreeMap::new(),
            answered: 0,
            sent: 0,
            refused: 0,
            lost: 0,
            watered_twice: 0,
            longer_than_asked: 0,
            worst_overrun_ms: BTreeMap::new(),
        }
    }

    pub(crate) const fn rounds(&self) -> usize {
        self.rounds
    }

    /// By how many milliseconds a run was longer than asked, as somebody has seen it.
    pub(crate) fn overran(&mut self, fault: F, overrun_ms: u64) {
        let worst = self.worst_overrun_ms.entry(fault).or_default();
        *worst = overrun_ms.max(*worst);
    }

    /// What came of a round.
    pub(crate) fn add(&mut self, fault: F, account: &Account, wrong: &Wrong) {
        *self.faults.entry(fault).or_default() += 1;
        self.rounds += 1;
        self.answered += account.answered.len();
        self.sent += account.sent;
        self.refused += account.refused;
        for lost in &wrong.lost {
            report("lost", &format!("{fault:?}: {lost}"));
        }
        self.lost += wrong.lost.len();
        self.watered_twice += wrong.watered_twice;
        self.longer_than_asked += wrong.longer_than_asked;
    }

    /// The rows of the table in README.
    pub(crate) fn tell(&self) {
        let listed = |list: Vec<String>| list.join(", ");
        let faults = self.faults.iter().map(|(f, n)| format!("{f:?} {n}"));
        let worst = self.worst_overrun_ms.iter();
        let worst = worst.map(|(fault, ms)| format!("{fault:?} {ms} ms"));
        let rows = [
            ("rounds", self.rounds.to_string()),
            ("faults injected", listed(faults.collect())),
            ("commands answered", self.answered.to_string()),
            ("requests sent for them", self.sent.to_string()),
            (
                "refused meanwhile, and sent again",
                self.refused.to_string(),
            ),
            ("answered commands that were lost", self.lost.to_string()),
            (
                "commands that watered twice",
                self.watered_twice.to_string(),
            ),
            ("runs longer than asked", self.longer_than_asked.to_string()),
            ("worst over-run", listed(worst.collect())),
        ];
        rows.iter().for_each(|(what, figure)| report(what, figure));
    }

    /// Nothing was lost, nothing has watered twice, and no run was longer than asked, by more than so much as somebody
    /// has seen it.
    pub(crate) fn must_be_right(&self, bound_ms: u64) {
        assert_eq!(self.lost, 0, "{self:?}");
        assert_eq!(self.watered_twice, 0, "{self:?}");
        assert_eq!(self.longer_than_asked, 0, "{self:?}");
        let worst = self.worst_overrun_ms.values().max();
        assert!(worst <= Some(&bound_ms), "{self:?}");
    }
}

/// The actions of a system since `seq`, the newest first.
pub(crate) async fn actions_since(http: &Http, system: &str, seq: u64) -> Vec<Value> {
    let mut rows = Vec::<Value>::new();
    loop {
        let before = rows.last().map_or(u64::MAX, |row| number(row, "id"));
        let path = format!("/systems/{system}/history?limit=100&before={before}");
        let page = http.get(&path).await.json();
        let page = page.as_array().unwrap();
        let new = page.iter().filter(|row| number(row, "id") > seq);
        let length = rows.len();
        rows.extend(new.cloned());
        if rows.len() - length < 100 {
            return rows;
        }
    }
}

/// What became of a system in a round.
pub(crate) struct Told {
    pub(crate) state: Value,
    pub(crate) rows: Vec<Value>,
}

impl Told {
    /// Both of one moment: a run that ends between two looks would stand in neither, or in both.
    pub(crate) async fn by(http: &Http, system: &str, since: u64) -> Self {
        let mut state = http.state(system).await;
        loop {
            let rows = actions_since(http, system, since).await;
            let now = http.state(system).await;
            if now["seq"] == state["seq"] {
                return Self { state, rows };
            }
            state = now;
        }
    }

    /// How often water ran because of this command.
    pub(crate) fn runs_of(&self, by: &str) -> usize {
        let ended = self.rows.iter().filter(|row| row["by"] == *by).count();
        ended + usize::from(self.state["by"] == *by)
    }

    /// Whether the command did what it was answered to have done.
    pub(crate) fn holds(&self, by: &str, outcome: &Value) -> bool {
        let then = &outcome["state"];
        if outcome["changed"] == false {
            return number(&self.state, "seq") >= number(then, "seq");
        }
        if then["mode"] == "wait" {
            let mut rows = self.rows.iter();
            return rows.any(|row| {
                row["id"] == then["seq"] && row["ended_by"] == *by && row["outcome"] == "stopped"
            });
        }
        self.runs_of(by) == 1
    }

    pub(crate) fn longer_than_asked(&self) -> usize {
        let longer = |row: &&Value| match (row["duration_ms"].as_u64(), row["planned_ms"].as_u64())
        {
            (Some(duration), Some(planned)) => duration > planned,
            _ => false,
        };
        self.rows.iter().filter(longer).count()
    }

    /// Commands that have watered more than once.
    fn watered_twice(&self) -> usize {
        let mut runs = BTreeMap::<&str, usize>::new();
        let all = self.rows.iter().chain([&self.state]);
        let all = all.filter_map(|run| run["by"].as_str());
        all.for_each(|by| *runs.entry(by).or_default() += 1);
        runs.values().filter(|runs| **runs > 1).count()
    }
}

/// What was wrong in a while.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    /// Answers that are not found again, and what is there instead.
    pub(crate) lost: Vec<String>,
    pub(crate) watered_twice: usize,
    pub(crate) longer_than_asked: usize,
}

impl Wrong {
    /// Looks for all that was answered in what a gateway shows. `before` are the seqs from when it began.
    pub(crate) async fn since(
        before: &BTreeMap<String, u64>,
        http: &Http,
        account: &Account,
    ) -> Self {
        let (mut wrong, mut told) = (Self::default(), BTreeMap::new());
        for (system, seq) in before {
            let system_told = Told::by(http, system, *seq).await;
            wrong.longer_than_asked += system_told.longer_than_asked();
            wrong.watered_twice += system_told.watered_twice();
            told.insert(system.as_str(), system_told);
        }
        for (by, outcome) in &account.answered {
            let told = &told[outcome["state"]["system"].as_str().unwrap()];
            if !told.holds(by, outcome) {
                let lost = format!("{by} {outcome} {} {:#?}", told.state, told.rows);
                wrong.lost.push(lost);
            }
        }
        wrong
    }
}
