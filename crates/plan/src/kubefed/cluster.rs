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
        "spec.proxyURL is not supported: join the cluster with `portolan join`, and set spec.proxyURL of its Cluster"
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
mod tests {
    use portolan_api::meta::Condition;

    use super::*;

    fn labels(text: &str) -> Labels {
        text.split_whitespace()
            .filter_map(|pair| pair.split_once('='))
            .map(|(label, value)| (label.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_changed_label_of_either_object_counts_for_both() {
        for (common, of_mirror, of_cluster, want) in [
            ("", "a=1", "b=2", "a=1 b=2"),
            ("a=1", "a=2", "a=1", "a=2"),
            ("a=1", "a=1", "a=3", "a=3"),
            ("a=1", "a=2", "a=3", "a=3"),
            ("a=1", "", "a=1", ""),
            ("a=1", "a=1", "", ""),
            ("a=1", "", "a=2", "a=2"),
            ("a=1 b=2", "a=1 b=2", "a=1 b=2", "a=1 b=2"),
        ] {
            let merged = merge_labels(&labels(common), &labels(of_mirror), &labels(of_cluster));
            assert_eq!(merged, labels(want), "{common:?} {of_mirror:?} {of_cluster:?}");
        }
    }

    #[test]
    fn a_new_cluster_of_the_name_does_not_leave_with_the_old_one() {
        let cluster = |uid: &str| {
            let metadata = ObjectMeta { uid: uid.to_owned(), ..ObjectMeta::cluster("eu") };
            Cluster { metadata, ..Cluster::default() }
        };
        let old = mirror(&cluster("1"), &Labels::new(), None);
        assert!(stands_for(&old, &cluster("1")));
        assert!(!stands_for(&old, &cluster("2")));
        assert!(
            !stands_for(&KubeFedCluster::default(), &cluster("")),
            "it was made by a user, and stands for none yet"
        );
    }

    #[test]
    fn addresses_are_hosts_or_urls() {
        let spec = |endpoint: &str, ca: &str| KubeFedClusterSpec {
            api_endpoint: endpoint.to_owned(),
            ca_bundle: ca.to_owned(),
            ..KubeFedClusterSpec::default()
        };
        let url = |endpoint| address(&spec(endpoint, "")).map(|address| address.url);
        assert_eq!(url("10.0.0.1:6443"), Ok("https://10.0.0.1:6443".to_owned()));
        assert_eq!(url("https://eu.example"), Ok("https://eu.example".to_owned()));
        assert_eq!(url(""), Err(SpecError::NoAddress));
        assert_eq!(address(&spec("eu", "%")), Err(SpecError::CaBundle));
        assert_eq!(address(&spec("eu", "UEVN")).map(|address| address.ca_pem), Ok(b"PEM".to_vec()));
        let mut insecure = spec("eu", "");
        insecure.disabled_tls_validations = vec![TlsValidation::All];
        assert_eq!(address(&insecure).map(|address| address.insecure), Ok(true));
        insecure.disabled_tls_validations = vec![TlsValidation::SubjectName];
        assert_eq!(address(&insecure), Err(SpecError::Validation(TlsValidation::SubjectName)));
        let proxied = KubeFedClusterSpec { proxy_url: "http://proxy".to_owned(), ..spec("eu", "") };
        assert_eq!(address(&proxied), Err(SpecError::Proxy));
    }

    fn cluster(holds: bool, reason: &str) -> Cluster {
        let mut cluster = Cluster { metadata: ObjectMeta::cluster("eu"), ..Cluster::default() };
        cluster.metadata.uid = "u1".to_owned();
        cluster.spec.api_endpoint = "https://eu:6443".to_owned();
        cluster.status.conditions.push(Condition::new(reasons::READY, holds, reason, "no route", "t1"));
        cluster
    }

    #[test]
    fn conditions_are_those_of_kubefed() {
        let found = |holds, reason| {
            let conditions = status(&cluster(holds, reason), "t2").conditions;
            let text = |one: &KubeFedClusterCondition| {
                format!("{}={} {} {}", one.kind, one.status.as_str(), one.reason, one.last_probe_time)
            };
            conditions.iter().map(text).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(found(true, "ClusterReady"), "Ready=True ClusterReady t1");
        assert_eq!(
            found(false, "ClusterNotReady"),
            "Ready=False ClusterNotReady t1, Offline=False ClusterReachable t1"
        );
        assert_eq!(found(false, "ClusterNotReachable"), "Offline=True ClusterNotReachable t1");
        assert_eq!(found(false, "CredentialRefused"), "ConfigMalformed=True ClusterConfigMalformed t1");
        assert_eq!(status(&Cluster::default(), "t2").conditions, []);
    }

    #[test]
    fn a_mirror_keeps_what_its_user_wrote_except_the_address() {
        let cluster = cluster(true, "ClusterReady");
        let made = mirror(&cluster, &labels("a=1"), None);
        assert_eq!(
            (made.spec.api_endpoint.as_str(), made.spec.secret_ref.name.as_str()),
            ("https://eu:6443", "eu")
        );
        assert_eq!(common_labels(&made), labels("a=1"));
        assert!(made.metadata.has_finalizer(CLUSTER_FINALIZER));
        assert_eq!(mirror(&cluster, &labels("a=1"), Some(&made)), made, "nothing to write");
        let mut theirs = made.clone();
        theirs.spec.api_endpoint = "eu:6443".to_owned();
        theirs.spec.ca_bundle = "UEVN".to_owned();
        let kept = mirror(&cluster, &labels("a=1"), Some(&theirs));
        assert_eq!(kept, theirs, "the same address in another form");
        theirs.spec.api_endpoint = "other:6443".to_owned();
        assert_eq!(mirror(&cluster, &labels("a=1"), Some(&theirs)).spec.api_endpoint, "https://eu:6443");
    }
}
