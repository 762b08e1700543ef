//! The names of all keys: one prefix, as a hash tag, so that a cluster keeps them in one slot and a script can use them.

use crate::command::SystemId;

/// The names of all keys of one gateway.
#[derive(Clone, Debug)]
pub(super) struct Keys(String);

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self(format!("{{{prefix}}}:"))
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.0)
    }

    /// Hash: system to state.
    pub(super) fn states(&self) -> String {
        self.key("states")
    }

    /// Set: the systems in which water runs.
    pub(super) fn running(&self) -> String {
        self.key("running")
    }

    /// Stream: the actions of a system.
    pub(super) fn history(&self, system: &SystemId) -> String {
        self.key(&format!("history:{system}"))
    }

    /// Stream: every change.
    pub(super) fn feed(&self) -> String {
        self.key("feed")
    }

    /// Hash: idempotency key to the answer that is kept.
    pub(super) fn receipts(&self) -> String {
        self.key("receipts")
    }

    /// Sorted set: idempotency key to the ticks of its answer.
    pub(super) fn ages(&self) -> String {
        self.key("receipts:age")
    }

    /// Text that expires: the ticks of the last stop of a system that found nothing running.
    pub(super) fn stops(&self, system: &SystemId) -> String {
        self.key(&format!("stops:{system}"))
    }

    /// Hash: node to the generation of its session.
    pub(super) fn fences(&self) -> String {
        self.key("fences")
    }

    /// Hash: what all nodes agree on about time.
    pub(super) fn clock(&self) -> String {
        self.key("clock")
    }

    /// Hash: node to what it has answered the last roll call.
    pub(super) fn voices(&self) -> String {
        self.key("voices")
    }

    /// Hash: system to its settings.
    pub(super) fn systems(&self) -> String {
        self.key("systems")
    }

    /// Text: from where everything is being moved into this store. There only until that is done.
    pub(super) fn migrating(&self) -> String {
        self.key("migrating")
    }

    /// Keys that hold something only while a script looks at what it may do.
    pub(super) fn scratch(&self, kind: &str) -> String {
        self.key(&format!("scratch:{kind}"))
    }
}
