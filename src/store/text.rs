//! The names under which plain values of the domain are stored, whatever the store.
//!
//! Names only: how a name gets into a file or a server is the store's own affair.

use chrono::NaiveDateTime;

use crate::engine::{Mode, Outcome, Reason};

/// A plain value that is stored as a name.
pub(super) trait Named: Sized {
    fn name(&self) -> &'static str;
    fn named(name: &str) -> Option<Self>;
}

/// Gives each variant the name on its right.
macro_rules! named {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl Named for $type {
            fn name(&self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named!(Mode { Timer = "timer", Manual = "manual" });
named!(Outcome {
    Completed = "completed",
    Stopped = "stopped",
    Replaced = "replaced",
    Limited = "limited",
    Interrupted = "interrupted",
});
named!(Reason {
    TimerRunning = "timer_running",
    ManualHasPriority = "manual_has_priority",
    ManualRunning = "manual_running",
    NotRunning = "not_running",
});

const LOCAL_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.3f";

/// A local time without zone.
pub(super) fn local(time: &NaiveDateTime) -> String {
    time.format(LOCAL_FORMAT).to_string()
}

pub(super) fn parse_local(text: &str) -> chrono::ParseResult<NaiveDateTime> {
    NaiveDateTime::parse_from_str(text, LOCAL_FORMAT)
}
