//! `acequia migrate`: whatever a store answers it answers from another one, too.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use hyper::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::cluster::redis::Redis;
use crate::cluster::until;
use crate::fixture::{Http, Process, instant};
use crate::load::number;
use crate::machine::Machine;
use crate::program::{self, PROGRAM};

/// What passes between two looks at a state, and what reckoning the clock of Redis may be off by.
pub(crate) const SLACK_MS: u64 = 250;

pub(crate) const CONFIG: &str = r#"
[[systems]]
id = "north"
[[systems]]
id = "busy"
[[systems]]
id = "limited"
manual_limit = 1
[[systems]]
id = "cut"
[[systems]]
id = "timed"
[[systems]]
id = "open"
manual_limit = 80000
[[systems]]
id = "endless"
[[systems]]
id = "never"
"#;

/// A place for stores, and a Redis of its own.
pub(crate) struct Place {
    pub(crate) redis: Redis,
    home: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let home = TempDir::new().unwrap();
        let redis = Redis::start(&home.path().join("redis"));
        Self { redis, home }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn sqlite(&self, name: &str) -> String {
        sqlite(&self.path(name))
    }

    pub(crate) fn serve(&self, store: &str, config: &str) -> Process {
        let mut serve = program::command(PROGRAM);
        serve.args(["serve", "--listen", "127.0.0.1:0"]);
        let folder = self.home.path();
        Process::listening(program::start_on(store, serve, folder, config, |_| {}))
    }

