//! The watch over time: what all nodes agree on about the clock, and what happens when the server's clock, or the server
//! itself, is not the one it was.
//!
//! Ticks are the server's clock without its steps. A step is noticed against the ticks of this machine and noted for all
//! nodes, once, by who notices it first. No run is ever decided here: the engine does that, by the clock that is set here.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::RngExt;
use redis::aio::ConnectionManager;
use redis::{RedisError, RedisResult};

use super::scripts::{self, Beat, strange};
use super::shared::Shared;
use super::timekeeper::{Sample, Timekeeper, Verdict};
use super::{codec, server};
use crate::time::{BootId, Reference, SharedClock, Ticks};

/// Grows with every change of what the keys hold; a store with a greater number was written by a newer acequia.
pub(super) const SCHEMA: u32 = 1;

/// Between two looks at the clock.
const BEAT: Duration = Duration::from_millis(500);
/// Looks after which every node that lives has answered a roll call, and how long they take, in milliseconds.
const BEATS_OF_A_ROLL: u32 = 5;
const ROLL_MS: i64 = 2500;
/// Who has watched the clock for less than this, in milliseconds, has no say in whether it has stepped.
const SAY_MS: i64 = 10_000;
/// What a node answers a roll call that has no say: it lives.
const NO_SAY: i64 = 1;
/// How often it is tried to set the clock before somebody else does.
const ATTEMPTS: u32 = 5;
/// A clock that is back by more than this from where somebody has seen it has stepped while nobody watched.
const UNSEEN_MS: i64 = 1000;

/// A roll call that this node waits for.
struct Roll {
    number: String,
    called: Ticks,
}

pub(super) struct Watch {
    shared: Arc<Shared>,
    time: Timekeeper,
    /// The start of the server that this process has watched; none before the first session.
    server: Option<String>,
    /// The roll call that is to be answered, and with what.
    answer: (String, i64),
    /// The last roll call that was heard.
    heard: String,
    /// Called because the server's clock seems to have jumped ahead.
    ahead: Option<Roll>,
    /// What this machine's own zone said last.
    own_offset_s: Option<i32>,
    /// When this process began to watch.
    since: Ticks,
}

