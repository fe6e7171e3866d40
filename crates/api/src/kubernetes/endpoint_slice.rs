//! `discovery.k8s.io/v1` EndpointSlice.

use portolan_object::Object;
use serde::Deserialize;

use super::View;
use crate::resources::{self, StaticResource};

/// An EndpointSlice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSlice<'a> {
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: &'a str,
    /// Endpoints.
    #[serde(borrow)]
    pub endpoints: Vec<Endpoint<'a>>,
    /// Ports that every endpoint has.
    pub ports: Vec<EndpointPort<'a>>,
}

/// One endpoint of a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint<'a> {
    /// Addresses of this one endpoint; consumers use the first.
    #[serde(borrow)]
    pub addresses: Vec<&'a str>,
    /// State.
    pub conditions: EndpointConditions,
    /// Name of the endpoint in DNS.
    pub hostname: Option<&'a str>,
    /// Node that runs the endpoint.
    pub node_name: Option<&'a str>,
    /// Zone that has the endpoint.
    pub zone: Option<&'a str>,
}

/// `conditions` of an endpoint. Absent means unknown, which consumers read as `true`, except for `terminating`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointConditions {
    /// Whether it takes new connections.
    pub ready: Option<bool>,
    /// Whether it answers, even while terminating.
    pub serving: Option<bool>,
    /// Whether it is being shut down.
    pub terminating: Option<bool>,
}

/// One port of a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointPort<'a> {
    /// Name of the port in the Service.
    pub name: Option<&'a str>,
    /// Port number; absent means all ports.
    pub port: Option<i64>,
    /// `TCP` if absent.
    pub protocol: Option<&'a str>,
    /// Application protocol, such as `http`.
    pub app_protocol: Option<&'a str>,
}

impl<'a> View<'a> for EndpointSlice<'a> {
    const RESOURCE: StaticResource = resources::ENDPOINT_SLICE;
}

impl EndpointSlice<'_> {
    /// `addressType` alone, without reading the endpoints.
    pub fn address_type(slice: &Object) -> &str {
        slice.str_at(&["addressType"])
    }
}

impl Endpoint<'_> {
    /// Whether the endpoint gets traffic; absent `ready` means ready.
    pub fn is_ready(&self) -> bool {
        self.conditions.ready != Some(false)
    }
}
