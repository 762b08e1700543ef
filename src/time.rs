//! The two clocks: the wall that people read and the ticks that runs are measured on.
//!
//! The only file that asks the operating system for the time (clippy refuses it elsewhere).
//! It never decides anything about water: [`crate::engine`] does, from the [`Moment`] it is given.

use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local, NaiveDateTime, Offset, TimeZone, Utc};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

mod shared;

pub(crate) use shared::{Reference, SharedClock};

/// When the program was built, in milliseconds of UTC: no machine runs it earlier.
const BUILT_MS: i64 = match i64::from_str_radix(env!("BUILT_S"), 10) {
    Ok(built_s) => built_s * 1000,
    Err(_) => panic!("build.rs writes whole seconds"),
};

/// Milliseconds on a clock that cannot jump (`CLOCK_BOOTTIME` on one machine). Comparable only within one [`BootId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(i64);

impl Ticks {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    #[must_use]
    pub const fn plus(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Which start of the machine the ticks count from: ticks of two boots cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BootId(pub u128);

impl BootId {
    /// No boot at all: what claims to be of it goes on in none.
    pub const NONE: Self = Self(0);

    /// Reads a UUID as Linux prints it, with or without dashes.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
        (digits.len() == 32)
            .then(|| u128::from_str_radix(&digits, 16).ok())
            .flatten()
            .map(Self)
    }
}

/// An instant of the wall clock together with the UTC offset that was in force at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    pub utc_ms: i64,
    pub offset_s: i32,
}

impl Wall {
    /// The zoneless local time that people see.
    pub fn local(self) -> NaiveDateTime {
        DateTime::<Utc>::from_timestamp_millis(self.utc_ms + i64::from(self.offset_s) * 1000)
            .map(|utc| utc.naive_utc())
            .unwrap_or_default()
    }
}

/// Rule that gives the UTC offset, in seconds, in force at an instant (milliseconds of UTC).
#[derive(Clone, Copy, Debug)]
pub struct Zone {
    rule: fn(i64) -> i32,
    /// Added to what the rule says: where several machines show one time, they show it as one of them does.
    shift_s: i32,
}

impl Zone {
    pub const fn new(offset_at: fn(i64) -> i32) -> Self {
        Self {
            rule: offset_at,
            shift_s: 0,
        }
    }

    /// The same rule, shifted so that `offset_s` is in force at `utc_ms`.
    #[must_use]
    pub fn showing(self, offset_s: i32, utc_ms: i64) -> Self {
        Self {
            shift_s: offset_s.saturating_sub((self.rule)(utc_ms)),
            ..self
        }
    }

    /// The zone of the machine (`TZ`, `/etc/localtime`), read anew when it changes.
    pub const fn system() -> Self {
        Self::new(|utc_ms| {
            let utc = DateTime::<Utc>::from_timestamp_millis(utc_ms).unwrap_or_default();
            Local
                .offset_from_utc_datetime(&utc.naive_utc())
                .fix()
                .local_minus_utc()
        })
    }

    fn at(self, utc_ms: i64) -> Wall {
        Wall {
            utc_ms,
            offset_s: (self.rule)(utc_ms).saturating_add(self.shift_s),
        }
    }
}

/// One reading of both clocks. Every decision about time is made from such a value.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub utc_ms: i64,
    pub ticks: Ticks,
    pub boot: BootId,
    pub zone: Zone,
}

impl Moment {
    pub fn wall(&self) -> Wall {
        self.zone.at(self.utc_ms)
    }

    /// The wall time of another tick, derived from this reading: wall now − elapsed, wall now + remaining.
    pub fn wall_at(&self, ticks: Ticks) -> Wall {
        self.zone
            .at(self.utc_ms.saturating_add(ticks.since(self.ticks)))
    }

    /// False when the wall clock shows a time before the program was built: then nobody has set it.
    pub const fn has_plausible_wall(&self) -> bool {
        self.utc_ms >= BUILT_MS
    }

