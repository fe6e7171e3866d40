//! The work that one patch may cause: a number of steps, and a check whether anyone still waits for the result.
//!
//! A short patch can ask for long work: each of its elements may merge into the same long list. So the work is counted
//! while it is done, independent of the machine, and a patch that needs too much of it is refused.

use std::cell::Cell;

use super::PatchError;

/// Steps of one patch. A step is about one element that is read or moved; a patch of 3 MiB onto an object of 1.5 MiB
/// takes less than a tenth when no part of it is visited again and again.
const STEP_LIMIT: usize = 10_000_000;
/// Steps between two checks for an interruption.
const CHECK_INTERVAL: usize = 4096;

/// The work left for one patch.
pub struct Work<'a> {
    left: Cell<usize>,
    next_check: Cell<usize>,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl<'a> Work<'a> {
    /// The limit of every patch; `is_cancelled` is asked now and then whether to give up.
    pub fn new(is_cancelled: &'a dyn Fn() -> bool) -> Self {
        Self { left: Cell::new(STEP_LIMIT), next_check: Cell::new(STEP_LIMIT - CHECK_INTERVAL), is_cancelled }
    }

    /// The steps taken so far.
    pub fn used(&self) -> usize {
        STEP_LIMIT - self.left.get()
    }

    /// Counts steps before they are taken.
    ///
    /// # Errors
    /// [`PatchError::TooMuchWork`] and [`PatchError::Interrupted`].
    pub(super) fn charge(&self, steps: usize) -> Result<(), PatchError> {
        let left = self.left.get().checked_sub(steps).ok_or(PatchError::TooMuchWork { limit: STEP_LIMIT })?;
        self.left.set(left);
        if left <= self.next_check.get() {
            self.next_check.set(left.saturating_sub(CHECK_INTERVAL));
            if (self.is_cancelled)() {
                return Err(PatchError::Interrupted);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Work<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("left", &self.left.get()).finish_non_exhaustive()
    }
}

/// For patches that are known to be small.
pub(super) fn never() -> bool {
    false
}

#[cfg(test)]
mod tests;
