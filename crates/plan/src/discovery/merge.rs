//! One service out of the offers of several clusters (KEP-1645, "Constraints and Conflict Resolution").
//!
//! Offers are put in order, the oldest export first, and folded: the same offers give the same service in whatever
//! order they became known, and no cluster's own values count more there than elsewhere. `import` and `slices` build on
//! the result; `conditions` tells the exporters what was not taken.

mod conflict;
mod families;
mod ports;

use std::collections::BTreeMap;

use portolan_api::conditions::multicluster as reasons;
use portolan_api::multicluster::{ServiceImportType, ServicePort};

use super::export::Offer;

pub use conflict::Conflict;
use conflict::{disagreement, shown};
pub use ports::Route;

/// The service that all importing clusters get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Whether it has an address.
    pub kind: ServiceImportType,
    /// The ports of all offers; neither a name nor a number with its protocol occurs twice.
    pub ports: Vec<ServicePort>,
    /// `None` or `ClientIP`.
    pub session_affinity: String,
    /// Seconds for which `ClientIP` holds.
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
    /// For each exporting cluster, what becomes of its ports.
    pub routes: BTreeMap<String, Route>,
    /// What the offers disagree about, ordered by reason.
    pub conflicts: Vec<Conflict>,
}

/// Merges valid offers; `None` without any.
///
/// `used` is the type with which the service is imported already: it stays as long as any cluster offers it, for
/// changing it breaks every consumer (KEP-1645 allows to keep a value when a conflict ends).
pub fn merge(mut offers: Vec<Offer>, used: Option<ServiceImportType>) -> Option<Merged> {
    offers.sort_by(|a, b| (&a.since, &a.cluster).cmp(&(&b.since, &b.cluster)));
    let oldest = offers.first()?;
    let used = used.filter(|used| offers.iter().any(|offer| offer.kind == *used));
    let kind = used.unwrap_or(oldest.kind);
    let union = ports::union(&offers);
    let families = families::common(&offers, kind);
    let mut conflicts = vec![type_conflict(&offers, kind), union.conflict, families.conflict];
    conflicts.extend([
        disagreement(
            &offers,
            reasons::SESSION_AFFINITY_CONFLICT,
            "spec.sessionAffinity",
            |offer| offer.session_affinity.as_str(),
            shown,
        ),
        affinity_conflict(&offers),
        disagreement(
            &offers,
            reasons::INTERNAL_TRAFFIC_POLICY_CONFLICT,
            "spec.internalTrafficPolicy",
            // Unset means Cluster.
            |offer| offer.internal_traffic_policy.as_deref().unwrap_or("Cluster"),
            shown,
        ),
        disagreement(
            &offers,
            reasons::TRAFFIC_DISTRIBUTION_CONFLICT,
            "spec.trafficDistribution",
            |offer| offer.traffic_distribution.as_deref(),
            |value| value.map_or_else(|| "no value".to_owned(), shown),
        ),
        disagreement(
            &offers,
            reasons::LABELS_CONFLICT,
            "spec.exportedLabels",
            |offer| &offer.labels,
            conflict::pairs,
        ),
        disagreement(
            &offers,
            reasons::ANNOTATIONS_CONFLICT,
            "spec.exportedAnnotations",
            |offer| &offer.annotations,
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
        clusters: offers.iter().map(|offer| offer.cluster.clone()).collect(),
        routes: union.routes,
        conflicts,
    })
}

impl Merged {
    /// The name of a port in the derived Service and in the EndpointSlices of the import.
    ///
    /// A Service may have one port without a name, but not beside others, while the union may: that port gets a name
    /// there. The import itself keeps the port as it is exported.
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

/// Whether offers differ in type; the type in use wins, else the oldest export.
fn type_conflict(offers: &[Offer], kind: ServiceImportType) -> Option<Conflict> {
    let oldest = offers.first()?;
    let mut conflict = disagreement(
        offers,
        reasons::TYPE_CONFLICT,
        "spec.type",
        |offer| offer.kind,
        |value| shown(&format!("{value:?}")),
    )?;
    if oldest.kind != kind {
        conflict.message = format!(
            "spec.type: {} stays, because the service is imported with it already; the oldest export, of cluster {}, has {}",
            shown(&format!("{kind:?}")),
            oldest.cluster,
            shown(&format!("{:?}", oldest.kind)),
        );
    }
    Some(conflict)
}

/// Only clusters that ask for affinity can disagree about its time.
fn affinity_conflict(offers: &[Offer]) -> Option<Conflict> {
    let asking: Vec<Offer> =
        offers.iter().filter(|offer| offer.affinity_seconds.is_some()).cloned().collect();
    disagreement(
        &asking,
        reasons::SESSION_AFFINITY_CONFIG_CONFLICT,
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        |offer| offer.affinity_seconds,
        |value| value.unwrap_or_default().to_string(),
    )
}

#[cfg(test)]
mod tests;
