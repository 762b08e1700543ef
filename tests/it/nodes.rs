//! More than one machine: whichever gateway is asked, all of them know it, and it happens once. Nothing fails here but
//! a gateway that ends.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use hyper::{Method, StatusCode};
use rand::RngExt;
use rand::seq::IndexedRandom;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::cluster::follower::{Heard, follow};
use crate::cluster::{Cluster, HEALED, NODES, must_have_lasted};
use crate::dice::Dice;
use crate::field::{self, Load, seqs};
use crate::fixture::{Http, SYSTEMS, Socket, instant};
use crate::load::{Answered, Shown};
use crate::verdict::{Wrong, actions_since};

/// The next clock tells of this seq, after its state has come.
async fn hears(socket: &mut Socket, seq: u64) -> Value {
    let state = socket.event("state").await;
    assert_eq!(state["seq"], seq, "{state}");
    while socket.event("clock").await["seq"] != seq {}
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_every_gateway_hear_of_a_command_given_to_any() {
    let cluster = Cluster::start(SYSTEMS).await;
    let mut sockets = cluster.join_all("north").await;
    let mut seq = 0;
    for node in 0..NODES {
        let began = cluster
            .http(node)
            .change("/systems/north/manual?by=Jo")
            .await;
        seq += 1;
        for socket in &mut sockets {
            let state = hears(socket, seq).await;
            assert_eq!(
                (&state["mode"], &state["by"]),
                (&"manual".into(), &"Jo".into())
            );
            assert_eq!(state["start"], began["start"]);
        }
        cluster.http(node).change("/systems/north/stop").await;
        seq += 1;
        let mut actions = Vec::new();
        for socket in &mut sockets {
            let state = socket.event("state").await;
            assert_eq!(
                (&state["seq"], &state["mode"]),
                (&seq.into(), &"wait".into())
            );
            actions.push(socket.expect("action").await);
        }
        for node in 0..NODES {
            let history = cluster.http(node).history("north").await;
            assert!(
                actions.iter().all(|action| *action == history[0]),
                "{history:#?}"
            );
        }
    }
}

/// The states of a system, from the first to the last, and its actions make a history that can be: each state follows
/// from the one before by the table of the contract, and each run has ended in one row.
fn must_be_legal(states: &[&Value], rows: &[Value]) {
    let mut ends = 0;
    for pair in states.windows(2) {
        let (was, is) = (pair[0], pair[1]);
        let row = rows.iter().find(|row| row["id"] == is["seq"]);
        let about = || format!("{was} {is} {row:?}");
        let mut ended = |outcomes: &[&str]| {
            ends += 1;
            let row = row.unwrap_or_else(|| panic!("no row: {}", about()));
            let outcome = row["outcome"].as_str().unwrap();
            assert!(outcomes.contains(&outcome), "{}", about());
            assert_eq!((&row["mode"], &row["by"]), (&was["mode"], &was["by"]));
        };
        match (was["mode"].as_str().unwrap(), is["mode"].as_str().unwrap()) {
            ("wait", "timer" | "manual") => assert_eq!(row, None, "{}", about()),
            ("timer", "manual") => ended(&["replaced"]),
            ("timer", "wait") => ended(&["stopped", "completed"]),
            ("manual", "wait") => ended(&["stopped"]),
            _ => panic!("{}", about()),
        }
    }
    assert_eq!(rows.len(), ends, "no row is of a run that was not");
}

const RIVALS: usize = 20;
const COMMANDS: usize = 8;

/// Gives commands to a system, each at another gateway, and sends each until it is answered.
async fn rival(gateways: Vec<Http>, name: String, mut dice: rand::rngs::StdRng) -> Vec<Answered> {
    let mut answered = Vec::new();
    for n in 0..COMMANDS {
        let verb = ["manual?", "stop?", "timer?seconds=1&", "timer?seconds=60&"];
        let by = format!("{name}-{n}");
        let path = format!("/systems/north/{}by={by}", verb.choose(&mut dice).unwrap());
        let key = [("Idempotency-Key", by.as_str())];
        let outcome = loop {
            let http = gateways.choose(&mut dice).unwrap();
            let answer = http.send(Method::POST, &path, &key, "").await;
            if answer.status == StatusCode::OK {
                break answer.json();
            }
            // A stop overtook it.
            assert_eq!(answer.error_code(), "overloaded");
        };
        answered.push(Answered { by, outcome });
    }
    answered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivals_at_every_gateway_make_one_legal_history_without_a_gap() {
    let mut dice = Dice::new();
    let cluster = Cluster::start(SYSTEMS).await;
    let (followers, goal) = followers(&cluster, &["north".into()]).await;
    let gateways: Vec<_> = (0..NODES).map(|node| cluster.http(node).clone()).collect();
    let rivals = (0..RIVALS).map(|i| {
        let name = format!("c{i}-{}", dice.random::<u32>());
        tokio::spawn(rival(gateways.clone(), name, dice.another()))
    });
    let rivals: Vec<_> = rivals.collect();
    let mut answered = Vec::new();
    for rival in rivals {
        answered.extend(rival.await.unwrap());
    }
    cluster.http(0).post("/systems/north/stop").await;

    let seqs = seqs(cluster.http(0), &["north".into()]).await;
    let last = seqs["north"];
    goal.send_replace(Some(seqs));
    let state = cluster.http(0).state("north").await;
    let rows = actions_since(cluster.http(0), "north", 0).await;
    for node in 1..NODES {
        cluster.shows(node, "north", last).await;
        assert_eq!(actions_since(cluster.http(node), "north", 0).await, rows);
    }
    for follower in followers {
        let connections = follower.await.unwrap();
        assert_eq!(connections.len(), 1, "nobody lost the connection");
        let heard = &connections[0];
        assert_eq!(
            heard.seqs("north"),
            Vec::from_iter(0..=last),
            "{:#?}",
            &heard.events[..4]
        );
        heard.must_be_without_a_gap("north");
        let states: Vec<_> = heard.of("state", "north").map(|(_, state)| state).collect();
        must_be_legal(&states, &rows);
        let actions = heard.of("action", "north").map(|(_, action)| action);
        assert!(
            actions.eq(rows.iter().rev()),
            "{:#?} {rows:#?}",
            heard.events
        );
    }
    let shown = Shown(BTreeMap::from([("north".into(), (state, rows))]));
    shown.must_hold(&answered);
}

pub(crate) type Followers = Vec<JoinHandle<Vec<Heard>>>;
pub(crate) type GoalSender = watch::Sender<Option<BTreeMap<String, u64>>>;

/// One follower of these systems at each gateway; they end when they have heard of the goal.
pub(crate) async fn followers(cluster: &Cluster, systems: &[String]) -> (Followers, GoalSender) {
    let goal = watch::Sender::new(None);
    let follow = |node| follow(cluster.gateways(), node, systems.to_vec(), goal.subscribe());
    (join_all((0..NODES).map(follow)).await, goal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loses_a_gateway_under_load_has_the_right_state_from_another_within_two_seconds() {
    let mut dice = Dice::new();
    let mut cluster = Cluster::start(&field::config()).await;
    let systems = field::systems();
    let before = seqs(cluster.http(0), &systems).await;
    let (followers, goal) = followers(&cluster, &systems).await;
    let load = Load::start(cluster.gateways(), "load", &mut dice);
    load.field.answers(dice.random_range(50..200)).await;

    // What was answered by now must be known to everybody who joins.
    let answered = seqs(cluster.http(2), &systems).await;
    cluster.kill(1);
    let killed = instant();
    load.field.answers(200).await;
    cluster.start_again(1).await;
    load.field.answers(50).await;
    let account = load.end().await;
    goal.send_replace(Some(seqs(cluster.http(0), &systems).await));

    let mut moved = 0;
    for follower in followers {
        let connections = follower.await.unwrap();
        let connections: Vec<_> = connections
            .iter()
            .filter(|heard| !heard.events.is_empty())
            .collect();
        for heard in &connections {
            systems
                .iter()
                .for_each(|system| heard.must_be_without_a_gap(system));
        }
        for heard in connections.iter().skip(1) {
            moved += 1;
            let joined = heard.joined(&systems).expect("all are shown");
            assert!(joined - killed < HEALED, "{:?}", joined - killed);
            for (system, seq) in &answered {
                assert!(heard.seqs(system)[0] >= *seq, "{system} {seq}");
            }
        }
    }
    assert_eq!(
        moved, 1,
        "those of the gateway that was killed, and no others"
    );
    let wrong = Wrong::since(&before, cluster.http(1), &account).await;
    assert_eq!(wrong, Wrong::default());
}

/// Every system has run for a second, once, as all gateways show it.
async fn must_have_run_once(cluster: &Cluster, nodes: &[usize], systems: &[String]) {
    for node in nodes {
        for system in systems {
            cluster.shows(*node, system, 2).await;
            let rows = cluster.http(*node).history(system).await;
            assert_eq!(rows.len(), 1, "{rows:#?}");
            assert_eq!(
                (&rows[0]["id"], &rows[0]["outcome"], &rows[0]["duration_ms"]),
                (&2.into(), &"completed".into(), &1000.into())
            );
            assert_eq!(cluster.http(*node).state(system).await["seq"], 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_once_although_every_gateway_watches_it_also_when_its_own_is_killed() {
    let systems: Vec<_> = (0..20).map(|i| format!("s{i}")).collect();
    let config = systems
        .iter()
        .map(|id| format!("[[systems]]\nid = \"{id}\"\n"));
    let mut cluster = Cluster::start(&config.collect::<String>()).await;
    let (whole, cut) = systems.split_at(10);
    for (systems, nodes) in [(whole, &[0, 1, 2][..]), (cut, &[1, 2][..])] {
        let mut sockets = Vec::new();
        for node in nodes {
            let mut socket = cluster.join(*node, &systems[0]).await;
            for system in &systems[1..] {
                socket.join(system).await;
            }
            sockets.push(socket);
        }
        let mut began = BTreeMap::new();
        for system in systems {
            let path = format!("/systems/{system}/timer?seconds=1");
            cluster.http(0).change(&path).await;
            began.insert(system.clone(), instant());
        }
        if nodes.len() < NODES {
            cluster.kill(0);
        }
        for socket in &mut sockets {
            let mut ended = BTreeMap::new();
            while ended.len() < systems.len() {
                let action = socket.event("action").await;
                let system = action["system"].as_str().unwrap().to_owned();
                let lasted = instant() - began[&system];
                must_have_lasted(lasted, 1, &system);
                assert_eq!(ended.insert(system, lasted), None, "twice: {action}");
            }
        }
        must_have_run_once(&cluster, nodes, systems).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_gateways_are_restarted_one_after_the_other_and_no_command_is_lost_and_no_run_is_cut() {
    const SECONDS: u64 = 5;
    let mut dice = Dice::new();
    let mut cluster = Cluster::start(&field::config()).await;
    let systems = field::systems();
    let before = seqs(cluster.http(0), &systems).await;
    let manual = cluster.http(0).change("/systems/pond-0/manual").await;
    let timer = format!("/systems/pond-1/timer?seconds={SECONDS}");
    cluster.http(1).change(&timer).await;
    let began = instant();
    let load = Load::start(cluster.gateways(), "load", &mut dice);
    for node in 0..NODES {
        load.field.answers(30).await;
        cluster.terminate(node).await;
        load.field.answers(30).await;
        cluster.start_again(node).await;
    }
    load.field.answers(30).await;
    let account = load.end().await;
    let wrong = Wrong::since(&before, cluster.http(0), &account).await;
    assert_eq!(wrong, Wrong::default());

    let now = cluster.http(2).state("pond-0").await;
    assert_eq!(
        (&now["seq"], &now["mode"]),
        (&manual["seq"], &"manual".into())
    );
    assert_eq!(now["start"], manual["start"]);
    the_timer_has_ended(&cluster, began, SECONDS).await;
}

/// The timer of pond-1, the only run that it had, was completed and as long as asked; waits for that.
pub(crate) async fn the_timer_has_ended(cluster: &Cluster, began: Instant, seconds: u64) {
    let mut socket = cluster.join(2, "pond-1").await;
    let mut rows = cluster.http(2).history("pond-1").await;
    if rows.is_empty() {
        rows.push(socket.event("action").await);
        must_have_lasted(began.elapsed(), seconds, "the timer");
    }
    assert_eq!(
        (&rows[0]["id"], &rows[0]["outcome"], &rows[0]["duration_ms"]),
        (&2.into(), &"completed".into(), &(seconds * 1000).into())
    );
}
