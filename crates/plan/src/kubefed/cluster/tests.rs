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
