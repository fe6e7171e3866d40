//! The connections of a server, and which one makes room when there are too many.
//!
//! Connections that wait for their handshake or their first request are the first to go, the oldest of them before the
//! others; then those between two requests, the one that is unused for the longest time first. A connection with a
//! request in flight is never closed for another one. So a client that opens connections and leaves them costs others
//! nothing: theirs are served long before they are the oldest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Limits;
use super::metrics::{ConnectionMetrics, Removal};

/// Time for a connection to end in order when the server stops: without a request in flight, and while an answer is sent.
const IDLE_END: Duration = Duration::from_millis(250);
const SENDING_END: Duration = Duration::from_secs(2);
/// Time between two looks at a connection that should end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The connections of a server. Clones share state.
#[derive(Clone)]
pub(super) struct Slots {
    limits: SlotLimits,
    state: Arc<Mutex<State>>,
    metrics: ConnectionMetrics,
}

#[derive(Debug, Clone, Copy)]
struct SlotLimits {
    connections: usize,
    per_address: usize,
    /// Connections without a request so far.
    fresh: usize,
}

#[derive(Default)]
struct State {
    next: u64,
    open: HashMap<u64, Slot>,
    /// Connections without a request so far; the oldest has the least number.
    fresh: BTreeSet<u64>,
    /// Connections between two requests, by the order in which their last one ended.
    idle: BTreeMap<u64, u64>,
    by_address: HashMap<IpAddr, usize>,
}

struct Slot {
    address: IpAddr,
    use_of: Use,
    removed: CancellationToken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Fresh,
    /// The key in [`State::idle`].
    Idle(u64),
    /// Requests in flight.
    Busy(usize),
}

/// One open connection; it is forgotten when this is dropped.
pub(super) struct Slotted {
    slots: Slots,
    id: u64,
    removed: CancellationToken,
    /// Requests without the beginning of an answer.
    computing: AtomicUsize,
}

/// One request of a connection, from its arrival to the end of its response.
pub(super) struct RequestGuard(Arc<Slotted>);

/// One request of a connection, from its arrival to the start of its response.
pub(super) struct ComputingGuard(Arc<Slotted>);

impl Slots {
    pub(super) fn new(limits: &Limits, metrics: ConnectionMetrics) -> Self {
        let connections = limits.connections.max(1);
        let limits = SlotLimits {
            connections,
            per_address: limits.connections_per_address.clamp(1, connections),
            fresh: limits.handshakes.clamp(1, connections),
        };
        Self { limits, state: Arc::default(), metrics }
    }

    /// Takes a slot for a connection, and removes another connection if there are too many. `None` when all others have
    /// requests in flight.
    pub(super) fn take(&self, address: IpAddr) -> Option<Arc<Slotted>> {
        let mut state = self.state.lock();
        let of_address = state.by_address.get(&address).copied().unwrap_or_default();
        let removal = if of_address >= self.limits.per_address {
            Some((state.removable(Some(address)), Removal::Address))
        } else if state.open.len() >= self.limits.connections {
            Some((state.removable(None), Removal::Connections))
        } else if state.fresh.len() >= self.limits.fresh {
            Some((state.fresh.first().copied(), Removal::Handshakes))
        } else {
            None
        };
        if let Some((victim, reason)) = removal {
            self.metrics.removed(reason);
            tracing::debug!(%address, reason = reason.name(), "too many connections; one is closed for a new one");
            state.remove(victim?);
        }
        let removed = CancellationToken::new();
        let id = state.add(address, removed.clone());
        self.metrics.open(state.open.len());
        Some(Arc::new(Slotted { slots: self.clone(), id, removed, computing: AtomicUsize::new(0) }))
    }
}

impl State {
    fn add(&mut self, address: IpAddr, removed: CancellationToken) -> u64 {
        let id = self.number();
        self.open.insert(id, Slot { address, use_of: Use::Fresh, removed });
        self.fresh.insert(id);
        *self.by_address.entry(address).or_default() += 1;
        id
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The connection that is closed next, of one address or of all.
    fn removable(&self, address: Option<IpAddr>) -> Option<u64> {
        let fits = |id: &u64| {
            address.is_none_or(|address| self.open.get(id).is_some_and(|slot| slot.address == address))
        };
        self.fresh.iter().chain(self.idle.values()).copied().find(fits)
    }

    /// Forgets a connection, and ends it if it is still open.
    fn remove(&mut self, id: u64) {
        let Some(slot) = self.open.remove(&id) else { return };
        self.fresh.remove(&id);
        if let Use::Idle(since) = slot.use_of {
            self.idle.remove(&since);
        }
        if let Some(open) = self.by_address.get_mut(&slot.address) {
            *open -= 1;
            if *open == 0 {
                self.by_address.remove(&slot.address);
            }
        }
        slot.removed.cancel();
    }

    fn is_busy(&self, id: u64) -> bool {
        self.open.get(&id).is_some_and(|slot| matches!(slot.use_of, Use::Busy(_)))
    }

    fn begin(&mut self, id: u64) {
        let Some(slot) = self.open.get_mut(&id) else { return };
        slot.use_of = match slot.use_of {
            Use::Busy(requests) => Use::Busy(requests + 1),
            Use::Fresh => {
                self.fresh.remove(&id);
                Use::Busy(1)
            }
            Use::Idle(since) => {
                self.idle.remove(&since);
                Use::Busy(1)
            }
        };
    }

    fn end(&mut self, id: u64) {
        let since = self.number();
        let Some(slot) = self.open.get_mut(&id) else { return };
        slot.use_of = match slot.use_of {
            Use::Busy(requests) if requests > 1 => Use::Busy(requests - 1),
            _ => {
                self.idle.insert(since, id);
                Use::Idle(since)
            }
        };
    }
}

impl Slotted {
    /// Completes when the connection has to make room.
    pub(super) async fn removed(&self) {
        self.removed.cancelled().await;
    }

