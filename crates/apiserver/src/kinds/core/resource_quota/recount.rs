//! The status of a quota from the objects of its namespace (kubernetes
//! pkg/controller/resourcequota/resource_quota_controller.go).

use jiff::Timestamp;
use portolan_object::quantity::Quantity;
use serde_json::{Value, json};

use super::amounts::{accumulate, only, to_list};
use super::counter::Counter;
use super::scopes;
use crate::kinds::core::pod::resources::{Amounts, amounts};

/// The objects of one resource in the namespace of a quota.
pub(crate) enum Objects<'a> {
    /// Their number, for a counter that does not read them.
    Number(usize),
    /// Some of the objects.
    Read(&'a [Value]),
}

/// The sum for one quota.
#[derive(Debug)]
pub(crate) struct Recount<'q> {
    quota: &'q Value,
    hard: Amounts,
    used: Amounts,
}

impl<'q> Recount<'q> {
    /// Starts with nothing.
    pub(crate) fn new(quota: &'q Value) -> Self {
        Self { quota, hard: amounts(quota, "/spec/hard"), used: Amounts::new() }
    }

    /// Whether a line of the quota counts these objects.
    pub(crate) fn needs(&self, counter: &Counter) -> bool {
        self.hard.keys().any(|line| counter.counts(line))
    }

    /// Adds objects of one resource.
    pub(crate) fn add(&mut self, counter: &Counter, objects: Objects<'_>, now: Timestamp) {
        let lines = self.hard.keys().filter(|line| counter.counts(line));
        let mut sum: Amounts = lines.map(|line| (line.clone(), Quantity::default())).collect();
        match objects {
            Objects::Number(number) if !scopes::are_in(self.quota) => {
                let number = Quantity::from(i64::try_from(number).unwrap_or(i64::MAX));
                sum.values_mut().for_each(|amount| *amount = number);
            }
            Objects::Number(_) => {}
            Objects::Read(objects) => {
                for object in objects.iter().filter(|object| scopes::contains(self.quota, counter, object)) {
                    accumulate(&mut sum, &only(counter.usage(object, now), &self.hard));
                }
            }
        }
        accumulate(&mut self.used, &only(sum, &self.hard));
    }

    /// The status. Lines that nothing counts keep what the status says of them.
    pub(crate) fn status(self) -> Value {
        let mut used = amounts(self.quota, "/status/used");
        used.extend(self.used);
        json!({ "hard": to_list(&self.hard), "used": to_list(&only(used, &self.hard)) })
    }
}
