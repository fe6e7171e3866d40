//! The reasons for which a binding cannot be placed.

use std::fmt;

use portolan_api::conditions;

use super::filter::Rejection;
use super::spread::SpreadError;

/// A binding cannot be placed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlacementError {
    /// No cluster passes the filters: the current targets are withdrawn.
    #[error("{0}")]
    NoFit(Rejections),
    /// The placement names only clusters that do not exist, probably by a typing error: the current targets stay.
    #[error("{0} What is placed already stays where it is.")]
    UnknownClusters(Rejections),
    /// The spread constraints cannot be met: the current targets stay.
    #[error("failed to select clusters: {0}")]
    Spread(#[from] SpreadError),
    /// The clusters have no room for all replicas: the current targets stay.
    #[error("Clusters available replicas {available} are not enough to schedule.")]
    NotEnough {
        /// Replicas for which there is room.
        available: i64,
    },
    /// The binding has no placement, as those of dependencies: it is not scheduled.
    #[error("the binding has no placement")]
    NoPlacement,
    /// A FederatedResourceQuota does not allow the replicas: the current targets stay.
    #[error("{0}")]
    Quota(String),
}

impl PlacementError {
    /// Reason of the binding's `Scheduled` condition.
    pub fn reason(&self) -> &'static str {
        match self {
            PlacementError::NoFit(_) | PlacementError::UnknownClusters(_) => {
                conditions::binding::NO_CLUSTER_FIT
            }
            PlacementError::Spread(_) | PlacementError::NoPlacement => conditions::binding::SCHEDULER_ERROR,
            PlacementError::NotEnough { .. } => conditions::binding::UNSCHEDULABLE,
            PlacementError::Quota(_) => conditions::binding::QUOTA_EXCEEDED,
        }
    }
}

/// The reasons for which clusters were rejected, with counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejections {
    total: usize,
    reasons: Vec<Rejection>,
    missing: Vec<String>,
}

impl Rejections {
    /// Of `total` clusters none fits; `missing` are names in the placement without a cluster.
    pub(super) fn new(total: usize, reasons: Vec<Rejection>, missing: Vec<String>) -> Self {
        Self { total, reasons, missing }
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total == 0 {
            f.write_str("0/0 clusters are available: no cluster has joined yet.")?;
        } else {
            let mut texts: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
            texts.sort();
            let counted =
                texts.chunk_by(|one, other| one == other).map(|same| format!("{} {}", same.len(), same[0]));
            let mut reasons: Vec<String> = counted.collect();
            reasons.sort();
            write!(f, "0/{} clusters are available: {}.", self.total, reasons.join(", "))?;
        }
        if !self.missing.is_empty() {
            write!(f, " The placement names clusters that do not exist: {}.", self.missing.join(", "))?;
        }
        Ok(())
    }
}
