//! The table: printed as it grows, and written to `target/scale.md` in the end.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::cluster::Kind;
use super::commands::Cost;
use super::constants::{MANY, Memory, Processor};
use super::rounds::{CONNECTIONS, MEMBERS, NODES, RATE, ROUNDS, SYSTEMS, Watched};
use super::server::Redis;
use crate::process::folder;
use crate::{now, percentile};

const COMMAND: &str = "make bench-scale";
const SYNCS: usize = 200;

pub(crate) struct Report {
    text: String,
}

impl Report {
    /// Begins with what it was measured on.
    pub(crate) fn new(redis: &Redis) -> Self {
        let mut report = Self {
            text: String::new(),
        };
        let cores = std::thread::available_parallelism().unwrap();
        let kernel = read("/proc/sys/kernel/osrelease");
        let processor = read("/proc/cpuinfo");
        let processor = processor.lines().find_map(|l| l.strip_prefix("model name"));
        let processor = processor.map_or("processor unknown", |p| {
            p.trim_start_matches(['\t', ':', ' '])
        });
        let peer = |name: &str| {
            let file = format!("benches/peers/scale/node_modules/{name}/package.json");
            let package: serde_json::Value = serde_json::from_str(&read(&file)).unwrap();
            format!("{name} {}", package["version"].as_str().unwrap())
        };
        report.line("# More than one machine, measured\n");
        report.line(format!(
            "`{COMMAND}`, {}. {cores} cores ({processor}), Linux {kernel}; Redis {} with `appendonly yes` and `appendfsync \
             always`, an fsync takes {:.2} ms (median); Node {}, {}, {}, {}. Everything over loopback on this one machine.\n",
            said("date", &["-u", "+%F"]),
            redis.version(),
            fsync_ms(),
            said("node", &["--version"]),
            peer("socket.io"),
            peer("@socket.io/redis-adapter"),
            peer("redis"),
        ));
        report
    }

    pub(crate) fn latencies(&mut self, watched: &[(Kind, Watched)]) {
        self.line(format!(
            "{} websocket clients over {NODES} nodes, {SYSTEMS} systems, {MEMBERS} clients each; {RATE} commands a second to \
             random nodes; {ROUNDS} rounds of each in turn. p50 / p99 in ms.\n",
            SYSTEMS * MEMBERS,
        ));
        self.line(format!(
            "| command → | {} |\n|---|---|---|---|",
            Kind::ALL.map(Kind::name).join(" | ")
        ));
        let mut row = |name: &str, value: &dyn Fn(&Watched) -> String| {
            let values: Vec<_> = watched.iter().map(|(_, one)| value(one)).collect();
            self.line(format!("| {name} | {} |", values.join(" | ")));
        };
        row("`state` at clients of other nodes", &|one| {
            p50_p99(&one.latencies.other)
        });
        row("`state` at clients of the same node", &|one| {
            p50_p99(&one.latencies.same)
        });
        row("`state` at the last client of the room", &|one| {
            p50_p99(&one.latencies.last)
        });
        row("answer", &|one| p50_p99(&one.latencies.answered));
        row("commands", &|one| one.latencies.answered.len().to_string());
        row("states that did not come", &|one| {
            one.latencies.missed.to_string()
        });
        row(
            "commands left out, as the one before had not come",
            &|one| one.latencies.late.to_string(),
        );
        self.line("");
    }

    pub(crate) fn floods(&mut self, floods: &HashMap<(bool, usize), Cost>) {
        self.line(format!(
            "Closed loop of {CONNECTIONS} connections, timer and stop in turn, nobody watches. Per second / p99 of the answer \
             in ms / processor time per command in µs, of all nodes and of Redis.\n"
        ));
        let [ours, theirs] = [Kind::Acequia, Kind::Peer].map(Kind::name);
        self.line(format!("| nodes | {ours} | {theirs} |\n|---|---|---|"));
        for nodes in [1, NODES] {
            let [ours, theirs] = [true, false].map(|ours| flood(&floods[&(ours, nodes)]));
            self.line(format!("| {nodes} | {ours} | {theirs} |"));
        }
        self.line("");
    }

