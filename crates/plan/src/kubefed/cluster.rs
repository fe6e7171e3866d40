//! KubeFedClusters and Clusters: each is made from the other (kubefed pkg/controller/kubefedcluster).

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portolan_api::cluster::Cluster;
use portolan_api::conditions::cluster as reasons;
use portolan_api::kubefed::{
    CLUSTER_FINALIZER, CLUSTER_UID, COMMON_LABELS, ClusterSecret, KubeFedCluster, KubeFedClusterCondition,
    KubeFedClusterSpec, KubeFedClusterStatus, SYSTEM_NAMESPACE, TlsValidation,
};
use portolan_api::meta::{ConditionStatus, ObjectMeta, condition};
use portolan_object::Object;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// How to reach a cluster that is to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// URL of the API server.
    pub url: String,
    /// Certificates of its certificate authority, PEM; empty if there are none.
    pub ca_pem: Vec<u8>,
    /// Whether its certificate is not verified.
    pub insecure: bool,
}

/// A KubeFedCluster that cannot join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// There is no address.
    #[error("spec.apiEndpoint is empty: it has to be the address of the cluster's API server")]
    NoAddress,
    /// The bundle is not base64.
    #[error("spec.caBundle is not PEM in base64")]
    CaBundle,
    /// A part of the verification cannot be switched off alone.
    #[error(
        "spec.disabledTLSValidations has {0:?}: only \"*\" is supported; or give the cluster a valid certificate"
    )]
    Validation(TlsValidation),
    /// A proxy.
    #[error(
        "spec.proxyURL is not supported: give an apiEndpoint that can be reached directly, or let the cluster register in pull mode"
    )]
    Proxy,
}

/// How to reach the cluster of a KubeFedCluster.
///
/// # Errors
/// When the spec is malformed, or asks for something that is not supported.
pub fn address(spec: &KubeFedClusterSpec) -> Result<Address, SpecError> {
    if spec.api_endpoint.is_empty() {
        return Err(SpecError::NoAddress);
    }
    if !spec.proxy_url.is_empty() {
        return Err(SpecError::Proxy);
    }
    let partial = spec.disabled_tls_validations.iter().find(|one| **one != TlsValidation::All);
    if let Some(partial) = partial {
        return Err(SpecError::Validation(*partial));
    }
    let url = match spec.api_endpoint.contains("://") {
        true => spec.api_endpoint.clone(),
        false => format!("https://{}", spec.api_endpoint),
    };
    let insecure = spec.disabled_tls_validations.contains(&TlsValidation::All);
    let ca_pem = STANDARD.decode(&spec.ca_bundle).map_err(|_| SpecError::CaBundle)?;
    Ok(Address { url, ca_pem, insecure })
}

/// The token in the Secret of a KubeFedCluster; `None` without one.
pub fn token(secret: &Object) -> Option<String> {
    let decoded = STANDARD.decode(secret.str_at(&["data", "token"])).ok()?;
    String::from_utf8(decoded).ok().filter(|token| !token.is_empty())
}

/// The labels of both objects after a change of either: what differs from the labels that they had in common. If both
/// changed a label, the Cluster's counts.
pub fn merge_labels(common: &Labels, of_mirror: &Labels, of_cluster: &Labels) -> Labels {
    let mut merged = of_cluster.clone();
    for (label, value) in of_mirror {
        if common.get(label) != Some(value) && of_cluster.get(label) == common.get(label) {
            merged.insert(label.clone(), value.clone());
        }
    }
    for (label, value) in common {
        if !of_mirror.contains_key(label) && of_cluster.get(label) == Some(value) {
            merged.remove(label);
        }
    }
    merged
}

/// The labels that a KubeFedCluster and its Cluster had in common when they were last made equal.
pub fn common_labels(mirror: &KubeFedCluster) -> Labels {
    let noted = mirror.metadata.annotations.get(COMMON_LABELS);
    noted.and_then(|noted| serde_json::from_str(noted).ok()).unwrap_or_default()
}

