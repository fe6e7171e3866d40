//! Bounds of the work that one request can cause.
//!
//! Work that grows faster than its input takes a [`Budget`] and spends one unit for each small step, such as a visited
//! value or 16 compared bytes. The caller chooses the limit and passes an [`Interrupt`], which ends the work when the
//! client has left, the deadline has passed or the server stops. This crate reads no clock: the caller's closure does.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// Units of work between two looks at the interrupt: at most about a millisecond.
const UNITS_BETWEEN_CHECKS: u64 = 4_096;

/// Asks whether work is still wanted.
#[derive(Clone, Default)]
pub struct Interrupt(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Interrupt {
    /// An interrupt that is set when the closure answers true. The closure is called often and must be cheap, such as
    /// a comparison with a deadline or a look at an atomic flag.
    pub fn new(is_set: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(is_set)))
    }

    /// An interrupt that is never set.
    pub fn never() -> Self {
        Self(None)
    }

    /// Whether the work should end.
    pub fn is_set(&self) -> bool {
        self.0.as_ref().is_some_and(|is_set| is_set())
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupt(set: {})", self.is_set())
    }
}

/// Why work ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exhausted {
    /// The limit is reached.
    #[error("the request needs more than {limit} steps; make it smaller")]
    Limit {
        /// The limit, in units of work.
        limit: u64,
    },
    /// The interrupt is set.
    #[error("the work was ended because the request has timed out, its client has left or the server stops")]
    Interrupted,
}

/// Work that may still be done. Shared by reference within one thread.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    spent: Cell<u64>,
    ended: Cell<Option<Exhausted>>,
    /// The interrupt is asked when this much is spent.
    next_check: Cell<u64>,
    interrupt: Interrupt,
}

impl Budget {
    /// A budget of `limit` units.
    pub fn new(limit: u64, interrupt: &Interrupt) -> Self {
        Self {
            limit,
            spent: Cell::new(0),
            ended: Cell::new(None),
            next_check: Cell::new(UNITS_BETWEEN_CHECKS),
            interrupt: interrupt.clone(),
        }
    }

    /// A budget that ends by its interrupt only.
    pub fn unlimited(interrupt: &Interrupt) -> Self {
        Self::new(u64::MAX, interrupt)
    }

    /// Spends units, before or after the work is done.
    ///
    /// # Errors
    /// When the limit is exceeded or the interrupt is set; also at every later call.
    pub fn spend(&self, units: u64) -> Result<(), Exhausted> {
        if let Some(ended) = self.ended.get() {
            return Err(ended);
        }
        let spent = self.spent.get().saturating_add(units);
        self.spent.set(spent.min(self.limit));
        if spent > self.limit {
            return self.end(Exhausted::Limit { limit: self.limit });
        }
        if spent >= self.next_check.get() {
            if self.interrupt.is_set() {
                return self.end(Exhausted::Interrupted);
            }
            self.next_check.set(spent.saturating_add(UNITS_BETWEEN_CHECKS));
        }
        Ok(())
    }

    fn end(&self, exhausted: Exhausted) -> Result<(), Exhausted> {
        self.ended.set(Some(exhausted));
        Err(exhausted)
    }

    /// Spends for a look at every byte of a text or at every byte of two texts that are compared.
    ///
    /// # Errors
    /// As [`Budget::spend`].
    pub fn spend_bytes(&self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(1 + bytes as u64 / BYTES_PER_UNIT)
    }

    /// Units spent so far, at most the limit.
    pub fn spent(&self) -> u64 {
        self.spent.get()
    }

    /// Why nothing can be spent any more, if so.
    pub fn exhausted(&self) -> Option<Exhausted> {
        self.ended.get()
    }
}

/// Bytes that are read in the time of one unit.
const BYTES_PER_UNIT: u64 = 16;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_budget_ends_at_its_limit() {
        let budget = Budget::new(10, &Interrupt::never());
        assert_eq!(budget.spend(10), Ok(()));
        assert_eq!(budget.spend(1), Err(Exhausted::Limit { limit: 10 }));
        assert_eq!(budget.exhausted(), Some(Exhausted::Limit { limit: 10 }));
        assert_eq!(Budget::unlimited(&Interrupt::never()).spend(u64::MAX), Ok(()));
    }

    #[test]
    fn an_interrupt_ends_work_within_a_few_thousand_units() {
        let flag = Arc::new(AtomicBool::new(false));
        let seen = flag.clone();
        let budget = Budget::unlimited(&Interrupt::new(move || seen.load(Ordering::Relaxed)));
        assert_eq!(budget.spend(UNITS_BETWEEN_CHECKS), Ok(()));
        flag.store(true, Ordering::Relaxed);
        let until_ended = (0..).take_while(|_| budget.spend(1).is_ok()).count();
        assert!(until_ended as u64 <= UNITS_BETWEEN_CHECKS, "{until_ended}");
        assert_eq!(budget.exhausted(), Some(Exhausted::Interrupted), "and stays ended");
    }
}