    pub(crate) fn processor(&mut self, alone: &Processor, together: &Processor, reader_us: f64) {
        let (one, all) = (&alone.commands, &together.commands);
        let [redis_one, redis_all] = [one.redis_us(&alone.idle), all.redis_us(&together.idle)];
        let more = (NODES - 1) as f64;
        let foreign = (1..NODES)
            .map(|node| all.node_us(node, &together.idle))
            .sum::<f64>()
            / more;
        let own = all.node_us(0, &together.idle);
        self.line(
            "| processor time, at a pace of 500 commands a second to one node | µs |\n|---|---|",
        );
        let mut row = |name: &str, us: f64| self.line(format!("| {name} | {us:.1} |"));
        row("Redis: a command, with one node", redis_one);
        row("Redis: a command, with three", redis_all);
        row(
            "Redis: a command, for each further reader of the feed (of 20)",
            reader_us,
        );
        row(
            "the node: a command that it carries out, with one node",
            one.node_us(0, &alone.idle),
        );
        row("the node: a command that it carries out, with three", own);
        row(
            "another node: a state of the feed that it has no members for",
            foreign,
        );
        let [redis_one, redis_all] = [alone, together].map(|one| one.timers.redis_us(&one.idle));
        row("Redis: a timer and its deadline, with one node", redis_one);
        row("Redis: a timer and its deadline, with three", redis_all);
        row(
            "the node that took the timer, with one node",
            alone.timers.node_us(0, &alone.idle),
        );
        row(
            "the node that took the timer, with three",
            together.timers.node_us(0, &together.idle),
        );
        row(
            "another node, for a timer and its deadline",
            (1..NODES)
                .map(|node| together.timers.node_us(node, &together.idle))
                .sum::<f64>()
                / more,
        );
        row(
            "Redis with three nodes: a second when nothing is asked",
            together.idle.redis / together.idle.seconds * 1e6,
        );
        row(
            "a node: a second when nothing is asked",
            together.idle.nodes[0] / together.idle.seconds * 1e6,
        );
        self.line("");
    }

    pub(crate) fn clients(&mut self, watched: &[(Kind, Watched)], idle: &Processor) {
        let (_, ours) = &watched[0];
        let idle: f64 = idle.idle.nodes.iter().sum::<f64>() / idle.idle.seconds;
        let clocks = ours.clocks.nodes.iter().sum::<f64>() / ours.clocks.seconds - idle;
        let each = clocks / (SYSTEMS * MEMBERS) as f64 * 1e6;
        self.line(
            "| a client, one room each, three or four members of a room at a node | |\n|---|---|",
        );
        self.line(format!(
            "| resident memory of its node | {:.1} KiB |",
            ours.resident_kib
        ));
        self.line(format!(
            "| processor time of its node, for a clock | {each:.1} µs |"
        ));
        self.line("");
    }

    pub(crate) fn memory(&mut self, memory: &Memory) {
        self.line(format!("| memory, {MANY} systems | bytes |\n|---|---|"));
        let mut row = |name: &str, bytes: f64| self.line(format!("| {name} | {bytes:.0} |"));
        row("Redis: a system that is registered", memory.registered);
        row("Redis: its state, with the first action", memory.state);
        row("Redis: each further action", memory.action);
        row(
            "Redis: a state with 10 actions, together",
            memory.registered + memory.state + 9.0 * memory.action,
        );
        row(
            "Redis: an answer that is kept under its `Idempotency-Key`",
            memory.key,
        );
        row("Redis: the feed, all of it", memory.feed);
        row("a node: a system with a state", memory.known);
        self.line(format!(
            "\nA new node is ready {:.2} s after its start, with {MANY} systems.",
            memory.ready_s
        ));
    }

    pub(crate) fn end(mut self, took: Duration) {
        self.line(format!("\nAll of it took {:.0} s.", took.as_secs_f64()));
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        std::fs::write(target.join("scale.md"), &self.text).unwrap();
    }

    fn line(&mut self, line: impl Display) {
        println!("{line}");
        self.text.push_str(&format!("{line}\n"));
    }
}

fn flood(cost: &Cost) -> String {
    let mut answered = cost.answered.clone();
    answered.sort_by(f64::total_cmp);
    let us = |cpu: f64| cpu / cost.commands * 1e6;
    let refused = match cost.refused {
        0 => String::new(),
        refused => format!(" ({refused} refused)"),
    };
    format!(
        "{:.0}{refused} / {:.1} / {:.0} and {:.0}",
        cost.per_second(),
        percentile(&answered, 99.0),
        us(cost.nodes.iter().sum()),
        us(cost.redis),
    )
}

fn p50_p99(values: &[f64]) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return "none came".to_owned();
    }
    format!(
        "{:.1} / {:.1}",
        percentile(&sorted, 50.0),
        percentile(&sorted, 99.0)
    )
}

fn read(path: &str) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    text.trim_end().to_owned()
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

/// What the disk takes for a little that is written at the end of a file, as Redis does it.
fn fsync_ms() -> f64 {
    let folder = folder();
    let mut file = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut took: Vec<f64> = (0..SYNCS)
        .map(|_| {
            let start = now();
            file.write_all(&[0; 512]).unwrap();
            file.sync_data().unwrap();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    percentile(&took, 50.0)
}
