//! A move from one store to another that is cut, or whose Redis fails half-way: it shows nobody a half, and the next one
//! is complete.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Output, Stdio};

use futures_util::{StreamExt, stream};
use hyper::{Method, StatusCode};
use rand::RngExt;
use tokio::time::Instant;

use crate::dice::{Dice, rounds};
use crate::fixture::{instant, send_signal};
use crate::load::number;
use crate::migrate::{Place, SLACK_MS, Told, command, migrate, must_fail, must_move};

/// Enough that a move takes a while.
const MANY: usize = 700;

fn many() -> String {
    let tables = (0..MANY).map(|i| format!("[[systems]]\nid = \"s{i}\"\n"));
    tables.collect()
}

/// Fills a store with many systems: some of them run, all have a history, and each has an answer that is kept.
async fn fill_many(place: &Place, store: &str) -> Told {
    let gateway = place.serve(store, &many());
    let http = &gateway.http;
    let commands = stream::iter(0..MANY).map(|i| async move {
        for verb in [
            "manual?by=a",
            "stop?by=b",
            "timer?seconds=3600&by=c",
            "stop",
        ] {
            http.change(&format!("/systems/s{i}/{verb}")).await;
        }
        let key = format!("k{i}");
        let verb = ["stop", "manual", "timer?seconds=86400"][i % 3];
        let path = format!("/systems/s{i}/{verb}");
        let headers = [("idempotency-key", &*key)];
        let answer = http.send(Method::POST, &path, &headers, "").await;
        assert_eq!(answer.status, StatusCode::OK);
    });
    commands.buffer_unordered(64).collect::<Vec<()>>().await;
    let told = Told::by(http).await;
    assert_eq!(gateway.terminate().await, Some(0));
    told
}

/// A move that is going on.
struct Moving {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
}

impl Moving {
    fn begin(from: &str, to: &str) -> Self {
        let mut child = command(from, to)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let said = String::new();
        Self { child, lines, said }
    }

    /// Returns when it has said so many lines, or has ended.
    fn lines(&mut self, count: usize) {
        for _ in 0..count {
            if self.lines.read_line(&mut self.said).unwrap() == 0 {
                break;
            }
        }
    }

    /// True when it had not ended before.
    fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        !self.child.wait().unwrap().success()
    }

    fn end(mut self) -> Output {
        self.lines.read_to_string(&mut self.said).unwrap();
        let output = self.child.wait_with_output().unwrap();
        Output {
            stderr: self.said.into_bytes(),
            ..output
        }
    }
}

