//! Flags of estimates and of the descheduler. Those of estimators have the names and defaults of karmada-scheduler's.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use portolan_controllers::{Descheduling, EstimatorSettings};
use portolan_controlplane::ControllerOptions;
use portolan_runtime::Endpoint;
use portolan_runtime::client::Credential;

use crate::arguments::duration::parse_duration;

#[derive(Debug, Args)]
pub(crate) struct CapacityFlags {
    /// Ask the karmada-scheduler-estimator of each cluster too for how many replicas there is room
    #[arg(long)]
    enable_scheduler_estimator: bool,
    /// Time for the answers of the estimators about one workload
    #[arg(long, value_name = "DURATION", default_value = "3s", value_parser = parse_duration)]
    scheduler_estimator_timeout: Duration,
    /// Namespace of the Services of the estimators
    #[arg(long, value_name = "NAMESPACE", default_value = "karmada-system")]
    scheduler_estimator_service_namespace: String,
    /// Prefix of the names of these Services; "-" and the name of the cluster follow
    #[arg(long, value_name = "PREFIX", default_value = "karmada-scheduler-estimator")]
    scheduler_estimator_service_prefix: String,
    /// Port of these Services
    #[arg(long, value_name = "PORT", default_value_t = 10352)]
    scheduler_estimator_port: u16,
    /// Client certificate for the estimators, PEM
    #[arg(long, value_name = "FILE", requires = "scheduler_estimator_key_file")]
    scheduler_estimator_cert_file: Option<PathBuf>,
    /// Key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "scheduler_estimator_cert_file")]
    scheduler_estimator_key_file: Option<PathBuf>,
    /// CA of the estimators' certificates, PEM [default: connect without TLS]
    #[arg(long, value_name = "FILE")]
    scheduler_estimator_ca_file: Option<PathBuf>,
    /// Connect to the estimators with TLS and accept any certificate
    #[arg(long)]
    insecure_skip_estimator_verify: bool,
    /// Take replicas back from clusters that cannot run them, and place them elsewhere
    #[arg(long)]
    descheduler: bool,
    /// Time between two rounds of the descheduler
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    descheduling_interval: Duration,
    /// Time for which a pod must be unschedulable for the descheduler
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    unschedulable_threshold: Duration,
}

impl CapacityFlags {
    /// The options with these flags.
    ///
    /// # Errors
    /// When a certificate, key or CA cannot be used.
    pub(crate) fn apply(&self, options: ControllerOptions) -> Result<ControllerOptions> {
        let estimators = if self.enable_scheduler_estimator { Some(self.estimators()?) } else { None };
        let descheduling = self.descheduler.then_some(Descheduling {
            interval: self.descheduling_interval,
            threshold: self.unschedulable_threshold,
        });
        Ok(ControllerOptions { estimators, descheduling, ..options })
    }

    fn estimators(&self) -> Result<EstimatorSettings> {
        let settings = EstimatorSettings {
            timeout: self.scheduler_estimator_timeout,
            namespace: self.scheduler_estimator_service_namespace.clone(),
            prefix: self.scheduler_estimator_service_prefix.clone(),
            port: self.scheduler_estimator_port,
            tls: None,
        };
        if self.scheduler_estimator_ca_file.is_none() && !self.insecure_skip_estimator_verify {
            return Ok(settings);
        }
        let read = |file: &Option<PathBuf>| match file {
            Some(file) => fs::read(file).with_context(|| format!("cannot read {}", file.display())),
            None => Ok(Vec::new()),
        };
        let (chain_pem, key_pem) =
            (read(&self.scheduler_estimator_cert_file)?, read(&self.scheduler_estimator_key_file)?);
        let credential = match chain_pem.is_empty() {
            true => Credential::Anonymous,
            false => Credential::Certificate { chain_pem, key_pem },
        };
        Ok(settings.with_tls(&Endpoint {
            url: "the estimators".to_owned(),
            ca_pem: read(&self.scheduler_estimator_ca_file)?,
            credential,
            insecure_skip_verify: self.insecure_skip_estimator_verify,
            ..Endpoint::default()
        })?)
    }
}
