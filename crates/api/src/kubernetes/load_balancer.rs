//! `status.loadBalancer` of Services and Ingresses.

use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// `status` of a Service or an Ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerStatus<'a> {
    /// State of the load balancer.
    #[serde(borrow)]
    pub load_balancer: LoadBalancer<'a>,
}

/// `status.loadBalancer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancer<'a> {
    /// Addresses.
    #[serde(borrow)]
    pub ingress: Vec<LoadBalancerIngress<'a>>,
}

/// One address of a load balancer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LoadBalancerIngress<'a> {
    /// IP address.
    pub ip: &'a str,
    /// Host name.
    pub hostname: &'a str,
}

impl LoadBalancerStatus<'_> {
    /// Whether the load balancer has an address.
    pub fn has_address(&self) -> bool {
        self.load_balancer.ingress.iter().any(|entry| !entry.ip.is_empty() || !entry.hostname.is_empty())
    }
}

/// An Ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ingress<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: IngressSpec<'a>,
    /// State of its load balancer.
    pub status: LoadBalancerStatus<'a>,
}

/// `spec` of an Ingress.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec<'a> {
    /// Certificates.
    #[serde(borrow)]
    pub tls: Vec<IngressTls<'a>>,
}

/// One certificate of an Ingress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressTls<'a> {
    /// Name of the Secret with certificate and key.
    pub secret_name: &'a str,
}

impl<'a> View<'a> for Ingress<'a> {
    const RESOURCE: StaticResource = resources::INGRESS;
}
