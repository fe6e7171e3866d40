//! The flags that choose between the control plane and the members; the names are karmadactl's.

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;

use crate::completion::candidates::clusters;

/// Time for each answer of a member, in seconds.
const CLUSTER_TIMEOUT: u64 = 2;

/// Which API servers a command reads.
#[derive(Debug, Clone, Args)]
pub(crate) struct ClusterScope {
    /// Where to look [default: the control plane; with --clusters those members]
    #[arg(short = 's', long, value_enum)]
    pub(crate) operation_scope: Option<Scope>,
    /// Only these members
    #[arg(short = 'C', long, alias = "cluster", value_delimiter = ',', value_name = "CLUSTER", add = ArgValueCompleter::new(clusters))]
    pub(crate) clusters: Vec<String>,
    /// Seconds to wait for an answer of a member; one that does not answer is left out and named
    #[arg(long, value_name = "SECONDS", default_value_t = CLUSTER_TIMEOUT, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) cluster_timeout: u64,
}

/// Where a command looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// The control plane.
    Karmada,
    /// The members.
    Members,
    /// Both.
    All,
}

impl ClusterScope {
    fn scope(&self) -> Scope {
        let default = if self.clusters.is_empty() { Scope::Karmada } else { Scope::Members };
        self.operation_scope.unwrap_or(default)
    }

    /// Whether the control plane is read.
    pub(crate) fn has_hub(&self) -> bool {
        self.scope() != Scope::Members
    }

    /// Whether members are read.
    pub(crate) fn has_members(&self) -> bool {
        self.scope() != Scope::Karmada
    }

    /// Stands after "nothing found" where no flag says where to look: most objects, such as pods, are in the members only.
    pub(crate) fn elsewhere(&self) -> &'static str {
        match self.operation_scope.is_none() && self.clusters.is_empty() {
            true => " (control plane only: -s members looks in the clusters)",
            false => "",
        }
    }

    /// Refuses flags that contradict each other.
    ///
    /// # Errors
    /// If clusters are named for the control plane only.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.clusters.is_empty() || self.has_members(),
            "--clusters has no effect with --operation-scope karmada: use members or all"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_alone_mean_those_members() {
        let scope = |operation_scope, clusters: &[&str]| ClusterScope {
            operation_scope,
            clusters: clusters.iter().map(|&name| name.to_owned()).collect(),
            cluster_timeout: CLUSTER_TIMEOUT,
        };
        let cases = [
            (None, &[][..], (true, false)),
            (None, &["a"][..], (false, true)),
            (Some(Scope::All), &["a"][..], (true, true)),
            (Some(Scope::All), &[][..], (true, true)),
            (Some(Scope::Members), &[][..], (false, true)),
        ];
        for (operation_scope, clusters, want) in cases {
            let scope = scope(operation_scope, clusters);
            assert_eq!((scope.has_hub(), scope.has_members()), want, "{scope:?}");
            assert!(scope.check().is_ok(), "{scope:?}");
        }
        assert!(scope(Some(Scope::Karmada), &["a"]).check().is_err());
    }
}
