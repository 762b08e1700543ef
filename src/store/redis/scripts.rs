//! The scripts, each with its arguments by name and its answer as a value.
//!
//! What they do stands in the Lua files beside this one. Nothing is decided here.

use std::sync::LazyLock;

use redis::aio::ConnectionManager;
use redis::{RedisResult, Script};

use super::keys::Keys;
use crate::command::SystemId;
use crate::store::HISTORY_KEPT;
use crate::store::receipt::{KEPT_MS, RECEIPTS_KEPT};
use crate::time::Ticks;

/// Changes that the feed holds at least: a node that was away for more of them reads the states again. About 250 bytes
/// each.
pub(super) const FEED_KEPT: u32 = 100_000;
/// How long a stop that found nothing running forestalls openings that were decided before it. Such an opening is refused
/// as late long before.
const FORESTALLED_MS: u32 = 60_000;
/// While water runs, how far the clock got is written so often, in milliseconds.
const SEEN_EVERY_MS: u32 = 5000;

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));
    };
}

script!(COMMIT, "commit.lua");
script!(FENCE, "fence.lua");
script!(BEAT, "beat.lua");
script!(CLOCK, "clock.lua");
script!(ROLL, "roll.lua");
script!(RESTORE, "restore.lua");
script!(REGISTER, "register.lua");
script!(FORESTALL, "forestall.lua");
script!(RIGHTS, "rights.lua");

/// What a commit does to the water.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Opens,
    Closes,
    /// Nothing: an answer is kept.
    Answers,
}

/// The arguments of `commit.lua`.
pub(super) struct Commit<'a> {
    pub(super) node: &'a str,
    pub(super) generation: u64,
    pub(super) nonce: String,
    pub(super) system: &'a SystemId,
    pub(super) expected_seq: u64,
    pub(super) kind: Kind,
    pub(super) state: String,
    pub(super) action: String,
    /// When what opens was decided.
    pub(super) started: Ticks,
    /// Until when, on the server's own clock, what opens may be carried out.
    pub(super) valid_until_ms: i64,
    /// Of the clock that the times were shown by.
    pub(super) clock_version: &'a str,
    pub(super) key: &'a str,
    pub(super) receipt: String,
    pub(super) ticks: Ticks,
}

/// What became of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Written. The answer that was kept before under the same key, if any.
    Done(Option<String>),
    /// Not written: it was answered before, with this.
    Known(String),
    /// Not written: something overtook it.
    Stale,
    /// Not written: it opens, and came too late.
    Late,
    /// Not written: it shows a run anew, by a clock that was set meanwhile.
    OldClock,
    /// Not written: its session is over.
    Fenced,
}

impl Commit<'_> {
    pub(super) async fn send(
        self,
        keys: &Keys,
        connection: &mut ConnectionManager,
    ) -> RedisResult<Reply> {
        let kind = match self.kind {
            Kind::Opens => "opens",
            Kind::Closes => "closes",
            Kind::Answers => "answers",
        };
        let mut call = COMMIT.prepare_invoke();
        call.key(keys.states())
            .key(keys.running())
            .key(keys.feed())
            .key(keys.receipts())
            .key(keys.ages())
            .key(keys.history(self.system))
            .key(keys.stops(self.system))
            .key(keys.fences())
            .key(keys.clock());
        call.arg(self.node)
            .arg(self.generation)
            .arg(self.nonce)
            .arg(self.system.as_str())
            .arg(self.expected_seq)
            .arg(kind)
            .arg(self.state)
            .arg(self.action)
            .arg(self.started.millis())
            .arg(self.valid_until_ms)
            .arg(self.clock_version)
            .arg(self.key)
            .arg(self.receipt)
            .arg(self.ticks.millis())
            .arg(KEPT_MS)
            .arg(RECEIPTS_KEPT)
            .arg(FEED_KEPT)
            .arg(HISTORY_KEPT);
        let reply: Vec<String> = call.invoke_async(connection).await?;
        let reply: Vec<&str> = reply.iter().map(String::as_str).collect();
        let kept = |known: &str| (!known.is_empty()).then(|| known.to_owned());
        match reply.as_slice() {
            ["done", known] => Ok(Reply::Done(kept(known))),
            ["known", answer] => Ok(Reply::Known((*answer).to_owned())),
            ["stale"] => Ok(Reply::Stale),
            ["late"] => Ok(Reply::Late),
            ["clock"] => Ok(Reply::OldClock),
            ["fenced"] => Ok(Reply::Fenced),
            other => Err(strange(&format!("commit.lua answered {other:?}"))),
        }
    }
}

/// An answer that cannot be.
pub(super) fn strange(what: &str) -> redis::RedisError {
    (
        redis::ErrorKind::UnexpectedReturnType,
        "strange",
        what.to_owned(),
    )
        .into()
}

/// What a session finds when it begins.
pub(super) struct Found {
    /// The newest id on the feed.
    pub(super) newest: String,
    /// The place up to which the node has read is still there.
    pub(super) there: bool,
    /// Grows when systems are registered.
    pub(super) systems: String,
}

/// Begins a session.
pub(super) async fn fence(
    keys: &Keys,
    (node, generation): (&str, u64),
    (place, mark): &(String, String),
    connection: &mut ConnectionManager,
) -> RedisResult<Found> {
    let mut call = FENCE.prepare_invoke();
    call.key(keys.fences()).key(keys.feed()).key(keys.clock());
    call.arg(node).arg(generation).arg(place).arg(mark);
    let (newest, there, systems): (String, String, String) = call.invoke_async(connection).await?;
    Ok(Found {
        newest,
        there: !there.is_empty(),
        systems,
    })
}

