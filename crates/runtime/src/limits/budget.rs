//! The memory that one member may use: the objects of its caches, and answers that are being read.
//!
//! The bytes are estimates of the memory of decoded objects after trimming (`cache/size.rs`), plus the buffers of
//! answers. The first cache or request that needs more ends the budget: nothing is added any more, so that the caches of the
//! member stop together.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use portolan_object::ObjectKey;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Excess;
use super::pace::Pace;

/// Memory of a cache for one object besides the object: entries of maps, its version, index entries.
const OBJECT_OVERHEAD: u64 = 512;
/// Maps of a cache with the key of an object.
const KEY_COPIES: u64 = 3;

/// Memory of a cache for an object that takes `bytes` itself.
fn cost(key: &ObjectKey, bytes: u64) -> u64 {
    let key = key.namespace.len() as u64 + key.name.len() as u64;
    bytes.saturating_add(OBJECT_OVERHEAD).saturating_add(KEY_COPIES * key)
}

/// What is kept of one member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemberLimits {
    /// Estimated memory of all its objects, in bytes.
    pub memory_bytes: u64,
    /// Number of its objects.
    pub objects: u64,
}

impl Default for MemberLimits {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, objects: 1_000_000 }
    }
}

/// Why a budget ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetEnd {
    /// What the member sent too much of.
    pub excess: Excess,
    /// The resource of the cache, or the path of the request.
    pub source: String,
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    bytes: u64,
    objects: u64,
}

impl Used {
    /// Replaces `before` by `after` bytes and objects.
    fn replace(&mut self, before: (u64, u64), after: (u64, u64)) {
        self.bytes = self.bytes.saturating_sub(before.0).saturating_add(after.0);
        self.objects = self.objects.saturating_sub(before.1).saturating_add(after.1);
    }
}

/// Shared by the client and the caches of one member.
#[derive(Debug)]
pub struct Budget {
    limits: MemberLimits,
    used: Mutex<Used>,
    pace: Mutex<Pace>,
    end: watch::Sender<Option<BudgetEnd>>,
}

impl Budget {
    /// An unused budget.
    pub fn new(limits: MemberLimits) -> Self {
        Self { limits, used: Mutex::default(), pace: Mutex::default(), end: watch::Sender::new(None) }
    }

    /// Bytes in use.
    pub fn bytes(&self) -> u64 {
        self.used.lock().bytes
    }

    /// Objects in use.
    pub fn objects(&self) -> u64 {
        self.used.lock().objects
    }

    /// Waits until the budget has ended, and returns why.
    pub async fn ended(&self) -> BudgetEnd {
        let mut end = self.end.subscribe();
        match end.wait_for(Option::is_some).await.map(|end| end.clone()) {
            Ok(Some(end)) => end,
            // The sender lives as long as `self`, and `wait_for` returns `Some` only.
            _ => std::future::pending().await,
        }
    }

    /// Whether the budget has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Ends the budget. The first reason stays.
    pub(crate) fn end(&self, excess: &Excess, source: impl Into<String>) {
        self.end.send_if_modified(|end| {
            let is_first = end.is_none();
            if is_first {
                *end = Some(BudgetEnd { excess: excess.clone(), source: source.into() });
            }
            is_first
        });
    }

    /// Counts an event. Returns how long to wait before the next one is read.
    pub(crate) fn pace(&self) -> Duration {
        self.pace.lock().count(Instant::now())
    }

    /// Replaces `before` by `after` bytes and objects, if they fit.
    fn change(&self, before: (u64, u64), after: (u64, u64)) -> Result<(), Excess> {
        let mut used = self.used.lock();
        let mut next = *used;
        next.replace(before, after);
        let grows = after.0 > before.0 || after.1 > before.1;
        let is_full = next.bytes > self.limits.memory_bytes || next.objects > self.limits.objects;
        if grows && (is_full || self.has_ended()) {
            return Err(Excess::Budget(self.limits));
        }
        *used = next;
        Ok(())
    }

    /// Replaces `before` by `after` without a check.
    fn force(&self, before: (u64, u64), after: (u64, u64)) {
        self.used.lock().replace(before, after);
    }
}

/// Memory that is used for a while; given back when dropped. Without a budget it counts nothing.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    budget: Option<Arc<Budget>>,
    bytes: u64,
    objects: u64,
}

impl Reservation {
    /// An empty reservation.
    pub(crate) fn new(budget: Option<Arc<Budget>>) -> Self {
        Self { budget, bytes: 0, objects: 0 }
    }

    /// Reserves more bytes.
    pub(crate) fn add_bytes(&mut self, bytes: u64) -> Result<(), Excess> {
        let Some(budget) = &self.budget else { return Ok(()) };
        budget.change((0, 0), (bytes, 0))?;
        self.bytes += bytes;
        Ok(())
    }

    /// Reserves bytes until there are at least `bytes`.
    pub(crate) fn at_least(&mut self, bytes: u64) -> Result<(), Excess> {
        self.add_bytes(bytes.saturating_sub(self.bytes))
    }