/// The store tells what was told before, and knows the answers.
async fn must_tell(place: &Place, store: &str, before: &Told, began: Instant) {
    let gateway = place.serve(store, &many());
    let told = Told::by(&gateway.http).await;
    // A system is looked at a while before or after the others.
    assert_eq!(told.systems.len(), before.systems.len());
    for ((state, history), (former, past)) in told.systems.iter().zip(&before.systems) {
        assert_eq!(history, past);
        for field in ["system", "seq", "mode", "by"] {
            assert_eq!(state[field], former[field], "{former} {state}");
        }
        if !former["remaining_ms"].is_null() {
            let less = number(former, "remaining_ms") - number(state, "remaining_ms");
            let most = u64::try_from(began.elapsed().as_millis()).unwrap() + SLACK_MS;
            assert!(less <= most, "{former} {state}");
        }
    }
    for i in (0..MANY).step_by(97) {
        let key = format!("k{i}");
        let headers = [("idempotency-key", &*key)];
        let other = gateway
            .http
            .send(Method::POST, "/systems/s0/timer?seconds=7", &headers, "")
            .await;
        assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{other:?}");
    }
    assert_eq!(gateway.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_kill_9_has_cut_is_no_store_and_is_complete_when_it_is_run_again() {
    let mut dice = Dice::new();
    let place = Place::new();
    let began = instant();
    let file = place.sqlite("one.db");
    let before = fill_many(&place, &file).await;
    // Each is half a minute on a slow machine.
    for round in 0..rounds(1).div_ceil(10) {
        let url = place.redis.url(&format!("prefix=r{round}"));
        let name = format!("{round}.db");
        let mut complete = false;
        for _ in 0..2 {
            let mut moving = Moving::begin(&file, &url);
            let lines = dice.random_range(0..10);
            moving.lines(lines);
            complete |= !moving.kill();
            // Before the first line nothing may have begun.
            if lines > 0 && !complete {
                let said = place.refused(&url);
                assert!(said.contains("was cut; run that migration again"), "{said}");
                let half = migrate(&url, &place.sqlite("half.db"));
                must_fail(&half, 1, &["was cut: it is not whole"]);
            }
        }
        let last = migrate(&file, &url);
        if !last.status.success() {
            // It was cut between its last step and its last word.
            must_fail(&last, 1, &[&format!("the target holds {MANY} systems")]);
        }
        must_tell(&place, &url, &before, began).await;

        for _ in 0..2 {
            let mut moving = Moving::begin(&url, &place.sqlite(&name));
            moving.lines(dice.random_range(0..10));
            moving.kill();
        }
        if !place.path(&name).exists() {
            must_move(&url, &place.sqlite(&name));
        }
        must_tell(&place, &place.sqlite(&name), &before, began).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_used_while_it_is_read_ends_the_move() {
    let place = Place::new();
    let (url, file) = (place.redis.url(""), place.sqlite("one.db"));
    fill_many(&place, &url).await;
    let mut moving = Moving::begin(&url, &file);
    moving.lines(1);
    send_signal(moving.child.id(), "-STOP");
    let gateway = place.serve(&url, &many());
    gateway.http.change("/systems/s1/stop").await;
    assert_eq!(gateway.terminate().await, Some(0));
    send_signal(moving.child.id(), "-CONT");
    must_fail(&moving.end(), 1, &["Redis"]);
    assert!(!place.path("one.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_fails_in_the_middle_ends_the_move_with_a_line_and_the_next_one_is_complete() {
    let mut place = Place::new();
    let began = instant();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    let before = fill_many(&place, &file).await;
    for fault in ["full", "killed", "started again", "frozen"] {
        let mut moving = Moving::begin(&file, &url);
        moving.lines(1);
        send_signal(moving.child.id(), "-STOP");
        match fault {
            "full" => drop(place.redis.ask("CONFIG SET maxmemory 1")),
            "killed" => place.redis.kill(),
            "started again" => {
                place.redis.kill();
                place.redis.start_again();
            }
            _ => place.redis.signal("-STOP"),
        }
        send_signal(moving.child.id(), "-CONT");
        must_fail(&moving.end(), 1, &["Redis"]);
        match fault {
            "full" => drop(place.redis.ask("CONFIG SET maxmemory 0")),
            "killed" => place.redis.start_again(),
            "started again" => {}
            _ => place.redis.signal("-CONT"),
        }
        assert!(place.refused(&url).contains("was cut"), "{fault}");
    }
    must_move(&file, &url);
    must_tell(&place, &url, &before, began).await;

    let two = place.sqlite("two.db");
    let mut moving = Moving::begin(&url, &two);
    moving.lines(1);
    send_signal(moving.child.id(), "-STOP");
    place.redis.kill();
    send_signal(moving.child.id(), "-CONT");
    must_fail(&moving.end(), 1, &["Redis"]);
    assert!(!place.path("two.db").exists());
}

#[tokio::test]
async fn whoever_reads_a_pipe_gets_a_line_for_each_tenth_and_one_when_it_is_done() {
    let place = Place::new();
    let (file, url) = (place.sqlite("one.db"), place.redis.url(""));
    fill_many(&place, &file).await;
    let output = migrate(&file, &url);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let percents = said.lines().map(|line| {
        let (percent, of) = line.split_once(" % of ").unwrap();
        assert_eq!(of, format!("{} systems and answers", 2 * MANY));
        percent.parse::<u32>().unwrap()
    });
    let percents: Vec<u32> = percents.collect();
    assert!(percents.len() > 4 && percents.is_sorted(), "{percents:?}");
    assert_eq!(percents.last(), Some(&100));
    let done = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        done,
        format!(
            "Moved from {file} to {url}: {} systems and answers.\n",
            2 * MANY
        )
    );
}
