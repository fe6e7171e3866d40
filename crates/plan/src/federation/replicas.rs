//! Division of replicas over clusters by minimum, maximum and weight, as Federation v1 and KubeFed do it.
//!
//! federation pkg/federation-controller/util/planner/planner.go, kubefed pkg/controller/util/planner/planner.go

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Deserialize;

/// The key of the preference for clusters that have none of their own.
const ANY_CLUSTER: &str = "*";

/// How replicas are divided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preferences {
    /// Whether replicas that run may move.
    pub rebalance: bool,
    /// Preferences by cluster; `*` is for all others. A cluster without any has no replicas.
    pub clusters: BTreeMap<String, Preference>,
}

/// The preference for one cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Preference {
    /// Replicas that the cluster has before others have more than their minimum.
    pub min_replicas: i64,
    /// Most replicas; no limit if absent.
    pub max_replicas: Option<i64>,
    /// Share of the replicas above the minimum.
    pub weight: i64,
}

/// The same weight for every cluster.
impl Default for Preferences {
    fn default() -> Self {
        let same = Preference { weight: 1, ..Preference::default() };
        Self { rebalance: false, clusters: BTreeMap::from([(ANY_CLUSTER.to_owned(), same)]) }
    }
}

/// A cluster that may have replicas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Name.
    pub name: &'a str,
    /// Replicas that it has now.
    pub current: i64,
    /// For how many it has room, if that is known.
    pub capacity: Option<i64>,
}

/// The replicas of each candidate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Division {
    /// Replicas by cluster; every candidate has an entry.
    pub replicas: BTreeMap<String, i64>,
    /// What clusters should have had beyond their capacity.
    pub overflow: BTreeMap<String, i64>,
}

/// Divides `total` replicas. `key`, usually `namespace/name`, spreads the remainders of many workloads over the clusters.
pub fn divide(total: i64, preferences: &Preferences, candidates: &[Candidate<'_>], key: &str) -> Division {
    let mut state = State::new(total, preferences, candidates, key);
    state.give_minimums();
    if !preferences.rebalance {
        state.keep_current();
    }
    while state.remaining > 0 && state.distribute() {}
    let State { remaining, planned, mut overflow, .. } = state;
    if !preferences.rebalance {
        overflow.values_mut().for_each(|surplus| *surplus = (*surplus).min(remaining));
        overflow.retain(|_, surplus| *surplus > 0);
    }
    let owned = |entries: BTreeMap<&str, i64>| {
        entries.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    };
    Division { replicas: owned(planned), overflow: owned(overflow) }
}

struct Open<'a> {
    candidate: Candidate<'a>,
    preference: Preference,
}

impl Open<'_> {
    /// The most replicas that the cluster may get.
    fn limit(&self) -> i64 {
        let limits = [self.preference.max_replicas, self.candidate.capacity];
        limits.into_iter().flatten().min().unwrap_or(i64::MAX)
    }
}

struct State<'a> {
    remaining: i64,
    planned: BTreeMap<&'a str, i64>,
    /// What clusters keep of their current replicas; it counts towards their later shares.
    kept: BTreeMap<&'a str, i64>,
    overflow: BTreeMap<&'a str, i64>,
    /// Clusters that can have more, in the order in which they are served.
    open: Vec<Open<'a>>,
}

impl<'a> State<'a> {
    fn new(total: i64, preferences: &Preferences, candidates: &[Candidate<'a>], key: &str) -> Self {
        let preference = |name: &str| {
            let clusters = &preferences.clusters;
            clusters.get(name).or_else(|| clusters.get(ANY_CLUSTER)).copied()
        };
        let open = candidates.iter().filter_map(|candidate| {
            Some(Open { candidate: *candidate, preference: preference(candidate.name)? })
        });
        let mut open: Vec<Open<'a>> = open.collect();
        open.sort_by_key(|one| (Reverse(one.preference.weight), hash(one.candidate.name, key)));
        let planned = candidates.iter().map(|candidate| (candidate.name, 0)).collect();
        Self { remaining: total, planned, kept: BTreeMap::new(), overflow: BTreeMap::new(), open }
    }

    fn give_minimums(&mut self) {
        for one in &self.open {
            let room = one.candidate.capacity.unwrap_or(i64::MAX);
            let given = one.preference.min_replicas.min(self.remaining).min(room);
            self.remaining -= given;
            self.planned.insert(one.candidate.name, given);
        }
    }

    /// Clusters keep what they have, as far as the replicas and their limits allow.
    fn keep_current(&mut self) {
        for one in &self.open {
            let planned = self.planned[one.candidate.name];
            let target = one.candidate.current.min(one.limit());
            let extra = (target - planned).min(self.remaining).max(0);
            self.remaining -= extra;
            self.kept.insert(one.candidate.name, extra);
            self.planned.insert(one.candidate.name, planned + extra);
        }
    }

    /// Distributes what remains by weight, once. Clusters at their limit leave. Returns whether anything changed.
    fn distribute(&mut self) -> bool {
        let weights: i64 = self.open.iter().map(|one| one.preference.weight).sum();
        if weights <= 0 {
            return false;
        }
        let (pass, mut changed) = (self.remaining, false);
        let open = std::mem::take(&mut self.open);
        for one in open {
            let name = one.candidate.name;
            let start = self.planned[name];
            // Fractions are rounded up, in wide numbers: both factors come from users.
            let due = (i128::from(pass) * i128::from(one.preference.weight)).div_ceil_by(weights);
            let due = due.min(self.remaining);
            let kept = self.kept.entry(name).or_default();
            let used = due.min(*kept);
            *kept -= used;
            changed |= used > 0;
            let wanted = start + due - used;
            let total = wanted.min(one.preference.max_replicas.unwrap_or(i64::MAX));
            let capacity = one.candidate.capacity.unwrap_or(i64::MAX);
            if total > capacity {
                self.overflow.insert(name, total - capacity);
            }
            let total = total.min(capacity);
            let is_full = total < wanted;
            self.remaining -= total - start;
            self.planned.insert(name, total);
            changed |= total > start;
            if !is_full {
                self.open.push(one);
            }
        }
        changed
    }
}

/// Division of a product of two numbers from users.
trait DivCeilBy {
    /// The quotient, rounded up.
    fn div_ceil_by(self, divisor: i64) -> i64;
}

impl DivCeilBy for i128 {
    fn div_ceil_by(self, divisor: i64) -> i64 {
        let divisor = Self::from(divisor);
        i64::try_from((self + divisor - 1) / divisor).unwrap_or(i64::MAX)
    }
}

/// FNV-1 with 32 bits over the name of the cluster and the key.
fn hash(cluster: &str, key: &str) -> u32 {
    let bytes = cluster.bytes().chain(key.bytes());
    bytes.fold(0x811c_9dc5, |hash: u32, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(byte))
}

#[cfg(test)]
mod tests;