    /// Notes a request until its response begins, when the guard is dropped.
    pub(super) fn compute(self: &Arc<Self>) -> ComputingGuard {
        self.computing.fetch_add(1, Ordering::Relaxed);
        ComputingGuard(Arc::clone(self))
    }

    /// Completes when a connection of a server that stops need not be waited for any more: no response is being computed,
    /// and there was time to send those that are under way. A client that does not read would not let it end.
    pub(super) async fn quiet(&self) {
        let mut since = Instant::now();
        loop {
            tokio::time::sleep(LOOK_INTERVAL).await;
            if self.computing.load(Ordering::Relaxed) > 0 {
                since = Instant::now();
                continue;
            }
            let is_sending = self.slots.state.lock().is_busy(self.id);
            let time = if is_sending { SENDING_END } else { IDLE_END };
            if since.elapsed() >= time {
                return;
            }
        }
    }

    /// Notes a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> RequestGuard {
        self.slots.state.lock().begin(self.id);
        RequestGuard(Arc::clone(self))
    }
}

impl Drop for Slotted {
    fn drop(&mut self) {
        let mut state = self.slots.state.lock();
        state.remove(self.id);
        self.slots.metrics.open(state.open.len());
    }
}

impl Drop for ComputingGuard {
    fn drop(&mut self) {
        self.0.computing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.slots.state.lock().end(self.0.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn slots(connections: usize, per_address: usize, handshakes: usize) -> Slots {
        let limits =
            Limits { connections, connections_per_address: per_address, handshakes, ..Limits::default() };
        Slots::new(&limits, ConnectionMetrics::default())
    }

    fn client(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, number).into()
    }

    fn is_removed(slot: &Slotted) -> bool {
        slot.removed.is_cancelled()
    }

    #[test]
    fn the_oldest_handshake_makes_room() {
        let slots = slots(100, 100, 2);
        let open: Vec<_> = (0..4).map(|_| slots.take(client(1)).expect("room")).collect();
        let removed: Vec<bool> = open.iter().map(|slot| is_removed(slot)).collect();
        assert_eq!(removed, [true, true, false, false]);
    }

    #[test]
    fn what_is_unused_for_longest_makes_room_and_what_works_stays() {
        let slots = slots(3, 3, 3);
        let [busy, early, late] = [1, 2, 3].map(|number| slots.take(client(number)).expect("room"));
        let request = busy.begin();
        drop(early.begin());
        drop(late.begin());
        let fourth = slots.take(client(4)).expect("room");
        assert_eq!([&busy, &early, &late, &fourth].map(|slot| is_removed(slot)), [false, true, false, false]);
        let _requests = [late.begin(), fourth.begin()];
        assert!(slots.take(client(5)).is_none(), "all are at work");
        drop(request);
        assert!(slots.take(client(5)).is_some());
        assert!(is_removed(&busy));
    }

    #[test]
    fn an_address_with_too_many_connections_closes_its_own() {
        let slots = slots(100, 2, 100);
        let other = slots.take(client(1)).expect("room");
        let own = [slots.take(client(2)).expect("room"), slots.take(client(2)).expect("room")];
        let third = slots.take(client(2)).expect("room");
        let all = [&other, &own[0], &own[1], &third].map(|slot| is_removed(slot));
        assert_eq!(all, [false, true, false, false]);
    }

    #[test]
    fn connections_that_end_are_forgotten() {
        let slots = slots(2, 2, 2);
        for _ in 0..10 {
            let slot = slots.take(client(1)).expect("room");
            drop(slot.begin());
        }
        let state = slots.state.lock();
        assert!(state.open.is_empty() && state.idle.is_empty() && state.fresh.is_empty());
        assert!(state.by_address.is_empty());
    }
}