/// # Errors
/// When this user may not do what is needed.
pub(super) async fn check_rights(
    keys: &Keys,
    connection: &mut ConnectionManager,
) -> RedisResult<()> {
    let mut call = RIGHTS.prepare_invoke();
    for kind in ["hash", "set", "stream", "sorted", "text"] {
        call.key(keys.scratch(kind));
    }
    call.invoke_async(connection).await
}

/// What a beat brings: the time of the server, and the fields of the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beat {
    pub(super) server_ms: i64,
    /// Grows when the fields are set; empty before anybody has.
    pub(super) version: String,
    pub(super) boot: String,
    /// By how much the server's clock has stepped since the beginning, in milliseconds.
    pub(super) step_ms: i64,
    pub(super) offset_s: i32,
    /// Which start of the server was watched last.
    pub(super) server: String,
    /// Ticks that were reached for certain.
    pub(super) seen: Option<i64>,
    pub(super) roll: String,
}

/// Looks at the clock, and answers a roll call if it is still the last one.
pub(super) async fn beat(
    keys: &Keys,
    node: &str,
    (roll, voice): (&str, i64),
    connection: &mut ConnectionManager,
) -> RedisResult<Beat> {
    let mut call = BEAT.prepare_invoke();
    call.key(keys.clock())
        .key(keys.voices())
        .key(keys.running())
        .arg(node)
        .arg(roll)
        .arg(voice)
        .arg(SEEN_EVERY_MS);
    let fields: Vec<String> = call.invoke_async(connection).await?;
    let [
        seconds,
        micros,
        version,
        boot,
        step,
        offset,
        server,
        seen,
        roll,
    ] = fields.as_slice()
    else {
        return Err(strange(&format!("beat.lua answered {fields:?}")));
    };
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    Ok(Beat {
        server_ms: number(seconds)
            .saturating_mul(1000)
            .saturating_add(number(micros) / 1000),
        version: version.clone(),
        boot: boot.clone(),
        step_ms: number(step),
        offset_s: offset.parse().unwrap_or(0),
        server: server.clone(),
        seen: seen.parse().ok(),
        roll: roll.clone(),
    })
}

/// Sets fields of the clock; false when somebody else was first.
pub(super) async fn set_clock(
    keys: &Keys,
    version: &str,
    fields: &[(&str, String)],
    connection: &mut ConnectionManager,
) -> RedisResult<bool> {
    let mut call = CLOCK.prepare_invoke();
    call.key(keys.clock()).key(keys.feed());
    call.arg(version).arg(FEED_KEPT);
    for (name, value) in fields {
        call.arg(*name).arg(value);
    }
    call.invoke_async(connection).await
}

/// Calls the roll; the number of the call.
pub(super) async fn call_roll(
    keys: &Keys,
    connection: &mut ConnectionManager,
) -> RedisResult<String> {
    let mut call = ROLL.prepare_invoke();
    call.key(keys.clock()).key(keys.voices());
    call.invoke_async(connection).await
}

/// What every node has answered to the last roll call: by how many milliseconds the server's clock is off for it.
pub(super) async fn voices(
    keys: &Keys,
    connection: &mut ConnectionManager,
) -> RedisResult<Vec<(String, i64)>> {
    let mut read = redis::cmd("HGETALL");
    read.arg(keys.voices()).query_async(connection).await
}

/// Gives back states: system, seq, whether water runs, state. How many were newer than the server's.
pub(super) async fn restore(
    keys: &Keys,
    states: &[(String, u64, bool, String)],
    connection: &mut ConnectionManager,
) -> RedisResult<u64> {
    let mut call = RESTORE.prepare_invoke();
    call.key(keys.states()).key(keys.running()).key(keys.feed());
    call.arg(FEED_KEPT);
    for (system, seq, runs, state) in states {
        let runs = if *runs { "1" } else { "" };
        call.arg(system).arg(*seq).arg(runs).arg(state);
    }
    call.invoke_async(connection).await
}

/// Registers systems: id and settings; with `replace` also those that have others already, which are returned with the
/// former ones.
pub(super) async fn register(
    keys: &Keys,
    systems: &[(String, String)],
    replace: bool,
    connection: &mut ConnectionManager,
) -> RedisResult<Vec<(String, String)>> {
    let mut call = REGISTER.prepare_invoke();
    call.key(keys.systems()).key(keys.feed()).key(keys.clock());
    call.arg(FEED_KEPT)
        .arg(if replace { "all" } else { "missing" });
    for (id, settings) in systems {
        call.arg(id).arg(settings);
    }
    call.invoke_async(connection).await
}

/// From where a hash is scanned.
pub(super) const SCAN_BEGIN: &str = "0";
/// About so many fields of a hash are read at a time.
const SCANNED_AT_A_TIME: u32 = 1000;

/// Reads a portion of a hash, from a cursor on; with the next cursor, which is none after the last portion.
pub(super) async fn scan(
    key: &str,
    cursor: &str,
    connection: &mut ConnectionManager,
) -> RedisResult<(Option<String>, Vec<(String, String)>)> {
    let mut scan = redis::cmd("HSCAN");
    scan.arg(key)
        .arg(cursor)
        .arg("COUNT")
        .arg(SCANNED_AT_A_TIME);
    let (next, fields): (String, _) = scan.query_async(connection).await?;
    Ok(((next != SCAN_BEGIN).then_some(next), fields))
}

/// Notes a stop that found nothing running.
pub(super) async fn forestall(
    keys: &Keys,
    system: &SystemId,
    now: Ticks,
    connection: &mut ConnectionManager,
) -> RedisResult<()> {
    let mut call = FORESTALL.prepare_invoke();
    call.key(keys.stops(system));
    call.arg(now.millis()).arg(FORESTALLED_MS);
    call.invoke_async(connection).await
}