    /// The second of UTC that is running.
    pub const fn second(&self) -> i64 {
        self.utc_ms.div_euclid(1000)
    }

    /// The tick at which the wall clock turns to its next second.
    pub const fn next_turn(&self) -> Ticks {
        self.ticks.plus(1000 - self.utc_ms.rem_euclid(1000))
    }
}

/// A future that ends when the ticks have come, see [`Clock::sleep_until`].
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Where moments come from: the machine, or a test.
pub trait Clock: Send + Sync + 'static {
    fn now(&self) -> Moment;

    /// Ends when the ticks have reached `until`, whatever the wall clock does meanwhile.
    fn sleep_until(&self, until: Ticks) -> Sleep<'_>;
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock {
    boot: BootId,
    zone: Zone,
}

impl SystemClock {
    /// Reads the boot id of the machine.
    ///
    /// # Errors
    /// When the kernel's boot id cannot be read: without it a power cut would look like a short pause.
    pub fn new() -> std::io::Result<Self> {
        const PATH: &str = "/proc/sys/kernel/random/boot_id";
        let text = std::fs::read_to_string(PATH)?;
        let boot = BootId::parse(&text)
            .ok_or_else(|| std::io::Error::other(format!("{PATH} holds no boot id: {text:?}")))?;
        Ok(Self::with_boot(boot))
    }

    /// The clocks of the machine under another boot id: a reboot, as a test sees it.
    pub const fn with_boot(boot: BootId) -> Self {
        Self {
            boot,
            zone: Zone::system(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        // A thread that is held up between two readings would derive times from them that are off by as much.
        const ATTEMPTS: u32 = 8;
        let (mut ticks, mut utc_ms) = (read_ticks(), read_wall());
        for _ in 0..ATTEMPTS {
            let after = read_ticks();
            if after.since(ticks) <= 1 {
                break;
            }
            (ticks, utc_ms) = (after, read_wall());
        }
        Moment {
            utc_ms,
            ticks,
            boot: self.boot,
            zone: self.zone,
        }
    }

    fn sleep_until(&self, until: Ticks) -> Sleep<'_> {
        Box::pin(nap_until(until, read_ticks))
    }
}

/// Sleeps until a clock has come to these ticks. Tokio's timers stand still while the machine is suspended,
/// `CLOCK_BOOTTIME` does not, and a shared clock can be set right meanwhile: a long sleep is therefore cut into seconds,
/// so that it is at most one second late.
async fn nap_until(until: Ticks, ticks: impl Fn() -> Ticks) {
    const LONGEST_NAP_MS: i64 = 1000;
    loop {
        let left = until.since(ticks());
        if left <= 0 {
            return;
        }
        let nap = left.min(LONGEST_NAP_MS).unsigned_abs();
        tokio::time::sleep(Duration::from_millis(nap)).await;
    }
}

/// The wall clock is asked of the C library, where another in front of the program can set it without touching the
/// machine's.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the wall clock"
)]
fn read_wall() -> i64 {
    utc_ms(SystemTime::now())
}

/// The ticks are asked of the kernel itself: nothing in front of the program can bend them.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the ticks"
)]
fn read_ticks() -> Ticks {
    let time = clock_gettime(ClockId::Boottime);
    Ticks(time.tv_sec * 1000 + time.tv_nsec / 1_000_000)
}

/// Milliseconds since 1970, rounded down, also before it: a machine without a clock battery may start anywhere.
fn utc_ms(wall: SystemTime) -> i64 {
    let millis = |nanos: u128| i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX);
    match wall.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => millis(since.as_nanos()),
        Err(before) => -millis(before.duration().as_nanos() + 999_999),
    }
}

/// A clock that moves only when it is told to: for tests.
#[derive(Debug)]
pub struct ManualClock {
    moment: Mutex<Moment>,
    moved: watch::Sender<Ticks>,
}

impl ManualClock {
    /// Starts at `utc_ms` with its ticks at `ticks`.
    pub fn new(moment: Moment) -> Self {
        Self {
            moved: watch::Sender::new(moment.ticks),
            moment: Mutex::new(moment),
        }
    }