    /// What `serve` says when it does not start.
    pub(crate) fn refused(&self, store: &str) -> String {
        let output = program::command(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--store", store])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

pub(crate) fn command(from: &str, to: &str) -> Command {
    let mut command = program::command(PROGRAM);
    command.args(["migrate", "--from", from, "--to", to]);
    command
}

pub(crate) fn migrate(from: &str, to: &str) -> Output {
    command(from, to).output().unwrap()
}

pub(crate) fn must_move(from: &str, to: &str) -> String {
    let output = migrate(from, to);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Refused or failed with this code and one line that has these words.
pub(crate) fn must_fail(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    let mut lines = said.lines().filter(|line| line.starts_with("acequia: "));
    let line = lines.next().unwrap_or_else(|| panic!("no line: {said}"));
    assert_eq!(lines.next(), None, "{said}");
    for word in words {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    assert_eq!(output.stdout, b"", "{output:?}");
}

/// Everything that a gateway tells of its systems: the state and the whole history of each.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) systems: Vec<(Value, Vec<Value>)>,
    /// When the states were told; the histories take a while longer.
    at: Instant,
}

impl Told {
    pub(crate) async fn by(http: &Http) -> Self {
        let (systems, at) = (http.get("/systems").await.json(), instant());
        let systems = systems.as_array().unwrap().iter();
        let told = stream::iter(systems.map(|system| async {
            let id = system["id"].as_str().unwrap();
            (system["state"].clone(), whole_history(http, id).await)
        }));
        let systems = told.buffered(16).collect().await;
        Self { systems, at }
    }

    /// The same, but for the time that has passed.
    fn must_be(&self, before: &Self) {
        assert_eq!(self.systems.len(), before.systems.len());
        for ((state, history), (former, past)) in self.systems.iter().zip(&before.systems) {
            assert_eq!(history, past);
            same_state(state, former, self.at - before.at);
        }
    }
}

async fn whole_history(http: &Http, system: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let before = rows.last().map(|row| format!("&before={}", row["id"]));
        let page = format!(
            "/systems/{system}/history?limit=100{}",
            before.unwrap_or_default()
        );
        let page = http.get(&page).await.json();
        let page = page.as_array().unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend_from_slice(page);
    }
}

fn same_state(state: &Value, former: &Value, passed: Duration) {
    for field in ["system", "seq", "mode", "by"] {
        assert_eq!(state[field], former[field], "{former} {state}");
    }
    let passed = u64::try_from(passed.as_millis()).unwrap();
    if !former["elapsed_ms"].is_null() {
        let more = number(state, "elapsed_ms") - number(former, "elapsed_ms");
        assert!(
            more.abs_diff(passed) <= SLACK_MS,
            "{passed}: {former} {state}"
        );
    }
    if !former["remaining_ms"].is_null() {
        let less = number(former, "remaining_ms") - number(state, "remaining_ms");
        assert!(
            less.abs_diff(passed) <= SLACK_MS,
            "{passed}: {former} {state}"
        );
        let length = |state| number(state, "elapsed_ms") + number(state, "remaining_ms");
        assert_eq!(length(state), length(former), "{former} {state}");
    }
    for field in ["start", "end"] {
        let at = |state: &Value| {
            let text = state[field].as_str()?;
            Some(text.parse::<chrono::NaiveDateTime>().unwrap())
        };
        let moved = at(state).zip(at(former)).map(|(now, then)| now - then);
        assert_eq!(state[field].is_null(), former[field].is_null(), "{state}");
        let moved = moved.map_or(0, |moved| moved.num_milliseconds().unsigned_abs());
        assert!(moved <= SLACK_MS, "{former} {state}");
    }
}

/// A command that was sent with a key, and what was answered.
pub(crate) struct Kept {
    path: String,
    key: &'static str,
    answer: String,
}

impl Kept {
    pub(crate) async fn ask(http: &Http, path: &str, key: &'static str) -> Self {
        let answer = http
            .send(Method::POST, path, &[("idempotency-key", key)], "")
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        Self {
            path: path.into(),
            key,
            answer: answer.text,
        }
    }

    pub(crate) async fn must_be_known_to(&self, http: &Http) {
        let again = Self::ask(http, &self.path, self.key).await;
        assert_eq!(again.answer, self.answer, "{}", self.path);
        let other = "/systems/never/timer?seconds=77";
        let headers = [("idempotency-key", self.key)];
        let refused = http.send(Method::POST, other, &headers, "").await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.error_code(), "idempotency_key_reused");
    }
}

async fn waits(http: &Http, system: &str) {
    until("its run ends", async || {
        http.state(system).await["mode"] == "wait"
    })
    .await;
}

/// Fills a store: runs that have ended in every way, more of them than are kept, runs that go on, answers that are kept.
async fn fill(place: &Place, name: &str) -> Vec<Kept> {
    let folder = place.path(name);
    let machine = Machine::new().after_a_power_cut();
    let gateway = machine.start(CONFIG);
    gateway
        .http
        .change("/systems/cut/timer?seconds=60&by=before")
        .await;
    assert_eq!(gateway.terminate().await, Some(0));
    std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
    for ending in ["", ".lock"] {
        let of = |path: &Path| format!("{}{ending}", path.display());
        std::fs::copy(of(&machine.disk().join("acequia.db")), of(&folder)).unwrap();
    }

    // On this machine, which is another boot.
    let gateway = place.serve(&sqlite(&folder), CONFIG);
    let http = &gateway.http;
    let mut kept = vec![
        Kept::ask(http, "/systems/north/stop?by=nobody", "k0").await,
        Kept::ask(
            http,
            "/systems/north/timer?seconds=1&by=Gr%C3%B6%C3%9Fe%20%E2%9C%93%20%22%F0%9F%92%A7%22",
            "\"a b\\\"c\\\\\"",
        )
        .await,
        Kept::ask(http, "/systems/north/timer?seconds=9&by=late", "k1").await,
    ];
    waits(http, "north").await;
    http.change("/systems/limited/manual?by=%27%3B%20--").await;
    waits(http, "limited").await;
    http.change("/systems/north/timer?seconds=60&by=a").await;
    http.change("/systems/north/manual?by=b").await;
    kept.push(Kept::ask(http, "/systems/north/stop?by=c", "k2").await);
    for _ in 0..505 {
        http.change("/systems/busy/timer?seconds=60&by=d").await;
        http.change("/systems/busy/manual?by=e").await;
        http.change("/systems/busy/stop").await;
    }
    kept.push(Kept::ask(http, "/systems/timed/timer?seconds=3600&by=%D7%A9", "k3").await);
    http.change("/systems/open/timer?seconds=60").await;
    kept.push(Kept::ask(http, "/systems/open/manual", "k4").await);
    http.change("/systems/endless/manual?by=f").await;
    assert_eq!(gateway.terminate().await, Some(0));
    kept
}

#[tokio::test]
async fn everything_is_answered_as_before_on_redis_and_on_a_file_again() {
    let place = Place::new();
    let (file, back) = (place.sqlite("one.db"), place.sqlite("two.db"));
    let url = place.redis.url("prefix=fields");
    let kept = fill(&place, "one.db").await;
    let mut before = None;
    for (store, from) in [(&file, None), (&url, Some(&file)), (&back, Some(&url))] {
        if let Some(from) = from {
            let said = must_move(from, store);
            let moved = format!("Moved from {from} to {store}: 13 systems and answers.\n");
            assert_eq!(said, moved);
        }
        let gateway = place.serve(store, CONFIG);
        let told = Told::by(&gateway.http).await;
        if let Some(before) = &before {
            told.must_be(before);
        }
        for kept in &kept {
            kept.must_be_known_to(&gateway.http).await;
        }
        Told::by(&gateway.http).await.must_be(&told);
        before.get_or_insert(told);
        assert_eq!(gateway.terminate().await, Some(0));
    }
    let told = before.unwrap().systems;
    let rows = told.iter().flat_map(|(_, history)| history);
    let outcome = |row: &Value| row["outcome"].as_str().unwrap().to_owned();
    let outcomes: std::collections::BTreeSet<_> = rows.map(outcome).collect();
    assert_eq!(outcomes.len(), 5, "{outcomes:?}");
    let most = told.iter().map(|(_, history)| history.len()).max();
    assert_eq!(most, Some(1000));

    // It goes on where it was.
    let gateway = place.serve(&back, CONFIG);
    let ended = gateway.http.change("/systems/timed/stop?by=g").await;
    assert_eq!(ended["seq"], 2, "{ended}");
    let row = &gateway.http.history("timed").await[0];
    assert_eq!((&row["by"], &row["ended_by"]), (&"ש".into(), &"g".into()));
}

/// Starts a run, and sends a command with a key.
pub(crate) async fn one_run(place: &Place, store: &str) -> (Value, Kept) {
    let gateway = place.serve(store, CONFIG);
    let state = gateway.http.change("/systems/open/manual?by=x").await;
    let kept = Kept::ask(&gateway.http, "/systems/open/timer?seconds=9", "k").await;
    assert_eq!(gateway.terminate().await, Some(0));
    (state, kept)
}

/// The run of [`one_run`] is over, and nobody knows when it ended.
async fn is_interrupted(gateway: &Process, kept: &Kept, seq: u64) {
    let state = gateway.http.state("open").await;
    assert_eq!(
        (&state["mode"], &state["seq"]),
        (&"wait".into(), &seq.into())
    );
    let history = gateway.http.history("open").await;
    assert_eq!(history.len(), 1, "{history:?}");
    assert_eq!(history[0]["outcome"], "interrupted");
    assert_eq!(
        (&history[0]["id"], &history[0]["by"]),
        (&seq.into(), &"x".into())
    );
    assert_eq!(history[0]["end"], Value::Null);
    kept.must_be_known_to(&gateway.http).await;
}

#[tokio::test]
async fn a_run_of_an_earlier_boot_of_the_machine_is_interrupted() {
    let place = Place::new();
    let machine = Machine::new().after_a_power_cut();
    let gateway = machine.start(CONFIG);
    gateway.http.change("/systems/open/manual?by=x").await;
    let kept = Kept::ask(&gateway.http, "/systems/open/timer?seconds=9", "k").await;
    assert_eq!(gateway.terminate().await, Some(0));

    let url = place.redis.url("");
    must_move(&sqlite(&machine.disk().join("acequia.db")), &url);
    is_interrupted(&place.serve(&url, CONFIG), &kept, 2).await;
}

#[tokio::test]
async fn a_run_of_a_file_that_may_lack_an_end_is_interrupted_and_its_number_not_used_again() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    let (_, kept) = one_run(&place, &file).await;
    std::fs::write(place.path("one.db.lock"), "1").unwrap();
    must_move(&file, &url);
    is_interrupted(&place.serve(&url, CONFIG), &kept, 3).await;
}

#[tokio::test]
async fn a_run_of_a_redis_that_was_started_again_unwatched_is_interrupted_and_its_answers_are_kept()
{
    let mut place = Place::new();
    let (url, file) = (place.redis.url(""), place.sqlite("one.db"));
    let (_, kept) = one_run(&place, &url).await;
    place.redis.terminate();
    place.redis.start_again();
    must_move(&url, &file);
    is_interrupted(&place.serve(&file, CONFIG), &kept, 2).await;
}

#[tokio::test]
async fn a_timer_that_ended_while_nobody_served_has_its_planned_end() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    let gateway = place.serve(&file, CONFIG);
    gateway.http.change("/systems/timed/timer?seconds=1").await;
    gateway.kill();
    must_move(&file, &url);
    let gateway = place.serve(&url, CONFIG);
    waits(&gateway.http, "timed").await;
    let row = &gateway.http.history("timed").await[0];
    assert_eq!(
        (&row["outcome"], &row["duration_ms"]),
        (&"completed".into(), &1000.into())
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_left_out_and_keeps_no_other_back() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    let gateway = place.serve(&file, CONFIG);
    Kept::ask(&gateway.http, "/systems/north/manual", "damaged").await;
    let kept = Kept::ask(&gateway.http, "/systems/north/timer?seconds=1", "k").await;
    assert_eq!(gateway.terminate().await, Some(0));
    let damaged = rusqlite::Connection::open(place.path("one.db")).unwrap();
    let damage = "UPDATE receipts SET start = 'once' WHERE key = 'damaged'";
    assert_eq!(damaged.execute(damage, []).unwrap(), 1);
    damaged.close().unwrap();
    must_move(&file, &url);
    let gateway = place.serve(&url, CONFIG);
    kept.must_be_known_to(&gateway.http).await;
}
