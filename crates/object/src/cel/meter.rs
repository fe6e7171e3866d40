//! Counts what one evaluation costs.
//!
//! Units are those of Kubernetes: one for an access or a call, a tenth for each character that is read, ten for a new
//! list (google/cel-go common/cost.go). One unit takes about 50 ns.

use super::failure::Failure;
use super::{Key, Value};
use crate::budget::Budget;

/// Cost that one expression may cause (`PerCallLimit` in k8s.io/apiserver/pkg/apis/cel/config.go).
pub(super) const CALL_COST_LIMIT: u64 = 1_000_000;
/// Bytes that one expression may allocate, freed ones included. Upstream bounds them by cost alone; our lists are copied
/// where cel-go shares their parts.
const ALLOCATION_LIMIT: u64 = 64 << 20;
/// Bytes of a value in a list, with the header of a short text.
const VALUE_BYTES: u64 = 64;

/// What one evaluation may still cost.
pub(super) struct Meter<'b> {
    budget: &'b Budget,
    left: u64,
    bytes_left: u64,
}

impl<'b> Meter<'b> {
    pub(super) fn new(budget: &'b Budget) -> Self {
        Self { budget, left: CALL_COST_LIMIT, bytes_left: ALLOCATION_LIMIT }
    }

    /// Takes units from this evaluation and from the budget of the request.
    pub(super) fn spend(&mut self, units: u64) -> Result<(), Failure> {
        self.budget.spend(units).map_err(Failure::Exhausted)?;
        self.left = self.left.checked_sub(units).ok_or(Failure::CallLimit)?;
        Ok(())
    }

    /// For reading a text or bytes once.
    pub(super) fn spend_text(&mut self, length: usize) -> Result<(), Failure> {
        self.spend(tenths(length))
    }

    /// For a new text or bytes.
    pub(super) fn spend_new_text(&mut self, length: usize) -> Result<(), Failure> {
        self.allocate(length as u64)?;
        self.spend_text(length)
    }

    /// For new elements of a list or entries of a map.
    pub(super) fn spend_elements(&mut self, count: usize) -> Result<(), Failure> {
        self.allocate((count as u64).saturating_mul(VALUE_BYTES))?;
        self.spend(count as u64)
    }

    fn allocate(&mut self, bytes: u64) -> Result<(), Failure> {
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(Failure::CallLimit)?;
        Ok(())
    }

    /// For visiting all that a value consists of (`traversalCost` in
    /// k8s.io/apiserver/pkg/cel/library/cost.go).
    pub(super) fn spend_traversal(&mut self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::String(text) => self.spend_text(text.len()),
            Value::Bytes(bytes) => self.spend_text(bytes.len()),
            Value::List(list) => {
                self.spend(1)?;
                list.iter().try_for_each(|element| self.spend_traversal(element))
            }
            Value::Map(map) => {
                self.spend(1)?;
                map.map.iter().try_for_each(|(key, value)| {
                    if let Key::String(text) = key {
                        self.spend_text(text.len())?;
                    }
                    self.spend_traversal(value)
                })
            }
            _ => self.spend(1),
        }
    }
}

/// A tenth, rounded up.
pub(super) fn tenths(length: usize) -> u64 {
    (length as u64).div_ceil(10)
}
