//! Merges the exports of several clusters into one service (KEP-1645, "Constraints and Conflict Resolution").
//!
//! The oldest export wins conflicts. The result depends neither on the order of the exports nor on the cluster in which it
//! is computed. `set_import` builds imports from it; `conditions` reports the conflicts to the exporters.

mod conflict;
mod families;
mod ports;

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::{ServiceImportType, ServicePort};

use super::export::ValidExport;

pub use conflict::Conflict;
use conflict::{disagreement, shown};
pub use ports::PortMapping;

/// The merged service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Whether it has an address.
    pub kind: ServiceImportType,
    /// Union of the ports. Names are unique, and so are pairs of number and protocol.
    pub ports: Vec<ServicePort>,
    /// `None` or `ClientIP`.
    pub session_affinity: String,
    /// Timeout of affinity `ClientIP` in seconds.
    pub affinity_seconds: Option<i32>,
    /// `spec.internalTrafficPolicy`.
    pub internal_traffic_policy: Option<String>,
    /// `spec.trafficDistribution`.
    pub traffic_distribution: Option<String>,
    /// Address families, in order of preference.
    pub families: Vec<String>,
    /// Labels of the imports.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the imports.
    pub annotations: BTreeMap<String, String>,
    /// Ids of the exporting clusters, the oldest export first.
    pub clusters: Vec<String>,
    /// Ports of each exporting cluster, mapped to [`Merged::ports`].
    pub port_mappings: BTreeMap<String, PortMapping>,
    /// Differences between the exports, sorted by reason.
    pub conflicts: Vec<Conflict>,
}

/// Merges valid exports; `None` without any.
///
/// `used` is the type of the present imports. It stays while at least one cluster exports it, because a change of the type
/// breaks all clients (KEP-1645 allows keeping a value after a conflict ends).
pub fn merge(mut exports: Vec<ValidExport>, used: Option<ServiceImportType>) -> Option<Merged> {
    exports.sort_by(|a, b| (&a.since, &a.cluster).cmp(&(&b.since, &b.cluster)));
    let oldest = exports.first()?;
    let used = used.filter(|used| exports.iter().any(|export| export.kind == *used));
    let kind = used.unwrap_or(oldest.kind);
    let union = ports::union(&exports);
    let families = families::common(&exports, kind);
    let mut conflicts = vec![type_conflict(&exports, kind), union.conflict, families.conflict];
    conflicts.extend([
        disagreement(
            &exports,
            reasons::SESSION_AFFINITY_CONFLICT,
            "spec.sessionAffinity",
            |export| export.session_affinity.as_str(),
            shown,
        ),
        affinity_conflict(&exports),
        disagreement(
            &exports,
            reasons::INTERNAL_TRAFFIC_POLICY_CONFLICT,
            "spec.internalTrafficPolicy",
            // Unset means Cluster.
            |export| export.internal_traffic_policy.as_deref().unwrap_or("Cluster"),
            shown,
        ),
        disagreement(
            &exports,
            reasons::TRAFFIC_DISTRIBUTION_CONFLICT,
            "spec.trafficDistribution",
            |export| export.traffic_distribution.as_deref(),
            |value| value.map_or_else(|| "no value".to_owned(), shown),
        ),
        disagreement(
            &exports,
            reasons::LABELS_CONFLICT,
            "spec.exportedLabels",
            |export| &export.labels,
            conflict::pairs,
        ),
        disagreement(
            &exports,
            reasons::ANNOTATIONS_CONFLICT,
            "spec.exportedAnnotations",
            |export| &export.annotations,
            conflict::keys,
        ),
    ]);
    let mut conflicts: Vec<Conflict> = conflicts.into_iter().flatten().collect();
    conflicts.sort_by_key(|conflict| conflict.reason);
    Some(Merged {
        kind,
        ports: union.ports,
        session_affinity: oldest.session_affinity.clone(),
        affinity_seconds: oldest.affinity_seconds,
        internal_traffic_policy: oldest.internal_traffic_policy.clone(),
        traffic_distribution: oldest.traffic_distribution.clone(),
        families: families.families,
        labels: oldest.labels.clone(),
        annotations: oldest.annotations.clone(),
        clusters: exports.iter().map(|export| export.cluster.clone()).collect(),
        port_mappings: union.port_mappings,
        conflicts,
    })
}

impl Merged {
    /// Name of a port in the derived Service and in the EndpointSlices of the import.
    ///
    /// A Service with several ports needs a name for each, but the union may contain a port without one. That port gets a
    /// generated name. The import keeps the port as exported.
    pub fn port_name(&self, port: &ServicePort) -> String {
        if !port.name.is_empty() || self.ports.len() == 1 || self.kind == ServiceImportType::Headless {
            return port.name.clone();
        }
        let mut name = format!("{}-{}", port.protocol.to_lowercase(), port.port);
        while self.ports.iter().any(|other| other.name == name) {
            name.push('x');
        }
        name
    }
}

/// The conflict if the exports differ in type. The type in use wins, otherwise that of the oldest export.
fn type_conflict(exports: &[ValidExport], kind: ServiceImportType) -> Option<Conflict> {
    let oldest = exports.first()?;
    let mut conflict = disagreement(
        exports,
        reasons::TYPE_CONFLICT,
        "spec.type",
        |export| export.kind,
        |value| shown(value.as_str()),
    )?;
    if oldest.kind != kind {
        conflict.message = format!(
            "spec.type: {} stays, because the service is imported with it already; the oldest export, of cluster {}, has {}",
            shown(kind.as_str()),
            oldest.cluster,
            shown(oldest.kind.as_str()),
        );
    }
    Some(conflict)
}

/// The conflict if the timeouts differ between clusters with affinity `ClientIP`.
fn affinity_conflict(exports: &[ValidExport]) -> Option<Conflict> {
    let with_affinity: Vec<ValidExport> =
        exports.iter().filter(|export| export.affinity_seconds.is_some()).cloned().collect();
    disagreement(
        &with_affinity,
        reasons::SESSION_AFFINITY_CONFIG_CONFLICT,
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        |export| export.affinity_seconds,
        |value| value.unwrap_or_default().to_string(),
    )
}

#[cfg(test)]
mod tests;
