//! Spread constraints: how many groups of clusters a binding may and must use.

use std::fmt;

use portolan_api::cluster::Cluster;
use portolan_api::policy::{Placement, SpreadConstraint, SpreadField};

/// The property of clusters that makes groups.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupBy {
    /// `spec.region`.
    Region,
    /// `spec.provider`.
    Provider,
    /// `spec.zones`.
    Zone,
    /// The label with this key.
    Label(String),
}

impl GroupBy {
    /// The groups of a cluster. Only zones can be several.
    pub(super) fn values<'a>(&self, cluster: &'a Cluster) -> Vec<&'a str> {
        let spec = &cluster.spec;
        let one = |value: &'a str| if value.is_empty() { Vec::new() } else { vec![value] };
        match self {
            Self::Region => one(&spec.region),
            Self::Provider => one(&spec.provider),
            Self::Zone if spec.zones.is_empty() => one(&spec.zone),
            Self::Zone => spec.zones.iter().map(String::as_str).collect(),
            Self::Label(key) => one(cluster.metadata.label(key).unwrap_or_default()),
        }
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region => f.write_str("region"),
            Self::Provider => f.write_str("provider"),
            Self::Zone => f.write_str("zone"),
            Self::Label(key) => write!(f, "label {key}"),
        }
    }
}

/// Smallest and largest number of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least 1.
    pub min: usize,
    /// `usize::MAX` if the policy has no maximum. In Karmada a maximum of 0 selects nothing.
    pub max: usize,
}

impl Bounds {
    fn of(constraint: &SpreadConstraint) -> Self {
        let count = |number: i64| usize::try_from(number).unwrap_or_default();
        let max = match count(constraint.max_groups) {
            0 => usize::MAX,
            max => max,
        };
        Self { min: count(constraint.min_groups).max(1), max }
    }
}

/// A constraint on groups of clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupConstraint {
    pub(super) by: GroupBy,
    pub(super) bounds: Bounds,
}

/// The spread constraints of a placement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Constraints {
    /// From the largest groups to the smallest: regions, providers, zones, labels in the order of the policy.
    pub(super) groups: Vec<GroupConstraint>,
    /// The number of clusters.
    pub(super) clusters: Option<Bounds>,
}

impl Constraints {
    pub(super) fn of(placement: &Placement) -> Self {
        let mut constraints = Self::default();
        for constraint in &placement.spread_constraints {
            let by = match constraint.spread_by_field {
                Some(SpreadField::Region) => GroupBy::Region,
                Some(SpreadField::Provider) => GroupBy::Provider,
                Some(SpreadField::Zone) => GroupBy::Zone,
                None if !constraint.spread_by_label.is_empty() => {
                    GroupBy::Label(constraint.spread_by_label.clone())
                }
                Some(SpreadField::Cluster) | None => {
                    constraints.clusters = Some(Bounds::of(constraint));
                    continue;
                }
            };
            constraints.groups.push(GroupConstraint { by, bounds: Bounds::of(constraint) });
        }
        let rank = |by: &GroupBy| match by {
            GroupBy::Region => 0,
            GroupBy::Provider => 1,
            GroupBy::Zone => 2,
            GroupBy::Label(_) => 3,
        };
        constraints.groups.sort_by_key(|group| rank(&group.by));
        constraints
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.clusters.is_none()
    }

    /// The bounds for the number of clusters.
    pub(super) fn cluster_bounds(&self) -> Bounds {
        self.clusters.unwrap_or(Bounds { min: 1, max: usize::MAX })
    }

    /// Whether the policy asks for one cluster, so that the components of a workload are counted as complete sets
    /// (karmada pkg/scheduler/core/estimation.go).
    pub(super) fn is_single_cluster(&self) -> bool {
        self.clusters == Some(Bounds { min: 1, max: 1 })
    }
}
