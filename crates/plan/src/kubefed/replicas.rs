//! Divides replicas among clusters as KubeFed does (kubefed pkg/controller/util/planner/planner.go).

use std::collections::BTreeMap;

use portolan_api::kubefed::{ClusterPreferences, EVERY_CLUSTER, ReplicaSchedulingPreferenceSpec};

/// What is known about the workload in a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observed {
    /// Replicas that are ready; `None` if the cluster does not have the workload.
    pub current: Option<i64>,
    /// Replicas that the cluster can run; `None` if nothing says that it is full.
    pub capacity: Option<i64>,
}

/// Replicas by cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Replicas that the clusters can run.
    pub replicas: BTreeMap<String, i64>,
    /// Replicas above that, which full clusters get in case there is room later.
    pub overflow: BTreeMap<String, i64>,
}

impl Plan {
    /// The replicas that are written for each cluster. Together they can be more than asked for.
    pub fn written(&self) -> BTreeMap<String, i64> {
        let with_overflow = |(name, replicas): (&String, &i64)| {
            let overflow = self.overflow.get(name).copied().unwrap_or_default();
            (name.clone(), replicas.saturating_add(overflow))
        };
        self.replicas.iter().map(with_overflow).collect()
    }

    /// The sum of the replicas that clusters can run.
    pub fn placed(&self) -> i64 {
        self.replicas.values().copied().fold(0, i64::saturating_add)
    }
}

/// A cluster that takes part, during the division.
struct Share {
    name: String,
    hash: u32,
    min: i64,
    max: i64,
    weight: i64,
    observed: Observed,
    planned: i64,
    /// Replicas that it keeps because they run, which count towards its share.
    preallocated: i64,
    is_full: bool,
    overflow: Option<i64>,
}

impl Share {
    fn new(name: &str, preferences: &ClusterPreferences, observed: Observed, key: &str) -> Self {
        Self {
            name: name.to_owned(),
            hash: fnv1(&[name.as_bytes(), key.as_bytes()]),
            min: preferences.min_replicas.max(0),
            max: preferences.max_replicas.unwrap_or(i64::MAX).max(0),
            weight: preferences.weight.max(0),
            observed,
            planned: 0,
            preallocated: 0,
            is_full: false,
            overflow: None,
        }
    }

    fn capacity(&self) -> i64 {
        self.observed.capacity.unwrap_or(i64::MAX).max(0)
    }

    /// Gives the minimum. Returns the replicas that were given.
    fn take_minimum(&mut self, remaining: i64) -> i64 {
        self.planned = self.min.min(remaining).min(self.capacity());
        self.planned
    }

    /// Gives replicas that run already. Returns the replicas that were given.
    fn keep_current(&mut self, remaining: i64) -> i64 {
        let kept = self.observed.current.unwrap_or_default().min(self.max).min(self.capacity());
        self.preallocated = (kept - self.planned).clamp(0, remaining);
        self.planned += self.preallocated;
        self.preallocated
    }

    /// Gives what is due of `distributed` replicas, of which `remaining` are left. Returns the replicas that were given,
    /// and whether anything changed.
    fn take_share(&mut self, distributed: i64, weights: i128, remaining: i64) -> (i64, bool) {
        let due = (i128::from(distributed) * i128::from(self.weight) + weights - 1) / weights;
        let due = i64::try_from(due).unwrap_or(i64::MAX).min(remaining);
        let counted = due.min(self.preallocated);
        self.preallocated -= counted;
        let start = self.planned;
        let mut total = start.saturating_add(due - counted);
        if total > self.max {
            total = self.max;
            self.is_full = true;
        }
        if total > self.capacity() {
            self.overflow = Some(total - self.capacity());
            total = self.capacity();
            self.is_full = true;
        }
        self.planned = total;
        (total - start, counted > 0 || total > start)
    }
}

/// Divides the replicas of a workload; `key` is its `namespace/name`, which decides between clusters of one weight.
pub fn plan(
    preferences: &ReplicaSchedulingPreferenceSpec,
    clusters: &BTreeMap<String, Observed>,
    key: &str,
) -> Plan {
    let alike = BTreeMap::from([(
        EVERY_CLUSTER.to_owned(),
        ClusterPreferences { weight: 1, ..ClusterPreferences::default() },
    )]);
    let by_name = if preferences.clusters.is_empty() { &alike } else { &preferences.clusters };
    let mut plan = Plan::default();
    let mut shares: Vec<Share> = Vec::new();
    for (name, &observed) in clusters {
        match by_name.get(name).or_else(|| by_name.get(EVERY_CLUSTER)) {
            Some(preferences) => shares.push(Share::new(name, preferences, observed, key)),
            None => drop(plan.replicas.insert(name.clone(), 0)),
        }
    }
    shares.sort_by_key(|share| (std::cmp::Reverse(share.weight), share.hash));
    let mut remaining = i64::from(preferences.total_replicas.max(0));
    for share in &mut shares {
        remaining -= share.take_minimum(remaining);
    }
    if !preferences.rebalance {
        for share in &mut shares {
            remaining -= share.keep_current(remaining);
        }
    }
    remaining = divide(&mut shares, remaining);
    for share in shares {
        // Without rebalancing, a full cluster gets no more than what has no place elsewhere.
        let overflow = share.overflow.map(|overflow| match preferences.rebalance {
            true => overflow,
            false => overflow.min(remaining),
        });
        if let Some(overflow) = overflow.filter(|overflow| *overflow > 0) {
            plan.overflow.insert(share.name.clone(), overflow);
        }
        plan.replicas.insert(share.name, share.planned);
    }
    plan
}

/// Divides replicas by weight until none remain, or no cluster takes more. Returns those that remain.
fn divide(shares: &mut [Share], mut remaining: i64) -> i64 {
    let mut is_changed = true;
    while is_changed && remaining > 0 {
        is_changed = false;
        let open = shares.iter_mut().filter(|share| !share.is_full);
        let mut open: Vec<&mut Share> = open.collect();
        let weights: i128 = open.iter().map(|share| i128::from(share.weight)).sum();
        if weights == 0 {
            break;
        }
        let distributed = remaining;
        for share in &mut open {
            let (given, has_changed) = share.take_share(distributed, weights, remaining);
            remaining -= given;
            is_changed |= has_changed;
        }
    }
    remaining
}

/// FNV-1 of 32 bits.
fn fnv1(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().flat_map(|part| part.iter());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte))
}

#[cfg(test)]
mod tests;