    /// Reserves the memory of one more object.
    pub(crate) fn add_object(&mut self, key: &ObjectKey, bytes: u64) -> Result<(), Excess> {
        let Some(budget) = &self.budget else { return Ok(()) };
        let bytes = cost(key, bytes);
        budget.change((0, 0), (bytes, 1))?;
        self.bytes += bytes;
        self.objects += 1;
        Ok(())
    }

    /// Gives back the memory of an object.
    pub(crate) fn remove_object(&mut self, key: &ObjectKey, bytes: u64) {
        let Some(budget) = &self.budget else { return };
        let bytes = cost(key, bytes);
        budget.force((bytes, 1), (0, 0));
        self.bytes = self.bytes.saturating_sub(bytes);
        self.objects = self.objects.saturating_sub(1);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.force((self.bytes, self.objects), (0, 0));
        }
    }
}

/// What one cache holds; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ledger {
    budget: Arc<Budget>,
    held: Mutex<Used>,
}

impl Ledger {
    /// A ledger of an empty cache.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, held: Mutex::default() }
    }

    /// Notes that an object is added, or replaces one of `before` bytes, if it fits.
    pub(crate) fn put(&self, key: &ObjectKey, before: Option<u64>, bytes: u64) -> Result<(), Excess> {
        let (before, after) = (before.map_or((0, 0), |before| (cost(key, before), 1)), (cost(key, bytes), 1));
        let mut held = self.held.lock();
        self.budget.change(before, after)?;
        held.replace(before, after);
        Ok(())
    }

    /// Notes that an object is added or replaced: one of our own writes, or one with a [`Reservation`].
    pub(crate) fn force(&self, key: &ObjectKey, before: Option<u64>, bytes: u64) {
        self.replace(before.map_or((0, 0), |before| (cost(key, before), 1)), (cost(key, bytes), 1));
    }

    /// Notes that an object of `bytes` is removed.
    pub(crate) fn remove(&self, key: &ObjectKey, bytes: u64) {
        self.replace((cost(key, bytes), 1), (0, 0));
    }

    fn replace(&self, before: (u64, u64), after: (u64, u64)) {
        let mut held = self.held.lock();
        self.budget.force(before, after);
        held.replace(before, after);
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        let held = self.held.get_mut();
        self.budget.force((held.bytes, held.objects), (0, 0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::cluster(name)
    }

    fn budget(memory_bytes: u64, objects: u64) -> Arc<Budget> {
        Arc::new(Budget::new(MemberLimits { memory_bytes, objects }))
    }

    #[test]
    fn what_is_kept_is_counted_and_given_back() {
        let budget = budget(1 << 20, 10);
        let ledger = Ledger::new(budget.clone());
        ledger.put(&key("a"), None, 100).expect("it fits");
        ledger.put(&key("b"), None, 100).expect("it fits");
        ledger.put(&key("a"), Some(100), 300).expect("it fits");
        let one = OBJECT_OVERHEAD + KEY_COPIES;
        assert_eq!((budget.bytes(), budget.objects()), (400 + 2 * one, 2));
        ledger.force(&key("b"), Some(100), 50);
        ledger.remove(&key("b"), 50);
        let mut reservation = Reservation::new(Some(budget.clone()));
        reservation.add_bytes(50).expect("it fits");
        reservation.add_object(&key("c"), 50).expect("it fits");
        reservation.add_object(&key("d"), 50).expect("it fits");
        reservation.remove_object(&key("d"), 50);
        assert_eq!((budget.bytes(), budget.objects()), (400 + 2 * one, 2));
        drop(reservation);
        assert_eq!((budget.bytes(), budget.objects()), (300 + one, 1));
        drop(ledger);
        assert_eq!((budget.bytes(), budget.objects()), (0, 0));
    }

    #[test]
    fn nothing_is_added_to_a_budget_that_has_ended() {
        let cases = [("bytes", budget(3000, 10)), ("objects", budget(1 << 20, 2))];
        for (name, budget) in cases {
            let ledger = Ledger::new(budget.clone());
            ledger.put(&key("a"), None, 500).expect("it fits");
            ledger.put(&key("b"), None, 500).expect("it fits");
            let bytes = budget.bytes();
            assert!(ledger.put(&key("c"), None, 500).is_err(), "{name}");
            assert_eq!(budget.bytes(), bytes, "{name}: nothing is counted");
            budget.end(&Excess::Budget(budget.limits), "pods");
            budget.end(&Excess::RepeatedPage, "services");
            let first = BudgetEnd { excess: Excess::Budget(budget.limits), source: "pods".to_owned() };
            assert_eq!(budget.end.borrow().as_ref(), Some(&first), "{name}");
            ledger.remove(&key("b"), 500);
            assert!(ledger.put(&key("b"), None, 500).is_err(), "{name}: also what would fit");
            ledger.put(&key("a"), Some(500), 10).expect("what needs less memory is accepted");
            assert!(Reservation::new(Some(budget)).add_bytes(1).is_err(), "{name}");
        }
    }
}