impl Watch {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            time: Timekeeper::default(),
            server: None,
            answer: Default::default(),
            heard: String::new(),
            ahead: None,
            own_offset_s: None,
            since: SharedClock::own_ticks(),
        }
    }

    /// At the beginning of a session: which server is this, and how does its clock stand?
    pub(super) async fn begin(&mut self, connection: &mut ConnectionManager) -> RedisResult<()> {
        let server = server::look(connection).await?;
        let (mut beat, mut sample) = self.beat(connection).await?;
        if beat.version.is_empty() {
            self.set_up(&server, &beat, connection).await?;
            (beat, sample) = self.beat(connection).await?;
        }
        if self.server.is_none() {
            (beat, sample) = self.arrive(&server, beat, sample, connection).await?;
        } else if beat.server != server {
            // Watched by this process, so what runs goes on.
            tracing::warn!("Redis was started again, or another one took its place");
            (beat, sample) = self
                .agree(beat, sample, &[("server", server.clone())], connection)
                .await?;
        }
        self.server = Some(server);
        self.observe(beat, sample, connection).await
    }

    /// The first node of all.
    async fn set_up(
        &self,
        server: &str,
        beat: &Beat,
        connection: &mut ConnectionManager,
    ) -> RedisResult<()> {
        let own = SharedClock::own_offset_s(beat.server_ms);
        // One that was watched and has lost everything goes on where it was.
        let known = self.server.as_ref().map(|_| self.shared.clock.reference());
        let boot = known.map_or_else(new_boot, |known| known.boot);
        let step = known.map_or(0, |known| known.wall_minus_ticks_ms);
        let fields = [
            ("schema", SCHEMA.to_string()),
            ("boot", codec::boot_value(boot)),
            ("step", step.to_string()),
            (
                "offset",
                known.map_or(own, |known| known.offset_s).to_string(),
            ),
            ("server", server.to_owned()),
            ("seen", (beat.server_ms.saturating_sub(step)).to_string()),
            ("roll", "0".into()),
        ];
        self.set(beat, &fields, connection).await
    }

    /// This process is new. What it finds may have been watched by others, up to now, or by nobody.
    async fn arrive(
        &mut self,
        server: &str,
        mut beat: Beat,
        mut sample: Sample,
        connection: &mut ConnectionManager,
    ) -> RedisResult<(Beat, Sample)> {
        let own = SharedClock::own_offset_s(beat.server_ms);
        self.own_offset_s = Some(own);
        if !is_unwatched(server, &beat, &sample) && beat.offset_s == own {
            return Ok((beat, sample));
        }
        // Whoever lives has the say.
        scripts::call_roll(&self.shared.keys, connection).await?;
        for _ in 0..BEATS_OF_A_ROLL {
            tokio::time::sleep(BEAT).await;
            (beat, sample) = self.beat(connection).await?;
        }
        let voices = scripts::voices(&self.shared.keys, connection).await?;
        if !voices.is_empty() {
            if beat.offset_s != own {
                let shown_offset_s = beat.offset_s;
                tracing::warn!(
                    own_offset_s = own,
                    shown_offset_s,
                    "the time zone of this machine is not the one that the other gateways show; theirs is shown"
                );
            }
            return Ok((beat, sample));
        }
        // Another one may arrive at this moment: the first begins the boot, the others find it.
        for _ in 0..ATTEMPTS {
            let mut fields = vec![("offset", own.to_string())];
            if is_unwatched(server, &beat, &sample) {
                tracing::warn!(
                    "Redis was started again, or its clock set back, while no gateway watched: what was running is interrupted"
                );
                fields.push(("boot", codec::boot_value(new_boot())));
                fields.push(("seen", sample.ticks.millis().to_string()));
                fields.push(("server", server.to_owned()));
            } else if beat.offset_s == own {
                break;
            }
            self.set(&beat, &fields, connection).await?;
            (beat, sample) = self.beat(connection).await?;
        }
        Ok((beat, sample))
    }

    /// Looks at the clock again and again, until that fails; says why.
    pub(super) async fn keep(&mut self, mut connection: ConnectionManager) -> RedisError {
        let shared = Arc::clone(&self.shared);
        loop {
            // Somebody may want to know earlier.
            let _ = tokio::time::timeout(BEAT, shared.look.notified()).await;
            let looked = async {
                let (beat, sample) = self.beat(&mut connection).await?;
                self.observe(beat, sample, &mut connection).await
            };
            if let Err(failed) = looked.await {
                return failed;
            }
        }
    }

    async fn beat(&mut self, connection: &mut ConnectionManager) -> RedisResult<(Beat, Sample)> {
        let shared = &self.shared;
        let (roll, voice) = self.answer.clone();
        let asked = SharedClock::own_ticks();
        let beat = scripts::beat(&shared.keys, &shared.node, (&roll, voice), connection).await?;
        self.answer = Default::default();
        let sample = Sample {
            asked,
            answered: SharedClock::own_ticks(),
            ticks: Ticks::from_millis(beat.server_ms.saturating_sub(beat.step_ms)),
        };
        let ahead = beat.server_ms.saturating_sub(sample.answered.millis());
        shared.server_minus_own_ms.store(ahead, Ordering::Relaxed);
        Ok((beat, sample))
    }

    /// What a look at the clock leads to.
    async fn observe(
        &mut self,
        beat: Beat,
        sample: Sample,
        connection: &mut ConnectionManager,
    ) -> RedisResult<()> {
        let verdict = self.time.observe(sample);
        let off = match verdict {
            Verdict::Steady => {
                self.ahead = None;
                0
            }
            Verdict::Unclear => {
                self.shared.look.notify_one();
                NO_SAY
            }
            Verdict::Stepped(by) => {
                self.stepped(by, &beat, sample, connection).await?;
                by
            }
        };
        let off = if sample.answered.since(self.since) < SAY_MS && off == 0 {
            NO_SAY
        } else {
            off
        };
        if beat.roll != self.heard {
            self.heard.clone_from(&beat.roll);
            self.answer = (beat.roll.clone(), off);
        }
        self.follow_zone(&beat, connection).await?;
        self.set_clock(&beat)
    }

    /// The server's clock is not where it should be. One that went back would make runs longer: that is noted at once.
    /// One that jumped ahead could as well be this machine, if it stood still: the others are asked first.
    async fn stepped(
        &mut self,
        by: i64,
        beat: &Beat,
        sample: Sample,
        connection: &mut ConnectionManager,
    ) -> RedisResult<()> {
        if by > 0 {
            let Some(roll) = &self.ahead else {
                let number = scripts::call_roll(&self.shared.keys, connection).await?;
                let called = sample.answered;
                self.ahead = Some(Roll { number, called });
                return Ok(());
            };
            if sample.answered.since(roll.called) < ROLL_MS {
                return Ok(());
            }
            let voices = scripts::voices(&self.shared.keys, connection).await?;
            tracing::debug!(
                roll = roll.number,
                ?voices,
                "the clock of Redis seems to be ahead"
            );
            self.ahead = None;
            if voices
                .iter()
                .any(|(node, off)| *node != self.shared.node && *off == 0)
            {
                tracing::warn!(
                    by_ms = by,
                    "the clock of this machine has stood still, says every other gateway"
                );
                self.time.adopt(sample);
                return Ok(());
            }
        }
        let step = beat.step_ms.saturating_add(by).to_string();
        // Of several nodes that notice it one is first; the others find it noted at their next look.
        if scripts::set_clock(
            &self.shared.keys,
            &beat.version,
            &[("step", step)],
            connection,
        )
        .await?
        {
            tracing::warn!(
                by_ms = by,
                "the clock of Redis has stepped; what runs is as long as it was asked for"
            );
            self.shared.look.notify_one();
        }
        Ok(())
    }

    /// When summer time begins or ends in this machine's own zone, it does for all.
    async fn follow_zone(
        &mut self,
        beat: &Beat,
        connection: &mut ConnectionManager,
    ) -> RedisResult<()> {
        let own = SharedClock::own_offset_s(beat.server_ms);
        let changed = self.own_offset_s.is_some_and(|before| before != own);
        if changed && beat.offset_s != own {
            self.set(beat, &[("offset", own.to_string())], connection)
                .await?;
            // Whether it was set is seen at the next look.
            self.shared.look.notify_one();
            return Ok(());
        }
        self.own_offset_s = Some(own);
        Ok(())
    }

    /// Sets fields of the clock, whoever else sets others at this moment.
    async fn agree(
        &mut self,
        mut beat: Beat,
        mut sample: Sample,
        fields: &[(&str, String)],
        connection: &mut ConnectionManager,
    ) -> RedisResult<(Beat, Sample)> {
        for _ in 0..ATTEMPTS {
            let set =
                scripts::set_clock(&self.shared.keys, &beat.version, fields, connection).await?;
            (beat, sample) = self.beat(connection).await?;
            if set {
                break;
            }
        }
        Ok((beat, sample))
    }

    /// Sets fields of the clock; that somebody else was first is as good.
    async fn set(
        &self,
        beat: &Beat,
        fields: &[(&str, String)],
        connection: &mut ConnectionManager,
    ) -> RedisResult<()> {
        scripts::set_clock(&self.shared.keys, &beat.version, fields, connection).await?;
        Ok(())
    }

    /// Lets this process show what is agreed on.
    fn set_clock(&self, beat: &Beat) -> RedisResult<()> {
        let boot = codec::boot(&beat.boot).map_err(|cause| strange(&cause.to_string()))?;
        let ticks_minus_own = self.time.offset_ms();
        self.shared.clock.set(Reference {
            wall_minus_own_ms: ticks_minus_own.saturating_add(beat.step_ms),
            wall_minus_ticks_ms: beat.step_ms,
            boot,
            offset_s: beat.offset_s,
        });
        let version = &self.shared.clock_version;
        version.send_if_modified(|known| {
            let modified = *known != beat.version;
            known.clone_from(&beat.version);
            modified
        });
        Ok(())
    }
}

/// True when nobody can say what became of the time since somebody has watched it last.
fn is_unwatched(server: &str, beat: &Beat, sample: &Sample) -> bool {
    let seen = beat.seen.unwrap_or(i64::MIN);
    beat.server != server || sample.ticks.millis() < seen.saturating_sub(UNSEEN_MS)
}

/// A boot that there never was.
fn new_boot() -> BootId {
    BootId(rand::rng().random())
}
