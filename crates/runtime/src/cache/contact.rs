//! When a server was last heard, and what went wrong since. Pure: the caller tells the time.

use tokio::time::Instant;

use crate::cache::Trouble;

/// Why a server does not serve a collection to this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not have the resource.
    NotServed,
    /// The account may not read it.
    Forbidden,
}

pub(super) struct Contact {
    pub(super) last: Instant,
    /// Lists of the whole collection.
    pub(super) lists: u64,
    pub(super) failures: u64,
    failed_since: Option<Instant>,
    /// What readers see.
    pub(super) trouble: Option<Trouble>,
}

impl Contact {
    pub(super) fn new(now: Instant) -> Self {
        Self { last: now, lists: 0, failures: 0, failed_since: None, trouble: None }
    }

    /// Notes that the server sent something. True when readers saw trouble before.
    pub(super) fn heard(&mut self, now: Instant) -> bool {
        self.last = now;
        self.failed_since = None;
        self.trouble.take().is_some()
    }

    /// Notes that the whole collection was read.
    pub(super) fn listed(&mut self, now: Instant) {
        self.last = now;
        self.lists += 1;
    }

    /// Notes that a request failed. Readers see the trouble if `is_visible`.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        reason: String,
        refusal: Option<Refusal>,
        is_visible: bool,
    ) {
        self.failures += 1;
        let since = *self.failed_since.get_or_insert(now);
        let [is_not_served, is_forbidden] =
            [Refusal::NotServed, Refusal::Forbidden].map(|one| refusal == Some(one));
        self.trouble = is_visible.then_some(Trouble { reason, since, is_not_served, is_forbidden });
    }
}