/// Whether `mirror` stands for `cluster`, and not for an earlier Cluster of the name. Only this one leaves with it.
pub fn stands_for(mirror: &KubeFedCluster, cluster: &Cluster) -> bool {
    mirror.metadata.annotations.get(CLUSTER_UID).is_some_and(|uid| *uid == cluster.metadata.uid)
}

/// A KubeFedCluster for a Cluster, without status. `old` is the present one: what others wrote stays, except the address,
/// which is the Cluster's.
pub fn mirror(cluster: &Cluster, labels: &Labels, old: Option<&KubeFedCluster>) -> KubeFedCluster {
    let new = || {
        let reference = cluster.spec.secret_ref.as_ref();
        let name = reference.map_or(&cluster.metadata.name, |reference| &reference.name);
        KubeFedCluster {
            metadata: ObjectMeta::namespaced(SYSTEM_NAMESPACE, &*cluster.metadata.name),
            spec: KubeFedClusterSpec {
                secret_ref: ClusterSecret { name: name.clone() },
                ..KubeFedClusterSpec::default()
            },
            ..KubeFedCluster::default()
        }
    };
    let mut mirror = old.cloned().unwrap_or_else(new);
    let is_same = address(&mirror.spec).is_ok_and(|address| address.url == cluster.spec.api_endpoint);
    if !is_same {
        mirror.spec.api_endpoint.clone_from(&cluster.spec.api_endpoint);
    }
    if let Some(finalizers) = mirror.metadata.with_finalizer(CLUSTER_FINALIZER) {
        mirror.metadata.finalizers = finalizers;
    }
    mirror.metadata.labels.clone_from(labels);
    let annotations = &mut mirror.metadata.annotations;
    annotations.insert(CLUSTER_UID.to_owned(), cluster.metadata.uid.clone());
    annotations.insert(COMMON_LABELS.to_owned(), serde_json::json!(labels).to_string());
    mirror
}

/// The status of a KubeFedCluster, with the conditions, reasons and messages of KubeFed.
pub fn status(cluster: &Cluster, now: &str) -> KubeFedClusterStatus {
    let spec = &cluster.spec;
    let zone = Some(&spec.zone).filter(|zone| !zone.is_empty() && !spec.zones.contains(zone));
    KubeFedClusterStatus {
        conditions: conditions(cluster, now),
        zones: spec.zones.iter().chain(zone).cloned().collect(),
        region: spec.region.clone(),
        kubernetes_version: cluster.status.kubernetes_version.clone(),
    }
}

fn conditions(cluster: &Cluster, now: &str) -> Vec<KubeFedClusterCondition> {
    let Some(ready) = condition(&cluster.status.conditions, reasons::READY) else { return Vec::new() };
    let since = if ready.last_transition_time.is_empty() { now } else { &ready.last_transition_time };
    let known = |kind: &str, holds: bool, reason: &str, message: &str| {
        one_condition(kind, holds, reason, message, since)
    };
    match ready.reason.as_str() {
        _ if ready.is_true() => {
            vec![known("Ready", true, "ClusterReady", "/healthz responded with ok")]
        }
        reasons::CLUSTER_NOT_READY => vec![
            known("Ready", false, "ClusterNotReady", "/healthz responded without ok"),
            known("Offline", false, "ClusterReachable", "cluster is reachable"),
        ],
        reasons::CLUSTER_NOT_REACHABLE | reasons::CLUSTER_STATUS_UNKNOWN => {
            let message = format!("cluster is not reachable: {}", ready.message);
            vec![known("Offline", true, "ClusterNotReachable", &message)]
        }
        _ => vec![malformed(&ready.message, since)],
    }
}

/// The condition of a cluster that cannot be used as it is described.
pub fn malformed(cause: &str, since: &str) -> KubeFedClusterCondition {
    let message = format!("cluster's configuration may be malformed: {cause}");
    one_condition("ConfigMalformed", true, "ClusterConfigMalformed", &message, since)
}

fn one_condition(
    kind: &str,
    holds: bool,
    reason: &str,
    message: &str,
    since: &str,
) -> KubeFedClusterCondition {
    KubeFedClusterCondition {
        kind: kind.to_owned(),
        status: ConditionStatus::from(holds),
        last_probe_time: since.to_owned(),
        last_transition_time: since.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
