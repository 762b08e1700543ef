//! More than one machine, and clocks that are not right: that of a gateway, or that of Redis.

use chrono::{NaiveDateTime, TimeDelta};
use futures_util::future::{join_all, select_all};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::cluster::{Cluster, HEALED, LONGEST_SILENCE, NODES, logged, must_have_lasted};
use crate::fixture::{Packet, SYSTEMS, Socket, WATCHDOG, instant};
use crate::load::number;

const HOUR: i64 = 3600;

fn time(text: &Value) -> NaiveDateTime {
    let text = text.as_str().unwrap();
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The local wall time, so many seconds off.
fn wall(off_s: i64) -> NaiveDateTime {
    #[expect(clippy::disallowed_methods, reason = "the test knows the right time")]
    let local = chrono::Local::now().naive_local();
    local + TimeDelta::seconds(off_s)
}

/// Something that was heard: when, what the right time was, and what it was.
type Heard = (Instant, NaiveDateTime, String, Value);

/// All that a socket hears until a run has ended.
async fn hears_a_run(mut socket: Socket) -> Vec<Heard> {
    let mut heard = Vec::new();
    loop {
        let Packet::Event(event, payload) = socket.next().await else {
            panic!("the connection was lost after {heard:?}");
        };
        let over = event == "action";
        heard.push((instant(), wall(0), event, payload));
        if over {
            return heard;
        }
    }
}

fn named<'a>(heard: &'a [Heard], name: &str) -> Vec<&'a Heard> {
    let named = heard.iter().filter(|(_, _, event, _)| event == name);
    named.collect()
}

/// A run that begins at a gateway and is heard of at all.
async fn a_run_begins_at(cluster: &Cluster, node: usize, system: &str) {
    const SECONDS: u64 = 2;
    let sockets = cluster.join_all(system).await.into_iter();
    let listening: Vec<_> = sockets
        .map(|socket| tokio::spawn(hears_a_run(socket)))
        .collect();
    let path = format!("/systems/{system}/timer?seconds={SECONDS}");
    cluster.http(node).change(&path).await;
    let began = instant();
    let mut shown = Vec::new();
    for listening in listening {
        let heard = listening.await.unwrap();
        for (_, right, _, clock) in named(&heard, "clock") {
            let off = (time(&clock["now"]) - *right).num_milliseconds();
            assert!(off.abs() < 1_500, "{off} ms: {clock}");
        }
        let (ended, ..) = heard.last().unwrap();
        must_have_lasted(*ended - began, SECONDS, system);
        let news = heard.iter().filter(|(_, _, event, _)| event != "clock");
        let times = news.map(|(.., payload)| (payload["start"].clone(), payload["end"].clone()));
        shown.push(times.collect::<Vec<_>>());
    }
    assert_eq!(
        shown[0].len(),
        3,
        "the run, its end and its action: {shown:#?}"
    );
    assert!(shown.iter().all(|others| *others == shown[0]), "{shown:#?}");
    let rows = join_all((0..NODES).map(|node| cluster.http(node).history(system))).await;
    assert!(rows.iter().all(|others| *others == rows[0]), "{rows:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_wall_clock_is_an_hour_off_shows_the_same_time_and_ends_runs_with_the_others()
 {
    let cluster = Cluster::with_a_clock_off([SYSTEMS; NODES], [0, HOUR, -HOUR]).await;
    let systems = ["north", "south", "limited"].into_iter().enumerate();
    let runs = systems.map(|(node, system)| a_run_begins_at(&cluster, node, system));
    join_all(runs).await;
}

/// A run is shown as it would have been if the clock had been set before.
fn must_have_moved(anew: &Value, before: &Value, step_s: i64, what: &str) {
    let moved = time(&anew["start"]) - time(&before["start"]);
    let off = moved.num_milliseconds() - step_s * 1000;
    assert!(off.abs() < 1_000, "{what}: {anew} {before}");
    let length = time(&anew["end"]) - time(&anew["start"]);
    assert_eq!(
        length,
        time(&before["end"]) - time(&before["start"]),
        "{what}: {anew}"
    );
}

/// One clock after the other, and the last shows what was set.
fn clocks_must_go_on(clocks: &[&Heard], step_s: i64, what: &str) {
    for pair in clocks.windows(2) {
        assert!(pair[1].0 - pair[0].0 < LONGEST_SILENCE, "{what}: {pair:?}");
    }
    let (_, right, _, last) = clocks.last().unwrap();
    let off = (time(&last["now"]) - *right).num_milliseconds() - step_s * 1000;
    assert!(off.abs() < 1_500, "{what}: {last}");
}

/// Redis's own clock is set in the middle of a run.
async fn a_run_over_a_step_of(step_s: i64) {
    const SECONDS: u64 = 4;
    let cluster = Cluster::start(SYSTEMS).await;
    let sockets = cluster.join_all("north").await;
    let mut first = cluster.join(0, "north").await;
    let listening: Vec<_> = sockets
        .into_iter()
        .map(|socket| tokio::spawn(hears_a_run(socket)))
        .collect();
    let path = format!("/systems/north/timer?seconds={SECONDS}");
    let state = cluster.http(0).change(&path).await;
    let began = instant();
    first.event("state").await;
    first.event("clock").await;
    cluster.redis.set_clock(step_s);

    for (node, listening) in listening.into_iter().enumerate() {
        let heard = timeout(WATCHDOG, listening)
            .await
            .expect("it ends")
            .unwrap();
        let what = format!("node {node}, {step_s} s");
        let (ended, _, _, action) = heard.last().unwrap();
        must_have_lasted(*ended - began, SECONDS, &what);
        assert_eq!(action["outcome"], "completed", "{what}");
        assert_eq!(action["duration_ms"], SECONDS * 1000, "{what}");
        let states = named(&heard, "state");
        let seqs = states.iter().map(|(.., state)| number(state, "seq"));
        let seqs: Vec<_> = seqs.collect();
        assert_eq!(
            seqs,
            [1, 2, 3],
            "{what}: the run, shown anew once, and its end"
        );
        must_have_moved(&states[1].3, &state, step_s, &what);
        clocks_must_go_on(&named(&heard, "clock"), step_s, &what);
    }
    let noted = (0..NODES).map(|node| Box::pin(logged(cluster.log(node), &["clock", "stepped"])));
    select_all(noted).await;
    // What begins afterwards is as good as ever.
    cluster.http(1).change("/systems/north/manual").await;
    cluster.http(2).change("/systems/north/stop").await;
    let healed = cluster.heals().await;
    assert!(healed < HEALED, "{healed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_lasts_as_long_as_asked_while_redis_own_clock_is_set() {
    join_all([HOUR, -HOUR].map(a_run_over_a_step_of)).await;
}
