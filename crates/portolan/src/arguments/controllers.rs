//! Flags of the controllers, which `portolan server` and `portolan playground` have in common.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use portolan_controllers::{BrakeOptions, Budget, Skipped};
use portolan_controlplane::ControllerOptions;
use portolan_net::Clock;
use portolan_runtime::SuccessEvents;

use crate::arguments::capacity::CapacityFlags;
use crate::arguments::failover::FailoverFlags;

#[derive(Debug, Args)]
pub(crate) struct ControllerFlags {
    /// Write no Events in the control plane for what succeeds, only for what fails
    #[arg(long)]
    no_success_events: bool,
    /// Kinds that are never propagated, besides Portolan's own, Events and Leases, separated by semicolons: GROUP,
    /// GROUP/VERSION or GROUP/VERSION/KIND,KIND; for the core group v1/KIND,KIND
    #[arg(long, value_name = "APIS", default_value = "", hide_default_value = true)]
    skipped_propagating_apis: String,
    /// Namespaces that are never propagated, nor anything in them, besides karmada-system, karmada-cluster and
    /// karmada-es-*: regular expressions of whole names, separated by commas
    #[arg(long, value_name = "NAMESPACES", value_delimiter = ',', default_value = "kube-.*")]
    skipped_propagating_namespaces: Vec<String>,
    /// Share of a cluster's objects that may be withdrawn within a minute, in percent; more are held until `portolan
    /// release`. Twenty objects may always be; 100 turns the limit off
    #[arg(long, value_name = "PERCENT", default_value_t = 30, value_parser = clap::value_parser!(u8).range(0..=100))]
    deletion_budget: u8,
    /// Answer DNS on this address for the zones of Federations with the provider builtIn, over UDP and TCP [default: no DNS]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) federation_dns_listen: Option<SocketAddr>,
    /// Database of places in MaxMind's format, such as GeoLite2 City or Country, for regions with countries, continents or
    /// coordinates; read again within a minute when the file changes
    #[arg(long, value_name = "FILE", requires = "federation_dns_listen")]
    pub(crate) federation_dns_places: Option<PathBuf>,
    #[command(flatten)]
    failover: FailoverFlags,
    #[command(flatten)]
    capacity: CapacityFlags,
}

impl ControllerFlags {
    /// The settings of the controllers with these flags, and defaults for everything else.
    ///
    /// # Errors
    /// When a flag cannot be used.
    pub(crate) fn options(&self, clock: Clock) -> Result<ControllerOptions> {
        let success_events = if self.no_success_events { SuccessEvents::Off } else { SuccessEvents::On };
        let skipped = Skipped::new(&self.skipped_propagating_apis, &self.skipped_propagating_namespaces)?;
        let budget = Budget { percent: self.deletion_budget, ..Budget::default() };
        let brake = BrakeOptions { budget, ..BrakeOptions::default() };
        let options =
            ControllerOptions { clock, success_events, skipped, brake, ..ControllerOptions::default() };
        self.capacity.apply(self.failover.apply(options))
    }
}
