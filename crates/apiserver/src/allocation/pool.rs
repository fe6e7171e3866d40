//! A range of numbers, each free or taken.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::Draw;

/// Numbers of one range, and which of them are taken.
#[derive(Debug)]
pub(super) struct Pool {
    range: RangeInclusive<u128>,
    /// Size of the lower band, which automatic allocation avoids while the rest has free numbers.
    reserved: u128,
    taken: HashSet<u128>,
}

/// Why a number cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Already allocated.
    Taken,
    /// It does not belong to the range.
    OutOfRange,
}

impl Pool {
    pub(super) fn new(range: RangeInclusive<u128>, reserved: u128) -> Self {
        Self { range, reserved, taken: HashSet::new() }
    }

    pub(super) fn contains(&self, number: u128) -> bool {
        self.range.contains(&number)
    }

    /// Takes a certain number.
    pub(super) fn take(&mut self, number: u128) -> Result<(), Refusal> {
        if !self.contains(number) {
            return Err(Refusal::OutOfRange);
        }
        if self.taken.insert(number) { Ok(()) } else { Err(Refusal::Taken) }
    }

    /// Marks a number as taken, whether it was or not.
    pub(super) fn mark(&mut self, number: u128) {
        if self.contains(number) {
            self.taken.insert(number);
        }
    }

    pub(super) fn free(&mut self, number: u128) {
        self.taken.remove(&number);
    }

    /// Takes a free number, or none when all are taken. `kept` are numbers that only [`Self::take`] gives.
    ///
    /// Numbers are drawn so that a released one does not come back at once: clients may still know it by its
    /// former owner.
    pub(super) fn next(&mut self, draw: &Draw, kept: &[u128]) -> Option<u128> {
        let (first, last) = (*self.range.start(), *self.range.end());
        if last < first {
            return None;
        }
        let low_end = first.saturating_add(self.reserved).min(last + 1);
        let number =
            self.search(low_end, last, draw, kept).or_else(|| self.search(first, low_end - 1, draw, kept))?;
        self.taken.insert(number);
        Some(number)
    }

    /// A free number between two others: a drawn one, or the next after it.
    fn search(&self, first: u128, last: u128, draw: &Draw, kept: &[u128]) -> Option<u128> {
        let size = last.checked_sub(first)?.checked_add(1)?;
        let start = u128::from(draw(u64::try_from(size).unwrap_or(u64::MAX)));
        // One more step than there are taken numbers always finds a free one, if there is any.
        let steps = size.min(self.taken.len() as u128 + kept.len() as u128 + 1);
        (0..steps)
            .map(|step| first + (start + step) % size)
            .find(|number| !self.taken.contains(number) && !kept.contains(number))
    }
}
