//! What each user has in flight, and how much that may be. Pure.

use std::collections::HashMap;
use std::sync::Arc;

/// How long a request lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Until its answer, within the time limit of requests.
    Request,
    /// A watch.
    Watch,
    /// A request that only its bytes are counted of.
    Exempt,
}

/// Bounds of one user and of all users.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) per_user: Amounts,
    pub(super) total: Amounts,
}

/// Numbers of requests and watches, and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) requests: usize,
    pub(super) watches: usize,
    pub(super) bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // kube-apiserver allows 600 requests of all users; a user here may have half of that. A node has about 20
        // watches, kube-controller-manager a few hundred.
        Self {
            per_user: Amounts { requests: 300, watches: 2_000, bytes: 128 << 20 },
            total: Amounts { requests: 1_200, watches: 40_000, bytes: 512 << 20 },
        }
    }
}

/// The limit that a request would exceed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Requests,
    Watches,
    Bytes,
    /// The queue of the compute threads.
    Queue,
}

impl Excess {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Watches => "watches",
            Self::Bytes => "bytes",
            Self::Queue => "queue",
        }
    }
}

/// The amounts of all users with something in flight.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: Limits,
    total: Amounts,
    users: HashMap<Arc<str>, Account>,
}

#[derive(Debug, Default)]
struct Account {
    amounts: Amounts,
    /// Shares of all kinds.
    shares: usize,
}

impl Ledger {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, total: Amounts::default(), users: HashMap::new() }
    }

    /// Adds a request or watch, and returns the shared name of the user.
    pub(super) fn add(&mut self, user: &str, kind: Kind) -> Result<Arc<str>, Excess> {
        let known = self.users.get_key_value(user);
        let own = known.map(|(_, account)| account.amounts).unwrap_or_default();
        let (total, limits) = (&self.total, &self.limits);
        let is_full = match kind {
            Kind::Request => {
                own.requests >= limits.per_user.requests || total.requests >= limits.total.requests
            }
            Kind::Watch => own.watches >= limits.per_user.watches || total.watches >= limits.total.watches,
            Kind::Exempt => false,
        };
        if is_full {
            return Err(if kind == Kind::Watch { Excess::Watches } else { Excess::Requests });
        }
        let name = known.map_or_else(|| Arc::from(user), |(name, _)| Arc::clone(name));
        let account = self.users.entry(Arc::clone(&name)).or_default();
        account.shares += 1;
        for amounts in [&mut account.amounts, &mut self.total] {
            match kind {
                Kind::Request => amounts.requests += 1,
                Kind::Watch => amounts.watches += 1,
                Kind::Exempt => {}
            }
        }
        Ok(name)
    }

    /// Removes a request or watch that was added.
    pub(super) fn remove(&mut self, user: &str, kind: Kind) {
        let Some(account) = self.users.get_mut(user) else { return };
        account.shares = account.shares.saturating_sub(1);
        for amounts in [&mut account.amounts, &mut self.total] {
            match kind {
                Kind::Request => amounts.requests = amounts.requests.saturating_sub(1),
                Kind::Watch => amounts.watches = amounts.watches.saturating_sub(1),
                Kind::Exempt => {}
            }
        }
        if account.shares == 0 {
            self.users.remove(user);
        }
    }

    /// Adds bytes. A user that holds none may always hold some, however large: else it could never be answered.
    pub(super) fn hold(&mut self, user: &str, bytes: usize) -> Result<(), Excess> {
        let Some(account) = self.users.get_mut(user) else { return Ok(()) };
        let own = account.amounts.bytes + bytes;
        let total = self.total.bytes + bytes;
        let is_too_much = own > self.limits.per_user.bytes || total > self.limits.total.bytes;
        if is_too_much && account.amounts.bytes > 0 {
            return Err(Excess::Bytes);
        }
        (account.amounts.bytes, self.total.bytes) = (own, total);
        Ok(())
    }

    /// Removes bytes that were added.
    pub(super) fn release(&mut self, user: &str, bytes: usize) {
        if let Some(account) = self.users.get_mut(user) {
            account.amounts.bytes = account.amounts.bytes.saturating_sub(bytes);
            self.total.bytes = self.total.bytes.saturating_sub(bytes);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.total == Amounts::default()
    }
}
