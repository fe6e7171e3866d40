//! Flags of the election among replicas, with the names of Kubernetes' components.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use portolan_controllers::leadership::Terms;

use crate::arguments::duration::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct LeadershipFlags {
    /// Run the controllers only while this process holds the Lease karmada-system/portolan-server; for replicas over one
    /// API server
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = true, require_equals = true, requires = "kubeconfig")]
    leader_elect: bool,
    /// Time without a renewal after which another replica leads
    #[arg(long, value_name = "DURATION", default_value = "8s", value_parser = parse_duration, requires = "kubeconfig")]
    leader_elect_lease_duration: Duration,
    /// Time without a successful renewal after which the leader ends
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration, requires = "kubeconfig")]
    leader_elect_renew_deadline: Duration,
    /// Time between two attempts to get or renew the Lease
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration, requires = "kubeconfig")]
    leader_elect_retry_period: Duration,
}

impl LeadershipFlags {
    /// The times of the election; `None` without one.
    ///
    /// # Errors
    /// When two replicas could lead with these times.
    pub(crate) fn terms(&self) -> Result<Option<Terms>> {
        let terms = Terms {
            lease: self.leader_elect_lease_duration,
            renewal: self.leader_elect_renew_deadline,
            retry: self.leader_elect_retry_period,
        };
        let terms = terms.checked().context(
            "--leader-elect-lease-duration, --leader-elect-renew-deadline and --leader-elect-retry-period",
        )?;
        Ok(self.leader_elect.then_some(terms))
    }
}
