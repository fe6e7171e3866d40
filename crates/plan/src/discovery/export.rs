//! What one cluster offers by a ServiceExport, or why it offers nothing.
//!
//! A purely local judgement (KEP-1645, condition `Valid`): it looks at the export and the Service of one cluster and
//! never at other clusters. The controllers call it for every export; `merge` takes what is valid.

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::{ServiceExport, ServiceImportType, ServicePort};
use portolan_object::Object;
use serde_json::Value;

mod metadata;

use metadata::IllegalMetadata;

/// Seconds for which `ClientIP` holds unless the Service says otherwise (Kubernetes, core/v1 defaults).
const DEFAULT_AFFINITY_SECONDS: i32 = 10_800;

/// What a Service can carry.
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];

/// What one cluster offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The cluster's id in the set.
    pub cluster: String,
    /// When the export was made, RFC 3339 in UTC, by the clock of that cluster's API server.
    pub since: String,
    /// Whether the Service has an address.
    pub kind: ServiceImportType,
    /// Ports of the Service, with their protocol written out.
    pub ports: Vec<ServicePort>,
    /// `None` or `ClientIP`.
    pub session_affinity: String,
    /// Seconds for which `ClientIP` holds; `None` without it.
    pub affinity_seconds: Option<i32>,
    /// `spec.internalTrafficPolicy` of the Service.
    pub internal_traffic_policy: Option<String>,
    /// `spec.trafficDistribution` of the Service.
    pub traffic_distribution: Option<String>,
    /// Address families of the Service, in its order.
    pub families: Vec<String>,
    /// Labels of the imports.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the imports.
    pub annotations: BTreeMap<String, String>,
}

/// Why an export offers nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The export itself cannot be read.
    #[error("the ServiceExport cannot be read: {0}")]
    Unreadable(String),
    /// The API server's own Service means another thing in every cluster.
    #[error(
        "service default/kubernetes is each cluster's own API server and cannot be exported: delete this ServiceExport"
    )]
    ApiServer,
    /// There is no Service behind it.
    #[error("service {0} does not exist in this cluster: create it, and the export takes effect")]
    NoService(String),
    /// A Service without endpoints of its own.
    #[error(
        "service {0} is of type ExternalName, which cannot be exported: it has no endpoints in this cluster"
    )]
    ExternalName(String),
    /// No API server with Kubernetes' own rules would have taken it.
    #[error("port {0:?} of the Service is not a port that an import can have")]
    Port(String),
    /// A label or annotation that no import could carry.
    #[error(transparent)]
    Metadata(#[from] IllegalMetadata),
}

impl Invalid {
    /// The reason of the condition `Valid`.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::Metadata(_) => reasons::INVALID_EXPORTED_METADATA,
            Self::ApiServer | Self::Port(_) => reasons::SERVICE_NOT_EXPORTABLE,
            Self::NoService(_) => reasons::NO_SERVICE,
            Self::ExternalName(_) => reasons::INVALID_SERVICE_TYPE,
        }
    }
}

/// What `cluster` offers by `export` of `service`, the Service of the same name.
///
/// # Errors
/// [`Invalid`], whose text is the message of the condition `Valid`.
pub fn judge(cluster: &str, export: &Object, service: Option<&Object>) -> Result<Offer, Invalid> {
    let key = export.key();
    if (key.namespace.as_str(), key.name.as_str()) == ("default", "kubernetes") {
        return Err(Invalid::ApiServer);
    }
    let service = service.filter(|service| !service.is_deleting());
    let service = service.ok_or_else(|| Invalid::NoService(key.to_string()))?;
    let spec = |field: &str| service.str_at(&["spec", field]).to_owned();
    if spec("type") == "ExternalName" {
        return Err(Invalid::ExternalName(key.to_string()));
    }
    let wanted =
        export.to_typed::<ServiceExport>().map_err(|error| Invalid::Unreadable(error.to_string()))?.spec;
    metadata::check(&wanted)?;
    let session_affinity = match spec("sessionAffinity") {
        unset if unset.is_empty() => "None".to_owned(),
        set => set,
    };
    let seconds = || service.at(&["spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"]);
    let affinity_seconds = (session_affinity == "ClientIP").then(|| {
        let seconds = seconds().and_then(Value::as_i64).and_then(|seconds| i32::try_from(seconds).ok());
        seconds.unwrap_or(DEFAULT_AFFINITY_SECONDS)
    });
    let optional = |field: &str| Some(spec(field)).filter(|value| !value.is_empty());
    Ok(Offer {
        cluster: cluster.to_owned(),
        since: export.str_at(&["metadata", "creationTimestamp"]).to_owned(),
        kind: if spec("clusterIP") == "None" {
            ServiceImportType::Headless
        } else {
            ServiceImportType::ClusterSetIP
        },
        ports: ports(service)?,
        session_affinity,
        affinity_seconds,
        internal_traffic_policy: optional("internalTrafficPolicy"),
        traffic_distribution: optional("trafficDistribution"),
        families: families(service),
        labels: wanted.exported_labels,
        annotations: wanted.exported_annotations,
    })
}

/// The ports, each one such that a Service in another cluster can have it: one member shall not be able to break a
/// service for all others.
fn ports(service: &Object) -> Result<Vec<ServicePort>, Invalid> {
    let listed = service.at(&["spec", "ports"]).and_then(Value::as_array).into_iter().flatten();
    let port = |port: &Value| {
        let text = |field: &str| port[field].as_str().unwrap_or_default().to_owned();
        let number = port["port"].as_u64().and_then(|number| u16::try_from(number).ok());
        let protocol =
            Some(text("protocol")).filter(|set| !set.is_empty()).unwrap_or_else(|| "TCP".to_owned());
        let is_legal = metadata::is_port_name(&text("name")) && PROTOCOLS.contains(&protocol.as_str());
        let number =
            number.filter(|number| *number > 0 && is_legal).ok_or_else(|| Invalid::Port(text("name")))?;
        let app_protocol = port["appProtocol"].as_str().map(str::to_owned);
        Ok(ServicePort { name: text("name"), protocol, app_protocol, port: i32::from(number) })
    };
    listed.map(port).collect()
}

/// Every API server since 1.20 writes them; before, there was one family, and it was nearly always this one.
fn families(service: &Object) -> Vec<String> {
    let listed = service.at(&["spec", "ipFamilies"]).and_then(Value::as_array).into_iter().flatten();
    let families: Vec<String> = listed.filter_map(Value::as_str).map(str::to_owned).collect();
    if families.is_empty() { vec!["IPv4".to_owned()] } else { families }
}

#[cfg(test)]
mod tests;