    /// Time passes: wall and ticks move together.
    pub fn advance(&self, by: Duration) {
        let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.change(|moment| {
            moment.utc_ms += millis;
            moment.ticks = moment.ticks.plus(millis);
        });
    }

    /// The wall clock is set: ticks stand still.
    pub fn step_wall(&self, by_ms: i64) {
        self.change(|moment| moment.utc_ms += by_ms);
    }

    /// Somebody changes the time zone of the machine.
    pub fn set_zone(&self, zone: Zone) {
        self.change(|moment| moment.zone = zone);
    }

    fn change(&self, change: impl FnOnce(&mut Moment)) {
        let ticks = {
            let mut moment = self.moment.lock().unwrap_or_else(|e| e.into_inner());
            change(&mut moment);
            moment.ticks
        };
        self.moved.send_replace(ticks);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.moment.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn sleep_until(&self, until: Ticks) -> Sleep<'_> {
        let mut moved = self.moved.subscribe();
        Box::pin(async move {
            // The sender lives in self, which this future borrows: the wait cannot fail.
            let _ = moved.wait_for(|ticks| *ticks >= until).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(utc_ms: i64) -> Moment {
        Moment {
            utc_ms,
            ticks: Ticks(5_000),
            boot: BootId(1),
            zone: Zone::new(|_| 3600),
        }
    }

    #[test]
    fn boot_id_is_read_as_linux_prints_it() {
        let id = BootId::parse("6fd5b4a3-1b1e-4b59-8a3c-0d6a5b1f2c77\n");
        assert_eq!(id, Some(BootId(0x6fd5_b4a3_1b1e_4b59_8a3c_0d6a_5b1f_2c77)));
        assert_eq!(BootId::parse("6fd5b4a3"), None);
        assert_eq!(BootId::parse("zfd5b4a31b1e4b598a3c0d6a5b1f2c77"), None);
    }

    #[test]
    fn the_next_turn_is_at_the_full_second_before_and_after_1970() {
        assert_eq!(moment(1_250).next_turn(), Ticks(5_750));
        assert_eq!(moment(2_000).next_turn(), Ticks(6_000));
        assert_eq!(moment(-250).next_turn(), Ticks(5_250));
        assert_eq!(moment(-250).second(), -1);
    }

    #[test]
    fn a_wall_before_the_program_was_built_is_not_plausible() {
        assert!(moment(BUILT_MS).has_plausible_wall());
        assert!(moment(i64::MAX).has_plausible_wall());
        assert!(!moment(BUILT_MS - 1).has_plausible_wall());
        assert!(!moment(0).has_plausible_wall());
        assert!(!moment(i64::MIN).has_plausible_wall());
    }

    #[test]
    fn wall_times_are_derived_from_now() {
        let now = moment(10_000);
        assert_eq!(now.wall_at(Ticks(4_000)).utc_ms, 9_000);
        assert_eq!(
            now.wall_at(Ticks(4_000)).local().to_string(),
            "1970-01-01 01:00:09"
        );
    }

    #[test]
    fn the_wall_is_read_in_whole_milliseconds_before_and_after_1970() {
        let nanos = Duration::from_nanos;
        let epoch = SystemTime::UNIX_EPOCH;
        assert_eq!(utc_ms(epoch), 0);
        assert_eq!(utc_ms(epoch + nanos(1_999_999)), 1);
        assert_eq!(utc_ms(epoch - nanos(1)), -1);
        assert_eq!(utc_ms(epoch - nanos(250_000_000)), -250);
        assert_eq!(utc_ms(epoch - nanos(250_000_001)), -251);
    }

    #[test]
    fn the_machine_s_clocks_run() {
        let clock = SystemClock::new().expect("a boot id");
        let (first, second) = (clock.now(), clock.now());
        assert!(second.ticks >= first.ticks);
        assert_eq!(first.boot, second.boot);
    }
}
