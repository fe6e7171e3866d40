//! Settings of an API server; the default is a server that knows nobody but anonymous users.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use ipnet::IpNet;
use portolan_net::clock::Clock;

use crate::admission::Admission;
use crate::auth::Authentication;
use crate::proxy::Kubelets;

/// The Kubernetes version whose API is served.
pub const VERSION: &str = "v1.36.2";

/// Settings of an API server.
pub struct Config {
    /// Who may speak to the server.
    pub authentication: Authentication,
    /// Where Services get their addresses from; without it they get none.
    pub service_cidr: Option<IpNet>,
    /// A range of the other address family, for Services that ask for two addresses.
    pub second_service_cidr: Option<IpNet>,
    /// The ports that Services of type NodePort get.
    pub node_ports: RangeInclusive<u16>,
    /// The way to the kubelets; without it, logs and streams of pods are not served.
    pub kubelets: Option<Kubelets>,
    /// Where clients inside the cluster reach the server: becomes the endpoint of the Service `default/kubernetes`.
    pub endpoint: Option<SocketAddr>,
    /// Plugins, in the order in which they see writes.
    pub admission: Vec<Arc<dyn Admission>>,
    /// What `/version` tells.
    pub version: String,
    /// The time.
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
            endpoint: None,
            admission: Vec::new(),
            version: VERSION.to_owned(),
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
            .field("endpoint", &self.endpoint)
            .field("admission", &self.admission.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
