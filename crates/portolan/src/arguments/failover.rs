//! Flags of cluster health and of failover, with the names of karmada-controller-manager's, and its defaults except for
//! `--cluster-failure-threshold`, which is 30 s there.

use std::time::Duration;

use clap::{Args, ValueEnum};
use portolan_api::policy::PurgeMode;
use portolan_controllers::FailoverSettings;
use portolan_controllers::clusters::{Probing, Thresholds};
use portolan_controlplane::ControllerOptions;

use crate::arguments::duration::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct FailoverFlags {
    /// Time between two probes of a cluster
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_duration)]
    cluster_status_update_frequency: Duration,
    /// Time for which a cluster must answer before it is ready again
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    cluster_success_threshold: Duration,
    /// Time for which a cluster may fail before it is not ready
    #[arg(long, value_name = "DURATION", default_value = "7s", value_parser = parse_duration)]
    cluster_failure_threshold: Duration,
    /// Time without a heartbeat of its agent after which the state of a cluster in pull mode is unknown
    #[arg(long, value_name = "DURATION", default_value = "40s", value_parser = parse_duration)]
    cluster_monitor_grace_period: Duration,
    /// Evict objects from clusters with NoExecute taints that their policies do not tolerate
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false, require_equals = true)]
    enable_no_execute_taint_eviction: bool,
    /// How objects leave a tainted cluster, if their policy does not say: after they are healthy elsewhere, or before
    #[arg(long, value_name = "MODE", default_value = "Gracefully")]
    no_execute_taint_eviction_purge_mode: TaintPurgeMode,
    /// Objects that are evicted per second because of taints, at most; 0 holds all evictions
    #[arg(long, value_name = "NUMBER", default_value = "0.5", value_parser = parse_rate)]
    resource_eviction_rate: f64,
    /// Time after which an eviction ends although the object is not healthy elsewhere
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_duration)]
    graceful_eviction_timeout: Duration,
}

/// How objects leave a tainted cluster.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum TaintPurgeMode {
    /// When they are healthy elsewhere
    Gracefully,
    /// Before they are created elsewhere
    Directly,
}

impl FailoverFlags {
    /// The options with these flags.
    pub(crate) fn apply(&self, options: ControllerOptions) -> ControllerOptions {
        let probing = Probing {
            interval: self.cluster_status_update_frequency,
            thresholds: Thresholds {
                success: self.cluster_success_threshold,
                failure: self.cluster_failure_threshold,
            },
            patience: self.cluster_monitor_grace_period,
        };
        let failover = FailoverSettings {
            evicts_by_taint: self.enable_no_execute_taint_eviction,
            purge_mode: match self.no_execute_taint_eviction_purge_mode {
                TaintPurgeMode::Gracefully => PurgeMode::Gracefully,
                TaintPurgeMode::Directly => PurgeMode::Directly,
            },
            evictions_per_second: self.resource_eviction_rate,
            timeout: self.graceful_eviction_timeout,
        };
        ControllerOptions { probing, failover, ..options }
    }
}

fn parse_rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "must be a number".to_owned())?;
    (rate.is_finite() && rate >= 0.0).then_some(rate).ok_or_else(|| "must be 0 or more".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_not_negative() {
        for (text, want) in [("0.5", Some(0.5)), ("0", Some(0.0)), ("-1", None), ("inf", None), ("x", None)] {
            assert_eq!(parse_rate(text).ok(), want, "{text}");
        }
    }
}
