//! [`Config`]: settings of an API server. With the default, all requests are anonymous.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use portolan_net::clock::Clock;
use portolan_net::pki::Authority;
use portolan_net::telemetry::Metrics;

use crate::admission::{Admission, BuiltinPlugin};
use crate::audit::Audit;
use crate::auth::Authentication;
use crate::mounted::Mounted;
use crate::proxy::{Forwarder, Kubelets};

/// The Kubernetes version of the served API.
pub const VERSION: &str = "v1.36.2";

/// Settings of an API server.
pub struct Config {
    /// Authenticators.
    pub authentication: Authentication,
    /// Range of Service addresses; without it, Services get none.
    pub service_cidr: Option<IpNet>,
    /// Range of the other address family, for dual-stack Services.
    pub second_service_cidr: Option<IpNet>,
    /// Range of node ports.
    pub node_ports: RangeInclusive<u16>,
    /// Client for kubelet connections; without it, logs and streams of pods are not served.
    pub kubelets: Option<Kubelets>,
    /// Subresources that other API servers answer.
    pub forwarder: Option<Forwarder>,
    /// Paths that the embedding program answers.
    pub mounted: Option<Arc<dyn Mounted>>,
    /// Address of the Service `default/kubernetes`; without it and without an endpoint, there is no such Service.
    pub kubernetes_address: Option<IpAddr>,
    /// Endpoint of the Service `default/kubernetes`, by which clients inside the cluster reach the server.
    pub endpoint: Option<SocketAddr>,
    /// The authority of the server's certificate, PEM, for the Secrets with tokens of service accounts.
    pub root_ca: Option<String>,
    /// A kubeconfig without a user, which `kube-public/cluster-info` shows to everybody; `None`: no such ConfigMap.
    pub cluster_info: Option<String>,
    /// The authority by which aggregated API servers know this one; `None` for a new one at each start.
    pub front_proxy: Option<Authority>,
    /// The audit log; `None` for none.
    pub audit: Option<Audit>,
    /// Admission plugins, in the order in which they are called.
    pub admission: Vec<Arc<dyn Admission>>,
    /// Built-in admission plugins that are turned off.
    pub disabled_admission: BTreeSet<BuiltinPlugin>,
    /// `gitVersion` at `/version`.
    pub version: String,
    /// The metrics of the process, which the server serves at `/metrics` and to which it adds its own.
    pub metrics: Option<Metrics>,
    /// The clock for timestamps and ages.
    pub clock: Clock,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            authentication: Authentication::default(),
            service_cidr: None,
            second_service_cidr: None,
            node_ports: 30_000..=32_767,
            kubelets: None,
            forwarder: None,
            mounted: None,
            kubernetes_address: None,
            endpoint: None,
            root_ca: None,
            cluster_info: None,
            front_proxy: None,
            audit: None,
            admission: Vec::new(),
            disabled_admission: BTreeSet::new(),
            version: VERSION.to_owned(),
            metrics: None,
            clock: Clock::system(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("authentication", &self.authentication)
            .field("service_cidr", &self.service_cidr)
            .field("second_service_cidr", &self.second_service_cidr)
            .field("node_ports", &self.node_ports)
            .field("kubelets", &self.kubelets)
            .field("forwarder", &self.forwarder)
            .field("mounted", &self.mounted.is_some())
            .field("kubernetes_address", &self.kubernetes_address)
            .field("endpoint", &self.endpoint)
            .field("admission", &self.admission.len())
            .field("disabled_admission", &self.disabled_admission)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
