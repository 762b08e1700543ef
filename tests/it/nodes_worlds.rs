//! More than one machine: which systems they serve together, and what keeps them apart.

use std::net::TcpListener;

use futures_util::future::join_all;
use hyper::Method;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::cluster::redis::Redis;
use crate::cluster::{Cluster, NODES, logged, until};
use crate::fixture::{Process, SYSTEMS, Socket};
use crate::program::{self, PROGRAM};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_with_different_lists_serve_the_union_and_a_difference_is_logged() {
    const NORTH: &str = "[[systems]]\nid = \"north\"\n";
    let first = format!("{NORTH}[[systems]]\nid = \"a\"\n");
    let second = format!("{NORTH}timer_seconds = 33\n[[systems]]\nid = \"b\"\n");
    let third = format!("{NORTH}[[systems]]\nid = \"c\"\n");
    let cluster = Cluster::with([&first, &second, &third]).await;
    logged(cluster.log(1), &["north"]).await;
    for node in 0..NODES {
        let http = cluster.http(node);
        until("it serves the union", async || {
            let listed = http.get("/systems").await.json();
            let ids = listed
                .as_array()
                .unwrap()
                .iter()
                .map(|system| &system["id"]);
            ids.eq(["a", "b", "c", "north"])
        })
        .await;
    }
    let mut socket = cluster.join(0, "c").await;
    cluster.http(1).change("/systems/c/manual").await;
    assert_eq!(socket.event("state").await["mode"], "manual");
    cluster.http(0).change("/systems/c/stop").await;
    assert_eq!(socket.event("action").await["outcome"], "stopped");
}

/// A gateway on a store of this name.
async fn gateway_on(store: String) -> (TempDir, Process) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let started = spawn_blocking(move || {
        let mut command = program::command(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        program::start_on(&store, command, &path, SYSTEMS, |_| ())
    });
    (folder, Process::listening(started.await.unwrap()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_database_or_prefix_is_another_world() {
    let home = TempDir::new().unwrap();
    let redis = Redis::start(home.path());
    let worlds = ["", "db=1", "prefix=other", "db=1&prefix=other"];
    let gateways = join_all(worlds.map(|world| gateway_on(redis.url(world)))).await;
    for (i, (_, gateway)) in gateways.iter().enumerate() {
        let mut elsewhere = Vec::new();
        for (_, other) in &gateways[i + 1..] {
            let mut socket = Socket::connect(other.address).await;
            socket.join("north").await;
            elsewhere.push(socket);
        }
        let key = [("Idempotency-Key", "same")];
        let path = format!("/systems/north/manual?by=world-{i}");
        let began = gateway.http.send(Method::POST, &path, &key, "").await;
        assert_eq!(
            began.json()["state"]["by"],
            format!("world-{i}"),
            "{}",
            began.text
        );
        gateway.http.change("/systems/north/stop").await;
        assert_eq!(gateway.http.history("north").await.len(), 1);
        for socket in &mut elsewhere {
            assert_eq!(socket.event("clock").await["seq"], 0);
        }
        for (_, other) in &gateways[i + 1..] {
            assert_eq!(other.http.state("north").await["seq"], 0);
            assert_eq!(other.http.history("north").await.len(), 0);
        }
    }
    let keys = redis.ask("KEYS *");
    let ours = ["acequia:", "other:", "{acequia}", "{other}"];
    let keys = keys
        .lines()
        .filter(|line| !line.starts_with(['*', '$', '+']));
    for key in keys {
        assert!(ours.iter().any(|prefix| key.starts_with(prefix)), "{key}");
    }
}

/// The program on a store that it cannot have: its exit code and what it says.
async fn refused(store: String) -> (Option<i32>, String) {
    let folder = TempDir::new().unwrap();
    let mut command = program::command(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--store", &store]);
    command.current_dir(folder.path());
    let output = spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_whose_redis_is_away_at_the_start_says_so_and_ends_without_telling_the_password()
{
    let folder = TempDir::new().unwrap();
    let nowhere = folder.path().join("nowhere");
    // Nobody accepts what its kernel has connected.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let stores = [
        format!("redis+unix://{}?user=me&pass=hunter2", nowhere.display()),
        format!("redis://me:hunter2@{}/0", silent.local_addr().unwrap()),
    ];
    for (code, said) in join_all(stores.map(refused)).await {
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.lines().any(|line| line.starts_with("acequia: ")),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}
