//! `v1` Service.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{IntOrString, View};
use crate::resources::{self, StaticResource};

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: ServiceSpec<'a>,
    /// State of its load balancer.
    pub status: ServiceStatus<'a>,
}

/// `spec` of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec<'a> {
    /// `type`: `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Primary address; `None` for a headless Service.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: &'a str,
    /// All addresses, one per family.
    #[serde(rename = "clusterIPs", borrow)]
    pub cluster_ips: Vec<&'a str>,
    /// `externalIPs`: further addresses, routed to the nodes by other means.
    #[serde(rename = "externalIPs")]
    pub external_ips: Vec<&'a str>,
    /// `IPv4` and `IPv6`, the primary family first.
    pub ip_families: Vec<&'a str>,
    /// `SingleStack`, `PreferDualStack` or `RequireDualStack`.
    pub ip_family_policy: &'a str,
    /// Ports.
    pub ports: Vec<ServicePort<'a>>,
    /// Labels of its pods.
    pub selector: BTreeMap<&'a str, &'a str>,
    /// Name to which an `ExternalName` Service points.
    pub external_name: &'a str,
    /// Whether endpoints that are not ready count as ready.
    pub publish_not_ready_addresses: bool,
    /// `ClientIP` or `None`.
    pub session_affinity: &'a str,
    /// Settings of the session affinity.
    pub session_affinity_config: SessionAffinityConfig,
    /// `Cluster` or `Local`.
    pub internal_traffic_policy: &'a str,
    /// Node port of the load balancer's health checks; 0 if not allocated.
    pub health_check_node_port: i64,
    /// Preference for near endpoints, such as `PreferSameZone`.
    pub traffic_distribution: &'a str,
}

/// One port of a Service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort<'a> {
    /// Name; may be empty if there is only one port.
    pub name: &'a str,
    /// Port number of the Service.
    pub port: i64,
    /// `TCP` if absent.
    pub protocol: Option<&'a str>,
    /// Port number on every node; 0 if not allocated.
    pub node_port: i64,
    /// Port number or name in the pods; `port` if absent or 0.
    #[serde(borrow)]
    pub target_port: Option<IntOrString<'a>>,
    /// Application protocol, such as `http`.
    pub app_protocol: Option<&'a str>,
}

/// `status` of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus<'a> {
    /// State of the load balancer.
    #[serde(borrow)]
    pub load_balancer: ServiceLoadBalancer<'a>,
}

/// `status.loadBalancer` of a Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceLoadBalancer<'a> {
    /// Addresses.
    #[serde(borrow)]
    pub ingress: Vec<ServiceIngress<'a>>,
}

/// One address of a Service's load balancer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceIngress<'a> {
    /// IP address.
    pub ip: &'a str,
    /// `VIP`, or `Proxy` if the load balancer forwards the traffic to the nodes.
    pub ip_mode: &'a str,
    /// Host name.
    pub hostname: &'a str,
}

/// `spec.sessionAffinityConfig` of a Service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SessionAffinityConfig {
    /// Settings of affinity by client address.
    #[serde(rename = "clientIP")]
    pub client_ip: ClientIpConfig,
}

/// `spec.sessionAffinityConfig.clientIP` of a Service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClientIpConfig {
    /// Seconds after which a client may reach another endpoint.
    pub timeout_seconds: Option<i64>,
}

impl<'a> View<'a> for Service<'a> {
    const RESOURCE: StaticResource = resources::SERVICE;
}

impl ServiceStatus<'_> {
    /// Whether the load balancer has an address.
    pub fn has_address(&self) -> bool {
        self.load_balancer.ingress.iter().any(|entry| !entry.ip.is_empty() || !entry.hostname.is_empty())
    }
}

impl<'a> ServiceSpec<'a> {
    /// Addresses of the Service: `clusterIPs`, or `clusterIP` alone if an old API server wrote only that.
    pub fn addresses(&self) -> Vec<&'a str> {
        let is_address = |ip: &&str| !ip.is_empty() && *ip != "None";
        let mut addresses: Vec<&'a str> = self.cluster_ips.iter().copied().filter(is_address).collect();
        if addresses.is_empty() {
            addresses.extend(Some(self.cluster_ip).filter(is_address));
        }
        addresses
    }

    /// Whether the Service has no address by decision of its user.
    pub fn is_headless(&self) -> bool {
        self.cluster_ip == "None"
    }
}
