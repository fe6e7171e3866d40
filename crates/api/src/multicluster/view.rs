//! Borrowed view of a ServiceImport: the fields that decisions read, without copies.
//!
//! Tolerant where the typed [`ServiceImport`](super::ServiceImport) is not: an unknown `type` is text, so that the
//! caller can report it.

use serde::Deserialize;

use super::ServiceImport;
use crate::kind::Kind;
use crate::kubernetes::{ServicePort, SessionAffinityConfig, View};
use crate::resources::StaticResource;

/// A ServiceImport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportView<'a> {
    /// Desired state.
    #[serde(borrow)]
    pub spec: ServiceImportSpecView<'a>,
    /// Exporting clusters.
    pub status: ServiceImportStatusView<'a>,
}

/// `spec` of a ServiceImport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportSpecView<'a> {
    /// `type`: `ClusterSetIP` or `Headless`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// Addresses; empty for headless and explicit imports.
    #[serde(borrow)]
    pub ips: Vec<&'a str>,
    /// Ports.
    pub ports: Vec<ServicePort<'a>>,
    /// `ClientIP` or `None`.
    pub session_affinity: &'a str,
    /// Settings of the session affinity.
    pub session_affinity_config: SessionAffinityConfig,
    /// `Cluster` or `Local`.
    pub internal_traffic_policy: &'a str,
    /// Preference for near endpoints, such as `PreferSameZone`.
    pub traffic_distribution: &'a str,
}

/// `status` of a ServiceImport.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceImportStatusView<'a> {
    /// Exporting clusters.
    #[serde(borrow)]
    pub clusters: Vec<ClusterStatusView<'a>>,
}

/// An exporting cluster in the status of a ServiceImport.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterStatusView<'a> {
    /// Id of the cluster.
    pub cluster: &'a str,
}

impl<'a> View<'a> for ServiceImportView<'a> {
    const RESOURCE: StaticResource = StaticResource::namespaced(
        ServiceImport::GROUP,
        ServiceImport::VERSION,
        ServiceImport::KIND,
        ServiceImport::PLURAL,
    );
}

#[cfg(test)]
mod tests {
    use crate::multicluster::{
        ClientIpConfig, ClusterStatus, ServiceImportSpec, ServiceImportType, ServicePort,
        SessionAffinityConfig,
    };

    use super::*;

    #[test]
    fn every_field_has_the_name_of_the_typed_kind() {
        let mut import = ServiceImport {
            spec: ServiceImportSpec {
                kind: ServiceImportType::Headless,
                ips: vec!["10.0.0.1".to_owned()],
                ports: vec![ServicePort {
                    name: "http".to_owned(),
                    protocol: "TCP".to_owned(),
                    app_protocol: Some("http".to_owned()),
                    port: 80,
                }],
                session_affinity: "ClientIP".to_owned(),
                session_affinity_config: Some(SessionAffinityConfig {
                    client_ip: Some(ClientIpConfig { timeout_seconds: Some(7) }),
                }),
                internal_traffic_policy: Some("Local".to_owned()),
                traffic_distribution: Some("PreferClose".to_owned()),
                ..ServiceImportSpec::default()
            },
            ..ServiceImport::default()
        };
        import.status.clusters.push(ClusterStatus { cluster: "east".to_owned() });
        let object = import.to_object();
        let ServiceImportView { spec, status } = ServiceImportView::read(&object).expect("readable");
        assert_eq!(
            (spec.kind, &spec.ips[..], spec.session_affinity),
            ("Headless", &["10.0.0.1"][..], "ClientIP")
        );
        let port = spec.ports[0];
        assert_eq!(
            (port.name, port.port, port.protocol, port.app_protocol),
            ("http", 80, Some("TCP"), Some("http"))
        );
        assert_eq!(spec.session_affinity_config.client_ip.timeout_seconds, Some(7));
        assert_eq!((spec.internal_traffic_policy, spec.traffic_distribution), ("Local", "PreferClose"));
        assert_eq!(status.clusters, [ClusterStatusView { cluster: "east" }]);
    }
}
